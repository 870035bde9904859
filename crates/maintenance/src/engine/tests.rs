//! Engines for tests, on real folders and at a time that stands still, and what they do as a whole.

use std::path::Path;
use std::time::{Duration, Instant};

use lle_core::policy::Who;

use super::*;
use crate::api::{Request, ScheduleRequest};
use crate::real::{Places, RealWorld};

/// An engine that acts, in a folder of its own, at a time that stands still.
pub(crate) fn started(folder: &Path) -> (RealWorld, Engine, Now) {
    started_at(folder, None)
}

/// The same, which follows the configuration in that file.
pub(crate) fn started_at(folder: &Path, file: Option<&Path>) -> (RealWorld, Engine, Now) {
    let below = |name: &str| folder.join(name);
    let mut places = Places::below(&below("s"), &below("d"), &below("c"), &below("r"), "m");
    places.metrics = None;
    if let Some(file) = file {
        places.follow(file.to_owned());
        // Not what the machine of the test has.
        let files = places.config.as_mut().unwrap();
        files.system = folder.join("etc/config.toml");
    }
    started_in(places)
}

/// The same, with its files in these places.
pub(crate) fn started_in(places: Places) -> (RealWorld, Engine, Now) {
    let config = Config {
        policy: Policy::default(),
        problems: Vec::new(),
        thresholds: Thresholds::default(),
        zone: TimeZone::UTC,
        uid: 7,
    };
    let now = Now {
        wall_ns: 1_795_000_000_000_000_000,
        mono_ns: 1_000_000_000,
    };
    let mut world = RealWorld::open(places, true).unwrap();
    let mut engine = Engine::load(&mut world, config, now).unwrap();
    engine.start(&mut world, now);
    (world, engine, now)
}

pub(crate) fn wait_for_job(world: &mut RealWorld, engine: &mut Engine, now: Now) {
    let began = Instant::now();
    loop {
        let ended = world.ended_jobs();
        for end in &ended {
            engine.job_done(world, now, end);
        }
        if !ended.is_empty() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the job does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_cleanup_that_was_left_to_the_next_worker_is_taken_up_by_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = started(folder.path());
    let who = Who::peer(7, None, 7);
    let cleaned = folder.path().join("cleaned");
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let task = ScheduleRequest {
        name: "task".into(),
        schedule: Some("manual".into()),
        command: words(&["true"]),
        cleanup: words(&["touch", cleaned.to_str().unwrap()]),
        ..ScheduleRequest::default()
    };
    let run = Request::Run { task: "task".into() };
    for request in [Request::Schedule(Box::new(task)), run, Request::Stop] {
        engine.request(&mut world, now, &who, &request).unwrap();
    }
    // The job ends between the stop and the start, in the same turn.
    wait_for_job(&mut world, &mut engine, now);
    assert_eq!(engine.state.running.len(), 1);
    assert!(engine.live.is_empty() && !cleaned.exists());
    engine.request(&mut world, now, &who, &Request::Start).unwrap();
    wait_for_job(&mut world, &mut engine, now);
    assert!(engine.state.running.is_empty() && cleaned.exists());
    assert_eq!(engine.state.tasks["task"].statistics.successes, 1);
}

#[test]
fn a_time_of_the_calendar_moves_with_the_time_zone() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = started(folder.path());
    let next = |engine: &Engine, name: &str| engine.state.tasks[name].timing.next_wall_ns.unwrap();
    let (calendar, interval) = (next(&engine, "backup"), next(&engine, "memory-defrag"));
    let west = TimeZone::fixed(jiff::tz::offset(-11));
    assert!(engine.set_zone(&mut world, now, west.clone()));
    assert!(!engine.set_zone(&mut world, now, west), "it is there already");
    engine.handle(&mut world, now, Event::Changed);
    const HOUR_NS: i64 = 3_600_000_000_000;
    assert_eq!(
        next(&engine, "backup") - calendar,
        11 * HOUR_NS,
        "two at night, there"
    );
    assert_eq!(next(&engine, "memory-defrag"), interval);
}

/// Everybody's rules, none of the machine's.
fn denying(operation: &str) -> Policy {
    let rules = lle_core::policy::PolicyRules {
        denied_operations: vec![operation.to_owned()],
        ..lle_core::policy::PolicyRules::default()
    };
    Policy::default().reread(rules, None)
}

#[test]
fn who_may_not_stop_it_does_not_by_a_file_either() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = started(folder.path());
    assert!(engine.set_policy(&mut world, now, denying("stop"), Vec::new()));
    engine.is_unwanted(&mut world, now);
    assert!(!engine.is_stopping());
    assert!(engine.set_policy(&mut world, now, Policy::default(), Vec::new()));
    engine.is_unwanted(&mut world, now);
    assert!(engine.is_stopping());
}

#[test]
fn a_task_that_overran_is_found_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = started(folder.path());
    let who = Who::peer(7, None, 7);
    let task = ScheduleRequest {
        name: "hangs".into(),
        schedule: Some("manual".into()),
        command: Some(["sleep", "600"].map(str::to_owned).to_vec()),
        budget_ms: Some(1_000),
        ..ScheduleRequest::default()
    };
    let run = Request::Run { task: "hangs".into() };
    for request in [Request::Schedule(Box::new(task)), run] {
        engine.request(&mut world, now, &who, &request).unwrap();
    }
    let later = Now {
        mono_ns: now.mono_ns + 2 * SECOND_NS,
        ..now
    };
    engine.handle(&mut world, later, Event::Tick);
    wait_for_job(&mut world, &mut engine, later);
    engine.look(&mut world, later);
    let found = engine.assessment.as_ref().unwrap();
    let overran = found
        .findings
        .iter()
        .find(|finding| finding.key == "task.overrun/hangs");
    assert!(overran.is_some(), "{:?}", found.findings);
}

#[test]
fn a_lever_that_goes_back_is_not_tried_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = started(folder.path());
    let who = Who::peer(7, None, 7);
    let mut ask = |force: Option<&str>, reset: Option<&str>| {
        let request = Request::Optimize {
            force: force.map(str::to_owned),
            reset: reset.map(str::to_owned),
            withdraw: None,
            within_ms: None,
        };
        engine.request(&mut world, now, &who, &request).unwrap();
        let open = engine.lever_on_trial().map(str::to_owned);
        (open, engine.state.trials_ended.len())
    };
    let tried = Some("names.keep".to_owned());
    assert_eq!(ask(Some("names.keep=path"), None), (tried.clone(), 0));
    assert_eq!(
        ask(None, Some("names.cache_entries")),
        (tried, 0),
        "another lever"
    );
    assert_eq!(ask(None, Some("names.keep")), (None, 1));
    assert_eq!(engine.state.trials_ended[0].verdict.name(), "withdrawn");
    assert!(engine.state.settings.is_empty());
    assert!(engine.trials_to_publish().is_empty());
}
