//! What the worker knows of itself: what it costs, and what it counted.
//!
//! Invariant: what it costs is known only of an engine that acts: otherwise that is none, never zero. What it counts begins
//! anew with each worker.

use lle_core::health::view::WorkerView;

use super::percent;
use crate::engine::Engine;
use crate::world::{Cost, Now};

/// Its share of a processor is told of no shorter time, in nanoseconds: whoever cuts a history is answered at once, and of
/// the few milliseconds between two such looks a busy worker has all.
const SHARE_NS_MIN: u64 = 5_000_000_000;

/// What the worker knows of itself.
#[derive(Debug, Default)]
pub(crate) struct WorkerState {
    cpu_percent: Option<f64>,
    cost: Option<Cost>,
    /// What it had cost when its share was last told, and when that was.
    shared: Option<(Cost, u64)>,
    /// What it had cost when it began, and when that was.
    began: Option<(u64, u64)>,
    looked_at: u64,
    pub(crate) panics: u64,
    /// Recoveries by hand that ended, however.
    pub(crate) recoveries: u64,
    pub(crate) refused: u64,
    /// Tasks that were left out since the last look.
    shed: Vec<String>,
}

impl WorkerState {
    pub(crate) fn rss_anon_bytes(&self) -> Option<u64> {
        self.cost.map(|cost| cost.rss_anon_bytes)
    }

    /// Takes in what it costs by now.
    pub(super) fn take_cost(&mut self, now: Now, cost: Option<Cost>) {
        let (before, at) = self.shared.unzip();
        let elapsed = now.mono_ns.saturating_sub(at.unwrap_or(0));
        if elapsed >= SHARE_NS_MIN || before.is_none() {
            self.cpu_percent = percent(before, cost, elapsed).or(self.cpu_percent);
            self.shared = cost.map(|cost| (cost, now.mono_ns)).or(self.shared);
        }
        (self.cost, self.looked_at) = (cost, now.mono_ns);
        if self.began.is_none() {
            self.began = cost.map(|cost| (cost.cpu_ns, now.mono_ns));
        }
    }

    /// Processor time since the beginning, and how long that is.
    fn processor(&self) -> Option<(u64, u64)> {
        let (cpu_ns, at) = self.began?;
        Some((
            self.cost?.cpu_ns.saturating_sub(cpu_ns),
            self.looked_at.saturating_sub(at),
        ))
    }

    /// Tasks that were left out since the last look.
    pub(super) fn shed(&self) -> &[String] {
        &self.shed
    }

    /// A look has told of them.
    pub(super) fn forget_shed(&mut self) {
        self.shed.clear();
    }
}

impl Engine {
    /// Processor time of the worker since it began, and how long that is; none without a worker.
    pub(crate) fn worker_processor(&self) -> Option<(u64, u64)> {
        self.worker.processor()
    }

    pub(super) fn worker_view(&self, now: Now) -> WorkerView {
        WorkerView {
            cpu_percent: self.worker.cpu_percent,
            rss_anon: self.worker.rss_anon_bytes(),
            uptime_ns: self.acts.then(|| {
                now.wall_ns
                    .saturating_sub(self.started_wall_ns)
                    .max(0)
                    .cast_unsigned()
            }),
            panics: Some(self.worker.panics),
            recoveries: Some(self.worker.recoveries),
            damaged_records: Some(self.loaded.damaged),
            failed_authentications: self.acts.then_some(self.refused_peers.count),
            blocked_operations: self.acts.then_some(self.worker.refused),
            security_events: None,
            config_version: self
                .published
                .config()
                .map(|published| published.version.cast_signed()),
        }
    }

    pub(crate) fn note_shed(&mut self, dropped: &[String]) {
        // Until a look has told of it.
        for name in dropped {
            if !self.worker.shed.contains(name) {
                self.worker.shed.push(name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_share_is_told_of_seconds_and_not_of_the_moment_in_which_it_works() {
        const MS: u64 = 1_000_000;
        let mut state = WorkerState::default();
        let mut look = |at_ms: u64, cpu_ms: u64| {
            let now = Now {
                mono_ns: at_ms * MS,
                ..Now::default()
            };
            let cost = Cost {
                cpu_ns: cpu_ms * MS,
                ..Cost::default()
            };
            state.take_cost(now, Some(cost));
            state.cpu_percent
        };
        assert_eq!(look(1_000, 20), None);
        assert_eq!(look(1_050, 40), None, "of 50 ms it would be 40 %");
        assert_eq!(look(6_000, 70), Some(1.0));
        assert_eq!(look(6_010, 80), Some(1.0));
        assert_eq!(look(16_000, 170), Some(1.0));
    }
}
