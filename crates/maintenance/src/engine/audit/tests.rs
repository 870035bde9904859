//! How far the audit log may grow, whatever the task for it may do.

use lle_core::policy::Who;

use super::Entry;
use super::read::{records, verify};
use super::trail::{SEGMENT_BYTES_FORCED, SEGMENTS_FORCED};
use crate::api::Request;
use crate::engine::tests::started;
use crate::world::Disk;

#[test]
fn a_log_whose_rotation_is_paused_is_bounded_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, mut engine, now) = started(folder.path());
    let who = Who::peer(7, None, 7);
    let task = Some("log-rotation".to_owned());
    engine
        .request(&mut world, now, &who, &Request::Pause { task })
        .unwrap();
    for _ in 0..2 * SEGMENTS_FORCED {
        // As if it had grown to where it is forced on: what matters is that it goes on.
        engine.audit.bytes = SEGMENT_BYTES_FORCED;
        assert!(engine.record(&mut world, now, &Entry::noticed("test", "one more")));
        let segments = world.audit_segments().unwrap();
        assert!(segments.len() <= SEGMENTS_FORCED as usize, "{segments:?}");
    }
    let said = records(&mut world, None, 1_000).unwrap();
    let removals = said
        .iter()
        .filter(|record| record.operation.starts_with("remove segments"));
    let (mut noticed, mut done) = (0, 0);
    for removal in removals {
        match removal.phase.as_str() {
            "noticed" => noticed += 1,
            _ => done += u32::from(removal.outcome == "done"),
        }
    }
    assert!(noticed > 0 && noticed == done, "{noticed} {done}");
    let verified = verify(&mut world).unwrap();
    assert!(verified.whole, "{verified:?}");
}
