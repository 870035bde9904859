//! What somebody asks for: authorised, recorded before and after, done, answered.
//!
//! Invariant: a request that changes something is refused if the change cannot be written: what is acknowledged is
//! kept. Reading is not recorded, or the log would be full of looks at it.

use lle_core::checklist::{Item, SignOff};
use lle_core::error::Code;
use lle_core::mode::Mode;
use lle_core::policy::{self, Class, Operation, Target, Who, sanitise};
use lle_core::schedule::{self, Schedule};
use lle_core::task::{DESCRIPTION_BYTES_MAX, Priority, Task, TaskKind};
use serde_json::{Value, json};

use super::Engine;
use super::audit::Entry;
use crate::api::{Fault, Request, ScheduleRequest};
use crate::state::{Change, TaskState};
use crate::world::{Now, World};

/// Tasks that may be registered.
const REGISTERED_MAX: usize = 256;
/// Bytes of what all of them run: the state is written anew as a whole, and stays below what makes it do so.
const REGISTERED_BYTES_MAX: usize = 256 * 1024;
const NOTE_MAX: usize = 500;
/// What is done to the backup by hand.
const BACKUP_NOTED: [&str; 6] = [
    "create",
    "restore",
    "prune",
    "key export",
    "key import",
    "key rotate",
];

impl Engine {
    /// Answers a request of `who`.
    ///
    /// # Errors
    /// It is not granted, or failed; nothing was changed then.
    pub fn request<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        request: &Request,
    ) -> Result<Value, Fault> {
        let (operation, target) = self.operation(request)?;
        let name = operation.name();
        let on = target.as_deref().unwrap_or("");
        self.allow(world, now, who, operation, target.as_deref(), request)?;
        if operation.class() == Class::Read {
            return self.answer(world, now, request);
        }
        if !self.acts {
            return Err(Fault::new(Code::NoWorker, "there is no worker to do that")
                .with_hint("`lusush maint start` starts one; so does every new session"));
        }
        let intent = Entry::request("intent", who, name, on, "").because(&details(request));
        if !self.record(world, now, &intent) {
            return Err(Fault::new(
                Code::Unavailable,
                "the audit log cannot be written, so nothing is changed",
            )
            .with_hint("make room in the state folder; `lusush doctor` says where it is"));
        }
        let done = self.act(world, now, who, request);
        let outcome = match &done {
            Ok(_) => "done".to_owned(),
            Err(fault) => format!("{}: {}", fault.code.name(), fault.message),
        };
        self.record(world, now, &Entry::request("outcome", who, name, on, &outcome));
        self.publish(world, now);
        done
    }

    fn allow<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        operation: Operation,
        target: Option<&str>,
        request: &Request,
    ) -> Result<(), Fault> {
        let commands: Vec<String> = match request {
            Request::Schedule(asked) => commands(&asked.command, &asked.cleanup),
            Request::Run { task } => self
                .state
                .tasks
                .get(task)
                .map(|known| commands(&known.task.command, &known.task.cleanup))
                .unwrap_or_default(),
            _ => Vec::new(),
        };
        let plain = target.map_or(Target::All, Target::Task);
        let each = commands.iter().filter_map(|command| {
            Some(Target::Command {
                task: target?,
                command,
            })
        });
        let mut targets = each.collect::<Vec<_>>();
        if targets.is_empty() {
            targets.push(plain);
        }
        let refused = targets.into_iter().find_map(|on| {
            let asked = policy::authorise(*who, operation, on, (), &self.config.policy);
            asked.err()
        });
        let Some(refusal) = refused else { return Ok(()) };
        self.worker.refused += 1;
        let fault = Fault::new(refusal.code, refusal.to_string()).with_hint(refusal.remedy());
        let entry = Entry::refused(who, operation.name(), target.unwrap_or(""), &fault.message);
        self.record(world, now, &entry);
        Err(fault)
    }

    /// What a request is to the policy, and on which task.
    fn operation(&self, request: &Request) -> Result<(Operation, Option<String>), Fault> {
        Ok(match request {
            Request::Status | Request::Version => (Operation::Status, None),
            Request::Health => (Operation::Health, None),
            Request::Metrics { .. } => (Operation::Metrics, None),
            Request::Tasks => (Operation::Tasks, None),
            Request::Alerts => (Operation::Alerts, None),
            Request::Audit { .. } => (Operation::Audit, None),
            Request::Verify => (Operation::Verify, None),
            Request::Checklist => (Operation::Checklist, None),
            Request::RestoreRc { .. } => (Operation::RestoreRc, None),
            Request::Validate => (Operation::Validate, None),
            Request::Trials => (Operation::Trials, None),
            Request::Optimize { .. } => (Operation::Optimize, Some(TaskKind::Performance.name().to_owned())),
            Request::ConfigTrials => (Operation::ConfigTrials, None),
            Request::ConfigConfirm { .. } => (Operation::ConfigConfirm, None),
            Request::ConfigArm { .. } => (Operation::ConfigArm, None),
            Request::Forecast => (Operation::Forecast, None),
            Request::Anomalies => (Operation::Anomalies, None),
            Request::Start => (Operation::Start, None),
            Request::Stop => (Operation::Stop, None),
            Request::Pause { task } => (Operation::Pause, task.clone()),
            Request::Resume { task } => (Operation::Resume, task.clone()),
            Request::Run { task } => (Operation::Run, Some(task.clone())),
            Request::Cancel { task } => {
                let removes = self
                    .state
                    .tasks
                    .get(task)
                    .is_some_and(|known| known.task.kind.is_none())
                    && !self.is_running(task);
                let operation = if removes {
                    Operation::Unregister
                } else {
                    Operation::Cancel
                };
                (operation, Some(task.clone()))
            }
            Request::Schedule(asked) => {
                // A switch is one only if nothing else is changed with it.
                let switches = ScheduleRequest {
                    name: asked.name.clone(),
                    enabled: asked.enabled,
                    ..ScheduleRequest::default()
                };
                let only_switches = **asked == switches;
                let operation = match (self.state.tasks.contains_key(&asked.name), asked.enabled) {
                    (false, _) => Operation::Register,
                    (true, Some(false)) if only_switches => Operation::Disable,
                    (true, Some(true)) if only_switches => Operation::Enable,
                    (true, _) => Operation::Schedule,
                };
                (operation, Some(asked.name.clone()))
            }
            Request::SetMode { area, mode } => (Operation::SetMode(mode_named(mode)?), Some(area.clone())),
            Request::Acknowledge { .. } => (Operation::Acknowledge, None),
            Request::SignOff { .. } => (Operation::SignOff, None),
            Request::History { .. } => (Operation::History, None),
            Request::Backup { .. } => (Operation::Backup, None),
            Request::Recover { .. } => (Operation::Recover, None),
        })
    }

    fn act<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        request: &Request,
    ) -> Result<Value, Fault> {
        match request {
            Request::Start => {
                self.set_stopped(world, false)
                    .map_err(|error| unwritten(&error))?;
                // Whoever stopped it a moment ago has changed their mind.
                self.stopping = false;
                let started = self.pause(world, now, None, false)?;
                // A cleanup that was left to the next worker is now this one's.
                self.resume(world, now);
                Ok(started)
            }
            Request::Stop => {
                self.set_stopped(world, true).map_err(|error| unwritten(&error))?;
                self.stopping = true;
                Ok(json!({}))
            }
            Request::Pause { task } => self.pause(world, now, task.as_deref(), true),
            Request::Resume { task } => self.pause(world, now, task.as_deref(), false),
            Request::Run { task } => self.run_now(world, now, who, task),
            Request::Optimize {
                force,
                within_ms,
                reset,
                withdraw,
            } => match (force, reset, withdraw) {
                (Some(asked), ..) => self.force_trial(world, now, who, asked, *within_ms),
                (None, Some(lever), _) => self.reset_lever(world, now, who, lever),
                (None, None, Some(true)) => self.withdraw_open(world, now, who),
                _ => self.run_now(world, now, who, TaskKind::Performance.name()),
            },
            Request::ConfigConfirm { version } => self.confirm_configuration(world, now, who, *version),
            Request::ConfigArm { says, within_ms } => {
                self.arm_configuration(world, now, who, says, *within_ms)
            }
            Request::Cancel { task } => self.cancel(world, now, task),
            Request::Schedule(asked) => self.schedule(world, now, asked),
            Request::SetMode { area, mode } => self.set_mode(world, now, area, mode),
            Request::Acknowledge { id } => self.acknowledge(world, now, who, *id),
            Request::SignOff { item, note } => self.sign_off(world, now, who, item, note.as_deref()),
            Request::RestoreRc { file, number } => restore_rc(world, now, file, *number),
            Request::History { what, which, .. } => Self::change_history(world, what, which.as_deref()),
            Request::Backup { what, .. } => backup_noted(what),
            // It was written down, which is all there is to it: who recovers does so by themselves.
            Request::Recover { .. } => Ok(json!({})),
            _ => self.answer(world, now, request),
        }
    }

    /// Writes a change that somebody asked for.
    pub(super) fn write<W: World>(&mut self, world: &mut W, now: Now, change: Change) -> Result<(), Fault> {
        self.log
            .commit(world, now, &mut self.state, change)
            .map_err(|error| unwritten(&error))
    }

    fn pause<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        task: Option<&str>,
        paused: bool,
    ) -> Result<Value, Fault> {
        match task {
            None => self.write(world, now, Change::Paused { paused })?,
            Some(name) => {
                let mut known = self.known(name)?;
                known.paused = paused;
                self.write(
                    world,
                    now,
                    Change::Task {
                        task: Box::new(known),
                    },
                )?;
            }
        }
        Ok(json!({}))
    }

    fn known(&self, name: &str) -> Result<TaskState, Fault> {
        self.state.tasks.get(name).cloned().ok_or_else(|| {
            Fault::new(Code::NotFound, format!("there is no task {}", sanitise(name, 64)))
                .with_hint("`lusush maint tasks` lists them")
        })
    }

    fn run_now<W: World>(&mut self, world: &mut W, now: Now, who: &Who, name: &str) -> Result<Value, Fault> {
        self.known(name)?;
        if self.is_running(name) {
            return Err(Fault::new(Code::Busy, format!("{name} is running already")));
        }
        let why = format!("asked for by {}", super::audit::name_of(who));
        // Who asks for it wants it done: the mode is about what is done unasked. The policy's word stands.
        let mode = self.config.policy.mode_max(name);
        let plan = self.plan_and_begin(world, now, who, name, &why, mode)?;
        let last = self
            .state
            .tasks
            .get(name)
            .and_then(|known| known.statistics.last.clone());
        let running = plan.is_some_and(|id| self.state.running.contains_key(&id));
        Ok(json!({
            "plan": plan,
            "running": running,
            "outcome": last.as_ref().filter(|_| !running).map(|last| last.outcome.name()),
            "note": last.as_ref().filter(|_| !running).map(|last| last.note.clone()),
        }))
    }

    fn cancel<W: World>(&mut self, world: &mut W, now: Now, name: &str) -> Result<Value, Fault> {
        let known = self.known(name)?;
        if self.cancel_run(world, now, name) {
            return Ok(json!({ "cancelled": true, "removed": false }));
        }
        if known.task.kind.is_some() {
            return Err(
                Fault::new(Code::InvalidState, format!("{name} is not running")).with_hint(format!(
                    "`lusush maint pause {name}` keeps it from running by itself"
                )),
            );
        }
        self.write(
            world,
            now,
            Change::TaskRemoved {
                name: name.to_owned(),
            },
        )?;
        Ok(json!({ "cancelled": false, "removed": true }))
    }

    fn schedule<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        asked: &ScheduleRequest,
    ) -> Result<Value, Fault> {
        let known = self.state.tasks.get(&asked.name).cloned();
        if known.is_none() {
            self.refuse_one_too_many()?;
        }
        let is_hosts = known.as_ref().is_some_and(|known| known.task.is_hosts());
        let mut state = known.unwrap_or_else(|| new_task(&asked.name));
        let has_its_own = state.task.kind.is_some() || is_hosts;
        if has_its_own && (asked.command.is_some() || asked.cleanup.is_some()) {
            return Err(Fault::new(
                Code::InvalidParameters,
                format!("{} has no command of yours", asked.name),
            )
            .with_hint("register a task under another name"));
        }
        change_task(&mut state.task, asked)?;
        let checked = match is_hosts {
            true => state.task.check_hosts(),
            false => state.task.check(),
        };
        checked.map_err(|error| Fault::new(Code::InvalidParameters, error.to_string()))?;
        let others = self
            .state
            .tasks
            .values()
            .filter(|known| known.task.name != asked.name);
        let bytes: usize = others.map(|known| command_bytes(&known.task)).sum();
        if bytes + command_bytes(&state.task) > REGISTERED_BYTES_MAX {
            let message =
                format!("the commands of all tasks together are longer than {REGISTERED_BYTES_MAX} bytes");
            return Err(Fault::new(Code::Busy, message).with_hint("put the command into a script"));
        }
        if asked.schedule.is_some() {
            state.timing = schedule::first(&state.task.schedule, now.wall_ns, &self.config.zone);
        }
        let next = state.timing.next_wall_ns;
        self.write(
            world,
            now,
            Change::Task {
                task: Box::new(state),
            },
        )?;
        Ok(json!({ "next_wall_ns": next }))
    }

    /// Refuses a task beyond as many as may be registered.
    pub(super) fn refuse_one_too_many(&self) -> Result<(), Fault> {
        let tasks = self.state.tasks.values();
        match tasks.filter(|known| known.task.kind.is_none()).count() {
            0..REGISTERED_MAX => Ok(()),
            _ => Err(Fault::new(
                Code::Busy,
                format!("{REGISTERED_MAX} tasks are registered already"),
            )),
        }
    }

    fn set_mode<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        area: &str,
        mode: &str,
    ) -> Result<Value, Fault> {
        let mode = mode_named(mode)?;
        self.known(area)?;
        self.write(
            world,
            now,
            Change::Mode {
                area: area.to_owned(),
                mode,
            },
        )?;
        Ok(json!({ "mode": self.mode_of(area).name() }))
    }

    fn acknowledge<W: World>(&mut self, world: &mut W, now: Now, who: &Who, id: u64) -> Result<Value, Fault> {
        let mut alerts = self.state.alerts.clone();
        let wall_ns = now.wall_ns.max(0).cast_unsigned();
        if alerts
            .acknowledge(id, &super::audit::name_of(who), wall_ns)
            .is_none()
        {
            return Err(Fault::new(Code::NotFound, format!("there is no alert {id}"))
                .with_hint("`lusush maint alerts` lists them"));
        }
        self.write(
            world,
            now,
            Change::Alerts {
                alerts: Box::new(alerts),
            },
        )?;
        Ok(json!({}))
    }

    fn sign_off<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        item: &str,
        note: Option<&str>,
    ) -> Result<Value, Fault> {
        let Some(item) = Item::named(item) else {
            return Err(Fault::new(
                Code::NotFound,
                format!("there is no review {}", sanitise(item, 64)),
            )
            .with_hint("`lusush maint checklist` lists them"));
        };
        let sign_off = SignOff {
            wall_ns: now.wall_ns,
            who: super::audit::name_of(who),
            note: sanitise(note.unwrap_or_default(), NOTE_MAX).into_owned(),
        };
        let item = item.id.to_owned();
        self.write(world, now, Change::SignedOff { item, sign_off })?;
        Ok(json!({}))
    }
}

/// Makes a start-up file say again what a version said.
fn restore_rc<W: World>(world: &mut W, now: Now, file: &str, number: u64) -> Result<Value, Fault> {
    let restored = world.restore_rc(now, file, number).map_err(|error| {
        let shown = sanitise(file, NOTE_MAX);
        Fault::new(Code::Unavailable, format!("{shown} is left as it is: {error}")).with_hint(error.remedy())
    })?;
    Ok(json!({
        "version": crate::api::VERSION,
        "file": restored.file,
        "number": restored.version,
        "changed": restored.changed,
        "before": restored.before,
    }))
}

/// What somebody does to the backup by themselves, and has written down; the caller writes it.
fn backup_noted(what: &str) -> Result<Value, Fault> {
    match BACKUP_NOTED.contains(&what) {
        true => Ok(json!({ "said": "written down" })),
        false => Err(Fault::new(
            Code::InvalidParameters,
            format!("what: one of {}", BACKUP_NOTED.join(", ")),
        )),
    }
}

/// Bytes of what a task runs.
fn command_bytes(task: &Task) -> usize {
    let words = task.command.iter().chain(&task.cleanup).flatten();
    words.map(String::len).sum()
}

/// What a task would run, each as one line.
fn commands(command: &Option<Vec<String>>, cleanup: &Option<Vec<String>>) -> Vec<String> {
    [command, cleanup]
        .into_iter()
        .flatten()
        .map(|words| words.join(" "))
        .collect()
}

/// What exactly is asked for, for the audit log; the command first, since a long text is cut.
fn details(request: &Request) -> String {
    match request {
        Request::SignOff { item, note } => format!("{item}: {}", note.as_deref().unwrap_or_default()),
        Request::Acknowledge { id } => format!("alert {id}"),
        Request::RestoreRc { file, number } => format!("{} version #{number}", sanitise(file, NOTE_MAX)),
        Request::SetMode { mode, .. } => mode.clone(),
        Request::History { what, detail, .. }
        | Request::Backup { what, detail }
        | Request::Recover {
            scenario: what,
            detail,
        } => super::history::details(what, detail.as_deref()),
        Request::Optimize {
            force,
            reset,
            withdraw,
            ..
        } => match (force, reset, withdraw) {
            (Some(asked), ..) => format!("try {}", sanitise(asked, NOTE_MAX)),
            (None, Some(lever), _) => format!("the default of {}", sanitise(lever, NOTE_MAX)),
            (None, None, Some(true)) => "withdraw the trial".into(),
            _ => String::new(),
        },
        Request::Schedule(asked) => {
            let mut parts = commands(&asked.command, &None);
            parts.extend(
                commands(&None, &asked.cleanup)
                    .into_iter()
                    .map(|command| format!("cleanup {command}")),
            );
            parts.extend(
                asked
                    .schedule
                    .iter()
                    .map(|schedule| format!("schedule {schedule}")),
            );
            parts.extend(asked.enabled.iter().map(|enabled| format!("enabled {enabled}")));
            parts.extend(
                asked
                    .priority
                    .iter()
                    .map(|priority| format!("priority {priority}")),
            );
            parts.extend(asked.budget_ms.iter().map(|ms| format!("budget {ms} ms")));
            parts.extend(asked.retries.iter().map(|retries| format!("retries {retries}")));
            parts.join("; ")
        }
        _ => String::new(),
    }
}

fn mode_named(name: &str) -> Result<Mode, Fault> {
    Mode::named(name).ok_or_else(|| {
        Fault::new(
            Code::InvalidParameters,
            format!("there is no mode {}", sanitise(name, 32)),
        )
        .with_hint("observe, advise or automatic")
    })
}

fn unwritten(error: &std::io::Error) -> Fault {
    Fault::new(
        Code::Unavailable,
        format!("the change cannot be written, so it was not made: {error}"),
    )
    .with_hint("make room in the state folder; `lusush doctor` says where it is")
}

fn new_task(name: &str) -> TaskState {
    TaskState {
        task: Task::registered(name, "", Schedule::Manual),
        timing: schedule::Timing::default(),
        statistics: lle_core::task::statistics::Statistics::default(),
        ledger: lle_core::task::ledger::Ledger::default(),
        paused: false,
        attempt: 0,
        retry_wall_ns: None,
    }
}

fn change_task(task: &mut Task, asked: &ScheduleRequest) -> Result<(), Fault> {
    let invalid = |message: String| Fault::new(Code::InvalidParameters, message);
    if let Some(text) = &asked.schedule {
        task.schedule = Schedule::parse(text).map_err(|error| invalid(error.to_string()))?;
    }
    if let Some(name) = &asked.priority {
        let found = Priority::ALL.iter().find(|priority| priority.name() == name);
        task.priority = *found.ok_or_else(|| {
            invalid(format!("there is no priority {}", sanitise(name, 32)))
                .with_hint("critical, high, medium, low or deferred")
        })?;
    }
    if let Some(text) = &asked.description {
        task.description = sanitise(text, DESCRIPTION_BYTES_MAX).into_owned();
    }
    task.command = asked.command.clone().or_else(|| task.command.take());
    if task.description.is_empty() {
        let command = task.command.as_ref().map(|command| command.join(" "));
        let text = format!("Runs {}", command.as_deref().unwrap_or("nothing yet"));
        task.description = sanitise(&text, DESCRIPTION_BYTES_MAX).into_owned();
    }
    task.cleanup = asked.cleanup.clone().or_else(|| task.cleanup.take());
    task.budget_ms = asked.budget_ms.unwrap_or(task.budget_ms);
    task.retries = asked.retries.unwrap_or(task.retries);
    task.enabled = asked.enabled.unwrap_or(task.enabled);
    Ok(())
}
