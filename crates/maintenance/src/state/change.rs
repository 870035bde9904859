//! One change of the state, and what the state is with it.
//!
//! Invariants:
//! - A change holds the new value of what changed, never a difference: taken over twice, or after one in between was lost,
//!   it still gives a state that was true once. Only what happened is added to what is there.
//! - Its name and those of its fields are the form of the log: what was written once is read by every later version.

use std::collections::BTreeMap;

use lle_core::alert::Alerts;
use lle_core::checklist::SignOff;
use lle_core::health::baseline::Baselines;
use lle_core::mode::Mode;
use lle_core::optimise::targets::Targets;
use lle_core::plan::Outcome;
use lle_core::series::blame;
use lle_core::series::forecast::score::Scorecard;
use lle_core::series::noticed::{Moved, Prompts, StartFiles};
use lle_core::trial::Ended;
use serde::{Deserialize, Serialize};

use super::{Armed, Durable, Incident, OpenTrial, Running, TaskState};

/// Incidents kept: what happened before is in the audit log.
const INCIDENTS_MAX: usize = 64;
/// Plans remembered because they could not be taken back; older ones are in the audit log.
const STUCK_MAX: usize = 64;
/// Trials of levers that are over and remembered, and as many of configurations: more than half a year of either; older ones
/// are in the audit log. Each kind has its own, or a week of edits would make the optimiser try again what it had rejected.
const TRIALS_ENDED_MAX: usize = 128;

/// One change, absolute.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Everything.
    Snapshot {
        /// The state.
        state: Box<Durable>,
    },
    /// The system was started here for the first time.
    Installed {
        /// When.
        wall_ns: i64,
    },
    /// A task is, or has become.
    Task {
        /// The task.
        task: Box<TaskState>,
    },
    /// A task is no more.
    TaskRemoved {
        /// Its name.
        name: String,
    },
    /// Everything is paused, or goes on.
    Paused {
        /// Whether.
        paused: bool,
    },
    /// An area has another mode.
    Mode {
        /// The area.
        area: String,
        /// The mode.
        mode: Mode,
    },
    /// A plan has begun or moved on; what its task has become with it.
    Running {
        /// The plan.
        running: Box<Running>,
        /// The task, when that changed too.
        task: Option<Box<TaskState>>,
    },
    /// A plan has ended; what its task has become with it.
    Ended {
        /// The plan.
        id: u64,
        /// How it ended.
        outcome: Outcome,
        /// The task, if it is still there.
        task: Option<Box<TaskState>>,
    },
    /// A change is on trial, or more is known about it.
    Trial {
        /// The trial.
        trial: Box<OpenTrial>,
    },
    /// A trial has ended.
    TrialEnded {
        /// Its number.
        id: u64,
        /// What it came to; none was written before levers were tried.
        #[serde(default)]
        ended: Option<Box<Ended>>,
    },
    /// Sessions are to use a value, or their own.
    Setting {
        /// The setting.
        name: String,
        /// The value.
        value: Option<String>,
    },
    /// A configuration has come into force.
    Config {
        /// It, as sessions read it.
        in_force: String,
    },
    /// A configuration is about to be applied for a while, or was.
    Armed {
        /// It.
        armed: Option<Armed>,
    },
    /// The baseline of performance was taken.
    Targets {
        /// It.
        targets: Box<Targets>,
    },
    /// Alerts were raised, shown, acknowledged or resolved.
    Alerts {
        /// All of them.
        alerts: Box<Alerts>,
    },
    /// What is normal has been learned.
    Baselines {
        /// All of them.
        baselines: Box<Baselines>,
    },
    /// Forecasts were made or scored.
    Scorecards {
        /// All of them, by metric.
        scorecards: BTreeMap<String, Scorecard>,
    },
    /// Something was changed that may make a series move.
    Noted {
        /// What.
        change: blame::Change,
    },
    /// A series moved.
    Moved {
        /// Which, when, and who may have done it.
        moved: Box<Moved>,
    },
    /// What the prompts of a session are like has become known, or it is gone.
    Prompts {
        /// Its sixteen hex digits.
        session: String,
        /// They; none without the session.
        prompts: Option<Box<Prompts>>,
    },
    /// Start-up files were changed, or more is known of what that did.
    StartFiles {
        /// All that is known.
        known: Box<StartFiles>,
    },
    /// Something bad happened.
    Incident {
        /// What.
        incident: Incident,
    },
    /// A review was signed off.
    SignedOff {
        /// The item.
        item: String,
        /// By whom, and when.
        sign_off: SignOff,
    },
}

impl Durable {
    /// Takes a change over.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Snapshot { state } => *self = *state,
            Change::Installed { wall_ns } => self.installed_wall_ns = wall_ns,
            Change::Task { task } => self.put(Some(task)),
            Change::TaskRemoved { name } => {
                self.tasks.remove(&name);
                self.modes.remove(&name);
            }
            Change::Paused { paused } => self.paused = paused,
            Change::Mode { area, mode } => drop(self.modes.insert(area, mode)),
            Change::Running { running, task } => {
                self.last_id = self.last_id.max(running.id);
                self.running.insert(running.id, *running);
                self.put(task);
            }
            Change::Ended { id, outcome, task } => {
                let ended = self.running.remove(&id);
                *self.outcomes.entry(outcome.name().to_owned()).or_default() += 1;
                if let (Outcome::Stuck { .. }, Some(mut running)) = (&outcome, ended) {
                    running.outcome = Some(outcome);
                    self.stuck.insert(id, running);
                    while self.stuck.len() > STUCK_MAX {
                        self.stuck.pop_first();
                    }
                }
                self.put(task);
            }
            Change::Trial { trial } => {
                self.last_id = self.last_id.max(trial.id);
                self.trials.insert(trial.id, trial.trial);
            }
            Change::TrialEnded { id, ended } => {
                self.trials.remove(&id);
                // Replayed twice, it ended once.
                self.trials_ended.retain(|known| known.id != id);
                if let Some(ended) = ended {
                    let is_config = ended.config.is_some();
                    self.trials_ended.push_back(*ended);
                    self.forget_trials(is_config);
                }
            }
            Change::Setting {
                name,
                value: Some(value),
            } => drop(self.settings.insert(name, value)),
            Change::Setting { name, value: None } => drop(self.settings.remove(&name)),
            Change::Config { in_force } => self.config = Some(in_force),
            Change::Armed { armed } => self.armed = armed,
            Change::Targets { targets } => self.targets = Some(*targets),
            Change::Alerts { alerts } => self.alerts = *alerts,
            Change::Baselines { baselines } => self.baselines = *baselines,
            Change::Scorecards { scorecards } => self.scorecards = scorecards,
            Change::Noted { change } => self.noticed.note(change),
            Change::Moved { moved } => self.noticed.moved(*moved),
            Change::Prompts {
                session,
                prompts: Some(prompts),
            } => self.noticed.prompts(&session, *prompts),
            Change::Prompts {
                session,
                prompts: None,
            } => drop(self.noticed.prompts.remove(&session)),
            Change::StartFiles { known } => self.noticed.start_files = *known,
            Change::Incident { incident } => {
                self.incidents.push_back(incident);
                while self.incidents.len() > INCIDENTS_MAX {
                    self.incidents.pop_front();
                }
            }
            Change::SignedOff { item, sign_off } => drop(self.sign_offs.insert(item, sign_off)),
        }
    }

    /// Forgets the oldest trials of a kind, beyond those that are remembered.
    fn forget_trials(&mut self, of_config: bool) {
        let is_one = |ended: &Ended| ended.config.is_some() == of_config;
        let mut beyond = self.trials_ended.iter().filter(|ended| is_one(ended)).count();
        self.trials_ended.retain(|ended| {
            let goes = beyond > TRIALS_ENDED_MAX && is_one(ended);
            beyond -= usize::from(goes);
            !goes
        });
    }

    fn put(&mut self, task: Option<Box<TaskState>>) {
        if let Some(task) = task {
            self.tasks.insert(task.task.name.clone(), *task);
        }
    }
}

#[cfg(test)]
mod tests {
    use lle_core::plan::{Action, Plan};

    use super::*;
    use crate::state::Phase;

    #[test]
    fn what_runs_survives_a_snapshot() {
        let running = |id| Running {
            id,
            plan: Plan {
                task: "backup".into(),
                why: "asked for".into(),
                steps: vec![lle_core::plan::Step {
                    action: Action::CheckHealth,
                    verify: lle_core::plan::Check::Published,
                    undo: None,
                }],
            },
            who: "engine".into(),
            began_wall_ns: 1,
            begun: 1,
            phase: Phase::Undoing,
            outcome: Some(Outcome::Cancelled),
        };
        let mut state = Durable::default();
        for id in [3, 12] {
            state.apply(Change::Running {
                running: Box::new(running(id)),
                task: None,
            });
        }
        let why = "no".to_owned();
        state.apply(Change::Ended {
            id: 3,
            outcome: Outcome::Stuck { step: 0, why },
            task: None,
        });
        let change = Change::Snapshot {
            state: Box::new(state.clone()),
        };
        let bytes = serde_json::to_vec(&change).unwrap();
        let mut again = Durable::default();
        again.apply(serde_json::from_slice(&bytes).unwrap());
        assert_eq!(format!("{again:?}"), format!("{state:?}"));
    }

    #[test]
    fn many_edits_do_not_push_trials_of_levers_out() {
        let ended = |id, config| Ended {
            id,
            wall_ns: 0,
            change: String::new(),
            lever: None,
            metric: String::new(),
            estimate: None,
            active_ns: 0,
            verdict: lle_core::trial::Verdict::Revert,
            why: String::new(),
            kept: false,
            config,
        };
        let of_config = lle_core::trial::ConfigEnded {
            version: 2,
            earlier: 1,
            keys: Vec::new(),
            taken_back: false,
            slower: None,
        };
        let mut state = Durable::default();
        let mut end = |id, config| {
            let ended = Some(Box::new(ended(id, config)));
            state.apply(Change::TrialEnded { id, ended });
            let of = |wanted: bool| {
                let kind = state
                    .trials_ended
                    .iter()
                    .filter(|ended| ended.config.is_some() == wanted);
                (kind.clone().count(), kind.map(|ended| ended.id).next())
            };
            (of(false), of(true))
        };
        end(1, None);
        for id in 2..1_000 {
            end(id, Some(of_config.clone()));
        }
        let most = TRIALS_ENDED_MAX;
        let oldest = 1_000 - most as u64;
        assert_eq!(end(1_000, None), ((2, Some(1)), (most, Some(oldest))));
        for id in 1_001..2_000 {
            end(id, None);
        }
        assert_eq!(
            end(2_000, None),
            ((most, Some(2_001 - most as u64)), (most, Some(oldest)))
        );
    }
}
