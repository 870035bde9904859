//! What to expect next, from the best of several simple predictors.
//!
//! ```text
//!  the last ones │ fast level │ slow level │ one period ago │ this hour of the day │ of the week
//!        └───────┴──────┬─────┴────────────┴────────────────┴──────────────────────┘
//!           each one's recent error ─▸ the smallest wins, before the value is seen
//! ```
//!
//! Each is an exponentially weighted mean (Brown 1959; Holt 1957) or a seasonal one, and what moves it is held within a
//! few spreads of what it expected (Gelper, Fried, Croux 2010), so a strange value moves none of them far.
//!
//! Invariant: the choice is made by errors of points before.

use super::period::{Period, REMEMBERED};
use super::profile::{DAY_NS, Day, WEEK_NS, Week};
use super::ring::Ring;

/// The predictors.
const FAST: usize = 1;
const SLOW: usize = 2;
/// The first that knows a season.
const LAG: usize = 3;
const COUNT: usize = 6;

/// What the newest value weighs in a level.
const FAST_WEIGHT: f64 = 1.0 / 8.0;
const SLOW_WEIGHT: f64 = 1.0 / 64.0;
/// What it weighs in how far today is from the usual day.
const OFFSET_WEIGHT: f64 = 1.0 / 16.0;
/// What it weighs in a predictor's error.
const ERROR_WEIGHT: f64 = 1.0 / 64.0;
/// Predictions that a predictor must have made before it is believed.
const TRIED_MIN: u32 = 48;
/// A value is taken to be no farther than so many spreads from what was expected.
const HELD: f64 = 4.0;
/// Points for which another season, or none, must leave least before the one taken off is given up.
const SEASON_POINTS: u32 = 96;
/// A season must leave no more than this share of what there is without.
const WORTH: f64 = 0.8;
/// A predictor must be so much better than the one in use.
const BETTER: f64 = 0.95;

#[derive(Clone, Debug)]
pub(super) struct Predict {
    last: Ring<f64, 3>,
    fast: f64,
    slow: f64,
    offsets: [f64; 3],
    slow_offsets: [f64; 3],
    /// How far seasons with slow offsets are off.
    slow_errors: [f64; 3],
    errors: [f64; COUNT],
    tried: [u32; COUNT],
    best: usize,
    /// The season that is taken off; it stays for a while when no season explains much, as while the level moves.
    season: Option<usize>,
    other_season: u32,
    seen: u64,
    /// Values held within what was expected, missing ones filled in.
    cleaned: Ring<f64, REMEMBERED>,
    period: Period,
    day: Day,
    week: Week,
}

/// What is expected at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// By the best predictor.
    pub(super) value: f64,
    /// By one that follows slowly.
    pub(super) slow: f64,
    /// How far that one usually is off.
    pub(super) slow_error: f64,
    /// What the season says, if there is one.
    pub(super) season: Option<f64>,
    /// The level apart from any season.
    pub(super) level: f64,
    /// How far values usually are from that.
    pub(super) level_error: f64,
    /// What each season says.
    pub(super) bases: [Option<f64>; 3],
    all: [Option<f64>; COUNT],
}

impl Predict {
    pub(super) fn new() -> Self {
        Self {
            last: Ring::new(),
            fast: 0.0,
            slow: 0.0,
            offsets: [0.0; 3],
            slow_offsets: [0.0; 3],
            slow_errors: [0.0; 3],
            errors: [0.0; COUNT],
            tried: [0; COUNT],
            best: FAST,
            season: None,
            other_season: 0,
            seen: 0,
            cleaned: Ring::new(),
            period: Period::new(),
            day: Day::new(DAY_NS),
            week: Week::new(WEEK_NS),
        }
    }

    /// Which season is taken off.
    pub(super) fn season(&self) -> Option<usize> {
        self.season
    }

    /// The period in points, if there is one.
    pub(super) fn period(&self) -> Option<usize> {
        self.period.found
    }

    /// What is expected at a moment; none before the first value.
    pub(super) fn expect(&self, at_ns: i64) -> Option<Expected> {
        if self.seen == 0 {
            return None;
        }
        let bases = [self.one_period_ago(), self.day.at(at_ns), self.week.at(at_ns)];
        let mut all = [
            Some(self.median()),
            Some(self.fast),
            Some(self.slow),
            None,
            None,
            None,
        ];
        for (season, base) in bases.iter().enumerate() {
            all[LAG + season] = base.map(|base| base + self.offsets[season]);
        }
        // A season that says nothing of this hour leaves it to the levels.
        let best = if all[self.best].is_some() {
            self.best
        } else {
            self.best_of(&all)
        };
        let season = self.season.and_then(|season| Some((season, bases[season]?)));
        let (slow, slow_error) = match season {
            Some((season, base)) => (base + self.slow_offsets[season], self.slow_errors[season]),
            None => (self.slow, self.errors[SLOW]),
        };
        Some(Expected {
            value: all[best].unwrap_or(self.fast),
            slow,
            slow_error,
            season: season.map(|(_, base)| base),
            level: self.slow,
            level_error: self.errors[SLOW] * 1.25,
            bases,
            all,
        })
    }

    fn best_of(&self, all: &[Option<f64>; COUNT]) -> usize {
        let known =
            (0..COUNT).filter(|at| all[*at].is_some() && (*at == FAST || self.tried[*at] >= TRIED_MIN));
        known
            .min_by(|a, b| self.errors[*a].total_cmp(&self.errors[*b]))
            .unwrap_or(FAST)
    }

    fn median(&self) -> f64 {
        let at = |steps| self.last.back(steps).unwrap_or(self.fast);
        let (a, b, c) = (at(0), at(1), at(2));
        a.max(b).min(a.min(b).max(c))
    }

    fn one_period_ago(&self) -> Option<f64> {
        let period = self.period.found?;
        let one = self.cleaned.back(period - 1)?;
        Some(match self.cleaned.back(2 * period - 1) {
            Some(two) => f64::midpoint(one, two),
            None => one,
        })
    }

    /// Learns the value that came, where `expected` was; `spread` is how far values usually are from that.
    pub(super) fn learn(&mut self, at_ns: i64, value: f64, expected: Option<&Expected>, spread: f64) {
        self.seen += 1;
        let Some(expected) = expected else {
            self.fast = value;
            self.slow = value;
            self.last.push(value);
            self.remember(at_ns, value);
            return;
        };
        for (at, predicted) in expected.all.iter().enumerate() {
            if let Some(predicted) = predicted {
                let tried = self.tried[at].saturating_add(1);
                self.tried[at] = tried;
                follow(&mut self.errors[at], (value - predicted).abs(), tried, spread);
            }
        }
        let held = |around: f64, error: f64| {
            let most = HELD * spread.max(error * 1.25);
            value.clamp(around - most, around + most)
        };
        let young = 1.0 / self.seen as f64;
        self.fast += (held(self.fast, self.errors[FAST]) - self.fast) * FAST_WEIGHT.max(young);
        self.slow += (held(self.slow, self.errors[SLOW]) - self.slow) * SLOW_WEIGHT.max(young);
        for (season, base) in expected.bases.iter().enumerate() {
            let Some(base) = base else { continue };
            let tried = self.tried[LAG + season];
            let young = 1.0 / f64::from(tried.max(1));
            let off = (value - base - self.slow_offsets[season]).abs();
            follow(&mut self.slow_errors[season], off, tried, spread);
            for (offsets, weight) in [
                (&mut self.offsets, OFFSET_WEIGHT),
                (&mut self.slow_offsets, SLOW_WEIGHT),
            ] {
                let offset = &mut offsets[season];
                let around = base + *offset;
                *offset += (held(around, self.errors[LAG + season]) - around) * weight.max(young);
            }
        }
        self.last.push(value);
        self.remember(at_ns, held(expected.value, 0.0));
        let all = std::array::from_fn(|at| expected.all[at]);
        let best = self.best_of(&all);
        if all[self.best].is_none() || self.errors[best] < self.errors[self.best] * BETTER {
            self.best = best;
        }
        self.choose_season(&expected.bases);
    }

    /// A season is taken up when it predicts best, and kept while it leaves less around a slow level than there is without:
    /// on a Monday after the first weekend the last points may predict better, and the day still explains what they do.
    fn choose_season(&mut self, bases: &[Option<f64>; 3]) {
        let Some(season) = self.season else {
            self.season = self.best.checked_sub(LAG);
            self.other_season = 0;
            return;
        };
        let none = (None, self.errors[SLOW] * WORTH);
        let known = (0..3)
            .filter(|season| bases[*season].is_some() && self.tried[LAG + season] >= TRIED_MIN)
            .map(|season| (Some(season), self.slow_errors[season]));
        let (best, least) = known.fold(none, |best, with| if with.1 < best.1 { with } else { best });
        let keeps = best.is_some() && least >= self.slow_errors[season] * BETTER;
        self.other_season = if keeps { 0 } else { self.other_season + 1 };
        if self.other_season >= SEASON_POINTS {
            self.season = best;
            self.other_season = 0;
        }
    }

    fn remember(&mut self, at_ns: i64, value: f64) {
        self.cleaned.push(value);
        self.period.look(&self.cleaned);
        self.day.add(at_ns, value);
        self.week.add(at_ns, value);
    }

    /// Lets points pass that did not come.
    pub(super) fn skip(&mut self, points: usize) {
        for _ in 0..points.min(REMEMBERED) {
            let filled = self.one_period_ago().or_else(|| self.cleaned.back(0));
            self.cleaned.push(filled.unwrap_or(0.0));
        }
    }

    /// Starts from a new level, by which everything has moved.
    pub(super) fn shift(&mut self, level: f64, by: f64) {
        self.fast = level;
        self.slow = level;
        for offsets in [&mut self.offsets, &mut self.slow_offsets] {
            for offset in offsets {
                *offset += by;
            }
        }
        self.errors[SLOW] = self.errors[SLOW].min(self.errors[FAST]);
    }
}

/// Moves a mean error by the newest, which is every predictor's if it is a strange value's, but not to the same degree.
/// Where there was no error yet, `spread` gives the unit.
fn follow(mean: &mut f64, error: f64, tried: u32, spread: f64) {
    let most = if tried < 16 {
        f64::MAX
    } else {
        mean.max(spread * 1e-6) * 8.0
    };
    *mean += (error.min(most) - *mean) * ERROR_WEIGHT.max(1.0 / f64::from(tried.max(1)));
}
