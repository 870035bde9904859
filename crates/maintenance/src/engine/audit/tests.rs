//! How far the audit log may grow, whatever the task for it may do.

use lle_core::policy::Class;

use super::*;
use crate::api::Request;
use crate::engine::tests::started;

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

#[test]
fn what_was_asked_for_is_a_change_of_what_it_can_move() {
    let who = Who::peer(7, None, 7);
    let check = |operation: &str, expect: ChangeKind| {
        let entry = Entry::request("intent", &who, operation, "", "");
        assert_eq!(entry.kind(), expect, "{operation}");
    };
    check("stop", ChangeKind::Worker);
    check("start", ChangeKind::Worker);
    check("schedule", ChangeKind::Task);
    check("optimize", ChangeKind::Feature);
    check("apply the configuration", ChangeKind::Config);
    check("set-mode", ChangeKind::Config);
    // Whatever else can be asked for has its row.
    for operation in Operation::all() {
        let is_plan = matches!(operation, Operation::Measure(_) | Operation::Act(_));
        let sets_up = matches!(operation, Operation::SetMode(_) | Operation::ConfigArm);
        let has_row = REQUESTED.iter().any(|(row, _)| *row == operation);
        let expect = operation.class() != Class::Read && !is_plan && !sets_up;
        assert_eq!(has_row, expect, "{}", operation.name());
    }
}
