//! Whether a series has been rising or falling for long.
//!
//! Means of equally many points each; their differences have a mean, and it is a trend if that is far from 0 beside its
//! error. The error allows for differences that depend on each other (Newey, West 1987), so a random walk is none. How
//! fast is the median slope between any two means (Theil 1950, Sen 1968).
//!
//! Invariant: what a day repeats is no trend: of a series with a calendar, more than a day is looked at.

/// Means remembered.
const BLOCKS: usize = 32;
/// Neighbouring differences that may depend on each other.
const LAGS: usize = 4;
/// Errors from 0 that make a trend: with 32 means, one in a hundred thousand.
const ERRORS: f64 = 6.0;
/// Below, it is one no more and can be told again.
const ERRORS_OVER: f64 = 2.0;
/// A calendar's series is looked at for so long at least, and at most.
const SPAN_NS: (i64, i64) = (26 * 3_600_000_000_000, 8 * 24 * 3_600_000_000_000);
/// Times before 2000 are no calendar's, but count from some start.
const CALENDAR_NS: i64 = 946_684_800_000_000_000;
/// Points that a mean is of, at most, where there is no calendar.
const POINTS_MAX: u32 = 512;
/// The rise that matters, in spreads.
const SPREADS_MIN: f64 = 3.0;

#[derive(Clone, Debug)]
pub(super) struct Trend {
    blocks: [(f64, f64); BLOCKS],
    count: usize,
    points: u32,
    size: u32,
    origin_ns: i64,
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
            sums: (0.0, 0.0),
            told: false,
        }
    }

    /// Adds a point; gives the slope in units a second when a trend is certain for the first time.
    pub(super) fn add(&mut self, at_ns: i64, value: f64, spread: f64, period: Option<usize>) -> Option<f64> {
        if self.count == 0 && self.points == 0 {
            self.origin_ns = at_ns;
        }
        self.sums.0 += at_ns.saturating_sub(self.origin_ns) as f64 / 1e9;
        self.sums.1 += value;
        self.points += 1;
        if self.points < self.size {
            return None;
        }
        let points = f64::from(self.points);
        self.push((self.sums.0 / points, self.sums.1 / points), at_ns);
        self.sums = (0.0, 0.0);
        self.points = 0;
        if self.count < BLOCKS / 2 {
            return None;
        }
        self.judge(at_ns, spread, period)
    }

    fn push(&mut self, block: (f64, f64), at_ns: i64) {
        if self.count < BLOCKS {
            self.blocks[self.count] = block;
            self.count += 1;
            return;
        }
        let span_s = (block.0 - self.blocks[0].0).max(0.0);
        let long = if at_ns >= CALENDAR_NS {
            span_s * 1e9 >= SPAN_NS.1 as f64
        } else {
            self.size >= POINTS_MAX
        };
        if long {
            self.blocks.copy_within(1.., 0);
            self.blocks[BLOCKS - 1] = block;
            return;
        }
        // Two become one.
        for at in 0..BLOCKS / 2 {
            let (a, b) = (self.blocks[2 * at], self.blocks[2 * at + 1]);
            self.blocks[at] = (f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1));
        }
        self.count = BLOCKS / 2;
        self.size *= 2;
        // This one is half of the next.
        self.blocks[self.count] = block;
        self.count += 1;
    }

    fn judge(&mut self, at_ns: i64, spread: f64, period: Option<usize>) -> Option<f64> {
        let blocks = &self.blocks[..self.count];
        let span_s = blocks[self.count - 1].0 - blocks[0].0;
        if at_ns >= CALENDAR_NS && span_s * 1e9 < SPAN_NS.0 as f64 {
            return None;
        }
        let points = self.count as f64 * f64::from(self.size);
        if period.is_some_and(|period| points < 2.5 * period as f64) {
            return None;
        }
        let n = self.count - 1;
        let mut differences = [0.0; BLOCKS];
        for (difference, two) in differences.iter_mut().zip(blocks.windows(2)) {
            *difference = two[1].1 - two[0].1;
        }
        let differences = &mut differences[..n];
        let rise = blocks[n].1 - blocks[0].1;
        let mean = rise / n as f64;
        differences.iter_mut().for_each(|difference| *difference -= mean);
        let mut variance: f64 = differences.iter().map(|d| d * d).sum::<f64>() / n as f64;
        for lag in 1..=LAGS {
            let weight = 1.0 - lag as f64 / (LAGS + 1) as f64;
            let product: f64 = (lag..n).map(|at| differences[at] * differences[at - lag]).sum();
            variance += 2.0 * weight * product / n as f64;
        }
        let least = (spread / 10.0).powi(2) / f64::from(self.size);
        let error = (variance.max(least).max(1e-300) / n as f64).sqrt();
        let errors = (mean / error).abs();
        if errors < ERRORS_OVER {
            self.told = false;
        }
        if self.told || errors < ERRORS || rise.abs() < SPREADS_MIN * spread {
            return None;
        }
        self.told = true;
        Some(slope(blocks))
    }
}

/// The median slope between any two points.
pub(super) fn slope(points: &[(f64, f64)]) -> f64 {
    let mut slopes = [0.0; BLOCKS * (BLOCKS - 1) / 2];
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
