//! One flipped byte in any file that Lusush keeps: it is told, or nothing that anybody can ask for is another than before.
//!
//! A home with everything in it is asked for all that it knows. Then one byte of one file is flipped, and all of it is asked
//! again: either somebody complains, or every answer is the same. What differs between two looks at the sound home, such as
//! ages, counts for nothing. `LUSUSH_FLIPS=n` sets how many bytes of each file are flipped, `LUSUSH_FLIPS_SEED` which.
//!
//! Bytes of single formats are flipped one by one in the tests of their crates.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use support::household::{Household, wait};
use support::{Random, log_of, number, press};

/// Bytes of each file by default.
const FLIPS: usize = 2;

/// What is asked: the words, and, in the answer's JSON, what says that something is wrong, and how.
struct Look {
    words: &'static [&'static str],
    complains: fn(&Value) -> bool,
}

fn never(_: &Value) -> bool {
    false
}

const LOOKS: &[Look] = &[
    Look {
        words: &["history", "check"],
        complains: |said| {
            said["damaged_runs"] != 0
                || said["torn_tail_bytes"] != 0
                || said["mirror_is_same"] == false
                || said["index_damaged"].as_u64().is_some_and(|n| n > 0)
        },
    },
    Look {
        words: &["history", "export", "--format", "json"],
        complains: never,
    },
    Look {
        words: &["audit", "verify"],
        complains: |said| said["whole"] == false,
    },
    Look {
        words: &["audit", "show"],
        complains: never,
    },
    Look {
        words: &["tasks"],
        complains: never,
    },
    Look {
        words: &["health"],
        complains: |said| said.to_string().contains("was damaged"),
    },
    Look {
        words: &["config", "log"],
        complains: |said| said["damaged_bytes"].as_u64().is_some_and(|n| n > 0),
    },
    Look {
        words: &["config", "show"],
        complains: never,
    },
    Look {
        words: &["rc", "log"],
        complains: |said| said["damaged_bytes"].as_u64().is_some_and(|n| n > 0),
    },
    Look {
        words: &["backup", "verify", "--data"],
        complains: |said| said["good"] == false,
    },
    Look {
        words: &["backup", "list"],
        complains: never,
    },
    Look {
        words: &["backup", "key", "export"],
        complains: never,
    },
];

/// What was answered: the exit status, and every value in the answer by where it stands.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    status: Option<i32>,
    values: BTreeMap<String, Value>,
    complains: bool,
}

fn flatten(at: String, value: &Value, out: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(format!("{at}/{name}"), value, out);
            }
        }
        Value::Array(items) => {
            out.insert(format!("{at}/length"), items.len().into());
            for (n, value) in items.iter().enumerate() {
                flatten(format!("{at}/{n}"), value, out);
            }
        }
        value => {
            out.insert(at, value.clone());
        }
    }
}

fn ask(house: &Household, look: &Look) -> Answer {
    let is_lines = look.words.contains(&"--format");
    let mut words = look.words.to_vec();
    if !is_lines {
        words.push("--json");
    }
    let output = house.maint(&words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code().is_some() && !said.contains("panicked"),
        "{:?}: {} {said}",
        look.words,
        output.status
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = match is_lines {
        true => Value::String(text),
        false => serde_json::from_str(&text).unwrap_or(Value::Null),
    };
    let mut values = BTreeMap::new();
    flatten(String::new(), &value, &mut values);
    Answer {
        status: output.status.code(),
        complains: !said.is_empty() || (look.complains)(&value),
        values,
    }
}

fn ask_all(house: &Household) -> Vec<Answer> {
    LOOKS.iter().map(|look| ask(house, look)).collect()
}

/// Every file of ours, by its path.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut out, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            match (kind.is_dir(), kind.is_file()) {
                (true, _) => folders.push(entry.path()),
                (_, true) => {
                    out.insert(entry.path(), fs::read(entry.path()).unwrap());
                }
                _ => {}
            }
        }
    }
    out
}

/// Makes every file what it was.
fn put_back(root: &Path, sound: &BTreeMap<PathBuf, Vec<u8>>) {
    let now = files(root);
    for path in now.keys().filter(|path| !sound.contains_key(*path)) {
        fs::remove_file(path).unwrap();
    }
    for (path, bytes) in sound.iter().filter(|(path, bytes)| now.get(*path) != Some(bytes)) {
        fs::write(path, bytes).unwrap();
    }
}

/// A home in which everything has been used once, and nobody is any more.
fn lived_in() -> Household {
    let mut house = Household::with_worker("HISTFILE=~/.bash_history\n", &["--look-every", "50"]);
    fs::write(house.home.history(), "echo imported\nls\n").unwrap();
    let config = house.home.lusush().join("config");
    fs::create_dir_all(&config).unwrap();
    let mut session = house.session();
    for theme in ["light", "night"] {
        house.said(&["config", "set", "editor.theme", theme]);
        press(&mut session, &format!("echo {theme}\r"), theme);
    }
    house.said(&["schedule", "tidy", "--when", "every 1d", "--", "true"]);
    house.said(&["run", "health-check"]);
    house.said(&["backup", "create"]);
    house.said(&["backup", "create", "--journal"]);
    press(&mut session, "false\r", "$");
    house.said(&["backup", "create"]);
    house.said(&["backup", "create", "--journal"]);
    wait("the mirror", || {
        lle_maintenance::real::history::mirrored(&log_of(&house.home))
            .is_some_and(|(log, mirror)| log == mirror)
    });
    // Its last words stay.
    session.signal(Signal::KILL).unwrap();
    let _ended = session.wait_exit(lle_pty::deadline());
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    house.kill_worker();
    house
}

#[test]
fn a_flipped_byte_is_found_or_harmless() {
    let mut random = Random::new(number("LUSUSH_FLIPS_SEED", 1) as u64);
    let wanted = number("LUSUSH_FLIPS", FLIPS);
    let house = lived_in();
    let root = house.home.lusush();
    // The first look settles what looking settles.
    ask_all(&house);
    let sound = files(&root);
    let before = ask_all(&house);
    put_back(&root, &sound);
    let again = ask_all(&house);
    put_back(&root, &sound);
    for (look, answer) in LOOKS.iter().zip(&before) {
        assert_eq!(answer.status, Some(0), "{:?}", look.words);
        assert!(!answer.complains, "{:?}: {answer:?}", look.words);
    }
    let volatile: Vec<BTreeSet<&String>> = before
        .iter()
        .zip(&again)
        .map(|(a, b)| {
            let keys = a.values.keys().chain(b.values.keys());
            keys.filter(|key| a.values.get(*key) != b.values.get(*key))
                .collect()
        })
        .collect();
    let stores = sound.iter().filter(|(path, bytes)| {
        // What the user writes is the user's.
        !bytes.is_empty() && !path.starts_with(root.join("config"))
    });
    let (mut found, mut harmless, mut unseen) = (0, 0, Vec::new());
    for (path, bytes) in stores {
        let all = bytes.len() <= wanted;
        for n in 0..wanted.min(bytes.len()) {
            let at = if all { n } else { random.below(bytes.len()) };
            let bit = 1 << random.below(8);
            let mut bad = bytes.clone();
            bad[at] ^= bit;
            fs::write(path, &bad).unwrap();
            let mut complaint = false;
            let mut other = Vec::new();
            for ((look, sound), ignored) in LOOKS.iter().zip(&before).zip(&volatile) {
                let answer = ask(&house, look);
                complaint |= answer.complains || answer.status != sound.status;
                let keys: BTreeSet<&String> = answer.values.keys().chain(sound.values.keys()).collect();
                // How long something took is no answer, and may be the same twice. Nor is how much was read: a key file that
                // was damaged is made anew, and the time in it may be written with a digit more.
                let is_answer = |key: &str| !key.ends_with("took_ms") && key != "/bytes";
                let asked = keys
                    .into_iter()
                    .filter(|key| !ignored.contains(key) && is_answer(key));
                for key in asked {
                    if answer.values.get(key) != sound.values.get(key) {
                        other.push(format!("{:?} {key}", look.words));
                    }
                }
                if complaint {
                    break;
                }
            }
            put_back(&root, &sound);
            match (complaint, other.is_empty()) {
                (true, _) => found += 1,
                (false, true) => harmless += 1,
                (false, false) => {
                    let name = path.strip_prefix(&root).unwrap().display();
                    unseen.push(format!("{name}: byte {at} ^ {bit:#x}: {other:?}"));
                }
            }
        }
    }
    println!("{found} found, {harmless} harmless");
    assert!(unseen.is_empty(), "went unseen:\n{}", unseen.join("\n"));
    assert!(found > 0 && harmless > 0);
}
