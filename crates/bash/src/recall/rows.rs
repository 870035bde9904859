//! The rows of a search: looked for while no key waits, and shown.
//!
//! Invariants: the echo of a key waits for nothing that is looked for here; between two pieces of work the terminal and the
//! signals are looked at; the draft is the line that is being typed, and never what is searched for.

use super::source::Around;
use crate::lle::Lle;
use crate::shared_list::entries;
use crate::{clock, readline};
use lle_core::recall::reasons;
use lle_metrics::Timer;

/// Results are shown while there is more to look through, so often at most.
const SHOWN_EVERY_NS: u64 = 50_000_000;

impl Lle {
    /// True if there is something to look for that may wait for the echo.
    pub(crate) fn owes_rows(&self) -> bool {
        let recall = self.recall.as_ref();
        recall.is_some_and(|recall| recall.plain || recall.source.owes(&recall.search))
    }

    /// Looks for more as long as no key comes, and shows it.
    pub(crate) fn find_rows(&mut self) {
        if !self.owes_rows() || self.owed || !self.painter.is_valid() {
            return;
        }
        while self.step_recall() {
            // SAFETY: only reads which signal was caught.
            let signal = unsafe { (self.bash.pending_signal)() };
            if signal != 0 || self.key_came() {
                return;
            }
            let shown_at = self.recall.as_ref().map_or(0, |recall| recall.shown_at);
            if clock::now().saturating_sub(shown_at) > SHOWN_EVERY_NS {
                self.show_recall(false);
            }
        }
        self.show_recall(true);
        self.ring();
    }

    /// Does a piece of the search; false if there is nothing more to do.
    fn step_recall(&mut self) -> bool {
        let bash = self.bash;
        let (Some(recall), Some(history)) = (self.recall.as_mut(), self.session.history.as_ref()) else {
            return false;
        };
        if !recall.source.owes(&recall.search) {
            let spent = std::mem::take(&mut recall.spent_ns);
            if spent > 0 {
                self.session.record(|w| w.time(Timer::HistorySearch, spent));
            }
            return false;
        }
        let began = clock::now();
        let list = entries(&bash);
        let entry = |at: usize| -> &[u8] {
            let Some(entry) = list.get(at) else { return b"" };
            // SAFETY: the entries of bash's list and their texts stay as they are while no code of bash's runs.
            unsafe { readline::text((**entry).line) }
        };
        let around = Around {
            history,
            entry: &entry,
            entries: list.len(),
            here: bash.variable(c"PWD").unwrap_or_default(),
            midnight_ns: recall.midnight_ns,
            now_ns: recall.now_ns,
        };
        recall.source.step(&mut recall.search, &around);
        recall.spent_ns += clock::now().saturating_sub(began);
        true
    }

    /// Looks until it is known what stands in the line: whoever takes it does not want what was found for less text. A
    /// signal ends it.
    pub(super) fn settle_recall(&mut self) {
        while self
            .recall
            .as_ref()
            .is_some_and(|recall| recall.search.is_pending())
            && self.step_recall()
        {
            // SAFETY: only reads which signal was caught.
            if unsafe { (self.bash.pending_signal)() } != 0 {
                return;
            }
        }
    }

    /// Paints the search, as the answer to a key.
    pub(crate) fn paint_recall(&mut self) {
        let instructions = self.session.instructions();
        let began = clock::now();
        let written = self.show_recall(false);
        self.session.added_instructions(instructions);
        let line = self.bash.line();
        let hidden = self.draft_is_hidden(line);
        let key_at = std::mem::take(&mut self.key_at);
        // The draft is the line that is being typed, and not what is searched for.
        self.session
            .painted((key_at, began), written, line, hidden, false);
    }

    /// Shows the search as it is; names are looked up on PATH if `look` allows it.
    fn show_recall(&mut self, look: bool) -> usize {
        let bash = self.bash;
        let Some(recall) = self.recall.as_mut() else {
            return 0;
        };
        let mut line = std::mem::take(&mut recall.line);
        line.clear();
        let point = match recall.search.shown() {
            Some(row) => {
                line.extend_from_slice(&row.text);
                let matched = recall.search.matched();
                if matched.is_empty() {
                    line.len()
                } else {
                    matched.start
                }
            }
            None => {
                line.extend_from_slice(bash.line());
                bash.point()
            }
        };
        let why = recall.search.why;
        recall.said = why.then(|| match recall.source.reasons(&recall.search) {
            Some(one) => reasons(one, recall.now_ns),
            None if recall.source.owes(&recall.search) => "why: counting its uses".to_owned(),
            None if recall.search.chosen().is_none() => "why: no command is shown".to_owned(),
            None => "why: the log says nothing of it, bash's own list has it".to_owned(),
        });
        let began = clock::now();
        recall.shown_at = began;
        self.color(&line, look, began);
        let plain = std::mem::take(&mut self.names_open);
        let written = self.show(&line, point);
        if let Some(recall) = self.recall.as_mut() {
            (recall.line, recall.plain) = (line, plain && !look);
        }
        written
    }
}
