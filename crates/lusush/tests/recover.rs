//! Disasters as a user has them, with the real programs: found, planned, undone; and a home that comes back on a new machine.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use lle_core::error::Code;
use lle_log::mirror;
use serde_json::Value;
use support::household::{Household, wait};
use support::{log_of, press};

fn recover(house: &Household, words: &[&str]) -> Value {
    house.json(&[&["recover"], words].concat())
}

/// The scenarios that are found.
fn found(house: &Household) -> Vec<String> {
    let plan = recover(house, &["--plan"]);
    let found = plan["found"].as_array().unwrap().iter();
    found
        .map(|one| one["scenario"].as_str().unwrap().to_owned())
        .collect()
}

/// Demands that a scenario was dealt with.
fn recovered(answer: &Value, scenario: &str) {
    let done = answer["done"]
        .as_array()
        .unwrap()
        .iter()
        .find(|done| done["scenario"] == scenario);
    let done = done.unwrap_or_else(|| panic!("{scenario} is not in {answer}"));
    assert_eq!(done["recovered"], true, "{done}");
}

fn config_of(house: &Household) -> PathBuf {
    house.home.lusush().join("config/config.toml")
}

/// A home in which somebody has worked, with its mirror, and no worker.
fn lived_in() -> Household {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let mut terminal = house.session();
    press(&mut terminal, "echo remembered\r", "\nremembered\n");
    press(&mut terminal, "echo for ever\r", "\nfor ever\n");
    terminal.type_bytes(b"exit\r").unwrap();
    terminal.wait_exit(lle_pty::deadline()).unwrap();
    let log = log_of(&house.home);
    wait("the mirror", || {
        lle_maintenance::real::history::mirrored(&log).is_some_and(|(log, mirror)| log > 64 && log == mirror)
    });
    house.said(&["config", "set", "history.list_max", "12345"]);
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    house
}

#[test]
fn a_history_that_is_lost_is_found_planned_and_brought_back() {
    let house = lived_in();
    let log = log_of(&house.home);
    let before = fs::read(&log).unwrap();
    assert!(found(&house).is_empty());
    fs::remove_file(&log).unwrap();
    assert_eq!(found(&house), ["history-lost"]);
    assert!(!log.exists(), "a plan changes nothing");
    let said = house.said(&["recover", "--plan"]);
    assert!(said.contains("lusush maint history restore"), "{said}");
    recovered(&recover(&house, &[]), "history-lost");
    assert_eq!(fs::read(&log).unwrap(), before);
    assert!(found(&house).is_empty());
    // A second time there is nothing to do.
    assert!(house.said(&["recover"]).contains("Nothing is lost"));
}

#[test]
fn a_history_that_is_cut_or_rewritten_is_whole_again_and_keeps_what_came_since() {
    let house = lived_in();
    let log = log_of(&house.home);
    let before = fs::read(&log).unwrap();
    fs::write(&log, &before[..before.len() / 2]).unwrap();
    assert_eq!(found(&house), ["history-cut"]);
    recovered(&recover(&house, &[]), "history-cut");
    assert_eq!(fs::read(&log).unwrap(), before);
    let mut other = before.clone();
    let middle = other.len() / 2;
    other[middle] ^= 0xff;
    fs::write(&log, &other).unwrap();
    assert_eq!(found(&house), ["history-corrupt"]);
    recovered(&recover(&house, &[]), "history-corrupt");
    assert_eq!(fs::read(&log).unwrap(), before);
}

#[test]
fn a_mirror_that_rots_leaves_the_log_alone_and_is_made_anew_when_it_is_named() {
    let house = lived_in();
    let log = log_of(&house.home);
    let before = fs::read(&log).unwrap();
    let mirror = mirror::path_of(&log);
    let mut other = fs::read(&mirror).unwrap();
    let middle = other.len() / 2;
    other[middle] ^= 0xff;
    fs::write(&mirror, &other).unwrap();
    let answer = recover(&house, &[]);
    assert_eq!(answer["left"][0]["scenario"], "history-corrupt", "{answer}");
    assert_eq!(fs::read(&log).unwrap(), before);
    recovered(&recover(&house, &["history-corrupt"]), "history-corrupt");
    assert_eq!(fs::read(&log).unwrap(), before);
    assert_eq!(fs::read(&mirror).unwrap(), before);
    assert!(found(&house).is_empty());
}

#[test]
fn a_repository_is_moved_away_only_when_it_is_damaged_and_named() {
    let house = lived_in();
    house.said(&["backup", "create"]);
    let lusush = house.home.lusush();
    let archive = lusush.join("data/backup/archive");
    let refused = |words: &[&str], expect: &str| {
        let output = house.maint(&[&["recover", "repository-damaged"], words].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(expect), "{error}");
    };
    refused(&[], "not damaged");
    let key = lusush.join("state/keys/backup.key");
    let (kept, away) = (fs::read(&key).unwrap(), key.with_extension("away"));
    fs::rename(&key, &away).unwrap();
    assert!(found(&house).is_empty());
    refused(&[], "without its key");
    fs::write(&key, b"no key").unwrap();
    assert!(found(&house).is_empty());
    refused(&[], "without its key");
    fs::write(&key, kept).unwrap();
    for entry in fs::read_dir(archive.join("index")).unwrap().flatten() {
        fs::remove_file(entry.path()).unwrap();
    }
    let answer = recover(&house, &[]);
    assert_eq!(answer["left"][0]["scenario"], "repository-damaged", "{answer}");
    let other = house.home.path().join("other");
    refused(&["--repository", other.to_str().unwrap()], "without --repository");
    let entries = fs::read_dir(archive.parent().unwrap()).unwrap().flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    assert!(
        names
            .iter()
            .all(|name| !name.to_string_lossy().contains("damaged"))
    );
}

#[test]
fn which_former_states_are_lost_with_a_repository_is_said() {
    let house = lived_in();
    house.said(&["backup", "create"]);
    let start_up = house.home.path().join(".bashrc");
    let data = house.home.lusush().join("data/backup/archive/data");
    let packs = || -> std::collections::BTreeSet<PathBuf> {
        let folders = fs::read_dir(&data).unwrap().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten());
        files.map(|entry| entry.path()).collect()
    };
    let first = packs();
    fs::write(&start_up, "# something else\n".repeat(300)).unwrap();
    house.said(&["backup", "create"]);
    for pack in packs().difference(&first) {
        fs::remove_file(pack).unwrap();
    }
    let verified = house.maint(&["backup", "verify"]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(said.matches("lost of snapshot").count(), 1, "{said}");
    let planned: Value =
        serde_json::from_slice(&house.maint(&["recover", "--plan", "--json"]).stdout).unwrap();
    let row = &planned["found"][0];
    assert_eq!(
        (&row["point_kind"], &row["lost_snapshots"]),
        (&"former".into(), &1.into()),
        "{planned}"
    );
    let output = house.maint(&["recover", "repository-damaged"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        output.status.success()
            && said.contains("nothing that is here is lost; lost is, of 1 of 2 former states,"),
        "{said}"
    );
    assert!(house.said(&["backup", "verify", "--data"]).starts_with("Good: "));
}

#[test]
fn without_a_mirror_the_history_comes_from_the_backup() {
    let house = lived_in();
    let log = log_of(&house.home);
    let before = fs::read(&log).unwrap();
    house.said(&["backup", "create"]);
    fs::remove_file(&log).unwrap();
    fs::remove_file(mirror::path_of(&log)).unwrap();
    // Somebody may have meant that.
    let answer = recover(&house, &[]);
    assert_eq!(answer["left"][0]["scenario"], "history-lost", "{answer}");
    assert!(!log.exists());
    recovered(&recover(&house, &["history-lost"]), "history-lost");
    assert_eq!(fs::read(&log).unwrap(), before);
}

#[test]
fn a_configuration_that_is_rubbish_says_again_what_it_said_and_the_rubbish_is_kept() {
    let house = lived_in();
    let file = config_of(&house);
    let before = fs::read(&file).unwrap();
    // A mistake of somebody who edits it is theirs.
    fs::write(&file, "version = 1\n[editor\n").unwrap();
    let answer = recover(&house, &[]);
    assert_eq!(answer["left"][0]["scenario"], "config-broken", "{answer}");
    assert_eq!(fs::read(&file).unwrap(), b"version = 1\n[editor\n");
    fs::write(&file, b"\xff\xfe\0").unwrap();
    let answer = recover(&house, &[]);
    recovered(&answer, "config-broken");
    assert_eq!(fs::read(&file).unwrap(), before);
    let aside = Path::new(answer["done"][0]["aside"].as_str().unwrap()).join("0/config.toml");
    assert_eq!(fs::read(aside).unwrap(), b"\xff\xfe\0");
    fs::remove_file(&file).unwrap();
    assert_eq!(found(&house), ["config-gone"]);
    recovered(&recover(&house, &["config-gone"]), "config-gone");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_configuration_that_is_a_link_stays_one_and_text_of_another_encoding_is_left_alone() {
    let house = lived_in();
    let file = config_of(&house);
    let before = fs::read(&file).unwrap();
    let real = house.home.path().join("dotfiles.toml");
    fs::rename(&file, &real).unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    fs::write(&real, b"# gr\xfc\xdfe\n").unwrap();
    let answer = recover(&house, &[]);
    assert_eq!(answer["left"][0]["scenario"], "config-broken", "{answer}");
    assert_eq!(fs::read(&real).unwrap(), b"# gr\xfc\xdfe\n");
    fs::write(&real, b"\xff\xfe\0").unwrap();
    let answer = recover(&house, &[]);
    recovered(&answer, "config-broken");
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_eq!(fs::read(&real).unwrap(), before);
    let aside = Path::new(answer["done"][0]["aside"].as_str().unwrap()).join("1");
    assert_eq!(fs::read(aside).unwrap(), b"\xff\xfe\0");
}

#[test]
fn without_versions_only_the_configuration_itself_comes_from_the_backup() {
    let house = lived_in();
    let file = config_of(&house);
    let before = fs::read(&file).unwrap();
    let start_up = house.home.path().join(".bashrc");
    fs::write(&start_up, "# then\n").unwrap();
    house.said(&["backup", "create"]);
    fs::write(&start_up, "# now\n").unwrap();
    fs::remove_dir_all(house.home.lusush().join("state/versions")).unwrap();
    fs::write(&file, b"\xff\xfe\0").unwrap();
    recovered(&recover(&house, &["config-broken"]), "config-broken");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_to_string(&start_up).unwrap(), "# now\n");
}

#[test]
fn what_does_not_hold_is_put_back() {
    let house = lived_in();
    let file = config_of(&house);
    // The backup itself has it broken: restoring cannot mend it.
    fs::write(&file, b"\xff\xfe then").unwrap();
    house.said(&["backup", "create"]);
    fs::write(&file, b"\xff\xfe now").unwrap();
    fs::remove_dir_all(house.home.lusush().join("state/versions")).unwrap();
    let output = house.maint(&["recover", "config-broken", "--json"]);
    let code = output.status.code();
    assert_eq!(
        code,
        Some(i32::from(Code::RecoveryPhaseInvalid.exit())),
        "{output:?}"
    );
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let done = &answer["done"][0];
    assert_eq!(
        (&done["recovered"], &done["undone"]),
        (&false.into(), &true.into()),
        "{done}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"\xff\xfe now");
}

#[test]
fn what_a_worker_runs_for_is_written_down_before_and_after() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    house.said(&["backup", "create"]);
    let data = house.home.lusush().join("data/backup/archive/index");
    for entry in fs::read_dir(data).unwrap().flatten() {
        fs::remove_file(entry.path()).unwrap();
    }
    assert_eq!(found(&house), ["repository-damaged"]);
    recovered(&recover(&house, &["repository-damaged"]), "repository-damaged");
    let audit = house.said(&["audit", "show", "--limit", "20"]);
    let audit = audit.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(audit.contains("repository-damaged: begins"), "{audit}");
    assert!(audit.contains("repository-damaged: recovered in"), "{audit}");
    let counted = || {
        let metrics = house.json(&["metrics"]);
        let rows = metrics["metrics"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == "worker_recoveries");
        row.unwrap()["value"].as_f64()
    };
    wait("it to be counted", || counted() == Some(1.0));
    assert!(house.said(&["backup", "verify", "--data"]).starts_with("Good: "));
}

/// Runs `lusush maint` with a text on its standard input.
fn with_input(house: &Household, words: &[&str], text: &str) -> Output {
    use std::io::Write;
    let mut command = house.command(&["maint"]);
    let command = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_home_that_is_gone_comes_back_on_a_new_machine() {
    let house = lived_in();
    let module = "config/plugins/clock/clock.wasm";
    fs::create_dir_all(house.home.lusush().join("config/plugins/clock")).unwrap();
    fs::write(house.home.lusush().join(module), b"\0asm\x01\0\0\0").unwrap();
    house.said(&["backup", "create"]);
    let line = house.said(&["backup", "key", "export"]);
    let log = log_of(&house.home);
    let history = fs::read(&log).unwrap();
    let config = fs::read(config_of(&house)).unwrap();

    let new = Household::new("");
    let archive = new.home.path().join("archive");
    fs::rename(house.home.lusush().join("data/backup/archive"), &archive).unwrap();
    drop(house);
    let archive = archive.to_str().unwrap();
    let at = |words: &[&'static str]| -> Vec<String> {
        let words = words.iter().copied().chain(["--repository", archive]);
        words.map(str::to_owned).collect()
    };
    let run = |words: &[&'static str], input: &str| {
        let words = at(words);
        with_input(&new, &words.iter().map(String::as_str).collect::<Vec<_>>(), input)
    };
    // Without its key nothing can be done, and that is said.
    let refused = run(&["recover", "home-gone"], "");
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && error.contains("key import"),
        "{error}"
    );
    let imported = run(&["backup", "key", "import"], &line);
    assert!(
        imported.status.success(),
        "{}",
        String::from_utf8_lossy(&imported.stderr)
    );
    let plan = run(&["recover", "--plan"], "");
    let said = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(said.contains("home-gone"), "{said}");
    let done = run(&["recover", "home-gone"], "");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{said}");
    assert!(said.contains("Recovered in"), "{said}");
    assert_eq!(fs::read(log_of(&new.home)).unwrap(), history);
    assert_eq!(fs::read(config_of(&new)).unwrap(), config);
    assert_eq!(
        fs::read(new.home.lusush().join(module)).unwrap(),
        b"\0asm\x01\0\0\0"
    );
    let mut terminal = new.session();
    press(&mut terminal, "\x1b[A", "exit");
    press(&mut terminal, "\x1b[A", "for ever");
    press(&mut terminal, "\x1b[A", "remembered");
}

#[test]
fn what_is_typed_before_a_home_comes_back_stays() {
    let house = lived_in();
    house.said(&["backup", "create"]);
    let line = house.said(&["backup", "key", "export"]);
    for gone in ["config", "state"] {
        fs::remove_dir_all(house.home.lusush().join(gone)).unwrap();
    }
    // Bash's own list would be imported into a log that begins anew.
    let _none_either = fs::remove_file(house.home.path().join(".bash_history"));
    // With the home its key is gone.
    let plan = house.said(&["recover", "--plan"]);
    assert!(
        plan.contains("home-gone") && plan.contains("key import"),
        "{plan}"
    );
    let mut terminal = house.session();
    press(&mut terminal, "echo meanwhile\r", "\nmeanwhile\n");
    terminal.type_bytes(b"exit\r").unwrap();
    terminal.wait_exit(lle_pty::deadline()).unwrap();
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    let imported = with_input(&house, &["backup", "key", "import"], &line);
    assert!(imported.status.success(), "{imported:?}");
    assert!(found(&house).contains(&"history-lost".to_owned()));
    recovered(&recover(&house, &["home-gone"]), "home-gone");
    let exported = house.said(&["history", "export"]);
    for typed in ["echo remembered", "echo for ever", "echo meanwhile"] {
        assert!(exported.contains(typed), "{typed}: {exported}");
    }
    assert!(found(&house).is_empty());
}

#[test]
fn a_state_that_cannot_be_read_comes_back_and_a_worker_works_with_it() {
    let mut house = lived_in();
    house.start_worker(&[]);
    house.said(&["pause", "cache-cleanup"]);
    house.said(&["backup", "create"]);
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    fs::remove_file(house.folder().join("stopped")).unwrap();
    fs::write(house.folder().join("state.log"), b"not a log").unwrap();
    assert_eq!(found(&house), ["state-corrupt"]);
    // The section has more than that: only by its name.
    assert_eq!(recover(&house, &[])["left"][0]["scenario"], "state-corrupt");
    recovered(&recover(&house, &["state-corrupt"]), "state-corrupt");
    assert_eq!(house.task("cache-cleanup")["paused"], true);
    assert!(house.worker().is_some(), "it was started again");
}

#[test]
fn no_scenario_of_that_name_and_no_way_back_are_said_so() {
    let house = Household::new("");
    let check = |words: &[&str], code: Code, expect: &str| {
        let output = house.maint(&[&["recover"], words].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(i32::from(code.exit())), "{error}");
        assert!(error.contains(expect) && error.contains("Hint: "), "{error}");
    };
    check(&["flood"], Code::InvalidParameters, "no scenario flood");
    check(&["home-gone"], Code::InvalidState, "there is no backup");
    check(&["plugins-damaged"], Code::InvalidState, "there is no backup");
    for line in house.said(&["recover", "--plan"]).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_recovery_that_was_killed_is_told_and_one_of_long_ago_is_taken_back_only_by_its_name() {
    let house = lived_in();
    let note = house.home.lusush().join("data/backup/recover.json");
    fs::create_dir_all(note.parent().unwrap()).unwrap();
    let text = r#"{"version":1,"scenario":"config-gone","folder":"/none","roots":[],"renamed":null}"#;
    fs::write(&note, text).unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    fs::File::options()
        .write(true)
        .open(&note)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    assert_eq!(recover(&house, &["--plan"])["pending"], "config-gone");
    assert!(house.said(&["recover", "--plan"]).contains("was interrupted"));
    let output = house.maint(&["recover"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.code(),
        Some(i32::from(Code::InvalidState.exit())),
        "{error}"
    );
    assert!(error.contains("recover config-gone") && note.exists(), "{error}");
    assert_eq!(recover(&house, &["config-gone"])["taken_back"], "config-gone");
    assert!(!note.exists());
}
