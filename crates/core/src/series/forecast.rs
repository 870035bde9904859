//! Where a series will be, and when it reaches a limit, with how sure that is.
//!
//! Four simple forecasts compete: the last value (the naive one), the recent level, and that level carried on by the
//! recent slope or by the slope of everything. Each was tried at many moments of the past ("rolling origin", Tashman
//! 2000); the one with the smallest error at the horizon asked for is taken, and its own errors there give the interval
//! (split conformal prediction: Papadopoulos et al. 2002). Later every forecast is scored ([`score`]), and an interval
//! that holds too seldom is widened (Gibbs, Candès 2021).
//!
//! Invariants: memory is bounded; where the past is too short there is no number, but how many points are missing.

mod crossing;
mod history;
pub mod nearing;
pub mod score;
#[cfg(test)]
mod tests;

pub use crossing::{Crossing, crossing};
pub use history::{History, POINTS_MAX};

use serde::{Deserialize, Serialize};

use super::model::{BETTER, Model, Recent};
use history::{Method, Trials};

/// The share of forecasts that the interval should hold.
pub const NOMINAL: f64 = 0.8;

/// Points before anything is forecast.
pub const POINTS_MIN: usize = 30;

/// Why there is no forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Unknown {
    /// The past is too short.
    #[error("unknown: {have} of {need} samples so far")]
    TooFew {
        /// Points there are.
        have: usize,
        /// Points there must be.
        need: usize,
    },
    /// The horizon is longer than the past can vouch for.
    #[error("unknown: the past is too short for that horizon")]
    TooFar,
}

/// What is expected at a moment to come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// When it was made: the time of the last point.
    pub made_ns: i64,
    /// The moment it is about.
    pub due_ns: i64,
    /// The value expected.
    pub value: f64,
    /// Below, it is with a probability of `(1 - nominal) / 2`.
    pub low: f64,
    /// Above, too.
    pub high: f64,
    /// What the naive forecast says: the last value.
    pub naive: f64,
}

/// Forecasts a series so far after its last point, with an interval that misses with probability `miss`.
///
/// Pass [`score::Scorecard::miss`] for `miss`, or `1.0 - NOMINAL` while nothing was scored.
pub fn forecast(history: &History, ahead_ns: i64, miss: f64) -> Result<Forecast, Unknown> {
    forecast_with(history, ahead_ns, miss, None)
}

/// Forecasts a series as [`forecast`] does, or by a model that was fitted for so far ahead, with what the last week was
/// like, if that erred a tenth less in the past that it had not seen.
pub fn forecast_with(
    history: &History,
    ahead_ns: i64,
    miss: f64,
    model: Option<(&Model, &Recent)>,
) -> Result<Forecast, Unknown> {
    // Both erred in times of their own: what is compared is how much less than the last value did in the same.
    let by_model = |best: f64, naive: f64| {
        let (model, recent) = model.filter(|(model, _)| model.is_of_use())?;
        let counts = model.error() * naive < best * BETTER * model.naive_error();
        counts.then_some(())?;
        model.forecast(recent, history.last_ns(), history.last(), ahead_ns, miss)
    };
    match simple(history, ahead_ns, miss) {
        Ok((told, error, naive)) => Ok(by_model(error, naive).unwrap_or(told)),
        Err(unknown) => by_model(1.0, 1.0).ok_or(unknown),
    }
}

/// The best of the simple forecasts, with its mean error in the past and that of the last value.
fn simple(history: &History, ahead_ns: i64, miss: f64) -> Result<(Forecast, f64, f64), Unknown> {
    // Before anything is tried: while the past is too short, it is asked again and again.
    if !history.vouches_for(ahead_ns)? {
        return Err(Unknown::TooFar);
    }
    let trials = Trials::of(history)?;
    let steps = trials.steps(ahead_ns);
    let (method, error) = trials.best(steps).ok_or(Unknown::TooFar)?;
    let (below, above) = trials.interval(method, steps, miss).ok_or(Unknown::TooFar)?;
    let value = trials.now(method, ahead_ns as f64 / 1e9);
    let told = Forecast {
        made_ns: history.last_ns(),
        due_ns: history.last_ns().saturating_add(ahead_ns),
        value,
        low: value - below,
        high: value + above,
        naive: trials.now(Method::Naive, 0.0),
    };
    Ok((told, error, trials.mean_error(Method::Naive, steps)))
}
