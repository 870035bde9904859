//! What validation judges by: plain data that the worker collects, all of it optional.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::success::SuccessInputs;
use super::systems::Facts;

/// Everything that is known. The default knows nothing, and then everything is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// What the worker sees of itself.
    pub facts: Facts,
    /// What the running system measures.
    pub live: Live,
    /// What benches measured, by the name of the budget.
    pub bench: BTreeMap<String, BenchResult>,
    /// Counts of how things ended.
    pub success: SuccessInputs,
}

/// Measurements of the running system.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// By the name of the budget, each in the budget's unit.
    pub values: BTreeMap<&'static str, Measured>,
}

/// One measurement of the running system.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The number, at the budget's percentile and in its unit.
    pub value: f64,
    /// The largest single measurement, which a critical operation is also judged by.
    pub worst: Option<f64>,
    /// Of how many samples.
    pub samples: u64,
    /// How it was obtained: "key_to_paint of 2 sessions, since they started".
    pub how: String,
}

/// One result of a bench, as a results file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchResult {
    /// The number, at the budget's percentile and in its unit.
    pub value: f64,
    /// The largest single measurement, which a critical operation is also judged by.
    #[serde(default)]
    pub worst: Option<f64>,
    /// Of how many samples.
    pub samples: u64,
    /// The date.
    pub when: String,
    /// The machine.
    pub machine: String,
}

/// Where a running system can take a budget's number from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LiveSource {
    /// A timer of the flight files, by its name, all live sessions together.
    Timer(&'static str),
    /// The sizes of the flight files.
    FlightFiles,
    /// The worker's own clock around what it does: how often it did, and how long it took.
    WorkerClock,
    /// The worker's processor time over elapsed time, while nothing is due.
    WorkerProcessor,
    /// RssAnon of the worker, while nothing is due.
    WorkerMemory,
    /// What sessions report of the trims that they were asked for.
    Trims,
}

impl LiveSource {
    /// Says where the number comes from.
    pub fn about(self) -> String {
        match self {
            LiveSource::Timer(name) => format!("timer {name} of the flight files of live sessions"),
            LiveSource::FlightFiles => "sizes of the flight files of live sessions".to_owned(),
            LiveSource::WorkerClock => "the worker's clock around its own work".to_owned(),
            LiveSource::WorkerProcessor => "the worker's processor time in /proc, while at rest".to_owned(),
            LiveSource::WorkerMemory => "the worker's RssAnon in /proc, while at rest".to_owned(),
            LiveSource::Trims => "times that sessions report of their trims".to_owned(),
        }
    }
}

/// A budget that a running system can supply a number for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveRow {
    /// The budget's name.
    pub budget: &'static str,
    /// Where from.
    pub source: LiveSource,
    /// The least number of samples that says anything.
    pub least: u64,
}

/// Budgets that hold for a corpus or against bash without LLE are not here: a running system has neither.
pub const LIVE: &[LiveRow] = &[
    row("record_key", LiveSource::Timer("record"), P99_LEAST),
    row("input_lag", LiveSource::Timer("key_to_paint"), P99_LEAST),
    row("history_append", LiveSource::Timer("history_append"), P50_LEAST),
    row("command_lag", LiveSource::Timer("prompt"), P50_LEAST),
    // One a session: a day's shells of somebody who works in terminals.
    row("first_prompt_lag", LiveSource::Timer("start"), 10),
    row("session_bytes", LiveSource::FlightFiles, 1),
    row("monitoring_bytes", LiveSource::FlightFiles, 1),
    row("health_sample_proc", LiveSource::WorkerClock, P99_LEAST),
    row("audit_append", LiveSource::WorkerClock, P99_LEAST),
    row("memory_optimisation", LiveSource::Trims, P99_LEAST),
    // A sample is a second at rest: /proc counts in hundredths of a second, and 0.1 % of ten minutes is 60 of them.
    row("worker_cpu", LiveSource::WorkerProcessor, 600),
    row("worker_memory", LiveSource::WorkerMemory, 1),
];

/// A 99th percentile of fewer is just the largest.
pub(super) const P99_LEAST: u64 = 100;

/// A median of fewer moves with each new sample.
pub(super) const P50_LEAST: u64 = 30;

/// What a paired comparison to one part in fifty takes.
pub(super) const PAIRED_LEAST: u64 = 10_000;

const fn row(budget: &'static str, source: LiveSource, least: u64) -> LiveRow {
    LiveRow {
        budget,
        source,
        least,
    }
}
