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

use lle_core::error::Code;
use lle_core::plan::{Action, Check, Outcome, Plan};
use lle_core::policy::{self, Authorised, Kind, Operation, Target, Who};
use lle_core::task::ledger;
use lle_core::task::statistics::{LastRun, Outcome as Ended};
use lle_core::task::{Task, TaskKind};

use super::Engine;
use super::audit::Entry;
use crate::api::Fault;
use crate::state::{Change, Phase, Running};
use crate::world::{Job, JobEnd, Now, World};

/// Plans carried out at the same time. Each may be a process of its own.
pub(super) const RUNNING_MAX: usize = 4;
/// Steps of one plan taken in one event, so that no plan keeps the others waiting.
const STEPS_AT_ONCE: usize = 16;
/// Bytes of a reason or a note.
const TEXT_BYTES_MAX: usize = 200;
/// Time a cleanup may take, in milliseconds.
const CLEANUP_BUDGET_MS: u64 = 30_000;

/// What is known of a running plan and need not survive.
pub(crate) struct Live {
    /// When it must be over, on the monotonic clock.
    deadline_ns: u64,
    began_ns: u64,
    wait: Option<Wait>,
    cpu_ns: Option<u64>,
    gained_bytes: Option<i64>,
    /// Steps that held, and those that failed and may be missed; with the reason of the last of these.
    held: usize,
    missed: usize,
    missed_why: String,
    note: String,
}

impl Live {
    fn new(deadline_ns: u64, began_ns: u64) -> Self {
        Self {
            deadline_ns,
            began_ns,
            wait: None,
            cpu_ns: None,
            gained_bytes: None,
            held: 0,
            missed: 0,
            missed_why: String::new(),
            note: String::new(),
        }
    }
}

/// What a step waits for.
#[derive(Clone, Debug)]
pub(crate) enum Wait {
    /// A session's answer, until then.
    Session {
        session: u64,
        token: u64,
        until_ns: u64,
        before: Option<u64>,
    },
    /// A job's end.
    Job,
    /// The end of a job that was killed: what comes next must not meet it.
    KilledJob,
    /// The return of the host's own code.
    Call,
}

/// What became of a step.
enum Stepped {
    Held,
    Waits(Wait),
    Failed(String),
}

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

    /// Checks a plan against the policy. The only way to an authorised plan.
    fn authorise<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        plan: Plan,
    ) -> Result<Authorised<Plan>, Fault> {
        let kind = self.state.tasks.get(&plan.task).and_then(|known| known.task.kind);
        let task = plan.task.clone();
        let operation = operation_of(&plan, kind, who);
        let commands = commands_of(&plan);
        let refused = commands.iter().find_map(|command| {
            let target = Target::Command { task: &task, command };
            policy::authorise(*who, operation, target, (), &self.config.policy).err()
        });
        let target = match commands.first() {
            Some(command) => Target::Command { task: &task, command },
            None => Target::Task(&task),
        };
        let authorised = match refused {
            Some(refusal) => Err(refusal),
            None => policy::authorise(*who, operation, target, plan, &self.config.policy),
        };
        match authorised {
            Ok(plan) => Ok(plan),
            Err(refusal) => {
                self.worker.refused += 1;
                let fault = Fault::new(refusal.code, refusal.to_string()).with_hint(refusal.remedy());
                self.record(
                    world,
                    now,
                    &Entry::refused(who, operation.name(), &task, &fault.message),
                );
                Err(fault)
            }
        }
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
        let who = super::audit::name_of(who);
        let intent = Entry::plan("intent", id, &who, &plan, "");
        if !self.record(world, now, &intent) {
            return Err(Fault::new(
                Code::Unavailable,
                format!("the audit log cannot be written, so {} is not run", plan.task),
            )
            .with_hint("make room in the state folder; `lusush doctor` says where it is"));
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
        let deadline_ns = now.mono_ns.saturating_add(budget_ms.saturating_mul(1_000_000));
        self.live.insert(id, Live::new(deadline_ns, world.now().mono_ns));
        let change = Change::Running {
            running: Box::new(running),
            task: known.map(Box::new),
        };
        if let Err(error) = self.log.commit(world, now, &mut self.state, change) {
            self.live.remove(&id);
            let why = format!("its beginning cannot be recorded: {error}");
            self.record(world, now, &Entry::outcome(id, "failed", &why));
            return Err(Fault::new(Code::Unavailable, why)
                .with_hint("make room in the state folder; `lusush doctor` says where it is"));
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
            if now.mono_ns >= live.deadline_ns {
                self.overrun(world, now, id);
                continue;
            }
            if let Some(wait) = live.wait.clone() {
                match self.settled(now, &wait, id) {
                    Stepped::Waits(_) => return,
                    Stepped::Held => self.held(id),
                    Stepped::Failed(why) => self.step_failed(world, now, id, &why),
                }
                continue;
            }
            match running.phase {
                Phase::Applying if running.begun < running.plan.steps.len() => self.step(world, now, id),
                Phase::Applying if live.missed > 0 && live.held == 0 => {
                    let why = live.missed_why.clone();
                    self.fail(world, now, id, &why);
                }
                Phase::Applying => self.wind_up(world, now, id, Outcome::Applied),
                Phase::Undoing => self.undo(world, now, id),
                Phase::CleaningUp => self.finish(world, now, id),
            }
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
            live.wait = None;
            live.held += 1;
        }
    }

    /// The step that began last does not hold: what began is taken back, unless it may be missed.
    fn step_failed<W: World>(&mut self, world: &mut W, now: Now, id: u64, why: &str) {
        let running = self.state.running.get(&id);
        let begun = running.and_then(|running| running.plan.steps.get(running.begun.checked_sub(1)?));
        let may_be_missed = begun.is_some_and(|step| step.action.may_be_missed());
        match self.live.get_mut(&id) {
            Some(live) if may_be_missed => {
                live.wait = None;
                live.missed += 1;
                live.missed_why = policy::sanitise(why, TEXT_BYTES_MAX).into_owned();
            }
            _ => self.fail(world, now, id, why),
        }
    }

    fn log_running<W: World>(&mut self, world: &mut W, now: Now, running: Running) -> Result<(), String> {
        let change = Change::Running {
            running: Box::new(running),
            task: None,
        };
        self.log
            .commit(world, now, &mut self.state, change)
            .map_err(|error| format!("the state cannot be recorded: {error}"))
    }

    /// Does one action.
    fn apply<W: World>(&mut self, world: &mut W, now: Now, id: u64, action: &Action) -> Result<(), String> {
        match action {
            Action::CheckHealth => {
                // As it is now, not as it was at the last look, which may be a minute ago.
                self.look(world, now);
                Ok(())
            }
            Action::TrimSession { session, token } => self.ask_to_trim(world, now, *session, *token),
            Action::OpenSegment { segment, .. } => self
                .audit
                .open_segment(world, now, *segment)
                .map_err(|error| format!("segment {segment} cannot be begun: {error}")),
            Action::RemoveSegmentsBelow { segment, .. } => self
                .audit
                .remove_below(world, *segment)
                .map_err(|error| format!("a segment cannot be removed: {error}")),
            Action::UseSetting { name, value } => {
                let change = Change::Setting {
                    name: name.clone(),
                    value: value.clone(),
                };
                self.log
                    .commit(world, now, &mut self.state, change)
                    .map_err(|error| format!("the setting cannot be recorded: {error}"))?;
                self.note_size(name);
                self.publish_now(world, now)
            }
            Action::SyncConfig => self.sync_now(world, now, id),
            Action::UseConfig { version, instead_of } => self.use_config(world, now, *version, *instead_of),
            Action::OpenTrial { .. } => self.open_trial(world, now, action),
            Action::WithdrawTrial { trial } => {
                self.withdraw_trial(world, now, *trial, "its plan was taken back")
            }
            Action::RunCommand { command, .. } | Action::FitModels { command } => world
                .start_job(&Job {
                    plan: id,
                    command: command.clone(),
                })
                .map_err(|error| format!("{} cannot be started: {error}", command.join(" "))),
            Action::RunOwn { words } => {
                let own = std::iter::once("lusush".to_owned());
                let command = own.chain(words.iter().cloned()).collect();
                world
                    .start_own_job(&Job { plan: id, command })
                    .map_err(|error| format!("lusush {} cannot be started: {error}", words.join(" ")))
            }
            Action::CallHost { task } => world
                .call_host(id, task)
                .map_err(|error| format!("{task} cannot be called: {error}")),
        }
    }

    /// Sees whether an action held, or what it waits for.
    fn verify(&mut self, now: Now, action: &Action, check: Check) -> Stepped {
        match (check, action) {
            (Check::SessionAnswered { within_ms }, Action::TrimSession { session, token }) => {
                Stepped::Waits(Wait::Session {
                    session: *session,
                    token: *token,
                    until_ns: now.mono_ns.saturating_add(within_ms.saturating_mul(1_000_000)),
                    before: self
                        .sessions
                        .get(session)
                        .and_then(|session| session.rss_anon_bytes()),
                })
            }
            (
                Check::ExitZero,
                Action::RunCommand { .. } | Action::RunOwn { .. } | Action::FitModels { .. },
            ) => Stepped::Waits(Wait::Job),
            (Check::Returned, Action::CallHost { .. }) => Stepped::Waits(Wait::Call),
            (Check::SegmentOpen, Action::OpenSegment { segment, .. }) if self.audit.segment() != *segment => {
                Stepped::Failed(format!("the audit log did not go on in segment {segment}"))
            }
            (Check::SegmentsGone, Action::RemoveSegmentsBelow { segment, .. })
                if self
                    .audit
                    .oldest_segment()
                    .is_some_and(|oldest| oldest < *segment) =>
            {
                Stepped::Failed("a segment is still there".into())
            }
            (Check::Published, Action::UseSetting { name, value })
                if !self.is_published(name, value.as_deref()) =>
            {
                Stepped::Failed(format!("{name} was not published"))
            }
            (Check::Published, Action::OpenTrial { trial, .. }) if !self.is_trial_published(*trial) => {
                Stepped::Failed("the trial was not published".into())
            }
            _ => Stepped::Held,
        }
    }

    /// Sees whether what a step waits for has come.
    fn settled(&mut self, now: Now, wait: &Wait, id: u64) -> Stepped {
        let Wait::Session {
            session,
            token,
            until_ns,
            before,
        } = wait
        else {
            return Stepped::Waits(wait.clone());
        };
        let Some(state) = self.sessions.get(session).filter(|session| session.is_alive()) else {
            return Stepped::Failed(format!("session {session:016x} has ended"));
        };
        if state.trim_token() == Some(*token) {
            let gained = state.trim_gain_bytes(*before);
            if let Some(live) = self.live.get_mut(&id) {
                live.gained_bytes = match (live.gained_bytes, gained) {
                    (Some(before), Some(more)) => Some(before.saturating_add(more)),
                    (before, more) => before.or(more),
                };
                live.note = match live.gained_bytes {
                    Some(bytes) => format!("{bytes} bytes given back"),
                    None => "the allocator does not tell what was given back".into(),
                };
            }
            return Stepped::Held;
        }
        match now.mono_ns >= *until_ns {
            true => Stepped::Failed(format!("session {session:016x} did not answer")),
            false => Stepped::Waits(wait.clone()),
        }
    }

    fn set_wait(&mut self, id: u64, wait: Option<Wait>) {
        if let Some(live) = self.live.get_mut(&id) {
            live.wait = wait;
        }
    }

    /// A step did not hold: what began is taken back.
    pub(super) fn fail<W: World>(&mut self, world: &mut W, now: Now, id: u64, why: &str) {
        let why = policy::sanitise(why, TEXT_BYTES_MAX).into_owned();
        self.turn_back(world, now, id, Outcome::Undone { why });
    }

    fn overrun<W: World>(&mut self, world: &mut W, now: Now, id: u64) {
        let phase = self.state.running.get(&id).map(|running| running.phase);
        match phase {
            Some(Phase::Applying) => self.turn_back(world, now, id, Outcome::TimedOut),
            Some(Phase::CleaningUp) => {
                world.kill_job(id);
                self.finish(world, now, id);
                return;
            }
            // A killed job that does not end is given up; taking back goes on, since it has an end by itself.
            _ => self.set_wait(id, None),
        }
        self.begin_deadline(now, id);
    }

    /// Taking back and cleaning up have a time of their own.
    fn begin_deadline(&mut self, now: Now, id: u64) {
        if let Some(live) = self.live.get_mut(&id) {
            live.deadline_ns = now.mono_ns.saturating_add(CLEANUP_BUDGET_MS * 1_000_000);
        }
    }

    /// Goes over to taking back; `outcome` is what the plan ends with if that succeeds.
    pub(crate) fn turn_back<W: World>(&mut self, world: &mut W, now: Now, id: u64, outcome: Outcome) {
        let Some(mut running) = self.state.running.get(&id).cloned() else {
            return;
        };
        if running.phase != Phase::Applying {
            // It is on its way back already, and a cleanup changes nothing about how the plan ended. But who cancels
            // it wants nothing of it to go on.
            if outcome == Outcome::Cancelled {
                world.kill_job(id);
            }
            return;
        }
        self.stop_job(world, id);
        // Whatever of its own time was left: a job that was just killed has not been given up.
        self.begin_deadline(now, id);
        let reversible = running
            .plan
            .steps
            .iter()
            .take(running.begun)
            .any(|step| step.undo.is_some());
        running.outcome = Some(match outcome {
            Outcome::Undone { why } if !reversible => Outcome::Failed { why },
            outcome => outcome,
        });
        running.phase = Phase::Undoing;
        let change = Change::Running {
            running: Box::new(running),
            task: None,
        };
        self.keep(world, now, change);
    }

    /// Kills the job that a step waits for, if there is one; its end is waited for.
    fn stop_job<W: World>(&mut self, world: &mut W, id: u64) {
        let wait = self.live.get(&id).and_then(|live| live.wait.clone());
        let runs = matches!(wait, Some(Wait::Job | Wait::KilledJob));
        if runs {
            world.kill_job(id);
        }
        self.set_wait(id, runs.then_some(Wait::KilledJob));
    }

    /// Takes the last step that began back.
    fn undo<W: World>(&mut self, world: &mut W, now: Now, id: u64) {
        let Some(mut running) = self.state.running.get(&id).cloned() else {
            return;
        };
        let Some(last) = running.begun.checked_sub(1) else {
            let outcome = running.outcome.unwrap_or(Outcome::Cancelled);
            self.wind_up(world, now, id, outcome);
            return;
        };
        let undo = running.plan.steps.get(last).and_then(|step| step.undo.clone());
        if let Some(undo) = undo
            && let Err(why) = self.apply(world, now, id, &undo)
        {
            let why = format!("{}: {why}", undo.about());
            self.wind_up(world, now, id, Outcome::Stuck { step: last, why });
            return;
        }
        running.begun = last;
        let change = Change::Running {
            running: Box::new(running),
            task: None,
        };
        self.keep(world, now, change);
    }

    /// The end is known; the task's cleanup runs first.
    fn wind_up<W: World>(&mut self, world: &mut W, now: Now, id: u64, outcome: Outcome) {
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
        let change = Change::Running {
            running: Box::new(running),
            task: None,
        };
        self.keep(world, now, change);
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
        if let Some(live) = self.live.get_mut(&id) {
            live.deadline_ns = now.mono_ns.saturating_add(CLEANUP_BUDGET_MS * 1_000_000);
        }
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

    /// Takes note of what a call cost; whether a step waited for it.
    pub(super) fn took_call(&mut self, id: u64, cpu_ns: u64) -> bool {
        let Some(live) = self.live.get_mut(&id) else {
            return false;
        };
        live.cpu_ns = Some(live.cpu_ns.unwrap_or(0).saturating_add(cpu_ns));
        let waited = matches!(live.wait, Some(Wait::Call));
        if waited {
            live.wait = None;
        }
        waited
    }

    pub(super) fn note(&mut self, id: u64, text: &str) {
        if let Some(live) = self.live.get_mut(&id) {
            live.note = policy::sanitise(text, TEXT_BYTES_MAX).into_owned();
        }
    }

    /// Records how the plan ended.
    fn finish<W: World>(&mut self, world: &mut W, now: Now, id: u64) {
        let Some(running) = self.state.running.get(&id).cloned() else {
            return;
        };
        let live = self.live.remove(&id);
        let outcome = running.outcome.clone().unwrap_or(Outcome::Applied);
        let task = self
            .state
            .tasks
            .get(&running.plan.task)
            .cloned()
            .map(|mut known| {
                let (run, entry) = run_of(&outcome, running.began_wall_ns, live.as_ref(), world.now());
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

    /// A job has ended: the step or the cleanup that waited for it goes on.
    pub(crate) fn job_done<W: World>(&mut self, world: &mut W, now: Now, end: &JobEnd) {
        let id = end.plan;
        let wait = self.live.get(&id).and_then(|live| live.wait.clone());
        if let Some(live) = self.live.get_mut(&id) {
            live.cpu_ns = Some(live.cpu_ns.unwrap_or(0).saturating_add(end.cpu_ns));
        }
        if matches!(wait, Some(Wait::KilledJob)) {
            self.set_wait(id, None);
            self.advance(world, now, id);
            return;
        }
        if !matches!(wait, Some(Wait::Job)) {
            return;
        }
        let words = policy::sanitise(end.last_words.trim(), TEXT_BYTES_MAX).into_owned();
        self.set_wait(id, None);
        let phase = self.state.running.get(&id).map(|running| running.phase);
        let cleans = phase == Some(Phase::CleaningUp);
        self.drilled.read(world);
        if end.status == Some(0) {
            if self.fits_models(id) {
                self.read_models(world);
            }
            // What the run itself said last is worth more than what its cleanup said.
            if !cleans {
                self.note(id, &words);
            }
        } else {
            let how = end.status.map_or_else(
                || "was killed".to_owned(),
                |status| format!("ended with status {status}"),
            );
            let why = if words.is_empty() {
                how
            } else {
                format!("{how}: {words}")
            };
            match cleans {
                true => self.note(id, &format!("the cleanup {why}")),
                false => self.fail(world, now, id, &why),
            }
        }
        self.advance(world, now, id);
        self.make_durable(world, now);
    }

    fn fits_models(&self, id: u64) -> bool {
        let steps = self.state.running.get(&id).map(|running| &running.plan.steps);
        steps.is_some_and(|steps| {
            steps
                .iter()
                .any(|step| matches!(step.action, Action::FitModels { .. }))
        })
    }

    /// Takes back or finishes what an earlier engine had begun, or this one while it was told to end. Their jobs are
    /// dead.
    pub(crate) fn resume<W: World>(&mut self, world: &mut W, now: Now) {
        let begun = self.state.running.keys().copied();
        let ids: Vec<u64> = begun.filter(|id| !self.live.contains_key(id)).collect();
        for id in ids {
            let deadline_ns = now.mono_ns.saturating_add(CLEANUP_BUDGET_MS * 1_000_000);
            self.live.insert(id, Live::new(deadline_ns, now.mono_ns));
            let why = "the worker ended meanwhile".to_owned();
            let running = self.state.running.get(&id);
            let ended = running.filter(|running| running.phase == Phase::CleaningUp);
            match ended.and_then(|running| running.outcome.clone()) {
                // The cleanup died with the worker: it is run again, from its beginning.
                Some(outcome) => self.wind_up(world, now, id, outcome),
                None => self.turn_back(world, now, id, Outcome::Undone { why }),
            }
            while self.live.get(&id).is_some_and(|live| live.wait.is_none()) {
                self.advance(world, now, id);
            }
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
            while self.live.get(&id).is_some_and(|live| live.wait.is_none()) {
                self.advance(world, now, id);
            }
        }
    }

    /// When a plan has to be looked at again, on the monotonic clock.
    pub(crate) fn next_deadline_ns(&self, now: Now) -> u64 {
        let of = |live: &Live| match &live.wait {
            // A session answers in its flight file, which nobody tells of.
            Some(Wait::Session { .. }) => live.deadline_ns.min(now.mono_ns + super::SECOND_NS),
            // There is more to do than was done at once.
            None => now.mono_ns,
            _ => live.deadline_ns,
        };
        self.live.values().map(of).min().unwrap_or(u64::MAX)
    }

    /// Whether a step waits for a session's answer.
    pub(crate) fn waits_for_sessions(&self) -> bool {
        self.live
            .values()
            .any(|live| matches!(live.wait, Some(Wait::Session { .. })))
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

    /// A registered task's plan: its command.
    pub(crate) fn command_plan(task: &Task, why: &str) -> Option<Plan> {
        let command = task.command.clone()?;
        let step = lle_core::plan::Step {
            action: Action::RunCommand {
                command,
                budget_ms: task.budget_ms,
            },
            verify: Check::ExitZero,
            undo: None,
        };
        Some(Plan {
            task: task.name.clone(),
            why: why.to_owned(),
            steps: vec![step],
        })
    }
}

/// What a plan is to the policy: a person runs a task, the engine measures or acts in its area.
fn operation_of(plan: &Plan, kind: Option<TaskKind>, who: &Who) -> Operation {
    let measures = plan.steps.iter().all(|step| step.action.measures());
    match (kind, who.kind) {
        (Some(kind), Kind::System) if measures => Operation::Measure(kind),
        (Some(kind), Kind::System) => Operation::Act(kind),
        _ => Operation::Run,
    }
}

/// What a plan runs, to undo something too: no second command hides behind the first.
fn commands_of(plan: &Plan) -> Vec<String> {
    let actions = plan
        .steps
        .iter()
        .flat_map(|step| std::iter::once(&step.action).chain(&step.undo));
    let commands = actions.filter_map(|action| match action {
        Action::RunCommand { command, .. } => Some(command.join(" ")),
        _ => None,
    });
    commands.collect()
}

/// The run that a plan was, for the task's statistics and its ledger.
fn run_of(outcome: &Outcome, began_wall_ns: i64, live: Option<&Live>, now: Now) -> (LastRun, ledger::Entry) {
    let ended = match outcome {
        Outcome::Applied => Ended::Succeeded,
        Outcome::TimedOut => Ended::TimedOut,
        Outcome::Cancelled => Ended::Cancelled,
        Outcome::Undone { .. } | Outcome::Stuck { .. } | Outcome::Failed { .. } => Ended::Failed,
    };
    let missed = live.filter(|live| live.missed > 0 && *outcome == Outcome::Applied);
    let note = match (outcome.why(), live) {
        ("", Some(live)) => live.note.clone(),
        (why, Some(live)) if !live.note.is_empty() => format!("{why}; {}", live.note),
        (why, _) => why.to_owned(),
    };
    let note = match missed {
        Some(live) => format!(
            "{note}; {} of {} steps missed: {}",
            live.missed,
            live.held + live.missed,
            live.missed_why
        ),
        None => note,
    };
    let run = LastRun {
        wall_ns: began_wall_ns,
        ns: live.map_or(0, |live| now.mono_ns.saturating_sub(live.began_ns)),
        outcome: ended,
        note,
    };
    let entry = ledger::Entry {
        cost_cpu_ns: live.and_then(|live| live.cpu_ns),
        gained_bytes: live.and_then(|live| live.gained_bytes),
        gained_ns: None,
    };
    (run, entry)
}
