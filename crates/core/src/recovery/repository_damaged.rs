//! The backup is not what was written. What it saved is still here: a new repository begins, and the damaged one is kept,
//! since restic reads whatever is whole in it. Snapshots that needed what is damaged or gone are lost, and that is said.

use super::{Archive, Check, Detected, Kept, Point, SECOND_NS, Scenario, Signs, Step, Undo, phase, plan};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "repository-damaged",
    about: "the backup is not what was written",
    by_itself: None,
    point_objective: "nothing that is here; former states only where they need what is damaged",
    time_objective_ns: 60 * SECOND_NS,
    detect,
    plan: the_way_back,
};

fn detect(signs: &Signs) -> Option<Detected> {
    match &signs.archive {
        // Moving a repository away is nothing that is done unasked, whatever a verification says.
        Archive::Damaged { what, .. } => Detected::perhaps(format!("the backup is damaged: {what}")),
        _ => None,
    }
}

fn the_way_back(signs: &Signs) -> Result<super::Plan, String> {
    let lost = match &signs.archive {
        Archive::Damaged { lost, .. } => *lost,
        Archive::None => return Err("there is no backup: `lusush maint backup create` makes one".into()),
        Archive::Open { .. } => return Err("the backup is not damaged".into()),
        Archive::NoKey => {
            return Err(
                "whether it is damaged cannot be told without its key: `lusush maint backup key import` \
                 takes the line in"
                    .into(),
            );
        }
        Archive::Unknown(why) => return Err(format!("it is unknown whether it is damaged: {why}")),
    };
    plan(
        SCENARIO.name,
        Point::Former(lost),
        &[
            phase(Step::RepositoryAway, Check::Said, Undo::PutBack(Kept::Repository)),
            phase(Step::Snapshot, Check::RepositoryWhole, Undo::Nothing),
        ],
    )
}
