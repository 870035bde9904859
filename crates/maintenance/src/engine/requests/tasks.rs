//! Tasks that somebody registers or changes.
//!
//! Invariant: a task is checked as a whole before any of it is written, and all of them together are bounded.

use lle_core::error::Code;
use lle_core::policy::sanitise;
use lle_core::schedule::{self, Schedule};
use lle_core::task::{DESCRIPTION_BYTES_MAX, Priority, Task};
use serde_json::{Value, json};

use crate::api::{Fault, ScheduleRequest};
use crate::engine::Engine;
use crate::state::{Change, TaskState};
use crate::world::{Now, World};

/// Tasks that may be registered.
const REGISTERED_MAX: usize = 256;
/// Bytes of what all of them run: the state is written anew as a whole, and stays below what makes it do so.
const REGISTERED_BYTES_MAX: usize = 256 * 1024;

impl Engine {
    pub(super) fn schedule<W: World>(
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
    pub(crate) fn refuse_one_too_many(&self) -> Result<(), Fault> {
        let tasks = self.state.tasks.values();
        match tasks.filter(|known| known.task.kind.is_none()).count() {
            0..REGISTERED_MAX => Ok(()),
            _ => Err(Fault::new(
                Code::Busy,
                format!("{REGISTERED_MAX} tasks are registered already"),
            )),
        }
    }
}

/// Bytes of what a task runs.
fn command_bytes(task: &Task) -> usize {
    let words = task.command.iter().chain(&task.cleanup).flatten();
    words.map(String::len).sum()
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
