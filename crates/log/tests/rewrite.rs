//! What is imported, merged and taken out: nothing else is touched, and doing it twice is doing it once.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;

use lle_log::formats::Entry;
use lle_log::history::{Command, History, Report};
use lle_log::mirror::{Followed, Lock, Mirror};
use lle_log::rewrite::{RewriteError, import, merge};
use lle_log::scrub::{outside, scrub};
use lle_log::{find, index};
use proptest::prelude::*;

const SECOND_NS: i64 = 1_000_000_000;

fn open(log: &Path, session: u64) -> History {
    History::open(log, session, 1, None).unwrap().history
}

fn commands(log: &Path) -> Vec<String> {
    open(log, 99)
        .commands()
        .map(|command| String::from_utf8_lossy(&command.command).into_owned())
        .collect()
}

fn entry(second: i64, command: &str) -> Entry {
    Entry {
        time_ns: second * SECOND_NS,
        command: command.into(),
    }
}

fn run(history: &mut History, at: i64, text: &str) {
    let seq = history
        .started(at * SECOND_NS + 5, b"/", text.as_bytes())
        .unwrap();
    history.finished(seq, at * SECOND_NS + 9, 0, 3).unwrap();
}

#[test]
fn what_is_imported_comes_first_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("m.log");
    let mut session = open(&log, 1);
    run(&mut session, 10, "typed");
    let mut mirror = Mirror::new(&log);
    mirror.follow().unwrap();
    let entries = [
        entry(5, "old"),
        entry(0, "ls"),
        entry(0, "ls"),
        entry(10, "typed"),
    ];
    let lock = Lock::take(&log).unwrap();
    let added = import(&log, &lock, 7, &entries).unwrap();
    assert_eq!((added.added, added.known), (3, 1));
    let again = import(&log, &lock, 8, &entries).unwrap();
    assert_eq!((again.added, again.known), (0, 4));
    drop(lock);
    // A session that was there writes into the new file, and nobody is alarmed.
    run(&mut session, 20, "since");
    assert!(!matches!(mirror.follow().unwrap(), Followed::Trouble(_)));
    assert_eq!(commands(&log), ["old", "ls", "ls", "typed", "since"]);
    assert!(!folder.path().join("m.log.before").exists());
    assert_eq!(mirror.compare_whole().unwrap(), None);
}

#[test]
fn a_log_that_has_lost_something_is_not_written_anew_over_its_mirror() {
    let check = |what: &str, harm: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        let mut session = open(&log, 1);
        (0..20).for_each(|n| run(&mut session, n, &format!("command {n}")));
        let mut mirror = Mirror::new(&log);
        mirror.follow().unwrap();
        let mirrored = fs::read(mirror.path()).unwrap();
        harm(&log);
        run(&mut open(&log, 2), 30, "anew");
        let lock = Lock::take(&log).unwrap();
        let refused = import(&log, &lock, 7, &[entry(5, "old")]).unwrap_err();
        assert!(matches!(refused, RewriteError::Lost), "{what}: {refused}");
        assert_eq!(fs::read(mirror.path()).unwrap(), mirrored, "{what}");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            3,
            "{what}: no stray"
        );
        mirror.restore(&lock, 1_000).unwrap();
        import(&log, &lock, 7, &[entry(5, "old")]).unwrap();
        let there = commands(&log);
        assert_eq!(there.len(), 22, "{what}: {there:?}");
        // The other answer.
        fs::remove_file(&log).unwrap();
        run(&mut open(&log, 3), 40, "again anew");
        mirror.accept(&lock).unwrap();
        import(&log, &lock, 8, &[entry(5, "old")]).unwrap();
        assert_eq!(commands(&log), ["old", "again anew"], "{what}");
    };
    check("removed", &|log| fs::remove_file(log).unwrap());
    check("emptied", &|log| fs::write(log, "").unwrap());
    check("cut", &|log| {
        let file = fs::OpenOptions::new().write(true).open(log).unwrap();
        file.set_len(500).unwrap();
    });
}

#[test]
fn another_machine_s_log_is_merged_once() {
    let folder = tempfile::tempdir().unwrap();
    let (log, other) = (folder.path().join("them.log"), folder.path().join("elsewhere"));
    run(&mut open(&other, 5), 1, "theirs");
    let lock = Lock::take(&log).unwrap();
    assert_eq!(merge(&log, &lock, &other).unwrap().added, 2);
    assert_eq!(merge(&log, &lock, &other).unwrap().added, 0);
    run(&mut open(&other, 6), 2, "theirs again");
    let added = merge(&log, &lock, &other).unwrap();
    assert_eq!((added.added, added.known), (2, 2));
    assert_eq!(commands(&log), ["theirs", "theirs again"]);
    fs::write(&other, "no log\n").unwrap();
    assert!(merge(&log, &lock, &other).is_err());
}

#[test]
fn who_only_reads_a_log_writes_no_byte_of_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (log, empty) = (folder.path().join("them.log"), folder.path().join("empty"));
    fs::write(&empty, "").unwrap();
    let lock = Lock::take(&log).unwrap();
    assert_eq!(merge(&log, &lock, &empty).unwrap().added, 0);
    assert!(!log.exists(), "nothing came in");
    assert_eq!(History::read(&empty).unwrap().check(), Report::default());
    assert_eq!(scrub(&empty, secret).unwrap().records, 0);
    assert_eq!(fs::metadata(&empty).unwrap().len(), 0);
    // A backup that may not be written.
    let other = folder.path().join("elsewhere");
    run(&mut open(&other, 5), 1, "theirs");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o400)).unwrap();
    let before = (
        fs::read(&other).unwrap(),
        fs::metadata(&other).unwrap().modified().unwrap(),
    );
    assert_eq!(merge(&log, &lock, &other).unwrap().added, 2);
    assert_eq!(History::read(&other).unwrap().commands().count(), 1);
    assert_eq!(merge(&empty, &lock, &other).unwrap().added, 2);
    assert_eq!(
        History::read(&empty).unwrap().check().damaged_runs,
        0,
        "it begins as a log"
    );
    assert_eq!(
        (
            fs::read(&other).unwrap(),
            fs::metadata(&other).unwrap().modified().unwrap()
        ),
        before
    );
}

#[test]
fn a_killed_import_is_finished_by_whoever_comes_next() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("m.log");
    let mut session = open(&log, 1);
    run(&mut session, 10, "typed");
    Mirror::new(&log).follow().unwrap();
    // Killed between the two renames: the mirror is the new one, the log still the old, with two names.
    let old = fs::read(&log).unwrap();
    let lock = Lock::take(&log).unwrap();
    import(&log, &lock, 7, &[entry(5, "old")]).unwrap();
    fs::write(&log, old).unwrap();
    drop(lock);
    fs::hard_link(&log, folder.path().join("m.log.before")).unwrap();
    let mut mirror = Mirror::new(&log);
    assert!(!matches!(mirror.follow().unwrap(), Followed::Trouble(_)));
    assert!(!folder.path().join("m.log.before").exists());
    assert_eq!(commands(&log), ["old", "typed"]);

    // Killed before what was written meanwhile was carried over.
    let before = folder.path().join("m.log.before");
    fs::copy(&log, &before).unwrap();
    run(&mut open(&before, 3), 30, "meanwhile");
    mirror.follow().unwrap();
    assert_eq!(commands(&log), ["old", "typed", "meanwhile"]);
    assert!(!before.exists());

    // And somebody rewrites it again before anybody has looked.
    fs::copy(&log, &before).unwrap();
    run(&mut open(&before, 4), 40, "left");
    let lock = Lock::take(&log).unwrap();
    import(&log, &lock, 8, &[entry(6, "older")]).unwrap();
    assert_eq!(commands(&log), ["older", "old", "typed", "meanwhile", "left"]);
    fs::copy(&log, &before).unwrap();
    run(&mut open(&before, 5), 50, "left again");
    fs::write(&log, "").unwrap();
    mirror.restore(&lock, 1_000).unwrap();
    assert!(commands(&log).contains(&"left again".to_owned()));
}

#[test]
fn what_contains_a_text_is_found_newest_first_with_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("m.log");
    let mut session = open(&log, 1);
    let one = session.started(1, b"/a", b"git log \\").unwrap();
    let two = session.started(2, b"/b", b"git push").unwrap();
    session.continued(one, 3, b"--oneline").unwrap();
    session.finished(two, 4, 1, 5).unwrap();
    session.finished(one, 6, 0, 5).unwrap();
    run(&mut session, 7, "ls");
    let mut found = Vec::new();
    find::containing(&session, None, b"git", |command| {
        found.push((String::from_utf8(command.command).unwrap(), command.status));
        true
    });
    assert_eq!(
        found,
        [
            ("git push".into(), Some(1)),
            ("git log \\\n--oneline".into(), Some(0))
        ]
    );
}

/// Where the records of a log lie, as the head of `frame.rs` draws them.
fn records(log: &Path) -> Vec<Range<usize>> {
    let bytes = fs::read(log).unwrap();
    let mut records = Vec::new();
    let mut at = 64;
    while at < bytes.len() {
        let payload = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        records.push(at..at + 48 + payload);
        at += 48 + payload;
    }
    records
}

fn overwrite(log: &Path, record: &Range<usize>) {
    let mut bytes = fs::read(log).unwrap();
    bytes[record.start + 6] = 0xA5;
    bytes[record.start + 44..record.end - 4].fill(0xFF);
    fs::write(log, bytes).unwrap();
}

fn has(log: &Path, text: &str) -> bool {
    let bytes = fs::read(log).unwrap();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn secret(command: &Command) -> bool {
    command.command.windows(6).any(|window| window == b"secret")
}

#[test]
fn a_scrub_that_was_killed_within_a_command_is_finished_by_the_next() {
    // Killed behind these records of the command's three lines: from its last, and from its first, as versions before did.
    for taken in [&[2][..], &[2, 1], &[0], &[0, 1]] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        let mut session = open(&log, 1);
        let kept = session.started(1, b"/", b"kept \\").unwrap();
        session.continued(kept, 2, b"kept more").unwrap();
        session.finished(kept, 3, 0, 1).unwrap();
        let taken_out = session.started(4, b"/", b"deploy \\").unwrap();
        session.continued(taken_out, 5, b"--token secret \\").unwrap();
        session.continued(taken_out, 6, b"--at production").unwrap();
        session.finished(taken_out, 7, 0, 1).unwrap();
        run(&mut session, 8, "last");
        let records = records(&log);
        taken.iter().for_each(|line| overwrite(&log, &records[3 + line]));
        scrub(&log, secret).unwrap();
        for text in ["deploy", "secret", "production"] {
            assert!(!has(&log, text), "{text} after {taken:?}");
        }
        assert_eq!(commands(&log), ["kept \\\nkept more", "last"], "{taken:?}");
        assert_eq!(scrub(&log, secret).unwrap().records, 0, "{taken:?}");
    }
}

#[test]
fn lines_without_their_beginning_are_taken_out_and_nothing_before_them() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("m.log");
    let mut session = open(&log, 1);
    run(&mut session, 1, "innocent");
    let damaged = session.started(4, b"/", b"deploy \\").unwrap();
    session.continued(damaged, 5, b"--token secret").unwrap();
    let mut bytes = fs::read(&log).unwrap();
    let payload = records(&log)[2].start + 44;
    bytes[payload + 6] ^= 1;
    fs::write(&log, bytes).unwrap();
    assert_eq!(scrub(&log, secret).unwrap().records, 1);
    assert!(!has(&log, "secret"));
    assert_eq!(scrub(&log, |_| false).unwrap().records, 0);
    assert_eq!(commands(&log), ["innocent"]);
}

#[test]
fn of_two_imported_commands_with_one_number_only_the_wanted_one_goes() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    let imported = |name: &str, text: &str| {
        fs::write(&list, text).unwrap();
        let log = folder.path().join(name);
        History::open(&log, 1, 1, Some(&list)).unwrap();
        log
    };
    let (log, other) = (
        imported("m.log", "ls\n"),
        imported("n.log", "export KEY=secret\n"),
    );
    let lock = Lock::take(&log).unwrap();
    merge(&log, &lock, &other).unwrap();
    assert_eq!(scrub(&log, secret).unwrap().commands, 1);
    assert_eq!(commands(&log), ["ls"]);
}

#[test]
fn a_text_in_what_is_no_record_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("m.log");
    let mut session = open(&log, 1);
    run(&mut session, 1, "login secret now");
    let whole = fs::read(&log).unwrap();
    // A record that a full disk cut short, one that is whole, and much that another program wrote.
    let mut bytes = whole[..whole.len() - 75].to_vec();
    let torn = bytes.windows(6).position(|window| window == b"secret").unwrap() as u64;
    bytes.extend(&whole[64..]);
    bytes.extend(vec![b'x'; 100_000]);
    let last = bytes.len() as u64;
    bytes.extend(b"secret");
    fs::write(&log, &bytes).unwrap();
    assert_eq!(outside(&log, b"secret").unwrap(), [torn, last]);
    scrub(&log, secret).unwrap();
    assert_eq!(outside(&log, b"secret").unwrap(), [torn, last]);
    assert_eq!(outside(&log, b"login secret\0").unwrap(), []);
    assert!(outside(&folder.path().join("list"), b"secret").is_err());
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("secret".to_owned()),
        "[a-d ]{1,6}",
        Just("a secret b".to_owned())
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is wanted out is out, in log and mirror alike; everything else is as it was, record by record.
    #[test]
    fn a_redaction_keeps_every_other_record(
        texts in proptest::collection::vec((text(), any::<bool>()), 1..30),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        let mut session = open(&log, 1);
        let mut mirror = Mirror::new(&log);
        for (n, (text, goes_on)) in texts.iter().enumerate() {
            let seq = session.started(n as i64, b"/", text.as_bytes()).unwrap();
            if *goes_on {
                session.continued(seq, n as i64, b"secret more").unwrap();
            }
            session.finished(seq, n as i64, 0, 1).unwrap();
        }
        mirror.follow().unwrap();
        let before: Vec<_> = open(&log, 2).commands().collect();
        let bytes = fs::metadata(&log).unwrap().len();
        let wanted = |text: &[u8]| text.windows(6).any(|window| window == b"secret");
        for path in [mirror.path().to_owned(), log.clone()] {
            scrub(&path, |command| wanted(&command.command)).unwrap();
            prop_assert_eq!(fs::metadata(&path).unwrap().len(), bytes);
            let left: Vec<_> = open(&path, 3).commands().collect();
            let expected: Vec<_> = before.iter().filter(|command| !wanted(&command.command)).cloned().collect();
            prop_assert_eq!(left, expected);
            prop_assert!(!wanted(&fs::read(&path).unwrap()));
            prop_assert_eq!(open(&path, 4).check().damaged_bytes, 0);
        }
        prop_assert!(!matches!(mirror.follow().unwrap(), Followed::Trouble(_)));
        prop_assert_eq!(mirror.compare_whole().unwrap(), None);
        prop_assert!(index::extend(&log, &folder.path().join("m.index")).is_ok());
    }

    /// As many of each entry as there are, whatever was there before.
    #[test]
    fn importing_is_a_union(
        typed in proptest::collection::vec((0..3_i64, "[ab]"), 0..8),
        entries in proptest::collection::vec((0..3_i64, "[ab]"), 0..8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        let mut session = open(&log, 1);
        for (at, text) in &typed {
            run(&mut session, *at, text);
        }
        let list: Vec<Entry> = entries.iter().map(|(at, text)| entry(*at, text)).collect();
        let lock = Lock::take(&log).unwrap();
        import(&log, &lock, 7, &list).unwrap();
        let mut there: Vec<(i64, Vec<u8>)> = open(&log, 3)
            .commands()
            .map(|command| (command.time_ns / SECOND_NS, command.command))
            .collect();
        there.sort();
        let kinds: BTreeSet<(i64, Vec<u8>)> =
            typed.iter().chain(&entries).map(|(at, text)| (*at, text.clone().into_bytes())).collect();
        let times = |of: &[(i64, String)], kind: &(i64, Vec<u8>)| {
            of.iter().filter(|(at, text)| (*at, text.as_bytes()) == (kind.0, &kind.1)).count()
        };
        for kind in &kinds {
            let expected = times(&typed, kind).max(times(&entries, kind));
            prop_assert_eq!(there.iter().filter(|one| *one == kind).count(), expected);
        }
    }
}
