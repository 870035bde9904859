//! Plans: what is going to be done, decided before anything is.
//!
//! ```text
//!  plan ─▸ authorise ─▸ intent written ─▸ step 1: apply ▸ verify ─▸ step 2 … ─▸ applied
//!                                            └ fails ─▸ undo what began, last first ─▸ undone, or stuck and named
//! ```
//!
//! Invariants:
//! - An action is absolute and idempotent: doing it twice is doing it once. So is an undo: it names the state to go
//!   back to and never "the one before", because after a crash nobody knows how often it ran.
//! - What cannot be undone stands last in a plan: [`Plan::check`] refuses any other order.

use serde::{Deserialize, Serialize};

/// Steps of one plan. A thousand idle sessions to trim are more than one plan.
pub const STEPS_MAX: usize = 64;

/// One thing that is done to the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Looks at every metric and says how the parts are doing.
    CheckHealth,
    /// Asks an idle session to give memory back that it does not use.
    TrimSession {
        /// The session.
        session: u64,
        /// Tells this request from earlier ones: the session answers with it.
        token: u64,
    },
    /// Makes a log go on in the segment of that number.
    OpenSegment {
        /// The log.
        log: LogName,
        /// The segment to go on in.
        segment: u32,
    },
    /// Removes the segments of a log below that number.
    RemoveSegmentsBelow {
        /// The log.
        log: LogName,
        /// The first segment that is kept.
        segment: u32,
    },
    /// Makes sessions use a value for a setting, or their own default.
    UseSetting {
        /// The setting.
        name: String,
        /// The value; none is the default.
        value: Option<String>,
    },
    /// Brings what the configuration's files say into force, if it is sound and new.
    SyncConfig,
    /// Lets sessions compare a value of a lever with the one in force.
    OpenTrial {
        /// The trial's number.
        trial: u64,
        /// The lever.
        lever: String,
        /// The value that is tried.
        value: String,
        /// Active time it has, in nanoseconds.
        active_ns_max: u64,
        /// A person asked for it.
        forced: bool,
    },
    /// Ends a trial without a verdict, if it is open.
    WithdrawTrial {
        /// The trial's number.
        trial: u64,
    },
    /// Runs a program as a job.
    RunCommand {
        /// The program and its arguments.
        command: Vec<String>,
        /// How long it may take, in milliseconds.
        budget_ms: u64,
    },
    /// Calls what the program that embeds the engine registered for the plan's task.
    CallHost {
        /// The task.
        task: String,
    },
}

/// A log whose segments are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogName {
    /// What was done, by whom and why.
    Audit,
}

impl Action {
    /// Whether the action leaves something behind that no other action takes back.
    pub const fn is_irreversible(&self) -> bool {
        matches!(
            self,
            Action::RemoveSegmentsBelow { .. } | Action::RunCommand { .. } | Action::CallHost { .. }
        )
    }

    /// Whether the world answers later, so that the step waits.
    pub const fn waits(&self) -> bool {
        matches!(
            self,
            Action::TrimSession { .. } | Action::RunCommand { .. } | Action::CallHost { .. }
        )
    }

    /// Whether a plan goes on without it: what one session does not answer is no reason to leave the others out.
    pub const fn may_be_missed(&self) -> bool {
        matches!(self, Action::TrimSession { .. })
    }

    /// What it does, in a few words.
    pub fn about(&self) -> String {
        match self {
            Action::CheckHealth => "check health".into(),
            Action::TrimSession { session, .. } => format!("trim session {session:016x}"),
            Action::OpenSegment { log, segment } => format!("continue {} in segment {segment}", log.name()),
            Action::RemoveSegmentsBelow { log, segment } => {
                format!("remove segments of {} before {segment}", log.name())
            }
            Action::UseSetting {
                name,
                value: Some(value),
            } => format!("use {name} = {value}"),
            Action::SyncConfig => "bring the configuration into force".into(),
            Action::OpenTrial { lever, value, .. } => format!("try {lever} = {value}"),
            Action::WithdrawTrial { trial } => format!("withdraw trial {trial}"),
            Action::UseSetting { name, value: None } => format!("use the default of {name}"),
            Action::RunCommand { command, .. } => format!("run {}", command.join(" ")),
            Action::CallHost { task } => format!("call the host's {task}"),
        }
    }
}

impl LogName {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            LogName::Audit => "audit",
        }
    }
}

/// What must hold after an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// That it was accepted is enough.
    Accepted,
    /// The session answered with the token, within so many milliseconds.
    SessionAnswered {
        /// How long it may take.
        within_ms: u64,
    },
    /// The log goes on in the segment, and its chain holds.
    SegmentOpen,
    /// The segments are gone.
    SegmentsGone,
    /// The published state has the value, or the trial.
    Published,
    /// The program ended with status 0.
    ExitZero,
    /// The host's callback returned, and said that it did what it is for.
    Returned,
}

/// One action, how to see that it held, and how to go back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// What must hold then.
    pub verify: Check,
    /// What takes it back; none if there is nothing to take back.
    pub undo: Option<Action>,
}

/// What is going to be done, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The task it is a run of.
    pub task: String,
    /// Why, for people and the audit.
    pub why: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// What a planner came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planned {
    /// This is to be done.
    Do(Plan),
    /// Nothing is, and why.
    Nothing(String),
    /// The substance of the task comes with a later version; neither a success nor a failure.
    NotBuilt,
}

/// Why a plan must not be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// It has no step.
    Empty,
    /// It has more than [`STEPS_MAX`].
    TooLong,
    /// A step that can be undone stands behind one that cannot.
    IrreversibleTooEarly {
        /// The irreversible one.
        step: usize,
    },
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PlanError::Empty => out.write_str("the plan has no step"),
            PlanError::TooLong => write!(out, "the plan has more than {STEPS_MAX} steps"),
            PlanError::IrreversibleTooEarly { step } => {
                write!(out, "step {} cannot be undone, and others follow it", step + 1)
            }
        }
    }
}

impl std::error::Error for PlanError {}

impl Plan {
    /// Checks the plan's shape.
    ///
    /// # Errors
    /// It is empty, too long, or does something irreversible before its end.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.steps.is_empty() {
            return Err(PlanError::Empty);
        }
        if self.steps.len() > STEPS_MAX {
            return Err(PlanError::TooLong);
        }
        let early = self.steps.iter().position(|step| step.action.is_irreversible());
        let all_after = |from: usize| {
            self.steps
                .iter()
                .skip(from)
                .all(|step| step.action.is_irreversible())
        };
        match early {
            Some(step) if !all_after(step) => Err(PlanError::IrreversibleTooEarly { step }),
            _ => Ok(()),
        }
    }
}

/// How a plan ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every step was applied and held.
    Applied,
    /// A step failed, and everything that had begun was taken back.
    Undone {
        /// Why it was.
        why: String,
    },
    /// A step failed, and an undo did too: the state is named, and somebody has to look.
    Stuck {
        /// The step whose undo failed, from 0.
        step: usize,
        /// Why.
        why: String,
    },
    /// It failed before anything had to be taken back.
    Failed {
        /// Why.
        why: String,
    },
    /// It took longer than it may; what had begun was taken back.
    TimedOut,
    /// Somebody cancelled it; what had begun was taken back.
    Cancelled,
}

impl Outcome {
    /// Whether the plan was applied.
    pub fn is_success(&self) -> bool {
        matches!(self, Outcome::Applied)
    }

    /// The stable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Applied => "applied",
            Outcome::Undone { .. } => "undone",
            Outcome::Stuck { .. } => "stuck",
            Outcome::Failed { .. } => "failed",
            Outcome::TimedOut => "timed out",
            Outcome::Cancelled => "cancelled",
        }
    }

    /// Why it did not succeed; empty if it did or the name says it all.
    pub fn why(&self) -> &str {
        match self {
            Outcome::Undone { why } | Outcome::Stuck { why, .. } | Outcome::Failed { why } => why,
            Outcome::Applied | Outcome::TimedOut | Outcome::Cancelled => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: Action) -> Step {
        Step {
            action,
            verify: Check::Accepted,
            undo: None,
        }
    }

    #[test]
    fn what_cannot_be_undone_stands_last() {
        fn check(actions: &[Action], expect: Result<(), PlanError>) {
            let plan = Plan {
                task: "t".into(),
                why: "w".into(),
                steps: actions.iter().cloned().map(step).collect(),
            };
            assert_eq!(plan.check(), expect, "{actions:?}");
        }
        let open = Action::OpenSegment {
            log: LogName::Audit,
            segment: 2,
        };
        let remove = Action::RemoveSegmentsBelow {
            log: LogName::Audit,
            segment: 1,
        };
        check(&[], Err(PlanError::Empty));
        check(&[open.clone(), remove.clone()], Ok(()));
        check(&[remove.clone(), remove.clone()], Ok(()));
        check(&[remove, open], Err(PlanError::IrreversibleTooEarly { step: 0 }));
        check(&vec![Action::CheckHealth; STEPS_MAX + 1], Err(PlanError::TooLong));
    }
}
