//! Configurations on trial, and what they are judged by.

use serde::{Deserialize, Serialize};

/// Configurations on trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigTrialsDocument {
    /// The version of the document.
    pub version: u32,
    /// When this was put together.
    pub now_wall_ns: i64,
    /// The version of the configuration that is in force.
    pub in_force: u64,
    /// What is on trial; one at most.
    pub open: Vec<ConfigTrialDocument>,
    /// Trials that are over, oldest first.
    pub ended: Vec<ConfigTrialDocument>,
}

/// The trial of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigTrialDocument {
    /// Its number.
    pub id: u64,
    /// The version on trial.
    pub config_version: u64,
    /// The version that it is compared with.
    pub earlier: u64,
    /// Keys that have another value.
    pub keys: Vec<String>,
    /// It stays only if somebody confirms it.
    pub needs_word: bool,
    /// What it is judged by; when it is over, what it was judged by.
    pub measures: Vec<MeasureDocument>,
    /// Observations of the measure that has most of them.
    pub observations: u64,
    /// Observations at which it is looked at next.
    pub observations_next: Option<u64>,
    /// Active time that it took, in nanoseconds.
    pub active_ns: u64,
    /// Active time that it has; none when it is over.
    pub active_ns_max: Option<u64>,
    /// What became of it, in words; none while it is open.
    pub outcome: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// Whether it stayed.
    pub kept: bool,
    /// When it ended.
    pub ended_wall_ns: Option<i64>,
}

/// Something that a configuration is judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureDocument {
    /// Its name.
    pub name: String,
    /// What is less than that matters to nobody, in nanoseconds.
    pub floor_ns: u64,
    /// The difference as the last look saw it; none before the first.
    pub difference: Option<DifferenceDocument>,
}

/// A difference, in nanoseconds: more is slower.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceDocument {
    /// What it was before.
    pub before_ns: f64,
    /// The difference.
    pub by_ns: f64,
    /// The lower end of its interval.
    pub low_ns: f64,
    /// The upper end.
    pub high_ns: f64,
    /// Samples since.
    pub samples: u64,
}
