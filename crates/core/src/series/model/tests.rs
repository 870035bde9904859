//! What models say of series whose pattern is known, and of any others.

use proptest::prelude::*;

use super::*;

const AHEAD_NS: i64 = DAY as i64 * HOUR_NS;

/// Noise between -0.5 and 0.5, the same every time.
fn noise(at: i64) -> f64 {
    let mut mixed = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

fn weeks(weeks: i64, value: impl Fn(i64) -> f64) -> Vec<(i64, f64)> {
    (0..weeks * WEEK as i64)
        .map(|at| (at * HOUR_NS, value(at)))
        .collect()
}

/// Work by day, from the first to the fifth day of seven.
fn working(at: i64) -> f64 {
    let works = at.div_euclid(24) % 7 < 5 && (9..18).contains(&at.rem_euclid(24));
    100.0 + f64::from(u8::from(works)) * 50.0 + noise(at)
}

#[test]
fn a_week_is_known_where_the_last_value_is_not_enough() {
    let model = Model::fit(&weeks(6, working), AHEAD_NS).unwrap();
    assert_eq!(model.period(), "weekly");
    assert!(
        model.is_of_use() && model.skill().is_some_and(|skill| skill > 0.4),
        "{model:?}"
    );
    let mut recent = Recent::default();
    let now = 6 * WEEK as i64 + 4 * 24 + 12;
    (now - 200..=now).for_each(|at| recent.add(at * HOUR_NS, working(at)));
    // Noon of the fifth day: a day later nobody works. Six weeks still leave some doubt about that.
    let told = model
        .forecast(&recent, now * HOUR_NS, working(now), AHEAD_NS, 0.2)
        .unwrap();
    assert!(
        (told.value - 100.0).abs() < 20.0 && told.naive > 140.0,
        "{told:?}"
    );
    assert!(told.low <= told.value && told.value <= told.high);
    assert!(model.is_sound());
    let bytes = serde_json::to_vec(&model).unwrap();
    assert_eq!(serde_json::from_slice::<Model>(&bytes).unwrap(), model);
    assert!(bytes.len() < 4_096, "{}", bytes.len());
}

#[test]
fn where_there_is_no_pattern_it_is_of_little_use() {
    let growing = Model::fit(&weeks(6, |at| at as f64 + noise(at)), AHEAD_NS).unwrap();
    assert!(!growing.is_of_use(), "{growing:?}");
    let still = Model::fit(&weeks(6, |_| 5.0), AHEAD_NS).unwrap();
    assert_eq!(
        (still.error(), still.skill(), still.is_of_use()),
        (0.0, None, false)
    );
}

#[test]
fn too_short_a_past_says_how_short() {
    let expect = Unknown::TooFew {
        have: 2 * WEEK,
        need: HOURS_MIN,
    };
    assert_eq!(Model::fit(&weeks(2, working), AHEAD_NS), Err(expect));
    assert!(Model::fit(&[], AHEAD_NS).is_err());
    // Two points, ten weeks apart.
    assert!(Model::fit(&[(0, 1.0), (70 * AHEAD_NS, 1.0)], AHEAD_NS).is_err());
}

#[test]
fn nights_that_are_missing_are_passed_over() {
    let mut points = weeks(6, working);
    points.retain(|(at, _)| (8..20).contains(&(at / HOUR_NS % 24)));
    let model = Model::fit(&points, AHEAD_NS).unwrap();
    assert!(model.is_of_use(), "{model:?}");
    assert_eq!(model.at(3), None);
}

proptest! {
    #[test]
    fn anything_gives_a_sound_model_or_none(
        steps in proptest::collection::vec((0..4 * HOUR_NS, proptest::num::f64::ANY), 0..900),
        miss in 0.0..1.0f64,
    ) {
        let mut at_ns = 0;
        let mut recent = Recent::default();
        let points: Vec<(i64, f64)> = steps.into_iter().map(|(step, value)| {
            at_ns += step;
            recent.add(at_ns, value);
            (at_ns, value)
        }).collect();
        if let Ok(model) = Model::fit(&points, AHEAD_NS) {
            prop_assert!(model.is_sound(), "{model:?}");
            if let Some(told) = model.forecast(&recent, at_ns, 0.0, AHEAD_NS, miss) {
                prop_assert!(told.low <= told.value && told.value <= told.high, "{told:?}");
            }
        }
    }
}
