//! What is recorded, within one process, by a flight no other can see.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use lle_metrics::prompts::{CHANGES_KEPT, PROMPTS_KEPT};
use lle_metrics::{Counter, Draft, EventKind, Flight, Gauge, Snapshot, Timer};
use proptest::prelude::*;
use support::{SESSION, identity};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code)]
// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

fn everything(flight: &Flight, line: &[u8]) {
    flight.update(|w| {
        w.add(Counter::Keys, 1);
        w.set(Gauge::LastStatus, -1);
        w.time(Timer::KeyToPaint, 180_000);
        w.event(EventKind::Panic, 1, 2, line);
        w.draft(line, Draft::Kept);
        w.last_command(line);
        w.prompt_blame(line);
        w.prompt_change(line);
        w.prompt(1);
        w.draft(line, Draft::Hidden);
    });
}

#[test]
fn recording_allocates_nothing() {
    let flight = Flight::private(&identity());
    let line = vec![b'x'; 10_000];
    assert_eq!(
        allocations(|| (0..1_000).for_each(|_| everything(&flight, &line))),
        0
    );
    assert_eq!(allocations(|| drop(vec![1])), 1, "the count counts");
}

#[test]
fn a_health_sample_allocates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let flight = Flight::create(dir.path(), &identity()).unwrap();
    let path = dir.path().join(lle_metrics::file_name(SESSION));
    let mut snapshot = Snapshot::read(&path).unwrap();
    everything(&flight, b"line");
    let mut p99 = None;
    let allocated = allocations(|| {
        snapshot.read_again(&path).unwrap();
        p99 = snapshot.histogram(Timer::KeyToPaint).quantile(0.99);
    });
    assert_eq!((allocated, p99), (0, Some(180_000)));
}

#[test]
fn drafts() {
    fn check(line: &[u8], draft: Draft, kept: &[u8], bytes: usize, hidden: bool) {
        let flight = Flight::private(&identity());
        // An older, longer line lies below.
        flight.update(|w| w.draft(&[b'o'; 4096], Draft::Kept));
        flight.update(|w| w.draft(line, draft));
        let snapshot = flight.snapshot().unwrap();
        let seen = snapshot.draft();
        assert_eq!((seen.text, seen.bytes, seen.hidden), (kept, bytes, hidden));
    }
    check(b"", Draft::Kept, b"", 0, false);
    check(b"ls", Draft::Kept, b"ls", 2, false);
    check(b"12345678", Draft::Kept, b"12345678", 8, false);
    check(b"123456789", Draft::Kept, b"123456789", 9, false);
    check(b"\xff\x00", Draft::Kept, b"\xff\x00", 2, false);
    check(b" secret", Draft::Hidden, b"", 0, true);
    check(&[b'l'; 5000], Draft::Kept, &[b'l'; 4096], 5000, false);
}

#[test]
fn what_was_hidden_or_replaced_is_nowhere_in_the_file() {
    fn check(draft: Draft, line: &[u8]) {
        let dir = tempfile::tempdir().unwrap();
        let flight = Flight::create(dir.path(), &identity()).unwrap();
        flight.update(|w| w.draft(b"echo hunter2-hunter2", Draft::Kept));
        let path = flight.path().unwrap().to_owned();
        let holds_secret = || {
            let bytes = std::fs::read(&path).unwrap();
            bytes.windows(7).any(|window| window == b"hunter2")
        };
        assert!(holds_secret());
        flight.update(|w| w.draft(line, draft));
        assert!(!holds_secret());
    }
    check(Draft::Hidden, b"");
    check(Draft::Kept, b"");
    check(Draft::Kept, b"ls");
}

#[test]
fn gauges_hold_what_an_i64_holds_but_one() {
    fn check(value: i64, expect: Option<i64>) {
        let flight = Flight::private(&identity());
        flight.update(|w| w.set(Gauge::LastStatus, value));
        assert_eq!(flight.snapshot().unwrap().gauge(Gauge::LastStatus), expect);
    }
    check(0, Some(0));
    check(-1, Some(-1));
    check(i64::MAX, Some(i64::MAX));
    check(i64::MIN + 1, Some(i64::MIN + 1));
    check(i64::MIN, None);
}

#[test]
fn bytes_are_told_apart_from_one_upwards() {
    let flight = Flight::private(&identity());
    flight.update(|w| (1..=15).for_each(|bytes| w.time(Timer::PaintBytes, bytes)));
    let histogram = flight.snapshot().unwrap().histogram(Timer::PaintBytes);
    assert_eq!(
        (histogram.quantile(0.0), histogram.quantile(0.5)),
        (Some(1), Some(8))
    );
    assert_eq!((histogram.quantile(1.0), histogram.sum), (Some(15), 120));
}

#[test]
fn the_ring_keeps_the_last_events_in_order() {
    let flight = Flight::private(&identity());
    for code in 0..300 {
        flight.update(|w| w.event(EventKind::Notice, code, 0, b""));
    }
    let snapshot = flight.snapshot().unwrap();
    let codes: Vec<i64> = snapshot.events().map(|event| event.code).collect();
    assert_eq!(codes, (300 - 88..300).collect::<Vec<_>>());
    assert!(
        snapshot
            .events()
            .all(|event| event.number == event.code as u64 && event.wall_ns > 0)
    );
}

#[test]
fn each_prompt_is_on_its_side_of_each_change() {
    let flight = Flight::private(&identity());
    let line = b"PROMPT_COMMAND=".repeat(20);
    for number in 0..200u64 {
        if number.is_multiple_of(20) {
            flight.update(|w| w.prompt_change(&line));
        }
        flight.update(|w| w.prompt_in(number / 3, number));
    }
    let snapshot = flight.snapshot().unwrap();
    assert_eq!(snapshot.prompts_timed(), Some(200));
    let prompts: Vec<_> = snapshot.prompts_since(0).collect();
    let numbers: Vec<u64> = prompts.iter().map(|prompt| prompt.number).collect();
    assert_eq!(numbers, (200 - PROMPTS_KEPT as u64..200).collect::<Vec<_>>());
    for prompt in prompts {
        assert_eq!(
            (prompt.took_ns, prompt.changes, prompt.folder),
            (prompt.number, prompt.number / 20 + 1, prompt.number / 3)
        );
        assert!(prompt.wall_ns > 0);
    }
    assert_eq!(snapshot.prompts_since(197).count(), 3);
    assert_eq!(snapshot.prompts_since(200).count(), 0);
    let changes: Vec<_> = snapshot
        .prompt_changes_since(0)
        .map(|change| change.number)
        .collect();
    assert_eq!(changes, (10 - CHANGES_KEPT as u64..10).collect::<Vec<_>>());
    let texts = snapshot.prompt_changes_since(9).map(|change| change.text);
    assert_eq!(texts.collect::<Vec<_>>(), [&line[..128]]);
}

#[test]
fn a_prompt_that_takes_for_ever_leaves_the_changes_as_they_are() {
    let flight = Flight::private(&identity());
    flight.update(|w| {
        w.prompt_change(b"");
        w.prompt(u64::MAX);
    });
    let snapshot = flight.snapshot().unwrap();
    let prompt = snapshot.prompts_since(0).next().unwrap();
    assert_eq!((prompt.took_ns, prompt.changes), ((1 << 40) - 1, 1));
}

#[test]
fn a_folder_that_is_not_told_is_not_that_of_the_prompt_before_it_in_the_ring() {
    let flight = Flight::private(&identity());
    let rows = PROMPTS_KEPT as u64;
    flight.update(|w| (0..rows).for_each(|n| w.prompt_in(7 + n, 1)));
    flight.update(|w| w.prompt(1));
    let snapshot = flight.snapshot().unwrap();
    let folders = snapshot.prompts_since(rows - 1).map(|prompt| prompt.folder);
    assert_eq!(folders.collect::<Vec<_>>(), [6 + rows, 0]);
}

#[test]
fn what_the_prompt_command_took_stands_beside_the_folder() {
    let flight = Flight::private(&identity());
    let told = [
        (u64::from(u32::MAX), Some(1_999_999), Some(1_999)),
        (3, Some(0), Some(0)),
        (0, None, None),
        (1, Some(u64::MAX), Some(u32::MAX - 1)),
    ];
    for (folder, command_ns, _) in told {
        flight.update(|w| w.prompt_divided(folder, 9, command_ns));
    }
    let snapshot = flight.snapshot().unwrap();
    let read: Vec<_> = snapshot
        .prompts_since(0)
        .map(|prompt| (prompt.folder, prompt.command_us))
        .collect();
    assert_eq!(read, told.map(|(folder, _, us)| (folder, us)));
}

#[test]
fn which_changes_set_how_prompts_look_alone_is_told_of_each() {
    let flight = Flight::private(&identity());
    let told = || -> Vec<bool> {
        let snapshot = flight.snapshot().unwrap();
        snapshot
            .prompt_changes_since(0)
            .map(|change| change.looks_alone)
            .collect()
    };
    flight.update(|w| w.prompt_change(b"PS1=x"));
    assert_eq!(told(), [false], "a session that does not tell");
    flight.update(|w| {
        w.prompt_change(b"PS1=y");
        w.prompt_change(b"q");
        w.set(Gauge::PromptLooksAlone, 0b010);
    });
    assert_eq!(told(), [false, true, false]);
}

#[test]
fn a_batch_that_panics_is_closed() {
    let flight = Flight::private(&identity());
    let outcome = std::panic::catch_unwind(|| flight.update(|_| panic!("inside the batch")));
    assert!(outcome.is_err());
    assert!(!flight.snapshot().unwrap().torn());
}

proptest! {
    #[test]
    fn buckets_that_changed_are_told_once_each_in_their_order(
        rounds in proptest::collection::vec(proptest::collection::vec(any::<u64>(), 0..40), 1..5),
    ) {
        let flight = Flight::private(&identity());
        let mut last = [0; lle_metrics::bucket::BUCKETS];
        for values in rounds {
            flight.update(|w| values.iter().for_each(|value| w.time(Timer::Command, value >> (value % 64))));
            let snapshot = flight.snapshot().unwrap();
            let before = last;
            let mut told: Vec<(usize, u32, u32)> = Vec::new();
            snapshot.update_buckets(Timer::Command, &mut last, |at, was, is| told.push((at, was, is)));
            let now = *snapshot.histogram(Timer::Command).buckets();
            let expect: Vec<_> = (0..now.len())
                .filter(|at| before[*at] != now[*at])
                .map(|at| (at, before[at], now[at]))
                .collect();
            prop_assert_eq!(told, expect);
            prop_assert_eq!(last, now);
            snapshot.update_buckets(Timer::Command, &mut last, |_, _, _| panic!("nothing changed"));
        }
        Snapshot::default().update_buckets(Timer::Command, &mut last, |_, _, _| panic!("nothing is known"));
    }

    /// The law of the histogram: a quantile is the bucket's end, at most an eighth above the true one.
    #[test]
    fn a_quantile_is_within_one_bucket_of_the_true_one(
        mut samples in prop::collection::vec((64u64..1 << 36, 0u32..30), 1..200)
            .prop_map(|raw| raw.into_iter().map(|(value, bits)| (value >> bits).max(64)).collect::<Vec<_>>()),
        q in 0.0f64..=1.0,
    ) {
        let flight = Flight::private(&identity());
        flight.update(|w| samples.iter().for_each(|&sample| w.time(Timer::Highlight, sample)));
        let told = flight.snapshot().unwrap().histogram(Timer::Highlight).quantile(q).unwrap();
        samples.sort_unstable();
        let rank = (q * samples.len() as f64).ceil() as usize;
        let exact = samples[rank.max(1) - 1];
        prop_assert!(told >= exact && told <= exact + exact / 8, "{told} for {exact}");
    }
}
