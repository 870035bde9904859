//! What a changed configuration does to the engine that follows it.

use std::fs;
use std::path::Path;

use lle_core::mode::Mode;
use lle_core::policy::{Policy, PolicyRules};

use super::super::tests::started_at;
use super::*;
use crate::api::Request;
use crate::engine::{Engine, Event};
use crate::real::RealWorld;

/// An engine in a folder, whose file says that.
fn saying(folder: &Path, text: &str) -> (RealWorld, Engine, Now) {
    let file = folder.join("config/config.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    started_at(folder, Some(&file))
}

fn save(folder: &Path, text: &str) {
    fs::write(folder.join("config/config.toml"), text).unwrap();
}

fn keys(engine: &Engine) -> Vec<&str> {
    let alerts = engine.state.alerts.open();
    alerts
        .map(|alert| alert.key.as_str())
        .filter(|key| key.starts_with(TOLD_WHOLE))
        .collect()
}

#[test]
fn modes_are_the_least_of_what_configuration_user_and_policy_say() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = saying(folder.path(), "maintenance.mode.backup = \"advise\"\n");
    assert_eq!(engine.mode_of("backup"), Mode::Advise);
    assert_eq!(engine.mode_of("performance"), Mode::Automatic);
    let set = |engine: &mut Engine, world: &mut RealWorld, mode: &str| {
        let request = Request::SetMode {
            area: "backup".into(),
            mode: mode.into(),
        };
        engine
            .request(world, now, &Who::peer(7, None, 7), &request)
            .unwrap();
    };
    set(&mut engine, &mut world, "automatic");
    assert_eq!(engine.mode_of("backup"), Mode::Advise);
    set(&mut engine, &mut world, "observe");
    assert_eq!(engine.mode_of("backup"), Mode::Observe);
    set(&mut engine, &mut world, "automatic");
    save(folder.path(), "maintenance.mode.backup = \"automatic\"\n");
    assert!(!engine.sync_configuration(&mut world, now));
    assert_eq!(engine.mode_of("backup"), Mode::Automatic);
    let mut rules = PolicyRules::default();
    rules.mode_max.insert("backup".into(), Mode::Observe);
    engine.set_policy(&mut world, now, Policy::default().reread(rules, None), Vec::new());
    assert_eq!(engine.mode_of("backup"), Mode::Observe, "no user can weaken it");
}

#[test]
fn linger_and_alerts_are_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    let text = "worker.linger_s = 9\nalerts.per_hour = 1\nalerts.prompt_severity = \"major\"\n";
    let (mut world, mut engine, now) = saying(folder.path(), text);
    assert_eq!(engine.linger(), Duration::from_secs(9));
    assert!(engine.is_told("x", Severity::Major) && !engine.is_told("x", Severity::Minor));
    assert!(engine.is_told("config.applied/3", Severity::Info));
    // One in an hour is raised, and then none.
    save(folder.path(), "x\n");
    engine.sync_configuration(&mut world, now);
    assert_eq!(
        keys(&engine).len(),
        1,
        "{:?}",
        engine
            .state
            .alerts
            .open()
            .map(|a| (&a.key, &a.title))
            .collect::<Vec<_>>()
    );
    save(folder.path(), "another mistake = [\n");
    engine.sync_configuration(&mut world, now);
    assert_eq!(keys(&engine).len(), 1, "{:?}", keys(&engine));
    assert_eq!(engine.state.alerts.held_back(), 1);
    assert_eq!(engine.linger(), Duration::from_secs(9), "the last good one holds");
    save(folder.path(), "alerts.prompt = false\n");
    engine.sync_configuration(&mut world, now);
    assert_eq!(engine.linger(), Duration::from_secs(600));
    assert!(!engine.is_told("x", Severity::Fatal));
}

#[test]
fn what_was_in_force_is_so_after_a_restart_whatever_the_file_says_by_then() {
    let folder = tempfile::tempdir().unwrap();
    let (world, engine, _) = saying(folder.path(), "worker.linger_s = 9\n");
    drop((world, engine));
    let (_, engine, _) = saying(folder.path(), "worker.linger_s = nine\n");
    assert_eq!(engine.linger(), Duration::from_secs(9));
    assert!(engine.configured.refused.is_some() && keys(&engine)[0].starts_with("config.broken/"));
    drop(engine);
    let (_, engine, _) = saying(folder.path(), "worker.linger_s = 8\n");
    assert_eq!(
        (engine.linger(), engine.configured.in_force.version),
        (Duration::from_secs(8), 2)
    );
}

#[test]
fn running_sessions_get_what_concerns_them_unless_that_is_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = saying(folder.path(), "editor.theme = \"light\"\n");
    let published = |engine: &Engine| engine.published.config().cloned();
    let first = published(&engine).unwrap();
    assert_eq!(
        (first.version, first.value("editor.theme")),
        (1, Some(("light", false)))
    );
    assert!(first.keys.iter().all(|key| CATALOGUE.is_for_sessions(&key.name)) && first.sources.is_empty());
    save(folder.path(), "editor.theme = \"deep\"\nreload.live = false\n");
    engine.sync_configuration(&mut world, now);
    engine.handle(&mut world, now, Event::Tick);
    assert_eq!(published(&engine), None);
    save(folder.path(), "editor.theme = \"deep\"\n");
    engine.sync_configuration(&mut world, now);
    engine.handle(&mut world, now, Event::Tick);
    assert_eq!(published(&engine).map(|config| config.version), Some(3));
}

#[test]
fn a_version_that_is_put_back_is_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = saying(folder.path(), "worker.linger_s = 9\n");
    save(folder.path(), "worker.linger_s = 8\n");
    engine.sync_configuration(&mut world, now);
    assert_eq!(
        engine.put_back(&mut world, now, 1, None, "prompts are 40 % slower"),
        Ok(3)
    );
    assert_eq!(engine.linger(), Duration::from_secs(9));
    let text = fs::read_to_string(folder.path().join("config/config.toml")).unwrap();
    assert_eq!(text, "worker.linger_s = 9\n");
    engine.sync_configuration(&mut world, now);
    assert_eq!(engine.configured.in_force.version, 3);
}

#[test]
fn a_theme_in_force_that_is_edited_is_on_trial_by_keys_and_colours() {
    let folder = tempfile::tempdir().unwrap();
    let theme = folder.path().join("config/themes/mine.toml");
    fs::create_dir_all(theme.parent().unwrap()).unwrap();
    let paint = |colour: &str| fs::write(&theme, format!("[roles]\ncommand = \"{colour}\"\n")).unwrap();
    paint("201");
    let (mut world, mut engine, now) = saying(folder.path(), "editor.theme = \"mine\"\n");
    assert!(engine.on_trial().is_none(), "nobody knows what was before");
    let sync = |engine: &mut Engine, world: &mut RealWorld| {
        assert!(!engine.sync_configuration(world, now));
        let open = engine.on_trial();
        open.map(|(_, trial, configured)| {
            (
                configured.version,
                configured.keys.join(" "),
                trial.metric.clone(),
            )
        })
    };
    let by = |version| Some((version, "themes/mine.toml".to_owned(), "colours, keys".to_owned()));
    paint("202");
    assert_eq!(sync(&mut engine, &mut world), by(3));
    paint("203");
    assert_eq!(sync(&mut engine, &mut world), by(4), "it took its place");
    paint("201");
    assert_eq!(sync(&mut engine, &mut world), None, "as it was before");
    assert_eq!(engine.state.trials_ended.len(), 2);
    paint("204");
    assert_eq!(sync(&mut engine, &mut world), by(6));
    // Taken back by the engine: what it is compared with is in force again.
    engine
        .put_back(&mut world, now, 5, None, "keys are slower")
        .unwrap();
    assert!(engine.on_trial().is_none());
    assert!(fs::read_to_string(&theme).unwrap().contains("201"));
    // The name of another theme says all there is to say.
    save(folder.path(), "editor.theme = \"deep\"\n");
    let (_, keys, _) = sync(&mut engine, &mut world).unwrap();
    assert_eq!(keys, "editor.theme");
}

#[test]
fn the_hourly_run_finds_what_nobody_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = saying(folder.path(), "");
    save(folder.path(), "worker.linger_s = 8\n");
    let request = Request::Run {
        task: "config-sync".into(),
    };
    engine
        .request(&mut world, now, &Who::peer(7, None, 7), &request)
        .unwrap();
    assert_eq!(engine.linger(), Duration::from_secs(8));
    let run = &engine.state.tasks["config-sync"].statistics;
    assert_eq!(
        (run.successes, run.last.as_ref().unwrap().note.as_str()),
        (1, "version 2 is in force")
    );
}
