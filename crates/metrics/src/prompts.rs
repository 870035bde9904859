//! The last prompts one by one, where each was shown, and what was typed that may have changed them: rings.
//!
//! A distribution tells how long prompts take, and a gauge what the last one took; a reader that looks seldom sees none of
//! those between. Here each stands with its own time, and with how many candidates for a change had been typed before
//! it: so the reader knows of each prompt on which side of which change it is, and needs no clock for that.
//!
//! In some folders a prompt takes longer than in others, whatever was typed. So beside each stands in which it was shown: a
//! number that the session gives, and that says of a folder nothing but which prompts were in the same one. In the other
//! half of that word stands what of the prompt was `PROMPT_COMMAND`: a line that cannot have changed the part that grew did
//! not make prompts slower.
//!
//! Invariant: rows are numbered from 0 over the session's life. What was overwritten before somebody read it is missing
//! by its number, never taken for something else.

use std::sync::atomic::Ordering::Relaxed;

use super::layout::{CHANGE_WORDS, ChangeCell, ChangeRing, Layout, PromptCell, SectionName};
use super::snapshot::Snapshot;
use super::sys;
use super::table::Gauge;

/// Prompts kept: a minute of somebody who does little but press Enter, since idle sessions are looked at once a minute.
pub const PROMPTS_KEPT: usize = 64;

/// Candidates for a change kept: whoever tries a prompt out types some of them between two looks.
pub const CHANGES_KEPT: usize = 8;

/// Bits of the candidates before a prompt; what it took has the other 40, which are 18 minutes.
const CHANGES_BITS: u32 = 24;
const CHANGES_MASK: u64 = (1 << CHANGES_BITS) - 1;

/// Commands of which [`Gauge::PromptLooksAlone`] has a bit.
pub const LOOKS_BITS: u64 = 32;

/// A prompt that was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedPrompt {
    /// Counts from 0 over the session's life.
    pub number: u64,
    /// When it was shown: nanoseconds since 1970, 4 ms coarse.
    pub wall_ns: u64,
    /// What it took, in nanoseconds; 18 minutes at most.
    pub took_ns: u64,
    /// Candidates for a change that were typed before it.
    pub changes: u64,
    /// The folder in which it was shown, by a number of the session's own; 0 if that is not told.
    pub folder: u64,
    /// What `PROMPT_COMMAND` took of it, in microseconds; none if that is not told.
    pub command_us: Option<u32>,
}

/// A command that may have changed what makes the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptChange<'a> {
    /// Counts from 0 over the session's life.
    pub number: u64,
    /// When that was noticed, with the prompt after it: nanoseconds since 1970, 4 ms coarse.
    pub wall_ns: u64,
    /// What the session tells of the command, at most 128 bytes; empty if nobody may see it. A session of a version before
    /// this one told its beginning as it was typed.
    pub text: &'a [u8],
    /// It set how prompts look, and nothing else; false if that is not told.
    pub looks_alone: bool,
}

/// Bits of a folder's number in the word that it shares with what `PROMPT_COMMAND` took.
const FOLDER_BITS: u32 = 32;

/// Appends a prompt over the oldest one.
pub(crate) fn record(layout: &Layout, took_ns: u64, folder: u64, command_ns: Option<u64>) {
    let ring = &layout.prompts;
    let number = ring.written.load(Relaxed);
    let at = number as usize % PROMPTS_KEPT;
    let (Some(slot), Some(shown_in)) = (ring.slots.get(at), layout.prompt_folders.get(at)) else {
        return;
    };
    let changes = layout.changes.written.load(Relaxed);
    let took = took_ns.min(u64::MAX >> CHANGES_BITS) << CHANGES_BITS;
    slot.wall_ns.store(sys::coarse_wall_ns(), Relaxed);
    slot.took_and_changes
        .store(took | changes & CHANGES_MASK, Relaxed);
    // One more than it is: sessions of a version before this one left the half empty.
    let command = command_ns.map_or(0, |ns| (ns / 1_000).saturating_add(1).min(u64::from(u32::MAX)));
    let folder = folder & u64::from(u32::MAX);
    shown_in.store(command << FOLDER_BITS | folder, Relaxed);
    ring.written.store(number.wrapping_add(1), Relaxed);
}

/// Appends a candidate for a change over the oldest one.
pub(crate) fn record_change(ring: &ChangeRing, text: &[u8]) {
    let number = ring.written.load(Relaxed);
    let Some(slot) = ring.slots.get(number as usize % CHANGES_KEPT) else {
        return;
    };
    slot.wall_ns.store(sys::coarse_wall_ns(), Relaxed);
    slot.text.write(text);
    ring.written.store(number.wrapping_add(1), Relaxed);
}

impl Snapshot {
    /// Prompts ever timed one by one; none if the writer does not tell them apart.
    pub fn prompts_timed(&self) -> Option<u64> {
        self.ring(SectionName::Prompts).map(|ring| ring.written)
    }

    /// The prompts from a number on that are still there, oldest first, at most [`PROMPTS_KEPT`].
    pub fn prompts_since(&self, from: u64) -> impl Iterator<Item = TimedPrompt> {
        let ring = self.ring(SectionName::Prompts).unwrap_or_default();
        let folders = self.sections().of(SectionName::PromptFolders);
        // A writer that does not tell, or has another number of rows, has told of no folder.
        let folders_at = (folders.rows as u64 == ring.rows).then_some(folders.offset);
        ring.since(from).filter_map(move |number| {
            let slot = ring.slot(number, size_of::<PromptCell>());
            let folder = folders_at.and_then(|at| self.word(at + ring.row(number) * 8));
            let took_and_changes = self.word(slot + 8)?;
            let command_and_folder = folder.unwrap_or(0);
            let command = (command_and_folder >> FOLDER_BITS) as u32;
            Some(TimedPrompt {
                number,
                wall_ns: self.word(slot)?,
                took_ns: took_and_changes >> CHANGES_BITS,
                changes: took_and_changes & CHANGES_MASK,
                folder: command_and_folder & u64::from(u32::MAX),
                command_us: command.checked_sub(1),
            })
        })
    }

    /// The candidates for a change from a number on that are still there, oldest first, at most [`CHANGES_KEPT`].
    pub fn prompt_changes_since(&self, from: u64) -> impl Iterator<Item = PromptChange<'_>> {
        let ring = self.ring(SectionName::Changes).unwrap_or_default();
        let looks_alone = self.gauge(Gauge::PromptLooksAlone).unwrap_or(0);
        ring.since(from).filter_map(move |number| {
            let slot = ring.slot(number, size_of::<ChangeCell>());
            let later = ring.written - 1 - number;
            Some(PromptChange {
                number,
                wall_ns: self.word(slot)?,
                text: self.text(slot + 8, CHANGE_WORDS).text,
                looks_alone: later < LOOKS_BITS && looks_alone >> later & 1 == 1,
            })
        })
    }

    /// Where a ring lies; none if the file has no such ring.
    fn ring(&self, name: SectionName) -> Option<Ring> {
        let section = self.sections().of(name);
        let written = self.word(section.offset).filter(|_| section.rows > 0)?;
        Some(Ring {
            rows_at: section.offset + 8,
            rows: section.rows as u64,
            written,
        })
    }
}

/// A ring in a snapshot; the default is one in which nothing was ever written.
#[derive(Clone, Copy, Default)]
struct Ring {
    rows_at: usize,
    rows: u64,
    written: u64,
}

impl Ring {
    /// Numbers of the rows from one on that are still there.
    fn since(self, from: u64) -> std::ops::Range<u64> {
        self.written.saturating_sub(self.rows).max(from)..self.written
    }

    /// Where a row begins.
    fn slot(self, number: u64, bytes: usize) -> usize {
        self.rows_at + self.row(number) * bytes
    }

    /// Which row has a number: what is left after a division by the number of rows is one of them.
    fn row(self, number: u64) -> usize {
        number.checked_rem(self.rows).unwrap_or(0) as usize
    }
}
