//! The configuration in force against its sources: what changed comes into force, and a version is kept.
//!
//! A change to a file is noticed when it happens; the hourly run is for what was not noticed.

use super::{Priority, Task, TaskKind};
use crate::plan::{Action, Check, Plan, Step};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        budget_ms: 10_000,
        retries: 2,
        retry_delay_ms: 30_000,
        ..Task::shipped(
            TaskKind::ConfigSync,
            "Brings the configuration in force in line with its sources and keeps a version.",
            Priority::Medium,
            Schedule::Every { seconds: 60 * 60 },
        )
    }
}

/// Plans a run. What it brings into force is taken back by a version of its own, as any change of a file is, so the step
/// has nothing to take back.
pub fn plan(why: &str) -> Plan {
    Plan {
        task: TaskKind::ConfigSync.name().to_owned(),
        why: why.to_owned(),
        steps: vec![Step {
            action: Action::SyncConfig,
            verify: Check::Accepted,
            undo: None,
        }],
    }
}
