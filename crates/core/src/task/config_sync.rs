//! The configuration in force against its sources: what changed comes into force, and a version is kept; then the backup's
//! journal takes in what changed since the last run.
//!
//! A change to a file is noticed when it happens; the hourly run is for what was not noticed. So the journal is an hour old
//! at most, between snapshots that are a week apart.

use super::{Priority, Task, TaskKind};
use crate::plan::{Action, Check, Plan, Step};
use crate::schedule::Schedule;

pub(super) fn task() -> Task {
    Task {
        // Milliseconds; a history of a gigabyte that comes into the journal for the first time takes the rest.
        budget_ms: 5 * 60 * 1_000,
        retries: 2,
        retry_delay_ms: 30_000,
        ..Task::shipped(
            TaskKind::ConfigSync,
            "Brings the configuration in force in line with its sources and keeps a version.",
            Priority::Medium,
            Schedule::Every { seconds: 60 * 60 },
        )
    }
}

/// Plans a run; `journal` says that there is a program that writes the journal. What the first step brings into force is
/// taken back by a version of its own, as any change of a file is, so it has nothing to take back; what the journal took
/// in harms nobody.
pub fn plan(why: &str, journal: bool) -> Plan {
    let step = |action, verify| Step {
        action,
        verify,
        undo: None,
    };
    let mut steps = vec![step(Action::SyncConfig, Check::Accepted)];
    if journal {
        let words = ["maint", "backup", "create", "--journal"];
        let words = words.into_iter().map(str::to_owned).collect();
        steps.push(step(Action::RunOwn { words }, Check::ExitZero));
    }
    Plan {
        task: TaskKind::ConfigSync.name().to_owned(),
        why: why.to_owned(),
        steps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_follows_where_there_is_a_program_for_it() {
        let check = |journal: bool, expect: &[&str]| {
            let plan = plan("test", journal);
            plan.check().unwrap();
            let steps: Vec<String> = plan.steps.iter().map(|step| step.action.about()).collect();
            assert_eq!(steps, expect);
        };
        check(false, &["bring the configuration into force"]);
        check(
            true,
            &[
                "bring the configuration into force",
                "run lusush maint backup create --journal",
            ],
        );
    }
}
