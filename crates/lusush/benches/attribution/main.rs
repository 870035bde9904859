//! What it costs a prompt that its parts are timed: the same session with attribution on and off, in turn.
//!
//! In every round [`BLOCK`] prompts are measured with each, in an order that is shuffled anew, from the key that asks for
//! it to its arrival, one right behind the other. Prints the difference, and the ratio with its bound, against the
//! promised 1.02; at scale 1 there are 10,000 pairs of each kind, and all of it takes less than three minutes.
//! `LUSUSH_BENCH_SCALE=f` scales the number of rounds (default 1).
//!
//! `LUSUSH_BENCH_INSTRUCTIONS=1` counts instructions instead: the same session under callgrind, with and without, and the
//! difference by prompt and by key. See `instructions.rs`.

mod instructions;
#[path = "../compare/statistics.rs"]
mod statistics;

use std::path::Path;
use std::time::Duration;

use lle_core::budget::Budget;
use lle_pty::{Home, Terminal};

use statistics::{Random, percentile, ratio_bound};

/// What every prompt ends with, and nothing else shows.
const PROMPT: &str = "READY>";
/// Longer than any prompt here takes.
const LIMIT: Duration = Duration::from_secs(30);
/// A shell that wrote nothing for so long is done.
const QUIET: Duration = Duration::from_millis(3);
/// Prompts measured one after another, before it is switched again.
const BLOCK: usize = 8;
/// The ratio at which the promise is kept: the upper bound of 95 %.
const BUDGET: &str = "maintenance_on_off";

/// A prompt to be measured.
struct Kind {
    name: &'static str,
    rc: &'static str,
    pairs: f64,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "PS1 alone",
        rc: "",
        pairs: 10_000.0,
    },
    Kind {
        name: "30 commands in functions",
        rc: "one() { [[ -n $HOME ]]; local x=1; : \"$x\"; }\n\
             many() { one; one; one; one; one; one; one; one; }\n\
             PROMPT_COMMAND='many; history -a; x=1'",
        pairs: 10_000.0,
    },
    Kind {
        name: "two programs in PS1",
        rc: "PS1='$(/bin/true)$(/bin/true)READY> '",
        pairs: 10_000.0,
    },
    Kind {
        name: "a loop of 2,000 commands",
        rc: "loop() { local i; for ((i = 0; i < 1000; i++)); do :; [[ a ]]; done; }\nPROMPT_COMMAND=loop",
        pairs: 10_000.0,
    },
];

fn main() {
    // `cargo test --benches` runs this too: there is nothing to test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    if std::env::var_os("LUSUSH_BENCH_INSTRUCTIONS").is_some() {
        instructions::count();
        return;
    }
    let scale = std::env::var("LUSUSH_BENCH_SCALE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1.0);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {}", load.split(' ').next().unwrap_or_default());
    println!(
        "{:28}{:>6}{:>12}{:>12}{:>12}   on against off, p50 (95 %)",
        "", "n", "off", "on", "difference"
    );
    for kind in KINDS {
        let rounds = (kind.pairs * scale / BLOCK as f64).ceil() as usize;
        let measured = measure(kind, rounds);
        print_row(kind, &measured);
    }
}

/// Times in ns with attribution off and on, pair by pair.
type Pairs = (Vec<f64>, Vec<f64>);

fn measure(kind: &Kind, rounds: usize) -> Pairs {
    let lusush = Path::new(env!("CARGO_BIN_EXE_lusush"));
    let home = Home::new(&format!("PS1='{PROMPT} '\n{}", kind.rc)).expect("a home can be made");
    let mut terminal = Terminal::spawn(&home.spawn(lusush)).expect("lusush starts");
    terminal
        .exchange(b"", PROMPT.as_bytes(), LIMIT)
        .expect("there is a prompt");
    let mut pairs = Pairs::default();
    let mut random = Random(0x7768_7921);
    for _ in 0..rounds {
        let mut order = [false, true];
        random.shuffle(&mut order);
        let mut round = [None; 2];
        for on in order {
            round[usize::from(on)] = prompts(&mut terminal, on);
        }
        if let [Some(off), Some(on)] = round {
            pairs.0.extend(off);
            pairs.1.extend(on);
        }
    }
    pairs
}

/// Switches, lets one prompt pass, and times the next ones.
fn prompts(terminal: &mut Terminal, on: bool) -> Option<[f64; BLOCK]> {
    let word = if on { "on" } else { "off" };
    terminal.drain(QUIET).ok()?;
    let line = format!("lle set attribute {word}\r");
    let mut exchange = |line: &[u8]| terminal.exchange(line, PROMPT.as_bytes(), LIMIT).ok();
    exchange(line.as_bytes())?;
    // What is left of writing the line that switched does not count.
    exchange(b"\r")?;
    let mut times = [0.0; BLOCK];
    for time in &mut times {
        *time = exchange(b"\r")?.as_nanos() as f64;
    }
    Some(times)
}

fn print_row(kind: &Kind, (off, on): &Pairs) {
    let at = |values: &[f64]| percentile(values, 0.5).unwrap_or(f64::NAN);
    let (off_at, on_at) = (at(off), at(on));
    let judged = ratio_bound(on, off, 0.5, BLOCK).map_or("too few".to_owned(), |(low, high)| {
        let verdict = Budget::named(BUDGET).map(|budget| budget.judge(Some(high)).to_string());
        format!(
            "{:.3} ({low:.3} to {high:.3}): {}",
            on_at / off_at,
            verdict.unwrap_or_default()
        )
    });
    println!(
        "{:28}{:>6}{:>9.1} µs{:>9.1} µs{:>9.2} µs   {judged}",
        kind.name,
        off.len(),
        off_at / 1e3,
        on_at / 1e3,
        (on_at - off_at) / 1e3
    );
}
