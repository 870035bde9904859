//! What can be recorded inside one batch. See [`crate::Flight::update`].
//!
//! There is one writer, so a load and a store suffice where others would need a locked addition.

use std::borrow::Borrow;
use std::sync::atomic::Ordering::Relaxed;

use super::bucket;
use super::layout::{EVENT_TEXT_WORDS, EVENTS, Layout};
use super::parts::{self, NewPart, Parted};
use super::prompts;
use super::sys;
use super::table::{Counter, EventKind, Gauge, Stage, Timer};

/// Whether the line being typed may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draft {
    /// Kept, so that it survives a crash.
    Kept,
    /// Wiped: private mode, a leading space, a password.
    Hidden,
}

/// The open batch.
pub struct Recorder<'a> {
    pub(crate) layout: &'a Layout,
}

impl Recorder<'_> {
    /// Adds to a counter.
    #[inline]
    pub fn add(&mut self, counter: Counter, n: u64) {
        if let Some(cell) = self.layout.counters.get(counter as usize) {
            cell.store(cell.load(Relaxed).wrapping_add(n), Relaxed);
        }
    }

    /// Sets a gauge. `i64::MIN` makes it unknown again.
    #[inline]
    pub fn set(&mut self, gauge: Gauge, value: i64) {
        if let Some(cell) = self.layout.gauges.get(gauge as usize) {
            cell.store(value as u64, Relaxed);
        }
    }

    /// Adds a sample to a histogram, in the unit of its row.
    #[inline]
    pub fn time(&mut self, timer: Timer, value: u64) {
        let Some(cells) = self.layout.timers.get(timer as usize) else {
            return;
        };
        let scaled = value.saturating_mul(1 << timer.unit().shift());
        if let Some(bucket) = cells.buckets.get(bucket::index(scaled)) {
            bucket.store(bucket.load(Relaxed).saturating_add(1), Relaxed);
        }
        cells
            .count
            .store(cells.count.load(Relaxed).wrapping_add(1), Relaxed);
        cells
            .sum
            .store(cells.sum.load(Relaxed).wrapping_add(value), Relaxed);
        if value > cells.max.load(Relaxed) {
            cells.max.store(value, Relaxed);
        }
    }

    /// Appends an event, over the oldest one. Of the text the first 32 bytes are kept.
    pub fn event(&mut self, kind: EventKind, code: i64, value: i64, text: &[u8]) {
        let ring = &self.layout.events;
        let number = ring.written.load(Relaxed);
        let Some(slot) = ring.slots.get(number as usize % EVENTS) else {
            return;
        };
        let (kept, _) = text.split_at(text.len().min(EVENT_TEXT_WORDS * 8));
        let mut padded = [0; EVENT_TEXT_WORDS * 8];
        for (to, from) in padded.iter_mut().zip(kept) {
            *to = *from;
        }
        for (word, bytes) in slot.text.iter().zip(padded.as_chunks::<8>().0) {
            word.store(u64::from_ne_bytes(*bytes), Relaxed);
        }
        slot.kind
            .store(u32::from(kind as u16) | (kept.len() as u32) << 16, Relaxed);
        slot.wall_ns.store(sys::coarse_wall_ns(), Relaxed);
        slot.code.store(code as u64, Relaxed);
        slot.value.store(value as u64, Relaxed);
        slot.number.store((number as u32).wrapping_add(1), Relaxed);
        ring.written.store(number.wrapping_add(1), Relaxed);
    }

    /// Keeps the line being typed, or wipes it. Of a line the first 4 KiB are kept.
    #[inline]
    pub fn draft(&mut self, line: &[u8], draft: Draft) {
        match draft {
            Draft::Kept => self.layout.draft.write(line),
            Draft::Hidden => self.layout.draft.hide(),
        }
    }

    /// Keeps the first 256 bytes of the last command; an empty one wipes it.
    pub fn last_command(&mut self, line: &[u8]) {
        self.layout.last_command.write(line);
    }

    /// Keeps what most of the last prompt's time is blamed on, such as `__git_ps1`: 64 bytes.
    pub fn prompt_blame(&mut self, name: &[u8]) {
        self.layout.prompt_blame.write(name);
    }

    /// Adds a sample to a stage.
    #[inline]
    pub fn stage(&mut self, stage: Stage, ns: u64) {
        if let Some(cells) = self.layout.stages.get(stage as usize) {
            cells
                .count
                .store(cells.count.load(Relaxed).wrapping_add(1), Relaxed);
            cells.sum.store(cells.sum.load(Relaxed).wrapping_add(ns), Relaxed);
            cells.last.store(ns, Relaxed);
            if ns > cells.max.load(Relaxed) {
                cells.max.store(ns, Relaxed);
            }
        }
    }

    /// Keeps what one prompt took beside those before it, and which candidates for a change came before it; where it was
    /// shown is not told.
    pub fn prompt(&mut self, took_ns: u64) {
        self.prompt_in(0, took_ns);
    }

    /// The same of a prompt that was shown in a folder: `folder` is a number that the writer gives to it and to no other, 0
    /// if it does not know.
    pub fn prompt_in(&mut self, folder: u64, took_ns: u64) {
        self.prompt_divided(folder, took_ns, None);
    }

    /// The same, with what `PROMPT_COMMAND` took of it, if that is known.
    pub fn prompt_divided(&mut self, folder: u64, took_ns: u64, command_ns: Option<u64>) {
        prompts::record(self.layout, took_ns, folder, command_ns);
    }

    /// Keeps that a command may have changed what makes the prompt, and 128 bytes of what may be told of it: they stay as
    /// long as the session lives, unless others follow.
    pub fn prompt_change(&mut self, by: &[u8]) {
        prompts::record_change(&self.layout.changes, by);
    }

    /// Keeps what one prompt, the start, or a completion took and what it spent it on; 24 parts at most, in their order.
    pub fn parts<'a>(
        &mut self,
        of: Parted,
        whole_ns: u64,
        parts: impl IntoIterator<Item: Borrow<NewPart<'a>>>,
    ) {
        let table = match of {
            Parted::Prompt => &self.layout.prompt_parts,
            Parted::Start => &self.layout.start_parts,
            Parted::Completion => {
                return parts::record(&self.layout.completion_parts, whole_ns, parts);
            }
        };
        parts::record(table, whole_ns, parts);
    }
}
