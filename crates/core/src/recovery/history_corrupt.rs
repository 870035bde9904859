//! Bytes of the history log are others than they were: the mirror has what they were. Or those of the mirror are, and the log
//! has them: which of both is told by what in them is no record.

use super::{Check, Detected, Point, SECOND_NS, Scenario, Signs, Step, Undo, history_lost, phase, plan};
use crate::quantity::count;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "history-corrupt",
    about: "bytes of the history log or of its mirror have changed",
    by_itself: Some("the worker puts the beginning and the last 64 KiB back within a second"),
    point_objective: "a second of typing",
    time_objective_ns: 10 * SECOND_NS,
    detect,
    plan: |signs| {
        if let Some(why) = &signs.history.refused {
            return Err(format!("the history log may be whole, and cannot be read: {why}"));
        }
        if signs.history.mirror_is_worse() {
            let anew = phase(Step::MirrorAnew, Check::HistoryWhole, Undo::Nothing);
            return plan(SCENARIO.name, Point::Nothing, &[anew]);
        }
        let (point, phases) = history_lost::phases(signs)?;
        plan(SCENARIO.name, point, &phases)
    },
};

fn detect(signs: &Signs) -> Option<Detected> {
    let history = &signs.history;
    let log = history.log_bytes?;
    if let Some(why) = &history.refused {
        return Detected::perhaps(format!("the history log cannot be read: {why}"));
    }
    let is_mirrored = history.has_mirror() && history.mirror_damage == 0;
    if let Some(why) = &history.unreadable {
        let evidence = format!("the history log is none any more: {why}");
        return match is_mirrored {
            true => Detected::sure(evidence),
            false => Detected::perhaps(evidence),
        };
    }
    // A record that a crash cut short is in the mirror, too, and no reason to do anything.
    let at = history
        .differs_at
        .filter(|_| history.mirror_bytes.is_some_and(|mirror| log >= mirror))?;
    let at = count(at);
    if history.mirror_is_worse() {
        return Detected::perhaps(format!(
            "the mirror of the history is damaged from byte {at} on, and the log less so"
        ));
    }
    let evidence = format!("the history log is another than its mirror from byte {at} on");
    match is_mirrored && history.log_damage > 0 {
        true => Detected::sure(evidence),
        // Both are whole, or neither is.
        false => Detected::perhaps(format!("{evidence}, and which is right cannot be told")),
    }
}
