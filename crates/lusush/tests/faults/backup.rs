//! Backup, prune, restore, rotation and journal, by `lusush job backup` itself.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use lle_fault::{Fault, Faults, Kind, are_here};
use lle_pty::Home;
use serde_json::Value;

use super::support::keep_last;
use super::{ended_well, spread};

/// Files that change with each generation.
const FILES: usize = 6;

struct House {
    home: Home,
    faults: Faults,
    /// What the files say.
    generation: usize,
}

impl House {
    fn empty() -> House {
        let home = Home::new("").unwrap();
        let house = House {
            faults: Faults::below(&home.lusush()),
            home,
            generation: 0,
        };
        house.fill();
        house
    }

    fn new() -> House {
        let house = House::empty();
        house.json(&["create"]);
        house
    }

    fn file(&self, n: usize) -> PathBuf {
        self.home.lusush().join(format!("config/themes/{n}.toml"))
    }

    fn content(n: usize, generation: usize) -> String {
        format!("# {n} of generation {generation}\n").repeat(40)
    }

    fn fill(&self) {
        fs::create_dir_all(self.file(0).parent().unwrap()).unwrap();
        for n in 0..FILES {
            fs::write(self.file(n), House::content(n, self.generation)).unwrap();
        }
    }

    fn next(&mut self) {
        self.generation += 1;
        self.fill();
    }

    /// Which generation the files are of; panics if they are mixed.
    fn restored(&self) -> usize {
        let of = |n: usize| {
            let text = fs::read_to_string(self.file(n)).unwrap();
            let first = text.lines().next().unwrap();
            let generation: usize = first.rsplit(' ').next().unwrap().parse().unwrap();
            assert_eq!(text, House::content(n, generation), "file {n}");
            generation
        };
        let first = of(0);
        assert!((0..FILES).all(|n| of(n) == first), "half restored");
        first
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lusush"));
        command
            .args(["job", "backup"])
            .args(words)
            .arg("--json")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("LUSUSH_HOME", self.home.lusush())
            .stdin(Stdio::null());
        command
    }

    /// Runs it with nothing in its way.
    fn json(&self, words: &[&str]) -> Value {
        let output = self.command(words).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs it on the disk that fails.
    fn watched(&self, words: &[&str]) -> Output {
        self.faults
            .start(|| self.command(words).output().unwrap())
            .unwrap()
    }

    fn snapshots(&self) -> Vec<String> {
        let list = self.json(&["list"]);
        let ids = list["snapshots"].as_array().unwrap().iter();
        ids.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    fn is_clean(&self, about: &str) {
        let verdict = self.json(&["verify", "--data"]);
        assert_eq!(verdict["good"], true, "{about}: {verdict}");
    }
}

/// One fault that an operation met.
struct Met<'a> {
    house: &'a mut House,
    /// What it said, if it told that it is done.
    told: Option<Value>,
    about: String,
}

/// Tries an operation with every fault at some of its calls; `before` makes ready for it, `after` looks at what came of it.
fn walk(
    salt: u64,
    house: &mut House,
    words: &[&str],
    mut before: impl FnMut(&mut House),
    mut after: impl FnMut(Met<'_>),
) {
    before(house);
    house.faults.clear();
    let output = house.watched(words);
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let calls = house.faults.calls();
    assert!(calls > 3, "{words:?} has {calls} calls only");
    let mut met = 0;
    for fault in Fault::ALL {
        for at in spread(calls, salt) {
            before(house);
            house.faults.set(at, fault);
            let output = house.watched(words);
            let hit = house.faults.hit();
            house.faults.clear();
            let about = format!("{words:?} call {at} of {calls}: {fault:?} at {hit:?}");
            let done = ended_well(&output, fault, hit.as_deref(), &about);
            met += u64::from(hit.is_some());
            let is_lost_sync =
                fault == Fault::Broken && hit.as_ref().is_some_and(|hit| hit.starts_with("Sync"));
            assert!(
                !(done && is_lost_sync),
                "what may not be durable was told: {about}"
            );
            let told = done.then(|| serde_json::from_slice(&output.stdout).unwrap());
            // What killed or failed left is dealt with by whoever comes next.
            house.is_clean(&about);
            after(Met {
                house: &mut *house,
                told,
                about,
            });
        }
    }
    println!("{words:?}: {calls} calls, {met} faults met");
    assert!(met > 0);
}

fn id(created: &Value) -> String {
    created["snapshot"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_backup() {
    if !are_here() {
        return;
    }
    let mut house = House::new();
    let mut told = house.snapshots();
    walk(1, &mut house, &["create"], House::next, |met| {
        told.extend(met.told.as_ref().map(id));
        let there = met.house.snapshots();
        assert!(told.iter().all(|id| there.contains(id)), "{}", met.about);
        let next = met.house.json(&["create"]);
        assert!(met.house.snapshots().contains(&id(&next)), "{}", met.about);
    });
}

#[test]
fn the_first_backup() {
    if !are_here() {
        return;
    }
    // The repository makes 256 folders: only what is not those is walked.
    let kinds = [
        Kind::Write,
        Kind::WriteAt,
        Kind::Make,
        Kind::Sync,
        Kind::Rename,
        Kind::Link,
    ];
    let house = House::empty();
    house.json(&["create"]);
    let counted = |house: House| House {
        faults: Faults::below(&house.home.lusush()).only(&kinds),
        ..house
    };
    let house = counted(House::empty());
    assert!(house.watched(&["create"]).status.success());
    let calls = house.faults.calls();
    for fault in Fault::ALL {
        for at in spread(calls, 2) {
            let house = counted(House::empty());
            house.faults.set(at, fault);
            let output = house.watched(&["create"]);
            let hit = house.faults.hit();
            house.faults.clear();
            let about = format!("the first backup, call {at} of {calls}: {fault:?} at {hit:?}");
            let done = ended_well(&output, fault, hit.as_deref(), &about);
            let told = done.then(|| id(&serde_json::from_slice(&output.stdout).unwrap()));
            let again = house.json(&["create"]);
            let there = house.snapshots();
            assert!(there.contains(&id(&again)), "{about}");
            assert!(told.is_none_or(|id| there.contains(&id)), "{about}");
            house.is_clean(&about);
        }
    }
}

#[test]
fn a_prune() {
    if !are_here() {
        return;
    }
    let mut house = House::new();
    let more = |house: &mut House| {
        for _ in 0..2 {
            house.next();
            house.json(&["create"]);
        }
    };
    let prune = [&["prune"], &keep_last("2")[..]].concat();
    walk(3, &mut house, &prune, more, |met| {
        let there = met.house.snapshots();
        assert!(there.len() >= 2, "{}: one that is kept is gone", met.about);
        met.house.json(&prune);
        assert_eq!(met.house.snapshots(), there[there.len() - 2..], "{}", met.about);
        met.house.is_clean(&met.about);
    });
}

#[test]
fn a_restore() {
    if !are_here() {
        return;
    }
    let mut house = House::new();
    walk(4, &mut house, &["restore"], House::next, |met| {
        let of = met.house.restored();
        let is_whole = of == 0 || of == met.house.generation;
        assert!(is_whole, "{}: of generation {of}", met.about);
        assert!(
            met.told.is_none() || of == 0,
            "{}: it told what is not",
            met.about
        );
        let plan = met.house.home.lusush().join("data/backup/restore.plan");
        assert!(!plan.exists(), "{}", met.about);
        met.house.json(&["restore"]);
        assert_eq!(met.house.restored(), 0, "{}", met.about);
    });
}

#[test]
fn a_rotation() {
    if !are_here() {
        return;
    }
    let mut house = House::new();
    house.json(&["create", "--journal"]);
    walk(
        5,
        &mut house,
        &["key", "rotate"],
        |_| {},
        |met| {
            let line = met.house.json(&["key", "export"])["key"].clone();
            if let Some(told) = &met.told {
                assert_eq!(told["key"], line, "{}: one that was told is gone", met.about);
            }
            assert!(!met.house.snapshots().is_empty(), "{}", met.about);
            met.house.json(&["create", "--journal"]);
        },
    );
}

#[test]
fn a_journal() {
    if !are_here() {
        return;
    }
    for words in [&["create", "--journal"][..], &["create", "--journal", "--anew"]] {
        let mut house = House::new();
        house.json(words);
        let mut recorded = 0;
        walk(6, &mut house, words, House::next, |met| {
            if met.told.is_some() {
                recorded = met.house.generation;
            }
            let to = met.house.home.path().join("out");
            let _before = fs::remove_dir_all(&to);
            met.house
                .json(&["restore", "journal", "--to", to.to_str().unwrap()]);
            let text = fs::read_to_string(to.join("configuration/lusush/themes/0.toml")).unwrap();
            let of = (0..=met.house.generation)
                .find(|of| text == House::content(0, *of))
                .unwrap_or_else(|| panic!("{}: torn", met.about));
            assert!(of >= recorded, "{}: generation {of} came back", met.about);
            met.house.json(words);
            recorded = met.house.generation;
        });
    }
}
