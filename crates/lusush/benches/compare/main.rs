//! Bash, lusush, zsh and fish side by side: what a key, a prompt and a paste cost in each.
//!
//! One interleaved run: in every round each shell is measured once, in an order that is shuffled anew, so that
//! whatever else the machine does hits all of them alike. Prints the row of the budget table beside each
//! number. `LUSUSH_BENCH_SCALE=f` scales the number of rounds (default 1).

mod probes;
mod shells;
mod statistics;

use lle_core::budget::{Budget, Unit};

use probes::Measurements;
use shells::Shell;
use statistics::{percentile, ratio_bound};

/// One line of the result: what was measured and, where there is one, the budget for lusush.
struct Row {
    label: &'static str,
    measured: fn(&Measurements) -> &[f64],
    percentile: f64,
    budget: Option<&'static str>,
    unit: Unit,
}

const ROWS: &[Row] = &[
    row(
        "key to echo, p50",
        |m| &m.key,
        0.50,
        Some("key_to_echo"),
        Unit::Nanoseconds,
    ),
    row(
        "key to echo, p99",
        |m| &m.key,
        0.99,
        Some("input_lag"),
        Unit::Nanoseconds,
    ),
    row(
        "first prompt, p50",
        |m| &m.first_prompt,
        0.50,
        Some("first_prompt"),
        Unit::Nanoseconds,
    ),
    row(
        "first prompt, p99",
        |m| &m.first_prompt,
        0.99,
        None,
        Unit::Nanoseconds,
    ),
    row(
        "type-ahead, p50",
        |m| &m.type_ahead,
        0.50,
        Some("type_ahead"),
        Unit::Nanoseconds,
    ),
    row(
        "-c true, p50",
        |m| &m.command_string,
        0.50,
        Some("command_string"),
        Unit::Nanoseconds,
    ),
    row(
        "wakeups in 10 s idle",
        |m| &m.idle_wakeups,
        0.50,
        Some("idle_wakeups"),
        Unit::Count,
    ),
    row(
        "RssAnon at the prompt, p50",
        |m| &m.rss_anon,
        0.50,
        Some("private_memory"),
        Unit::Bytes,
    ),
    row(
        "key in a 100 kB line, p50",
        |m| &m.long_line_key,
        0.50,
        Some("long_line_key"),
        Unit::Nanoseconds,
    ),
    row(
        "key in a 100 kB line, p99",
        |m| &m.long_line_key,
        0.99,
        None,
        Unit::Nanoseconds,
    ),
    row("paste of 200 kB", |m| &m.paste, 0.50, None, Unit::Nanoseconds),
    row("kill that line", |m| &m.kill_whole, 0.50, None, Unit::Nanoseconds),
];

const fn row(
    label: &'static str,
    measured: fn(&Measurements) -> &[f64],
    percentile: f64,
    budget: Option<&'static str>,
    unit: Unit,
) -> Row {
    Row {
        label,
        measured,
        percentile,
        budget,
        unit,
    }
}

fn main() {
    // `cargo test --benches` runs this too: there is nothing to test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let scale = std::env::var("LUSUSH_BENCH_SCALE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1.0);
    let shells = shells::installed();
    println!("{}", machine());
    for shell in &shells {
        println!("  {:8} {}", shell.name, shell.version);
    }
    let measured = probes::run(&shells, scale);
    print_table(&shells, &measured);
}

fn print_table(shells: &[Shell], measured: &[Measurements]) {
    print!("\n{:28}{:>6}", "", "n");
    shells.iter().for_each(|shell| print!("{:>12}", shell.name));
    println!("   lusush against its budget");
    for row in ROWS {
        let n = measured
            .iter()
            .map(|of| (row.measured)(of).len())
            .max()
            .unwrap_or(0);
        print!("{:28}{n:>6}", row.label);
        for of in measured {
            let value = percentile((row.measured)(of), row.percentile);
            print!(
                "{:>12}",
                value.map_or("-".to_owned(), |value| show(row.unit, value))
            );
        }
        println!("   {}", judged(row, shells, measured).unwrap_or_default());
    }
}

/// Compares lusush with its budget, and in a pair with bash.
fn judged(row: &Row, shells: &[Shell], measured: &[Measurements]) -> Option<String> {
    let of = |name| {
        shells
            .iter()
            .position(|shell| shell.name == name)
            .map(|at| (row.measured)(&measured[at]))
    };
    let (bash, lusush) = (of("bash")?, of("lusush")?);
    let (bash_at, lusush_at) = (
        percentile(bash, row.percentile)?,
        percentile(lusush, row.percentile)?,
    );
    let pair = ratio_bound(lusush, bash, row.percentile, 1)
        .map(|(low, high)| format!("{:.2} x bash (95 %: {low:.2} to {high:.2})", lusush_at / bash_at));
    let verdict = row.budget.and_then(Budget::named).map(|budget| {
        let value = match budget.unit {
            Unit::NanosecondsOverBash | Unit::BytesOverBash => lusush_at - bash_at,
            Unit::TimesBash => lusush_at / bash_at,
            _ => lusush_at,
        };
        let verdict = budget.judge(Some(value));
        format!(
            "{verdict}: {} (at most {})",
            budget.show(value),
            budget.show(budget.at_most)
        )
    });
    Some(
        [verdict, pair]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; "),
    )
}

fn show(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Count => format!("{value:.0}"),
        Unit::Bytes => format!("{:.2} MiB", value / (1024.0 * 1024.0)),
        _ => format!("{:.3} ms", value / 1e6),
    }
}

/// Names the machine: a number without it means nothing.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "{}, {cores} cores, Linux {}, load {}",
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default()
    )
}
