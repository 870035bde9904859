//! An engine that follows a configuration, in a world whose only session is used or not.
#![allow(dead_code, reason = "each test uses a part of it")]

use jiff::tz::TimeZone;
use lle_core::health::assess::Thresholds;
use lle_core::policy::{Policy, Who};
use lle_maintenance::api::Request;
use lle_maintenance::engine::{Config, Engine, Event};
use lle_maintenance::world::Now;
use lle_sim::files::SimFiles;
use lle_sim::random::Random;
use lle_sim::session::{Nature, SimSession};
use lle_sim::world::World;
use serde_json::Value;

pub(crate) const SECOND_NS: u64 = 1_000_000_000;
const UID: u32 = 7;
pub(crate) const SLOW: &str = "prompt.command = \"sleep 0.2\"\n";

/// An engine, its world with one session, and what stood above that one's prompts.
pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) engine: Engine,
    pub(crate) told: Vec<String>,
}

impl House {
    pub(crate) fn new(text: &str) -> Self {
        let now = Now {
            wall_ns: 1_790_000_000_000_000_000,
            mono_ns: 100 * SECOND_NS,
        };
        let mut world = World::new(Random::new(1), now);
        world.files = Some(SimFiles {
            text: text.to_owned(),
            ..SimFiles::default()
        });
        world.sessions.push(SimSession::new(1, Nature::Good, now.wall_ns));
        let config = Config {
            policy: Policy::default(),
            problems: Vec::new(),
            thresholds: Thresholds::default(),
            zone: TimeZone::UTC,
            uid: UID,
        };
        let engine = Engine::load(&mut world.hands(true), config, now).expect("there is no state yet");
        let mut house = House {
            world,
            engine,
            told: Vec::new(),
        };
        house.engine.start(&mut house.world.hands(true), now);
        house
    }

    pub(crate) fn save(&mut self, text: &str) {
        let now = self.world.now;
        if let Some(files) = &mut self.world.files {
            files.text = text.to_owned();
        }
        self.engine.sync_configuration(&mut self.world.hands(true), now);
        self.engine.handle(&mut self.world.hands(true), now, Event::Tick);
        self.read();
    }

    pub(crate) fn text(&self) -> &str {
        self.world.files.as_ref().map_or("", |files| &files.text)
    }

    fn read(&mut self) {
        let Some(desired) = self.world.desired.clone() else {
            return;
        };
        for session in &mut self.world.sessions {
            session.read(&desired);
            for id in session.just_shown.drain(..) {
                let alert = desired.alerts.iter().find(|alert| alert.id == id);
                self.told.extend(alert.map(|alert| alert.text.clone()));
            }
        }
    }

    /// Somebody types for so many looks, ten seconds each; gives after how many the file changed.
    pub(crate) fn use_it(&mut self, looks: u64) -> Option<u64> {
        let before = self.text().to_owned();
        for look in 1..=looks {
            let mut random = self.world.random.clone();
            self.world.sessions[0].use_it(&mut random, false);
            self.world.sessions[0].rest();
            self.world.random = random;
            self.world.pass(10 * SECOND_NS, true);
            let now = self.world.now;
            self.engine.handle(&mut self.world.hands(true), now, Event::Tick);
            self.read();
            if self.text() != before {
                return Some(look);
            }
        }
        None
    }

    /// So many seconds pass in which nobody types, and the engine looks.
    pub(crate) fn wait(&mut self, seconds: u64) {
        self.world.pass(seconds * SECOND_NS, true);
        let now = self.world.now;
        self.engine.handle(&mut self.world.hands(true), now, Event::Tick);
    }

    /// What says that is about to be applied for so many milliseconds.
    pub(crate) fn arm(&mut self, says: String, within_ms: u64) {
        let asked = Request::ConfigArm { says, within_ms };
        self.ask(&asked);
    }

    pub(crate) fn trials(&mut self) -> Value {
        self.ask(&Request::ConfigTrials)
    }

    fn ask(&mut self, request: &Request) -> Value {
        let (now, who) = (self.world.now, Who::peer(UID, None, UID));
        let answered = self
            .engine
            .request(&mut self.world.hands(true), now, &who, request);
        answered.unwrap_or_else(|fault| panic!("{}", fault.message))
    }
}
