//! One file of the journal: sealed records behind each other.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use lle_log::PAYLOAD_BYTES_MAX;
use lle_log::records::{self, Entry, LogKind};

use super::listing::{LISTING_BYTES_MAX, Listing, PIECE_BYTES, Piece};
use super::seal::{Packer, Place, Seal};
use super::sealing::name_of;

/// A record with a stretch of a file.
pub(super) const PIECE: u8 = 1;
/// A record with a listing.
pub(super) const LISTING: u8 = 2;
/// Bytes at the end that are read for the last listing, at first; then four times as many, until all are.
const TAIL_BYTES: u64 = 64 * 1024;
/// Bytes that are collected before they are written: one write for a usual change.
const UNWRITTEN_MAX: usize = 4 * 1024 * 1024;

/// A segment that is read and added to.
#[derive(Debug)]
pub(super) struct Segment {
    number: u64,
    file: File,
    /// Bytes in the file.
    written: u64,
    /// Bytes that are still to be written.
    unwritten: Vec<u8>,
    /// The number of the next record.
    next: u64,
    /// When the listing that was found was written.
    listed_ns: i64,
}

fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    options
}

impl Segment {
    pub(super) fn create(number: u64, path: &Path) -> io::Result<Segment> {
        let file = options().create_new(true).open(path)?;
        Ok(Segment {
            number,
            file,
            written: 0,
            unwritten: records::header(LogKind::Journal, number.max(1), now_ns()).to_vec(),
            next: 1,
            listed_ns: 0,
        })
    }

    pub(super) fn open(number: u64, path: &Path) -> io::Result<Segment> {
        let file = options().open(path)?;
        let written = file.metadata()?.len();
        Ok(Segment {
            number,
            file,
            written,
            unwritten: Vec::new(),
            next: 1,
            listed_ns: 0,
        })
    }

    /// Bytes of the segment, with those that are still to be written.
    pub(super) fn length(&self) -> u64 {
        self.written + self.unwritten.len() as u64
    }

    /// When the listing that was found was written.
    pub(super) fn listed_ns(&self) -> i64 {
        self.listed_ns
    }

    /// The last listing that the key opens; from then on records are numbered behind all there are.
    pub(super) fn last_listing(&mut self, seal: &Seal) -> Option<Listing> {
        let mut length = TAIL_BYTES;
        loop {
            let length_now = length.min(self.written);
            let mut tail = vec![0; usize::try_from(length_now).ok()?];
            self.file
                .read_exact_at(&mut tail, self.written - length_now)
                .ok()?;
            if let Ok(read) = records::read(&tail, LogKind::Journal) {
                let last = read.entries.iter().map(|entry| entry.sequence).max();
                let found = read.entries.iter().rev().find_map(|entry| {
                    (entry.kind == LISTING).then_some(())?;
                    let text = seal.open(
                        self.place(entry.sequence, LISTING),
                        entry.payload,
                        LISTING_BYTES_MAX,
                    )?;
                    Some((entry.time_ns, Listing::decode(&text)?))
                });
                if let (Some((time_ns, listing)), Some(last)) = (found, last) {
                    (self.next, self.listed_ns) = (last + 1, time_ns);
                    return Some(listing);
                }
            }
            if length >= self.written {
                return None;
            }
            length = length.saturating_mul(4);
        }
    }

    /// Whether there are records, and none of them is opened by any of these keys. What cannot be read is somebody's.
    pub(super) fn is_of_others<'s>(&self, mut seals: impl Iterator<Item = &'s Seal>) -> bool {
        let Ok(length) = usize::try_from(self.written) else {
            return true;
        };
        let mut bytes = vec![0; length];
        if self.file.read_exact_at(&mut bytes, 0).is_err() {
            return true;
        }
        let Ok(read) = records::read(&bytes, LogKind::Journal) else {
            return true;
        };
        let opens = |seal: &Seal, entry: &Entry<'_>| {
            let bytes_max = match entry.kind {
                LISTING => LISTING_BYTES_MAX,
                _ => PIECE_BYTES,
            };
            let place = self.place(entry.sequence, entry.kind);
            seal.open(place, entry.payload, bytes_max).is_some()
        };
        // A listing is at the end, and one that opens says all; of a damaged segment some piece does.
        !read.entries.is_empty()
            && !seals.any(|seal| read.entries.iter().rev().any(|entry| opens(seal, entry)))
    }

    fn place(&self, sequence: u64, kind: u8) -> Place {
        Place {
            segment: self.number,
            sequence,
            kind,
        }
    }

    /// Where the piece will stand that comes after `before` others.
    pub(super) fn place_of(&self, before: usize) -> Place {
        self.place(self.next + before as u64, PIECE)
    }

    /// Appends a piece of that many bytes which was sealed for the place where it comes to stand.
    pub(super) fn put_piece(
        &mut self,
        sealed: &[u8],
        raw: usize,
        name: [u8; Piece::NAME_BYTES],
    ) -> io::Result<Piece> {
        let (at, sequence) = (self.length(), self.next);
        let record = self.put(PIECE, sealed)?;
        Ok(Piece {
            at,
            record,
            sequence,
            raw: u32::try_from(raw).unwrap_or(u32::MAX),
            name,
        })
    }

    /// Appends one record.
    pub(super) fn append(&mut self, seal: &Seal, kind: u8, text: &[u8]) -> io::Result<()> {
        let sealed = Packer::new()
            .ok()
            .and_then(|mut packer| seal.close(&mut packer, self.place(self.next, kind), text))
            .ok_or_else(|| io::Error::other("it cannot be sealed"))?;
        self.put(kind, &sealed).map(|_| ())
    }

    fn put(&mut self, kind: u8, sealed: &[u8]) -> io::Result<u32> {
        let before = self.unwritten.len();
        let entry = Entry {
            at: 0,
            kind,
            sequence: self.next,
            writer: self.number.max(1),
            time_ns: now_ns(),
            payload: sealed,
        };
        records::encode(&mut self.unwritten, &entry).map_err(io::Error::other)?;
        self.next += 1;
        let record = u32::try_from(self.unwritten.len() - before).unwrap_or(u32::MAX);
        if self.unwritten.len() >= UNWRITTEN_MAX {
            self.flush()?;
        }
        Ok(record)
    }

    /// Writes what is still to be written: from then on it survives `kill -9`.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.unwritten)?;
        self.written += self.unwritten.len() as u64;
        self.unwritten.clear();
        Ok(())
    }

    /// Makes it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Reads a piece, proven; none if it is damaged.
    pub(super) fn piece(&mut self, seal: &Seal, piece: &Piece) -> Option<Vec<u8>> {
        let length = usize::try_from(piece.record).ok()?;
        // Whoever made the listing had the key; a length is still held to what a record may have.
        if length > 2 * PAYLOAD_BYTES_MAX {
            return None;
        }
        let mut record = vec![0; length];
        match self.file.read_exact_at(&mut record, piece.at) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            other => other.ok()?,
        }
        let read = records::read(&record, LogKind::Journal).ok()?;
        let entry = read.entries.first()?;
        let text = seal.open(self.place(piece.sequence, PIECE), entry.payload, PIECE_BYTES)?;
        (text.len() == piece.raw as usize && name_of(&text) == piece.name).then_some(text)
    }
}
