//! What the worker knows, or the audit log, is damaged.
//!
//! A worker steps over a damaged stretch by itself. What is damaged beyond that comes back from the backup; without one the
//! worker begins anew, and learns again.

use super::{Check, Detected, Kept, Point, SECOND_NS, Scenario, Signs, Step, Undo, phase, plan, snapshot};
use crate::quantity::several;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "state-corrupt",
    about: "the worker's state or the audit log is damaged",
    by_itself: Some("the worker steps over damaged stretches and says so"),
    point_objective: "what has changed since the last snapshot; nothing of yours",
    time_objective_ns: 20 * SECOND_NS,
    detect,
    plan: the_way_back,
};

fn detect(signs: &Signs) -> Option<Detected> {
    let state = &signs.state;
    if let Some(why) = &state.unreadable {
        // The section of the backup has more than what cannot be read.
        return Detected::perhaps(format!("the worker's state cannot be read: {why}"));
    }
    if state.damaged > 0 {
        let what = several(state.damaged, "damaged stretch", "damaged stretches");
        // The rest is newer than any snapshot, and usually all that counts.
        return Detected::perhaps(format!("the worker's state has {what}, which it steps over"));
    }
    match state.audit_faults {
        // What was changed on purpose is evidence: nobody replaces it unasked.
        Some(faults @ 1..) => Detected::perhaps(format!(
            "the audit log has {}: `lusush maint audit verify` names them",
            several(faults, "fault", "faults")
        )),
        _ => None,
    }
}

fn the_way_back(signs: &Signs) -> Result<super::Plan, String> {
    let undo = Undo::PutBack(Kept::State);
    let worker = phase(Step::Worker, Check::WorkerAnswers, Undo::Nothing);
    match snapshot(signs) {
        Ok(point) => plan(
            SCENARIO.name,
            point,
            &[phase(Step::Section("state"), Check::StateWhole, undo), worker],
        ),
        Err(_) if !signs.state.worker_runs => plan(
            SCENARIO.name,
            Point::Learned,
            &[phase(Step::StateAway, Check::StateWhole, undo), worker],
        ),
        Err(why) => Err(format!("{why}; a worker begins anew after `lusush maint stop`")),
    }
}
