//! The whole home of Lusush is gone, or this is a new machine: everything comes back from the backup.

use super::{Archive, Check, Detected, SECOND_NS, Scenario, Signs, Step, Undo, phase, plan, snapshot};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "home-gone",
    about: "history, configuration and state are all gone",
    by_itself: None,
    point_objective: "what has changed since the last snapshot",
    time_objective_ns: 60 * SECOND_NS,
    detect,
    plan: the_way_back,
};

fn detect(signs: &Signs) -> Option<Detected> {
    let is_bare = !signs.home_exists;
    let has_backup = matches!(signs.archive, Archive::Open { snapshots: 1.., .. });
    if !is_bare || !has_backup {
        return None;
    }
    // A machine on which nobody has run a session yet looks the same.
    Detected::perhaps("there is a backup, and neither history nor state nor configuration")
}

fn the_way_back(signs: &Signs) -> Result<super::Plan, String> {
    plan(
        SCENARIO.name,
        snapshot(signs)?,
        // All files or none: see the archive's `restore`.
        &[
            phase(Step::Everything, Check::EverythingThere, Undo::Nothing),
            phase(Step::HistoryFile, Check::Said, Undo::Nothing),
            phase(Step::Worker, Check::WorkerAnswers, Undo::Nothing),
        ],
    )
}
