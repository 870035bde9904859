//! The terminal against a stock bash: what it types arrives, what it shows is there, and it ends what it began.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use lle_pty::{Home, Terminal, deadline, waits_for_input};
use rustix::process::Signal;

fn bash() -> (Home, Terminal) {
    let home = Home::new("").unwrap();
    let mut terminal = Terminal::spawn(&home.spawn("bash").size(5, 20)).unwrap();
    terminal.wait_for_text("$").unwrap();
    terminal.settle().unwrap();
    (home, terminal)
}

#[test]
fn typed_text_is_on_the_screen_once_settled() {
    let (_home, mut terminal) = bash();
    for (at, key) in "echo 漢字 é".chars().enumerate() {
        let before = terminal.cursor();
        terminal.press(key.to_string()).unwrap();
        assert!(
            terminal.cursor().1 > before.1,
            "key {at} is not shown: {}",
            terminal.text()
        );
    }
    assert_eq!(terminal.text(), "$ echo 漢字 é");
    terminal.press("\r").unwrap();
    assert_eq!(terminal.rows()[..3], ["$ echo 漢字 é", "漢字 é", "$"]);
    assert_eq!(terminal.cursor(), (2, 2));
}

#[test]
fn settle_waits_for_a_command_and_for_a_timed_wait() {
    let (_home, mut terminal) = bash();
    terminal.press("sleep 0.3; echo done\r").unwrap();
    assert!(terminal.text().contains("\ndone\n"), "{}", terminal.text());
    // `read -t` waits in a select with a timeout: not idle until it gave up.
    terminal.press("read -t 0.3; echo late\r").unwrap();
    assert!(terminal.text().contains("\nlate\n"), "{}", terminal.text());
}

#[test]
fn resize_reaches_the_child() {
    let (_home, mut terminal) = bash();
    terminal.resize(10, 40).unwrap();
    terminal.settle().unwrap();
    terminal.press("stty size\r").unwrap();
    assert!(terminal.text().contains("10 40"), "{}", terminal.text());
}

#[test]
fn more_than_the_kernel_holds_can_be_typed() {
    let (_home, mut terminal) = bash();
    let line = format!(": {}\r", "x".repeat(20_000));
    terminal.press(line).unwrap();
    terminal.press("echo ${#_}\r").unwrap();
    assert!(terminal.text().contains("20000"), "{}", terminal.text());
}

#[test]
fn ends_by_signal_by_eof_and_by_hang_up() {
    let (_home, mut terminal) = bash();
    terminal.signal(Signal::KILL).unwrap();
    assert!(!terminal.wait_exit(deadline()).unwrap().success());

    let (_home, mut terminal) = bash();
    terminal.type_bytes(b"\x04").unwrap();
    assert!(terminal.wait_exit(deadline()).unwrap().success());

    let (_home, mut terminal) = bash();
    terminal.hang_up();
    terminal.wait_exit(deadline()).unwrap();
}

#[test]
fn nothing_outlives_the_terminal() {
    let (_home, mut terminal) = bash();
    terminal.type_bytes(b"cat\r").unwrap();
    let shell = terminal.pid();
    terminal
        .wait_for("cat to read", |terminal| {
            let reader = lle_pty::foreground_pid(terminal.master().unwrap());
            reader != Some(shell) && reader.is_some_and(waits_for_input)
        })
        .unwrap();
    drop(terminal);
    assert!(rustix::process::test_kill_process(shell).is_err());
}

#[test]
fn a_wait_that_fails_says_what_for() {
    let home = Home::new("").unwrap();
    let mut terminal = Terminal::spawn(&home.spawn("bash").args(["-c", "echo hello"])).unwrap();
    terminal.wait_exit(Duration::from_secs(10)).unwrap();
    let error = terminal.settle().unwrap_err().to_string();
    assert!(error.contains("hello") && error.contains("has ended"), "{error}");
}
