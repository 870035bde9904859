//! What did it: the changes that were made around the time at which a series changed.
//!
//! Every change is a candidate, and so is "none of these". Bayes: how often a change of that kind moves what is measured
//! there ([`PRIORS`]), times how well its moment fits. A changepoint is known to within an interval; what was done in it, or shortly before it,
//! fits, the farther before the less; what was done after it cannot have been the cause. "None of these" might have
//! happened at any moment of the span that was looked through.
//!
//! Invariants: the confidences of all suspects and of none sum to 1; a change after the changepoint's last moment is no
//! suspect.

use serde::{Deserialize, Serialize};

use super::Changepoint;

/// Suspects named.
pub const SUSPECTS_MAX: usize = 8;

/// Changes that are looked at; the nearest ones.
pub const CHANGES_MAX: usize = 256;

/// How long before a changepoint a change still fits at all: a day.
pub const SPAN_NS: i64 = 24 * 3_600 * 1_000_000_000;

/// How long an effect may take to begin: the scale of an exponential distribution, beside the interval between points, and
/// no longer than that: where each point shows it, it has begun with the next.
const DELAY_NS: f64 = 60e9;

/// How probable it is, before looking, that a change that nobody recorded did it.
const UNKNOWN_CAUSE: f64 = 0.3;

/// However sure it was none of those that fit, one of them may have been it.
const NONE_LEAST: f64 = 1e-6;

/// What kind of change it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// A line of a start-up file, or one that was typed.
    Rc,
    /// A line that was typed and sets how prompts look, and nothing else: what runs before them is as it was.
    Looks,
    /// A plugin was installed, enabled, changed or disabled.
    Plugin,
    /// A value of the configuration.
    Config,
    /// A feature was switched, or a setting by the optimiser.
    Feature,
    /// Another version of the program.
    Upgrade,
    /// A maintenance task ran, or is to run at other times.
    Task,
    /// The worker was started, stopped or held back, or somebody took note of what it said.
    Worker,
    /// Anything else that is recorded, and what a later version tells apart.
    #[serde(other)]
    Other,
}

/// Where a series is measured: what a change can move depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// In sessions: their prompts, keys and memory.
    Session,
    /// In the worker.
    Worker,
    /// On disk.
    Disk,
}

/// How often a change of a kind moves a series, compared with others: by what it can reach at all, not by any scenario.
struct Prior {
    kind: ChangeKind,
    session: f64,
    worker: f64,
    disk: f64,
}

const fn prior(kind: ChangeKind, session: f64, worker: f64, disk: f64) -> Prior {
    Prior {
        kind,
        session,
        worker,
        disk,
    }
}

/// The table; a kind that has no row weighs as [`ChangeKind::Other`].
const PRIORS: &[Prior] = &[
    // The shell runs it before each prompt; the worker never does, and little of it writes files.
    prior(ChangeKind::Rc, 1.0, 0.1, 0.2),
    // It is expanded for each prompt.
    prior(ChangeKind::Looks, 1.0, 0.1, 0.1),
    // Called while one types; has a process and files of its own.
    prior(ChangeKind::Plugin, 1.0, 0.5, 0.5),
    // Some keys are of sessions, some of the worker, some say what is kept.
    prior(ChangeKind::Config, 0.8, 0.8, 0.5),
    // A lever turns what a session does and holds.
    prior(ChangeKind::Feature, 0.8, 0.1, 0.1),
    // All of it is other code.
    prior(ChangeKind::Upgrade, 1.0, 1.0, 0.5),
    // A run is over in moments, far from any prompt; but files are what it makes and removes, and the worker starts it.
    prior(ChangeKind::Task, 0.1, 0.5, 1.0),
    // Another process ends or begins, and no session waits for it: it can do without a worker.
    prior(ChangeKind::Worker, 0.02, 1.0, 0.1),
    prior(ChangeKind::Other, 0.2, 0.2, 0.2),
];

impl ChangeKind {
    /// How often a change of the kind moves a series that is measured there.
    fn weight(self, measured: Measured) -> f64 {
        let row = PRIORS.iter().find(|row| row.kind == self).or(PRIORS.last());
        row.map_or(0.0, |row| match measured {
            Measured::Session => row.session,
            Measured::Worker => row.worker,
            Measured::Disk => row.disk,
        })
    }
}

/// Something that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When, on the clock of the series.
    pub at_ns: i64,
    /// What, as a sentence goes on after "since": "plugin git-status was enabled".
    pub what: String,
    /// What kind of change.
    pub kind: ChangeKind,
    /// The session in which it was typed, by its sixteen hex digits; none if it can reach all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Which of the lines typed there it was, counted from 0; none if it was not typed, or a version before this one noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// A change that may have done it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// What was changed; none stands for "none of these".
    pub what: Option<String>,
    /// When.
    pub at_ns: Option<i64>,
    /// How probable it is, 0..1.
    pub confidence: f64,
}

/// Says what may have done it, the most probable first. "None of these" is always among them.
///
/// `interval_ns` is how far apart the series' points are: a change shows with the next point at the earliest.
pub fn blame(
    changepoint: &Changepoint,
    interval_ns: i64,
    measured: Measured,
    changes: &[Change],
) -> Vec<Suspect> {
    weigh(changepoint, interval_ns, measured, changes, |_| 1.0, None)
}

/// The same where more is known of a change: `share` says, by its number among them, how much less likely it is for that;
/// `none` is how probable it is, but for that, that it was none of those that fit.
pub(super) fn weigh(
    changepoint: &Changepoint,
    interval_ns: i64,
    measured: Measured,
    changes: &[Change],
    share: impl Fn(usize) -> f64,
    none: Option<f64>,
) -> Vec<Suspect> {
    let interval = interval_ns.max(1) as f64;
    let near = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| {
            change.at_ns <= changepoint.latest_ns
                && changepoint.earliest_ns.saturating_sub(change.at_ns) <= SPAN_NS
        })
        .rev()
        .take(CHANGES_MAX);
    let mut all_fit = 0.0;
    let mut suspects: Vec<Suspect> = near
        .map(|(at, change)| {
            let fit = change.kind.weight(measured) * fits(changepoint, interval, change.at_ns);
            all_fit += fit;
            Suspect {
                what: Some(change.what.clone()),
                at_ns: Some(change.at_ns),
                confidence: share(at) * fit,
            }
        })
        .collect();
    let span = (SPAN_NS as f64).max(interval * 8.0);
    let odds = none.map_or(0.0, |none| none / (1.0 - none).max(NONE_LEAST));
    suspects.push(Suspect {
        what: None,
        at_ns: None,
        confidence: (UNKNOWN_CAUSE / span).max(odds * all_fit),
    });
    let all: f64 = suspects.iter().map(|suspect| suspect.confidence).sum();
    for suspect in &mut suspects {
        suspect.confidence /= all;
    }
    suspects.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    // Whoever is left out is still accounted for, by none of those that are named.
    while suspects.len() > SUSPECTS_MAX {
        let at = suspects
            .iter()
            .rposition(|suspect| suspect.what.is_some())
            .unwrap_or(0);
        let left_out = suspects.remove(at).confidence;
        if let Some(none) = suspects.iter_mut().find(|suspect| suspect.what.is_none()) {
            none.confidence += left_out;
        }
    }
    suspects
}

/// How dense the probability is, per nanosecond, that a change at that moment shows where the changepoint is.
fn fits(changepoint: &Changepoint, interval: f64, at_ns: i64) -> f64 {
    let distance = |to: i64| (i128::from(to) - i128::from(at_ns)) as f64;
    // The change shows in the gap before the first point of the new level; most likely in this one.
    let best = distance(changepoint.at_ns);
    let delay = DELAY_NS.min(interval).max(interval / 2.0);
    let sharp = match best {
        ..0.0 => 0.0,
        _ if best <= interval => 1.0 / (interval + delay),
        _ => libm::exp(-(best - interval) / delay) / (interval + delay),
    };
    let width = (changepoint.latest_ns as f64 - changepoint.earliest_ns as f64).max(interval);
    let before = distance(changepoint.earliest_ns);
    let wide = if before <= 0.0 {
        1.0
    } else {
        libm::exp(-before / delay)
    } / (width + delay);
    0.6 * sharp + 0.4 * wide
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: i64 = 1_000_000_000;
    const MINUTES_5: i64 = 300 * S;

    fn changepoint(at: i64) -> Changepoint {
        Changepoint {
            at_ns: at,
            earliest_ns: at - 2 * MINUTES_5,
            latest_ns: at + MINUTES_5,
            before: 20.0,
            after: 58.0,
            confidence: 0.999,
        }
    }

    fn change(at_ns: i64, what: &str, kind: ChangeKind) -> Change {
        Change {
            at_ns,
            what: what.into(),
            kind,
            session: None,
            number: None,
        }
    }

    #[test]
    fn the_change_that_fits_is_named() {
        fn check(changes: &[Change], expect: Option<&str>, at_least: f64) {
            let suspects = blame(&changepoint(100_000 * S), MINUTES_5, Measured::Session, changes);
            assert_eq!(suspects[0].what.as_deref(), expect, "{suspects:?}");
            assert!(suspects[0].confidence >= at_least, "{suspects:?}");
        }
        let plugin = change(99_900 * S, "plugin", ChangeKind::Plugin);
        check(&[], None, 1.0);
        check(std::slice::from_ref(&plugin), Some("plugin"), 0.99);
        // Hours before, minutes after, and the same minute but of a kind that seldom matters.
        check(
            &[plugin.clone(), change(80_000 * S, "early", ChangeKind::Rc)],
            Some("plugin"),
            0.99,
        );
        check(
            &[plugin.clone(), change(101_000 * S, "late", ChangeKind::Rc)],
            Some("plugin"),
            0.99,
        );
        check(
            &[plugin, change(99_950 * S, "task", ChangeKind::Task)],
            Some("plugin"),
            0.8,
        );
        check(&[change(101_000 * S, "late", ChangeKind::Rc)], None, 1.0);
        check(&[change(60_000 * S, "early", ChangeKind::Rc)], None, 0.9);
    }

    #[test]
    fn what_cannot_reach_it_is_blamed_less() {
        // All at the same moment: what tells them apart is what they can move.
        let changes = [
            change(99_900 * S, "a line was typed", ChangeKind::Rc),
            change(99_900 * S, "stop", ChangeKind::Worker),
            change(99_900 * S, "a backup ran", ChangeKind::Task),
        ];
        let check = |measured: Measured, expect: &str, least: f64| {
            let suspects = blame(&changepoint(100_000 * S), MINUTES_5, measured, &changes);
            assert_eq!(suspects[0].what.as_deref(), Some(expect), "{suspects:?}");
            assert!(suspects[0].confidence >= least, "{suspects:?}");
        };
        check(Measured::Session, "a line was typed", 0.85);
        check(Measured::Worker, "stop", 0.6);
        check(Measured::Disk, "a backup ran", 0.7);
    }

    #[test]
    fn where_each_point_shows_it_a_change_seconds_before_is_another() {
        let changes = [
            change(980 * S, "decoy", ChangeKind::Rc),
            change(992 * S, "culprit", ChangeKind::Rc),
        ];
        let point = Changepoint {
            earliest_ns: 990 * S,
            latest_ns: 998 * S,
            at_ns: 998 * S,
            ..changepoint(0)
        };
        let suspects = blame(&point, S, Measured::Session, &changes);
        assert_eq!(suspects[0].what.as_deref(), Some("culprit"), "{suspects:?}");
        assert!(suspects[0].confidence >= 0.95, "{suspects:?}");
    }

    #[test]
    fn every_kind_has_one_row_and_a_later_one_is_another() {
        let kinds = [
            ChangeKind::Rc,
            ChangeKind::Looks,
            ChangeKind::Plugin,
            ChangeKind::Config,
            ChangeKind::Feature,
            ChangeKind::Upgrade,
            ChangeKind::Task,
            ChangeKind::Worker,
            ChangeKind::Other,
        ];
        assert_eq!(PRIORS.len(), kinds.len());
        for kind in kinds {
            assert_eq!(
                PRIORS.iter().filter(|row| row.kind == kind).count(),
                1,
                "{kind:?}"
            );
            let name = serde_json::to_string(&kind).unwrap();
            assert_eq!(serde_json::from_str::<ChangeKind>(&name).unwrap(), kind);
        }
        assert_eq!(
            serde_json::from_str::<ChangeKind>("\"moon\"").unwrap(),
            ChangeKind::Other
        );
    }

    proptest! {
        #[test]
        fn confidences_sum_to_one(
            changes in proptest::collection::vec((any::<i64>(), 0..3u8), 0..40),
            at in any::<i64>(),
            interval in any::<i64>(),
        ) {
            let kinds = [ChangeKind::Rc, ChangeKind::Task, ChangeKind::Other];
            let changes: Vec<Change> = changes
                .into_iter()
                .map(|(at, kind)| change(at, "x", kinds[usize::from(kind)]))
                .collect();
            let point = Changepoint {
                earliest_ns: at.saturating_sub(10),
                latest_ns: at.saturating_add(10),
                at_ns: at,
                ..changepoint(0)
            };
            let suspects = blame(&point, interval, Measured::Session, &changes);
            prop_assert!((1..=SUSPECTS_MAX).contains(&suspects.len()));
            let sum: f64 = suspects.iter().map(|suspect| suspect.confidence).sum();
            prop_assert!((sum - 1.0).abs() < 1e-9, "{suspects:?}");
            prop_assert!(suspects.iter().any(|suspect| suspect.what.is_none()));
        }
    }
}
