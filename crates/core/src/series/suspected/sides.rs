//! What was measured before a change and what was since, compared folder by folder.
//!
//! In some folders prompts take longer than in others, whatever was typed: so a value is compared with those of the same
//! folder on the other side, and with no others. The ranks of each folder are put together by how much each can tell
//! (van Elteren 1960); where there is one folder alone that is the test of Mann and Whitney (1947).
//!
//! Invariant: values of a folder that is on one side alone say nothing.

use super::Value;

/// Values on either side below which ranks say nothing: completely apart, 11 and 11 are 4 deviations off.
pub(super) const VALUES_MIN: usize = 11;
/// Values that tell by their means if they are spread over [`SPREAD_MS`].
pub(super) const SPREAD_MIN: usize = 5;
/// See there.
const SPREAD_MS: i64 = 40_000;
/// The logarithm of one in twenty thousand, turned round.
const SELDOM: f64 = 9.9;
/// Deviations from what chance would have: looked at anew with each value, so one in ten thousand for each look.
const CERTAIN: f64 = 3.9;

/// The values of one folder on both sides.
struct Stratum {
    before: Side,
    after: Side,
    /// Of all pairs of one before and one after, those in which the later one is larger; one that is tied is half of one.
    wins: f64,
}

/// The values of one folder on one side.
struct Side {
    count: f64,
    median: f64,
    mean: f64,
    /// The sum of the squared distances from the mean.
    squares: f64,
}

impl Side {
    /// Of values that are sorted, and not none.
    fn of(sorted: &[Value]) -> Self {
        let count = sorted.len() as f64;
        let mean = sorted.iter().map(|value| f64::from(value.us)).sum::<f64>() / count;
        let squares = sorted
            .iter()
            .map(|value| (f64::from(value.us) - mean).powi(2))
            .sum();
        Self {
            count,
            median: median(sorted),
            mean,
            squares,
        }
    }
}

impl Stratum {
    /// How much it tells (van Elteren).
    fn weight(&self) -> f64 {
        let (n, m) = (self.before.count, self.after.count);
        n * m / (n + m + 1.0)
    }
}

/// Both sides, as far as there are values of the same folders.
pub(super) struct Sides {
    strata: Vec<Stratum>,
    /// From the first value to the last, on the side that is shorter.
    spread_ms: i64,
}

impl Sides {
    pub(super) fn of(before: &[Value], after: &[Value]) -> Self {
        let (before, after) = (by_folder(before), by_folder(after));
        let mut strata = Vec::new();
        let (mut before_ms, mut after_ms) = (None, None);
        for after in after.chunk_by(|a, b| a.folder == b.folder) {
            let folder = after.first().map_or(0, |value| value.folder);
            let from = before.partition_point(|value| value.folder < folder);
            let until = before.partition_point(|value| value.folder <= folder);
            let before = before.get(from..until).unwrap_or_default();
            if before.is_empty() {
                continue;
            }
            let won = |value: &Value| {
                let below = before.partition_point(|one| one.us < value.us);
                let not_above = before.partition_point(|one| one.us <= value.us);
                (below + not_above) as f64 / 2.0
            };
            strata.push(Stratum {
                wins: after.iter().map(won).sum(),
                before: Side::of(before),
                after: Side::of(after),
            });
            before_ms = span(before_ms, before);
            after_ms = span(after_ms, after);
        }
        let length = |span: Option<(i64, i64)>| span.map_or(0, |(first, last)| last.saturating_sub(first));
        Self {
            strata,
            spread_ms: length(before_ms).min(length(after_ms)),
        }
    }

    /// Values before, and since.
    fn counts(&self) -> (usize, usize) {
        let sum = |of: fn(&Stratum) -> f64| self.strata.iter().map(of).sum::<f64>() as usize;
        (sum(|one| one.before.count), sum(|one| one.after.count))
    }

    /// Values since that there is something to compare with.
    pub(super) fn after_count(&self) -> usize {
        self.counts().1
    }

    /// Whether there are as many values on either side as it takes to say something.
    fn are_enough(&self) -> bool {
        let (before, after) = self.counts();
        let least = before.min(after);
        least >= VALUES_MIN || least >= SPREAD_MIN && self.spread_ms >= SPREAD_MS
    }

    /// Whether the values since lie higher or lower than those before, beyond doubt.
    pub(super) fn ranks_apart(&self) -> bool {
        self.are_enough() && (self.clearness() >= CERTAIN || self.are_all_apart())
    }

    /// Whether every value since is higher than every one before of its folder, or every one lower, and chance would seldom
    /// have it so: of a few values on one side, and many on the other, deviations tell less than there is to know.
    fn are_all_apart(&self) -> bool {
        let pairs = |one: &Stratum| one.before.count * one.after.count;
        let is_higher = self.strata.iter().all(|one| one.wins >= pairs(one));
        let is_lower = self.strata.iter().all(|one| one.wins <= 0.0);
        // In how many ways a folder's values could be on both sides: by steps of one value more.
        let ways = |one: &Stratum| {
            let (n, m) = (one.before.count as u32, one.after.count as u32);
            (1..=n)
                .map(|k| libm::log(f64::from(m + k) / f64::from(k)))
                .sum::<f64>()
        };
        (is_higher || is_lower) && self.strata.iter().map(ways).sum::<f64>() >= SELDOM
    }

    /// By how many deviations from what chance would have the ranks differ. With ties they scatter less: this errs on
    /// the side of doubt.
    pub(super) fn clearness(&self) -> f64 {
        let (mut off, mut variance) = (0.0, 0.0);
        for stratum in &self.strata {
            let pairs = stratum.before.count * stratum.after.count;
            let size = stratum.before.count + stratum.after.count + 1.0;
            off += (stratum.wins - pairs / 2.0) / size;
            variance += pairs / (12.0 * size);
        }
        off.abs() / f64::sqrt(variance).max(f64::MIN_POSITIVE)
    }

    /// The medians of before and since, in nanoseconds: the mean over the folders, each by how much it tells.
    pub(super) fn medians(&self) -> (f64, f64) {
        self.weighed(|side| side.median)
    }

    /// The means of before and since, in nanoseconds, if they differ beyond doubt: by more than the quantile of Student's
    /// distribution for one error in a thousand, here bounded from above by 3.29 + 21 / (n − 1) for the smaller side.
    pub(super) fn means_apart(&self) -> Option<(f64, f64)> {
        let (before, after) = self.counts();
        // A folder with one value on a side takes its spread from the others: there have to be some.
        let freedom = before
            .min(after)
            .checked_sub(self.strata.len())
            .filter(|n| *n + 1 >= SPREAD_MIN)?;
        let (before, after) = self.weighed(|side| side.mean);
        let least = (3.29 + 21.0 / freedom as f64) * self.error().max(f64::MIN_POSITIVE);
        (self.are_enough() && (after - before).abs() > least).then_some((before, after))
    }

    fn weighed(&self, of: fn(&Side) -> f64) -> (f64, f64) {
        let all: f64 = self.strata.iter().map(Stratum::weight).sum();
        let mean = |side: fn(&Stratum) -> &Side| {
            let sum = self
                .strata
                .iter()
                .map(|one| one.weight() * of(side(one)))
                .sum::<f64>();
            sum / all.max(f64::MIN_POSITIVE) * 1e3
        };
        (mean(|one| &one.before), mean(|one| &one.after))
    }

    /// The standard error of the difference of the means, in nanoseconds.
    fn error(&self) -> f64 {
        let all: f64 = self.strata.iter().map(Stratum::weight).sum();
        let variance = |side: fn(&Stratum) -> &Side| {
            let (mut squares, mut freedom, mut share) = (0.0, 0.0, 0.0);
            for stratum in &self.strata {
                let one = side(stratum);
                squares += one.squares;
                freedom += one.count - 1.0;
                share += (stratum.weight() / all.max(f64::MIN_POSITIVE)).powi(2) / one.count;
            }
            squares / f64::max(freedom, 1.0) * share
        };
        (variance(|one| &one.before) + variance(|one| &one.after)).sqrt() * 1e3
    }
}

/// Values by their folder, and within one by their size.
fn by_folder(values: &[Value]) -> Vec<Value> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by_key(|value| (value.folder, value.us));
    sorted
}

/// The first moment and the last of values, and of those before them.
fn span(so_far: Option<(i64, i64)>, values: &[Value]) -> Option<(i64, i64)> {
    values.iter().fold(so_far, |so_far, value| {
        let (first, last) = so_far.unwrap_or((value.at_ms, value.at_ms));
        Some((first.min(value.at_ms), last.max(value.at_ms)))
    })
}

/// The value in the middle of sorted ones, in microseconds; 0 if there is none.
fn median(sorted: &[Value]) -> f64 {
    let at = |at: usize| sorted.get(at).map_or(0.0, |value| f64::from(value.us));
    f64::midpoint(at(sorted.len().saturating_sub(1) / 2), at(sorted.len() / 2))
}
