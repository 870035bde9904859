//! The verbs that people and programs ask: the real binary, over a folder of its own.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lle_log::history::History;
use lle_metrics::{Counter, Draft, Flight, Gauge, Identity, Timer};
use serde_json::Value;

/// A home of Lusush that goes away with the test.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn sessions(&self) -> PathBuf {
        let folder = self.path().join("run/sessions");
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn log(&self) -> PathBuf {
        let machine_id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        lle_core::paths::history_log(&self.path().join("state"), &machine_id)
    }

    fn command(&self, words: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_lusush")), words)
    }

    fn command_of(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .env("LUSUSH_HOME", self.path())
            .env("HOME", self.path());
        for name in ["LUSUSH_LIB", "LUSUSH_BASH", "LLE_LOADED", "HISTFILE", "BASH_ENV"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs `lusush` with `words`.
    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs it with `--json`.
    fn json(&self, words: &[&str]) -> Value {
        let output = self.run(&[words, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn flight(home: &Home, session_id: u64) -> Flight {
    let identity = Identity::of_this_process(session_id, "/dev/pts/9", "5.2.15(1)-release", "0.1.0");
    Flight::create(&home.sessions(), &identity).unwrap()
}

#[test]
fn without_sessions_status_says_how_to_start_one() {
    let home = Home::new();
    let output = home.run(&["maint", "status"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("Start one with `lusush`"));
    let status = home.json(&["maint", "status"]);
    assert_eq!(status["version"], 1);
    assert_eq!(
        (&status["sessions"], &status["dead"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );
}

#[test]
fn the_numbers_of_a_live_session_move() {
    let home = Home::new();
    let flight = flight(&home, 0x11fe);
    for keys in 1..=3 {
        flight.update(|w| {
            w.add(Counter::Keys, 1);
            w.time(Timer::KeyToPaint, 180_000);
            w.set(Gauge::On, 1);
        });
        let status = home.json(&["maint", "status"]);
        let session = &status["sessions"][0];
        assert_eq!(
            (&session["id"], &session["state"]),
            (&"00000000000011fe".into(), &"alive".into())
        );
        assert_eq!(session["counters"]["keys"], keys);
        assert_eq!(session["timers"]["key_to_paint"]["p50"], 180_000);
        assert_eq!(session["timers"]["command"]["p50"], Value::Null);
        assert_eq!(session["gauges"]["rows"], Value::Null);
        assert_eq!(session["pid"], std::process::id());
        assert!(
            session["cost"]["private_bytes"].as_u64().unwrap() > 0,
            "{session}"
        );
        assert!(session["cost"]["cpu_ns"].as_u64().unwrap() > 0, "{session}");
        assert_eq!(
            session["draft"],
            Value::Null,
            "a line being typed is its typist's"
        );
    }
}

#[test]
fn a_dead_session_shows_its_last_words() {
    let home = Home::new();
    let mut identity = Identity::of_this_process(0xdead, "/dev/pts/9", "5.2.15(1)-release", "0.1.0");
    // Another process had the number, or it would be taken for one that goes on as another program.
    identity.start_ticks = 1;
    let dead = Flight::create(&home.sessions(), &identity).unwrap();
    dead.update(|w| {
        w.draft(b"git push --force", Draft::Kept);
        w.last_command(b"make \x1b]0;gotcha\x07");
    });
    // The lock goes as it does at kill -9; the file stays.
    drop(dead);
    let status = home.json(&["maint", "status"]);
    assert_eq!(status["sessions"], Value::Array(vec![]));
    assert_eq!(status["dead"][0]["draft"]["text"], "git push --force");
    let output = home.run(&["maint", "status"]);
    let said = text(&output.stdout);
    assert!(said.contains("was typing       git push --force\n"), "{said}");
    assert!(
        said.contains("\\u{1b}]0;gotcha\\u{7}") && !said.contains('\x1b'),
        "{said}"
    );
}

#[test]
fn files_that_are_no_flights_are_named_once_and_harm_nothing() {
    let home = Home::new();
    let live = flight(&home, 1);
    let whole = flight(&home, 2).path().unwrap().to_owned();
    let whole = fs::read(whole).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(home.sessions().join(name), bytes).unwrap();
    write("a.flight", b"#!/bin/sh\n");
    write("b.flight", &whole[..1000]);
    write("c.flight", b"");
    write("d.wake", b"not looked at");
    std::os::unix::fs::symlink("/etc/passwd", home.sessions().join("e.flight")).unwrap();
    let status = home.json(&["maint", "status"]);
    assert_eq!(status["sessions"].as_array().unwrap().len(), 1);
    let unreadable = status["unreadable"].as_array().unwrap();
    let files: Vec<_> = unreadable
        .iter()
        .map(|file| file["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["a.flight", "b.flight", "c.flight", "e.flight"]);
    let output = home.run(&["maint", "status"]);
    assert!(output.status.success());
    for file in files {
        assert_eq!(text(&output.stdout).matches(file).count(), 1, "{file}");
    }
    drop(live);
}

#[test]
fn status_is_plain_where_nobody_looks() {
    let home = Home::new();
    let flight = flight(&home, 1);
    flight.update(|w| w.add(Counter::Panics, 1));
    let output = home.run(&["maint", "status"]);
    assert!(
        text(&output.stdout)
            .lines()
            .all(|line| line.chars().count() <= 80)
    );
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn usage() {
    fn check(words: &[&str], code: i32, said: &str) {
        let output = Home::new().run(words);
        let all = [output.stdout, output.stderr].concat();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", text(&all));
        assert!(text(&all).contains(said), "{words:?}: {}", text(&all));
    }
    check(&["maint"], 0, "Shows every session");
    check(&["maint", "--help"], 0, "Usage: lusush maint");
    check(&["maint", "frobnicate"], 2, "unrecognized subcommand");
    check(&["maint", "status", "--jsno"], 2, "unexpected argument");
    check(
        &["maint", "history", "check"],
        1,
        "Hint: the first session makes it",
    );
    check(&["init"], 2, "<SHELL>");
    check(&["init", "zsh"], 2, "[possible values: bash]");
    check(&["install"], 2, "--prefix <DIR>");
    check(
        &["install", "--prefix", "/proc/nowhere"],
        1,
        "Hint: choose a prefix you may write to",
    );
}

#[test]
fn the_history_log_is_read_whole_and_its_damage_counted() {
    let home = Home::new();
    let log = home.log();
    let mut history = History::open(&log, 7, 1, None).unwrap().history;
    for command in ["one", "two", "three"] {
        let sequence = history.started(1, b"/", command.as_bytes()).unwrap();
        history.finished(sequence, 2, 0, 1).unwrap();
    }
    let checked = home.json(&["maint", "history", "check"]);
    assert_eq!(
        (&checked["version"], &checked["commands"]),
        (&1.into(), &3.into())
    );
    assert_eq!(
        (&checked["finished"], &checked["damaged_runs"]),
        (&3.into(), &0.into())
    );

    let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.write_all_at(b"????????", file.metadata().unwrap().len() / 2)
        .unwrap();
    let checked = home.json(&["maint", "history", "check"]);
    assert!(checked["damaged_runs"].as_u64().unwrap() > 0, "{checked}");
    let output = home.run(&["maint", "history", "check"]);
    assert!(output.status.success() && text(&output.stdout).contains("damaged"));
}

/// The check of one subject.
fn subject<'a>(diagnosis: &'a Value, subject: &str) -> &'a Value {
    let checks = diagnosis["checks"].as_array().unwrap();
    checks.iter().find(|check| check["subject"] == subject).unwrap()
}

#[test]
fn doctor_finds_what_is_wrong_and_changes_nothing() {
    let home = Home::new();
    let healthy = home.json(&["doctor"]);
    assert_eq!(healthy["version"], 1);
    for name in [
        "bash",
        "line editor",
        "symbols",
        "state folder",
        "history log",
        "sessions",
    ] {
        assert_eq!(
            subject(&healthy, name)["outcome"],
            "ok",
            "{}",
            subject(&healthy, name)
        );
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing was made");

    let state = home.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    let open = home.json(&["doctor"]);
    assert_eq!(subject(&open, "state folder")["outcome"], "warning");
    let remedy = subject(&open, "state folder")["remedy"].as_str().unwrap();
    assert!(
        Command::new("sh")
            .args(["-c", remedy])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        subject(&home.json(&["doctor"]), "state folder")["outcome"],
        "ok",
        "the remedy helps"
    );

    fs::remove_dir(&state).unwrap();
    fs::write(&state, "in the way").unwrap();
    let output = home.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("problem  state folder"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn doctor_knows_a_bash_that_is_none() {
    fn check(bash: &str, said: &str) {
        let home = Home::new();
        let output = home
            .command(&["doctor", "--json"])
            .env("LUSUSH_BASH", bash)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{bash}");
        let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
        let evidence = subject(&diagnosis, "bash")["evidence"].as_str().unwrap();
        assert!(evidence.contains(said), "{bash}: {evidence}");
    }
    check("/does/not/exist", "does not start");
    check("/bin/true", "is not a bash");
    check("/bin/false", "does not start");
}

#[test]
fn what_is_installed_works_from_there() {
    let home = Home::new();
    let prefix = home.path().join("it's here");
    let output = home.run(&["install", "--prefix", prefix.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("init bash >> ~/.bashrc"));
    let program = prefix.join("bin/lusush");
    let diagnosis = home.command_of(&program, &["doctor", "--json"]).output().unwrap();
    let diagnosis: Value = serde_json::from_slice(&diagnosis.stdout).unwrap();
    let editor = subject(&diagnosis, "line editor");
    assert_eq!(editor["outcome"], "ok", "{editor}");
    assert!(
        editor["evidence"]
            .as_str()
            .unwrap()
            .contains("it's here/lib/lusush/liblle_bash-"),
        "{editor}"
    );

    // The lines load LLE where someone types, once, and are quiet where it is gone.
    let lines = home
        .command_of(&program, &["init", "bash"])
        .output()
        .unwrap()
        .stdout;
    let rc = home.path().join("rc");
    fs::write(&rc, &lines).unwrap();
    let shell = |words: &[&str]| {
        let mut command = home.command_of(Path::new("bash"), &[]);
        command.args(["--noprofile", "--rcfile"]).arg(&rc).args(words);
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        text(&output.stdout).to_owned() + text(&output.stderr)
    };
    assert!(
        text(&lines).contains("lib/lusush/liblle_bash.so"),
        "{}",
        text(&lines)
    );
    let loaded = shell(&["-i", "-c", ". \"$LUSUSH_HOME/rc\"; type -t lle"]);
    assert!(loaded.lines().any(|line| line == "builtin"), "{loaded}");
    let not_typed_into = shell(&["-c", ". \"$LUSUSH_HOME/rc\"; type -t lle; :"]);
    assert_eq!(not_typed_into, "");
    fs::remove_dir_all(&prefix).unwrap();
    let gone = shell(&["-i", "-c", ". \"$LUSUSH_HOME/rc\"; type -t lle; echo fine"]);
    assert!(
        gone.lines().any(|line| line == "fine") && !gone.contains("enable"),
        "{gone}"
    );
}

/// What systemd does with the unit that is installed.
#[test]
fn a_worker_that_is_told_to_end_ends_well() {
    let home = Home::new();
    let mut worker = home.command(&["maint", "worker", "--stay"]).spawn().unwrap();
    let socket = home.path().join("run/control");
    let deadline = std::time::Instant::now() + lle_pty::deadline();
    while !socket.exists() {
        assert!(std::time::Instant::now() < deadline, "the worker answers");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_child(&worker);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(worker.wait().unwrap().code(), Some(0));
    assert!(!socket.exists());
}
