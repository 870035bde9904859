//! One seed: a scenario, some dozens of events, and what must hold after each.
//!
//! ```text
//!  seed ─▸ shape ─▸ event ─▸ engine ─▸ checks ─▸ event … ─▸ faults stop ─▸ everything ends ─▸ checks
//!                     └ type, ask, fail, kill, cut power, suspend, set the clock, …
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jiff::tz::TimeZone;
use lle_core::checklist::ITEMS;
use lle_core::health::assess::Thresholds;
use lle_core::plan::{Action, Check, LogName, Plan, Step};
use lle_core::policy::{Policy, Who};
use lle_core::task;
use lle_maintenance::api::{Fault, Request, ScheduleRequest};
use lle_maintenance::engine::{Config, Engine, Event};
use lle_maintenance::state::Durable;
use lle_maintenance::world::{File, Now};
use lle_metrics::Liveness;
use serde_json::Value;

use crate::check;
use crate::disk::Faults;
use crate::model::{Model, says, subject};
use crate::random::Random;
use crate::session::{Nature, SimSession};
use crate::turning::Turning;
use crate::world::{Hands, Killed, World};

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

    /// What must hold whenever the engine has done something.
    fn after(&mut self) {
        let Some(engine) = &self.engine else { return };
        let state = engine.durable();
        let mut broken = check::queues_are_bounded(&self.world, state);
        broken.extend(check::statistics_add_up(state));
        broken.extend(check::numbers_are_not_given_twice(state));
        broken.extend(self.turning.check(state));
        for alert in state.alerts.open() {
            let what = (
                alert.key.clone(),
                alert.raised_wall_ns,
                format!("{:?}", alert.severity),
            );
            self.raised.insert(alert.id, what);
        }
        self.model.forget_what_got_worse(state);
        broken.extend(self.due_once());
        if !self.world.disk.is_dirty(File::State) {
            self.model.durable();
        }
        broken.extend(self.settings_are_as_they_should());
        broken.into_iter().for_each(|what| self.world.violate(what));
        self.let_sessions_read(false);
    }

    /// Every due time of the calendar has one run at most.
    fn due_once(&mut self) -> Vec<String> {
        let mut broken = Vec::new();
        let Some(engine) = &self.engine else { return broken };
        for running in engine.durable().running.values() {
            if !self.seen_plans.insert(running.id) || running.plan.why != "its schedule" {
                continue;
            }
            let Some(known) = engine.durable().tasks.get(&running.plan.task) else {
                continue;
            };
            let calendar = matches!(known.task.schedule, lle_core::schedule::Schedule::Cron { .. });
            let Some(due) = known
                .timing
                .last_due_wall_ns
                .filter(|_| calendar && known.attempt == 0)
            else {
                continue;
            };
            if !self.due_runs.insert((running.plan.task.clone(), due)) {
                broken.push(format!(
                    "schedule: {} ran twice for the time {due}",
                    running.plan.task
                ));
            }
        }
        broken
    }

    fn settings_are_as_they_should(&mut self) -> Vec<String> {
        let Some(engine) = &self.engine else {
            return Vec::new();
        };
        let mut broken = Vec::new();
        let (world, state) = (&self.world, engine.durable());
        self.expected.retain(|expect| {
            let plan = world
                .intents
                .iter()
                .find(|(_, (_, why))| *why == expect.why)
                .map(|(id, _)| *id);
            let Some(outcome) = plan.and_then(|id| world.outcomes.get(&id)) else {
                return true;
            };
            let wanted = match outcome.as_str() {
                "applied" => &expect.after,
                "stuck" | "unknown" => return false,
                _ => &expect.former,
            };
            for (name, value) in wanted {
                let found = state.settings.get(name);
                if found != value.as_ref() {
                    broken.push(format!(
                        "undo: after a plan that was {outcome}, {name} is {found:?} and not {value:?}"
                    ));
                }
            }
            false
        });
        broken
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

    fn ask(&mut self) {
        let request = self.any_request();
        self.request(request);
    }

    /// A request of the owner.
    fn request(&mut self, request: Request) -> Option<Result<Value, Fault>> {
        let about = subject(&request);
        let before = self
            .engine
            .as_ref()
            .zip(about.as_ref())
            .map(|(engine, about)| says(engine.durable(), about));
        self.world.tell(|| format!("asked: {request:?}"));
        let who = Who::peer(UID, Some(7), UID);
        let answered = self.with(|engine, hands, now| engine.request(hands, now, &who, &request));
        self.world
            .tell(|| format!("answered: {}", shorten(&format!("{answered:?}"))));
        let (Some(about), Some(engine)) = (about, &self.engine) else {
            // Killed meanwhile: it may have been done or not.
            subject(&request).iter().for_each(|about| self.model.doubt(about));
            self.after_stop(&request, answered.as_ref());
            return answered;
        };
        let after = says(engine.durable(), &about);
        match &answered {
            Some(Ok(_)) => self.model.promise(about, after),
            _ if self.world.disk.faults.is_none() => {}
            // A beginning of it may be on disk.
            _ => self.model.doubt(&about),
        }
        if let Some(Err(_)) = &answered
            && before.as_ref() != Some(&says(self.engine.as_ref()?.durable(), &subject(&request)?))
        {
            self.world
                .violate(format!("requests: a refused one changed something: {request:?}"));
        }
        self.after_stop(&request, answered.as_ref());
        answered
    }

    fn after_stop(&mut self, request: &Request, answered: Option<&Result<Value, Fault>>) {
        if *request == Request::Stop && answered.is_some_and(Result::is_ok) {
            self.with(|engine, hands, now| engine.end(hands, now));
            self.world.tell(|| "the worker ends".into());
            self.engine = None;
            self.world.worker_died();
        }
    }

    fn any_request(&mut self) -> Request {
        let state = self.engine.as_ref().map(Engine::durable);
        let names: Vec<String> = state
            .map(|state| state.tasks.keys().cloned().collect())
            .unwrap_or_default();
        let alert = state.and_then(|state| state.alerts.open().next().map(|alert| alert.id));
        let random = &mut self.world.random;
        let task = if names.is_empty() || random.once_in(9) {
            "no-such".to_owned()
        } else {
            random.pick(&names).clone()
        };
        let some = if random.once_in(3) {
            None
        } else {
            Some(task.clone())
        };
        match random.below(24) {
            0 => Request::Status,
            1 => Request::Health,
            2 => Request::Validate,
            3 => Request::Tasks,
            4 => Request::Start,
            5 if random.once_in(3) => Request::Stop,
            6 => Request::Pause { task: some },
            7 | 8 => Request::Resume { task: some },
            9..12 => Request::Run { task },
            12 | 13 => Request::Cancel { task },
            14 | 15 => Request::SetMode {
                area: task,
                mode: (*random.pick(&["observe", "advise", "automatic", "nonsense"])).into(),
            },
            16 => Request::Acknowledge {
                id: alert.unwrap_or(3),
            },
            17 => Request::SignOff {
                item: random.pick(ITEMS).id.into(),
                note: Some(format!("note {}", random.below(99))),
            },
            18 => Request::Audit {
                from: None,
                limit: Some(3),
            },
            _ => Request::Schedule(Box::new(self.any_schedule(&task))),
        }
    }

    fn any_schedule(&mut self, known: &str) -> ScheduleRequest {
        let random = &mut self.world.random;
        let name = if random.once_in(3) {
            known.to_owned()
        } else {
            format!("job-{}", random.below(6))
        };
        let schedule = *random.pick(&[
            "every 1m",
            "every 10m",
            "every 6h",
            "30 2 * * *",
            "*/5 * * * *",
            "0 2 * * SUN",
            "manual",
            "nonsense",
            "30 1,2,3 * * *",
        ]);
        let ours = name.starts_with("job-");
        let word = |random: &mut Random| {
            if random.once_in(9) {
                "x".repeat(4_000)
            } else {
                "true".into()
            }
        };
        ScheduleRequest {
            name,
            description: random.once_in(4).then(|| "d".repeat(300)),
            schedule: (!random.once_in(4)).then(|| schedule.into()),
            command: ours.then(|| vec![word(random), "x".into()]),
            cleanup: (ours && random.once_in(2)).then(|| vec!["tidy".into()]),
            priority: random.once_in(3).then(|| "deferred".into()),
            budget_ms: Some(1_000 + random.below(120_000)),
            retries: Some(u32::try_from(random.below(3)).unwrap_or(0)),
            enabled: (!random.once_in(3)).then(|| !random.once_in(5)),
        }
    }

    /// Somebody who may not, or who asks for rubbish.
    fn hostile(&mut self) {
        let random = &mut self.world.random;
        let stranger = random.once_in(2);
        let who = if stranger {
            Who::peer(1 + random.below(40) as u32, None, UID)
        } else {
            Who::peer(UID, None, UID)
        };
        let rubbish = (*random.pick(&["", "\x1b[2J", "../../x", "a b", "-"])).to_owned();
        let request = match random.below(5) {
            0 => Request::Cancel { task: rubbish },
            1 => Request::SetMode {
                area: rubbish.clone(),
                mode: rubbish,
            },
            2 => Request::Run { task: rubbish },
            3 => Request::SignOff {
                item: rubbish,
                note: Some("n".repeat(100_000)),
            },
            _ => Request::Schedule(Box::new(ScheduleRequest {
                name: if random.once_in(2) {
                    rubbish
                } else {
                    format!("large-{}", random.below(60))
                },
                schedule: Some("every 1h".into()),
                command: Some(vec!["y".repeat(4_000); 1 + random.index(70)]),
                budget_ms: Some(if random.once_in(3) { random.draw() } else { 60_000 }),
                ..ScheduleRequest::default()
            })),
        };
        self.world.tell(|| {
            format!(
                "a {} asks: {}",
                if stranger { "stranger" } else { "fool" },
                shorten(&format!("{request:?}"))
            )
        });
        if stranger {
            self.with(|engine, hands, now| engine.refused(hands, now, &who));
        }
        let answered = self.with(|engine, hands, now| engine.request(hands, now, &who, &request));
        match (answered, subject(&request)) {
            (Some(Ok(_)), _) if stranger => self
                .world
                .violate(format!("policy: a stranger was granted {request:?}")),
            (Some(Ok(_)), Some(about)) => {
                if let Some(engine) = &self.engine {
                    self.model.promise(about.clone(), says(engine.durable(), &about));
                }
            }
            (Some(Err(_)), _) if self.world.disk.faults.is_none() => {}
            (_, about) => about.iter().for_each(|about| self.model.doubt(about)),
        }
    }

    fn plan_to_kill(&mut self) {
        let calls = 1 + self.world.random.below(80);
        self.world.dies_at = Some(self.world.calls + calls);
        self.world
            .tell(|| format!("the worker will be killed in {calls} calls"));
    }

    fn kill(&mut self) {
        self.world.tell(|| "the worker is killed".into());
        self.engine = None;
        self.worker_died();
    }

    fn worker_died(&mut self) {
        self.world.worker_died();
        if !self.world.disk.faults.is_none() {
            // What was shown could not be written down.
            self.shown.clear();
        }
    }

    fn cut_power(&mut self) {
        self.world.tell(|| "power is lost".into());
        self.engine = None;
        self.world.lose_power();
        self.power_lost = true;
        // What had not become durable may have been forgotten, and be done again.
        self.expected.clear();
        self.due_runs.clear();
        self.seen_plans.clear();
    }

    fn suspend(&mut self) {
        let ns = match self.world.random.below(3) {
            0 => self.world.random.below(HOUR),
            1 => self.world.random.below(48 * HOUR),
            _ => self.world.random.below(240 * HOUR),
        };
        self.world.tell(|| format!("suspended for {} s", ns / SECOND));
        self.world.pass(ns, false);
        self.tick();
    }

    fn set_clock(&mut self) {
        let random = &mut self.world.random;
        let most = *random.pick(&[2 * SECOND, HOUR, 24 * HOUR, 9_000 * HOUR]);
        let by = random.below(most).cast_signed();
        let by = if random.once_in(2) { by } else { -by };
        self.world.now.wall_ns = self.world.now.wall_ns.saturating_add(by);
        self.world
            .tell(|| format!("the clock is set by {} s", by / 1_000_000_000));
        // A time that was used up comes again.
        self.due_runs.clear();
        self.tick();
    }

    fn fault(&mut self) {
        let world = &mut self.world;
        let kind = world.random.below(9);
        world.disk.faults = Faults::default();
        world.unpublishable = false;
        let faults = &mut world.disk.faults;
        match kind {
            0 => faults.full = true,
            1 => faults.read_only = true,
            2 => faults.tears = 1 + world.random.below(6),
            3 => faults.unreadable = 1 + world.random.below(4),
            4 => faults.unsyncable = true,
            5 => faults.slow_ns = world.random.below(8 * SECOND),
            6 => world.unpublishable = true,
            _ => {}
        }
        world.tell(|| format!("faults: {:?}, unpublishable: {}", world_faults(kind), kind == 6));
    }

    fn misfortune(&mut self) {
        self.world.tell(|| "the runtime folder is removed".into());
        self.world.lose_runtime();
        // Nobody knows any more what was shown.
        self.shown.clear();
    }

    /// A plan with something to take back.
    fn propose(&mut self) {
        let Some(engine) = &self.engine else { return };
        let state = engine.durable();
        if state
            .running
            .values()
            .any(|running| running.plan.task == "settings")
            || !self.expected.is_empty()
        {
            return;
        }
        let settings = state.settings.clone();
        self.plans += 1;
        let why = format!("plan {} of the simulator", self.plans);
        let mut expect = Expect {
            why: why.clone(),
            former: BTreeMap::new(),
            after: BTreeMap::new(),
        };
        let segment = self.world.disk.segments().last().copied().unwrap_or(0);
        let random = &mut self.world.random;
        let mut steps = Vec::new();
        for _ in 0..1 + random.below(if random.clone().once_in(4) { 40 } else { 4 }) {
            let name = (*random.pick(&SETTINGS)).to_owned();
            let before = expect
                .after
                .get(&name)
                .cloned()
                .unwrap_or_else(|| settings.get(&name).cloned());
            let value = (!random.once_in(5)).then(|| format!("value {}", random.below(1_000)));
            expect
                .former
                .entry(name.clone())
                .or_insert_with(|| settings.get(&name).cloned());
            expect.after.insert(name.clone(), value.clone());
            let undo = if self.options.broken_undo {
                value.clone()
            } else {
                before
            };
            steps.push(Step {
                action: Action::UseSetting {
                    name: name.clone(),
                    value,
                },
                verify: Check::Published,
                undo: Some(Action::UseSetting { name, value: undo }),
            });
        }
        let (log, dead) = (LogName::Audit, random.draw());
        let session = self.world.sessions.first().map_or(dead, |session| session.id);
        let last = match random.below(6) {
            0 => Some((
                Action::TrimSession {
                    session: dead,
                    token: 1,
                },
                Check::SessionAnswered { within_ms: 1_000 },
            )),
            1 => Some((
                Action::TrimSession {
                    session,
                    token: u64::MAX >> 2,
                },
                Check::SessionAnswered { within_ms: 9_000 },
            )),
            2 | 3 => Some((
                Action::RunCommand {
                    command: vec!["apply".into()],
                    budget_ms: 30_000,
                },
                Check::ExitZero,
            )),
            4 => Some((
                Action::OpenSegment {
                    log,
                    segment: segment + 1,
                },
                Check::SegmentOpen,
            )),
            _ => None,
        };
        steps.extend(last.map(|(action, verify)| Step {
            action,
            verify,
            undo: None,
        }));
        if random.once_in(6) && segment > 1 {
            let keep = segment - 1;
            steps.push(Step {
                action: Action::RemoveSegmentsBelow { log, segment: keep },
                verify: Check::SegmentsGone,
                undo: None,
            });
        }
        steps.truncate(lle_core::plan::STEPS_MAX);
        let plan = Plan {
            task: "settings".into(),
            why,
            steps,
        };
        if plan.check().is_err() {
            return;
        }
        self.world
            .tell(|| format!("proposed: {} steps, {}", plan.steps.len(), plan.why));
        self.expected.push(expect);
        let who = Who::peer(UID, None, UID);
        let begun = self.with(|engine, hands, now| engine.propose(hands, now, &who, plan));
        self.world.tell(|| format!("proposed: {begun:?}"));
        if let Some(Err(_)) = begun {
            self.expected.clear();
        }
    }

    /// The command line, which answers from disk beside a worker and changes nothing.
    fn offline(&mut self) {
        self.world
            .tell(|| "somebody reads the state beside the worker".into());
        let requests = [
            Request::Status,
            Request::Health,
            Request::Verify,
            Request::Pause { task: None },
        ];
        let request = self.world.random.pick(&requests).clone();
        let now = self.world.now;
        let mut hands = self.world.hands(false);
        let Ok(mut engine) = Engine::load(&mut hands, self.config.clone(), now) else {
            return;
        };
        let who = Who::peer(UID, None, UID);
        let answered = engine.request(&mut hands, now, &who, &request);
        if answered.is_ok() && matches!(request, Request::Pause { .. }) {
            self.world
                .violate("two actors: an engine that only answers granted a change".into());
        }
    }

    fn verify(&mut self) {
        let who = Who::peer(UID, None, UID);
        let answered = self.with(|engine, hands, now| engine.request(hands, now, &who, &Request::Verify));
        let Some(Ok(document)) = answered else { return };
        let problems = document["problems"].as_array().cloned().unwrap_or_default();
        let problems: Vec<String> = problems
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let broken = check::audit_is_whole(
            &self.world,
            &problems,
            document["last_sequence"].as_u64().unwrap_or(0),
        );
        broken.into_iter().for_each(|what| self.world.violate(what));
    }

    /// Faults stop; then everything that began ends, and what was promised is there.
    fn quiesce(&mut self) {
        self.world.tell(|| "faults stop".into());
        self.world.disk.faults = Faults::default();
        self.world.unpublishable = false;
        self.world.dies_at = None;
        while self.engine.is_none() && self.world.violations.is_empty() {
            self.start();
        }
        let ran: BTreeSet<u64> = self
            .state()
            .map(|state| state.running.keys().copied().collect())
            .unwrap_or_default();
        // A job that hangs is ended when its task's time is over, and not before.
        let budgets = task::table().into_iter().map(|task| task.budget_ms);
        let longest_s = budgets.max().unwrap_or(0) / 1_000;
        let until = self.world.now.mono_ns + (600 + longest_s) * SECOND;
        let mut turns = 0;
        while self.world.now.mono_ns < until && turns < 6_000 && self.world.violations.is_empty() {
            self.turn();
            turns += 1;
            let Some(state) = self.state() else { break };
            if turns > 3 && !state.running.keys().any(|id| ran.contains(id)) {
                break;
            }
        }
        let Some(engine) = &self.engine else { return };
        let mut broken = check::plans_have_ended(engine.durable(), &ran);
        if let Some(failed) = self.state_log_failed() {
            broken.push(format!(
                "healing: without faults the state still cannot be written: {failed}"
            ));
        }
        broken.into_iter().for_each(|what| self.world.violate(what));
        self.verify();
        self.kill();
        self.start();
        self.verify();
        self.intents_have_outcomes();
    }

    /// Whatever was about to be done ended, and the audit log says how.
    fn intents_have_outcomes(&mut self) {
        let Some(engine) = &self.engine else { return };
        let running = &engine.durable().running;
        let open = self
            .world
            .intents
            .keys()
            .filter(|id| !self.world.outcomes.contains_key(id) && !running.contains_key(id));
        let open: Vec<u64> = open.copied().collect();
        // What power loss took, and what lies in an older segment, nobody can tell.
        if self.world.disk.lost == 0 && self.world.disk.torn == 0 && self.world.disk.segments().len() == 1 {
            open.into_iter().for_each(|id| {
                self.world
                    .violate(format!("audit: the intent of plan {id} has no outcome"));
            });
        }
    }

    fn state(&self) -> Option<&Durable> {
        self.engine.as_ref().map(Engine::durable)
    }

    /// Why the state is kept in memory only, by the engine's own word.
    fn state_log_failed(&mut self) -> Option<String> {
        let who = Who::peer(UID, None, UID);
        // Something to write, so that it finds out.
        self.request(Request::Resume { task: None });
        let status = self
            .with(|engine, hands, now| engine.request(hands, now, &who, &Request::Status))?
            .ok()?;
        status["memory_only"].as_str().map(str::to_owned)
    }
}

fn world_faults(kind: u64) -> &'static str {
    [
        "full",
        "read only",
        "tears",
        "unreadable",
        "unsyncable",
        "slow",
        "unpublishable",
    ]
    .get(usize::try_from(kind).unwrap_or(9))
    .unwrap_or(&"none")
}

fn shorten(text: &str) -> String {
    text.chars().take(300).collect()
}
