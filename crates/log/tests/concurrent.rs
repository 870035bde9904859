//! Many sessions, one log: nobody's record is torn, lost or doubled, whoever is killed.
// A panic is the report.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;

use lle_log::history::History;

const CHILD_LOG: &str = "LLE_LOG_TEST_CHILD";
const CHILD_SESSION: &str = "LLE_LOG_TEST_SESSION";

#[test]
fn of_many_creators_one_wins_and_imports_once() {
    let folder = tempfile::tempdir().unwrap();
    let (path, import) = (folder.path().join("deep/log"), folder.path().join("bash_history"));
    let lines: String = (0..1000).map(|line| format!("imported {line}\n")).collect();
    std::fs::write(&import, lines).unwrap();
    let barrier = Barrier::new(8);
    let created: usize = std::thread::scope(|scope| {
        let session = |session: u64| {
            let (path, import, barrier) = (&path, &import, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let mut opened = History::open(path, session, 0, Some(import)).unwrap();
                assert_eq!(opened.imported, if opened.created { 1000 } else { 0 });
                for index in 0..200 {
                    let seq = opened
                        .history
                        .started(0, b"/", format!("{session} {index}").as_bytes())
                        .unwrap();
                    opened.history.finished(seq, 0, 0, 1).unwrap();
                }
                usize::from(opened.created)
            })
        };
        let sessions: Vec<_> = (1..=8).map(session).collect();
        sessions.into_iter().map(|session| session.join().unwrap()).sum()
    });
    assert_eq!(created, 1);
    let history = History::open(&path, 99, 0, None).unwrap().history;
    let report = history.check();
    assert_eq!(
        (report.imported, report.commands, report.finished),
        (1000, 1600, 1600)
    );
    assert_eq!((report.damaged_bytes, report.torn_tail_bytes), (0, 0));
    let mut next: HashMap<u64, u64> = HashMap::new();
    for command in history.commands().skip(1000) {
        let index = next.entry(command.session).or_default();
        assert_eq!(
            command.command,
            format!("{} {index}", command.session).into_bytes()
        );
        *index += 1;
    }
}

/// Not a test of its own: what [`no_kill_loses_an_acknowledged_command`] runs in other processes, until killed.
#[test]
fn child_appends_until_killed() {
    let (Ok(path), Ok(session)) = (std::env::var(CHILD_LOG), std::env::var(CHILD_SESSION)) else {
        return;
    };
    let mut history = History::open(Path::new(&path), session.parse().unwrap(), 0, None)
        .unwrap()
        .history;
    let command = vec![b'c'; 5000];
    let mut out = std::io::stdout();
    // Bounded, should the parent die first.
    for _ in 0..100_000 {
        let seq = history.started(0, b"/somewhere", &command).unwrap();
        writeln!(out, "\nacknowledged {seq}").unwrap();
    }
}

#[test]
fn no_kill_loses_an_acknowledged_command() {
    const ROUNDS: u64 = 10;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut acknowledged: HashMap<u64, u64> = HashMap::new();
    for round in 0..ROUNDS {
        let mut children: Vec<_> = [2 * round + 1, 2 * round + 2]
            .into_iter()
            .map(|session| {
                let mut child = Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "child_appends_until_killed", "--nocapture"])
                    .env(CHILD_LOG, &path)
                    .env(CHILD_SESSION, session.to_string())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap();
                let lines = BufReader::new(child.stdout.take().unwrap()).lines();
                (
                    session,
                    child,
                    lines
                        .map_while(Result::ok)
                        .filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u64>().ok()),
                )
            })
            .collect();
        for (session, _, seqs) in &mut children {
            assert!(
                seqs.by_ref().any(|seq| seq >= 20 + 7 * round),
                "session {session} appends"
            );
        }
        for (session, child, seqs) in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
            let last = seqs.last().unwrap_or(20 + 7 * round);
            acknowledged.insert(*session, last);
        }
    }
    let history = History::open(&path, 999, 0, None).unwrap().history;
    let mut seen: HashMap<u64, u64> = HashMap::new();
    for command in history.commands() {
        let last = seen.entry(command.session).or_default();
        *last += 1;
        assert_eq!(command.seq, *last, "each command once and in order");
        assert_eq!(command.command.len(), 5000);
    }
    for (session, last) in acknowledged {
        assert!(
            seen[&session] >= last,
            "session {session} was told {last} and has {}",
            seen[&session]
        );
    }
    // A write that the kill cuts in two pages was never acknowledged, and costs nobody else anything.
    let report = history.check();
    assert!(report.damaged_runs <= 2 * ROUNDS, "{report:?}");
}
