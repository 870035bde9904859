//! What the history log costs. Prints each number beside its budget; asserts none.
//!
//! `cargo bench -p lle-log`

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use lle_log::history::History;
use lle_log::search::{PrefixSearch, SubstringSearch};

const MILLION: usize = 1_000_000;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    println!(
        "corpus: generated commands of 12 to 60 bytes, each with its end; log in {}",
        folder.path().display()
    );
    append(folder.path());
    import(folder.path());
    search(folder.path());
}

/// The text of the `index`th command: varied enough that few share a prefix longer than the first word.
fn command(index: usize) -> String {
    let words = [
        "git commit -m",
        "cargo test -p",
        "cd",
        "vim",
        "make -j8",
        "ssh build",
        "grep -rn",
        "kubectl get pods -n",
    ];
    let mut text = format!(
        "{} {:x}",
        words[index % words.len()],
        index.wrapping_mul(0x9E37_79B9) & 0xFFFF_FFFF
    );
    for _ in 0..index % 5 {
        text.push_str(" argument");
    }
    text
}

fn line(name: &str, mut samples: Vec<Duration>, budget: &str) {
    samples.sort_unstable();
    let at = |percent: usize| samples[(samples.len() - 1) * percent / 100];
    let last = samples[samples.len() - 1];
    println!(
        "{name:<52} p50 {:>10.2?}  p99 {:>10.2?}  max {last:>10.2?}  budget {budget}",
        at(50),
        at(99)
    );
}

fn append(folder: &Path) {
    let mut history = History::open(&folder.join("append.log"), 1, 0, None)
        .expect("the log opens")
        .history;
    let commands: Vec<String> = (0..50_000).map(command).collect();
    let samples = commands.iter().map(|command| {
        let start = Instant::now();
        history
            .started(0, b"/home/someone/project", command.as_bytes())
            .expect("the log can be written");
        start.elapsed()
    });
    line("append one command, acknowledged", samples.collect(), "20 µs");
}

fn import(folder: &Path) {
    let mut file = String::new();
    for index in 0..MILLION {
        let _ = writeln!(file, "{}", command(index));
    }
    let path = folder.join("bash_history");
    std::fs::write(&path, &file).expect("the history file can be written");
    let samples = (0..3).map(|round| {
        let start = Instant::now();
        let log = folder.join(format!("import{round}.log"));
        let opened = History::open(&log, 1, 0, Some(&path)).expect("the log opens");
        assert_eq!(opened.imported, MILLION as u64);
        start.elapsed()
    });
    line(
        &format!("import 1 M lines, {} MB", file.len() / MILLION),
        samples.collect(),
        "1 s",
    );
}

fn search(folder: &Path) {
    let path = folder.join("search.log");
    let mut history = History::open(&path, 1, 0, None).expect("the log opens").history;
    for index in 0..MILLION {
        let seq = history.started(0, b"/home/someone/project", command(index).as_bytes());
        history
            .finished(seq.expect("the log can be written"), 0, 0, 1)
            .expect("the log can be written");
    }
    let megabytes = std::fs::metadata(&path).expect("the log is there").len() as usize / MILLION;
    println!("search corpus: 1 M commands, 2 M records, {megabytes} MB, in the page cache");

    let typed = |text: &str| -> Vec<Duration> {
        let mut search = PrefixSearch::new();
        let mut samples = Vec::new();
        for _ in 0..20 {
            for end in 1..=text.len() {
                let start = Instant::now();
                black_box(search.find(&history, &text.as_bytes()[..end]));
                samples.push(start.elapsed());
            }
        }
        samples
    };
    line(
        "prefix, a key, the newest command",
        typed(&command(MILLION - 1)),
        "5 ms",
    );
    line(
        "prefix, a key, 40,000 commands back",
        typed(&command(MILLION - 40_000)),
        "5 ms",
    );
    line("prefix, a key, the oldest command", typed(&command(0)), "5 ms");
    line(
        "prefix, a key, absent",
        typed("zzz is typed by nobody, not even once"),
        "5 ms",
    );

    let whole = |mut step: Box<dyn FnMut() -> bool>| {
        let start = Instant::now();
        let mut calls = 1;
        while !step() {
            calls += 1;
        }
        (start.elapsed(), calls)
    };
    let (mut prefix, mut substring) = (PrefixSearch::new(), SubstringSearch::new());
    let history = &*Box::leak(Box::new(
        History::open(&path, 2, 0, None).expect("the log opens").history,
    ));
    let found = whole(Box::new(move || {
        let _ = prefix.find(history, b"absent");
        prefix.is_done()
    }));
    println!(
        "prefix, absent, to the end of 1 M: {:.2?} in {} calls",
        found.0, found.1
    );
    let found = whole(Box::new(move || {
        let _ = substring.find(history, b"absent");
        substring.is_done()
    }));
    println!(
        "substring, absent, to the end of 1 M: {:.2?} in {} calls",
        found.0, found.1
    );
    let start = Instant::now();
    black_box(history.tail(1000));
    println!("tail of 1,000: {:.2?}", start.elapsed());
    History::open(&path, 1, 0, None)
        .expect("the log opens")
        .history
        .ended(0)
        .expect("the log can be written");
    let history = History::open(&path, 2, 0, None).expect("the log opens").history;
    let start = Instant::now();
    let unsaved = black_box(history.unsaved(1000)).len();
    println!(
        "unsaved, as far as it looks: {unsaved} found in {:.2?}",
        start.elapsed()
    );
    let start = Instant::now();
    let report = history.check();
    println!("check of {} records: {:.2?}", report.records, start.elapsed());
}
