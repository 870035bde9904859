//! The backup is not what was written. What it saved is still here: a new repository begins, and the damaged one is kept,
//! since restic reads whatever is whole in it.

use super::{Archive, Check, Detected, Kept, Point, SECOND_NS, Scenario, Signs, Step, Undo, phase, plan};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "repository-damaged",
    about: "the backup is not what was written",
    by_itself: None,
    point_objective: "nothing that is here; former states stay in the damaged repository",
    time_objective_ns: 60 * SECOND_NS,
    detect,
    plan: the_way_back,
};

fn detect(signs: &Signs) -> Option<Detected> {
    match &signs.archive {
        Archive::Damaged(what) => Detected::sure(format!("the backup is damaged: {what}")),
        _ => None,
    }
}

fn the_way_back(signs: &Signs) -> Result<super::Plan, String> {
    if matches!(signs.archive, Archive::None) {
        return Err("there is no backup: `lusush maint backup create` makes one".into());
    }
    plan(
        SCENARIO.name,
        Point::Nothing,
        &[
            phase(Step::RepositoryAway, Check::Said, Undo::PutBack(Kept::Repository)),
            phase(Step::Snapshot, Check::RepositoryWhole, Undo::Nothing),
        ],
    )
}
