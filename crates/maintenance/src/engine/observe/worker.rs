//! What the worker knows of itself: what it costs, and what it counted.
//!
//! Invariant: what it costs is known only of an engine that acts: otherwise that is none, never zero. What it counts begins
//! anew with each worker.

use lle_core::health::view::WorkerView;

use super::percent;
use crate::engine::Engine;
use crate::world::{Cost, Now};

/// What the worker knows of itself.
#[derive(Debug, Default)]
pub(crate) struct WorkerState {
    cpu_percent: Option<f64>,
    cost: Option<Cost>,
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
        let elapsed = now.mono_ns.saturating_sub(self.looked_at);
        self.cpu_percent = percent(self.cost, cost, elapsed).or(self.cpu_percent);
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
            config_generation: self.acts.then(|| self.published.generation().cast_signed()),
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
