//! Forecasts: intervals, limits, scores.

use super::score::{SCORED_MIN, Scorecard, WAITING_MAX};
use super::*;
use proptest::prelude::*;

const S: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * S;

/// Noise between -0.5 and 0.5, the same every time.
fn noise(at: i64) -> f64 {
    let mut mixed = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

fn history(hours: i64, value: impl Fn(i64) -> f64) -> History {
    let mut history = History::default();
    for at in 0..hours {
        history.add(at * HOUR, value(at));
    }
    history
}

#[test]
fn too_short_a_past_says_how_short() {
    let short = history(3, |at| at as f64);
    let expect = Unknown::TooFew {
        have: 3,
        need: POINTS_MIN,
    };
    assert_eq!(forecast(&short, HOUR, 0.2), Err(expect));
    assert_eq!(expect.to_string(), "unknown: 3 of 30 samples so far");
    let young = history(40, |at| at as f64);
    assert_eq!(forecast(&young, 1_000 * HOUR, 0.2), Err(Unknown::TooFar));
}

#[test]
fn growth_reaches_its_limit_within_the_interval() {
    let growing = history(1_000, |at| 100.0 + at as f64 + 4.0 * noise(at));
    let Ok(Crossing::At {
        earliest_ns,
        expected_ns: Some(expected_ns),
        latest_ns: Some(latest_ns),
    }) = crossing(&growing, 1_400.0, false)
    else {
        panic!("it grows");
    };
    let truth = 1_300 * HOUR;
    assert!(
        earliest_ns <= truth && truth <= latest_ns,
        "{} to {}",
        earliest_ns / HOUR,
        latest_ns / HOUR
    );
    assert!((expected_ns - truth).abs() < 20 * HOUR, "{}", expected_ns / HOUR);
    assert_eq!(crossing(&growing, 50.0, false), Ok(Crossing::Now));
    let falling = history(1_000, |at| 2_000.0 - at as f64 + 4.0 * noise(at));
    assert!(matches!(
        crossing(&falling, 700.0, true),
        Ok(Crossing::At { expected_ns: Some(at), .. }) if (at - truth).abs() < 20 * HOUR
    ));
    let still = history(1_000, |at| 100.0 + noise(at));
    assert!(matches!(
        crossing(&still, 1e6, false),
        Ok(Crossing::NotInSight { .. })
    ));
}

#[test]
fn what_never_changes_is_forecast_to_stay() {
    let still = history(100, |_| 5.0);
    let told = forecast(&still, 10 * HOUR, 0.2).unwrap();
    assert_eq!((told.low, told.value, told.high), (5.0, 5.0, 5.0));
    assert!(matches!(
        crossing(&still, 6.0, false),
        Ok(Crossing::NotInSight { .. })
    ));
}

#[test]
fn forecasts_are_scored_when_their_moment_comes() {
    let mut card = Scorecard::default();
    let made = |made: i64, value: f64| Forecast {
        made_ns: made,
        due_ns: made + 4 * HOUR,
        value,
        low: value - 1.0,
        high: value + 1.0,
        naive: value - 2.0,
    };
    for at in 0..SCORED_MIN as i64 {
        card.keep(made(at * HOUR, 0.0));
    }
    assert_eq!((card.scored(), card.coverage(), card.skill()), (0, None, None));
    for at in 0..2 * SCORED_MIN as i64 {
        card.observe(at * HOUR, f64::from(at % 4 == 0) * 3.0);
    }
    assert_eq!(card.coverage(), Some(0.75));
    assert_eq!(card.mean_error(), Some(0.75));
    assert_eq!(card.skill(), Some(1.0 - 15.0 / (15.0 * 2.0 + 5.0 * 5.0)));
    let month = 30 * 24 * HOUR;
    let lately = card.lately(40 * HOUR, month);
    assert_eq!((lately.scored, lately.covered), (20, 15));
    assert_eq!(lately.squares_ratio, Some(5.0 * 9.0 / (15.0 * 4.0 + 5.0 * 25.0)));
    assert_eq!(card.lately(40 * HOUR + 2 * month, month).scored, 0, "months ago");
    let text = serde_json::to_string(&card).unwrap();
    let back: Scorecard = serde_json::from_str(&text).unwrap();
    assert_eq!(back.lately(40 * HOUR, month), lately);
    // A laptop that slept through the moment learned nothing.
    card.keep(made(100 * HOUR, 0.0));
    card.observe(106 * HOUR, 0.0);
    assert_eq!((card.scored(), card.lost()), (SCORED_MIN, 1));
    for _ in 0..2 * WAITING_MAX {
        card.keep(made(200 * HOUR, 0.0));
    }
    assert_eq!(card.lost(), 1 + WAITING_MAX as u64);
}

proptest! {
    #[test]
    fn anything_is_forecast_with_numbers_in_order(
        points in proptest::collection::vec((any::<i64>(), proptest::num::f64::ANY), 0..600),
        ahead in 0..i64::MAX,
    ) {
        let mut history = History::default();
        let mut sorted = points;
        sorted.sort_by_key(|point| point.0);
        for (at, value) in &sorted {
            history.add(*at, *value);
        }
        prop_assert!(history.len() < POINTS_MAX);
        if let Ok(told) = forecast(&history, ahead, 0.2) {
            prop_assert!(told.low <= told.value && told.value <= told.high, "{told:?}");
        }
        if let Ok(Crossing::At { earliest_ns, expected_ns, latest_ns }) = crossing(&history, 1e3, false) {
            prop_assert!(expected_ns.is_none_or(|expected| earliest_ns <= expected));
            prop_assert!(latest_ns.is_none_or(|latest| expected_ns.is_some_and(|expected| expected <= latest)));
        }
    }
}
