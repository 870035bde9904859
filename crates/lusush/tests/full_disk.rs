//! A state file system of 4 MiB fills up under sessions and a worker: it is said once and clearly, sessions go on, nothing
//! that was acknowledged is lost, and all of it is as before when there is room.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;

use lle_log::history::History;
use lle_pty::Terminal;
use support::household::{Household, wait};
use support::log_of;
use support::small::Small;

/// What a session says above its prompt.
const SAID: &str = "memory only, commands wait in this shell";

fn type_line(terminal: &mut Terminal, id: &str) {
    terminal.press(format!("echo {id} >>~/witness\r")).unwrap();
}

fn witnesses(house: &Household) -> Vec<String> {
    let text = fs::read_to_string(house.home.path().join("witness")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn logged(house: &Household) -> Vec<String> {
    let history = History::open(&log_of(&house.home), 1, 0, None).unwrap().history;
    let commands = history.commands();
    commands
        .map(|command| String::from_utf8_lossy(&command.command).into_owned())
        .collect()
}

fn is_logged(house: &Household, id: &str) -> bool {
    logged(house).contains(&format!("echo {id} >>~/witness"))
}

fn memory_only(house: &Household) -> bool {
    !house.json(&["status"])["worker"]["memory_only"].is_null()
}

fn schedule(house: &Household, name: &str) -> Result<(), String> {
    let output = house.maint(&["schedule", name, "--when", "manual", "--", "true"]);
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Asks for tasks until one is refused; gives those that were acknowledged, and what was said.
fn until_refused(house: &Household) -> (Vec<String>, String) {
    let mut acknowledged = Vec::new();
    let mut refusal = None;
    wait("a task that is refused", || {
        let name = format!("task-{}", acknowledged.len());
        match schedule(house, &name) {
            Ok(()) => acknowledged.push(name),
            Err(said) => refusal = Some(said),
        }
        refusal.is_some()
    });
    (acknowledged, refusal.unwrap())
}

#[test]
fn a_state_file_system_fills_up_and_has_room_again() {
    let mut house = Household::new("");
    let Some(small) = Small::mount(&house.state()) else {
        return;
    };
    house.start_worker(&["--look-every", "100"]);
    let mut first = house.session();
    let mut second = house.session();
    for n in 0..5 {
        type_line(&mut first, &format!("before-{n}"));
    }
    schedule(&house, "early").unwrap();
    wait("the mirror", || {
        lle_maintenance::real::history::mirrored(&log_of(&house.home))
            .is_some_and(|(log, mirror)| log == mirror)
    });

    small.fill();
    // The last page of the log may have room for some.
    let mut kept = 0;
    wait("a command that is not in the log", || {
        type_line(&mut first, &format!("full-{kept}"));
        kept += 1;
        !is_logged(&house, &format!("full-{}", kept - 1))
    });
    for n in 0..5 {
        type_line(&mut first, &format!("fuller-{n}"));
        type_line(&mut second, &format!("second-{n}"));
    }
    first.press("\r").unwrap();
    assert_eq!(first.text().matches(SAID).count(), 1, "{}", first.text());
    let said = first.text().replace('\n', "");
    assert!(
        said.contains("the disk is full") || said.contains("o space left"),
        "{said}"
    );
    assert!(second.text().matches(SAID).count() <= 1, "{}", second.text());
    let (mut acknowledged, said) = until_refused(&house);
    assert!(
        said.contains("cannot be written") && said.contains("make room in the state folder"),
        "{said}"
    );
    wait("the worker to say so", || memory_only(&house));
    wait("an alert", || {
        house.json(&["alerts"]).to_string().contains("storage.")
    });
    // A new session starts, too, and says why it is not as usual.
    let mut third = house.session();
    type_line(&mut third, "third");
    third.press("\r").unwrap();
    assert!(
        witnesses(&house).contains(&"third".to_owned()),
        "{}",
        third.text()
    );
    // All of them ran, and bash has them.
    for n in 0..5 {
        assert!(witnesses(&house).contains(&format!("fuller-{n}")));
    }

    small.make_room();
    wait("what was in memory to be written", || !memory_only(&house));
    for (terminal, id) in [
        (&mut first, "room-first"),
        (&mut second, "room-second"),
        (&mut third, "room-third"),
    ] {
        type_line(terminal, id);
        assert!(is_logged(&house, id), "{}", terminal.text());
    }
    // What was typed meanwhile waited, and went before that.
    let log = logged(&house);
    for id in witnesses(&house) {
        let line = format!("echo {id} >>~/witness");
        assert_eq!(
            log.iter().filter(|command| **command == line).count(),
            1,
            "{id} in {log:?}"
        );
    }
    let place = |id: &str| {
        log.iter()
            .position(|command| command.contains(&format!("echo {id} ")))
    };
    assert!(place("fuller-0") < place("fuller-4") && place("fuller-4") < place("room-first"));
    first.press("\r").unwrap();
    assert!(first.text().contains("that waited"), "{}", first.text());
    assert_eq!(first.text().matches(SAID).count(), 1, "{}", first.text());
    acknowledged.push("early".into());
    schedule(&house, "after").unwrap();
    acknowledged.push("after".into());
    wait("the mirror", || {
        lle_maintenance::real::history::mirrored(&log_of(&house.home))
            .is_some_and(|(log, mirror)| log == mirror)
    });
    house.kill_worker();
    house.start_worker(&[]);
    for name in &acknowledged {
        house.task(name);
    }
    for n in 0..5 {
        assert!(is_logged(&house, &format!("before-{n}")));
    }
    // The kernel may have taken the beginning of a record.
    let checked = house.json(&["history", "check"]);
    assert!(checked["damaged_runs"].as_u64().unwrap() <= 2, "{checked}");
}

#[test]
fn a_home_of_its_own_fills_up_and_sessions_start_and_go_on() {
    let house = Household::new("");
    let Some(small) = Small::mount(&house.home.lusush()) else {
        return;
    };
    let mut first = house.session();
    type_line(&mut first, "before");
    small.fill();
    let mut second = house.session();
    for n in 0..3 {
        type_line(&mut first, &format!("first-{n}"));
        type_line(&mut second, &format!("second-{n}"));
    }
    let ran = witnesses(&house);
    assert_eq!(ran.len(), 7, "{ran:?}");
    assert!(is_logged(&house, "before"));
    // The flight file has no room: measured in memory, said once.
    second.press("\r").unwrap();
    assert!(second.text().contains("memory only"), "{}", second.text());
    small.make_room();
    type_line(&mut first, "room-first");
    type_line(&mut second, "room-second");
    assert!(is_logged(&house, "before") && is_logged(&house, "room-first"));
    for n in 0..3 {
        assert!(is_logged(&house, &format!("first-{n}")), "{:?}", logged(&house));
    }
    let mut third = house.session();
    type_line(&mut third, "third");
    assert!(is_logged(&house, "third"), "{}", third.text());
}

/// Bytes that no compression makes fewer.
fn random_bytes(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..bytes).map(next).collect()
}

#[test]
fn a_prune_makes_room_where_there_is_none() {
    let house = Household::new("");
    let Some(small) = Small::mount(&house.home.lusush().join("data")) else {
        return;
    };
    let theme = house.home.lusush().join("config/themes/a.toml");
    fs::create_dir_all(theme.parent().unwrap()).unwrap();
    // What the theme was at first is in a pack with nothing else.
    house.said(&["backup", "create"]);
    for seed in [1, 2] {
        fs::write(&theme, random_bytes(seed, 600_000)).unwrap();
        house.said(&["backup", "create"]);
    }
    small.fill();
    let keeps = ["daily", "weekly", "monthly", "yearly"].map(|each| format!("--keep-{each}=0"));
    let mut words = vec!["backup", "prune", "--keep-last=1"];
    words.extend(keeps.iter().map(String::as_str));
    let pruned = house.json(&words);
    assert_eq!(pruned["kept"], 1, "{pruned}");
    assert!(pruned["freed_bytes"].as_u64().unwrap() > 500_000, "{pruned}");
    house.said(&["backup", "create"]);
    house.said(&["backup", "verify", "--data"]);
}

#[test]
fn a_prune_writes_anew_what_is_shared_where_there_is_no_room() {
    let house = Household::new("");
    let Some(small) = Small::mount(&house.home.lusush().join("data")) else {
        return;
    };
    let themes = house.home.lusush().join("config/themes");
    fs::create_dir_all(&themes).unwrap();
    // Both are in one pack, of which only the second is needed later.
    fs::write(themes.join("a.toml"), random_bytes(1, 300_000)).unwrap();
    fs::write(themes.join("b.toml"), random_bytes(2, 200_000)).unwrap();
    house.said(&["backup", "create"]);
    let reserve = house.home.lusush().join("data/backup/reserve");
    assert!(fs::metadata(&reserve).unwrap().len() > 400_000);
    fs::write(themes.join("a.toml"), random_bytes(3, 1_000)).unwrap();
    house.said(&["backup", "create"]);
    small.fill();
    let keeps = ["daily", "weekly", "monthly", "yearly"].map(|each| format!("--keep-{each}=0"));
    let mut words = vec!["backup", "prune", "--keep-last=1"];
    words.extend(keeps.iter().map(String::as_str));
    let pruned = house.json(&words);
    assert!(pruned["freed_bytes"].as_u64().unwrap() > 250_000, "{pruned}");
    house.said(&["backup", "verify", "--data"]);
    // With room again there is a reserve again.
    small.make_room();
    house.said(&words);
    assert!(reserve.exists());
}

#[test]
fn a_backup_beside_a_full_disk_says_once_that_it_is_not_in_the_audit_log() {
    let mut house = Household::new("");
    let Some(small) = Small::mount(&house.state()) else {
        return;
    };
    house.start_worker(&[]);
    house.said(&["backup", "create"]);
    let mut error = String::new();
    wait("a backup that is not in the audit log", || {
        small.fill();
        let output = house.maint(&["backup", "create"]);
        error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{error}");
        error.contains("audit log")
    });
    assert_eq!(error.matches("audit log").count(), 1, "{error}");
    assert!(!error.contains("nothing is changed"), "{error}");
    small.make_room();
}
