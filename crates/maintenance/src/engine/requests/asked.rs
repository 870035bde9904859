//! What a request is: to the policy, and in the words of the audit log.
//!
//! Invariant: a request that runs commands, now or later, is allowed only if each of them is.

use lle_core::policy::{self, Operation, Target, Who, sanitise};
use lle_core::task::TaskKind;

use super::{NOTE_MAX, mode_named};
use crate::api::{Fault, Request, ScheduleRequest};
use crate::engine::audit::Entry;
use crate::engine::{Engine, history};
use crate::world::{Now, World};

impl Engine {
    pub(super) fn allow<W: World>(
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
    pub(super) fn operation(&self, request: &Request) -> Result<(Operation, Option<String>), Fault> {
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
pub(super) fn details(request: &Request) -> String {
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
        } => history::details(what, detail.as_deref()),
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
        Request::Schedule(asked) => changes(asked),
        _ => String::new(),
    }
}

/// What is registered or changed of a task, in words.
fn changes(asked: &ScheduleRequest) -> String {
    let mut parts = commands(&asked.command, &None);
    let cleanup = commands(&None, &asked.cleanup);
    parts.extend(cleanup.iter().map(|command| format!("cleanup {command}")));
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
