//! Seeds, as many as asked for. See the crate's documentation for how to run one again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use lle_sim::drive::{Options, run};

/// How many seeds run without being asked for more.
const SEEDS: u64 = 500;
/// Failures that are printed: the first is looked at first.
const TOLD_MAX: usize = 3;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_what_must_hold_holds() {
    if let Some(seed) = number("LUSUSH_SIM_SEED") {
        let options = Options {
            verbose: true,
            ..Options::default()
        };
        run(seed, options).unwrap_or_else(|failure| panic!("{failure}"));
        return;
    }
    let seeds = number("LUSUSH_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(1);
    let began = Instant::now();
    let search = || {
        let mut failures = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > seeds {
                return failures;
            }
            failures.extend(run(seed, Options::default()).err());
        }
    };
    let failures: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(search)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    println!("{seeds} seeds in {:?}", began.elapsed());
    let mut kinds = std::collections::BTreeMap::<String, Vec<u64>>::new();
    for failure in &failures {
        let kind: String = failure.violations[0]
            .chars()
            .filter(|c| !c.is_ascii_digit())
            .take(60)
            .collect();
        kinds.entry(kind).or_default().push(failure.seed);
    }
    for failure in failures.iter().take(TOLD_MAX) {
        println!("{failure}\n");
    }
    for (kind, seeds) in &kinds {
        println!(
            "{} seeds: {kind}…, as {:?}",
            seeds.len(),
            &seeds[..seeds.len().min(5)]
        );
    }
    assert!(failures.is_empty(), "{} of {seeds} seeds failed", failures.len());
}
