//! A configuration that changed nothing stays, and one that costs something does not.

use lle_sim::confirming::{HELD_OUT, Kind, run, table};

/// Seeds for development; the page is of others.
const SEEDS: std::ops::Range<u64> = 1..400;

#[test]
fn what_changed_nothing_is_seldom_taken_back() {
    for kind in Kind::ALL.iter().filter(|kind| !kind.is_slower()) {
        let tally = run(*kind, SEEDS);
        assert!(tally.worse * 100 <= tally.trials, "{kind:?}: {tally:?}");
    }
}

#[test]
fn what_costs_something_is_taken_back_within_a_few_prompts() {
    for kind in Kind::ALL.iter().filter(|kind| kind.is_slower()) {
        let tally = run(*kind, SEEDS);
        assert!(tally.worse * 100 >= tally.trials * 90, "{kind:?}: {tally:?}");
    }
    let tally = run(Kind::Prompts200, SEEDS);
    assert_eq!(tally.worse, tally.trials);
    assert!(tally.took.last().is_some_and(|most| *most <= 10), "{tally:?}");
}

#[test]
fn the_page_is_of_this_code() {
    let written = include_str!("../../../docs/confirm.md");
    let page = table(lle_sim::confirming::TRIALS);
    let first = format!("seeds from {HELD_OUT}");
    assert!(written.contains(&first), "docs/confirm.md lacks {first:?}");
    assert!(
        written.contains(&page),
        "docs/confirm.md lacks this table:\n{page}"
    );
}

#[test]
fn each_configuration_on_trial_ends_kept_taken_back_or_named_whatever_dies() {
    // A seed here is a morning of typing, twenty times as long as one of the simulator's other test.
    let seeds = std::env::var("LUSUSH_SIM_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse::<u64>().ok())
        .map_or(100, |seeds| (seeds / 20).max(1));
    let (mut taken_back, mut confirmed, mut killed) = (0, 0, 0);
    for seed in 1..=seeds {
        match lle_sim::committing::run(seed) {
            Err(failure) => panic!("{failure}"),
            Ok(seen) => {
                taken_back += seen.taken_back;
                confirmed += seen.confirmed;
                killed += seen.killed;
            }
        }
    }
    // Or nothing was tested.
    assert!(
        taken_back * 2 > seeds && confirmed * 2 > seeds && killed > seeds,
        "{taken_back} {confirmed} {killed}"
    );
}
