//! What is usual, for each metric of one user: learned, with its spread.
//!
//! A baseline is the median of remembered values and the spread their median absolute deviation, so a few strange
//! values move neither (Hampel 1974). While it is young every value is remembered; later one in twenty minutes at
//! most, so that the memory spans a day of active use and a slow drift shows.
//!
//! Invariant: a value that is itself a finding is not learned, so a regression does not become normal by lasting. Only
//! when *nothing but* findings has been seen for [`ADAPT_NS`] and [`ADAPT_VALUES`] values is the old baseline given up
//! and learning begins anew: then this is how things are now.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::metric::METRICS;

/// Measurements behind a baseline before it says anything.
pub const MIN_SAMPLES: u64 = 20;

/// Values before it says anything: fewer have no spread.
pub const MIN_VALUES: usize = 3;

/// Values remembered of each metric.
pub const REMEMBERED: usize = 64;

/// Once the memory is full, a value is remembered so often at most: 64 × 20 minutes are 21 hours of active use.
pub const THIN_NS: u64 = 20 * 60 * 1_000_000_000;

/// How long nothing but findings must have been seen before what was usual is given up: three days.
pub const ADAPT_NS: u64 = 3 * 24 * 3_600 * 1_000_000_000;

/// How many findings that must have been, so that a suspended laptop confirms nothing.
pub const ADAPT_VALUES: u32 = 300;

/// Spreads above the median from which on a value is unusual: beyond 5 of a normal distribution lies one in three
/// million, and timings have longer tails than that.
pub const SPREADS: f64 = 5.0;

/// The least spread, as a share of the median: a tenth, about the width of a histogram's bucket.
const SPREAD_LEAST: f64 = 0.1;

/// The median absolute deviation times this is the standard deviation, for a normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;

/// What a baseline says about a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Judged {
    /// Nothing is usual yet.
    Unknown(&'static str),
    /// As usual, or better.
    Usual,
    /// More than usual.
    Above {
        /// Times the usual; infinite if nothing is usual.
        times: f64,
    },
}

/// What is usual of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// The median.
    pub center: f64,
    /// The spread, comparable to a standard deviation.
    pub spread: f64,
}

/// Judges a value by what is usual: it must lie outside the spread and matter, by `least`.
pub fn judge(value: f64, usual: Option<Usual>, least: f64) -> Judged {
    let Some(usual) = usual else {
        return Judged::Unknown(TOO_FEW);
    };
    let spread = usual.spread.max(usual.center.abs() * SPREAD_LEAST);
    if value - usual.center > (spread * SPREADS).max(least) {
        Judged::Above {
            times: if usual.center > 0.0 {
                value / usual.center
            } else {
                f64::INFINITY
            },
        }
    } else {
        Judged::Usual
    }
}

/// Why a baseline says nothing.
pub const TOO_FEW: &str = "too few samples";

/// The memory of one metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Baseline {
    values: Vec<f64>,
    /// Where the next value goes once the memory is full.
    next: usize,
    samples: u64,
    center: f64,
    spread: f64,
    learned_wall_ns: u64,
    /// Findings since the last value that was none, and when the first of them was.
    outside: u32,
    outside_wall_ns: u64,
    /// The old baseline was given up: findings are learned too, until there is a new one.
    adapting: bool,
}

impl Baseline {
    /// What is usual; none as long as too little was seen.
    pub fn usual(&self) -> Option<Usual> {
        let enough = self.samples >= MIN_SAMPLES && self.values.len() >= MIN_VALUES;
        enough.then_some(Usual {
            center: self.center,
            spread: self.spread,
        })
    }

    /// Measurements behind it.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Learns a value that stands for `samples` measurements; `finding` says that it is one.
    pub fn learn(&mut self, now_wall_ns: u64, value: f64, samples: u64, finding: bool) {
        if !value.is_finite() || samples == 0 || finding && !self.adapts(now_wall_ns) {
            return;
        }
        if !finding {
            self.outside = 0;
        }
        // A clock that jumped back must not stop the learning.
        let since = now_wall_ns.checked_sub(self.learned_wall_ns);
        let full = self.values.len() >= REMEMBERED;
        if full && since.is_some_and(|since| since < THIN_NS) {
            return;
        }
        self.remember(value);
        self.samples = self.samples.saturating_add(samples);
        self.learned_wall_ns = now_wall_ns;
        if self.usual().is_some() {
            self.adapting = false;
        }
    }

    /// Counts a finding; says whether findings are learned by now.
    fn adapts(&mut self, now_wall_ns: u64) -> bool {
        if self.adapting {
            return true;
        }
        if self.outside == 0 || now_wall_ns < self.outside_wall_ns {
            self.outside_wall_ns = now_wall_ns;
        }
        self.outside = self.outside.saturating_add(1);
        let lasted = now_wall_ns.saturating_sub(self.outside_wall_ns);
        if self.outside < ADAPT_VALUES || lasted < ADAPT_NS {
            return false;
        }
        *self = Baseline {
            adapting: true,
            ..Baseline::default()
        };
        true
    }

    fn remember(&mut self, value: f64) {
        self.values.truncate(REMEMBERED);
        if self.values.len() < REMEMBERED {
            self.values.push(value);
        } else if let Some(oldest) = self.values.get_mut(self.next % REMEMBERED) {
            *oldest = value;
            self.next = (self.next + 1) % REMEMBERED;
        }
        let mut sorted = [0.0; REMEMBERED];
        let count = self.values.len();
        let Some(sorted) = sorted.get_mut(..count) else {
            return;
        };
        sorted.copy_from_slice(&self.values);
        self.center = median(sorted);
        for value in sorted.iter_mut() {
            *value = (*value - self.center).abs();
        }
        self.spread = median(sorted) * MAD_TO_SIGMA;
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |i: usize| values.get(i).copied().unwrap_or(0.0);
    if values.len().is_multiple_of(2) {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

/// What is usual for one user, by the metric's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Baselines {
    of: BTreeMap<String, Baseline>,
}

impl Baselines {
    /// The baseline of a metric; none if nothing was learned of it.
    pub fn of(&self, metric: &str) -> Option<&Baseline> {
        self.of.get(metric)
    }

    /// What is usual of a metric; none as long as too little was seen.
    pub fn usual(&self, metric: &str) -> Option<Usual> {
        self.of(metric).and_then(Baseline::usual)
    }

    /// Learns a value of a metric; see [`Baseline::learn`]. A metric that is not in the table is passed over.
    pub fn learn(&mut self, metric: &str, now_wall_ns: u64, value: f64, samples: u64, finding: bool) {
        if let Some(baseline) = self.of.get_mut(metric) {
            baseline.learn(now_wall_ns, value, samples, finding);
        } else if METRICS.iter().any(|row| row.name == metric && row.is_learned()) {
            let mut baseline = Baseline::default();
            baseline.learn(now_wall_ns, value, samples, finding);
            self.of.insert(metric.to_owned(), baseline);
        }
    }

    /// Drops what metrics of another version left behind.
    pub fn forget_unknown(&mut self) {
        self.of
            .retain(|name, _| METRICS.iter().any(|row| row.name == name && row.is_learned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = 1_000_000_000;

    fn learned(values: &[f64]) -> Baseline {
        let mut baseline = Baseline::default();
        for (at, value) in values.iter().enumerate() {
            baseline.learn(at as u64 * 10 * S, *value, 10, false);
        }
        baseline
    }

    #[test]
    fn values_beside_what_is_usual() {
        fn check(values: &[f64], value: f64, least: f64, expect: Judged) {
            assert_eq!(
                judge(value, learned(values).usual(), least),
                expect,
                "{values:?} {value}"
            );
        }
        let unknown = Judged::Unknown(TOO_FEW);
        check(&[], 1.0, 0.0, unknown);
        check(&[2.0, 2.0], 300.0, 0.0, unknown);
        check(&[2.0, 2.0, 2.0], 2.9, 0.0, Judged::Usual);
        check(&[2.0, 2.0, 2.0], 300.0, 0.0, Judged::Above { times: 150.0 });
        check(&[2.0, 2.0, 2.0], 300.0, 299.0, Judged::Usual);
        check(
            &[2.0, 3.0, 4.0, 5.0, 90.0],
            20.0,
            0.0,
            Judged::Above { times: 5.0 },
        );
        check(&[2.0, 3.0, 4.0, 5.0, 90.0], 8.0, 0.0, Judged::Usual);
        check(&[0.0, 0.0, 0.0], 1.0, 0.0, Judged::Above { times: f64::INFINITY });
    }

    #[test]
    fn findings_are_not_learned_until_there_is_nothing_else_for_days() {
        let mut baseline = learned(&[2.0; 5]);
        let day = 24 * 3_600 * S;
        for at in 0..10_000 {
            baseline.learn(S + at * 20 * S, 300.0, 10, true);
        }
        assert_eq!(
            baseline.usual().map(|usual| usual.center),
            Some(2.0),
            "within two days"
        );
        baseline.learn(2 * day + 23 * 3_600 * S, 2.0, 1, false);
        for at in 0..u64::from(ADAPT_VALUES) {
            baseline.learn(3 * day + at * S, 300.0, 10, true);
        }
        assert_eq!(
            baseline.usual().map(|usual| usual.center),
            Some(2.0),
            "a usual value was between"
        );
        for at in 0..3 {
            baseline.learn(7 * day + at * S, 300.0, 10, true);
        }
        assert_eq!(baseline.usual().map(|usual| usual.center), Some(300.0));
        assert!(!baseline.adapting);
    }

    #[test]
    fn a_full_memory_is_moved_slowly() {
        let mut baseline = learned(&[2.0; REMEMBERED]);
        let start = baseline.learned_wall_ns;
        for at in 1..6 * 60 * 5 {
            baseline.learn(start + at * 10 * S, 4.0, 10, false);
        }
        assert_eq!(
            baseline.usual().map(|usual| usual.center),
            Some(2.0),
            "after five hours"
        );
        // A clock that jumped back does not stop it.
        for at in (0..100).rev() {
            baseline.learn(at, 4.0, 10, false);
        }
        assert_eq!(baseline.usual().map(|usual| usual.center), Some(4.0));
    }

    #[test]
    fn only_metrics_of_the_table_are_learned() {
        let mut baselines = Baselines::default();
        for (metric, expect) in [
            ("prompt_ns_recent", true),
            ("uptime_ns", false),
            ("rubbish", false),
        ] {
            baselines.learn(metric, 0, 1.0, 1, false);
            assert_eq!(baselines.of(metric).is_some(), expect, "{metric}");
        }
        let json = serde_json::to_string(&baselines).unwrap();
        assert_eq!(serde_json::from_str::<Baselines>(&json).unwrap(), baselines);
        let mut foreign: Baselines = serde_json::from_str(r#"{"rubbish": {}}"#).unwrap();
        foreign.forget_unknown();
        assert_eq!(foreign, Baselines::default());
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_the_median_lies_within(
            values in proptest::collection::vec((any::<u64>(), 0.0f64..1e12, 0u64..100, any::<bool>()), 0..300),
        ) {
            let mut baseline = Baseline::default();
            for (wall, value, samples, finding) in values {
                baseline.learn(wall, value, samples, finding);
                prop_assert!(baseline.values.len() <= REMEMBERED);
            }
            if let Some(usual) = baseline.usual() {
                prop_assert!(usual.spread >= 0.0 && usual.spread.is_finite());
                prop_assert!((0.0..1e12).contains(&usual.center));
            }
        }
    }
}
