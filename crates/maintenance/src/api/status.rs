//! How the engine is doing: what it costs, what it carries out, what happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the engine is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusDocument {
    /// The version of the document.
    pub version: u32,
    /// The version of the engine.
    pub engine: String,
    /// Whether a worker answers, or this is what the disk says.
    pub worker: bool,
    /// Its process number.
    pub pid: Option<u32>,
    /// When it started.
    pub started_wall_ns: Option<i64>,
    /// Nothing runs by itself.
    pub paused: bool,
    /// Nobody wants a worker.
    pub stopped: bool,
    /// What it costs.
    pub cost: Option<CostDocument>,
    /// Sessions that live.
    pub sessions: usize,
    /// Plans that are being carried out.
    pub running: Vec<RunningDocument>,
    /// Plans that could not be taken back.
    pub stuck: Vec<RunningDocument>,
    /// Changes under trial.
    pub trials: usize,
    /// The lever among them, as people say it. Versions before did not say.
    pub lever_on_trial: Option<String>,
    /// Why that waits, and sessions use the value in force alone; none while they compare.
    pub trial_waits: Option<String>,
    /// Plans carried out so far, by how they ended.
    pub outcomes: BTreeMap<String, u64>,
    /// What happened, the newest last.
    pub incidents: Vec<IncidentDocument>,
    /// What is kept in memory only, and why.
    pub memory_only: Option<String>,
    /// The generation of the state published to sessions.
    pub generation: Option<u64>,
    /// The time the history took to become durable last, in nanoseconds.
    pub history_sync_ns: Option<u64>,
}

/// What a process costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostDocument {
    /// Processor time so far, in nanoseconds.
    pub cpu_ns: u64,
    /// Private memory, in bytes.
    pub rss_anon_bytes: u64,
}

/// A plan that is being carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningDocument {
    /// Its number.
    pub id: u64,
    /// The task.
    pub task: String,
    /// Why.
    pub why: String,
    /// Who wanted it.
    pub who: String,
    /// When it began.
    pub began_wall_ns: i64,
    /// The step it is at.
    pub step: String,
    /// How it ended or is going to; none while that is open.
    pub outcome: Option<String>,
}

/// Something bad that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentDocument {
    /// When it was noticed.
    pub wall_ns: i64,
    /// The session concerned, by its sixteen hex digits.
    pub session: Option<String>,
    /// What happened.
    pub what: String,
    /// What is known about it.
    pub evidence: String,
}
