//! What can be asked of the engine, and what it answers: plain data, the same for the control socket, the command line
//! and hosts that embed it.
//!
//! Documents carry a `version`; fields are added, never renamed or removed, while it stays. `null` is unknown, with the
//! reason beside it where there is one. Times ending in `_wall_ns` are nanoseconds since 1970. What is asked for stands
//! here, what is answered in the modules.

pub mod audit;
pub mod config_trials;
pub mod status;
pub mod tasks;
pub mod trials;

pub use crate::control::Fault;
use lle_core::error::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of every document.
pub const VERSION: u32 = 1;

/// What [`Request::Recover`] says before the first step; whatever else it says, the recovery has ended.
pub const RECOVERY_BEGINS: &str = "begins";

/// How to get a worker where there is none: after a stop none comes by itself.
pub const fn how_to_get_a_worker(is_stopped: bool) -> &'static str {
    if is_stopped {
        "it was stopped, and no session starts another: `lusush maint start` does"
    } else {
        "`lusush maint start` starts one; so does the next prompt of a session"
    }
}

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
        /// [`RECOVERY_BEGINS`], or what it came to.
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
