//! Paired comparison of two values of a lever: sessions use the one and the other by turns, line for line, and say
//! what the pairs came to.
//!
//! ```text
//!  session: ln(candidate / current), a pair ─▸ sums in its flight file ─▸ tallies, absolute, one a session ─▸ verdict
//! ```
//!
//! The verdict goes by the mean of the logarithms, so by the ratio of the costs, with its interval. It is looked at four
//! times, when [`LOOKS`] pairs are there, and at no other: who looks at every pair and stops when it suits finds a
//! difference between two equals in every fourth trial. Each look is held to a quarter of the 5 % (Bonferroni), so that
//! all of them together cry wolf in at most 5 % of the trials of two equal values; the interval shown is the look's own,
//! 98.75 %.
//!
//! - *better*: the whole interval lies beyond the gain that is worth a change.
//! - *worse*: the whole interval lies on the slower side.
//! - *inconclusive*: neither, at the last look or at the deadline, or a gain that is worth it is ruled out earlier.
//!
//! Invariants: what a session says is absolute, so that reading it twice changes nothing and a worker that was killed
//! lost nothing; numbers that cannot be are not counted; a verdict needs [`LOOKS`]' first number of pairs at least.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Verdict;

/// Pairs at which the evidence is looked at.
pub const LOOKS: [u64; 4] = [32, 64, 128, 256];
/// The quantile of Student's t at 98.75 % two-sided for 31, 63, 127 and 255 degrees of freedom.
const QUANTILES: [f64; 4] = [2.65, 2.57, 2.53, 2.52];
/// The gain, as a fraction, below which a change is not worth being different from what everybody else has.
pub const GAIN_MIN: f64 = 0.03;
/// Sessions counted; what further ones say is left out.
pub const SESSIONS_MAX: usize = 64;
/// Active time that a trial has unless somebody says otherwise, in nanoseconds: 256 pairs are an afternoon of typing.
pub const ACTIVE_NS_MAX: u64 = 4 * 60 * 60 * 1_000_000_000;
/// Millionths, in which sessions sum logarithms up.
const MILLION: f64 = 1e6;
/// No ratio of two costs is beyond e^this: 100 ns against ten minutes.
const LOG_MAX: f64 = 25.0;

/// What one session's pairs came to, since the trial began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Pairs of lines, one with either value.
    pub pairs: u64,
    /// The sum of ln(candidate / current), in millionths.
    pub log_sum: i64,
    /// The sum of its squares, in millionths.
    pub log_squares: i64,
    /// The sum of the costs with the current value, in nanoseconds.
    pub current_ns: u64,
    /// The sum of the costs with the candidate, in nanoseconds.
    pub candidate_ns: u64,
}

impl Tally {
    /// Whether numbers can be what they say they are: a sum of so many logarithms, and of their squares.
    fn can_be(&self) -> bool {
        let n = self.pairs as f64;
        let (sum, squares) = (self.log_sum as f64 / MILLION, self.log_squares as f64 / MILLION);
        // Each pair was rounded to a millionth.
        let slack = 1e-5 * n.max(1.0);
        sum.abs() <= n * LOG_MAX + slack
            && squares <= n * LOG_MAX * LOG_MAX + slack
            && squares + slack >= sum * sum / n.max(1.0)
    }
}

/// The difference between two values, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Pairs that it comes from.
    pub pairs: u64,
    /// The candidate's cost by the current one's, the geometric mean: 0.8 is a fifth less.
    pub ratio: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The mean cost of a paint or completion with the current value, in nanoseconds.
    pub current_ns: u64,
    /// With the candidate.
    pub candidate_ns: u64,
}

/// Two values of a lever under comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// The lever.
    pub lever: String,
    /// The value in force.
    pub current: String,
    /// The value that is tried.
    pub candidate: String,
    /// What each session said last.
    pub tallies: BTreeMap<String, Tally>,
    /// Looks that were taken.
    pub looks: usize,
    /// What the last look saw.
    pub seen: Option<Estimate>,
    /// A person asked for it, whatever the mode.
    pub forced: bool,
}

impl Paired {
    /// Begins a comparison.
    pub fn new(lever: &str, current: &str, candidate: &str, forced: bool) -> Self {
        Self {
            lever: lever.to_owned(),
            current: current.to_owned(),
            candidate: candidate.to_owned(),
            tallies: BTreeMap::new(),
            looks: 0,
            seen: None,
            forced,
        }
    }

    /// Takes over what a session says; true if that is news.
    pub fn hear(&mut self, session: u64, tally: Tally) -> bool {
        let session = format!("{session:016x}");
        let before = self.tallies.get(&session).map_or(0, |before| before.pairs);
        let room = before > 0 || self.tallies.len() < SESSIONS_MAX;
        let news = room && tally.pairs > before && tally.can_be();
        if news {
            self.tallies.insert(session, tally);
        }
        news
    }

    /// Pairs so far.
    pub fn pairs(&self) -> u64 {
        self.tallies
            .values()
            .fold(0, |sum, tally| sum.saturating_add(tally.pairs))
    }

    /// What is known of the difference now, with the interval of the next look; none before the first pairs.
    pub fn estimate(&self) -> Option<Estimate> {
        let of = |part: fn(&Tally) -> f64| self.tallies.values().map(part).sum::<f64>();
        let pairs = self.pairs();
        let n = pairs as f64;
        if pairs < 2 {
            return None;
        }
        let mean = of(|tally| tally.log_sum as f64) / MILLION / n;
        let squares = of(|tally| tally.log_squares as f64) / MILLION;
        let variance = ((squares - n * mean * mean) / (n - 1.0)).max(0.0);
        let at = self.looks.min(QUANTILES.len() - 1);
        let margin = QUANTILES.get(at).copied().unwrap_or(f64::INFINITY) * (variance / n).sqrt();
        Some(Estimate {
            pairs,
            ratio: libm::exp(mean),
            low: libm::exp(mean - margin),
            high: libm::exp(mean + margin),
            current_ns: (of(|tally| tally.current_ns as f64) / n) as u64,
            candidate_ns: (of(|tally| tally.candidate_ns as f64) / n) as u64,
        })
    }

    /// Looks at the evidence if it is time to; gives the verdict if that ends the trial. `over`: no more is to come.
    pub fn look(&mut self, over: bool) -> Option<Verdict> {
        while let Some(due) = LOOKS.get(self.looks).filter(|due| self.pairs() >= **due) {
            let estimate = self.estimate()?;
            self.seen = Some(estimate);
            self.looks += 1;
            // Pairs that came at once are one look: the later number.
            if LOOKS
                .get(self.looks)
                .is_some_and(|next| self.pairs() >= *next && next > due)
            {
                continue;
            }
            if estimate.high < 1.0 - GAIN_MIN {
                return Some(Verdict::Confirm);
            }
            if estimate.low > 1.0 {
                return Some(Verdict::Revert);
            }
            if estimate.low > 1.0 - GAIN_MIN || self.looks == LOOKS.len() {
                return Some(Verdict::InconclusiveReverted);
            }
        }
        over.then_some(Verdict::InconclusiveReverted)
    }

    /// Why a verdict is what it is, in words.
    pub fn why(&self, verdict: Verdict) -> String {
        let needed = LOOKS.first().copied().unwrap_or(0);
        let Some(seen) = self.seen else {
            return format!(
                "too little was typed: {} of {needed} pairs of lines",
                self.pairs()
            );
        };
        let of = |ratio: f64| (ratio - 1.0) * 100.0;
        let numbers = format!(
            "{:+.1} % ({:+.1} to {:+.1}) over {} pairs of lines",
            of(seen.ratio),
            of(seen.low),
            of(seen.high),
            seen.pairs
        );
        match verdict {
            Verdict::Confirm => format!("faster: {numbers}"),
            Verdict::Revert => format!("slower: {numbers}"),
            _ if seen.low > 1.0 - GAIN_MIN => format!("no gain worth a change: {numbers}"),
            _ => format!("the evidence does not suffice: {numbers}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pairs around a ratio, with a spread of the logarithm, that alternate so as to be exactly that.
    fn tally(pairs: u64, ratio: f64, spread: f64) -> Tally {
        let mut tally = Tally::default();
        for pair in 0..pairs {
            let log = ratio.ln() + if pair % 2 == 0 { spread } else { -spread };
            tally.pairs += 1;
            tally.log_sum += (log * MILLION) as i64;
            tally.log_squares += (log * log * MILLION) as i64;
            tally.current_ns += 1_000;
            tally.candidate_ns += (1_000.0 * log.exp()) as u64;
        }
        tally
    }

    fn paired() -> Paired {
        Paired::new("names.keep", "prompt", "path", false)
    }

    #[test]
    fn what_the_pairs_say_is_the_verdict() {
        fn check(pairs: u64, ratio: f64, spread: f64, over: bool, expect: Option<Verdict>, why: &str) {
            let mut paired = paired();
            paired.hear(7, tally(pairs / 2, ratio, spread));
            paired.hear(8, tally(pairs - pairs / 2, ratio, spread));
            let verdict = paired.look(over);
            assert_eq!(verdict, expect, "{pairs} pairs, {ratio} ± {spread}");
            let said = paired.why(verdict.unwrap_or(Verdict::InconclusiveReverted));
            assert!(said.starts_with(why), "{said}");
        }
        use Verdict::{Confirm, InconclusiveReverted as Neither, Revert};
        check(31, 0.5, 0.1, false, None, "too little was typed: 31 of 32");
        check(
            31,
            0.5,
            0.1,
            true,
            Some(Neither),
            "too little was typed: 31 of 32",
        );
        check(32, 0.5, 0.1, false, Some(Confirm), "faster: -50.0 %");
        check(32, 2.0, 0.1, false, Some(Revert), "slower: +100.0 %");
        check(
            40,
            0.9,
            0.5,
            false,
            None,
            "the evidence does not suffice: -10.0 %",
        );
        check(
            256,
            0.99,
            0.5,
            false,
            Some(Neither),
            "the evidence does not suffice: -1.0 %",
        );
        check(
            256,
            1.0,
            0.05,
            false,
            Some(Neither),
            "no gain worth a change: +0.0 %",
        );
        check(
            64,
            0.98,
            0.001,
            false,
            Some(Neither),
            "no gain worth a change: -2.0 %",
        );
    }

    #[test]
    fn it_is_looked_at_when_the_pairs_are_there_and_at_no_other_time() {
        let mut paired = paired();
        let mut looks = Vec::new();
        for pairs in 1..=256 {
            paired.hear(7, tally(pairs, 0.95, 0.6));
            let before = paired.looks;
            let verdict = paired.look(false);
            if paired.looks > before {
                looks.push(pairs);
            }
            assert_eq!(verdict.is_some(), pairs == 256, "{pairs}");
        }
        assert_eq!(looks, LOOKS);
    }

    #[test]
    fn numbers_that_cannot_be_are_not_heard() {
        let mut paired = paired();
        let check = |paired: &mut Paired, tally: Tally, expect: bool| {
            assert_eq!(paired.hear(7, tally), expect, "{tally:?}");
        };
        let good = tally(10, 0.5, 0.1);
        check(
            &mut paired,
            Tally {
                log_squares: -5,
                ..good
            },
            false,
        );
        check(
            &mut paired,
            Tally {
                log_squares: 5,
                ..good
            },
            false,
        );
        check(
            &mut paired,
            Tally {
                log_sum: i64::MIN,
                ..good
            },
            false,
        );
        check(
            &mut paired,
            Tally {
                log_squares: i64::MAX,
                ..good
            },
            false,
        );
        check(&mut paired, good, true);
        check(&mut paired, good, false);
        check(&mut paired, tally(9, 0.5, 0.1), false);
        check(&mut paired, tally(11, 0.5, 0.1), true);
        assert_eq!(paired.pairs(), 11);
    }

    /// Noise that is no number theory: a hash of a seed, as in the session.
    fn noise(seed: u64) -> f64 {
        let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
    }

    #[test]
    fn two_equals_are_seldom_told_apart() {
        let trials = 2_000;
        let mut wrong = 0;
        for trial in 0..trials {
            let (mut paired, mut sum) = (paired(), Tally::default());
            for pair in 0..256 {
                let log = noise(trial * 256 + pair);
                sum.pairs += 1;
                sum.log_sum += (log * MILLION) as i64;
                sum.log_squares += (log * log * MILLION) as i64;
                paired.hear(1, sum);
                match paired.look(false) {
                    Some(Verdict::Confirm | Verdict::Revert) => {
                        wrong += 1;
                        break;
                    }
                    Some(_) => break,
                    None => {}
                }
            }
        }
        assert!(wrong * 20 <= trials, "{wrong} of {trials}");
    }

    proptest! {
        #[test]
        fn whatever_is_heard_is_answered(
            pairs in any::<u64>(), log_sum in any::<i64>(), log_squares in any::<i64>(),
            current_ns in any::<u64>(), candidate_ns in any::<u64>(),
        ) {
            let mut paired = paired();
            paired.hear(1, Tally { pairs, log_sum, log_squares, current_ns, candidate_ns });
            let verdict = paired.look(true);
            prop_assert!(verdict.is_some());
            if let Some(seen) = paired.seen {
                prop_assert!(seen.low <= seen.ratio && seen.ratio <= seen.high);
            }
        }

        #[test]
        fn what_was_written_is_read(pairs in 0u64..400, forced in any::<bool>()) {
            let mut paired = Paired { forced, ..paired() };
            paired.hear(1, tally(pairs, 0.8, 0.2));
            paired.look(false);
            let json = serde_json::to_string(&paired).unwrap();
            prop_assert_eq!(serde_json::from_str::<Paired>(&json).unwrap(), paired);
        }
    }
}
