//! What somebody asks for: authorised, recorded before and after, done, answered.
//!
//! Invariant: a request that changes something is refused if the change cannot be written: what is acknowledged is
//! kept. Reading is not recorded, or the log would be full of looks at it.

mod asked;
mod tasks;

use lle_core::checklist::{Item, SignOff};
use lle_core::error::Code;
use lle_core::mode::Mode;
use lle_core::policy::{Class, Who, sanitise};
use lle_core::task::TaskKind;
use serde_json::{Value, json};

use super::Engine;
use super::audit::{Entry, name_of};
use super::execute::MAKE_ROOM;
use crate::api::{Fault, RECOVERY_BEGINS, Request};
use crate::state::{Change, TaskState};
use crate::world::{File, Now, World};
use asked::details;

/// Bytes of what a person says about a review, and of a name as it is shown.
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
            let is_stopped = matches!(world.read(File::Stopped), Ok(Some(_)));
            return Err(Fault::new(Code::NoWorker, "there is no worker to do that")
                .with_hint(crate::api::how_to_get_a_worker(is_stopped)));
        }
        let intent = Entry::request("intent", who, name, on, "").because(&details(request));
        if !self.record(world, now, &intent) {
            return Err(Fault::new(
                Code::Unavailable,
                "the audit log cannot be written, so nothing is changed",
            )
            .with_hint(MAKE_ROOM));
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
            Request::History { what, which, .. } => self.change_history(world, now, what, which.as_deref()),
            Request::Backup { what, .. } => backup_noted(what),
            // It was written down, which is all there is to it but counting: who recovers does so by themselves.
            Request::Recover { detail, .. } => {
                self.worker.recoveries += u64::from(detail.as_deref() != Some(RECOVERY_BEGINS));
                Ok(json!({}))
            }
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
        let why = format!("asked for by {}", name_of(who));
        // Who asks for it wants it done: the mode is about what is done unasked. The policy's word stands; and what the
        // optimiser would turn it says and does not do, since observing and advising change nothing at all.
        let kind = self.known(name)?.task.kind;
        let mode = match kind {
            Some(TaskKind::Performance | TaskKind::CacheCleanup) => self.mode_of(name),
            _ => self.config.policy.mode_max(name),
        };
        let before = self.state.settings.clone();
        let plan = self.plan_and_begin(world, now, who, name, &why, mode)?;
        let trial = plan.and_then(|_| self.lever_trial());
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
            "trial": trial.as_ref().map(|(id, _)| id),
            "tries": trial.map(|(_, change)| change),
            "turned": self.turned(&before),
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
        if alerts.acknowledge(id, &name_of(who), wall_ns).is_none() {
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
            who: name_of(who),
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
    .with_hint(MAKE_ROOM)
}
