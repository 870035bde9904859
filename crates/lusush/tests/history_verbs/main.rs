//! `lusush maint history` on the real binary: search, stats, import, export, merge, scrub; and kill -9 at any moment.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

#[path = "../support/mod.rs"]
mod support;

mod imports;
mod scrubs;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lle_log::history::History;
use support::household::Household;
use support::log_of;

/// Rounds of kill -9; CI makes more.
const KILLS: usize = 12;

fn open(log: &Path, session: u64) -> History {
    History::open(log, session, 1, None).unwrap().history
}

fn commands(log: &Path) -> Vec<String> {
    open(log, 99)
        .commands()
        .map(|command| String::from_utf8_lossy(&command.command).into_owned())
        .collect()
}

/// Some commands, as sessions would have logged them.
fn fill(log: &Path, count: usize) {
    let mut history = open(log, 1);
    for n in 0..count {
        let text = match n % 5 {
            0 => format!("deploy --token hunter2-{n}"),
            _ => format!("echo {n}"),
        };
        let cwd: &[u8] = if n % 2 == 0 { b"/srv/a" } else { b"/srv/b" };
        let seq = history
            .started(1_700_000_000_000_000_000 + n as i64, cwd, text.as_bytes())
            .unwrap();
        let status = i32::from(n % 3 == 0);
        history
            .finished(seq, 1_700_000_000_000_000_001 + n as i64, status, 5)
            .unwrap();
    }
}

/// Runs a verb and kills it at some moment.
fn killed(house: &Household, words: &[&str], after: Duration) {
    let mut child: std::process::Child = house_command(house, words).spawn().unwrap();
    let began = Instant::now();
    while began.elapsed() < after && child.try_wait().unwrap().is_none() {
        std::hint::spin_loop();
    }
    let _ended_already = child.kill();
    child.wait().unwrap();
}

fn house_command(house: &Household, words: &[&str]) -> Command {
    let mut command = house.command(&["maint", "history"]);
    command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn refused(house: &Household, words: &[&str]) -> String {
    let output = house.maint(words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{words:?}: {said}");
    said
}

#[test]
fn what_is_asked_for_is_found() {
    let house = Household::new("");
    let log = log_of(&house.home);
    fill(&log, 30);
    let found = house.json(&[
        "history", "search", "echo", "--dir", "/srv/b", "--status", "0", "--limit", "100",
    ]);
    let rows = found["commands"].as_array().unwrap();
    // Odd, no multiple of 3 or 5.
    assert_eq!(
        rows.len(),
        (0..30).filter(|n| n % 2 == 1 && n % 3 != 0 && n % 5 != 0).count()
    );
    assert!(
        rows.iter()
            .all(|row| row["cwd"] == "/srv/b" && row["status"] == 0)
    );
    assert_eq!(
        house.json(&["history", "search", "echo", "--since", "1h"])["matches"],
        0
    );
    assert_eq!(
        house.json(&["history", "search", "echo 11", "--until", "1h"])["matches"],
        1
    );
    assert!(
        house
            .said(&["history", "search", "nobody typed this"])
            .contains("nothing matches")
    );
    assert!(
        house
            .said(&["history", "search", "echo 11", "--why"])
            .contains("1 use")
    );
    let stats = house.json(&["history", "stats"]);
    assert_eq!(
        (&stats["commands"], &stats["programs"][0][0]),
        (&30.into(), &"echo".into())
    );
    let exported = house.said(&["history", "export", "--format", "json"]);
    assert_eq!(exported.lines().count(), 30);
}

#[test]
fn what_cannot_be_done_says_what_can() {
    let house = Household::new("");
    for verb in ["export", "search"] {
        let words = ["history", verb, "x"];
        let said = refused(&house, &words[..if verb == "search" { 3 } else { 2 }]);
        assert!(said.contains("there is no history log yet"), "{verb}: {said}");
        let said = refused(&house, &["history", verb, "--host", "laptop"]);
        assert!(said.contains("no history of a machine laptop"), "{verb}: {said}");
    }
    let said = refused(&house, &["history", "scrub"]);
    assert!(said.contains("TEXT") && said.contains("--id"), "{said}");
    let said = refused(&house, &["history", "restore"]);
    assert!(said.contains("recover history-cut"), "{said}");
    let foreign = house.home.path().join("laptop.log");
    fs::write(&foreign, "no log\n").unwrap();
    let house = Household::with_worker("", &[]);
    let said = refused(&house, &["history", "merge", foreign.to_str().unwrap()]);
    assert!(
        said.contains("nothing was merged") && said.contains("history import FILE"),
        "{said}"
    );
    assert!(!said.contains("history check"), "{said}");
    let said = refused(&house, &["history", "search", "--limit", "0", "echo"]);
    assert!(said.contains("0 is not in 1.."), "{said}");
}
