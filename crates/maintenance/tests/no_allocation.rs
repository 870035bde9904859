//! Looking at sessions that were there before allocates nothing, from their folder to what the engine knows of them:
//! checked with an allocator that counts. Windows, alerts and decisions have their own tests in `lle-core`.
#![allow(unsafe_code, reason = "an allocator is unsafe to write")]
// A panic is the report.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use lle_core::health::assess::Thresholds;
use lle_core::policy::{Policy, Who};
use lle_maintenance::api::Request;
use lle_maintenance::engine::{Config, Engine};
use lle_maintenance::real::{Places, RealWorld, now};
use lle_maintenance::world::{Host, Now};
use lle_metrics::{Counter, Flight, Identity, Liveness, Timer};

struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: everything is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(p, layout, size) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(p, layout) }
    }
}

fn allocations(f: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

/// Names the folder, for the process that holds the sessions.
const FOLDER: &str = "LUSUSH_TEST_SESSIONS_IN";
const SESSIONS: u64 = 3;

/// No test: the process in which the sessions live. One that opens its own flight file loses its lock on it.
#[test]
fn sessions_of_the_other_tests() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let flight = |id| {
        let identity = Identity::of_this_process(id, "/dev/pts/3", "", "");
        Flight::create(Path::new(&folder), &identity).unwrap()
    };
    let flights: Vec<Flight> = (1..=SESSIONS).map(flight).collect();
    println!("\nready");
    for _ in std::io::stdin().lines() {
        for flight in &flights {
            flight.update(|w| {
                Timer::ALL.iter().for_each(|timer| w.time(*timer, 1_000));
                w.add(Counter::Keys, 1);
            });
        }
        println!("\nready");
    }
}

/// The sessions, alive as long as this value.
struct Sessions {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Sessions {
    fn start(runtime: &Path) -> Self {
        let folder = runtime.join("sessions");
        std::fs::create_dir_all(&folder).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sessions_of_the_other_tests", "--nocapture"])
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut sessions = Self { child, stdout };
        sessions.hear();
        sessions
    }

    /// Somebody types, and every timer gets a sample.
    fn use_them(&mut self) {
        self.child.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
        self.hear();
    }

    fn hear(&mut self) {
        let mut line = String::new();
        while line != "ready\n" {
            line.clear();
            assert_ne!(
                self.stdout.read_line(&mut line).unwrap(),
                0,
                "the sessions are gone"
            );
        }
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}

fn places(root: &Path) -> Places {
    let of = |name: &str| root.join(name);
    Places {
        metrics: None,
        ..Places::below(&of("state"), &of("data"), &of("cache"), &of("run"), "m")
    }
}

#[test]
fn reading_sessions_and_what_their_processes_cost() {
    let root = tempfile::tempdir().unwrap();
    let places = places(root.path());
    let mut sessions = Sessions::start(&places.runtime);
    // Sockets to wake sessions lie between their files.
    std::fs::write(places.runtime.join("sessions/0000000000000001.wake"), "").unwrap();
    let mut world = RealWorld::open(places, true).unwrap();
    let mut look = || {
        let mut keys = 0;
        world.look(&mut |look| {
            assert_eq!(look.liveness, Liveness::Alive);
            assert!(look.cost.is_some());
            keys += look.snapshot.unwrap().counter(Counter::Keys);
        });
        assert!(world.own_cost().is_some());
        keys
    };
    assert_eq!(look(), 0);
    sessions.use_them();
    let mut keys = 0;
    assert_eq!(allocations(|| keys = look()), 0);
    assert_eq!(keys, SESSIONS);
}

#[test]
fn collecting_what_the_engine_knows_of_its_sessions() {
    let root = tempfile::tempdir().unwrap();
    let places = places(root.path());
    let mut sessions = Sessions::start(&places.runtime);
    let mut world = RealWorld::open(places, true).unwrap();
    let uid = rustix::process::getuid().as_raw();
    let config = Config {
        policy: Policy::default(),
        problems: Vec::new(),
        thresholds: Thresholds::default(),
        zone: jiff::tz::TimeZone::UTC,
        uid,
    };
    let mut at = now();
    let mut engine = Engine::load(&mut world, config, at).unwrap();
    engine.start(&mut world, at);
    for _ in 0..20 {
        sessions.use_them();
        at = Now {
            wall_ns: at.wall_ns + 10_000_000_000,
            mono_ns: at.mono_ns + 10_000_000_000,
        };
        assert_eq!(allocations(|| engine.collect(&mut world, at)), 0);
    }
    let who = Who::peer(uid, None, uid);
    let status = engine.request(&mut world, at, &who, &Request::Status).unwrap();
    assert_eq!(status["sessions"], SESSIONS);
}
