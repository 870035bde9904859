//! Sessions whose history log could not be opened at their first prompt: it is said once, what is typed waits, and all of it is
//! in the log, once and in order, as soon as there can be one.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use lle_log::history::{Command, History};
use lle_pty::{Home, Terminal};
use support::household::wait;
use support::small::Small;
use support::{load_lle, log_of, shared_object};

/// Said above the first prompt.
const SAID: &str = "memory only, commands wait in this shell for the history log: cannot create";

/// Between two prompts that are only waited at.
const PROMPT_EVERY: Duration = Duration::from_millis(100);

fn logged(home: &Home) -> Vec<Command> {
    match History::read(&log_of(home)) {
        Ok(log) => log.commands().collect(),
        Err(_) => Vec::new(),
    }
}

fn texts(home: &Home) -> Vec<String> {
    let text = |command: Command| String::from_utf8(command.command).unwrap();
    logged(home).into_iter().map(text).collect()
}

fn run(terminal: &mut Terminal, line: &str) {
    terminal
        .press(format!("{line}\r"))
        .unwrap_or_else(|error| panic!("{line}: {error}\n{}", terminal.text()));
}

/// What is on the screen, whatever rows and columns it stands in.
fn screen(terminal: &Terminal) -> String {
    let text = terminal.text();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Presses Enter at prompts until the log has that.
fn prompts_until_logged(home: &Home, terminal: &mut Terminal, text: &str) {
    wait("what waited to be in the log", || {
        // So that what was said stays on the screen.
        std::thread::sleep(PROMPT_EVERY);
        run(terminal, "");
        texts(home).iter().any(|logged| logged == text)
    });
}

fn end(terminal: &mut Terminal) {
    terminal.type_bytes(b"exit\r").unwrap();
    let status = terminal.wait_exit(lle_pty::deadline()).unwrap();
    assert!(status.success(), "{status}\n{}", terminal.text());
}

/// Nothing is left beside the log, and nothing in it is torn.
fn check_whole(home: &Home) {
    let log = log_of(home);
    let names = fs::read_dir(log.parent().unwrap()).unwrap().flatten();
    let drafts: Vec<_> = names
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".new"))
        .collect();
    assert!(drafts.is_empty(), "{drafts:?}");
    let report = History::read(&log).unwrap().check();
    assert_eq!(
        (report.damaged_runs, report.torn_tail_bytes),
        (0, 0),
        "{report:?}"
    );
}

/// A home with a history of bash's own.
fn home(rc: &str) -> Home {
    let maint = format!("enable -f '{}' maint\n", shared_object().display());
    let home = Home::new(&format!("{}{maint}{rc}", load_lle())).unwrap();
    fs::write(home.history(), "echo old\necho older\n").unwrap();
    home
}

fn state(home: &Home) -> PathBuf {
    home.lusush().join("state")
}

/// A session, on so wide a screen that no message is broken.
fn session(home: &Home) -> Terminal {
    let mut terminal = Terminal::spawn(&home.spawn("bash").size(60, 250)).unwrap();
    terminal
        .settle()
        .unwrap_or_else(|error| panic!("no prompt: {error}"));
    assert!(home.path().join("lle-loaded").exists(), "{}", terminal.text());
    terminal
}

/// Types in two sessions that have no log, gives room, and looks.
fn check_comes_late(home: &Home, reason: &str, make_room: impl FnOnce()) {
    let mut first = session(home);
    let mut second = session(home);
    for terminal in [&first, &second] {
        let said = screen(terminal);
        assert_eq!(said.matches(SAID).count(), 1, "{said}");
        assert!(said.contains(reason), "{said}");
    }
    run(&mut first, "echo a-0");
    run(&mut first, "cd /; false");
    run(&mut second, "echo b-0");
    run(&mut first, "if true");
    run(&mut first, "then echo a-1; fi");
    run(&mut first, " echo nobodys");
    run(&mut first, "lle private");
    run(&mut first, "echo hidden");
    run(&mut first, "lle private off");
    run(&mut first, "HISTIGNORE='*ignored*'");
    run(&mut first, "echo ignored");
    run(&mut second, "echo b-1");
    assert_eq!(texts(home), Vec::<String>::new());
    let told = screen(&first);
    assert_eq!(told.matches("memory only").count(), 1, "{told}");

    make_room();
    prompts_until_logged(home, &mut first, "echo a-0");
    prompts_until_logged(home, &mut second, "echo b-1");
    run(&mut first, "echo a-2");
    run(&mut second, "echo b-2");
    let log = texts(home);
    assert_eq!(log[..2], ["echo old", "echo older"], "{log:?}");
    let of = |letter: &str| -> Vec<&String> {
        log.iter()
            .filter(|text| text.contains(&format!("echo {letter}-")))
            .collect()
    };
    let multi_line = "if true\nthen echo a-1; fi";
    assert_eq!(of("a"), ["echo a-0", multi_line, "echo a-2"], "{log:?}");
    assert_eq!(of("b"), ["echo b-0", "echo b-1", "echo b-2"], "{log:?}");
    for never in ["nobodys", "hidden", "echo ignored"] {
        assert!(!log.iter().any(|text| text.contains(never)), "{log:?}");
    }
    let commands = logged(home);
    let failed = commands.iter().find(|c| c.command == b"cd /; false").unwrap();
    assert_eq!(failed.status, Some(1));
    assert_eq!(failed.cwd, home.path().as_os_str().as_encoded_bytes());
    assert!(failed.duration_ns.is_some() && failed.time_ns > 0);
    let later = commands.iter().find(|c| c.command == b"echo a-2").unwrap();
    assert_eq!((later.session, &later.cwd[..]), (failed.session, &b"/"[..]));

    run(&mut first, "");
    let told = screen(&first);
    let over = told.matches("the history log can be opened now: the ").count();
    assert_eq!((told.matches(SAID).count(), over), (1, 1), "{told}");
    assert_eq!(told.matches("2 commands imported").count(), 1, "{told}");
    // It is as if it had been there from the start: what the other session types is shared.
    run(&mut second, "echo shared");
    run(&mut first, "");
    run(&mut first, "clear; history 20");
    assert!(first.text().contains("echo shared"), "{}", first.text());
    end(&mut first);
    end(&mut second);
    check_whole(home);
}

#[test]
fn a_log_that_a_full_disk_kept_from_being_made() {
    let home = home("");
    let Some(small) = Small::mount(&state(&home)) else {
        return;
    };
    small.fill();
    check_comes_late(&home, "No space left on device", || small.make_room());
}

#[test]
fn a_log_on_a_disk_that_cannot_be_written_to() {
    let home = home("");
    let Some(small) = Small::mount(&state(&home)) else {
        return;
    };
    assert!(small.remount("remount,ro"));
    check_comes_late(&home, "Read-only file system", || {
        assert!(small.remount("remount,rw"));
    });
}

#[test]
fn a_log_whose_folder_cannot_be_made() {
    let home = home("");
    symlink("nowhere/at/all", state(&home)).unwrap();
    check_comes_late(&home, "cannot create the folder", || {
        fs::remove_file(state(&home)).unwrap();
    });
}

#[test]
fn what_bash_appends_meanwhile_is_in_the_log_once() {
    let home = home("PROMPT_COMMAND='history -a'\n");
    symlink("nowhere/at/all", state(&home)).unwrap();
    let mut terminal = session(&home);
    for line in ["echo one", "echo old", "for i in 1; do", "echo $i; done"] {
        run(&mut terminal, line);
    }
    let own = fs::read_to_string(home.history()).unwrap();
    assert!(own.contains("echo one\n"), "{own}");
    fs::remove_file(state(&home)).unwrap();
    prompts_until_logged(&home, &mut terminal, "echo one");
    let loop_of_rows = "for i in 1; do\necho $i; done";
    assert_eq!(
        texts(&home),
        ["echo old", "echo older", "echo one", "echo old", loop_of_rows]
    );
    end(&mut terminal);
    check_whole(&home);
}

#[test]
fn a_shell_that_ends_writes_what_waits_if_there_is_room_by_then() {
    let typed = ["echo one", "echo two"];
    for hangs_up in [false, true] {
        let home = home("");
        symlink("nowhere/at/all", state(&home)).unwrap();
        let mut terminal = session(&home);
        for line in typed {
            run(&mut terminal, line);
        }
        fs::remove_file(state(&home)).unwrap();
        if hangs_up {
            terminal.hang_up();
            terminal.wait_exit(lle_pty::deadline()).unwrap();
        } else {
            end(&mut terminal);
        }
        let mut log = texts(&home);
        // That was typed when there was room, and perhaps shown after the next attempt.
        log.retain(|text| text != "exit");
        assert_eq!(
            log,
            ["echo old", "echo older", "echo one", "echo two"],
            "{hangs_up}"
        );
        check_whole(&home);
    }
}

#[test]
fn a_shell_that_ends_before_there_is_room_leaves_nothing_half_done() {
    let home = home("");
    let Some(small) = Small::mount(&state(&home)) else {
        return;
    };
    small.fill();
    let mut terminal = session(&home);
    run(&mut terminal, "echo one");
    run(&mut terminal, "echo $((6 * 7))");
    let said = screen(&terminal);
    assert!(said.contains("42"), "{said}");
    assert_eq!(said.matches(SAID).count(), 1, "{said}");
    end(&mut terminal);
    assert!(!log_of(&home).exists());
    // Bash has them in its own file, and whoever makes the log imports that.
    small.make_room();
    let mut next = session(&home);
    assert!(!next.text().contains("memory only"), "{}", next.text());
    run(&mut next, "echo three");
    assert_eq!(
        texts(&home),
        [
            "echo old",
            "echo older",
            "echo one",
            "echo $((6 * 7))",
            "exit",
            "echo three"
        ]
    );
    check_whole(&home);
}

#[test]
fn more_than_there_is_memory_for_is_said_once() {
    let home = home("");
    symlink("nowhere/at/all", state(&home)).unwrap();
    let mut terminal = session(&home);
    // Twenty-two of these are more than may wait; no one fills the screen.
    let long = "x".repeat(12_000);
    let mut said = 0;
    for n in 0..30 {
        run(&mut terminal, &format!(": {n} {long}; clear"));
        said += screen(&terminal).matches("than there is memory for").count();
    }
    assert_eq!(said, 1, "{}", terminal.text());
    fs::remove_file(state(&home)).unwrap();
    wait("the log", || {
        run(&mut terminal, "");
        log_of(&home).exists()
    });
    run(&mut terminal, "echo last");
    let log = texts(&home);
    assert!(log.iter().any(|text| text.starts_with(": 0 ")));
    assert!(!log.iter().any(|text| text.starts_with(": 29 ")));
    assert_eq!(log.last().map(String::as_str), Some("echo last"));
}

#[test]
fn maint_status_tells_of_the_session_it_is_typed_in() {
    let home = home("");
    let Some(small) = Small::mount(&home.lusush()) else {
        return;
    };
    let mut seen = session(&home);
    run(&mut seen, "clear; maint status");
    assert!(!screen(&seen).contains("memory only"), "{}", seen.text());
    small.fill();
    let mut unseen = session(&home);
    run(&mut unseen, "clear; maint status");
    let said = screen(&unseen);
    let pid = unseen.pid().as_raw_nonzero();
    assert!(said.contains("This session is memory only: "), "{said}");
    assert!(said.contains(&format!(", pid {pid} ")), "{said}");
    assert!(
        said.contains("by itself alone") && said.contains("No space left on device"),
        "{said}"
    );
    assert!(
        said.contains("what to do") && said.contains("`lusush doctor`"),
        "{said}"
    );
    // The other one is listed.
    assert!(
        said.contains(&format!(" pid {} on ", seen.pid().as_raw_nonzero())),
        "{said}"
    );
    // For programs, from a pipe.
    let answer = home.path().join("status.json");
    run(&mut unseen, "maint status --json | cat >~/status.json");
    let status: serde_json::Value = serde_json::from_slice(&fs::read(answer).unwrap()).unwrap();
    assert_eq!(
        status["memory_only"]["pid"].as_i64(),
        Some(i64::from(pid.get())),
        "{status}"
    );
    assert!(status["memory_only"]["unseen"].is_string(), "{status}");
    assert_eq!(status["sessions"].as_array().unwrap().len(), 1, "{status}");
    small.make_room();
    run(&mut seen, "true");
    run(&mut unseen, "");
    run(&mut unseen, "clear; maint status");
    let said = screen(&unseen);
    assert!(!said.contains("memory only"), "{said}");
    assert!(said.contains(&format!(" pid {pid} on ")), "{said}");
}

#[test]
fn maint_status_tells_of_commands_that_wait() {
    let home = home("");
    symlink("nowhere/at/all", state(&home)).unwrap();
    let mut terminal = session(&home);
    run(&mut terminal, "echo one");
    run(&mut terminal, "clear; maint status");
    let said = screen(&terminal);
    // This command waits, too.
    assert!(
        said.contains("2 commands wait in this shell for the log"),
        "{said}"
    );
    fs::remove_file(state(&home)).unwrap();
    prompts_until_logged(&home, &mut terminal, "echo one");
    run(&mut terminal, "clear; maint status");
    assert!(!screen(&terminal).contains("memory only"), "{}", terminal.text());
}
