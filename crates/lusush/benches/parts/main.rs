//! What putting a part of PS1 off saves a prompt, and what it costs one whose part is quick: the same session with and
//! without, in turn.
//!
//! In every round the prompt is measured once with each, in an order that is shuffled anew, from the key that asks for it
//! to its arrival; with it, the value of the prompt before is known. `LUSUSH_BENCH_SCALE=f` scales the number of rounds
//! (default 1).

#[path = "../compare/statistics.rs"]
mod statistics;

use std::path::Path;
use std::time::Duration;

use lle_pty::{Home, Terminal};

use statistics::{Random, percentile, ratio_bound};

/// What every prompt ends with, and nothing else shows.
const PROMPT: &str = "READY>";
/// Longer than any prompt here takes.
const LIMIT: Duration = Duration::from_secs(30);
/// A shell that wrote nothing for so long is done, the slowest part among what it waits for.
const QUIET: Duration = Duration::from_millis(150);
const ROUNDS: f64 = 60.0;

/// The parts to be measured, by what they take.
const KINDS: &[(&str, &str)] = &[
    ("a part of 50 ms", "sleep 0.05; echo x"),
    ("a program that does nothing", "/bin/true"),
    ("a builtin", "echo x"),
];

fn main() {
    // `cargo test --benches` runs this too: there is nothing to test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let scale = std::env::var("LUSUSH_BENCH_SCALE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1.0);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {}", load.split(' ').next().unwrap_or_default());
    println!(
        "{:28}{:>6}{:>12}{:>12}   put off against not, p50 (95 %)",
        "", "n", "in bash", "put off"
    );
    for (name, part) in KINDS {
        let (off, on) = measure(part, (ROUNDS * scale).ceil() as usize);
        let at = |values: &[f64]| percentile(values, 0.5).unwrap_or(f64::NAN);
        let judged = ratio_bound(&on, &off, 0.5, 1).map_or("too few".to_owned(), |(low, high)| {
            format!("{:.3} ({low:.3} to {high:.3})", at(&on) / at(&off))
        });
        println!(
            "{name:28}{:>6}{:>9.2} ms{:>9.2} ms   {judged}",
            off.len(),
            at(&off) / 1e6,
            at(&on) / 1e6
        );
    }
}

/// Times in ns without and with, pair by pair.
fn measure(part: &str, rounds: usize) -> (Vec<f64>, Vec<f64>) {
    let lusush = Path::new(env!("CARGO_BIN_EXE_lusush"));
    let rc = format!("part() {{ {part}; }}\nPS1='$(part){PROMPT} '\n");
    let home = Home::new(&rc).expect("a home can be made");
    let mut terminal = Terminal::spawn(&home.spawn(lusush)).expect("lusush starts");
    terminal
        .exchange(b"", PROMPT.as_bytes(), LIMIT)
        .expect("there is a prompt");
    let mut pairs = (Vec::new(), Vec::new());
    let mut random = Random(0x7061_7274);
    for _ in 0..rounds {
        let mut order = [false, true];
        random.shuffle(&mut order);
        let mut pair = [None; 2];
        for on in order {
            pair[usize::from(on)] = prompt(&mut terminal, on);
        }
        if let [Some(off), Some(on)] = pair {
            pairs.0.push(off);
            pairs.1.push(on);
        }
    }
    pairs
}

/// Switches, lets one prompt pass with all that comes late, and times the next.
fn prompt(terminal: &mut Terminal, on: bool) -> Option<f64> {
    let word = if on { "part" } else { "off" };
    terminal.drain(QUIET).ok()?;
    let line = format!("lle cached {word}\r");
    terminal
        .exchange(line.as_bytes(), PROMPT.as_bytes(), LIMIT)
        .ok()?;
    terminal.drain(QUIET).ok()?;
    let time = terminal.exchange(b"\r", PROMPT.as_bytes(), LIMIT).ok()?;
    Some(time.as_nanos() as f64)
}
