//! Whether a series has been rising or falling for long.
//!
//! Means of some hours each, or of equally many points, as they are and with each season taken off. Their steps are those
//! of noise around a level that wanders (the local level model, Harvey 1989): a moving average of order one, whose
//! weight is estimated by its likelihood. A trend is a mean step over the last of them that is large beside its standard
//! error (generalised least squares), for every such weight that is likely, and that both halves of the time took
//! part in: a random walk is no trend, and neither is one step. How fast is the median slope between any two means
//! (Theil 1950, Sen 1968).
//!
//! Invariant: what a day repeats is no trend: of a series with a calendar whole days are looked at, and two at least seen.

use std::array::from_fn;

/// Means remembered: eight days of three hours each.
const BLOCKS: usize = 64;
/// What a mean is over, where there is a calendar.
const BLOCK_NS: i64 = 3 * 3_600_000_000_000;
/// Points that a mean is of, at most, where there is no calendar.
const POINTS_MAX: u32 = 256;
/// Means over which a rise is looked for: with a calendar these are whole days, so what a day repeats is none.
const WINDOWS: [usize; 4] = [8, 16, 32, 56];
/// How much of a step's noise the next one takes back: of a level that wanders nothing, of noise around one nearly all.
const TAKEN_BACK: [f64; 8] = [0.0, 0.25, 0.45, 0.6, 0.75, 0.85, 0.92, 0.97];
/// What of these has a likelihood at most so much smaller, as a logarithm, is believed too.
const LIKELY: f64 = 1.0;
/// A step says no more than one of so many spreads about the others.
const STEP_SPREADS_MAX: f64 = 4.0;
/// What each half of the time must have of a rise.
const HALF_LEAST: f64 = 0.25;
/// The median absolute deviation times this is the standard deviation, for a normal distribution.
const MEDIAN_TO_SIGMA: f64 = 1.4826;
/// Means before anything is said.
const BLOCKS_MIN: usize = 16;
/// Errors from 0 that make a trend.
const ERRORS: f64 = 6.0;
/// Below, it is one no more and can be told again.
const ERRORS_OVER: f64 = 2.0;
/// Times before 2000 are no calendar's, but count from some start.
const CALENDAR_NS: i64 = 946_684_800_000_000_000;
/// The rise that matters, in spreads.
const SPREADS_MIN: f64 = 2.5;
/// Means whose median slope is told.
const SLOPE_POINTS: usize = 32;
/// Means of which the last so many are held against as many before, to see whether it still goes on: with a calendar
/// these are two days.
const LATELY: usize = 8;
/// A trend goes on while it went so much of its slope lately, and once more when it does by twice that.
const GOES_ON: f64 = 0.25;

/// Means after a step within which a rise from before it must be seen again.
const ANEW_MAX: usize = 24;

/// A rise or fall that is certain and goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rising {
    /// How fast, in units a second; negative if it falls.
    pub slope_per_s: f64,
    /// How far it has gone by that since it began, in units.
    pub by: f64,
    /// How long that is, in seconds.
    pub for_s: f64,
}

/// A mean, and how far the same values are from what each season says; no number where it says nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    at_s: f64,
    value: f64,
    off: [f32; 2],
}

impl Block {
    /// What is looked at in a lane: the value, or what is left of it by a season.
    fn in_lane(&self, lane: usize) -> f64 {
        match lane.checked_sub(1) {
            None => self.value,
            Some(season) => f64::from(self.off[season]),
        }
    }

    fn midpoint(a: Block, b: Block) -> Block {
        Block {
            at_s: f64::midpoint(a.at_s, b.at_s),
            value: f64::midpoint(a.value, b.value),
            off: from_fn(|season| f32::midpoint(a.off[season], b.off[season])),
        }
    }
}

/// The value itself, and what the day and the week leave of it.
const LANES: usize = 3;

#[derive(Clone, Debug)]
pub(super) struct Trend {
    blocks: [Block; BLOCKS],
    count: usize,
    points: u32,
    size: u32,
    origin_ns: i64,
    began_ns: i64,
    /// Of the times, the values and what is left of them.
    sums: [f64; 4],
    told: bool,
    rising: Option<Rising>,
    rising_from_s: f64,
}

/// A value, and what is left of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) held: f64,
    /// How far it is from what the day and the week say; no number where they say nothing.
    pub(super) off: [f64; 2],
    /// How far values usually are from what is expected, and from what seasons say.
    pub(super) spread: f64,
    pub(super) off_spread: f64,
}

impl Trend {
    pub(super) fn new() -> Self {
        Self {
            blocks: [Block::default(); BLOCKS],
            count: 0,
            points: 0,
            size: 1,
            origin_ns: 0,
            began_ns: 0,
            sums: [0.0; 4],
            told: false,
            rising: None,
            rising_from_s: 0.0,
        }
    }

    /// Begins anew at another level, to which it stepped by so much. What goes on in the same direction goes on for as long as
    /// it takes to see it again: of a slope with little noise a part may look like a step.
    pub(super) fn begin_anew(&mut self, by: f64) {
        let rising = self.rising.filter(|rising| rising.by * by > 0.0);
        *self = Self {
            rising,
            // Times count from the next point on.
            rising_from_s: rising.map_or(0.0, |rising| -rising.for_s),
            ..Self::new()
        };
    }

    /// The trend that is certain, while it goes on.
    pub(super) fn rising(&self) -> Option<Rising> {
        self.rising
    }

    /// Adds a point; gives the slope in units a second when a trend is certain for the first time.
    pub(super) fn add(&mut self, at_ns: i64, value: Value, period: Option<usize>) -> Option<f64> {
        if self.count == 0 && self.points == 0 {
            self.origin_ns = at_ns;
        }
        let calendar = at_ns >= CALENDAR_NS;
        let lasted_ns = at_ns.saturating_sub(self.began_ns);
        let is_over = if calendar {
            !(0..BLOCK_NS).contains(&lasted_ns)
        } else {
            self.points >= self.size
        };
        let mut found = None;
        if self.points > 0 && is_over {
            let [at_s, mean, day, week] = self.sums.map(|sum| sum / f64::from(self.points));
            let block = Block {
                at_s,
                value: mean,
                off: [day as f32, week as f32],
            };
            self.push(block, calendar);
            self.sums = [0.0; 4];
            self.points = 0;
            found = self.judge(calendar, &value, period);
        }
        if self.points == 0 {
            // On the hour, so that blocks of one day are those of the next.
            self.began_ns = if calendar {
                at_ns - at_ns.rem_euclid(BLOCK_NS)
            } else {
                at_ns
            };
        }
        let since_s = at_ns.saturating_sub(self.origin_ns) as f64 / 1e9;
        let [day, week] = value.off;
        for (sum, value) in self.sums.iter_mut().zip([since_s, value.held, day, week]) {
            *sum += value;
        }
        self.points += 1;
        found
    }

    fn push(&mut self, block: Block, calendar: bool) {
        if self.count < BLOCKS {
            self.blocks[self.count] = block;
            self.count += 1;
            return;
        }
        if calendar || self.size >= POINTS_MAX {
            self.blocks.copy_within(1.., 0);
            self.blocks[BLOCKS - 1] = block;
            return;
        }
        // Two become one.
        for at in 0..BLOCKS / 2 {
            self.blocks[at] = Block::midpoint(self.blocks[2 * at], self.blocks[2 * at + 1]);
        }
        self.size *= 2;
        // This one is half of the next.
        self.blocks[BLOCKS / 2] = block;
        self.count = BLOCKS / 2 + 1;
    }

    fn judge(&mut self, calendar: bool, value: &Value, period: Option<usize>) -> Option<f64> {
        let mut room = [(0.0, 0.0); BLOCKS];
        let lanes = if calendar { LANES } else { 1 };
        let (mut most, mut found) = (0.0f64, None);
        // Every lane, since a season learns a rise that began with it, and what it leaves stands still.
        for lane in 0..lanes {
            let spread = if lane == 0 { value.spread } else { value.off_spread };
            let points = self.lane(lane, &mut room);
            let Some(steps) = Steps::of(points) else {
                continue;
            };
            for window in WINDOWS {
                let Some(first) = points.len().checked_sub(window + 1) else {
                    break;
                };
                // A gap makes a window longer than it should be, and no whole number of days.
                let span_s = points[points.len() - 1].0 - points[first].0;
                let whole = window as f64 * BLOCK_NS as f64 / 1e9;
                if calendar && (span_s - whole).abs() > BLOCK_NS as f64 / 2e9 {
                    continue;
                }
                let long = window as f64 * f64::from(self.size);
                if !calendar && period.is_some_and(|period| long < 2.5 * period as f64) {
                    continue;
                }
                let errors = steps.rise(window, SPREADS_MIN * spread);
                if errors > most {
                    let slope_per_s = slope_of(&points[first..]);
                    let rising = Rising {
                        slope_per_s,
                        by: slope_per_s * span_s,
                        for_s: span_s,
                    };
                    (most, found) = (errors, Some(rising));
                }
            }
        }
        if most < ERRORS_OVER {
            self.told = false;
        }
        // Of the values themselves: what a season leaves falls when a rise ends that it has learned.
        let lately = lately(self.lane(0, &mut room));
        let found = found.map(|rising| (rising, lately / rising.slope_per_s));
        let is_new = !self.told && most >= ERRORS;
        self.told |= is_new;
        // A window of a week shows a rise for days after it has ended: what is said for as long as it lasts ends earlier.
        self.rising = match found {
            Some((rising, lately)) if self.told && lately >= 2.0 * GOES_ON => {
                let now_s = self.blocks[self.count - 1].at_s;
                // It began where it was first seen, however short the stretch is that shows it best by now.
                let from_s = (now_s - rising.for_s).min(match self.rising {
                    Some(_) => self.rising_from_s,
                    None => f64::INFINITY,
                });
                self.rising_from_s = from_s;
                Some(Rising {
                    by: rising.slope_per_s * (now_s - from_s),
                    for_s: now_s - from_s,
                    ..rising
                })
            }
            Some((_, lately)) if self.told && lately >= GOES_ON => self.rising,
            _ if !self.told && self.count < 2 * LATELY => self.rising,
            _ if !self.told && self.count <= ANEW_MAX => self
                .rising
                .filter(|rising| lately / rising.slope_per_s >= GOES_ON),
            _ => None,
        };
        found.filter(|_| is_new).map(|(rising, _)| rising.slope_per_s)
    }

    /// The last blocks of which a lane says something.
    fn lane<'a>(&self, lane: usize, room: &'a mut [(f64, f64); BLOCKS]) -> &'a [(f64, f64)] {
        let blocks = &self.blocks[..self.count];
        let known = blocks.iter().rev().map(|block| block.in_lane(lane));
        let first = self.count - known.take_while(|value| value.is_finite()).count();
        for (place, block) in room.iter_mut().zip(&blocks[first..]) {
            *place = (block.at_s, block.in_lane(lane));
        }
        &room[..self.count - first]
    }
}

/// Steps from one mean to the next.
struct Steps {
    steps: [f64; BLOCKS],
    count: usize,
}

impl Steps {
    /// None if there are too few.
    fn of(points: &[(f64, f64)]) -> Option<Steps> {
        if points.len() < BLOCKS_MIN {
            return None;
        }
        let mut steps = [0.0; BLOCKS];
        for (step, two) in steps.iter_mut().zip(points.windows(2)) {
            *step = two[1].1 - two[0].1;
        }
        let count = points.len() - 1;
        let mut sizes = steps.map(f64::abs);
        let middle = sizes[..count].select_nth_unstable_by(count / 2, f64::total_cmp).1;
        let spread = *middle * MEDIAN_TO_SIGMA;
        let most = STEP_SPREADS_MAX * spread;
        for step in &mut steps[..count] {
            *step = step.clamp(-most, most);
        }
        Some(Steps { steps, count })
    }

    /// How many standard errors the last steps are from none; 0 if they did not go as far as `least`, which most do not, so
    /// that little is computed.
    fn rise(&self, window: usize, least: f64) -> f64 {
        let steps = &self.steps[..self.count];
        let last = &steps[self.count - window..];
        let half: f64 = last[..window / 2].iter().sum();
        let whole: f64 = last.iter().sum();
        if whole.abs() < least || !(HALF_LEAST..=1.0 - HALF_LEAST).contains(&(half / whole)) {
            return 0.0;
        }
        let fits = TAKEN_BACK.map(|taken_back| fit(steps, window, taken_back));
        let likeliest = fits.iter().map(|fit| fit.0).fold(f64::NEG_INFINITY, f64::max);
        let believed = fits.iter().filter(|fit| fit.0 >= likeliest - LIKELY);
        let errors = believed.map(|fit| fit.1).fold(f64::INFINITY, f64::min);
        if errors.is_finite() { errors } else { 0.0 }
    }
}

/// The log likelihood of steps of which each takes so much of the last one's noise back, with a mean in the last ones; and
/// how many standard errors that mean is from 0. By innovations (Brockwell, Davis 1991, 5.2).
fn fit(steps: &[f64], window: usize, taken_back: f64) -> (f64, f64) {
    let first = steps.len() - window;
    let most = 1.0 + taken_back * taken_back;
    let (mut variance, mut step_left, mut mean_left) = (most, 0.0, 0.0);
    let (mut squares, mut product, mut weight, mut logs) = (0.0, 0.0, 0.0, 0.0);
    for (at, step) in steps.iter().enumerate() {
        if at > 0 {
            let share = taken_back / variance;
            step_left *= share;
            mean_left *= share;
            variance = most - taken_back * share;
        }
        step_left += step;
        mean_left += f64::from(at >= first);
        squares += step_left * step_left / variance;
        product += step_left * mean_left / variance;
        weight += mean_left * mean_left / variance;
        logs += libm::log(variance);
    }
    let count = steps.len() as f64;
    let noise = (squares - product * product / weight).max(squares * 1e-9) / (count - 1.0);
    if noise <= 0.0 {
        return (f64::NEG_INFINITY, 0.0);
    }
    let likelihood = -0.5 * (count * libm::log(noise) + logs);
    (likelihood, product.abs() / (weight * noise).sqrt())
}

/// The slope from the last but one of the stretches to the last; 0 if there are too few points. Where these are days, no
/// hour of them is one.
fn lately(points: &[(f64, f64)]) -> f64 {
    let Some(first) = points.len().checked_sub(2 * LATELY) else {
        return 0.0;
    };
    let mean = |points: &[(f64, f64)]| {
        let sums = points
            .iter()
            .fold((0.0, 0.0), |sums, point| (sums.0 + point.0, sums.1 + point.1));
        (sums.0 / LATELY as f64, sums.1 / LATELY as f64)
    };
    let (before, last) = points[first..].split_at(LATELY);
    let (before, last) = (mean(before), mean(last));
    let slope = (last.1 - before.1) / (last.0 - before.0);
    if slope.is_finite() { slope } else { 0.0 }
}

/// The median slope between some of the points, evenly picked.
fn slope_of(points: &[(f64, f64)]) -> f64 {
    let mut picked = [(0.0, 0.0); SLOPE_POINTS];
    let every = points.len().div_ceil(SLOPE_POINTS).max(1);
    let mut count = 0;
    for (place, point) in picked.iter_mut().zip(points.iter().step_by(every)) {
        *place = *point;
        count += 1;
    }
    slope(&picked[..count])
}

/// The median slope between any two points.
pub(super) fn slope(points: &[(f64, f64)]) -> f64 {
    let mut slopes = [0.0; SLOPE_POINTS * (SLOPE_POINTS - 1) / 2];
    let mut count = 0;
    for (at, late) in points.iter().enumerate() {
        for early in &points[..at] {
            if late.0 > early.0 && count < slopes.len() {
                slopes[count] = (late.1 - early.1) / (late.0 - early.0);
                count += 1;
            }
        }
    }
    if count == 0 {
        return 0.0;
    }
    *slopes[..count]
        .select_nth_unstable_by(count / 2, f64::total_cmp)
        .1
}
