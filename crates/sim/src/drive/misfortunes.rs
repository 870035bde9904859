//! What goes wrong: the worker is killed, power is cut, clocks are set, disks and sources fail.

use lle_core::policy::Who;
use lle_maintenance::api::Request;
use lle_maintenance::engine::Engine;

use super::{HOUR, Run, SECOND, UID};
use crate::disk::Faults;

impl Run {
    pub(super) fn plan_to_kill(&mut self) {
        let calls = 1 + self.world.random.below(80);
        self.world.dies_at = Some(self.world.calls + calls);
        self.world
            .tell(|| format!("the worker will be killed in {calls} calls"));
    }

    pub(super) fn kill(&mut self) {
        self.world.tell(|| "the worker is killed".into());
        self.engine = None;
        self.worker_died();
    }

    pub(super) fn worker_died(&mut self) {
        self.world.worker_died();
        if !self.world.disk.faults.is_none() {
            // What was shown could not be written down.
            self.shown.clear();
        }
    }

    pub(super) fn cut_power(&mut self) {
        self.world.tell(|| "power is lost".into());
        self.engine = None;
        self.world.lose_power();
        self.power_lost = true;
        // What had not become durable may have been forgotten, and be done again.
        self.expected.clear();
        self.due_runs.clear();
        self.seen_plans.clear();
    }

    pub(super) fn suspend(&mut self) {
        let ns = match self.world.random.below(3) {
            0 => self.world.random.below(HOUR),
            1 => self.world.random.below(48 * HOUR),
            _ => self.world.random.below(240 * HOUR),
        };
        self.world.tell(|| format!("suspended for {} s", ns / SECOND));
        self.world.pass(ns, false);
        self.tick();
    }

    pub(super) fn set_clock(&mut self) {
        let random = &mut self.world.random;
        let most = *random.pick(&[2 * SECOND, HOUR, 24 * HOUR, 9_000 * HOUR]);
        let by = random.below(most).cast_signed();
        let by = if random.once_in(2) { by } else { -by };
        self.world.now.wall_ns = self.world.now.wall_ns.saturating_add(by);
        self.world
            .tell(|| format!("the clock is set by {} s", by / 1_000_000_000));
        // A time that was used up comes again.
        self.due_runs.clear();
        self.tick();
    }

    pub(super) fn fault(&mut self) {
        let world = &mut self.world;
        let kind = world.random.below(9);
        world.disk.faults = Faults::default();
        world.unpublishable = false;
        let faults = &mut world.disk.faults;
        match kind {
            0 => faults.full = true,
            1 => faults.read_only = true,
            2 => faults.tears = 1 + world.random.below(6),
            3 => faults.unreadable = 1 + world.random.below(4),
            4 => faults.unsyncable = true,
            5 => faults.slow_ns = world.random.below(8 * SECOND),
            6 => world.unpublishable = true,
            _ => {}
        }
        world.tell(|| format!("faults: {:?}, unpublishable: {}", world_faults(kind), kind == 6));
    }

    pub(super) fn misfortune(&mut self) {
        self.world.tell(|| "the runtime folder is removed".into());
        self.world.lose_runtime();
        // Nobody knows any more what was shown.
        self.shown.clear();
    }

    /// The command line, which answers from disk beside a worker and changes nothing.
    pub(super) fn offline(&mut self) {
        self.world
            .tell(|| "somebody reads the state beside the worker".into());
        let requests = [
            Request::Status,
            Request::Health,
            Request::Verify,
            Request::Pause { task: None },
        ];
        let request = self.world.random.pick(&requests).clone();
        let now = self.world.now;
        let mut hands = self.world.hands(false);
        let Ok(mut engine) = Engine::load(&mut hands, self.config.clone(), now) else {
            return;
        };
        let who = Who::peer(UID, None, UID);
        let answered = engine.request(&mut hands, now, &who, &request);
        if answered.is_ok() && matches!(request, Request::Pause { .. }) {
            self.world
                .violate("two actors: an engine that only answers granted a change".into());
        }
    }
}

fn world_faults(kind: u64) -> &'static str {
    [
        "full",
        "read only",
        "tears",
        "unreadable",
        "unsyncable",
        "slow",
        "unpublishable",
    ]
    .get(usize::try_from(kind).unwrap_or(9))
    .unwrap_or(&"none")
}
