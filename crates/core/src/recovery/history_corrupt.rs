//! Bytes of the history log are others than they were: the mirror has what they were.

use super::{Detected, SECOND_NS, Scenario, Signs, history_lost, plan};
use crate::quantity::count;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "history-corrupt",
    about: "bytes of the history log have changed",
    by_itself: Some("the worker puts the beginning and the last 64 KiB back within a second"),
    point_objective: "a second of typing",
    time_objective_ns: 10 * SECOND_NS,
    detect,
    plan: |signs| {
        let (point, phases) = history_lost::phases(signs)?;
        plan(SCENARIO.name, point, &phases)
    },
};

fn detect(signs: &Signs) -> Option<Detected> {
    let history = &signs.history;
    let log = history.log_bytes?;
    if let Some(why) = &history.unreadable {
        return Detected::sure(format!("the history log is none any more: {why}"));
    }
    // A record that a crash cut short is in the mirror, too, and no reason to do anything.
    let at = history
        .differs_at
        .filter(|_| history.mirror_bytes.is_some_and(|mirror| log >= mirror))?;
    Detected::sure(format!(
        "the history log is another than its mirror from byte {} on",
        count(at)
    ))
}
