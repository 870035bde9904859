//! What is typed while a log that another program cut waits for somebody's word.
//!
//! ```text
//!  log:    │ what is left │ since 1 │ since 2 │          cut again: since 1 is gone here
//!  mirror: │ all that was │ since 1 │ since 2 │          and is still there
//! ```
//!
//! Every whole record that only the log has is appended to the mirror, in one write, before anybody has answered. So a
//! second cut takes no more than the first could, and both answers keep it: what is put back is the mirror, and who
//! accepts the log keeps the mirror beside it.
//!
//! Invariant: the mirror only grows here. What cannot be written whole is taken back, and tried again by the next round.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use super::compare::{FRAME_BYTES_MAX, record_around};
use super::restore::{number, only_in, write_record};
use super::{Mirror, Which, which};
use crate::descriptor::Descriptor;
use crate::frame::Header;
use crate::walk::{Forward, Record};

/// Bytes of the log looked through in one round: what is left is looked at by the next. It bounds what is remembered of
/// its records, too, the shortest being 52 bytes.
const STRETCH_BYTES: u64 = 4 * 1024 * 1024;
/// A mirror up to this length is looked through for each record, so that none comes into it twice whoever appended what.
const LOOKED_THROUGH_BYTES: u64 = 16 * 1024 * 1024;
/// Of a longer one, what was appended to the log since the last round is new if it is no more than is typed between two.
const TYPED_BYTES_MAX: u64 = 1024 * 1024;

/// What was kept of one damaged log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    log: Which,
    /// Up to where the log was looked through.
    read_to: u64,
    /// The last record before that: while it is there, so is all before it.
    last: Option<(u64, Header)>,
    /// Bytes and records that were appended to the mirror.
    pub(super) bytes: u64,
    pub(super) records: u64,
}

impl Mirror {
    /// Appends to the mirror what only the damaged log has; says whether that was all of it.
    pub(super) fn keep_since(&mut self, found: &Metadata, common: u64, mirror: &File) -> io::Result<bool> {
        let (log, had) = (
            Descriptor::open_to_read(&self.log)?,
            Descriptor::open_to_read(&self.mirror)?,
        );
        let (end, mirror_bytes) = (found.len(), had.length()?);
        let begun = self.kept.filter(|kept| kept.log == which(found));
        let is_there = |kept: &Kept| match kept.last {
            // Its end, too: of one that was cut within its closing length, the next begins before that.
            Some((at, header)) => {
                let mut walk = Forward::new(&log, at, end);
                let is_same =
                    |record: Record<'_>| record.at == at && number(&record.header) == number(&header);
                walk.next().is_some_and(is_same) && walk.position() == kept.read_to
            }
            // Foreign bytes without end are gone through once; a short log without a record is looked through anew.
            None => kept.read_to >= STRETCH_BYTES - FRAME_BYTES_MAX && kept.read_to <= end,
        };
        let differs_from = record_around(common);
        let goes_on = begun.filter(is_there);
        let from = goes_on.map_or(differs_from, |kept| kept.read_to);
        let to = end.min(from.saturating_add(STRETCH_BYTES));
        let is_typed = goes_on.is_some_and(|kept| kept.last.is_some()) && end - from <= TYPED_BYTES_MAX;
        // None if all of them are.
        let only_here = match is_typed && mirror_bytes > LOOKED_THROUGH_BYTES {
            true => None,
            false => Some(only_in(&log, from, to, &had, differs_from, usize::MAX).map_err(io::Error::other)?),
        };
        let mut kept = Kept {
            log: which(found),
            read_to: from,
            last: goes_on.and_then(|kept| kept.last),
            bytes: self.kept.map_or(0, |kept| kept.bytes),
            records: self.kept.map_or(0, |kept| kept.records),
        };
        let (mut appended, mut buffer) = (Vec::new(), Vec::new());
        let mut walk = Forward::new(&log, from, to);
        while let Some(record) = walk.next() {
            let is_new = only_here
                .as_ref()
                .is_none_or(|only| only.contains(&number(&record.header)));
            if is_new && !record.redacted {
                write_record(&mut buffer, &record.header, record.payload);
                appended.extend_from_slice(&buffer);
                kept.records += 1;
            }
            kept.last = Some((record.at, record.header));
        }
        kept.read_to = walk.position();
        let is_all = to == end;
        if !is_all {
            // Of a stretch without a record, only what may be the beginning of one is looked at again.
            kept.read_to = kept.read_to.max(to.saturating_sub(FRAME_BYTES_MAX));
        }
        kept.bytes += appended.len() as u64;
        append_whole(mirror, mirror_bytes, &appended)?;
        self.kept = Some(kept);
        Ok(is_all)
    }
}

/// Appends all, or nothing.
fn append_whole(mirror: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    let written = mirror.write_all_at(bytes, at);
    if written.is_err() {
        // Failing that, half a record stays behind, which readers step over.
        let _shorter = mirror.set_len(at);
    }
    written.map_err(|error| match error.kind() {
        ErrorKind::WriteZero => io::Error::from(ErrorKind::StorageFull),
        _ => error,
    })
}
