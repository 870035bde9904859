//! What the engine costs, beside its budgets: on real files, with sessions that live in another process.
//!
//! `cargo bench -p lle-maintenance --bench engine`
//!
//! It takes three minutes, most of them to watch a worker that does nothing. `LUSUSH_BENCH_REST_SECONDS` says how long
//! to watch it.
#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock and names the machine"
)]

mod child;
mod config;
mod measure;
mod worker;

use std::hint::black_box;

use child::{Site, config};
use lle_core::cache::{CACHES, Reading};
use lle_core::health::sample::Window;
use lle_core::lever::Levers;
use lle_core::optimise::{self, Costs};
use lle_core::plan::Action;
use lle_core::policy::{Operation, Policy, PolicyRules, Target, Who, authorise};
use lle_core::task::{TaskKind, cache_cleanup};
use lle_core::trial::paired::{Paired, Tally};
use lle_core::trial::{Evidence, Otherwise, Trial};
use lle_maintenance::api::Request;
use lle_maintenance::engine::{Engine, Event};
use lle_maintenance::real::{RealWorld, now};
use lle_maintenance::state::{Change, Incident, StateLog};
use lle_maintenance::world::{Host, Now};
use lle_metrics::{Histogram, Timer, bucket};
use measure::{ROUNDS, batches, singles, timed, times, unmeasured};

/// Between two looks at sessions in use, in nanoseconds.
const LOOK_NS: u64 = 10_000_000_000;
/// A log so long is about to be rewritten.
const LOG_BYTES: u64 = 1024 * 1024 - 4096;

fn main() {
    if child::play_role() {
        return;
    }
    measure::head();
    println!(
        "corpus: state on {}, sessions in /dev/shm",
        std::env::temp_dir().display()
    );
    health_sample();
    health_steps();
    access_decision();
    audit_append();
    impact();
    analysis();
    cache_cycle();
    state();
    config::versions();
    config::many_sessions();
    worker::many_sessions();
    worker::at_rest();
    unmeasured(
        "memory_optimisation",
        "sessions report their trims: `maint validate`",
    );
    unmeasured("access_validation", "not yet built");
}

fn world(site: &Site, samples: bool) -> RealWorld {
    let mut places = site.places();
    if !samples {
        places.metrics = None;
    }
    RealWorld::open(places, true).expect("the folders can be made")
}

fn engine(world: &mut RealWorld) -> Engine {
    let mut engine = Engine::load(world, config(), now()).expect("there is no state yet");
    engine.start(world, now());
    engine
}

fn later(at: Now, ns: u64) -> Now {
    Now {
        wall_ns: at.wall_ns + ns.cast_signed(),
        mono_ns: at.mono_ns + ns,
    }
}

fn owner() -> Who {
    let uid = rustix::process::getuid().as_raw();
    Who::peer(uid, Some(std::process::id()), uid)
}

fn health_sample() {
    let site = Site::new();
    let mut sessions = child::sessions(&site, 1);
    let mut world = world(&site, false);
    let mut window = Box::new(Window::new());
    let mut at = 0;
    let sample = singles(ROUNDS, || {
        sessions.use_sessions();
        at += LOOK_NS;
        timed(|| {
            world.look(&mut |look| {
                let snapshot = look.snapshot.expect("it was just written");
                black_box((window.fold(at, snapshot), look.cost.expect("it lives")));
            });
            world.own_cost().expect("we live")
        })
    });
    times(
        "health_sample_proc",
        "health sample with /proc, one session, worker",
        sample,
    );
}

fn health_steps() {
    for samples in [false, true] {
        let site = Site::new();
        let mut sessions = child::sessions(&site, 2);
        let mut world = world(&site, samples);
        let mut engine = engine(&mut world);
        // What is due is no part of it.
        let paused = engine.request(&mut world, now(), &owner(), &Request::Pause { task: None });
        paused.expect("the owner may");
        let mut at = now();
        let collect = singles(ROUNDS, || {
            at = later(at, LOOK_NS);
            sessions.use_sessions();
            timed(|| engine.collect(&mut world, at))
        });
        let look = singles(ROUNDS, || {
            at = later(at, LOOK_NS);
            sessions.use_sessions();
            timed(|| engine.look(&mut world, at))
        });
        let tick = singles(ROUNDS, || {
            at = later(at, LOOK_NS);
            sessions.use_sessions();
            timed(|| engine.handle(&mut world, at, Event::Tick))
        });
        if samples {
            times("", "  the same, and samples for trends kept", look);
            times("", "  the same, published and made durable", tick);
        } else {
            times("", "collect, 2 sessions, files and /proc", collect);
            times(
                "health_steps",
                "collect to alert, 2 sessions, files and /proc",
                look,
            );
            times("", "  and published, and the state made durable", tick);
            let nothing = singles(ROUNDS, || timed(|| engine.handle(&mut world, at, Event::Tick)));
            times("", "a tick in which nothing is to be done", nothing);
        }
    }
}

fn access_decision() {
    let rules = |text: &str| -> PolicyRules { toml::from_str(text).expect("rules as people write them") };
    let system = rules(
        "denied_operations = ['unregister']\nrequired_tasks = ['security-scan', 'backup']\naudit_required = true\n\
         task_commands_allowed = ['/usr/local/bin/', 'rsync']\n[mode_max]\n'*' = 'advise'\nbackup = 'automatic'\n",
    );
    let user = rules("denied_operations = ['act']\n[mode_max]\nperformance = 'observe'\n");
    let policy = Policy::combine(system, user).under(rules("denied_operations = []\n"));
    let operations: Vec<Operation> = Operation::all().collect();
    let targets = [
        Target::All,
        Target::Task("security-scan"),
        Target::Command {
            task: "sync",
            command: "rsync -a src/ dst/",
        },
        Target::Area(TaskKind::Performance),
    ];
    let (who, mut n) = (owner(), 0);
    let decide = batches(|_| {
        n += 1;
        let (operation, target) = (operations[n % operations.len()], targets[n % targets.len()]);
        black_box(authorise(who, operation, target, (), &policy).is_ok());
    });
    times(
        "access_decision",
        "access decision, every operation, three layers",
        decide,
    );
}

fn audit_append() {
    // In memory, a write is only a copy: what is left is ours.
    for (name, place, site) in [
        ("audit_append", "disk", Site::new()),
        ("", "memory", Site::in_memory()),
    ] {
        let mut world = world(&site, false);
        let mut engine = engine(&mut world);
        let mut at = now();
        // Of each user so much is recorded in ten seconds.
        let stranger = Who::peer(4711, Some(12), 1000);
        let append = singles(10 * ROUNDS, || {
            at = later(at, LOOK_NS);
            timed(|| engine.refused(&mut world, at, &stranger))
        });
        times(
            name,
            &format!("one audit record, acknowledged, on {place}"),
            append,
        );
    }
}

fn impact() {
    let site = Site::new();
    let mut sessions = child::sessions(&site, 1);
    let mut world = world(&site, false);
    let mut window = Box::new(Window::new());
    let mut at = 0;
    let mut before = Evidence::default();
    (0..1_000).for_each(|n| before.add(2e6 + f64::from(n % 7) * 1e3));
    let mut trial = Trial {
        change: "prompt.cache".into(),
        revert: Action::UseSetting {
            name: "prompt.cache".into(),
            value: None,
        },
        metric: "prompt".into(),
        before,
        after: Evidence::default(),
        tolerance: 0.05,
        active_ns_max: u64::MAX,
        active_ns: 0,
        otherwise: Otherwise::Revert,
        paired: None,
        configured: None,
    };
    let judge = singles(ROUNDS, || {
        at += LOOK_NS;
        sessions.use_sessions();
        world.look(&mut |look| {
            let snapshot = look.snapshot.expect("it was just written");
            black_box(window.fold(at, snapshot));
        });
        timed(|| {
            let now = window.summary(Timer::Prompt);
            trial.observe(now.map(|now| now.mean as f64), LOOK_NS);
            trial.verdict()
        })
    });
    times(
        "impact_measurement",
        "impact of a change, before against after",
        judge,
    );
}

/// Samples of every cost of sixteen sessions, as after a day of use.
fn slow_costs() -> Costs {
    let timers = [
        Timer::KeyToPaint,
        Timer::Highlight,
        Timer::Suggestion,
        Timer::Completion,
    ];
    let [key_to_paint, highlight, suggestion, completion] = timers.map(|timer| {
        let mut histogram = Histogram::empty(timer.unit());
        for ns in (1..=1_000).map(|n| n * 9_000) {
            histogram.add_to_bucket(bucket::index(ns), 16);
            histogram.count += 16;
            histogram.sum += 16 * ns;
            histogram.max = ns;
        }
        histogram
    });
    Costs {
        key_to_paint,
        highlight,
        suggestion,
        completion,
        path_searches: 4_000,
        ..Costs::default()
    }
}

fn analysis() {
    let (costs, levers) = (slow_costs(), Levers::default());
    let analyse = batches(|_| {
        drop(black_box(optimise::opportunities(
            black_box(&costs),
            &levers,
            &[],
            0,
        )));
    });
    times(
        "algorithm_analysis",
        "opportunities in four distributions of a day",
        analyse,
    );
    let mut paired = Paired::new("names.keep", "prompt", "path", false);
    let mut pairs = 0;
    let judge = batches(|_| {
        pairs += 1;
        for session in 0..16 {
            let tally = Tally {
                pairs,
                log_squares: 10_000 * pairs.cast_signed(),
                ..Tally::default()
            };
            paired.hear(session, tally);
        }
        black_box(paired.look(false));
    });
    times(
        "impact_measurement",
        "impact of a lever, pairs of 16 sessions",
        judge,
    );
}

fn cache_cycle() {
    let site = Site::new();
    let mut sessions = child::sessions(&site, 1);
    let mut world = world(&site, false);
    let mut window = Box::new(Window::new());
    let levers = Levers::default();
    let mut at = 0;
    let cycle = singles(ROUNDS, || {
        sessions.use_sessions();
        at += LOOK_NS;
        world.look(&mut |look| {
            let snapshot = look.snapshot.expect("it was just written");
            black_box(window.fold(at, snapshot));
        });
        timed(|| {
            let read = |row| Reading::of(row, &window).or(Some(Reading::default()));
            let mut readings: Vec<_> = CACHES.iter().map(read).collect();
            if let Some(Some(wants)) = readings.get_mut(1) {
                (wants.misses, wants.ghost_hits) = (1_000, 300);
            }
            let inputs = cache_cleanup::Inputs {
                readings: &readings,
                levers: &levers,
                on_trial: None,
                checked: (8, 0),
                parts: None,
                tried: &[],
                now_wall_ns: 0,
                may_try: true,
                asked: false,
            };
            cache_cleanup::plan(&inputs, "its schedule", |_| None, || 1)
        })
    });
    times("cache_cycle", "caches of one session read and a plan made", cycle);
}

fn incident(n: u64) -> Change {
    Change::Incident {
        incident: Incident {
            wall_ns: 1_790_000_000_000_000_000,
            session: Some(n),
            what: "the session on /dev/pts/3 ended without a word".into(),
            evidence: "while running: make -j8 test; last event: prompt (0)".into(),
        },
    }
}

fn state() {
    let site = Site::new();
    let mut world = world(&site, false);
    drop(engine(&mut world));
    let (mut log, mut state, _) = StateLog::load(&mut world, 1).expect("it was just written");
    let mut commit = Vec::new();
    let file = site.places().maint.join("state.log");
    while file.metadata().expect("it is there").len() < LOG_BYTES {
        let change = incident(commit.len() as u64);
        commit.push(timed(|| log.commit(&mut world, now(), &mut state, change)));
    }
    times("", "one change of the state, acknowledged, on disk", commit);
    let start = singles(50, || {
        timed(|| {
            let mut world = RealWorld::open(site.places(), true).expect("it is there");
            Engine::load(&mut world, config(), now()).expect("it is whole")
        })
    });
    times("", "start with a state log of 1 MiB", start);
}
