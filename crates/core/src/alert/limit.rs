//! How many alerts are raised, and what is held back.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

/// Alerts raised in an hour: one in five minutes, on a bad day.
pub const PER_HOUR_MAX: usize = 12;

/// Alerts raised about one thing in an hour: once, once more, and then it is known.
pub const PER_KEY_PER_HOUR_MAX: usize = 2;

/// Keys held back and told apart; beyond that it is only known that there were more.
const HELD_KEYS_MAX: usize = 64;

const HOUR_NS: u64 = 3_600 * 1_000_000_000;

/// What was raised within the last hour, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Raises {
    /// When and about what, oldest first; at most [`PER_HOUR_MAX`].
    raised: VecDeque<(u64, String)>,
    held: BTreeSet<String>,
    /// Held back when there was no room to tell them apart.
    more: bool,
    told_wall_ns: Option<u64>,
    /// How many in an hour, if that was said.
    #[serde(skip)]
    per_hour: Option<usize>,
}

impl Raises {
    /// Whether one more alert about `key` may be raised now; counts it if so.
    pub(super) fn permit(&mut self, wall_ns: u64, key: &str) -> bool {
        self.raised.retain(|(raised, _)| is_within_hour(*raised, wall_ns));
        let about = self.raised.iter().filter(|(_, raised)| raised == key).count();
        if self.raised.len() >= self.per_hour.unwrap_or(PER_HOUR_MAX) || about >= PER_KEY_PER_HOUR_MAX {
            return false;
        }
        self.raised.push_back((wall_ns, key.to_owned()));
        true
    }

    /// Raises at most so many in an hour from now on.
    pub(super) fn limit(&mut self, per_hour: usize) {
        self.per_hour = Some(per_hour);
    }

    /// Counts a key that is held back; says whether it was not yet.
    pub(super) fn hold_back(&mut self, key: &str) -> bool {
        if self.held.contains(key) {
            return false;
        }
        if self.held.len() >= HELD_KEYS_MAX {
            self.more = true;
            return false;
        }
        self.held.insert(key.to_owned())
    }

    /// A key that was held back has got its alert.
    pub(super) fn release(&mut self, key: &str) {
        self.held.remove(key);
    }

    pub(super) fn held_back(&self) -> u64 {
        self.held.len() as u64
    }

    /// How many were held back, and whether there were more, if it is time to say so, which is once an hour; forgets
    /// them.
    pub(super) fn tell(&mut self, wall_ns: u64) -> Option<(u64, bool)> {
        let lately = self
            .told_wall_ns
            .is_some_and(|told| is_within_hour(told, wall_ns));
        let held = self.held.len() as u64;
        if held == 0 || lately {
            return None;
        }
        self.told_wall_ns = Some(wall_ns);
        self.held.clear();
        Some((held, std::mem::take(&mut self.more)))
    }
}

/// What lies in the future was written before the clock jumped back, and limits nothing.
fn is_within_hour(then: u64, now: u64) -> bool {
    now.checked_sub(then).is_some_and(|since| since < HOUR_NS)
}
