//! The newest commands of a log, kept in memory: most of what one types was typed not long ago.
//!
//! ```text
//!  log │ … │ rest ◂─ walked once ─▸│◂─ appended since, walked once each ─▸│ end
//!            └ where a search goes on that finds nothing here
//! ```
//!
//! Invariants: it holds every command of the log from `rest` on, and so what is found here is what a walk would have found
//! first; of another log, or of one that was rewritten, it holds nothing; its size is bounded.

use super::FRAME_BYTES_MAX;
use crate::event::{IMPORTED, STARTED, command_of};
use crate::history::History;
use crate::walk::{Back, Place};
use crate::window::Window;

/// Bytes of log that are read at first: one window, some 400 commands.
const BYTES_FIRST: u64 = crate::window::WINDOW_BYTES as u64;
/// Bytes of log covered at which it is begun anew: it never holds more text than that.
const BYTES_MAX: u64 = 2 * BYTES_FIRST;

/// See the module's head.
pub(super) struct Recent {
    /// The commands, oldest first, each behind the one before.
    text: Vec<u8>,
    /// Where the record of each starts in the log, and where its command ends in `text`.
    records: Vec<(u64, usize)>,
    /// The log they are of: its generation, and up to where it was walked.
    generation: u32,
    end: u64,
    rest: Place,
    /// What a walk has found, newest first, before it is put behind the others.
    fresh: Vec<(u64, Vec<u8>)>,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self {
            text: Vec::new(),
            records: Vec::new(),
            generation: 0,
            end: 0,
            rest: Place::before(0),
            fresh: Vec::new(),
        }
    }

    /// Whether it holds the end of the log of that version.
    pub(super) fn is_of(&self, version: (u32, u64)) -> bool {
        (self.generation, self.end) == version
    }

    /// Where a search goes on that has found nothing here.
    pub(super) fn rest(&self) -> Place {
        self.rest
    }

    /// Takes in what the log has come to hold.
    pub(super) fn follow(&mut self, history: &History, window: &mut Window) {
        let (generation, end) = history.version();
        let is_same = self.end > 0 && generation == self.generation && end >= self.end;
        let grown = is_same && end - self.rest.offset() <= BYTES_MAX;
        if !(grown && (end == self.end || self.walk(history, window, end, self.end))) {
            self.text.clear();
            self.records.clear();
            self.end = 0;
            self.walk(history, window, end, end.saturating_sub(BYTES_FIRST));
        }
        (self.generation, self.end) = (generation, end);
    }

    /// Walks from `end` back to `stop`; false if what is known does not fit what was found: damage lies in between.
    fn walk(&mut self, history: &History, window: &mut Window, end: u64, stop: u64) -> bool {
        let mut place = Place::before(end);
        self.fresh.clear();
        let wanted = |kind: u8, payload: &[u8]| {
            matches!(kind, STARTED | IMPORTED) && command_of(kind, payload).is_some()
        };
        while place.offset() > stop {
            match history.step_back(window, &mut place, FRAME_BYTES_MAX, wanted) {
                Back::Start => break,
                Back::Record(record) if !record.redacted => {
                    let command = command_of(record.header.kind, record.payload).unwrap_or_default();
                    self.fresh.push((record.at, command.to_vec()));
                }
                Back::Passed | Back::Record(_) => {}
            }
        }
        if self.end == 0 {
            self.rest = place;
        } else if place.offset() != self.end {
            return false;
        }
        for (at, command) in self.fresh.drain(..).rev() {
            self.text.extend_from_slice(&command);
            self.records.push((at, self.text.len()));
        }
        true
    }

    /// The newest command that fits, of those whose record starts before `below`, with where that is.
    pub(super) fn newest(&self, below: u64, fits: impl Fn(&[u8]) -> bool) -> Option<(u64, &[u8])> {
        let count = self.records.partition_point(|(at, _)| *at < below);
        (0..count).rev().find_map(|nth| {
            let (at, end) = *self.records.get(nth)?;
            let start = nth
                .checked_sub(1)
                .map_or(0, |before| self.records.get(before).map_or(0, |record| record.1));
            let command = self.text.get(start..end)?;
            fits(command).then_some((at, command))
        })
    }
}
