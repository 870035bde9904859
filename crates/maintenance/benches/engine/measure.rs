//! Taking numbers, and saying them beside their budgets.

use std::hint::black_box;
use std::time::Instant;

use lle_bench::{judged, leave, limit};
use lle_core::budget::{Budget, Verdict};

/// Measurements of a row, if it says no other number.
pub(crate) const ROUNDS: usize = 2_000;

/// Operations in one measurement of something shorter than the clock can tell.
const BATCH: u32 = 1_000;

/// What a critical operation may never take, in nanoseconds.
const CRITICAL_NS: f64 = 1e6;

/// Prints what every number depends on.
pub(crate) fn head() {
    lle_bench::head();
    println!(
        "{:52} {:>10} {:>10} {:>10} {:>14} {:>8}",
        "", "p50", "p99", "worst", "budget", ""
    );
}

/// Prints a row of times, with the budget of that name and whether it was met. A critical operation also has to stay
/// below a millisecond each time.
pub(crate) fn times(name: &str, operation: &str, mut measured: Vec<f64>) {
    measured.sort_unstable_by(f64::total_cmp);
    let last = measured.len().saturating_sub(1);
    let at = |q: f64| {
        measured
            .get((last as f64 * q) as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    let (p50, p99, worst) = (at(0.5), at(0.99), at(1.0));
    let budget = Budget::named(name);
    let (limit, verdict) = match budget {
        None => ("-".to_owned(), "-".to_owned()),
        Some(budget) => {
            let judged = judged(budget, p50, p99);
            // That of batches is no single measurement.
            let single = budget.critical.then_some(worst);
            leave("engine", budget, judged, single, measured.len());
            let verdict = match budget.judge(Some(judged)) {
                Verdict::Met if budget.critical && worst >= CRITICAL_NS => "worst!".to_owned(),
                verdict => verdict.to_string(),
            };
            (limit(budget), verdict)
        }
    };
    let show = |ns: f64| Budget::named("health_sample").map_or_else(String::new, |budget| budget.show(ns));
    println!(
        "{operation:52} {:>10} {:>10} {:>10} {limit:>14} {verdict:>8}",
        show(p50),
        show(p99),
        show(worst)
    );
}

/// Prints a row of one number.
pub(crate) fn value(name: &str, operation: &str, measured: Option<f64>) {
    let Some(budget) = Budget::named(name) else {
        let shown = measured.map_or("unknown".to_owned(), |value| format!("{value:.0}"));
        return println!("{operation:52} {shown:>32} {:>14} {:>8}", "-", "-");
    };
    let shown = measured.map_or("unknown".to_owned(), |value| budget.show(value));
    if let Some(measured) = measured {
        leave("engine", budget, measured, None, 1);
    }
    let limit = budget.show(budget.at_most);
    let verdict = budget.judge(measured);
    println!("{operation:52} {shown:>32} {limit:>14} {verdict:>8}");
}

/// Prints a row that nothing here measures.
pub(crate) fn unmeasured(name: &str, why: &str) {
    let operation = Budget::named(name).map_or(name, |budget| budget.operation);
    println!("{operation:52} {:>32} {why}", "unknown:");
}

/// How long something takes, in nanoseconds.
pub(crate) fn timed<T>(run: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(run());
    start.elapsed().as_nanos() as f64
}

/// Single measurements of what times itself, apart from what it needs to be set up.
pub(crate) fn singles(rounds: usize, run: impl FnMut() -> f64) -> Vec<f64> {
    std::iter::repeat_with(run).take(rounds).collect()
}

/// Measurements of something shorter than the clock can tell.
pub(crate) fn batches(mut run: impl FnMut(u32)) -> Vec<f64> {
    singles(ROUNDS, || {
        timed(|| (0..BATCH).for_each(&mut run)) / f64::from(BATCH)
    })
}
