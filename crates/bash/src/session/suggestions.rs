//! Suggestions, found in the history log and kept by what was typed, and completions.

use super::Session;
use crate::clock;
use lle_core::lever::Cost;
use lle_metrics::{Counter, EventKind, NewPart, PartKind, Parted, Stage, Timer};
use std::time::Duration;

impl Session {
    /// Finds the newest command that goes on from `line` and puts it into `whole`; leaves it empty if there is none.
    pub(crate) fn suggest(&mut self, line: &[u8], whole: &mut Vec<u8>) {
        whole.clear();
        let Some(history) = &self.history else { return };
        let began = clock::now();
        let log = history.version();
        if std::mem::replace(&mut self.searched_log, log) != log {
            self.searched.forget();
        }
        if let Some(found) = self.searched.peek(line) {
            whole.extend_from_slice(found.as_deref().unwrap_or_default());
            self.searched.hit(line);
        } else {
            self.searched.miss(line);
            let found = self.search.find(history, line);
            whole.extend_from_slice(found.unwrap_or_default());
            if self.search.is_done() {
                let found = (!whole.is_empty()).then_some(whole.as_slice());
                self.searched.keep(line, || found.map(Box::from));
            } else {
                self.arms.gave_up(Cost::Suggestion);
            }
        }
        let spent = clock::now().saturating_sub(began);
        self.arms.spent(Cost::Suggestion, spent);
        self.flight.update(|w| {
            w.time(Timer::Suggestion, spent);
            w.time(Timer::HistorySearch, spent);
        });
    }

    pub(crate) fn suggestion_accepted(&mut self) {
        self.flight.update(|w| w.add(Counter::SuggestionsAccepted, 1));
    }

    pub(crate) fn completed(&mut self, began: u64, late: bool, timed_out: bool) {
        let spent = clock::now().saturating_sub(began);
        self.arms.spent(Cost::Completion, spent);
        if timed_out {
            self.arms.gave_up(Cost::Completion);
        }
        self.flight.update(|w| {
            w.add(Counter::Completions, 1);
            w.time(Timer::Completion, spent);
            w.add(Counter::CompletionsLate, u64::from(late || timed_out));
            if timed_out {
                w.event(EventKind::CompletionLate, 0, spent.cast_signed(), b"");
            }
        });
    }

    /// What the child took to start, and its work, and the name of what did it.
    pub(crate) fn completion_stages(&mut self, fork: Duration, work: Duration, completer: &[u8]) {
        let ns = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        self.flight.update(|w| {
            w.stage(Stage::CompletionFork, ns(fork));
            w.stage(Stage::CompletionWork, ns(work));
            let part = NewPart {
                kind: PartKind::Completer,
                name: completer,
                ns: ns(work),
                may_wait: false,
                parent: None,
            };
            let parts: &[NewPart<'_>] = if completer.is_empty() { &[] } else { &[part] };
            w.parts(Parted::Completion, ns(work), parts);
        });
    }

    pub(crate) fn completion_failed(&mut self) {
        self.flight.update(|w| {
            w.add(Counter::CompletionsFailed, 1);
            w.event(EventKind::CompletionFailed, 0, 0, b"");
        });
    }

    pub(crate) fn menu_opened(&mut self) {
        self.flight.update(|w| w.add(Counter::MenuOpened, 1));
    }
}
