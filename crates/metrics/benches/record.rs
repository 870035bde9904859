//! What recording and reading cost, beside their budgets.
//!
//! Each number is taken over batches long enough for the clock; the median and the 99th percentile of
//! the batches (of the single reads, for the snapshot) are printed.

use std::hint::black_box;
use std::time::Instant;

use lle_metrics::{Counter, Draft, Flight, Gauge, Identity, Snapshot, Timer, Window};

/// Measurements of each row.
const ROUNDS: usize = 2_000;

/// Operations in one measurement of something shorter than the clock can tell.
const BATCH: u32 = 1_000;

fn main() {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let dir = dir.expect("a bench needs a directory to write to");
    let identity = Identity::of_this_process(1, "", "", "");
    let flight = Flight::create(dir.path(), &identity).expect("a bench needs 32 KiB");
    let path = flight.path().expect("just created").to_owned();

    println!("machine: {}", machine());
    println!("directory: {}", dir.path().display());
    println!("{:44} {:>10} {:>10} {:>10}", "", "budget", "p50", "p99");
    row(
        "record one key (40-byte draft)",
        Some(50),
        batches(|n| record_key(&flight, n)),
    );
    let private = Flight::private(&identity);
    row(
        "record one key in a shell without a file",
        Some(50),
        batches(|n| record_key(&private, n)),
    );
    row("empty batch", None, batches(|_| flight.update(|_| {})));

    let mut snapshot = Snapshot::read(&path).expect("just written");
    row(
        "health sample from the flight file",
        Some(10_000),
        singles(|| {
            snapshot.read_again(&path).expect("still there");
            black_box(snapshot.histogram(Timer::KeyToPaint).quantile(0.99));
        }),
    );
    let window = Window::open(&path).expect("still there");
    row(
        "collect one metric from shared memory",
        Some(100),
        batches(|_| {
            black_box(window.counter(Counter::Keys));
        }),
    );
    row(
        "still registered, at each prompt",
        None,
        singles(|| {
            black_box(flight.still_registered());
        }),
    );
    flight.remove();
}

/// A counter, a timer, a gauge and the line being typed.
fn record_key(flight: &Flight, n: u32) {
    flight.update(|w| {
        w.add(Counter::Keys, 1);
        w.time(Timer::KeyToPaint, 100_000 + u64::from(n));
        w.set(Gauge::LastStatus, i64::from(n));
        w.draft(
            black_box(b"git commit --amend --no-edit && git push"),
            Draft::Kept,
        );
    });
}

fn row(name: &str, budget_ns: Option<u64>, mut ns: Vec<f64>) {
    ns.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| {
        ns.get((ns.len() as f64 * q) as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    let budget = budget_ns.map_or("-".to_owned(), |budget| format!("{budget} ns"));
    println!("{name:44} {budget:>10} {:>7.1} ns {:>7.1} ns", at(0.5), at(0.99));
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
