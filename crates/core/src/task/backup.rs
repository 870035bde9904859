//! The comprehensive backup: history, configuration, state, plugins.
//!
//! Built. Sunday at two, local time; an hour for a remote archive over a slow line, and three more attempts, since the
//! usual reason to fail is a network that is away.
//!
//! The monthly recovery drill goes with it: on the same night, after what it is about was saved and proven.
//!
//! Invariant: nothing old goes before what is new was taken and every byte of the backup was read: a plan whose step fails
//! does no further one.

use super::{Priority, Task, TaskKind};
use crate::plan::{Action, Check, Plan, Planned, Step};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        budget_ms: 60 * 60 * 1_000,
        retries: 3,
        retry_delay_ms: 10 * 60 * 1_000,
        ..Task::shipped(
            TaskKind::Backup,
            "Saves history, configuration, state and plugins, and checks what was saved.",
            Priority::High,
            Schedule::Cron {
                text: "0 2 * * SUN".into(),
            },
        )
    }
}

/// What is run, in this order.
const WORDS: &[&[&str]] = &[
    &["backup", "create", "--why", "scheduled"],
    &["backup", "verify", "--data"],
    &["backup", "prune"],
    // It looks itself whether four weeks have passed. One that fails is a finding, and no failure of the backup.
    &["drill", "--scheduled"],
];

/// Plans a snapshot, its proof, the end of those that are too many, and now and then a drill.
pub fn plan(why: &str) -> Planned {
    let step = |words: &[&str]| Step {
        action: Action::RunOwn {
            words: ["maint"]
                .iter()
                .chain(words)
                .map(|word| (*word).to_owned())
                .collect(),
        },
        verify: Check::ExitZero,
        undo: None,
    };
    Planned::Do(Plan {
        task: TaskKind::Backup.name().to_owned(),
        why: why.to_owned(),
        steps: WORDS.iter().map(|words| step(words)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_taken_and_proven_before_old_ones_go() {
        let Planned::Do(plan) = plan("test") else {
            panic!("there is always something to do");
        };
        plan.check().unwrap();
        let steps: Vec<String> = plan.steps.iter().map(|step| step.action.about()).collect();
        assert_eq!(
            steps,
            [
                "run lusush maint backup create --why scheduled",
                "run lusush maint backup verify --data",
                "run lusush maint backup prune",
                "run lusush maint drill --scheduled",
            ]
        );
    }
}
