//! A session that lives since before an upgrade: another process writes its flight file as an earlier release did, and
//! today's worker looks after it.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]
// A flight file is in the byte order of its machine; the fixture was made on this kind.
#![cfg(target_endian = "little")]

mod support;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lle_metrics::identity::{boot_id, start_ticks};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;
use support::household::{Household, wait};

/// What the code of commit 928dd97 wrote: 25 counters, 27 gauges, 13 timers; 1000 keys, 100 commands, `make -j2`.
const FIXTURE: &[u8] = include_bytes!("fixtures/flight-928dd97.bin");
/// Its session.
const SESSION: &str = "0928dd970928dd97";
/// Where that release had what a session goes on writing.
const SEQUENCE_AT: u64 = 16;
const SECTIONS_AT: usize = 24;
const BOOT_AT: u64 = 8;
const COMMANDS_ROW: u64 = 8;
/// Names the folder to the process that plays the session.
const FOLDER: &str = "LUSUSH_TEST_OLDER_FOLDER";

/// The offset of a section, by its place in the head.
fn section(nth: usize) -> u64 {
    let at = SECTIONS_AT + nth * 8;
    u64::from(u32::from_le_bytes(FIXTURE[at..at + 4].try_into().unwrap()))
}

fn word(file: &File, at: u64) -> u64 {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, at).unwrap();
    u64::from_le_bytes(bytes)
}

fn add(file: &File, at: u64, n: u64) {
    file.write_all_at(&(word(file, at) + n).to_le_bytes(), at)
        .unwrap();
}

/// Registers as a session did then: the lock first, the magic number last.
fn register(folder: &Path) -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.join(format!("{SESSION}.flight")))
        .unwrap();
    rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    file.write_all_at(&FIXTURE[8..], 8).unwrap();
    let (identity, pid) = (section(0), std::process::id());
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    file.write_all_at(&boot_id().unwrap(), identity + BOOT_AT)
        .unwrap();
    let process = [
        u64::from(pid),
        start_ticks(pid).unwrap(),
        u64::try_from(since_1970.as_nanos()).unwrap(),
    ];
    for (at, value) in (0..).map(|n| identity + BOOT_AT + 16 + n * 8).zip(process) {
        file.write_all_at(&value.to_le_bytes(), at).unwrap();
    }
    file.write_all_at(&FIXTURE[..8], 0).unwrap();
    file
}

/// Not a test: the process that [`Older`] starts. It types until its input ends.
#[test]
#[ignore = "is run by the other test, in a process of its own"]
fn plays_an_older_session() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let file = register(Path::new(&folder));
    let counters = section(1);
    loop {
        add(&file, SEQUENCE_AT, 1);
        add(&file, counters, 3);
        add(&file, counters + COMMANDS_ROW * 8, 1);
        add(&file, SEQUENCE_AT, 1);
        let mut input = [PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::IN)];
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: 5_000_000,
        };
        if poll(&mut input, Some(&pause)).unwrap() > 0 {
            return;
        }
    }
}

/// A session of an earlier release.
struct Older(Child);

impl Older {
    fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", "plays_an_older_session"])
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Older {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn metric(house: &Household, name: &str) -> Option<f64> {
    let output = house.maint(&["metrics", "--session", SESSION, "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).ok()?;
    let metrics = document["metrics"].as_array()?;
    let found = metrics
        .iter()
        .find(|metric| metric["name"] == name && metric["session"] == SESSION)?;
    found["value"].as_f64()
}

#[test]
fn a_session_of_an_earlier_release_is_counted_assessed_and_missed() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let older = Older::start(&house.runtime().join("sessions"));
    wait("its keys to be counted", || {
        metric(&house, "keys_per_s") > Some(0.0) && metric(&house, "commands_per_s") > Some(0.0)
    });
    let status = house.json(&["status"]);
    assert_eq!(status["worker"]["sessions"], 1, "{status}");
    let health = house.json(&["health"]);
    let session = &health["sessions"][0];
    assert_eq!(session["id"], SESSION);
    assert_eq!(session["pid"], older.0.id());
    assert_ne!(session["health"], "unknown", "{health}");
    // What it cannot know of is unknown, and no finding is made of that.
    let of_it = |finding: &&Value| finding["session"] == SESSION;
    let found: Vec<&Value> = health["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of_it)
        .collect();
    assert!(found.is_empty(), "{found:?}");
    // Killed, it is an incident with its last words, as any other.
    drop(older);
    let mut incidents = Value::Null;
    wait("an incident", || {
        incidents = house.json(&["status"])["worker"]["incidents"].clone();
        incidents[0].is_object()
    });
    assert!(
        incidents[0]["evidence"].as_str().unwrap().contains("make -j2"),
        "{incidents}"
    );
}
