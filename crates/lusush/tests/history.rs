//! What is kept of what one types, by whom it is seen, and what is kept from everybody.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use lle_log::history::History;
use lle_pty::{Home, Terminal, deadline};

#[path = "support/mod.rs"]
mod support;

use support::{load_lle, press};

fn home(rc: &str) -> Home {
    let home =
        Home::new(&format!("{}HISTFILE=~/.bash_history\n{rc}", load_lle())).expect("a home can be made");
    std::fs::write(home.history(), "echo from the file\n").expect("a file in our home can be written");
    home
}

fn start(home: &Home) -> Terminal {
    let mut terminal = Terminal::spawn(&home.spawn("bash")).expect("bash starts");
    terminal
        .settle()
        .unwrap_or_else(|error| panic!("no prompt: {error}"));
    terminal
}

/// Runs a line and waits for the next prompt.
fn run(terminal: &mut Terminal, line: &str) {
    terminal
        .press(format!("{line}\r"))
        .unwrap_or_else(|error| panic!("{line}: {error}"));
}

fn logged(home: &Home) -> Vec<String> {
    let log = support::log_of(home);
    let opened = History::open(&log, 1, 0, None).unwrap();
    opened
        .history
        .commands()
        .map(|c| String::from_utf8_lossy(&c.command).into_owned())
        .collect()
}

fn file(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn sessions_see_each_other_s_commands_and_keep_their_own_last() {
    let home = home("");
    let (mut a, mut b) = (start(&home), start(&home));
    run(&mut b, "echo own");
    run(&mut a, "echo from-a");
    run(&mut b, "");
    press(&mut b, "echo f", "echo from-a"); // Suggested.
    press(&mut b, "\x15\x10", "$ echo own"); // The first key up is one's own …
    press(&mut b, "\x10", "$ echo from-a"); // … the next another's.
    press(&mut b, "\x15", "$");
    run(&mut b, "clear");
    press(&mut b, "!-2\r", "echo own\nown");
    // What bash appends to its file at exit is what this session ran, and nothing else.
    b.type_bytes(b"exit\r").unwrap();
    b.wait_exit(deadline()).unwrap();
    assert_eq!(
        file(&home.history()),
        "echo from the file\necho own\nclear\necho own\nexit\n"
    );
}

#[test]
fn sessions_that_take_turns_see_each_other_s_commands() {
    let home = home("");
    let (mut a, mut b) = (start(&home), start(&home));
    for turn in 1..=3 {
        run(&mut a, &format!("echo a{turn}"));
        run(&mut b, &format!("echo b{turn}"));
    }
    // Each ran something after the other: an append of one's own must not hide what came before it.
    press(&mut b, "clear\rhistory\r", "echo a3");
    for turn in 1..=3 {
        assert!(b.text().contains(&format!("echo a{turn}")), "{}", b.text());
    }
    press(&mut a, "clear\rhistory\r", "echo b3");
    assert!(a.text().contains("echo b1"), "{}", a.text());
}

#[test]
fn what_a_killed_session_ran_is_there_in_the_next_one() {
    let home = home("");
    let mut killed = start(&home);
    run(&mut killed, "echo before the kill");
    killed.signal(rustix::process::Signal::KILL).unwrap();
    killed.wait_exit(deadline()).unwrap();
    assert_eq!(file(&home.history()), "echo from the file\n");
    let mut next = start(&home);
    press(&mut next, "\x10", "$ echo before the kill");
    press(&mut next, "\x10", "$ echo from the file");
}

#[test]
fn the_file_is_imported_once() {
    let home = home("");
    let mut first = start(&home);
    run(&mut first, "true");
    let mut second = start(&home);
    run(&mut second, "");
    assert_eq!(logged(&home), ["echo from the file", "true"]);
    assert!(first.text().contains("imported") && !second.text().contains("imported"));
}

#[test]
fn what_bash_would_not_keep_is_not_logged() {
    let home = home("HISTCONTROL=ignoredups HISTIGNORE='ls*:&'\n");
    let mut t = start(&home);
    for line in [
        "echo a",
        "echo a",
        " echo blank",
        "lsof",
        "echo b",
        "set +o history",
        "echo off",
        "set -o history",
    ] {
        run(&mut t, line);
    }
    assert_eq!(
        logged(&home),
        ["echo from the file", "echo a", "echo b", "set +o history"]
    );
}

#[test]
fn who_has_bash_keep_nothing_is_kept_nothing_of() {
    for nothing in [
        "unset HISTFILE",
        "HISTFILE=/dev/null",
        "HISTSIZE=0",
        "HISTFILESIZE=0",
    ] {
        let home = home("");
        let mut t = start(&home);
        run(&mut t, "echo before");
        run(&mut t, &format!(" {nothing}"));
        run(&mut t, "echo after");
        t.type_bytes(b"echo half").unwrap();
        t.wait_for("the line", |screen| screen.text().contains("echo half"))
            .unwrap();
        t.signal(rustix::process::Signal::HUP).unwrap();
        t.wait_exit(deadline()).unwrap();
        let logged = logged(&home);
        assert_eq!(
            logged.last().map(String::as_str),
            Some("echo before"),
            "{nothing}: {logged:?}"
        );
        assert!(!home.lusush().join("state/drafts").exists(), "{nothing}");
    }
}

#[test]
fn that_what_is_taken_out_of_the_list_stays_in_the_log_is_told() {
    let home = home("");
    let mut t = start(&home);
    run(&mut t, "echo secret");
    press(&mut t, "history -d -2\r", "maint history scrub TEXT");
    assert!(logged(&home).contains(&"echo secret".to_owned()));
}

#[test]
fn what_ran_is_logged_and_not_what_referred_to_it() {
    let home = home("");
    let mut t = start(&home);
    for line in [
        "echo one",
        "!!",
        "!ec:s/one/two/",
        "!nothing-like-this",
        "echo 'it!s' \"$?!\"",
        "^it^at^",
    ] {
        run(&mut t, line);
    }
    assert_eq!(
        logged(&home)[1..],
        [
            "echo one",
            "echo one",
            "echo two",
            "echo 'it!s' \"$?!\"",
            "echo 'at!s' \"$?!\""
        ]
    );
}

#[test]
fn a_command_of_several_rows_is_one_entry() {
    let home = home("");
    let mut t = start(&home);
    run(&mut t, "for i in 1 2; do\recho $i\rdone");
    run(&mut t, "lle set multiline off");
    run(&mut t, "if true; then\recho yes\rfi"); // By bash's own second prompt.
    let log = logged(&home);
    assert_eq!(log[1], "for i in 1 2; do\necho $i\ndone");
    assert_eq!(log[3], "if true; then\necho yes\nfi");
}

#[test]
fn the_end_of_a_command_is_logged() {
    let home = home("");
    let mut t = start(&home);
    run(&mut t, "(exit 3)");
    run(&mut t, "if fi");
    let log = support::log_of(&home);
    let opened = History::open(&log, 1, 0, None).unwrap();
    let ends: Vec<_> = opened
        .history
        .commands()
        .skip(1)
        .map(|c| (c.status, c.duration_ns.is_some()))
        .collect();
    assert_eq!(ends, [(Some(3), true), (Some(2), true)]);
}

#[test]
fn a_line_being_typed_survives_its_terminal() {
    let home = home("");
    for (line, kept) in [(" echo a blank before it", false), ("echo half a li", true)] {
        let mut t = start(&home);
        press(&mut t, line, line.trim());
        t.hang_up();
        t.wait_exit(deadline()).unwrap();
        let drafts = std::fs::read_dir(home.lusush().join("state/drafts")).map_or(vec![], |dir| {
            dir.flatten()
                .filter_map(|e| std::fs::read_to_string(e.path()).ok())
                .collect()
        });
        assert_eq!(drafts.iter().any(|d| d == line), kept, "{line:?} in {drafts:?}");
    }
    let mut next = start(&home);
    assert!(next.text().contains("was being typed"), "{}", next.text());
    run(&mut next, "lle draft");
    // Its flight file has it, too.
    assert_eq!(
        next.text().matches("\necho half a li").count(),
        1,
        "{}",
        next.text()
    );
    run(&mut next, "lle draft clear; clear");
    run(&mut next, "lle draft");
    assert!(next.text().contains("no unfinished lines"), "{}", next.text());
}

#[test]
fn a_line_being_typed_survives_its_shell() {
    let home = home("");
    let killed = |before: &str, line: &str| {
        let mut t = start(&home);
        run(&mut t, before);
        press(&mut t, line, line.trim());
        t.signal(rustix::process::Signal::KILL).unwrap();
        t.wait_exit(deadline()).unwrap();
    };
    killed("lle private on", "echo nobody's");
    killed("true", " echo hidden");
    // What was accepted is typed no more, whichever prompt its last line was read at.
    let mut t = start(&home);
    run(&mut t, "lle set multiline off");
    t.type_bytes(b"if true; then\rkill -9 $$\rfi\r").unwrap();
    t.wait_exit(deadline()).unwrap();
    let next = start(&home);
    assert!(!next.text().contains("being typed"), "{}", next.text());
    killed("true", "second half");
    let mut live = start(&home);
    assert!(live.text().contains("was being typed"), "{}", live.text());
    press(&mut live, "echo still typed", "echo still typed");
    let mut next = start(&home);
    assert!(
        !next.text().contains("being typed"),
        "told once:\n{}",
        next.text()
    );
    run(&mut next, "clear; lle draft");
    assert_eq!(next.text().matches("second half").count(), 1, "{}", next.text());
    for not in ["nobody's", "hidden", "fi\n", "still typed"] {
        assert!(!next.text().contains(not), "{not:?} in {}", next.text());
    }
    // Cleared is cleared: the flight file still has it.
    run(&mut next, "lle draft clear; clear");
    let mut last = start(&home);
    assert!(!last.text().contains("being typed"), "{}", last.text());
    run(&mut last, "lle draft");
    assert!(last.text().contains("no unfinished lines"), "{}", last.text());
}

#[test]
fn a_limit_of_file_size_ends_no_shell() {
    let home = home("");
    let mut t = start(&home);
    run(&mut t, "ulimit -f 0");
    run(&mut t, "echo still $((6*7))");
    run(&mut t, "echo here $((7*6))");
    let text = t.text();
    assert!(
        text.contains("\nstill 42\n") && text.contains("\nhere 42\n"),
        "{text}"
    );
    assert_eq!(text.matches("memory only").count(), 1, "said once:\n{text}");
}

#[test]
fn a_state_folder_that_was_removed_is_made_again_and_that_is_told_once() {
    let home = home("");
    let mut t = start(&home);
    run(&mut t, "echo before");
    std::fs::remove_dir_all(home.lusush().join("state")).unwrap();
    for n in 0..3 {
        run(&mut t, &format!("echo since-{n}"));
    }
    assert_eq!(logged(&home), ["echo since-0", "echo since-1", "echo since-2"]);
    let text = t.text();
    assert_eq!(text.matches("removed the history log").count(), 1, "{text}");
    assert!(text.contains("no mirror has more"), "{text}");
    // And if it cannot be: said once, and the shell goes on.
    std::fs::remove_dir_all(home.lusush().join("state")).unwrap();
    std::os::unix::fs::symlink("nowhere/at/all", home.lusush().join("state")).unwrap();
    for n in 3..6 {
        run(&mut t, &format!("echo since-{n}"));
    }
    let text = t.text();
    assert_eq!(text.matches("took away the history log").count(), 1, "{text}");
    assert_eq!(text.matches("memory only").count(), 1, "{text}");
    assert!(text.contains("\nsince-5\n"), "{text}");
}

#[test]
fn history_is_kept_whoever_paints() {
    let home = home("");
    let mut t = start(&home);
    for line in [
        "lle off",
        "echo off",
        "lle on",
        "lle panic",
        "echo after",
        "echo more",
    ] {
        run(&mut t, line);
    }
    assert!(t.text().contains("an error in LLE"), "{}", t.text());
    assert_eq!(
        logged(&home)[1..],
        [
            "lle off",
            "echo off",
            "lle on",
            "lle panic",
            "echo after",
            "echo more"
        ]
    );
}

#[test]
fn an_exclamation_mark_in_a_quote_of_several_rows_is_none_to_expand() {
    let home = home("");
    let mut t = start(&home);
    run(&mut t, "echo 'a\rx !zzz b'");
    assert_eq!(logged(&home)[1..], ["echo 'a\nx !zzz b'"]);
}

#[test]
fn what_an_editor_made_of_a_command_is_logged() {
    let home = home(
        "e() { echo 'echo edited' >\"$1\"; }; export -f e; export EDITOR='bash -c '\\''e \"$1\"'\\'' _'\n",
    );
    let mut t = start(&home);
    t.press("echo typed\x18\x05").unwrap();
    t.wait_for_text("\nedited\n").unwrap();
    t.settle().unwrap();
    assert_eq!(logged(&home)[1..], ["echo edited"]);
}

#[test]
fn a_repeated_command_is_a_duplicate_also_by_reference() {
    let home = home("HISTCONTROL=ignoredups\n");
    let mut t = start(&home);
    for line in ["echo one", "!!", "!!"] {
        run(&mut t, line);
    }
    assert_eq!(logged(&home)[1..], ["echo one"]);
}

#[test]
fn without_prompts_a_command_of_several_rows_is_still_one() {
    let home = home("unset PS1 PS2; lle set multiline off\n");
    let mut t = Terminal::spawn(&home.spawn("bash")).unwrap();
    t.settle().unwrap();
    run(&mut t, "for i in 1 2; do\recho $i\rdone");
    assert_eq!(logged(&home)[1..], ["for i in 1 2; do\necho $i\ndone"]);
}

#[test]
fn an_answer_to_read_is_nobody_s_business() {
    let home = home("");
    let mut t = start(&home);
    press(
        &mut t,
        "read -e -p 'Token: ' x\rs3cret-t0ken",
        "Token: s3cret-t0ken",
    );
    for entry in std::fs::read_dir(home.lusush().join("run/sessions"))
        .unwrap()
        .flatten()
        // The wake socket holds nothing.
        .filter(|entry| entry.file_type().unwrap().is_file())
    {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(12).any(|w| w == b"s3cret-t0ken"));
    }
}

#[test]
fn a_suggestion_of_several_rows_scrolls_nothing() {
    let home = home("");
    let mut first = start(&home);
    run(&mut first, "f() {\rls 1\rls 2\rls 3\rls 4\r}");
    let mut t = Terminal::spawn(&home.spawn("bash").size(4, 30)).unwrap();
    t.settle().unwrap();
    press(&mut t, "echo above\r", "above\n$");
    press(&mut t, "f", "above\n$ f() {…");
    press(&mut t, "\x05", "\n}");
}

#[test]
fn a_session_that_ended_leaves_the_next_one_bash_s_own_list() {
    let home = home("");
    let mut t = start(&home);
    for line in [
        "echo kept",
        "for i in 1 2; do\recho $i\rdone",
        "echo not to be kept",
        "history -d -2",
    ] {
        run(&mut t, line);
    }
    t.type_bytes(b"exit\r").unwrap();
    t.wait_exit(deadline()).unwrap();
    let mut next = start(&home);
    press(&mut next, "history\r", "for i in 1 2; do echo $i; done");
    let text = next.text();
    assert_eq!(text.matches("for i in").count(), 1, "{text}");
    assert!(!text.contains("echo not to be kept"), "{text}");
}

#[test]
fn a_redirection_of_any_descriptor_leaves_log_and_file_alone() {
    let home = home("");
    let mut t = start(&home);
    // Every descriptor but the first three is the script's now.
    run(
        &mut t,
        "for f in /proc/$$/fd/*; do f=${f##*/}; ((f > 2 && f != 255)) && eval \"exec $f>~/precious\"; done",
    );
    run(&mut t, "exec 3>~/three; echo mine >&3");
    run(&mut t, "echo after");
    run(&mut t, "echo more >&3");
    assert_eq!(file(&home.path().join("three")), "mine\nmore\n");
    assert_eq!(file(&home.path().join("precious")), "");
    let found = logged(&home);
    assert!(
        found.contains(&"echo after".into()) && found.contains(&"echo more >&3".into()),
        "{found:?}"
    );
}

#[test]
fn a_damaged_log_is_read_around_and_left_as_it_is() {
    let home = home("");
    let mut first = start(&home);
    for line in ["echo first", "echo second", "echo third"] {
        run(&mut first, line);
    }
    drop(first);
    let log = support::log_of(&home);
    let mut bytes = std::fs::read(&log).unwrap();
    let at = bytes.windows(6).position(|w| w == b"second").unwrap();
    bytes[at] ^= 1;
    bytes.extend_from_slice(b"a torn tail");
    std::fs::write(&log, &bytes).unwrap();
    let mut next = start(&home);
    run(&mut next, "echo fourth");
    press(&mut next, "echo fi", "echo first");
    let found = logged(&home);
    assert!(
        found.contains(&"echo third".into()) && found.contains(&"echo fourth".into()),
        "{found:?}"
    );
    assert!(
        std::fs::read(&log).unwrap().starts_with(&bytes),
        "what was there stays"
    );
}
