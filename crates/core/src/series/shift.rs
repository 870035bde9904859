//! Whether the level changed within the last points, and when.
//!
//! The likelihood ratio of two levels against one, over every place where the change can have been (Page 1955; Willsky,
//! Jones 1976), on values held within their middle so that a few strange ones are no level. Values that follow each
//! other closely are fewer than they look: the ratio is shrunk by their autocorrelation (Bayley, Hammersley 1946). A line
//! must not explain it better, or a slope would be a step.
//!
//! Invariant: where the change was is a posterior over the points, not one of them.

use super::Changepoint;
use super::ring::Ring;
use super::scale::least;
use super::tail::Tail;

/// Points looked at.
const POINTS: usize = 128;
/// Points that must be on either side.
const BEFORE_MIN: usize = 16;
const AFTER_MIN: usize = 10;
/// It is looked once in so many points.
const EVERY: u64 = 4;
/// A step smaller than so many spreads is nobody's concern.
const SPREADS_MIN: f64 = 2.0;
/// The log odds that there was no change in these points.
const PRIOR_LOG_ODDS: f64 = 9.0;
/// How sure it must be.
const CONFIDENCE_MIN: f64 = 0.99;
/// How much better than a line a step must fit.
const BETTER_THAN_LINE: f64 = 0.75;

#[derive(Clone, Debug)]
pub(super) struct Shift {
    points: Ring<Point, POINTS>,
    seen: u64,
    /// How large the ratio usually gets, with no season taken off and with each: a level that wanders by itself has many
    /// steps and none is news. Each has a past of its own, or the days before a season is known, in which every morning
    /// is a step, would hide the steps that come after it is.
    ratios: [Tail; 4],
}

/// How rare the ratio must be in the series' own past: once in four weeks of looks at five-minute points.
const SHARE_MAX: f64 = 5e-4;

/// A point, and what each season says of its moment; no number where it says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    pub(super) at_ns: i64,
    pub(super) value: f64,
    pub(super) seasons: [f64; 3],
}

impl Point {
    fn flat(&self, season: Option<usize>) -> Option<f64> {
        match season {
            None => Some(self.value),
            Some(season) => Some(self.value - self.seasons[season]).filter(|flat| !flat.is_nan()),
        }
    }
}

/// A change, and by how much everything moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) changepoint: Changepoint,
    pub(super) by: f64,
}

impl Shift {
    pub(super) fn new() -> Self {
        Self {
            points: Ring::new(),
            seen: 0,
            ratios: std::array::from_fn(|_| Tail::new(4.0)),
        }
    }

    /// Adds a point, and looks if it is time to. `season` is the one that is taken off, if there is one.
    pub(super) fn add(&mut self, point: Point, season: Option<usize>) -> Option<Found> {
        self.points.push(point);
        self.seen += 1;
        if !self.seen.is_multiple_of(EVERY) {
            return None;
        }
        let mut times = [0; POINTS];
        let mut values = [0.0; POINTS];
        let (mut n, mut highest) = (0, 0.0f64);
        for point in self.points.iter() {
            highest = highest.max(point.value.abs());
            // Without its season a point is not comparable.
            if let Some(flat) = point.flat(season) {
                times[n] = point.at_ns;
                values[n] = flat;
                n += 1;
            }
        }
        if n < BEFORE_MIN + AFTER_MIN {
            return None;
        }
        let (ratio, change) = look(&times[..n], &values[..n], least(highest));
        let ratios = &mut self.ratios[season.map_or(0, |season| season + 1)];
        let rare = ratios.share(ratio) < SHARE_MAX;
        ratios.add(ratio);
        let (change, found) = change.filter(|_| rare)?;
        self.points.keep_last(n - change);
        Some(found)
    }
}

/// Looks for a change; gives the log of the likelihood ratio, and the index of the first point after a change that is
/// certain. A step of no more than `rounding` is none.
fn look(times: &[i64], values: &[f64], rounding: f64) -> (f64, Option<(usize, Found)>) {
    let n = values.len();
    let mut held = [0.0; POINTS];
    let held = &mut held[..n];
    held.copy_from_slice(values);
    let mut quantile = |share: f64| {
        let at = ((n - 1) as f64 * share) as usize;
        *held.select_nth_unstable_by(at, f64::total_cmp).1
    };
    let (low, middle, high) = (quantile(0.1), quantile(0.5), quantile(0.9));
    let room = (high - low) / 2.0;
    for (held, value) in held.iter_mut().zip(values) {
        *held = (value.clamp(low - room, high + room) - middle) / room.max(f64::MIN_POSITIVE);
    }
    if room <= rounding {
        return (0.0, constant_but_for_the_end(times, values, middle, rounding));
    }
    let Profile {
        change, rest, whole, ..
    } = profile(held);
    let alone = 1.0 / follows(held, change);
    let count = n as f64;
    let degrees = (count - 3.0) / 2.0 * alone;
    let ratio = if rest > 0.0 {
        degrees * libm::log(whole / rest)
    } else {
        0.0
    };
    let log_odds = ratio - 1.5 * libm::log(count) - PRIOR_LOG_ODDS;
    let confidence = 1.0 / (1.0 + libm::exp(-log_odds));
    // At the very edge the change may be later than can be seen yet.
    if change + AFTER_MIN >= n
        || rest > BETTER_THAN_LINE * beside_a_line(held, whole)
        || confidence < CONFIDENCE_MIN
    {
        return (ratio, None);
    }
    let (mut left, mut right) = ([0.0; POINTS], [0.0; POINTS]);
    let before = median(&values[..change], &mut left);
    let after = median(&values[change..], &mut right);
    let spread = (rest / count).sqrt() * room;
    let step = (after - before).abs();
    if step < SPREADS_MIN * spread || step <= rounding {
        return (ratio, None);
    }
    // Where it was is asked again of values held within the two levels: now they are known.
    let room = 3.0 * spread;
    let (low, high) = (before.min(after) - room, before.max(after) + room);
    for (held, value) in held.iter_mut().zip(values) {
        *held = (value.clamp(low, high) - before) / step;
    }
    let Profile {
        change, rest, rests, ..
    } = profile(held);
    let weight = |at: usize| {
        if rests[at] > 0.0 {
            libm::exp(degrees * libm::log(rest / rests[at]))
        } else {
            0.0
        }
    };
    let all: f64 = (0..n).map(weight).sum();
    let mut upto = 0.0;
    let (mut first, mut last) = (change, change);
    for at in 0..n {
        let before = upto;
        upto += weight(at) / all;
        if before <= 0.025 && upto > 0.025 {
            first = at;
        }
        if before < 0.975 && upto >= 0.975 {
            last = at;
        }
    }
    let changepoint = Changepoint {
        at_ns: times[change],
        earliest_ns: times[first.min(change) - 1].min(times[change]),
        latest_ns: times[last.max(change)].max(times[change]),
        before,
        after,
        confidence,
    };
    let by = after - before;
    (ratio, Some((change, Found { changepoint, by })))
}

/// What two levels leave unexplained, for every place between them.
struct Profile {
    /// The first point of the second level, where they explain most.
    change: usize,
    /// What they leave there, and what one level leaves.
    rest: f64,
    whole: f64,
    /// What they leave at each place; 0 where none can be.
    rests: [f64; POINTS],
}

fn profile(held: &[f64]) -> Profile {
    let n = held.len();
    let count = n as f64;
    let total: f64 = held.iter().sum();
    let squares: f64 = held.iter().map(|value| value * value).sum();
    let whole = (squares - total * total / count).max(0.0);
    let mut found = Profile {
        change: BEFORE_MIN,
        rest: f64::MAX,
        whole,
        rests: [0.0; POINTS],
    };
    let mut sum = 0.0;
    for place in 1..=n - AFTER_MIN {
        sum += held[place - 1];
        if place < BEFORE_MIN {
            continue;
        }
        let (left, right) = (place as f64, (n - place) as f64);
        let step = sum / left - (total - sum) / right;
        let rest = (whole - left * right / count * step * step).max(whole * 1e-9);
        found.rests[place] = rest;
        if rest < found.rest {
            (found.change, found.rest) = (place, rest);
        }
    }
    found
}

/// Most values are the same: the change is where the other ones begin, if they stay.
fn constant_but_for_the_end(
    times: &[i64],
    values: &[f64],
    usual: f64,
    rounding: f64,
) -> Option<(usize, Found)> {
    let n = values.len();
    let is_other = |value: &&f64| (**value - usual).abs() > rounding;
    let change = n - values.iter().rev().take_while(is_other).count();
    if n - change < AFTER_MIN || change < BEFORE_MIN {
        return None;
    }
    let mut right = [0.0; POINTS];
    let after = median(&values[change..], &mut right);
    let changepoint = Changepoint {
        at_ns: times[change],
        earliest_ns: times[change - 1].min(times[change]),
        latest_ns: times[change],
        before: usual,
        after,
        confidence: CONFIDENCE_MIN,
    };
    Some((
        change,
        Found {
            changepoint,
            by: after - usual,
        },
    ))
}

/// What a straight line leaves unexplained.
fn beside_a_line(held: &[f64], whole: f64) -> f64 {
    let n = held.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let product: f64 = held
        .iter()
        .enumerate()
        .map(|(at, value)| (at as f64 - middle) * value)
        .sum();
    let squares = n * (n * n - 1.0) / 12.0;
    whole - product * product / squares
}

/// How many points say as much as one that stands alone.
fn follows(held: &[f64], change: usize) -> f64 {
    let (left, right) = held.split_at(change);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mut next, mut own) = (0.0, 0.0);
    for part in [left, right] {
        let mean = mean(part);
        next += part
            .windows(2)
            .map(|two| (two[0] - mean) * (two[1] - mean))
            .sum::<f64>();
        own += part
            .iter()
            .map(|value| (value - mean) * (value - mean))
            .sum::<f64>();
    }
    let alike = if own > 0.0 {
        (next / own).clamp(0.0, 0.95)
    } else {
        0.0
    };
    (1.0 + alike) / (1.0 - alike)
}

fn median(values: &[f64], room: &mut [f64; POINTS]) -> f64 {
    let room = &mut room[..values.len()];
    room.copy_from_slice(values);
    *room.select_nth_unstable_by(values.len() / 2, f64::total_cmp).1
}
