//! The end of a plan: the cleanup of its task, its statistics, its outcome in the audit log.
//!
//! Invariants:
//! - How the plan ended is decided before its cleanup runs, and no cleanup changes it.
//! - A cleanup runs by the policy and with a record, or not at all. One that dies with the worker is run again by the
//!   next, from its beginning.

use lle_core::plan::Outcome;
use lle_core::policy::{self, Operation, Target, Who};
use lle_core::task::statistics::{LastRun, Outcome as Ended};

use super::live::Live;
use super::wait::Wait;
use crate::engine::Engine;
use crate::engine::audit::Entry;
use crate::state::{Change, Phase};
use crate::world::{Job, Now, World};

impl Engine {
    /// The end is known; the task's cleanup runs first.
    pub(super) fn wind_up<W: World>(&mut self, world: &mut W, now: Now, id: u64, outcome: Outcome) {
        let Some(mut running) = self.state.running.get(&id).cloned() else {
            return;
        };
        let cleanup = self
            .state
            .tasks
            .get(&running.plan.task)
            .and_then(|known| known.task.cleanup.clone());
        running.outcome = Some(outcome);
        running.phase = Phase::CleaningUp;
        self.keep_running(world, now, running);
        self.clean_up(world, now, id, cleanup);
    }

    /// Runs the task's cleanup, if it has one. A worker that ends leaves it to the next.
    fn clean_up<W: World>(&mut self, world: &mut W, now: Now, id: u64, cleanup: Option<Vec<String>>) {
        let Some(command) = cleanup else {
            self.finish(world, now, id);
            return;
        };
        if self.stopping {
            self.live.remove(&id);
            return;
        }
        self.begin_deadline(now, id);
        if let Err(why) = self.may_clean_up(world, now, id, &command.join(" ")) {
            self.note(id, &format!("the cleanup was not run: {why}"));
            self.finish(world, now, id);
            return;
        }
        match world.start_job(&Job { plan: id, command }) {
            Ok(()) => self.set_wait(id, Some(Wait::Job)),
            Err(error) => {
                self.note(id, &format!("the cleanup cannot be started: {error}"));
                self.finish(world, now, id);
            }
        }
    }

    /// Whether a cleanup may run: by the policy, as whoever ran its task, and only if that can be recorded.
    fn may_clean_up<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        id: u64,
        command: &str,
    ) -> Result<(), String> {
        let Some(running) = self.state.running.get(&id) else {
            return Err("its plan is gone".into());
        };
        let (task, who) = (running.plan.task.clone(), running.who.clone());
        let target = Target::Command { task: &task, command };
        // The owner may whatever the rules on commands allow; how far the engine goes by itself was asked when it began.
        let owner = Who::peer(self.config.uid, None, self.config.uid);
        policy::authorise(owner, Operation::Run, target, (), &self.config.policy)
            .map(drop)
            .map_err(|refusal| refusal.to_string())?;
        match self.record(world, now, &Entry::cleanup(id, &who, &task, command)) {
            true => Ok(()),
            false => Err("the audit log cannot be written".into()),
        }
    }

    /// Says something about a run that is being carried out, in the place of what was said before.
    pub(crate) fn note(&mut self, id: u64, text: &str) {
        if let Some(live) = self.live.get_mut(&id) {
            live.note(text);
        }
    }

    /// Records how the plan ended.
    pub(super) fn finish<W: World>(&mut self, world: &mut W, now: Now, id: u64) {
        let Some(running) = self.state.running.get(&id).cloned() else {
            return;
        };
        let ended = world.now();
        let live = self.live.remove(&id).unwrap_or_else(|| Live::resume(ended));
        let outcome = running.outcome.clone().unwrap_or(Outcome::Applied);
        let task = self
            .state
            .tasks
            .get(&running.plan.task)
            .cloned()
            .map(|mut known| {
                let (run, entry) = live.run(&outcome, running.began_wall_ns, ended);
                known.statistics.record(&run);
                known.ledger.add(&entry);
                known.timing.last_run_wall_ns = Some(now.wall_ns);
                self.plan_retry(&mut known, &outcome, now);
                Box::new(known)
            });
        let change = Change::Ended {
            id,
            outcome: outcome.clone(),
            task,
        };
        self.keep(world, now, change);
        self.record(world, now, &Entry::outcome(id, outcome.name(), outcome.why()));
    }

    /// Takes note of a run that ended before there was a plan.
    pub(crate) fn finish_unplanned<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        name: &str,
        ended: Ended,
        note: String,
    ) {
        let Some(mut known) = self.state.tasks.get(name).cloned() else {
            return;
        };
        known.statistics.record(&LastRun {
            wall_ns: now.wall_ns,
            ns: 0,
            outcome: ended,
            note,
        });
        if ended.went_wrong() {
            let why = String::new();
            self.plan_retry(&mut known, &Outcome::Failed { why }, now);
        }
        known.timing.last_run_wall_ns = Some(now.wall_ns);
        self.keep(
            world,
            now,
            Change::Task {
                task: Box::new(known),
            },
        );
    }
}
