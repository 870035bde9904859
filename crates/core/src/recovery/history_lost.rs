//! The history log is gone: from its mirror, or, without one, from the backup.

use super::{Check, Detected, Phase, Point, SECOND_NS, Scenario, Signs, Step, Undo, phase, plan, snapshot};
use crate::quantity::{bytes, several};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "history-lost",
    about: "the history log is gone",
    // Whoever removes it, with its name, may mean it.
    by_itself: None,
    point_objective: "a second of typing; without a mirror, since the last snapshot",
    time_objective_ns: 10 * SECOND_NS,
    detect,
    plan: the_way_back,
};

fn detect(signs: &Signs) -> Option<Detected> {
    let history = &signs.history;
    // Whoever types on after a loss begins another log.
    if let (Some(log), Some(saved)) = (history.log_bytes, history.more_was_saved()) {
        return Detected::perhaps(format!(
            "the newest snapshot has {} of history, and the log has {}",
            bytes(saved as f64),
            bytes(log as f64)
        ));
    }
    if let (Some(_), Some(lost)) = (history.log_bytes, history.records_lost()) {
        return Detected::perhaps(format!(
            "the newest snapshot's history has {} that the log lacks",
            several(lost, "record", "records")
        ));
    }
    let is_gone = history
        .log_bytes
        .is_none_or(|bytes| bytes <= super::HistorySigns::EMPTY_BYTES);
    if !is_gone || history.log_bytes.is_some() && history.has_mirror() {
        // One that was emptied and has its mirror was cut.
        return None;
    }
    match history.mirror_bytes.filter(|_| history.has_mirror()) {
        Some(mirror) => Detected::sure(format!(
            "the history log is gone, and its mirror has {}",
            bytes(mirror as f64)
        )),
        // Before the first session there is no log either: only a home with other files has lost one.
        None if signs.home_exists && snapshot(signs).is_ok() => {
            Detected::perhaps("there is neither a history log nor its mirror, and there is a backup")
        }
        None => None,
    }
}

/// From the mirror, or from the backup by way of the mirror.
pub(super) fn the_way_back(signs: &Signs) -> Result<super::Plan, String> {
    let (point, phases) = phases(signs)?;
    plan(SCENARIO.name, point, &phases)
}

/// What all three scenarios of the history do: restoring only adds, so that there is nothing to take back.
pub(super) fn phases(signs: &Signs) -> Result<(Point, Vec<Phase>), String> {
    let back = phase(Step::MirrorToLog, Check::HistoryWhole, Undo::Nothing);
    let history = &signs.history;
    if history.has_mirror() && history.more_was_saved().is_none() && history.records_lost().is_none() {
        return Ok((Point::Window, vec![back]));
    }
    let from_archive = phase(Step::ArchiveToMirror, Check::MirrorThere, Undo::Nothing);
    Ok((snapshot(signs)?, vec![from_archive, back]))
}
