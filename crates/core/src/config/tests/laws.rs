//! Laws: what is printed reads the same, what is set can be unset, and any text is read or refused.

use super::*;
use edit::{EditError, set, unset};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn a_value(kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Integer { min, max } => (min..=max).prop_map(Value::Integer).boxed(),
        Kind::Choice(words) => select(words).prop_map(|word| Value::Text(word.into())).boxed(),
        Kind::Command => "[a-z '\"\\\\$();|é-]{0,60}"
            .prop_map(|line| Value::Text(line.into()))
            .boxed(),
        Kind::Texts => vec(r#"[a-z $"\\']{1,12}"#, 0..4)
            .prop_filter("each once", |list| crate::texts::admits(list))
            .prop_map(Value::List)
            .boxed(),
        Kind::Repository => select(&["", "/srv/a b", "~/b", "rest:https://h:8000/a", "s3:h/b/c"][..])
            .prop_map(|address| Value::Text(address.into()))
            .boxed(),
        Kind::File => "(~?/[a-z.]{1,20})?"
            .prop_map(|file| Value::Text(file.into()))
            .boxed(),
        Kind::Name => "[a-z0-9-]{1,32}"
            .prop_map(|name| Value::Text(name.into()))
            .boxed(),
    }
}

fn a_setting() -> impl Strategy<Value = (&'static str, Value)> {
    select(KEYS).prop_flat_map(|key| a_value(key.kind).prop_map(move |value| (key.name, value)))
}

/// A file as people write them: tables by header, by dotted keys and in line, comments, blanks, either end of line, and
/// with or without an end of the last one.
fn a_file() -> impl Strategy<Value = String> {
    let settings = vec(a_setting(), 0..12);
    let style = vec((0..3u8, 0..6u8), KEYS.len());
    let frame = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (settings, style, frame).prop_map(|(settings, style, (windows, mark, ends, version))| {
        let mut settings = settings;
        settings.sort_by_key(|(name, _)| CATALOGUE.find(name).map(|(row, _)| row));
        settings.dedup_by_key(|(name, _)| *name);
        let mut out = String::new();
        if version {
            out.push_str("version = 1 # of the format\n");
        }
        let table = |name: &str| name.rsplit_once('.').map_or("", |(table, _)| table).to_owned();
        let mut tables: Vec<String> = settings.iter().map(|(name, _)| table(name)).collect();
        tables.dedup();
        let of = |at: &String| -> Vec<(&str, Value)> {
            let those = settings.iter().filter(|(name, _)| table(name) == *at);
            those
                .map(|(name, value)| (&name[at.len() + 1..], value.clone()))
                .collect()
        };
        let (mut above, mut below) = (String::new(), String::new());
        for (at, (how, decoration)) in tables.iter().zip(style) {
            let note = ["", "# note\n", "\n", "  ", "\t", "# é\n\n"][usize::from(decoration)];
            match how {
                0 => {
                    below.push_str(&format!("{}[ {at} ]# h\n", note.trim_start_matches([' ', '\t'])));
                    of(at)
                        .into_iter()
                        .for_each(|(name, value)| below.push_str(&format!("{note}{name}={value}# v\n")));
                }
                1 => of(at)
                    .into_iter()
                    .for_each(|(name, value)| above.push_str(&format!("{note}{at} . {name} = {value}\n"))),
                _ => {
                    let inside: Vec<String> = of(at)
                        .into_iter()
                        .map(|(name, value)| format!("{name} = {value}"))
                        .collect();
                    above.push_str(&format!("{note}{at} = {{ {} }} # in line\n", inside.join(" , ")));
                }
            }
        }
        out.push_str(&above);
        out.push_str(&below);
        if !ends {
            out = out.trim_end().to_owned();
        }
        if windows {
            out = out.replace('\n', "\r\n");
        }
        if mark { format!("\u{feff}{out}") } else { out }
    })
}

proptest! {
    #[test]
    fn what_is_printed_says_the_same(settings in vec(a_setting(), 0..30)) {
        let words: Vec<String> = settings.iter().map(|(name, value)| match value {
            Value::Text(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        }).collect();
        let layered = command_line(&CATALOGUE, words.iter().map(String::as_str));
        let config = CATALOGUE.merge(&[layered]).unwrap().config;
        let again = user(&config.print()).unwrap();
        prop_assert!(again.config.says_the_same(&config), "{}", config.print());
        prop_assert!(again.warnings.is_empty());
    }

    #[test]
    fn a_file_as_people_write_them_is_in_force(text in a_file()) {
        let refused = user(&text).err();
        prop_assert!(refused.is_none(), "{text}\n{}", refused.unwrap());
    }

    #[test]
    fn a_key_set_anew_and_unset_leaves_no_trace(text in a_file(), (name, value) in a_setting()) {
        let before = user(&text).unwrap().config;
        let with = set(&text, name, &value).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let after = user(&with).unwrap().config;
        for ((key, old), (_, new)) in before.settings().zip(after.settings()) {
            let expect = if key.name == name { &value } else { &old.value };
            prop_assert_eq!(&new.value, expect, "{} in\n{}", key.name, with);
        }
        let was_there = before.settings().any(|(key, setting)| key.name == name && setting.origin == Origin::User);
        let without = unset(&with, name).map_err(|error| TestCaseError::fail(format!("{error}\n{with}")))?;
        if was_there {
            let row = CATALOGUE.find(name).unwrap().0;
            prop_assert_eq!(user(&without).unwrap().config.settings[row].origin, Origin::BuiltIn);
            // Setting it to what it was gives the text that was.
            let old = before.settings[row].value.clone();
            prop_assert_eq!(set(&with, name, &old).unwrap(), text);
        } else {
            prop_assert_eq!(without, text);
        }
    }

    #[test]
    fn what_any_format_said_the_newest_says(format in 1..=3u32, glows in any::<bool>(), weight in 0..9u8, in_line in any::<bool>()) {
        // As each format had it: first as `monitor`, with a weight; then as `screen`; then "off" as "none".
        let (table, word) = match (format, glows) {
            (1, true) => ("monitor", "some"),
            (1, false) => ("monitor", "off"),
            (2, false) => ("screen", "off"),
            (_, true) => ("screen", "some"),
            _ => ("screen", "none"),
        };
        let weight = if format == 1 { format!("{table}.weight = {weight}\n") } else { String::new() };
        let text = match in_line {
            true => format!("version = {format}\n{weight}{table}.glow = \"{word}\"\n"),
            false => format!("version = {format}\n[{table}]\n{}glow = \"{word}\"\n", weight.replace(&format!("{table}."), "")),
        };
        let read = |text: &str| {
            let merged = SYNTHETIC.merge(&[RawConfig::parse(Origin::User, "c", text).check(&SYNTHETIC)]);
            merged.map(|merged| merged.config).map_err(|refused| TestCaseError::fail(format!("{refused}\n{text}")))
        };
        let config = read(&text)?;
        let expect = Value::Text(if glows { "some" } else { "none" }.into());
        prop_assert_eq!(&config.settings[0].value, &expect, "{}", text);
        // Written by the newest, it says the same.
        prop_assert!(read(&config.print())?.says_the_same(&config));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = user(&text);
        let _ = set(&text, "editor.theme", &Value::Bool(true));
        let _ = unset(&text, "editor.theme");
    }

    #[test]
    fn what_we_take_for_toml_is_toml(text in "([a-c.\\[\\]{}=,'\"#\n 1]|a = 1\n|\\[a\\]\n|b = \\{|\\[a.b\\]\n|a.b = 2\n|\r\n|\u{e9}){0,20}") {
        let ours = document::Document::parse(&text);
        let theirs = toml::from_str::<toml::Table>(&text);
        // Lists of tables are passed over here, and what is wrong in them.
        let lists = text.contains("[[");
        if ours.faults.is_empty() && !lists {
            prop_assert!(theirs.is_ok(), "{:?} {}", text, theirs.unwrap_err());
        }
        // Of tables that headers of other tables imply, `toml` lets dotted keys add to some.
        let dotted = text.contains('.');
        if theirs.is_ok() && !dotted {
            prop_assert!(ours.faults.is_empty(), "{:?} {:?}", text, ours.faults);
        }
    }
}

#[test]
fn editing_keeps_to_its_place() {
    let theme = Value::Text("mono".into());
    let check = |text: &str, expect: &str| {
        assert_eq!(
            set(text, "editor.theme", &theme).as_deref(),
            Ok(expect),
            "{text:?}"
        );
    };
    check("", "editor.theme = \"mono\"\n");
    check("# mine", "# mine\neditor.theme = \"mono\"");
    check(
        "# mine\n\n[worker]\n",
        "# mine\neditor.theme = \"mono\"\n\n[worker]\n",
    );
    check(
        "# of it\n[worker]\n",
        "editor.theme = \"mono\"\n# of it\n[worker]\n",
    );
    check("[editor]", "[editor]\ntheme = \"mono\"");
    check(
        "[editor] # mine\n\n[worker]\n",
        "[editor] # mine\ntheme = \"mono\"\n\n[worker]\n",
    );
    check(
        "[editor]\n  suggest = true # yes\n\n# that was it\n",
        "[editor]\n  suggest = true # yes\n  theme = \"mono\"\n\n# that was it\n",
    );
    check("editor.theme = 'a' # mine\n", "editor.theme = \"mono\" # mine\n");
    check("editor = {}\n", "editor = {theme = \"mono\"}\n");
    check(
        "editor = { suggest = true }\n",
        "editor = { suggest = true, theme = \"mono\" }\n",
    );
    check(
        "version = 1\n\n[worker]\n",
        "version = 1\neditor.theme = \"mono\"\n\n[worker]\n",
    );
    check(
        "a = \"\"\"\nx\n\"\"\"\n",
        "a = \"\"\"\nx\n\"\"\"\neditor.theme = \"mono\"\n",
    );
}

#[test]
fn what_cannot_be_edited_is_left_alone() {
    let theme = Value::Text("mono".into());
    let check = |text: &str, expect: &str| {
        let error = set(text, "editor.theme", &theme).unwrap_err();
        assert!(error.to_string().contains(expect), "{text:?}: {error}");
    };
    check("[editor\n", "the text has mistakes");
    check("editor = 3\n", "cannot be added");
    check("[[editor]]\n", "cannot be added");
    assert_eq!(
        unset("a = 1\n", "editor.theme"),
        Err(EditError::Absent {
            name: "editor.theme".to_owned()
        })
    );
    assert_eq!(
        unset("editor = {\n  # alone\n  theme = 'x',\n}\n", "editor.theme").as_deref(),
        Ok("editor = {\n  # alone\n  \n}\n")
    );
    assert_eq!(
        unset("editor = { a = 1, # why\n  theme = 'x', }\n", "editor.theme").as_deref(),
        Ok("editor = { a = 1, # why\n   }\n")
    );
    assert_eq!(
        unset("editor = { a = 1, # why\n  theme = 'x' }\n", "editor.theme").as_deref(),
        Ok("editor = { a = 1, # why\n   }\n")
    );
}
