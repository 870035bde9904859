//! Ctrl-R through the whole history log: what is found, how it is taken, and that nothing of it stays behind.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use lle_log::history::History;
use lle_pty::{Home, Terminal, deadline};
use rustix::process::Signal;

#[path = "support/mod.rs"]
mod support;

use support::{load_lle, log_of, lusush, press};

const SECOND_NS: i64 = 1_000_000_000;

/// A command in the log: its text, its folder, how it ended.
type Logged<'a> = (&'a str, &'a str, i32);

const COMMANDS: &[Logged] = &[
    ("make alpha", "/elsewhere", 0),
    ("echo first beta", "/elsewhere", 0),
    ("false beta", "/elsewhere", 1),
    ("make beta", "/elsewhere", 2),
    ("echo second beta", "/elsewhere", 0),
];

/// A home whose log holds commands that bash's list does not.
fn home(rc: &str, commands: &[Logged]) -> Home {
    let home = Home::new(&format!("{}HISTSIZE=3\n{rc}", load_lle())).unwrap();
    let path = log_of(&home);
    let mut history = History::open(&path, 77, SECOND_NS, None).unwrap().history;
    for (n, (command, folder, status)) in (1..).zip(commands) {
        let at = 1_700_000_000 * SECOND_NS + n * SECOND_NS;
        let seq = history
            .started(at, folder.as_bytes(), command.as_bytes())
            .unwrap();
        history.finished(seq, at, *status, 1).unwrap();
    }
    // That session ended: nothing of it is put into bash's list.
    history.ended(1_700_001_000 * SECOND_NS).unwrap();
    home
}

fn start(home: &Home) -> Terminal {
    start_in(home, 24, 80)
}

fn start_in(home: &Home, rows: u16, cols: u16) -> Terminal {
    let mut terminal = Terminal::spawn(&home.spawn(Path::new("bash")).size(rows, cols)).unwrap();
    terminal.settle().unwrap();
    assert!(home.path().join("lle-loaded").exists(), "{}", terminal.text());
    terminal
}

/// Types keys and waits until the screen has the text: results come behind the echo.
fn find(terminal: &mut Terminal, keys: &str, expect: &str) {
    terminal.type_bytes(keys.as_bytes()).unwrap();
    terminal
        .wait_for_text(expect)
        .unwrap_or_else(|error| panic!("{keys:?}: {error}"));
    terminal.settle().unwrap();
}

/// The rows below the one that shows the search.
fn listed(terminal: &Terminal) -> Vec<String> {
    let rows = terminal.rows();
    let at = rows.iter().rposition(|row| row.contains("i-search)`")).unwrap();
    rows[at + 1..]
        .iter()
        .filter(|row| !row.is_empty())
        .cloned()
        .collect()
}

#[test]
fn what_bashs_list_has_lost_is_found_and_runs() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    find(&mut t, "\x12first", "(reverse-i-search)`first': echo first beta");
    press(&mut t, "\r", "\nfirst beta\n$");
    assert!(!t.text().contains("Alt:"), "{}", t.text());
    // What was found is a command like any other now.
    press(&mut t, "\x10", "$ echo first beta");
}

#[test]
fn typing_narrows_and_keys_step_through_the_list() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    find(&mut t, "\x12beta", "`beta': echo second beta");
    let rows = listed(&t);
    assert_eq!(rows.len(), 5, "{rows:?}");
    assert!(
        rows[1].starts_with("make beta") && rows[1].contains("failed 2 · /elsewhere · "),
        "{rows:?}"
    );
    assert!(rows[4].starts_with("Alt: h any folder"), "{rows:?}");
    find(&mut t, "\x12", "(reverse-i-search)`beta': make beta");
    find(&mut t, "\x12", "`beta': false beta");
    find(&mut t, "\x1b[B", "`beta': echo first beta");
    find(&mut t, "\x12", "(failed reverse-i-search)`beta': echo first beta");
    find(&mut t, "\x1b[A", "(reverse-i-search)`beta': false beta");
    // Without flow control Ctrl-S steps toward the newer ones.
    press(&mut t, "\x07stty -ixon\r", "$");
    find(&mut t, "\x12beta\x12\x12", "`beta': false beta");
    find(&mut t, "\x13", "(i-search)`beta': make beta");
    press(&mut t, "\x07", "$");
    // What still matches stays; what does not gives way to the next older one.
    find(&mut t, "\x12e\x12", "`e': make beta");
    find(&mut t, " b", "`e b': make beta");
    find(&mut t, "\x7f\x7f\x7fech", "`ech': echo second beta");
}

#[test]
fn giving_up_brings_the_line_and_its_cursor_back() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    press(&mut t, "keep this\x1bb", "$ keep this");
    let (screen, cursor) = (t.text(), t.cursor());
    find(&mut t, "\x12beta\x12", "`beta': make beta");
    press(&mut t, "\x07", "$ keep this");
    assert_eq!((t.text(), t.cursor()), (screen, cursor));
    press(&mut t, "X", "$ keep Xthis");
    // So does a text that nothing has.
    find(
        &mut t,
        "\x12no such thing",
        "(failed reverse-i-search)`no such thing': keep Xthis",
    );
    assert!(listed(&t)[0].starts_with("nothing found"), "{:?}", listed(&t));
    press(&mut t, "\x1b", "$ keep Xthis");
    press(&mut t, "Y", "$ keep XYthis");
}

#[test]
fn a_key_that_means_nothing_to_the_search_ends_it_and_does_what_it_does() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    for (keys, expect) in [
        ("\x1b", "$ make Xalpha"),
        ("\x0a", "$ make Xalpha"),
        ("\x01", "$ Xmake alpha"),
        ("\x05", "$ make alphaX"),
        ("\x1b[C", "$ make aXlpha"),
        ("\x1b[H", "$ Xmake alpha"),
        ("\x1bf", "$ make alphaX"),
        ("\x0b", "$ make X"),
    ] {
        find(&mut t, "\x12lpha", "`lpha': make alpha");
        // From the first letter of what was found: the one before it is where the text begins.
        find(&mut t, "\x7f\x7f\x7f\x7falpha", "`alpha': make alpha");
        t.press(keys).unwrap();
        press(&mut t, "X", expect);
        press(&mut t, "\x05\x15", "$");
        assert!(!t.text().contains("Alt:"), "{keys:?}:\n{}", t.text());
    }
}

#[test]
fn an_undo_brings_back_what_stood_in_the_line() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    press(&mut t, "before", "$ before");
    find(&mut t, "\x12alpha", "`alpha': make alpha");
    press(&mut t, "\x1b", "$ make alpha");
    press(&mut t, "\x1f", "$ before");
}

#[test]
fn bashs_own_list_is_searched_too_and_gone_to() {
    let home = home("HISTSIZE=100\n", COMMANDS);
    let mut t = start(&home);
    press(&mut t, "history -s 'echo never typed gamma'\r", "$");
    press(&mut t, "echo one\r", "\none\n");
    press(&mut t, "echo two\r", "\ntwo\n");
    find(&mut t, "\x12gamma", "`gamma': echo never typed gamma");
    // Its neighbours in the list are one key away, and Ctrl-O goes on behind it.
    press(&mut t, "\x1b\x0e", "$ echo one");
    press(&mut t, "\x05\x15", "$");
    find(&mut t, "\x12ho one", "`ho one': echo one");
    press(&mut t, "\x0f", "\none\n$ echo two");
}

#[test]
fn keys_typed_ahead_take_what_they_would_have_found() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    press(&mut t, "\x12first\r", "\nfirst beta\n");
    press(&mut t, "clear\r", "$");
    press(&mut t, "\x12echo\x12 se\x05 taken\r", "\nsecond beta taken\n");
    press(&mut t, "clear\r", "$");
    // A pasted text is searched for, its line end is not.
    find(
        &mut t,
        "\x12\x1b[200~second beta\n\x1b[201~",
        "`second beta': echo second beta taken",
    );
    press(&mut t, "\x07", "$");
}

#[test]
fn what_was_searched_for_last_is_a_key_away() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    find(&mut t, "\x12alpha", "`alpha': make alpha");
    press(&mut t, "\x1b\x15", "$");
    find(&mut t, "\x12\x12", "`alpha': make alpha");
    // Of what is shown a word, or all that is left, goes into the text.
    find(&mut t, "\x07\x12echo sec", "`echo sec': echo second");
    find(&mut t, "\x17", "`echo second': echo second");
    find(&mut t, "\x19", "`echo second beta': echo second");
    press(&mut t, "\x07", "$");
}

#[test]
fn only_of_this_folder_only_what_failed_only_today() {
    let home = home("mkdir -p ~/sub\n", COMMANDS);
    let mut t = start(&home);
    press(&mut t, "echo here beta\r", "\nhere beta\n");
    press(&mut t, "cd sub; false beta\r", "$");
    find(&mut t, "\x12beta", "`beta': cd sub; false beta");
    assert_eq!(listed(&t).len(), 7, "{:?}", listed(&t));
    find(&mut t, "\x1bh", "h this folder");
    assert!(listed(&t)[0].starts_with("nothing found"), "{:?}", listed(&t));
    find(&mut t, "\x1bh\x1bs", "s worked");
    let texts = |t: &Terminal| -> Vec<String> {
        let rows = listed(t).into_iter().filter(|row| !row.contains("Alt:"));
        rows.map(|row| row.split("  ").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        texts(&t),
        ["echo here beta", "echo second beta", "echo first beta"]
    );
    find(&mut t, "\x1bs", "s failed");
    assert_eq!(texts(&t), ["cd sub; false beta", "make beta", "false beta"]);
    find(&mut t, "\x1bw", "w today");
    assert_eq!(texts(&t), ["cd sub; false beta"]);
    find(&mut t, "\x1bw", "w 7 days");
    find(&mut t, "\x1bw\x1bs\x1bo", "o likeliest");
    assert_eq!(texts(&t).len(), 6, "{:?}", listed(&t));
    find(&mut t, "\x1be", "use ");
    let rows = listed(&t);
    let why = &rows[rows.len() - 2];
    assert!(
        why.contains(" ago ") && why.contains("folder ") && why.contains("worked "),
        "{rows:?}"
    );
    press(&mut t, "\x07", "$");
}

#[test]
fn the_log_of_another_machine_is_searched_when_asked() {
    let home = home("", COMMANDS);
    let other = log_of(&home).with_file_name("laptop.log");
    let mut history = History::open(&other, 5, SECOND_NS, None).unwrap().history;
    history
        .started(SECOND_NS, b"/far", b"echo on the laptop")
        .unwrap();
    drop(history);
    let mut t = start(&home);
    find(&mut t, "\x12laptop", "(failed reverse-i-search)`laptop':");
    find(&mut t, "\x1bm", "(reverse-i-search)`laptop': echo on the laptop");
    assert!(listed(&t).concat().contains("m laptop"), "{:?}", listed(&t));
    find(&mut t, "\x1bm", "m this machine");
    press(&mut t, "\x07", "$");
}

#[test]
fn control_c_ends_it_and_runs_nothing() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    find(&mut t, "\x12touch", "(failed reverse-i-search)`touch':");
    find(&mut t, "\x7f\x7f\x7f\x7f\x7fbeta", "`beta': echo second beta");
    t.type_bytes(b"\x03").unwrap();
    t.wait_for("the next prompt", |t| {
        t.text().ends_with("\n$") && !t.text().contains("Alt:")
    })
    .unwrap();
    t.settle().unwrap();
    // Readline writes its `^C` where the cursor is, into what was found.
    assert_eq!(t.text().matches("echo second").count(), 1, "{}", t.text());
    assert_eq!(t.text().lines().count(), 2, "{}", t.text());
    press(&mut t, "echo after\r", "\nafter\n");
}

#[test]
fn it_fits_every_window_and_follows_its_size() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    find(&mut t, "\x12beta\x12", "`beta': make beta");
    let at_first = t.text();
    for (rows, cols) in [(24, 40), (5, 40), (24, 80)] {
        t.resize(rows, cols).unwrap();
        t.wait_for("the list at the new width", |t| {
            let rows = t.rows();
            rows.iter().filter(|row| row.contains("i-search)`")).count() == 1
                && rows.iter().filter(|row| row.contains("Alt:")).count() == 1
        })
        .unwrap();
        t.settle().unwrap();
    }
    assert_eq!(t.text(), at_first);
    press(&mut t, "\x07", "$");
    assert_eq!(t.text(), "$");
    for (rows, cols) in [(2, 80), (3, 20), (5, 24), (10, 12)] {
        let mut t = start_in(&home, rows, cols);
        t.press("\x12beta\x12\x1b[B").unwrap();
        press(&mut t, "\x1b", "$ false beta");
        assert!(
            !t.text().contains("Alt:") && !t.text().contains("search"),
            "{}",
            t.text()
        );
        // Bash 5.1 runs what stands in the line of a terminal that is closed.
        press(&mut t, "\x05\x15", "$");
    }
}

#[test]
fn at_the_bottom_of_the_screen_nothing_is_left_behind() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    press(&mut t, "for i in {1..40}; do echo row $i; done\r", "row 40\n$");
    find(&mut t, "\x12beta", "`beta': echo second beta");
    assert_eq!(listed(&t).len(), 5, "{:?}", listed(&t));
    press(&mut t, "\x07", "row 40\n$");
    assert!(!t.text().contains("beta"), "{}", t.text());
}

#[test]
fn what_is_searched_for_is_never_the_draft() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    press(&mut t, "half a line", "$ half a line");
    find(
        &mut t,
        "\x12secret text",
        "(failed reverse-i-search)`secret text':",
    );
    t.signal(Signal::KILL).unwrap();
    t.wait_exit(deadline()).unwrap();
    let mut written = Vec::new();
    let mut folders = vec![home.lusush()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false if entry.file_type().unwrap().is_file() => {
                    written.extend(std::fs::read(entry.path()).unwrap());
                }
                false => {}
            }
        }
    }
    let holds = |text: &[u8]| written.windows(text.len()).any(|bytes| bytes == text);
    assert!(holds(b"half a line"), "the line is kept");
    assert!(!holds(b"secret text"), "what was searched for is not");
    let mut t = start(&home);
    press(&mut t, "lle draft; echo done\r", "\ndone\n");
    assert!(!t.text().contains("secret"), "{}", t.text());
}

#[test]
fn what_was_taken_out_is_not_shown() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    find(&mut t, "\x12beta", "`beta': echo second beta");
    press(&mut t, "\x07", "$");
    let mut scrub = std::process::Command::new(lusush());
    scrub
        .args(["maint", "history", "scrub", "second beta"])
        .env_clear();
    for (name, value) in home.spawn("x").env {
        scrub.env(name, value);
    }
    let output = scrub.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    find(&mut t, "\x12beta", "`beta': make beta");
    assert!(!t.text().contains("second"), "{}", t.text());
    press(&mut t, "\x07", "$");
}

#[test]
fn keys_that_somebody_bound_stay_theirs() {
    let home = home(
        "bind -x '\"\\C-r\": echo mine'\nbind '\"\\C-xr\": lle-search-history'\n",
        COMMANDS,
    );
    let mut t = start(&home);
    press(&mut t, "\x12", "mine");
    find(&mut t, "\x18ralpha", "`alpha': make alpha");
    press(&mut t, "\x07", "$");
    press(
        &mut t,
        "clear; bind -q lle-search-history\r",
        "lle-search-history can be invoked via",
    );
}

#[test]
fn readlines_own_search_is_a_word_away() {
    let home = home("", COMMANDS);
    let mut t = start(&home);
    press(&mut t, "lle set search off\r", "$");
    press(&mut t, "\x12alpha", "(failed reverse-i-search)`alpha':");
    assert!(!t.text().contains("Alt:"), "{}", t.text());
    // It knows its own keys.
    press(
        &mut t,
        "\x7f\x7f\x7f\x7f\x7flle",
        "(reverse-i-search)`lle': lle set search off",
    );
    press(
        &mut t,
        "\x12",
        "(failed reverse-i-search)`lle': lle set search off",
    );
    t.type_bytes(b"\x03").unwrap();
    t.settle().unwrap();
    press(&mut t, "lle set search on\r", "$");
    find(&mut t, "\x12alpha", "(reverse-i-search)`alpha': make alpha");
    press(&mut t, "\x07read -e x\r", "read -e x");
    press(&mut t, "\x12alpha", "(failed reverse-i-search)`alpha':");
    assert!(
        !t.text().contains("Alt:"),
        "an answer is no command:\n{}",
        t.text()
    );
}

#[test]
fn vi_mode_searches_from_either_of_its_modes() {
    let home = home("set -o vi\n", COMMANDS);
    let mut t = start(&home);
    find(&mut t, "\x12alpha", "`alpha': make alpha");
    press(&mut t, "\x07x", "$ x");
    press(&mut t, "\x1b", "$ x");
    // Letters are searched for, and Backspace takes them back, though both are commands here.
    find(&mut t, "\x12betad", "(failed reverse-i-search)`betad':");
    find(&mut t, "\x7f", "(reverse-i-search)`beta': echo second beta");
    find(&mut t, "\x1bh", "h this folder");
    find(&mut t, "\x1bh", "h any folder");
    find(&mut t, "\x1b[B", "`beta': make beta");
    press(&mut t, "\r", "make: ");
}

#[test]
fn tens_of_thousands_of_commands_and_a_text_that_none_has() {
    let many: Vec<String> = (0..25_000)
        .map(|n| format!("command number {n} of many"))
        .collect();
    let commands: Vec<Logged> = many.iter().map(|text| (text.as_str(), "/x", 0)).collect();
    let home = home("", &commands);
    let mut t = start(&home);
    find(
        &mut t,
        "\x12number 7 of",
        "`number 7 of': command number 7 of many",
    );
    find(
        &mut t,
        "\x07\x12number 77777",
        "(failed reverse-i-search)`number 77777':",
    );
    find(
        &mut t,
        "\x7f\x7f",
        "(reverse-i-search)`number 777': command number 7779 of many",
    );
    // Far down the list.
    for _ in 0..20 {
        t.press("\x1b[B").unwrap();
    }
    assert_eq!(listed(&t).len(), 4, "{:?}", listed(&t));
    find(&mut t, "\x07\x12many", "command number 24999 of many");
    for _ in 0..20 {
        t.press("\x1b[B").unwrap();
    }
    assert!(
        t.text().contains("`many': command number 24979 of many"),
        "{}",
        t.text()
    );
    press(&mut t, "\x07", "$");
}

#[test]
fn no_control_character_gets_out_of_a_command() {
    let commands: &[Logged] = &[
        ("echo 'a\x1b[31mred\x07' zeta", "/tmp/\x1b]0;title", 1),
        ("for i in 1\ndo echo zeta\ndone", "/x", 0),
    ];
    let home = home("", commands);
    let mut t = start(&home);
    find(&mut t, "\x12zeta", "do echo zeta");
    let rows = listed(&t).join("\n");
    assert!(rows.contains("for i in 1↵do echo zeta↵done"), "{rows}");
    assert!(rows.contains("echo 'a^[[31mred^G' zeta"), "{rows}");
    find(&mut t, "\x12", "`zeta': echo 'a^[[31mred^G' zeta");
    // What is searched for may hold them, too.
    find(&mut t, "\x07\x12\x16\x1b[31m", "`^[[31m': echo 'a^[");
    press(&mut t, "\x07", "$");
}

#[test]
fn a_panic_hands_back_to_readline_with_the_line_kept() {
    // The keys of a macro are not waited for: the first wait is in the search, and fails.
    let keys = "bind -x '\"\\C-x1\": lle panic'\nbind '\"\\C-x2\": \"\\C-x1\\C-rbeta\"'\n";
    let home = home(keys, COMMANDS);
    let mut t = start(&home);
    press(&mut t, "kept", "$ kept");
    find(&mut t, "\x182", "an error in LLE");
    press(&mut t, "X", "$ keptX");
    assert!(t.text().contains("`lle on` revives LLE"), "{}", t.text());
}

#[test]
fn a_signal_leaves_the_search_as_it_is() {
    let home = home("trap : USR1\n", COMMANDS);
    let mut t = start(&home);
    find(&mut t, "\x12beta", "`beta': echo second beta");
    t.signal(Signal::USR1).unwrap();
    find(&mut t, "\x12", "`beta': make beta");
    t.signal(Signal::TERM).unwrap();
    find(&mut t, "\x12", "`beta': false beta");
    press(&mut t, "\x07echo on\r", "\non\n$");
}

#[test]
fn terminators_macros_and_arguments_are_readlines() {
    let home = home("", COMMANDS);
    let inputrc =
        "set bell-style none\nset isearch-terminators \"\\C-x\"\n\"\\C-xm\": \"\\C-rmake a\\C-a# \"\n";
    std::fs::write(home.path().join(".inputrc"), inputrc).unwrap();
    let mut t = start(&home);
    press(&mut t, "\x18m", "$ # make alpha");
    press(&mut t, "\x15\x0b", "$");
    find(&mut t, "\x12make a", "`make a': make alpha");
    press(&mut t, "\x18!", "$ !make alpha");
    // A negative argument searches forward, in bash's list.
    press(&mut t, "\x15\x0b\x1b-\x12", "(i-search)`':");
    press(&mut t, "\x07", "$");
}
