//! Trials of configurations: verdicts on evidence that is as it is said to be, and laws.

use super::*;
use proptest::prelude::*;

const MS: f64 = 1e6;
const TOLERANCE: f64 = 0.1;

/// Evidence of so many observations around a mean, with a spread.
fn evidence(mean_ms: f64, spread_ms: f64, n: u64) -> Evidence {
    let mut evidence = Evidence::default();
    (0..n).for_each(|at| evidence.add(MS * (mean_ms + spread_ms * (at % 5) as f64 - 2.0 * spread_ms)));
    evidence
}

fn prompts(before: Evidence) -> Configured {
    let keys = vec!["prompt.command".to_owned()];
    let mut trial = Configured::new(7, 6, keys, &[Measure::Prompts], false);
    trial.before(1, Measure::Prompts, before);
    trial
}

fn hear(trial: &mut Configured, mean_ms: f64, spread_ms: f64, at: u64) {
    let mean_ns = MS * (mean_ms + spread_ms * (at % 5) as f64 - 2.0 * spread_ms);
    let seen = Observation { samples: 1, mean_ns };
    assert!(trial.hear(1, Measure::Prompts, seen));
}

/// After how many observations it ends, and how.
fn run(trial: &mut Configured, mean_ms: f64, spread_ms: f64, n: u64) -> Option<(u64, Judged)> {
    (0..n).find_map(|at| {
        hear(trial, mean_ms, spread_ms, at);
        Some((at + 1, trial.look(TOLERANCE, false, Otherwise::Keep)?))
    })
}

#[test]
fn a_slower_prompt_is_found_within_a_few_and_what_it_cost_is_said() {
    let check = |before: Evidence, mean_ms: f64, spread_ms: f64, expect: Option<(u64, &str)>| {
        let mut trial = prompts(before);
        let found = run(&mut trial, mean_ms, spread_ms, 400);
        let found = found.map(|(n, judged)| {
            assert_eq!(judged.verdict, Verdict::Revert);
            (n, judged.why)
        });
        let found = found.as_ref().map(|(n, why)| (*n, why.as_str()));
        assert_eq!(found, expect, "{before:?} then {mean_ms} ± {spread_ms}");
    };
    let usual = evidence(2.0, 0.5, 20);
    let said = "prompts were 200 ms slower (197 to 203, 5 prompts)";
    check(usual, 202.0, 0.5, Some((5, said)));
    let said = "prompts were 200 ms slower (127 to 273, 5 prompts)";
    check(usual, 202.0, 12.0, Some((5, said)));
    // So much noise needs more of them.
    let said = "prompts were 200 ms slower (65 to 335, 10 prompts)";
    check(usual, 202.0, 60.0, Some((10, said)));
    // Nobody notices that.
    check(usual, 20.0, 0.5, None);
    // Within what is allowed.
    check(evidence(400.0, 1.0, 20), 430.0, 1.0, None);
    let said = "prompts were 60 ms slower (53 to 67, 5 prompts)";
    check(evidence(400.0, 1.0, 20), 460.0, 1.0, Some((5, said)));
    // Of a session that has only begun: it may have scattered as it does since.
    let said = "prompts were 200 ms slower (185 to 215, 5 prompts)";
    check(evidence(2.0, 0.0, 1), 202.0, 1.0, Some((5, said)));
    check(evidence(2.0, 0.0, 1), 302.0, 120.0, None);
    check(Evidence::default(), 202.0, 0.5, None);
}

#[test]
fn the_time_is_up() {
    let check = |before: Evidence, since: &[(f64, f64, u64)], otherwise, expect, why: &str| {
        let mut trial = prompts(before);
        for (mean_ms, spread_ms, n) in since {
            assert_eq!(run(&mut trial, *mean_ms, *spread_ms, *n), None);
        }
        let judged = trial.look(TOLERANCE, true, otherwise).unwrap();
        assert_eq!((judged.verdict, judged.why.as_str()), (expect, why));
    };
    use Otherwise::{Keep, Revert};
    let usual = evidence(2.0, 0.5, 20);
    check(
        usual,
        &[(2.0, 0.5, 30)],
        Revert,
        Verdict::Confirm,
        "no slower than is allowed: prompts",
    );
    check(
        usual,
        &[],
        Keep,
        Verdict::InconclusiveKept,
        "too few to tell: prompts",
    );
    check(
        usual,
        &[(2.0, 0.5, 4)],
        Revert,
        Verdict::InconclusiveReverted,
        "too few to tell: prompts",
    );
    check(
        usual,
        &[(60.0, 20.0, 8)],
        Keep,
        Verdict::InconclusiveKept,
        "nobody can tell whether these are slower: prompts",
    );
}

#[test]
fn what_is_worse_is_told_of_the_measure_that_costs_most() {
    let measures = [Measure::Keys, Measure::Prompts, Measure::Searches];
    let mut trial = Configured::new(7, 6, Vec::new(), &measures, false);
    for (measure, by_ms) in [
        (Measure::Keys, 20.0),
        (Measure::Prompts, 50.0),
        (Measure::Searches, 0.0),
    ] {
        trial.before(1, measure, evidence(2.0, 0.1, 20));
        for _ in 0..5 {
            let mean_ns = MS * (2.0 + by_ms);
            trial.hear(1, measure, Observation { samples: 3, mean_ns });
        }
    }
    let judged = trial.look(TOLERANCE, false, Otherwise::Keep).unwrap();
    insta::assert_snapshot!(taken_back(7, 6, &judged.why), @"config version 7 taken back: keys were 20 ms slower (19 to 21, 15 keys); `lusush maint config diff 6 7`");
}

#[test]
fn a_session_that_is_always_slow_and_is_used_more_moves_nothing() {
    let mut trial = Configured::new(7, 6, Vec::new(), &[Measure::Prompts], false);
    trial.before(1, Measure::Prompts, evidence(2.0, 0.1, 80));
    trial.before(2, Measure::Prompts, evidence(500.0, 1.0, 20));
    let observation = |mean_ns| Observation { samples: 1, mean_ns };
    for _ in 0..200 {
        trial.hear(2, Measure::Prompts, observation(500.0 * MS));
        assert_eq!(trial.look(TOLERANCE, false, Otherwise::Keep), None);
    }
    trial.hear(3, Measure::Prompts, observation(9_000.0 * MS));
    let judged = trial.look(TOLERANCE, true, Otherwise::Revert).unwrap();
    assert_eq!(
        judged.verdict,
        Verdict::Confirm,
        "a session without a before tells nothing"
    );
}

#[test]
fn trouble_ends_it_at_once_and_silence_does_not_confirm_what_needs_a_word() {
    let mut trial = prompts(evidence(2.0, 0.1, 20));
    trial.fail("LLE panicked in session 1");
    trial.fail("and again");
    let judged = trial.look(TOLERANCE, false, Otherwise::Keep).unwrap();
    assert_eq!(
        (judged.verdict, judged.why.as_str()),
        (Verdict::Revert, "LLE panicked in session 1")
    );
    let mut trial = Configured {
        needs_word: true,
        ..prompts(evidence(2.0, 0.1, 20))
    };
    assert_eq!(run(&mut trial, 2.0, 0.1, 50), None);
    let judged = trial.look(TOLERANCE, true, Otherwise::Keep).unwrap();
    assert_eq!(judged.verdict, Verdict::Withdrawn);
    // What concerns no session stays.
    let mut trial = Configured::new(7, 6, Vec::new(), &[], false);
    assert_eq!(
        trial.look(TOLERANCE, true, Otherwise::Revert).unwrap().verdict,
        Verdict::Confirm
    );
}

#[test]
fn it_is_looked_at_when_observations_are_there_and_at_no_other_time() {
    let mut trial = prompts(evidence(2.0, 0.5, 20));
    let mut looks = Vec::new();
    for at in 0..400 {
        hear(&mut trial, 2.0, 0.5, at);
        let before = trial.measures["prompts"].looks;
        assert_eq!(trial.look(TOLERANCE, false, Otherwise::Keep), None);
        if trial.measures["prompts"].looks > before {
            looks.push(at + 1);
        }
    }
    assert_eq!(looks, LOOKS);
    assert_eq!(trial.progress(), (400, None));
}

#[test]
fn sessions_are_bounded() {
    let mut trial = prompts(Evidence::default());
    for session in 0..2 * SESSIONS_MAX as u64 {
        trial.hear(
            session,
            Measure::Prompts,
            Observation {
                samples: 1,
                mean_ns: 1.0,
            },
        );
        trial.hear(
            session,
            Measure::Keys,
            Observation {
                samples: 1,
                mean_ns: 1.0,
            },
        );
    }
    assert_eq!(trial.measures["prompts"].sessions.len(), SESSIONS_MAX);
    assert_eq!(trial.measures.len(), 1, "keys are not judged");
}

proptest! {
    #[test]
    fn whatever_is_heard_is_answered(
        heard in proptest::collection::vec((0u64..4, any::<u64>(), any::<f64>()), 0..60),
        before in proptest::collection::vec((0u64..4, any::<u64>(), any::<f64>(), any::<f64>()), 0..4),
        tolerance in 0.0..1.0f64,
    ) {
        let mut trial = prompts(Evidence::default());
        for (session, count, mean, squares) in before {
            trial.before(session, Measure::Prompts, Evidence { count, mean, squares });
        }
        for (session, samples, mean_ns) in heard {
            trial.hear(session, Measure::Prompts, Observation { samples, mean_ns });
            if let Some(judged) = trial.look(tolerance, false, Otherwise::Keep) {
                prop_assert_eq!(judged.verdict, Verdict::Revert);
                let (_, seen) = judged.by.unwrap();
                prop_assert!(seen.low_ns <= seen.by_ns && seen.by_ns <= seen.high_ns);
                prop_assert!(seen.low_ns > 20.0 * MS);
            }
        }
        prop_assert!(trial.look(tolerance, true, Otherwise::Keep).is_some());
    }

    #[test]
    fn what_was_written_is_read(n in 0u64..50, needs_word in any::<bool>()) {
        // Without a spread: `serde_json` may read a fraction one bit off.
        let mut trial = Configured { needs_word, ..prompts(evidence(2.0, 0.0, 20)) };
        run(&mut trial, 2.0, 0.0, n);
        let json = serde_json::to_string(&trial).unwrap();
        prop_assert_eq!(serde_json::from_str::<Configured>(&json).unwrap(), trial);
    }
}
