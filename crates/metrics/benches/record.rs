//! What recording and reading cost, beside their budgets.
//!
//! Each number is taken over batches long enough for the clock; the median and the 99th percentile of
//! the batches (of the single reads, for the snapshot) are printed.

use std::hint::black_box;
use std::time::Instant;

use lle_bench::{columns, head, row};
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

    head();
    println!("directory: {}", dir.path().display());
    columns();
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
