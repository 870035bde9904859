//! What is told of a known change, and what is not.

use super::*;

/// A second between two values.
const S: i64 = 1_000_000_000;
const MATTERS: Matters = Matters {
    least: 5e6,
    share: 0.2,
};

/// Values in milliseconds that scatter evenly, a second apart.
fn level(around: f64, scatter: f64, n: u32) -> Vec<f64> {
    (0..n)
        .map(|i| around + scatter * (f64::from(i % 5) - 2.0))
        .collect()
}

/// A series, with a change where one part of it ends and the next begins.
fn divided_into(parts: &[&[f64]], apart_ns: i64, folder: impl Fn(usize) -> u64) -> Watched {
    let (mut watched, mut n) = (Watched::default(), 0);
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            watched.changed(n as i64 * apart_ns + apart_ns / 2);
        }
        for ms in *part {
            n += 1;
            watched.add(n as i64 * apart_ns, ms * 1e6, folder(n));
        }
    }
    watched
}

/// What becomes of a suspicion.
fn verdict(watched: &mut Watched) -> &'static str {
    match watched.judge(MATTERS) {
        Some(_) => "moved",
        None if watched.suspects() > 0 => "open",
        None => "cleared",
    }
}

fn check(before: &[f64], after: &[f64], expect: &str) {
    let mut watched = divided_into(&[before, after], S, |_| 1);
    assert_eq!(verdict(&mut watched), expect, "{before:?} {after:?}");
}

#[test]
fn a_dozen_values_tells_what_is_plain_and_a_handful_if_they_are_spread() {
    let check = |before: u32, after: u32, apart_s: i64, expect: &str| {
        let (before, after) = (level(3.0, 0.2, before), level(55.0, 1.0, after));
        let mut watched = divided_into(&[&before, &after], apart_s * S, |_| 1);
        let counts = (before.len(), after.len());
        assert_eq!(verdict(&mut watched), expect, "{counts:?} {apart_s} s apart");
    };
    check(11, 11, 1, "moved");
    check(11, 10, 1, "open");
    check(10, 11, 1, "open");
    check(5, 60, 1, "cleared");
    check(5, 5, 20, "moved");
    check(5, 4, 20, "open");
    check(4, 59, 20, "open");
}

#[test]
fn what_does_not_matter_or_cannot_be_told_is_cleared_in_the_end() {
    check(&level(100.0, 1.0, 50), &level(103.0, 1.0, 59), "open");
    check(&level(100.0, 1.0, 50), &level(103.0, 1.0, 60), "cleared");
    check(&level(100.0, 80.0, 8), &level(150.0, 80.0, 8), "open");
}

#[test]
fn a_busy_machine_hides_nothing() {
    let with = |mut level: Vec<f64>, far_off: &[f64]| {
        level.extend(far_off);
        level
    };
    let before = with(level(3.0, 0.5, 15), &[400.0]);
    check(&before, &level(63.0, 2.0, 10), "open");
    check(&before, &with(level(63.0, 2.0, 14), &[2_000.0, 900.0]), "moved");
    check(&before, &with(level(3.0, 0.5, 14), &[2_000.0, 900.0]), "open");
}

#[test]
fn what_begins_some_time_after_the_change_is_none_of_it() {
    let later = |values: u32| [level(3.0, 0.2, 16), level(60.0, 1.0, values)].concat();
    check(&level(3.0, 0.2, 40), &later(20), "open");
    check(&level(3.0, 0.2, 40), &later(44), "cleared");
    // Nor what did so a few values later, or before.
    let mut soon = [level(3.0, 0.2, 4), level(60.0, 1.0, 40)].concat();
    check(&level(3.0, 0.2, 40), &soon, "open");
    soon.drain(..4);
    check(
        &[level(3.0, 0.2, 40), level(60.0, 1.0, 4)].concat(),
        &soon,
        "open",
    );
    // Nor is a mean that a few have moved, either way.
    let mut before = level(20.0, 0.2, 80);
    before.extend([2_000.0, 1_500.0, 900.0, 2_500.0, 2_000.0, 1_800.0]);
    check(&before, &level(20.0, 0.2, 59), "open");
}

#[test]
fn the_moment_is_between_the_last_before_and_the_first_after() {
    let (before, after) = (level(3.0, 0.1, 11), level(60.0, 1.0, 11));
    let found = divided_into(&[&before, &after], S, |_| 1).judge(MATTERS);
    let at = found.expect("it moved").changepoint;
    assert_eq!((at.earliest_ns, at.at_ns, at.latest_ns), (11 * S, 12 * S, 12 * S));
    assert!(
        (at.before - 3e6).abs() < 1.0 && (at.after - 60e6).abs() < 1.0,
        "{at:?}"
    );
}

#[test]
fn a_folder_in_which_prompts_take_longer_is_nothing_that_a_line_did() {
    let (here, there) = (level(20.0, 0.5, 40), level(50.0, 1.0, 40));
    let check = |parts: &[&[f64]], folder: &dyn Fn(usize) -> u64, expect: &str| {
        let mut watched = divided_into(parts, S, folder);
        assert_eq!(verdict(&mut watched), expect);
    };
    let gone = |n: usize| 1 + u64::from(n > 40);
    check(&[&here, &there], &gone, "open");
    // Nobody waits for ever for somebody to come back.
    let stays = level(50.0, 1.0, OPEN_MAX as u32);
    check(&[&here, &stays[1..]], &gone, "open");
    check(&[&here, &stays], &gone, "cleared");
    // Where it is not told in which they were, it cannot be known; nor is it, then, what it is not.
    check(&[&here, &there], &|_| 0, "moved");
    // Of both it is known how it was before: the line is cleared, though most prompts since are slower.
    let both = [&level(20.0, 0.5, 20)[..], &level(50.0, 1.0, 20)].concat();
    let since = [&level(50.0, 1.0, 50)[..], &level(20.0, 0.5, 10)].concat();
    let turns = |n: usize| 1 + u64::from((21..=90).contains(&n));
    check(&[&both, &since], &turns, "cleared");
}

#[test]
fn a_slow_line_is_seen_in_whatever_folders_its_prompts_are() {
    // Three folders in turn, and prompts that take 30 ms longer in each of them, which is less than they differ by.
    let ms = [20.0, 60.0, 150.0];
    let values = |from: usize, n: usize, slower: f64| -> Vec<f64> {
        (from + 1..=from + n)
            .map(|n| ms[n % 3] + slower + (n * 7 % 5) as f64 / 5.0)
            .collect()
    };
    let folder = |n: usize| 1 + (n % 3) as u64;
    let mut watched = divided_into(&[&values(0, 24, 0.0), &values(24, 14, 32.0)], S, folder);
    let found = watched.judge(MATTERS).expect("it moved").changepoint;
    let by_ms = (found.after - found.before) / 1e6;
    assert!((30.0..34.0).contains(&by_ms), "{found:?}");
    // And so is one of lines with a single prompt between them, each in another folder.
    let parts = [
        &values(0, 24, 0.0)[..],
        &values(24, 1, 0.0),
        &values(25, 1, 32.0),
        &values(26, 14, 32.0),
    ];
    let mut watched = divided_into(&parts, S, folder);
    let found = watched.judge(MATTERS).expect("it moved").changepoint;
    assert_eq!((found.earliest_ns, found.at_ns), (25 * S, 26 * S));
    // With the folder gone to at the same time it is not known, until somebody comes back.
    let moves = |n: usize| 1 + u64::from((25..=40).contains(&n));
    let mut watched = divided_into(&[&values(0, 24, 0.0), &values(24, 16, 90.0)], S, moves);
    assert_eq!(verdict(&mut watched), "open");
    (41..=56).for_each(|n| watched.add(n * S, (ms[n as usize % 3] + 90.0) * 1e6, 1));
    assert_eq!(verdict(&mut watched), "moved");
}

#[test]
fn of_two_lines_that_one_prompt_cannot_tell_apart_neither_is_named_alone() {
    let line = |from| Lines {
        from,
        until: from + 1,
    };
    let mut watched = Watched::default();
    let mut n = 0;
    let mut add = |watched: &mut Watched, values: &[f64]| {
        for ms in values {
            n += 1;
            watched.add(n * S, ms * 1e6, 1);
        }
    };
    add(&mut watched, &level(20.0, 2.0, 30));
    watched.typed(1, line(4));
    // Half way between both levels.
    add(&mut watched, &[28.3]);
    watched.typed(2, line(5));
    add(&mut watched, &level(40.0, 2.0, 16));
    let found = watched.judge(MATTERS).expect("it moved");
    assert_eq!(found.lines, Lines { from: 4, until: 6 });
}

/// Types lines, each with so many prompts after it, and then a dozen prompts; the line of the number makes them
/// slower. Gives when each was typed, and what was found, with how many prompts since the slow line that took.
fn type_lines(prompts: &[u32], slow: Option<usize>) -> (Vec<i64>, Vec<(Changepoint, u32)>) {
    let (mut watched, mut now_ns, mut is_slow, mut since) = (Watched::default(), 0, false, 0);
    let (mut typed, mut found) = (Vec::new(), Vec::new());
    let mut prompt = |watched: &mut Watched, now_ns: &mut i64, is_slow: bool| {
        *now_ns += S;
        since += u32::from(is_slow);
        let ms = if is_slow { 60.0 } else { 3.0 } + (*now_ns / S % 5) as f64 / 10.0;
        watched.add(*now_ns, ms * 1e6, 1);
        found.extend(watched.judge(MATTERS).map(|found| (found.changepoint, since)));
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
    for lines in 1..=CHANGES_MAX {
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
        -mean * libm::log(1.0 - self.uniform())
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * libm::log(1.0 - self.uniform())).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// The next prompt: when, and what it takes.
    fn prompt(&mut self, slower_ms: f64) -> (i64, f64) {
        self.now_s += (5.0 * libm::exp(self.normal())).min(120.0);
        if self.now_s > self.busy_from_s {
            self.busy_until_s = self.now_s + self.exponential(30.0);
            self.busy_from_s = self.busy_until_s + self.exponential(900.0);
            self.busy_times = 1.5 + 2.5 * self.uniform();
        }
        let mut ms = 20.0 * libm::exp(0.1 * self.normal());
        if self.now_s < self.busy_until_s {
            ms *= self.busy_times * libm::exp(0.3 * self.normal());
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
        watched.add(at_ns, ns, 1);
        if watched.judge(MATTERS).is_some() {
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
