//! Keys and paints: what an echo cost, told to the flight file when no key waits.

use super::Session;
use crate::clock;
use lle_core::lever::Cost;
use lle_metrics::{Counter, Draft, EventKind, Gauge, Stage, Timer};

/// One key in so many is measured twice over: what recording it costs, and what LLE's painting adds to it.
const SAMPLE_EVERY: u64 = 64;

impl Session {
    /// Keys were typed before the prompt was there.
    pub(crate) fn typed_ahead(&mut self, keys: usize) {
        self.flight.update(|w| w.add(Counter::TypeAheadKeys, keys as u64));
    }

    pub(crate) fn key(&mut self) {
        self.keys += 1;
        self.untold_keys += 1;
    }

    pub(crate) fn polled(&mut self) {
        self.untold_polls += 1;
    }

    /// Tells of keys that came to no paint. Called when no key waits.
    pub(crate) fn tell_keys(&mut self) {
        if self.untold_keys == 0 {
            return;
        }
        let (keys, polls) = self.take_untold();
        self.flight.update(|w| {
            w.add(Counter::Keys, keys);
            w.add(Counter::GetcPolls, polls);
        });
    }

    /// Takes the keys read and the waits for them that nobody was told of.
    fn take_untold(&mut self) -> (u64, u64) {
        let keys = std::mem::take(&mut self.untold_keys);
        (keys, std::mem::take(&mut self.untold_polls))
    }

    /// The screen is up to date; `times` are when the key arrived, 0 if no key was the cause, and when its paint began.
    pub(crate) fn painted(
        &mut self,
        times: (u64, u64),
        bytes: usize,
        line: &[u8],
        hidden: bool,
        suggested: bool,
    ) {
        let now = clock::now();
        self.record_paint(now, times, bytes, line, hidden, suggested);
        if self.keys.is_multiple_of(SAMPLE_EVERY) {
            let spent = clock::now().saturating_sub(now);
            self.flight.update(|w| w.time(Timer::Record, spent));
        }
    }

    /// The count of instructions so far, for the keys that are sampled.
    pub(crate) fn instructions(&self) -> Option<u64> {
        self.instructions
            .as_ref()
            .filter(|_| self.keys.is_multiple_of(SAMPLE_EVERY))?
            .count()
    }

    /// Painting one key took the instructions since `before`.
    pub(crate) fn added_instructions(&mut self, before: Option<u64>) {
        if let Some(n) = before
            .zip(self.instructions())
            .map(|(before, now)| now.saturating_sub(before))
        {
            self.flight
                .update(|w| w.set(Gauge::InstructionsPerKey, n.cast_signed()));
        }
    }

    fn record_paint(
        &mut self,
        now: u64,
        (key_at, began): (u64, u64),
        bytes: usize,
        line: &[u8],
        hidden: bool,
        suggested: bool,
    ) {
        if key_at != 0 {
            self.arms.painted();
            self.arms.spent(Cost::KeyToPaint, now.saturating_sub(key_at));
        }
        let (keys, polls) = self.take_untold();
        self.flight.update(|w| {
            w.add(Counter::Keys, keys);
            w.add(Counter::GetcPolls, polls);
            w.add(Counter::Paints, 1);
            w.add(Counter::PaintBytes, bytes as u64);
            w.time(Timer::PaintBytes, bytes as u64);
            w.add(Counter::SuggestionsShown, u64::from(suggested));
            if key_at != 0 {
                w.time(Timer::KeyToPaint, now.saturating_sub(key_at));
                w.stage(Stage::Readline, began.saturating_sub(key_at));
                w.stage(Stage::Paint, now.saturating_sub(began));
            }
            w.draft(line, if hidden { Draft::Hidden } else { Draft::Kept });
        });
    }

    pub(crate) fn highlighted(&mut self, began: u64, path_searches: u64, gave_up: bool) {
        let spent = clock::now().saturating_sub(began);
        self.arms.spent(Cost::Highlight, spent);
        let newly_slow = gave_up && !std::mem::replace(&mut self.path_was_slow, gave_up);
        self.flight.update(|w| {
            w.time(Timer::Highlight, spent);
            w.add(Counter::HighlightPathLookups, path_searches);
            if newly_slow {
                w.add(Counter::PathLookupTooSlow, 1);
                w.event(
                    EventKind::SlowPath,
                    0,
                    spent.cast_signed(),
                    b"command names are no longer checked",
                );
            }
        });
    }
}
