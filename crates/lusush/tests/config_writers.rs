//! Many who write the configuration at once: our own verbs, an editor that knows nothing of locks, the worker, and shells
//! that start.
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use lle_core::config::{CATALOGUE, FILE_NAME, Origin, RawConfig};
use lle_log::versions::{self, Versions};
use lle_pty::Terminal;
use support::household::{Household, wait};

/// Keys, each with the values that its writer gives it by turns.
const WRITERS: [(&str, [&str; 2]); 8] = [
    ("editor.highlight", ["false", "true"]),
    ("editor.suggest", ["false", "true"]),
    ("editor.multiline", ["false", "true"]),
    ("editor.complete", ["false", "true"]),
    ("editor.theme", ["night", "deep"]),
    ("history.share", ["false", "true"]),
    ("history.list_max", ["300", "400"]),
    ("worker.linger_s", ["70", "80"]),
];
/// Times that each writer writes beside the editor.
const ROUNDS: usize = 3;

fn file(house: &Household) -> PathBuf {
    house.home.lusush().join("config/config.toml")
}

/// What a text says of a key.
fn said(text: &str, key: &str) -> Option<String> {
    let layered = RawConfig::parse(Origin::User, "c", text).check(&CATALOGUE);
    assert!(layered.is_sound(), "half a text:\n{text}");
    let value = layered.value(&CATALOGUE, key)?;
    Some(value.to_string().trim_matches('"').to_owned())
}

/// Reads the versions and demands that each is whole.
fn all_whole(bytes: &[u8]) -> Versions<'_> {
    let known = versions::read(bytes).unwrap();
    assert_eq!(known.damaged_bytes, 0);
    let numbers: Vec<u64> = known.versions.iter().map(|version| version.number).collect();
    assert!(
        numbers.is_sorted_by(|a, b| a < b),
        "each number once: {numbers:?}"
    );
    for version in &known.versions {
        let text = std::str::from_utf8(version.content).unwrap();
        said(text, "editor.theme");
    }
    known
}

fn log(house: &Household) -> Vec<u8> {
    fs::read(house.state().join("versions/config.log")).unwrap_or_default()
}

/// Sets a key; true if that was acknowledged.
fn set(house: &Household, key: &str, value: &str) -> bool {
    let output = house.maint(&["config", "set", key, value]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!told.contains("no version is kept"), "{told}");
    let refused = told.contains("it was changed by somebody else in the meantime");
    assert!(output.status.success() || refused, "{key}: {told}");
    output.status.success()
}

/// Waits until what is in force is the newest version, and that what the file says.
fn settled(house: &Household) -> String {
    let mut text = String::new();
    wait("the last state to be in force", || {
        text = fs::read_to_string(file(house)).unwrap();
        let bytes = log(house);
        let known = all_whole(&bytes);
        let in_force = fs::read(house.folder().join("in-force")).unwrap_or_default();
        let in_force = lle_core::in_force::InForce::decode(&in_force);
        let newest = known.newest(FILE_NAME);
        newest.is_some_and(|newest| {
            newest.content == text.as_bytes()
                && in_force
                    .as_ref()
                    .is_some_and(|in_force| in_force.version == newest.number)
        })
    });
    text
}

#[test]
fn eight_verbs_at_once_lose_nothing_of_each_other() {
    let house = Household::with_worker("", &[]);
    fs::create_dir_all(file(&house).parent().unwrap()).unwrap();
    fs::write(file(&house), "# mine\n").unwrap();
    for round in 0..2 {
        std::thread::scope(|scope| {
            for (key, values) in WRITERS {
                let house = &house;
                scope.spawn(move || assert!(set(house, key, values[round]), "{key}"));
            }
        });
        let text = settled(&house);
        assert!(text.starts_with("# mine\n"), "{text}");
        for (key, values) in WRITERS {
            assert_eq!(said(&text, key).as_deref(), Some(values[round]), "{key}:\n{text}");
        }
    }
    let bytes = log(&house);
    let edited = all_whole(&bytes)
        .versions
        .iter()
        .filter(|version| version.cause == versions::Cause::Edited)
        .count();
    assert_eq!(edited, 2 * WRITERS.len(), "one version each");
}

#[test]
fn beside_an_editor_and_starting_shells_nothing_that_was_acknowledged_is_lost() {
    let house = Household::with_worker("", &[]);
    fs::create_dir_all(file(&house).parent().unwrap()).unwrap();
    fs::write(file(&house), "# mine\n").unwrap();
    let (done, saved, acknowledged) = (
        AtomicBool::new(false),
        Mutex::new(vec!["# mine\n".to_owned()]),
        Mutex::new(Vec::new()),
    );
    std::thread::scope(|scope| {
        // Reads, thinks, and saves by a rename what it read with a line of its own: it overwrites what came in between.
        scope.spawn(|| {
            for n in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let read = fs::read_to_string(file(&house)).unwrap();
                let own = |line: &&str| !line.starts_with("# save ");
                let rest: Vec<&str> = read.lines().filter(own).collect();
                let text = format!("# save {n}\n{}\n", rest.join("\n"));
                let beside = file(&house).with_extension("beside");
                fs::write(&beside, &text).unwrap();
                saved.lock().unwrap().push(text);
                fs::rename(&beside, file(&house)).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let spawn = house.home.spawn(support::lusush()).size(24, 80);
                let mut terminal = Terminal::spawn(&spawn).unwrap();
                terminal
                    .settle()
                    .unwrap_or_else(|error| panic!("no prompt: {error}"));
            }
        });
        let writers: Vec<_> = WRITERS
            .iter()
            .map(|(key, values)| {
                let (house, acknowledged) = (&house, &acknowledged);
                scope.spawn(move || {
                    for n in 0..ROUNDS {
                        let value = values[n % values.len()];
                        // Refused while the editor was faster: then again, as a person would.
                        wait("a word to get through", || set(house, key, value));
                        acknowledged.lock().unwrap().push((*key, value));
                    }
                })
            })
            .collect();
        let ended: Vec<bool> = writers.into_iter().map(|writer| writer.join().is_ok()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(|ended| *ended));
    });
    let text = settled(&house);
    let bytes = log(&house);
    let known = all_whole(&bytes);
    let texts: Vec<&str> = known
        .versions
        .iter()
        .map(|version| std::str::from_utf8(version.content).unwrap())
        .collect();
    let acknowledged = acknowledged.into_inner().unwrap();
    for (key, value) in &acknowledged {
        assert!(
            texts
                .iter()
                .any(|text| said(text, key).as_deref() == Some(*value)),
            "{key} = {value} is in no version"
        );
    }
    // The last state is that of a writer: the editor's, or one that a verb of ours made of what it found.
    let by_verb = known.newest(FILE_NAME).unwrap().cause == versions::Cause::Edited;
    assert!(by_verb || saved.into_inner().unwrap().contains(&text), "{text}");
    // No draft is left behind.
    let names = fs::read_dir(file(&house).parent().unwrap()).unwrap().flatten();
    let names: Vec<String> = names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().all(|name| !name.ends_with(".new")), "{names:?}");
}
