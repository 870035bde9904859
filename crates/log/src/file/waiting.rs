//! Records that could not be written, or have no log yet, until they can be.
//!
//! Invariant: they keep their order, their numbers and their times. At most [`BYTES_MAX`] wait; what finds no room is counted.

use std::collections::VecDeque;

use super::AppendError;
use crate::event::STARTED;
use crate::frame::{HEADER_BYTES, KIND_AT, TRAILER_BYTES};

/// Bytes of records that wait: a thousand commands with their ends, and little beside a shell of 4 MiB.
pub(super) const BYTES_MAX: usize = 256 * 1024;

/// A record that could not be written when it was due.
pub(super) struct Late {
    pub(super) sequence: u64,
    pub(super) bytes: Vec<u8>,
    /// How many of these bytes reached the file.
    pub(super) written: usize,
    /// The file that it was written into lost its name: whoever replaced that may have carried it over.
    pub(super) may_be_there: bool,
}

impl Late {
    /// It was tried again in vain.
    pub(super) fn failed(&mut self, error: &AppendError) {
        match error {
            AppendError::Short { written, .. } => self.written = *written,
            AppendError::Lost => self.may_be_there = true,
            AppendError::TooLong { .. } | AppendError::Unopened | AppendError::Write(_) => {}
        }
    }

    /// Whether readers miss nothing of it: a record may lack its closing length.
    pub(super) fn is_whole(&self) -> bool {
        self.written + TRAILER_BYTES >= self.bytes.len()
    }

    fn is_command(&self) -> bool {
        self.bytes.get(KIND_AT) == Some(&STARTED)
    }
}

/// What waits, and what became of it.
#[derive(Default)]
pub(crate) struct Waiting {
    records: VecDeque<Late>,
    bytes: usize,
    written_commands: u64,
    dropped_commands: u64,
}

impl Waiting {
    /// Keeps a record that could not be written for this reason, if there is room for it.
    pub(super) fn keep(&mut self, sequence: u64, record: &[u8], error: &AppendError) {
        let mut late = Late {
            sequence,
            bytes: Vec::new(),
            written: 0,
            may_be_there: false,
        };
        if self.bytes + record.len() > BYTES_MAX {
            // The oldest stay: that they wait was said.
            self.dropped_commands += u64::from(record.get(KIND_AT) == Some(&STARTED));
            return;
        }
        late.bytes.extend_from_slice(record);
        // Behind others it was not tried itself.
        if self.records.is_empty() {
            late.failed(error);
        }
        self.bytes += record.len();
        self.records.push_back(late);
    }

    /// Takes the oldest out.
    pub(super) fn take(&mut self) -> Option<Late> {
        let late = self.records.pop_front()?;
        self.bytes -= late.bytes.len();
        Some(late)
    }

    pub(super) fn put_back(&mut self, late: Late) {
        self.bytes += late.bytes.len();
        self.records.push_front(late);
    }

    pub(super) fn wrote(&mut self, late: &Late) {
        self.written_commands += u64::from(late.is_command());
        if self.records.is_empty() {
            self.records = VecDeque::new();
        }
    }

    /// The number of the newest record that waits.
    pub(super) fn newest(&self) -> Option<u64> {
        self.records.back().map(|late| late.sequence)
    }

    /// Each record that waits, oldest first: its number, its kind and its payload.
    pub(crate) fn records(&self) -> impl Iterator<Item = (u64, u8, &[u8])> {
        self.records.iter().filter_map(|late| {
            let payload = late.bytes.get(HEADER_BYTES..late.bytes.len() - TRAILER_BYTES)?;
            Some((late.sequence, *late.bytes.get(KIND_AT)?, payload))
        })
    }

    /// How many commands wait.
    pub(crate) fn commands(&self) -> u64 {
        self.records.iter().filter(|late| late.is_command()).count() as u64
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes how many commands that waited have been written since this was asked last.
    pub(crate) fn take_written(&mut self) -> u64 {
        std::mem::take(&mut self.written_commands)
    }

    /// Takes how many commands found no room to wait in, since this was asked last.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped_commands)
    }
}
