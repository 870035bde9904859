//! What the engine learns of its series, and what it says of them.

use super::*;
use lle_core::health::metric::METRICS;
use lle_core::series::blame::{ChangeKind, Measured, blame};
use serde_json::Value;

const S: i64 = 1_000_000_000;
const MS: f64 = 1e6;

/// The suspects are those of an engine that was told of two changes.
fn moved(before_ms: f64, after_ms: f64) -> Moved {
    let changes = [
        blame::Change {
            at_ns: 8_000 * S,
            what: "backup ran".into(),
            kind: ChangeKind::Task,
            session: None,
            number: None,
        },
        blame::Change {
            at_ns: 9_900 * S,
            what: "plugin git-status was enabled".into(),
            kind: ChangeKind::Plugin,
            session: None,
            number: None,
        },
    ];
    let changepoint = Changepoint {
        at_ns: 10_000 * S,
        earliest_ns: 9_700 * S,
        latest_ns: 10_000 * S,
        before: before_ms * MS,
        after: after_ms * MS,
        confidence: 0.9999,
    };
    Moved {
        metric: PROMPT.metric.to_owned(),
        changepoint,
        suspects: blame(&changepoint, MEAN_NS, Measured::Session, &changes),
        noticed_wall_ns: 13_000 * S,
        reached: Reached::All,
    }
}

fn told(moved: &Moved) -> Told<'_> {
    Told::of(moved).unwrap()
}

#[test]
fn one_of_several_that_cannot_be_told_apart_is_not_named() {
    let mut moved = moved(20.0, 58.0);
    let suspect = |what: Option<&str>, confidence| Suspect {
        what: what.map(str::to_owned),
        at_ns: None,
        confidence,
    };
    moved.suspects = vec![
        suspect(Some("a"), 0.5),
        suspect(Some("b"), 0.49),
        suspect(None, 0.01),
    ];
    assert_eq!(
        told(&moved).title(),
        "prompt 38 ms slower since one of 2 changes at that moment"
    );
    moved.suspects = vec![
        suspect(Some("a"), 0.5),
        suspect(None, 0.4),
        suspect(Some("b"), 0.1),
    ];
    assert_eq!(
        told(&moved).title(),
        "prompt 38 ms slower since a change that nobody recorded"
    );
}

#[test]
fn a_slower_prompt_names_what_was_changed() {
    let moved = moved(20.0, 58.0);
    assert!(told(&moved).is_worse());
    assert_eq!(
        told(&moved).title(),
        "prompt 38 ms slower since plugin git-status was enabled"
    );
    assert_eq!(
        told(&moved).evidence(),
        "on average 20 ms before, 58 ms after; 99.9 % sure that it changed, 100 % of what did it; 1 other change was made then too"
    );
    // Of single prompts something else is compared than an alert compares, and that is said.
    let typed = Moved {
        reached: Reached::Session("00000000000000ff".into()),
        ..moved
    };
    let evidence = told(&typed).evidence();
    assert!(
        evidence.starts_with("the typical prompt 20 ms before, 58 ms after; "),
        "{evidence}"
    );
}

#[test]
fn what_gets_better_or_hardly_changes_is_no_finding() {
    assert!(!told(&moved(58.0, 20.0)).is_worse());
    assert!(!told(&moved(20.0, 22.0)).is_worse());
    assert_eq!(
        told(&moved(58.0, 20.0)).title(),
        "prompt 38 ms faster since plugin git-status was enabled"
    );
}

#[test]
fn a_forecast_of_a_moment_that_is_behind_us_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (_world, mut engine, now) = super::super::tests::started(folder.path());
    let watch = engine.predict.watches.entry(PROMPT.metric).or_default();
    for ago in (0..3 * 288).rev() {
        watch.add(now.wall_ns - ago * MEAN_NS, 20.0 * MS + (ago % 7) as f64 * 1e5);
    }
    let told = |hours: i64| {
        let wall_ns = now.wall_ns + hours * 3_600 * S;
        engine.forecasts(Now { wall_ns, ..now })["resources"][0].clone()
    };
    let fresh = told(1);
    assert!(fresh["shown"].is_string(), "{fresh}");
    assert!(
        fresh["due_wall_ns"].as_i64() > Some(now.wall_ns + 3_600 * S),
        "{fresh}"
    );
    let old = told(25);
    assert_eq!(
        (&old["shown"], &old["due_wall_ns"]),
        (&Value::Null, &Value::Null),
        "{old}"
    );
    let unknown = old["unknown"].as_str().unwrap();
    assert!(
        unknown.starts_with("unknown: the last sample is 1 d 1 h old"),
        "{unknown}"
    );
    assert!(old["at_wall_ns"].as_i64() < Some(now.wall_ns), "{old}");
}

#[test]
fn a_series_of_another_version_is_passed_over() {
    let other = Moved {
        metric: "moon_phase".into(),
        ..moved(20.0, 58.0)
    };
    assert!(Told::of(&other).is_none());
}

#[test]
fn what_was_changed_and_what_moved_outlives_the_worker() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = super::super::tests::started(folder.path());
    let change = blame::Change {
        at_ns: now.wall_ns - 300 * S,
        what: "~/.bashrc:3 `PS1=x` was added".into(),
        kind: ChangeKind::Rc,
        session: None,
        number: None,
    };
    assert!(engine.note_change(&mut world, now, change.clone()));
    assert!(!engine.note_change(&mut world, now, change), "once is enough");
    let changepoint = Changepoint {
        at_ns: now.wall_ns,
        earliest_ns: now.wall_ns - 300 * S,
        latest_ns: now.wall_ns,
        ..moved(20.0, 58.0).changepoint
    };
    engine.moved(&mut world, now, PROMPT, changepoint, Reach::Any);
    let before = engine.anomalies(now)["changes"].clone();
    assert_eq!(
        before[0]["title"],
        "prompt 38 ms slower since ~/.bashrc:3 `PS1=x` was added"
    );
    // It was killed: nothing else is written.
    let config = engine.config.clone();
    drop(engine);
    let next = Engine::load(&mut world, config, now).unwrap();
    assert_eq!(next.anomalies(now)["changes"], before);
    assert_eq!(next.changed_findings(now).len(), 1);
}

/// Stands for `lusush`: supervises, and has models ready.
const PROGRAM: &str = "#!/bin/sh\nif [ \"$2\" = command ]; then shift 3; exec \"$@\"; fi\ncp \"$0.models\" \"$4\" && echo done\n";

#[test]
fn models_are_made_by_a_job_and_taken_over_when_it_has_ended() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let below = |name: &str| folder.path().join(name);
    let program = below("program");
    std::fs::write(&program, PROGRAM).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut places = crate::real::Places::below(&below("s"), &below("d"), &below("c"), &below("r"), "m");
    places.program = Some(program);
    let (mut world, mut engine, now) = super::super::tests::started_in(places);
    let made = now.wall_ns - 2 * 3_600 * S;
    let models = format!(
        r#"{{"version":1,"made_wall_ns":{made},"series":{{"prompt_ns_recent":{{"unknown":{{"why":"too-few","have":3,"need":504}}}}}}}}"#
    );
    std::fs::write(below("program.models"), models).unwrap();
    let who = lle_core::policy::Who::peer(7, None, 7);
    let run = crate::api::Request::Run {
        task: "performance".into(),
    };
    // In the first three weeks there is nothing to fit a model to.
    engine.request(&mut world, now, &who, &run).unwrap();
    assert!(engine.state.running.is_empty());
    engine.state.installed_wall_ns = now.wall_ns - 22 * 24 * 3_600 * S;
    engine.request(&mut world, now, &who, &run).unwrap();
    assert_eq!((engine.state.running.len(), engine.models_made()), (1, None));
    super::super::tests::wait_for_job(&mut world, &mut engine, now);
    assert_eq!(engine.models_made(), Some((made, 0, 0)));
    let told = engine.forecasts(now);
    assert_eq!(
        told["resources"][0]["pattern"]["unknown"],
        "unknown: 3 of 504 samples so far"
    );
    // They are fresh for the schedule, and old enough for a person.
    assert!(
        engine
            .plan_models(&mut world, "its schedule", now, false)
            .is_none()
    );
    assert!(engine.plan_models(&mut world, "asked for", now, true).is_some());
    // It changed nothing that could make a series move.
    let changes = &engine.state.noticed.changes;
    assert!(
        changes.iter().all(|change| !change.what.contains("fit models")),
        "{changes:?}"
    );
}

#[test]
fn every_series_is_a_metric_or_measured_for_it() {
    let sizes = [
        watched::HISTORY_BYTES,
        watched::STATE_BYTES,
        watched::BACKUP_BYTES,
        watched::DISK_FREE_BYTES,
        watched::DATA_FREE_BYTES,
        watched::CACHE_FREE_BYTES,
        watched::START_NS,
        watched::FLOOR_BYTES,
    ];
    for row in WATCHED {
        let metric = METRICS.iter().find(|metric| metric.name == row.metric);
        assert!(
            sizes.contains(&row.metric) || metric.is_some_and(|metric| metric.unit == row.unit),
            "{}",
            row.metric
        );
    }
}

#[test]
fn a_prompt_that_got_slower_and_is_too_slow_is_told_once() {
    let moved = moved(20.0, 320.0);
    let change = told(&moved).finding();
    let limit = Finding {
        key: "prompt_ns_recent.7".into(),
        session: Some(7),
        ..change.clone()
    };
    let keys = |findings: &[Finding], alerts: &Alerts| -> Vec<String> {
        let told = told_once(findings, alerts);
        told.into_iter().map(|finding| finding.key).collect()
    };
    let both = [change.clone(), limit.clone()];
    let mut alerts = Alerts::default();
    assert_eq!(
        keys(std::slice::from_ref(&change), &alerts),
        ["changed.prompt_ns_recent"]
    );
    assert_eq!(keys(&both, &alerts), ["prompt_ns_recent.7"]);
    // Whichever was told first stays what is told.
    let at = lle_core::alert::Now {
        wall_ns: 1,
        mono_ns: 1,
    };
    alerts.observe(at, std::slice::from_ref(&change));
    assert_eq!(keys(&both, &alerts), ["changed.prompt_ns_recent"]);
    let worse = Finding {
        severity: Severity::Major,
        ..limit
    };
    assert_eq!(keys(&[change, worse], &alerts).len(), 2);
}
