//! The rules of one layer, as its file has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, Operation, Rule, Target};
use crate::mode::Mode;

/// How many entries any list of a policy may have. A decision looks at all of them; with this many in each list of each
/// layer it still keeps its budget.
pub const RULES_MAX: usize = 32;

/// The area that stands for every area without an entry of its own.
const EVERY: &str = "*";

/// What a command may not contain where only some are allowed: with these, a shell would run others too.
const SHELL: &[char] = &[';', '&', '|', '`', '$', '(', ')', '<', '>', '\n', '\r', '\0'];

/// The rules of one layer. What is left out forbids nothing.
///
/// The file of the system's layer, `/etc/lusush/policy.toml`:
///
/// ```toml
/// denied_operations = ["register", "act-plugin-update"]
/// required_tasks = ["backup", "security-scan"]
/// task_commands_allowed = ["/usr/bin/rsync", "/opt/team/"]
/// audit_required = true
///
/// [mode_max]
/// "*" = "advise"
/// backup = "automatic"
/// ```
///
/// ```
/// use lle_core::mode::Mode;
/// use lle_core::policy::PolicyRules;
///
/// let rules: PolicyRules = serde_json::from_str(r#"{ "mode_max": { "*": "advise", "backup": "automatic" } }"#)?;
/// assert_eq!(rules.mode_max("backup"), Mode::Automatic);
/// assert_eq!(rules.mode_max("performance"), Mode::Advise);
/// // A key that nobody reads would be a rule that nobody obeys.
/// assert!(serde_json::from_str::<PolicyRules>(r#"{ "denied": ["stop"] }"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyRules {
    /// How far an area, or a registered task by its name, may go by itself; `*` is all others.
    pub mode_max: BTreeMap<String, Mode>,
    /// Operations that nobody may do, by name; `act` and `measure` are those of every kind of task.
    pub denied_operations: Vec<String>,
    /// Tasks that nobody may hold back.
    pub required_tasks: Vec<String>,
    /// Which commands registered tasks may run.
    pub task_commands_allowed: Commands,
    /// What cannot be audited is not done.
    pub audit_required: bool,
}

/// Which commands registered tasks may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Commands {
    /// All, or none.
    All(bool),
    /// Those that begin with one of these: whole words, or a folder with its `/`. Nothing that a shell would take for
    /// more than one plain command.
    Prefixes(Vec<String>),
}

/// Something in a policy that cannot be what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no such operation.
    UnknownOperation(String),
    /// More than [`RULES_MAX`] entries.
    TooMany(&'static str),
    /// A prefix that allows nothing, or everything.
    EmptyPrefix,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::UnknownOperation(name) => write!(out, "there is no operation {name}"),
            Problem::TooMany(list) => write!(out, "{list} has more than {RULES_MAX} entries"),
            Problem::EmptyPrefix => out.write_str("task_commands_allowed has an empty entry"),
        }
    }
}

impl PolicyRules {
    /// How far `area` may go by itself.
    pub fn mode_max(&self, area: &str) -> Mode {
        let given = self.mode_max.get(area).or_else(|| self.mode_max.get(EVERY));
        given.copied().unwrap_or(Mode::Automatic)
    }

    /// What cannot be meant, for whoever reads the file to report. The other rules hold all the same.
    pub fn problems(&self) -> Vec<Problem> {
        let known = |name: &str| Operation::all().any(|operation| operation.is_named(name));
        let unknown = self.denied_operations.iter().filter(|name| !known(name));
        let mut problems: Vec<Problem> = unknown.cloned().map(Problem::UnknownOperation).collect();
        let prefixes = match &self.task_commands_allowed {
            Commands::All(_) => &[][..],
            Commands::Prefixes(prefixes) => prefixes,
        };
        if prefixes.iter().any(|prefix| prefix.trim().is_empty()) {
            problems.push(Problem::EmptyPrefix);
        }
        let lists = [
            ("mode_max", self.mode_max.len()),
            ("denied_operations", self.denied_operations.len()),
            ("required_tasks", self.required_tasks.len()),
            ("task_commands_allowed", prefixes.len()),
        ];
        let long = lists.into_iter().filter(|(_, entries)| *entries > RULES_MAX);
        problems.extend(long.map(|(list, _)| Problem::TooMany(list)));
        problems
    }

    pub(super) fn requires(&self, task: &str) -> bool {
        self.required_tasks.iter().any(|required| required == task)
    }

    /// The rule that forbids it, if there is one.
    pub(super) fn forbid(&self, kind: Kind, operation: Operation, target: Target<'_>) -> Option<Rule> {
        if self.denied_operations.iter().any(|name| operation.is_named(name)) {
            return Some(Rule::DeniedOperation);
        }
        if self.goes_too_far(kind, operation, target) {
            return Some(Rule::ModeMax);
        }
        let mut required = self.required_tasks.iter();
        if required.any(|task| target.covers(task) && operation.holds_back(|| self.mode_max(task))) {
            return Some(Rule::RequiredTask);
        }
        match target {
            Target::Command { command, .. }
                if starts(operation) && !self.task_commands_allowed.allow(command) =>
            {
                Some(Rule::TaskCommand)
            }
            _ => None,
        }
    }

    /// A mode is about what is done without being asked: it does not bind the owner who asks.
    fn goes_too_far(&self, kind: Kind, operation: Operation, target: Target<'_>) -> bool {
        match (operation, kind, target) {
            (Operation::SetMode(mode), _, _) => match target.name() {
                Some(area) => mode > self.mode_max(area),
                None => self.mode_max.values().any(|&most| mode > most),
            },
            (Operation::Act(area), Kind::System, _) => self.mode_max(area.name()) < Mode::Automatic,
            (Operation::Run, Kind::System, Target::Command { task, .. }) => {
                self.mode_max(task) < Mode::Automatic
            }
            _ => false,
        }
    }
}

/// Whether a command runs because of it, now or later.
fn starts(operation: Operation) -> bool {
    use Operation::{Enable, Register, Resume, Run, Schedule};
    matches!(operation, Enable | Register | Resume | Run | Schedule)
}

impl Default for Commands {
    fn default() -> Commands {
        Commands::All(true)
    }
}

impl Commands {
    fn allow(&self, command: &str) -> bool {
        match self {
            Commands::All(all) => *all,
            Commands::Prefixes(prefixes) => {
                let plain = !command.contains(SHELL) && !command.contains("..");
                plain && prefixes.iter().any(|prefix| begins(command, prefix))
            }
        }
    }
}

/// Whether `command` begins with the words of `prefix`.
fn begins(command: &str, prefix: &str) -> bool {
    let Some(rest) = command.strip_prefix(prefix) else {
        return false;
    };
    !prefix.trim().is_empty() && (rest.is_empty() || prefix.ends_with([' ', '/']) || rest.starts_with(' '))
}
