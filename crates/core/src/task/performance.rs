//! The performance optimiser: look for what is slow, change it, compare, keep what is proven.
//!
//! Its substance comes later. Until then a run says that it is not built.

use super::{Priority, Task, TaskKind};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task::shipped(
        TaskKind::Performance,
        "Looks for what is slow, changes it, and keeps only what is proven to help.",
        Priority::High,
        Schedule::Every { seconds: 2 * 60 * 60 },
    )
}
