//! Cache maintenance: remove what is expired or cold, give the memory to the cache that uses it.
//!
//! Its substance comes later. Until then a run says that it is not built. Once a day, at night: caches of a shell are
//! small, and whoever sleeps through it catches up in the morning.

use super::{Priority, Task, TaskKind};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task::shipped(
        TaskKind::CacheCleanup,
        "Removes what caches hold for nothing and checks a sample of the rest.",
        Priority::Low,
        Schedule::Cron {
            text: "20 4 * * *".into(),
        },
    )
}
