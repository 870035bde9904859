//! Detectors: what is found, and what is not taken for anything.

use super::detect::{ALARM_SCORE, Detector, WARMING_POINTS};
use super::*;
use proptest::prelude::*;

const S: i64 = 1_000_000_000;
const MINUTES_5: i64 = 300 * S;
/// A Monday, so that there is a calendar.
const START: i64 = 1_700_438_400 * S;

/// Noise with a spread of about 1, the same every time: the sum of four even draws.
fn noise(at: i64) -> f64 {
    let draw = |salt: u64| {
        let mut mixed = (at as u64 * 4 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    ((0..4).map(draw).sum::<f64>() - 2.0) * 1.73
}

fn day(at: i64) -> f64 {
    (at as f64 / 288.0 * std::f64::consts::TAU).sin()
}

fn readings(points: i64, value: impl Fn(i64) -> f64) -> Vec<Reading> {
    let mut detector = Detector::new();
    (0..points)
        .map(|at| detector.observe(START + at * MINUTES_5, value(at)))
        .collect()
}

fn alarms(readings: &[Reading]) -> Vec<(usize, Anomaly)> {
    let told =
        |(at, reading): (usize, &Reading)| Some((at, reading.kind?)).filter(|_| reading.score >= ALARM_SCORE);
    readings.iter().enumerate().filter_map(told).collect()
}

#[test]
fn what_is_quiet_stays_quiet() {
    fn check(name: &str, value: impl Fn(i64) -> f64) {
        assert_eq!(alarms(&readings(2_016, value)), [], "{name}");
    }
    check("constant", |_| 3.0);
    check("nothing", |_| 0.0);
    check("noise", |at| 20.0 + noise(at));
    check("small beside its level", |at| 1e9 + noise(at));
    check("counts that are mostly nothing", |at| f64::from(at % 17 == 0));
    check("alternating", |at| (at % 2) as f64);
    // What is computed is off by a few units in the last place, now and then or for good.
    check("rounding, now and then", |at| {
        let off = [0.0, 1.0, -2.0][(at % 97 == 50) as usize + (at % 331 == 200) as usize];
        0.3 * (1.0 + off * f64::EPSILON)
    });
    check("rounding, from some day on", |at| {
        if at < 1_000 { 0.1 + 0.2 } else { 0.3 }
    });
    check("rounding of large numbers", |at| {
        1e15 + (at % 113 == 7) as u8 as f64 * 0.25
    });
}

#[test]
fn what_is_strange_is_told_at_once() {
    fn check(name: &str, at: i64, value: impl Fn(i64) -> f64, expect: Anomaly) {
        let alarms = alarms(&readings(3_000, value));
        let first = alarms.first().copied();
        assert!(
            first.is_some_and(|(first, kind)| (at..at + 15).contains(&(first as i64)) && kind == expect),
            "{name}: {alarms:?}"
        );
    }
    check(
        "spike",
        2_000,
        |at| noise(at) + f64::from(at == 2_000) * 15.0,
        Anomaly::Spike,
    );
    check(
        "drop",
        2_000,
        |at| noise(at) - f64::from(at == 2_000) * 15.0,
        Anomaly::Spike,
    );
    check(
        "constant, then not",
        2_000,
        |at| f64::from(at == 2_000),
        Anomaly::Spike,
    );
}

#[test]
fn neither_a_unit_nor_an_offset_hides_what_is_strange() {
    fn check(level: f64, spread: f64, strange: f64) {
        let all = readings(2_100, |at| {
            level + spread * (noise(at) + f64::from(at == 2_000) * strange)
        });
        let strange = alarms(&all);
        assert_eq!(
            strange.first(),
            Some(&(2_000, Anomaly::Spike)),
            "{level:e} {spread:e}"
        );
        // What is worth telling of these points does not depend on either.
        let score = all[2_000].score;
        assert!(score > 0.9, "{level:e} {spread:e}: {score}");
    }
    check(0.0, 1.0, 40.0);
    check(1e8, 1.0, 40.0);
    check(1e12, 1.0, 40.0);
    check(1e15, 1.0, 50.0);
    check(10e-10, 1e-10, 20.0);
    check(10e-30, 1e-30, 20.0);
    check(10e60, 1e60, 20.0);
}

#[test]
fn a_step_is_found_in_any_unit() {
    for unit in [1e-60, 1e-10, 1.0, 1e60] {
        for level in [0.0, 100.0, 1e9] {
            let all = readings(1_800, |at| {
                (level + noise(at) + if at >= 1_500 { 8.0 } else { 0.0 }) * unit
            });
            let found: Vec<Changepoint> = all.iter().filter_map(|reading| reading.changepoint).collect();
            assert_eq!(found.len(), 1, "{unit:e} {level:e}: {found:?}");
            let off = (found[0].at_ns - START) / MINUTES_5 - 1_500;
            assert!(off.abs() <= 2, "{unit:e} {level:e}: {off}");
        }
    }
}

#[test]
fn what_is_too_large_to_count_with_is_strange_and_not_missing() {
    let mut detector = Detector::new();
    for at in 0..600 {
        let value = if at == 500 { 1e300 } else { 10.0 + noise(at) };
        let reading = detector.observe(START + at * MINUTES_5, value);
        assert_eq!(reading.score >= ALARM_SCORE, at == 500, "{at}: {reading:?}");
    }
    assert_eq!((detector.points(), detector.missing()), (600, 0));
    let mut detector = Detector::new();
    for at in 0..600 {
        let reading = detector.observe(at * MINUTES_5, if at % 2 == 0 { f64::MAX } else { f64::MIN });
        assert!(
            (0.0..=1.0).contains(&reading.score) && reading.spread.is_finite(),
            "{reading:?}"
        );
    }
    assert_eq!(detector.missing(), 0);
    assert!(detector.observe(0, f64::INFINITY).score == 0.0);
    assert_eq!(detector.missing(), 1);
}

#[test]
fn a_step_is_found_with_its_time_and_size() {
    for (size, after) in [(38.0, 2_000), (-4.0, 1_000), (6.0, 1_500)] {
        let all = readings(2_500, |at| {
            100.0 + noise(at) + if at >= after { size } else { 0.0 }
        });
        let found: Vec<Changepoint> = all.iter().filter_map(|reading| reading.changepoint).collect();
        let [one] = found.as_slice() else {
            panic!("{size}: {found:?}");
        };
        let truth = START + after * MINUTES_5;
        assert!((one.at_ns - truth).abs() <= 2 * MINUTES_5, "{size}: {one:?}");
        assert!(
            one.earliest_ns < truth && truth <= one.latest_ns,
            "{size}: {one:?}"
        );
        assert!((one.after - one.before - size).abs() < 1.0, "{size}: {one:?}");
    }
}

#[test]
fn a_leak_is_a_trend_and_a_day_is_none() {
    let leak = readings(2_016, |at| 100.0 + at as f64 / 40.0 + noise(at));
    let slopes: Vec<f64> = leak.iter().filter_map(|reading| reading.slope_per_s).collect();
    assert!(!slopes.is_empty());
    for slope in slopes {
        assert!((slope * 300.0 * 40.0 - 1.0).abs() < 0.3, "{slope}");
    }
    let daily = readings(2_016, |at| 100.0 + 20.0 * day(at) + noise(at));
    assert!(daily.iter().all(|reading| reading.slope_per_s.is_none()));
}

#[test]
fn a_leak_goes_on_until_it_ends_though_a_part_of_it_looks_like_a_step() {
    let mut detector = Detector::new();
    let mut goes_on = Vec::new();
    for at in 0..12 * 288 {
        // A week of little noise, in which a step is found, and then it stays.
        let value = 12.0 + at.min(7 * 288) as f64 / 144.0 + 0.1 * noise(at) + f64::from(at >= 4 * 288);
        detector.observe(START + at * MINUTES_5, value);
        let is_rising = detector.rising().is_some();
        if goes_on.last().is_some_and(|last: &(i64, bool)| last.1) != is_rising {
            goes_on.push((at, is_rising));
        }
    }
    let [(from, true), (to, false)] = goes_on[..] else {
        panic!("{goes_on:?}")
    };
    assert!(from < 4 * 288 && (7 * 288..10 * 288).contains(&to), "{goes_on:?}");
}

/// A day that is half as strong at the weekend.
fn week(at: i64) -> f64 {
    let strength = if at.rem_euclid(7 * 288) >= 5 * 288 {
        0.5
    } else {
        1.0
    };
    strength * (day(at) + 0.3).max(0.0)
}

#[test]
fn a_step_after_the_first_weekend_is_found_under_a_day() {
    // On these days the last points predict better than the day does, and the day must be taken off all the same.
    for after in [2_340, 2_500, 2_700] {
        let all = readings(after + 288, |at| {
            100.0 + 40.0 * week(at) + 2.0 * noise(at) + if at >= after { 16.0 } else { 0.0 }
        });
        let truth = START + after * MINUTES_5;
        let found = all[after as usize..]
            .iter()
            .filter_map(|reading| reading.changepoint);
        let near = found.map(|found| (found.at_ns - truth).abs() / MINUTES_5).min();
        assert!(near.is_some_and(|near| near <= 2), "{after}: {near:?}");
    }
}

#[test]
fn a_leak_under_a_day_and_weekends_is_a_trend() {
    let leak = |at: i64| 100.0 + 40.0 * week(at) + 2.0 * noise(at) + (at - 3_000).max(0) as f64 / 60.0;
    let all = readings(3_000 + 4 * 288, leak);
    let told = all.iter().position(|reading| reading.slope_per_s.is_some());
    assert!(told.is_some_and(|told| told >= 3_000), "{told:?}");
    let slope = told.and_then(|told| all[told].slope_per_s).unwrap_or(0.0);
    // The day has learned a part of it.
    assert!((0.4..1.2).contains(&(slope * 300.0 * 60.0)), "{slope}");
}

#[test]
fn a_day_is_learned() {
    let all = readings(6 * 288, |at| 100.0 + 20.0 * day(at) + noise(at));
    let late = &all[4 * 288..];
    assert_eq!(alarms(late), []);
    assert!(
        late.iter().all(|reading| reading.spread < 2.5),
        "{:?}",
        late.last()
    );
}

#[test]
fn nothing_is_said_while_it_warms() {
    let all = readings(WARMING_POINTS as i64, |at| if at == 20 { 1e9 } else { noise(at) });
    assert!(all.iter().all(|reading| reading.warming && reading.score == 0.0));
    let mut detector = Detector::new();
    assert!(detector.observe(0, f64::NAN).warming);
    assert_eq!((detector.points(), detector.missing()), (0, 1));
}

#[test]
fn gaps_and_clocks_that_jump_are_no_anomalies() {
    let mut detector = Detector::new();
    for at in 0..3_000 {
        // A night without points, values that are none, and a clock set back by an hour.
        let jump = if at >= 2_500 { -3_600 * S } else { 0 };
        if (1_000..1_100).contains(&at) {
            continue;
        }
        let value = if at % 50 == 0 { f64::NAN } else { 20.0 + noise(at) };
        let reading = detector.observe(START + at * MINUTES_5 + jump, value);
        assert!(reading.score < ALARM_SCORE, "{at}: {reading:?}");
    }
    assert_eq!(detector.missing(), 58);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_series_gives_scores(
        points in proptest::collection::vec((any::<i64>(), proptest::num::f64::ANY), 0..800),
    ) {
        let mut detector = Detector::new();
        for (at, value) in points {
            let reading = detector.observe(at, value);
            prop_assert!((0.0..=1.0).contains(&reading.score), "{reading:?}");
            prop_assert!(reading.spread >= 0.0, "{reading:?}");
            prop_assert!(!reading.warming || reading.score == 0.0);
            if let Some(change) = reading.changepoint {
                prop_assert!(change.earliest_ns <= change.at_ns && change.at_ns <= change.latest_ns);
            }
        }
    }

    #[test]
    fn the_unit_does_not_matter(power in -60..60i32, salt in 0..1_000_000i64) {
        let unit = 10f64.powi(power);
        let series = |unit: f64| readings(400, move |at| (50.0 + noise(at + salt)) * unit);
        for (a, b) in series(1.0).iter().zip(series(unit)) {
            prop_assert!((a.score - b.score).abs() < 1e-3, "{a:?} {b:?}");
        }
    }
}
