//! The engine: one thread, one state, one loop over one closed set of events.
//!
//! ```text
//!  Tick ────▸ look at sessions ▸ assess ▸ alerts ▸ due tasks ▸ plan ▸ authorise ▸ execute { apply ▸ verify ▸ else undo }
//!  Request ─▸ authorise ▸ audit ▸ do ▸ answer                                       │
//!  JobDone ─▸ the step that waited for it                       publish what sessions are to do ▸ wake them
//! ```
//!
//! That a session has come or gone is no event of its own: a lock that is dropped tells nobody. It is found by
//! comparing two looks.
//!
//! Invariants:
//! - Nothing here waits: what takes long is a job, and its end is an event.
//! - Everything that changes the world goes through [`execute`], as an authorised plan, with an audit record before
//!   and after.
//! - Killed at any instant, the next engine finds in the log what had begun, and finishes it or takes it back.

mod answer;
mod audit;
mod backed_up;
mod changed;
mod commit;
mod committed;
mod config;
mod drilled;
mod evidence;
mod execute;
mod history;
mod host;
mod levers;
mod observe;
mod optimiser;
pub(crate) mod predict;
mod publish;
mod requests;
mod schedule;
mod suspects;
#[cfg(test)]
pub(crate) mod tests;
mod trials;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use jiff::tz::TimeZone;
use lle_core::health::assess::{Assessment, Thresholds};
use lle_core::policy::Policy;
use lle_core::task;

use crate::state::{Change, Durable, Loaded, StateLog, TaskState};
use crate::world::{CallEnd, Disk, File, JobEnd, Now, World};
use audit::trail::AuditTrail;
use execute::live::Live;
use observe::session::SessionState;
use observe::worker::WorkerState;

/// How often sessions are looked at while somebody uses one, in nanoseconds: an alert within a minute of use needs
/// several looks, and one costs 10 µs a session.
pub const LOOK_NS: u64 = 10 * SECOND_NS;
/// How often when nobody does.
pub const IDLE_LOOK_NS: u64 = 60 * SECOND_NS;
/// How often what was acknowledged is made durable while there is anything, in nanoseconds.
pub const SYNC_NS: u64 = SECOND_NS;
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// How often sessions are looked at, and when one counts as idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks while somebody is active, in nanoseconds.
    pub look_ns: u64,
    /// A session that nobody typed into for so long is idle, in nanoseconds.
    pub idle_ns: u64,
    /// A minute of use of `trial.active_minutes`, in nanoseconds.
    pub minute_ns: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look_ns: LOOK_NS,
            idle_ns: observe::IDLE_NS,
            minute_ns: 60 * SECOND_NS,
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// What the engine goes by has changed: its rules, or the time zone.
    Changed,
    /// A job has ended.
    JobDone(JobEnd),
    /// A call of the host's own code has returned.
    CallDone(CallEnd),
}

/// What the engine goes by and does not decide.
#[derive(Clone, Debug)]
pub struct Config {
    /// What may be done, by the system's word and the user's.
    pub policy: Policy,
    /// What is wrong with the files that say so: a finding.
    pub problems: Vec<String>,
    /// What is too slow, too large, too many.
    pub thresholds: Thresholds,
    /// The time zone of schedules.
    pub zone: TimeZone,
    /// The user who owns the engine.
    pub uid: u32,
}

/// The engine.
pub struct Engine {
    config: Config,
    pace: Pace,
    /// What must not be forgotten.
    state: Durable,
    log: StateLog,
    audit: AuditTrail,
    /// What was found when the log was read.
    loaded: Loaded,
    sessions: BTreeMap<u64, SessionState>,
    /// Sessions whose last words were recorded, until their files are gone, with the look that saw them last.
    buried: BTreeMap<u64, u64>,
    trials: trials::Hearing,
    commit: commit::Watching,
    /// Looks so far.
    looks: u64,
    live: BTreeMap<u64, Live>,
    assessment: Option<Assessment>,
    looked_at: Option<Now>,
    synced_at: u64,
    baselines_kept_at: u64,
    /// Up to when due tasks were looked at.
    due_wall_ns: i64,
    published: publish::Published,
    configured: config::Configured,
    /// Somebody was answered over the control socket.
    socket_answers: bool,
    history_sync_ns: Option<u64>,
    history_sync_failed: Option<String>,
    guarded: history::Guarded,
    /// What the last recovery drill came to.
    drilled: drilled::Drilled,
    /// Where the last snapshot went.
    backed_up: backed_up::BackedUp,
    refused_peers: audit::refusals::Refusals,
    /// Measurements of all live sessions, gathered when somebody asks.
    totals: evidence::Totals,
    /// When the engine wanted to be called again; how late it is says how much there is to do.
    expected_ns: u64,
    worker: WorkerState,
    /// Series that are watched: what is unusual, and what will be.
    predict: predict::Predict,
    prompts_kept: suspects::Kept,
    rc_looks: suspects::RcLooks,
    /// Tasks whose callbacks the program that embeds this engine has registered.
    hosted: BTreeSet<String>,
    started_wall_ns: i64,
    /// Whether this engine acts, or only answers from what is on disk.
    acts: bool,
    stopping: bool,
}

impl Engine {
    /// Reads back what is known and makes an engine that only answers.
    ///
    /// # Errors
    /// The state is there and cannot be read.
    pub fn load<W: World>(world: &mut W, config: Config, now: Now) -> io::Result<Self> {
        let writer = world.random();
        let (log, state, loaded) = StateLog::load(world, writer)?;
        let mut engine = Self {
            audit: AuditTrail::load(world, writer),
            config,
            pace: Pace::default(),
            state,
            log,
            loaded,
            sessions: BTreeMap::new(),
            buried: BTreeMap::new(),
            trials: trials::Hearing::default(),
            commit: commit::Watching::default(),
            looks: 0,
            live: BTreeMap::new(),
            assessment: None,
            looked_at: None,
            synced_at: now.mono_ns,
            baselines_kept_at: now.mono_ns,
            due_wall_ns: i64::MIN,
            published: publish::Published::default(),
            configured: config::Configured::default(),
            socket_answers: false,
            history_sync_ns: None,
            history_sync_failed: None,
            guarded: history::Guarded::default(),
            drilled: drilled::Drilled::default(),
            backed_up: backed_up::BackedUp::default(),
            refused_peers: audit::refusals::Refusals::default(),
            totals: evidence::Totals::default(),
            expected_ns: u64::MAX,
            worker: WorkerState::default(),
            predict: predict::Predict::default(),
            prompts_kept: suspects::Kept::default(),
            rc_looks: suspects::RcLooks::default(),
            hosted: BTreeSet::new(),
            started_wall_ns: now.wall_ns,
            acts: false,
            stopping: false,
        };
        engine.recall_configuration();
        engine.drilled.read(world);
        engine.backed_up.read(world);
        engine.add_tasks(now);
        Ok(engine)
    }

    /// Sets how often sessions are looked at: a test cannot wait for minutes.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Lets the engine act: finishes or takes back what an earlier one had begun.
    pub fn start<W: World>(&mut self, world: &mut W, now: Now) {
        self.acts = true;
        self.audit.begin(world, now);
        self.report_audit_damage(world, now);
        if self.state.installed_wall_ns == 0 {
            self.keep(world, now, Change::Installed { wall_ns: now.wall_ns });
        }
        self.published.resume(world);
        let given_out = self.published.alerts().map(|alert| alert.id).max();
        self.state.alerts.skip_to(given_out.unwrap_or(0));
        self.end_what_never_began(world, now);
        // Before anything is published anew: what was shown of the old state is not shown again.
        self.look(world, now);
        self.begin_configuration(world, now);
        self.resume(world, now);
        self.tick(world, now);
    }

    /// The tasks that come with the system and are not known yet, or have changed with this version.
    fn add_tasks(&mut self, now: Now) {
        for task in task::table() {
            let known = self.state.tasks.get(&task.name);
            let timing = known.map_or_else(
                || lle_core::schedule::first(&task.schedule, now.wall_ns, &self.config.zone),
                |known| known.timing.clone(),
            );
            let mut fresh = TaskState {
                timing,
                statistics: known.map(|known| known.statistics.clone()).unwrap_or_default(),
                ledger: known.map(|known| known.ledger).unwrap_or_default(),
                paused: known.is_some_and(|known| known.paused),
                attempt: known.map_or(0, |known| known.attempt),
                retry_wall_ns: known.and_then(|known| known.retry_wall_ns),
                task,
            };
            // What the user may change survives a new version; everything else is the version's.
            if let Some(known) = known {
                fresh.task.schedule = known.task.schedule.clone();
                fresh.task.priority = known.task.priority;
                fresh.task.budget_ms = known.task.budget_ms;
                fresh.task.retries = known.task.retries;
                fresh.task.description.clone_from(&known.task.description);
                fresh.task.enabled = known.task.enabled;
            }
            self.state.tasks.insert(fresh.task.name.clone(), fresh);
        }
    }

    /// Takes an event in.
    pub fn handle<W: World>(&mut self, world: &mut W, now: Now, event: Event) {
        match event {
            Event::Tick => self.tick(world, now),
            Event::Changed => {
                if self.acts {
                    // What is wrong with the rules is told at once.
                    self.look(world, now);
                }
                self.tick(world, now);
            }
            Event::JobDone(end) => self.job_done(world, now, &end),
            Event::CallDone(end) => self.call_done(world, now, end),
        }
    }

    fn tick<W: World>(&mut self, world: &mut W, now: Now) {
        if !self.acts {
            return;
        }
        if self.is_time_to_look(now) {
            self.look(world, now);
        }
        self.advance_all(world, now);
        if !self.stopping && !self.state.paused {
            self.run_due(world, now);
            self.update_targets(world, now);
        }
        if !self.stopping {
            // Paused or not: a configuration that is in force on trial locks nobody out. Levers wait.
            self.judge_trials(world, now);
        }
        self.publish(world, now);
        self.keep_learned(world, now);
        self.measure_disk(world, now);
        self.make_durable(world, now);
        world.after_all(now);
        self.expected_ns = self.wake_at(now);
    }

    fn is_time_to_look(&self, now: Now) -> bool {
        let every = match (self.waits_for_sessions(), self.somebody_is_active(now)) {
            // A session answers in its flight file.
            (true, _) => SECOND_NS,
            (false, true) => self.pace.look_ns,
            (false, false) => self.idle_look_ns(),
        };
        self.looked_at
            .is_none_or(|at| now.mono_ns.saturating_sub(at.mono_ns) >= every)
    }

    fn idle_look_ns(&self) -> u64 {
        IDLE_LOOK_NS.min(self.pace.look_ns.saturating_mul(IDLE_LOOK_NS / LOOK_NS))
    }

    /// Makes the histories and our own logs durable: within a second of being acknowledged.
    fn make_durable<W: World>(&mut self, world: &mut W, now: Now) {
        if now.mono_ns.saturating_sub(self.synced_at) < SYNC_NS {
            return;
        }
        self.synced_at = now.mono_ns;
        match world.sync_history() {
            Ok(took) => {
                self.history_sync_ns = took.or(self.history_sync_ns);
                self.history_sync_failed = None;
            }
            Err(error) => self.history_sync_failed = Some(error.to_string()),
        }
        self.guard_history(world, now);
        // What fails is tried again in a second; the state's own failures are said by its finding.
        let _again = self.log.recover(world, now, &self.state);
        if self.audit.failed.is_some() {
            self.audit.begin(world, now);
            self.record(world, now, &audit::Entry::noticed("audit", "it is tried again"));
        }
        let _again = self.log.sync(world);
        let _again = self.audit.sync(world);
    }

    /// Writes a change that the engine noticed by itself; without room on disk it is kept in memory, and said.
    fn keep(&mut self, world: &mut impl Disk, now: Now, change: Change) {
        if self
            .log
            .commit(world, now, &mut self.state, change.clone())
            .is_err()
        {
            self.state.apply(change);
        }
    }

    /// When the engine wants to be called again, on the monotonic clock.
    pub fn wake_at(&self, now: Now) -> u64 {
        let active = self.somebody_is_active(now);
        let looked = self.looked_at.map_or(0, |at| at.mono_ns);
        let look = looked.saturating_add(match active {
            true => self.pace.look_ns,
            false => self.idle_look_ns(),
        });
        // Whoever is active may append to the history, of which nobody tells; our own logs we know. What is in memory
        // only is written as soon as there is room.
        let failed = self.log.failed().is_some() || self.audit.failed.is_some();
        let own = failed || self.log.is_dirty() || self.audit.is_dirty();
        let sync = match active || own || self.history_is_touched() {
            true => self.synced_at.saturating_add(SYNC_NS),
            false => u64::MAX,
        };
        let due = self.next_due_ns(now);
        let live = self.next_deadline_ns(now);
        // What was acknowledged becomes durable, whether anybody types or not.
        let dirty = self.log.is_dirty() || self.audit.is_dirty();
        let sync = if dirty {
            self.synced_at.saturating_add(SYNC_NS)
        } else {
            sync
        };
        look.min(sync).min(due).min(live).max(now.mono_ns)
    }

    /// A session says that somebody types again. Whoever is known to be active already is looked at soon anyway.
    pub fn is_called<W: World>(&mut self, world: &mut W, now: Now) {
        if self.acts && !self.somebody_is_active(now) {
            self.look(world, now);
        }
    }

    /// Takes note that the control socket answers: somebody is being answered over it.
    pub fn answers_on_socket(&mut self) {
        self.socket_answers = true;
    }

    /// The runtime folder was removed: what sessions are to do is published again.
    pub fn publish_again(&mut self) {
        self.published.is_lost();
    }

    /// Whether the engine was told to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether a session lives.
    pub fn has_sessions(&self) -> bool {
        self.sessions.values().any(SessionState::is_alive)
    }

    /// What must not be forgotten, for tests and whoever shows it.
    pub fn durable(&self) -> &Durable {
        &self.state
    }

    /// Ends in good order: nothing is left half done.
    pub fn end<W: World>(&mut self, world: &mut W, now: Now) {
        self.stopping = true;
        self.cancel_all(world, now);
        // What was shown until now is not shown again by the next.
        self.collect(world, now);
        self.note_shown(world, now);
        self.keep_all_prompts(world, now);
        self.publish_nothing(world);
        world.after_all(now);
        let _last = self.log.sync(world);
        let _last = self.audit.sync(world);
    }

    /// Says, for all later sessions, that nobody wants a worker; or takes that back.
    fn set_stopped(&mut self, world: &mut impl Disk, stopped: bool) -> io::Result<()> {
        match stopped {
            true => {
                world.replace(File::Stopped, b"lusush maint start\n")?;
                world.sync(File::Stopped)
            }
            false => world.remove(File::Stopped),
        }
    }
}
