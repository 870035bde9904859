//! What the forecasts make of series that go on: sixty days of hourly points, forecast every half day for the next day;
//! with the models that the weekly job fits, or without.

use lle_core::series::forecast::score::Scorecard;
use lle_core::series::forecast::{Crossing, History, crossing, forecast_with};
use lle_core::series::model::{Model, Recent};

use super::signal::{DAY, HOUR, START, Signal, Tails, between, normal};
use crate::random::Random;

/// Points of a series.
const POINTS: i64 = 60 * 24;
/// A forecast is made once in so many points, for so many ahead.
const EVERY: i64 = 12;
const AHEAD: i64 = 24;
/// Models are fitted once in so many points: a week.
const FITTED_EVERY: i64 = 7 * 24;
/// When it is asked when a limit is reached, in points.
const ASKED_AT: i64 = 20 * 24;

/// The kinds of series that are forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As much every hour, with noise.
    Growth,
    /// In jumps, more by day.
    Jumps,
    /// Growth whose speed changes after some weeks.
    Turning,
    /// A level that wanders.
    Wandering,
    /// Noise around a level.
    Steady,
    /// A day.
    Daily,
}

/// Every kind, and what it is called.
pub const KINDS: &[(Kind, &str)] = &[
    (Kind::Growth, "steady growth"),
    (Kind::Jumps, "growth in jumps, by day"),
    (Kind::Turning, "growth that changes its speed"),
    (Kind::Wandering, "a level that wanders"),
    (Kind::Steady, "noise around a level"),
    (Kind::Daily, "daily load"),
];

/// What came of all seeds of a kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Series.
    pub n: u64,
    /// Forecasts scored, and those whose interval held.
    pub scored: u64,
    /// See there.
    pub covered: f64,
    /// The skill of each series.
    pub skills: Vec<f64>,
    /// Limits that were reached, and how many of those within the interval told.
    pub crossings: u64,
    /// See there.
    pub crossings_held: u64,
    /// Limits before which the growth changed its speed after the question, which nothing in the past could tell, and how
    /// many of those were reached within the interval.
    pub turned: u64,
    /// See there.
    pub turned_held: u64,
    /// How far off the moment expected was, as a share of the time until then.
    pub crossings_off: Vec<f64>,
    /// Asked while the past was too short.
    pub unknown: u64,
    /// Models fitted, and those of use.
    pub fitted: (u64, u64),
}

/// Makes a series; gives the point too at which the growth changes its speed, if it does.
pub fn series(kind: Kind, seed: u64) -> (Vec<(i64, f64)>, Option<i64>) {
    let mut random = Random::new(seed.wrapping_mul(37).wrapping_add(kind as u64));
    let tails = if random.once_in(2) {
        Tails::Heavy
    } else {
        Tails::Normal
    };
    let mut signal = Signal::draw(&mut random, tails, kind == Kind::Daily);
    let speed = signal.spread * between(&mut random, 0.05, 0.5);
    let turns_at = (between(&mut random, 15.0, 45.0) * 24.0) as i64;
    let turn = between(&mut random, 0.2, 3.0);
    let (mut grown, mut points) = (0.0, Vec::new());
    for at in 0..POINTS {
        let at_ns = START + at * HOUR;
        grown += match kind {
            Kind::Growth => speed,
            Kind::Turning if at < turns_at => speed,
            Kind::Turning => speed * turn,
            Kind::Jumps => {
                let by_day = at.rem_euclid(24) >= 9 && at.rem_euclid(24) < 19;
                let jumps = random.once_in(if by_day { 3 } else { 24 });
                f64::from(jumps) * speed * 6.0 * (0.7 * normal(&mut random)).exp()
            }
            Kind::Wandering => speed * 2.0 * normal(&mut random),
            Kind::Steady | Kind::Daily => 0.0,
        };
        // What grows in jumps is counted, not measured.
        let noise = if kind == Kind::Jumps {
            signal.level
        } else {
            signal.next(&mut random, at_ns, 1.0)
        };
        points.push((at_ns, noise + grown));
    }
    (points, (kind == Kind::Turning).then_some(turns_at))
}

/// Runs a kind with seeds; `models` says whether there are models besides.
pub fn run(kind: Kind, seeds: impl Iterator<Item = u64>, models: bool) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let (points, turns_at) = series(kind, seed);
        tally.add(kind, &points, turns_at, models);
    }
    tally.skills.sort_by(f64::total_cmp);
    tally.crossings_off.sort_by(f64::total_cmp);
    tally
}

impl Tally {
    fn add(&mut self, kind: Kind, points: &[(i64, f64)], turns_at: Option<i64>, models: bool) {
        self.n += 1;
        let (mut model, mut recent) = (None, Recent::default());
        let mut history = History::default();
        let mut card = Scorecard::default();
        for (at, (at_ns, value)) in points.iter().enumerate() {
            card.observe(*at_ns, *value);
            history.add(*at_ns, *value);
            recent.add(*at_ns, *value);
            if models && (at as i64 + 1) % FITTED_EVERY == 0 {
                model = Model::fit(&points[..=at], AHEAD * HOUR).ok();
                self.fitted.0 += u64::from(model.is_some());
                self.fitted.1 += u64::from(model.as_ref().is_some_and(Model::is_of_use));
            }
            let at = at as i64;
            if at % EVERY == 0 {
                let with = model.as_ref().map(|model| (model, &recent));
                match forecast_with(&history, AHEAD * HOUR, card.miss(), with) {
                    Ok(forecast) => card.keep(forecast),
                    Err(_) => self.unknown += 1,
                }
            }
            if at == ASKED_AT && matches!(kind, Kind::Growth | Kind::Jumps | Kind::Turning) {
                self.ask(&history, points, at as usize, turns_at);
            }
        }
        self.scored += card.scored();
        self.covered += card.coverage().unwrap_or(0.0) * card.scored() as f64;
        self.skills.extend(card.skill());
    }

    /// Asks for a limit that is going to be reached in two to thirty days.
    fn ask(&mut self, history: &History, points: &[(i64, f64)], at: usize, turns_at: Option<i64>) {
        let smooth = |at: usize| {
            points[at.saturating_sub(5)..=at]
                .iter()
                .map(|point| point.1)
                .sum::<f64>()
                / 6.0
        };
        let ahead = 48 + (at * 7 + (history.last().abs() * 1e3) as usize) % (28 * 24);
        let limit = smooth((at + ahead).min(points.len() - 1));
        let after = &points[at + 1..];
        let Some(truth) = after.iter().find(|point| point.1 >= limit) else {
            return;
        };
        if history.last() >= limit || truth.0 - history.last_ns() < DAY {
            return;
        }
        self.crossings += 1;
        let turned = turns_at.is_some_and(|turn| turn > at as i64 && START + turn * HOUR <= truth.0);
        self.turned += u64::from(turned);
        if let Ok(Crossing::At {
            earliest_ns,
            expected_ns,
            latest_ns,
        }) = crossing(history, limit, false)
        {
            let held = earliest_ns <= truth.0 && latest_ns.is_none_or(|latest| truth.0 <= latest);
            self.crossings_held += u64::from(held);
            self.turned_held += u64::from(held && turned);
            if let Some(expected) = expected_ns {
                let until = (truth.0 - history.last_ns()) as f64;
                self.crossings_off.push((expected - truth.0).abs() as f64 / until);
            }
        }
    }
}
