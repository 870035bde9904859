//! A change that is known to have been made, and whether it moved a series: a comparison of before and after.
//!
//! Where the moment is known, nothing has to be searched for: the values before it are compared with those since. So a
//! handful of values tells what a detector, which does not know where to look, needs dozens for. Where some values are
//! far off, as on a busy machine, their ranks tell ([`super::ranks`]).
//!
//! Invariant: a verdict is given once there are [`SAMPLES_MIN`] values on either side, and after [`CLEARED_AFTER`] at the
//! latest.

use serde::{Deserialize, Serialize};

use super::Changepoint;
use super::noticed::Level;
use super::ranks::{self, Recent};
use crate::trial::Evidence;

/// Values on either side below which nothing is said.
pub const SAMPLES_MIN: u64 = 5;
/// Values after the change with which one that shows no effect is cleared.
pub const CLEARED_AFTER: u64 = 60;

/// A change under suspicion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suspected {
    /// When it was made, on the clock of the series.
    pub at_ns: i64,
    /// The last value before it; [`Suspected::at_ns`] at the latest.
    pub last_before_ns: i64,
    /// What was measured before.
    pub before: Evidence,
    /// The last of it.
    #[serde(default)]
    pub recent: Recent,
}

/// What a suspicion came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Too little was measured since.
    Open,
    /// It moved nothing that matters.
    Cleared,
    /// The level is another since.
    Moved(Changepoint),
}

impl Suspected {
    /// Judges by the level since. `least` and `share` are what it must have moved by to matter, in its unit and as a
    /// share of before.
    pub fn judge(&self, since: &Level, least: f64, share: f64) -> Verdict {
        let told = self
            .means_apart(&since.evidence)
            .or_else(|| ranks::apart(&self.recent, &since.recent));
        let matters =
            |(before, after): &(f64, f64)| (after - before).abs() >= least.max(before.abs() * share);
        match told.filter(matters) {
            Some((before, after)) => Verdict::Moved(Changepoint {
                at_ns: self.at_ns.max(since.first_ns),
                earliest_ns: self.last_before_ns.min(self.at_ns),
                latest_ns: self.at_ns.max(since.first_ns),
                before,
                after,
                confidence: 0.999,
            }),
            None if since.evidence.count >= CLEARED_AFTER => Verdict::Cleared,
            None => Verdict::Open,
        }
    }

    /// The means of before and after, if they differ beyond doubt: by more than the quantile of Student's distribution for
    /// one error in a thousand, here bounded from above by 3.29 + 21 / (n − 1) for the smaller side.
    fn means_apart(&self, after: &Evidence) -> Option<(f64, f64)> {
        let n = self.before.count.min(after.count);
        let by = (after.mean - self.before.mean).abs();
        let error = self.before.error_of_difference(after);
        let certain = n >= SAMPLES_MIN && by > error * (3.29 + 21.0 / (n as f64 - 1.0));
        certain.then_some((self.before.mean, after.mean))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A level in milliseconds, whose values scatter evenly.
    fn level(around: f64, scatter: f64, n: u32) -> Level {
        let mut level = Level::default();
        let values = (0..n).map(|i| around + scatter * (f64::from(i % 5) - 2.0));
        values.for_each(|ms| level.add(110, ms * 1e6));
        level
    }

    /// Adds values that are far off.
    fn hiccups(mut level: Level, values_ms: &[f64]) -> Level {
        values_ms.iter().for_each(|ms| level.add(110, ms * 1e6));
        level
    }

    fn suspected(before: Level) -> Suspected {
        Suspected {
            at_ns: 100,
            last_before_ns: 90,
            before: before.evidence,
            recent: before.recent,
        }
    }

    fn check(before: Level, after: Level, expect: &str) {
        let verdict = suspected(before).judge(&after, 5e6, 0.2);
        let name = match verdict {
            Verdict::Open => "open",
            Verdict::Cleared => "cleared",
            Verdict::Moved(_) => "moved",
        };
        assert_eq!(name, expect, "{before:?} {after:?}");
    }

    #[test]
    fn a_handful_of_values_tells_what_is_plain() {
        check(level(3.0, 0.2, 5), level(55.0, 1.0, 5), "moved");
        check(level(3.0, 0.2, 5), level(55.0, 1.0, 4), "open");
        check(level(3.0, 0.2, 4), level(55.0, 1.0, 59), "open");
        check(level(3.0, 0.2, 4), level(55.0, 1.0, 60), "cleared");
    }

    #[test]
    fn what_does_not_matter_or_cannot_be_told_is_cleared_in_the_end() {
        check(level(100.0, 1.0, 50), level(103.0, 1.0, 59), "open");
        check(level(100.0, 1.0, 50), level(103.0, 1.0, 60), "cleared");
        check(level(100.0, 80.0, 8), level(150.0, 80.0, 8), "open");
    }

    #[test]
    fn a_busy_machine_hides_nothing() {
        let before = hiccups(level(3.0, 0.5, 15), &[400.0]);
        check(before, level(63.0, 2.0, 10), "open");
        check(before, hiccups(level(63.0, 2.0, 14), &[2_000.0, 900.0]), "moved");
        check(
            hiccups(level(3.0, 0.5, 15), &[400.0]),
            hiccups(level(3.0, 0.5, 14), &[2_000.0, 900.0]),
            "open",
        );
    }

    #[test]
    fn the_moment_is_between_the_last_before_and_the_first_after() {
        let Verdict::Moved(at) = suspected(level(3.0, 0.1, 9)).judge(&level(60.0, 1.0, 9), 5e6, 0.2) else {
            panic!("it moved");
        };
        assert_eq!((at.earliest_ns, at.at_ns, at.latest_ns), (90, 110, 110));
    }
}
