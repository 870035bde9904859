//! Logs do not grow without bound; history is no log in this sense and is never touched.
//!
//! Built. Once a day, after midnight work and before the caches, tried once more an hour later: the usual reason to
//! fail is a full disk.

use super::{Priority, Task, TaskKind};
use crate::plan::{Action, Check, LogName, Plan, Planned, Step};
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

/// Bytes of a segment from which on the log goes on in a new one: some thousand operations, verified in milliseconds.
pub const SEGMENT_BYTES_MAX: u64 = 1024 * 1024;
/// Segments kept.
pub const SEGMENTS_KEPT: u32 = 16;

/// Where the audit log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The oldest there is; none if nothing was written yet.
    pub oldest: Option<u32>,
    /// The one that is written to.
    pub current: u32,
    /// Its length, in bytes.
    pub current_bytes: u64,
}

/// Plans a new segment if the current one is long, and the end of those that are too many.
pub fn plan(segments: &Segments, why: &str) -> Planned {
    let log = LogName::Audit;
    let mut steps = Vec::new();
    let mut current = segments.current;
    if segments.current_bytes >= SEGMENT_BYTES_MAX {
        current = current.saturating_add(1);
        steps.push(Step {
            action: Action::OpenSegment {
                log,
                segment: current,
            },
            verify: Check::SegmentOpen,
            undo: None,
        });
    }
    let first_kept = current.saturating_add(1).saturating_sub(SEGMENTS_KEPT);
    if segments.oldest.is_some_and(|oldest| oldest < first_kept) {
        steps.push(Step {
            action: Action::RemoveSegmentsBelow {
                log,
                segment: first_kept,
            },
            verify: Check::SegmentsGone,
            undo: None,
        });
    }
    if steps.is_empty() {
        return Planned::Nothing(format!(
            "the audit log has {} KiB in its segment; a new one begins at {}",
            segments.current_bytes / 1024,
            SEGMENT_BYTES_MAX / 1024
        ));
    }
    Planned::Do(Plan {
        task: TaskKind::LogRotation.name().to_owned(),
        why: why.to_owned(),
        steps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_segment_is_followed_and_old_ones_go() {
        fn check(oldest: Option<u32>, current: u32, current_bytes: u64, expect: &[&str]) {
            let segments = Segments {
                oldest,
                current,
                current_bytes,
            };
            let steps: Vec<String> = match plan(&segments, "test") {
                Planned::Do(plan) => {
                    plan.check().unwrap();
                    plan.steps.iter().map(|step| step.action.about()).collect()
                }
                _ => Vec::new(),
            };
            assert_eq!(steps, expect, "{segments:?}");
        }
        let long = SEGMENT_BYTES_MAX;
        check(None, 0, 0, &[]);
        check(Some(0), 0, long - 1, &[]);
        check(Some(0), 0, long, &["continue audit in segment 1"]);
        check(Some(0), 15, 9, &[]);
        check(
            Some(0),
            15,
            long,
            &[
                "continue audit in segment 16",
                "remove segments of audit before 1",
            ],
        );
        check(Some(2), 40, 9, &["remove segments of audit before 25"]);
    }
}
