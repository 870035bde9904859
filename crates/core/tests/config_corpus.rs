//! Files of configuration that are kept: each format that was ever written, and what is awkward; and a run over
//! mutations of them, since the fuzzers at hand need another compiler.
//!
//! `LUSUSH_FUZZ_SECONDS` makes the run longer. Each run takes other mutations; it prints its seed, and `LUSUSH_SEED` runs
//! that again. A text that breaks a law is put into the corpus, so that every run after it begins there.
#![cfg(feature = "engine")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads the corpus and the clock, and a panic in it is the report"
)]

use std::time::{Duration, Instant};

use lle_core::config::{CATALOGUE, Config, KEYS, Name, Origin, RawConfig, Refused, edit};

/// Mutations of each file, if nothing is said about time.
const ROUNDS: usize = 200;

/// Where files are kept.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/config");

fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(FOLDER)
        .unwrap()
        .flatten()
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

fn load(origin: Origin, text: &str) -> Result<Config, Refused> {
    let layered = RawConfig::parse(origin, "c", text).check(&CATALOGUE);
    CATALOGUE.merge(&[layered]).map(|merged| merged.config)
}

fn kept(name: &str) -> String {
    let file = corpus().into_iter().find(|(found, _)| found == name);
    String::from_utf8(file.unwrap().1).unwrap()
}

#[test]
fn format_1_is_read() {
    let config = load(Origin::User, &kept("format-1.toml")).unwrap();
    assert!(!config.is_on(Name::EditorHighlight) && config.is_on(Name::EditorSuggest));
    assert_eq!(
        (config.word(Name::EditorTheme), config.number(Name::WorkerLinger)),
        ("mono", 60)
    );
    assert_eq!(config.word(Name::ModePluginUpdate), "observe");
    for (key, setting) in config.settings() {
        assert_eq!(setting.origin, Origin::User, "{} is not in the file", key.name);
    }
}

#[test]
fn awkward_files_say_what_they_should() {
    let dotted = load(Origin::User, &kept("dotted.toml")).unwrap();
    assert_eq!(
        (dotted.word(Name::EditorTheme), dotted.number(Name::AlertsPerHour)),
        ("light", 3)
    );
    assert_eq!(
        (dotted.word(Name::ModeBackup), dotted.number(Name::WorkerLinger)),
        ("advise", 60)
    );
    let windows = load(Origin::User, &kept("windows.toml")).unwrap();
    assert!(windows.word(Name::EditorTheme) == "mono" && !windows.is_on(Name::EditorSuggest));
    assert!(
        !load(Origin::User, &kept("mark.toml"))
            .unwrap()
            .is_on(Name::HistoryShare)
    );
    assert_eq!(
        load(Origin::System, &kept("locked.toml"))
            .unwrap()
            .word(Name::EditorTheme),
        "bold"
    );
    insta::assert_snapshot!(load(Origin::User, &kept("mistakes.toml")).unwrap_err());
}

/// Splitmix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}

/// What a mutation writes into a text.
const PIECES: &[&str] = &[
    "=",
    ".",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "#",
    "\n",
    "\r\n",
    "\r",
    "\\",
    "\\u",
    "\0",
    "\u{feff}",
    "é",
    "true",
    "-",
    "0x",
    "1e",
    "1979-05-27",
    "editor",
    "editor.theme = \"a\"\n",
    "[editor]\n",
    "locked = [",
    "version = 2\n",
];

fn mutate(random: &mut Random, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            1 => drop(bytes.drain(at..(at + random.below(12)).min(bytes.len()))),
            2 => {
                let piece = PIECES[random.below(PIECES.len())].bytes();
                bytes.splice(at..at, piece);
            }
            3 => {
                let from = random.below(other.len());
                let part = other[from..(from + random.below(60)).min(other.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// The laws that hold for any text.
fn hold(text: &str) {
    let before = load(Origin::User, text);
    if let Err(refused) = &before {
        assert!(!refused.problems.is_empty());
        assert!(
            refused
                .problems
                .iter()
                .all(|problem| problem.at.is_some() && !problem.remedy.is_empty())
        );
    }
    let _ = load(Origin::System, text);
    for key in [&KEYS[4], &KEYS[8]] {
        let Ok(with) = edit::set(text, key.name, &key.default) else {
            continue;
        };
        let without = edit::unset(&with, key.name).expect("it was just set");
        if edit::unset(text, key.name).is_err() {
            assert_eq!(without, text, "{} leaves a trace", key.name);
        }
        // Nothing that held is broken by what was set.
        assert!(before.is_err() || load(Origin::User, &with).is_ok());
    }
    if let Ok(config) = before {
        let again = load(Origin::User, &config.print()).expect("what is printed is in force");
        assert!(again.says_the_same(&config));
    }
}

/// Which law a text breaks, if it does.
fn broken(text: &str) -> Option<String> {
    let broke = std::panic::catch_unwind(|| hold(text)).err()?;
    let said = broke.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| broke.downcast_ref::<&str>().copied());
    Some(said.unwrap_or("it panics").to_owned())
}

/// What the run begins with: another one each time, unless somebody wants one again.
fn seed() -> u64 {
    let asked = std::env::var("LUSUSH_SEED").ok();
    let asked = asked.map(|text| text.parse().expect("LUSUSH_SEED is a number"));
    asked.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.as_nanos() as u64)
    })
}

/// Keeps a text that breaks a law in the corpus; says where.
fn keep(folder: &std::path::Path, seed: u64, text: &str) -> String {
    let path = folder.join(format!("found-{seed}.toml"));
    match std::fs::write(&path, text) {
        Ok(()) => format!("kept as {}: commit it with what mends it", path.display()),
        Err(error) => format!("it cannot be kept as {}: {error}", path.display()),
    }
}

#[test]
fn what_breaks_a_law_is_kept_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let told = keep(folder.path(), 77, "a = [");
    assert!(told.contains("found-77.toml"), "{told}");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("found-77.toml")).unwrap(),
        "a = ["
    );
    let told = keep(&folder.path().join("none"), 77, "a = [");
    assert!(told.contains("cannot be kept"), "{told}");
}

#[test]
fn mutations_of_what_is_kept_are_read_or_refused() {
    let seconds = std::env::var("LUSUSH_FUZZ_SECONDS")
        .ok()
        .map(|text| text.parse().unwrap());
    let files = corpus();
    for (name, bytes) in &files {
        // What broke a law once is tried as it was.
        if let Some(broke) = broken(&String::from_utf8_lossy(bytes)) {
            panic!("{name} breaks a law: {broke}");
        }
    }
    let seed = seed();
    println!("LUSUSH_SEED={seed} runs this again");
    let (began, mut random, mut tried) = (Instant::now(), Random(seed), 0);
    loop {
        for at in 0..files.len() {
            let other = random.below(files.len());
            let bytes = mutate(&mut random, &files[at].1, &files[other].1);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if broken(&text).is_some() {
                let told = keep(std::path::Path::new(FOLDER), seed, &text);
                panic!("LUSUSH_SEED={seed}, from {}: {text:?}\n{told}", files[at].0);
            }
        }
        tried += 1;
        let done = seconds.map_or(tried >= ROUNDS, |seconds| {
            began.elapsed() >= Duration::from_secs(seconds)
        });
        if done {
            break;
        }
    }
    println!("{} mutations", tried * files.len());
}
