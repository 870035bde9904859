//! A start that reads none of the user's files knows nothing of how long their history may get: it shortens none.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use lle_pty::{Home, Terminal, deadline};
use support::{lusush, press};

/// More than bash keeps by itself.
const COMMANDS: usize = 1_500;
const UNLIMITED: &str = "HISTSIZE=-1 HISTFILESIZE=-1";

fn home(rc: &str) -> (Home, String) {
    let home = Home::new("").unwrap();
    write_rc(&home, rc);
    let commands: String = (0..COMMANDS).map(|n| format!("echo {n}\n")).collect();
    std::fs::write(home.history(), &commands).unwrap();
    (home, commands)
}

fn write_rc(home: &Home, rc: &str) {
    std::fs::write(home.rc(), format!("PS1='$ '\n{rc}\n")).unwrap();
}

fn start(home: &Home, arguments: &[&str]) -> Terminal {
    Terminal::spawn(&home.spawn(lusush()).args(arguments)).unwrap()
}

/// Uses a shell as a person does: something is typed, and it is left.
fn use_it(home: &Home, arguments: &[&str]) {
    let mut terminal = start(home, arguments);
    terminal.settle().unwrap();
    press(&mut terminal, "echo all $((1 + 1))\r", "all 2");
    terminal.type_bytes(b"exit\r").unwrap();
    terminal.wait_exit(deadline()).unwrap();
}

fn assert_whole(home: &Home, commands: &str) {
    let kept = std::fs::read_to_string(home.history()).unwrap();
    assert!(
        kept.starts_with(commands),
        "{} lines are left",
        kept.lines().count()
    );
}

#[test]
fn a_safe_one() {
    for arguments in [&["--safe"][..], &["--safe", "-l"], &["--safe", "--noediting"]] {
        let (home, commands) = home(UNLIMITED);
        use_it(&home, &[]);
        use_it(&home, arguments);
        assert_whole(&home, &commands);
        use_it(&home, &[]);
        assert_whole(&home, &commands);
    }
}

#[test]
fn one_after_a_start_that_failed_before_any_worked() {
    let (home, commands) = home(&format!("{UNLIMITED}; exit 1"));
    start(&home, &[]).wait_exit(deadline()).unwrap();
    use_it(&home, &[]);
    assert_whole(&home, &commands);
    write_rc(&home, UNLIMITED);
    use_it(&home, &[]);
    assert_whole(&home, &commands);
}
