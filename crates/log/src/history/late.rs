//! Records that wait in memory for the log to be writable again: what a session asks of them.

use super::History;
use crate::AppendError;
use crate::file::Outbox;

/// What became of commands that could not be written when they were due, since that was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Late {
    /// They are in the log by now.
    pub written: u64,
    /// They found no room to wait in.
    pub dropped: u64,
    /// Records wait now.
    pub still_waits: bool,
}

impl History {
    /// Writes the records that could not be written when they were due, with their own times: before the next record that
    /// happens anyway, so this is for who writes no more.
    ///
    /// # Errors
    /// Some of them still wait.
    pub fn write_waiting(&mut self) -> Result<(), AppendError> {
        self.log.write_waiting()
    }

    /// The sequence number of the record that was to be written last, if it waits.
    pub fn newest_waits(&self) -> Option<u64> {
        self.log.outbox().newest_waits()
    }

    /// Takes what became of records that waited, so that it is told once.
    pub fn take_late(&mut self) -> Late {
        Late::take(self.log.outbox_mut())
    }

    /// Whether records wait.
    pub fn waits(&self) -> bool {
        !self.log.outbox().waiting().is_empty()
    }

    /// How many commands wait.
    pub fn commands_waiting(&self) -> u64 {
        self.log.outbox().waiting().commands()
    }
}

impl Late {
    pub(super) fn take(outbox: &mut Outbox) -> Self {
        let waiting = outbox.waiting_mut();
        Self {
            written: waiting.take_written(),
            dropped: waiting.take_dropped(),
            still_waits: !waiting.is_empty(),
        }
    }
}
