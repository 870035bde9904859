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
    // A machine on which nobody has run a session yet looks the same.
    match signs.archive {
        _ if signs.home_exists => None,
        Archive::Open { snapshots: 1.., .. } => {
            Detected::perhaps("there is a backup, and neither history nor state nor configuration")
        }
        // Its key was part of the home.
        Archive::NoKey => Detected::perhaps(
            "there is a backup without its key, and neither history nor state nor configuration",
        ),
        _ => None,
    }
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
