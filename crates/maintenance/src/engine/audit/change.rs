//! What a record changes, for whoever looks for the cause of something slower.
//!
//! Invariant: whatever can be asked for and changes something has its row, or changes what is set up.

use lle_core::policy::Operation;
use lle_core::series::blame::{self, ChangeKind};
use lle_core::task::TaskKind;

use super::Entry;
use crate::world::Now;

/// Operations after which nothing is different.
const MEASURES: [&str; 2] = [lle_core::plan::CHECK_HEALTH, lle_core::plan::FIT_MODELS];
/// What kinds of change requests are; any other, as one that applies a configuration, changes what is set up.
const REQUESTED: &[(Operation, ChangeKind)] = &[
    // They make the engine go on with what it is there for, or leave it.
    (Operation::Start, ChangeKind::Worker),
    (Operation::Stop, ChangeKind::Worker),
    (Operation::Pause, ChangeKind::Worker),
    (Operation::Resume, ChangeKind::Worker),
    (Operation::Cancel, ChangeKind::Worker),
    // Nothing is different afterwards but what is known.
    (Operation::Acknowledge, ChangeKind::Worker),
    (Operation::SignOff, ChangeKind::Worker),
    (Operation::ConfigConfirm, ChangeKind::Worker),
    // They say which tasks run, and when.
    (Operation::Run, ChangeKind::Task),
    (Operation::Schedule, ChangeKind::Task),
    (Operation::Enable, ChangeKind::Task),
    (Operation::Disable, ChangeKind::Task),
    (Operation::Register, ChangeKind::Task),
    (Operation::Unregister, ChangeKind::Task),
    // They read and copy; a session is none the slower once they are done.
    (Operation::Backup, ChangeKind::Task),
    (Operation::Recover, ChangeKind::Task),
    (Operation::Optimize, ChangeKind::Feature),
    (Operation::RestoreRc, ChangeKind::Rc),
    (Operation::History, ChangeKind::Other),
];

impl Entry {
    /// What it changes, for whoever looks for a cause; none if it changes nothing, or says only how that ended.
    pub(super) fn as_change(&self, now: Now) -> Option<blame::Change> {
        (self.phase == "intent" && !MEASURES.contains(&self.operation.as_str())).then(|| blame::Change {
            at_ns: now.wall_ns,
            what: match self.target.is_empty() {
                true => self.operation.clone(),
                false => format!("{}: {}", self.target, self.operation),
            },
            kind: self.kind(),
            session: None,
            number: None,
        })
    }

    /// What kind of change it is: a plan's is its task's, a request's stands in the table.
    fn kind(&self) -> ChangeKind {
        match self.plan {
            // What `performance` does is to turn levers.
            1.. if self.target == TaskKind::Performance.name() => ChangeKind::Feature,
            1.. => ChangeKind::Task,
            0 => REQUESTED
                .iter()
                .find(|(operation, _)| operation.name() == self.operation)
                .map_or(ChangeKind::Config, |(_, kind)| *kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use lle_core::policy::{Class, Who};

    use super::*;

    #[test]
    fn what_was_asked_for_is_a_change_of_what_it_can_move() {
        let who = Who::peer(7, None, 7);
        let check = |operation: &str, expect: ChangeKind| {
            let entry = Entry::request("intent", &who, operation, "", "");
            assert_eq!(entry.kind(), expect, "{operation}");
        };
        check("stop", ChangeKind::Worker);
        check("start", ChangeKind::Worker);
        check("schedule", ChangeKind::Task);
        check("optimize", ChangeKind::Feature);
        check("apply the configuration", ChangeKind::Config);
        check("set-mode", ChangeKind::Config);
        // Whatever else can be asked for has its row.
        for operation in Operation::all() {
            let is_plan = matches!(operation, Operation::Measure(_) | Operation::Act(_));
            let sets_up = matches!(operation, Operation::SetMode(_) | Operation::ConfigArm);
            let has_row = REQUESTED.iter().any(|(row, _)| *row == operation);
            let expect = operation.class() != Class::Read && !is_plan && !sets_up;
            assert_eq!(has_row, expect, "{}", operation.name());
        }
    }
}
