//! How bad a finding is, and how well a part is doing: the words every report uses.

use std::fmt;

/// How bad one finding is, from worth knowing to fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "engine",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// May become a problem.
    Warning,
    /// Something small does not work.
    Minor,
    /// Something that matters does not work.
    Major,
    /// Data or safety is at stake.
    Critical,
    /// Nothing works.
    Fatal,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: &[Severity] = &[
        Severity::Info,
        Severity::Warning,
        Severity::Minor,
        Severity::Major,
        Severity::Critical,
        Severity::Fatal,
    ];

    /// The stable name, as reports and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Minor => "minor",
            Severity::Major => "major",
            Severity::Critical => "critical",
            Severity::Fatal => "fatal",
        }
    }
}

/// How a part is doing, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "engine",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum Health {
    /// Nothing found.
    Healthy,
    /// Something may become a problem.
    Warning,
    /// Something does not work.
    Degraded,
    /// Data or safety is at stake.
    Critical,
    /// Nothing works.
    Failed,
    /// It could not be looked at.
    Unknown,
}

impl Health {
    /// The stable name, as reports and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Warning => "warning",
            Health::Degraded => "degraded",
            Health::Critical => "critical",
            Health::Failed => "failed",
            Health::Unknown => "unknown",
        }
    }

    /// The health of something with these findings; healthy without any.
    pub fn of(findings: impl IntoIterator<Item = Severity>) -> Health {
        match findings.into_iter().max() {
            None | Some(Severity::Info) => Health::Healthy,
            Some(Severity::Warning) => Health::Warning,
            Some(Severity::Minor | Severity::Major) => Health::Degraded,
            Some(Severity::Critical) => Health::Critical,
            Some(Severity::Fatal) => Health::Failed,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides() {
        fn check(findings: &[Severity], expect: Health) {
            assert_eq!(Health::of(findings.iter().copied()), expect, "{findings:?}");
        }
        check(&[], Health::Healthy);
        check(&[Severity::Info], Health::Healthy);
        check(
            &[Severity::Major, Severity::Info, Severity::Warning],
            Health::Degraded,
        );
        check(&[Severity::Warning, Severity::Critical], Health::Critical);
        check(&[Severity::Fatal, Severity::Critical], Health::Failed);
    }
}
