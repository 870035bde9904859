//! Whether a series has been rising or falling for long.
//!
//! Means of some hours each, or of equally many points; a rise over the last of them is a trend if it is large beside the
//! way in which they move by themselves: noise around a level that wanders. So a random walk is no trend. How fast is the
//! median slope between any two means (Theil 1950, Sen 1968).
//!
//! Invariant: what a day repeats is no trend: of a series with a calendar whole days are looked at, and two at least seen.

/// Means remembered: eight days of three hours each.
const BLOCKS: usize = 64;
/// What a mean is over, where there is a calendar.
const BLOCK_NS: i64 = 3 * 3_600_000_000_000;
/// Points that a mean is of, at most, where there is no calendar.
const POINTS_MAX: u32 = 256;
/// Means over which a rise is looked for: with a calendar these are whole days, so what a day repeats is none.
const WINDOWS: [usize; 4] = [8, 16, 32, 56];
/// Means that either end of a rise is the mean of.
const ENDS: usize = 3;
/// A level wanders by at least this share of the variance of its steps: less cannot be told from none.
const WANDER_LEAST: f64 = 0.03;
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
/// A rise is beside at least this share of the spread, or a staircase would be steep.
const SPREAD_LEAST: f64 = 0.1;
/// Means whose median slope is told.
const SLOPE_POINTS: usize = 32;

#[derive(Clone, Debug)]
pub(super) struct Trend {
    blocks: [(f64, f64); BLOCKS],
    count: usize,
    points: u32,
    size: u32,
    origin_ns: i64,
    began_ns: i64,
    sums: (f64, f64),
    told: bool,
}

impl Trend {
    pub(super) fn new() -> Self {
        Self {
            blocks: [(0.0, 0.0); BLOCKS],
            count: 0,
            points: 0,
            size: 1,
            origin_ns: 0,
            began_ns: 0,
            sums: (0.0, 0.0),
            told: false,
        }
    }

    /// Adds a point; gives the slope in units a second when a trend is certain for the first time.
    pub(super) fn add(&mut self, at_ns: i64, value: f64, spread: f64, period: Option<usize>) -> Option<f64> {
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
            let points = f64::from(self.points);
            self.push((self.sums.0 / points, self.sums.1 / points), calendar);
            self.sums = (0.0, 0.0);
            self.points = 0;
            found = self.judge(calendar, spread, period);
        }
        if self.points == 0 {
            // On the hour, so that blocks of one day are those of the next.
            self.began_ns = if calendar {
                at_ns - at_ns.rem_euclid(BLOCK_NS)
            } else {
                at_ns
            };
        }
        self.sums.0 += at_ns.saturating_sub(self.origin_ns) as f64 / 1e9;
        self.sums.1 += value;
        self.points += 1;
        found
    }

    fn push(&mut self, block: (f64, f64), calendar: bool) {
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
            let (a, b) = (self.blocks[2 * at], self.blocks[2 * at + 1]);
            self.blocks[at] = (f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1));
        }
        self.size *= 2;
        // This one is half of the next.
        self.blocks[BLOCKS / 2] = block;
        self.count = BLOCKS / 2 + 1;
    }

    fn judge(&mut self, calendar: bool, spread: f64, period: Option<usize>) -> Option<f64> {
        if self.count < BLOCKS_MIN {
            return None;
        }
        let blocks = &self.blocks[..self.count];
        let moves = Moves::of(blocks);
        let (mut most, mut over) = (0.0f64, 0);
        for window in WINDOWS {
            let first = self.count.wrapping_sub(window + 1);
            if first < ENDS - 1 || first >= self.count {
                break;
            }
            // A gap makes a window longer than it should be, and no whole number of days.
            let span_s = blocks[self.count - 1].0 - blocks[first].0;
            let whole = window as f64 * BLOCK_NS as f64 / 1e9;
            if calendar && (span_s - whole).abs() > BLOCK_NS as f64 / 2e9 {
                continue;
            }
            if !calendar
                && period.is_some_and(|period| (window as f64 * f64::from(self.size)) < 2.5 * period as f64)
            {
                continue;
            }
            let end = |last: usize| {
                blocks[last + 1 - ENDS..=last]
                    .iter()
                    .map(|block| block.1)
                    .sum::<f64>()
                    / ENDS as f64
            };
            let rise = end(self.count - 1) - end(first);
            let errors = rise.abs()
                / moves
                    .far(window)
                    .max(spread * SPREAD_LEAST)
                    .max(f64::MIN_POSITIVE);
            if errors > most && rise.abs() >= SPREADS_MIN * spread {
                (most, over) = (errors, first);
            }
        }
        if most < ERRORS_OVER {
            self.told = false;
        }
        if self.told || most < ERRORS {
            return None;
        }
        self.told = true;
        let rising = &blocks[over..];
        let mut picked = [(0.0, 0.0); SLOPE_POINTS];
        let every = rising.len().div_ceil(SLOPE_POINTS).max(1);
        let mut count = 0;
        for (place, block) in picked.iter_mut().zip(rising.iter().step_by(every)) {
            *place = *block;
            count += 1;
        }
        Some(slope(&picked[..count]))
    }
}

/// How a series of means moves by itself: noise around a level that wanders (the local level model, Harvey 1989), from the
/// first two autocovariances of its steps.
struct Moves {
    /// The variance of what the level does in one step.
    wander: f64,
    /// The variance of the noise around it.
    noise: f64,
}

impl Moves {
    fn of(blocks: &[(f64, f64)]) -> Moves {
        let n = blocks.len() - 1;
        let mut steps = [0.0; BLOCKS];
        for (step, two) in steps.iter_mut().zip(blocks.windows(2)) {
            *step = two[1].1 - two[0].1;
        }
        let steps = &mut steps[..n];
        let mut sizes = [0.0; BLOCKS];
        let sizes = &mut sizes[..n];
        for (size, step) in sizes.iter_mut().zip(steps.iter()) {
            *size = step.abs();
        }
        let spread = *sizes.select_nth_unstable_by(n / 2, f64::total_cmp).1 * MEDIAN_TO_SIGMA;
        let mean = steps.iter().sum::<f64>() / n as f64;
        for step in steps.iter_mut() {
            *step = (*step - mean).clamp(-4.0 * spread, 4.0 * spread);
        }
        let alike =
            |lag: usize| (lag..n).map(|at| steps[at] * steps[at - lag]).sum::<f64>() / (n - lag) as f64;
        let (own, next) = (alike(0), alike(1));
        Moves {
            wander: (own + 2.0 * next).max(own * WANDER_LEAST),
            noise: (-next).max(0.0),
        }
    }

    /// How far the level is from where it was, usually.
    fn far(&self, steps: usize) -> f64 {
        (self.wander * steps as f64 + 2.0 / ENDS as f64 * self.noise).sqrt()
    }
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
