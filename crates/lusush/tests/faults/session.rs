//! A session whose history cannot be written: it says so once, goes on, and loses nothing that was written.
//!
//! Every command typed appends its own id to a witness file outside the disk that fails.

use std::fs;
use std::path::{Path, PathBuf};

use lle_fault::{Fault, Faults, Kind, are_here};
use lle_log::history::History;
use lle_pty::{Home, Terminal};

use super::spread;
use super::support::household::wait;
use super::support::{load_lle, log_of};

/// Commands typed in a round.
const COMMANDS: u64 = 6;
/// Calls that write the log while they are typed: a record when each begins and one when it ends.
const CALLS: u64 = 2 * COMMANDS;
/// What a session says above its prompt when a command is not in its log.
const SAID: &str = "memory only, commands wait in this shell";

fn session(home: &Home, faults: &Faults) -> Terminal {
    let spawn = home.spawn("bash").size(60, 100);
    let mut terminal = faults.start(|| Terminal::spawn(&spawn)).unwrap().unwrap();
    terminal.settle().unwrap();
    assert!(home.path().join("lle-loaded").exists(), "{}", terminal.text());
    terminal
}

fn witnesses(home: &Home) -> Vec<String> {
    let text = fs::read_to_string(home.path().join("witness")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

struct Logged {
    commands: Vec<String>,
    damaged: u64,
}

fn logged(path: &Path) -> Logged {
    let history = History::open(path, 1, 0, None).unwrap().history;
    let report = history.check();
    let commands = history.commands();
    Logged {
        commands: commands
            .map(|command| String::from_utf8_lossy(&command.command).into_owned())
            .collect(),
        damaged: report.damaged_runs + u64::from(report.torn_tail_bytes > 0),
    }
}

fn line(id: &str) -> String {
    format!("echo {id} >>~/witness")
}

/// Those that ran and are not in the log.
fn missing(home: &Home, log: &Path) -> Vec<String> {
    let logged = logged(log).commands;
    let mut ran = witnesses(home);
    ran.retain(|id| !logged.contains(&line(id)));
    ran
}

fn start() -> (Home, Faults, PathBuf) {
    let home = Home::new(&load_lle()).unwrap();
    let faults = Faults::below(&home.lusush().join("state/history")).only(&[Kind::Write]);
    let log = log_of(&home);
    (home, faults, log)
}

#[test]
fn what_a_fault_costs_is_a_moment_in_memory_and_is_said_once() {
    if !are_here() {
        return;
    }
    for fault in [Fault::Broken, Fault::Short, Fault::Full] {
        for at in spread(CALLS, 21) {
            let (home, faults, log) = start();
            let mut terminal = session(&home, &faults);
            terminal.press(format!("{}\r", line("before"))).unwrap();
            faults.set(at, fault);
            for n in 0..COMMANDS {
                terminal.press(format!("{}\r", line(&n.to_string()))).unwrap();
            }
            let about = format!("{fault:?} at {at}: {:?}\n{}", faults.hit(), terminal.text());
            assert!(faults.hit().is_some(), "{about}");
            faults.clear();
            terminal.press(format!("{}\r", line("after"))).unwrap();
            terminal.press("\r").unwrap();
            assert_eq!(witnesses(&home).len() as u64, COMMANDS + 2, "{about}");
            let missing = missing(&home, &log);
            assert_eq!(missing, Vec::<String>::new(), "{about}");
            // Half of a record is completed: nobody else wrote meanwhile.
            assert_eq!(logged(&log).damaged, 0, "{about}");
            assert!(!logged(&log).commands.is_empty());
            assert_eq!(terminal.text().matches(SAID).count(), 1, "{about}");
            let said = terminal.text().matches("lusush: ").count();
            let said_again = terminal.text().matches("that waited").count();
            assert_eq!(said, 1 + said_again, "{about}");
            assert!(said_again <= 1, "{about}");
            // What bash keeps itself has every command.
            terminal.type_bytes(b"exit\r").unwrap();
            let _ended = terminal.wait_exit(lle_pty::deadline());
            let own = fs::read_to_string(home.history()).unwrap();
            assert!(
                witnesses(&home).iter().all(|id| own.contains(&line(id))),
                "{about}"
            );
        }
    }
}

#[test]
fn a_session_that_is_killed_in_a_write_leaves_what_it_wrote() {
    if !are_here() {
        return;
    }
    for fault in [Fault::Killed, Fault::Torn] {
        for at in spread(CALLS, 22) {
            let (home, faults, log) = start();
            let mut terminal = session(&home, &faults);
            faults.set(at, fault);
            for n in 0..COMMANDS {
                // It may be gone by then.
                let _gone = terminal.press(format!("{}\r", line(&n.to_string())));
            }
            terminal.wait_exit(lle_pty::deadline()).unwrap();
            let about = format!("{fault:?} at {at}: {:?}", faults.hit());
            faults.clear();
            assert_eq!(missing(&home, &log), Vec::<String>::new(), "{about}");
            let damaged = logged(&log).damaged;
            assert!(damaged <= u64::from(fault == Fault::Torn), "{about}");
            // The next one goes on behind what is torn.
            let mut terminal = session(&home, &faults);
            terminal.press(format!("{}\r", line("after"))).unwrap();
            assert_eq!(missing(&home, &log), Vec::<String>::new(), "{about}");
            assert!(
                !terminal.text().contains("lusush: "),
                "{about}\n{}",
                terminal.text()
            );
        }
    }
}

#[test]
fn a_session_starts_whatever_fails_in_its_start() {
    if !are_here() {
        return;
    }
    let started = |at: u64, fault: Fault| {
        let home = Home::new(&load_lle()).unwrap();
        fs::write(home.history(), "echo imported\n").unwrap();
        let faults = Faults::below(&home.lusush());
        faults.set(at, fault);
        let mut terminal = session(&home, &faults);
        let calls = faults.calls();
        let about = format!("{fault:?} at {at}: {:?}\n{}", faults.hit(), terminal.text());
        let said = terminal.text().matches("lusush: ").count();
        faults.clear();
        terminal.press(format!("{}\r", line("first"))).unwrap();
        terminal.press(format!("{}\r", line("second"))).unwrap();
        assert_eq!(witnesses(&home), ["first", "second"], "{about}");
        assert!(!terminal.text().contains("panicked"), "{about}");
        assert!(said <= 3, "{about}");
        // A log that could not be made is made at one of the next prompts.
        let log = log_of(&home);
        wait("both commands in the log", || {
            terminal.press("\r").unwrap();
            log.exists() && missing(&home, &log).is_empty()
        });
        calls
    };
    let calls = started(u64::MAX, Fault::Short);
    for fault in [Fault::Broken, Fault::Short, Fault::Full] {
        for at in spread(calls, 23) {
            started(at, fault);
        }
    }
    println!("a start has {calls} calls");
}

/// Types three commands in a session that cannot make its log, and gives room, with a fault at a call from then on; presses
/// Enter until they are in the log or it is gone. Gives the calls there were.
fn made_late(at: u64, fault: Fault) -> u64 {
    let home = Home::new(&load_lle()).unwrap();
    fs::write(home.history(), "echo imported\n").unwrap();
    let faults = Faults::below(&home.lusush().join("state"));
    faults.set(1, Fault::Full);
    let mut terminal = session(&home, &faults);
    let typed = ["one", "two", "three"];
    for id in typed {
        terminal.press(format!("{}\r", line(id))).unwrap();
    }
    let log = log_of(&home);
    assert!(
        !log.exists() && terminal.text().contains(SAID),
        "{}",
        terminal.text()
    );

    faults.set(at, fault);
    // Of what was written in part the rest comes with one of the next prompts.
    let is_there = || log.exists() && missing(&home, &log).is_empty() && logged(&log).damaged == 0;
    wait("the commands in the log, or a shell that is gone", || {
        let is_gone = terminal.press("\r").is_err() || terminal.has_exited();
        is_gone || is_there()
    });
    let calls = faults.calls();
    let about = format!("{fault:?} at {at}: {:?}\n{}", faults.hit(), terminal.text());
    assert_eq!(
        terminal.has_exited(),
        fault.kills() && faults.hit().is_some(),
        "{about}"
    );
    faults.clear();
    // The log is whole or not there, and what is in it is what was typed first.
    let mut damaged = 0;
    if log.exists() {
        let found = logged(&log);
        let mut expect = vec!["echo imported".to_owned()];
        expect.extend(typed.map(line));
        expect.truncate(found.commands.len().max(1));
        assert_eq!(found.commands, expect, "{about}");
        damaged = found.damaged;
    }
    assert!(damaged <= u64::from(fault == Fault::Torn), "{about}");
    // The next one goes on, and nothing is there twice.
    let mut terminal = session(&home, &faults);
    terminal.press(format!("{}\r", line("after"))).unwrap();
    let commands = logged(&log).commands;
    assert_eq!(
        commands.first().map(String::as_str),
        Some("echo imported"),
        "{about}"
    );
    assert_eq!(commands.last(), Some(&line("after")), "{about}");
    let imported = commands.iter().filter(|text| *text == "echo imported");
    assert_eq!(imported.count(), 1, "{about} {commands:?}");
    calls
}

#[test]
fn a_log_that_is_made_late_is_whole_or_not_there_whatever_fails() {
    if !are_here() {
        return;
    }
    let calls = made_late(u64::MAX, Fault::Short);
    for fault in Fault::ALL {
        for at in spread(calls, 24) {
            // A disk that is full again is so until somebody makes room.
            if fault != Fault::Full {
                made_late(at, fault);
            }
        }
    }
}
