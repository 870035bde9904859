//! Layers, problems, migrations, and the laws of reading, writing and editing.

mod laws;
mod problems;

use super::*;

/// One file of the user, in force.
fn user(text: &str) -> Result<Merged, Refused> {
    let layered = RawConfig::parse(Origin::User, "config.toml", text).check(&CATALOGUE);
    CATALOGUE.merge(&[layered])
}

fn file(origin: Origin, text: &str) -> Layered {
    RawConfig::parse(origin, origin.name(), text).check(&CATALOGUE)
}

#[test]
fn later_layers_go_first_and_each_value_knows_its_origin() {
    let layers = [
        command_line(&CATALOGUE, ["alerts.per_hour=3"]),
        file(Origin::User, "[editor]\ntheme = \"mono\"\nsuggest = false\n"),
        environment(
            &CATALOGUE,
            [("LUSUSH_CONFIG_EDITOR_THEME", "light"), ("HOME", "/home/joe")],
        ),
        file(Origin::System, "editor.theme = \"bold\"\nworker.linger_s = 60\n"),
    ];
    let config = CATALOGUE.merge(&layers).unwrap().config;
    let check = |name: Name, value: &str, origin: Origin, source: &str, at: Option<(usize, usize)>| {
        let (_, setting) = config
            .settings()
            .find(|(key, _)| key.name == name.key().name)
            .unwrap();
        let place = setting.at.map(|at| (at.line, at.column));
        assert_eq!(
            (
                setting.value.to_string().as_str(),
                setting.origin,
                setting.source.as_str(),
                place
            ),
            (value, origin, source, at)
        );
    };
    check(
        Name::EditorTheme,
        "\"light\"",
        Origin::Environment,
        "LUSUSH_CONFIG_EDITOR_THEME",
        None,
    );
    check(Name::EditorSuggest, "false", Origin::User, "user", Some((3, 1)));
    check(Name::WorkerLinger, "60", Origin::System, "system", Some((2, 1)));
    check(
        Name::AlertsPerHour,
        "3",
        Origin::CommandLine,
        "alerts.per_hour=3",
        None,
    );
    check(Name::EditorComplete, "true", Origin::BuiltIn, "", None);
    assert!(!config.is_on(Name::EditorSuggest) && config.number(Name::WorkerLinger) == 60);
    assert_eq!(config.word(Name::EditorTheme), "light");
}

#[test]
fn what_the_machine_locks_nobody_changes() {
    let layers = [
        file(
            Origin::System,
            "locked = [\"editor.theme\", \"alerts.*\"]\neditor.theme = \"bold\"\n",
        ),
        file(
            Origin::User,
            "editor.theme = \"mono\"\neditor.suggest = false\nalerts.prompt = false\n",
        ),
        environment(&CATALOGUE, [("LUSUSH_CONFIG_EDITOR_THEME", "light")]),
        command_line(&CATALOGUE, ["alerts.per_hour=3"]),
    ];
    let merged = CATALOGUE.merge(&layers).unwrap();
    assert_eq!(merged.config.word(Name::EditorTheme), "bold");
    assert!(merged.config.is_on(Name::AlertsPrompt) && !merged.config.is_on(Name::EditorSuggest));
    assert_eq!(merged.config.number(Name::AlertsPerHour), 12);
    let told: Vec<String> = merged
        .warnings
        .iter()
        .map(|problem| problem.to_string())
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    user:1:1: warning: `editor.theme` is locked at "bold" by the machine's configuration, which holds
      take it away, or ask whoever looks after the machine
    user:3:1: warning: `alerts.prompt` is locked at true by the machine's configuration, which holds
      take it away, or ask whoever looks after the machine
    LUSUSH_CONFIG_EDITOR_THEME: warning: `editor.theme` is locked at "bold" by the machine's configuration, which holds
      take it away, or ask whoever looks after the machine
    alerts.per_hour=3: warning: `alerts.per_hour` is locked at 12 by the machine's configuration, which holds
      take it away, or ask whoever looks after the machine
    "#);
}

#[test]
fn what_changes_concerns_those_who_go_by_it_and_who_follows_them() {
    let check = |text: &str, names: &[&str], parts: &[Part]| {
        let after = user(text).unwrap().config;
        let effect = effect(&CATALOGUE.built_in(), &after);
        let found: Vec<&str> = effect.changed.iter().map(|changed| changed.name).collect();
        assert_eq!(
            (found.as_slice(), effect.parts.as_slice()),
            (names, parts),
            "{text}"
        );
    };
    check("", &[], &[]);
    check("editor.theme = \"default\"", &[], &[]);
    check("editor.theme = \"mono\"", &["editor.theme"], &[Part::Display]);
    check(
        "editor.suggest = false",
        &["editor.suggest"],
        &[Part::Editor, Part::Display],
    );
    check(
        "trial.active_minutes = 3",
        &["trial.active_minutes"],
        &[Part::Trials, Part::Reload],
    );
    let after = user("history.list_max = 100").unwrap().config;
    assert!(effect(&CATALOGUE.built_in(), &after).changed[0].needs_new_shell);
}

#[test]
fn the_schema_is_of_the_table() {
    let schema = serde_json::to_value(schema::schema(&CATALOGUE)).unwrap();
    for key in KEYS {
        let pointer = format!("/properties/{}", key.name.replace('.', "/properties/"));
        let node = schema.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}"));
        assert_eq!(node["description"], key.about);
        assert_eq!(node["default"], serde_json::to_value(&key.default).unwrap());
    }
    let trial = schema.pointer("/properties/trial").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(trial).unwrap());
}

#[test]
fn the_reference_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let made = reference::reference(&CATALOGUE);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        write(&path, &made);
    }
    assert!(
        read(&path) == made,
        "docs/configuration.md is not current: run this with UPDATE_DOCS=1"
    );
}

#[allow(clippy::disallowed_methods, reason = "the test compares with the repository")]
fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[allow(
    clippy::disallowed_methods,
    reason = "the test writes what it compares with, if it is told to"
)]
fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// Keys that never were, to try out what happens to formats and keys in time.
const SYNTHETIC: Catalogue = Catalogue {
    keys: &[
        Key {
            name: "screen.glow",
            kind: Kind::Choice(&["none", "some"]),
            default: Value::Text(std::borrow::Cow::Borrowed("none")),
            part: Part::Display,
            needs_new_shell: false,
            since: "0.1.0",
            about: "How much it glows.",
            deprecated: None,
        },
        Key {
            name: "screen.shine",
            kind: Kind::Choice(&["none", "some"]),
            default: Value::Text(std::borrow::Cow::Borrowed("none")),
            part: Part::Display,
            needs_new_shell: false,
            since: "0.1.0",
            about: "How much it shines.",
            deprecated: Some(Deprecated {
                date: "2027-06-01",
                replacement: Some("screen.glow"),
            }),
        },
        Key {
            name: "screen.flicker",
            kind: Kind::Bool,
            default: Value::Bool(false),
            part: Part::Display,
            needs_new_shell: false,
            since: "0.1.0",
            about: "Whether it flickers.",
            deprecated: Some(Deprecated {
                date: "2027-06-01",
                replacement: None,
            }),
        },
    ],
    version: 3,
    migrations: &[
        Migration {
            about: "what was called monitor is called screen",
            changes: &[
                Change::Renamed {
                    from: "monitor",
                    to: "screen",
                },
                Change::Dropped { key: "screen.weight" },
            ],
        },
        Migration {
            about: "no glow is called none",
            changes: &[Change::Reworded {
                key: "screen.glow",
                from: "off",
                to: "none",
            }],
        },
    ],
    today: 0,
};

#[test]
fn every_older_format_is_read_as_the_newest() {
    let check = |text: &str, expect: Result<&str, &str>| {
        let layered = RawConfig::parse(Origin::User, "c", text).check(&SYNTHETIC);
        let found = SYNTHETIC
            .merge(&[layered])
            .map(|merged| merged.config.settings[0].value.to_string());
        match (found, expect) {
            (Ok(found), Ok(expect)) => assert_eq!(found, expect, "{text}"),
            (Err(refused), Err(expect)) => assert!(refused.to_string().contains(expect), "{text}: {refused}"),
            (found, expect) => panic!("{text}: {found:?}, not {expect:?}"),
        }
    };
    check(
        "version = 1\nmonitor = { glow = \"some\", weight = 3 }",
        Ok("\"some\""),
    );
    check("version = 1\n[monitor]\nglow = \"off\"", Ok("\"none\""));
    check("version = 2\n[screen]\nglow = \"off\"", Ok("\"none\""));
    check("version = 3\n[screen]\nglow = \"some\"", Ok("\"some\""));
    check("[screen]\nglow = \"some\"", Ok("\"some\""));
    check(
        "version = 3\n[screen]\nglow = \"off\"",
        Err("c:3:8: error: `screen.glow` is \"off\""),
    );
    check(
        "version = 2\n[monitor]\nglow = \"off\"",
        Err("`monitor.glow` is no key"),
    );
    check(
        "version = 4\n[future]\nx = 1",
        Err("format 4 is a later release's"),
    );
    check("version = 0", Err("there is no format 0"));
    check("version = \"1\"", Err("`version` is text"));
}

#[test]
fn a_server_that_is_spoken_to_in_the_clear_is_taken_and_told() {
    let told = |address: &str| {
        let text = format!("[backup]\nrepository = \"{address}\"\n");
        let merged = CATALOGUE
            .merge(&[RawConfig::parse(Origin::User, "c", &text).check(&CATALOGUE)])
            .unwrap();
        assert_eq!(merged.config.word(Name::BackupRepository), address);
        let word = command_line(&CATALOGUE, [format!("backup.repository={address}").as_str()]);
        assert_eq!(word.problems.len(), merged.warnings.len(), "{address}");
        merged.warnings
    };
    insta::assert_snapshot!(told("rest:http://nas:8000/me")[0], @"
    c:2:14: warning: `backup.repository`: what proves you to nas:8000 is sent there in the clear
      write https: over http whoever is on the way reads it; what is saved is sealed either way
    ");
    for silent in [
        "rest:https://nas:8000/me",
        "rest:http://localhost:8000/me",
        "s3:nas/bucket",
        "/srv/backup",
    ] {
        assert_eq!(told(silent), [], "{silent}");
    }
}

#[test]
fn a_key_that_goes_is_told_with_its_day_and_successor() {
    let layered = RawConfig::parse(Origin::User, "c", "[screen]\nshine = \"some\"\n").check(&SYNTHETIC);
    assert!(layered.is_sound());
    insta::assert_snapshot!(layered.problems[0], @"
    c:2:1: warning: `screen.shine` goes on 2027-06-01
      write `screen.glow` instead
    ");
    let check = |today, text: &str, expect: (&str, &str), told: &str| {
        let catalogue = SYNTHETIC.on(today);
        let merged = catalogue
            .merge(&[RawConfig::parse(Origin::User, "c", text).check(&catalogue)])
            .unwrap();
        let value = |row: usize| merged.config.settings[row].value.to_string();
        assert_eq!((value(0).as_str(), value(2).as_str()), expect, "{today}: {text}");
        assert_eq!(merged.config.settings[1].origin, Origin::BuiltIn);
        assert!(
            merged.warnings[0].message.contains(told),
            "{}",
            merged.warnings[0]
        );
    };
    let (old, both) = (
        "screen.shine = \"some\"",
        "[screen]\nshine = \"some\"\nglow = \"none\"\n",
    );
    let (before, after) = (20_270_531, 20_270_601);
    // Its value is its successor's, before that day and after it; whoever wrote both means the new one.
    check(before, old, ("\"some\"", "false"), "goes on 2027-06-01");
    check(
        after,
        old,
        ("\"some\"", "false"),
        "went on 2027-06-01, and is read as `screen.glow`",
    );
    check(before, both, ("\"none\"", "false"), "goes on");
    check(after, both, ("\"none\"", "false"), "went on");
    // Without a successor it says something until that day.
    let alone = "screen.flicker = true";
    check(before, alone, ("\"none\"", "true"), "goes on");
    check(
        after,
        alone,
        ("\"none\"", "false"),
        "went on 2027-06-01, and says nothing",
    );
    let word = command_line(&SYNTHETIC, ["screen.shine=some"]);
    let merged = SYNTHETIC.merge(&[word]).unwrap();
    assert_eq!(merged.config.settings[0].value.to_string(), "\"some\"");
    assert!(merged.warnings[0].message.contains("goes on 2027-06-01"));
}
