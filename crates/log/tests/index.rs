//! An index finds what a walk finds, whatever the log has been through.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lle_log::history::History;
use lle_log::index::{SEGMENT_SPAN, coverage, extend, forget, verify};
use lle_log::search::{Look, Matches, PrefixSearch, SubstringSearch};

/// Words of which commands are made: few, so that most texts occur often, and some never.
const WORDS: [&str; 12] = [
    "git", "log", "cargo", "test", "-p", "lle", "ls", "-la", "cd", "..", "make", "größer",
];

fn scattered(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (z ^ (z >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
}

fn command(n: u64) -> String {
    let mut text = String::new();
    for word in 0..1 + scattered(n) % 5 {
        let pick = scattered(n * 7 + word) as usize % WORDS.len();
        let _ = write!(text, "{}{}", if word > 0 { " " } else { "" }, WORDS[pick]);
    }
    if n.is_multiple_of(3) {
        let _ = write!(text, " {:x}", scattered(n) & 0xffff_ffff);
    }
    text
}

/// A log of some 21 MB: two whole segments and half of one.
fn log(folder: &Path) -> PathBuf {
    let path = folder.join("m.log");
    let list = folder.join("list");
    let lines: String = (0..230_000).map(|n| command(n) + "\n").collect();
    fs::write(&list, lines).unwrap();
    let mut history = History::open(&path, 1, 0, Some(&list)).unwrap().history;
    for n in 230_000..250_000 {
        let seq = history
            .started(1, b"/home/someone", command(n).as_bytes())
            .unwrap();
        history.finished(seq, 2, 0, 3).unwrap();
    }
    path
}

fn build(log: &Path, index: &Path) -> u64 {
    let mut built = 0;
    loop {
        let extended = extend(log, index).unwrap();
        built += u64::from(extended.built);
        if !extended.more {
            return built;
        }
    }
}

/// How a search goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct How {
    indexed: bool,
    remembers: bool,
}

const WALK: How = How {
    indexed: false,
    remembers: false,
};

/// Every way but the walk through all of the log, which is what the others are held against.
const OTHERS: [How; 3] = [
    How {
        indexed: true,
        remembers: false,
    },
    How {
        indexed: false,
        remembers: true,
    },
    How {
        indexed: true,
        remembers: true,
    },
];

/// A search that was made with an index, and is to go by it or not.
fn search(index: &Path, how: How) -> PrefixSearch {
    let mut search = PrefixSearch::new();
    search.set_index(Some(index.to_owned()));
    search.set_bytes_per_call(300_000);
    search.use_index(how.indexed);
    search.use_memory(how.remembers);
    search
}

/// Types `text` key by key, until each key has nothing more to find.
fn prefix(history: &History, search: &mut PrefixSearch, text: &[u8]) -> Vec<Option<Vec<u8>>> {
    (1..=text.len())
        .map(|end| found(history, search, &text[..end]))
        .collect()
}

/// What is found for a text, however many calls that takes.
fn found(history: &History, search: &mut PrefixSearch, text: &[u8]) -> Option<Vec<u8>> {
    loop {
        let found = search.find(history, text).map(<[u8]>::to_vec);
        if search.is_done() {
            return found;
        }
    }
}

fn substring(history: &History, index: Option<&Path>, text: &[u8]) -> Option<Vec<u8>> {
    let mut search = SubstringSearch::new();
    search.set_index(index.map(Path::to_owned));
    loop {
        let found = search.find(history, text).map(<[u8]>::to_vec);
        if search.is_done() {
            return found;
        }
    }
}

/// Every command with a text, newest first, typed key by key and looked for in steps of `bytes`, `rows` at a time.
fn listed(history: &History, index: Option<&Path>, text: &[u8], bytes: u64, rows: usize) -> Vec<Vec<u8>> {
    let mut matches = Matches::new(index.map(Path::to_owned));
    let mut found = Vec::new();
    for end in 1..=text.len() {
        match end {
            1 => matches.begin(history, &text[..end]),
            _ => matches.narrow(&text[..end]),
        }
        found.retain(|command: &Vec<u8>| lle_log::search::contains(command, &text[..end]));
        let wanted = if end == text.len() { usize::MAX } else { rows };
        while found.len() < wanted && !matches.is_done() {
            matches.step(
                history,
                bytes,
                |_| true,
                |command| {
                    found.push(command.command);
                    if found.len() < wanted {
                        Look::On
                    } else {
                        Look::Enough
                    }
                },
            );
        }
    }
    found
}

fn compare(history: &History, index: &Path, what: &str) {
    // Each keeps what it has learnt from text to text, as in a session.
    let mut walk = search(index, WALK);
    let mut others = OTHERS.map(|how| (how, search(index, how)));
    let mut texts: Vec<Vec<u8>> = (0..40).map(|n| command(n * 5_987 + 11).into_bytes()).collect();
    texts.extend(
        [
            &b"zzz never typed"[..],
            b"git log deadbeef",
            b"lle",
            b"~",
            b"g\xc3",
            b"make make make make",
        ]
        .map(<[u8]>::to_vec),
    );
    for (nth, text) in texts.into_iter().enumerate() {
        let said = String::from_utf8_lossy(&text).into_owned();
        let expect = prefix(history, &mut walk, &text);
        for (how, search) in &mut others {
            assert_eq!(prefix(history, search, &text), expect, "{what}: {said} {how:?}");
        }
        for part in [
            &text[..],
            &text[text.len() / 2..],
            &text[..1],
            &text[text.len() - 1..],
        ] {
            assert_eq!(
                substring(history, Some(index), part),
                substring(history, None, part),
                "{what}: {said}"
            );
        }
        // Listing everything takes long; the last texts are the awkward ones.
        if nth % 10 != 0 && nth < 40 {
            continue;
        }
        let part = &text[text.len() / 3..];
        let mut expect = Vec::new();
        lle_log::find::containing(history, None, part, |command| {
            expect.push(command.command);
            true
        });
        for (index, bytes, rows) in [
            (Some(index), 256 << 10, 3),
            (Some(index), 4 << 20, 9),
            (None, 1 << 20, 9),
        ] {
            let found = listed(history, index, part, bytes, rows);
            assert!(
                found == expect,
                "{what}: {said}: {} of {}",
                found.len(),
                expect.len()
            );
        }
    }
}

#[test]
fn an_index_finds_what_a_walk_finds() {
    let folder = tempfile::tempdir().unwrap();
    let path = log(folder.path());
    let index = folder.path().join("cache").join("m.index");
    let mut history = History::open(&path, 2, 0, None).unwrap().history;
    compare(&history, &index, "there is none");
    assert_eq!(build(&path, &index), 2);
    assert_eq!(coverage(&path, &index).unwrap().0, 2 * SEGMENT_SPAN);
    assert_eq!(verify(&path, &index).unwrap(), []);
    compare(&history, &index, "whole");

    // What is typed since is found before what is indexed.
    history.started(1, b"/", b"git log deadbeef again").unwrap();
    compare(&history, &index, "grown");

    // One in the middle is missing.
    forget(&index, std::iter::once(5)).unwrap();
    compare(&history, &index, "the first is missing");
    assert_eq!(build(&path, &index), 1);
    forget(&index, std::iter::once(SEGMENT_SPAN + 5)).unwrap();
    compare(&history, &index, "the second is missing");
    assert_eq!(build(&path, &index), 1);

    // A command that was taken out is found no more.
    let gone = substring(&history, None, b"git log").unwrap();
    let all: Vec<_> = history.commands().filter(|c| c.command == gone).collect();
    for command in all {
        history.redact(command.session, command.seq).unwrap();
    }
    compare(&history, &index, "redacted");
    assert_eq!(
        verify(&path, &index).unwrap(),
        [],
        "bits that stayed hide nothing"
    );
}

#[test]
fn damage_of_the_log_or_the_index_costs_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = log(folder.path());
    let index = folder.path().join("m.index");
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    // Across the border of a segment, across one of a block, at the beginning.
    for at in [SEGMENT_SPAN - 3_000, SEGMENT_SPAN + 16 * 1024 * 9 - 40, 64] {
        file.write_all_at(&[0x55; 5_000], at).unwrap();
    }
    let history = History::open(&path, 2, 0, None).unwrap().history;
    assert_eq!(build(&path, &index), 2);
    compare(&history, &index, "damaged log");

    let rows = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&index)
        .unwrap();
    let length = rows.metadata().unwrap().len();
    rows.write_all_at(&[0; 65_536], 4096 + 4096).unwrap();
    assert_eq!(verify(&path, &index).unwrap(), [0]);
    forget(&index, std::iter::once(0)).unwrap();
    build(&path, &index);
    assert_eq!(verify(&path, &index).unwrap(), []);
    // A table that is not what it was is not gone by.
    rows.write_all_at(&[0xff; 4], 4096 + 64 + 40).unwrap();
    compare(&history, &index, "damaged table");
    for cut in [length - 1, length / 2, 4096, 100, 0] {
        rows.set_len(cut).unwrap();
        compare(&history, &index, "cut index");
    }
}

#[test]
fn an_index_of_another_log_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = log(folder.path());
    let index = folder.path().join("m.index");
    build(&path, &index);
    let other = folder.path().join("other.log");
    let mut history = History::open(&other, 9, 77, None).unwrap().history;
    history.started(1, b"/", b"zzz never typed, but here").unwrap();
    assert_eq!(
        substring(&history, Some(&index), b"zzz").as_deref(),
        Some(&b"zzz never typed, but here"[..])
    );
    assert_eq!(coverage(&other, &index), None);
}

#[test]
fn a_command_longer_than_a_window_is_found_with_the_index_as_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.log");
    let index = folder.path().join("m.index");
    let mut history = History::open(&path, 1, 0, None).unwrap().history;
    let long = |n: u32| format!("cat <<END\n{}needle {n}\nEND", "x".repeat(100 * 1024));
    for n in 0..100 {
        history.started(1, b"/", long(n).as_bytes()).unwrap();
        history.started(1, b"/", b"ls").unwrap();
    }
    assert!(build(&path, &index) > 0);
    for n in [0, 1, 50, 99] {
        let text = format!("needle {n}\n");
        let found = |index: Option<&Path>| {
            let mut found = Vec::new();
            lle_log::find::containing(&history, index, text.as_bytes(), |command| {
                found.push(command.command);
                true
            });
            found
        };
        assert_eq!(found(None), [long(n).into_bytes()], "{n}");
        assert_eq!(found(Some(&index)), found(None), "{n}");
    }
    assert_eq!(verify(&path, &index).unwrap(), Vec::<u64>::new());
}

#[test]
fn what_was_taken_out_is_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.log");
    let index = folder.path().join("m.index");
    let mut history = History::open(&path, 1, 0, None).unwrap().history;
    history.started(1, b"/", b"export TOKEN=older").unwrap();
    let secret = history.started(1, b"/", b"export TOKEN=secret").unwrap();
    let mut ways = [WALK, OTHERS[1]].map(|how| search(&index, how));
    for search in &mut ways {
        let before = found(&history, search, b"export TO");
        assert_eq!(before.as_deref(), Some(&b"export TOKEN=secret"[..]));
        assert_eq!(found(&history, search, b"ls"), None);
    }
    // In place, so that neither the log's name nor its length tells of it.
    history.redact(1, secret).unwrap();
    let mut remembering = search(&index, OTHERS[1]);
    for search in ways.iter_mut().skip(1).chain([&mut remembering]) {
        let since = found(&history, search, b"export TO");
        assert_eq!(since.as_deref(), Some(&b"export TOKEN=older"[..]));
    }
    // What was read is read again once something was appended, as who takes something out does.
    history.started(1, b"/", b"lusush maint history scrub").unwrap();
    let since = found(&history, &mut ways[0], b"export TO");
    assert_eq!(since.as_deref(), Some(&b"export TOKEN=older"[..]));
}

#[test]
fn what_is_remembered_follows_the_log_and_a_turned_lever_changes_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.log");
    let index = folder.path().join("m.index");
    let mut history = History::open(&path, 1, 0, None).unwrap().history;
    let mut other = History::open(&path, 2, 0, None).unwrap().history;
    let mut walk = search(&index, WALK);
    let mut turned = search(&index, OTHERS[1]);
    // Far more than is remembered; some by another session, some long, some taken out again.
    for n in 0..6_000u64 {
        let long = "x".repeat(usize::from(n.is_multiple_of(701)) * 40_000);
        let text = command(n) + &long;
        let writer = if n.is_multiple_of(5) {
            &mut other
        } else {
            &mut history
        };
        let seq = writer.started(1, b"/", text.as_bytes()).unwrap();
        if n.is_multiple_of(97) {
            writer.redact(writer.session(), seq).unwrap();
        }
        if !n.is_multiple_of(13) {
            continue;
        }
        history.refresh().unwrap();
        // As a trial does it, and in the middle of a text too.
        turned.use_memory(!n.is_multiple_of(3));
        let typed = command(n / 2);
        let typed = typed.as_bytes();
        assert_eq!(
            prefix(&history, &mut turned, typed),
            prefix(&history, &mut walk, typed),
            "{n}"
        );
        turned.use_memory(n.is_multiple_of(2));
        assert_eq!(
            found(&history, &mut turned, typed),
            found(&history, &mut walk, typed),
            "{n}"
        );
    }
}
