//! A thousand idle sessions and a file that is saved: all of them go by it within a second.

use jiff::tz::TimeZone;
use lle_core::config::CATALOGUE;
use lle_core::config::{Origin, RawConfig};
use lle_core::health::assess::Thresholds;
use lle_core::policy::Policy;
use lle_maintenance::engine::{Config, Engine, Event};
use lle_maintenance::world::{ConfigFound, Now};
use lle_metrics::Gauge;
use lle_sim::random::Random;
use lle_sim::session::{Nature, SimSession};
use lle_sim::world::World;

const SESSIONS: u64 = 1_000;
const SECOND_NS: u64 = 1_000_000_000;

/// What a file of that text brings into force, as version `number`.
fn found(number: u64, text: &str) -> ConfigFound {
    let layer = RawConfig::parse(Origin::User, "config.toml", text).check(&CATALOGUE);
    let merged = CATALOGUE
        .merge(&[layer])
        .unwrap_or_else(|refused| panic!("{refused}"));
    ConfigFound {
        in_force: merged.config.in_force(number, None, Vec::new()),
        refused: None,
        warnings: merged.warnings,
        sources: Vec::new(),
    }
}

#[test]
fn a_thousand_idle_sessions_follow_within_a_second() {
    let now = Now {
        wall_ns: 1_790_000_000_000_000_000,
        mono_ns: 100 * SECOND_NS,
    };
    let mut world = World::new(Random::new(1), now);
    world.config = Some(found(1, ""));
    world.sessions = (1..=SESSIONS)
        .map(|id| SimSession::new(id, Nature::Good, now.wall_ns))
        .collect();
    let config = Config {
        policy: Policy::default(),
        problems: Vec::new(),
        thresholds: Thresholds::default(),
        zone: TimeZone::UTC,
        uid: 7,
    };
    let mut engine = Engine::load(&mut world.hands(true), config, now).expect("there is no state yet");
    engine.start(&mut world.hands(true), now);
    for version in 2..=20 {
        world.woken.clear();
        // A minute of rest, in which nothing is looked at but what is due.
        world.pass(60 * SECOND_NS, true);
        let saved = world.now;
        let theme = ["light", "night", "deep"][version as usize % 3];
        world.config = Some(found(version, &format!("editor.theme = \"{theme}\"")));
        engine.sync_configuration(&mut world.hands(true), saved);
        engine.handle(&mut world.hands(true), saved, Event::Tick);
        assert_eq!(world.woken.len() as u64, SESSIONS, "version {version}");
        let desired = world.desired.clone().expect("it is published");
        assert_eq!(
            desired.config.as_ref().map(|config| config.version),
            Some(version)
        );
        for session in &mut world.sessions {
            session.read(&desired);
            let goes_by = session
                .snapshot()
                .and_then(|snapshot| snapshot.gauge(Gauge::ConfigVersion));
            assert_eq!(goes_by, Some(version.cast_signed()));
        }
        let took = world.now.mono_ns - saved.mono_ns;
        assert!(took < SECOND_NS, "{took} ns");
    }
    assert!(world.violations.is_empty(), "{:?}", world.violations);
}
