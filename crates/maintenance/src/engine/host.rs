//! Tasks of the program that embeds the engine: callbacks, under the same limits, authorisation and audit as commands.
//!
//! Invariant: a host's task is in the state as any other and stays when the host has ended. An engine that does not
//! know its callback finds nothing to do, and counts neither a success nor a failure.

use lle_core::error::Code;
use lle_core::plan::{Action, Check, Plan, Planned, Step};
use lle_core::policy::{self, Operation, Target, Who};
use lle_core::schedule;
use lle_core::task::Task;
use serde_json::{Value, json};

use super::Engine;
use super::audit::Entry;
use crate::api::Fault;
use crate::state::{Change, TaskState};
use crate::world::{CallEnd, Now, Returned, World};

impl Engine {
    /// Registers a task whose substance is the host's own, or takes it up again after a start.
    ///
    /// When it runs and whether it does by itself stays as it was, if it was known: the user may have changed that.
    ///
    /// # Errors
    /// It is beyond a limit, has the name of a task with a command, is not granted, or cannot be recorded.
    pub fn register<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        task: Task,
    ) -> Result<Value, Fault> {
        let invalid = |message: String| Fault::new(Code::InvalidParameters, message);
        task.check_hosts().map_err(|error| invalid(error.to_string()))?;
        if !task.is_hosts() {
            return Err(invalid(format!(
                "{} is no task of a host: it has a command or a kind",
                task.name
            )));
        }
        let known = self.state.tasks.get(&task.name).cloned();
        if known.as_ref().is_some_and(|known| !known.task.is_hosts()) {
            return Err(invalid(format!("{} is the name of another task", task.name))
                .with_hint("choose another name"));
        }
        if known.is_none() {
            self.refuse_one_too_many()?;
        }
        let name = task.name.clone();
        let operation = if known.is_some() {
            Operation::Schedule
        } else {
            Operation::Register
        };
        let task = match policy::authorise(*who, operation, Target::Task(&name), task, &self.config.policy) {
            Ok(task) => task.into_inner(),
            Err(refusal) => {
                let fault = Fault::new(refusal.code, refusal.to_string()).with_hint(refusal.remedy());
                self.record(
                    world,
                    now,
                    &Entry::refused(who, operation.name(), &name, &fault.message),
                );
                return Err(fault);
            }
        };
        if !self.record(
            world,
            now,
            &Entry::request("intent", who, operation.name(), &name, "a callback"),
        ) {
            return Err(Fault::new(
                Code::Unavailable,
                "the audit log cannot be written, so nothing is changed",
            ));
        }
        let fresh = self.taken_up(task, known, now);
        let next = fresh.timing.next_wall_ns;
        let written = self.write(
            world,
            now,
            Change::Task {
                task: Box::new(fresh),
            },
        );
        let outcome = written
            .as_ref()
            .err()
            .map_or("done", |fault| fault.message.as_str());
        self.record(
            world,
            now,
            &Entry::request("outcome", who, operation.name(), &name, outcome),
        );
        written?;
        self.hosted.insert(name);
        Ok(json!({ "next_wall_ns": next }))
    }

    fn taken_up(&self, task: Task, known: Option<TaskState>, now: Now) -> TaskState {
        match known {
            Some(known) => TaskState {
                task: Task {
                    schedule: known.task.schedule.clone(),
                    enabled: known.task.enabled,
                    ..task
                },
                ..known
            },
            None => TaskState {
                timing: schedule::first(&task.schedule, now.wall_ns, &self.config.zone),
                task,
                statistics: lle_core::task::statistics::Statistics::default(),
                ledger: lle_core::task::ledger::Ledger::default(),
                paused: false,
                attempt: 0,
                retry_wall_ns: None,
            },
        }
    }

    /// What a run of a task without a command would do now.
    pub(super) fn plan_call(&self, task: &Task, why: &str) -> Planned {
        if !self.hosted.contains(&task.name) {
            return Planned::Nothing("the program that registered it does not embed this engine".into());
        }
        let call = Step {
            action: Action::CallHost {
                task: task.name.clone(),
            },
            verify: Check::Returned,
            undo: None,
        };
        Planned::Do(Plan {
            task: task.name.clone(),
            why: why.to_owned(),
            steps: vec![call],
        })
    }

    /// A callback has returned: the step that waited for it goes on. One that was given up is not waited for.
    pub(super) fn call_done<W: World>(&mut self, world: &mut W, now: Now, end: CallEnd) {
        if !self.took_call(end.plan, end.cpu_ns) {
            return;
        }
        match end.returned {
            Returned::Done(note) => self.note(end.plan, &note),
            Returned::Failed(why) => self.fail(world, now, end.plan, &why),
            Returned::Panicked(words) => {
                self.worker.panics += 1;
                self.fail(world, now, end.plan, &format!("it panicked: {words}"));
            }
        }
        self.advance(world, now, end.plan);
        self.make_durable(world, now);
    }
}
