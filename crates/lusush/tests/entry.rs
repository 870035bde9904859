//! How the program begins and ends: standard descriptors that are closed, pipes that nobody reads, words that are no text.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use lle_pty::Home;

const LUSUSH: &str = env!("CARGO_BIN_EXE_lusush");

/// Runs Lusush by a shell that closes or redirects what `redirections` says.
fn redirected(words: &str, redirections: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("exec \"$0\" {words} {redirections}");
    command.args(["-c", &script, LUSUSH]);
    command
}

#[test]
fn bash_finds_closed_what_was_closed() {
    const OPEN: &str = "for n in 0 1 2; do [ -e /proc/$$/fd/$n ] && echo $n; done";
    let check = |closed: &str, expect: &str| {
        let output = redirected(&format!("-c '{OPEN}'"), closed).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expect, "{closed:?}");
    };
    check("", "0\n1\n2\n");
    check("<&-", "1\n2\n");
    check("<&- 2>&-", "1\n");
}

#[test]
fn a_verb_and_what_it_runs_find_every_standard_descriptor_open() {
    let home = Home::new("").unwrap();
    let out = home.path().join("seen");
    // It is asked whether it can parse the command that is to be configured.
    let bash = home.path().join("bash");
    let seen = format!(
        "#!/bin/sh\nfor n in 1 2; do readlink /proc/$PPID/fd/$n; readlink /proc/$$/fd/$n; done >'{}'\n",
        out.display()
    );
    std::fs::write(&bash, seen).unwrap();
    std::fs::set_permissions(&bash, Permissions::from_mode(0o755)).unwrap();
    let mut command = redirected("maint config set prompt.command true", "<&- >&- 2>&-");
    command.env_clear().envs(home.spawn(Path::new(LUSUSH)).env);
    let status = command.env("LUSUSH_BASH", &bash).status().unwrap();
    assert_eq!(status.code(), Some(0));
    let seen = std::fs::read_to_string(out).unwrap();
    let [own_out, _, own_err, _] = seen.lines().collect::<Vec<_>>()[..] else {
        panic!("{seen}");
    };
    assert_eq!((own_out, own_err), ("/dev/null", "/dev/null"));
}

#[test]
fn a_pipe_that_nobody_reads_is_no_error_of_ours() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(LUSUSH)
        .arg("help")
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_full_disk_behind_standard_output_is_told() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(LUSUSH).arg("version").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(101));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"));
}

#[test]
fn words_reach_bash_as_they_are() {
    let word = OsStr::from_bytes(b"a\xff b");
    let output = Command::new(LUSUSH)
        .args(["-c", "printf '%s|' \"$0\" \"$@\""])
        .args([OsStr::new("zero"), word, OsStr::new("")])
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"zero|a\xff b||");
}
