//! All sessions together: who is there, who is active, who is behind, what they hold.
//!
//! Invariant: only what lives is spoken of, as the last look saw it.

use lle_core::task::memory_defrag::Heap;

use super::session::SessionState;
use crate::engine::Engine;
use crate::world::Now;

impl Engine {
    /// The sessions that are there: number, terminal, process.
    pub(crate) fn session_names(&self) -> impl Iterator<Item = (u64, &str, u32)> {
        self.sessions
            .values()
            .filter(|session| session.is_alive())
            .map(|session| (session.id(), session.tty(), session.pid()))
    }

    pub(crate) fn somebody_is_active(&self, now: Now) -> bool {
        self.sessions
            .values()
            .any(|session| session.is_alive() && !session.is_idle(now))
    }

    /// Idle sessions that go by another version of the configuration than the one that is published; none if no session
    /// says which.
    pub(crate) fn sessions_behind(&self, now: Now) -> Option<u32> {
        let published = self.published.config()?.version;
        let idle = self
            .sessions
            .values()
            .filter(|session| session.is_alive() && session.is_idle(now));
        // A safe session goes by none.
        let versions: Vec<u64> = idle.filter_map(SessionState::config_version).collect();
        let behind = versions.iter().filter(|version| **version != published);
        let behind = u32::try_from(behind.count()).unwrap_or(u32::MAX);
        (!versions.is_empty()).then_some(behind)
    }

    /// What idle sessions hold and do not use.
    pub(crate) fn heaps(&self, now: Now) -> Vec<Heap> {
        self.sessions
            .values()
            .filter(|session| session.is_alive() && session.is_idle(now))
            .map(SessionState::heap)
            .collect()
    }
}
