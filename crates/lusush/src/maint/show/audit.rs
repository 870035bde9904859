//! The audit log: its records, and whether it is whole.

use std::fmt::Write;

use lle_core::quantity::several;
use lle_maintenance::api::audit::{AuditDocument, VerifyDocument};

use super::{in_words, now_wall_ns};
use crate::text::{COLUMNS, Ink, printable, wrapped};

pub(super) fn audit(document: &AuditDocument) -> String {
    if document.records.is_empty() {
        return "Nothing was recorded yet.\n".into();
    }
    let now = now_wall_ns();
    let mut out = String::new();
    for record in &document.records {
        let plan = match record.plan {
            0 => String::new(),
            plan => format!(" plan {plan}"),
        };
        let mut line = format!(
            "#{} {}, {}{plan}:",
            record.sequence,
            in_words(record.wall_ns, now),
            record.phase
        );
        for (label, text) in [
            ("", &record.operation),
            ("on ", &record.target),
            ("by ", &record.who),
            ("ended ", &record.outcome),
            ("why: ", &record.why),
        ] {
            if !text.is_empty() {
                let _ = write!(line, " {label}{text}");
            }
        }
        let _ = writeln!(out, "{}", wrapped(&printable(&line, 800), COLUMNS, 2));
    }
    out
}

pub(super) fn verify(document: &VerifyDocument, ink: Ink) -> String {
    let mut out = String::new();
    let verdict = if document.whole {
        "The audit log is whole".to_owned()
    } else {
        ink.bad(&several(document.problems.len() as u64, "problem", "problems"))
    };
    let records = several(document.records, "record", "records");
    let _ = writeln!(
        out,
        "{verdict}: {records}, the last one is #{}.",
        document.last_sequence
    );
    for text in document.problems.iter().chain(&document.remarks) {
        let _ = writeln!(out, "  {}", wrapped(&printable(text, 400), COLUMNS - 2, 4));
    }
    out
}
