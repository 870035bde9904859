//! What a task cost and what it gained.
//!
//! Invariant: only what was measured is added. A run whose cost or gain could not be measured is counted as such, so
//! a sum never looks like more than it is.

use serde::{Deserialize, Serialize};

/// What one run cost and gained; none where it could not be measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// Processor time of the worker and of the run's processes, in nanoseconds.
    pub cost_cpu_ns: Option<u64>,
    /// Memory or disk given back, before minus after, in bytes; negative if it grew.
    pub gained_bytes: Option<i64>,
    /// Time saved with each use, before minus after, in nanoseconds; negative if it got slower.
    pub gained_ns: Option<i64>,
}

/// The sum of a task's entries. The sums stop at their end instead of beginning anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// How many entries there are.
    pub entries: u64,
    /// How many of them could not say what they cost.
    pub cost_unknown: u64,
    /// How many of them could say nothing of what they gained.
    pub gain_unknown: u64,
    /// Processor time, in nanoseconds.
    pub cost_cpu_ns: u64,
    /// Memory or disk given back, in bytes; negative if it grew in sum.
    pub gained_bytes: i64,
    /// Time saved with each use, in nanoseconds; negative if it got slower in sum.
    pub gained_ns: i64,
}

impl Ledger {
    /// Adds what one run cost and gained.
    pub fn add(&mut self, entry: &Entry) {
        let unknown_gain = entry.gained_bytes.is_none() && entry.gained_ns.is_none();
        self.entries = self.entries.saturating_add(1);
        self.cost_unknown = self
            .cost_unknown
            .saturating_add(entry.cost_cpu_ns.is_none().into());
        self.gain_unknown = self.gain_unknown.saturating_add(unknown_gain.into());
        self.cost_cpu_ns = self.cost_cpu_ns.saturating_add(entry.cost_cpu_ns.unwrap_or(0));
        self.gained_bytes = self.gained_bytes.saturating_add(entry.gained_bytes.unwrap_or(0));
        self.gained_ns = self.gained_ns.saturating_add(entry.gained_ns.unwrap_or(0));
    }

    /// Processor time spent, in nanoseconds; none if no run could say.
    pub const fn known_cost_cpu_ns(&self) -> Option<u64> {
        if self.cost_unknown < self.entries {
            Some(self.cost_cpu_ns)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_counted_and_not_added() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.known_cost_cpu_ns(), None);
        ledger.add(&Entry::default());
        assert_eq!(ledger.known_cost_cpu_ns(), None);
        ledger.add(&Entry {
            cost_cpu_ns: Some(7),
            gained_bytes: Some(-100),
            gained_ns: None,
        });
        ledger.add(&Entry {
            cost_cpu_ns: Some(u64::MAX),
            gained_bytes: Some(i64::MIN),
            gained_ns: Some(3),
        });
        let expect = Ledger {
            entries: 3,
            cost_unknown: 1,
            gain_unknown: 1,
            cost_cpu_ns: u64::MAX,
            gained_bytes: i64::MIN,
            gained_ns: 3,
        };
        assert_eq!(ledger, expect);
    }
}
