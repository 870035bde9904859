//! What a day and a week are usually like, and what that is worth for saying what comes: fitted in the background.
//!
//! ```text
//!  weeks of points ─▸ hourly means ─▸ less the level of the last week ─▸ median of each hour of the day, of the week
//!                                                                              │ refitted week by week on what was before
//!                        errors a day ahead, in weeks that it had not seen ◂───┘ ─▸ which profile, how much of today, the interval
//! ```
//!
//! A robust profile and no decomposition (STL, Holt-Winters): those want a value for every hour, and a laptop sleeps at
//! night; medians pass over what is missing, and over an odd day. What is fitted is judged by forecasts of weeks that
//! came after (rolling origin, Tashman 2000), its own errors there are its interval, and it is used where it errs a tenth
//! less than whatever else forecasts the series ([`super::forecast::forecast_with`]).
//!
//! Hours are those of the clock in UTC: over a change to summer time a pattern is an hour off, until medians follow.
//!
//! Invariants: nothing is judged by what it was fitted to; memory is bounded; where the past is too short, there is no
//! model, but how much is missing.

mod hours;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::forecast::{Forecast, Unknown};
use hours::{Hours, Trial};

/// Weeks that a model looks back: older ones are of another life.
pub const WEEKS_MAX: usize = 8;
/// Hours below which nothing is fitted: two weeks to learn from, and one to be judged by.
pub const HOURS_MIN: usize = 3 * WEEK;
/// Forecasts that must have been judged.
const TRIED_MIN: usize = 20;
/// Errors kept for the interval, as quantiles.
const QUANTILES: usize = 41;
/// An origin of a forecast is judged once in so many hours.
const EVERY: usize = 6;
/// How much a model must be better than the last value to be of use, and than the best of the other forecasts to be
/// taken in its place: what was chosen among many by its past does a little worse later.
pub(super) const BETTER: f64 = 0.9;
/// How much of how far today is from the usual goes on: the candidates.
const CARRIED: [f64; 3] = [0.0, 0.5, 1.0];
/// Weeks of one hour of the week that weigh as much as what the hour of the day says.
const WEEKS_OF_DOUBT: f64 = 2.0;
/// Values beyond are taken for missing.
const VALUE_MAX: f64 = 1e30;

const DAY: usize = 24;
const WEEK: usize = 7 * DAY;
const HOUR_NS: i64 = 3_600 * 1_000_000_000;

/// A pattern, and how it did in weeks that it had not seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// How far each hour is from the level of a week: 24 hours of a day, or 168 of a week that begins on a Thursday, as
    /// 1970 did. None where that hour was never seen.
    profile: Vec<Option<f32>>,
    /// How much of how far it is from that goes on until a day later.
    carried: f64,
    /// Mean absolute error a day ahead.
    error: f64,
    /// The same of the last value, at the same moments.
    naive_error: f64,
    /// Forecasts judged.
    tried: u64,
    /// Quantiles of the error, evenly apart, from 0 to 1.
    errors: Vec<f32>,
    /// Hours it was fitted to.
    hours: u64,
}

/// Hourly means of the last week.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Hours since 1970, with the sum of their values and how many.
    hours: VecDeque<(i64, f64, u32)>,
}

impl Recent {
    /// Adds a value. One that is earlier than the last hour is passed over; a clock that went back by more than a day
    /// begins anew.
    pub fn add(&mut self, at_ns: i64, value: f64) {
        if !usable(value) {
            return;
        }
        let hour = at_ns.div_euclid(HOUR_NS);
        match self.hours.back_mut() {
            Some((last, sum, count)) if *last == hour => {
                *sum += value;
                *count = count.saturating_add(1);
                return;
            }
            Some((last, ..)) if *last - hour > DAY as i64 => self.hours.clear(),
            Some((last, ..)) if *last > hour => return,
            _ => {}
        }
        self.hours.push_back((hour, value, 1));
        while self
            .hours
            .front()
            .is_some_and(|(first, ..)| hour - first >= WEEK as i64)
        {
            self.hours.pop_front();
        }
    }

    /// The last hour and its mean.
    fn last(&self) -> Option<(i64, f64)> {
        self.hours
            .back()
            .map(|(hour, sum, count)| (*hour, sum / f64::from(*count)))
    }

    fn level(&self) -> Option<f64> {
        median(
            self.hours
                .iter()
                .map(|(_, sum, count)| sum / f64::from(*count))
                .collect(),
        )
    }
}

impl Model {
    /// Fits a model for forecasts of so far ahead; points are in the order of time, at most an hour apart where there are
    /// any.
    ///
    /// # Errors
    /// The past is too short, or has too many holes.
    pub fn fit(points: &[(i64, f64)], ahead_ns: i64) -> Result<Model, Unknown> {
        let hours = Hours::of(points)?;
        let ahead = usize::try_from(ahead_ns / HOUR_NS).unwrap_or(DAY).max(1);
        let end = hours.means.len();
        let first = (2 * WEEK).max(end.saturating_sub((WEEKS_MAX / 2) * WEEK));
        let mut trials: Vec<Trial> = Vec::new();
        for begin in (first..end).step_by(WEEK) {
            let profiles = [hours.day(begin), hours.week(begin)];
            for at in (begin..end.min(begin + WEEK)).step_by(EVERY) {
                trials.extend(hours.trial(points, &profiles, at, ahead, ahead_ns));
            }
        }
        if trials.len() < TRIED_MIN {
            return Err(Unknown::TooFew {
                have: trials.len(),
                need: TRIED_MIN,
            });
        }
        let mean = |of: &dyn Fn(&Trial) -> f64| trials.iter().map(of).sum::<f64>() / trials.len() as f64;
        let candidates = (0..2).flat_map(|kind| (0..CARRIED.len()).map(move |carried| (kind, carried)));
        let judged =
            candidates.map(|(kind, carried)| (mean(&|trial| trial.errors[kind][carried]), kind, carried));
        let best = judged.min_by(|a, b| a.0.total_cmp(&b.0));
        let (error, kind, carried) = best.unwrap_or((f64::INFINITY, 0, 0));
        let mut errors: Vec<f64> = trials.iter().map(|trial| trial.errors[kind][carried]).collect();
        errors.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| errors[((errors.len() - 1) as f64 * share).round() as usize] as f32;
        let profile = if kind == 0 {
            hours.day(end)
        } else {
            hours.week(end)
        };
        Ok(Model {
            profile: profile
                .into_iter()
                .map(|value| value.map(|value| value as f32))
                .collect(),
            carried: CARRIED[carried],
            error,
            naive_error: mean(&|trial| trial.naive),
            tried: trials.len() as u64,
            errors: (0..QUANTILES)
                .map(|at_| at(at_ as f64 / (QUANTILES - 1) as f64))
                .collect(),
            hours: hours.known as u64,
        })
    }

    /// Whether what was read back is within its bounds: it comes from a file.
    pub fn is_sound(&self) -> bool {
        let finite = |value: f64| value.is_finite() && value.abs() <= VALUE_MAX;
        matches!(self.profile.len(), DAY | WEEK)
            && self
                .profile
                .iter()
                .flatten()
                .all(|value| finite(f64::from(*value)))
            && (0.0..=1.0).contains(&self.carried)
            && finite(self.error)
            && finite(self.naive_error)
            && self.errors.len() == QUANTILES
            && self.errors.iter().all(|error| finite(f64::from(*error)))
            && self.errors.is_sorted_by(|a, b| a <= b)
    }

    /// Forecasts what comes a day after the last value, with an interval that misses with probability `miss`; none if
    /// the hours concerned were never seen.
    pub fn forecast(
        &self,
        recent: &Recent,
        made_ns: i64,
        last: f64,
        ahead_ns: i64,
        miss: f64,
    ) -> Option<Forecast> {
        let (hour, now) = recent.last()?;
        let level = recent.level()?;
        let due_ns = made_ns.saturating_add(ahead_ns);
        let off = now - level - self.at(hour)?;
        let value = level + self.at(due_ns.div_euclid(HOUR_NS))? + self.carried * off;
        let n = self.tried.max(1) as f64;
        let share = ((1.0 - miss.clamp(0.005, 0.995)) * (1.0 + 1.0 / n)).min(1.0);
        let place = share * (QUANTILES - 1) as f64;
        let at = |i: usize| {
            self.errors
                .get(i.min(QUANTILES - 1))
                .copied()
                .map_or(0.0, f64::from)
        };
        let (below, above) = (at(place.floor() as usize), at(place.ceil() as usize));
        let half = below + (above - below) * place.fract();
        Some(Forecast {
            made_ns,
            due_ns,
            value,
            low: value - half,
            high: value + half,
            naive: last,
        })
    }

    fn at(&self, hour: i64) -> Option<f64> {
        let bin = usize::try_from(hour.rem_euclid(self.profile.len().max(1) as i64)).ok()?;
        self.profile.get(bin).copied().flatten().map(f64::from)
    }

    /// Whether it errs enough less than the last value to be of use.
    pub fn is_of_use(&self) -> bool {
        self.error < self.naive_error * BETTER
    }

    /// Mean absolute error a day ahead, in the series' unit.
    pub fn error(&self) -> f64 {
        self.error
    }

    /// Mean absolute error of the last value at the same moments.
    pub(super) fn naive_error(&self) -> f64 {
        self.naive_error
    }

    /// How much smaller its error is than the last value's, as a share of that; none if that was never wrong.
    pub fn skill(&self) -> Option<f64> {
        (self.naive_error > 0.0).then(|| 1.0 - self.error / self.naive_error)
    }

    /// Forecasts judged.
    pub fn tried(&self) -> u64 {
        self.tried
    }

    /// Hours it was fitted to.
    pub fn hours(&self) -> u64 {
        self.hours
    }

    /// "daily" or "weekly".
    pub fn period(&self) -> &'static str {
        if self.profile.len() == WEEK {
            "weekly"
        } else {
            "daily"
        }
    }

    /// The hour at which it is highest, and by how much above the lowest: of the day, or of the week from Monday on; in
    /// UTC.
    pub fn peak(&self) -> Option<(usize, f64)> {
        let known = || {
            self.profile
                .iter()
                .enumerate()
                .filter_map(|(at, value)| Some((at, (*value)?)))
        };
        let (high, highest) = known().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let (_, lowest) = known().min_by(|a, b| a.1.total_cmp(&b.1))?;
        // Thursday is the fourth day.
        let hour = if self.profile.len() == WEEK {
            (high + 3 * DAY) % WEEK
        } else {
            high
        };
        Some((hour, f64::from(highest - lowest)))
    }
}

fn usable(value: f64) -> bool {
    value.is_finite() && value.abs() <= VALUE_MAX
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let (middle, is_odd) = (values.len() / 2, !values.len().is_multiple_of(2));
    let (before, at, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let below = before.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(if is_odd { *at } else { f64::midpoint(below, *at) })
}

#[cfg(test)]
mod tests;
