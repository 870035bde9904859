//! Bash with LLE shows the same text and cursor as stock bash after every key, and submits the same lines.
//!
//! `LUSUSH_PARITY=n` sets the number of sequences for each alphabet, `LUSUSH_PARITY_SEED=n` where the seeds
//! begin. A failure prints the seed and a sequence shortened until nothing more can be left out.

mod duel;
mod exceptions;
mod keys;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use duel::{Against, Difference, Setup, fight};
use exceptions::EXCEPTIONS;
use keys::{Alphabet, Step, sequence};
use support::{Random, number};

/// Sequences for each alphabet by default: about a minute on two cores.
const SEQUENCES: usize = 500;
/// Failures shortened and shown; the rest are counted.
const SHOWN_MAX: usize = 30;
/// Duels spent on shortening one failure.
const SHORTENING_MAX: usize = 150;

#[test]
fn harness_sees_no_difference_between_two_stock_bashes() {
    for alphabet in [Alphabet::Emacs, Alphabet::Search, Alphabet::Vi] {
        play(
            alphabet,
            Against::Stock,
            number("LUSUSH_PARITY", SEQUENCES).div_ceil(10),
        );
    }
}

#[test]
fn emacs_mode_is_that_of_readline() {
    play(Alphabet::Emacs, Against::Lle, number("LUSUSH_PARITY", SEQUENCES));
}

#[test]
fn searches_are_those_of_readline() {
    play(Alphabet::Search, Against::Lle, number("LUSUSH_PARITY", SEQUENCES));
}

#[test]
fn vi_mode_is_that_of_readline() {
    play(Alphabet::Vi, Against::Lle, number("LUSUSH_PARITY", SEQUENCES));
}

/// Runs `count` sequences and fails if one differs for which there is no exception.
fn play(alphabet: Alphabet, against: Against, count: usize) {
    let bashes = lle_pty::test_bashes();
    let seed = number("LUSUSH_PARITY_SEED", 1);
    let mut compared = 0;
    let mut excepted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for seed in seed..seed + count {
        let mut random = Random::new(seed as u64);
        let setup = Setup::new(&mut random, alphabet, &bashes);
        let steps = sequence(&mut random, alphabet, setup.resizes);
        let outcome = fight(&setup, &steps, against);
        compared += outcome.compared;
        outcome
            .excepted
            .into_iter()
            .for_each(|name| *excepted.entry(name).or_default() += 1);
        match outcome.difference {
            Some(difference) if failures.len() < SHOWN_MAX => {
                failures.push(shown(seed, &setup, &steps, difference, against));
            }
            Some(_) => failures.push(String::new()),
            None => {}
        }
    }
    let versions: Vec<&str> = bashes.iter().map(|bash| bash.version.as_str()).collect();
    println!(
        "{alphabet:?} against {against:?}: {count} sequences, {compared} screens compared, {} differ; bash {}",
        failures.len(),
        versions.join(", ")
    );
    for exception in EXCEPTIONS {
        if let Some(count) = excepted.get(exception.name) {
            println!(
                "  excepted {count} times: {}: {}",
                exception.name, exception.reason
            );
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {count} sequences differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Shortens a failing sequence and describes what is left.
fn shown(seed: usize, setup: &Setup, steps: &[Step], first: Difference, against: Against) -> String {
    let mut steps = steps[..first.at.min(steps.len())].to_vec();
    let mut difference = first;
    let mut duels = 0;
    let mut at = steps.len();
    while at > 0 && duels < SHORTENING_MAX {
        at -= 1;
        let mut fewer = steps.clone();
        fewer.remove(at);
        duels += 1;
        let Some(smaller) = fight(setup, &fewer, against).difference else {
            continue;
        };
        fewer.truncate(smaller.at);
        at = at.min(fewer.len());
        (steps, difference) = (fewer, smaller);
    }
    let Difference {
        at,
        what,
        before,
        stock,
        other,
        fresh,
    } = difference;
    let fresh = fresh.map_or("    neither can".to_owned(), |(stock, other)| {
        match stock == other {
            true => stock.to_string(),
            false => format!("{stock}\n  {against:?}, starting over:\n{other}"),
        }
    });
    format!(
        "seed {seed}: {what} at step {at} of {steps:?}\n  {setup:?}\n  before:\n{before}\n  stock:\n{stock}\n  {against:?}:\n{other}\n  starting over:\n{fresh}\n"
    )
}
