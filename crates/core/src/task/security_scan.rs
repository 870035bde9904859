//! The security scan: start-up files, PATH, permissions, plugins, policy.
//!
//! Its substance comes later. Until then a run says that it is not built. "Continuous" is every five minutes: an
//! incremental scan costs a fraction of a millisecond, and what must be noticed at once is noticed by the session.

use super::{Priority, Task, TaskKind};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        budget_ms: 10_000,
        ..Task::shipped(
            TaskKind::SecurityScan,
            "Looks for what endangers the user: start-up files, PATH, permissions, plugins.",
            Priority::Critical,
            Schedule::Every { seconds: 5 * 60 },
        )
    }
}
