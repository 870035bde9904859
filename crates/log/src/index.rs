//! An index of a history log: for each 16 KiB of it, which groups of bytes begin or occur in its commands, so that a
//! search passes over what cannot match.
//!
//! ```text
//!  file │ head │ segment 0 │ segment 1 │ …          segment k: records that start in bytes k·8 MiB … (k+1)·8 MiB
//!  segment │ head │ where each block's first record starts │ row 0 │ row 1 │ …      one row for each number of a group
//!  row │ a bit for each of 512 blocks                                               set: some command there has it
//!
//!  typed ▸ numbers of its groups ▸ and those rows together ▸ blocks that may match ▸ their records, newest first
//! ```
//!
//! The rows lie across the blocks (bit slices, as in signature files), so a search reads 64 bytes a group and segment:
//! at ten million commands some thousands of reads of 64 bytes, most of which end after the first groups. An index takes 11 % of its log and holds no text of it.
//!
//! Invariants:
//! - It may be deleted at any time, be of another log, or be cut: a search then walks the log, as without one.
//! - A record is read from the log and checked there. An index can cost time; only a damaged one can hide a record, and
//!   [`verify`] finds that.
//! - A search holds no descriptor between two calls.

mod build;
mod groups;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::frame::{u32_at, u64_at};
use crate::header::{FILE_HEADER_BYTES, FileHeader};
pub use build::{Extended, extend, forget, verify};
pub(crate) use groups::Groups;
use groups::ROWS;

/// Bytes of log in a block: some 90 commands with their ends. Reading and walking them takes 5 µs.
const BLOCK_BYTES: u64 = 16 * 1024;
/// Blocks in a segment.
const BLOCKS: usize = 512;
/// Bytes of log in a segment.
pub const SEGMENT_SPAN: u64 = BLOCK_BYTES * BLOCKS as u64;
const ROW_BYTES: usize = BLOCKS / 8;
/// Words of a row.
const ROW_WORDS: usize = BLOCKS / 64;
/// Bytes before the first segment, and before the rows of each: a page.
const HEAD_BYTES: usize = 4096;
const SEGMENT_BYTES: u64 = (HEAD_BYTES + ROWS * ROW_BYTES) as u64;
/// Where in a segment's head the table of blocks begins, with one entry more than blocks.
const TABLE_AT: usize = 64;
const TABLE_BYTES: usize = (BLOCKS + 1) * 4;
const MAGIC: [u8; 8] = *b"\x89LLEIDX\n";
/// The format written and read; another is made anew. The first left commands of more than 64 KiB out.
const VERSION: u32 = 2;
/// What looking into one segment counts for, as bytes of log that are walked.
pub(crate) const SEGMENT_COST: u64 = 32 * 1024;

/// A stretch of the log in which records may match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// A record's start, and where those before it are to be looked at first.
    pub(crate) end: u64,
    /// Where to stop.
    pub(crate) start: u64,
}

/// What there is to look at next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This.
    Region(Region),
    /// The budget is used up.
    Later,
    /// Nothing that could match.
    Nothing,
}

/// Looks into the index of one log while something is searched for. Allocates nothing once it has looked into a segment.
pub(crate) struct Finder {
    path: PathBuf,
    file: Option<File>,
    /// The segment whose blocks that may match are known.
    segment: Option<u64>,
    bits: [u64; ROW_WORDS],
    /// Where the records of each block start, in bytes of the log.
    table: Vec<u64>,
    head: Vec<u8>,
}

impl Finder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            segment: None,
            bits: [0; ROW_WORDS],
            table: Vec::new(),
            head: Vec::new(),
        }
    }

    /// Opens the index for one call, if it is this log's.
    pub(crate) fn open(&mut self, log: &FileHeader) {
        self.file = File::open(&self.path).ok().filter(|file| is_of(file, log));
    }

    /// Lets go of it.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    /// Forgets what was learnt for another text.
    pub(crate) fn forget(&mut self) {
        self.segment = None;
    }

    /// Looks for the next stretch in which something may match `groups`, from `below` downward, and moves that. `place` is
    /// where the walk stands: nothing is handed out twice. Segments looked into are taken off `budget`.
    pub(crate) fn before(&mut self, groups: &Groups, below: &mut u64, place: u64, budget: &mut u64) -> Next {
        while *below > 0 {
            let segment = (*below - 1) / SEGMENT_SPAN;
            let start = segment * SEGMENT_SPAN;
            if !self.look_into(segment, groups) {
                // What was passed over above ends where its first record starts.
                let end = match place <= *below {
                    true => place,
                    false => self.first_record(segment + 1).unwrap_or(place),
                };
                *below = start;
                return Next::Region(Region { end, start });
            }
            if let Some(region) = self.candidate(*below, place) {
                *below = region.start;
                return Next::Region(region);
            }
            *below = start;
            *budget = budget.saturating_sub(SEGMENT_COST);
            if *budget == 0 {
                return Next::Later;
            }
        }
        Next::Nothing
    }

    fn first_record(&mut self, segment: u64) -> Option<u64> {
        // The table of another segment is of no use any more.
        self.segment = None;
        table(self.file.as_ref()?, segment, &mut self.head, &mut self.table)?;
        self.table.first().copied()
    }

    /// Reads which blocks of a segment may match; false if it is not indexed.
    fn look_into(&mut self, segment: u64, groups: &Groups) -> bool {
        if self.segment == Some(segment) {
            return true;
        }
        self.segment = None;
        let Some(file) = &self.file else { return false };
        let Some(bits) = bits(file, segment, groups) else {
            return false;
        };
        // If nothing is there, it does not matter where its records start.
        if bits != [0; ROW_WORDS] && table(file, segment, &mut self.head, &mut self.table).is_none() {
            return false;
        }
        (self.segment, self.bits) = (Some(segment), bits);
        true
    }

    /// The last block that may match, of those that begin before `below`.
    fn candidate(&self, below: u64, place: u64) -> Option<Region> {
        if self.bits == [0; ROW_WORDS] {
            return None;
        }
        (0..BLOCKS)
            .rev()
            .filter(|block| self.bits[block / 64] >> (block % 64) & 1 == 1)
            .filter(|block| self.table[*block] < below)
            .map(|block| Region {
                end: self.table[block + 1].min(place),
                start: self.table[block],
            })
            .find(|region| region.start < region.end)
    }
}

/// The blocks whose commands have all of the groups; none if the segment is not there.
fn bits(file: &File, segment: u64, groups: &Groups) -> Option<[u64; ROW_WORDS]> {
    let at = place_of(segment);
    let mut head = [0; TABLE_AT];
    file.read_exact_at(&mut head, at).ok()?;
    is_segment(&head, segment).then_some(())?;
    let mut bits = [u64::MAX; ROW_WORDS];
    for row in groups.rows() {
        let mut bytes = [0; ROW_BYTES];
        let row_at = at + (HEAD_BYTES + row * ROW_BYTES) as u64;
        file.read_exact_at(&mut bytes, row_at).ok()?;
        for (word, bits) in bits.iter_mut().enumerate() {
            *bits &= u64_at(&bytes, word * 8)?;
        }
        if bits == [0; ROW_WORDS] {
            break;
        }
    }
    Some(bits)
}

/// Where the records of each block of a segment start, and where those of the next segment do.
fn table(file: &File, segment: u64, head: &mut Vec<u8>, table: &mut Vec<u64>) -> Option<()> {
    head.resize(HEAD_BYTES, 0);
    file.read_exact_at(head, place_of(segment)).ok()?;
    is_segment(head, segment).then_some(())?;
    let bytes = &head[TABLE_AT..TABLE_AT + TABLE_BYTES];
    (u32_at(head, 20)? == crc32fast::hash(bytes)).then_some(())?;
    table.clear();
    for block in 0..=BLOCKS {
        table.push(segment * SEGMENT_SPAN + u64::from(u32_at(bytes, block * 4)?));
    }
    table.is_sorted().then_some(())
}

/// A segment's head: magic, number, checksum of the table, of the rows, of what stands before it.
fn segment_head(segment: u64, table_crc: u32, rows_crc: u32) -> [u8; TABLE_AT] {
    let mut head = [0; TABLE_AT];
    head[0..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&segment.to_le_bytes());
    head[16..20].copy_from_slice(&VERSION.to_le_bytes());
    head[20..24].copy_from_slice(&table_crc.to_le_bytes());
    head[24..28].copy_from_slice(&rows_crc.to_le_bytes());
    let crc = crc32fast::hash(&head[..28]);
    head[28..32].copy_from_slice(&crc.to_le_bytes());
    head
}

fn is_segment(head: &[u8], segment: u64) -> bool {
    head.starts_with(&MAGIC)
        && u64_at(head, 8) == Some(segment)
        && u32_at(head, 16) == Some(VERSION)
        && u32_at(head, 28) == head.get(..28).map(crc32fast::hash)
}

/// The file's head: magic, version, and how its log begins.
fn file_head(log: &FileHeader) -> [u8; TABLE_AT * 2] {
    let mut head = [0; TABLE_AT * 2];
    head[0..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[64..64 + FILE_HEADER_BYTES].copy_from_slice(log);
    head
}

fn is_of(file: &File, log: &FileHeader) -> bool {
    let mut head = [0; TABLE_AT * 2];
    file.read_exact_at(&mut head, 0).is_ok() && head == file_head(log)
}

fn place_of(segment: u64) -> u64 {
    HEAD_BYTES as u64 + segment * SEGMENT_BYTES
}

/// How much of a log its index covers: bytes of the log, and of the index; none if there is no index of it.
pub fn coverage(log: &Path, index: &Path) -> Option<(u64, u64)> {
    let header = build::header_of(&File::open(log).ok()?).ok()?;
    let file = File::open(index).ok().filter(|file| is_of(file, &header))?;
    let bytes = file.metadata().ok()?.len();
    let segments = (0..(bytes / SEGMENT_BYTES))
        .filter(|segment| {
            let mut head = [0; TABLE_AT];
            file.read_exact_at(&mut head, place_of(*segment)).is_ok() && is_segment(&head, *segment)
        })
        .count();
    Some((segments as u64 * SEGMENT_SPAN, bytes))
}
