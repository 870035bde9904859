//! What a drill came to: kept as one document, which the worker reads.

use serde::{Deserialize, Serialize};

use crate::health::component::Component;
use crate::health::finding::Finding;
use crate::severity::Severity;

/// The version of the document.
pub const VERSION: u32 = 1;
/// A drill is due again so long after the last one that passed, in nanoseconds: four weeks, so that it falls on the day of
/// the week on which backups are made …
const DUE_NS: i64 = 28 * DAY_NS;
/// … and so long after one that failed: what was mended should be proven soon.
const DUE_FAILED_NS: i64 = DAY_NS;
const DAY_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// Runs a little early count, since a schedule by the week is no clock, in nanoseconds.
const EARLY_NS: i64 = 3_600 * 1_000_000_000;

/// A drill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// The version of the document.
    pub version: u32,
    /// When it ended, in nanoseconds since 1970.
    pub at_wall_ns: i64,
    /// One row a scenario.
    pub rows: Vec<Row>,
}

/// One scenario of a drill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Which.
    pub scenario: String,
    /// What failed; none if all that must be back was back.
    pub failed: Option<String>,
    /// How long the way back took, in nanoseconds, as a person would have waited.
    pub recovery_ns: u64,
    /// What it should take at most, in nanoseconds.
    pub objective_ns: u64,
    /// Files that were compared byte for byte.
    pub compared_files: u64,
    /// Their bytes.
    pub compared_bytes: u64,
    /// Bytes of these that did not come back.
    pub lost_bytes: u64,
    /// What would be lost if it happened now for real, in words.
    pub point: String,
    /// The same as a time, in nanoseconds; none if that is unknown.
    pub point_ns: Option<u64>,
}

impl Row {
    /// Whether everything that must be back was back.
    pub fn passed(&self) -> bool {
        self.failed.is_none()
    }

    /// Whether that took longer than it should.
    pub fn is_late(&self) -> bool {
        self.recovery_ns > self.objective_ns
    }
}

impl Drill {
    /// The document, if it is of this version.
    pub fn understood(self) -> Option<Drill> {
        (self.version == VERSION).then_some(self)
    }

    /// Whether every scenario passed.
    pub fn passed(&self) -> bool {
        self.rows.iter().all(Row::passed)
    }

    /// Whether another is due.
    pub fn is_due(&self, now_wall_ns: i64) -> bool {
        let age = now_wall_ns.saturating_sub(self.at_wall_ns);
        let due = if self.passed() { DUE_NS } else { DUE_FAILED_NS };
        // One of a clock that was ahead says nothing.
        !(0..due - EARLY_NS).contains(&age)
    }

    /// What has to be told of it.
    pub fn finding(&self) -> Option<Finding> {
        let failed: Vec<&Row> = self.rows.iter().filter(|row| !row.passed()).collect();
        let first = failed.first()?;
        let names: Vec<&str> = failed.iter().map(|row| row.scenario.as_str()).collect();
        Some(Finding {
            // The moment, too: the next one that fails is told again.
            key: format!("recovery.drill/{:x}", self.at_wall_ns),
            severity: Severity::Critical,
            component: Component::Storage,
            session: None,
            title: format!("the recovery drill failed: {}", names.join(", ")),
            evidence: first.failed.clone().unwrap_or_default(),
            remedy: "`lusush maint drill` runs it again and says why".into(),
            before: None,
            after: None,
            unit: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drill(failed: Option<&str>) -> Drill {
        Drill {
            version: VERSION,
            at_wall_ns: 0,
            rows: vec![
                Row {
                    scenario: "disk-full".into(),
                    ..Row::default()
                },
                Row {
                    scenario: "history-lost".into(),
                    failed: failed.map(str::to_owned),
                    ..Row::default()
                },
            ],
        }
    }

    #[test]
    fn a_drill_is_due_after_four_weeks_or_the_day_after_it_failed() {
        let check = |failed: Option<&str>, days: i64, expect: bool| {
            assert_eq!(drill(failed).is_due(days * DAY_NS), expect, "{failed:?} {days}");
        };
        check(None, 0, false);
        check(None, 27, false);
        check(None, 28, true);
        check(Some("x"), 0, false);
        check(Some("x"), 1, true);
        check(None, -1, true);
    }

    #[test]
    fn one_that_failed_is_a_critical_finding() {
        assert_eq!(drill(None).finding(), None);
        let finding = drill(Some("the log is another")).finding().expect("it failed");
        assert_eq!(finding.severity, Severity::Critical);
        assert!(finding.title.contains("history-lost") && !finding.title.contains("disk-full"));
        assert_eq!(finding.evidence, "the log is another");
    }

    #[test]
    fn what_is_written_is_read() {
        let drill = drill(Some("x"));
        let text = serde_json::to_string(&drill).expect("it is plain data");
        let read = |text: &str| {
            serde_json::from_str::<Drill>(text)
                .ok()
                .and_then(Drill::understood)
        };
        assert_eq!(read(&text), Some(drill));
        assert_eq!(read(&text.replace("\"version\":1", "\"version\":2")), None);
        assert_eq!(read("{}"), None);
    }
}
