//! What a session says of itself, gauge by gauge: what it has shown, goes by, compared and gave back.
//!
//! Invariant: what a session does not say, or what no count can be, is not known. It is never taken for zero.

use lle_core::arms::in_all::InAll;
use lle_core::task::memory_defrag::Heap;
use lle_core::trial::paired::Tally;
use lle_metrics::Gauge;

use super::SessionState;

impl SessionState {
    /// The number of the last alert that it has shown.
    pub(crate) fn alerts_shown(&self) -> Option<u64> {
        let id = self.window.gauge(Gauge::AlertsShown)?;
        u64::try_from(id).ok()
    }

    /// What its pairs have come to, and of which trial.
    pub(crate) fn trial_tally(&self) -> Option<(u64, Tally)> {
        let gauge = |gauge| self.window.gauge(gauge);
        let count = |of| u64::try_from(gauge(of)?).ok();
        // A session of the version before does not say it.
        let in_all = || {
            Some(InAll {
                current: count(Gauge::TrialCurrentUsual)?,
                candidate: count(Gauge::TrialCandidateUsual)?,
                current_most: count(Gauge::TrialCurrentMost)?,
                candidate_most: count(Gauge::TrialCandidateMost)?,
                current_stalls: count(Gauge::TrialCurrentStalls)?,
                candidate_stalls: count(Gauge::TrialCandidateStalls)?,
            })
        };
        let tally = Tally {
            pairs: count(Gauge::TrialPairs)?,
            log_sum: gauge(Gauge::TrialLogSum)?,
            log_squares: gauge(Gauge::TrialLogSquares)?,
            current_ns: count(Gauge::TrialCurrentNs)?,
            candidate_ns: count(Gauge::TrialCandidateNs)?,
            in_all: in_all(),
        };
        Some((count(Gauge::TrialId)?, tally))
    }

    /// The version of the configuration that it goes by.
    pub(crate) fn config_version(&self) -> Option<u64> {
        u64::try_from(self.window.gauge(Gauge::ConfigVersion)?).ok()
    }

    /// The version that it began with.
    pub(crate) fn began_with(&self) -> Option<u64> {
        u64::try_from(self.window.gauge(Gauge::ConfigBeganVersion)?).ok()
    }

    /// The version whose command for before prompts it is in, and since when that is known, on the monotonic clock; none if
    /// it is in none, or in that of a variable.
    pub(crate) fn in_command(&self) -> Option<(u64, u64)> {
        let (_, seen_ns) = self.command_seen?;
        let version = u64::try_from(self.window.gauge(Gauge::PromptCommandVersion)?).ok()?;
        (version > 0).then_some((version, seen_ns))
    }

    /// The generation of the published state that it has seen.
    pub(crate) fn seen_generation(&self) -> Option<u64> {
        u64::try_from(self.window.gauge(Gauge::ConfigGeneration)?).ok()
    }

    /// The last request to give memory back that it answered.
    pub(crate) fn trim_token(&self) -> Option<u64> {
        let token = self.window.gauge(Gauge::TrimToken)?;
        u64::try_from(token).ok()
    }

    /// What it gave back: by the kernel's word if there is one, else by its own.
    pub(crate) fn trim_gain_bytes(&self, rss_before: Option<u64>) -> Option<i64> {
        let by_kernel = rss_before
            .zip(self.rss_anon_bytes())
            .map(|(before, after)| before.cast_signed().saturating_sub(after.cast_signed()));
        let own = || {
            Some(
                self.window
                    .gauge(Gauge::TrimBeforeBytes)?
                    .saturating_sub(self.window.gauge(Gauge::TrimAfterBytes)?),
            )
        };
        by_kernel.or_else(own)
    }

    /// What it holds and does not use.
    pub(crate) fn heap(&self) -> Heap {
        Heap {
            session: self.id,
            free_bytes: self
                .window
                .gauge(Gauge::MallocFreeBytes)
                .and_then(|bytes| u64::try_from(bytes).ok()),
            last_token: self.trim_token().max(self.trim_asked),
        }
    }
}
