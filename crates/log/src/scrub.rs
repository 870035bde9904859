//! Takes commands out of a log for good: their records are overwritten in place, every length stays.
//!
//! Invariant: killed at any moment, every record is whole or overwritten; who begins again takes out what is left.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::OpenError;
use crate::event::Event;
use crate::history::{Command, History};
use crate::walk::Forward;

/// What was taken out of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Commands.
    pub commands: usize,
    /// Records of them that were overwritten.
    pub records: usize,
    /// Where those lie in the file: what an index has to forget.
    pub at: Vec<u64>,
}

/// Why nothing was, or not everything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScrubError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be written.
    #[error("the log cannot be written")]
    Write(#[from] io::Error),
}

/// Overwrites every command of the log at `path` that `wanted` accepts, and makes that durable. The caller holds the lock
/// of [`crate::mirror::Lock`].
///
/// # Errors
/// The file is none of ours, or cannot be written; some commands may be gone already.
pub fn scrub(path: &Path, wanted: impl Fn(&Command) -> bool) -> Result<Scrubbed, ScrubError> {
    let mut history = History::open(path, 1, 0, None)?.history;
    let gone: BTreeSet<(u64, u64)> = history
        .commands()
        .filter(|command| wanted(command))
        .map(|command| (command.session, command.seq))
        .collect();
    let mut scrubbed = Scrubbed {
        commands: gone.len(),
        ..Scrubbed::default()
    };
    if gone.is_empty() {
        return Ok(scrubbed);
    }
    let mut records = Vec::new();
    let mut walk = Forward::new(history.descriptor(), history.floor(), history.version().1);
    while let Some(record) = walk.next() {
        let session = record.header.session;
        let of = match Event::read(record.header.kind, record.payload) {
            _ if record.redacted => continue,
            Some(Event::Started { .. } | Event::Imported { .. }) => record.header.sequence,
            Some(Event::Continued { of, .. }) => of,
            Some(Event::Finished { .. } | Event::Ended) | None => continue,
        };
        if gone.contains(&(session, of)) {
            records.push((record.at, record.header.payload_bytes));
        }
    }
    drop(walk);
    history.overwrite(&records)?;
    scrubbed.records = records.len();
    scrubbed.at = records.into_iter().map(|(at, _)| at).collect();
    std::fs::File::open(path)?.sync_data()?;
    Ok(scrubbed)
}
