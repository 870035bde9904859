//! What one audit record costs. Prints each number beside its budget; asserts none.
//!
//! `cargo bench -p lle-log --features audit --bench audit`

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use lle_log::audit::anchor::{Anchor, IMAGE_BYTES};
use lle_log::audit::{Chain, Key, Segment, verify};
use lle_log::records::{LogKind, header};

const RECORDS: usize = 100_000;
/// What one record may cost until it is acknowledged: made, and written. Durability is not in it, nor the anchor, which the
/// worker moves once a second, when the records are durable: ahead of its log it would call a loss of power a cut.
const BUDGET: &str = "5 µs";

/// What is done with each record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Made,
    Written,
    /// And its head put into the anchor at once.
    Anchored,
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    println!(
        "corpus: {RECORDS} records with bodies of 120 to 180 bytes, in {}",
        folder.path().display()
    );
    let key = Key::from_bytes([7; 32]);
    for kept in [Kept::Made, Kept::Written, Kept::Anchored] {
        append(&key, folder.path(), kept);
    }
}

/// Appends all records.
fn append(key: &Key, folder: &std::path::Path, kept: Kept) {
    let open = |name: &str, append: bool| {
        if kept == Kept::Made {
            return None;
        }
        let path = folder.join(format!("{name}.{}", kept as u8));
        let mut options = OpenOptions::new();
        let options = options.create(true).write(true).append(append);
        Some(options.open(path).expect("the file can be made"))
    };
    let (mut log, image) = (open("audit.log", true), open("audit.anchor", false));
    let head = header(LogKind::Audit, 1, 0);
    if let Some(log) = &mut log {
        log.write_all(&head).expect("the log can be written");
    }
    let mut chain = Chain::begin(key);
    let mut anchor = Anchor::read(&[0; IMAGE_BYTES], key);
    let body = [b'x'; 180];
    let mut record = Vec::new();
    let samples = (0..RECORDS).map(|index| {
        let body = &body[..120 + index % 61];
        let start = Instant::now();
        record.clear();
        let head = chain
            .append(&mut record, 1, 1, index as i64, body)
            .expect("short enough");
        if let Some(log) = &mut log {
            log.write_all(&record).expect("the log can be written");
        }
        if kept == Kept::Anchored {
            let (slot, at) = anchor.write(head);
            if let Some(image) = &image {
                image.write_all_at(&slot, at).expect("the anchor can be written");
            }
        }
        black_box(&record);
        start.elapsed()
    });
    let (name, budget) = match kept {
        Kept::Made => ("  of it made, without the write", "-"),
        Kept::Written => ("append one audit record, acknowledged", BUDGET),
        Kept::Anchored => ("  the same, and the anchor moved for each", "-"),
    };
    line(name, budget, samples.collect());
    if kept == Kept::Anchored {
        let log = std::fs::read(folder.join(format!("audit.log.{}", kept as u8))).expect("the log is there");
        verify_all(key, &log, &anchor);
    }
}

fn verify_all(key: &Key, bytes: &[u8], anchor: &Anchor) {
    let start = Instant::now();
    let verified = verify(
        &[Segment {
            name: "audit.log",
            bytes,
        }],
        key,
        anchor.head(),
    );
    let took = start.elapsed();
    assert_eq!((verified.records, verified.problems.len()), (RECORDS as u64, 0));
    println!(
        "verify {RECORDS} records, {} MB: {took:.2?}",
        bytes.len() / 1_000_000
    );
}

fn line(name: &str, budget: &str, mut samples: Vec<Duration>) {
    samples.sort_unstable();
    let at = |percent: usize| samples[(samples.len() - 1) * percent / 100];
    let last = samples[samples.len() - 1];
    println!(
        "{name:<52} p50 {:>10.2?}  p99 {:>10.2?}  max {last:>10.2?}  budget: {budget}",
        at(50),
        at(99)
    );
}
