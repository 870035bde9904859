//! Instructions that attribution adds to a prompt and to a key, counted by callgrind.
//!
//! Times on a shared machine differ by more than what is asked here, and not every kernel counts instructions; a
//! simulated processor does, and gives the same number twice. The same session is run with attribution on and off; of each
//! it is run short and long, so that start and end fall out. What the kernel does is not counted, nor what children do.

use std::fs;
use std::path::Path;
use std::time::Duration;

use lle_pty::{Home, Spawn, Terminal};

use super::{KINDS, PROMPT};

/// Prompts of a short session and of a long one.
const PROMPTS: [usize; 2] = [4, 24];
/// Keys of a short line and of a long one.
const KEYS: [usize; 2] = [4, 44];
/// Everything takes fifty times as long.
const LIMIT: Duration = Duration::from_secs(120);
const QUIET: Duration = Duration::from_millis(400);

/// Prints what is added to each kind of prompt, and to a key.
pub(super) fn count() {
    println!(
        "instructions, counted by callgrind (bash alone, without kernel and children); the difference is what attribution adds"
    );
    println!(
        "{:28}{:>14}{:>14}{:>12}{:>10}",
        "a prompt", "off", "on", "added", "ratio"
    );
    for kind in KINDS {
        let each = [false, true].map(|on| {
            let [short, long] = PROMPTS.map(|prompts| session(kind.rc, on, prompts, 0));
            Some((long?.checked_sub(short?)?) as f64 / (PROMPTS[1] - PROMPTS[0]) as f64)
        });
        print_row(kind.name, each);
    }
    println!(
        "{:28}{:>14}{:>14}{:>12}{:>10}",
        "a key", "off", "on", "added", "ratio"
    );
    let each = [false, true].map(|on| {
        let [short, long] = KEYS.map(|keys| session("", on, PROMPTS[0], keys));
        Some((long?.checked_sub(short?)?) as f64 / (KEYS[1] - KEYS[0]) as f64)
    });
    print_row("in a line of 44", each);
}

fn print_row(name: &str, [off, on]: [Option<f64>; 2]) {
    match off.zip(on) {
        Some((off, on)) => {
            println!(
                "{name:28}{off:>14.0}{on:>14.0}{:>12.0}{:>10.4}",
                on - off,
                on / off
            );
        }
        None => println!(
            "{name:28} unknown: `valgrind --tool=callgrind` does not run here, or bash does not under it"
        ),
    }
}

/// Runs a session of so many prompts, the last of them with so many keys typed; gives the instructions of all of it.
fn session(rc: &str, on: bool, prompts: usize, keys: usize) -> Option<u64> {
    let word = if on { "on" } else { "off" };
    let object = lle_pty::shared_object(Path::new(env!("CARGO_BIN_EXE_lusush")));
    let load = format!("enable -f '{}' lle; lle set attribute {word}", object.display());
    let home = Home::new(&format!("PS1='{PROMPT} '\n{rc}\n{load}\n")).ok()?;
    let out = home.path().join("callgrind.%p");
    let valgrind = lle_pty::installed("valgrind")?;
    let bash = lle_pty::installed("bash")?;
    let spawn = arguments(home.spawn(valgrind), &out, &bash);
    let mut terminal = Terminal::spawn(&spawn).ok()?;
    let exchange = |terminal: &mut Terminal, line: &[u8]| {
        terminal.exchange(line, PROMPT.as_bytes(), LIMIT).ok()?;
        terminal.drain(QUIET).ok()
    };
    exchange(&mut terminal, b"")?;
    for _ in 0..prompts {
        exchange(&mut terminal, b"\r")?;
    }
    for key in b"echo one two three four five six seven eight nine ten"
        .iter()
        .take(keys)
    {
        terminal.type_bytes(&[*key]).ok()?;
        terminal.drain(QUIET / 2).ok()?;
    }
    // Ctrl-U, so that both lines end alike.
    exchange(&mut terminal, b"\x15\r")?;
    let pid = terminal.pid().as_raw_nonzero();
    terminal.type_bytes(b"exit\r").ok()?;
    terminal.wait_exit(LIMIT).ok()?;
    let text = fs::read_to_string(home.path().join(format!("callgrind.{pid}"))).ok()?;
    total(&text)
}

fn arguments(spawn: Spawn, out: &Path, bash: &Path) -> Spawn {
    let out = format!("--callgrind-out-file={}", out.display());
    spawn
        .args(["--tool=callgrind", "--quiet", "--log-file=/dev/null", &out])
        .args([bash.as_os_str(), "-i".as_ref()])
}

/// The sum that a file of callgrind's ends with.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| {
        line.strip_prefix("totals: ")
            .or_else(|| line.strip_prefix("summary: "))
    });
    line?.split_ascii_whitespace().next()?.parse().ok()
}
