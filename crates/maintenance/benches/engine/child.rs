//! Other processes that this bench needs: itself, started again.
//!
//! A process must not open the flight file that it writes: it would drop its own lock. So sessions live in a child, and
//! so does the worker that is measured from outside.

use std::fs::DirBuilder;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use lle_core::health::assess::Thresholds;
use lle_core::policy::Policy;
use lle_maintenance::engine::Config;
use lle_maintenance::real::Places;
use lle_maintenance::worker::{self, Options};
use lle_metrics::{Counter, Flight, Gauge, Identity, Timer};
use rustix::process::{
    Pid, Resource, Signal, getrlimit, kill_process, set_parent_process_death_signal, setrlimit,
};
use tempfile::TempDir;

/// Names what a child is, and for whom.
const ROLE: &str = "LUSUSH_BENCH_CHILD";
/// Descriptors beside those of the flights.
const DESCRIPTORS_MORE: u64 = 64;

/// Folders of one engine: the state on a disk, what is gone with the session in memory, as it is in life.
pub(crate) struct Site {
    disk: TempDir,
    memory: TempDir,
}

impl Site {
    /// Two folders that vanish with this value.
    pub(crate) fn new() -> Self {
        let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self {
            disk: tempfile::tempdir().expect("a bench needs a folder"),
            memory: memory.expect("a bench needs a folder"),
        }
    }

    /// All in memory.
    pub(crate) fn in_memory() -> Self {
        let new = || tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self {
            disk: new().expect("a bench needs a folder"),
            memory: new().expect("a bench needs a folder"),
        }
    }

    pub(crate) fn places(&self) -> Places {
        places(self.disk.path(), self.memory.path())
    }

    fn role(&self, what: &str, count: u64) -> String {
        let (disk, memory) = (self.disk.path().display(), self.memory.path().display());
        format!("{what}\t{count}\t{disk}\t{memory}")
    }
}

/// A child; it ends with this value.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    ends_by_signal: bool,
}

impl Running {
    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets somebody work in all of its sessions for ten seconds of theirs, and waits until that is written down.
    pub(crate) fn use_sessions(&mut self) {
        if let Some(stdin) = &mut self.stdin {
            stdin.write_all(b"\n").expect("the child listens");
        }
        self.hear();
    }

    fn hear(&mut self) {
        let read = self.stdout.read_line(&mut String::new());
        read.expect("a child says when it is ready");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if self.ends_by_signal {
            let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
            let _ended = pid.map(|pid| kill_process(pid, Signal::TERM));
        }
        let _ended = self.child.wait();
    }
}

/// Starts a process that has that many sessions.
pub(crate) fn sessions(site: &Site, count: u64) -> Running {
    start(&site.role("sessions", count), false)
}

/// Starts a worker.
pub(crate) fn worker(site: &Site) -> Running {
    start(&site.role("worker", 0), true)
}

fn start(role: &str, ends_by_signal: bool) -> Running {
    let program = std::env::current_exe().expect("a bench knows its own program");
    let mut child = Command::new(program)
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a bench needs another process");
    let stdin = child.stdin.take();
    let stdout = child.stdout.take().expect("it was asked for");
    let mut running = Running {
        child,
        stdin,
        stdout: BufReader::new(stdout),
        ends_by_signal,
    };
    running.hear();
    running
}

/// Does what a child does, if this is one.
pub(crate) fn play_role() -> bool {
    let Ok(role) = std::env::var(ROLE) else {
        return false;
    };
    let words: Vec<&str> = role.split('\t').collect();
    let [what, count, disk, memory] = words[..] else {
        panic!("no such child: {role}");
    };
    let places = places(Path::new(disk), Path::new(memory));
    match what {
        "sessions" => hold(&places, count.parse().unwrap_or(0)),
        _ => work(places),
    }
    true
}

fn hold(places: &Places, count: u64) {
    let wanted = count + DESCRIPTORS_MORE;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(limit.maximum.map_or(wanted, |most| most.min(wanted)));
    // Without, the last of many sessions are missing, and that is seen.
    let _low = setrlimit(Resource::Nofile, limit);
    let folder = places.runtime.join("sessions");
    // As a session makes it: a folder that is open to others gets no socket.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.expect("the runtime folder can be made");
    let flights: Vec<Flight> = (1..=count).map(|id| flight(&folder, id)).collect();
    println!("ready");
    for _ in std::io::stdin().lines() {
        flights.iter().for_each(work_in);
        println!("used");
    }
}

fn flight(folder: &Path, id: u64) -> Flight {
    let identity = Identity::of_this_process(id, "/dev/pts/3", "5.3", "0.1.0");
    let flight = Flight::create(folder, &identity).expect("32 KiB and a descriptor");
    work_in(&flight);
    flight
}

/// Ten seconds of somebody's work: every distribution gets samples of its own.
fn work_in(flight: &Flight) {
    flight.update(|w| {
        for n in 0..30 {
            w.add(Counter::Keys, 1);
            w.time(Timer::KeyToPaint, 150_000 + n * 7_000);
            w.time(Timer::Highlight, 9_000 + n * 300);
            w.time(Timer::Suggestion, 30_000 + n * 2_000);
            w.time(Timer::PaintBytes, 1 + n);
            w.time(Timer::Record, 40 + n);
        }
        for n in 0..3 {
            w.time(Timer::Prompt, 2_000_000 + n * 40_000);
            w.time(Timer::PromptExpand, 1_900_000);
            w.time(Timer::Command, 5_000_000 << n);
            w.time(Timer::HistoryAppend, 9_000 + n * 999);
            w.time(Timer::HistorySearch, 90_000 + n * 9_999);
            w.time(Timer::Completion, 4_000_000 + n * 99_999);
            w.add(Counter::Commands, 1);
        }
        w.set(Gauge::On, 1);
    });
}

fn work(places: Places) {
    // A bench that was killed leaves no worker behind.
    set_parent_process_death_signal(Some(Signal::TERM)).expect("a signal that there is");
    println!("ready");
    let options = Options {
        places,
        config: config(),
        user_policy: None,
        linger: lle_maintenance::worker::Linger::Forever,
        spawned: false,
        pace: lle_maintenance::engine::Pace::default(),
    };
    worker::run(&options).expect("nobody else works here");
}

/// Where everything of one engine is.
fn places(disk: &Path, memory: &Path) -> Places {
    let of = |name: &str| disk.join(name);
    Places::below(
        &of("state"),
        &of("data"),
        &of("cache"),
        &memory.join("run"),
        "bench",
    )
}

/// What an engine goes by out of the box.
pub(crate) fn config() -> Config {
    Config {
        policy: Policy::default(),
        problems: Vec::new(),
        thresholds: Thresholds::default(),
        zone: lle_maintenance::real::zone(),
        uid: rustix::process::getuid().as_raw(),
    }
}
