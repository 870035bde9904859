//! Authorisation: who may do what, on what, by whose rules.
//!
//! ```text
//! who, operation, target ─▸ kind of caller ─▸ built-in ─▸ system's rules ─▸ user's rules ─▸ Authorised<T>
//!                                  └──────────────┴──────────────┴──────────────┴─▸ Refusal
//! ```
//!
//! Invariant: a layer can only refuse. What the system's rules forbid stays forbidden whatever the user's say, and
//! the user's rules never hold back what the system requires. The decision allocates nothing.

mod operation;
mod rules;
mod sanitise;

use std::fmt;

pub use operation::{Class, Operation};
pub use rules::{Commands, PolicyRules, Problem, RULES_MAX};
pub use sanitise::sanitise;

use crate::error::Code;
use crate::mode::Mode;
use crate::task::TaskKind;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user, as the kernel has it.
    pub uid: u32,
    /// The process, where the kernel says.
    pub pid: Option<u32>,
    /// What the user is to this engine.
    pub kind: Kind,
}

/// What somebody is to this engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The user whose sessions it serves.
    Owner,
    /// The engine itself, on its schedule.
    System,
    /// Anybody else, root among them: root has other ways.
    Other,
}

/// On what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// On everything, or on nothing in particular.
    All,
    /// On a task, by its name.
    Task(&'a str),
    /// On a registered task that runs a command.
    Command {
        /// The task's name.
        task: &'a str,
        /// What it runs.
        command: &'a str,
    },
    /// On an area of work.
    Area(TaskKind),
}

/// Whose rule it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The program's own.
    BuiltIn,
    /// The machine's, which no user can weaken.
    System,
    /// The user's.
    User,
}

/// Which rule it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Only the owner and the engine may do anything.
    Caller,
    /// The engine does not administer itself.
    Administration,
    /// The operation is denied.
    DeniedOperation,
    /// The area may not go that far.
    ModeMax,
    /// The task is required.
    RequiredTask,
    /// The command is not among those allowed.
    TaskCommand,
    /// What cannot be audited may not be done.
    AuditRequired,
}

/// Why something was refused. Small and without text of its own, so that refusing costs nothing either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The row of the error table.
    pub code: Code,
    /// Whose rule it was.
    pub layer: Layer,
    /// Which rule it was.
    pub rule: Rule,
}

/// Something that was authorised, and the only proof of it: it comes from nowhere but [`authorise`].
///
/// ```compile_fail
/// let forged = lle_core::policy::Authorised("a plan");
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Authorised<T>(T);

/// The rules in force, by layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    built_in: PolicyRules,
    system: PolicyRules,
    user: PolicyRules,
}

/// Lets `value` through if `who` may do `operation` on `target`.
///
/// The operation on a registered task that runs a command has [`Target::Command`] as its target: with any other, the
/// rules on commands have nothing to look at. Ending a run that overran its time is no operation and asks nobody.
pub fn authorise<T>(
    who: Who,
    operation: Operation,
    target: Target<'_>,
    value: T,
    policy: &Policy,
) -> Result<Authorised<T>, Refusal> {
    policy.decide(who, operation, target)?;
    Ok(Authorised(value))
}

impl<T> Authorised<T> {
    /// What was authorised.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Gives up the proof for what was authorised.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl Policy {
    /// Combines the machine's rules with the user's, under the program's own, which refuse nothing but strangers.
    pub fn combine(system: PolicyRules, user: PolicyRules) -> Policy {
        Policy {
            built_in: PolicyRules::default(),
            system,
            user,
        }
    }

    /// The same with rules of the program's own, for a host that embeds it.
    pub fn under(self, built_in: PolicyRules) -> Policy {
        Policy { built_in, ..self }
    }

    /// The same after the files were read again: the machine's rules, and the user's if there is such a file to follow.
    pub fn reread(&self, system: PolicyRules, user: Option<PolicyRules>) -> Policy {
        Policy {
            built_in: self.built_in.clone(),
            system,
            user: user.unwrap_or_else(|| self.user.clone()),
        }
    }

    /// How far `area`, a kind of task or a registered task by its name, may go by itself.
    pub fn mode_max(&self, area: &str) -> Mode {
        let given = |(layer, rules): (Layer, &PolicyRules)| {
            // Whoever is required to act is not held back by its user.
            let held = layer != Layer::User || !self.requires(area);
            held.then(|| rules.mode_max(area))
        };
        let modes = self.layers().into_iter().filter_map(given);
        modes.min().unwrap_or(Mode::Automatic)
    }

    /// Whether the machine requires the task of that name.
    pub fn requires(&self, task: &str) -> bool {
        self.built_in.requires(task) || self.system.requires(task)
    }

    /// Refuses `operation` where it cannot be audited and a layer wants that it is. Reading changes nothing and
    /// is let through.
    pub fn unaudited(&self, operation: Operation) -> Result<(), Refusal> {
        match self.layers().into_iter().find(|(_, rules)| rules.audit_required) {
            Some((layer, _)) if operation.class() != Class::Read => {
                Err(Refusal::by(layer, Rule::AuditRequired))
            }
            _ => Ok(()),
        }
    }

    fn layers(&self) -> [(Layer, &PolicyRules); 3] {
        [
            (Layer::BuiltIn, &self.built_in),
            (Layer::System, &self.system),
            (Layer::User, &self.user),
        ]
    }

    fn decide(&self, who: Who, operation: Operation, target: Target<'_>) -> Result<(), Refusal> {
        match (who.kind, operation.class()) {
            (Kind::Other, _) => return Err(Refusal::of_caller(Rule::Caller)),
            (Kind::System, Class::Administer) => return Err(Refusal::of_caller(Rule::Administration)),
            _ => {}
        }
        let acts_on = operation.area().or(target.name());
        let required = operation.carries_out() && acts_on.is_some_and(|task| self.requires(task));
        for (layer, rules) in self.layers() {
            if layer == Layer::User && required {
                continue;
            }
            if let Some(rule) = rules.forbid(who.kind, operation, target) {
                return Err(Refusal::by(layer, rule));
            }
        }
        Ok(())
    }
}

impl Who {
    /// The engine itself.
    pub const fn engine(uid: u32) -> Who {
        Who {
            uid,
            pid: None,
            kind: Kind::System,
        }
    }

    /// The other end of a socket, by the kernel's word, where the engine serves `owner`.
    pub const fn peer(uid: u32, pid: Option<u32>, owner: u32) -> Who {
        let kind = if uid == owner { Kind::Owner } else { Kind::Other };
        Who { uid, pid, kind }
    }
}

impl<'a> Target<'a> {
    /// The task's or the area's name, if it is one.
    pub fn name(self) -> Option<&'a str> {
        match self {
            Target::All => None,
            Target::Task(task) | Target::Command { task, .. } => Some(task),
            Target::Area(kind) => Some(kind.name()),
        }
    }

    /// Whether the task of that name is within it.
    fn covers(self, task: &str) -> bool {
        self.name().is_none_or(|name| name == task)
    }
}

impl Refusal {
    fn of_caller(rule: Rule) -> Refusal {
        Refusal {
            code: Code::Unauthorized,
            layer: Layer::BuiltIn,
            rule,
        }
    }

    fn by(layer: Layer, rule: Rule) -> Refusal {
        Refusal {
            code: Code::PolicyViolation,
            layer,
            rule,
        }
    }

    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match (self.rule, self.layer) {
            (Rule::Caller, _) => "ask as the user whose sessions these are",
            (Rule::Administration, _) => "do it yourself: lusush maint",
            (Rule::AuditRequired, _) => "make the audit log writable again: lusush maint audit verify",
            (_, Layer::User) => "change your own policy",
            (_, Layer::System) => "ask whoever looks after this machine to change its policy",
            (_, Layer::BuiltIn) => "change the policy of the program that embeds this",
        }
    }
}

impl Layer {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::BuiltIn => "built-in",
            Layer::System => "system",
            Layer::User => "user",
        }
    }
}

impl Rule {
    /// The stable name: the key of the policy, where there is one.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::Caller => "caller",
            Rule::Administration => "administration",
            Rule::DeniedOperation => "denied_operations",
            Rule::ModeMax => "mode_max",
            Rule::RequiredTask => "required_tasks",
            Rule::TaskCommand => "task_commands_allowed",
            Rule::AuditRequired => "audit_required",
        }
    }

    /// What it says, as the end of a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Rule::Caller => "only the owner and the engine may do anything here",
            Rule::Administration => "the engine does not administer itself",
            Rule::DeniedOperation => "the operation is denied",
            Rule::ModeMax => "the area may not go that far by itself",
            Rule::RequiredTask => "a task that this would hold back is required",
            Rule::TaskCommand => "the command is not among those allowed",
            Rule::AuditRequired => "it cannot be audited, and has to be",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (about, layer, rule) = (self.rule.about(), self.layer.name(), self.rule.name());
        write!(f, "{about} ({layer} policy, {rule})")
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests;
