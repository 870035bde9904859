//! Reading what is not, or no longer, a flight file: an answer or an error, never a panic.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use lle_metrics::{
    Counter, Draft, EventKind, FILE_BYTES, Flight, Gauge, NewPart, PartKind, Parted, ReadError, Snapshot,
    Stage, Timer, Window, liveness,
};
use proptest::prelude::*;
use support::identity;

fn part(name: &str, ns: u64, parent: Option<usize>) -> NewPart<'_> {
    let kind = parent.map_or(PartKind::Command, |_| PartKind::Inner);
    NewPart {
        kind,
        name: name.as_bytes(),
        ns,
        may_wait: false,
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
        // Both rings have gone round.
        for n in 0..20 {
            w.prompt_change(b"PS1='$ '");
            (0..10).for_each(|prompt| w.prompt_in(n, n * 1_000 + prompt));
        }
    });
    let path = flight.path().unwrap().to_owned();
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

fn all<Row: Copy, Value>(rows: &[Row], value: impl Fn(Row) -> Value) -> Vec<Value> {
    rows.iter().map(|row| value(*row)).collect()
}

/// Looks at the rings of prompts and of changes, from a number on: whatever they say of themselves, there are no more rows
/// than the file has room for, each with its own number, in order.
fn look_at_rings(snapshot: &Snapshot, from: u64) {
    let in_order = |numbers: &[u64]| {
        assert!(numbers.iter().all(|number| *number >= from), "{numbers:?}");
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    };
    let prompts: Vec<_> = snapshot.prompts_since(from).collect();
    assert!(prompts.len() <= FILE_BYTES / 16);
    assert!(
        prompts
            .iter()
            .all(|prompt| prompt.took_ns < 1 << 40 && prompt.changes < 1 << 24)
    );
    in_order(&prompts.iter().map(|prompt| prompt.number).collect::<Vec<_>>());
    let changes: Vec<_> = snapshot.prompt_changes_since(from).collect();
    assert!(changes.len() <= FILE_BYTES / 128);
    assert!(changes.iter().all(|change| change.text.len() <= 128));
    in_order(&changes.iter().map(|change| change.number).collect::<Vec<_>>());
    black_box(snapshot.prompts_timed());
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
        assert!(snapshot.events().count() <= FILE_BYTES);
        assert!(snapshot.draft().text.len() <= FILE_BYTES);
        black_box((snapshot.last_command(), snapshot.prompt_blame()));
        for from in [0, 1, 195, 1 << 63, u64::MAX - 1, u64::MAX] {
            look_at_rings(&snapshot, from);
        }
        black_box(all(Stage::ALL, |row| snapshot.stage(row)));
        for of in [Parted::Prompt, Parted::Start] {
            let parts = snapshot.parts(of);
            black_box((parts.whole(), parts.other()));
            assert!(parts.rows().count() <= FILE_BYTES);
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

/// Where the head's list of sections says that one lies: the prompts are the twelfth, the changes the thirteenth.
fn section(whole: &[u8], at: usize) -> usize {
    let entry = 24 + 8 * at;
    u32::from_ne_bytes(whole[entry..entry + 4].try_into().unwrap()) as usize
}

/// The sections of the rings, and how long they are.
fn rings(whole: &[u8]) -> [(usize, usize); 2] {
    [
        (section(whole, 11), 8 + 64 * 16),
        (section(whole, 12), 8 + 8 * (8 + 8 + 128)),
    ]
}

#[test]
fn any_flipped_byte_of_the_rings_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let (path, whole) = written(dir.path());
    let snapshot = Snapshot::read(&path).unwrap();
    assert_eq!(snapshot.prompts_since(0).count(), 64);
    assert_eq!(snapshot.prompt_changes_since(0).count(), 8);
    for (from, bytes) in rings(&whole) {
        // The number of rows written, the first rows whole, and a byte of each word behind.
        for at in (from..from + 200).chain((from + 200..from + bytes).step_by(8)) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            fs::write(&path, &bytes).unwrap();
            look(&path).unwrap();
        }
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

    /// The head is good, and either ring holds anything: rows that were never written, numbers of the end of time.
    #[test]
    fn rubbish_in_the_rings_is_survived(
        words in prop::collection::vec(prop_oneof![any::<u64>(), 0..300u64, (u64::MAX - 300)..], 300),
        rows in prop_oneof![Just(None), any::<u32>().prop_map(Some), (0..100u32).prop_map(Some)],
        ring in 0..2usize,
        from in any::<u64>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut bytes) = written(dir.path());
        let (at, length) = rings(&bytes)[ring];
        for (to, word) in bytes[at..at + length].chunks_exact_mut(8).zip(&words) {
            to.copy_from_slice(&word.to_ne_bytes());
        }
        if let Some(rows) = rows {
            let entry = 24 + 8 * (11 + ring) + 4;
            bytes[entry..entry + 4].copy_from_slice(&rows.to_ne_bytes());
        }
        fs::write(&path, &bytes).unwrap();
        // So many rows that they do not fit into the file are an error.
        let looked = look(&path);
        prop_assert!(looked.is_ok() || rows.is_some_and(|rows| rows > 8), "{:?}", looked);
        if looked.is_ok() {
            look_at_rings(&Snapshot::read(&path).unwrap(), from);
        }
    }
}
