//! What was looked at and what was found: one line each, with its remedy.
//!
//! A report is plain data. Whoever renders it decides on colour and width; whoever reads it as JSON finds
//! the same words.

use crate::severity::{Health, Severity};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in a few words: "history log".
    pub subject: &'static str,
    /// How it turned out.
    pub outcome: Outcome,
    /// What was seen, as evidence: a path, a version, a number.
    pub evidence: String,
    /// What to do about it; empty when there is nothing to do.
    pub remedy: String,
}

/// How a check turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Fine,
    /// A finding.
    Found(Severity),
    /// It could not be looked at; the evidence says why.
    Unknown,
}

impl Outcome {
    /// The word in front of the line.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Fine | Outcome::Found(Severity::Info) => "ok",
            Outcome::Found(Severity::Warning) => "warning",
            Outcome::Found(_) => "problem",
            Outcome::Unknown => "unknown",
        }
    }
}

impl Check {
    /// Describes something as it should be.
    pub fn fine(subject: &'static str, evidence: impl Into<String>) -> Check {
        let (evidence, remedy) = (evidence.into(), String::new());
        Check {
            subject,
            outcome: Outcome::Fine,
            evidence,
            remedy,
        }
    }

    /// Describes a finding.
    pub fn found(
        severity: Severity,
        subject: &'static str,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Check {
        let (evidence, remedy) = (evidence.into(), remedy.into());
        Check {
            subject,
            outcome: Outcome::Found(severity),
            evidence,
            remedy,
        }
    }

    /// Describes something that could not be looked at, and why.
    pub fn unknown(subject: &'static str, why: impl Into<String>) -> Check {
        let (evidence, remedy) = (why.into(), String::new());
        Check {
            subject,
            outcome: Outcome::Unknown,
            evidence,
            remedy,
        }
    }
}

/// Everything that was looked at, in the order in which it is worth reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
}

impl Report {
    /// The health of the whole; what could not be looked at does not make it worse.
    pub fn health(&self) -> Health {
        Health::of(self.checks.iter().filter_map(|check| match check.outcome {
            Outcome::Found(severity) => Some(severity),
            Outcome::Fine | Outcome::Unknown => None,
        }))
    }

    /// Whether something does not work.
    pub fn has_problem(&self) -> bool {
        self.checks.iter().any(|check| check.outcome.word() == "problem")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_work_is_a_problem() {
        fn check(check: Check, health: Health, problem: bool) {
            let report = Report {
                checks: vec![Check::fine("a", "b"), check],
            };
            assert_eq!((report.health(), report.has_problem()), (health, problem));
        }
        check(Check::fine("a", "b"), Health::Healthy, false);
        check(Check::unknown("a", "no /proc"), Health::Healthy, false);
        check(Check::found(Severity::Info, "a", "b", ""), Health::Healthy, false);
        check(
            Check::found(Severity::Warning, "a", "b", "c"),
            Health::Warning,
            false,
        );
        check(
            Check::found(Severity::Minor, "a", "b", "c"),
            Health::Degraded,
            true,
        );
        check(Check::found(Severity::Fatal, "a", "b", "c"), Health::Failed, true);
    }
}
