//! The audit log: its records, and whether it is whole.

use serde::{Deserialize, Serialize};

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditDocument {
    /// The version of the document.
    pub version: u32,
    /// The records, oldest first.
    pub records: Vec<AuditRecord>,
}

/// One record of the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditRecord {
    /// Its number.
    pub sequence: u64,
    /// When.
    pub wall_ns: i64,
    /// Who: a user's number, and the process where there is one.
    pub who: String,
    /// What was done.
    pub operation: String,
    /// On what.
    pub target: String,
    /// Why.
    pub why: String,
    /// Before or after: "intent", "outcome", "refused".
    pub phase: String,
    /// How it ended.
    pub outcome: String,
    /// The plan it belongs to; 0 for none.
    pub plan: u64,
}

/// Whether the audit log is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyDocument {
    /// The version of the document.
    pub version: u32,
    /// Whether it is.
    pub whole: bool,
    /// Records read.
    pub records: u64,
    /// The number of the last one.
    pub last_sequence: u64,
    /// What is wrong, in words.
    pub problems: Vec<String>,
    /// What cannot be known, in words.
    pub remarks: Vec<String>,
}
