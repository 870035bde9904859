//! The optimiser between trials: what a trial leaves behind asks for nothing, and a week is counted by itself.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use jiff::tz::TimeZone;
use lle_core::arms::Tally;
use lle_core::arms::in_all::InAll;
use lle_core::health::assess::Thresholds;
use lle_core::optimise::targets::WEEK_NS;
use lle_core::policy::{Policy, Who};
use lle_maintenance::api::{Fault, Request};
use lle_maintenance::engine::{Config, Engine, Event};
use lle_maintenance::world::Now;
use lle_metrics::{Gauge, Timer};
use lle_sim::random::Random;
use lle_sim::session::{Nature, SimSession, record_trial};
use lle_sim::world::World;
use serde_json::Value;

const SECOND: u64 = 1_000_000_000;
const UID: u32 = 1000;

fn config() -> Config {
    Config {
        policy: Policy::default(),
        problems: Vec::new(),
        thresholds: Thresholds::default(),
        zone: TimeZone::UTC,
        uid: UID,
    }
}

struct Desk {
    world: World,
    engine: Engine,
}

impl Desk {
    fn new() -> Self {
        let now = Now {
            wall_ns: 1_800_000_000 * SECOND.cast_signed(),
            mono_ns: SECOND,
        };
        let mut world = World::new(Random::new(1), now);
        world.sessions.push(SimSession::new(7, Nature::Good, now.wall_ns));
        let mut hands = world.hands(true);
        let mut engine = Engine::load(&mut hands, config(), now).unwrap();
        engine.start(&mut hands, now);
        Self { world, engine }
    }

    fn ask(&mut self, request: &Request) -> Value {
        self.try_to_ask(request).unwrap()
    }

    fn try_to_ask(&mut self, request: &Request) -> Result<Value, Fault> {
        let (now, who) = (self.world.now, Who::peer(UID, Some(7), UID));
        let hands = &mut self.world.hands(true);
        self.engine.request(hands, now, &who, request)
    }

    /// Another worker takes over, however the one before ended.
    fn next_worker(&mut self) {
        let now = self.world.now;
        let mut hands = self.world.hands(true);
        self.engine = Engine::load(&mut hands, config(), now).unwrap();
        self.engine.start(&mut hands, now);
    }

    /// The trials that sessions are told of.
    fn told(&self) -> Vec<i64> {
        let trials = self.world.desired.iter().flat_map(|desired| &desired.trials);
        trials.map(|trial| trial.id.cast_signed()).collect()
    }

    /// Opens a trial; gives its number.
    fn force(&mut self, asked: &str) -> i64 {
        let given = self.ask(&Request::Optimize {
            force: Some(asked.to_owned()),
            within_ms: None,
            reset: None,
            withdraw: None,
        });
        given["trial"].as_i64().unwrap()
    }

    /// Says what 128 pairs of a trial came to: each so much, in millionths of a logarithm, but so many lines with the
    /// candidate, which took fifty times the usual.
    fn compare(&mut self, trial: i64, log: i64, stalls: u64) {
        const PAIRS: u64 = 128;
        let usual = ((log as f64 / 1e6).exp() * 1_000.0) as u64;
        let tally = Tally {
            id: trial.cast_unsigned(),
            pairs: PAIRS,
            log_sum: PAIRS.cast_signed() * log,
            log_squares: PAIRS.cast_signed() * (log * log / 1_000_000 + 10),
            current_ns: PAIRS * 1_000,
            candidate_ns: PAIRS * 1_000,
            in_all: InAll {
                current: PAIRS * 1_000,
                candidate: (PAIRS - stalls) * usual + stalls * 50_000,
                current_most: 1_000,
                candidate_most: if stalls > 0 { 50_000 } else { usual },
                current_stalls: 0,
                candidate_stalls: stalls,
            },
        };
        let session = self.world.sessions.first_mut().unwrap();
        session.record(|recorder| record_trial(recorder, &tally));
    }

    fn set(&mut self, gauges: &[(Gauge, i64)]) {
        let session = self.world.sessions.first_mut().unwrap();
        session.record(|recorder| {
            gauges
                .iter()
                .for_each(|(gauge, value)| recorder.set(*gauge, *value));
        });
    }

    fn colour(&mut self, times: u32, ns: u64) {
        let session = self.world.sessions.first_mut().unwrap();
        session.record(|recorder| (0..times).for_each(|_| recorder.time(Timer::Highlight, ns)));
    }

    /// So much later the worker looks.
    fn look(&mut self, ns: u64) {
        self.world.pass(ns, true);
        for end in self.world.ended_jobs() {
            let now = self.world.now;
            let hands = &mut self.world.hands(true);
            self.engine.handle(hands, now, Event::JobDone(end));
        }
        let now = self.world.now;
        let hands = &mut self.world.hands(true);
        self.engine.handle(hands, now, Event::Tick);
    }

    fn usual_ns(&self) -> u64 {
        let targets = self.engine.durable().targets.as_ref().unwrap();
        targets.costs["highlight"].usual_ns
    }
}

#[test]
fn a_rejected_trial_of_a_size_gives_the_cache_no_more_room() {
    let mut desk = Desk::new();
    let names = |hits, misses, evictions, ghost_hits| {
        [
            (Gauge::NamesCacheHits, hits),
            (Gauge::NamesCacheMisses, misses),
            (Gauge::NamesCacheEvictions, evictions),
            (Gauge::NamesCacheGhostHits, ghost_hits),
            (Gauge::NamesCacheEntries, 7),
            (Gauge::NamesCacheBytes, 855),
        ]
    };
    desk.set(&names(600, 100, 0, 0));
    desk.look(10 * SECOND);
    let trial = desk.force("names.cache_entries=0");
    // With no room everything is missed, and missed again.
    desk.set(&names(900, 800, 30, 300));
    desk.compare(trial, 900_000, 0);
    desk.look(10 * SECOND);
    let ended = desk.engine.durable().trials_ended.back().unwrap();
    assert_eq!((ended.verdict.name(), ended.kept), ("worse", false));
    // As it goes on with the size in force: all is found.
    desk.set(&names(1_500, 810, 30, 300));
    desk.look(10 * SECOND);
    let task = "cache-cleanup".to_owned();
    let ran = desk.ask(&Request::Run { task });
    assert_eq!(ran["outcome"], "nothing-to-do", "{ran}");
    let state = desk.engine.durable();
    assert!(state.settings.is_empty() && state.trials.is_empty(), "{ran}");
}

#[test]
fn a_lever_that_is_mostly_faster_and_stalls_is_undone_and_told_so() {
    let mut desk = Desk::new();
    let trial = desk.force("names.keep=path");
    desk.compare(trial, -350_000, 7);
    desk.look(10 * SECOND);
    let given = desk.ask(&Request::Trials);
    let ended = &given["ended"][0];
    assert_eq!(
        (&ended["verdict"], &ended["kept"]),
        (&"worse".into(), &false.into()),
        "{given}"
    );
    let why = ended["why"].as_str().unwrap();
    assert!(
        why.starts_with("mostly faster, but 7 lines stalled, 0 with the value in force: cost in all +240 %"),
        "{why}"
    );
    let estimate = &ended["estimate"];
    assert!(estimate["percent"].as_f64().unwrap() < 0.0, "{given}");
    assert!(estimate["percent_in_all"].as_f64().unwrap() > 200.0, "{given}");
    assert_eq!(
        (&estimate["current_stalls"], &estimate["candidate_stalls"]),
        (&0.into(), &7.into())
    );
    let state = desk.engine.durable();
    assert!(state.settings.is_empty() && state.trials.is_empty(), "{given}");
}

#[test]
fn the_weekly_baseline_is_of_the_week() {
    let mut desk = Desk::new();
    desk.colour(100_000, 20_000);
    desk.look(10 * SECOND);
    let first = desk.usual_ns();
    assert!((19_000..23_000).contains(&first), "{first}");
    let trial = desk.force("names.keep=path");
    desk.compare(trial, -700_000, 0);
    desk.look(10 * SECOND);
    assert_eq!(desk.engine.durable().settings["names.keep"], "path");
    // A week of somebody who has typed for months.
    desk.colour(1_000, 9_000);
    desk.look(WEEK_NS.cast_unsigned() + 60 * SECOND);
    let moved = desk.usual_ns();
    assert!(moved < 11_000, "{moved}");
    // What was proven once moves it once.
    desk.colour(1_000, 5_000);
    desk.look(WEEK_NS.cast_unsigned() + 60 * SECOND);
    assert_eq!(desk.usual_ns(), moved);
}

fn force(lever: &str) -> Request {
    Request::Optimize {
        force: Some(lever.to_owned()),
        within_ms: None,
        reset: None,
        withdraw: None,
    }
}

#[test]
fn a_worker_that_ends_leaves_nothing_on_trial_and_the_next_goes_on() {
    let mut desk = Desk::new();
    let trial = desk.force("completion.deadline_ms=100");
    assert_eq!(desk.told(), [trial]);
    // Killed, it says nothing, and the next is there at once.
    desk.next_worker();
    assert_eq!(desk.told(), [trial]);
    desk.ask(&Request::Stop);
    assert_eq!(desk.told(), [0_i64; 0], "nobody will judge it");
    let now = desk.world.now;
    desk.engine.end(&mut desk.world.hands(true), now);
    assert_eq!(desk.told(), [0_i64; 0]);
    assert!(desk.engine.durable().trials.contains_key(&trial.cast_unsigned()));
    // Whoever reads it from disk is told that it waits.
    desk.engine = Engine::load(&mut desk.world.hands(false), config(), now).unwrap();
    assert_eq!(desk.ask(&Request::Trials)["waits"], "there is no worker");
    desk.next_worker();
    assert_eq!(desk.told(), [trial]);
    assert_eq!(desk.ask(&Request::Trials)["waits"], Value::Null);
}

#[test]
fn while_it_is_paused_nothing_is_on_trial_and_nothing_is_kept() {
    let performance = || Some("performance".to_owned());
    for (task, why) in [
        (None, "everything is paused"),
        (performance(), "performance is paused"),
    ] {
        let mut desk = Desk::new();
        let trial = desk.force("names.keep=path");
        desk.look(10 * SECOND);
        desk.ask(&Request::Pause { task: task.clone() });
        assert_eq!(desk.told(), [0_i64; 0], "{why}");
        let before = desk.engine.durable().trials[&trial.cast_unsigned()].active_ns;
        // A session that has not looked yet says what would have it kept.
        desk.compare(trial, -700_000, 0);
        for _ in 0..4 {
            desk.look(10 * SECOND);
        }
        let state = desk.engine.durable();
        assert!(
            state.settings.is_empty() && state.trials_ended.is_empty(),
            "{why}"
        );
        assert_eq!(state.trials[&trial.cast_unsigned()].active_ns, before, "{why}");
        let told = desk.ask(&Request::Trials);
        assert!(told["waits"].as_str().unwrap().starts_with(why), "{told}");
        let withdraw = Request::Optimize {
            force: None,
            within_ms: None,
            reset: None,
            withdraw: Some(true),
        };
        if task.is_none() {
            desk.ask(&withdraw);
        }
        // None is opened either, whoever asks.
        let refused = desk.try_to_ask(&force("names.cache_entries=0")).unwrap_err();
        let said = format!("{} {:?}", refused.message, refused.hint);
        assert!(task.is_some() || said.contains(why), "{said}");
        desk.ask(&Request::Resume { task: task.clone() });
        if task.is_some() {
            assert_eq!(desk.told(), [trial]);
            desk.look(10 * SECOND);
            assert_eq!(desk.engine.durable().settings["names.keep"], "path");
        }
    }
}
