//! Trials: a change that must prove itself before it stays.
//!
//! A trial judges one metric, which its change can move, against the same metric before. Its deadline counts active
//! time, in which somebody typed, so neither a suspended laptop nor a quiet night confirms anything. With too little
//! evidence by then it is inconclusive, and what happens is what was agreed on when it was opened.
//!
//! There are three designs: before and after in one metric, for a change that everybody has at once; [`configured`], before
//! and after in all that a changed configuration can move; and [`paired`], for a lever that sessions can turn back and
//! forth.
//!
//! Invariant: a trial ends exactly once, and only by evidence, its deadline, or somebody's word.

pub mod configured;
pub mod measure;
pub mod paired;
pub mod usual;

use serde::{Deserialize, Serialize};

use self::configured::{Configured, Difference};
use self::paired::{Estimate, Paired};
use crate::plan::Action;

/// Samples on either side below which nothing is concluded.
pub const SAMPLES_MIN: u64 = 30;
/// Open trials. More at once could not be told apart by what they move.
pub const OPEN_MAX: usize = 16;

/// What ends an inconclusive trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// The change stays.
    Keep,
    /// The change is taken back.
    Revert,
}

/// What the metric said on one side: enough for a mean and its spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Samples.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// The sum of their squared distances from it.
    pub squares: f64,
}

impl Evidence {
    /// Adds one sample; one that is no number is left out. (Welford 1962.)
    pub fn add(&mut self, sample: f64) {
        if !sample.is_finite() {
            return;
        }
        self.count += 1;
        let distance = sample - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (sample - self.mean);
    }

    /// Adds what another has seen. (Chan, Golub, LeVeque 1979.)
    pub fn merge(&mut self, other: &Evidence) {
        if other.count == 0 {
            return;
        }
        let (n, m) = (self.count as f64, other.count as f64);
        let distance = other.mean - self.mean;
        self.mean += distance * m / (n + m);
        self.squares += other.squares + distance * distance * n * m / (n + m);
        self.count += other.count;
    }

    /// The standard error of the difference of two means. (Welch 1947.)
    pub fn error_of_difference(&self, other: &Evidence) -> f64 {
        libm::hypot(self.error(), other.error())
    }

    fn error(&self) -> f64 {
        let n = self.count as f64;
        (self.squares / (n - 1.0).max(1.0) / n.max(1.0)).sqrt()
    }
}

/// A change under trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// What was changed, for people.
    pub change: String,
    /// What takes it back: absolute, so that it may run twice.
    pub revert: Action,
    /// The metric that the change can move; lower is better.
    pub metric: String,
    /// What it was before.
    pub before: Evidence,
    /// What it is since.
    pub after: Evidence,
    /// How much slower, as a fraction of before, is too much.
    pub tolerance: f64,
    /// Active time it has, in nanoseconds.
    pub active_ns_max: u64,
    /// Active time that passed.
    pub active_ns: u64,
    /// What happens without enough evidence.
    pub otherwise: Otherwise,
    /// Two values that are compared side by side; without it, before is compared with after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paired: Option<Paired>,
    /// A configuration that is compared with the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured: Option<Box<Configured>>,
}

/// A trial that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Its number.
    pub id: u64,
    /// When it ended, in nanoseconds since 1970.
    pub wall_ns: i64,
    /// What was changed, for people.
    pub change: String,
    /// The lever, its value in force and the one that was tried; none if it was no lever.
    pub lever: Option<(String, String, String)>,
    /// The metric that was judged.
    pub metric: String,
    /// The difference, as the last look saw it; none before there was one.
    pub estimate: Option<Estimate>,
    /// Active time that it took, in nanoseconds.
    pub active_ns: u64,
    /// What it came to.
    pub verdict: Verdict,
    /// Why, in words.
    pub why: String,
    /// The change is in force now.
    pub kept: bool,
    /// The configuration that was tried, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigEnded>,
}

/// What is remembered of a configuration that was on trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigEnded {
    /// The version.
    pub version: u64,
    /// The one before.
    pub earlier: u64,
    /// Keys whose value was another one.
    pub keys: Vec<String>,
    /// The version before is in force again by us.
    #[serde(default)]
    pub taken_back: bool,
    /// What was slower, by name, and by how much; none if nothing was.
    pub slower: Option<(String, Difference)>,
}

/// What a trial came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No worse than before, by the evidence.
    Confirm,
    /// Worse than before, by the evidence.
    Revert,
    /// Too little evidence by the deadline: the change stays, as agreed.
    InconclusiveKept,
    /// Too little evidence by the deadline: the change is taken back, as agreed.
    InconclusiveReverted,
    /// Somebody's word, or the mode, ended it before there was a verdict.
    Withdrawn,
}

impl Verdict {
    /// Whether the change is taken back.
    pub const fn reverts(self) -> bool {
        matches!(
            self,
            Verdict::Revert | Verdict::InconclusiveReverted | Verdict::Withdrawn
        )
    }

    /// What it came to, in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Confirm => "better",
            Verdict::Revert => "worse",
            Verdict::InconclusiveKept | Verdict::InconclusiveReverted => "inconclusive",
            Verdict::Withdrawn => "withdrawn",
        }
    }
}

impl Trial {
    /// Adds a sample and the active time that passed since the last one.
    pub fn observe(&mut self, sample: Option<f64>, active_ns: u64) {
        if let Some(sample) = sample {
            self.after.add(sample);
        }
        self.active_ns = self.active_ns.saturating_add(active_ns);
    }

    /// Gives the verdict of a comparison of before and after, if the trial is over.
    ///
    /// The difference of the means is taken with its 95 % interval (Welch). Clearly worse ends it at once; clearly not
    /// worse does at the deadline.
    pub fn verdict(&self) -> Option<Verdict> {
        let enough = self.before.count >= SAMPLES_MIN && self.after.count >= SAMPLES_MIN;
        let allowed = self.before.mean * (1.0 + self.tolerance);
        let margin = 1.96 * self.before.error_of_difference(&self.after);
        if enough && self.after.mean - margin > allowed {
            return Some(Verdict::Revert);
        }
        if self.active_ns < self.active_ns_max {
            return None;
        }
        if enough && self.after.mean + margin <= allowed {
            return Some(Verdict::Confirm);
        }
        Some(match self.otherwise {
            Otherwise::Keep => Verdict::InconclusiveKept,
            Otherwise::Revert => Verdict::InconclusiveReverted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEADLINE: u64 = 1_000;

    fn trial(before: &[f64], otherwise: Otherwise) -> Trial {
        let mut evidence = Evidence::default();
        before.iter().for_each(|sample| evidence.add(*sample));
        Trial {
            change: "x".into(),
            revert: Action::UseSetting {
                name: "x".into(),
                value: None,
            },
            metric: "prompt".into(),
            before: evidence,
            after: Evidence::default(),
            tolerance: 0.05,
            active_ns_max: DEADLINE,
            active_ns: 0,
            otherwise,
            paired: None,
            configured: None,
        }
    }

    fn noisy(around: f64, n: usize) -> Vec<f64> {
        (0..n).map(|i| around + (i % 7) as f64 - 3.0).collect()
    }

    fn check(before: f64, after: f64, n: usize, active_ns: u64, expect: Option<Verdict>) {
        let mut trial = trial(&noisy(before, 100), Otherwise::Keep);
        noisy(after, n)
            .into_iter()
            .for_each(|sample| trial.observe(Some(sample), 0));
        trial.observe(None, active_ns);
        assert_eq!(
            trial.verdict(),
            expect,
            "{before} then {after}, {n} samples, {active_ns} ns"
        );
    }

    #[test]
    fn evidence_and_deadline_decide() {
        check(100.0, 200.0, 100, 0, Some(Verdict::Revert));
        check(100.0, 100.0, 100, 0, None);
        check(100.0, 100.0, 100, DEADLINE, Some(Verdict::Confirm));
        check(100.0, 90.0, 100, DEADLINE, Some(Verdict::Confirm));
        // Within the noise of the threshold: nobody can tell.
        check(100.0, 105.0, 100, DEADLINE, Some(Verdict::InconclusiveKept));
        check(100.0, 200.0, 10, DEADLINE, Some(Verdict::InconclusiveKept));
        check(100.0, 200.0, 10, DEADLINE - 1, None);
    }

    #[test]
    fn time_alone_confirms_nothing() {
        let mut trial = trial(&noisy(100.0, 100), Otherwise::Revert);
        trial.observe(None, u64::MAX);
        trial.observe(None, u64::MAX);
        assert_eq!(trial.verdict(), Some(Verdict::InconclusiveReverted));
    }

    proptest! {
        #[test]
        fn what_two_saw_is_what_one_would_have_seen(
            samples in proptest::collection::vec(-1e6..1e6f64, 0..60), cut in 0..60usize
        ) {
            let seen = |samples: &[f64]| {
                let mut evidence = Evidence::default();
                samples.iter().for_each(|sample| evidence.add(*sample));
                evidence
            };
            let (left, right) = samples.split_at(cut.min(samples.len()));
            let (mut merged, whole) = (seen(left), seen(&samples));
            merged.merge(&seen(right));
            prop_assert_eq!(merged.count, whole.count);
            prop_assert!((merged.mean - whole.mean).abs() < 1e-3);
            prop_assert!((merged.squares - whole.squares).abs() <= 1e-6 * whole.squares.max(1.0));
        }

        #[test]
        fn evidence_is_the_mean_of_what_is_a_number(samples in proptest::collection::vec(-1e9..1e9f64, 1..200)) {
            let mut evidence = Evidence::default();
            evidence.add(f64::NAN);
            samples.iter().for_each(|sample| evidence.add(*sample));
            let mean = samples.iter().sum::<f64>() / samples.len() as f64;
            prop_assert_eq!(evidence.count as usize, samples.len());
            prop_assert!((evidence.mean - mean).abs() < 1e-3);
        }
    }
}
