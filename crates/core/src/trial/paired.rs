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
//! - *better*: the whole interval lies beyond the gain that is worth a change, and what all lines cost together fell, too
//!   ([`crate::arms::in_all`]), over so many pairs that a stall which undoes the gain would have shown: 128, or fewer of a
//!   large one; half of them at the deadline.
//! - *worse*: the whole interval lies on the slower side; or it is beyond that gain, but so many lines stalled that all
//!   together cost more.
//! - *inconclusive*: neither, at the last look or at the deadline, or a gain that is worth it is ruled out earlier.
//!
//! A lever that is slower by the typical line is undone even if it ends stalls: what most lines show is what was asked for.
//! Both conditions must hold, so two equal values are kept no more often than by the interval alone, and called worse for their
//! stalls only where they were about to be kept: the 5 % hold. How often a lever that stalls lines is kept, see there.
//!
//! Invariants: what a session says is absolute, so that reading it twice changes nothing and a worker that was killed
//! lost nothing; numbers that cannot be are not counted; a verdict needs [`LOOKS`]' first number of pairs at least.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::arms::in_all::{InAll, MOST, Says};

/// Pairs at which the evidence is looked at.
pub const LOOKS: [u64; 4] = [32, 64, 128, 256];
/// The quantile of Student's t at 98.75 % two-sided for 31, 63, 127 and 255 degrees of freedom.
const QUANTILES: [f64; 4] = [2.65, 2.57, 2.53, 2.52];
/// The gain, as a fraction, below which a change is not worth being different from what everybody else has.
pub const GAIN_MIN: f64 = 0.03;
/// Pairs that a value is kept with at the latest, if no line stalled: one line in forty that does shows in 24 of 25 trials.
const KEPT_PAIRS: u64 = 128;
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
    /// What all of the lines cost together; none of a session whose version does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_all: Option<InAll>,
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
            && self.in_all.is_none_or(|in_all| in_all.can_be(self.pairs))
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
    /// What the lines cost together, of the pairs of which that is known; none if it is of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_all: Option<InAll>,
}

impl Estimate {
    /// By the typical line: the whole interval lies beyond the gain that is worth a change.
    fn is_faster(&self) -> bool {
        self.high < 1.0 - GAIN_MIN
    }

    /// Pairs with which it may be kept: so many as lines there are to one that stalls before the gain is lost by it, so that
    /// one would have shown. Who gains three fifths can afford one in forty; who gains less is looked at longer.
    fn pairs_asked(&self) -> u64 {
        let afforded = MOST * self.high / (1.0 - self.high).max(GAIN_MIN);
        (afforded as u64).min(KEPT_PAIRS)
    }
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
            in_all: self.in_all().map(|(_, in_all)| in_all),
        })
    }

    /// What all lines cost together, and of how many pairs that is known.
    fn in_all(&self) -> Option<(u64, InAll)> {
        let known = self
            .tallies
            .values()
            .filter_map(|tally| Some((tally.pairs, tally.in_all?)));
        known.reduce(|(pairs, mut sums), (more, others)| {
            sums.merge(&others);
            (pairs.saturating_add(more), sums)
        })
    }

    /// What to do about a candidate that is faster by the typical line; none if that takes more pairs.
    fn faster(&self, pairs_asked: u64) -> Option<Verdict> {
        let (pairs, in_all) = self.in_all()?;
        match in_all.says(pairs) {
            Says::Rises => Some(Verdict::Revert),
            Says::Fell if pairs >= pairs_asked => Some(Verdict::Confirm),
            Says::Fell | Says::Open => None,
        }
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
            if estimate.is_faster()
                && let Some(verdict) = self.faster(estimate.pairs_asked())
            {
                return Some(verdict);
            }
            if estimate.low > 1.0 {
                return Some(Verdict::Revert);
            }
            if estimate.low > 1.0 - GAIN_MIN || self.looks == LOOKS.len() {
                return Some(Verdict::InconclusiveReverted);
            }
        }
        // No more pairs are to come: half of them must do.
        over.then(|| {
            let faster = self.seen.filter(Estimate::is_faster);
            let verdict = faster.and_then(|seen| self.faster(seen.pairs_asked() / 2));
            verdict.unwrap_or(Verdict::InconclusiveReverted)
        })
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
        let Some(in_all) = seen.in_all.filter(|_| seen.is_faster()) else {
            return match verdict {
                Verdict::Revert => format!("slower: {numbers}"),
                _ if seen.is_faster() => {
                    format!("mostly faster, but sessions do not say what lines cost in all: {numbers}")
                }
                _ if seen.low > 1.0 - GAIN_MIN => format!("no gain worth a change: {numbers}"),
                _ => format!("the evidence does not suffice: {numbers}"),
            };
        };
        let cost = in_all
            .ratio()
            .map_or("unknown".to_owned(), |ratio| format!("{:+.0} %", of(ratio)));
        let stalls = match (in_all.candidate_stalls, in_all.current_stalls) {
            (0, 0) => "no line stalled".to_owned(),
            (tried, now) => format!("{tried} lines stalled, {now} with the value in force"),
        };
        match verdict {
            Verdict::Confirm if seen.pairs < seen.pairs_asked() => format!(
                "faster: {numbers}; cost in all {cost}, though the time was up before lines that seldom stall could show"
            ),
            Verdict::Confirm => format!("faster: {numbers}; cost in all {cost}"),
            Verdict::Revert => {
                format!("mostly faster, but {stalls}: cost in all {cost}; typical line {numbers}")
            }
            _ => format!(
                "mostly faster, but too few lines to say so of all: {stalls}, cost in all {cost}; typical line {numbers}"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
