//! Tasks: what is done on a schedule, as data.

use serde::{Deserialize, Serialize};

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
