//! Whatever ends a session, no command that ran is missing from the history log, none is there twice, and no
//! record is torn.
//!
//! Every command typed appends its own id to a witness file. The log record comes before the command runs, so
//! at any moment: witnesses ⊆ log. `LUSUSH_DURABILITY=n` sets the number of rounds, `LUSUSH_DURABILITY_SEED`
//! the choices (the moments are the machine's).
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lle_log::history::History;
use lle_pty::{Home, Terminal, deadline};
use rustix::process::Signal;

use support::{Random, lusush, number};

/// Rounds by default: some seconds.
const ROUNDS: usize = 40;
/// Sessions typing at the same time; more than cores, so that they interrupt each other.
const SESSIONS: usize = 4;
/// Commands typed ahead in one round and session.
const COMMANDS_MAX: usize = 8;
/// The last moment in a round at which a session is ended: some of its commands have run by then.
const MOMENT_MAX: Duration = Duration::from_millis(20);
/// How long after a SIGHUP the next one is sent.
const SECOND_HUP: Duration = Duration::from_millis(200);

/// What ends a session.
#[derive(Clone, Copy, Debug)]
enum End {
    Kill,
    Hup,
    /// An interactive bash ignores it: the session must go on.
    Term,
    CloseTerminal,
}

const ENDS: [End; 4] = [End::Kill, End::Hup, End::Term, End::CloseTerminal];

#[test]
fn every_command_that_ran_is_in_the_log_once() {
    let rounds = number("LUSUSH_DURABILITY", ROUNDS);
    let seed = number("LUSUSH_DURABILITY_SEED", 1);
    let mut random = Random::new(seed as u64);
    let home = Home::new("").unwrap();
    let witness = home.path().join("witness");
    std::fs::write(&witness, "").unwrap();
    let mut sessions: Vec<Terminal> = (0..SESSIONS).map(|_| start(&home)).collect();

    let (mut ended, mut kills) = (0, 0);
    for round in 0..rounds {
        for (at, session) in sessions.iter_mut().enumerate() {
            for n in 0..1 + random.below(COMMANDS_MAX) {
                let line = format!("echo {round}-{at}-{n} >>~/witness\r");
                session.type_bytes(line.as_bytes()).unwrap();
            }
        }
        let moment = MOMENT_MAX.mul_f64(random.below(1000) as f64 / 1000.0);
        let started = Instant::now();
        while started.elapsed() < moment {
            sessions
                .iter_mut()
                .for_each(|session| session.pump(Duration::ZERO));
        }
        for (at, session) in sessions.iter_mut().enumerate() {
            if at != round % SESSIONS && !random.percent(25) {
                continue;
            }
            let how = ENDS[random.below(ENDS.len())];
            kills += u64::from(matches!(how, End::Kill));
            if end(session, how) {
                *session = start(&home);
                ended += 1;
            }
        }
        for session in &mut sessions {
            session
                .settle()
                .unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
        }
        compare(&home, &witness, kills).unwrap_or_else(|error| {
            let screens: Vec<String> = sessions.iter().map(Terminal::text).collect();
            panic!("seed {seed}, round {round}: {error}\n{}", screens.join("\n--\n"))
        });
    }
    let commands = std::fs::read_to_string(&witness).unwrap().lines().count();
    println!(
        "durability: {rounds} rounds, {ended} sessions ended, {commands} commands ran, each in the log once"
    );
    assert!(
        ended > 0 && commands > rounds,
        "the rounds did too little to prove anything"
    );
}

fn start(home: &Home) -> Terminal {
    let mut terminal = Terminal::spawn(&home.spawn(lusush())).unwrap();
    terminal
        .settle()
        .unwrap_or_else(|error| panic!("no prompt: {error}"));
    terminal
}

/// Ends a session, or tries to; returns whether it did end.
fn end(session: &mut Terminal, how: End) -> bool {
    match how {
        End::Kill => session.signal(Signal::KILL).unwrap(),
        End::Hup => {
            // Stock bash forgets a SIGHUP that comes between its check for signals and its wait for a key, until
            // the next signal.
            let started = Instant::now();
            while !session.has_exited() && started.elapsed() < deadline() {
                // It may be gone already.
                let _ = session.signal(Signal::HUP);
                let _ = session.wait_exit(SECOND_HUP);
            }
        }
        End::CloseTerminal => session.hang_up(),
        End::Term => {
            session.signal(Signal::TERM).unwrap();
            session
                .settle()
                .unwrap_or_else(|error| panic!("SIGTERM ended an interactive bash: {error}"));
            return false;
        }
    }
    session
        .wait_exit(deadline())
        .unwrap_or_else(|error| panic!("{how:?} does not end the session: {error}"));
    true
}

/// Compares the witnesses with the log of sessions of which so many were killed.
fn compare(home: &Home, witness: &Path, kills: u64) -> Result<(), String> {
    let log = log_of(home)?;
    let opened = History::open(&log, 0, 0, None).map_err(|error| error.to_string())?;
    let report = opened.history.check();
    // The kernel looks for a SIGKILL between two pages of a write: what was not acknowledged may be there by half.
    if report.damaged_runs + u64::from(report.torn_tail_bytes != 0) > kills {
        return Err(format!("torn records: {report:?}"));
    }
    let mut logged: BTreeMap<String, usize> = BTreeMap::new();
    for command in opened.history.commands() {
        *logged
            .entry(String::from_utf8_lossy(&command.command).into_owned())
            .or_default() += 1;
    }
    let twice: Vec<_> = logged.iter().filter(|&(_, &count)| count != 1).collect();
    if !twice.is_empty() {
        return Err(format!("in the log more than once: {twice:?}"));
    }
    let ran = std::fs::read_to_string(witness).map_err(|error| error.to_string())?;
    let missing: Vec<_> = ran
        .lines()
        .filter(|id| !logged.contains_key(&format!("echo {id} >>~/witness")))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("ran and is not in the log: {missing:?}"))
    }
}

fn log_of(home: &Home) -> Result<PathBuf, String> {
    let folder = home.lusush().join("state/history");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut logs = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some("log".as_ref()));
    let log = logs
        .next()
        .ok_or_else(|| format!("no log in {}", folder.display()))?;
    logs.next()
        .map_or(Ok(log), |other| Err(format!("a second log: {}", other.display())))
}
