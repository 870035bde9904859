//! Rows from a real log and a list, against what they should come to.

use super::super::state::Op;
use super::*;
use std::path::Path;

const SECOND_NS: i64 = 1_000_000_000;
const NOW_NS: i64 = 1_700_000_000 * SECOND_NS;

struct Bench {
    _folder: tempfile::TempDir,
    history: History,
    list: Vec<Vec<u8>>,
}

impl Bench {
    /// The log has `logged`, oldest first: text, folder, status; the list has `list`, oldest first.
    fn new(logged: &[(&str, &str, Option<i32>)], list: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let log = History::open(&folder.path().join("m.log"), 9, 0, None);
        let mut history = log.expect("a log can be made").history;
        for (n, (text, cwd, status)) in (0..).zip(logged) {
            let at = NOW_NS - (1_000 - n) * SECOND_NS;
            let seq = history
                .started(at, cwd.as_bytes(), text.as_bytes())
                .expect("it can be written");
            if let Some(status) = status {
                history.finished(seq, at, *status, 1).expect("it can be written");
            }
        }
        Self {
            _folder: folder,
            history,
            list: list.iter().map(|text| text.as_bytes().to_vec()).collect(),
        }
    }

    /// Steps until nothing is owed; a source that owes for ever is a mistake.
    fn settle(&self, source: &mut Source, search: &mut Search) {
        let entry = |at: usize| self.list.get(at).map_or(&b""[..], Vec::as_slice);
        let around = Around {
            history: &self.history,
            entry: &entry,
            entries: self.list.len(),
            here: b"/here",
            midnight_ns: NOW_NS - 500 * SECOND_NS,
            now_ns: NOW_NS,
        };
        for _ in 0..10_000 {
            if !source.owes(search) {
                return;
            }
            source.step(search, &around);
        }
        panic!("it owes for ever");
    }

    fn texts(&self, ops: &[Op], text: &str) -> Vec<String> {
        let (mut source, mut search) = (Source::new(None), Search::new());
        ops.iter().for_each(|op| search.act(*op, b""));
        self.settle(&mut source, &mut search);
        for byte in text.bytes() {
            search.add(&[byte]);
            self.settle(&mut source, &mut search);
        }
        texts(&search)
    }
}

fn texts(search: &Search) -> Vec<String> {
    search
        .rows()
        .iter()
        .map(|row| String::from_utf8_lossy(&row.text).into_owned())
        .collect()
}

fn bench() -> Bench {
    Bench::new(
        &[
            ("echo old", "/here", Some(0)),
            ("make x", "/there", Some(2)),
            ("echo both", "/here", Some(1)),
            ("echo late", "/there", None),
            ("echo old", "/there", Some(0)),
        ],
        &["list only echo", "echo both", "echo also"],
    )
}

#[test]
fn the_list_comes_first_and_the_log_tells_of_it() {
    let bench = bench();
    let (mut source, mut search) = (Source::new(None), Search::new());
    search.add(b"echo");
    bench.settle(&mut source, &mut search);
    assert_eq!(
        texts(&search),
        [
            "echo also",
            "echo both",
            "list only echo",
            "echo old",
            "echo late"
        ]
    );
    let about = |nth: usize| &search.rows()[nth].about;
    assert!(!about(0).known && !about(2).known);
    assert_eq!(
        (about(1).cwd.as_slice(), about(1).status),
        (&b"/here"[..], Some(1))
    );
    assert_eq!(about(3).cwd, b"/there", "of its newest use");
}

#[test]
fn filters_ask_the_log_alone() {
    let bench = bench();
    let check = |ops: &[Op], expect: &[&str]| assert_eq!(bench.texts(ops, "e"), expect, "{ops:?}");
    check(&[Op::Here], &["echo both", "echo old"]);
    check(&[Op::Ended], &["echo old"]);
    check(&[Op::Ended, Op::Ended], &["echo both", "make x"]);
    check(&[Op::Since], &[]);
    check(
        &[Op::Since, Op::Since],
        &["echo old", "echo late", "echo both", "make x"],
    );
    check(&[Op::Here, Op::Ended, Op::Ended], &["echo both"]);
}

#[test]
fn the_likeliest_are_ranked_and_say_why() {
    let bench = bench();
    let (mut source, mut search) = (Source::new(None), Search::new());
    search.act(Op::Order, b"");
    search.act(Op::Why, b"");
    search.add(b"echo");
    bench.settle(&mut source, &mut search);
    assert_eq!(search.rows()[0].text, b"echo old");
    assert_eq!(
        search.rows().len(),
        5,
        "nothing is left out: {:?}",
        texts(&search)
    );
    let why = source.reasons(&search).expect("it is in the log");
    assert_eq!((why.uses, why.worked), (2, (2, 2)));
}

#[test]
fn rows_come_as_they_are_asked_for() {
    let logged: Vec<String> = (0..2_000).map(|n| format!("logged {n}")).collect();
    let logged: Vec<_> = logged.iter().map(|text| (text.as_str(), "/x", Some(0))).collect();
    let list: Vec<String> = (0..30).map(|n| format!("listed {n}")).collect();
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let bench = Bench::new(&logged, &list);
    let (mut source, mut search) = (Source::new(None), Search::new());
    bench.settle(&mut source, &mut search);
    assert!(search.rows().len() < 20, "{}", search.rows().len());
    for _ in 0..60 {
        search.act(Op::RowDown, b"");
        bench.settle(&mut source, &mut search);
    }
    // Thirty of the list, and then the newest of the log.
    assert_eq!(search.shown().map(|row| &row.text[..]), Some(&b"logged 1970"[..]));
}

#[test]
fn another_machines_log_is_asked_instead() {
    let bench = bench();
    let path: &Path = bench._folder.path();
    let other = path.join("other.log");
    let mut history = History::open(&other, 3, 0, None)
        .expect("a log can be made")
        .history;
    history
        .started(5, b"/far", b"echo far")
        .expect("it can be written");
    let (mut source, mut search) = (Source::new(None), Search::new());
    search.act(Op::Host, b"");
    source.switch(Some(Other {
        host: "other".into(),
        log: History::read(&other).expect("it can be read"),
    }));
    bench.settle(&mut source, &mut search);
    assert_eq!(texts(&search), ["echo far"]);
}
