//! What the engine must not forget.
//!
//! ```text
//!  something happens ─▸ Change ─▸ StateLog::commit { append to state.log ▸ apply } ─▸ Durable
//!  an engine begins ────────────▸ StateLog::load { read state.log ▸ apply each } ───▸ Durable
//! ```
//!
//! Invariants:
//! - What was acknowledged came through a change, so that replaying the log gives it back. What is learned, and that an
//!   alert was seen again, is changed in place and written now and then: what is lost of it is found again.
//! - What is kept of the past has a limit.
//! - What was not written has its default, so that what an older version wrote is read.

mod change;
mod log;

use std::collections::{BTreeMap, VecDeque};

use lle_core::alert::Alerts;
use lle_core::checklist::SignOff;
use lle_core::health::baseline::Baselines;
use lle_core::mode::Mode;
use lle_core::optimise::targets::Targets;
use lle_core::plan::{Outcome, Plan};
use lle_core::schedule::Timing;
use lle_core::series::forecast::score::Scorecard;
use lle_core::series::noticed::Noticed;
use lle_core::task::Task;
use lle_core::task::ledger::Ledger;
use lle_core::task::statistics::Statistics;
use lle_core::trial::{Ended, Trial};
use serde::{Deserialize, Serialize};

pub use change::Change;
pub use log::{Loaded, StateLog};

/// A task with what has become of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskState {
    /// What it is.
    pub task: Task,
    /// When it ran and is to run.
    pub timing: Timing,
    /// How its runs went.
    #[serde(default)]
    pub statistics: Statistics,
    /// What they cost and gained.
    #[serde(default)]
    pub ledger: Ledger,
    /// It is not run by itself until resumed.
    #[serde(default)]
    pub paused: bool,
    /// Attempts of the run that is being retried.
    #[serde(default)]
    pub attempt: u32,
    /// When the run is tried again.
    #[serde(default)]
    pub retry_wall_ns: Option<i64>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Steps are applied.
    Applying,
    /// What began is taken back.
    Undoing,
    /// The task's cleanup runs.
    CleaningUp,
}

/// A plan that is being carried out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Running {
    /// Its number.
    pub id: u64,
    /// What is done.
    pub plan: Plan,
    /// Who wanted it.
    pub who: String,
    /// When it began.
    pub began_wall_ns: i64,
    /// Steps that have begun.
    pub begun: usize,
    /// Where it stands.
    pub phase: Phase,
    /// How it is going to end, once it is known.
    #[serde(default)]
    pub outcome: Option<Outcome>,
}

/// Something bad that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it was noticed.
    pub wall_ns: i64,
    /// The session concerned.
    pub session: Option<u64>,
    /// What happened.
    pub what: String,
    /// What is known about it.
    pub evidence: String,
}

/// A change under trial.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenTrial {
    /// Its number.
    pub id: u64,
    /// The trial.
    pub trial: Trial,
}

/// A configuration that is about to be applied for a while: it stays only if somebody says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// Tells what it says from what others say.
    pub says: String,
    /// Active time that it has, in nanoseconds.
    pub active_ns_max: u64,
    /// Who applies it.
    pub who: String,
    /// When that was asked for.
    pub wall_ns: i64,
}

/// Everything that must not be forgotten.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Durable {
    /// When the system was first started here; 0 before that.
    pub installed_wall_ns: i64,
    /// Nothing runs by itself.
    pub paused: bool,
    /// Every task, by name.
    pub tasks: BTreeMap<String, TaskState>,
    /// Modes that differ from those out of the box, by area.
    pub modes: BTreeMap<String, Mode>,
    /// Plans that are being carried out.
    #[serde(with = "by_number")]
    pub running: BTreeMap<u64, Running>,
    /// Plans that could not be taken back: somebody has to look.
    #[serde(with = "by_number")]
    pub stuck: BTreeMap<u64, Running>,
    /// Changes under trial.
    #[serde(with = "by_number")]
    pub trials: BTreeMap<u64, Trial>,
    /// Trials that are over, oldest first.
    pub trials_ended: VecDeque<Ended>,
    /// What performance was when it was taken as usual, and what it is to become.
    pub targets: Option<Targets>,
    /// Settings that sessions are to use.
    pub settings: BTreeMap<String, String>,
    /// The configuration in force, as sessions read it.
    pub config: Option<String>,
    /// A configuration that is about to be applied for a while.
    pub armed: Option<Armed>,
    /// Alerts.
    pub alerts: Alerts,
    /// What is normal here.
    pub baselines: Baselines,
    /// What happened, oldest first.
    pub incidents: VecDeque<Incident>,
    /// Reviews that were signed off, by item.
    pub sign_offs: BTreeMap<String, SignOff>,
    /// How forecasts did, by metric.
    pub scorecards: BTreeMap<String, Scorecard>,
    /// What was changed, what moved by it, and what is still suspected.
    pub noticed: Noticed,
    /// Plans carried out so far, by how they ended.
    pub outcomes: BTreeMap<String, u64>,
    /// The last number given to a plan, a trial or a request.
    pub last_id: u64,
}

impl Durable {
    /// A number not given out before.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// A map by number, as a list of pairs: JSON has only texts for keys, and they are not read back as numbers within a
/// record that says of itself which it is.
mod by_number {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        map: &BTreeMap<u64, T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<u64, T>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}
