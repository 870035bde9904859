//! The audit trail: what was done, by whom, on what, why, and how it ended, in a keyed chain whose head lies elsewhere.
//!
//! Invariants:
//! - Nothing that changes the world is done before its intent is written.
//! - A failed write leaves the chain where it was; what it left in the file is reported as never finished.
//! - Damage found at start is recorded in the log itself and as an incident, before the anchor moves on.

mod change;
mod image;
pub(super) mod read;
pub(super) mod refusals;
#[cfg(test)]
mod tests;
pub(super) mod trail;

use std::borrow::Cow;

use lle_core::plan::Plan;
use lle_core::policy::{Kind, Who, sanitise};
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::state::{Change, Incident};
use crate::world::{Now, World};
use trail::SEGMENTS_FORCED;

/// Characters of any text in a record.
const TEXT_MAX: usize = 300;

/// What one record says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    who: String,
    operation: String,
    target: String,
    why: String,
    phase: String,
    outcome: String,
    plan: u64,
}

impl Entry {
    /// Before or after a plan.
    pub(crate) fn plan(phase: &str, id: u64, who: &str, plan: &Plan, outcome: &str) -> Self {
        let steps: Vec<String> = plan.steps.iter().map(|step| step.action.about()).collect();
        Self {
            who: who.to_owned(),
            operation: steps.join("; "),
            target: plan.task.clone(),
            why: plan.why.clone(),
            phase: phase.to_owned(),
            outcome: outcome.to_owned(),
            plan: id,
        }
    }

    /// Before a cleanup.
    pub(crate) fn cleanup(id: u64, who: &str, task: &str, command: &str) -> Self {
        Self {
            who: who.to_owned(),
            operation: format!("cleanup: run {command}"),
            target: task.to_owned(),
            phase: "cleanup".into(),
            plan: id,
            ..Self::default()
        }
    }

    /// How a plan ended.
    pub(crate) fn outcome(id: u64, outcome: &str, why: &str) -> Self {
        Self {
            phase: "outcome".into(),
            outcome: outcome.to_owned(),
            why: why.to_owned(),
            plan: id,
            ..Self::default()
        }
    }

    /// Before or after something that somebody asked for.
    pub(crate) fn request(phase: &str, who: &Who, operation: &str, target: &str, outcome: &str) -> Self {
        Self {
            who: name_of(who),
            operation: operation.to_owned(),
            target: target.to_owned(),
            phase: phase.to_owned(),
            outcome: outcome.to_owned(),
            ..Self::default()
        }
    }

    /// Adds why, or what exactly.
    pub(crate) fn because(mut self, why: &str) -> Self {
        self.why = why.to_owned();
        self
    }

    /// Something that somebody may not do.
    pub(crate) fn refused(who: &Who, operation: &str, target: &str, why: &str) -> Self {
        Self {
            why: why.to_owned(),
            ..Self::request("refused", who, operation, target, "refused")
        }
    }

    /// Something that the engine noticed.
    pub(crate) fn noticed(what: &str, evidence: &str) -> Self {
        Self {
            who: "engine".into(),
            operation: what.to_owned(),
            why: evidence.to_owned(),
            phase: "noticed".into(),
            ..Self::default()
        }
    }

    /// As it is written: what is harmful in a terminal is made harmless, and what is too long is cut.
    fn fit(&self) -> Fit<'_> {
        let fit = |text| sanitise(text, TEXT_MAX);
        Fit {
            who: fit(&self.who),
            operation: fit(&self.operation),
            target: fit(&self.target),
            why: fit(&self.why),
            phase: &self.phase,
            outcome: fit(&self.outcome),
            plan: self.plan,
        }
    }
}

/// An [`Entry`] as it is written; most of it is fit as it is.
#[derive(Serialize)]
struct Fit<'a> {
    who: Cow<'a, str>,
    operation: Cow<'a, str>,
    target: Cow<'a, str>,
    why: Cow<'a, str>,
    phase: &'a str,
    outcome: Cow<'a, str>,
    plan: u64,
}

/// How the audit names somebody.
pub(crate) fn name_of(who: &Who) -> String {
    match (who.kind, who.pid) {
        (Kind::System, _) => "engine".into(),
        (_, Some(pid)) => format!("user {} (process {pid})", who.uid),
        (_, None) => format!("user {}", who.uid),
    }
}

impl Engine {
    /// Writes a record; false if that failed, which is a finding.
    pub(crate) fn record<W: World>(&mut self, world: &mut W, now: Now, entry: &Entry) -> bool {
        if !self.acts {
            return true;
        }
        let before = self.audit.failed.is_some();
        let written = self.audit.append(world, now, entry);
        if before && written {
            // There was a gap, and it says so itself.
            let noticed = Entry::noticed("audit", "the log could not be written for a while before this");
            self.audit.append(world, now, &noticed);
        }
        if written {
            self.bound_audit(world, now);
            if let Some(change) = entry.as_change(now) {
                self.note_change(world, now, change);
            }
        }
        written
    }

    /// Removes the oldest segments if there are more than any policy lets stay: the disk is not filled because the task
    /// that rotates the log is paused or may only advise.
    fn bound_audit<W: World>(&mut self, world: &mut W, now: Now) {
        let Some(first_kept) = self.audit.take_over_bound() else {
            return;
        };
        let what = format!("remove segments of audit before {first_kept}");
        let why = format!("there are more than {SEGMENTS_FORCED}; log-rotation is held back");
        if !self.audit.append(world, now, &Entry::noticed(&what, &why)) {
            return;
        }
        let outcome = match self.audit.remove_below(world, first_kept) {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("failed: {error}"),
        };
        let entry = Entry {
            phase: "outcome".into(),
            outcome,
            ..Entry::noticed(&what, "")
        };
        self.audit.append(world, now, &entry);
    }

    /// What was found wrong with the log at start is an incident, told in the log itself.
    pub(crate) fn report_audit_damage<W: World>(&mut self, world: &mut W, now: Now) {
        for problem in self.audit.take_problems() {
            // It stays in the log for ever, and is told of once.
            if self.state.incidents.iter().any(|known| known.evidence == problem) {
                continue;
            }
            self.record(world, now, &Entry::noticed("audit log damaged", &problem));
            let incident = Incident {
                wall_ns: now.wall_ns,
                session: None,
                what: "the audit log is not as it was written".into(),
                evidence: problem,
            };
            self.keep(world, now, Change::Incident { incident });
        }
    }

    /// Between an intent and its plan's beginning, or between its end and the outcome, a worker may be killed. The log
    /// says so; and the plan's number is not used again.
    pub(crate) fn end_what_never_began<W: World>(&mut self, world: &mut W, now: Now) {
        self.state.last_id = self.state.last_id.max(self.audit.last_plan());
        for plan in self.audit.take_open() {
            if !self.state.running.contains_key(&plan) {
                let why = "the worker was killed before it began or right after it ended";
                self.record(world, now, &Entry::outcome(plan, "unknown", why));
            }
        }
    }
}
