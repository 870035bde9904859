//! When the engine wants to be called again: in time for what it promised, and not more often.
// A panic is the report.
#![allow(clippy::unwrap_used)]

use lle_core::health::assess::Thresholds;
use lle_core::policy::{Policy, Who};
use lle_maintenance::api::Request;
use lle_maintenance::engine::{Config, Engine, Event, SYNC_NS};
use lle_maintenance::real::{Places, RealWorld, now};
use lle_maintenance::world::Now;

fn later(at: Now, ns: u64) -> Now {
    Now {
        wall_ns: at.wall_ns + ns.cast_signed(),
        mono_ns: at.mono_ns + ns,
    }
}

#[test]
fn what_was_acknowledged_while_nobody_is_there_is_durable_within_a_second() {
    let root = tempfile::tempdir().unwrap();
    let of = |name: &str| root.path().join(name);
    let places = Places::below(&of("state"), &of("data"), &of("cache"), &of("run"), "m");
    let mut world = RealWorld::open(places, true).unwrap();
    let config = Config {
        policy: Policy::default(),
        problems: Vec::new(),
        thresholds: Thresholds::default(),
        zone: jiff::tz::TimeZone::UTC,
        uid: 1000,
    };
    let mut at = now();
    let mut engine = Engine::load(&mut world, config, at).unwrap();
    engine.start(&mut world, at);
    at = later(at, SYNC_NS);
    engine.handle(&mut world, at, Event::Tick);
    let rests = engine.wake_at(at);
    assert!(rests > at.mono_ns + 2 * SYNC_NS, "nothing is to be done");
    let pause = Request::Pause { task: None };
    let paused = engine.request(&mut world, at, &Who::peer(1000, None, 1000), &pause);
    paused.unwrap();
    assert!(engine.wake_at(at) <= at.mono_ns + SYNC_NS);
    at = later(at, SYNC_NS);
    engine.handle(&mut world, at, Event::Tick);
    assert!(engine.wake_at(at) > at.mono_ns + 2 * SYNC_NS, "it is durable now");
}
