//! Reading the audit log for somebody: its records, and whether it is whole.
//!
//! Invariant: nothing is changed, and nothing is told that the key does not prove.

use std::io;

use lle_log::audit;
use lle_log::audit::anchor::Anchor;

use super::Entry;
use super::image::{FoundKey, borrowed, key, segments};
use crate::api::audit::{AuditRecord, VerifyDocument};
use crate::world::{Disk, File};

/// Reads the whole log and says whether it is whole.
///
/// # Errors
/// It cannot be read.
pub(crate) fn verify(disk: &mut impl Disk) -> io::Result<VerifyDocument> {
    let segments = segments(disk)?;
    let mut document = VerifyDocument {
        version: crate::api::VERSION,
        whole: true,
        records: 0,
        last_sequence: 0,
        problems: Vec::new(),
        remarks: Vec::new(),
    };
    let key = match key(disk)? {
        FoundKey::Usable(key) => key,
        _ if segments.is_empty() => {
            document.remarks.push("nothing was recorded yet".into());
            return Ok(document);
        }
        found => {
            document.whole = false;
            document.problems.push(found.problem());
            return Ok(document);
        }
    };
    let image = disk.read(File::Anchor)?.unwrap_or_default();
    let verified = audit::verify(&borrowed(&segments), &key, Anchor::read(&image, &key).head());
    document.records = verified.records;
    document.last_sequence = verified.head.sequence;
    for problem in &verified.problems {
        match problem.kind {
            audit::ProblemKind::AnchorMissing => document.remarks.push(problem.to_string()),
            _ => document.problems.push(problem.to_string()),
        }
    }
    document.whole = document.problems.is_empty();
    Ok(document)
}

/// Reads records: from a number on, or the last ones.
///
/// # Errors
/// They cannot be read.
pub(crate) fn records(disk: &mut impl Disk, from: Option<u64>, limit: usize) -> io::Result<Vec<AuditRecord>> {
    let FoundKey::Usable(key) = key(disk)? else {
        return Ok(Vec::new());
    };
    let segments = segments(disk)?;
    let borrowed = borrowed(&segments);
    let mut records: Vec<AuditRecord> = audit::entries(&borrowed, &key)
        .into_iter()
        .filter(|entry| from.is_none_or(|from| entry.sequence >= from))
        .filter_map(|entry| {
            let said: Entry = serde_json::from_slice(entry.body).ok()?;
            Some(AuditRecord {
                sequence: entry.sequence,
                wall_ns: entry.time_ns,
                who: said.who,
                operation: said.operation,
                target: said.target,
                why: said.why,
                phase: said.phase,
                outcome: said.outcome,
                plan: said.plan,
            })
        })
        .collect();
    match from {
        Some(_) => records.truncate(limit),
        None => drop(records.drain(..records.len().saturating_sub(limit))),
    }
    Ok(records)
}
