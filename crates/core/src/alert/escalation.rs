//! Where an alert goes, and where next when nobody reacts. Data: this version shows above the prompt, the rest is
//! built later, and says so.

use super::Alert;
use crate::severity::Severity;

/// One way to tell somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The stable name.
    pub name: &'static str,
    /// The least severity that gets so far.
    pub severity: Severity,
    /// How long nobody has acknowledged it.
    pub after_ns: u64,
    /// Whether this version can do it.
    pub built: bool,
}

const MINUTE_NS: u64 = 60 * 1_000_000_000;

/// Every level, the first one first.
pub const LEVELS: &[Level] = &[
    Level {
        name: "prompt",
        severity: Severity::Warning,
        after_ns: 0,
        built: true,
    },
    Level {
        name: "desktop",
        severity: Severity::Major,
        after_ns: 10 * MINUTE_NS,
        built: false,
    },
    Level {
        name: "webhook",
        severity: Severity::Critical,
        after_ns: 30 * MINUTE_NS,
        built: false,
    },
    Level {
        name: "command",
        severity: Severity::Critical,
        after_ns: 60 * MINUTE_NS,
        built: false,
    },
];

/// The levels an alert has reached; none once it is acknowledged or resolved.
pub fn reached(alert: &Alert, wall_ns: u64) -> impl Iterator<Item = &'static Level> {
    let open = alert.acknowledged.is_none() && alert.resolved_wall_ns.is_none();
    let severity = alert.severity;
    let waited = wall_ns.saturating_sub(alert.raised_wall_ns);
    LEVELS
        .iter()
        .filter(move |level| open && severity >= level.severity && waited >= level.after_ns)
}
