//! What is known of a running plan and need not survive: how far it has come, what it waits for, what it cost.
//!
//! Invariant: it tells, and decides nothing. What has to survive a crash is in the state; an engine that finds a plan
//! there and nothing here takes the plan back.

use lle_core::plan::Outcome;
use lle_core::policy;
use lle_core::task::ledger;
use lle_core::task::statistics::{LastRun, Outcome as Ended};

use super::wait::Wait;
use crate::world::Now;

/// Bytes of a reason or a note.
const TEXT_BYTES_MAX: usize = 200;
/// Time that taking back and cleaning up may take, each, in milliseconds.
const CLEANUP_BUDGET_MS: u64 = 30_000;

/// A running plan, as this engine sees it.
pub(crate) struct Live {
    /// When it must be over, on the monotonic clock.
    deadline_ns: u64,
    began_ns: u64,
    wait: Option<Wait>,
    cpu_ns: Option<u64>,
    gained_bytes: Option<i64>,
    /// Steps that held, and those that failed and may be missed; with the reason of the last of these.
    held: usize,
    missed: usize,
    missed_why: String,
    note: String,
}

impl Live {
    /// Of a plan that begins at `began_ns`, on the monotonic clock, and has so many milliseconds from `now` on.
    pub(super) fn begin(now: Now, budget_ms: u64, began_ns: u64) -> Self {
        Self {
            deadline_ns: later(now, budget_ms),
            began_ns,
            wait: None,
            cpu_ns: None,
            gained_bytes: None,
            held: 0,
            missed: 0,
            missed_why: String::new(),
            note: String::new(),
        }
    }

    /// Of a plan that an earlier engine had begun: it is taken back, or cleaned up after, and nothing else.
    pub(super) fn resume(now: Now) -> Self {
        Self::begin(now, CLEANUP_BUDGET_MS, now.mono_ns)
    }

    /// Gives it the time that taking back and cleaning up have, whatever was left of its own.
    pub(super) fn begin_deadline(&mut self, now: Now) {
        self.deadline_ns = later(now, CLEANUP_BUDGET_MS);
    }

    /// When it must be over, on the monotonic clock.
    pub(super) fn deadline_ns(&self) -> u64 {
        self.deadline_ns
    }

    /// What the step that began last waits for.
    pub(super) fn wait(&self) -> Option<&Wait> {
        self.wait.as_ref()
    }

    pub(super) fn set_wait(&mut self, wait: Option<Wait>) {
        self.wait = wait;
    }

    /// The step that began last holds.
    pub(super) fn held(&mut self) {
        self.wait = None;
        self.held += 1;
    }

    /// The step that began last failed, and may be missed.
    pub(super) fn missed(&mut self, why: &str) {
        self.wait = None;
        self.missed += 1;
        self.missed_why = fit(why);
    }

    /// Why the last step failed, if all that could be missed were missed: then the plan did nothing.
    pub(super) fn missed_all(&self) -> Option<&str> {
        (self.missed > 0 && self.held == 0).then_some(self.missed_why.as_str())
    }

    /// Adds processor time, in nanoseconds.
    pub(super) fn spent(&mut self, cpu_ns: u64) {
        self.cpu_ns = Some(self.cpu_ns.unwrap_or(0).saturating_add(cpu_ns));
    }

    /// Adds memory that a session gave back, in bytes; none where the allocator does not tell.
    pub(super) fn gained(&mut self, bytes: Option<i64>) {
        self.gained_bytes = match (self.gained_bytes, bytes) {
            (Some(before), Some(more)) => Some(before.saturating_add(more)),
            (before, more) => before.or(more),
        };
        self.note = match self.gained_bytes {
            Some(bytes) => format!("{bytes} bytes given back"),
            None => "the allocator does not tell what was given back".into(),
        };
    }

    /// Says something about the run, in the place of what was said before.
    pub(super) fn note(&mut self, text: &str) {
        self.note = fit(text);
    }

    /// The run that the plan was, for its task's statistics and ledger.
    pub(super) fn run(&self, outcome: &Outcome, began_wall_ns: i64, now: Now) -> (LastRun, ledger::Entry) {
        let run = LastRun {
            wall_ns: began_wall_ns,
            ns: now.mono_ns.saturating_sub(self.began_ns),
            outcome: match outcome {
                Outcome::Applied => Ended::Succeeded,
                Outcome::TimedOut => Ended::TimedOut,
                Outcome::Cancelled => Ended::Cancelled,
                Outcome::Undone { .. } | Outcome::Stuck { .. } | Outcome::Failed { .. } => Ended::Failed,
            },
            note: self.last_note(outcome),
        };
        let entry = ledger::Entry {
            cost_cpu_ns: self.cpu_ns,
            gained_bytes: self.gained_bytes,
            gained_ns: None,
        };
        (run, entry)
    }

    /// What is said about the run: why it ended so, what was noted, and how much of it was missed.
    fn last_note(&self, outcome: &Outcome) -> String {
        let note = match outcome.why() {
            "" => self.note.clone(),
            why if !self.note.is_empty() => format!("{why}; {}", self.note),
            why => why.to_owned(),
        };
        if self.missed == 0 || *outcome != Outcome::Applied {
            return note;
        }
        let steps = self.held + self.missed;
        format!(
            "{note}; {} of {steps} steps missed: {}",
            self.missed, self.missed_why
        )
    }
}

fn later(now: Now, ms: u64) -> u64 {
    now.mono_ns.saturating_add(ms.saturating_mul(1_000_000))
}

/// A reason or a note as it is kept: cut, and without what a terminal would take for more than text.
pub(super) fn fit(text: &str) -> String {
    policy::sanitise(text, TEXT_BYTES_MAX).into_owned()
}
