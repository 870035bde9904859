//! The past in bounded form, and how each forecast would have done in it.

use super::{POINTS_MIN, Unknown};

/// Points kept; when there are more, neighbours become one.
pub const POINTS_MAX: usize = 256;

/// A clock that goes back by more than this was wrong before: an hour.
const BACK_NS: i64 = 3_600 * 1_000_000_000;

/// Moments of the past at which forecasts are tried.
const ORIGINS_MAX: usize = 64;
/// Points before the first of them.
const BEFORE_MIN: usize = 12;
/// Trials that an interval needs.
const TRIALS_MIN: usize = 8;
/// Points of the recent slope, and of the recent level.
const RECENT: usize = 32;
const LEVEL: usize = 7;
/// Another forecast must beat the naive one by this.
const BETTER: f64 = 0.9;

/// A series' past, coarser the longer it is.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Seconds since the first point, and the mean value there.
    points: Vec<(f64, f64)>,
    /// The last value that each mean is of: what a forecast is about is a value and no mean.
    samples: Vec<(f64, f64)>,
    origin_ns: i64,
    last_ns: i64,
    last: f64,
    stride: u32,
    sums: (f64, f64, u32),
}

impl History {
    /// Adds a point. One that is no number, or not later than the last, is passed over; one that is far earlier means that
    /// the clock was ahead, and all begins anew.
    pub fn add(&mut self, at_ns: i64, value: f64) {
        if self.last_ns.saturating_sub(at_ns) > BACK_NS {
            *self = Self::default();
        }
        let first = self.points.is_empty() && self.sums.2 == 0;
        if !value.is_finite() || value.abs() > 1e100 || !first && at_ns <= self.last_ns {
            return;
        }
        if first {
            self.origin_ns = at_ns;
            self.stride = 1;
        }
        self.last_ns = at_ns;
        self.last = value;
        self.sums.0 += at_ns.saturating_sub(self.origin_ns) as f64 / 1e9;
        self.sums.1 += value;
        self.sums.2 += 1;
        if self.sums.2 < self.stride {
            return;
        }
        let n = f64::from(self.sums.2);
        self.points.push((self.sums.0 / n, self.sums.1 / n));
        self.samples
            .push((at_ns.saturating_sub(self.origin_ns) as f64 / 1e9, value));
        self.sums = (0.0, 0.0, 0);
        if self.points.len() >= POINTS_MAX {
            for at in 0..POINTS_MAX / 2 {
                let (a, b) = (self.points[2 * at], self.points[2 * at + 1]);
                self.points[at] = (f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1));
                self.samples[at] = self.samples[2 * at + 1];
            }
            self.points.truncate(POINTS_MAX / 2);
            self.samples.truncate(POINTS_MAX / 2);
            self.stride = self.stride.saturating_mul(2);
        }
    }

    /// Whether it is long enough for a forecast of so far ahead to have been tried in it often enough.
    pub(super) fn vouches_for(&self, ahead_ns: i64) -> Result<bool, Unknown> {
        let last = self.long_enough()?;
        let steps = steps(ahead_ns, step_s(&self.points));
        let tried = origins(last).take_while(|at| at + steps <= last);
        Ok(tried.take(TRIALS_MIN).count() == TRIALS_MIN)
    }

    /// The index of the last point.
    fn long_enough(&self) -> Result<usize, Unknown> {
        match self.points.len() {
            have @ ..POINTS_MIN => Err(Unknown::TooFew {
                have,
                need: POINTS_MIN,
            }),
            have => Ok(have - 1),
        }
    }

    /// How long it is, in nanoseconds.
    pub(super) fn span_ns(&self) -> i64 {
        self.last_ns.saturating_sub(self.origin_ns)
    }

    /// How far its highest and lowest points are apart.
    pub(super) fn range(&self) -> f64 {
        let ends = (self.last, self.last);
        let (low, high) = self.points.iter().fold(ends, |(low, high), (_, value)| {
            (low.min(*value), high.max(*value))
        });
        high - low
    }

    /// Points kept.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// When the last point was.
    pub fn last_ns(&self) -> i64 {
        self.last_ns
    }

    /// The last value.
    pub fn last(&self) -> f64 {
        self.last
    }
}

/// The forecasts that compete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// The last value.
    Naive,
    /// The recent level.
    Level,
    /// It, carried on by the recent slope.
    Recent,
    /// It, carried on by the slope of everything.
    Whole,
}

const METHODS: [Method; 4] = [Method::Naive, Method::Level, Method::Recent, Method::Whole];

/// What can be known at one moment of the past.
#[derive(Clone, Copy, Debug, Default)]
struct Origin {
    at: usize,
    last: f64,
    level: f64,
    recent: (f64, f64),
    whole: (f64, f64),
}

impl Origin {
    fn of(points: &[(f64, f64)], sample: f64) -> Origin {
        let at = points.len() - 1;
        let newest = &points[points.len().saturating_sub(RECENT)..];
        let recent = slope(newest);
        let whole = slope(points);
        Origin {
            at,
            last: sample,
            level: level(points, 0.0),
            recent: (level(points, recent), recent),
            whole: (level(points, whole), whole),
        }
    }

    fn says(&self, method: Method, ahead_s: f64) -> f64 {
        match method {
            Method::Naive => self.last,
            Method::Level => self.level,
            Method::Recent => self.recent.0 + self.recent.1 * ahead_s,
            Method::Whole => self.whole.0 + self.whole.1 * ahead_s,
        }
    }
}

/// Every forecast, tried in the past.
pub(super) struct Trials<'a> {
    points: &'a [(f64, f64)],
    samples: &'a [(f64, f64)],
    origins: Vec<Origin>,
    now: Origin,
    /// Seconds between points.
    step_s: f64,
    /// How much later the last point is than the last mean.
    late_s: f64,
    last: f64,
}

impl<'a> Trials<'a> {
    pub(super) fn of(history: &'a History) -> Result<Self, Unknown> {
        let points = history.points.as_slice();
        let last = history.long_enough()?;
        let origins = origins(last)
            .map(|at| Origin::of(&points[..=at], history.samples[at].1))
            .collect();
        let age_s = history.last_ns.saturating_sub(history.origin_ns) as f64 / 1e9;
        Ok(Self {
            points,
            origins,
            now: Origin::of(points, history.last),
            samples: &history.samples,
            step_s: step_s(points),
            late_s: (age_s - points[last].0).max(0.0),
            last: history.last,
        })
    }

    /// A time in steps between points, at least one.
    pub(super) fn steps(&self, ahead_ns: i64) -> usize {
        steps(ahead_ns, self.step_s)
    }

    /// The steps for which there are enough trials.
    pub(super) fn steps_max(&self) -> usize {
        let last = self.points.len() - 1;
        let needed = self.origins.get(TRIALS_MIN - 1);
        needed.map_or(0, |origin| last - origin.at)
    }

    pub(super) fn step_s(&self) -> f64 {
        self.step_s
    }

    /// What a method says now.
    pub(super) fn now(&self, method: Method, ahead_s: f64) -> f64 {
        match method {
            Method::Naive => self.last,
            method => self.now.says(method, ahead_s + self.late_s),
        }
    }

    /// The slope by which a method goes on.
    pub(super) fn slope(&self, method: Method) -> f64 {
        self.now.says(method, 1.0) - self.now.says(method, 0.0)
    }

    fn errors(&self, method: Method, steps: usize) -> impl Iterator<Item = f64> + '_ {
        self.origins.iter().map_while(move |origin| {
            let (at_s, value) = self.samples.get(origin.at + steps)?;
            Some(value - origin.says(method, at_s - self.points[origin.at].0))
        })
    }

    /// The mean absolute error of a method so many steps ahead; 0 without any trial.
    pub(super) fn mean_error(&self, method: Method, steps: usize) -> f64 {
        let (count, sum) = self
            .errors(method, steps)
            .fold((0usize, 0.0), |(count, sum), error| {
                (count + 1, sum + error.abs())
            });
        sum / count.max(1) as f64
    }

    /// The method with the smallest mean absolute error so many steps ahead, and that error.
    pub(super) fn best(&self, steps: usize) -> Option<(Method, f64)> {
        let mut best: Option<(Method, f64)> = None;
        for method in METHODS {
            let (count, sum) = self
                .errors(method, steps)
                .fold((0usize, 0.0), |(count, sum), error| {
                    (count + 1, sum + error.abs())
                });
            if count < TRIALS_MIN {
                return None;
            }
            let mean = sum / count as f64;
            let bar = if method == Method::Naive { 1.0 } else { BETTER };
            if best
                .is_none_or(|(before, error)| mean < error * if before == Method::Naive { bar } else { 1.0 })
            {
                best = Some((method, mean));
            }
        }
        best
    }

    /// How far below and above the forecast the interval reaches; none if there are too few trials.
    pub(super) fn interval(&self, method: Method, steps: usize, miss: f64) -> Option<(f64, f64)> {
        let mut errors: Vec<f64> = self.errors(method, steps).map(f64::abs).collect();
        if errors.len() < TRIALS_MIN {
            return None;
        }
        errors.sort_unstable_by(f64::total_cmp);
        let n = errors.len() as f64;
        let share = (1.0 - miss.clamp(0.005, 0.995)) * (1.0 + 1.0 / n);
        let largest = errors.last().copied().unwrap_or(0.0);
        let half = if share >= 1.0 {
            largest * (1.0 + 0.5 * (share - 1.0) * n)
        } else {
            let place = share * n;
            let at = |i: usize| errors.get(i).copied().unwrap_or(largest);
            let below = (place.floor() as usize).saturating_sub(1);
            at(below) + (at(below + 1) - at(below)) * place.fract()
        };
        Some((half, half))
    }
}

/// The moments at which forecasts are tried, up to the last point.
fn origins(last: usize) -> impl Iterator<Item = usize> {
    let every = (last - BEFORE_MIN).div_ceil(ORIGINS_MAX).max(1);
    (BEFORE_MIN..last).step_by(every)
}

/// Seconds between points.
fn step_s(points: &[(f64, f64)]) -> f64 {
    match points {
        [first, .., last] => ((last.0 - first.0) / (points.len() - 1) as f64).max(1e-9),
        _ => 1e-9,
    }
}

/// A time in steps between points, at least one.
fn steps(ahead_ns: i64, step_s: f64) -> usize {
    ((ahead_ns as f64 / 1e9 / step_s).round() as usize).max(1)
}

/// The median slope between pairs of at most `RECENT` points, evenly picked (Theil 1950, Sen 1968).
fn slope(points: &[(f64, f64)]) -> f64 {
    let every = points.len().div_ceil(RECENT).max(1);
    let mut picked = [(0.0, 0.0); RECENT];
    let mut count = 0;
    for (place, point) in picked.iter_mut().zip(points.iter().rev().step_by(every)) {
        *place = *point;
        count += 1;
    }
    picked[..count].reverse();
    super::super::trend::slope(&picked[..count])
}

/// The median of the last points, carried to the last one's time by a slope.
fn level(points: &[(f64, f64)], slope: f64) -> f64 {
    let last = points.len() - 1;
    let newest = &points[points.len().saturating_sub(LEVEL)..];
    let mut carried = [0.0; LEVEL];
    for (place, point) in carried.iter_mut().zip(newest) {
        *place = point.1 + slope * (points[last].0 - point.0);
    }
    let carried = &mut carried[..newest.len()];
    *carried.select_nth_unstable_by(newest.len() / 2, f64::total_cmp).1
}
