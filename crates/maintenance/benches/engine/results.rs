//! Leaves what was measured for `maint validate`.
//!
//! `LUSUSH_BENCH_RESULTS` names the file, which is appended to. The worker reads `bench.jsonl` in its state folder.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;

use lle_core::budget::Budget;

/// Leaves a number at the budget's percentile and in its unit, with the worst of all if that is known, if it is this
/// bench that the budget names as its probe: what another measures on another corpus is not ours to tell.
pub(crate) fn leave(bench: &str, budget: &Budget, value: f64, worst: Option<f64>, samples: usize) {
    let Some(path) = std::env::var_os("LUSUSH_BENCH_RESULTS") else {
        return;
    };
    if budget.probe.rsplit(' ').next() != Some(bench) {
        return;
    }
    let date = Command::new("date").args(["-u", "+%F"]).output();
    let date = date.map_or_else(|_| Vec::new(), |date| date.stdout);
    let when = String::from_utf8_lossy(&date);
    let line = budget.result_line(value, worst, samples, when.trim(), &machine());
    let file = OpenOptions::new().append(true).create(true).open(path);
    let written = file.and_then(|mut file| file.write_all(line.unwrap_or_default().as_bytes()));
    written.expect("the file of results can be written");
}

/// Names the machine.
pub(crate) fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown");
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} × {cpus}", model.trim_start_matches(['\t', ' ', ':']))
}
