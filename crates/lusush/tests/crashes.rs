//! Sessions that crash one after the other: features go off step by step, told once, and come back.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use lle_core::recovery::CRASHES_MIN;
use lle_pty::{Home, Terminal};
use rustix::process::Signal;
use support::{lusush, press};

/// Starts `lusush` in the home, with these arguments.
fn start(home: &Home, arguments: &[&str]) -> Terminal {
    let spawn = home.spawn(lusush()).args(arguments);
    let mut terminal = Terminal::spawn(&spawn).unwrap();
    terminal
        .settle()
        .unwrap_or_else(|error| panic!("no prompt: {error}"));
    terminal
}

/// A session that dies before a command is typed in it.
fn crash(home: &Home) -> String {
    let mut terminal = start(home, &[]);
    let screen = terminal.text();
    terminal.signal(Signal::SEGV).unwrap();
    terminal.wait_exit(lle_pty::deadline()).unwrap();
    screen
}

/// The start-up files once were no trouble: what crashes is LLE.
fn lived(home: &Home) {
    let mut terminal = start(home, &[]);
    terminal.type_bytes(b"exit\r").unwrap();
    terminal.wait_exit(lle_pty::deadline()).unwrap();
}

/// Whether LLE is there, and whether it suggests.
fn state(terminal: &mut Terminal) -> String {
    press(
        terminal,
        "type lle >/dev/null 2>&1 && echo LLE-${LUSUSH_CONFIG_EDITOR_SUGGEST-on} || echo none\r",
        "$",
    );
    terminal.text()
}

#[test]
fn features_go_off_step_by_step_and_come_back() {
    let home = Home::new("").unwrap();
    lived(&home);
    let told = "sessions crashed again and again";
    for (level, expect) in [(1, "LLE-false"), (2, "LLE-false"), (3, "none")] {
        for n in 0..CRASHES_MIN {
            // It is told by the first that starts with less, and by no other.
            let screen = crash(&home);
            assert!(!screen.contains(told), "level {level}, {n}:\n{screen}");
        }
        let mut terminal = start(&home, &[]);
        let screen = terminal.text();
        assert!(screen.contains(told), "level {level}:\n{screen}");
        let screen = state(&mut terminal);
        assert!(
            screen.contains(&format!("\n{expect}\n")),
            "level {level}:\n{screen}"
        );
        // A command was typed: that one is no crash, whatever ends it.
        terminal.signal(Signal::KILL).unwrap();
        terminal.wait_exit(lle_pty::deadline()).unwrap();
        if level == 3 {
            break;
        }
        remove_flights(&home);
    }
    // Told once.
    let terminal = start(&home, &[]);
    assert!(!terminal.text().contains(told), "{}", terminal.text());
    drop(terminal);
    let mut back = start(&home, &["--retry"]);
    let screen = state(&mut back);
    assert!(screen.contains("\nLLE-on\n"), "{screen}");
    drop(back);
    let mut next = start(&home, &[]);
    let screen = state(&mut next);
    assert!(screen.contains("\nLLE-on\n"), "{screen}");
}

/// What the sessions of a level left: the next level is about those of its own.
fn remove_flights(home: &Home) {
    for entry in std::fs::read_dir(home.lusush().join("run/sessions"))
        .unwrap()
        .flatten()
    {
        std::fs::remove_file(entry.path()).unwrap();
    }
}

#[test]
fn a_session_that_lives_keeps_everything_on() {
    let home = Home::new("").unwrap();
    let mut lives = start(&home, &[]);
    for _ in 0..=CRASHES_MIN {
        let screen = crash(&home);
        assert!(!screen.contains("crashed again"), "{screen}");
    }
    let screen = state(&mut lives);
    assert!(screen.contains("\nLLE-on\n"), "{screen}");
}

#[test]
fn without_lle_files_are_read_that_are_known_to_work() {
    let home = Home::new("here=worked\n").unwrap();
    lived(&home);
    let rc = std::fs::read_to_string(home.rc()).unwrap();
    for _ in 0..3 {
        for _ in 0..CRASHES_MIN {
            crash(&home);
        }
        drop(start(&home, &["--safe"]));
        remove_flights(&home);
    }
    let here = |home: &Home| {
        let mut terminal = start(home, &[]);
        press(
            &mut terminal,
            "type lle >/dev/null 2>&1 || echo none-$here\r",
            "$",
        );
        terminal.text()
    };
    let screen = here(&home);
    assert!(screen.contains("\nnone-worked\n"), "{screen}");
    // Nobody knows whether the new ones end a shell: nothing is there to see it.
    std::fs::write(home.rc(), format!("{rc}here=new\n")).unwrap();
    let screen = here(&home);
    assert!(
        screen.contains("\nnone-worked\n") && screen.contains("when a shell last lived"),
        "{screen}"
    );
}

#[test]
fn without_lle_a_safe_shell_reads_no_start_up_file_either() {
    let home = Home::new("echo from-the-start-up-file\n").unwrap();
    lived(&home);
    for _ in 0..3 {
        for _ in 0..CRASHES_MIN {
            crash(&home);
        }
        // It decides, and starts with less.
        drop(start(&home, &["--safe"]));
        remove_flights(&home);
    }
    let mut safe = start(&home, &["--safe"]);
    let screen = state(&mut safe);
    assert!(screen.contains("\nnone\n"), "{screen}");
    assert!(!screen.contains("from-the-start-up-file"), "{screen}");
}

#[test]
fn a_line_of_a_shell_that_died_since_is_found_and_cleared_for_good() {
    let home = Home::new("").unwrap();
    let mut first = start(&home, &[]);
    let mut second = start(&home, &[]);
    press(&mut second, "echo precious line", "$ echo precious line");
    second.signal(Signal::KILL).unwrap();
    second.wait_exit(lle_pty::deadline()).unwrap();
    press(&mut first, "lle draft\r", "echo precious line\n$");
    press(&mut first, "lle draft clear; clear\r", "$");
    let third = start(&home, &[]);
    assert!(!third.text().contains("being typed"), "{}", third.text());
}

#[test]
fn where_lle_gives_up_before_the_first_prompt_the_history_file_is_named_all_the_same() {
    let home = Home::new("lle panic\n").unwrap();
    let mut terminal = start(&home, &[]);
    press(&mut terminal, "HISTFILE=$HOME/other; echo one\r", "\none\n$");
    press(&mut terminal, "echo two\r", "\ntwo\n$");
    let named = std::fs::read_to_string(support::log_of(&home).with_extension("lists")).unwrap();
    let other = home.path().join("other").display().to_string();
    assert!(named.lines().any(|line| line == other), "{named}");
}
