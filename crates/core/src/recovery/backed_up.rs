//! Where the last snapshot of a home went, and where those before it did: kept as one document beside the backup, by
//! whoever takes snapshots, and read by the worker.
//!
//! A home's own repository is where its configuration says. If the file is gone, or loses the line, the next snapshot goes to
//! the folder that is built in, and all looks well: so it is told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::health::component::Component;
use crate::health::finding::Finding;
use crate::severity::Severity;

/// The version of the document.
pub const VERSION: u32 = 1;
/// How long it is a finding that the place has changed, in nanoseconds: two weeks, so that a backup on schedule is among them.
const TOLD_NS: i64 = 14 * 24 * 3_600 * 1_000_000_000;

/// Where the last snapshot went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// The version of the document.
    pub version: u32,
    /// The repository, as it is shown.
    pub repository: String,
    /// When it was taken, in nanoseconds since 1970.
    pub at_wall_ns: i64,
    /// Where those before it went, if that was elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// Where snapshots went before the place changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The repository, as it is shown.
    pub repository: String,
    /// When the last one was taken there, in nanoseconds since 1970.
    pub until_wall_ns: i64,
    /// When the first one was taken elsewhere, in nanoseconds since 1970.
    pub since_wall_ns: i64,
}

impl BackedUp {
    /// The document, if it is of this version.
    pub fn understood(self) -> Option<BackedUp> {
        (self.version == VERSION).then_some(self)
    }

    /// What it says once a snapshot was taken.
    pub fn then(last: Option<BackedUp>, repository: &str, at_wall_ns: i64) -> BackedUp {
        let before = last.and_then(|last| match last.repository == repository {
            true => last.before,
            false => Some(Before {
                repository: last.repository,
                until_wall_ns: last.at_wall_ns,
                since_wall_ns: at_wall_ns,
            }),
        });
        BackedUp {
            version: VERSION,
            repository: repository.to_owned(),
            at_wall_ns,
            before,
        }
    }

    /// That this very snapshot is the first one elsewhere, in a sentence; none if it is not.
    pub fn moved(&self) -> Option<String> {
        let before = self.before.as_ref()?;
        (before.since_wall_ns == self.at_wall_ns).then(|| {
            format!(
                "backups went to {} until {}, and go to {} from now on",
                before.repository,
                day(before.until_wall_ns),
                self.repository
            )
        })
    }

    /// What has to be told of it.
    pub fn finding(&self, now_wall_ns: i64) -> Option<Finding> {
        let before = self.before.as_ref()?;
        // One of a clock that was ahead is told until that is past.
        if now_wall_ns.saturating_sub(before.since_wall_ns) >= TOLD_NS {
            return None;
        }
        Some(Finding {
            // The moment, too: the next change is told again.
            key: format!("backup.moved/{:x}", before.since_wall_ns),
            severity: Severity::Warning,
            component: Component::Storage,
            session: None,
            title: format!(
                "backups went to {} until {}, and go to {} now",
                before.repository,
                day(before.until_wall_ns),
                self.repository
            ),
            evidence: format!("the first one there was taken on {}", day(before.since_wall_ns)),
            remedy: format!(
                "if nobody meant that, `lusush maint config set backup.repository {}`",
                before.repository
            ),
            before: None,
            after: None,
            unit: String::new(),
        })
    }
}

fn day(wall_ns: i64) -> String {
    Timestamp::from_nanosecond(i128::from(wall_ns)).map_or_else(
        |_| "an unknown day".to_owned(),
        |at| at.strftime("%Y-%m-%d").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_NS: i64 = 24 * 3_600 * 1_000_000_000;

    #[test]
    fn a_place_that_changes_is_told_once_and_found_for_two_weeks() {
        let first = BackedUp::then(None, "rest:https://h/me", DAY_NS);
        assert_eq!((first.moved(), first.finding(DAY_NS)), (None, None));
        let same = BackedUp::then(Some(first), "rest:https://h/me", 2 * DAY_NS);
        assert_eq!((same.moved(), same.finding(2 * DAY_NS)), (None, None));
        let moved = BackedUp::then(Some(same), "/d/archive", 9 * DAY_NS);
        let said = "backups went to rest:https://h/me until 1970-01-03, and go to /d/archive from now on";
        assert_eq!(moved.moved().as_deref(), Some(said));
        let next = BackedUp::then(Some(moved), "/d/archive", 16 * DAY_NS);
        assert_eq!(next.moved(), None);
        let finding = next.finding(16 * DAY_NS).expect("it moved a week ago");
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.title,
            "backups went to rest:https://h/me until 1970-01-03, and go to /d/archive now"
        );
        assert!(finding.remedy.contains("backup.repository rest:https://h/me`"));
        assert!(next.finding(22 * DAY_NS).is_some());
        assert_eq!(next.finding(23 * DAY_NS), None);
        let back = BackedUp::then(Some(next), "rest:https://h/me", 17 * DAY_NS);
        assert!(
            back.moved()
                .is_some_and(|said| said.contains("went to /d/archive until 1970-01-17"))
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let first = BackedUp::then(None, "/a", 1);
        for document in [first.clone(), BackedUp::then(Some(first), "/b", 2)] {
            let text = serde_json::to_string(&document).expect("it is plain data");
            let read = |text: &str| {
                let read = serde_json::from_str::<BackedUp>(text).ok();
                read.and_then(BackedUp::understood)
            };
            assert_eq!(read(&text), Some(document));
            assert_eq!(read(&text.replace("\"version\":1", "\"version\":2")), None);
        }
    }
}
