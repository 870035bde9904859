//! What a health check costs, beside its budgets.
//!
//! Each number is taken over single runs, or over batches where one is shorter than the clock can tell; the median
//! and the 99th percentile are printed. Of the seven steps those are here that decide: flight files are read, and what
//! is to be recorded and published is worked out, but written by nobody.
#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock and names the machine"
)]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use lle_bench::{columns, head, row};
use lle_core::alert::{Addressee, Alerts, Now};
use lle_core::health::assess::{Assessment, Thresholds, assess, learn};
use lle_core::health::baseline::Baselines;
use lle_core::health::component::Component;
use lle_core::health::finding::Finding;
use lle_core::health::floor::Floor;
use lle_core::health::sample::Window;
use lle_core::health::view::{Presence, SessionView, WorkerView};
use lle_core::severity::Severity;
use lle_metrics::{Counter, Flight, Gauge, Identity, Snapshot, Timer};

/// Measurements of each row.
const ROUNDS: usize = 2_000;

/// Operations in one measurement of something shorter than the clock can tell.
const BATCH: u32 = 1_000;

const TEN_SECONDS_NS: u64 = 10_000_000_000;

fn main() {
    let dir = directory();
    head();
    println!("bytes of a window: {}", size_of::<Window>());
    columns();
    let mut session = Session::new(0, dir.path());
    let folding = singles(|| {
        session.use_it();
        let snapshot = session.flight.snapshot().expect("just written");
        session.timed_fold(&snapshot)
    });
    row("health_sample", "fold one session in", folding);
    let quiet = session.flight.snapshot().expect("just written");
    let folding = singles(|| session.timed_fold(&quiet));
    row("health_sample", "fold one session in that did nothing", folding);
    for count in [2, 16] {
        let dir = directory();
        let mut world = World::new(count, dir.path());
        let name = if count == 2 { "health_steps" } else { "" };
        row(
            name,
            &format!("health check, {count} sessions"),
            singles(|| world.steps()),
        );
        let judging = singles(|| world.timed(World::assess).1);
        row(name, &format!("of it the assessment, {count} sessions"), judging);
        println!("  {} findings", world.assess().findings.len());
    }
    let (mut alerts, findings) = known_alerts();
    let now = Now {
        wall_ns: 1,
        mono_ns: 1,
    };
    let raising = batches(|n| {
        if let Some(finding) = findings.get(n as usize % findings.len()) {
            black_box(alerts.raise(now, finding));
        }
    });
    row("raise_alert", "raise one alert, known", raising);
    let raising = singles(|| {
        let mut alerts = Alerts::default();
        let start = Instant::now();
        black_box(findings.first().map(|finding| alerts.raise(now, finding)));
        start.elapsed().as_nanos() as f64
    });
    row("raise_alert", "raise one alert, new", raising);
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    dir.expect("a bench needs a directory to write to")
}

/// A session that is used a little in every interval.
struct Session {
    id: u64,
    flight: Flight,
    window: Box<Window>,
    floor: Floor,
    rounds: u64,
}

impl Session {
    fn new(id: u64, dir: &Path) -> Session {
        let identity = Identity::of_this_process(id, "/dev/pts/3", "", "");
        Session {
            id,
            flight: Flight::create(dir, &identity).expect("a bench needs 32 KiB"),
            window: Box::new(Window::new()),
            floor: Floor::default(),
            rounds: 0,
        }
    }

    /// Ten seconds of typing: every distribution gets samples of its own.
    fn use_it(&mut self) {
        self.rounds += 1;
        let slow = self.id == 2 && self.rounds > 20;
        self.flight.update(|w| {
            for n in 0..30 {
                w.add(Counter::Keys, 1);
                w.time(Timer::KeyToPaint, 150_000 + n * 7_000);
                w.time(Timer::Highlight, 9_000 + n * 300);
                w.time(Timer::Suggestion, 30_000 + n * 2_000);
                w.time(Timer::PaintBytes, 1 + n);
                w.time(Timer::Record, 40 + n);
            }
            for n in 0..3 {
                let more = if slow { 300_000_000 } else { 0 };
                w.time(Timer::Prompt, 2_000_000 + n * 40_000 + more);
                w.time(Timer::PromptCommand, 20_000 + more);
                w.time(Timer::PromptExpand, 1_900_000);
                w.time(Timer::Command, 5_000_000 << n);
                w.time(Timer::HistoryAppend, 9_000 + n * 999);
                w.time(Timer::HistorySearch, 90_000 + n * 9_999);
                w.time(Timer::Completion, 4_000_000 + n * 99_999);
                w.add(Counter::Commands, 1);
            }
            w.set(Gauge::PromptLastNs, 302_000_000);
            w.set(Gauge::PromptCommandLastNs, 300_000_000);
            w.set(Gauge::On, 1);
            w.prompt_blame(b"sleep");
        });
    }

    fn timed_fold(&mut self, snapshot: &Snapshot) -> f64 {
        self.rounds += 1;
        let now = self.rounds * TEN_SECONDS_NS;
        let start = Instant::now();
        black_box(self.window.fold(now, snapshot));
        start.elapsed().as_nanos() as f64
    }
}

/// Sessions, and everything learned of them.
struct World {
    sessions: Vec<Session>,
    baselines: Baselines,
    alerts: Alerts,
    /// One buffer for the flight files of all.
    snapshot: Snapshot,
    now_ns: u64,
}

impl World {
    fn new(count: u64, dir: &Path) -> World {
        let sessions: Vec<Session> = (1..=count).map(|id| Session::new(id, dir)).collect();
        let first = sessions.first().expect("at least one session");
        let mut world = World {
            snapshot: first.flight.snapshot().expect("just created"),
            sessions,
            baselines: Baselines::default(),
            alerts: Alerts::default(),
            now_ns: 0,
        };
        for _ in 0..40 {
            world.steps();
        }
        world
    }

    fn assess(&mut self) -> Assessment {
        let views: Vec<_> = self.sessions.iter().map(view).collect();
        assess(
            &views,
            &WorkerView::default(),
            &self.baselines,
            &Thresholds::default(),
        )
    }

    fn timed<T>(&mut self, run: impl FnOnce(&mut World) -> T) -> (T, f64) {
        let start = Instant::now();
        let value = black_box(run(self));
        (value, start.elapsed().as_nanos() as f64)
    }

    /// One check, from the flight files to what is to be told.
    fn steps(&mut self) -> f64 {
        self.now_ns += TEN_SECONDS_NS;
        self.sessions.iter_mut().for_each(Session::use_it);
        self.timed(World::check).1
    }

    fn check(&mut self) -> f64 {
        let now = self.now_ns;
        for session in &mut self.sessions {
            let path = session.flight.path().expect("just created");
            self.snapshot.read_again(path).expect("still there");
            session.window.fold(now, &self.snapshot);
            session.floor.observe(now, true, 3 << 20);
        }
        let views: Vec<_> = self.sessions.iter().map(view).collect();
        let assessment = assess(
            &views,
            &WorkerView::default(),
            &self.baselines,
            &Thresholds::default(),
        );
        learn(&mut self.baselines, now, &views, &assessment);
        let at = Now {
            wall_ns: now,
            mono_ns: now,
        };
        black_box(self.alerts.observe(at, &assessment.findings));
        let addressee = Addressee {
            session: 2,
            active_ns: 1,
        };
        black_box(self.alerts.to_show(2, &[addressee]).len());
        let known = assessment.metrics.iter().filter_map(|row| row.value.known());
        known.sum()
    }
}

fn view(session: &Session) -> SessionView<'_> {
    SessionView {
        id: session.id,
        tty: "/dev/pts/3",
        pid: 4711,
        presence: Presence::Alive,
        idle: true,
        window: &session.window,
        floor: &session.floor,
        cpu_percent: Some(0.1),
        rss_anon: Some(3 << 20),
        rss_peak: Some(9 << 20),
        uptime_ns: Some(TEN_SECONDS_NS),
    }
}

fn known_alerts() -> (Alerts, Vec<Finding>) {
    let finding = |n: u64| Finding {
        key: format!("prompt.slow/{n:016x}"),
        severity: Severity::Warning,
        component: Component::Prompt,
        session: Some(n),
        title: "prompt takes 305 ms, before 2.1 ms; of it 300 ms in PROMPT_COMMAND (sleep)".to_owned(),
        evidence: "/dev/pts/3, process 4711".to_owned(),
        remedy: "`declare -p PROMPT_COMMAND` shows what runs before each prompt".to_owned(),
        before: Some(2.1e6),
        after: Some(305e6),
        unit: "ns".to_owned(),
    };
    let findings: Vec<Finding> = (0..16).map(finding).collect();
    let mut alerts = Alerts::default();
    // More in an hour are held back.
    for (hour, some) in (0..).zip(findings.chunks(8)) {
        for finding in some {
            let wall_ns = hour * 7_200 * 1_000_000_000;
            alerts.raise(Now { wall_ns, mono_ns: 0 }, finding);
        }
    }
    assert_eq!(alerts.open().count(), findings.len());
    (alerts, findings)
}

fn batches(mut run: impl FnMut(u32)) -> Vec<f64> {
    let mut once = || {
        let start = Instant::now();
        (0..BATCH).for_each(&mut run);
        start.elapsed().as_nanos() as f64 / f64::from(BATCH)
    };
    (0..ROUNDS).map(|_| once()).collect()
}

/// Measurements that time themselves, apart from what they need to be set up.
fn singles(mut run: impl FnMut() -> f64) -> Vec<f64> {
    (0..ROUNDS).map(|_| run()).collect()
}
