//! When a series reaches a limit.

use serde::Serialize;

use super::history::{History, Trials};
use super::{NOMINAL, Unknown};

/// How far ahead anybody looks, in the length of the past: beyond, it is "not in sight".
const AHEAD_MAX: f64 = 10.0;

/// Moments at which the interval is looked at.
const LOOKS: usize = 512;

/// When a limit is reached; times are those of the series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "when")]
pub enum Crossing {
    /// It is reached already.
    Now,
    /// Not as far as can be seen, even by the interval's nearer end.
    NotInSight {
        /// How far that is.
        until_ns: i64,
    },
    /// It is, or may be.
    At {
        /// The nearer end of the interval.
        earliest_ns: i64,
        /// The moment expected; none if it is expected not to be reached as far as can be seen.
        expected_ns: Option<i64>,
        /// The farther end; none if it may never be.
        latest_ns: Option<i64>,
    },
}

/// Says when a series reaches a limit from below, or falls to it from above.
pub fn crossing(history: &History, limit: f64, falling: bool) -> Result<Crossing, Unknown> {
    let trials = Trials::of(history)?;
    let sign = if falling { -1.0 } else { 1.0 };
    let reached = |value: f64| value * sign >= limit * sign;
    if reached(history.last()) {
        return Ok(Crossing::Now);
    }
    let longest = trials.steps_max().max(1);
    let (method, _) = trials.best(longest.div_ceil(2)).ok_or(Unknown::TooFar)?;
    let step_s = trials.step_s();
    let until_s = AHEAD_MAX * step_s * history.len() as f64;
    // Most looks are beyond what was tried, where the interval is that of the last one.
    let mut known: Option<(usize, f64)> = None;
    let mut width = |ahead_s: f64| {
        let steps = (ahead_s / step_s).round().clamp(1.0, longest as f64) as usize;
        let half = match known {
            Some((before, half)) if before == steps => half,
            _ => trials.interval(method, steps, 1.0 - NOMINAL)?.0,
        };
        known = Some((steps, half));
        // Beyond what was tried the error is taken to grow as that of a wrong slope does.
        Some(half * (ahead_s / (steps as f64 * step_s)).max(1.0))
    };
    let (mut earliest, mut expected, mut latest) = (None, None, None);
    let slope = trials.slope(method);
    let now = trials.now(method, 0.0);
    let (mut before_s, mut widest_before, mut widest) = (0.0, 0.0, 0.0f64);
    for look in 1..=LOOKS {
        // Finely at first: a limit that is near is what matters.
        let ahead_s = until_s * (look as f64 / LOOKS as f64).powi(2);
        widest = widest.max(width(ahead_s).ok_or(Unknown::TooFar)?);
        for (found, side) in [(&mut earliest, sign), (&mut expected, 0.0), (&mut latest, -sign)] {
            let value = now + slope * ahead_s + side * widest;
            if found.is_none() && reached(value) {
                let before = now + slope * before_s + side * widest_before;
                let share = if reached(before) {
                    0.0
                } else {
                    (limit - before) / (value - before)
                };
                *found = Some(before_s + share * (ahead_s - before_s));
            }
        }
        (before_s, widest_before) = (ahead_s, widest);
    }
    let time = |ahead_s: f64| history.last_ns().saturating_add((ahead_s * 1e9) as i64);
    Ok(match earliest {
        None => Crossing::NotInSight {
            until_ns: time(until_s),
        },
        Some(earliest) => Crossing::At {
            earliest_ns: time(earliest),
            expected_ns: expected.map(time),
            latest_ns: latest.map(time),
        },
    })
}
