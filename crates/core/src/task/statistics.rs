//! What became of a task's runs.
//!
//! Invariant: every run is counted under exactly one outcome, so `runs` is their sum. A run that had nothing to do is
//! neither a success nor a failure, and does not make the mean look better either.

use serde::{Deserialize, Serialize};

/// Longest note on a run, in bytes; what is longer is cut.
pub const NOTE_BYTES_MAX: usize = 256;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What was to be done is done and was verified.
    Succeeded,
    /// It was not, or did not hold and was undone.
    Failed,
    /// It took longer than its budget and was stopped.
    TimedOut,
    /// It panicked, or its process was killed by something else than us.
    Panicked,
    /// Somebody asked for it to be stopped.
    Cancelled,
    /// It looked, and everything was as it should be.
    NothingToDo,
    /// This version cannot do it yet.
    NotBuilt,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: &[Outcome] = &[
        Outcome::Succeeded,
        Outcome::Failed,
        Outcome::TimedOut,
        Outcome::Panicked,
        Outcome::Cancelled,
        Outcome::NothingToDo,
        Outcome::NotBuilt,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::TimedOut => "timed-out",
            Outcome::Panicked => "panicked",
            Outcome::Cancelled => "cancelled",
            Outcome::NothingToDo => "nothing-to-do",
            Outcome::NotBuilt => "not-built",
        }
    }

    /// Whether something went wrong: it is tried again, and counts into failures in a row.
    pub const fn went_wrong(self) -> bool {
        matches!(self, Outcome::Failed | Outcome::TimedOut | Outcome::Panicked)
    }

    /// Whether something was done or attempted, so that how long it took means something.
    pub const fn worked(self) -> bool {
        !matches!(self, Outcome::NothingToDo | Outcome::NotBuilt)
    }
}

/// One run that has ended; every attempt is a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// When it began, in nanoseconds since 1970 in UTC.
    pub wall_ns: i64,
    /// How long it took, in nanoseconds of a clock that nobody sets.
    pub ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// One line on why, for people; at most [`NOTE_BYTES_MAX`] bytes are kept.
    #[serde(default)]
    pub note: String,
}

/// The sum of a task's runs. The counters stop at their end instead of beginning anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// All runs: the sum of the seven counters that follow.
    pub runs: u64,
    /// Runs that [`Succeeded`](Outcome::Succeeded).
    pub successes: u64,
    /// Runs that [`Failed`](Outcome::Failed).
    pub failures: u64,
    /// Runs that [`TimedOut`](Outcome::TimedOut).
    pub timeouts: u64,
    /// Runs that [`Panicked`](Outcome::Panicked).
    pub panics: u64,
    /// Runs that were [`Cancelled`](Outcome::Cancelled).
    pub cancelled: u64,
    /// Runs that had [`NothingToDo`](Outcome::NothingToDo).
    pub nothing_to_do: u64,
    /// Runs of what is [`NotBuilt`](Outcome::NotBuilt).
    pub not_built: u64,
    /// Failures, timeouts and panics since the last success.
    pub consecutive_failures: u64,
    /// Time that runs took which [`worked`](Outcome::worked), in nanoseconds.
    pub total_ns: u64,
    /// The longest of them, in nanoseconds.
    pub longest_ns: u64,
    /// The run before.
    pub last: Option<LastRun>,
}

impl Statistics {
    /// Counts a run.
    pub fn record(&mut self, run: &LastRun) {
        let counter = self.counter(run.outcome);
        // At the end of a counter all of them stop, so that they still add up.
        let Some(more) = counter.checked_add(1).filter(|_| self.runs < u64::MAX) else {
            return;
        };
        *self.counter_mut(run.outcome) = more;
        self.runs += 1;
        if run.outcome == Outcome::Succeeded {
            self.consecutive_failures = 0;
        } else if run.outcome.went_wrong() {
            self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        }
        if run.outcome.worked() {
            self.total_ns = self.total_ns.saturating_add(run.ns);
            self.longest_ns = self.longest_ns.max(run.ns);
        }
        let mut last = run.clone();
        last.note.truncate(last.note.floor_char_boundary(NOTE_BYTES_MAX));
        self.last = Some(last);
    }

    /// How many runs ended so.
    pub const fn counter(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Succeeded => self.successes,
            Outcome::Failed => self.failures,
            Outcome::TimedOut => self.timeouts,
            Outcome::Panicked => self.panics,
            Outcome::Cancelled => self.cancelled,
            Outcome::NothingToDo => self.nothing_to_do,
            Outcome::NotBuilt => self.not_built,
        }
    }

    fn counter_mut(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Succeeded => &mut self.successes,
            Outcome::Failed => &mut self.failures,
            Outcome::TimedOut => &mut self.timeouts,
            Outcome::Panicked => &mut self.panics,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::NothingToDo => &mut self.nothing_to_do,
            Outcome::NotBuilt => &mut self.not_built,
        }
    }

    /// How many runs did or attempted something.
    pub const fn worked(&self) -> u64 {
        self.runs
            .saturating_sub(self.nothing_to_do)
            .saturating_sub(self.not_built)
    }

    /// Mean length of the runs that did or attempted something, in nanoseconds; none without any.
    pub const fn mean(&self) -> Option<u64> {
        self.total_ns.checked_div(self.worked())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(outcome: Outcome, ns: u64) -> LastRun {
        LastRun {
            wall_ns: 1,
            ns,
            outcome,
            note: String::new(),
        }
    }

    #[test]
    fn nothing_to_do_is_neither_success_nor_failure() {
        let mut statistics = Statistics::default();
        assert_eq!(statistics.mean(), None);
        statistics.record(&run(Outcome::NotBuilt, 5));
        statistics.record(&run(Outcome::NothingToDo, 5));
        assert_eq!(
            (statistics.runs, statistics.successes, statistics.failures),
            (2, 0, 0)
        );
        assert_eq!((statistics.mean(), statistics.longest_ns), (None, 0));

        statistics.record(&run(Outcome::Failed, 30));
        statistics.record(&run(Outcome::TimedOut, 50));
        statistics.record(&run(Outcome::Cancelled, 10));
        statistics.record(&run(Outcome::NothingToDo, 5));
        assert_eq!((statistics.mean(), statistics.longest_ns), (Some(30), 50));
        assert_eq!(statistics.consecutive_failures, 2);
        statistics.record(&run(Outcome::Succeeded, 10));
        assert_eq!(statistics.consecutive_failures, 0);
    }

    #[test]
    fn a_note_is_cut_between_characters() {
        let mut statistics = Statistics::default();
        let note = format!("a{}", "ü".repeat(NOTE_BYTES_MAX));
        statistics.record(&LastRun {
            note,
            ..run(Outcome::Failed, 0)
        });
        assert_eq!(statistics.last.unwrap().note.len(), NOTE_BYTES_MAX - 1);
    }

    proptest! {
        #[test]
        fn every_run_is_counted_once(
            runs in proptest::collection::vec((proptest::sample::select(Outcome::ALL), any::<u64>()), 0..50),
        ) {
            let mut statistics = Statistics::default();
            for (outcome, ns) in &runs {
                statistics.record(&run(*outcome, *ns));
            }
            let sum: u64 = Outcome::ALL.iter().map(|outcome| statistics.counter(*outcome)).sum();
            prop_assert_eq!(statistics.runs, sum);
            prop_assert_eq!(statistics.runs, runs.len() as u64);
            let wrong = statistics.failures + statistics.timeouts + statistics.panics;
            prop_assert!(statistics.consecutive_failures <= wrong);
            prop_assert_eq!(statistics.mean().is_some(), statistics.worked() > 0);
            prop_assert!(statistics.mean().is_none_or(|mean| mean <= statistics.longest_ns));
            prop_assert_eq!(statistics.last.as_ref().map(|last| last.outcome), runs.last().map(|(outcome, _)| *outcome));
            let json = serde_json::to_string(&statistics).unwrap();
            prop_assert_eq!(serde_json::from_str::<Statistics>(&json).unwrap(), statistics);
        }
    }
}
