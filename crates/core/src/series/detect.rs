//! The detector: one point in, one reading out.
//!
//! Three statistics of the residuals are each judged by their own past ([`super::tail`]): how far this point is off, how
//! far the last ones are off together, and how much they scatter. The smallest of the three shares counts, times
//! three (Bonferroni).
//!
//! Invariant: the reading of a point depends on points before it and on itself alone.

use super::predict::{Expected, Predict};
use super::scale::Scale;
use super::shift::{Point, Shift};
use super::tail::Tail;
use super::trend::{self, Trend};
use super::{Anomaly, Reading, Rising};

/// Bytes of a detector, all of it.
pub const DETECTOR_BYTES_MAX: usize = 32 * 1_024;
const _: () = assert!(size_of::<Detector>() <= DETECTOR_BYTES_MAX);

/// How probable it is before a point is seen that it is unlike the series: one in a thousand.
pub const PRIOR: f64 = 1e-3;

/// From which score on something is worth telling.
pub const ALARM_SCORE: f64 = 0.5;

/// Points before anything is said.
pub const WARMING_POINTS: u64 = 40;

/// Values beyond are taken for this: their squares are no numbers, and as far off they are all the same.
pub const VALUE_MAX: f64 = 1e100;

/// What the newest residual weighs in what the last ones say together.
const TOGETHER: f64 = 1.0 / 16.0;

/// A residual says no more than one of so many spreads about the others.
const SPREADS_MAX: f64 = 10.0;

/// What the newest gap between points weighs.
const INTERVAL_WEIGHT: f64 = 1.0 / 16.0;

/// Judges a series point by point.
#[derive(Clone, Debug)]
pub struct Detector {
    predict: Predict,
    scale: Scale,
    shift: Shift,
    trend: Trend,
    far: Tail,
    drift: Tail,
    unrest: Tail,
    /// The mean signed residual of the last points, from what follows slowly.
    together: f64,
    /// Their mean size.
    scatter: f64,
    points: u64,
    missing: u64,
    last_ns: Option<i64>,
    interval_ns: f64,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Begins with nothing known.
    pub fn new() -> Self {
        Self {
            predict: Predict::new(),
            scale: Scale::new(),
            shift: Shift::new(),
            trend: Trend::new(),
            far: Tail::new(3.0),
            drift: Tail::new(1.5),
            unrest: Tail::new(2.0),
            together: 0.0,
            scatter: 0.8,
            points: 0,
            missing: 0,
            last_ns: None,
            interval_ns: 0.0,
        }
    }

    /// Points that were numbers.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// Points that were none.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// A trend that was told and goes on.
    pub fn rising(&self) -> Option<Rising> {
        self.trend.rising()
    }

    /// Judges the next point; `at_ns` is on any clock that the series keeps to, and may jump.
    ///
    /// A value that is not a number, or not finite, is a missing point: nothing is said of it and nothing learned.
    pub fn observe(&mut self, at_ns: i64, value: f64) -> Reading {
        if !value.is_finite() {
            self.missing += 1;
            return self.quiet(at_ns);
        }
        let value = value.clamp(-VALUE_MAX, VALUE_MAX);
        self.pass_time(at_ns);
        let expected = self.predict.expect(at_ns);
        let spread = self
            .scale
            .spread(expected.map_or(value, |expected| expected.level));
        self.points += 1;
        let mut reading = self.quiet(at_ns);
        reading.spread = spread;
        reading.expected = expected.map(|expected| expected.value);
        if let Some(expected) = &expected {
            self.judge(value, expected, spread, &mut reading);
        }
        self.learn(at_ns, value, expected.as_ref(), spread, &mut reading);
        if self.points <= WARMING_POINTS {
            reading.score = 0.0;
            reading.kind = None;
            reading.changepoint = None;
            reading.slope_per_s = None;
        }
        reading
    }

    fn quiet(&self, at_ns: i64) -> Reading {
        let expected = self.predict.expect(at_ns);
        Reading {
            warming: self.points <= WARMING_POINTS,
            spread: self.scale.spread(expected.map_or(0.0, |expected| expected.level)),
            expected: expected.map(|expected| expected.value),
            ..Reading::default()
        }
    }

    /// Lets the points pass that should have come since the last one.
    fn pass_time(&mut self, at_ns: i64) {
        let since = self.last_ns.map(|last| at_ns.saturating_sub(last));
        self.last_ns = Some(at_ns);
        // A clock that jumped back says nothing about how long it was.
        let Some(since) = since.filter(|since| *since > 0).map(|since| since as f64) else {
            return;
        };
        if self.interval_ns == 0.0 {
            self.interval_ns = since;
        }
        let missed = (since / self.interval_ns).round() - 1.0;
        if missed >= 1.0 && self.points > WARMING_POINTS {
            self.predict.skip(missed.min(1e6) as usize);
        }
        self.interval_ns += (since.min(self.interval_ns * 2.0) - self.interval_ns) * INTERVAL_WEIGHT;
    }

    fn judge(&mut self, value: f64, expected: &Expected, spread: f64, reading: &mut Reading) {
        let off = ((value - expected.value) / spread).abs();
        let slow_spread = (expected.slow_error * 1.25).max(spread);
        let slow = ((value - expected.slow) / slow_spread).clamp(-SPREADS_MAX, SPREADS_MAX);
        let together = self.together + (slow - self.together) * TOGETHER;
        let scatter = self.scatter + (off.min(SPREADS_MAX) - self.scatter) * TOGETHER;
        let shares = [
            (self.far.share(off), Anomaly::Spike),
            (self.drift.share(together.abs()), Anomaly::Drift),
            (self.unrest.share(scatter), Anomaly::Unrest),
        ];
        if self.points > WARMING_POINTS / 2 {
            self.far.add(off);
            self.drift.add(together.abs());
            self.unrest.add(scatter);
        }
        self.together = together;
        self.scatter = scatter;
        let smallest = shares.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0));
        let (share, kind) = smallest.unwrap_or((1.0, Anomaly::Spike));
        reading.score = posterior((share * shares.len() as f64).min(1.0));
        let usual_level = ((value - expected.level) / slow_spread).abs() < 3.0;
        let kind = match kind {
            Anomaly::Spike if expected.season.is_some() && usual_level => Anomaly::Season,
            kind => kind,
        };
        reading.kind = (reading.score >= ALARM_SCORE).then_some(kind);
    }

    fn learn(&mut self, at_ns: i64, value: f64, expected: Option<&Expected>, spread: f64, out: &mut Reading) {
        if let Some(expected) = expected {
            self.scale.learn((value - expected.value).abs(), expected.level);
        }
        self.predict.learn(at_ns, value, expected, spread);
        let season = expected.and_then(|expected| expected.season);
        let point = Point {
            at_ns,
            value,
            seasons: expected.map_or([f64::NAN; 3], |expected| {
                expected.bases.map(|base| base.unwrap_or(f64::NAN))
            }),
        };
        if let Some(found) = self.shift.add(point, self.predict.season()) {
            let level = if season.is_some() {
                value
            } else {
                found.changepoint.after
            };
            self.predict.shift(level, found.by);
            self.trend.begin_anew(found.by);
            self.together = 0.0;
            out.changepoint = Some(found.changepoint);
            out.kind = Some(Anomaly::LevelShift);
            out.score = out.score.max(found.changepoint.confidence);
        }
        // One strange value must not tilt the mean of its hours; and what is predicted without error still has a spread of
        // its own, beside which a rise must matter.
        let whole = expected.map_or(
            trend::Value {
                held: value,
                off: [f64::NAN; 2],
                spread,
                off_spread: spread,
            },
            |expected| {
                let most = SPREADS_MAX / 2.0 * expected.level_error.max(spread);
                let held = value.clamp(expected.level - most, expected.level + most);
                let [_, day, week] = expected.bases;
                trend::Value {
                    held,
                    off: [day, week].map(|base| base.map_or(f64::NAN, |base| value - base)),
                    spread: spread.max(expected.level_error / 5.0),
                    off_spread: spread,
                }
            },
        );
        if let Some(slope) = self.trend.add(at_ns, whole, self.predict.period()) {
            out.slope_per_s = Some(slope);
            out.kind.get_or_insert(Anomaly::Trend);
            out.score = out.score.max(ALARM_SCORE);
        }
    }
}

/// The posterior of a tail probability; see [`Reading::score`].
fn posterior(share: f64) -> f64 {
    if share >= libm::exp(-1.0) {
        return PRIOR;
    }
    let evidence = -std::f64::consts::E * share * libm::log(share);
    PRIOR / (PRIOR + (1.0 - PRIOR) * evidence)
}
