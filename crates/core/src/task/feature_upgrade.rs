//! Evolution: features move along their stages, each tested before, tried in one session, and compared.
//!
//! Its substance comes later. Until then a run says that it is not built. The first Sunday of the month, an hour
//! after the backup.

use super::{Priority, Task, TaskKind};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        budget_ms: 10 * 60 * 1_000,
        ..Task::shipped(
            TaskKind::FeatureUpgrade,
            "Tests what has evolved, tries it in one session, and keeps or undoes it.",
            Priority::Medium,
            Schedule::Cron {
                text: "0 3 * * SUN#1".into(),
            },
        )
    }
}
