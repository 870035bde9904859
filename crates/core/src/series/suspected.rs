//! A change that is known to have been made, and whether it moved a series: a comparison of before and after.
//!
//! Where the moment is known, nothing has to be searched for: the values before it are compared with those since. So a
//! handful of values tells what a detector, which does not know where to look, needs dozens for.
//!
//! Invariant: a verdict is given once there are [`SAMPLES_MIN`] values on either side, and after [`CLEARED_AFTER`] at the
//! latest.

use serde::{Deserialize, Serialize};

use super::Changepoint;
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
    /// Judges by what was measured since. `first_after_ns` is when the first of that was, `least` and `share` what the
    /// level must have moved by to matter, in its unit and as a share of before.
    ///
    /// The difference of the means must exceed the quantile of Student's distribution for one error in a thousand, here
    /// bounded from above by 3.29 + 21 / (n − 1) for the smaller side.
    pub fn judge(&self, after: &Evidence, first_after_ns: i64, least: f64, share: f64) -> Verdict {
        let unproven = match after.count >= CLEARED_AFTER {
            true => Verdict::Cleared,
            false => Verdict::Open,
        };
        let n = self.before.count.min(after.count);
        if n < SAMPLES_MIN {
            return unproven;
        }
        let by = after.mean - self.before.mean;
        let error = self.before.error_of_difference(after);
        let certain = by.abs() > error * (3.29 + 21.0 / (n as f64 - 1.0));
        if certain && by.abs() >= least.max(self.before.mean.abs() * share) {
            return Verdict::Moved(Changepoint {
                at_ns: self.at_ns.max(first_after_ns),
                earliest_ns: self.last_before_ns.min(self.at_ns),
                latest_ns: self.at_ns.max(first_after_ns),
                before: self.before.mean,
                after: after.mean,
                confidence: 0.999,
            });
        }
        unproven
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(around: f64, scatter: f64, n: u32) -> Evidence {
        let mut evidence = Evidence::default();
        (0..n).for_each(|i| evidence.add(around + scatter * (f64::from(i % 5) - 2.0)));
        evidence
    }

    fn check(before: Evidence, after: Evidence, expect: &str) {
        let suspected = Suspected {
            at_ns: 100,
            last_before_ns: 90,
            before,
        };
        let verdict = suspected.judge(&after, 110, 5.0, 0.2);
        let name = match verdict {
            Verdict::Open => "open",
            Verdict::Cleared => "cleared",
            Verdict::Moved(_) => "moved",
        };
        assert_eq!(name, expect, "{before:?} {after:?}");
    }

    #[test]
    fn a_handful_of_values_tells_what_is_plain() {
        check(evidence(3.0, 0.2, 5), evidence(55.0, 1.0, 5), "moved");
        check(evidence(3.0, 0.2, 5), evidence(55.0, 1.0, 4), "open");
        check(evidence(3.0, 0.2, 4), evidence(55.0, 1.0, 59), "open");
        check(evidence(3.0, 0.2, 4), evidence(55.0, 1.0, 60), "cleared");
    }

    #[test]
    fn what_does_not_matter_or_cannot_be_told_is_cleared_in_the_end() {
        check(evidence(100.0, 1.0, 50), evidence(103.0, 1.0, 59), "open");
        check(evidence(100.0, 1.0, 50), evidence(103.0, 1.0, 60), "cleared");
        check(evidence(100.0, 80.0, 8), evidence(150.0, 80.0, 8), "open");
    }

    #[test]
    fn the_moment_is_between_the_last_before_and_the_first_after() {
        let suspected = Suspected {
            at_ns: 100,
            last_before_ns: 90,
            before: evidence(3.0, 0.1, 9),
        };
        let Verdict::Moved(at) = suspected.judge(&evidence(60.0, 1.0, 9), 110, 5.0, 0.2) else {
            panic!("it moved");
        };
        assert_eq!((at.earliest_ns, at.at_ns, at.latest_ns), (90, 110, 110));
    }
}
