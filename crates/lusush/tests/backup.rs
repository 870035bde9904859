//! The backup as a user has it: taken by hand and by the worker, listed, proven, lost and brought back.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use lle_core::error::Code;
use rustix::process::{Pid, Signal, kill_process};
use support::household::{Household, wait};
use support::{keep_last, lusush, press};

fn backup(house: &Household, words: &[&str]) -> Output {
    house.maint(&[&["backup"], words].concat())
}

fn said(house: &Household, words: &[&str]) -> String {
    house.said(&[&["backup"], words].concat())
}

/// Demands that a verb fails, with the code, and says what and what to do.
fn refused(house: &Household, words: &[&str], code: Code, what: &str) {
    let output = backup(house, words);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(i32::from(code.exit())),
        "{words:?}: {error}"
    );
    assert!(
        error.contains(what) && error.contains("Hint: "),
        "{words:?}: {error}"
    );
}

fn snapshots(house: &Household) -> Vec<String> {
    let list = house.json(&["backup", "list"]);
    let ids = list["snapshots"].as_array().unwrap().iter();
    ids.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_home_is_saved_lost_and_brought_back_on_another_machine() {
    let house = Household::new("# the rc file\n");
    let mut terminal = house.session();
    press(&mut terminal, "echo remembered\r", "\nremembered\n");
    let config = house.home.lusush().join("config");
    fs::create_dir_all(config.join("plugins/clock")).unwrap();
    fs::write(
        config.join("config.toml"),
        "version = 1\n[editor]\ntheme = \"light\"\n",
    )
    .unwrap();
    fs::write(config.join("plugins/clock/clock.wasm"), b"\0asm").unwrap();
    refused(&house, &["list"], Code::NotFound, "there is no backup");
    refused(&house, &["key", "export"], Code::NotFound, "there is no key");
    said(&house, &["create"]);
    terminal.signal(Signal::KILL).unwrap();
    let line = said(&house, &["key", "export"]);
    assert!(line.starts_with("lbk1-") && line.trim().len() == 46, "{line}");
    let rc = fs::read(house.home.path().join(".bashrc")).unwrap();
    // A new machine has nothing but the repository and the line.
    let new = Household::new("");
    let archive = new.home.path().join("archive");
    fs::rename(house.home.lusush().join("data/backup/archive"), &archive).unwrap();
    drop(house);
    let at = ["--repository", archive.to_str().unwrap()];
    let with = |words: &[&str]| -> Vec<String> {
        let words = words.iter().chain(&at);
        words.map(|word| (*word).to_owned()).collect()
    };
    let run = |words: &[&str]| {
        let words = with(words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        backup(&new, &words)
    };
    let refused = |words: &[&str], code: Code, what: &str| {
        let words = with(words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        refused(&new, &words, code, what);
    };
    refused(&["list"], Code::InvalidState, "without its key");
    refused(
        &["key", "import", "lbk1-abc"],
        Code::InvalidParameters,
        "36 characters",
    );
    let other = "lbk1-mpjtb9-d5mpjt-b9d5mp-jtb9d5-mpjtb9-d5v3z3";
    refused(
        &["key", "import", other],
        Code::InvalidParameters,
        "not the one of the backup",
    );
    assert!(run(&["key", "import", &line.to_uppercase()]).status.success());
    let output = run(&["restore"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(fs::read(new.home.path().join(".bashrc")).unwrap(), rc);
    let config = new.home.lusush().join("config");
    assert!(
        fs::read_to_string(config.join("config.toml"))
            .unwrap()
            .contains("light")
    );
    assert_eq!(
        fs::read(config.join("plugins/clock/clock.wasm")).unwrap(),
        b"\0asm"
    );
    let mut terminal = new.session();
    press(&mut terminal, "\x1b[A", "echo remembered");
}

#[test]
fn a_key_is_typed_from_a_note_and_enter_ends_it() {
    let house = Household::new("");
    said(&house, &["create"]);
    let line = said(&house, &["key", "export"]);
    let new = Household::new("");
    let archive = new.home.path().join("archive");
    fs::rename(house.home.lusush().join("data/backup/archive"), &archive).unwrap();
    let mut terminal = new.session();
    let lusush = lusush().display();
    let asks = format!(
        "{lusush} maint backup key import --repository {}\r",
        archive.display()
    );
    terminal.type_bytes(asks.as_bytes()).unwrap();
    terminal.wait_for_text("`key export` printed:").unwrap();
    terminal
        .type_bytes(format!("{}\r", line.trim()).as_bytes())
        .unwrap();
    terminal.wait_for_text("The key is kept. It opens").unwrap();
    // Without its key it would be refused.
    said(&new, &["list", "--repository", archive.to_str().unwrap()]);
}

#[test]
fn the_worker_saves_proves_and_prunes() {
    let house = Household::with_worker("", &[]);
    house.no_drill_is_due();
    for run in 1..=2u64 {
        house.said(&["run", "backup"]);
        wait("the backup to end", || house.task("backup")["running"] == false);
        let task = house.task("backup");
        assert_eq!(task["successes"].as_u64(), Some(run), "{task}");
    }
    assert_eq!(snapshots(&house).len(), 2);
    let done = house.said(&["audit", "show", "--limit", "20"]);
    assert!(done.contains("backup"), "{done}");
    // Damage that only a full look finds fails the task.
    let data = house.home.lusush().join("data/backup/archive/data");
    let pack = first_file(&data);
    let mut bytes = fs::read(&pack).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&pack, bytes).unwrap();
    house.said(&["run", "backup"]);
    wait("the backup to end", || house.task("backup")["running"] == false);
    let task = house.task("backup");
    assert_eq!(task["failures"].as_u64(), Some(1), "{task}");
    let found = backup(&house, &["verify", "--data"]);
    assert_eq!(found.status.code(), Some(i32::from(Code::BackupInvalid.exit())));
    assert!(String::from_utf8_lossy(&found.stdout).starts_with("DAMAGED: "));
}

fn first_file(folder: &Path) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_file() {
                return entry.path();
            }
            folders.push(entry.path());
        }
    }
    panic!("there is no file");
}

/// A home whose worker runs, with a snapshot of its state and a state that is another; and that worker.
fn another_state_than_saved() -> (Household, Pid) {
    let house = Household::with_worker("", &[]);
    house.said(&["run", "health-check"]);
    said(&house, &["create"]);
    let log = house.folder().join("state.log");
    let worker = house.worker().unwrap();
    house.said(&["pause", "cache-cleanup"]);
    assert_eq!(house.task("cache-cleanup")["paused"], true);
    // Something that differs, or the log would only have grown.
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..bytes.len() / 2]).unwrap();
    house.said(&["start"]);
    let between = house.wait_for_worker(Some(worker));
    (house, between)
}

#[test]
fn who_interrupts_a_restore_is_not_left_without_a_worker() {
    let (house, between) = another_state_than_saved();
    let mut restore = house.command(&["maint", "backup", "restore", "--section", "state"]);
    let mut restore = restore.stdout(Stdio::null()).spawn().unwrap();
    let stopped = house.folder().join("stopped");
    wait("the worker to be stopped", || {
        stopped.exists() || restore.try_wait().unwrap().is_some()
    });
    // As Ctrl-C does; whatever the restore is doing, it goes on or gives up, and starts the worker.
    let pid = Pid::from_raw(restore.id().cast_signed()).unwrap();
    if restore.try_wait().unwrap().is_none() {
        kill_process(pid, Signal::INT).unwrap();
    }
    let ended = restore.wait().unwrap();
    assert!(ended.code().is_some(), "{ended}");
    house.wait_for_worker(Some(between));
    assert!(!stopped.exists());
}

#[test]
fn a_worker_is_stopped_while_its_state_comes_back() {
    let (house, between) = another_state_than_saved();
    said(&house, &["restore", "--section", "state"]);
    house.wait_for_worker(Some(between));
    assert_eq!(house.task("cache-cleanup")["paused"], false);
}

#[test]
fn every_answer_is_json_or_fits_eighty_columns() {
    let house = Household::new("");
    let config = house.home.lusush().join("config/themes");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join(format!("{}.toml", "long-name-".repeat(15))), "x").unwrap();
    let verbs: &[&[&str]] = &[
        &["create"],
        &["create", "--journal"],
        &["list"],
        &["show", "--files"],
        &["diff"],
        &["diff", "latest", "latest"],
        &["verify"],
        &["verify", "--metadata"],
        &["verify", "--data"],
        &["restore"],
        &["prune"],
        &["key", "export"],
        &["schedule"],
    ];
    for verb in verbs {
        for line in said(&house, verb).lines() {
            let is_name = line.ends_with("-.toml");
            assert!(is_name || line.chars().count() <= 80, "{verb:?}: {line}");
        }
        assert!(house.json(&[&["backup"], *verb].concat()).is_object(), "{verb:?}");
    }
    let to = house.home.path().join("from the journal");
    said(&house, &["restore", "journal", "--to", to.to_str().unwrap()]);
    assert!(to.join("configuration/home/.bashrc").is_file());
}

#[test]
fn what_was_there_is_kept_aside_and_told() {
    let house = Household::new("");
    let config = house.home.lusush().join("config/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "version = 1\n").unwrap();
    said(&house, &["create", "--why", "before the mistake"]);
    fs::write(&config, "version = 1\nbroken").unwrap();
    let diff = said(&house, &["diff"]);
    assert!(
        diff.contains("changed  /configuration/lusush/config.toml"),
        "{diff}"
    );
    assert!(said(&house, &["list"]).contains("before the mistake"));
    let restored = house.json(&["backup", "restore"]);
    assert_eq!(restored["moved"], 1, "{restored}");
    assert_eq!(fs::read(&config).unwrap(), b"version = 1\n");
    let aside = Path::new(restored["aside"].as_str().unwrap()).join("configuration/lusush/config.toml");
    assert_eq!(fs::read(aside).unwrap(), b"version = 1\nbroken");
    said(&house, &["create"]);
    let all = snapshots(&house);
    let keep = keep_last("1");
    said(&house, &[&["prune", "--dry-run"], &keep[..]].concat());
    assert_eq!(snapshots(&house), all);
    said(&house, &[&["prune"], &keep[..]].concat());
    assert_eq!(snapshots(&house), all[1..]);
    assert!(said(&house, &["verify", "--data"]).starts_with("Good: "));
    let former = said(&house, &["key", "export"]);
    let line = said(&house, &["key", "rotate"]);
    assert_ne!(former, line);
    assert_eq!(said(&house, &["key", "export"]), line);
    assert!(said(&house, &["verify", "--data"]).starts_with("Good: "));
}

#[test]
fn what_is_done_by_hand_is_in_the_audit_log_and_asked_of_the_policy() {
    let house = Household::with_worker("", &[]);
    said(&house, &["create", "--why", "before the trip"]);
    said(&house, &["list"]);
    said(&house, &["key", "rotate"]);
    let line = said(&house, &["key", "export"]);
    said(&house, &["key", "import", line.trim()]);
    refused(
        &house,
        &["restore", "no-such"],
        Code::Unavailable,
        "nothing was restored",
    );
    let audit = house.json(&["audit", "show", "--limit", "100"]).to_string();
    let expected = [
        "create: begins: before the trip",
        "create: done",
        "key rotate: done",
        "key export: begins",
        "key import: done",
        "restore: begins: no-such",
        "restore: failed: exit status: ",
    ];
    for line in expected {
        assert!(audit.contains(line), "{line}: {audit}");
    }
    assert!(!audit.contains(line.trim()), "the key is in the log");
    assert!(!audit.contains("list"), "who only looks is not recorded: {audit}");
    // What the worker's own task does stands there as its steps.
    let before = snapshots(&house);
    house.said(&["run", "backup"]);
    wait("its snapshot", || snapshots(&house) != before);
    // The drill that comes behind it has tests of its own. It may be over by now.
    let _cancelled = house.maint(&["cancel", "backup"]);
    wait("the backup to end", || house.task("backup")["running"] == false);
    let audit = house.json(&["audit", "show", "--limit", "100"]).to_string();
    assert!(!audit.contains("create: begins: scheduled"), "{audit}");
    assert!(
        audit.contains("run lusush maint backup create --why scheduled"),
        "{audit}"
    );

    let rules = house.home.lusush().join("config/policy.toml");
    fs::create_dir_all(rules.parent().unwrap()).unwrap();
    fs::write(&rules, "denied_operations = [\"backup\"]\n").unwrap();
    let there = snapshots(&house);
    refused(&house, &["create"], Code::PolicyViolation, "denied");
    assert_eq!(snapshots(&house), there, "it was refused");
}

#[test]
fn the_journal_is_written_every_hour_and_begins_anew_after_a_scrub() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let mut terminal = house.session();
    press(&mut terminal, "echo hidden-word\r", "hidden-word");
    house.said(&["run", "config-sync"]);
    wait("the journal", || {
        house.task("config-sync")["successes"].as_u64() == Some(1)
    });
    let history = |to: &str| {
        let to = house.home.path().join(to);
        said(&house, &["restore", "journal", "--to", to.to_str().unwrap()]);
        let mut all = Vec::new();
        for entry in fs::read_dir(to.join("data/history")).unwrap().flatten() {
            all.extend(fs::read(entry.path()).unwrap());
        }
        String::from_utf8_lossy(&all).into_owned()
    };
    assert!(history("before").contains("hidden-word"));
    let done = house.said(&["history", "scrub", "hidden-word"]);
    assert!(done.contains("data/backup/journal: begun anew"), "{done}");
    assert!(!history("after").contains("hidden-word"));
    let audit = house.json(&["audit", "show", "--limit", "100"]).to_string();
    assert!(audit.contains("journal: begun anew"), "{audit}");
    assert!(
        !house
            .said(&["history", "scrub", "hidden-word"])
            .contains("snapshots made before")
    );
    // A key that cannot be read keeps a journal from being written: that is said, and nothing is taken for done.
    fs::write(house.state().join("keys/backup.key"), "rubbish").unwrap();
    let failed = house.maint(&["history", "scrub", "hidden-word"]);
    let error = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success(), "{error}");
    assert!(
        error.contains("not everything was taken out") && error.contains("key"),
        "{error}"
    );
}

#[test]
fn a_server_is_named_only_without_secrets_and_asked_only_if_it_is_built_in() {
    let house = Household::new("");
    let named = "rest:http://me:sesame@127.0.0.1:1/x";
    for words in [
        &["create", "--repository", named][..],
        &["list", "--repository", named],
    ] {
        let output = backup(&house, words);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            error.contains("has a user name or a password") && !error.contains("sesame"),
            "{error}"
        );
    }
    let output = house.maint(&["config", "set", "backup.repository", named]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && !error.contains("sesame") && error.contains("rest:http://…@"),
        "{error}"
    );
    for (address, feature, is_built) in [
        ("rest:http://127.0.0.1:1/x", "rest", cfg!(feature = "rest")),
        ("s3:http://127.0.0.1:1/bucket/x", "s3", cfg!(feature = "s3")),
    ] {
        house.said(&["config", "set", "backup.repository", address]);
        if !is_built {
            let what = format!("built without the feature {feature}");
            refused(&house, &["create"], Code::NotBuilt, &what);
        }
        // The journal is here, and a folder that is named goes before what is configured.
        said(&house, &["create", "--journal"]);
        let folder = house.home.path().join(feature);
        let folder = folder.to_str().unwrap();
        said(&house, &["create", "--repository", folder]);
        assert!(said(&house, &["list", "--repository", folder]).contains(folder));
    }
}

#[test]
fn a_password_that_goes_over_http_to_another_machine_is_told() {
    let house = Household::new("");
    let run = |words: &[&str]| {
        let mut command = house.command(&[&["maint"], words].concat());
        command
            .env("RESTIC_REST_USERNAME", "me")
            .env("RESTIC_REST_PASSWORD", "sesame")
            // Nobody is asked: nothing leaves this machine in a test.
            .env("http_proxy", "http://127.0.0.1:1")
            .env("https_proxy", "http://127.0.0.1:1");
        let output = command.output().unwrap();
        let said = [output.stderr, output.stdout].concat();
        String::from_utf8_lossy(&said).into_owned()
    };
    let all: &[&[&str]] = &[
        &["config", "check"],
        &["config", "show", "backup"],
        &["backup", "create"],
    ];
    for (address, expect) in [
        ("rest:http://127.0.0.1:1/me", false),
        // A name that nobody has.
        ("rest:https://nas.invalid/me", false),
        ("rest:http://nas.invalid/me", true),
    ] {
        let set: &[&str] = &["config", "set", "backup.repository", address];
        for words in [set].iter().chain(all) {
            let said = run(words);
            assert_eq!(said.contains("in the clear"), expect, "{words:?}: {said}");
            assert!(!said.contains("sesame"), "{said}");
        }
    }
    // Once, and not by who only looks.
    assert!(!run(&["backup", "list"]).contains("in the clear"));
}

#[test]
fn a_configuration_that_lost_where_backups_go_is_told() {
    let mut house = Household::new("");
    let elsewhere = house.home.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().unwrap();
    let create = |house: &Household| {
        let output = backup(house, &["create", "--json"]);
        assert!(output.status.success(), "{output:?}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (json, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    house.said(&["config", "set", "backup.repository", elsewhere]);
    for _ in 0..2 {
        let (json, told) = create(&house);
        assert!(told.is_empty() && json["before"].is_null(), "{told} {json}");
    }
    // One that is named for once says nothing of where backups go.
    let named = house.home.path().join("named");
    said(&house, &["create", "--repository", named.to_str().unwrap()]);

    fs::remove_file(house.home.lusush().join("config/config.toml")).unwrap();
    let (json, told) = create(&house);
    let expect = format!("backups went to {elsewhere} until ");
    assert!(
        told.contains(&expect) && told.contains("data/backup/archive from now on"),
        "{told}"
    );
    assert_eq!(json["before"]["repository"], elsewhere, "{json}");
    let (json, told) = create(&house);
    assert!(told.is_empty() && json["before"].is_null(), "once: {told} {json}");

    // Of what runs on schedule nobody reads what it says.
    house.start_worker(&["--look-every", "50"]);
    wait("an alert", || {
        house.json(&["alerts"]).to_string().contains(&expect)
    });
}
