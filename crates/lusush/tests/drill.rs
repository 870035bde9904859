//! Drills: everything is lost for real on a copy and comes back; the real home is as it was.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use lle_core::recovery::TABLE;
use rustix::process::{Pid, Signal, kill_process_group};
use support::household::{Household, processes, wait};
use support::press;

/// Every file of a home with its content, but for caches and what drills keep.
fn everything(house: &Household) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![house.home.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let below = path.strip_prefix(house.home.path()).unwrap().to_owned();
            let passes = ["lusush/cache", "lusush/data/recovery", "lusush/run"];
            if passes.iter().any(|pass| below.starts_with(pass)) {
                continue;
            }
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_file() => drop(files.insert(below, fs::read(&path).unwrap())),
                _ => {}
            }
        }
    }
    files
}

fn drills(house: &Household) -> PathBuf {
    house.home.lusush().join("cache/drill")
}

/// Folders that drills have left.
fn left(house: &Household) -> Vec<PathBuf> {
    let entries = fs::read_dir(drills(house)).map(|entries| entries.flatten().collect::<Vec<_>>());
    let entries = entries.unwrap_or_default().into_iter();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

#[test]
fn every_scenario_passes_on_a_copy_and_the_home_is_as_it_was() {
    let house = Household::new("");
    let mut terminal = house.session();
    press(&mut terminal, "echo remembered\r", "\nremembered\n");
    terminal.type_bytes(b"exit\r").unwrap();
    terminal.wait_exit(lle_pty::deadline()).unwrap();
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    house.said(&["backup", "create"]);
    let before = everything(&house);
    let output = house.maint(&["drill"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    println!("{said}");
    assert!(output.status.success(), "{said}");
    for scenario in TABLE {
        let row = said.lines().find(|line| line.starts_with(scenario.name));
        let row = row.unwrap_or_else(|| panic!("{} is not in:\n{said}", scenario.name));
        assert!(row.contains("passed") || row.contains("late"), "{row}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    let after = everything(&house);
    let changed: Vec<&PathBuf> = before
        .iter()
        .filter(|(path, bytes)| after.get(*path) != Some(*bytes))
        .map(|(path, _)| path)
        .chain(after.keys().filter(|path| !before.contains_key(*path)))
        .collect();
    assert!(changed.is_empty(), "the drill touched the real home: {changed:?}");
    assert!(left(&house).is_empty());
    // What it came to is kept, and the runbook says how to do it on a new machine.
    let runbook = fs::read_to_string(house.home.lusush().join("data/recovery/runbook.md")).unwrap();
    assert!(
        runbook.contains("recover home-gone") && runbook.contains("back in"),
        "{runbook}"
    );
    assert!(house.said(&["drill", "--scheduled"]).contains("No drill is due"));
    let health = house.json(&["health"]).to_string();
    assert!(!health.contains("recovery.drill"), "{health}");
}

#[test]
fn an_empty_configuration_is_nothing_that_could_be_missed() {
    let house = Household::new("");
    house.said(&["config", "set", "editor.theme", "night"]);
    // As a rollback to before the first version leaves it.
    fs::write(house.home.lusush().join("config/config.toml"), "").unwrap();
    for scenario in ["config-gone", "config-broken"] {
        let said = house.said(&["drill", scenario]);
        assert!(said.contains("passed"), "{said}");
    }
}

#[test]
fn a_drill_that_is_killed_leaves_the_home_alone_and_the_next_one_tidies_up() {
    let house = Household::new("");
    house.said(&["config", "set", "editor.theme", "light"]);
    let before = everything(&house);
    let mut command = house.command(&["maint", "drill"]);
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.process_group(0).spawn().unwrap();
    // Somewhere in the middle of a scenario.
    wait("a copy that is damaged", || {
        left(&house).iter().any(|folder| folder.join("it").is_dir())
    });
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process_group(group, Signal::KILL).unwrap();
    child.wait().unwrap();
    assert_eq!(everything(&house), before);
    let stale = left(&house);
    assert!(!stale.is_empty());
    // Its copy of the history is named by whoever takes something out.
    let planned = house.said(&["history", "scrub", "anything", "--plan"]);
    assert!(planned.contains("left by a drill"), "{planned}");
    // Whatever drill comes next, due or not.
    let answer = house.json(&["drill", "history-cut"]);
    assert_eq!(answer["passed"], true, "{answer}");
    assert_eq!(answer["rows"][0]["lost_bytes"], 0, "{answer}");
    assert!(left(&house).is_empty());
    let marker = drills(&house).display().to_string();
    wait("nobody to work in a drill", || processes(&marker).is_empty());
}

#[test]
fn the_worker_drills_with_the_backup_and_not_with_the_next() {
    let house = Household::with_worker("", &[]);
    let file = house.home.lusush().join("data/recovery/drill.json");
    let run = || {
        house.said(&["run", "backup"]);
        let began = Instant::now();
        // A drill is as long as all its scenarios.
        let enough = lle_pty::deadline() * u32::try_from(TABLE.len()).unwrap();
        while house.task("backup")["running"] != false {
            assert!(began.elapsed() < enough, "the backup does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let task = house.task("backup");
        assert_eq!(task["failures"].as_u64(), Some(0), "{task}");
    };
    run();
    let first = fs::read_to_string(&file).unwrap();
    assert!(first.contains("home-gone"), "{first}");
    run();
    assert_eq!(fs::read_to_string(&file).unwrap(), first);
}

#[test]
fn a_drill_that_failed_is_a_critical_finding() {
    let house = Household::new("");
    let file = house.home.lusush().join("data/recovery/drill.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let row = |failed: &str| {
        format!(
            r#"{{"scenario":"home-gone","failed":{failed},"recovery_ns":1,"objective_ns":1,"compared_files":0,
                "compared_bytes":0,"lost_bytes":0,"point":"","point_ns":null}}"#
        )
    };
    let write = |failed: &str| {
        let text = format!(r#"{{"version":1,"at_wall_ns":1,"rows":[{}]}}"#, row(failed));
        fs::write(&file, text).unwrap();
    };
    write("\"the key does not open it\"");
    let mut house = house;
    house.start_worker(&["--look-every", "50"]);
    let alerts = || house.json(&["alerts"]).to_string();
    wait("an alert", || {
        alerts().contains("the recovery drill failed: home-gone")
    });
    let health = house.json(&["health"]);
    let findings = health["findings"].as_array().unwrap();
    let finding = findings
        .iter()
        .find(|one| one["key"].as_str().unwrap().starts_with("recovery.drill"));
    assert_eq!(finding.unwrap()["severity"], "critical", "{health}");
    assert!(Path::new(&file).exists());
}

#[test]
fn a_scheduled_drill_that_cannot_run_is_told_and_fails_nothing() {
    let house = Household::new("");
    house.said(&["config", "set", "editor.theme", "light"]);
    let drill = drills(&house);
    fs::create_dir_all(drill.parent().unwrap()).unwrap();
    // No folder can be made there.
    fs::write(&drill, "a file").unwrap();
    let output = house.maint(&["drill", "--scheduled", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let kept = fs::read_to_string(house.home.lusush().join("data/recovery/drill.json")).unwrap();
    assert!(kept.contains("could not run"), "{kept}");
    let answer = house.json(&["drill", "--scheduled"]);
    assert!(answer["not_run"].is_string(), "{answer}");
}
