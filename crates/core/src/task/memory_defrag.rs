//! Memory that sessions hold and do not use goes back to the system.
//!
//! Built: each idle session trims its own allocator, measured before and after. Four times a day, since a session
//! lives for days and grows slowly; deferred, since a trim in a session that is typed into would be felt.

use super::{Condition, Priority, Task, TaskKind};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        budget_ms: 30_000,
        condition: Condition::AllSessionsIdle,
        ..Task::shipped(
            TaskKind::MemoryDefrag,
            "Asks idle sessions to give back the memory they do not use.",
            Priority::Deferred,
            Schedule::Every { seconds: 6 * 60 * 60 },
        )
    }
}
