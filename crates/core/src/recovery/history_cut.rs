//! Another program cut the history log: the mirror has what is gone. A worker does the same by itself within a second.

use super::{Detected, HistorySigns, SECOND_NS, Scenario, Signs, history_lost, plan};
use crate::quantity::bytes;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "history-cut",
    about: "another program emptied or cut the history log",
    by_itself: Some("the worker puts it back within a second, unless history.restore = \"ask\""),
    point_objective: "a second of typing",
    time_objective_ns: SECOND_NS,
    detect,
    plan: |signs| {
        let (point, phases) = history_lost::phases(signs)?;
        plan(SCENARIO.name, point, &phases)
    },
};

fn detect(signs: &Signs) -> Option<Detected> {
    let history = &signs.history;
    let (log, mirror) = (history.log_bytes?, history.mirror_bytes?);
    if !history.has_mirror() || log >= mirror || history.differs_at.is_none() {
        return None;
    }
    let what = if log <= HistorySigns::EMPTY_BYTES {
        "emptied"
    } else {
        "cut"
    };
    let evidence = format!(
        "the history log was {what}: it has {}, its mirror {}",
        bytes(log as f64),
        bytes(mirror as f64)
    );
    match history.mirror_is_worse() {
        true => Detected::perhaps(format!("{evidence}, and the mirror is damaged, too")),
        false => Detected::sure(evidence),
    }
}
