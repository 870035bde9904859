//! A change that is known to have been made, and whether it moved a series: a comparison of before and after.
//!
//! ```text
//!            first change     second      third
//!  before ───────┼──── between ──┼─ between ─┼──── level since
//!                └ each may be the one: the series is divided there, and the sides are compared
//! ```
//!
//! Where the moment is known, nothing has to be searched for: the values before it are compared with those since. So a
//! dozen values tells what a detector, which does not know where to look, needs many times more for. Where some values are
//! far off, as on a busy machine, their ranks tell ([`super::ranks`]).
//!
//! What a line does, it does from the next value on: those nearest to the change count. A machine that becomes busy some
//! time later slows the ones far from it, and by the last values lines that did nothing were blamed ten times as often; the
//! tests count how often they are.
//!
//! Who tries a prompt out makes several changes within moments. Until one of them is found to have moved the series, or
//! all are cleared, what was measured between them is kept apart: one value is enough to say on which side it lies.
//!
//! On which side of a typed line a value lies is told by the order in which they were taken in; which lines a change consists
//! of, by their numbers ([`Lines`]). Times are for people, for how far values are spread, and for start-up files.
//!
//! Invariant: a verdict on the first change is given after [`CLEARED_AFTER`] values at the latest; of changes beyond
//! [`LATER_MAX`] those with the least between them are taken for one, and never one for another.

use serde::{Deserialize, Serialize};

use super::Changepoint;
use super::noticed::Level;
use super::ranks::{self, Recent};
use crate::trial::Evidence;

/// Values on either side with which something is said, however quickly they came: ranks tell nothing with fewer, and a
/// machine that is busy for some seconds slows a handful.
pub const SAMPLES_MIN: u64 = ranks::VALUES_MIN as u64;
/// Values that tell if they are spread over [`SPREAD_NS`].
const SPREAD_MIN: u64 = 5;
/// See there.
const SPREAD_NS: i64 = 40_000_000_000;
/// Values after the change with which one that shows no effect is cleared.
pub const CLEARED_AFTER: u64 = 60;
/// Changes after the first that are told apart while it is under suspicion.
pub const LATER_MAX: usize = 4;

/// Lines typed in a session, by their numbers: from the first of them up to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// The first of them.
    pub from: u64,
    /// The first one after them.
    pub until: u64,
}

impl Lines {
    /// Whether that line is among them.
    pub fn has(self, number: u64) -> bool {
        (self.from..self.until).contains(&number)
    }

    /// Whether there are none, as in a change that was not typed.
    pub fn is_empty(&self) -> bool {
        self.from >= self.until
    }

    /// Both, and what lies between them.
    fn with(self, later: Self) -> Self {
        match (self.is_empty(), later.is_empty()) {
            (true, _) => later,
            (_, true) => self,
            _ => Self {
                from: self.from.min(later.from),
                until: self.until.max(later.until),
            },
        }
    }
}

/// What moved, and the lines between the last value before and the first since.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// When, and from what to what.
    pub changepoint: Changepoint,
    /// What was typed there; none if it was a change that was not typed.
    pub lines: Lines,
}

/// A change under suspicion, and those since.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suspected {
    /// When it was made, on the clock of the series; of several with nothing between them the last.
    pub at_ns: i64,
    /// The last value before it, or before the first of them.
    pub last_before_ns: i64,
    /// The first value of what was before; 0 if a version before this one has noted it.
    #[serde(default)]
    pub first_before_ns: i64,
    /// What was measured before.
    pub before: Evidence,
    /// The last of it.
    #[serde(default)]
    pub recent: Recent,
    /// The lines that it consists of; none if it was not typed, or a version before this one has noted it.
    #[serde(default, skip_serializing_if = "Lines::is_empty")]
    pub lines: Lines,
    /// Changes that were made since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Later>,
}

/// A change after one that is under suspicion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Later {
    /// When it was made.
    pub at_ns: i64,
    /// What was measured from the change before it up to it.
    pub between: Level,
    /// The lines that it consists of, as of the first.
    #[serde(default, skip_serializing_if = "Lines::is_empty")]
    pub lines: Lines,
}

/// What a suspicion came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Too little was measured since.
    Open,
    /// The first change moved nothing that matters.
    Cleared,
    /// The level is another since the change of that number, counted from 0.
    Moved(usize, Changepoint),
}

/// The sides of a series that is divided at a change.
#[derive(Clone, Copy, Default)]
struct Sides {
    before: Level,
    after: Level,
}

impl Suspected {
    /// Suspects a change of being the end of a level.
    pub fn of(level: &Level, at_ns: i64, lines: Lines) -> Self {
        Self {
            at_ns,
            last_before_ns: if level.evidence.count > 0 {
                level.last_ns
            } else {
                at_ns
            },
            first_before_ns: level.first_ns,
            before: level.evidence,
            recent: level.recent,
            lines,
            later: Vec::new(),
        }
    }

    /// Another change was made; `level` is what was measured since the last one.
    pub fn changed(&mut self, level: &Level, at_ns: i64, lines: Lines) {
        if level.evidence.count == 0 {
            // Nothing lies between them: whatever moved, it may have been either.
            match self.later.last_mut() {
                Some(last) => {
                    last.between.last_ns = last.between.last_ns.min(last.at_ns);
                    (last.at_ns, last.lines) = (at_ns, last.lines.with(lines));
                }
                None => {
                    self.last_before_ns = self.last_before_ns.min(self.at_ns);
                    (self.at_ns, self.lines) = (at_ns, self.lines.with(lines));
                }
            }
            return;
        }
        self.later.push(Later {
            at_ns,
            between: *level,
            lines,
        });
        if self.later.len() > LATER_MAX {
            let least = self.later.iter().enumerate();
            let least = least.min_by_key(|(_, later)| later.between.evidence.count);
            let at = least.map_or(0, |(at, _)| at);
            // What lay between it and the one before is nothing that tells them apart any more.
            let gone = self.later.remove(at);
            match at.checked_sub(1).and_then(|at| self.later.get_mut(at)) {
                Some(earlier) => {
                    (earlier.at_ns, earlier.lines) = (gone.at_ns, earlier.lines.with(gone.lines));
                }
                None => (self.at_ns, self.lines) = (gone.at_ns, self.lines.with(gone.lines)),
            }
        }
    }

    /// What was measured before the first change.
    pub fn level_before(&self) -> Level {
        Level {
            evidence: self.before,
            first_ns: self.first_before_ns,
            last_ns: self.last_before_ns,
            recent: self.recent,
            first: Recent::default(),
        }
    }

    /// The first change is not under suspicion any more: what was before the second is what is compared with. None if
    /// there is no second.
    pub fn without_first(mut self, cleared: bool) -> Option<Self> {
        if self.later.is_empty() {
            return None;
        }
        let second = self.later.remove(0);
        let mut before = if cleared {
            self.level_before()
        } else {
            Level::default()
        };
        before.append(&second.between);
        Some(Self {
            later: self.later,
            ..Self::of(&before, second.at_ns, second.lines)
        })
    }

    /// The lines that the change of that number, counted from 0, consists of.
    pub fn lines_of(&self, at: usize) -> Lines {
        let later = at.checked_sub(1).and_then(|at| self.later.get(at));
        later.map_or(self.lines, |later| later.lines)
    }

    /// Judges by the level since. `least` and `share` are what it must have moved by to matter, in its unit and as a
    /// share of before.
    pub fn judge(&self, since: &Level, least: f64, share: f64) -> Verdict {
        let count = self.later.iter().map(|later| later.between.evidence.count);
        let count = since.evidence.count + count.sum::<u64>();
        if count < SPREAD_MIN {
            return Verdict::Open;
        }
        let found = (0..=self.later.len()).filter_map(|at| {
            let sides = self.divided(at, since);
            let (before, after) = sides.apart()?;
            let by = |(before, after): (f64, f64)| {
                let matters = (after - before).abs() >= least.max(before.abs() * share);
                matters.then(|| (after - before).signum())
            };
            // What a few values that are far off do to a mean is nothing that a line did.
            let is_so = by((before, after)).is_some_and(|way| by(sides.medians()) == Some(way));
            (is_so && self.borders_fit(at, since, sides.medians()))
                .then(|| (sides.clearness(), at, sides, before, after))
        });
        let best = found.max_by(|(a, ..), (b, ..)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        match best {
            Some((_, at, sides, before, after)) => {
                let made_ns = at.checked_sub(1).map_or(self.at_ns, |at| self.later[at].at_ns);
                Verdict::Moved(
                    at,
                    Changepoint {
                        at_ns: made_ns.max(sides.after.first_ns),
                        earliest_ns: sides.before.last_ns.min(made_ns),
                        latest_ns: made_ns.max(sides.after.first_ns),
                        before,
                        after,
                        confidence: 0.999,
                    },
                )
            }
            None if count >= CLEARED_AFTER => Verdict::Cleared,
            None => Verdict::Open,
        }
    }

    /// Whether what was measured right before and right after the change of that number is more like its own side than like
    /// the other: with one value too few for another change, a dozen would else tell of this one.
    fn borders_fit(&self, at: usize, since: &Level, (before, after): (f64, f64)) -> bool {
        let is_like = |level: &Level, own: f64, other: f64| {
            let middle = level.first.median_ns();
            level.evidence.count == 0 || (middle - own).abs() <= (middle - other).abs()
        };
        let earlier = at.checked_sub(1).and_then(|at| self.later.get(at));
        let later = self.later.get(at).map_or(since, |later| &later.between);
        earlier.is_none_or(|earlier| is_like(&earlier.between, before, after))
            && is_like(later, after, before)
    }

    /// The series, divided at the change of that number.
    fn divided(&self, at: usize, since: &Level) -> Sides {
        let mut sides = Sides {
            before: self.level_before(),
            after: Level::default(),
        };
        for (number, later) in self.later.iter().enumerate() {
            let side = if number < at {
                &mut sides.before
            } else {
                &mut sides.after
            };
            side.append(&later.between);
        }
        sides.after.append(since);
        sides
    }
}

impl Sides {
    /// What either side is like, if they differ beyond doubt.
    fn apart(&self) -> Option<(f64, f64)> {
        self.means_apart()
            .or_else(|| ranks::apart(&self.before.recent, &self.after.first))
    }

    /// The middle of what is nearest to the change on either side.
    fn medians(&self) -> (f64, f64) {
        (self.before.recent.median_ns(), self.after.first.median_ns())
    }

    /// The means of before and after, if they differ beyond doubt: by more than the quantile of Student's distribution for
    /// one error in a thousand, here bounded from above by 3.29 + 21 / (n − 1) for the smaller side.
    fn means_apart(&self) -> Option<(f64, f64)> {
        let (before, after) = (&self.before.evidence, &self.after.evidence);
        let n = before.count.min(after.count);
        let certain =
            self.before.tells() && self.after.tells() && self.deviations() > 3.29 + 21.0 / (n as f64 - 1.0);
        certain.then_some((before.mean, after.mean))
    }

    /// By how many standard errors the means differ.
    fn deviations(&self) -> f64 {
        let (before, after) = (&self.before.evidence, &self.after.evidence);
        let error = before.error_of_difference(after).max(f64::MIN_POSITIVE);
        (after.mean - before.mean).abs() / error
    }

    /// How well the sides are told apart: first by how few values lie on the side of the others.
    fn clearness(&self) -> (f64, f64) {
        let by_ranks = ranks::clearness(&self.before.recent, &self.after.first);
        (by_ranks, self.deviations())
    }
}

impl Level {
    /// Whether there is enough of it to say something.
    fn tells(&self) -> bool {
        let count = self.evidence.count;
        let spread_ns = self.last_ns.saturating_sub(self.first_ns);
        count >= SAMPLES_MIN || count >= SPREAD_MIN && spread_ns >= SPREAD_NS
    }
}

#[cfg(test)]
mod tests;
