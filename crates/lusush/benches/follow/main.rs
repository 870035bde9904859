//! How long a published configuration takes to be applied in an idle session: bash with LLE, half a command typed.
//!
//! The bench publishes and wakes as the worker does, by the same code, and then looks into the session's flight file until
//! that says that the version is applied. The clock runs from before the publication of what was read, checked and merged
//! before; the least it can show is a look.
//!
//! Four things are measured, each with the runtime folder in memory, where systems have it, and on a disk, where
//! `LUSUSH_HOME` may have it:
//! - *spaced*: one reload, and a rest longer than anybody saves in a row; nobody types. The budget is for these, in memory.
//! - *behind a key*: published just when a key was typed. For a quarter of a second a session then listens to its terminal
//!   alone, for the next echo's sake, and hears nothing else.
//! - *burst*: eight reloads without a pause; from the last one's publication until that is applied. A session hears five
//!   wakes at once and then ten a second, so this may take a tenth of a second, and no key.
//! - *flood*: a second of wakes without a pause; how often the session listened to them.
//!
//! `LUSUSH_BENCH_ROUNDS` sets the number of spaced reloads.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lle_core::budget::{Budget, Verdict};
use lle_core::config::{CATALOGUE, Origin, RawConfig};
use lle_core::desired::Desired;
use lle_maintenance::real::{Places, RealWorld};
use lle_maintenance::world::Host;
use lle_metrics::{Counter, EXTENSION, Gauge, Snapshot};
use lle_pty::{Home, Terminal};

const ROUNDS: usize = 500;
const BEHIND: usize = 100;
const BURSTS: usize = 25;
/// Reloads in a burst: more than a session hears at once.
const BURST: u64 = 8;
/// Longer than any takes.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two spaced reloads: the worker itself waits a tenth of a second after a save.
const REST: Duration = Duration::from_millis(150);
/// Between two bursts: all that a session can be made to rest.
const BURST_REST: Duration = Duration::from_millis(700);
const FLOOD: Duration = Duration::from_secs(1);
const BUDGET: &str = "hot_reload";
/// What a critical operation stays below each time.
const CRITICAL: Duration = Duration::from_millis(1);

fn main() {
    lle_bench::head();
    println!("{:64} {:>10} {:>10} {:>10}", "", "p50", "p99", "worst");
    for (folder, place) in [("/dev/shm", "memory"), ("/tmp", "disk")] {
        let Ok(runtime) = tempfile::tempdir_in(folder) else {
            println!("unknown: {folder} cannot be written");
            continue;
        };
        measure(runtime.path(), place);
    }
}

fn measure(runtime: &Path, place: &str) {
    let mut site = Site::new(runtime);
    let rounds = std::env::var("LUSUSH_BENCH_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let (mut prepared, mut published, mut applied, mut looks) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds.unwrap_or(ROUNDS) {
        let began = Instant::now();
        let desired = site.next();
        prepared.push(began.elapsed());
        let began = Instant::now();
        site.send(&desired);
        published.push(began.elapsed());
        site.wait();
        applied.push(began.elapsed());
        let began = Instant::now();
        let _look = site.version();
        looks.push(began.elapsed());
        site.rest(REST);
    }
    let count = applied.len();
    let (p99, worst) = row(
        &format!("spaced: published to applied, runtime folder in {place}"),
        applied,
    );
    row("  of that, the publication", published);
    row("  before that, reading, checking and merging the file", prepared);
    row("  of that, a look at the flight file", looks);
    if let Some(budget) = Budget::named(BUDGET).filter(|_| place == "memory") {
        let ns = |time: Duration| time.as_nanos() as f64;
        lle_bench::leave("follow", budget, ns(p99), Some(ns(worst)), count);
        let verdict = match budget.judge(Some(ns(p99))) {
            Verdict::Met if worst >= CRITICAL => format!("met, and worst! {worst:.1?}"),
            verdict => verdict.to_string(),
        };
        let limit = budget.show(budget.at_most);
        println!(
            "  budget: {} {limit}, always below 1 ms: {verdict}",
            budget.percentile
        );
    }
    let mut behind = Vec::new();
    for _ in 0..BEHIND {
        let desired = site.next();
        site.terminal.type_bytes(b"\x02").expect("it is typed");
        let began = Instant::now();
        site.send(&desired);
        site.wait();
        behind.push(began.elapsed());
        site.rest(BURST_REST);
    }
    row("behind a key: published to applied", behind);
    let mut last = Vec::new();
    for _ in 0..BURSTS {
        (1..BURST).for_each(|_| {
            let desired = site.next();
            site.send(&desired);
        });
        let desired = site.next();
        let began = Instant::now();
        site.send(&desired);
        site.wait();
        last.push(began.elapsed());
        site.rest(BURST_REST);
    }
    row(
        &format!("burst of {BURST}: the last one published to applied"),
        last,
    );
    let (sent, heard) = site.flood();
    println!("flood: {sent} wakes sent in {FLOOD:?}, {heard} listened to");
}

/// A session, and what wakes it.
struct Site {
    _home: Home,
    terminal: Terminal,
    world: RealWorld,
    flight: PathBuf,
    version: u64,
}

impl Site {
    fn new(runtime: &Path) -> Self {
        let library = lle_pty::shared_object(Path::new(env!("CARGO_BIN_EXE_lusush")));
        let home =
            Home::new(&format!("enable -f '{}' lle\n", library.display())).expect("a home can be made");
        // Not absolute, and so not set: only the runtime folder is elsewhere.
        let spawn = home.spawn("bash").env("LUSUSH_HOME", "");
        let mut terminal = Terminal::spawn(&spawn.env("XDG_RUNTIME_DIR", runtime)).expect("bash starts");
        terminal.settle().expect("there is a prompt");
        terminal
            .press("echo 'half a command' | grep -v half")
            .expect("it is typed");
        let environment = [("HOME", home.path()), ("XDG_RUNTIME_DIR", runtime)];
        let euid = rustix::process::geteuid().as_raw();
        let values = lle_core::paths::Values::read(euid, |name| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, path)| path.as_os_str().to_owned())
        });
        let ours = |_: &Path| {
            Some(lle_core::paths::Found {
                owner: euid,
                mode: 0o700,
                symlink: false,
            })
        };
        let runtime = lle_core::paths::runtime(&values, ours).expect("it may be used");
        let below = |name: &str| home.path().join(name);
        let mut places = Places::below(
            &below("state"),
            &below("data"),
            &below("cache"),
            &runtime,
            "bench",
        );
        places.metrics = None;
        let world = RealWorld::open(places, true).expect("the folders can be made");
        Self {
            flight: flight(&runtime.join("sessions")),
            _home: home,
            terminal,
            world,
            version: 0,
        }
    }

    /// The next version, read, checked and merged: what the worker has before it publishes anything.
    fn next(&mut self) -> Desired {
        self.version += 1;
        let theme = ["light", "night", "deep"][self.version as usize % 3];
        let text = format!("editor.theme = \"{theme}\"\n");
        let layer = RawConfig::parse(Origin::User, "config.toml", &text).check(&CATALOGUE);
        let merged = CATALOGUE.merge(&[layer]).expect("it is sound");
        let in_force = merged.config.in_force(self.version, None, Vec::new());
        Desired {
            generation: self.version,
            config: Some(in_force.only(|name| CATALOGUE.is_for_sessions(name))),
            ..Desired::default()
        }
    }

    /// Publishes a version and wakes the session.
    fn send(&mut self, desired: &Desired) {
        self.world.publish(desired).expect("there is room");
        self.world.wake_everyone(&[]);
    }

    /// Waits until what was published last is applied.
    fn wait(&self) {
        let began = Instant::now();
        while self.version() != Some(self.version.cast_signed()) {
            assert!(began.elapsed() < LIMIT, "version {} is not applied", self.version);
        }
    }

    fn version(&self) -> Option<i64> {
        Snapshot::read(&self.flight).ok()?.gauge(Gauge::ConfigVersion)
    }

    /// Lets the session be, and takes in what it paints, or the terminal would fill up.
    fn rest(&mut self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            self.terminal.pump(time.saturating_sub(began.elapsed()));
        }
    }

    /// Wakes without a pause; gives how often, and how often the session listened.
    fn flood(&mut self) -> (u64, u64) {
        let wakes = |site: &Site| Snapshot::read(&site.flight).map_or(0, |seen| seen.counter(Counter::Wakes));
        let before = wakes(self);
        let socket = UnixDatagram::unbound().expect("a socket can be made");
        socket.set_nonblocking(true).expect("it can be set");
        let path = self.flight.with_extension("wake");
        let (began, mut sent) = (Instant::now(), 0);
        while began.elapsed() < FLOOD {
            sent += u64::from(socket.send_to(b"w", &path).is_ok());
        }
        (sent, wakes(self) - before)
    }
}

/// The session's flight file.
fn flight(sessions: &Path) -> PathBuf {
    let entries = fs::read_dir(sessions).expect("there is a session").flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths
        .find(|path| path.extension().is_some_and(|found| found == EXTENSION))
        .expect("it has a flight file")
}

fn row(what: &str, mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |q: usize| times[(times.len() - 1) * q / 100];
    println!("{what:64} {:>10.1?} {:>10.1?} {:>10.1?}", at(50), at(99), at(100));
    (at(99), at(100))
}
