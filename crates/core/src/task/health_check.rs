//! The full health check: collect, evaluate, record, alert, components, outlook, publish.
//!
//! Built. It takes well under a millisecond of the worker; the budget is for a machine that swaps. Sampling goes on
//! without it.

use super::{Priority, Task, TaskKind};
use crate::plan::{Action, Check, Plan, Planned, Step};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        budget_ms: 5_000,
        ..Task::shipped(
            TaskKind::HealthCheck,
            "Looks at every metric of every session and says how each part is doing.",
            Priority::Critical,
            Schedule::Every { seconds: 30 * 60 },
        )
    }
}

/// Plans the check.
pub fn plan(why: &str) -> Planned {
    Planned::Do(Plan {
        task: TaskKind::HealthCheck.name().to_owned(),
        why: why.to_owned(),
        steps: vec![Step {
            action: Action::CheckHealth,
            verify: Check::Accepted,
            undo: None,
        }],
    })
}
