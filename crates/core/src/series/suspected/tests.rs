//! What is told of a known change, and what is not.

use super::*;
use crate::series::noticed::Watched;

/// A level in milliseconds, whose values scatter evenly.
fn level(around: f64, scatter: f64, n: u32) -> Level {
    let mut level = Level::default();
    let values = (0..n).map(|i| around + scatter * (f64::from(i % 5) - 2.0));
    values.for_each(|ms| level.add(110, ms * 1e6));
    level
}

/// Adds values that are far off.
fn hiccups(mut level: Level, values_ms: &[f64]) -> Level {
    values_ms.iter().for_each(|ms| level.add(110, ms * 1e6));
    level
}

fn suspected(before: Level) -> Suspected {
    Suspected {
        last_before_ns: 90,
        ..Suspected::of(&before, 100, Lines::default())
    }
}

fn check(before: Level, after: Level, expect: &str) {
    let verdict = suspected(before).judge(&after, 5e6, 0.2);
    let name = match verdict {
        Verdict::Open => "open",
        Verdict::Cleared => "cleared",
        Verdict::Moved(..) => "moved",
    };
    assert_eq!(name, expect, "{before:?} {after:?}");
}

#[test]
fn a_dozen_values_tells_what_is_plain_and_a_handful_if_they_are_spread() {
    check(level(3.0, 0.2, 11), level(55.0, 1.0, 11), "moved");
    check(level(3.0, 0.2, 11), level(55.0, 1.0, 10), "open");
    check(level(3.0, 0.2, 10), level(55.0, 1.0, 11), "open");
    check(level(3.0, 0.2, 5), level(55.0, 1.0, 60), "cleared");
    let spread = |level: Level| Level {
        first_ns: level.last_ns - 2 * SPREAD_NS,
        ..level
    };
    check(spread(level(3.0, 0.2, 5)), spread(level(55.0, 1.0, 5)), "moved");
    check(spread(level(3.0, 0.2, 5)), spread(level(55.0, 1.0, 4)), "open");
    check(spread(level(3.0, 0.2, 4)), spread(level(55.0, 1.0, 59)), "open");
}

#[test]
fn what_does_not_matter_or_cannot_be_told_is_cleared_in_the_end() {
    check(level(100.0, 1.0, 50), level(103.0, 1.0, 59), "open");
    check(level(100.0, 1.0, 50), level(103.0, 1.0, 60), "cleared");
    check(level(100.0, 80.0, 8), level(150.0, 80.0, 8), "open");
}

#[test]
fn a_busy_machine_hides_nothing() {
    let before = hiccups(level(3.0, 0.5, 15), &[400.0]);
    check(before, level(63.0, 2.0, 10), "open");
    check(before, hiccups(level(63.0, 2.0, 14), &[2_000.0, 900.0]), "moved");
    check(
        hiccups(level(3.0, 0.5, 15), &[400.0]),
        hiccups(level(3.0, 0.5, 14), &[2_000.0, 900.0]),
        "open",
    );
}

#[test]
fn what_begins_some_time_after_the_change_is_none_of_it() {
    let later = |values: u32| {
        let mut after = level(3.0, 0.2, 16);
        after.append(&level(60.0, 1.0, values));
        after
    };
    check(level(3.0, 0.2, 40), later(20), "open");
    check(level(3.0, 0.2, 40), later(44), "cleared");
    // Nor is a mean that a few have moved, either way.
    let before = hiccups(
        level(20.0, 0.2, 200),
        &[2_000.0, 1_500.0, 900.0, 2_500.0, 2_000.0, 1_800.0],
    );
    check(before, level(20.0, 0.2, 59), "open");
}

#[test]
fn the_moment_is_between_the_last_before_and_the_first_after() {
    let verdict = suspected(level(3.0, 0.1, 11)).judge(&level(60.0, 1.0, 11), 5e6, 0.2);
    let Verdict::Moved(0, at) = verdict else {
        panic!("it moved: {verdict:?}");
    };
    assert_eq!((at.earliest_ns, at.at_ns, at.latest_ns), (90, 110, 110));
}

/// A second between two prompts; a line is typed, and shows, with a prompt.
const S: i64 = 1_000_000_000;

/// Types lines, each with so many prompts after it, and then a dozen prompts; the line of the number makes them
/// slower. Gives when each was typed, and what was found, with how many prompts since the slow line that took.
fn type_lines(prompts: &[u32], slow: Option<usize>) -> (Vec<i64>, Vec<(Changepoint, u32)>) {
    let (mut watched, mut now_ns, mut is_slow, mut since) = (Watched::default(), 0, false, 0);
    let (mut typed, mut found) = (Vec::new(), Vec::new());
    let mut prompt = |watched: &mut Watched, now_ns: &mut i64, is_slow: bool| {
        *now_ns += S;
        since += u32::from(is_slow);
        let ms = if is_slow { 60.0 } else { 3.0 } + (*now_ns / S % 5) as f64 / 10.0;
        watched.level.add(*now_ns, ms * 1e6);
        found.extend(watched.judge(5e6, 0.2).map(|found| (found.changepoint, since)));
    };
    (0..16).for_each(|_| prompt(&mut watched, &mut now_ns, false));
    for (number, prompts) in prompts.iter().enumerate() {
        typed.push(now_ns + S / 2);
        watched.changed(now_ns + S / 2);
        is_slow |= slow == Some(number);
        (0..*prompts).for_each(|_| prompt(&mut watched, &mut now_ns, is_slow));
    }
    (0..14).for_each(|_| prompt(&mut watched, &mut now_ns, is_slow));
    (typed, found)
}

#[test]
fn of_lines_typed_one_after_another_the_slow_one_is_found() {
    for lines in 1..=LATER_MAX + 1 {
        for slow in 0..lines {
            let (typed, found) = type_lines(&vec![1; lines], Some(slow));
            let [(point, took)] = found[..] else {
                panic!("{slow} of {lines}: {found:?}");
            };
            let is_then = |at: &&i64| (point.earliest_ns..=point.latest_ns).contains(*at);
            let suspects: Vec<&i64> = typed.iter().filter(is_then).collect();
            assert_eq!(suspects, [&typed[slow]], "{slow} of {lines}: {point:?}");
            assert!(took <= 12, "{slow} of {lines}: {took}");
        }
    }
}

proptest::proptest! {
    /// However many lines are typed, the slow one is among those that are named, and nothing is if none was slow.
    #[test]
    fn the_slow_line_is_never_passed_over(
        prompts in proptest::collection::vec(0..20u32, 1..20),
        slow in proptest::option::of(0..20usize),
    ) {
        let slow = slow.filter(|slow| *slow < prompts.len());
        let (typed, found) = type_lines(&prompts, slow);
        proptest::prop_assert_eq!(found.len(), usize::from(slow.is_some()), "{:?}", found);
        if let (Some(slow), Some((point, _))) = (slow, found.first()) {
            proptest::prop_assert!((point.earliest_ns..=point.latest_ns).contains(&typed[slow]), "{:?}", point);
        }
    }
}

/// Somebody who types for weeks: prompts of 20 ms, of which one in fifty is far off, on a machine that is busy for half a
/// minute four times an hour. (SplitMix64, Steele 2014.)
struct Typist {
    state: u64,
    now_s: f64,
    busy_from_s: f64,
    busy_until_s: f64,
    busy_times: f64,
}

impl Typist {
    fn new(seed: u64) -> Self {
        let mut typist = Self {
            state: seed,
            now_s: 0.0,
            busy_from_s: 0.0,
            busy_until_s: 0.0,
            busy_times: 1.0,
        };
        typist.busy_from_s = typist.exponential(900.0);
        typist
    }

    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// The next prompt: when, and what it takes.
    fn prompt(&mut self, slower_ms: f64) -> (i64, f64) {
        self.now_s += (5.0 * self.normal().exp()).min(120.0);
        if self.now_s > self.busy_from_s {
            self.busy_until_s = self.now_s + self.exponential(30.0);
            self.busy_from_s = self.busy_until_s + self.exponential(900.0);
            self.busy_times = 1.5 + 2.5 * self.uniform();
        }
        let mut ms = 20.0 * (0.1 * self.normal()).exp();
        if self.now_s < self.busy_until_s {
            ms *= self.busy_times * (0.3 * self.normal()).exp();
        }
        if self.uniform() < 0.02 {
            ms *= 3.0 + 27.0 * self.uniform();
        }
        ((self.now_s * 1e9) as i64, (ms + slower_ms) * 1e6)
    }
}

/// Types a hundred prompts, then a line that makes prompts so much slower, and a hundred more. Gives after how many a line
/// was blamed.
fn blamed_after(typist: &mut Typist, watched: &mut Watched, slower_ms: f64) -> Option<u32> {
    watched.changed((typist.now_s * 1e9) as i64 + 1);
    let mut after = None;
    for n in 1..=100 {
        let (at_ns, ns) = typist.prompt(slower_ms);
        watched.level.add(at_ns, ns);
        if watched.judge(5e6, 0.2).is_some() {
            after = after.or(Some(n));
        }
    }
    after
}

#[test]
fn lines_that_do_nothing_are_seldom_blamed_and_slow_ones_within_a_dozen_prompts() {
    let (mut lines, mut blamed, mut took) = (0, 0, Vec::new());
    for seed in 0..100 {
        let (mut typist, mut watched) = (Typist::new(seed), Watched::default());
        blamed_after(&mut typist, &mut watched, 0.0);
        for _ in 0..20 {
            lines += 1;
            blamed += u32::from(blamed_after(&mut typist, &mut watched, 0.0).is_some());
        }
        took.extend(blamed_after(&mut typist, &mut watched, 40.0));
    }
    took.sort_unstable();
    assert!(blamed * 50 <= lines, "{blamed} of {lines}");
    assert!(took.len() >= 95, "found {} of 100", took.len());
    assert!(took[90] <= 16, "{took:?}");
}
