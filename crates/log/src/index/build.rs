//! Makes an index: one segment a call, as soon as the log has all of it.
//!
//! Invariant: a segment's head is written last, when its rows are there: killed before, it is no segment.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use super::groups::{ROWS, each_of};
use super::{
    BLOCK_BYTES, BLOCKS, HEAD_BYTES, ROW_BYTES, SEGMENT_BYTES, SEGMENT_SPAN, TABLE_AT, TABLE_BYTES,
    file_head, is_of, is_segment, place_of, segment_head, table,
};
use crate::descriptor::Descriptor;
use crate::event::command_of;
use crate::frame::u32_at;
use crate::header::{FILE_HEADER_BYTES, FileHeader};
use crate::walk::Forward;

/// What one call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended {
    /// Whether a segment was made.
    pub built: bool,
    /// Whether there is another to be made already.
    pub more: bool,
    /// Length of the log at which another call is worth while.
    pub next_at: u64,
}

/// Makes the first segment that is missing in the index of a log, if the log has all of it.
///
/// # Errors
/// The system's. What is there is as good as before.
pub fn extend(log: &Path, index: &Path) -> io::Result<Extended> {
    let descriptor = Descriptor::open_to_read(log)?;
    let end = descriptor.length()?;
    let header = header_of(&File::open(log)?)?;
    let whole = end / SEGMENT_SPAN;
    let nothing = |next_at| Extended {
        built: false,
        more: false,
        next_at,
    };
    if whole == 0 {
        return Ok(nothing(SEGMENT_SPAN));
    }
    let file = open(index, &header)?;
    let missing = (0..whole).find(|segment| !is_there(&file, *segment));
    let Some(segment) = missing else {
        return Ok(nothing((whole + 1) * SEGMENT_SPAN));
    };
    let from = match segment {
        0 => FILE_HEADER_BYTES as u64,
        later => {
            let (mut head, mut starts) = (Vec::new(), Vec::new());
            match table(&file, later - 1, &mut head, &mut starts) {
                Some(()) => starts[BLOCKS],
                None => later * SEGMENT_SPAN,
            }
        }
    };
    let Some(made) = make(&descriptor, segment, from, end) else {
        // Its last record is still being written.
        return Ok(nothing(end + 1));
    };
    write(&file, segment, &made)?;
    Ok(Extended {
        built: true,
        more: segment + 1 < whole,
        next_at: (segment + 2) * SEGMENT_SPAN,
    })
}

/// Takes the segments out in which records of these stretches of the log lie; they are made anew by [`extend`].
///
/// # Errors
/// The system's; some may be left.
pub fn forget(index: &Path, stretches: impl Iterator<Item = u64>) -> io::Result<()> {
    let file = match OpenOptions::new().write(true).open(index) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let bytes = file.metadata()?.len();
    let mut last = None;
    for at in stretches {
        let segment = at / SEGMENT_SPAN;
        if last == Some(segment) || place_of(segment) >= bytes {
            continue;
        }
        last = Some(segment);
        // The rows too: what was in a command is not to be guessed from them.
        let zeros = vec![0; usize::try_from(SEGMENT_BYTES).unwrap_or(0)];
        file.write_all_at(&zeros, place_of(segment))?;
    }
    Ok(())
}

/// Makes every segment anew and compares; gives those that are not what they should be.
///
/// # Errors
/// The system's.
pub fn verify(log: &Path, index: &Path) -> io::Result<Vec<u64>> {
    let descriptor = Descriptor::open_to_read(log)?;
    let (end, header) = (descriptor.length()?, header_of(&File::open(log)?)?);
    let file = File::open(index)?;
    let mut wrong = Vec::new();
    if !is_of(&file, &header) {
        return Ok(wrong);
    }
    let mut from = FILE_HEADER_BYTES as u64;
    for segment in 0..end / SEGMENT_SPAN {
        let Some(made) = make(&descriptor, segment, from, end) else {
            break;
        };
        from = segment * SEGMENT_SPAN + u64::from(u32_at(&made.table, BLOCKS * 4).unwrap_or(0));
        if is_there(&file, segment) && !is_same(&file, segment, &made)? {
            wrong.push(segment);
        }
    }
    Ok(wrong)
}

fn is_same(file: &File, segment: u64, made: &Segment) -> io::Result<bool> {
    let mut table = vec![0; TABLE_BYTES];
    let mut rows = vec![0; ROWS * ROW_BYTES];
    file.read_exact_at(&mut table, place_of(segment) + TABLE_AT as u64)?;
    file.read_exact_at(&mut rows, place_of(segment) + HEAD_BYTES as u64)?;
    // A record that was overwritten since leaves bits that cost time and hide nothing.
    let hides = made
        .rows
        .iter()
        .zip(&rows)
        .any(|(made, found)| made & !found != 0);
    Ok(table == made.table && !hides)
}

fn is_there(file: &File, segment: u64) -> bool {
    let mut head = [0; TABLE_AT];
    file.read_exact_at(&mut head, place_of(segment)).is_ok() && is_segment(&head, segment)
}

/// Opens the index of this log, or begins it anew.
fn open(path: &Path, header: &FileHeader) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    if let Ok(file) = options.open(path)
        && is_of(&file, header)
    {
        return Ok(file);
    }
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let draft = crate::mirror::with_suffix(path, &format!(".{}.new", std::process::id()));
    let file = options.create(true).truncate(true).open(&draft)?;
    let named = file
        .write_all_at(&file_head(header), 0)
        .and_then(|()| fs::rename(&draft, path));
    if let Err(error) = named {
        let _stray = fs::remove_file(&draft);
        return Err(error);
    }
    Ok(file)
}

struct Segment {
    table: Vec<u8>,
    rows: Vec<u8>,
}

/// Reads the records of a segment; none if the log does not have the first of the next one yet.
fn make(log: &Descriptor, segment: u64, from: u64, end: u64) -> Option<Segment> {
    let start = segment * SEGMENT_SPAN;
    let mut starts = [u64::MAX; BLOCKS + 1];
    let mut rows = vec![0; ROWS * ROW_BYTES];
    let mut walk = Forward::new(log, from, end);
    loop {
        let record = walk.next()?;
        if record.at >= start + SEGMENT_SPAN {
            starts[BLOCKS] = record.at;
            break;
        }
        // Of damage at a border, the last records of the segment before may be met again.
        let Some(within) = record.at.checked_sub(start) else {
            continue;
        };
        let block = (within / BLOCK_BYTES) as usize;
        starts[block] = starts[block].min(record.at);
        // A pasted script, too: a block that has one is looked into for nearly every text, and nothing is hidden.
        if record.redacted {
            continue;
        }
        if let Some(command) = command_of(record.header.kind, record.payload) {
            each_of(command, |row| {
                rows[row * ROW_BYTES + block / 8] |= 1 << (block % 8);
            });
        }
    }
    // A block in which no record starts is empty: it begins where the next one does.
    for block in (0..BLOCKS).rev() {
        starts[block] = starts[block].min(starts[block + 1]);
    }
    let table = starts
        .iter()
        .flat_map(|at| u32::try_from(at - start).unwrap_or(u32::MAX).to_le_bytes())
        .collect();
    Some(Segment { table, rows })
}

fn write(file: &File, segment: u64, made: &Segment) -> io::Result<()> {
    let at = place_of(segment);
    file.write_all_at(&made.rows, at + HEAD_BYTES as u64)?;
    file.write_all_at(&made.table, at + TABLE_AT as u64)?;
    let head = segment_head(segment, crc32fast::hash(&made.table), crc32fast::hash(&made.rows));
    file.write_all_at(&head, at)
}

/// How a log begins.
pub(super) fn header_of(log: &File) -> io::Result<FileHeader> {
    let mut header = [0; FILE_HEADER_BYTES];
    log.read_exact_at(&mut header, 0)?;
    Ok(header)
}
