//! Reading what is not, or no longer, a flight file: an answer or an error, never a panic.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use lle_metrics::{
    Counter, Draft, EventKind, Flight, Gauge, NewPart, PartKind, Parted, ReadError, Snapshot, Stage, Timer,
    Window, liveness,
};
use proptest::prelude::*;
use support::identity;

fn part(name: &str, ns: u64, parent: Option<usize>) -> NewPart<'_> {
    let kind = parent.map_or(PartKind::Command, |_| PartKind::Inner);
    NewPart {
        kind,
        name: name.as_bytes(),
        ns,
        count: 1,
        parent,
    }
}

/// A flight file with something in every section.
fn written(dir: &Path) -> (PathBuf, Vec<u8>) {
    let flight = Flight::create(dir, &identity()).unwrap();
    flight.update(|w| {
        for counter in Counter::ALL {
            w.add(*counter, 1);
        }
        for timer in Timer::ALL {
            w.time(*timer, 1_000);
        }
        for code in 0..200 {
            w.event(EventKind::Notice, code, 0, b"text");
        }
        w.draft(b"line", Draft::Kept);
        for stage in Stage::ALL {
            w.stage(*stage, 1_000);
        }
        for of in [Parted::Prompt, Parted::Start] {
            w.parts(of, 5_000, &[part("f", 4_000, None), part("g", 3_000, Some(0))]);
        }
    });
    let path = flight.path().unwrap().to_owned();
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

fn all<Row: Copy, Value>(rows: &[Row], value: impl Fn(Row) -> Value) -> Vec<Value> {
    rows.iter().map(|row| value(*row)).collect()
}

/// Looks at everything there is to see.
fn look(path: &Path) -> Result<(), ReadError> {
    liveness(path);
    let looked = Snapshot::read(path).map(|snapshot| {
        snapshot.identity();
        black_box((
            all(Counter::ALL, |row| snapshot.counter(row)),
            all(Gauge::ALL, |row| snapshot.gauge(row)),
        ));
        for timer in Timer::ALL {
            let histogram = snapshot.histogram(*timer);
            black_box((histogram.quantile(0.5), histogram.quantile(1.0), histogram.mean()));
        }
        assert!(snapshot.events().count() <= lle_metrics::FILE_BYTES);
        assert!(snapshot.draft().text.len() <= lle_metrics::FILE_BYTES);
        black_box((snapshot.last_command(), snapshot.prompt_blame()));
        for from in [0, u64::MAX - 1] {
            assert!(snapshot.prompts_since(from).count() <= lle_metrics::FILE_BYTES);
            assert!(snapshot.prompt_changes_since(from).count() <= lle_metrics::FILE_BYTES);
        }
        black_box(all(Stage::ALL, |row| snapshot.stage(row)));
        for of in [Parted::Prompt, Parted::Start] {
            let parts = snapshot.parts(of);
            black_box((parts.whole(), parts.other()));
            assert!(parts.rows().count() <= lle_metrics::FILE_BYTES);
        }
    });
    if let Ok(window) = Window::open(path) {
        black_box((
            all(Counter::ALL, |row| window.counter(row)),
            all(Gauge::ALL, |row| window.gauge(row)),
        ));
    }
    looked
}

#[test]
fn the_head_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (path, whole) = written(dir.path());
    let check = |bytes: &[u8], expect: &str| {
        fs::write(&path, bytes).unwrap();
        let said = look(&path).map_or_else(|error| error.to_string(), |()| "fine".to_owned());
        assert_eq!(said, expect);
    };
    let with = |at: usize, new: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        bytes
    };
    check(&whole, "fine");
    check(b"", "is cut off: 0 of 32768 bytes");
    check(&whole[..40], "is cut off: 40 of 32768 bytes");
    check(&whole[..32_767], "is cut off: 32767 of 32768 bytes");
    check(&with(0, &[0; 8]), "was never finished");
    check(b"#!/bin/sh\necho not a flight file\n", "is not a flight file");
    check(
        &with(8, &0u32.to_ne_bytes()),
        "has format 0; this version reads 1 to 1",
    );
    check(
        &with(8, &9u32.to_ne_bytes()),
        "has format 9; this version reads 1 to 1",
    );
    // The offset and the number of rows of the counters.
    check(
        &with(32, &u32::MAX.to_ne_bytes()),
        "is damaged: its counters section lies outside",
    );
    check(
        &with(32, &1u32.to_ne_bytes()),
        "is damaged: its counters section lies outside",
    );
    check(
        &with(36, &u32::MAX.to_ne_bytes()),
        "is damaged: its counters section lies outside",
    );
    // The first section begins inside the list of sections.
    check(
        &with(24, &64u32.to_ne_bytes()),
        "is damaged: its identity section lies outside",
    );
    // A writer that knows fewer or no counters is merely older.
    check(&with(36, &0u32.to_ne_bytes()), "fine");
}

#[test]
fn rows_an_older_writer_does_not_know_are_zero_or_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let (path, mut bytes) = written(dir.path());
    bytes[36..40].copy_from_slice(&1u32.to_ne_bytes());
    bytes[52..56].copy_from_slice(&1u32.to_ne_bytes());
    fs::write(&path, &bytes).unwrap();
    let snapshot = Snapshot::read(&path).unwrap();
    assert_eq!(
        (snapshot.counter(Counter::Keys), snapshot.counter(Counter::Paints)),
        (1, 0)
    );
    assert_eq!(snapshot.histogram(Timer::KeyToPaint).count, 1);
    assert_eq!(snapshot.histogram(Timer::Highlight).count, 0);
}

#[test]
fn what_is_no_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(look(dir.path()), Err(ReadError::Foreign)));
    assert!(matches!(look(&dir.path().join("missing")), Err(ReadError::Io(_))));
    let link = dir.path().join("link");
    let (path, _) = written(dir.path());
    std::os::unix::fs::symlink(path, &link).unwrap();
    assert!(matches!(look(&link), Err(ReadError::Io(_))));
    // A FIFO would keep a careless reader waiting for ever.
    let fifo = dir.path().join("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    assert!(matches!(look(&fifo), Err(ReadError::Foreign)));
}

#[test]
fn any_flipped_byte_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let (path, whole) = written(dir.path());
    // Every byte of the head, and one in each line of cache after it.
    for at in (0..256).chain((256..whole.len()).step_by(64)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        fs::write(&path, &bytes).unwrap();
        let _either_is_fine = look(&path);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn rubbish_behind_a_good_magic_is_survived(tail in prop::collection::vec(any::<u8>(), 0..40_000)) {
        let dir = tempfile::tempdir().unwrap();
        let (path, whole) = written(dir.path());
        let bytes = [&whole[..12], &tail].concat();
        fs::write(&path, &bytes).unwrap();
        let _either_is_fine = look(&path);
    }
}
