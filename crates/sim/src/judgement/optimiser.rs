//! How well the optimiser judges: levers whose true effect is known, typed at by people who do not exist, through the
//! production code from the arm of a line to the setting that stays.
//!
//! ```text
//!  seed ─▸ typist, machine ─▸ lle_core::arms ─▸ flight file ─▸ Engine { look ▸ hear ▸ judge } ─▸ setting kept, or not
//! ```
//!
//! What a line costs is the machine's affair and is drawn anew for each; a lever multiplies it by its effect, and nothing
//! else tells the two values apart. A trial that an opportunity led to is opened by the engine itself, the others as
//! somebody asks for them.
//!
//! Invariants: the judge never sees the truth; a trial ends by the engine's word, or is an error of this simulation.

use jiff::tz::TimeZone;
use lle_core::arms::Arms;
use lle_core::health::assess::Thresholds;
use lle_core::lever::{Cost, Lever};
use lle_core::policy::{Policy, Who};
use lle_core::trial::Ended;
use lle_core::trial::paired::Estimate;
use lle_maintenance::api::Request;
use lle_maintenance::engine::{Config, Engine, Event};
use lle_maintenance::world::Now;
use lle_metrics::{Counter, Timer};

use super::signal::{S, START, between, even, normal};
use crate::random::Random;
use crate::session::{Nature, SimSession};
use crate::world::World;

const UID: u32 = 1000;
/// Lines after which a trial that has not ended is an error: 256 pairs, and all that count for nothing in between.
const LINES_MAX: u64 = 4_000;
/// Lines that are typed before: enough for an opportunity to be seen.
const LINES_BEFORE: u64 = 40;
/// Of so many lines one stalls, with a lever that does that, by so much.
const STALL: (u64, f64) = (40, 60.0);

/// What machine and typist are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Lines differ by a quarter.
    Steady,
    /// By two thirds, as short and long ones do.
    Noisy,
    /// As steady, but one line in twelve takes three to a hundred times as long.
    HeavyTails,
    /// The machine gets faster and slower by the quarter of an hour.
    Drift,
    /// The machine is suspended now and then, and slow for some lines after it.
    Suspend,
    /// The trial has twenty minutes.
    Short,
}

/// Every setting, and what it is called.
pub const SETTINGS: &[(Setting, &str)] = &[
    (Setting::Steady, "steady"),
    (Setting::Noisy, "noisy"),
    (Setting::HeavyTails, "heavy tails"),
    (Setting::Drift, "drift"),
    (Setting::Suspend, "suspend"),
    (Setting::Short, "20 minutes"),
];

/// What a lever does to a cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// What it multiplies the cost of a line by.
    pub ratio: f64,
    /// Now and then a line stalls with it.
    pub stalls: bool,
}

const fn times(ratio: f64) -> Effect {
    Effect { ratio, stalls: false }
}

/// Every effect: much better, better, a little better, none, a little worse, worse, much worse, and one that is faster
/// most of the time and costs more in all.
pub const EFFECTS: &[Effect] = &[
    times(0.4),
    times(0.7),
    times(0.85),
    times(1.0),
    times(1.15),
    times(1.5),
    times(3.0),
    Effect {
        ratio: 0.7,
        stalls: true,
    },
];

impl Effect {
    /// The true ratio of what lines cost, the geometric mean: what the interval is to hold.
    pub fn typical(self) -> f64 {
        let (one_in, by) = STALL;
        let stalls = if self.stalls { by.ln() / one_in as f64 } else { 0.0 };
        self.ratio * stalls.exp()
    }

    /// The true ratio of what all lines cost together: what decides whether the lever does harm.
    pub fn in_all(self) -> f64 {
        let (one_in, by) = STALL;
        let stalls = if self.stalls {
            (by - 1.0) / one_in as f64
        } else {
            0.0
        };
        self.ratio * (1.0 + stalls)
    }
}

/// A lever and a value to try. The first is found by the engine's own eye, from what was measured.
const LEVERS: &[(Lever, &str)] = &[
    (Lever::NamesKeep, "path"),
    (Lever::HighlightFullBelowBytes, "320"),
    (Lever::SuggestionSource, "memory"),
    (Lever::SuggestionCacheEntries, "64"),
    (Lever::CompletionCacheEntries, "64"),
    (Lever::NamesCacheEntries, "64"),
];

/// One trial, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The lever and the value.
    pub change: String,
    /// In what setting.
    pub setting: Setting,
    /// What is true.
    pub effect: Effect,
    /// What the last look saw; none before there was one.
    pub estimate: Option<Estimate>,
    /// "better", "worse", "inconclusive".
    pub verdict: String,
    /// The value is in force now.
    pub kept: bool,
    /// Minutes in which somebody typed, by the engine.
    pub minutes: u64,
}

impl Trial {
    /// The interval holds what is true; none without one.
    pub fn holds(&self) -> Option<bool> {
        let seen = self.estimate?;
        let truth = self.effect.typical();
        Some(seen.low <= truth && truth <= seen.high)
    }

    /// What is in force at the end is what should be: what helps, and nothing else.
    pub fn is_right(&self) -> bool {
        self.kept == (self.effect.in_all() < 1.0)
    }

    /// Something is in force that costs more than what it replaced.
    pub fn harms(&self) -> bool {
        self.kept && self.effect.in_all() > 1.0
    }
}

/// Runs every effect in every setting with these seeds.
pub fn run(seeds: impl Iterator<Item = u64>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for seed in seeds {
        for (of, (setting, _)) in SETTINGS.iter().enumerate() {
            for (which, effect) in EFFECTS.iter().enumerate() {
                let number = (of * EFFECTS.len() + which) as u64;
                let lever = LEVERS[(number + seed) as usize % LEVERS.len()];
                let random = Random::new(seed.wrapping_mul(257).wrapping_add(number));
                trials.push(one(random, *setting, *effect, lever));
            }
        }
    }
    trials
}

/// One trial from its opening to its end.
///
/// # Panics
/// The engine opened none, or it does not end.
fn one(random: Random, setting: Setting, effect: Effect, (lever, value): (Lever, &str)) -> Trial {
    let is_found = lever == Lever::NamesKeep && setting != Setting::Short;
    let mut desk = Desk::new(random, setting, effect, lever);
    desk.searches = is_found;
    for _ in 0..LINES_BEFORE {
        desk.type_line();
    }
    // By then the engine may have found it by itself.
    let request = Request::Optimize {
        force: (!is_found).then(|| format!("{}={value}", lever.row().name)),
        within_ms: (setting == Setting::Short).then_some(20 * 60 * 1_000),
        reset: None,
        withdraw: None,
    };
    if desk.ended().is_none() && desk.engine.durable().trials.is_empty() {
        desk.ask(&request);
    }
    for _ in 0..LINES_MAX {
        desk.type_line();
        let Some(ended) = desk.ended() else { continue };
        let in_force = desk.engine.durable().settings.get(lever.row().name);
        return Trial {
            change: ended.change,
            setting,
            effect,
            estimate: ended.estimate,
            verdict: ended.verdict.name().to_owned(),
            kept: in_force.map(String::as_str) == Some(value),
            minutes: ended.active_ns / (60 * S).cast_unsigned(),
        };
    }
    panic!("{} in {setting:?} has no verdict", lever.row().name);
}

/// A desk: sessions, somebody who types into them, and the worker.
struct Desk {
    world: World,
    engine: Engine,
    arms: Vec<Arms>,
    random: Random,
    setting: Setting,
    effect: Effect,
    lever: Lever,
    /// Names are looked for on PATH, which is what the engine's eye sees.
    searches: bool,
    /// The logarithm of how slow the machine is now.
    slow: f64,
    /// Lines since it woke up.
    awake: u64,
}

impl Desk {
    fn new(mut random: Random, setting: Setting, effect: Effect, lever: Lever) -> Self {
        let now = Now {
            wall_ns: START,
            mono_ns: S.cast_unsigned(),
        };
        let mut world = World::new(Random::new(random.draw()), now);
        let sessions = 1 + random.below(3);
        for _ in 0..sessions {
            let id = random.draw();
            world
                .sessions
                .push(SimSession::new(id, Nature::Good, now.wall_ns));
        }
        let config = Config {
            policy: Policy::default(),
            problems: Vec::new(),
            thresholds: Thresholds::default(),
            zone: TimeZone::UTC,
            uid: UID,
        };
        let mut hands = world.hands(true);
        let mut engine =
            Engine::load(&mut hands, config, now).expect("the disk of this world is empty and never fails");
        engine.start(&mut hands, now);
        Self {
            world,
            engine,
            arms: (0..sessions).map(|_| Arms::default()).collect(),
            random,
            setting,
            effect,
            lever,
            searches: false,
            slow: 0.0,
            awake: u64::MAX,
        }
    }

    fn ask(&mut self, request: &Request) {
        let now = self.world.now;
        let who = Who::peer(UID, Some(7), UID);
        let answered = self
            .engine
            .request(&mut self.world.hands(true), now, &who, request);
        assert!(answered.is_ok(), "{request:?}: {answered:?}");
        let open = self.engine.durable().trials.len();
        assert_eq!(open, 1, "{request:?} opens a trial: {answered:?}");
    }

    fn ended(&self) -> Option<Ended> {
        self.engine.durable().trials_ended.back().cloned()
    }

    /// Somebody types a line and runs it; the worker goes on meanwhile.
    fn type_line(&mut self) {
        self.live_on();
        let at = self.random.index(self.arms.len());
        let spread = if self.setting == Setting::Noisy {
            0.65
        } else {
            0.25
        };
        let Some(arms) = self.arms.get_mut(at) else { return };
        let desired = self.world.desired.clone().unwrap_or_default();
        arms.take(&desired.settings, desired.trials.first());
        let levers = arms.begin_line();
        let is_candidate = levers.value(self.lever) != self.lever.row().default;
        // One line in eight is recalled or given up: painted once or twice.
        let keys = match self.random.once_in(8) {
            true => 1 + self.random.below(2),
            false => 3 + self.random.below(40),
        };
        let mut times = (self.slow + spread * normal(&mut self.random)).exp();
        if self.setting == Setting::HeavyTails && self.random.once_in(12) {
            // Pareto's distribution: a hundred times is the end of it.
            times *= (3.0 * even(&mut self.random).powf(-1.0 / 1.5)).min(100.0);
        }
        let stalls = self.random.once_in(STALL.0) && self.effect.stalls;
        if is_candidate {
            times *= self.effect.ratio * if stalls { STALL.1 } else { 1.0 };
        }
        let cost = self.lever.row().cost;
        let base_ns = match cost {
            Cost::KeyToPaint => 150e3,
            Cost::Highlight => 20e3,
            Cost::Suggestion => 400e3,
            Cost::Completion => 30e6,
        };
        let completes = cost == Cost::Completion && self.random.once_in(2);
        let mut spent = Vec::new();
        for _ in 0..keys {
            arms.painted();
            let ns = base_ns * times * (0.3 * normal(&mut self.random)).exp();
            if cost != Cost::Completion || completes && spent.is_empty() {
                arms.spent(cost, ns as u64);
                spent.push(ns as u64);
            }
        }
        let tally = arms.end_line();
        let Some(session) = self.world.sessions.get_mut(at) else {
            return;
        };
        let searches = self.searches;
        session.read(&desired);
        session.record(|recorder| {
            // What is slow before the trial would be another opportunity, and be tried first.
            if tally.is_some() {
                spent.iter().for_each(|ns| recorder.time(timer(cost), *ns));
            }
            for key in 0..keys {
                recorder.time(Timer::KeyToPaint, 100_000);
                recorder.time(
                    Timer::Highlight,
                    if searches && key % 10 == 0 { 40_000 } else { 5_000 },
                );
            }
            recorder.add(
                Counter::HighlightPathLookups,
                if searches { keys / 10 + 1 } else { 0 },
            );
            recorder.add(Counter::Keys, keys);
            recorder.add(Counter::Commands, 1);
            if let Some(tally) = tally {
                crate::session::record_trial(recorder, &tally);
            }
        });
    }

    /// Time passes until the next line, and the worker takes it in.
    fn live_on(&mut self) {
        let seconds = (8.0 * (0.8 * normal(&mut self.random)).exp()).clamp(1.0, 120.0);
        match self.setting {
            Setting::Drift => {
                // Half of it is forgotten within a quarter of an hour.
                self.slow = self.slow * 0.992 + 0.07 * normal(&mut self.random);
            }
            Setting::Suspend => {
                if self.random.once_in(60) {
                    let hours = between(&mut self.random, 1.0, 10.0);
                    let ns = (hours * 3_600.0 * S as f64) as u64;
                    self.world.pass(ns, false);
                    self.awake = 0;
                }
                // What was in memory is read from the disk again.
                self.slow = 1.5 * (-(self.awake as f64) / 8.0).exp();
                self.awake = self.awake.saturating_add(1);
            }
            _ => {}
        }
        self.world.pass((seconds * S as f64) as u64, true);
        for end in self.world.ended_jobs() {
            let now = self.world.now;
            self.engine
                .handle(&mut self.world.hands(true), now, Event::JobDone(end));
        }
        let now = self.world.now;
        self.engine.handle(&mut self.world.hands(true), now, Event::Tick);
    }
}

fn timer(cost: Cost) -> Timer {
    match cost {
        Cost::KeyToPaint => Timer::KeyToPaint,
        Cost::Highlight => Timer::Highlight,
        Cost::Suggestion => Timer::Suggestion,
        Cost::Completion => Timer::Completion,
    }
}
