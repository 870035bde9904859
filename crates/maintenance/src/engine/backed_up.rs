//! Where the last snapshot went, in the running engine: a place that changed is told.
//!
//! Snapshots are taken by a run of `lusush` itself, as a job or by hand; where one went lies in a file, which is read when a
//! job has ended, every ten minutes, and by each new worker.

use lle_core::health::finding::Finding;
use lle_core::recovery::backed_up;

use crate::world::World;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct BackedUp {
    last: Option<backed_up::BackedUp>,
}

impl BackedUp {
    /// Reads where the last one went; what cannot be read says nothing.
    pub(super) fn read<W: World>(&mut self, world: &mut W) {
        let read = |bytes: Vec<u8>| serde_json::from_slice::<backed_up::BackedUp>(&bytes).ok();
        let last = world.backed_up().and_then(read);
        self.last = last.and_then(backed_up::BackedUp::understood);
    }

    /// What has to be told of it.
    pub(super) fn finding(&self, now_wall_ns: i64) -> Option<Finding> {
        self.last.as_ref()?.finding(now_wall_ns)
    }
}
