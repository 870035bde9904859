//! The flight file, byte by byte: one structure of atomics, which the writer maps and readers parse.
//!
//! ```text
//! head       magic · version · bytes · sequence · where each section starts and how many rows it has
//! identity   session, boot, process, creation, strings
//! counters   u64 each          gauges   i64 each, i64::MIN is unknown
//! timers     count, sum, max, buckets u32 each
//! texts      the line being typed, the last command, what the prompt's time is blamed on
//! events     a ring of 64-byte slots
//! parts      of the prompt, of the start: head of 8 words, rows of count, sum, last, max, name
//! stages     count, sum, last, max
//! prompts    a ring of 16-byte slots: the last prompts, one by one
//! changes    a ring: what was typed that may have changed the prompt
//! folders    u64 each: in which folder each of the prompts was, by a number of the session's own, and what PROMPT_COMMAND took
//! completers what completes, as parts of completions
//! ```
//!
//! Everything is in the machine's byte order (a flight file never leaves its machine) and aligned to 8.
//! `sequence` is odd while a batch is being written (a seqlock). Sections are found through the head,
//! never by this structure's shape, so tables can grow; `VERSION` changes when a meaning does. Sections are added at
//! the end of the head's list: how many there are is told by where the first of them begins, right behind the list. A
//! file with fewer lacks the last ones, and a reader that knows fewer passes over the rest.

use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::Release};

use super::FILE_BYTES;
use super::bucket::BUCKETS;
use super::identity::Identity;
use super::prompts::{CHANGES_KEPT, PROMPTS_KEPT};
use super::table::{Counter, Gauge, Stage, Timer};

/// "lusush flight", shortened to a word, with a byte that breaks text-mode transfers.
pub(crate) const MAGIC: u64 = u64::from_ne_bytes(*b"LLEfl\x00\xfft");

/// The format written. Readers accept this one and the one before.
pub(crate) const VERSION: u32 = 1;

/// The oldest format read.
pub(crate) const VERSION_OLDEST: u32 = 1;

/// A gauge never set.
pub(crate) const UNKNOWN: i64 = i64::MIN;

/// Events kept: an hour of trouble, in a sixth of the file.
pub(crate) const EVENTS: usize = 88;

/// Words of text in one event, which make its slot 64 bytes.
pub(crate) const EVENT_TEXT_WORDS: usize = 4;

/// Words of the draft line: 4 KiB, a screenful; a longer line keeps its beginning and its length.
pub(crate) const DRAFT_WORDS: usize = 512;

/// Words of the last command: 256 bytes, enough to know it again.
pub(crate) const COMMAND_WORDS: usize = 32;

/// Words of a short name: 64 bytes.
pub(crate) const NAME_WORDS: usize = 8;

/// Where a section starts, and how many rows it has.
#[repr(C)]
pub(crate) struct Section {
    pub(crate) offset: AtomicU32,
    pub(crate) rows: AtomicU32,
}

/// The sections, in the order the head lists them.
#[derive(Clone, Copy)]
pub(crate) enum SectionName {
    Identity,
    Counters,
    Gauges,
    Timers,
    Draft,
    LastCommand,
    PromptBlame,
    Events,
    PromptParts,
    StartParts,
    Stages,
    Prompts,
    Changes,
    PromptFolders,
    CompletionParts,
}

/// Sections listed in the head.
pub(crate) const SECTIONS: usize = 15;

/// Sections that every file has: those of the first release.
pub(crate) const SECTIONS_OLDEST: usize = 8;

/// Rows of each table of parts: twice what a prompt of many parts has, and about what a page of slow lines shows.
pub(crate) const PARTS: usize = 24;

/// Rows of the table of completions: there is little room, so it keeps those that took most.
pub(crate) const COMPLETERS: usize = 4;

/// Words of a command that may have changed the prompt: 128 bytes, more than is told of one.
pub(crate) const CHANGE_WORDS: usize = 16;

/// Words of a part's name: 48 bytes.
pub(crate) const PART_NAME_WORDS: usize = 6;

/// Words in front of the rows of a table of parts.
pub(crate) const PARTS_HEAD_WORDS: usize = 8;

/// The first bytes of the file.
#[repr(C)]
pub(crate) struct Head {
    pub(crate) magic: AtomicU64,
    pub(crate) version: AtomicU32,
    pub(crate) bytes: AtomicU32,
    pub(crate) sequence: AtomicU64,
    pub(crate) sections: [Section; SECTIONS],
}

/// A bounded byte string.
#[repr(C)]
pub(crate) struct Text<const WORDS: usize> {
    /// Bytes kept in the low half, true length in the high half; [`HIDDEN`] when not to be shown.
    pub(crate) length: AtomicU64,
    pub(crate) words: [AtomicU64; WORDS],
}

/// The length of a text that is not to be shown: nothing kept, no length told.
pub(crate) const HIDDEN: u64 = (u32::MAX as u64) << 32;

/// A true length that large or larger is written as this.
const LENGTH_MAX: usize = u32::MAX as usize - 1;

impl<const WORDS: usize> Text<WORDS> {
    /// Stores the beginning of `bytes` and wipes what an older, longer text left behind.
    #[inline]
    pub(crate) fn write(&self, bytes: &[u8]) {
        let (kept, _) = bytes.split_at(bytes.len().min(WORDS * 8));
        let used = self.store(kept);
        self.wipe_from(used);
        let length = bytes.len().min(LENGTH_MAX) as u64;
        self.length.store(length << 32 | kept.len() as u64, Relaxed);
    }

    /// Whether the text is the beginning of `bytes`, as [`Text::write`] would have kept it.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        let (kept, _) = bytes.split_at(bytes.len().min(WORDS * 8));
        if self.length.load(Relaxed) as u32 as usize != kept.len() {
            return false;
        }
        let (whole, rest) = kept.as_chunks::<8>();
        let is = |cell: &AtomicU64, bytes: [u8; 8]| cell.load(Relaxed) == u64::from_ne_bytes(bytes);
        whole
            .iter()
            .zip(&self.words)
            .all(|(bytes, cell)| is(cell, *bytes))
            && (rest.is_empty()
                || self
                    .words
                    .get(whole.len())
                    .is_some_and(|cell| is(cell, padded(rest))))
    }

    /// Wipes the text and says that there is one.
    #[inline]
    pub(crate) fn hide(&self) {
        self.wipe_from(0);
        self.length.store(HIDDEN, Relaxed);
    }

    /// Stores whole words; answers how many.
    #[inline]
    fn store(&self, kept: &[u8]) -> usize {
        let (whole, rest) = kept.as_chunks::<8>();
        for (word, chunk) in self.words.iter().zip(whole) {
            word.store(u64::from_ne_bytes(*chunk), Relaxed);
        }
        if rest.is_empty() {
            return whole.len();
        }
        if let Some(word) = self.words.get(whole.len()) {
            word.store(u64::from_ne_bytes(padded(rest)), Relaxed);
        }
        whole.len() + 1
    }

    #[inline]
    fn wipe_from(&self, used: usize) {
        let before = (self.length.load(Relaxed) as u32 as usize).div_ceil(8).min(WORDS);
        for word in self.words.iter().take(before).skip(used) {
            word.store(0, Relaxed);
        }
    }
}

/// A word that begins with these bytes, of which there are fewer than eight, and ends with zeros.
#[inline]
fn padded(bytes: &[u8]) -> [u8; 8] {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    word
}

/// Who writes the file.
#[repr(C)]
pub(crate) struct IdentityCells {
    pub(crate) session: AtomicU64,
    pub(crate) boot: [AtomicU64; 2],
    pub(crate) pid: AtomicU64,
    pub(crate) start_ticks: AtomicU64,
    pub(crate) created_wall_ns: AtomicU64,
    pub(crate) tty: Text<NAME_WORDS>,
    pub(crate) bash_version: Text<NAME_WORDS>,
    pub(crate) lle_version: Text<NAME_WORDS>,
}

impl IdentityCells {
    pub(crate) fn write(&self, identity: &Identity) {
        self.session.store(identity.session_id, Relaxed);
        for (word, bytes) in self.boot.iter().zip(identity.boot_id.as_chunks::<8>().0) {
            word.store(u64::from_ne_bytes(*bytes), Relaxed);
        }
        self.pid.store(u64::from(identity.pid), Relaxed);
        self.start_ticks.store(identity.start_ticks, Relaxed);
        self.created_wall_ns.store(identity.created_wall_ns, Relaxed);
        self.tty.write(identity.tty.as_bytes());
        self.bash_version.write(identity.bash_version.as_bytes());
        self.lle_version.write(identity.lle_version.as_bytes());
    }
}

/// One histogram.
#[repr(C)]
pub(crate) struct HistogramCells {
    pub(crate) count: AtomicU64,
    pub(crate) sum: AtomicU64,
    pub(crate) max: AtomicU64,
    pub(crate) buckets: [AtomicU32; BUCKETS],
}

/// One event.
#[repr(C)]
pub(crate) struct EventCell {
    /// The low half of the sequence number, plus one; 0 is an empty slot.
    pub(crate) number: AtomicU32,
    /// Kind in the low half, bytes of text in the high half.
    pub(crate) kind: AtomicU32,
    pub(crate) wall_ns: AtomicU64,
    pub(crate) code: AtomicU64,
    pub(crate) value: AtomicU64,
    pub(crate) text: [AtomicU64; EVENT_TEXT_WORDS],
}

/// The ring, with the number of events ever written.
#[repr(C)]
pub(crate) struct EventRing {
    pub(crate) written: AtomicU64,
    pub(crate) slots: [EventCell; EVENTS],
}

/// One part of a prompt or of the start.
#[repr(C)]
pub(crate) struct PartCell {
    /// Kind in the low 16 bits, then one that says that it could be put off; the row of what it is a part of, plus one, in
    /// the high half; 0 is an empty row.
    pub(crate) kind: AtomicU64,
    /// Rounds in which it was met.
    pub(crate) count: AtomicU64,
    pub(crate) sum: AtomicU64,
    pub(crate) last: AtomicU64,
    pub(crate) max: AtomicU64,
    /// The round it was last met in, counted from 1.
    pub(crate) round: AtomicU64,
    pub(crate) name: Text<PART_NAME_WORDS>,
}

/// A table of parts: rounds, the whole (sum, last, max), what had no row (count, sum, last, round), rows.
#[repr(C)]
pub(crate) struct PartCells<const ROWS: usize> {
    pub(crate) rounds: AtomicU64,
    pub(crate) whole_sum: AtomicU64,
    pub(crate) whole_last: AtomicU64,
    pub(crate) whole_max: AtomicU64,
    pub(crate) other_count: AtomicU64,
    pub(crate) other_sum: AtomicU64,
    pub(crate) other_last: AtomicU64,
    pub(crate) other_round: AtomicU64,
    pub(crate) rows: [PartCell; ROWS],
}

/// One stage.
#[repr(C)]
pub(crate) struct StageCells {
    pub(crate) count: AtomicU64,
    pub(crate) sum: AtomicU64,
    pub(crate) last: AtomicU64,
    pub(crate) max: AtomicU64,
}

/// One prompt.
#[repr(C)]
pub(crate) struct PromptCell {
    pub(crate) wall_ns: AtomicU64,
    /// What it took in the upper 40 bits, candidates for a change before it in the lower 24.
    pub(crate) took_and_changes: AtomicU64,
}

/// The ring of prompts, with the number of those ever written.
#[repr(C)]
pub(crate) struct PromptRing {
    pub(crate) written: AtomicU64,
    pub(crate) slots: [PromptCell; PROMPTS_KEPT],
}

/// One command that may have changed the prompt.
#[repr(C)]
pub(crate) struct ChangeCell {
    pub(crate) wall_ns: AtomicU64,
    pub(crate) text: Text<CHANGE_WORDS>,
}

/// The ring of changes, with the number of those ever written.
#[repr(C)]
pub(crate) struct ChangeRing {
    pub(crate) written: AtomicU64,
    pub(crate) slots: [ChangeCell; CHANGES_KEPT],
}

/// The whole file.
#[repr(C)]
pub(crate) struct Layout {
    pub(crate) head: Head,
    pub(crate) identity: IdentityCells,
    pub(crate) counters: [AtomicU64; Counter::ALL.len()],
    pub(crate) gauges: [AtomicU64; Gauge::ALL.len()],
    pub(crate) timers: [HistogramCells; Timer::ALL.len()],
    pub(crate) draft: Text<DRAFT_WORDS>,
    pub(crate) last_command: Text<COMMAND_WORDS>,
    pub(crate) prompt_blame: Text<NAME_WORDS>,
    pub(crate) events: EventRing,
    pub(crate) prompt_parts: PartCells<PARTS>,
    pub(crate) start_parts: PartCells<PARTS>,
    pub(crate) stages: [StageCells; Stage::ALL.len()],
    pub(crate) prompts: PromptRing,
    pub(crate) changes: ChangeRing,
    /// Where the prompt of the same slot was in the lower half, 0 is not told; what `PROMPT_COMMAND` took of it in the upper
    /// one, in microseconds and one more, 0 is not told. Of its own, since a prompt's slot is full.
    pub(crate) prompt_folders: [AtomicU64; PROMPTS_KEPT],
    pub(crate) completion_parts: PartCells<COMPLETERS>,
}

const _: () = assert!(
    size_of::<Layout>() <= FILE_BYTES,
    "the file is too small for its tables"
);
const _: () = assert!(size_of::<EventCell>() == 64);
const _: () = assert!(size_of::<PartCells<PARTS>>() == PARTS_HEAD_WORDS * 8 + PARTS * size_of::<PartCell>());
const _: () = assert!(align_of::<Layout>() == 8);

impl Layout {
    /// Fills fresh, zeroed memory except for the magic, which comes last: see [`Layout::publish`].
    pub(crate) fn prepare(&self) {
        self.head.version.store(VERSION, Relaxed);
        self.head.bytes.store(FILE_BYTES as u32, Relaxed);
        let sections = [
            (offset_of!(Layout, identity), 1),
            (offset_of!(Layout, counters), self.counters.len()),
            (offset_of!(Layout, gauges), self.gauges.len()),
            (offset_of!(Layout, timers), self.timers.len()),
            (offset_of!(Layout, draft), DRAFT_WORDS),
            (offset_of!(Layout, last_command), COMMAND_WORDS),
            (offset_of!(Layout, prompt_blame), NAME_WORDS),
            (offset_of!(Layout, events), EVENTS),
            (offset_of!(Layout, prompt_parts), PARTS),
            (offset_of!(Layout, start_parts), PARTS),
            (offset_of!(Layout, stages), self.stages.len()),
            (offset_of!(Layout, prompts), PROMPTS_KEPT),
            (offset_of!(Layout, changes), CHANGES_KEPT),
            (offset_of!(Layout, prompt_folders), PROMPTS_KEPT),
            (offset_of!(Layout, completion_parts), COMPLETERS),
        ];
        for (section, (offset, rows)) in self.head.sections.iter().zip(sections) {
            section.offset.store(offset as u32, Relaxed);
            section.rows.store(rows as u32, Relaxed);
        }
        for gauge in &self.gauges {
            gauge.store(UNKNOWN as u64, Relaxed);
        }
    }

    /// Writes the magic: from here on readers take the file for a flight file.
    pub(crate) fn publish(&self) {
        self.head.magic.store(MAGIC, Release);
    }

    /// Every word of the file, for carrying it over to another.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        super::mapping::as_words(self)
    }
}
