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

/// Weeks of which scores are kept apart: a month is within them.
const WEEKS_MAX: usize = 5;
const WEEK_NS: i64 = 7 * 24 * 3_600 * 1_000_000_000;

/// What one week's forecasts came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Week {
    /// Weeks since 1970.
    week: i64,
    scored: u64,
    covered: u64,
    squares: f64,
    naive_squares: f64,
}

/// What the forecasts of the last weeks came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lately {
    /// Forecasts scored.
    pub scored: u64,
    /// Of these, whose interval held.
    pub covered: u64,
    /// Their squared errors, by those of the naive forecast; none if that was never wrong.
    pub squares_ratio: Option<f64>,
}

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
    weeks: VecDeque<Week>,
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
            weeks: VecDeque::new(),
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
                self.score_week(at_ns, &forecast, value);
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

    fn score_week(&mut self, at_ns: i64, forecast: &Forecast, value: f64) {
        let week = at_ns.div_euclid(WEEK_NS);
        // What a clock that was ahead has left is of no week.
        self.weeks.retain(|known| known.week <= week);
        if self.weeks.back().is_none_or(|last| last.week != week) {
            self.weeks.push_back(Week {
                week,
                ..Week::default()
            });
            while self.weeks.len() > WEEKS_MAX {
                self.weeks.pop_front();
            }
        }
        if let Some(last) = self.weeks.back_mut() {
            last.scored += 1;
            last.covered += u64::from((forecast.low..=forecast.high).contains(&value));
            last.squares += (value - forecast.value).powi(2);
            last.naive_squares += (value - forecast.naive).powi(2);
        }
    }

    /// What the forecasts of whole weeks came to that are within so long before now, and this one's.
    pub fn lately(&self, now_ns: i64, within_ns: i64) -> Lately {
        let first = now_ns.saturating_sub(within_ns).div_euclid(WEEK_NS);
        let weeks = || self.weeks.iter().filter(|week| week.week > first);
        let naive: f64 = weeks().map(|week| week.naive_squares).sum();
        Lately {
            scored: weeks().map(|week| week.scored).sum(),
            covered: weeks().map(|week| week.covered).sum(),
            squares_ratio: (naive > 0.0).then(|| weeks().map(|week| week.squares).sum::<f64>() / naive),
        }
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
