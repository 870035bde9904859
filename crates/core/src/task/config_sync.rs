//! The configuration in force against its sources: integrity, changes, reload, a version kept.
//!
//! Its substance comes later. Until then a run says that it is not built. A change to a file will be noticed when it
//! happens; the hourly run is for what was not noticed.

use super::{Priority, Task, TaskKind};
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
