//! What one session writes: its records with their numbers, and those that wait for a file that takes them.
//!
//! Invariant: the numbers rise by one a record and none is given twice, whatever becomes of the records.

use super::AppendError;
use super::waiting::Waiting;
use crate::frame;

/// Bytes of the record buffer kept between records: every command but a pasted script fits.
const RECORD_BYTES_KEPT: usize = 16 * 1024;

/// A session's place to write from: it outlives the file it writes to, and may be there before that is.
pub(crate) struct Outbox {
    session: u64,
    pub(super) sequence: u64,
    /// The record that was made last.
    pub(super) record: Vec<u8>,
    pub(super) waiting: Waiting,
}

impl Outbox {
    pub(crate) fn new(session: u64) -> Self {
        Self {
            session,
            sequence: 0,
            record: Vec::new(),
            waiting: Waiting::default(),
        }
    }

    pub(crate) fn session(&self) -> u64 {
        self.session
    }

    /// Makes the next record, in the buffer.
    pub(crate) fn prepare(
        &mut self,
        kind: u8,
        now_ns: i64,
        payload_bytes: usize,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), AppendError> {
        // A number is spent even if the write fails, since what reached the file may yet carry it; and if the record is too
        // long, so that none that waits is taken for it.
        self.sequence += 1;
        if payload_bytes > frame::PAYLOAD_BYTES_MAX {
            return Err(AppendError::TooLong { bytes: payload_bytes });
        }
        self.record.clear();
        frame::encode(&mut self.record, kind, self.sequence, self.session, now_ns, fill);
        Ok(())
    }

    /// Keeps the record in the buffer, which could not be written for this reason, if there is room for it to wait.
    pub(crate) fn keep(&mut self, error: &AppendError) {
        self.waiting.keep(self.sequence, &self.record, error);
    }

    /// The record in the buffer is written, or waits.
    pub(crate) fn put_away(&mut self) {
        self.record.shrink_to(RECORD_BYTES_KEPT);
    }

    /// The number of the record that was made last, if it waits.
    pub(crate) fn newest_waits(&self) -> Option<u64> {
        self.waiting.newest().filter(|newest| *newest == self.sequence)
    }

    pub(crate) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    pub(crate) fn waiting_mut(&mut self) -> &mut Waiting {
        &mut self.waiting
    }
}
