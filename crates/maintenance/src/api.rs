//! What can be asked of the engine, and what it answers: plain data, the same for the control socket, the command line
//! and hosts that embed it.
//!
//! Documents carry a `version`; fields are added, never renamed or removed, while it stays. `null` is unknown, with the
//! reason beside it where there is one. Times ending in `_wall_ns` are nanoseconds since 1970.

use std::collections::BTreeMap;

pub use crate::control::Fault;
use lle_core::error::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of every document.
pub const VERSION: u32 = 1;

/// Something that is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", content = "parameters")]
pub enum Request {
    /// How the engine is doing.
    Status,
    /// How the parts are doing.
    Health,
    /// What is measured.
    Metrics {
        /// Of one session only, by its sixteen hex digits.
        #[serde(default)]
        session: Option<String>,
    },
    /// What is done on a schedule.
    Tasks,
    /// Go on, after a stop or a pause.
    Start,
    /// End, and stay away until started.
    Stop,
    /// Do nothing by itself, or leave one task alone.
    Pause {
        /// The task; none is all.
        #[serde(default)]
        task: Option<String>,
    },
    /// Go on.
    Resume {
        /// The task; none is all.
        #[serde(default)]
        task: Option<String>,
    },
    /// Run a task now.
    Run {
        /// The task.
        task: String,
    },
    /// Cancel a task's run; a registered task that does not run is removed.
    Cancel {
        /// The task.
        task: String,
    },
    /// Register a task, or change one.
    Schedule(Box<ScheduleRequest>),
    /// Set how far an area may go by itself.
    SetMode {
        /// The area: a kind of task.
        area: String,
        /// The mode.
        mode: String,
    },
    /// What needs attention.
    Alerts,
    /// Somebody has seen an alert.
    Acknowledge {
        /// Its number.
        id: u64,
    },
    /// What was done.
    Audit {
        /// The first sequence number; none is the last records.
        #[serde(default)]
        from: Option<u64>,
        /// How many.
        #[serde(default)]
        limit: Option<u64>,
    },
    /// Is the audit log whole?
    Verify,
    /// The reviews that people do.
    Checklist,
    /// A review was done.
    SignOff {
        /// The item.
        item: String,
        /// What was found.
        #[serde(default)]
        note: Option<String>,
    },
    /// A start-up file is to say again what one of its versions said.
    RestoreRc {
        /// The file, as its versions name it.
        file: String,
        /// The version's number.
        number: u64,
    },
    /// Does the system keep what it promises?
    Validate,
    /// Look for what is slow and try a lever, as the task does on its schedule; or what is asked for instead.
    Optimize {
        /// Try this value, `LEVER=VALUE`.
        #[serde(default)]
        force: Option<String>,
        /// Active time it has, in milliseconds.
        #[serde(default)]
        within_ms: Option<u64>,
        /// Let this lever go back to its default.
        #[serde(default)]
        reset: Option<String>,
        /// End the trial that is open.
        #[serde(default)]
        withdraw: Option<bool>,
    },
    /// Levers, what would be worth turning, what is tried and what was.
    Trials,
    /// Configurations on trial, and what became of those that were.
    ConfigTrials,
    /// Keep the configuration on trial.
    ConfigConfirm {
        /// Its version; none is the one that is.
        #[serde(default)]
        version: Option<u64>,
    },
    /// Take note that a configuration is about to be applied for a while.
    ConfigArm {
        /// Tells what it says from what others say: sixteen hex digits.
        says: String,
        /// Active time that it has, in milliseconds.
        within_ms: u64,
    },
    /// Put a history back, take it as it is, or have it written down that somebody changes it.
    History {
        /// `restore`, `accept`, `scrub`, `import`, `merge`.
        what: String,
        /// Which: `log`, the default, or the path of a history file of bash's.
        #[serde(default)]
        which: Option<String>,
        /// What exactly.
        #[serde(default)]
        detail: Option<String>,
    },
    /// Have it written down that somebody does something to the backup, by hand, and what came of it.
    Backup {
        /// `create`, `restore`, `prune`, `key export`, `key import`, `key rotate`.
        what: String,
        /// What exactly.
        #[serde(default)]
        detail: Option<String>,
    },
    /// Have it written down that somebody recovers from a disaster by themselves.
    Recover {
        /// The scenario.
        scenario: String,
        /// What is done, or what it came to.
        #[serde(default)]
        detail: Option<String>,
    },
    /// What will be, and when something runs out.
    Forecast,
    /// What is unusual, and what changed.
    Anomalies,
    /// Which version this is.
    Version,
}

/// A task to be registered or changed. What is left out stays as it is, or as it is by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScheduleRequest {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// When: "every 30m", "0 2 * * SUN", "manual".
    pub schedule: Option<String>,
    /// The program and its arguments.
    pub command: Option<Vec<String>>,
    /// What runs after it, however it ended.
    pub cleanup: Option<Vec<String>>,
    /// What goes first.
    pub priority: Option<String>,
    /// How long one run may take, in milliseconds.
    pub budget_ms: Option<u64>,
    /// How often a failed run is tried again.
    pub retries: Option<u32>,
    /// Whether it runs by itself.
    pub enabled: Option<bool>,
}

impl Request {
    /// Reads a call of the control socket: the method without its interface, and its parameters.
    ///
    /// # Errors
    /// There is no such method, or the parameters are not what it takes.
    pub fn read(method: &str, parameters: Value) -> Result<Self, Fault> {
        let mut parameters = parameters;
        // A method without parameters is written without any.
        let empty = parameters.is_null() || parameters.as_object().is_some_and(serde_json::Map::is_empty);
        let plain = [
            "Status",
            "Health",
            "Tasks",
            "Start",
            "Stop",
            "Alerts",
            "Verify",
            "Checklist",
            "Validate",
            "Trials",
            "ConfigTrials",
            "Forecast",
            "Anomalies",
            "Version",
        ];
        let call = if plain.contains(&method) {
            serde_json::json!({ "method": method })
        } else {
            if empty {
                parameters = Value::Object(serde_json::Map::new());
            }
            serde_json::json!({ "method": method, "parameters": parameters })
        };
        serde_json::from_value(call)
            .map_err(|error| Fault::new(Code::InvalidParameters, format!("{method}: {error}")))
    }

    /// Wraps an answer as the control socket has it: a document stands beside its version.
    pub fn wrap(&self, answer: Value) -> Value {
        match self {
            Request::Verify => serde_json::json!({
                "intact": answer["whole"], "version": VERSION, "document": answer,
            }),
            Request::Status
            | Request::Health
            | Request::Metrics { .. }
            | Request::Tasks
            | Request::Alerts
            | Request::Audit { .. }
            | Request::Checklist
            | Request::Trials
            | Request::ConfigTrials
            | Request::Validate
            | Request::Forecast
            | Request::Anomalies => serde_json::json!({ "version": VERSION, "document": answer }),
            _ => answer,
        }
    }

    /// Takes the answer out of what the control socket sent.
    pub fn unwrap_answer(mut reply: Value) -> Value {
        match reply.get_mut("document") {
            Some(document) => document.take(),
            None => reply,
        }
    }

    /// The method and its parameters, as the control socket has them.
    pub fn write(&self) -> (String, Value) {
        let mut call = serde_json::to_value(self).unwrap_or_default();
        let method = call["method"].as_str().unwrap_or_default().to_owned();
        let parameters = call.get_mut("parameters").map(Value::take);
        (
            method,
            parameters.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        )
    }
}

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
}

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

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditDocument {
    /// The version of the document.
    pub version: u32,
    /// The records, oldest first.
    pub records: Vec<AuditRecord>,
}

/// One record of the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditRecord {
    /// Its number.
    pub sequence: u64,
    /// When.
    pub wall_ns: i64,
    /// Who: a user's number, and the process where there is one.
    pub who: String,
    /// What was done.
    pub operation: String,
    /// On what.
    pub target: String,
    /// Why.
    pub why: String,
    /// Before or after: "intent", "outcome", "refused".
    pub phase: String,
    /// How it ended.
    pub outcome: String,
    /// The plan it belongs to; 0 for none.
    pub plan: u64,
}

/// Whether the audit log is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyDocument {
    /// The version of the document.
    pub version: u32,
    /// Whether it is.
    pub whole: bool,
    /// Records read.
    pub records: u64,
    /// The number of the last one.
    pub last_sequence: u64,
    /// What is wrong, in words.
    pub problems: Vec<String>,
    /// What cannot be known, in words.
    pub remarks: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_written_is_read_back() {
        let requests = [
            Request::Status,
            Request::Metrics { session: None },
            Request::Pause {
                task: Some("backup".into()),
            },
            Request::Run {
                task: "backup".into(),
            },
            Request::Schedule(Box::new(ScheduleRequest {
                name: "tidy".into(),
                schedule: Some("every 1h".into()),
                command: Some(vec!["true".into()]),
                ..ScheduleRequest::default()
            })),
            Request::Acknowledge { id: 7 },
            Request::RestoreRc {
                file: "~/.bashrc".into(),
                number: 3,
            },
            Request::Audit {
                from: None,
                limit: Some(3),
            },
            Request::Backup {
                what: "prune".into(),
                detail: None,
            },
            Request::Version,
        ];
        for request in requests {
            let (method, parameters) = request.write();
            assert_eq!(Request::read(&method, parameters).unwrap(), request, "{method}");
        }
    }

    #[test]
    fn parameters_that_are_wrong_are_named() {
        let check = |method: &str, parameters: Value, expect: &str| {
            let fault = Request::read(method, parameters).unwrap_err();
            assert_eq!(fault.code, Code::InvalidParameters);
            assert!(fault.message.contains(expect), "{}", fault.message);
        };
        check("Run", serde_json::json!({}), "missing field `task`");
        check("Run", serde_json::json!({ "task": 1 }), "expected a string");
        check("Nonsense", Value::Null, "unknown variant `Nonsense`");
    }
}
