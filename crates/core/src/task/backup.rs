//! The comprehensive backup: history, configuration, state, plugins.
//!
//! Its substance comes later. Until then a run says that it is not built. Sunday at two, local time; an hour for a
//! remote archive over a slow line, and three more attempts, since the usual reason to fail is a network that is away.

use super::{Priority, Task, TaskKind};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        budget_ms: 60 * 60 * 1_000,
        retries: 3,
        retry_delay_ms: 10 * 60 * 1_000,
        ..Task::shipped(
            TaskKind::Backup,
            "Saves history, configuration, state and plugins, and checks what was saved.",
            Priority::High,
            Schedule::Cron {
                text: "0 2 * * SUN".into(),
            },
        )
    }
}
