//! What backups meet that is not as usual: secrets that were taken out, snapshots that lack files or are of another program,
//! something in the way, rights that were changed, names without a folder.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lle_core::error::Code;
use lle_log::history::History;
use serde_json::Value;
use support::household::Household;
use support::log_of;

/// Somebody who may not read what others keep from everybody: these tests run as root, too.
const NOBODY: u32 = 65534;

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
    let expect = Some(i32::from(code.exit()));
    assert_eq!(output.status.code(), expect, "{words:?}: {error}");
    assert!(
        error.contains(what) && error.contains("Hint: "),
        "{words:?}: {error}"
    );
}

/// Writes commands into a history that may be new.
fn type_in(log: &Path, session: u64, commands: impl Iterator<Item = String>) {
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    let mut history = History::open(log, session, 1, None).unwrap().history;
    for (n, command) in commands.enumerate() {
        let at = i64::try_from(n).unwrap() * 1_000_000_000;
        history.started(at, b"/", command.as_bytes()).unwrap();
    }
}

fn commands(log: &Path) -> usize {
    History::read(log).unwrap().commands().count()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// restic, on the own repository; none where there is none and nobody demands it.
fn restic(house: &Household, words: &[&str]) -> Option<Vec<u8>> {
    let demanded = std::env::var_os("LUSUSH_TEST_REQUIRE").is_some_and(|value| !value.is_empty());
    let output = Command::new("restic")
        .args(["--no-cache", "--repo"])
        .arg(house.home.lusush().join("data/backup/archive"))
        .args(words)
        .env("RESTIC_PASSWORD", said(house, &["key", "export"]).trim())
        .output();
    match output {
        Ok(output) => {
            assert!(output.status.success(), "{words:?}: {output:?}");
            Some(output.stdout)
        }
        Err(_) => {
            assert!(!demanded, "there is no restic");
            eprintln!("skipped: there is no restic");
            None
        }
    }
}

/// Whether any piece of data of the repository has the text, named by a snapshot or not.
fn has_text(house: &Household, text: &str) -> Option<bool> {
    let listed = String::from_utf8(restic(house, &["list", "blobs"])?).unwrap();
    let data = listed.lines().filter_map(|line| line.strip_prefix("data "));
    let has = |id: &str| {
        let blob = restic(house, &["cat", "blob", id.trim()])?;
        Some(blob.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    data.map(has).try_fold(false, |any, has| Some(any | has?))
}

#[test]
fn what_a_scrub_advises_takes_it_out_of_the_backup() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let log = log_of(&house.home);
    let filler = (0..3_000).map(|n| format!("make target-{n}"));
    type_in(&log, 1, filler.chain(["login hunter2".to_owned()]));
    let theme = house.home.lusush().join("config/themes/a.toml");
    fs::create_dir_all(theme.parent().unwrap()).unwrap();
    fs::write(&theme, "x".repeat(100)).unwrap();
    said(&house, &["create"]);
    match has_text(&house, "hunter2") {
        None => return,
        Some(has) => assert!(has),
    }
    let done = house.said(&["history", "scrub", "hunter2"]);
    let in_one_line = done.split_whitespace().collect::<Vec<_>>().join(" ");
    let advised: Vec<&str> = in_one_line
        .split('`')
        .filter_map(|text| text.strip_prefix("lusush maint "))
        .filter(|text| text.starts_with("backup "))
        .collect();
    assert_eq!(advised.len(), 2, "{done}");
    for words in advised {
        house.said(&words.split(' ').collect::<Vec<_>>());
    }
    assert_eq!(has_text(&house, "hunter2"), Some(false));
    assert!(said(&house, &["verify", "--data"]).starts_with("Good: "));
}

/// A home that is somebody's who is not root, and what that one runs in it.
struct Theirs(Household);

impl Theirs {
    fn take_over(house: Household) -> Theirs {
        let theirs = Theirs(house);
        theirs.own();
        theirs
    }

    /// All in it is theirs.
    fn own(&self) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let mut all = vec![self.0.home.path().to_owned()];
        while let Some(path) = all.pop() {
            lchown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
            let below = fs::read_dir(&path).into_iter().flatten().flatten();
            all.extend(below.map(|entry| entry.path()));
        }
    }

    fn maint(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut command = self.0.command(&[&["maint"], words].concat());
        command.stdin(Stdio::null()).current_dir("/");
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(all).unwrap())
    }

    fn said(&self, words: &[&str]) -> String {
        let (code, said) = self.maint(words);
        assert_eq!(code, Some(0), "{words:?}: {said}");
        said
    }
}

#[test]
fn a_snapshot_that_lacks_files_hides_no_complete_one() {
    let house = Theirs::take_over(Household::new(""));
    let config = house.0.home.lusush().join("config/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "version = 1\n").unwrap();
    house.own();
    house.said(&["backup", "create", "--why", "complete"]);
    set_mode(&config, 0);
    let (code, created) = house.maint(&["backup", "create", "--why", "lacking"]);
    assert_eq!(code, Some(i32::from(Code::BackupInvalid.exit())), "{created}");
    fs::remove_file(&config).unwrap();
    let restored = house.said(&["backup", "restore"]);
    assert!(restored.contains("is newer and lacks files"), "{restored}");
    assert_eq!(fs::read(&config).unwrap(), b"version = 1\n");
    let keep = [&["backup", "prune"], &support::keep_last("1")[..]].concat();
    let pruned = house.said(&keep);
    assert!(pruned.contains("2 are kept"), "{pruned}");
    fs::remove_file(&config).unwrap();
    house.said(&["backup", "restore"]);
    assert!(config.exists());
    // Once there is a complete one that is newer, it goes.
    house.said(&["backup", "create"]);
    let pruned = house.said(&keep);
    assert!(pruned.contains("1 is kept"), "{pruned}");
}

#[test]
fn a_log_that_may_not_be_read_is_not_called_damaged() {
    let house = Theirs::take_over(Household::new(""));
    let log = log_of(&house.0.home);
    type_in(&log, 1, (0..5).map(|n| format!("echo {n}")));
    house.own();
    house.said(&["backup", "create"]);
    set_mode(&log, 0);
    // Lines end within a path that is longer than one.
    let in_one_line = |said: &str| said.split_whitespace().collect::<String>();
    let remedy = in_one_line(&format!("chmod 600 {}", log.display()));
    for words in [&["recover", "--plan"][..], &["recover"]] {
        let (_, said) = house.maint(words);
        let said = in_one_line(&said);
        assert!(said.contains(&remedy) && !said.contains("noneanymore"), "{said}");
    }
    let (code, refused) = house.maint(&["recover", "history-corrupt"]);
    assert_eq!(code, Some(i32::from(Code::InvalidState.exit())), "{refused}");
    assert!(in_one_line(&refused).contains(&remedy), "{refused}");
    assert_eq!(mode(&log), 0, "it was left alone");
    // A restore gives it its rights back, and finds that nothing else is wrong.
    let restored = house.said(&["backup", "restore", "--section", "data"]);
    assert!(restored.contains("with the rights again"), "{restored}");
    assert_eq!((mode(&log), commands(&log)), (0o600, 5));
}

#[test]
fn what_restic_saved_beside_is_not_the_latest() {
    let house = Household::new("# mine\n");
    let config = house.home.lusush().join("config/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "version = 1\n").unwrap();
    said(&house, &["create"]);
    let other = house.home.path().join("photos");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("a.jpg"), "picture").unwrap();
    if restic(&house, &["backup", other.to_str().unwrap()]).is_none() {
        return;
    }
    assert!(said(&house, &["list"]).contains("of another program"));
    fs::remove_file(&config).unwrap();
    let diff = said(&house, &["diff"]);
    assert!(
        diff.contains("removed  /configuration/lusush/config.toml"),
        "{diff}"
    );
    let plan = house.json(&["recover", "--plan"]);
    assert!(plan["found"].to_string().contains("home-gone"), "{plan}");
    assert_eq!(house.json(&["backup", "restore"])["moved"], 1);
    assert_eq!(fs::read(&config).unwrap(), b"version = 1\n");
    // By its name it is looked into.
    let list = house.json(&["backup", "list"]);
    let theirs = list["snapshots"].as_array().unwrap().iter();
    let theirs: Vec<&Value> = theirs.filter(|one| one["ours"] == false).collect();
    let shown = said(&house, &["show", theirs[0]["id"].as_str().unwrap(), "--files"]);
    assert!(shown.contains("a.jpg"), "{shown}");
}

#[test]
fn a_snapshot_comes_back_to_a_name_without_a_folder() {
    let house = Household::new("# mine\n");
    said(&house, &["create"]);
    said(&house, &["create", "--journal"]);
    for (snapshot, to) in [("latest", "out"), ("journal", "out-journal")] {
        let words = ["maint", "backup", "restore", snapshot, "--to", to];
        let output = house.command(&words).current_dir(house.home.path()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        let back = house.home.path().join(to).join("configuration/home/.bashrc");
        assert!(back.is_file());
        refused_there(&house, &words);
    }
}

/// A second time the folder is not empty, and nothing is left beside it.
fn refused_there(house: &Household, words: &[&str]) {
    let output = house.command(words).current_dir(house.home.path()).output();
    let output = output.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(i32::from(Code::InvalidParameters.exit())),
        "{error}"
    );
    assert!(error.contains("not empty"), "{error}");
    let names = fs::read_dir(house.home.path()).unwrap().flatten();
    let staged = names.filter(|entry| entry.file_name().to_string_lossy().ends_with(".lusush-restore"));
    assert_eq!(staged.count(), 0);
}

#[test]
fn what_is_in_the_way_is_named_before_anything_is_moved() {
    let house = Household::new("# mine\n");
    let config = house.home.lusush().join("config/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "version = 1\n").unwrap();
    said(&house, &["create"]);
    let bashrc = house.home.path().join(".bashrc");
    fs::write(&bashrc, "# another\n").unwrap();
    fs::remove_file(&config).unwrap();
    fs::create_dir(&config).unwrap();
    refused(
        &house,
        &["restore"],
        Code::InvalidState,
        "config.toml is in the way",
    );
    assert_eq!(fs::read(&bashrc).unwrap(), b"# another\n");
    for words in [&["list"][..], &["show"], &["verify"], &["create"]] {
        assert!(!said(&house, words).contains("a restore is not at its end"));
    }
    fs::remove_dir(&config).unwrap();
    said(&house, &["restore", "latest~1"]);
    assert_eq!(fs::read(&config).unwrap(), b"version = 1\n");
}

#[test]
fn rights_that_were_changed_are_shown_and_come_back() {
    let house = Household::new("# mine\n");
    let bashrc = house.home.path().join(".bashrc");
    set_mode(&bashrc, 0o640);
    said(&house, &["create"]);
    assert!(said(&house, &["diff"]).contains("Nothing differs"));
    set_mode(&bashrc, 0o666);
    let diff = said(&house, &["diff"]);
    assert!(diff.contains("rights   /configuration/home/.bashrc"), "{diff}");
    assert!(diff.contains("rights 640 to 666"), "{diff}");
    let restored = said(&house, &["restore"]);
    assert!(restored.contains("1 file with the rights again"), "{restored}");
    assert_eq!(mode(&bashrc), 0o640);
}

#[test]
fn a_plugin_that_was_no_module_when_it_was_saved_is_not_damaged() {
    let house = Household::new("");
    let plugin = house.home.lusush().join("config/plugins/x/x.wasm");
    fs::create_dir_all(plugin.parent().unwrap()).unwrap();
    fs::write(&plugin, "x").unwrap();
    said(&house, &["create"]);
    let is_found = |house: &Household| {
        let plan = house.json(&["recover", "--plan"]);
        plan["found"].to_string().contains("plugins-damaged")
    };
    assert!(!is_found(&house));
    fs::write(&plugin, "yy").unwrap();
    assert!(is_found(&house));
}

#[test]
fn a_history_that_was_lost_and_typed_on_for_longer_is_noticed() {
    let house = Household::new("");
    let log = log_of(&house.home);
    type_in(&log, 1, (0..20).map(|n| format!("echo before {n}")));
    said(&house, &["create"]);
    let is_found = |house: &Household| {
        let plan = house.json(&["recover", "--plan"]);
        plan["found"].to_string().contains("history-lost")
    };
    assert!(!is_found(&house));
    type_in(&log, 2, (0..3).map(|n| format!("echo more {n}")));
    assert!(!is_found(&house));
    fs::remove_file(&log).unwrap();
    type_in(&log, 3, (0..60).map(|n| format!("echo after {n}")));
    assert!(is_found(&house));
    let diff = said(&house, &["diff"]);
    assert!(diff.contains("lacks 20 records"), "{diff}");
    house.said(&["recover", "history-lost"]);
    assert_eq!(commands(&log), 80);
    assert!(!is_found(&house));
}

#[test]
fn words_that_would_be_passed_over_are_refused_and_what_is_kept_is_named() {
    let house = Household::new("");
    let output = backup(&house, &["create", "--journal", "--repository", "/elsewhere"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && error.contains("--repository"),
        "{error}"
    );
    let to = house.home.path().join("out");
    let to = to.to_str().unwrap();
    let words = ["restore", "journal", "--to", to, "--repository", "/elsewhere"];
    refused(&house, &words, Code::InvalidParameters, "in no repository");
    said(&house, &["create"]);
    let words = ["diff", "latest~5", "latest"];
    refused(&house, &words, Code::NotFound, "there is one snapshot to count");
    let kept = house.home.lusush().join("data/backup/archive.damaged-2026-01-01");
    fs::create_dir_all(&kept).unwrap();
    let remedy = format!("rm -r '{}'", kept.display());
    assert!(said(&house, &["list"]).contains(&remedy));
    assert!(said(&house, &["prune"]).contains(&remedy));
}
