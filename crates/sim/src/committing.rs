//! Configurations on trial in a world in which the worker is killed at any call, disks fill up and people edit meanwhile.
//!
//! Invariants checked after every event: one configuration is on trial at most; a trial ends once; what is published is of
//! one version, the one in force. At the end, with use and without faults: nothing is
//! on trial, and each trial was kept, taken back or replaced, or is named as what could not be taken back; a version that
//! slows the prompt and was compared is not in force unless somebody said so.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jiff::tz::TimeZone;
use lle_core::config::{CATALOGUE, Origin, RawConfig};
use lle_core::health::assess::Thresholds;
use lle_core::policy::{Policy, Who};
use lle_core::trial::Verdict;
use lle_maintenance::api::Request;
use lle_maintenance::engine::{Config, Engine, Event};
use lle_maintenance::world::Now;
use serde_json::Value;

use crate::files::SimFiles;
use crate::random::Random;
use crate::session::{Nature, SimSession};
use crate::world::hands::Hands;
use crate::world::{Killed, World};

const SECOND: u64 = 1_000_000_000;
const UID: u32 = 1000;
/// Configurations that may be on trial below another, as the engine has it.
const FORMER_MAX: usize = 4;
/// Events of one seed.
const EVENTS: u64 = 60;
/// What people write: nothing that matters, something slow, something else that does not matter.
const TEXTS: [&str; 8] = [
    "",
    "# mine\n",
    "prompt.command = \"sleep 0.2\"\n",
    "prompt.command = \"sleep 0.4\"\neditor.theme = \"light\"\n",
    "editor.theme = \"light\"\n",
    "prompt.command = \"true\"\ntrial.inconclusive = \"revert\"\n",
    "editor.theme = \"mine\"\n# colours 31\n",
    "editor.theme = \"mine\"\n# colours 32\n",
];

/// A seed that failed.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
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
        write!(out, "seed {} failed: {}", self.seed, self.violations.join("; "))
    }
}

/// What a run came to, for whoever wants to know that something happened in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Trials that ended.
    pub ended: u64,
    /// Of these, those whose configuration was taken back.
    pub taken_back: u64,
    /// Those that were confirmed, by evidence or by word.
    pub confirmed: u64,
    /// Workers that were killed.
    pub killed: u64,
}

struct Run {
    world: World,
    engine: Option<Engine>,
    seen: Seen,
    ended: BTreeSet<u64>,
}

/// Runs a seed.
///
/// # Errors
/// Something that must hold did not.
pub fn run(seed: u64) -> Result<Seen, Box<Failure>> {
    let mut random = Random::new(seed);
    let now = Now {
        wall_ns: 1_774_652_400_000_000_000,
        mono_ns: 1 + random.below(3_600 * SECOND),
    };
    let mut world = World::new(random, now);
    world.files = Some(SimFiles::default());
    for id in 1..=3 {
        world
            .sessions
            .push(SimSession::new(id, Nature::Good, now.wall_ns));
    }
    let mut run = Run {
        world,
        engine: None,
        seen: Seen::default(),
        ended: BTreeSet::new(),
    };
    for _ in 0..EVENTS {
        run.event();
        if !run.world.violations.is_empty() {
            break;
        }
    }
    if run.world.violations.is_empty() {
        run.quiesce();
    }
    match run.world.violations.is_empty() {
        true => Ok(run.seen),
        false => Err(Box::new(Failure {
            seed,
            violations: run.world.violations,
            trace: run.world.trace,
        })),
    }
}

impl Run {
    fn event(&mut self) {
        if self.engine.is_none() {
            match self.world.random.below(4) {
                0 => self.write(),
                1 => self.use_sessions(1),
                _ => self.start(),
            }
            return;
        }
        match self.world.random.below(20) {
            0..3 => self.write(),
            3..9 => self.use_sessions(12),
            9 => self.use_sessions(70),
            10 => self.confirm(),
            11 | 12 => self.apply_for_a_while(),
            13..16 => {
                let calls = 1 + self.world.random.below(60);
                self.world.dies_at = Some(self.world.calls + calls);
                self.world
                    .tell(|| format!("the worker will be killed in {calls} calls"));
            }
            16 => {
                self.world.tell(|| "the worker is killed".into());
                self.engine = None;
                self.died();
            }
            17 => {
                let ns = self.world.random.below(48 * 3_600 * SECOND);
                self.world.tell(|| "suspended".into());
                self.world.pass(ns, false);
                self.tick();
            }
            18 => {
                let full = self.world.random.once_in(2);
                if let Some(files) = &mut self.world.files {
                    files.unwritable = full;
                }
            }
            _ => self.tick(),
        }
    }

    fn died(&mut self) {
        self.seen.killed += 1;
        self.world.worker_died();
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Engine, &mut Hands<'_>, Now) -> T) -> Option<T> {
        let mut engine = self.engine.take()?;
        let now = self.world.now;
        let mut hands = self.world.hands(true);
        match catch_unwind(AssertUnwindSafe(|| act(&mut engine, &mut hands, now))) {
            Ok(value) => {
                self.engine = Some(engine);
                self.check();
                Some(value)
            }
            Err(payload) if payload.is::<Killed>() => {
                self.died();
                None
            }
            Err(payload) => resume_unwind(payload),
        }
    }

    fn start(&mut self) {
        self.world.tell(|| "a worker starts".into());
        self.world.pass(1_000_000, true);
        let now = self.world.now;
        let config = Config {
            policy: Policy::default(),
            problems: Vec::new(),
            thresholds: Thresholds::default(),
            zone: TimeZone::UTC,
            uid: UID,
        };
        let mut hands = self.world.hands(true);
        match catch_unwind(AssertUnwindSafe(|| Engine::load(&mut hands, config, now))) {
            Ok(Ok(engine)) => self.engine = Some(engine),
            Ok(Err(error)) => return self.world.violate(format!("start: {error}")),
            Err(payload) if payload.is::<Killed>() => return self.died(),
            Err(payload) => resume_unwind(payload),
        }
        self.with(|engine, hands, now| engine.start(hands, now));
    }

    fn tick(&mut self) {
        self.with(|engine, hands, now| engine.handle(hands, now, Event::Tick));
    }

    /// Somebody types for so many looks.
    fn use_sessions(&mut self, looks: u64) {
        self.world.tell(|| format!("used for {looks} looks"));
        for _ in 0..looks {
            let at = self.world.random.index(self.world.sessions.len());
            let mut random = self.world.random.clone();
            self.world.sessions[at].use_it(&mut random, false);
            self.world.sessions[at].rest();
            self.world.random = random;
            self.world.pass(10 * SECOND, true);
            self.tick();
            if let Some(desired) = self.world.desired.clone() {
                self.world
                    .sessions
                    .iter_mut()
                    .for_each(|session| session.read(&desired));
            }
        }
    }

    fn put(&mut self, text: &str) {
        self.world.tell(|| format!("saved: {text:?}"));
        if let Some(files) = &mut self.world.files {
            files.text = text.to_owned();
        }
        self.settle();
    }

    /// What the worker's notification does.
    fn settle(&mut self) {
        self.with(|engine, hands, now| {
            let _later = engine.sync_configuration(hands, now);
            engine.handle(hands, now, Event::Tick);
        });
    }

    fn write(&mut self) {
        let text = *self.world.random.pick(&TEXTS);
        self.put(text);
    }

    fn ask(&mut self, request: &Request) -> Option<Value> {
        let who = Who::peer(UID, Some(7), UID);
        let answered = self.with(|engine, hands, now| engine.request(hands, now, &who, request))?;
        self.world.tell(|| format!("{request:?}: {answered:?}"));
        answered.ok()
    }

    fn confirm(&mut self) {
        self.ask(&Request::ConfigConfirm { version: None });
    }

    fn apply_for_a_while(&mut self) {
        let text = *self.world.random.pick(&TEXTS);
        let layered = RawConfig::parse(Origin::User, "c", text).check(&CATALOGUE);
        let Ok(merged) = CATALOGUE.merge(&[layered]) else {
            return;
        };
        let within_ms = 1_000 + self.world.random.below(300_000);
        let says = merged.config.mark();
        if self.ask(&Request::ConfigArm { says, within_ms }).is_some() && !self.world.random.once_in(4) {
            self.put(text);
        }
    }

    fn check(&mut self) {
        let Some(engine) = &self.engine else { return };
        let state = engine.durable();
        let mut broken = Vec::new();
        let open: Vec<u64> = state
            .trials
            .iter()
            .filter(|(_, trial)| trial.configured.is_some())
            .map(|(id, _)| *id)
            .collect();
        if open.len() > 1 {
            broken.push(format!("trials: {open:?} of configurations are open"));
        }
        for ended in &state.trials_ended {
            if open.contains(&ended.id) {
                broken.push(format!("trials: {} has ended and is open", ended.id));
            }
            if self.ended.insert(ended.id) {
                self.seen.ended += 1;
                let config = ended.config.as_ref();
                self.seen.taken_back += u64::from(config.is_some_and(|config| config.taken_back));
                self.seen.confirmed += u64::from(ended.verdict == Verdict::Confirm);
            }
        }
        let in_force = state.config.as_deref().and_then(|text| {
            let head = text.lines().next()?.rsplit(' ').next()?;
            head.parse::<u64>().ok()
        });
        let published = self
            .world
            .desired
            .as_ref()
            .and_then(|desired| desired.config.as_ref());
        if let (Some(in_force), Some(published)) = (in_force, published)
            && published.version != in_force
            // A worker that begins and cannot keep what the file says leaves published what was.
            && !self.world.files.as_ref().is_some_and(|files| files.unwritable)
        {
            broken.push(format!(
                "published: version {}, and {in_force} is in force",
                published.version
            ));
        }
        broken.into_iter().for_each(|what| self.world.violate(what));
    }

    /// Without faults and with use, every trial comes to its end.
    fn quiesce(&mut self) {
        self.world.tell(|| "faults stop".into());
        self.world.dies_at = None;
        if let Some(files) = &mut self.world.files {
            files.unwritable = false;
        }
        while self.engine.is_none() && self.world.violations.is_empty() {
            self.start();
        }
        self.settle();
        // One that is taken back leaves the one below it on trial, for as long again.
        for _ in 0..=FORMER_MAX {
            self.use_sessions(100);
            let trials = self
                .engine
                .iter()
                .flat_map(|engine| engine.durable().trials.values());
            if !trials.into_iter().any(|trial| trial.configured.is_some()) {
                break;
            }
        }
        let Some(engine) = &self.engine else { return };
        let state = engine.durable();
        let mut broken = Vec::new();
        if state.trials.values().any(|trial| trial.configured.is_some()) {
            broken.push("trials: a configuration is on trial for ever".to_owned());
        }
        for ended in state.trials_ended.iter().filter(|ended| ended.config.is_some()) {
            let named = !ended.kept || !ended.verdict.reverts() || ended.why.contains("taken back");
            if !named {
                broken.push(format!(
                    "trials: {} was worse, and stays without a word",
                    ended.id
                ));
            }
        }
        broken.into_iter().for_each(|what| self.world.violate(what));
    }
}
