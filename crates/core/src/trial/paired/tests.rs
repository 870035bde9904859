//! What the pairs say, and how often they say what is not so.

use super::*;
use proptest::prelude::*;

/// Pairs around a ratio, with a spread of the logarithm, that alternate so as to be exactly that.
fn tally(pairs: u64, ratio: f64, spread: f64) -> Tally {
    let mut tally = Tally::default();
    for pair in 0..pairs {
        let log = libm::log(ratio) + if pair % 2 == 0 { spread } else { -spread };
        tally.pairs += 1;
        tally.log_sum += (log * MILLION) as i64;
        tally.log_squares += (log * log * MILLION) as i64;
        tally.current_ns += 1_000;
        tally.candidate_ns += (1_000.0 * libm::exp(log)) as u64;
        let in_all = tally.in_all.get_or_insert_default();
        in_all.add(1_000.0, 1_000.0 * libm::exp(log), 1_000.0);
    }
    tally
}

fn paired() -> Paired {
    Paired::new("names.keep", "prompt", "path", false)
}

#[test]
fn what_the_pairs_say_is_the_verdict() {
    fn check(pairs: u64, ratio: f64, spread: f64, over: bool, expect: Option<Verdict>, why: &str) {
        let mut paired = paired();
        paired.hear(7, tally(pairs / 2, ratio, spread));
        paired.hear(8, tally(pairs - pairs / 2, ratio, spread));
        let verdict = paired.look(over);
        assert_eq!(verdict, expect, "{pairs} pairs, {ratio} ± {spread}");
        let said = paired.why(verdict.unwrap_or(Verdict::InconclusiveReverted));
        assert!(said.starts_with(why), "{said}");
    }
    use Verdict::{Confirm, InconclusiveReverted as Neither, Revert};
    check(31, 0.5, 0.1, false, None, "too little was typed: 31 of 32");
    check(
        31,
        0.5,
        0.1,
        true,
        Some(Neither),
        "too little was typed: 31 of 32",
    );
    // Faster, but what stalls one line in forty does not show in so few.
    check(
        32,
        0.5,
        0.1,
        false,
        None,
        "mostly faster, but too few lines to say so of all: no line stalled",
    );
    check(32, 0.5, 0.1, true, Some(Neither), "mostly faster, but too few");
    check(64, 0.7, 0.1, false, None, "mostly faster, but too few");
    check(
        64,
        0.7,
        0.1,
        true,
        Some(Confirm),
        "faster: -30.0 % (-32.2 to -27.7) over 64 pairs of lines; cost in all -30 %, though",
    );
    check(128, 0.7, 0.1, false, Some(Confirm), "faster: -30.0 %");
    // Who gains three fifths can afford a stall of one line in forty.
    check(64, 0.4, 0.1, false, Some(Confirm), "faster: -60.0 %");
    check(32, 2.0, 0.1, false, Some(Revert), "slower: +100.0 %");
    check(
        40,
        0.9,
        0.5,
        false,
        None,
        "the evidence does not suffice: -10.0 %",
    );
    check(
        256,
        0.99,
        0.5,
        false,
        Some(Neither),
        "the evidence does not suffice: -1.0 %",
    );
    check(
        256,
        1.0,
        0.05,
        false,
        Some(Neither),
        "no gain worth a change: +0.0 %",
    );
    check(
        64,
        0.98,
        0.001,
        false,
        Some(Neither),
        "no gain worth a change: -2.0 %",
    );
}

#[test]
fn it_is_looked_at_when_the_pairs_are_there_and_at_no_other_time() {
    let mut paired = paired();
    let mut looks = Vec::new();
    for pairs in 1..=256 {
        paired.hear(7, tally(pairs, 0.95, 0.6));
        let before = paired.looks;
        let verdict = paired.look(false);
        if paired.looks > before {
            looks.push(pairs);
        }
        assert_eq!(verdict.is_some(), pairs == 256, "{pairs}");
    }
    assert_eq!(looks, LOOKS);
}

#[test]
fn numbers_that_cannot_be_are_not_heard() {
    let mut paired = paired();
    let check = |paired: &mut Paired, tally: Tally, expect: bool| {
        assert_eq!(paired.hear(7, tally), expect, "{tally:?}");
    };
    let good = tally(10, 0.5, 0.1);
    check(
        &mut paired,
        Tally {
            log_squares: -5,
            ..good
        },
        false,
    );
    check(
        &mut paired,
        Tally {
            log_squares: 5,
            ..good
        },
        false,
    );
    check(
        &mut paired,
        Tally {
            log_sum: i64::MIN,
            ..good
        },
        false,
    );
    check(
        &mut paired,
        Tally {
            log_squares: i64::MAX,
            ..good
        },
        false,
    );
    check(&mut paired, good, true);
    check(&mut paired, good, false);
    check(&mut paired, tally(9, 0.5, 0.1), false);
    check(&mut paired, tally(11, 0.5, 0.1), true);
    assert_eq!(paired.pairs(), 11);
}

/// Noise that is no number theory: a hash of a seed, as in the session.
fn noise(seed: u64) -> f64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
}

#[test]
fn two_equals_are_seldom_told_apart() {
    let trials = 2_000;
    let mut wrong = 0;
    for trial in 0..trials {
        let (mut paired, mut sum) = (paired(), Tally::default());
        for pair in 0..256 {
            let log = noise(trial * 256 + pair);
            sum.pairs += 1;
            sum.log_sum += (log * MILLION) as i64;
            sum.log_squares += (log * log * MILLION) as i64;
            paired.hear(1, sum);
            match paired.look(false) {
                Some(Verdict::Confirm | Verdict::Revert) => {
                    wrong += 1;
                    break;
                }
                Some(_) => break,
                None => {}
            }
        }
    }
    assert!(wrong * 20 <= trials, "{wrong} of {trials}");
}

proptest! {
    #[test]
    fn whatever_is_heard_is_answered(
        pairs in any::<u64>(), log_sum in any::<i64>(), log_squares in any::<i64>(),
        current_ns in any::<u64>(), candidate_ns in any::<u64>(), sums in proptest::option::of(any::<[u64; 6]>()),
    ) {
        let in_all = sums.map(|[current, candidate, current_most, candidate_most, current_stalls, candidate_stalls]| {
            InAll { current, candidate, current_most, candidate_most, current_stalls, candidate_stalls }
        });
        let mut paired = paired();
        paired.hear(1, Tally { pairs, log_sum, log_squares, current_ns, candidate_ns, in_all });
        let verdict = paired.look(true);
        prop_assert!(verdict.is_some());
        if let Some(seen) = paired.seen {
            prop_assert!(seen.low <= seen.ratio && seen.ratio <= seen.high);
        }
    }

    #[test]
    fn what_was_written_is_read(pairs in 0u64..400, forced in any::<bool>()) {
        let mut paired = Paired { forced, ..paired() };
        paired.hear(1, tally(pairs, 0.8, 0.2));
        paired.look(false);
        let json = serde_json::to_string(&paired).unwrap();
        prop_assert_eq!(serde_json::from_str::<Paired>(&json).unwrap(), paired);
    }
}

/// A machine, and a lever on it.
#[derive(Clone, Copy)]
struct Bench {
    /// By how much lines differ, as the spread of the logarithm.
    spread: f64,
    /// One line in so many takes long of itself, with either value; 0: none does.
    slow_one_in: u64,
    /// What the lever multiplies the cost by.
    ratio: f64,
    /// One line in so many stalls with it, sixty-fold; 0: none does.
    stalls_one_in: u64,
    /// The machine hangs for one line of the candidate: it takes a thousand times as long.
    hangs: bool,
    /// Pairs until the deadline.
    pairs_max: u64,
}

const STEADY: Bench = Bench {
    spread: 0.25,
    slow_one_in: 0,
    ratio: 0.7,
    stalls_one_in: 0,
    hangs: false,
    pairs_max: 256,
};

/// Types at it through what the session does; gives the verdict, and what is said of it.
fn judged(bench: Bench, seed: u64) -> (Verdict, String) {
    use crate::arms::Arms;
    use crate::desired;
    use crate::lever::{Cost, Lever};
    let setting = desired::Setting {
        name: "names.cache_entries".into(),
        value: "0".into(),
    };
    let (mut arms, mut draws, mut lines) = (Arms::default(), seed << 20, 0);
    let mut draw = || {
        draws += 1;
        noise(draws)
    };
    arms.take(
        &[],
        Some(&desired::Trial {
            id: seed + 1,
            setting,
        }),
    );
    let mut paired = paired();
    loop {
        let is_candidate = arms.begin_line().value(Lever::NamesCacheEntries) == 0;
        // The sum of three is bell-shaped enough, with a spread of one.
        let mut cost = 1e6 * libm::exp(bench.spread * (draw() + draw() + draw()));
        let one_in = |n: u64, drawn: f64| n > 0 && (drawn + 1.0) / 2.0 * (n as f64) < 1.0;
        let is_slow = one_in(bench.slow_one_in, draw());
        // Pareto's distribution, to a hundred times.
        let slow = (3.0 * libm::pow((draw() + 1.0) / 2.0 + 1e-9, -1.0 / 1.5)).min(100.0);
        let stalls = one_in(bench.stalls_one_in, draw());
        cost *= if is_slow { slow } else { 1.0 };
        if is_candidate {
            lines += 1;
            cost *= bench.ratio * if stalls { 60.0 } else { 1.0 };
            cost *= if bench.hangs && lines == 20 { 1_000.0 } else { 1.0 };
        }
        for _ in 0..3 {
            arms.painted();
            arms.spent(Cost::Highlight, cost as u64);
        }
        let Some(said) = arms.end_line() else { continue };
        let tally = Tally {
            pairs: said.pairs,
            log_sum: said.log_sum,
            log_squares: said.log_squares,
            current_ns: said.current_ns,
            candidate_ns: said.candidate_ns,
            in_all: Some(said.in_all),
        };
        assert!(paired.hear(1, tally), "{tally:?}");
        if let Some(verdict) = paired.look(said.pairs >= bench.pairs_max) {
            return (verdict, paired.why(verdict));
        }
    }
}

/// How many of so many trials came to what.
fn of_trials(bench: Bench, trials: u64) -> (u64, u64) {
    let (mut kept, mut worse) = (0, 0);
    for seed in 0..trials {
        let (verdict, why) = judged(bench, seed);
        kept += u64::from(verdict == Verdict::Confirm);
        worse += u64::from(verdict == Verdict::Revert);
        let told = why.starts_with("mostly faster, but ") && why.contains("stalled");
        assert!(
            verdict != Verdict::Revert || bench.stalls_one_in == 0 || told || why.starts_with("slower"),
            "{why}"
        );
    }
    (kept, worse)
}

#[test]
fn what_stalls_lines_is_seldom_kept_and_what_helps_is() {
    fn check(name: &str, bench: Bench, kept: std::ops::RangeInclusive<u64>, worse_least: u64) {
        let (is_kept, worse) = of_trials(bench, 200);
        println!("{name}: of 200 {is_kept} kept, {worse} worse");
        assert!(kept.contains(&is_kept), "{name}: {is_kept} kept");
        assert!(worse >= worse_least, "{name}: {worse} worse");
    }
    let stalls = Bench {
        stalls_one_in: 40,
        ..STEADY
    };
    let noisy = |bench: Bench| Bench {
        spread: 0.65,
        ..bench
    };
    let heavy = |bench: Bench| Bench {
        slow_one_in: 12,
        ..bench
    };
    let short = |bench: Bench| Bench {
        pairs_max: 64,
        ..bench
    };
    let hangs = |bench: Bench| Bench { hangs: true, ..bench };
    check("helps", STEADY, 198..=200, 0);
    check("helps, noisy", noisy(STEADY), 196..=200, 0);
    check("helps, heavy tails", heavy(STEADY), 180..=200, 0);
    check("helps, short", short(STEADY), 190..=200, 0);
    // -22 % by the typical line, +73 % in all.
    check("stalls", stalls, 0..=16, 120);
    check("stalls, noisy", noisy(stalls), 0..=20, 60);
    check("stalls, heavy tails", heavy(stalls), 0..=30, 30);
    check("stalls, short", short(stalls), 0..=60, 0);
    // One line of the machine's own noise, a thousand times as long as others.
    check("helps, and hangs once", hangs(STEADY), 196..=200, 0);
    check("helps, and hangs once, noisy", noisy(hangs(STEADY)), 190..=200, 0);
}

#[test]
fn sessions_that_do_not_say_what_lines_cost_in_all_keep_nothing() {
    let mut paired = paired();
    let silent = Tally {
        in_all: None,
        ..tally(256, 0.5, 0.1)
    };
    paired.hear(1, silent);
    let verdict = paired.look(false);
    assert_eq!(verdict, Some(Verdict::InconclusiveReverted));
    let why = paired.why(Verdict::InconclusiveReverted);
    assert!(why.starts_with("mostly faster, but sessions do not say"), "{why}");
    // Another one does.
    let mut paired = self::paired();
    paired.hear(
        1,
        Tally {
            in_all: None,
            ..tally(100, 0.5, 0.1)
        },
    );
    paired.hear(2, tally(156, 0.5, 0.1));
    assert_eq!(paired.look(false), Some(Verdict::Confirm));
}
