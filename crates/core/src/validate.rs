//! Validation: the running system against everything that was promised of it.
//!
//! ```text
//! facts of the worker ─┐
//! live measurements ───┼─▸ validate ─▸ systems, budgets, success metrics: met, missed or unknown
//! results of benches ──┤               with the number, how it was obtained, and why it is judged so
//! counts of outcomes ──┘
//! ```
//!
//! Invariant: a row is met only by a number that was supplied, within the target, from enough samples; every other
//! row says what is missing. A live number and a number of a bench are never made into one.

mod budgets;
pub mod evidence;
pub mod gains;
pub mod success;
pub mod systems;

use serde::Serialize;

pub use crate::budget::Verdict;
use evidence::Evidence;

/// Who judges a row, of the four that the source document has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Validator {
    /// Does it run, and does it do what it says.
    Operational,
    /// What it costs and gains.
    Performance,
    /// Who may do what, and is it proved.
    Security,
    /// Does it work together with its hosts.
    Integration,
}

/// Where the number of a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The running system, on what its sessions really do.
    Live,
    /// A bench, on the corpus of the budget.
    Bench,
    /// Nothing: there is no number.
    Nothing,
}

/// One number against its target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// Met, missed or unknown.
    pub verdict: Verdict,
    /// The number, in the unit of the row.
    pub value: Option<f64>,
    /// The number as people read it; empty without one.
    pub shown: String,
    /// Where it comes from.
    pub source: Source,
    /// How it was obtained, or would be.
    pub how: String,
    /// Why it is judged so.
    pub why: String,
}

/// One promise and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The stable name: `S1`, `record_key`, `availability`.
    pub id: &'static str,
    /// What was promised, for people.
    pub title: &'static str,
    /// Who judges it.
    pub validator: Validator,
    /// What it must be, as people read it.
    pub target: String,
    /// The reading that decides.
    #[serde(flatten)]
    pub reading: Reading,
    /// The bench's reading where the live one decides: the same promise on another corpus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bench: Option<Reading>,
}

/// How many rows ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Rows that keep their promise.
    pub met: u32,
    /// Rows that break it.
    pub missed: u32,
    /// Rows of which nobody can say.
    pub unknown: u32,
}

/// Everything that was promised, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// The 22 systems.
    pub systems: Vec<Row>,
    /// The budgets.
    pub budgets: Vec<Row>,
    /// The success metrics.
    pub success: Vec<Row>,
}

/// Judges everything that was promised by `evidence`.
pub fn validate(evidence: &Evidence) -> Validation {
    let budgets = budgets::judge(evidence);
    let success = success::judge(&evidence.success);
    let systems = systems::judge(&evidence.facts);
    Validation {
        systems,
        budgets,
        success,
    }
}

impl Validation {
    /// Every row, systems first.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.systems.iter().chain(&self.budgets).chain(&self.success)
    }

    /// Counts the rows of all three parts.
    pub fn tally(&self) -> Tally {
        Tally::of(self.rows())
    }

    /// Counts the rows of one validator.
    pub fn tally_of(&self, validator: Validator) -> Tally {
        Tally::of(self.rows().filter(|row| row.validator == validator))
    }
}

impl Tally {
    /// Counts `rows`.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Tally {
        let mut tally = Tally::default();
        for row in rows {
            match row.reading.verdict {
                Verdict::Met => tally.met += 1,
                Verdict::Missed => tally.missed += 1,
                Verdict::Unknown => tally.unknown += 1,
            }
        }
        tally
    }
}

impl Validator {
    /// Every validator, in the order in which they judge.
    pub const ALL: &[Validator] = &[
        Validator::Operational,
        Validator::Performance,
        Validator::Security,
        Validator::Integration,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Validator::Operational => "operational",
            Validator::Performance => "performance",
            Validator::Security => "security",
            Validator::Integration => "integration",
        }
    }
}

impl Reading {
    /// There is no number, for this reason.
    fn unknown(how: impl Into<String>, why: impl Into<String>) -> Reading {
        let (how, why) = (how.into(), why.into());
        Reading {
            verdict: Verdict::Unknown,
            value: None,
            shown: String::new(),
            source: Source::Nothing,
            how,
            why,
        }
    }
}

#[cfg(test)]
mod tests;
