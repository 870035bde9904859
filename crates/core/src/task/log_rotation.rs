//! Logs do not grow without bound; history is no log in this sense and is never touched.
//!
//! Built. Once a day, after midnight work and before the caches, tried once more an hour later: the usual reason to
//! fail is a full disk.

use super::{Priority, Task, TaskKind};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        retries: 1,
        retry_delay_ms: 60 * 60 * 1_000,
        ..Task::shipped(
            TaskKind::LogRotation,
            "Keeps the logs of the system from growing without bound; never history.",
            Priority::Low,
            Schedule::Cron {
                text: "40 3 * * *".into(),
            },
        )
    }
}
