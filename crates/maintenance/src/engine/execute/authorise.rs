//! Whether a plan may be carried out: what it is to the policy, as whose, and with which commands.
//!
//! Invariant: there is no other way to an [`Authorised`] plan. A plan that runs several commands is authorised for each
//! of them.

use lle_core::plan::{Action, Plan};
use lle_core::policy::{self, Authorised, Kind, Operation, Target, Who};
use lle_core::task::TaskKind;

use crate::api::Fault;
use crate::engine::Engine;
use crate::engine::audit::Entry;
use crate::world::{Now, World};

impl Engine {
    /// Checks a plan against the policy.
    pub(super) fn authorise<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        plan: Plan,
    ) -> Result<Authorised<Plan>, Fault> {
        let kind = self.state.tasks.get(&plan.task).and_then(|known| known.task.kind);
        let task = plan.task.clone();
        let operation = operation_of(&plan, kind, who);
        let commands = commands_of(&plan);
        let refused = commands.iter().find_map(|command| {
            let target = Target::Command { task: &task, command };
            policy::authorise(*who, operation, target, (), &self.config.policy).err()
        });
        let target = match commands.first() {
            Some(command) => Target::Command { task: &task, command },
            None => Target::Task(&task),
        };
        let authorised = match refused {
            Some(refusal) => Err(refusal),
            None => policy::authorise(*who, operation, target, plan, &self.config.policy),
        };
        match authorised {
            Ok(plan) => Ok(plan),
            Err(refusal) => {
                self.worker.refused += 1;
                let fault = Fault::new(refusal.code, refusal.to_string()).with_hint(refusal.remedy());
                self.record(
                    world,
                    now,
                    &Entry::refused(who, operation.name(), &task, &fault.message),
                );
                Err(fault)
            }
        }
    }
}

/// What a plan is to the policy: a person runs a task, the engine measures or acts in its area.
fn operation_of(plan: &Plan, kind: Option<TaskKind>, who: &Who) -> Operation {
    let measures = plan.steps.iter().all(|step| step.action.measures());
    match (kind, who.kind) {
        (Some(kind), Kind::System) if measures => Operation::Measure(kind),
        (Some(kind), Kind::System) => Operation::Act(kind),
        _ => Operation::Run,
    }
}

/// What a plan runs, to undo something too: no second command hides behind the first.
fn commands_of(plan: &Plan) -> Vec<String> {
    let actions = plan
        .steps
        .iter()
        .flat_map(|step| std::iter::once(&step.action).chain(&step.undo));
    let commands = actions.filter_map(|action| match action {
        Action::RunCommand { command, .. } => Some(command.join(" ")),
        _ => None,
    });
    commands.collect()
}
