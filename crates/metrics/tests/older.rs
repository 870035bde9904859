//! Flight files that an earlier release left behind: they are read, and what they lack is unknown.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]
// A flight file is in the byte order of its machine; the fixtures were made on this kind.
#![cfg(target_endian = "little")]

use std::path::Path;

use lle_metrics::{Counter, EventKind, Gauge, Parted, Snapshot, Stage, Timer};

/// Rows of each table when `flight-1-2026-11.bin` was made. Row `n` of the counters holds `1000 + n`, of the gauges
/// `2000 + n`; timer `n` has the samples 1000, 2000, … up to `n + 1` of them.
const COUNTERS: usize = 21;
const GAUGES: usize = 19;
const TIMERS: usize = 13;

fn fixture() -> Snapshot {
    read("flight-1-2026-11.bin")
}

fn read(name: &str) -> Snapshot {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    Snapshot::read(&fixtures.join(name)).unwrap()
}

#[test]
fn a_flight_of_november_2026_is_read() {
    let old = fixture();
    let identity = old.identity();
    assert_eq!(identity.session_id, 0x0123_4567_89ab_cdef);
    assert_eq!(&identity.boot_id, b"0123456789abcdef");
    assert_eq!((identity.pid, identity.start_ticks), (4711, 987_654));
    assert_eq!(identity.created_wall_ns, 1_795_000_000_000_000_000);
    assert_eq!(
        (identity.tty.as_str(), identity.bash_version.as_str()),
        ("/dev/pts/9", "5.2.37(1)-release")
    );
    assert_eq!(old.draft().text, b"git push --for");
    assert_eq!(old.last_command(), b"make -j2");
    assert_eq!(old.prompt_blame(), b"__git_ps1");
    let events: Vec<_> = old
        .events()
        .map(|event| (event.kind, event.code, event.value, event.text))
        .collect();
    assert_eq!(
        events,
        [
            (Some(EventKind::Started), 0, 7_000_000, &b""[..]),
            (Some(EventKind::SlowPrompt), 0, 150_000_000, &b"__git_ps1"[..]),
            (Some(EventKind::Ended), 3, -1, &b"last"[..]),
        ]
    );
}

#[test]
fn its_rows_are_where_they_were() {
    let old = fixture();
    for (row, counter) in Counter::ALL.iter().enumerate().take(COUNTERS) {
        assert_eq!(old.counter(*counter), 1000 + row as u64, "{}", counter.name());
    }
    // When it was written is the writer's own; the others are as they were set.
    for (row, gauge) in Gauge::ALL.iter().enumerate().take(GAUGES).skip(1) {
        assert_eq!(old.gauge(*gauge), Some(2000 + row as i64), "{}", gauge.name());
    }
    for (row, timer) in Timer::ALL.iter().enumerate().take(TIMERS) {
        let histogram = old.histogram(*timer);
        let samples = row as u64 + 1;
        assert_eq!(
            (histogram.count, histogram.max),
            (samples, 1000 * samples),
            "{}",
            timer.name()
        );
    }
}

#[test]
fn rows_it_lacks_are_unknown() {
    let old = fixture();
    for counter in &Counter::ALL[COUNTERS..] {
        assert_eq!(old.counter(*counter), 0, "{}", counter.name());
    }
    for gauge in &Gauge::ALL[GAUGES..] {
        assert_eq!(old.gauge(*gauge), None, "{}", gauge.name());
    }
    for stage in Stage::ALL {
        assert_eq!(old.stage(*stage).count, 0, "{}", stage.name());
    }
    for of in [Parted::Prompt, Parted::Start] {
        assert_eq!(
            (old.parts(of).whole().count, old.parts(of).rows().count()),
            (0, 0)
        );
    }
    assert_eq!(old.prompts_timed(), None);
    assert_eq!(
        (old.prompts_since(0).count(), old.prompt_changes_since(0).count()),
        (0, 0)
    );
    for timer in &Timer::ALL[TIMERS..] {
        assert_eq!(old.histogram(*timer).count, 0, "{}", timer.name());
    }
}

/// One with rings of prompts and of changes, and without the folders of the prompts: of a hundred prompts the one of number `n`
/// took `n + 1` ms, and before those of the numbers 10, 30, … stands a change.
#[test]
fn a_flight_that_does_not_tell_in_which_folders_prompts_were_is_read() {
    let old = read("flight-1-2026-11-rings.bin");
    assert_eq!(
        (old.prompts_timed(), old.stage(Stage::PromptOwn).count),
        (Some(100), 1)
    );
    let prompts: Vec<_> = old.prompts_since(0).collect();
    assert_eq!(prompts.len(), 64);
    for prompt in &prompts {
        assert_eq!(prompt.took_ns, (prompt.number + 1) * 1_000_000);
        assert_eq!(prompt.changes, (prompt.number + 10) / 20);
        assert_eq!(prompt.folder, 0);
    }
    let changes: Vec<_> = old.prompt_changes_since(0).map(|change| change.text).collect();
    assert_eq!(changes.last(), Some(&&b"PS1='90$ '"[..]));
}
