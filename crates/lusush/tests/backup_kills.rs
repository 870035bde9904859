//! Killed at any moment of a backup, prune, restore or rotation: the repository is clean, what was told is there, and
//! nothing is half restored.
//!
//! `LUSUSH_BACKUP_KILLS=n` sets the number of rounds of each, `LUSUSH_BACKUP_KILLS_SEED` the moments, as parts of what
//! the operation takes when nobody kills it.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lle_pty::Home;
use serde_json::Value;
use support::{Random, keep_last, number};

/// Rounds by default: some seconds.
const ROUNDS: usize = 6;
/// Files that a restore has to move: enough for a kill in between.
const FILES: usize = 24;
/// After so many rounds restic looks at the repository, if it is here, and the line is tried on another machine.
const LOOK_EVERY: usize = 10;

struct House {
    home: Home,
    random: Random,
}

impl House {
    fn new(salt: u64) -> House {
        let house = House {
            home: Home::new("").unwrap(),
            random: Random::new(number("LUSUSH_BACKUP_KILLS_SEED", 1) as u64 + salt),
        };
        house.fill(0);
        house.json(&["create"]);
        house
    }

    fn file(&self, n: usize) -> PathBuf {
        self.home.lusush().join(format!("config/themes/{n:03}.toml"))
    }

    /// Gives every file a content of that generation.
    fn fill(&self, generation: usize) {
        fs::create_dir_all(self.file(0).parent().unwrap()).unwrap();
        for n in 0..FILES {
            fs::write(self.file(n), content(n, generation)).unwrap();
        }
    }

    /// The generations that the files are of.
    fn generations(&self, candidates: &[usize]) -> Vec<usize> {
        let of = |n: usize| {
            let found = fs::read(self.file(n)).unwrap();
            let of = candidates
                .iter()
                .find(|generation| content(n, **generation) == found);
            *of.unwrap_or_else(|| panic!("file {n} is of no generation"))
        };
        let mut all: Vec<usize> = (0..FILES).map(of).collect();
        all.dedup();
        all
    }

    fn command(&self, words: &[&str]) -> Command {
        // What does it, without the verb that runs it: its process is the one to kill.
        let mut command = Command::new(env!("CARGO_BIN_EXE_lusush"));
        command
            .args(["job", "backup"])
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("LUSUSH_HOME", self.home.lusush())
            .stdin(Stdio::null());
        command
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.command(words).arg("--json").output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// How long it takes when nobody kills it.
    fn time(&self, words: &[&str]) -> Duration {
        let began = Instant::now();
        self.json(words);
        began.elapsed()
    }

    /// Runs it and kills it somewhere in `within`; gives what it said if it was sooner.
    fn kill(&mut self, words: &[&str], within: Duration) -> Option<Value> {
        let mut command = self.command(words);
        command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let moment = within.mul_f64(self.random.below(1200) as f64 / 1000.0);
        // The moment is what is tried: nothing is waited for.
        std::thread::sleep(moment);
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let done = output.status.success();
        done.then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    fn snapshots(&self) -> Vec<String> {
        let list = self.json(&["list"]);
        let ids = list["snapshots"].as_array().unwrap().iter();
        ids.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The repository is what was written, whatever was killed.
    fn is_clean(&self, round: usize) {
        let verdict = self.json(&["verify", "--data"]);
        assert_eq!(verdict["good"], true, "{verdict}");
        if round.is_multiple_of(LOOK_EVERY) {
            self.restic();
        }
    }

    fn restic(&self) {
        let line = self.json(&["key", "export"])["key"].as_str().unwrap().to_owned();
        let archive = self.home.lusush().join("data/backup/archive");
        let looked = Command::new("restic")
            .args(["--no-cache", "check", "--read-data", "--repo"])
            .arg(archive)
            .env("RESTIC_PASSWORD", line)
            .output();
        match looked {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{text}");
            }
            Err(error) => {
                let demanded = std::env::var_os("LUSUSH_TEST_REQUIRE").is_some_and(|value| !value.is_empty());
                assert!(!demanded, "restic: {error}");
                eprintln!("NOT CHECKED by restic: {error}");
            }
        }
    }
}

fn content(n: usize, generation: usize) -> Vec<u8> {
    format!("# {n} of generation {generation}\n")
        .repeat(40)
        .into_bytes()
}

fn rounds() -> usize {
    number("LUSUSH_BACKUP_KILLS", ROUNDS)
}

/// All files below a folder whose names end so.
fn strays(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(path),
                false if path.to_string_lossy().ends_with(end) => found.push(path),
                false => {}
            }
        }
    }
    found
}

#[test]
fn a_backup() {
    let mut house = House::new(1);
    house.fill(1);
    let takes = house.time(&["create"]);
    let mut told = house.snapshots();
    for round in 1..=rounds() {
        house.fill(round + 1);
        let created = house.kill(&["create"], takes);
        told.extend(created.map(|one| one["snapshot"]["id"].as_str().unwrap().to_owned()));
        let there = house.snapshots();
        assert!(
            told.iter().all(|id| there.contains(id)),
            "round {round}: one that was told is gone"
        );
        house.is_clean(round);
    }
}

#[test]
fn the_first_backup() {
    for round in 1..=rounds() {
        let house = Home::new("").unwrap();
        let mut house = House {
            home: house,
            random: Random::new(round as u64),
        };
        house.fill(0);
        // The making of the key's file takes a third of a second.
        let created = house.kill(&["create"], Duration::from_millis(600));
        let again = house.json(&["create"]);
        let there = house.snapshots();
        let id = |one: &Value| one["snapshot"]["id"].as_str().unwrap().to_owned();
        assert!(there.contains(&id(&again)));
        assert!(created.is_none_or(|one| there.contains(&id(&one))));
        house.is_clean(round);
    }
}

#[test]
fn a_prune() {
    let mut house = House::new(2);
    let keep = [&["prune"], &keep_last("2")[..]].concat();
    let more = |house: &House, round: usize| {
        for n in 0..2 {
            house.fill(3 * round + n);
            house.json(&["create"]);
        }
    };
    more(&house, 1);
    let takes = house.time(&keep);
    for round in 2..rounds() + 2 {
        more(&house, round);
        let before = house.snapshots();
        house.kill(&keep, takes);
        let there = house.snapshots();
        let newest = &before[before.len() - 2..];
        assert!(
            newest.iter().all(|id| there.contains(id)),
            "round {round}: one that is kept is gone"
        );
        house.is_clean(round);
    }
    // The last one tidies up after all of them.
    house.json(&keep);
    assert_eq!(house.snapshots().len(), 2);
    assert_eq!(
        strays(&house.home.lusush().join("data/backup/archive"), "-tmp-"),
        Vec::<PathBuf>::new()
    );
    house.is_clean(0);
}

#[test]
fn a_restore() {
    let mut house = House::new(3);
    house.fill(1);
    let takes = house.time(&["restore"]);
    let (mut before, mut after) = (0, 0);
    for round in 2..rounds() + 2 {
        house.fill(round);
        house.kill(&["restore"], takes);
        // Whoever comes next ends what had begun.
        house.snapshots();
        match house.generations(&[0, round])[..] {
            [0] => after += 1,
            [of] if of == round => before += 1,
            ref mixed => panic!("round {round}: half restored: {mixed:?}"),
        }
        assert_eq!(
            strays(&house.home.lusush(), ".lusush-restore"),
            Vec::<PathBuf>::new()
        );
        assert!(!house.home.lusush().join("data/backup/restore.plan").exists());
        house.is_clean(round);
    }
    println!("restores: {before} had not happened, {after} had");
}

#[test]
fn a_rotation() {
    let mut house = House::new(4);
    let takes = house.time(&["key", "rotate"]);
    for round in 1..=rounds() {
        let rotated = house.kill(&["key", "rotate"], takes);
        let line = house.json(&["key", "export"])["key"].as_str().unwrap().to_owned();
        if let Some(rotated) = rotated {
            assert_eq!(
                rotated["key"].as_str(),
                Some(&*line),
                "round {round}: one that was told is gone"
            );
        }
        house.snapshots();
        house.is_clean(round);
        if round % LOOK_EVERY == 1 {
            let new = Home::new("").unwrap();
            let archive = house.home.lusush().join("data/backup/archive");
            let mut import =
                house.command(&["key", "import", &line, "--repository", archive.to_str().unwrap()]);
            import.env("HOME", new.path()).env("LUSUSH_HOME", new.lusush());
            let output = import.output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    // What killed rotations left opens nothing that is kept, and does not pile up without end.
    let keys = fs::read_dir(house.home.lusush().join("data/backup/archive/keys")).unwrap();
    println!("rotations: {} key files after {} rounds", keys.count(), rounds());
}
