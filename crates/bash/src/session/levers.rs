//! Levers: what is in force while a line is typed, and what a trial has come to with it.

use super::Session;
use lle_core::arms::Tally;
use lle_core::desired::{Setting, Trial};
use lle_core::lever::{HISTORY_SCAN, Lever, Levers, SUGGEST_FROM_MEMORY};
use lle_metrics::Gauge;

impl Session {
    /// A line begins; gives what is in force while it is typed.
    pub(crate) fn begin_line(&mut self) -> Levers {
        self.levers = self.arms.begin_line();
        self.search
            .set_bytes_per_call(self.levers.value(Lever::SuggestionScanBytes));
        self.search
            .use_index(self.levers.value(Lever::HistorySearch) != HISTORY_SCAN);
        self.search
            .use_memory(self.levers.value(Lever::SuggestionSource) == SUGGEST_FROM_MEMORY);
        self.searched
            .resize(self.levers.size(Lever::SuggestionCacheEntries));
        self.levers
    }

    /// Takes over what the worker wants of the levers; gives how many of its settings this version does not have.
    pub(crate) fn take_levers(&mut self, settings: &[Setting], trial: Option<&Trial>) -> u64 {
        let before = self.arms.tally().id;
        let refused = self.arms.take(settings, trial);
        let tally = self.arms.tally();
        if tally.id != before {
            // Pairs of a trial that is over are heard in no other that comes to have its number.
            self.record_trial(tally);
        }
        refused
    }

    /// A line was accepted: what a trial has come to with it can be read by the worker.
    pub(crate) fn line_accepted(&mut self) {
        if let Some(tally) = self.arms.end_line() {
            self.record_trial(tally);
        }
    }

    fn record_trial(&self, tally: Tally) {
        self.flight.update(|w| {
            w.set(Gauge::TrialId, tally.id.cast_signed());
            w.set(Gauge::TrialPairs, tally.pairs.cast_signed());
            w.set(Gauge::TrialLogSum, tally.log_sum);
            w.set(Gauge::TrialLogSquares, tally.log_squares);
            w.set(Gauge::TrialCurrentNs, tally.current_ns.cast_signed());
            w.set(Gauge::TrialCandidateNs, tally.candidate_ns.cast_signed());
            let in_all = tally.in_all;
            let of_lines = [
                (Gauge::TrialCurrentUsual, in_all.current),
                (Gauge::TrialCandidateUsual, in_all.candidate),
                (Gauge::TrialCurrentMost, in_all.current_most),
                (Gauge::TrialCandidateMost, in_all.candidate_most),
                (Gauge::TrialCurrentStalls, in_all.current_stalls),
                (Gauge::TrialCandidateStalls, in_all.candidate_stalls),
            ];
            for (gauge, value) in of_lines {
                w.set(gauge, value.cast_signed());
            }
        });
    }
}
