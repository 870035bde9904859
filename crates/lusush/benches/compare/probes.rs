//! What is measured, and how.
//!
//! Invariant: a number is the time from the bytes entering the terminal to the answer leaving it; the emulated
//! screen takes no part.

use std::process::Stdio;
use std::time::{Duration, Instant};

use lle_pty::Terminal;

use crate::shells::{PROMPT, Shell};
use crate::statistics::Random;

/// Longer than any shell takes for anything here; one that does is shown as not measured.
const LIMIT: Duration = Duration::from_secs(30);
/// A shell that wrote nothing for so long has done what it does about a key.
const QUIET: Duration = Duration::from_millis(3);
/// A shell that wrote nothing for so long has started, background work included.
const STARTED: Duration = Duration::from_millis(150);
const IDLE: Duration = Duration::from_secs(10);
const LONG_LINE_BYTES: usize = 100_000;
const PASTE_BYTES: usize = 200_000;
/// Typed over and over; a key is timed by its own letter coming back, so no blank is.
const TYPED: &str = "gitstatusshortheadechohelloworld";
const KILL_LINE: &str = "\x15";

/// The numbers of one shell: times in nanoseconds, in the order of the rounds.
#[derive(Default)]
pub(crate) struct Measurements {
    pub(crate) key: Vec<f64>,
    pub(crate) first_prompt: Vec<f64>,
    pub(crate) type_ahead: Vec<f64>,
    pub(crate) command_string: Vec<f64>,
    pub(crate) idle_wakeups: Vec<f64>,
    pub(crate) rss_anon: Vec<f64>,
    pub(crate) long_line_key: Vec<f64>,
    pub(crate) paste: Vec<f64>,
    pub(crate) kill_whole: Vec<f64>,
}

/// Measures every shell; `scale` multiplies the number of rounds.
pub(crate) fn run(shells: &[Shell], scale: f64) -> Vec<Measurements> {
    let rounds = |n: f64| (n * scale).ceil() as usize;
    let mut measured: Vec<Measurements> = shells.iter().map(|_| Measurements::default()).collect();
    // Once without counting: the files are in memory from here on.
    interleave(shells.len(), 2, |at| {
        if let Some((_, terminal)) = first_prompt(&shells[at]) {
            leave(terminal);
        }
    });
    interleave(shells.len(), rounds(300.0), |at| {
        let started = Instant::now();
        let status = shells[at].command_string().stdin(Stdio::null()).status();
        if status.is_ok_and(|status| status.success()) {
            measured[at].command_string.push(nanos(started.elapsed()));
        }
    });
    interleave(shells.len(), rounds(100.0), |at| {
        if let Some((time, terminal)) = first_prompt(&shells[at]) {
            measured[at].first_prompt.push(nanos(time));
            leave(terminal);
        }
        measured[at].type_ahead.extend(type_ahead(&shells[at]).map(nanos));
    });
    let mut open: Vec<Option<Terminal>> = shells.iter().map(|shell| Some(first_prompt(shell)?.1)).collect();
    idle(&mut open, &mut measured);
    keys(&mut open, &mut measured, rounds(2000.0));
    interleave(shells.len(), rounds(20.0), |at| {
        if let Some((_, mut terminal)) = first_prompt(&shells[at]) {
            let _ = terminal.drain(STARTED);
            measured[at]
                .rss_anon
                .extend(lle_pty::rss_anon(terminal.pid()).map(|bytes| bytes as f64));
            leave(terminal);
        }
    });
    interleave(shells.len(), rounds(3.0), |at| {
        if let Some((_, terminal)) = first_prompt(&shells[at]) {
            long_lines(terminal, &mut measured[at]);
        }
    });
    measured
}

/// Calls `measure` with each index below `count` in every round, in an order shuffled anew.
fn interleave(count: usize, rounds: usize, mut measure: impl FnMut(usize)) {
    let mut random = Random(0x6c6c_6521);
    let mut order: Vec<usize> = (0..count).collect();
    for _ in 0..rounds {
        random.shuffle(&mut order);
        order.iter().for_each(|&at| measure(at));
    }
}

fn first_prompt(shell: &Shell) -> Option<(Duration, Terminal)> {
    let started = Instant::now();
    let mut terminal = Terminal::spawn(&shell.spawn()).ok()?;
    terminal.exchange(b"", PROMPT.as_bytes(), LIMIT).ok()?;
    Some((started.elapsed(), terminal))
}

/// Ends a shell as a person does: one that is killed at its first prompt, again and again, is started with other files.
fn leave(mut terminal: Terminal) {
    if terminal.type_bytes(b"exit\r").is_ok() {
        let _killed_then = terminal.wait_exit(LIMIT);
    }
}

/// Types before the shell is up; what was typed is echoed as `%s`, so only the output matches.
fn type_ahead(shell: &Shell) -> Option<Duration> {
    let started = Instant::now();
    let mut terminal = Terminal::spawn(&shell.spawn()).ok()?;
    terminal
        .exchange(b"printf 'a%sb\\n' MIDDLE\r", b"aMIDDLEb", LIMIT)
        .ok()?;
    let time = started.elapsed();
    leave(terminal);
    Some(time)
}

/// Counts wakeups of all shells during the same ten seconds.
fn idle(open: &mut [Option<Terminal>], measured: &mut [Measurements]) {
    for terminal in open.iter_mut().flatten() {
        let _ = terminal.drain(STARTED);
    }
    let wakeups = |open: &[Option<Terminal>]| -> Vec<Option<u64>> {
        open.iter()
            .map(|terminal| lle_pty::wakeups(terminal.as_ref()?.pid()))
            .collect()
    };
    let before = wakeups(open);
    std::thread::sleep(IDLE);
    for ((before, after), of) in before.into_iter().zip(wakeups(open)).zip(measured) {
        of.idle_wakeups.extend(
            before
                .zip(after)
                .map(|(before, after)| after.saturating_sub(before) as f64),
        );
    }
}

fn keys(open: &mut [Option<Terminal>], measured: &mut [Measurements], rounds: usize) {
    let mut typed = vec![0; open.len()];
    interleave(open.len(), rounds, |at| {
        let Some(terminal) = &mut open[at] else { return };
        let key = TYPED.as_bytes()[typed[at]];
        if let Ok(time) = terminal.exchange(&[key], &[key], LIMIT) {
            measured[at].key.push(nanos(time));
        }
        let _ = terminal.drain(QUIET);
        typed[at] = (typed[at] + 1) % TYPED.len();
        if typed[at] == 0 {
            let _ = terminal.type_bytes(KILL_LINE.as_bytes());
            let _ = terminal.drain(QUIET);
        }
    });
}

/// Pastes, kills, pastes half of it and types at its end.
fn long_lines(mut terminal: Terminal, of: &mut Measurements) -> Option<()> {
    terminal.drain(STARTED).ok()?;
    let paste = |bytes: usize| format!("\x1b[200~{}END\x1b[201~", "lorem ".repeat(bytes / 6)).into_bytes();
    of.paste
        .push(nanos(terminal.exchange(&paste(PASTE_BYTES), b"END", LIMIT).ok()?));
    terminal.drain(STARTED).ok()?;
    // The letter after the kill is seen only once the line is gone.
    of.kill_whole
        .push(nanos(terminal.exchange(b"\x15K", b"K", LIMIT).ok()?));
    terminal.exchange(&paste(LONG_LINE_BYTES), b"END", LIMIT).ok()?;
    terminal.drain(STARTED).ok()?;
    for key in b"abcdefghij" {
        of.long_line_key
            .push(nanos(terminal.exchange(&[*key], &[*key], LIMIT).ok()?));
        terminal.drain(STARTED).ok()?;
    }
    Some(())
}

fn nanos(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}
