//! What a backup costs, beside restic and a plain copy of the same data in the same run. Prints each number beside its
//! budget; asserts none.
//!
//! `cargo bench -p lle-archive --bench backup`

#![allow(clippy::unwrap_used, reason = "a bench that cannot run has nothing to print")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lle_archive::{
    Line, Places, Recorded, Section, Store, Verification, create, forget_journal, record, restore, verify,
};
use lle_bench::leave;
use lle_core::budget;
use lle_core::quantity::{bytes, duration};
use tempfile::TempDir;

/// Files of the corpus, and bytes of all of them and of the history.
const FILES: usize = 50;
const FILES_BYTES: usize = 5 * 1024 * 1024;
const HISTORY_BYTES: usize = 20 * 1024 * 1024;
/// How often each operation is measured; what makes everything anew less often.
const TIMES: usize = 40;
const FULL_TIMES: usize = 5;

struct House {
    root: TempDir,
    places: Places,
}

/// A home with the corpus: text that compresses to a fourth or so, as histories and configurations do.
fn house() -> House {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let places = Places {
        config: at("config"),
        state: at("state"),
        data: at("data"),
        home: None,
        repository: None,
        credentials: lle_archive::Credentials::default(),
    };
    let mut seed = 1u64;
    for n in 0..FILES {
        let path = places.config.join(format!("themes/{n:02}.toml"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text(FILES_BYTES / FILES, &mut seed)).unwrap();
    }
    fs::create_dir_all(places.state.join("history")).unwrap();
    fs::write(places.state.join("history/m.log"), text(HISTORY_BYTES, &mut seed)).unwrap();
    House { root, places }
}

fn text(length: usize, seed: &mut u64) -> Vec<u8> {
    const WORDS: &[&str] = &[
        "cd", "git", "commit", "-m", "make", "/srv/www", "ssh", "grep", "|", "sort", "vim", "--all",
    ];
    let mut out = Vec::with_capacity(length + 64);
    while out.len() < length {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let word = WORDS[(*seed >> 33) as usize % WORDS.len()];
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(format!(" {:x}", *seed >> 48).as_bytes());
        out.push(if (*seed >> 40).is_multiple_of(4) {
            b'\n'
        } else {
            b' '
        });
    }
    out.truncate(length);
    out
}

fn time<T>(what: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    std::hint::black_box(what());
    began.elapsed()
}

/// One row: the median, the 99th percentile, and the budget if there is one.
fn row(what: &str, budget: Option<&str>, mut samples: Vec<Duration>) {
    samples.sort_unstable();
    let at = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize];
    let ns = |time: Duration| duration(time.as_nanos() as f64);
    let row = budget.and_then(|name| budget::all().find(|row| row.name == name));
    let limit = row.map_or(String::new(), |row| format!("  budget {}", duration(row.at_most)));
    println!(
        "{what:<52} p50 {:>9}  p99 {:>9}{limit}",
        ns(at(0.5)),
        ns(at(0.99))
    );
    if let Some(row) = row {
        let worst = samples.last().map(|worst| worst.as_nanos() as f64);
        leave("backup", row, at(0.99).as_nanos() as f64, worst, samples.len());
    }
}

fn change(house: &House, n: usize) {
    fs::write(
        house.places.config.join("themes/00.toml"),
        format!("changed = {n}\n"),
    )
    .unwrap();
}

fn main() {
    let house = house();
    let size = bytes((FILES_BYTES + HISTORY_BYTES) as f64);
    println!(
        "corpus: {FILES} files and a history, {size}, in {}, {} processors",
        house.root.path().display(),
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    ours(&house);
    journal(&house);
    restic(&house);
    copy(&house);
}

fn ours(house: &House) {
    let places = &house.places;
    // The making of the key takes a third of a second, once.
    let first = time(|| drop(Store::open_or_make(places, None, None).unwrap()));
    row("make the repository and its key, once", None, vec![first]);
    let full = (0..FULL_TIMES).map(|_| {
        fs::remove_dir_all(places.backup()).unwrap();
        drop(Store::open_or_make(places, None, None).unwrap());
        time(|| create(&Store::open(places, None, None).unwrap(), "bench").unwrap())
    });
    row("archive, full", Some("full_archive"), full.collect());
    let same =
        (0..TIMES).map(|_| time(|| create(&Store::open(places, None, None).unwrap(), "bench").unwrap()));
    row(
        "archive, nothing changed",
        Some("incremental_archive"),
        same.collect(),
    );
    let one = (0..TIMES).map(|n| {
        change(house, n);
        time(|| create(&Store::open(places, None, None).unwrap(), "bench").unwrap())
    });
    row("archive, one file changed", None, one.collect());
    let opened = (0..TIMES).map(|_| time(|| Store::open(places, None, None).unwrap()));
    row(
        "  of it opening, with the key that is kept",
        None,
        opened.collect(),
    );

    let store = Store::open(places, None, None).unwrap();
    let metadata = (0..TIMES).map(|_| time(|| verify(&store, Verification::Metadata).unwrap()));
    row(
        "integrity, metadata only",
        Some("integrity_check"),
        metadata.collect(),
    );
    let trees = (0..TIMES).map(|_| time(|| verify(&store, Verification::Trees).unwrap()));
    row("integrity, trees too", None, trees.collect());
    let began = Instant::now();
    let data: Vec<Duration> = (0..FULL_TIMES)
        .map(|_| time(|| assert!(verify(&store, Verification::Data).unwrap().is_good())))
        .collect();
    let read = verify(&store, Verification::Data).unwrap().bytes * FULL_TIMES as u64;
    let rate = read as f64 / began.elapsed().as_secs_f64();
    row("integrity, every byte", None, data);
    println!("  {}/s of the repository's bytes", bytes(rate));
    let checked = (0..TIMES).map(|_| time(|| restore(&store, "latest", Section::ALL).unwrap()));
    row(
        "a restore that finds all as it was, by content",
        Some("recovery_validation"),
        checked.collect(),
    );
    let back = (0..FULL_TIMES).map(|_| {
        fs::remove_dir_all(&places.config).unwrap();
        fs::remove_dir_all(places.state.join("history")).unwrap();
        time(|| restore(&store, "latest", Section::ALL).unwrap())
    });
    row("restore of everything, proven and durable", None, back.collect());
}

/// The journal, by its own clock: what its lock and the start of a process take is apart.
fn journal(house: &House) {
    let places = &house.places;
    let line = Line::random().unwrap();
    let both = |what: &str, budget: &str, all: Vec<Recorded>| {
        row(
            what,
            Some(budget),
            all.iter().map(|one| one.acknowledged).collect(),
        );
        row(
            "  until it is durable",
            None,
            all.iter().map(|one| one.durable).collect(),
        );
    };
    let full = (0..FULL_TIMES).map(|_| {
        forget_journal(places).unwrap();
        record(places, &line).unwrap()
    });
    both("journal, full", "full_journal", full.collect());
    let one = (0..TIMES).map(|n| {
        change(house, n);
        record(places, &line).unwrap()
    });
    both("journal, one file changed", "incremental_journal", one.collect());
}

fn run(program: &str, words: &[&str], repository: &Path) -> bool {
    Command::new(program)
        .args(words)
        .env("RESTIC_PASSWORD", "bench")
        .env("RESTIC_REPOSITORY", repository)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn restic(house: &House) {
    let repository = house.root.path().join("restic");
    let text = |path: PathBuf| path.display().to_string();
    let (config, history) = (
        text(house.places.config.clone()),
        text(house.places.state.join("history")),
    );
    let words = ["--no-cache", "backup", &config, &history];
    let full: Vec<Duration> = (0..FULL_TIMES)
        .map_while(|_| {
            let _none_yet = fs::remove_dir_all(&repository);
            run("restic", &["init"], &repository).then(|| time(|| run("restic", &words, &repository)))
        })
        .collect();
    if full.is_empty() {
        println!("restic: not here");
        return;
    }
    row("restic backup, full (each opens with scrypt)", None, full);
    let same = (0..FULL_TIMES).map(|_| time(|| run("restic", &words, &repository)));
    row("restic backup, nothing changed", None, same.collect());
    let check =
        (0..FULL_TIMES).map(|_| time(|| run("restic", &["--no-cache", "check", "--read-data"], &repository)));
    row("restic check --read-data", None, check.collect());
}

fn copy(house: &House) {
    let to = house.root.path().join("copy");
    let text = |path: &Path| path.display().to_string();
    let (config, history) = (
        text(&house.places.config),
        text(&house.places.state.join("history")),
    );
    let samples = (0..FULL_TIMES).map(|_| {
        let _none_yet = fs::remove_dir_all(&to);
        fs::create_dir(&to).unwrap();
        time(|| {
            run("cp", &["-r", &config, &history, &text(&to)], Path::new(""))
                && run("sync", &["-f", &text(&to)], Path::new(""))
        })
    });
    row("cp -r and sync -f", None, samples.collect());
}
