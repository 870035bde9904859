//! Windows: what a session recorded in the last minute, and what survives a session that lies.

use super::*;
use lle_metrics::{Flight, Identity};
use proptest::prelude::*;

const S: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

fn flight(created_wall_ns: u64) -> Flight {
    Flight::private(&Identity {
        created_wall_ns,
        ..Identity::default()
    })
}

/// A window over a flight that has been folded in once, at 0 s.
fn begun(flight: &Flight) -> Box<Window> {
    let mut window = Box::new(Window::new());
    assert!(!window.fold(0, &flight.snapshot().unwrap()));
    window
}

#[test]
fn only_what_came_since_the_first_look_counts() {
    let flight = flight(1);
    flight.update(|w| {
        w.add(Counter::Keys, 1_000);
        w.time(Timer::KeyToPaint, 900 * MS);
    });
    let mut window = begun(&flight);
    assert_eq!(
        (window.rate(Counter::Keys), window.summary(Timer::KeyToPaint)),
        (None, None)
    );
    flight.update(|w| {
        w.add(Counter::Keys, 50);
        w.time(Timer::KeyToPaint, 2 * MS);
        w.time(Timer::KeyToPaint, 4 * MS);
        w.set(Gauge::Columns, 80);
        w.prompt_blame(b"sleep");
    });
    assert!(window.fold(10 * S, &flight.snapshot().unwrap()));
    assert_eq!(window.rate(Counter::Keys), Some(5.0));
    assert_eq!(window.counter(Counter::Keys), 1_050);
    assert_eq!(window.gauge(Gauge::Columns), Some(80));
    assert_eq!(window.blame(), b"sleep");
    let summary = window.summary(Timer::KeyToPaint).unwrap();
    assert_eq!((summary.count, summary.mean), (2, 3 * MS));
    // One bucket is an eighth of its value at most.
    assert!((4 * MS..4 * MS + MS / 2).contains(&summary.max), "{summary:?}");
    assert!((2 * MS..2 * MS + MS / 4).contains(&summary.p50), "{summary:?}");
}

#[test]
fn the_largest_ever_is_exact_and_a_sum_that_wraps_does_not_matter() {
    let flight = flight(1);
    flight.update(|w| w.time(Timer::Command, u64::MAX - 5));
    let mut window = begun(&flight);
    flight.update(|w| w.time(Timer::Command, 10));
    window.fold(10 * S, &flight.snapshot().unwrap());
    assert_eq!(window.summary(Timer::Command).map(|s| s.mean), Some(10));
    flight.update(|w| w.time(Timer::Command, u64::MAX - 1));
    window.fold(20 * S, &flight.snapshot().unwrap());
    assert_eq!(window.summary(Timer::Command).map(|s| s.max), Some(u64::MAX - 1));
}

#[test]
fn the_window_forgets_and_the_recent_samples_stay() {
    let flight = flight(1);
    let mut window = begun(&flight);
    flight.update(|w| w.time(Timer::Prompt, 300 * MS));
    window.fold(10 * S, &flight.snapshot().unwrap());
    assert_eq!(window.recent(Timer::Prompt), None, "one is too few");
    assert!(!window.fresh(Timer::Prompt));
    flight.update(|w| w.time(Timer::Prompt, 310 * MS));
    window.fold(20 * S, &flight.snapshot().unwrap());
    assert!(window.fresh(Timer::Prompt));
    for at in 3..=20 {
        window.fold(at * 10 * S, &flight.snapshot().unwrap());
    }
    assert!(!window.fresh(Timer::Prompt));
    assert_eq!(window.summary(Timer::Prompt), None);
    assert_eq!(
        window.recent(Timer::Prompt).map(|r| (r.count, r.mean())),
        Some((2, 305 * MS))
    );
    assert_eq!(window.span_ns(), WINDOW_SLOTS as u64 * 10 * S);
}

#[test]
fn a_look_in_between_joins_the_open_interval() {
    let flight = flight(1);
    let mut window = begun(&flight);
    for second in 1..=100 {
        flight.update(|w| {
            w.add(Counter::Keys, 1);
            w.time(Timer::KeyToPaint, second * MS);
        });
        assert_eq!(
            window.fold(second * S, &flight.snapshot().unwrap()),
            second % 8 == 0
        );
    }
    // Five whole intervals of eight seconds, and four seconds of the one begun.
    assert_eq!(window.span_ns(), 44 * S);
    assert_eq!(window.grown(Counter::Keys), 44);
    assert_eq!(window.summary(Timer::KeyToPaint).map(|s| s.count), Some(44));
}

#[test]
fn a_session_begun_anew_is_a_new_one() {
    fn check(next: &Flight, name: &str) {
        let old = flight(1);
        old.update(|w| {
            w.add(Counter::Keys, 10);
            w.time(Timer::Prompt, MS);
        });
        let mut window = begun(&old);
        old.update(|w| w.add(Counter::Keys, 10));
        window.fold(10 * S, &old.snapshot().unwrap());
        assert!(!window.fold(20 * S, &next.snapshot().unwrap()), "{name}");
        assert_eq!((window.begun_anew(), window.folds()), (1, 1), "{name}");
        assert_eq!(
            (window.rate(Counter::Keys), window.span_ns()),
            (None, 0),
            "{name}"
        );
        assert!(window.fold(30 * S, &next.snapshot().unwrap()), "{name}");
        assert_eq!(window.rate(Counter::Keys), Some(0.0), "{name}");
    }
    check(&flight(1), "fewer keys");
    let other = flight(2);
    other.update(|w| w.add(Counter::Keys, 100));
    check(&other, "another flight");
    let fewer = flight(1);
    fewer.update(|w| w.add(Counter::Keys, 100));
    check(&fewer, "fewer prompts");
}

#[test]
fn a_torn_copy_is_taken_in_and_marked_until_it_leaves_the_window() {
    let flight = flight(1);
    let mut window = begun(&flight);
    // Half a batch: the sum is there and the key is not.
    let mut half = None;
    flight.update(|w| {
        w.time(Timer::KeyToPaint, MS);
        half = Some(flight.snapshot().unwrap());
        w.add(Counter::Keys, 1);
    });
    window.fold(10 * S, &half.unwrap());
    assert!(window.torn());
    assert_eq!(window.grown(Counter::Keys), 0);
    for at in 2..8 {
        window.fold(at * 10 * S, &flight.snapshot().unwrap());
        assert_eq!((window.torn(), window.grown(Counter::Keys)), (at < 7, 1));
    }
}

#[test]
fn a_clock_that_stands_still_or_goes_back_gives_no_rate_from_nothing() {
    let flight = flight(1);
    let mut window = Window::new();
    window.fold(50 * S, &flight.snapshot().unwrap());
    flight.update(|w| w.add(Counter::Keys, 3));
    window.fold(40 * S, &flight.snapshot().unwrap());
    assert_eq!((window.span_ns(), window.rate(Counter::Keys)), (0, None));
    window.fold(60 * S, &flight.snapshot().unwrap());
    assert_eq!(window.rate(Counter::Keys), Some(0.3));
}

proptest! {
    #[test]
    fn whatever_comes_no_rate_is_negative_and_nothing_panics(
        steps in proptest::collection::vec(
            (any::<u64>(), any::<u64>(), any::<u64>(), 0..Timer::ALL.len(), 0u8..12), 1..40),
    ) {
        let mut current = flight(1);
        let mut window = Window::new();
        let mut now = 0u64;
        for (step, by, value, row, restart) in steps {
            now = now.wrapping_add(step >> (step % 64));
            if restart == 0 {
                current = flight(1);
            }
            let timer = Timer::ALL[row];
            current.update(|w| {
                w.add(Counter::ALL[row], by >> (by % 64));
                w.time(timer, value >> (value % 64));
                w.set(Gauge::ALL[row], by as i64);
            });
            window.fold(now, &current.snapshot().unwrap());
            for counter in Counter::ALL {
                prop_assert!(window.rate(*counter).is_none_or(|rate| rate >= 0.0 && rate.is_finite()));
            }
            if let Some(summary) = window.summary(timer) {
                prop_assert!(summary.p50 <= summary.p99 && summary.p99 <= summary.max);
            }
        }
    }

    #[test]
    fn what_is_counted_is_what_was_recorded(values in proptest::collection::vec(1u64..1 << 34, 1..60)) {
        let flight = flight(1);
        let mut window = begun(&flight);
        for (at, value) in values.iter().enumerate() {
            flight.update(|w| w.time(Timer::Completion, *value));
            if at % 7 == 0 {
                window.fold((at as u64 + 1) * S / 2, &flight.snapshot().unwrap());
            }
        }
        window.fold(31 * S, &flight.snapshot().unwrap());
        let summary = window.summary(Timer::Completion).unwrap();
        prop_assert_eq!(summary.count, values.len() as u64);
        prop_assert_eq!(summary.mean, values.iter().sum::<u64>() / values.len() as u64);
        prop_assert!(summary.max >= *values.iter().max().unwrap());
    }
}
