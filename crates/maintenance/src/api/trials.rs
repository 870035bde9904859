//! Levers, what may be worth turning, and the trials of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Levers, opportunities and trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialsDocument {
    /// The version of the document.
    pub version: u32,
    /// When this was put together.
    pub now_wall_ns: i64,
    /// How far the optimiser may go by itself.
    pub mode: String,
    /// Every lever.
    pub levers: Vec<LeverDocument>,
    /// What may be worth turning, the largest gain first.
    pub opportunities: Vec<OpportunityDocument>,
    /// Why there is none; none if there is one. Versions before did not say.
    #[serde(default)]
    pub no_opportunity: Option<String>,
    /// Why what is open waits, and sessions use the values in force alone; none while they compare. Versions before did not
    /// say.
    #[serde(default)]
    pub waits: Option<String>,
    /// What performance is counted against; none before enough was measured.
    pub baseline: Option<BaselineDocument>,
    /// Trials that are open.
    pub open: Vec<TrialDocument>,
    /// Trials that are over, oldest first.
    pub ended: Vec<TrialDocument>,
}

/// The weekly baseline of performance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineDocument {
    /// When it was taken.
    pub taken_wall_ns: i64,
    /// Every cost of which enough was measured.
    pub costs: Vec<TargetDocument>,
    /// The levers that were in force, by name.
    pub levers: BTreeMap<String, String>,
}

/// One cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetDocument {
    /// The timer.
    pub cost: String,
    /// Its median then, in nanoseconds.
    pub usual_ns: u64,
    /// What it is to become, in nanoseconds.
    pub target_ns: u64,
}

/// One lever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeverDocument {
    /// Its name.
    pub name: String,
    /// The value in force.
    pub value: String,
    /// The value out of the box.
    pub default: String,
    /// The values it takes.
    pub range: String,
    /// The component it belongs to.
    pub component: String,
    /// The timer that its trial compares.
    pub cost: String,
    /// What it does.
    pub about: String,
}

/// Something that may be worth turning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpportunityDocument {
    /// The lever.
    pub lever: String,
    /// The value in force.
    pub current: String,
    /// The value to try.
    pub candidate: String,
    /// The timer that it may move.
    pub cost: String,
    /// How much of it may be saved, in hundredths: a guess, which a trial would prove or not.
    pub gain_percent: f64,
    /// What was measured.
    pub evidence: String,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialDocument {
    /// Its number.
    pub id: u64,
    /// What is changed.
    pub change: String,
    /// The lever; none if it is of something else.
    pub lever: Option<String>,
    /// The value in force.
    pub current: Option<String>,
    /// The value that is tried.
    pub candidate: Option<String>,
    /// The metric that is judged.
    pub metric: String,
    /// Pairs of lines compared; when it is over, those of the last look.
    pub pairs: u64,
    /// Pairs at which it is looked at next.
    pub pairs_next: Option<u64>,
    /// The difference as the last look saw it; none before the first.
    pub estimate: Option<EstimateDocument>,
    /// Active time that it took, in nanoseconds.
    pub active_ns: u64,
    /// Active time that it has; none when it is over.
    pub active_ns_max: Option<u64>,
    /// "better", "worse", "inconclusive" or "withdrawn"; none while it is open.
    pub verdict: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// Whether the value stayed.
    pub kept: bool,
    /// When it ended.
    pub ended_wall_ns: Option<i64>,
}

/// A difference, in hundredths of the current cost: negative is faster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EstimateDocument {
    /// The difference.
    pub percent: f64,
    /// The lower end of its interval.
    pub percent_low: f64,
    /// The upper end.
    pub percent_high: f64,
    /// The mean cost with the current value, in nanoseconds.
    pub current_ns: u64,
    /// With the candidate.
    pub candidate_ns: u64,
    /// The difference of what all lines cost together; none if sessions do not say it.
    #[serde(default)]
    pub percent_in_all: Option<f64>,
    /// Lines with the current value that stalled.
    #[serde(default)]
    pub current_stalls: Option<u64>,
    /// With the candidate.
    #[serde(default)]
    pub candidate_stalls: Option<u64>,
}
