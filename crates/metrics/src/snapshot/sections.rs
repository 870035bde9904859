//! Where the sections of a flight file lie, as its head says and its length allows.
//!
//! Invariant: what is handed out lies within the bytes it was checked against, whatever the head says.

use super::ReadError;
use crate::FILE_BYTES;
use crate::layout::{self, MAGIC, SectionName, VERSION, VERSION_OLDEST};

/// Where a section lies; without rows when the file has none.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) offset: usize,
    pub(crate) rows: usize,
}

/// The sections of a file whose bounds have been checked.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sections([Span; layout::SECTIONS]);

impl Sections {
    pub(crate) fn of(&self, name: SectionName) -> Span {
        self.0.get(name as usize).copied().unwrap_or_default()
    }

    /// Checks a file's head, and that every section lies within `bytes`.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Sections, ReadError> {
        let Some(magic) = word_at(bytes, 0) else {
            return Err(ReadError::Short {
                found: bytes.len(),
                expected: FILE_BYTES,
            });
        };
        if magic == 0 {
            return Err(ReadError::Unfinished);
        }
        if magic != MAGIC {
            return Err(ReadError::Foreign);
        }
        let (version, expected) = halves_at(bytes, 8);
        if !(VERSION_OLDEST..=VERSION).contains(&version) {
            return Err(ReadError::Version { found: version });
        }
        if bytes.len() < expected as usize {
            return Err(ReadError::Short {
                found: bytes.len(),
                expected: expected as usize,
            });
        }
        let mut sections = Sections::default();
        let listed = listed(bytes).ok_or(ReadError::Damaged { section: "identity" })?;
        let known = sections.0.iter_mut().zip(SHAPES).take(listed);
        for (at, (span, (section, row_bytes, extra))) in known.enumerate() {
            let (offset, rows) = halves_at(bytes, LIST_AT + at * 8);
            *span = Span {
                offset: offset as usize,
                rows: rows as usize,
            };
            let end = span
                .rows
                .saturating_mul(row_bytes)
                .saturating_add(span.offset + extra);
            if !span.offset.is_multiple_of(8) || end > bytes.len() {
                return Err(ReadError::Damaged { section });
            }
        }
        Ok(sections)
    }
}

/// Sections a file lists: the list ends where the first section begins. None if that is not where one can begin.
fn listed(bytes: &[u8]) -> Option<usize> {
    let (first, _) = halves_at(bytes, LIST_AT);
    let list = (first as usize).checked_sub(LIST_AT)?;
    (list.is_multiple_of(8) && list / 8 >= layout::SECTIONS_OLDEST).then_some(list / 8)
}

/// Where the head's list of sections begins.
const LIST_AT: usize = 24;

/// Each section's name, bytes a row, and bytes before the first row, in the head's order.
const SHAPES: [(&str, usize, usize); layout::SECTIONS] = [
    ("identity", size_of::<layout::IdentityCells>(), 0),
    ("counters", 8, 0),
    ("gauges", 8, 0),
    ("timers", size_of::<layout::HistogramCells>(), 0),
    ("draft", 8, 8),
    ("last command", 8, 8),
    ("prompt blame", 8, 8),
    ("events", 64, 8),
    (
        "parts of the prompt",
        size_of::<layout::PartCell>(),
        8 * layout::PARTS_HEAD_WORDS,
    ),
    (
        "parts of the start",
        size_of::<layout::PartCell>(),
        8 * layout::PARTS_HEAD_WORDS,
    ),
    ("stages", size_of::<layout::StageCells>(), 0),
    ("prompts", size_of::<layout::PromptCell>(), 8),
    ("changes of the prompt", size_of::<layout::ChangeCell>(), 8),
    ("folders of the prompts", 8, 0),
    (
        "parts of completions",
        size_of::<layout::PartCell>(),
        8 * layout::PARTS_HEAD_WORDS,
    ),
];

pub(super) fn word_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let word = bytes.get(offset..offset.checked_add(8)?)?;
    word.first_chunk().map(|word| u64::from_ne_bytes(*word))
}

/// The two halves of the word at an offset; zero beyond the end.
fn halves_at(bytes: &[u8], offset: usize) -> (u32, u32) {
    let word = word_at(bytes, offset).unwrap_or(0).to_ne_bytes();
    (half(&word, 0), half(&word, 4))
}

pub(super) fn half(word: &[u8; 8], at: usize) -> u32 {
    word.get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |half| u32::from_ne_bytes(*half))
}
