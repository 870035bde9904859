//! What is due, in which order, and what is left out when there is too much.
//!
//! Invariant: a due time is used up in the same record that says the run has begun. Killed before that record, it is
//! still due; killed after it, the run is taken back and counted, and no second one begins for the same time.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::tz::TimeZone;

use lle_core::error::Code;
use lle_core::mode::Mode;
use lle_core::plan::{Action, Check, Outcome, Plan, Planned, Step};
use lle_core::policy::{Kind, Who};
use lle_core::schedule;
use lle_core::shed::{self, Load, Pending};
use lle_core::task::order::{self, Waiting};
use lle_core::task::statistics::Outcome as Ended;
use lle_core::task::{self, Sessions, Task, TaskKind};

use super::Engine;
use super::execute::RUNNING_MAX;
use crate::api::Fault;
use crate::state::TaskState;
use crate::world::{Now, World};

/// Since when a task is due, by its schedule or to be tried again. One that is not is planned anew if the clock was set
/// back; a due time is not used up here.
fn due_at(known: &mut TaskState, now: Now, zone: &TimeZone) -> Option<i64> {
    let mut timing = known.timing.clone();
    let due = schedule::due(&known.task.schedule, &mut timing, now.wall_ns, zone);
    if due.is_none() {
        known.timing = timing;
    }
    // A retry is at most one delay away, whatever became of the clock.
    let delay = i64::try_from(known.task.retry_delay_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    let latest = now.wall_ns.saturating_add(delay);
    known.retry_wall_ns = known.retry_wall_ns.map(|at| at.min(latest));
    let again = known.retry_wall_ns.filter(|at| *at <= now.wall_ns);
    due.map(|due| due.due_wall_ns).into_iter().chain(again).min()
}

/// Due tasks that may wait. Beyond, they are shed in the stated order.
const QUEUE_MAX: usize = 256;

impl Engine {
    /// Starts what is due.
    pub(crate) fn run_due<W: World>(&mut self, world: &mut W, now: Now) {
        self.due_wall_ns = now.wall_ns;
        let mut due = self.take_due(now);
        order::order(&mut due);
        let dropped = self.shed(&due, now);
        for waiting in due.iter().filter(|waiting| dropped.contains(&waiting.name)) {
            self.use_up(now, &waiting.name);
        }
        for waiting in due.iter().filter(|waiting| !dropped.contains(&waiting.name)) {
            if self.state.running.len() >= RUNNING_MAX {
                // The rest stays due.
                break;
            }
            self.use_up(now, &waiting.name);
            self.run_scheduled(world, now, &waiting.name);
        }
    }

    /// The tasks that are due and may start.
    fn take_due(&mut self, now: Now) -> Vec<Waiting> {
        let sessions = self.counts(now);
        let running: BTreeSet<&String> = self
            .state
            .running
            .values()
            .map(|running| &running.plan.task)
            .collect();
        let zone = &self.config.zone;
        let of = |(name, known): (&String, &mut TaskState)| {
            let at = due_at(known, now, zone)?;
            let wants = known.task.enabled && !known.paused && !running.contains(name);
            (wants && known.task.may_start(sessions)).then(|| Waiting {
                name: name.clone(),
                priority: known.task.priority,
                due_wall_ns: at,
            })
        };
        self.state.tasks.iter_mut().filter_map(of).collect()
    }

    /// Uses the due time up, or plans anew after a clock that jumped. In memory: it is written with the record that
    /// says the run has begun, or did nothing.
    fn use_up(&mut self, now: Now, name: &str) {
        let zone = self.config.zone.clone();
        if let Some(known) = self.state.tasks.get_mut(name) {
            let _used = schedule::due(&known.task.schedule, &mut known.timing, now.wall_ns, &zone);
            known.retry_wall_ns = None;
        }
    }

    /// Leaves out what is too much, and says so.
    fn shed(&mut self, due: &[Waiting], now: Now) -> Vec<String> {
        let pending: Vec<Pending<'_>> = due
            .iter()
            .map(|waiting| Pending {
                name: &waiting.name,
                kind: self
                    .state
                    .tasks
                    .get(&waiting.name)
                    .and_then(|known| known.task.kind),
                priority: waiting.priority,
                waited_ns: now
                    .wall_ns
                    .saturating_sub(waiting.due_wall_ns)
                    .max(0)
                    .cast_unsigned(),
            })
            .collect();
        let load = Load {
            queue_len: pending.len(),
            queue_max: QUEUE_MAX,
            lag_ns: now.mono_ns.saturating_sub(self.expected_ns),
        };
        let dropped: Vec<String> = shed::shed(&pending, &load)
            .dropped
            .into_iter()
            .filter_map(|at| due.get(at).map(|waiting| waiting.name.clone()))
            .collect();
        self.note_shed(&dropped);
        dropped
    }

    fn run_scheduled<W: World>(&mut self, world: &mut W, now: Now, name: &str) {
        let who = Who::engine(self.config.uid);
        let mode = self.mode_of(name);
        if let Err(fault) = self.plan_and_begin(world, now, &who, name, "its schedule", mode) {
            // What may not run, or cannot be recorded, is a failure of the task, seen in its statistics.
            self.finish_unplanned(world, now, name, Ended::Failed, fault.message);
        }
    }

    /// Plans a run of a task, and carries the plan out if the mode allows it.
    ///
    /// # Errors
    /// It may not run, or cannot be recorded.
    pub(crate) fn plan_and_begin<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        name: &str,
        why: &str,
        mode: Mode,
    ) -> Result<Option<u64>, Fault> {
        let Some(known) = self.state.tasks.get(name).cloned() else {
            return Err(Fault::new(Code::NotFound, format!("there is no task {name}"))
                .with_hint("`lusush maint tasks` lists them"));
        };
        // A person's trial goes on whatever the mode is.
        let asked = who.kind != Kind::System;
        let planned = catch_unwind(AssertUnwindSafe(|| self.plan(world, &known, why, now, asked)));
        if let Ok(Planned::Do(plan)) = &planned
            && asked
            && mode < Mode::Automatic
            && turns(&known.task)
            && !plan.steps.iter().all(|step| step.action.measures())
        {
            // Nothing was done, so the schedule stays what it was.
            return Err(self.only_says(name, mode, plan));
        }
        if let Some(known) = self.state.tasks.get_mut(name) {
            schedule::ran(&known.task.schedule, &mut known.timing, now.wall_ns);
        }
        let (ended, note) = match planned {
            Err(_) => {
                self.worker.panics += 1;
                (Ended::Panicked, "its planner panicked".into())
            }
            Ok(Planned::NotBuilt) => (Ended::NotBuilt, "nothing to do: not yet built".into()),
            Ok(Planned::Nothing(why)) => (Ended::NothingToDo, why),
            Ok(Planned::Do(plan)) => {
                let measures = plan.steps.iter().all(|step| step.action.measures());
                if mode == Mode::Automatic || measures {
                    return self.begin(world, now, who, plan).map(Some);
                }
                let would: Vec<String> = plan.steps.iter().map(|step| step.action.about()).collect();
                let note = match mode {
                    Mode::Advise => format!("would {}; not done: mode is advise", would.join(", ")),
                    _ => "not done: mode is observe".into(),
                };
                (Ended::NothingToDo, note)
            }
        };
        self.finish_unplanned(world, now, name, ended, note);
        Ok(None)
    }

    /// Why what a person asks for is not done: the mode says that nothing is turned.
    fn only_says(&self, name: &str, mode: Mode, plan: &Plan) -> Fault {
        let would: Vec<String> = plan.steps.iter().map(|step| step.action.about()).collect();
        let message = format!(
            "{name} would {}, but its mode is {}",
            would.join(", "),
            mode.name()
        );
        let by_hand = plan.steps.iter().find_map(|step| match &step.action {
            Action::OpenTrial { lever, value, .. } => Some(format!("{lever}={value}")),
            _ => None,
        });
        let by_hand = by_hand.unwrap_or_else(|| "LEVER=VALUE".into());
        let allowed = self.config.policy.mode_max(name).min(self.configured_mode(name));
        let fault = Fault::new(Code::InvalidState, message);
        match allowed {
            Mode::Automatic => fault.with_hint(format!(
                "`lusush maint optimize --force {by_hand}` tries it all the same; `lusush maint mode {name} automatic` lets it act"
            )),
            _ => fault.with_hint("the policy or the configuration allows no more: `lusush maint config show` says which"),
        }
    }

    /// What a run of a task would do now.
    fn plan<W: World>(
        &mut self,
        world: &mut W,
        known: &TaskState,
        why: &str,
        now: Now,
        asked: bool,
    ) -> Planned {
        let Some(kind) = known.task.kind else {
            return match command_plan(&known.task, why) {
                Some(plan) => Planned::Do(plan),
                None => self.plan_call(&known.task, why),
            };
        };
        match kind {
            TaskKind::HealthCheck => task::health_check::plan(why),
            TaskKind::MemoryDefrag => {
                let heaps = self.heaps(now);
                let mut last = self.state.last_id;
                let planned = task::memory_defrag::plan(&heaps, why, || {
                    last += 1;
                    last
                });
                self.state.last_id = last;
                planned
            }
            TaskKind::LogRotation => task::log_rotation::plan(
                &task::log_rotation::Segments {
                    oldest: self.audit.oldest_segment(),
                    current: self.audit.segment(),
                    current_bytes: self.audit.segment_bytes(),
                },
                why,
            ),
            TaskKind::Backup => task::backup::plan(why),
            TaskKind::CacheCleanup => self.plan_cache_cleanup(why, now, asked),
            TaskKind::ConfigSync => Planned::Do(task::config_sync::plan(why, world.has_own_jobs())),
            TaskKind::Performance => match self.plan_performance(why, now, asked) {
                Planned::Nothing(nothing) => self
                    .plan_models(world, why, now, asked)
                    .unwrap_or(Planned::Nothing(nothing)),
                planned => planned,
            },
            _ => Planned::NotBuilt,
        }
    }

    /// How far a task may go by itself: as it was set, within what the configuration and the policy allow.
    pub(crate) fn mode_of(&self, name: &str) -> Mode {
        let set = self.state.modes.get(name).copied();
        let out_of_the_box = Mode::Automatic;
        set.unwrap_or(out_of_the_box)
            .min(self.configured_mode(name))
            .min(self.config.policy.mode_max(name))
    }

    /// After a failure the task is due again after its delay, as often as it may be; after anything else it waits for
    /// its schedule.
    pub(crate) fn plan_retry(&self, known: &mut TaskState, outcome: &Outcome, now: Now) {
        let failed = !matches!(outcome, Outcome::Applied | Outcome::Cancelled);
        known.attempt = if failed {
            known.attempt.saturating_add(1)
        } else {
            0
        };
        match known.task.retry_after(known.attempt) {
            Some(delay) if failed => {
                let delay = i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX);
                let again = now.wall_ns.saturating_add(delay);
                // A due time of its own; the schedule's stands behind it.
                known.retry_wall_ns = Some(again);
            }
            _ => {
                known.attempt = 0;
                known.retry_wall_ns = None;
            }
        }
    }

    pub(crate) fn is_running(&self, name: &str) -> bool {
        self.state
            .running
            .values()
            .any(|running| running.plan.task == name)
    }

    /// When the next task is due, on the monotonic clock.
    pub(crate) fn next_due_ns(&self, now: Now) -> u64 {
        if self.state.paused {
            return u64::MAX;
        }
        let waits = |known: &&TaskState| known.task.enabled && !known.paused;
        let next = self
            .state
            .tasks
            .values()
            .filter(waits)
            .flat_map(|known| [known.timing.next_wall_ns, known.retry_wall_ns])
            .flatten()
            // What was due at the last tick and did not start waits for the sessions, or for a job's end.
            .filter(|next| *next > self.due_wall_ns)
            .min();
        let Some(next) = next else { return u64::MAX };
        let left = next.saturating_sub(now.wall_ns).max(0).cast_unsigned();
        now.mono_ns.saturating_add(left)
    }

    fn counts(&self, now: Now) -> Sessions {
        let live = self.sessions.values().filter(|session| session.is_alive());
        let idle = live.clone().filter(|session| session.is_idle(now)).count();
        Sessions {
            live: u32::try_from(live.count()).unwrap_or(u32::MAX),
            idle: u32::try_from(idle).unwrap_or(u32::MAX),
        }
    }
}

/// Whether a task turns what sessions use: in a mode that changes nothing it does not at a person's word either, unless that
/// word names what is to be turned.
fn turns(task: &Task) -> bool {
    matches!(task.kind, Some(TaskKind::Performance | TaskKind::CacheCleanup))
}

/// A registered task's plan: its command.
fn command_plan(task: &Task, why: &str) -> Option<Plan> {
    let command = task.command.clone()?;
    let step = Step {
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
