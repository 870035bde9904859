//! What a person meets whose key, history, repository or disk is not what it was.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::path::PathBuf;

use lle_core::error::Code;
use support::household::Household;
use support::press;

fn said(house: &Household, words: &[&str]) -> String {
    house.said(&[&["backup"], words].concat())
}

/// Demands that a verb fails, with the code, and gives what it says.
fn refused(house: &Household, words: &[&str], code: Code) -> String {
    let output = house.maint(&[&["backup"], words].concat());
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(i32::from(code.exit())),
        "{words:?}: {error}"
    );
    error
}

fn backup(house: &Household) -> PathBuf {
    house.home.lusush().join("data/backup")
}

#[test]
fn a_key_that_was_lost_is_waited_for_and_brings_the_journal_back() {
    let house = Household::new("");
    said(&house, &["create"]);
    said(&house, &["create", "--journal"]);
    let line = said(&house, &["key", "export"]);
    fs::remove_file(house.state().join("keys/backup.key")).unwrap();
    let segments = || {
        let journal = backup(&house).join("journal");
        fs::read_dir(journal)
            .unwrap()
            .flatten()
            .map(|entry| fs::read(entry.path()).unwrap())
            .collect::<Vec<_>>()
    };
    let before = segments();
    for words in [&["create", "--journal"][..], &["key", "export"], &["create"]] {
        let error = refused(&house, words, Code::InvalidState);
        assert!(error.contains("key import"), "{words:?}: {error}");
        assert_eq!(segments(), before, "{words:?}");
        assert!(!house.state().join("keys/backup.key").exists());
    }
    said(&house, &["key", "import", line.trim()]);
    let to = house.home.path().join("to");
    said(&house, &["restore", "journal", "--to", to.to_str().unwrap()]);
    assert!(to.join("configuration").exists());
}

#[test]
fn a_restore_takes_nothing_out_of_the_history_and_brings_nothing_back_that_was_taken_out() {
    let house = Household::with_worker("", &[]);
    let mut terminal = house.session();
    press(&mut terminal, "echo before\r", "\nbefore\n");
    press(&mut terminal, "echo hunter2xyz\r", "\nhunter2xyz\n");
    said(&house, &["create"]);
    press(&mut terminal, "echo after1\r", "\nafter1\n");
    house.said(&["history", "scrub", "hunter2xyz"]);
    let imported = house.home.path().join("old_history");
    fs::write(&imported, "echo imported\n").unwrap();
    house.said(&["history", "import", imported.to_str().unwrap()]);
    press(&mut terminal, "echo after2\r", "\nafter2\n");
    let restored = said(&house, &["restore", "--section", "data"]);
    assert!(
        restored.contains("left as it is") && restored.contains("stay out"),
        "{restored}"
    );
    press(&mut terminal, "echo after3\r", "\nafter3\n");
    let exported = house.said(&["history", "export"]);
    for text in ["before", "imported", "after1", "after2", "after3"] {
        assert!(exported.contains(&format!("echo {text}")), "{text}: {exported}");
    }
    assert!(!exported.contains("hunter2xyz"), "{exported}");
    // What scrubbing cannot reach comes with what lets it go.
    let scrubbed = house.said(&["history", "scrub", "hunter2xyz"]);
    assert!(scrubbed.contains("prune --keep-last 1"), "{scrubbed}");
}

#[test]
fn a_folder_that_is_not_mounted_is_not_begun_anew() {
    let house = Household::new("");
    let (disk, away) = (house.home.path().join("usb"), house.home.path().join("away"));
    let repository = disk.join("repo");
    house.said(&["config", "set", "backup.repository", repository.to_str().unwrap()]);
    said(&house, &["create"]);
    fs::rename(&disk, &away).unwrap();
    fs::create_dir(&disk).unwrap();
    for words in [&["create"][..], &["list"]] {
        let error = refused(&house, words, Code::Unavailable);
        assert!(
            error.contains("mounted") && error.contains("last.json"),
            "{error}"
        );
    }
    assert_eq!(fs::read_dir(&disk).unwrap().count(), 0);
    fs::remove_dir(&disk).unwrap();
    fs::rename(&away, &disk).unwrap();
    said(&house, &["create"]);
    assert!(said(&house, &["list"]).contains("2 snapshots"));
}

#[test]
fn names_are_whole_documents_say_their_version_and_the_schedule_is_the_backup_s() {
    let house = Household::with_worker("", &[]);
    let name = format!("{}.toml", "a-long-name".repeat(12));
    let themes = house.home.lusush().join("config/themes");
    fs::create_dir_all(&themes).unwrap();
    fs::write(themes.join(&name), "accent = \"red\"\n").unwrap();
    said(&house, &["create"]);
    assert!(said(&house, &["show", "--files"]).contains(&name));
    fs::write(themes.join(&name), "accent = \"blue\"\n").unwrap();
    assert!(said(&house, &["diff", "latest"]).contains(&name));
    let verbs: [&[&str]; 7] = [
        &["create"],
        &["create", "--journal"],
        &["list"],
        &["show"],
        &["verify"],
        &["prune"],
        &["key", "export"],
    ];
    for words in verbs {
        let json = house.json(&[&["backup"], words].concat());
        assert_eq!(json["version"], 1, "{words:?}: {json}");
    }
    let scheduled = house.json(&["backup", "schedule"]);
    let rows = scheduled["tasks"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{scheduled}");
    assert_eq!(rows[0]["name"], "backup");
}
