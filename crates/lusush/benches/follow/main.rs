//! How long a published configuration takes to be applied in an idle session: bash with LLE, half a command typed.
//!
//! The bench does what the worker does, the file `desired` and the datagram that wakes, and then looks into the session's
//! flight file until that says that the version is applied. The clock runs from before the file has its name; the least it
//! can show is a look. `LUSUSH_BENCH_ROUNDS` sets the number of rounds.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lle_core::budget::Budget;
use lle_core::config::{CATALOGUE, Origin, RawConfig};
use lle_core::desired::Desired;
use lle_metrics::{EXTENSION, Gauge, Snapshot};
use lle_pty::{Home, Terminal};

const ROUNDS: usize = 2_000;
/// Longer than any takes.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two rounds, so that the session sleeps again and takes no wake for a flood.
const REST: Duration = Duration::from_millis(60);
const BUDGET: &str = "hot_reload";

fn main() {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    println!("machine: {}", model.map_or("unknown", |(_, name)| name));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load: {}", load.split(' ').next().unwrap_or("unknown"));
    let library = lle_pty::shared_object(Path::new(env!("CARGO_BIN_EXE_lusush")));
    let home = Home::new(&format!("enable -f '{}' lle\n", library.display())).expect("a home can be made");
    let mut terminal = Terminal::spawn(&home.spawn("bash")).expect("bash starts");
    terminal.settle().expect("there is a prompt");
    terminal
        .press("echo 'half a command' | grep -v half")
        .expect("it is typed");
    let flight = flight(&home.lusush().join("run/sessions"));
    let rounds = std::env::var("LUSUSH_BENCH_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let mut applied = Vec::new();
    let mut looks = Vec::new();
    for round in 1..=rounds.unwrap_or(ROUNDS) as u64 {
        applied.push(reload(&home, &flight, round));
        let began = Instant::now();
        let _look = version(&flight);
        looks.push(began.elapsed());
        // What the paint wrote is taken in, or the terminal would fill up. A key shows that somebody is there: a session
        // that is woken over and over without one stops listening for a while.
        terminal.press("\x02").expect("it is typed");
        terminal.pump(REST);
    }
    println!("{:52} {:>10} {:>10} {:>10}", "", "p50", "p99", "worst");
    let (p99, worst) = row("published to applied, half a command typed", applied);
    row("  of that, a look at the flight file", looks);
    if let Some(budget) = Budget::named(BUDGET) {
        println!(
            "budget: {} {}: {}; worst {worst:?}",
            budget.percentile,
            budget.show(budget.at_most),
            budget.judge(Some(p99.as_nanos() as f64))
        );
    }
}

/// Publishes one version and waits until it is applied.
fn reload(home: &Home, flight: &Path, version_number: u64) -> Duration {
    let theme = ["light", "night", "deep"][version_number as usize % 3];
    let text = format!("editor.theme = \"{theme}\"\n");
    let layer = RawConfig::parse(Origin::User, "config.toml", &text).check(&CATALOGUE);
    let merged = CATALOGUE.merge(&[layer]).expect("it is sound");
    let in_force = merged.config.in_force(version_number, None, Vec::new());
    let desired = Desired {
        generation: version_number,
        config: Some(in_force.only(|name| CATALOGUE.is_for_sessions(name))),
        ..Desired::default()
    };
    let path = home.lusush().join("run/desired");
    let draft = path.with_extension("draft");
    fs::write(&draft, desired.encode()).expect("there is room");
    let socket = UnixDatagram::unbound().expect("a socket can be made");
    let wake = flight.with_extension("wake");
    let began = Instant::now();
    fs::rename(&draft, &path).expect("it can be published");
    socket.send_to(b"w", &wake).expect("the session listens");
    while version(flight) != Some(version_number.cast_signed()) {
        assert!(began.elapsed() < LIMIT, "version {version_number} is not applied");
    }
    began.elapsed()
}

fn version(flight: &Path) -> Option<i64> {
    Snapshot::read(flight).ok()?.gauge(Gauge::ConfigVersion)
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
    println!("{what:52} {:>10.1?} {:>10.1?} {:>10.1?}", at(50), at(99), at(100));
    (at(99), at(100))
}
