//! Plugins: what has an update, whether it asks for more than it was granted, and whether it may be installed.
//!
//! Its substance comes later. Until then a run says that it is not built. Weekly, in the middle of the week: an update
//! that turns out bad meets people who are there to notice.

use super::{Priority, Task, TaskKind};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        budget_ms: 10 * 60 * 1_000,
        retries: 2,
        retry_delay_ms: 10 * 60 * 1_000,
        ..Task::shipped(
            TaskKind::PluginUpdate,
            "Brings plugins up to date from the configured source.",
            Priority::Medium,
            Schedule::Cron {
                text: "0 5 * * WED".into(),
            },
        )
    }
}
