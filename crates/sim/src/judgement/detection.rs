//! What the detector and the blame make of a scenario.

use lle_core::series::blame::{Measured, blame};
use lle_core::series::detect::{ALARM_SCORE, Detector};

use super::scenario::{Kind, Scenario, scenario};
use super::signal::{DAY, HOUR, MINUTES_5, START};

/// Alarms that are closer together are one that lasts.
const APART_NS: i64 = HOUR;
/// The first week is told apart: everything is new in it.
const LEARNING_NS: i64 = 7 * DAY;
/// How far a changepoint may be from the truth and still be that one.
const NEAR_NS: i64 = 3 * HOUR;

/// What came of all seeds of a kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Scenarios.
    pub n: u64,
    /// In which what happens was noticed in time.
    pub noticed: u64,
    /// How long it took, in seconds, where it was.
    pub took_s: Vec<f64>,
    /// Alarms about nothing in the first week, and weeks of it.
    pub learning_alarms: u64,
    /// Alarms about nothing later, before anything happens.
    pub false_alarms: u64,
    /// Weeks in which nothing happened.
    pub quiet_weeks: f64,
    /// Level shifts located, and how far from the truth, in points.
    pub located: Vec<f64>,
    /// Of these, whose interval holds the truth.
    pub interval_holds: u64,
    /// Of these, with the right one blamed, or none where none was recorded.
    pub blamed_right: u64,
    /// The sum of the confidences in whoever was blamed.
    pub blame_confidence: f64,
}

/// Runs a kind with seeds.
pub fn run(kind: Kind, seeds: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        tally.add(kind, &scenario(kind, seed));
    }
    tally.took_s.sort_by(f64::total_cmp);
    tally.located.sort_by(f64::total_cmp);
    tally
}

impl Tally {
    fn add(&mut self, kind: Kind, scenario: &Scenario) {
        self.n += 1;
        let mut detector = Detector::new();
        let learned_ns = START + LEARNING_NS;
        let end_ns = scenario.points.last().map_or(START, |point| point.0);
        let quiet_until = scenario.truth.map_or(end_ns, |truth| truth.at_ns);
        self.quiet_weeks += (quiet_until - learned_ns).max(0) as f64 / (7 * DAY) as f64;
        let mut last_alarm: Option<i64> = None;
        let mut noticed = None;
        let mut located = false;
        for (at_ns, value) in &scenario.points {
            let reading = detector.observe(*at_ns, *value);
            if reading.score < ALARM_SCORE {
                continue;
            }
            let again = last_alarm.is_some_and(|last| at_ns - last < APART_NS);
            last_alarm = Some(*at_ns);
            if *at_ns < quiet_until || scenario.truth.is_none() {
                let alarms = if *at_ns < learned_ns {
                    &mut self.learning_alarms
                } else {
                    &mut self.false_alarms
                };
                *alarms += u64::from(!again);
            }
            let Some(truth) = scenario.truth else { continue };
            let in_time = (truth.at_ns..=truth.until_ns).contains(at_ns);
            match reading.changepoint {
                Some(changepoint) if kind.is_shift() => {
                    let off = (changepoint.at_ns - truth.at_ns).abs();
                    if located || !in_time || off > NEAR_NS {
                        continue;
                    }
                    located = true;
                    noticed.get_or_insert(at_ns - truth.at_ns);
                    self.located.push(off as f64 / MINUTES_5 as f64);
                    let holds = changepoint.earliest_ns < truth.at_ns && truth.at_ns <= changepoint.latest_ns;
                    self.interval_holds += u64::from(holds);
                    let suspects = blame(&changepoint, MINUTES_5, Measured::Session, &scenario.changes);
                    self.blamed_right += u64::from(suspects[0].what == scenario.culprit);
                    self.blame_confidence += suspects[0].confidence;
                }
                // A shift is noticed when it is known to be one: that the first point was strange is not enough.
                _ if kind.is_shift() => {}
                _ if in_time => {
                    noticed.get_or_insert(at_ns - truth.at_ns);
                }
                _ => {}
            }
        }
        if let Some(after_ns) = noticed {
            self.noticed += 1;
            self.took_s.push(after_ns as f64 / 1e9);
        }
    }
}
