//! How forecasts did: each is kept until its moment and then held against what happened.
//!
//! Invariants: forecasts kept are bounded; one is scored exactly once, or counted as never scored when the series ended.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Forecast, NOMINAL};

/// Forecasts that wait for their moment.
pub const WAITING_MAX: usize = 64;

/// Forecasts scored before the score means anything.
pub const SCORED_MIN: u64 = 20;

/// How fast the interval is widened or narrowed by what it missed (Gibbs, Candès 2021).
const STEP: f64 = 0.05;

/// How long after its moment a forecast can still be scored, as a share of its horizon.
const LATE: i64 = 4;

/// The score of one series' forecasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scorecard {
    waiting: VecDeque<Forecast>,
    scored: u64,
    covered: u64,
    error: f64,
    naive_error: f64,
    lost: u64,
    miss: f64,
}

impl Default for Scorecard {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            scored: 0,
            covered: 0,
            error: 0.0,
            naive_error: 0.0,
            lost: 0,
            miss: 1.0 - NOMINAL,
        }
    }
}

impl Scorecard {
    /// Keeps a forecast until its moment; the oldest gives way.
    pub fn keep(&mut self, forecast: Forecast) {
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(forecast);
    }

    /// Scores what is due by what happened.
    pub fn observe(&mut self, at_ns: i64, value: f64) {
        if !value.is_finite() {
            return;
        }
        let mut at = 0;
        while let Some(forecast) = self.waiting.get(at).copied() {
            if forecast.due_ns > at_ns {
                at += 1;
                continue;
            }
            self.waiting.remove(at);
            let horizon = forecast.due_ns.saturating_sub(forecast.made_ns);
            if at_ns.saturating_sub(forecast.due_ns) > horizon / LATE {
                // Nobody looked at that moment: what is now says nothing of it.
                self.lost += 1;
            } else {
                self.score(&forecast, value);
            }
        }
    }

    fn score(&mut self, forecast: &Forecast, value: f64) {
        let covered = (forecast.low..=forecast.high).contains(&value);
        self.scored += 1;
        self.covered += u64::from(covered);
        self.error += (value - forecast.value).abs();
        self.naive_error += (value - forecast.naive).abs();
        let missed = f64::from(!covered);
        self.miss = (self.miss + STEP * (1.0 - NOMINAL - missed)).clamp(0.005, 0.6);
    }

    /// With which probability the next interval should miss, for the nominal share to be kept in the long run.
    pub fn miss(&self) -> f64 {
        self.miss
    }

    /// Forecasts scored.
    pub fn scored(&self) -> u64 {
        self.scored
    }

    /// Forecasts that nobody could score.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The share of intervals that held; none while too few were scored.
    pub fn coverage(&self) -> Option<f64> {
        (self.scored >= SCORED_MIN).then(|| self.covered as f64 / self.scored as f64)
    }

    /// How much smaller the error is than the naive forecast's, as a share of that; below 0 it is larger. None while too
    /// few were scored, or if the naive forecast was never wrong.
    pub fn skill(&self) -> Option<f64> {
        let known = self.scored >= SCORED_MIN && self.naive_error > 0.0;
        known.then(|| 1.0 - self.error / self.naive_error)
    }

    /// The mean absolute error, in the series' unit; none while nothing was scored.
    pub fn mean_error(&self) -> Option<f64> {
        (self.scored > 0).then(|| self.error / self.scored as f64)
    }
}
