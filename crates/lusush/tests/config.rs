//! `lusush maint config` on real files: what is told, what is changed, and what never is.
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use lle_core::error::Code;
use support::household::Household;

const SCHEMA_LINE: &str = "#:schema ./config.schema.json";

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
        "editor.theme = \"light\"\n    In force for new sessions. Those that run follow a worker, and none runs:\n    \
         `lusush maint start`\n"
    );
    assert_eq!(fs::metadata(file(&house)).unwrap().mode() & 0o777, 0o600);
    let shown = house.json(&["config", "show"]);
    let theme = &shown["settings"]["editor.theme"];
    assert_eq!(
        (&theme["value"], &theme["origin"]),
        (&"light".into(), &"user".into())
    );
    assert_eq!(theme["at"]["line"], 2);
    assert_eq!(
        shown["settings"].as_object().unwrap().len(),
        lle_core::config::KEYS.len()
    );
    let told = house.said(&["config", "show", "editor.theme", "--origin"]);
    assert_eq!(
        told,
        format!("editor.theme = \"light\"\n    {}:2:1\n", file(&house).display())
    );
    let edited = house.json(&["config", "unset", "editor.theme"]);
    assert_eq!(
        (&edited["before"], &edited["value"]),
        (&"light".into(), &"default".into())
    );
    // What was not there is not there again.
    let schema = file(&house).with_file_name("config.schema.json");
    assert!(!file(&house).exists() && !schema.exists());
    // A file that is made anew leads editors to its schema.
    house.said(&["config", "set", "editor.theme", "light"]);
    assert_eq!(text(&house), format!("{SCHEMA_LINE}\neditor.theme = \"light\"\n"));
    let schema: serde_json::Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
    assert!(schema.pointer("/properties/editor/properties/theme").is_some());
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
        1,
        "a link to nothing",
    );
    fails(&house, &["config", "check"], invalid, "a link to nothing");
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

#[test]
fn every_version_is_kept_and_each_can_be_taken_up_again() {
    let house = Household::new("");
    let log = || {
        house.json(&["config", "log"])["versions"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert!(log().is_empty());
    write(&house, "# mine\n");
    house.said(&["config", "set", "editor.theme", "light"]);
    house.said(&["config", "set", "editor.theme", "mono"]);
    // Another program's change is noticed at the next one of ours.
    write(&house, "# mine\neditor.theme = \"bold\"\n");
    house.said(&["config", "set", "editor.suggest", "false"]);
    let causes: Vec<String> = log().iter().map(|row| row["cause"].to_string()).collect();
    assert_eq!(
        causes,
        ["noticed", "edited", "edited", "noticed", "edited"].map(|cause| format!("\"{cause}\""))
    );
    let last = &log()[4];
    assert_eq!(
        (&last["lines_added"], &last["lines_removed"]),
        (&1.into(), &0.into())
    );
    let difference = house.said(&["config", "diff", "2", "3"]);
    assert!(
        difference.contains("-editor.theme = \"light\"\n+editor.theme = \"mono\"\n"),
        "{difference}"
    );
    assert_eq!(house.said(&["config", "diff", "5"]), "Nothing differs.\n");

    let said = house.said(&["config", "rollback", "2"]);
    assert!(said.contains("says again what version #2 said.\n"), "{said}");
    assert_eq!(text(&house), "# mine\neditor.theme = \"light\"\n");
    let said = house.said(&["config", "rollback", "2"]);
    assert!(said.contains("says already what version #2 said.\n"), "{said}");
    let last = log().pop().unwrap();
    assert_eq!(
        (&last["number"], &last["cause"], &last["from"]),
        (&6.into(), &"rolled-back".into(), &2.into())
    );
    fails(
        &house,
        &["config", "rollback", "99"],
        Code::NotFound.exit(),
        "there is no version #99",
    );
    assert!(
        house
            .said(&["config", "log"])
            .contains("#6 config.toml\n    rolled-back to #2 ")
    );
    let kept = house.state().join("versions/config.log");
    assert_eq!(fs::metadata(kept).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_is_there_leads_to_the_schema_when_that_is_asked_for() {
    let house = Household::new("");
    write(&house, "# mine\n");
    house.said(&["config", "set", "editor.theme", "light"]);
    assert_eq!(
        text(&house),
        "# mine\neditor.theme = \"light\"\n",
        "nobody asked for it"
    );
    let wanted = format!("{SCHEMA_LINE}\n# mine\neditor.theme = \"light\"\n");
    for _ in 0..2 {
        let said = house.said(&["config", "schema", "--write"]);
        assert!(said.contains("config.schema.json is the schema.\n"), "{said}");
        assert_eq!(text(&house), wanted);
    }
    let written = fs::read_to_string(file(&house).with_file_name("config.schema.json")).unwrap();
    let printed = house.said(&["config", "schema"]);
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(value(&written), value(&printed));
    assert!(
        house
            .said(&["config", "check"])
            .contains("There is nothing wrong")
    );
}

#[test]
fn versions_of_themes_are_told_compared_and_taken_up_again_as_well() {
    let house = Household::new("");
    let theme = file(&house).with_file_name("themes").join("mine.toml");
    write(&house, "editor.theme = \"mine\"\n");
    fs::create_dir(theme.parent().unwrap()).unwrap();
    // A shell that starts keeps what it finds.
    let start = || {
        let spawn = house.home.spawn(support::lusush()).size(24, 80);
        let mut terminal = lle_pty::Terminal::spawn(&spawn).unwrap();
        terminal
            .settle()
            .unwrap_or_else(|error| panic!("no prompt: {error}"));
    };
    for colour in ["green", "red"] {
        fs::write(&theme, format!("[roles]\ncommand = \"{colour}\"\n")).unwrap();
        start();
    }
    let said = house.said(&["config", "log"]);
    assert!(said.contains("#3 themes/mine.toml\n    noticed "), "{said}");
    assert!(said.contains(", now\n"), "{said}");
    // From number to number whatever has changed, and none of what has not.
    let said = house.said(&["config", "diff", "2", "3"]);
    assert!(
        said.contains("-command = \"green\"\n+command = \"red\"\n"),
        "{said}"
    );
    assert!(!said.contains("editor.theme"), "{said}");
    let document = house.json(&["config", "diff", "0"]);
    let files: Vec<&str> = document["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["config.toml", "themes/mine.toml"]);
    house.said(&["config", "rollback", "2"]);
    assert_eq!(
        fs::read_to_string(&theme).unwrap(),
        "[roles]\ncommand = \"green\"\n"
    );
    let last = house.json(&["config", "log"])["versions"][3].clone();
    assert_eq!(
        (&last["file"], &last["cause"], &last["from"], &last["is_now"]),
        (
            &"themes/mine.toml".into(),
            &"rolled-back".into(),
            &2.into(),
            &true.into()
        )
    );
}

#[test]
fn what_cannot_be_kept_holds_nothing_up() {
    let house = Household::new("");
    fs::create_dir_all(house.state().join("versions")).unwrap();
    fs::write(house.state().join("versions/config.log"), "something else").unwrap();
    let said = house.said(&["config", "set", "editor.theme", "light"]);
    assert!(
        said.contains("no version is kept: not a log of this kind"),
        "{said}"
    );
    assert_eq!(text(&house), format!("{SCHEMA_LINE}\neditor.theme = \"light\"\n"));
    fails(&house, &["config", "log"], 1, "cannot be read");
}

#[test]
fn a_theme_of_mine_is_checked_as_the_configuration_is() {
    let house = Household::new("");
    write(&house, "editor.theme = \"mine\"\n");
    let said = house.said(&["config", "check"]);
    assert!(
        said.contains("there is no theme `mine`; expected default, bold, light"),
        "{said}"
    );
    let theme = house.home.lusush().join("config/themes/mine.toml");
    fs::create_dir(theme.parent().unwrap()).unwrap();
    fs::write(&theme, "[roles]\ncommand = \"gren\"\n").unwrap();
    let path = theme.to_str().unwrap();
    let invalid = Code::InvalidParameters.exit();
    for words in [&["config", "check"][..], &["config", "check", path]] {
        fails(
            &house,
            words,
            invalid,
            "mine.toml:2:11: error: \"gren\" is no part of a style",
        );
    }
    fs::write(&theme, "[roles]\ncommand = \"green\"\n").unwrap();
    assert!(
        house
            .said(&["config", "check"])
            .contains("There is nothing wrong with")
    );
}
