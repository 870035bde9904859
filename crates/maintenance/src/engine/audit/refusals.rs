//! Peers that were refused at the control socket, so that a flood of them fills no disk.

use std::collections::BTreeMap;

use lle_core::policy::Who;

use super::Entry;
use crate::engine::{Engine, SECOND_NS};
use crate::world::{Now, World};

/// Refused peers are recorded once in so long for each user, and counted in between.
const REFUSAL_NS: u64 = 10 * SECOND_NS;
/// Users whose refusals are told apart.
const REFUSED_USERS_MAX: usize = 16;

/// Who was refused, and how often since that was recorded last.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// Of each user: when it was recorded last, on the monotonic clock, and how many there were since.
    users: BTreeMap<u32, (u64, u64)>,
    /// All of them, for the health.
    pub(crate) count: u64,
}

impl Refusals {
    /// Counts one more of a user; how many there were since the last record, if it is time for another.
    fn count(&mut self, uid: u32, now: Now) -> Option<u64> {
        self.count += 1;
        if self.users.len() >= REFUSED_USERS_MAX && !self.users.contains_key(&uid) {
            self.users.pop_first();
        }
        let (told_at, since) = self.users.entry(uid).or_insert((0, 0));
        *since += 1;
        if *told_at != 0 && now.mono_ns.saturating_sub(*told_at) < REFUSAL_NS {
            return None;
        }
        *told_at = now.mono_ns.max(1);
        Some(std::mem::take(since))
    }
}

impl Engine {
    /// Somebody who may not was at the control socket.
    pub fn refused<W: World>(&mut self, world: &mut W, now: Now, who: &Who) {
        let Some(since) = self.refused_peers.count(who.uid, now) else {
            return;
        };
        let why = format!("another user; {since} since the last record");
        self.record(
            world,
            now,
            &Entry::refused(who, "connect", "control socket", &why),
        );
    }
}
