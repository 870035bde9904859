//! `lusush maint config` on real files: what is told, what is changed, and what never is.
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use lle_core::error::Code;
use support::household::Household;

fn file(house: &Household) -> PathBuf {
    house.home.lusush().join("config/config.toml")
}

/// Writes the user's file.
fn write(house: &Household, text: impl AsRef<[u8]>) {
    fs::create_dir_all(file(house).parent().unwrap()).unwrap();
    fs::write(file(house), text).unwrap();
}

fn text(house: &Household) -> String {
    fs::read_to_string(file(house)).unwrap()
}

/// Demands that a verb fails so and says so, without a mark that a terminal would obey.
fn fails(house: &Household, words: &[&str], code: u8, expect: &str) {
    let output = house.maint(words);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(i32::from(code)), "{words:?}: {said}");
    assert!(said.contains(expect), "{words:?}: {said}");
    assert!(said.chars().all(|c| !c.is_control() || c == '\n'), "{said:?}");
}

#[test]
fn a_key_is_set_shown_and_unset_without_a_worker() {
    let house = Household::new("");
    assert_eq!(
        house.said(&["config", "path"]).trim_end(),
        file(&house).to_str().unwrap()
    );
    assert_eq!(
        house.said(&["config", "set", "editor.theme", "light"]),
        "editor.theme = \"light\"\n"
    );
    assert_eq!(fs::metadata(file(&house)).unwrap().mode() & 0o777, 0o600);
    let shown = house.json(&["config", "show"]);
    let theme = &shown["settings"]["editor.theme"];
    assert_eq!(
        (&theme["value"], &theme["origin"]),
        (&"light".into(), &"user".into())
    );
    assert_eq!(theme["at"]["line"], 1);
    assert_eq!(
        shown["settings"].as_object().unwrap().len(),
        lle_core::config::KEYS.len()
    );
    let told = house.said(&["config", "show", "editor.theme", "--origin"]);
    assert_eq!(
        told,
        format!("editor.theme = \"light\"\n    {}:1:1\n", file(&house).display())
    );
    let edited = house.json(&["config", "unset", "editor.theme"]);
    assert_eq!(
        (&edited["before"], &edited["value"]),
        (&"light".into(), &"default".into())
    );
    assert_eq!(text(&house), "");
    let sessions = house.home.lusush().join("run");
    assert!(!sessions.join("control").exists(), "nobody started a worker");
}

#[test]
fn comments_order_mode_and_link_stay() {
    let house = Household::new("");
    let mine = "# mine\r\n[editor] # look\r\n  suggest = false # no\r\n\r\n[worker]\r\nlinger_s = 9";
    write(&house, "");
    fs::remove_file(file(&house)).unwrap();
    let real = house.home.path().join("dotfiles.toml");
    fs::write(&real, mine).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&real, file(&house)).unwrap();
    house.said(&["config", "set", "editor.theme", "mono"]);
    let with = "# mine\r\n[editor] # look\r\n  suggest = false # no\r\n  theme = \"mono\"\r\n\r\n[worker]\r\nlinger_s = 9";
    assert_eq!(text(&house), with);
    house.said(&["config", "unset", "editor.theme"]);
    assert_eq!(text(&house), mine);
    assert!(fs::symlink_metadata(file(&house)).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o640);
}

#[test]
fn mistakes_are_told_all_at_once_and_nothing_is_lost() {
    let house = Household::new("");
    let bad = "[editor]\nhiglight = 1\ntheme = \"\\u001b]0;x\\u0007\"\n[worker]\nlinger_s = -1\n";
    write(&house, bad);
    let invalid = Code::InvalidParameters.exit();
    for expect in [
        "config.toml:2:1: error: `editor.higlight`",
        "3:9",
        "config.toml:5:12",
    ] {
        fails(&house, &["config", "check"], invalid, expect);
        fails(&house, &["config", "show"], invalid, expect);
    }
    let problems = &house.json(&["config", "check"])["problems"];
    assert_eq!(problems.as_array().unwrap().len(), 3);
    assert_eq!(problems[0]["meant"], "editor.highlight");
    write(&house, "[editor\n");
    fails(
        &house,
        &["config", "set", "editor.theme", "mono"],
        invalid,
        "config.toml:1:8",
    );
    assert_eq!(text(&house), "[editor\n");
    fails(
        &house,
        &["config", "set", "editor.thme", "x"],
        Code::NotFound.exit(),
        "editor.theme",
    );
    fails(
        &house,
        &["config", "set", "editor.suggest", "perhaps"],
        invalid,
        "true or false",
    );
    write(&house, "");
    fails(
        &house,
        &["config", "show", "nothing"],
        Code::NotFound.exit(),
        "no key",
    );
}

#[test]
fn whatever_lies_there_is_told_and_never_waited_for() {
    let house = Household::new("");
    let invalid = Code::InvalidParameters.exit();
    let path = file(&house);
    write(&house, b"editor.theme = \"\xff\"\n");
    fails(&house, &["config", "show"], invalid, "byte 16 is no UTF-8");
    write(
        &house,
        vec![b'#'; (lle_core::config::FILE_BYTES_MAX + 1) as usize],
    );
    fails(&house, &["config", "show"], invalid, "too large");
    write(&house, "");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o606)).unwrap();
    fails(
        &house,
        &["config", "show"],
        invalid,
        "others could have written to it",
    );
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    fails(&house, &["config", "show"], invalid, "a pipe or a device");
    fails(
        &house,
        &["config", "set", "editor.theme", "x"],
        1,
        "a pipe or a device",
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fails(&house, &["config", "check"], invalid, "a folder");
    fs::remove_dir(&path).unwrap();
    symlink("nowhere", &path).unwrap();
    fails(
        &house,
        &["config", "set", "editor.theme", "x"],
        Code::Unavailable.exit(),
        "a link to nothing",
    );
}

#[test]
fn variables_and_words_go_before_files() {
    let house = Household::new("");
    write(&house, "editor.theme = \"mono\"\n");
    let run = |words: &[&str]| {
        let mut command = house.command(&["maint", "config"]);
        let output = command
            .args(words)
            .env("LUSUSH_CONFIG_EDITOR_THEME", "bold")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = run(&["show", "editor.theme", "--origin"]);
    assert_eq!(
        shown,
        "editor.theme = \"bold\"\n    variable LUSUSH_CONFIG_EDITOR_THEME\n"
    );
    let shown = run(&["show", "editor.theme", "-c", "editor.theme=light"]);
    assert_eq!(shown, "editor.theme = \"light\"\n");
    let set = run(&["set", "editor.theme", "default"]);
    assert!(
        set.contains("Your file does not decide that: variable LUSUSH_CONFIG_EDITOR_THEME"),
        "{set}"
    );
}
