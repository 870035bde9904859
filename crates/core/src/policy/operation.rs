//! The one table of operations: what can be asked of the engine, and what its plans do.

use crate::mode::Mode;
use crate::task::TaskKind;

/// How much an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It changes nothing.
    Read,
    /// It makes the engine do, or leave, what it is set up for.
    Operate,
    /// It changes what the engine is set up for.
    Administer,
}

macro_rules! operations {
    ($($row:ident, $name:literal, $class:ident, $about:literal;)*) => {
        /// Something that can be asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $(#[doc = $about] $row,)*
            /// Sets how far an area may go by itself.
            SetMode(Mode),
            /// A step of a plan of this kind of task that looks at something.
            Measure(TaskKind),
            /// A step of a plan of this kind of task that changes something.
            Act(TaskKind),
        }

        const PLAIN: &[Operation] = &[$(Operation::$row,)*];

        impl Operation {
            /// The stable name, as control interface, policy and audit have it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Operation::$row => $name,)*
                    Operation::SetMode(_) => "set-mode",
                    Operation::Measure(kind) => measure(kind),
                    Operation::Act(kind) => act(kind),
                }
            }

            /// How much it takes.
            pub const fn class(self) -> Class {
                match self {
                    $(Operation::$row => Class::$class,)*
                    Operation::SetMode(_) => Class::Administer,
                    Operation::Measure(_) | Operation::Act(_) => Class::Operate,
                }
            }
        }
    };
}

operations! {
    Status, "status", Read, "Says what the engine is doing.";
    Health, "health", Read, "Says how every part is doing.";
    Metrics, "metrics", Read, "Shows what was measured.";
    Tasks, "tasks", Read, "Lists the tasks.";
    Alerts, "alerts", Read, "Lists the alerts.";
    Audit, "audit", Read, "Shows the audit log.";
    Verify, "verify", Read, "Verifies the audit log.";
    Checklist, "checklist", Read, "Shows the reviews.";
    Validate, "validate", Read, "Measures the system against what was promised.";
    Trials, "trials", Read, "Lists levers, opportunities and trials.";
    ConfigTrials, "config-trials", Read, "Lists configurations that are on trial, or were.";
    Forecast, "forecast", Read, "Shows what will be.";
    Anomalies, "anomalies", Read, "Shows what is unusual.";
    Start, "start", Operate, "Starts the engine's work.";
    Stop, "stop", Operate, "Stops the engine's work.";
    Pause, "pause", Operate, "Holds tasks back for a while.";
    Resume, "resume", Operate, "Lets tasks that were held back go on.";
    Run, "run", Operate, "Runs a task now.";
    Optimize, "optimize", Operate, "Tries a lever, or ends a trial.";
    ConfigConfirm, "config-confirm", Operate, "Keeps the configuration that is on trial.";
    ConfigArm, "config-arm", Operate, "Has a configuration go again unless somebody confirms it.";
    History, "history", Operate, "Puts history back, takes something out of it, or brings something in.";
    Backup, "backup", Operate, "Takes a backup, restores from one, lets old ones go, or changes their key.";
    Recover, "recover", Operate, "Brings back what was lost or damaged.";
    Cancel, "cancel", Operate, "Ends a run of a task, or takes it off the schedule.";
    Acknowledge, "acknowledge", Operate, "Takes note of an alert.";
    RestoreRc, "restore-rc", Operate, "Makes a start-up file say again what a version said.";
    SignOff, "sign-off", Operate, "Signs a review off.";
    Schedule, "schedule", Administer, "Changes when a task runs.";
    Enable, "enable", Administer, "Lets a task run on its schedule.";
    Disable, "disable", Administer, "Keeps a task from running on its schedule.";
    Register, "register", Administer, "Adds a task.";
    Unregister, "unregister", Administer, "Removes an added task.";
}

impl Operation {
    /// Every operation, with every kind of task and every mode.
    pub fn all() -> impl Iterator<Item = Operation> {
        let kinds = || TaskKind::ALL.iter().copied();
        PLAIN
            .iter()
            .copied()
            .chain(Mode::ALL.iter().copied().map(Operation::SetMode))
            .chain(kinds().map(Operation::Measure))
            .chain(kinds().map(Operation::Act))
    }

    /// Whether `name` means it: its own, or `measure` and `act` for every kind of task.
    pub fn is_named(self, name: &str) -> bool {
        let family = match self {
            Operation::Measure(_) => "measure",
            Operation::Act(_) => "act",
            _ => self.name(),
        };
        name == family || name == self.name()
    }

    /// The area of the plan that it is a step of.
    pub(super) const fn area(self) -> Option<&'static str> {
        match self {
            Operation::Measure(kind) | Operation::Act(kind) => Some(kind.name()),
            _ => None,
        }
    }

    /// Whether it does what a task is there for.
    pub(super) const fn carries_out(self) -> bool {
        use Operation::{Act, Enable, Measure, Resume, Run, Start};
        matches!(self, Act(_) | Enable | Measure(_) | Resume | Run | Start)
    }

    /// Whether it keeps a task, which may go as far as `mode_max`, from what it is there for.
    pub(super) fn holds_back(self, mode_max: impl FnOnce() -> Mode) -> bool {
        use Operation::{Cancel, Disable, Pause, Schedule, SetMode, Stop, Unregister};
        match self {
            // Once in a hundred years is a schedule too.
            Cancel | Disable | Pause | Schedule | Stop | Unregister => true,
            SetMode(mode) => mode < Mode::Automatic && mode < mode_max(),
            _ => false,
        }
    }
}

const fn measure(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::HealthCheck => "measure-health-check",
        TaskKind::Performance => "measure-performance",
        TaskKind::CacheCleanup => "measure-cache-cleanup",
        TaskKind::MemoryDefrag => "measure-memory-defrag",
        TaskKind::ConfigSync => "measure-config-sync",
        TaskKind::SecurityScan => "measure-security-scan",
        TaskKind::Backup => "measure-backup",
        TaskKind::LogRotation => "measure-log-rotation",
        TaskKind::PluginUpdate => "measure-plugin-update",
        TaskKind::FeatureUpgrade => "measure-feature-upgrade",
    }
}

const fn act(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::HealthCheck => "act-health-check",
        TaskKind::Performance => "act-performance",
        TaskKind::CacheCleanup => "act-cache-cleanup",
        TaskKind::MemoryDefrag => "act-memory-defrag",
        TaskKind::ConfigSync => "act-config-sync",
        TaskKind::SecurityScan => "act-security-scan",
        TaskKind::Backup => "act-backup",
        TaskKind::LogRotation => "act-log-rotation",
        TaskKind::PluginUpdate => "act-plugin-update",
        TaskKind::FeatureUpgrade => "act-feature-upgrade",
    }
}
