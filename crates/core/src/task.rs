//! Tasks: what is done on a schedule, as data.
//!
//! One file for each kind that comes with the system, listed in [`table`]; users and hosts register more under the
//! same limits. What a kind *does* is its planner's and the executor's; here stands when, how urgent, for how long,
//! and how often it is tried again.
//!
//! Invariant: a task that [`check`](Task::check) lets through is bounded in every field.

pub mod backup;
pub mod cache_cleanup;
mod check;
pub mod config_sync;
mod feature_upgrade;
pub mod health_check;
pub mod ledger;
pub mod log_rotation;
pub mod memory_defrag;
pub mod order;
pub mod performance;
mod plugin_update;
mod security_scan;
pub mod statistics;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::check::{
    ARGUMENT_BYTES_MAX, ARGUMENTS_MAX, BUDGET_MS_MAX, BUDGET_MS_MIN, DESCRIPTION_BYTES_MAX, NAME_BYTES_MAX,
    PARAMETERS_MAX, RETRIES_MAX, RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MIN, TaskError, VALUE_BYTES_MAX,
};
use crate::schedule::Schedule;

/// The ten kinds of task that come with the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Looks at every metric and says how the parts are doing.
    HealthCheck,
    /// Makes what is slow faster, or says how.
    Performance,
    /// Removes what caches hold for nothing.
    CacheCleanup,
    /// Gives memory back that sessions hold and do not use.
    MemoryDefrag,
    /// Brings the configuration in force in line with its sources.
    ConfigSync,
    /// Looks for what endangers the user.
    SecurityScan,
    /// Saves history, configuration, state and plugins.
    Backup,
    /// Keeps logs from growing without bound.
    LogRotation,
    /// Brings plugins up to date.
    PluginUpdate,
    /// Moves features along their stages.
    FeatureUpgrade,
}

impl TaskKind {
    /// Every kind, in the order in which they are listed.
    pub const ALL: &[TaskKind] = &[
        TaskKind::HealthCheck,
        TaskKind::Performance,
        TaskKind::CacheCleanup,
        TaskKind::MemoryDefrag,
        TaskKind::ConfigSync,
        TaskKind::SecurityScan,
        TaskKind::Backup,
        TaskKind::LogRotation,
        TaskKind::PluginUpdate,
        TaskKind::FeatureUpgrade,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            TaskKind::HealthCheck => "health-check",
            TaskKind::Performance => "performance",
            TaskKind::CacheCleanup => "cache-cleanup",
            TaskKind::MemoryDefrag => "memory-defrag",
            TaskKind::ConfigSync => "config-sync",
            TaskKind::SecurityScan => "security-scan",
            TaskKind::Backup => "backup",
            TaskKind::LogRotation => "log-rotation",
            TaskKind::PluginUpdate => "plugin-update",
            TaskKind::FeatureUpgrade => "feature-upgrade",
        }
    }

    /// Finds a kind by its name.
    pub fn named(name: &str) -> Option<TaskKind> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// The system's stability hangs on it.
    Critical,
    /// Speed.
    High,
    /// Features.
    Medium,
    /// In the background.
    Low,
    /// Only while all sessions are idle.
    Deferred,
}

impl Priority {
    /// Every priority, the first to go first.
    pub const ALL: &[Priority] = &[
        Priority::Critical,
        Priority::High,
        Priority::Medium,
        Priority::Low,
        Priority::Deferred,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Priority::Critical => "critical",
            Priority::High => "high",
            Priority::Medium => "medium",
            Priority::Low => "low",
            Priority::Deferred => "deferred",
        }
    }
}

/// When a task that is due may start, as data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// At any time.
    #[default]
    Always,
    /// While there is at least one session.
    AnySession,
    /// While nobody types and no session runs a command; also without any session.
    AllSessionsIdle,
}

/// What conditions ask about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// How many live sessions there are.
    pub live: u32,
    /// How many of them are idle.
    pub idle: u32,
}

/// Something that is done on a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Unique; 1 to [`NAME_BYTES_MAX`] of a–z, 0–9 and `-`.
    pub name: String,
    /// What comes with the system; none for what a user or a host registered.
    #[serde(default)]
    pub kind: Option<TaskKind>,
    /// One line for people, at most [`DESCRIPTION_BYTES_MAX`] bytes.
    pub description: String,
    /// What its planner or its command is told, at most [`PARAMETERS_MAX`].
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// What goes first, and what is shed first.
    pub priority: Priority,
    /// When it is due.
    pub schedule: Schedule,
    /// Whether the schedule counts; one that is not enabled runs only when asked.
    pub enabled: bool,
    /// How long one run may take, in milliseconds, [`BUDGET_MS_MIN`] to [`BUDGET_MS_MAX`].
    pub budget_ms: u64,
    /// How often it is tried again after it failed, at most [`RETRIES_MAX`].
    #[serde(default)]
    pub retries: u32,
    /// How long after a failure, in milliseconds; with retries [`RETRY_DELAY_MS_MIN`] to [`RETRY_DELAY_MS_MAX`].
    #[serde(default)]
    pub retry_delay_ms: u64,
    /// When it may start once it is due.
    #[serde(default)]
    pub condition: Condition,
    /// What is run: the program and its arguments, by no shell. Only for what was registered.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// What is run afterwards, after success, failure, timeout and panic alike.
    #[serde(default)]
    pub cleanup: Option<Vec<String>>,
}

impl Task {
    /// A kind with what most kinds have; its file says what is different.
    fn shipped(kind: TaskKind, description: &str, priority: Priority, schedule: Schedule) -> Task {
        Task {
            name: kind.name().to_owned(),
            kind: Some(kind),
            description: description.to_owned(),
            parameters: BTreeMap::new(),
            priority,
            schedule,
            enabled: true,
            budget_ms: 60_000,
            retries: 0,
            retry_delay_ms: 0,
            condition: Condition::Always,
            command: None,
            cleanup: None,
        }
    }

    /// A task that a user or a host registers, as it is unless they say otherwise: without a command it is a host's.
    pub fn registered(name: &str, description: &str, schedule: Schedule) -> Task {
        Task {
            name: name.to_owned(),
            kind: None,
            description: description.to_owned(),
            parameters: BTreeMap::new(),
            priority: Priority::Low,
            schedule,
            enabled: true,
            budget_ms: 10 * 60 * 1_000,
            retries: 0,
            retry_delay_ms: 60 * 1_000,
            condition: Condition::Always,
            command: None,
            cleanup: None,
        }
    }

    /// Returns how long to wait before the next attempt, or none if it is over until the next due time.
    ///
    /// `attempt` is how many attempts at this due time have failed, from 1.
    pub fn retry_after(&self, attempt: u32) -> Option<Duration> {
        let again = (1..=self.retries.min(RETRIES_MAX)).contains(&attempt);
        again.then(|| Duration::from_millis(self.retry_delay_ms))
    }

    /// Tells whether it may start now that it is due: its condition holds, and if it is deferred, all sessions are
    /// idle. What is asked for by a person need not ask.
    pub fn may_start(&self, sessions: Sessions) -> bool {
        let deferred = self.priority == Priority::Deferred && !sessions.all_idle();
        !deferred && self.condition.holds(sessions)
    }
}

impl Sessions {
    /// Whether nobody would be disturbed; true without sessions.
    pub const fn all_idle(self) -> bool {
        self.idle >= self.live
    }
}

impl Condition {
    /// Whether it holds.
    pub const fn holds(self, sessions: Sessions) -> bool {
        match self {
            Condition::Always => true,
            Condition::AnySession => sessions.live > 0,
            Condition::AllSessionsIdle => sessions.all_idle(),
        }
    }
}

/// The tasks that come with the system, in the order of [`TaskKind::ALL`].
pub fn table() -> Vec<Task> {
    TaskKind::ALL.iter().map(|kind| definition(*kind)).collect()
}

fn definition(kind: TaskKind) -> Task {
    match kind {
        TaskKind::HealthCheck => health_check::task(),
        TaskKind::Performance => performance::task(),
        TaskKind::CacheCleanup => cache_cleanup::task(),
        TaskKind::MemoryDefrag => memory_defrag::task(),
        TaskKind::ConfigSync => config_sync::task(),
        TaskKind::SecurityScan => security_scan::task(),
        TaskKind::Backup => backup::task(),
        TaskKind::LogRotation => log_rotation::task(),
        TaskKind::PluginUpdate => plugin_update::task(),
        TaskKind::FeatureUpgrade => feature_upgrade::task(),
    }
}

/// Whether this version does what the kind is for. The others are listed, are due, and say that they are not built.
pub const fn built(kind: TaskKind) -> bool {
    match kind {
        TaskKind::HealthCheck
        | TaskKind::MemoryDefrag
        | TaskKind::LogRotation
        | TaskKind::Performance
        | TaskKind::Backup
        | TaskKind::ConfigSync
        | TaskKind::CacheCleanup => true,
        TaskKind::SecurityScan | TaskKind::PluginUpdate | TaskKind::FeatureUpgrade => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn the_table_is_in_order_and_within_the_limits() {
        let table = table();
        let kinds: Vec<_> = table.iter().filter_map(|task| task.kind).collect();
        assert_eq!(kinds, TaskKind::ALL);
        for task in &table {
            task.check().unwrap();
            let json = serde_json::to_string(task).unwrap();
            assert_eq!(&serde_json::from_str::<Task>(&json).unwrap(), task);
        }
    }

    #[test]
    fn the_default_schedule() {
        let mut shown = String::new();
        for task in table() {
            let Task {
                name,
                schedule,
                priority,
                budget_ms,
                retries,
                ..
            } = &task;
            let built = if task.kind.is_some_and(built) {
                "built"
            } else {
                "not built"
            };
            let schedule = schedule.to_string();
            writeln!(
                shown,
                "{name:15} {schedule:14} {:9} {budget_ms:>8} ms, {retries} retries, {built}",
                priority.name()
            )
            .unwrap();
        }
        insta::assert_snapshot!(shown, @r#"
        health-check    every 30m      critical      5000 ms, 0 retries, built
        performance     every 2h       high         60000 ms, 0 retries, built
        cache-cleanup   20 4 * * *     low          60000 ms, 0 retries, built
        memory-defrag   every 6h       deferred     30000 ms, 0 retries, built
        config-sync     every 1h       medium      300000 ms, 2 retries, built
        security-scan   every 5m       critical     10000 ms, 0 retries, not built
        backup          0 2 * * SUN    high       3600000 ms, 3 retries, built
        log-rotation    40 3 * * *     low          60000 ms, 1 retries, built
        plugin-update   0 5 * * WED    medium      600000 ms, 2 retries, not built
        feature-upgrade 0 3 * * SUN#1  medium      600000 ms, 0 retries, not built
        "#);
    }

    #[test]
    fn retries_end() {
        let mut task = backup::task();
        (task.retries, task.retry_delay_ms) = (2, 5_000);
        let waits: Vec<_> = (0..5).map(|attempt| task.retry_after(attempt)).collect();
        let wait = Some(Duration::from_secs(5));
        assert_eq!(waits, [None, wait, wait, None, None]);
        task.retries = u32::MAX;
        assert_eq!(task.retry_after(RETRIES_MAX + 1), None);
    }

    #[test]
    fn deferred_work_waits_until_all_sessions_are_idle() {
        fn check(priority: Priority, condition: Condition, live: u32, idle: u32, expect: bool) {
            let task = Task {
                priority,
                condition,
                ..health_check::task()
            };
            assert_eq!(
                task.may_start(Sessions { live, idle }),
                expect,
                "{priority:?} {condition:?} {idle}/{live}"
            );
        }
        check(Priority::Low, Condition::Always, 2, 0, true);
        check(Priority::Deferred, Condition::Always, 2, 1, false);
        check(Priority::Deferred, Condition::Always, 2, 2, true);
        check(Priority::Deferred, Condition::Always, 0, 0, true);
        check(Priority::Critical, Condition::AllSessionsIdle, 2, 1, false);
        check(Priority::Critical, Condition::AnySession, 0, 0, false);
        check(Priority::Critical, Condition::AnySession, 1, 0, true);
    }
}
