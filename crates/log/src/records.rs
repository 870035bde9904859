//! Any log as bytes in memory: what a simulator, a replica or a report reads and writes, without a file.
//!
//! The same bytes as on disk: a header of 64 bytes, then records, each framed and checksummed. [`read`] never
//! panics and yields every undamaged record, whatever lies between them; what is no record is named by its
//! byte range.
//!
//! ```text
//!  │ file header │ record │ damage │ record │ record │ torn tail │
//!    64 bytes      entries[0]        entries[1], entries[2]
//! ```

use std::ops::Range;

use crate::frame::{self, HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, STATE_AT, SYNC, TRAILER_BYTES};
use crate::header::{Beginning, FILE_HEADER_BYTES, FILE_VERSION};

pub use crate::header::{LogKind, header};

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Where it starts in the log, in bytes. [`encode`] ignores it.
    pub at: u64,
    /// What the payload is; each kind of log has its own numbers.
    pub kind: u8,
    /// Its number, as its writer counts.
    pub sequence: u64,
    /// Who wrote it: a random number, not zero.
    pub writer: u64,
    /// When, in nanoseconds of Unix time.
    pub time_ns: i64,
    /// What it says, at most [`PAYLOAD_BYTES_MAX`] bytes.
    pub payload: &'a [u8],
}

/// A payload longer than [`PAYLOAD_BYTES_MAX`]. Nothing was encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are too long for one record")]
pub struct TooLong {
    /// Length of the payload, in bytes.
    pub bytes: usize,
}

/// Appends one record to `out`.
pub fn encode(out: &mut Vec<u8>, entry: &Entry<'_>) -> Result<(), TooLong> {
    let bytes = entry.payload.len();
    if bytes > PAYLOAD_BYTES_MAX {
        return Err(TooLong { bytes });
    }
    let Entry {
        kind,
        sequence,
        writer,
        time_ns,
        payload,
        ..
    } = *entry;
    frame::encode(out, kind, sequence, writer, time_ns, |out| {
        out.extend_from_slice(payload);
    });
    Ok(())
}

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read<'a> {
    /// Every undamaged record, in the order of the file.
    pub entries: Vec<Entry<'a>>,
    /// Records whose payload was overwritten on purpose, which only a history does.
    pub redacted: Vec<Range<u64>>,
    /// Bytes before and between records that are no record. No range touches the next.
    pub damage: Vec<Range<u64>>,
    /// What follows the last record: empty, or a record that was being written.
    pub torn_tail: Range<u64>,
}

/// Why bytes are not read as a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// They are something else.
    #[error("not a log of this kind")]
    Foreign,
    /// A later version wrote them.
    #[error("the log has format {found}; this version reads formats up to {FILE_VERSION}")]
    Version {
        /// The format.
        found: u32,
    },
}

/// Reads a whole log. No bytes at all are a log without records.
///
/// A damaged file header is damage, not a reason to refuse, if the bytes begin like a log or hold a record.
pub fn read(bytes: &[u8], kind: LogKind) -> Result<Read<'_>, ReadError> {
    let beginning = Beginning::of(&bytes[..bytes.len().min(FILE_HEADER_BYTES)], kind);
    let floor = match beginning {
        Beginning::Sound => FILE_HEADER_BYTES,
        Beginning::Damaged | Beginning::Unknown => 0,
        Beginning::Other => return Err(ReadError::Foreign),
        Beginning::Version(found) => return Err(ReadError::Version { found }),
    };
    let mut read = Read::default();
    // Damage runs from here: the end of the last record.
    let mut close = floor as u64;
    for piece in pieces(bytes, floor) {
        let Piece::Record(record) = piece else { continue };
        let at = record.at as u64;
        if at > close {
            read.damage.push(close..at);
        }
        if record.blemished {
            let state = at + STATE_AT as u64;
            read.damage.push(state..state + 1);
        }
        close = record.end as u64;
        if record.redacted {
            read.redacted.push(at..close);
        } else {
            read.entries.push(record.entry());
        }
    }
    read.torn_tail = close..bytes.len() as u64;
    let found = !(read.entries.is_empty() && read.redacted.is_empty());
    if beginning == Beginning::Unknown && !found {
        return Err(ReadError::Foreign);
    }
    Ok(read)
}

/// Bytes at the beginning of a log by which [`read_end`] tells what it is.
pub const BEGINNING_BYTES: usize = FILE_HEADER_BYTES;

/// Reads the end of a log, from anywhere in it: the records that stand there whole and without a gap, in the order of the
/// file. `beginning` is the first [`BEGINNING_BYTES`] of the same log.
///
/// None if the log does not begin as it should or does not end with a whole record: then only [`read`] tells what it holds.
pub fn read_end<'a>(beginning: &[u8], end: &'a [u8], kind: LogKind) -> Option<Vec<Entry<'a>>> {
    if Beginning::of(beginning, kind) != Beginning::Sound {
        return None;
    }
    let mut entries = Vec::new();
    let mut limit = end.len();
    while let Some(found) = ending_at(&end[..limit]) {
        limit = found.at;
        entries.push(found.entry());
    }
    entries.reverse();
    (!entries.is_empty()).then_some(entries)
}

/// The record at the end of `bytes`, by its closing length, if it is as it was written.
fn ending_at(bytes: &[u8]) -> Option<Found<'_>> {
    let closing = bytes.len().checked_sub(TRAILER_BYTES)?;
    let frame_bytes = frame::u32_at(bytes, closing)? as usize;
    let at = bytes.len().checked_sub(frame_bytes)?;
    let record = &bytes[at..];
    let header = frame::decode(record).filter(|header| header.frame_bytes() == frame_bytes)?;
    let whole = header.whole(&record[HEADER_BYTES..])?;
    (!whole.redacted && !whole.blemished).then_some(Found {
        at,
        end: bytes.len(),
        header,
        payload: &record[HEADER_BYTES..frame_bytes - TRAILER_BYTES],
        redacted: false,
        blemished: false,
        closed: true,
    })
}

/// A record as found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) at: usize,
    /// Where its closing length ends, or its payload if that is missing.
    pub(crate) end: usize,
    pub(crate) header: Header,
    pub(crate) payload: &'a [u8],
    pub(crate) redacted: bool,
    pub(crate) blemished: bool,
    pub(crate) closed: bool,
}

impl<'a> Found<'a> {
    fn entry(&self) -> Entry<'a> {
        Entry {
            at: self.at as u64,
            kind: self.header.kind,
            sequence: self.header.sequence,
            writer: self.header.session,
            time_ns: self.header.time_ns,
            payload: self.payload,
        }
    }
}

/// A stretch of a log. Pieces leave no byte out.
// Only the audit log asks what damage consists of.
#[cfg_attr(not(feature = "audit"), allow(dead_code))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece<'a> {
    Record(Found<'a>),
    /// Up to four bytes behind a record where its closing length should be.
    Closing {
        at: usize,
        end: usize,
    },
    /// No record. It begins where one did if its header still checks, and ends where the next may begin.
    Garbage {
        at: usize,
        end: usize,
        header: Option<Header>,
    },
}

/// Takes `bytes` apart, from `floor` on.
pub(crate) fn pieces(bytes: &[u8], floor: usize) -> Pieces<'_> {
    Pieces {
        bytes,
        position: floor,
        unclosed: false,
    }
}

pub(crate) struct Pieces<'a> {
    bytes: &'a [u8],
    position: usize,
    /// The record before `position` has no closing length.
    unclosed: bool,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let at = self.position;
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let header = frame::decode(rest);
        let found = header.and_then(|header| {
            let whole = header.whole(&rest[HEADER_BYTES..])?;
            let payload = &rest[HEADER_BYTES..HEADER_BYTES + header.payload_bytes as usize];
            let frame_bytes = HEADER_BYTES + payload.len() + if whole.closed { TRAILER_BYTES } else { 0 };
            Some(Found {
                at,
                end: at + frame_bytes,
                header,
                payload,
                redacted: whole.redacted,
                blemished: whole.blemished,
                closed: whole.closed,
            })
        });
        if let Some(found) = found {
            self.position = found.end;
            self.unclosed = !found.closed;
            return Some(Piece::Record(found));
        }
        let end = self.begins_after(at);
        if self.unclosed && frame::claimed_payload_bytes(rest).is_none() {
            self.unclosed = false;
            self.position = end.min(at + TRAILER_BYTES);
            return Some(Piece::Closing {
                at,
                end: self.position,
            });
        }
        self.unclosed = false;
        self.position = end;
        Some(Piece::Garbage { at, end, header })
    }
}

impl Pieces<'_> {
    /// Finds the first place after `at` where a record may begin, or the end.
    fn begins_after(&self, at: usize) -> usize {
        let mut from = at + 1;
        while let Some(rest) = self.bytes.get(from..)
            && let Some(offset) = rest.windows(SYNC.len()).position(|four| four == SYNC)
        {
            if frame::claimed_payload_bytes(&rest[offset..]).is_some() {
                return from + offset;
            }
            from += offset + 1;
        }
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    type Parts = (u8, u64, u64, i64, Vec<u8>);

    fn parts() -> impl Strategy<Value = Parts> {
        (
            any::<u8>(),
            any::<u64>(),
            any::<u64>(),
            any::<i64>(),
            vec(any::<u8>(), 0..200),
        )
    }

    fn log(kind: LogKind, parts: &[Parts]) -> (Vec<u8>, Vec<u64>) {
        let mut bytes = header(kind, 7, 8).to_vec();
        let mut offsets = Vec::new();
        for &(kind, sequence, writer, time_ns, ref payload) in parts {
            offsets.push(bytes.len() as u64);
            let entry = Entry {
                at: 0,
                kind,
                sequence,
                writer,
                time_ns,
                payload,
            };
            encode(&mut bytes, &entry).expect("short enough");
        }
        offsets.push(bytes.len() as u64);
        (bytes, offsets)
    }

    fn expected<'a>(parts: &'a [Parts], offsets: &[u64]) -> Vec<Entry<'a>> {
        parts
            .iter()
            .zip(offsets)
            .map(|(&(kind, sequence, writer, time_ns, ref payload), &at)| Entry {
                at,
                kind,
                sequence,
                writer,
                time_ns,
                payload,
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_read(parts in vec(parts(), 0..12)) {
            let (bytes, offsets) = log(LogKind::State, &parts);
            let read = read(&bytes, LogKind::State).expect("a log");
            prop_assert_eq!(read.entries, expected(&parts, &offsets));
            prop_assert!(read.damage.is_empty() && read.redacted.is_empty() && read.torn_tail.is_empty());
        }

        #[test]
        fn one_changed_byte_costs_at_most_its_record(parts in vec(parts(), 1..8), at: prop::sample::Index, flip in 1u8..) {
            let (mut bytes, offsets) = log(LogKind::Audit, &parts);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let read = read(&bytes, LogKind::Audit).expect("still a log");
            for (entry, range) in expected(&parts, &offsets).iter().zip(offsets.windows(2)) {
                let hit = (range[0]..range[1]).contains(&(at as u64));
                prop_assert!(hit || read.entries.contains(entry));
            }
            let named = |range: &Range<u64>| range.contains(&(at as u64));
            prop_assert!(read.damage.iter().any(named) || named(&read.torn_tail)
                || read.redacted.iter().any(named), "byte {} unnoticed: {:?}", at, read);
        }

        #[test]
        fn the_end_says_what_the_whole_log_says_there(
            parts in vec(parts(), 1..8), from: prop::sample::Index, at: prop::sample::Index, flip in 0u8..,
        ) {
            let (mut bytes, _) = log(LogKind::Versions, &parts);
            let hit = at.index(bytes.len());
            bytes[hit] ^= flip;
            let from = from.index(bytes.len());
            let beginning = &bytes[..BEGINNING_BYTES];
            let whole = read(&bytes, LogKind::Versions).expect("still a log").entries;
            if let Some(found) = read_end(beginning, &bytes[from..], LogKind::Versions) {
                let found: Vec<_> = found.iter().map(|entry| Entry { at: entry.at + from as u64, ..*entry }).collect();
                prop_assert!(!found.is_empty() && whole.ends_with(&found), "{:?}", found);
            } else if flip == 0 {
                prop_assert!(from as u64 > whole.last().expect("there is one").at, "the last one was there");
            }
            let other = header(LogKind::Audit, 1, 1);
            prop_assert_eq!(read_end(&other, &bytes[from..], LogKind::Versions), None);
        }

        #[test]
        fn any_bytes_have_an_end_or_none(bytes in vec(any::<u8>(), 0..300)) {
            let _ = read_end(&header(LogKind::State, 1, 1), &bytes, LogKind::State);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300), parts in vec(parts(), 0..3), cut: prop::sample::Index) {
            let _ = read(&bytes, LogKind::History);
            let (mut log, _) = log(LogKind::History, &parts);
            let cut = cut.index(log.len() + 1);
            log.splice(cut..cut, bytes.iter().copied());
            let read = read(&log, LogKind::History);
            if cut >= FILE_HEADER_BYTES {
                prop_assert!(read.is_ok());
            }
        }
    }

    #[test]
    fn beginnings() {
        let check = |bytes: &[u8], expect: Result<(usize, Range<u64>), ReadError>| {
            let read = read(bytes, LogKind::State).map(|read| (read.entries.len(), read.torn_tail));
            assert_eq!(read, expect, "{bytes:?}");
        };
        let parts = [(1, 1, 1, 1, b"x".to_vec())];
        let (whole, _) = log(LogKind::State, &parts);
        let end = whole.len() as u64;
        check(&[], Ok((0, 0..0)));
        check(&whole, Ok((1, end..end)));
        check(&whole[..64], Ok((0, 64..64)));
        check(&whole[..3], Ok((0, 0..3)));
        check(&whole[64..], Ok((1, end - 64..end - 64)));
        check(&whole[..70], Ok((0, 64..70)));
        check(b"#!/bin/sh\n", Err(ReadError::Foreign));
        check(&log(LogKind::Audit, &parts).0, Err(ReadError::Foreign));
        let mut later = whole.clone();
        later[8] = 2;
        let crc = crc32fast::hash(&later[..60]);
        later[60..64].copy_from_slice(&crc.to_le_bytes());
        check(&later, Err(ReadError::Version { found: 2 }));
        let mut damaged = whole;
        damaged[0] = 0;
        check(&damaged, Ok((1, end..end)));
        let damage = read(&damaged, LogKind::State).expect("a log").damage;
        assert_eq!(damage, std::slice::from_ref(&(0..64)));
    }

    #[test]
    fn a_payload_may_be_as_long_as_the_limit() {
        let mut entry = Entry {
            at: 0,
            kind: 1,
            sequence: 1,
            writer: 1,
            time_ns: 1,
            payload: &[],
        };
        let long = vec![0; PAYLOAD_BYTES_MAX + 1];
        let mut out = Vec::new();
        entry.payload = &long;
        assert_eq!(encode(&mut out, &entry), Err(TooLong { bytes: long.len() }));
        assert!(out.is_empty());
        entry.payload = &long[1..];
        assert_eq!(encode(&mut out, &entry), Ok(()));
    }
}
