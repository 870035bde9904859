//! Changes that are known to have been made, and whether one of them moved a series: a comparison of before and after.
//!
//! ```text
//!            first change     second      third
//!  before ───────┼──── between ──┼─ between ─┼──── since
//!                └ each may be the one: the series is divided there, and the sides are compared
//! ```
//!
//! Where the moment is known, nothing has to be searched for: the values before it are compared with those since. So a
//! dozen values tells what a detector, which does not know where to look, needs many times more for. Values that are far
//! off, as on a busy machine, move no median and few ranks; and values of one folder are compared with those of the same one
//! alone, since in some of them prompts take longer whatever was typed ([`sides`]).
//!
//! What a line does, it does from the next value on. A machine that becomes busy some time later, and lines that were typed
//! one after another, are told apart by where the values turn from one level to the other ([`located`]). One value between
//! two lines may be enough to say which; where it is not, neither is named alone.
//!
//! On which side of a typed line a value lies is told by the order in which they were taken in; which lines a change consists
//! of, by their numbers ([`Lines`]). Times are for people, for how far values are spread, and for start-up files.
//!
//! Invariant: a verdict on the first change is given after [`OPEN_MAX`] values at the latest; of changes beyond
//! [`CHANGES_MAX`] those with the least between them are taken for one, and never one for another.

mod kept;
mod located;
mod sides;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Changepoint;
use kept::Kept;
use located::Turned;
use sides::Sides;

/// Values on either side with which something is said, however quickly they came: ranks tell nothing with fewer, and a
/// machine that is busy for some seconds slows a handful.
pub const SAMPLES_MIN: u64 = sides::VALUES_MIN as u64;
/// Values that are kept: what there is to compare with shrinks while a change is under suspicion, to no less than a third.
pub const VALUES_KEPT: usize = 192;
/// Values after the change, of folders that there are values of before it, with which one that shows no effect is cleared.
pub const CLEARED_AFTER: usize = 60;
/// The same, of any folders: who stays where nobody was before the change is not waited for.
pub const OPEN_MAX: usize = VALUES_KEPT / 3 * 2;
/// Changes that are told apart while they are under suspicion.
pub const CHANGES_MAX: usize = 16;
/// So many values next to a change are compared first, then more: what is far from it may have other causes.
const WIDTHS: [usize; 3] = [16, 32, VALUES_KEPT];
/// Of a difference so much is in `PROMPT_COMMAND` if it is there: the rest scatters, and both are known by 254ths.
const IN_COMMAND_MIN: f64 = 0.8;
/// See [`super::blame`]: the change is known, and the values differ beyond doubt.
const CONFIDENCE: f64 = 0.999;

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

/// What values must differ by to matter.
#[derive(Clone, Copy, Debug)]
pub struct Matters {
    /// In nanoseconds.
    pub least: f64,
    /// And as a share of what they were before.
    pub share: f64,
}

impl Matters {
    /// Which way they differ, if it matters.
    fn way(self, (before, after): (f64, f64)) -> Option<f64> {
        let matters = (after - before).abs() >= self.least.max(before.abs() * self.share);
        matters.then(|| (after - before).signum())
    }
}

/// What moved, and the lines between the last value before and the first since.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// When, and from what to what.
    pub changepoint: Changepoint,
    /// What was typed there; none if it was a change that was not typed.
    pub lines: Lines,
    /// How probable it is that it was none of these: something began at another moment, and values in between are off by chance.
    pub none: f64,
    /// What `PROMPT_COMMAND` takes has grown or shrunk by as much, and the rest has not.
    pub in_command: bool,
}

/// One value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// When, in milliseconds since 1970.
    at_ms: i64,
    /// What it was, in microseconds.
    us: u32,
    /// Where; 0 if that is not known.
    folder: u32,
    /// How much of it `PROMPT_COMMAND` took, in 254ths and one more; 0 if that is not known.
    command: u8,
}

/// In so many parts a value is divided.
const PARTS: f64 = 254.0;

impl Value {
    /// One of so many nanoseconds, if that is a number; of a number of a folder the lower half tells it from others.
    pub fn of(wall_ns: i64, ns: f64, folder: u64) -> Option<Self> {
        ns.is_finite().then_some(Self {
            at_ms: wall_ns.div_euclid(NS_PER_MS),
            us: (ns / 1e3) as u32,
            folder: folder as u32,
            command: 0,
        })
    }

    /// The same, of which `PROMPT_COMMAND` took so many microseconds, if that is known.
    pub fn with_command(self, command_us: Option<u32>) -> Self {
        let share = command_us.map(|us| f64::from(us) / f64::from(self.us.max(1)));
        Self {
            command: share.map_or(0, |share| 1 + (share.clamp(0.0, 1.0) * PARTS).round() as u8),
            ..self
        }
    }

    /// What `PROMPT_COMMAND` took of it, as a value of its own; none if that is not known.
    fn of_command(&self) -> Option<Self> {
        let share = f64::from(self.command.checked_sub(1)?) / PARTS;
        Some(Self {
            us: (f64::from(self.us) * share) as u32,
            ..*self
        })
    }

    /// When it was measured, in nanoseconds since 1970.
    pub fn wall_ns(&self) -> i64 {
        self.at_ms.saturating_mul(NS_PER_MS)
    }

    /// Whether it is more like one level than like another; both in nanoseconds.
    pub fn is_like(&self, own: f64, other: f64) -> bool {
        let ns = f64::from(self.us) * 1e3;
        (ns - own).abs() < (ns - other).abs()
    }
}

const NS_PER_MS: i64 = 1_000_000;

/// A change under suspicion. Of several with nothing between them it is all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// When it was made, on the clock of the series; of several the last.
    pub at_ns: i64,
    /// When the first of several was made.
    from_ns: i64,
    /// Values known before it.
    before: usize,
    /// Values known when the last of several was made: those in between are on neither side.
    until: usize,
    /// The lines that it consists of; none if it was not typed.
    #[serde(default, skip_serializing_if = "Lines::is_empty")]
    lines: Lines,
}

/// The last values of a series, and the changes that are suspected of having moved it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Watched {
    /// Oldest first.
    values: VecDeque<Value>,
    /// Oldest first.
    suspects: Vec<Suspect>,
}

impl Watched {
    /// Adds a value, in nanoseconds; what is no number is passed over.
    pub fn add(&mut self, wall_ns: i64, ns: f64, folder: u64) {
        self.take(Value::of(wall_ns, ns, folder));
    }

    /// Adds a value, if there is one.
    pub(super) fn take(&mut self, value: Option<Value>) {
        self.values
            .reserve_exact(VALUES_KEPT.saturating_sub(self.values.len()));
        value.into_iter().for_each(|value| self.push(value));
    }

    /// Adds values.
    pub fn extend(&mut self, values: &[Value]) {
        values.iter().for_each(|value| self.push(*value));
    }

    fn push(&mut self, value: Value) {
        if self.values.len() >= VALUES_KEPT {
            self.forget(1);
        }
        self.values.push_back(value);
    }

    /// Forgets the oldest values.
    fn forget(&mut self, n: usize) {
        self.values.drain(..n.min(self.values.len()));
        for suspect in &mut self.suspects {
            suspect.before = suspect.before.saturating_sub(n);
            suspect.until = suspect.until.saturating_sub(n);
        }
    }

    /// The change that is under suspicion, the first of several.
    pub fn suspect(&self) -> Option<&Suspect> {
        self.suspects.first()
    }

    /// Changes under suspicion.
    pub fn suspects(&self) -> usize {
        self.suspects.len()
    }

    /// Values that are known from before the first change under suspicion.
    pub fn before(&self) -> usize {
        self.suspects.first().map_or(0, |first| first.before)
    }

    /// Values that are known since the last change under suspicion, or at all if none is.
    pub fn since(&self) -> usize {
        self.values.len() - self.suspects.last().map_or(0, |last| last.until)
    }

    /// When the last value was measured, in milliseconds since 1970.
    pub fn last_ms(&self) -> i64 {
        self.values.back().map_or(i64::MIN, |value| value.at_ms)
    }

    /// Something was changed: what is measured from now on is compared with what was before.
    pub fn changed(&mut self, at_ns: i64) {
        self.typed(at_ns, Lines::default());
    }

    /// The same, of lines that were typed.
    pub fn typed(&mut self, at_ns: i64, lines: Lines) {
        let now = self.values.len();
        self.suspects.push(Suspect {
            at_ns,
            from_ns: at_ns,
            before: now,
            until: now,
            lines,
        });
        let between = |pair: &[Suspect]| match pair {
            [earlier, later] => later.before - earlier.until,
            _ => usize::MAX,
        };
        let pairs = self.suspects.windows(2).map(between).enumerate();
        let least = pairs.min_by_key(|(_, values)| *values);
        // What has nothing between it is nothing that can be told apart.
        if let Some((at, values)) = least
            && (values == 0 || self.suspects.len() > CHANGES_MAX)
        {
            let later = self.suspects.remove(at + 1);
            if let Some(earlier) = self.suspects.get_mut(at) {
                earlier.from_ns = earlier.from_ns.min(later.from_ns);
                earlier.until = later.until;
                (earlier.at_ns, earlier.lines) = (later.at_ns, earlier.lines.with(later.lines));
            }
        }
    }

    /// Judges what is suspected, and ends the suspicion of what it can say something of; gives what moved.
    pub fn judge(&mut self, matters: Matters) -> Option<Found> {
        let first = *self.suspects.first()?;
        let since = self.values.len() - first.until;
        if since < sides::SPREAD_MIN {
            return None;
        }
        let values = &*self.values.make_contiguous();
        let differ = self.suspects.iter().filter_map(|suspect| {
            let (shift, clearness) = divided(values, *suspect, matters)?;
            Some((suspect, shift, clearness))
        });
        let clearest = differ.max_by(|(.., a), (.., b)| a.total_cmp(b));
        let by =
            clearest.and_then(|(suspect, shift, _)| located::by(values, &self.suspects, *suspect, shift));
        let is_over = since >= OPEN_MAX
            || since >= CLEARED_AFTER && compared(values, first).after_count() >= CLEARED_AFTER;
        if let Some(found) = by.and_then(|turned| self.found(turned, matters)) {
            return Some(found);
        }
        if is_over {
            self.suspects.remove(0);
        }
        None
    }

    /// The series moved with one of the changes from a number to another, counted from 0: those are no more under suspicion,
    /// nor those before, and what was measured before is nothing to compare with.
    fn found(&mut self, turned: Turned, matters: Matters) -> Option<Found> {
        let Turned { from, until, none } = turned;
        let (first, last) = (*self.suspects.get(from)?, *self.suspects.get(until)?);
        let lines = self.suspects[from..=until].iter();
        let lines = lines.fold(Lines::default(), |lines, suspect| lines.with(suspect.lines));
        let values = &*self.values.make_contiguous();
        let (before, after) = (values.get(..first.before)?, values.get(last.until..)?);
        let (low, high) = Sides::of(before, after).medians();
        // Where it fits best there may be nothing to compare.
        matters.way((low, high))?;
        let last_before = before.iter().map(|value| value.at_ms).max();
        let first_after = after.iter().map(|value| value.at_ms).min();
        let ns = |ms: i64| ms.saturating_mul(NS_PER_MS);
        let shows_ns = first_after.map_or(last.at_ns, ns).max(last.at_ns);
        let changepoint = Changepoint {
            at_ns: shows_ns,
            earliest_ns: last_before.map_or(first.from_ns, ns).min(first.from_ns),
            latest_ns: shows_ns,
            before: low,
            after: high,
            confidence: CONFIDENCE,
        };
        let in_command = is_in_command(before, after, high - low);
        self.suspects.drain(..=until);
        self.forget(last.until);
        Some(Found {
            changepoint,
            lines,
            none,
            in_command,
        })
    }
}

/// Whether what `PROMPT_COMMAND` takes differs by about as much as the whole does, `by` nanoseconds.
fn is_in_command(before: &[Value], after: &[Value], by: f64) -> bool {
    let of_command =
        |values: &[Value]| -> Vec<Value> { values.iter().filter_map(Value::of_command).collect() };
    let (before, after) = (of_command(before), of_command(after));
    let are_known = before.len().min(after.len()) >= sides::SPREAD_MIN;
    let (low, high) = Sides::of(&before, &after).medians();
    are_known && (high - low) / by >= IN_COMMAND_MIN
}

/// All that is known on both sides of a change.
fn compared(values: &[Value], suspect: Suspect) -> Sides {
    Sides::of(
        values.get(..suspect.before).unwrap_or_default(),
        values.get(suspect.until..).unwrap_or_default(),
    )
}

/// By how much a series that is divided at a change differs, in nanoseconds, and how clearly, if it does beyond doubt and in a
/// way that matters.
fn divided(values: &[Value], suspect: Suspect, matters: Matters) -> Option<(f64, f64)> {
    let (before, after) = (values.get(..suspect.before)?, values.get(suspect.until..)?);
    let differ = |width: usize| {
        let nearest = before.get(before.len().saturating_sub(width)..)?;
        let sides = Sides::of(nearest, after.get(..width.min(after.len()))?);
        // What a few values that are far off do to a mean is nothing that a line did.
        let way = matters.way(sides.medians())?;
        let by_means =
            width >= VALUES_KEPT && sides.means_apart().and_then(|means| matters.way(means)) == Some(way);
        (by_means || sides.ranks_apart()).then_some(sides)
    };
    let sides = WIDTHS.into_iter().find_map(differ)?;
    let (before, after) = sides.medians();
    Some((after - before, sides.clearness()))
}

#[cfg(test)]
mod tests;
