//! One seed: a scenario, some dozens of events, and what must hold after each.
//!
//! ```text
//!  seed ─▸ shape ─▸ event ─▸ engine ─▸ checks ─▸ event … ─▸ faults stop ─▸ everything ends ─▸ checks
//!                     └ type, ask, fail, kill, cut power, suspend, set the clock, …
//! ```

mod asking;
mod checking;
mod misfortunes;
mod proposing;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jiff::tz::TimeZone;
use lle_core::health::assess::Thresholds;
use lle_core::policy::Policy;
use lle_maintenance::api::Request;
use lle_maintenance::engine::{Config, Engine, Event};
use lle_maintenance::world::{File, Now};
use lle_metrics::Liveness;

use crate::check;
use crate::model::Model;
use crate::random::Random;
use crate::session::{Nature, SimSession};
use crate::turning::Turning;
use crate::world::hands::Hands;
use crate::world::{Killed, World};

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
const UID: u32 = 1000;
/// Events of one seed.
const EVENTS: u64 = 60;
const SESSIONS_MAX: usize = 5;
/// Names of settings that plans change.
const SETTINGS: [&str; 4] = ["one", "two", "three", "four"];
/// Zones whose clocks change, some by half an hour, on either half of the earth.
const ZONES: &[&str] = &[
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
];

/// How a seed is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Everything is printed, down to every call into the world.
    pub verbose: bool,
    /// Plans are put together whose undo names another state than the one before. Somebody has to notice.
    pub broken_undo: bool,
}

/// A seed that failed.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The event at which it did.
    pub step: u64,
    /// What was violated.
    pub violations: Vec<String>,
    /// The last moments.
    pub trace: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let from = self.trace.len().saturating_sub(60);
        for line in &self.trace[from..] {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "seed {} failed at step {}:", self.seed, self.step)?;
        for violation in &self.violations {
            writeln!(out, "  {violation}")?;
        }
        write!(
            out,
            "again, with every call: LUSUSH_SIM_SEED={} cargo test -p lle-sim --test seeds",
            self.seed
        )
    }
}

/// What a plan of ours is to leave behind.
struct Expect {
    why: String,
    former: BTreeMap<String, Option<String>>,
    after: BTreeMap<String, Option<String>>,
}

struct Run {
    world: World,
    engine: Option<Engine>,
    config: Config,
    model: Model,
    expected: Vec<Expect>,
    options: Options,
    step: u64,
    power_lost: bool,
    plans: u64,
    /// Alerts by number: what was raised, when, and how bad.
    raised: BTreeMap<u64, (String, u64, String)>,
    /// What each session has shown.
    shown: BTreeSet<(u64, String, u64, String)>,
    /// Scheduled runs of jobs by task and due time.
    due_runs: BTreeSet<(String, i64)>,
    seen_plans: BTreeSet<u64>,
    turning: Turning,
}

/// Runs a seed.
///
/// # Errors
/// Something that must hold did not.
pub fn run(seed: u64, options: Options) -> Result<(), Box<Failure>> {
    let mut run = Run::new(seed, options);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        while run.step < EVENTS && run.world.violations.is_empty() {
            run.step += 1;
            run.event();
            run.ask_optimiser();
        }
        if run.world.violations.is_empty() {
            run.quiesce();
        }
    }));
    if ended.is_err() {
        run.world
            .violate("panic: the engine or the simulator panicked".into());
    }
    if options.verbose {
        run.world.trace.iter().for_each(|line| println!("{line}"));
    }
    if run.world.violations.is_empty() {
        return Ok(());
    }
    Err(Box::new(Failure {
        seed,
        step: run.step,
        violations: run.world.violations,
        trace: run.world.trace,
    }))
}

impl Run {
    fn new(seed: u64, options: Options) -> Self {
        let mut random = Random::new(seed);
        let zone = TimeZone::posix(random.pick::<&str>(ZONES)).unwrap_or(TimeZone::UTC);
        // Around the changes of the clocks in 2026, or anywhere in that year.
        let begin = *random.pick(&[
            1_774_652_400_u64,
            1_792_796_400,
            1_772_948_400,
            1_793_505_600,
            1_767_225_600,
        ]);
        let wall_ns = (begin * SECOND + random.below(48 * HOUR)).cast_signed();
        let now = Now {
            wall_ns,
            mono_ns: 1 + random.below(HOUR),
        };
        let mut world = World::new(random, now);
        world.verbose = options.verbose;
        Self {
            world,
            engine: None,
            config: Config {
                policy: Policy::default(),
                problems: Vec::new(),
                thresholds: Thresholds::default(),
                zone,
                uid: UID,
            },
            model: Model::default(),
            expected: Vec::new(),
            options,
            step: 0,
            power_lost: false,
            plans: 0,
            raised: BTreeMap::new(),
            shown: BTreeSet::new(),
            due_runs: BTreeSet::new(),
            seen_plans: BTreeSet::new(),
            turning: Turning::new(seed),
        }
    }

    fn event(&mut self) {
        if self.engine.is_none() {
            self.without_worker();
            return;
        }
        match self.world.random.below(32) {
            0..8 => self.work(4),
            8..12 => self.session(),
            12..18 => self.ask(),
            18 => self.hostile(),
            19 => self.plan_to_kill(),
            20 => self.kill(),
            21 => self.cut_power(),
            22 => self.suspend(),
            23 => self.set_clock(),
            24 | 25 => self.fault(),
            26..29 => self.propose(),
            29 => self.offline(),
            30 => self.verify(),
            _ => self.misfortune(),
        }
    }

    /// Somebody asks the optimiser for something, now and then.
    fn ask_optimiser(&mut self) {
        if self.engine.is_none() || !self.turning.random.once_in(6) {
            return;
        }
        let request = self.turning.request();
        std::mem::swap(&mut self.world.random, &mut self.turning.random);
        self.request(request);
        std::mem::swap(&mut self.world.random, &mut self.turning.random);
    }

    fn without_worker(&mut self) {
        match self.world.random.below(8) {
            0 => self.suspend(),
            1 => self.set_clock(),
            2 => self.offline(),
            3 => self.session(),
            4 => {
                let ns = self.world.random.below(200 * HOUR);
                self.world.tell(|| format!("nothing runs for {} s", ns / SECOND));
                self.world.pass(ns, true);
            }
            _ => self.start(),
        }
    }

    /// Lets the engine do something; it may be killed meanwhile.
    fn with<T>(&mut self, act: impl FnOnce(&mut Engine, &mut Hands<'_>, Now) -> T) -> Option<T> {
        let mut engine = self.engine.take()?;
        let now = self.world.now;
        let mut hands = self.world.hands(true);
        let done = catch_unwind(AssertUnwindSafe(|| act(&mut engine, &mut hands, now)));
        match done {
            Ok(value) => {
                self.engine = Some(engine);
                self.after();
                Some(value)
            }
            Err(payload) if payload.is::<Killed>() => {
                self.worker_died();
                None
            }
            Err(payload) => resume_unwind(payload),
        }
    }

    fn start(&mut self) {
        self.world.tell(|| "a worker starts".into());
        self.world.pass(1_000_000, true);
        let now = self.world.now;
        let config = self.config.clone();
        let mut hands = self.world.hands(true);
        let loaded = catch_unwind(AssertUnwindSafe(|| Engine::load(&mut hands, config, now)));
        let engine = match loaded {
            Ok(Ok(engine)) => engine,
            Ok(Err(error)) => {
                self.world.tell(|| format!("it cannot read its state: {error}"));
                if self.world.disk.faults.unreadable == 0 {
                    self.world
                        .violate(format!("start: the state cannot be read: {error}"));
                }
                return;
            }
            Err(payload) if payload.is::<Killed>() => return self.world.worker_died(),
            Err(payload) => resume_unwind(payload),
        };
        let broken = match std::mem::take(&mut self.power_lost) {
            true => self.model.check_after_power_loss(engine.durable()),
            false => self.model.check(engine.durable()),
        };
        broken.into_iter().for_each(|what| self.world.violate(what));
        self.engine = Some(engine);
        self.turning.forget();
        let started = self.with(|engine, hands, now| engine.start(hands, now));
        if started.is_some() && self.world.disk.peek(File::Stopped).is_some() {
            self.request(Request::Start);
        }
    }

    fn let_sessions_read(&mut self, all: bool) {
        let woken = std::mem::take(&mut self.world.woken);
        let Some(desired) = self.world.desired.clone() else {
            return;
        };
        let mut told = Vec::new();
        for session in self
            .world
            .sessions
            .iter_mut()
            .filter(|each| all || woken.contains(&each.id))
        {
            session.read(&desired);
            told.extend(session.just_shown.drain(..).map(|id| (session.id, id)));
        }
        for (session, id) in told {
            self.world
                .tell(|| format!("session {session:x} shows alert {id}"));
            let Some((key, raised, severity)) = self.raised.get(&id).cloned() else {
                continue;
            };
            if !self.shown.insert((session, key.clone(), raised, severity)) {
                self.world
                    .violate(format!("alerts: session {session:x} shows {key} twice"));
            }
        }
    }

    /// The worker's loop, some times over.
    fn work(&mut self, times: u64) {
        for _ in 0..1 + self.world.random.below(times) {
            self.turn();
        }
    }

    /// Once around the worker's loop: it sleeps until something happens, and takes that in.
    fn turn(&mut self) {
        let Some(engine) = &self.engine else { return };
        let now = self.world.now;
        let until = engine.wake_at(now).min(now.mono_ns + 60 * SECOND);
        let until = until.min(self.world.next_job_ns().unwrap_or(u64::MAX));
        self.world.pass(until.saturating_sub(now.mono_ns), true);
        for end in self.world.ended_jobs() {
            self.world
                .tell(|| format!("job ended: {} {:?}", end.plan, end.status));
            self.with(|engine, hands, now| engine.handle(hands, now, Event::JobDone(end)));
        }
        self.tick();
    }

    fn tick(&mut self) {
        let now = self.world.now;
        self.world.tell(|| "tick".into());
        self.with(|engine, hands, now| engine.handle(hands, now, Event::Tick));
        let Some(engine) = &self.engine else { return };
        let mut broken = check::nothing_waits_longer_than_its_period(engine.durable(), now);
        if self.world.disk.faults.is_none() && self.world.disk.is_dirty(File::State) {
            let until = engine.wake_at(self.world.now);
            if until > self.world.now.mono_ns + 2 * SECOND {
                broken.push("durable: what was acknowledged is not made durable within a second".into());
            }
        }
        broken.into_iter().for_each(|what| self.world.violate(what));
    }

    fn session(&mut self) {
        let world = &mut self.world;
        let n = world.sessions.len();
        if n == 0 || n < SESSIONS_MAX && world.random.once_in(5) {
            let nature = *world.random.pick(&[
                Nature::Good,
                Nature::Good,
                Nature::Good,
                Nature::Hung,
                Nature::Liar,
                Nature::Unreadable,
                Nature::Older,
            ]);
            let id = world.random.draw();
            world.tell(|| format!("session {id:x} begins: {nature:?}"));
            world
                .sessions
                .push(SimSession::new(id, nature, world.now.wall_ns));
            return;
        }
        let at = world.random.index(n);
        let id = world.sessions[at].id;
        match world.random.below(16) {
            0 => {
                world.tell(|| format!("session {id:x} ends"));
                world.sessions.remove(at);
            }
            1 => {
                world.tell(|| format!("session {id:x} crashes"));
                world.sessions[at].liveness = Liveness::Dead;
            }
            2 => {
                world.tell(|| format!("session {id:x} hangs"));
                world.sessions[at].nature = Nature::Hung;
            }
            3..6 => world.sessions[at].rest(),
            what => {
                let slow = what < 9;
                let mut random = world.random.clone();
                world.sessions[at].use_it(&mut random, slow);
                world.random = random;
                world.tell(|| format!("session {id:x} is used{}", if slow { ", slowly" } else { "" }));
                self.let_sessions_read(true);
            }
        }
    }
}
