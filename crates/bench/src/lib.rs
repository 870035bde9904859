//! What the benches print and leave: rows of numbers beside their budgets, and the machine that they are of.
//!
//! Invariant: a number stands beside the budget of its name at that budget's percentile, or beside none.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;

use lle_core::budget::{Budget, Percentile};

/// Prints what every number depends on.
pub fn head() {
    println!("machine: {}", machine());
    // Whatever else runs shows in the last percent.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load: {}", load.split(' ').next().unwrap_or("unknown"));
}

/// Prints the heads of the columns of [`row`].
pub fn columns() {
    println!("{:44} {:>10} {:>10} {:>14} {:>8}", "", "p50", "p99", "budget", "");
}

/// Prints a row, with the budget of that name and whether it was met. What is measured is in the budget's unit, or in
/// nanoseconds if there is no budget of that name.
pub fn row(name: &str, operation: &str, mut measured: Vec<f64>) {
    measured.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| measured.get((measured.len() as f64 * q) as usize).copied();
    let (p50, p99) = (at(0.5).unwrap_or(f64::NAN), at(0.99).unwrap_or(f64::NAN));
    let Some(budget) = Budget::named(name) else {
        return println!(
            "{operation:44} {p50:>7.1} ns {p99:>7.1} ns {:>14} {:>8}",
            "-", "-"
        );
    };
    println!(
        "{operation:44} {:>10} {:>10} {:>14} {:>8}",
        budget.show(p50),
        budget.show(p99),
        limit(budget),
        budget.judge(Some(judged(budget, p50, p99))),
    );
}

/// Which of the two a budget is about.
pub fn judged(budget: &Budget, p50: f64, p99: f64) -> f64 {
    match budget.percentile {
        Percentile::P50 => p50,
        _ => p99,
    }
}

/// What a budget allows, and at which percentile.
pub fn limit(budget: &Budget) -> String {
    format!("{} {}", budget.percentile, budget.show(budget.at_most))
}

/// Leaves a number for `maint validate`, at the budget's percentile and in its unit, with the worst of all if that is
/// known, if it is this bench that the budget names as its probe: what another measures on another corpus is not ours to
/// tell.
///
/// `LUSUSH_BENCH_RESULTS` names the file, which is appended to. The worker reads `bench.jsonl` in its state folder.
///
/// # Panics
/// The file that is named cannot be written.
pub fn leave(bench: &str, budget: &Budget, value: f64, worst: Option<f64>, samples: usize) {
    let Some(path) = std::env::var_os("LUSUSH_BENCH_RESULTS") else {
        return;
    };
    if budget.probe.rsplit(' ').next() != Some(bench) {
        return;
    }
    let date = Command::new("date").args(["-u", "+%F"]).output();
    let date = date.map_or_else(|_| Vec::new(), |date| date.stdout);
    let when = String::from_utf8_lossy(&date);
    let line = budget.result_line(value, worst, samples, when.trim(), &machine());
    let file = OpenOptions::new().append(true).create(true).open(path);
    let written = file.and_then(|mut file| file.write_all(line.unwrap_or_default().as_bytes()));
    written.expect("the file of results can be written");
}

/// Names the machine: a number without it means nothing.
pub fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown");
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} × {cpus}", model.trim_start_matches(['\t', ' ', ':']))
}
