//! A plan whose undo names another state than the one before must be noticed.

use lle_sim::drive::{Options, run};

/// Seeds that are tried until one meets such a plan and fails it.
const SEEDS: u64 = 200;

#[test]
fn a_broken_undo_is_caught_and_its_seed_is_named() {
    let broken = Options {
        broken_undo: true,
        ..Options::default()
    };
    let caught = (1..=SEEDS).find_map(|seed| {
        let failure = run(seed, broken).err()?;
        failure
            .violations
            .iter()
            .any(|what| what.starts_with("undo: "))
            .then_some(failure)
    });
    let failure = caught.expect("some plan fails behind a step that is taken back wrongly");
    println!("{failure}");
    let told = failure.to_string();
    assert!(
        told.contains(&format!("LUSUSH_SIM_SEED={}", failure.seed)),
        "{told}"
    );
    // The same seed with an undo that is right finds nothing.
    run(failure.seed, Options::default()).unwrap_or_else(|failure| panic!("{failure}"));
}
