//! What the engine must not forget, and the log it is replayed from.
//!
//! File strategy: one framed log. A change is one record, appended with one write, and holds the new value of what
//! changed, never a difference: replaying one twice, or after losing one in between, still gives a state that was
//! true once. When the log has grown, a new one that begins with a snapshot takes its place by rename.
//!
//! Invariants:
//! - What is acknowledged is in the log. A change that cannot be written is either refused (what somebody asked for)
//!   or kept in memory and said (what the engine noticed by itself).
//! - Damage costs the records it hit and nothing else: it is counted, and the next snapshot leaves it behind.
//! - What a newer version wrote and this one does not know is not lost: before the first snapshot the log is copied to
//!   `state.log.newer`, of which there is one, the last.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use lle_core::alert::Alerts;
use lle_core::checklist::SignOff;
use lle_core::health::baseline::Baselines;
use lle_core::mode::Mode;
use lle_core::optimise::targets::Targets;
use lle_core::plan::{Outcome, Plan};
use lle_core::schedule::Timing;
use lle_core::series::blame;
use lle_core::series::forecast::score::Scorecard;
use lle_core::series::noticed::{Moved, Noticed, Prompts, StartFiles};
use lle_core::task::Task;
use lle_core::task::ledger::Ledger;
use lle_core::task::statistics::Statistics;
use lle_core::trial::{Ended, Trial};
use lle_log::records::{self, Entry, LogKind};
use serde::{Deserialize, Serialize};

use crate::world::{Disk, File, Now};

/// Bytes of log beyond which a snapshot takes its place: some thousand changes, read in a few milliseconds.
pub(crate) const LOG_BYTES_MAX: usize = 1024 * 1024;
/// Incidents kept: what happened before is in the audit log.
pub(crate) const INCIDENTS_MAX: usize = 64;
/// Plans remembered because they could not be taken back; older ones are in the audit log.
pub(crate) const STUCK_MAX: usize = 64;
/// Trials that are over and remembered: more than half a year of them; older ones are in the audit log.
pub(crate) const TRIALS_ENDED_MAX: usize = 128;
/// Bits of the number after which a new state begins to count: a session that outlives the state still shows the trial
/// that it last compared lines for, and must not be heard in another of the same number. No more, since people read them.
const FIRST_ID_BITS: u32 = 16;
/// Kind of every record: what it holds is in the record itself, by name.
const CHANGE: u8 = 1;

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
                self.trials_ended.extend(ended.map(|ended| *ended));
                while self.trials_ended.len() > TRIALS_ENDED_MAX {
                    self.trials_ended.pop_front();
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

    fn put(&mut self, task: Option<Box<TaskState>>) {
        if let Some(task) = task {
            self.tasks.insert(task.task.name.clone(), *task);
        }
    }

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

/// What was found when the log was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Changes replayed.
    pub changes: u64,
    /// Stretches that were no record.
    pub damaged: u64,
    /// Records that say something this version does not know: a newer one wrote them.
    pub unknown: u64,
}

/// The log of changes, and where it stands.
#[derive(Debug, Default)]
pub struct StateLog {
    bytes: usize,
    sequence: u64,
    writer: u64,
    /// The last append failed, and with what: what came after is in memory only.
    pub failed: Option<String>,
    dirty: bool,
    /// The log has records of a newer version, and no copy of it was made yet.
    newer: bool,
}

impl StateLog {
    /// Reads the state back; `writer` is random, and where nothing can be read, numbers begin with it.
    ///
    /// # Errors
    /// The file is there and cannot be read, or is something else.
    pub fn load(disk: &mut impl Disk, writer: u64) -> io::Result<(Self, Durable, Loaded)> {
        let mut state = Durable::default();
        let mut loaded = Loaded::default();
        let mut log = StateLog {
            writer,
            ..Self::default()
        };
        let Some(bytes) = disk.read(File::State)? else {
            state.last_id = first_id(writer);
            return Ok((log, state, loaded));
        };
        let read = records::read(&bytes, LogKind::State).map_err(io::Error::other)?;
        for entry in &read.entries {
            match serde_json::from_slice(entry.payload) {
                Ok(change) => {
                    loaded.unknown += u64::from(!knows_all(entry.payload, &change));
                    state.apply(change);
                    loaded.changes += 1;
                }
                // Its checksum holds: it is as it was written.
                Err(_) => loaded.unknown += 1,
            }
            log.sequence = log.sequence.max(entry.sequence);
        }
        if loaded.changes == 0 {
            state.last_id = first_id(writer);
        }
        loaded.damaged += read.damage.len() as u64;
        log.bytes = bytes.len();
        log.newer = loaded.unknown > 0;
        // Whoever wrote it may have been killed before it was durable.
        log.dirty = true;
        Ok((log, state, loaded))
    }

    /// Writes a change and takes it over.
    ///
    /// # Errors
    /// It was not written, and not taken over.
    pub fn commit(
        &mut self,
        disk: &mut impl Disk,
        now: Now,
        state: &mut Durable,
        change: Change,
    ) -> io::Result<()> {
        let result = self.write(disk, now, state, &change);
        self.failed = result.as_ref().err().map(ToString::to_string);
        result?;
        state.apply(change);
        if self.bytes > LOG_BYTES_MAX {
            // Failing that, the log grows on: the next change tries again.
            let _grows = self.snapshot(disk, now, state);
        }
        Ok(())
    }

    fn write(&mut self, disk: &mut impl Disk, now: Now, state: &Durable, change: &Change) -> io::Result<()> {
        // After a failure nobody knows what the file holds: a snapshot puts an end to doubt.
        if self.bytes == 0 || self.failed.is_some() {
            self.snapshot(disk, now, state)?;
        }
        let mut record = Vec::new();
        self.encode(&mut record, now, change)?;
        disk.append(File::State, &record)?;
        self.bytes += record.len();
        self.dirty = true;
        Ok(())
    }

    /// Lets the log begin anew with all there is.
    ///
    /// # Errors
    /// The log is as it was.
    pub fn snapshot(&mut self, disk: &mut impl Disk, now: Now, state: &Durable) -> io::Result<()> {
        let mut bytes = records::header(LogKind::State, self.writer, now.wall_ns).to_vec();
        // One record for each task, since all together may be longer than a record.
        let mut rest = state.clone();
        let tasks = std::mem::take(&mut rest.tasks);
        self.encode(
            &mut bytes,
            now,
            &Change::Snapshot {
                state: Box::new(rest),
            },
        )?;
        for task in tasks.into_values() {
            self.encode(&mut bytes, now, &Change::Task { task: Box::new(task) })?;
        }
        if self.newer {
            let old = disk.read(File::State)?.unwrap_or_default();
            disk.replace(File::StateAside, &old)?;
            self.newer = false;
        }
        disk.replace(File::State, &bytes)?;
        self.bytes = bytes.len();
        self.dirty = true;
        Ok(())
    }

    fn encode(&mut self, out: &mut Vec<u8>, now: Now, change: &Change) -> io::Result<()> {
        let payload = serde_json::to_vec(change)?;
        self.sequence += 1;
        let entry = Entry {
            at: 0,
            kind: CHANGE,
            sequence: self.sequence,
            writer: self.writer,
            time_ns: now.wall_ns,
            payload: &payload,
        };
        records::encode(out, &entry).map_err(io::Error::other)
    }

    /// Writes down what was kept in memory for want of room, as soon as there is some.
    ///
    /// # Errors
    /// There is still none.
    pub fn recover(&mut self, disk: &mut impl Disk, now: Now, state: &Durable) -> io::Result<()> {
        if self.failed.is_some() {
            let result = self.snapshot(disk, now, state);
            self.failed = result.as_ref().err().map(ToString::to_string);
            result?;
        }
        Ok(())
    }

    /// Whether anything was written that is not durable yet.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Makes what was written durable, if anything was.
    ///
    /// # Errors
    /// It may not be; the next call tries again.
    pub fn sync(&mut self, disk: &mut impl Disk) -> io::Result<()> {
        if self.dirty {
            disk.sync(File::State)?;
            self.dirty = false;
        }
        Ok(())
    }
}

/// The number after which a new state begins to count.
const fn first_id(random: u64) -> u64 {
    random >> (u64::BITS - FIRST_ID_BITS)
}

/// Whether a snapshot holds nothing but what this version knows. A newer one may have added to it.
fn knows_all(payload: &[u8], change: &Change) -> bool {
    let Change::Snapshot { .. } = change else {
        return true;
    };
    let fields = |value: serde_json::Value| match value {
        serde_json::Value::Object(fields) => Some(fields),
        _ => None,
    };
    let written = serde_json::from_slice::<serde_json::Value>(payload).ok();
    let written = written.and_then(|mut written| fields(written["snapshot"]["state"].take()));
    let known = serde_json::to_value(Durable::default()).ok().and_then(fields);
    let known = known.unwrap_or_default();
    written.is_none_or(|written| written.keys().all(|name| known.contains_key(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real::Places;
    use crate::real::disk::RealDisk;
    use lle_core::plan::Action;

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
    /// Writes a log of a snapshot and another record, as JSON.
    fn written(disk: &mut RealDisk, records: &[&str]) {
        let mut bytes = records::header(LogKind::State, 1, 0).to_vec();
        for (sequence, payload) in (1..).zip(records) {
            let entry = Entry {
                at: 0,
                kind: CHANGE,
                sequence,
                writer: 1,
                time_ns: 0,
                payload: payload.as_bytes(),
            };
            records::encode(&mut bytes, &entry).unwrap();
        }
        disk.replace(File::State, &bytes).unwrap();
    }

    #[test]
    fn a_state_of_before_changes_were_kept_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| folder.path().join(name);
        let places = Places::below(&below("s"), &below("d"), &below("c"), &below("r"), "m");
        let mut disk = RealDisk::open(&places, true).unwrap();
        written(
            &mut disk,
            &[r#"{"snapshot":{"state":{"installed_wall_ns":7,"last_id":3}}}"#],
        );
        let (mut log, mut state, loaded) = StateLog::load(&mut disk, 1).unwrap();
        assert_eq!((loaded.unknown, &state.noticed), (0, &Noticed::default()));
        let change = blame::Change {
            at_ns: 5,
            what: "a line".into(),
            kind: blame::ChangeKind::Rc,
            session: None,
        };
        log.commit(&mut disk, Now::default(), &mut state, Change::Noted { change })
            .unwrap();
        let prompts = Some(Box::default());
        let session = "00000000000000ff".to_owned();
        log.commit(
            &mut disk,
            Now::default(),
            &mut state,
            Change::Prompts { session, prompts },
        )
        .unwrap();
        // By its records, and by a snapshot.
        for _ in 0..2 {
            let (mut log, again, loaded) = StateLog::load(&mut disk, 1).unwrap();
            assert_eq!((loaded.unknown, &again.noticed), (0, &state.noticed));
            assert_eq!((again.installed_wall_ns, again.noticed.prompts.len()), (7, 1));
            log.snapshot(&mut disk, Now::default(), &again).unwrap();
        }
    }

    #[test]
    fn a_new_state_counts_from_a_random_number() {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| folder.path().join(name);
        let places = Places::below(&below("s"), &below("d"), &below("c"), &below("r"), "m");
        let mut disk = RealDisk::open(&places, true).unwrap();
        let mut check = |random: u64, expect: u64| {
            let (mut log, mut state, _) = StateLog::load(&mut disk, random).unwrap();
            assert_eq!(state.next_id(), expect);
            let change = Change::Paused { paused: true };
            log.commit(&mut disk, Now::default(), &mut state, change).unwrap();
        };
        check(u64::MAX, 1 << FIRST_ID_BITS);
        // From then on it is known.
        check(1 << 63, (1 << FIRST_ID_BITS) + 1);
        // Lost, or nothing of it can be read.
        disk.remove(File::State).unwrap();
        let mut check = |random: u64, expect: u64| {
            let (_, mut state, _) = StateLog::load(&mut disk, random).unwrap();
            assert_eq!(state.next_id(), expect);
            let header = records::header(LogKind::State, 1, 0);
            disk.replace(File::State, &[&header[..], b"rubbish"].concat())
                .unwrap();
        };
        check(1 << 63, (1 << (FIRST_ID_BITS - 1)) + 1);
        check(3 << 62, (3 << (FIRST_ID_BITS - 2)) + 1);
    }

    #[test]
    fn what_a_newer_version_wrote_is_kept_aside_before_it_would_be_lost() {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| folder.path().join(name);
        let places = Places::below(&below("s"), &below("d"), &below("c"), &below("r"), "m");
        let mut disk = RealDisk::open(&places, true).unwrap();
        let mut check = |records: &[&str], unknown: u64| {
            written(&mut disk, records);
            let newer = disk.read(File::State).unwrap();
            let _none = disk.remove(File::StateAside);
            let (mut log, mut state, loaded) = StateLog::load(&mut disk, 1).unwrap();
            assert_eq!((loaded.unknown, loaded.damaged), (unknown, 0), "{records:?}");
            let change = Change::Paused { paused: true };
            log.commit(&mut disk, Now::default(), &mut state, change).unwrap();
            assert_eq!(disk.read(File::StateAside).unwrap(), None, "nothing is lost yet");
            log.snapshot(&mut disk, Now::default(), &state).unwrap();
            let aside = disk.read(File::StateAside).unwrap();
            assert_eq!(aside.is_some(), unknown > 0, "{records:?}");
            if let (Some(aside), Some(newer)) = (aside, newer) {
                assert!(aside.starts_with(&newer));
            }
            // The rest was understood, and there is one copy, of the last time.
            let (_, state, loaded) = StateLog::load(&mut disk, 1).unwrap();
            assert!(state.paused && state.installed_wall_ns == 7);
            assert_eq!(loaded.unknown, 0);
        };
        let installed = r#"{"installed":{"wall_ns":7}}"#;
        check(&[installed], 0);
        check(&[installed, r#"{"moon-phase":{"phase":3}}"#], 1);
        check(&[r#"{"snapshot":{"state":{"installed_wall_ns":7}}}"#], 0);
        check(
            &[r#"{"snapshot":{"state":{"installed_wall_ns":7,"moon_phase":3}}}"#],
            1,
        );
    }
}
