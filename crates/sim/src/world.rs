//! The world that the engine acts in: disk, sessions, jobs and two clocks, all of them simulated.
//!
//! ```text
//!  driver ─▸ Hands { may act? } ─▸ Engine ─▸ Disk, Host ─▸ World ─▸ disk, sessions, jobs
//!                                                 └ every call costs one of the worker's remaining lives; at zero it dies
//! ```
//!
//! Invariant: whatever an engine does to the world goes through [`Hands`], which know whether it may act at all and
//! write down what it must not do.

pub mod hands;

use std::collections::{BTreeMap, BTreeSet};

use lle_core::desired::Desired;
use lle_maintenance::world::{ConfigFound, JobEnd, Now};

use crate::disk::SimDisk;
use crate::files::SimFiles;
use crate::random::Random;
use crate::session::SimSession;
use hands::Hands;

/// After so long the engine no longer waits for the end of a job that it killed.
const GIVEN_UP_NS: u64 = 30_000_000_000;

/// What a worker that is killed unwinds with.
pub struct Killed;

/// A job.
#[derive(Clone, Debug)]
pub struct SimJob {
    /// When it ends by itself; none if it hangs.
    pub ends_ns: Option<u64>,
    /// Its end.
    pub status: Option<i32>,
    /// What it wrote last.
    pub words: String,
    killed: bool,
    /// When it was; the engine gives one up that does not end.
    killed_ns: u64,
}

/// The world.
pub struct World {
    /// Its randomness.
    pub random: Random,
    /// Both clocks.
    pub now: Now,
    /// The files.
    pub disk: SimDisk,
    /// The configuration's file and its versions; none in a world without.
    pub files: Option<SimFiles>,
    /// The sessions, dead ones whose files are there among them.
    pub sessions: Vec<SimSession>,
    /// Jobs by plan, in the order they were started; a plan that starts a second one before the first has ended has
    /// two.
    pub jobs: Vec<(u64, SimJob)>,
    /// What is published, as sessions read it.
    pub desired: Option<Desired>,
    /// Publishing fails.
    pub unpublishable: bool,
    /// What the configuration's files come to; none if there are none.
    pub config: Option<ConfigFound>,
    /// Calls into the world so far.
    pub calls: u64,
    /// The worker dies at this call.
    pub dies_at: Option<u64>,
    /// What no engine may do, in words.
    pub violations: Vec<String>,
    /// Plans whose intent is in the audit log: what they do, and why.
    pub intents: BTreeMap<u64, (String, String)>,
    /// Plans whose outcome is.
    pub outcomes: BTreeMap<u64, String>,
    /// Plans that had started a job.
    pub job_starts: BTreeMap<u64, u32>,
    /// Sessions that were woken since somebody asked.
    pub woken: BTreeSet<u64>,
    /// The last moments, for whoever has to understand a failure.
    pub trace: Vec<String>,
    /// Everything is traced, down to every call.
    pub verbose: bool,
    last_generation: u64,
}

impl World {
    /// An empty world at some moment.
    pub fn new(random: Random, now: Now) -> Self {
        Self {
            random,
            now,
            disk: SimDisk::default(),
            files: None,
            sessions: Vec::new(),
            jobs: Vec::new(),
            desired: None,
            unpublishable: false,
            config: None,
            calls: 0,
            dies_at: None,
            violations: Vec::new(),
            intents: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            job_starts: BTreeMap::new(),
            woken: BTreeSet::new(),
            trace: Vec::new(),
            verbose: false,
            last_generation: 0,
        }
    }

    /// Time passes; while suspended only the wall clock sees it.
    pub fn pass(&mut self, ns: u64, awake: bool) {
        self.now.wall_ns = self.now.wall_ns.saturating_add(ns.cast_signed());
        if awake {
            self.now.mono_ns += ns;
        }
    }

    /// Tells the trace.
    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        const TRACE_MAX: usize = 400;
        if self.trace.len() >= 2 * TRACE_MAX && !self.verbose {
            self.trace.drain(..TRACE_MAX);
        }
        let (wall, mono) = (self.now.wall_ns / 1_000_000, self.now.mono_ns / 1_000_000);
        self.trace
            .push(format!("[wall {wall} ms, mono {mono} ms] {}", what()));
    }

    /// Writes down what must not be.
    pub fn violate(&mut self, what: String) {
        self.tell(|| format!("VIOLATION {what}"));
        self.violations.push(what);
    }

    /// The worker's children die with it.
    pub fn worker_died(&mut self) {
        self.jobs.clear();
        self.dies_at = None;
    }

    /// Power is lost: sessions, jobs and the runtime folder with it, and what was not durable.
    pub fn lose_power(&mut self) {
        self.worker_died();
        self.sessions.clear();
        self.desired = None;
        self.last_generation = 0;
        self.disk.lose_power(&mut self.random);
        self.now.mono_ns = 1_000_000_000;
    }

    /// The runtime folder is removed, sessions or not.
    pub fn lose_runtime(&mut self) {
        self.desired = None;
        self.last_generation = 0;
    }

    /// Jobs that have ended by now.
    pub fn ended_jobs(&mut self) -> Vec<JobEnd> {
        let now = self.now.mono_ns;
        let over = |job: &SimJob| job.killed || job.ends_ns.is_some_and(|at| at <= now);
        let ended = self.jobs.extract_if(.., |(_, job)| over(job));
        let end = |(plan, job): (u64, SimJob)| JobEnd {
            plan,
            status: job.status.filter(|_| !job.killed),
            cpu_ns: 1_000_000,
            last_words: job.words,
        };
        ended.map(end).collect()
    }

    /// When the next job ends.
    pub fn next_job_ns(&self) -> Option<u64> {
        let ends = |(_, job): &(u64, SimJob)| {
            if job.killed {
                Some(self.now.mono_ns)
            } else {
                job.ends_ns
            }
        };
        self.jobs.iter().filter_map(ends).min()
    }

    /// The hands of an engine; those of one that only reads must change nothing.
    pub fn hands(&mut self, acts: bool) -> Hands<'_> {
        Hands { world: self, acts }
    }
}
