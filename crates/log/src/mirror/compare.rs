//! Compares a log with its mirror, byte by byte, but for records that were overwritten on purpose.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::files::PIECE_BYTES;
use crate::descriptor::Descriptor;
use crate::frame::{self, FRAME_BYTES, HEADER_BYTES, PAYLOAD_BYTES_MAX, STATE_AT};
use crate::header::{Beginning, FILE_HEADER_BYTES, LogKind};
use crate::records::{Piece, pieces};
use crate::walk::Forward;

/// The longest record, in bytes.
pub(super) const FRAME_BYTES_MAX: u64 = (FRAME_BYTES + PAYLOAD_BYTES_MAX) as u64;

/// What a comparison came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// Byte by byte the same, or records of the mirror are overwritten that are not yet in the log.
    Same,
    /// Records of the log are overwritten that are not yet in the mirror: their offsets and lengths.
    Redacted(Vec<(u64, u64)>),
    /// Something else differs.
    Different,
}

/// Compares `from..to` of both, in files whose first `end` bytes are in both.
pub(super) fn compare(log: &File, mirror: &File, from: u64, to: u64, end: u64) -> io::Result<Compared> {
    if read(mirror, from, to)? == read(log, from, to)? {
        return Ok(Compared::Same);
    }
    // Records that lie across the borders are looked at as a whole.
    let (first, last) = (
        from.saturating_sub(FRAME_BYTES_MAX),
        end.min(to.saturating_add(FRAME_BYTES_MAX)),
    );
    let (ours, theirs) = (read(mirror, first, last)?, read(log, first, last)?);
    if ours.len() != theirs.len() {
        return Ok(Compared::Different);
    }
    let asked = |at: usize| (from..to).contains(&(first + at as u64));
    let differs =
        |range: std::ops::Range<usize>| range.into_iter().any(|at| asked(at) && ours[at] != theirs[at]);
    // Lengths and places are the same in both, whatever was overwritten: the records of one are those of the other.
    let mut redacted = Vec::new();
    let mut compared = 0;
    for piece in pieces(&theirs, 0) {
        let Piece::Record(record) = piece else { continue };
        if differs(compared..record.at) {
            return Ok(Compared::Different);
        }
        compared = record.end;
        let (mine, other) = (&ours[record.at..record.end], &theirs[record.at..record.end]);
        if mine == other {
            continue;
        }
        let same_header = (0..HEADER_BYTES).all(|at| at == STATE_AT || mine[at] == other[at]);
        let whole = frame::decode(mine).and_then(|header| header.whole(&mine[HEADER_BYTES..]));
        match (same_header, whole, record.redacted) {
            (true, Some(_), true) => {
                redacted.push((first + record.at as u64, (record.end - record.at) as u64));
            }
            (true, Some(whole), false) if whole.redacted => {}
            _ => return Ok(Compared::Different),
        }
    }
    if differs(compared..ours.len()) {
        return Ok(Compared::Different);
    }
    Ok(match redacted.is_empty() {
        true => Compared::Same,
        false => Compared::Redacted(redacted),
    })
}

/// Where the record around the first difference begins, or before: records begin behind the header, unless that was cut,
/// too, and sessions went on behind what was left of it.
pub(super) fn record_around(common: u64) -> u64 {
    let header = FILE_HEADER_BYTES as u64;
    match common < header {
        true => 0,
        false => common.saturating_sub(FRAME_BYTES_MAX).max(header),
    }
}

/// How many bytes both begin with, at most `to`.
pub(super) fn common(log: &File, mirror: &File, to: u64) -> io::Result<u64> {
    common_from(log, mirror, 0, to)
}

/// The first offset from `from` on at which they differ, at most `to`.
pub(super) fn common_from(log: &File, mirror: &File, from: u64, to: u64) -> io::Result<u64> {
    let mut at = from;
    while at < to {
        let end = to.min(at + PIECE_BYTES as u64);
        let (ours, theirs) = (read(mirror, at, end)?, read(log, at, end)?);
        let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
        at += same as u64;
        if at < end {
            break;
        }
    }
    Ok(at)
}

/// Bytes of a file that are no record, nor its beginning, from the record around `from` on; all of them if it cannot be
/// read.
pub(super) fn damage(path: &Path, from: u64, to: u64) -> u64 {
    let Ok(descriptor) = Descriptor::open_to_read(path) else {
        return to.saturating_sub(from);
    };
    let records = (FILE_HEADER_BYTES as u64).min(to);
    let beginning = if from < records {
        damaged_beginning(&descriptor)
    } else {
        0
    };
    let start = from.saturating_sub(FRAME_BYTES_MAX).max(records);
    let mut walk = Forward::new(&descriptor, start, to);
    // Where the walk began is a boundary of a record only at the first one: elsewhere it comes to one in some bytes, all of
    // them before `from`.
    let before = match walk.next() {
        Some(_) if start > records => walk.damage().bytes.min(from - start),
        _ => 0,
    };
    while walk.next().is_some() {}
    beginning + (walk.damage().bytes - before) + (to - walk.position().min(to))
}

/// Whether a file does not begin like a log.
pub(super) fn has_damaged_beginning(path: &Path) -> io::Result<bool> {
    Ok(damaged_beginning(&Descriptor::open_to_read(path)?) > 0)
}

/// Bytes of the file's header if it is none.
fn damaged_beginning(descriptor: &Descriptor) -> u64 {
    let mut header = [0; FILE_HEADER_BYTES];
    let there = descriptor.read_at(&mut header, 0).unwrap_or(0);
    match Beginning::of(&header[..there], LogKind::History) {
        Beginning::Damaged | Beginning::Unknown => FILE_HEADER_BYTES as u64,
        // Of another kind, or of another version: a mirror is of any log, and it says so itself.
        Beginning::Sound | Beginning::Other | Beginning::Version(_) => 0,
    }
}

/// Reads `from..to`, or as much of it as there is.
fn read(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(0)];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
