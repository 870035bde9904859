//! The executor: authorised plans, step by step.
//!
//! ```text
//!  begin: authorise ▸ audit intent ▸ log "running"
//!  step:  log "begun n" ▸ apply ▸ verify ─┬ held ─▸ next step ─▸ … ─▸ applied
//!                                         ├ waits ▸ looked at again at every event, until its deadline
//!                                         └ fails ▸ undo n … 1 ─▸ undone, or stuck at the step whose undo failed
//!  end:   cleanup runs ▸ log "ended", with the task's statistics ▸ audit outcome
//! ```
//!
//! Invariants:
//! - A step is logged as begun before it is applied, so that whatever may have happened is known after a crash.
//! - Every plan that began ends: applied, undone, or stuck and named.
//! - A step that may be missed is noted when it fails, and the plan goes on; if all of a plan's were, it has failed.

mod action;
mod authorise;
mod back;
mod end;
pub(super) mod live;
mod wait;

use lle_core::error::Code;
use lle_core::plan::{Outcome, Plan};
use lle_core::policy::{Authorised, Who};

use super::Engine;
use super::audit::{Entry, name_of};
use crate::api::Fault;
use crate::state::{Change, Phase, Running};
use crate::world::{Now, World};
use action::Stepped;
use live::Live;

/// Plans carried out at the same time. Each may be a process of its own.
pub(super) const RUNNING_MAX: usize = 4;
/// Steps of one plan taken in one event, so that no plan keeps the others waiting.
const STEPS_AT_ONCE: usize = 16;
/// What to do when nothing can be recorded.
pub(super) const MAKE_ROOM: &str = "make room in the state folder; `lusush doctor` says where it is";

impl Engine {
    /// Carries out a plan that somebody put together, on the same path as every other: authorised as a run of its
    /// task, audited before and after, verified step by step, else undone. Gives its number; the plan may have ended.
    ///
    /// # Errors
    /// There is nobody to act, it is not authorised, not well formed, or cannot be recorded: then nothing of it is
    /// done.
    pub fn propose<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        plan: Plan,
    ) -> Result<u64, Fault> {
        if !self.acts {
            return Err(Fault::new(Code::NoWorker, "there is no worker to do that"));
        }
        self.begin(world, now, who, plan)
    }

    /// Carries a plan out, if it may be.
    ///
    /// # Errors
    /// It is not authorised, not well formed, or cannot be recorded: then nothing of it is done.
    pub(crate) fn begin<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        plan: Plan,
    ) -> Result<u64, Fault> {
        plan.check()
            .map_err(|error| Fault::new(Code::InvalidParameters, error.to_string()))?;
        if self.live.len() >= RUNNING_MAX {
            return Err(Fault::new(
                Code::Busy,
                format!("{RUNNING_MAX} plans are being carried out"),
            ));
        }
        let plan = self.authorise(world, now, who, plan)?;
        self.enter(world, now, who, plan)
    }

    fn enter<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        plan: Authorised<Plan>,
    ) -> Result<u64, Fault> {
        let plan = plan.into_inner();
        let id = self.state.next_id();
        let who = name_of(who);
        let intent = Entry::plan("intent", id, &who, &plan, "");
        if !self.record(world, now, &intent) {
            return Err(Fault::new(
                Code::Unavailable,
                format!("the audit log cannot be written, so {} is not run", plan.task),
            )
            .with_hint(MAKE_ROOM));
        }
        let known = self.state.tasks.get(&plan.task).cloned();
        let budget_ms = known.as_ref().map_or(60_000, |known| known.task.budget_ms);
        let running = Running {
            id,
            plan,
            who,
            began_wall_ns: now.wall_ns,
            begun: 0,
            phase: Phase::Applying,
            outcome: None,
        };
        let began_ns = world.now().mono_ns;
        self.live.insert(id, Live::begin(now, budget_ms, began_ns));
        let change = Change::Running {
            running: Box::new(running),
            task: known.map(Box::new),
        };
        if let Err(error) = self.log.commit(world, now, &mut self.state, change) {
            self.live.remove(&id);
            let why = format!("its beginning cannot be recorded: {error}");
            self.record(world, now, &Entry::outcome(id, "failed", &why));
            return Err(Fault::new(Code::Unavailable, why).with_hint(MAKE_ROOM));
        }
        self.advance(world, now, id);
        Ok(id)
    }

    /// Looks at every plan that waits.
    pub(crate) fn advance_all<W: World>(&mut self, world: &mut W, now: Now) {
        let ids: Vec<u64> = self.live.keys().copied().collect();
        for id in ids {
            self.advance(world, now, id);
        }
    }

    /// Takes a plan as far as it goes now.
    pub(super) fn advance<W: World>(&mut self, world: &mut W, now: Now, id: u64) {
        for _ in 0..STEPS_AT_ONCE {
            let (Some(running), Some(live)) = (self.state.running.get(&id), self.live.get(&id)) else {
                return;
            };
            if now.mono_ns >= live.deadline_ns() {
                self.overrun(world, now, id);
                continue;
            }
            if let Some(wait) = live.wait().cloned() {
                match self.settled(now, &wait, id) {
                    Stepped::Waits(_) => return,
                    Stepped::Held => self.held(id),
                    Stepped::Failed(why) => self.step_failed(world, now, id, &why),
                }
                continue;
            }
            match running.phase {
                Phase::Applying if running.begun < running.plan.steps.len() => self.step(world, now, id),
                Phase::Applying => match live.missed_all().map(str::to_owned) {
                    Some(why) => self.fail(world, now, id, &why),
                    None => self.wind_up(world, now, id, Outcome::Applied),
                },
                Phase::Undoing => self.undo(world, now, id),
                Phase::CleaningUp => self.finish(world, now, id),
            }
        }
    }

    /// Takes a plan as far as it goes without an event.
    fn advance_while_it_goes<W: World>(&mut self, world: &mut W, now: Now, id: u64) {
        while self.live.get(&id).is_some_and(|live| live.wait().is_none()) {
            self.advance(world, now, id);
        }
    }

    /// Applies the next step and sees whether it held.
    fn step<W: World>(&mut self, world: &mut W, now: Now, id: u64) {
        let Some(mut running) = self.state.running.get(&id).cloned() else {
            return;
        };
        let Some(step) = running.plan.steps.get(running.begun).cloned() else {
            return;
        };
        running.begun += 1;
        if let Err(why) = self.log_running(world, now, running) {
            // It has not begun: what is not recorded is not done.
            self.fail(world, now, id, &why);
            return;
        }
        let stepped = match self.apply(world, now, id, &step.action) {
            Err(why) => Stepped::Failed(why),
            Ok(()) => self.verify(now, &step.action, step.verify),
        };
        match stepped {
            Stepped::Held => self.held(id),
            Stepped::Waits(wait) => self.set_wait(id, Some(wait)),
            Stepped::Failed(why) => self.step_failed(world, now, id, &why),
        }
    }

    /// The step that began last holds: the next one's turn.
    fn held(&mut self, id: u64) {
        if let Some(live) = self.live.get_mut(&id) {
            live.held();
        }
    }

    /// The step that began last does not hold: what began is taken back, unless it may be missed.
    fn step_failed<W: World>(&mut self, world: &mut W, now: Now, id: u64, why: &str) {
        let running = self.state.running.get(&id);
        let begun = running.and_then(|running| running.plan.steps.get(running.begun.checked_sub(1)?));
        let may_be_missed = begun.is_some_and(|step| step.action.may_be_missed());
        match self.live.get_mut(&id) {
            Some(live) if may_be_missed => live.missed(why),
            _ => self.fail(world, now, id, why),
        }
    }

    /// Records how far a plan has come, before it goes further.
    fn log_running<W: World>(&mut self, world: &mut W, now: Now, running: Running) -> Result<(), String> {
        self.log
            .commit(world, now, &mut self.state, came_to(running))
            .map_err(|error| format!("the state cannot be recorded: {error}"))
    }

    /// Records how far a plan has come on its way to the end, which nothing holds up: without room on disk it is kept
    /// in memory.
    fn keep_running<W: World>(&mut self, world: &mut W, now: Now, running: Running) {
        self.keep(world, now, came_to(running));
    }

    /// Takes back or finishes what an earlier engine had begun, or this one while it was told to end. Their jobs are
    /// dead.
    pub(crate) fn resume<W: World>(&mut self, world: &mut W, now: Now) {
        let begun = self.state.running.keys().copied();
        let ids: Vec<u64> = begun.filter(|id| !self.live.contains_key(id)).collect();
        for id in ids {
            self.live.insert(id, Live::resume(now));
            let why = "the worker ended meanwhile".to_owned();
            let running = self.state.running.get(&id);
            let ended = running.filter(|running| running.phase == Phase::CleaningUp);
            match ended.and_then(|running| running.outcome.clone()) {
                // The cleanup died with the worker: it is run again, from its beginning.
                Some(outcome) => self.wind_up(world, now, id, outcome),
                None => self.turn_back(world, now, id, Outcome::Undone { why }),
            }
            self.advance_while_it_goes(world, now, id);
        }
    }

    /// Cancels the run of a task, if there is one.
    pub(crate) fn cancel_run<W: World>(&mut self, world: &mut W, now: Now, task: &str) -> bool {
        let ids: Vec<u64> = self
            .state
            .running
            .values()
            .filter(|running| running.plan.task == task)
            .map(|running| running.id)
            .collect();
        for id in &ids {
            self.turn_back(world, now, *id, Outcome::Cancelled);
            self.advance(world, now, *id);
        }
        !ids.is_empty()
    }

    /// Cancels every run, since the worker ends.
    pub(crate) fn cancel_all<W: World>(&mut self, world: &mut W, now: Now) {
        let ids: Vec<u64> = self.live.keys().copied().collect();
        for id in ids {
            let phase = self.state.running.get(&id).map(|running| running.phase);
            if phase == Some(Phase::CleaningUp) {
                world.kill_job(id);
                self.live.remove(&id);
                continue;
            }
            self.turn_back(world, now, id, Outcome::Cancelled);
            // No job is waited for: it is killed with the worker. The cleanup is run by the next.
            self.set_wait(id, None);
            self.advance_while_it_goes(world, now, id);
        }
    }
}

/// The change that says how far a plan has come.
fn came_to(running: Running) -> Change {
    Change::Running {
        running: Box::new(running),
        task: None,
    }
}
