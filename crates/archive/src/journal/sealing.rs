//! Pieces are sealed on all processors while the next ones are read, and written in the order in which they came.
//!
//! ```text
//!  read ─▸ add ─▸ │ compressed and sealed by whoever is free │ ─▸ written, the oldest first ─▸ segment
//!                   ▲ PIECES_MAX of them at a time
//! ```
//!
//! A change of every day is a piece or two: those are sealed on the spot, since other threads take longer to wake up.
//!
//! Invariants: a piece's record stands where its number says, whoever sealed it. In memory are at most [`PIECES_MAX`]
//! pieces, each with its record: less than 2 MiB each; and what the segment collects before it writes.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use rayon::ScopeFifo;

use super::listing::Piece;
use super::seal::{Packer, Place, Seal};
use super::segment::Segment;

/// Pieces that are in memory at once, at most: two for each of four processors, so that none waits for the next.
const PIECES_MAX: usize = 8;
/// Bytes of pieces that are sealed on the spot: they take about a millisecond.
const ALONE_BYTES_MAX: usize = 256 * 1024;

/// A piece, sealed.
struct Sealed {
    text: Vec<u8>,
    name: [u8; Piece::NAME_BYTES],
    record: Option<Vec<u8>>,
}

/// What pieces are sealed by: the key, and what packs them, as many as there are threads.
pub(super) struct Tools<'k> {
    seal: &'k Seal,
    packers: Mutex<Vec<Packer>>,
}

impl<'k> Tools<'k> {
    pub(super) fn of(seal: &'k Seal) -> Tools<'k> {
        Tools {
            seal,
            packers: Mutex::default(),
        }
    }

    /// Packs and seals, by tools that are free.
    fn close(&self, place: Place, text: &[u8]) -> Option<Vec<u8>> {
        let free = || self.packers.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = free().pop();
        let mut packer = spare.or_else(|| Packer::new().ok())?;
        let record = self.seal.close(&mut packer, place, text);
        free().push(packer);
        record
    }

    fn sealed(&self, place: Place, text: Vec<u8>) -> Sealed {
        Sealed {
            name: name_of(&text),
            record: self.close(place, &text),
            text,
        }
    }
}

/// Pieces on their way into a segment.
pub(super) struct Sealing<'s, 'scope> {
    scope: &'s ScopeFifo<'scope>,
    tools: &'scope Tools<'scope>,
    segment: Segment,
    /// Pieces that nobody was given yet.
    alone: Vec<Vec<u8>>,
    /// Pieces that somebody seals, the oldest first.
    handed: VecDeque<Receiver<Sealed>>,
    /// Pieces that are in the segment.
    pieces: Vec<Piece>,
    /// The memory of pieces that were written, for the next ones.
    spare: Vec<Vec<u8>>,
}

impl<'s, 'scope> Sealing<'s, 'scope> {
    pub(super) fn into(
        segment: Segment,
        scope: &'s ScopeFifo<'scope>,
        tools: &'scope Tools<'scope>,
    ) -> Sealing<'s, 'scope> {
        Sealing {
            scope,
            tools,
            segment,
            alone: Vec::new(),
            handed: VecDeque::new(),
            pieces: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// How many pieces were added: the number of the next one among those that [`Sealing::finish`] gives.
    pub(super) fn count(&self) -> usize {
        self.pieces.len() + self.handed.len() + self.alone.len()
    }

    /// Memory for a piece, empty.
    pub(super) fn spare(&mut self) -> Vec<u8> {
        let mut text = self.spare.pop().unwrap_or_default();
        text.clear();
        text
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// An earlier one could not be sealed or written.
    pub(super) fn add(&mut self, text: Vec<u8>) -> io::Result<()> {
        self.alone.push(text);
        let bytes: usize = self.alone.iter().map(Vec::len).sum();
        if self.handed.is_empty() && bytes <= ALONE_BYTES_MAX && self.alone.len() < PIECES_MAX {
            return Ok(());
        }
        for text in std::mem::take(&mut self.alone) {
            if self.handed.len() >= PIECES_MAX {
                self.write_oldest()?;
            }
            self.hand(text);
        }
        Ok(())
    }

    /// Has somebody seal a piece. Its number is known before the ones in front of it are written: they all will be.
    fn hand(&mut self, text: Vec<u8>) {
        let place = self.segment.place_of(self.handed.len());
        let (give, take): (SyncSender<Sealed>, _) = sync_channel(1);
        let tools = self.tools;
        self.handed.push_back(take);
        self.scope.spawn_fifo(move |_| {
            // Nobody waits for it if an earlier one could not be written.
            let _unwanted = give.send(tools.sealed(place, text));
        });
    }

    fn write_oldest(&mut self) -> io::Result<()> {
        match self.handed.pop_front().map(|take| take.recv()) {
            None => Ok(()),
            Some(Ok(sealed)) => self.write(sealed),
            Some(Err(_)) => Err(unsealed()),
        }
    }

    fn write(&mut self, sealed: Sealed) -> io::Result<()> {
        let record = sealed.record.ok_or_else(unsealed)?;
        let piece = self.segment.put_piece(&record, sealed.text.len(), sealed.name)?;
        self.pieces.push(piece);
        self.spare.push(sealed.text);
        Ok(())
    }

    /// Gives the segment, and where in it the pieces are, in the order in which they were added.
    ///
    /// # Errors
    /// One of them could not be sealed or written.
    pub(super) fn finish(mut self) -> io::Result<(Segment, Vec<Piece>)> {
        while !self.handed.is_empty() {
            self.write_oldest()?;
        }
        for text in std::mem::take(&mut self.alone) {
            let sealed = self.tools.sealed(self.segment.place_of(0), text);
            self.write(sealed)?;
        }
        Ok((self.segment, self.pieces))
    }
}

fn unsealed() -> io::Error {
    io::Error::other("it cannot be sealed")
}

/// What names a piece: the beginning of its BLAKE3.
pub(super) fn name_of(text: &[u8]) -> [u8; Piece::NAME_BYTES] {
    let mut name = [0; Piece::NAME_BYTES];
    name.copy_from_slice(&blake3::hash(text).as_bytes()[..Piece::NAME_BYTES]);
    name
}
