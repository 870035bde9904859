//! What of a PS1 could be put off, and which texts speak of nothing in it: what advice is given by.
//!
//! Invariant: nothing is put off by this. What cannot be where it stands is never said to be what can.

use super::text;
use crate::attribution;
use crate::lle::Lle;
use crate::prompt_text::fnv;

/// A part that takes less is not looked at: looking costs microseconds, a thousandth of this.
const LOOKED_AT_NS: u64 = 5_000_000;

/// The bit that says that the texts are the session's own.
const CHOSEN: u64 = 1 << 62;

impl Lle {
    /// Says of each slow `$(…)` of the prompt whether it could be put off and is not yet. `ps1` is what was expanded.
    pub(crate) fn mark_parts(&self, ps1: &[u8]) {
        attribution::with_parts(|table| {
            if !table.has_slow_substitution(LOOKED_AT_NS) {
                return;
            }
            let possible = self.may_put_off();
            table.mark(LOOKED_AT_NS, |name| {
                let Ok(text) = std::str::from_utf8(name) else {
                    return false;
                };
                // A text is a command's first words: of a pipeline those of its first one.
                let text = text.split(" | ").next().unwrap_or_default();
                let name = text.as_bytes();
                let is_named = self.parts.consented.iter().any(|one| text::speaks_of(one, name));
                let is_refused = self.parts.refused.iter().any(|part| text::is_of(part, text));
                possible && !is_named && !is_refused && text::can_be_without(ps1, text)
            });
        });
    }

    /// Notes which of the texts speak of nothing in this PS1 that can be put off.
    pub(super) fn fit(&mut self, ps1: &[u8]) {
        let now = fnv(ps1);
        if self.parts.fitted == Some(now) {
            return;
        }
        self.parts.fitted = Some(now);
        let parts = &self.parts;
        let unfit = text::unfit(ps1, &parts.consented);
        let is_chosen = parts.chosen.as_deref() == Some(&parts.consented[..]);
        self.note_unfit(if unfit > 0 && is_chosen {
            unfit | CHOSEN
        } else {
            unfit
        });
    }

    /// No part is put off: no text speaks of nothing.
    pub(super) fn fit_nothing(&mut self) {
        self.note_unfit(0);
    }

    fn note_unfit(&mut self, unfit: u64) {
        if self.parts.counts.unfit != unfit {
            self.parts.counts.unfit = unfit;
            self.record_parts();
        }
    }
}
