//! A home folder that is not there, as one on a disk that is not mounted: nothing of ours makes it.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use lle_pty::{Home, Spawn, Terminal};
use support::{lusush, press};

/// A start of `program` whose `HOME` is `gone`, with its runtime folder in `home`.
fn start(program: &Path, home: &Home, gone: &Path) -> Spawn {
    let run = home.path().join("run");
    let made = std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
        .recursive(true)
        .create(&run);
    made.unwrap();
    home.spawn_with_worker(program)
        .env("HOME", gone)
        .env("LUSUSH_HOME", "")
        .env("XDG_RUNTIME_DIR", run)
}

#[test]
fn a_session_is_memory_only_says_so_once_and_goes_on() {
    let home = Home::new("").unwrap();
    let gone = home.path().join("home/of/mine");
    for words in [&[][..], &["-l"], &["--safe"]] {
        let mut t = Terminal::spawn(&start(lusush(), &home, &gone).args(words)).unwrap();
        t.settle().unwrap();
        press(&mut t, "echo \"goes $((40 + 2))\"\r", "goes 42");
        press(&mut t, "\r", "goes 42");
        assert_eq!(
            t.text().matches("memory only").count(),
            1,
            "{words:?}:\n{}",
            t.text()
        );
        let said = t.text().replace('\n', "");
        assert!(
            said.contains("is not there: mount it or make it"),
            "{words:?}:\n{}",
            t.text()
        );
        t.type_bytes(b"exit\r").unwrap();
        t.wait_exit(lle_pty::deadline()).unwrap();
        assert!(!home.path().join("home").exists(), "{words:?}");
    }
}

#[test]
fn what_was_typed_is_kept_once_the_home_is_mounted() {
    let home = Home::new("").unwrap();
    let gone = home.path().join("mine");
    let mut t = Terminal::spawn(&start(lusush(), &home, &gone).env("LUSUSH_WORKER", "off")).unwrap();
    t.settle().unwrap();
    press(&mut t, "echo before\r", "before");
    std::fs::create_dir(&gone).unwrap();
    let logs = gone.join(".local/state/lusush/history");
    t.type_bytes(b"exit\r").unwrap();
    t.wait_exit(lle_pty::deadline()).unwrap();
    let log = std::fs::read_dir(&logs).unwrap().flatten().next().unwrap();
    let text = String::from_utf8_lossy(&std::fs::read(log.path()).unwrap()).into_owned();
    assert!(text.contains("echo before"), "{text}");
}

#[test]
fn verbs_make_no_home_and_name_what_to_do() {
    let home = Home::new("").unwrap();
    let gone = home.path().join("mine");
    for words in [
        &["maint", "status"][..],
        &["maint", "backup", "create"],
        &["maint", "config", "set", "editor.suggest", "false"],
        &["maint", "history", "stats"],
        &["doctor"],
        &["maint", "worker"],
    ] {
        let output = Command::new(lusush())
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &gone)
            .env("XDG_RUNTIME_DIR", home.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!gone.exists(), "{words:?}");
        // The worker's own word is in the first line of its row.
        assert!(
            said.contains("/mine is not") || words[1..] == ["status"],
            "{words:?}: {said}"
        );
    }
}
