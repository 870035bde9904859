//! What recording and reading cost, beside their budgets.
//!
//! Each number is taken over batches long enough for the clock; the median and the 99th percentile of
//! the batches (of the single reads, for the snapshot) are printed.

use std::hint::black_box;
use std::time::Instant;

use lle_core::budget::{Budget, Percentile, Verdict};
use lle_metrics::{Counter, Draft, FILE_BYTES, Flight, Gauge, Identity, Snapshot, Stage, Timer, Window};

/// Measurements of each row.
const ROUNDS: usize = 2_000;

/// Operations in one measurement of something shorter than the clock can tell.
const BATCH: u32 = 1_000;

fn main() {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let dir = dir.expect("a bench needs a directory to write to");
    let identity = Identity::of_this_process(1, "", "", "");
    let mut flight = Flight::create(dir.path(), &identity).expect("a bench needs 32 KiB");
    let path = flight.path().expect("just created").to_owned();

    println!("machine: {}", machine());
    // Whatever else runs shows in the last percent.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load: {}", load.split(' ').next().unwrap_or("unknown"));
    println!("directory: {}", dir.path().display());
    println!("{:40} {:>10} {:>10} {:>14} {:>8}", "", "p50", "p99", "budget", "");
    row(
        "record_key",
        "record one key",
        batches(|n| record_key(&flight, n)),
    );
    let private = Flight::private(&identity);
    row(
        "record_key",
        "the same without a file",
        batches(|n| record_key(&private, n)),
    );
    row("", "an empty batch", batches(|_| flight.update(|_| {})));

    let mut snapshot = Snapshot::read(&path).expect("just written");
    let sample = singles(|| {
        snapshot.read_again(&path).expect("still there");
        black_box(snapshot.histogram(Timer::KeyToPaint).quantile(0.99));
    });
    row("health_sample", "health sample from the flight file", sample);
    let window = Window::open(&path).expect("still there");
    let collect = batches(|_| {
        black_box(window.counter(Counter::Keys));
    });
    row("collect_metric", "collect one metric from shared memory", collect);
    let registered = singles(|| {
        black_box(flight.still_registered());
    });
    row("", "still registered, at each prompt", registered);
    row(
        "session_bytes",
        "monitoring data of a session",
        vec![FILE_BYTES as f64],
    );
    flight.remove();
}

/// A counter, a timer and its two stages, a gauge and the line being typed.
fn record_key(flight: &Flight, n: u32) {
    flight.update(|w| {
        w.add(Counter::Keys, 1);
        w.time(Timer::KeyToPaint, 100_000 + u64::from(n));
        w.stage(Stage::Readline, 2_000 + u64::from(n));
        w.stage(Stage::Paint, 98_000 + u64::from(n));
        w.set(Gauge::LastStatus, i64::from(n));
        w.draft(
            black_box(b"git commit --amend --no-edit && git push"),
            Draft::Kept,
        );
    });
}

/// Prints a row, with the budget of that name and whether it was met.
fn row(name: &str, operation: &str, mut measured: Vec<f64>) {
    measured.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| measured.get((measured.len() as f64 * q) as usize).copied();
    let (p50, p99) = (at(0.5).unwrap_or(f64::NAN), at(0.99).unwrap_or(f64::NAN));
    let Some(budget) = Budget::named(name) else {
        return println!(
            "{operation:40} {p50:>7.1} ns {p99:>7.1} ns {:>14} {:>8}",
            "-", "-"
        );
    };
    let judged = if budget.percentile == Percentile::P50 {
        p50
    } else {
        p99
    };
    let verdict: Verdict = budget.judge(Some(judged));
    let limit = format!("{} {}", budget.percentile, budget.show(budget.at_most));
    println!(
        "{operation:40} {:>10} {:>10} {limit:>14} {verdict:>8}",
        budget.show(p50),
        budget.show(p99)
    );
}

fn batches(mut run: impl FnMut(u32)) -> Vec<f64> {
    let mut once = || {
        let start = Instant::now();
        (0..BATCH).for_each(&mut run);
        start.elapsed().as_nanos() as f64 / f64::from(BATCH)
    };
    (0..ROUNDS).map(|_| once()).collect()
}

fn singles(mut run: impl FnMut()) -> Vec<f64> {
    let mut once = || {
        let start = Instant::now();
        run();
        start.elapsed().as_nanos() as f64
    };
    (0..ROUNDS).map(|_| once()).collect()
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown");
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} × {cpus}", model.trim_start_matches(['\t', ' ', ':']))
}
