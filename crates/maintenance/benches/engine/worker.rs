//! A whole worker: a thousand sessions, and none that does anything.

use std::fs;
use std::time::{Duration, Instant};

use lle_maintenance::api::Request;
use lle_maintenance::control::{Client, INTERFACE};
use lle_maintenance::engine::Event;
use lle_maintenance::real::now;

use super::measure::{ROUNDS, singles, timed, times, value};
use super::{LOOK_NS, child, engine, later, owner, world};
use child::Site;

const SESSIONS: u64 = 1_000;
/// How long a worker is watched, in seconds, if nobody says otherwise.
const REST_SECONDS: u64 = 60;
/// A session is idle after half a minute, and the worker has seen that five seconds later.
const SETTLE: Duration = Duration::from_secs(35);
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn many_sessions() {
    let site = Site::new();
    let mut sessions = child::sessions(&site, SESSIONS);
    let mut world = world(&site, false);
    let mut engine = engine(&mut world);
    let mut at = now();
    let ticks = singles(50, || {
        sessions.use_sessions();
        at = later(at, LOOK_NS);
        timed(|| engine.handle(&mut world, at, Event::Tick))
    });
    times("", "a look at 1,000 sessions in use", ticks);
    let status = engine.request(&mut world, at, &owner(), &Request::Status);
    let seen = status.ok().and_then(|status| status["sessions"].as_u64());
    let unserved = seen.map(|seen| SESSIONS.saturating_sub(seen) as f64);
    value(
        "sessions_unserved",
        "sessions of 1,000 that one worker leaves unserved",
        unserved,
    );
}

pub(crate) fn at_rest() {
    let site = Site::new();
    let _sessions = child::sessions(&site, 2);
    let worker = child::worker(&site);
    let socket = site.places().socket();
    let until = Instant::now() + PATIENCE;
    let mut client = loop {
        match Client::connect(&socket, PATIENCE) {
            Ok(client) => break client,
            Err(error) if Instant::now() > until => panic!("the worker does not answer: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    for request in [Request::Version, Request::Status] {
        let (method, parameters) = request.write();
        let method = format!("{INTERFACE}.{method}");
        let calls = singles(ROUNDS, || {
            let parameters = parameters.clone();
            timed(|| client.call(&method, parameters).expect("it answers"))
        });
        times("", &format!("{method} over the socket"), calls);
    }
    drop(client);
    std::thread::sleep(SETTLE);
    let asked = std::env::var("LUSUSH_BENCH_REST_SECONDS").ok();
    let seconds = asked.and_then(|text| text.parse().ok()).unwrap_or(REST_SECONDS);
    let (before, began) = (Seen::of(worker.pid()), Instant::now());
    std::thread::sleep(Duration::from_secs(seconds));
    let (after, elapsed) = (Seen::of(worker.pid()), began.elapsed());
    println!("worker at rest, 2 idle sessions, watched for {seconds} s:");
    let spent = before
        .cpu_ns
        .zip(after.cpu_ns)
        .map(|(before, after)| after - before);
    let percent = spent.map(|ns| ns * 100.0 / elapsed.as_nanos() as f64);
    value("worker_cpu", "  processor time of the worker at rest", percent);
    value(
        "worker_memory",
        "  private memory of the worker at rest (RssAnon)",
        after.private_bytes,
    );
    let woken = before
        .wakeups
        .zip(after.wakeups)
        .map(|(before, after)| after - before);
    let a_minute = woken.map(|woken| woken * 60.0 / elapsed.as_secs_f64());
    value("", "  wakeups of the worker in a minute", a_minute);
    drop(worker);
}

/// A process, as the kernel shows it.
struct Seen {
    cpu_ns: Option<f64>,
    private_bytes: Option<f64>,
    wakeups: Option<f64>,
}

impl Seen {
    fn of(pid: u32) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let status = read("status");
        let line = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_ascii_whitespace().next()?.parse::<f64>().ok()
        };
        Self {
            cpu_ns: read("schedstat").split(' ').next().and_then(|ns| ns.parse().ok()),
            private_bytes: line("RssAnon:").map(|kib| kib * 1024.0),
            wakeups: line("voluntary_ctxt_switches:"),
        }
    }
}
