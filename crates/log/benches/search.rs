//! Search as you type over a million and ten million commands, with an index and by walking the log. Prints each number
//! beside its budget; asserts none.
//!
//! `cargo bench -p lle-log --bench search`; `LUSUSH_SEARCH_ENTRIES=1000000` sets how many commands, several divided by
//! commas.
//!
//! What is timed is a key: from the call until nothing more can be found for what is typed, in as many calls as that
//! takes. In the shell one key does at most a call; what is left is done with the next.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use lle_log::history::History;
use lle_log::index;
use lle_log::search::{Look, Matches, PrefixSearch, SubstringSearch};

/// Each text is typed so often.
const ROUNDS: usize = 20;
/// Without an index it takes seconds.
const ROUNDS_WALKED: usize = 1;

fn main() {
    let entries = std::env::var("LUSUSH_SEARCH_ENTRIES").unwrap_or_else(|_| "1000000,10000000".into());
    println!("machine: {}", machine());
    for entries in entries.split(',').filter_map(|text| text.trim().parse().ok()) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        measure(entries, folder.path());
    }
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{} × {count}, load {}",
        model.map_or("unknown", |(_, model)| model),
        load.split(' ').next().unwrap_or("unknown")
    )
}

/// The text of the `index`th command: no two are the same, and few share more than their first words.
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
        "{} {:08x}",
        words[index % words.len()],
        index.wrapping_mul(0x9E37_79B9) & 0xFFFF_FFFF
    );
    for _ in 0..index % 5 {
        text.push_str(" argument");
    }
    text
}

fn measure(entries: usize, folder: &Path) {
    let path = folder.join("m.log");
    let index_path = folder.join("m.index");
    let mut history = History::open(&path, 1, 0, None).expect("the log opens").history;
    for n in 0..entries {
        let seq = history.started(0, b"/home/someone/project", command(n).as_bytes());
        history
            .finished(seq.expect("the log can be written"), 0, 0, 1)
            .expect("the log can be written");
    }
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    loop {
        let at = Instant::now();
        let extended = index::extend(&path, &index_path).expect("the index can be written");
        longest = longest.max(at.elapsed());
        if !extended.more {
            break;
        }
    }
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len()) / 1_000_000;
    println!(
        "\ncorpus: {entries} different commands of 12 to 60 bytes, each with its end; log {} MB in the page cache",
        bytes(&path)
    );
    println!(
        "index: {} MB, made in {:.1?}, the longest slice {longest:.1?}",
        bytes(&index_path),
        began.elapsed()
    );
    println!("reading the log once: {:.1?}", read_through(&path));
    let texts = [
        ("the newest command", command(entries - 1)),
        ("one in the middle", command(entries / 2)),
        ("the oldest command", command(1)),
        (
            "absent, rare groups",
            "zzz is typed by nobody, not even once".to_owned(),
        ),
        (
            "absent, frequent groups",
            "git commit -m 0badcafe deadbeef".to_owned(),
        ),
        ("absent, inside many", "argument argument argument".to_owned()),
    ];
    let budget = if entries > 1_000_000 { "30 ms" } else { "5 ms" };
    let mut all = Vec::new();
    for (name, text) in &texts {
        let samples = typed(&history, Some(&index_path), text, ROUNDS);
        all.extend(samples.iter().copied());
        line(&format!("prefix, index, {name}"), samples, budget);
    }
    line("prefix, index, all keys of all texts", all, budget);
    for (name, text) in &texts {
        line(
            &format!("prefix, walking, {name}"),
            typed(&history, None, text, ROUNDS_WALKED),
            budget,
        );
    }
    let mut all = Vec::new();
    for (name, text) in &texts {
        let samples = listed(&history, Some(&index_path), text, ROUNDS);
        all.extend(samples.iter().copied());
        line(&format!("list, index, {name}"), samples, budget);
    }
    line("list, index, all keys of all texts", all, budget);
    for (name, text) in &texts {
        let samples = listed(&history, None, text, ROUNDS_WALKED);
        line(&format!("list, walking, {name}"), samples, budget);
    }
    for (name, text) in &texts {
        let once = |index: Option<&Path>| -> Vec<Duration> {
            let rounds = if index.is_some() { ROUNDS } else { ROUNDS_WALKED };
            (0..rounds)
                .map(|_| substring(&history, index, text.as_bytes()))
                .collect()
        };
        line(
            &format!("substring, index, {name}"),
            once(Some(&index_path)),
            budget,
        );
        line(&format!("substring, walking, {name}"), once(None), budget);
    }
}

/// Types a text key by key into a search that lists: each key until nine commands that have it are known, with when, where
/// and how they ended, or until there are no more. What shows the list asks for no more until somebody goes down it.
fn listed(history: &History, index: Option<&Path>, text: &str, rounds: usize) -> Vec<Duration> {
    const ROWS: usize = 9;
    // As a session does it, so that a key that comes meanwhile is read.
    const STEP_BYTES: u64 = 4 * 1024 * 1024;
    let mut samples = Vec::new();
    for _ in 0..rounds {
        let mut matches = Matches::new(index.map(Path::to_owned));
        let mut rows = Vec::new();
        for end in 1..=text.len() {
            let typed = &text.as_bytes()[..end];
            let began = Instant::now();
            match end {
                1 => matches.begin(history, typed),
                _ => matches.narrow(typed),
            }
            rows.retain(|row: &Vec<u8>| lle_log::search::contains(row, typed));
            while rows.len() < ROWS && !matches.is_done() {
                matches.step(
                    history,
                    STEP_BYTES,
                    |_| true,
                    |command| {
                        rows.push(command.command);
                        if rows.len() < ROWS { Look::On } else { Look::Enough }
                    },
                );
            }
            samples.push(began.elapsed());
            black_box(&rows);
        }
    }
    samples
}

fn typed(history: &History, index: Option<&Path>, text: &str, rounds: usize) -> Vec<Duration> {
    let mut samples = Vec::new();
    for _ in 0..rounds {
        let mut search = PrefixSearch::new();
        search.set_index(index.map(Path::to_owned));
        for end in 1..=text.len() {
            let began = Instant::now();
            loop {
                black_box(search.find(history, &text.as_bytes()[..end]));
                if search.is_done() {
                    break;
                }
            }
            samples.push(began.elapsed());
        }
    }
    samples
}

fn substring(history: &History, index: Option<&Path>, text: &[u8]) -> Duration {
    let mut search = SubstringSearch::new();
    search.set_index(index.map(Path::to_owned));
    let began = Instant::now();
    loop {
        black_box(search.find(history, text));
        if search.is_done() {
            return began.elapsed();
        }
    }
}

fn read_through(path: &Path) -> Duration {
    let mut file = File::open(path).expect("the log is there");
    let mut buffer = vec![0; 1 << 20];
    let began = Instant::now();
    while file.read(&mut buffer).expect("the log can be read") > 0 {}
    began.elapsed()
}

fn line(name: &str, mut samples: Vec<Duration>, budget: &str) {
    samples.sort_unstable();
    let at = |percent: usize| samples[(samples.len() - 1) * percent / 100];
    println!(
        "{name:<48} p50 {:>9.1?}  p99 {:>9.1?}  max {:>9.1?}  n {:>5}  budget {budget}",
        at(50),
        at(99),
        samples[samples.len() - 1],
        samples.len()
    );
}
