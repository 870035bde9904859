//! Series of numbers over time: what is unusual, what changed and when, what will run out and when, and what did it.
//!
//! ```text
//!  (at, value) ─▸ detect ── expected, from the better of several simple predictors ─▸ residual
//!                   ├─▸ tail   how rare a residual like that is, in this very series ─▸ score
//!                   ├─▸ shift  did the level change, when, how sure                  ─▸ Changepoint ─▸ blame
//!                   └─▸ trend  does it drift                                         ─▸ Anomaly::Trend
//!  (at, value) ─▸ forecast ── where it will be and when it reaches a limit, scored later against what happened
//! ```
//!
//! No number here is set for a series: scales, rates and periods are learned from it. What the constants are is a
//! matter of how rare an alarm should be and how much memory there is.
//!
//! Invariants:
//! - Memory is bounded ([`detect::DETECTOR_BYTES_MAX`]) and no point allocates.
//! - Any sequence of points, times that jump back and values that are no numbers included, gives scores in 0..1.
//! - While too little was seen the score is 0 and the reading says so.

pub mod blame;
pub mod detect;
pub mod forecast;
pub mod model;
pub mod noticed;
mod period;
mod predict;
mod profile;
pub mod prompts;
pub mod reach;
mod ring;
mod scale;
mod shift;
pub mod suspected;
mod tail;
#[cfg(test)]
mod tests;
mod trend;
pub mod watch;

pub use trend::Rising;

use serde::{Deserialize, Serialize};

/// What kind of unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anomaly {
    /// A value far from what was expected at that moment.
    Spike,
    /// Values that are each no sensation, but together far from what was expected.
    Drift,
    /// Values that scatter much more than before.
    Unrest,
    /// The level changed and stayed there.
    LevelShift,
    /// It has been rising or falling for long.
    Trend,
    /// A value that would do at another hour, and not at this one.
    Season,
}

impl Anomaly {
    /// The word for it, as JSON and CSV have it.
    pub const fn name(self) -> &'static str {
        match self {
            Anomaly::Spike => "spike",
            Anomaly::Drift => "drift",
            Anomaly::Unrest => "unrest",
            Anomaly::LevelShift => "level-shift",
            Anomaly::Trend => "trend",
            Anomaly::Season => "season",
        }
    }
}

/// A moment at which the level changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changepoint {
    /// The first point of the new level, most likely; nanoseconds on the clock of the series.
    pub at_ns: i64,
    /// The last point before which it can hardly have been (2.5 %).
    pub earliest_ns: i64,
    /// The point after which it can hardly have been (97.5 %).
    pub latest_ns: i64,
    /// The median before, in the series' unit.
    pub before: f64,
    /// The median after.
    pub after: f64,
    /// How sure it is that there was a change at all, 0..1.
    pub confidence: f64,
}

/// What a detector says of one point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Reading {
    /// How probable it is that this point is unlike the series, 0..1; 0.5 and more is worth telling.
    ///
    /// It is a tail probability `p` in the series' own past, made a posterior: the prior is
    /// [`detect::PRIOR`], and the evidence of a `p` is at most `1 / (-e p ln p)` (Sellke, Bayarri, Berger 2001).
    pub score: f64,
    /// Too little was seen to say anything: the score is 0.
    pub warming: bool,
    /// What is unusual, if something is.
    pub kind: Option<Anomaly>,
    /// What was expected at this moment; none while nothing was.
    pub expected: Option<f64>,
    /// How far a point usually is from what is expected, comparable to a standard deviation.
    pub spread: f64,
    /// A change of the level that is certain with this point; it began earlier.
    pub changepoint: Option<Changepoint>,
    /// How fast it drifts, in units a second, said once when it is certain.
    pub slope_per_s: Option<f64>,
}
