//! Whether somebody should be told that a limit is near.
//!
//! A forecast is made anew with every point, and would come and go. It is told when the growth itself reaches the limit,
//! for sure: with both ends of the interval, the near one within [`HORIZON_NS`], and no farther ahead than the past is long,
//! several times in a row. It is told no more when the near end has been clearly beyond that for an hour of points.
//!
//! Invariant: of a series that goes nowhere nothing is computed, which is nearly every series, nearly always.

use super::History;
use super::crossing::{Crossing, crossing};

/// How far ahead a limit is told: two weeks, in which anybody finds the time to do something about it.
pub const HORIZON_NS: i64 = 14 * 24 * 3_600 * 1_000_000_000;
/// Points in a row at which it must be near: half an hour of five-minute means.
const NEAR_MIN: u32 = 6;
/// Points in a row at which it must not, to be told no more: an hour.
const FAR_MIN: u32 = 12;
/// What is told is told until it is so much farther away than it had to be.
const HELD: f64 = 1.5;
/// A series is not taken to go farther, in the time ahead that is looked at, than so many times what its past spans.
const RANGES: f64 = 2.0;

/// When a limit that is near is reached; times are those of the series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// The nearer end of the interval.
    pub earliest_ns: i64,
    /// The moment expected.
    pub expected_ns: i64,
    /// The farther end; none if it may never be, by now.
    pub latest_ns: Option<i64>,
}

/// What was seen of a series on its way to a limit.
#[derive(Clone, Debug, Default)]
pub struct Nearing {
    told: bool,
    near: Option<Near>,
    near_count: u32,
    far_count: u32,
}

impl Nearing {
    /// Goes on where somebody was told already, and would otherwise be told again.
    pub fn told_before() -> Self {
        Self {
            told: true,
            ..Self::default()
        }
    }

    /// Looks at a series to which a point was added.
    pub fn look(&mut self, history: &History, limit: f64, falling: bool) {
        let seen = self.seen(history, limit, falling);
        if let Some(near) = seen {
            self.near = Some(near);
            self.near_count = self.near_count.saturating_add(1);
            self.far_count = 0;
        } else {
            self.near_count = 0;
            self.far_count = self.far_count.saturating_add(1);
        }
        self.told = if self.told {
            self.far_count < FAR_MIN
        } else {
            self.near_count >= NEAR_MIN
        };
    }

    /// What is to be told.
    pub fn near(&self) -> Option<Near> {
        self.near.filter(|_| self.told)
    }

    fn seen(&self, history: &History, limit: f64, falling: bool) -> Option<Near> {
        let last_ns = history.last_ns();
        if (limit - history.last()).abs() > RANGES * history.range() {
            return None;
        }
        let ahead_ns = HORIZON_NS.min(history.span_ns()) as f64;
        match crossing(history, limit, falling) {
            // It came to what was told.
            Ok(Crossing::Now) if self.told => Some(Near {
                earliest_ns: last_ns,
                expected_ns: last_ns,
                latest_ns: Some(last_ns),
            }),
            Ok(Crossing::At {
                earliest_ns,
                expected_ns: Some(expected_ns),
                latest_ns,
            }) => {
                let until_ns = earliest_ns.saturating_sub(last_ns) as f64;
                let is_near = if self.told {
                    until_ns <= ahead_ns * HELD
                } else {
                    until_ns <= ahead_ns && latest_ns.is_some()
                };
                is_near.then_some(Near {
                    earliest_ns,
                    expected_ns,
                    latest_ns,
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES_5: i64 = 300 * 1_000_000_000;
    const DAY: i64 = 288;

    /// Normal enough, the same every time.
    fn noise(seed: u64, at: i64) -> f64 {
        let draw = |salt: u64| {
            let mut mixed = ((seed << 40) ^ (at as u64 * 4 + salt)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        };
        ((0..4).map(draw).sum::<f64>() - 2.0) * 1.73
    }

    /// The points at which it begins to be told, and at which it ends.
    fn told(points: i64, limit: f64, mut value: impl FnMut(i64) -> f64) -> Vec<(i64, bool)> {
        let (mut history, mut nearing) = (History::default(), Nearing::default());
        let mut changes = Vec::new();
        for at in 0..points {
            history.add(at * MINUTES_5, value(at));
            let before = nearing.near().is_some();
            nearing.look(&history, limit, false);
            if nearing.near().is_some() != before {
                changes.push((at, !before));
            }
        }
        changes
    }

    #[test]
    fn growth_is_told_once_before_the_limit_and_until_it_ends() {
        // It reaches 1,000 after 45 days.
        let grows = |at: i64| 100.0 + at as f64 / DAY as f64 * 20.0 + noise(1, at);
        let all = told(46 * DAY, 1_000.0, grows);
        let [(at, true)] = all[..] else { panic!("{all:?}") };
        let ahead = 45 - at / DAY;
        // The near end is what counts, and that is a day before.
        assert!((13..=16).contains(&ahead), "{ahead} days ahead");
        // What stops growing is told no more.
        let all = told(60 * DAY, 1_000.0, |at| grows(at.min(40 * DAY)) + noise(2, at));
        assert_eq!(
            all.iter().map(|change| change.1).collect::<Vec<_>>(),
            [true, false],
            "{all:?}"
        );
    }

    #[test]
    fn what_fills_up_within_a_day_is_told_hours_before() {
        let all = told(DAY, 1_000.0, |at| at as f64 / 200.0 * 1_000.0 + noise(3, at));
        assert!(matches!(all[..], [(at, true)] if at < 150), "{all:?}");
    }

    #[test]
    fn what_goes_nowhere_is_hardly_ever_told() {
        // Two weeks each of noise, of a day, and of a level that wanders, with a limit that is not far.
        let mut weeks = 0;
        let mut alarms = Vec::new();
        for seed in 0..3 {
            let day = |at: i64| 8.0 * (at as f64 / DAY as f64 * std::f64::consts::TAU).sin();
            let mut wanders = 100.0;
            let mut check = |name: &str, value: &mut dyn FnMut(i64) -> f64| {
                let told = told(14 * DAY, 125.0, value);
                weeks += 2;
                alarms.extend(
                    told.into_iter()
                        .filter(|change| change.1)
                        .map(|change| (name.to_owned(), seed, change.0)),
                );
            };
            check("noise", &mut |at| 100.0 + 4.0 * noise(seed, at));
            check("day", &mut |at| 100.0 + day(at) + 2.0 * noise(seed, at));
            check("wanders", &mut |at| {
                wanders += 0.25 * noise(seed, at);
                wanders
            });
        }
        assert!(
            alarms.len() * 10 < weeks,
            "{} in {weeks} weeks: {alarms:?}",
            alarms.len()
        );
    }
}
