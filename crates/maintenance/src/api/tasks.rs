//! Tasks: what is done on a schedule, and how that went.

use serde::{Deserialize, Serialize};

/// What is done on a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TasksDocument {
    /// The version of the document.
    pub version: u32,
    /// When this was put together.
    pub now_wall_ns: i64,
    /// Every task.
    pub tasks: Vec<TaskDocument>,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskDocument {
    /// Its name.
    pub name: String,
    /// The kind; none for one that was registered.
    pub kind: Option<String>,
    /// What it is for.
    pub description: String,
    /// What goes first.
    pub priority: String,
    /// When.
    pub schedule: String,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// How far it may go by itself.
    pub mode: String,
    /// Whether it does something in this version.
    pub built: bool,
    /// Whether it runs now.
    pub running: bool,
    /// When it runs next.
    pub next_wall_ns: Option<i64>,
    /// When it ran last.
    pub last_wall_ns: Option<i64>,
    /// How that ended.
    pub last_outcome: Option<String>,
    /// What was said about it.
    pub last_note: Option<String>,
    /// Runs that did something.
    pub runs: u64,
    /// Those that succeeded.
    pub successes: u64,
    /// Those that failed.
    pub failures: u64,
    /// Runs that found nothing to do.
    pub nothing_to_do: u64,
    /// Runs that were due while the substance was not built.
    pub not_built: u64,
    /// The mean duration of a run, in nanoseconds.
    pub mean_ns: Option<u64>,
    /// The longest, in nanoseconds.
    pub longest_ns: Option<u64>,
    /// How long one run may take, in milliseconds.
    pub budget_ms: u64,
    /// Processor time spent, in nanoseconds.
    pub cost_cpu_ns: u64,
    /// Memory gained, in bytes.
    pub gained_bytes: i64,
}
