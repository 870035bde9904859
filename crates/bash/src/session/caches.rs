//! Caches: what each tells of itself, where others can read it.

use super::Session;
use crate::cache::Account;
use crate::parts::Counts;
use lle_metrics::{Gauge, Recorder};

impl Session {
    /// Keeps what the caches tell where others can read it.
    pub(crate) fn record_caches(&self, names: Account, completion: Account) {
        use Gauge as G;
        let suggestion = Account::of(&self.searched, |found| {
            found.as_ref().map_or(0, |found| found.len())
        });
        let rows = [
            (
                names,
                [
                    G::NamesCacheHits,
                    G::NamesCacheMisses,
                    G::NamesCacheEvictions,
                    G::NamesCacheGhostHits,
                    G::NamesCacheEntries,
                    G::NamesCacheBytes,
                ],
            ),
            (
                suggestion,
                [
                    G::SuggestionCacheHits,
                    G::SuggestionCacheMisses,
                    G::SuggestionCacheEvictions,
                    G::SuggestionCacheGhostHits,
                    G::SuggestionCacheEntries,
                    G::SuggestionCacheBytes,
                ],
            ),
            (
                completion,
                [
                    G::CompletionCacheHits,
                    G::CompletionCacheMisses,
                    G::CompletionCacheEvictions,
                    G::CompletionCacheGhostHits,
                    G::CompletionCacheEntries,
                    G::CompletionCacheBytes,
                ],
            ),
        ];
        self.flight.update(|w| {
            for (account, gauges) in rows {
                set(w, account, gauges);
            }
        });
    }

    /// Keeps what came of the parts of the prompt that are put off.
    pub(crate) fn record_parts(&self, account: Account, counts: &Counts) {
        use Gauge as G;
        let gauges = [
            G::PartsCacheHits,
            G::PartsCacheMisses,
            G::PartsCacheEvictions,
            G::PartsCacheGhostHits,
            G::PartsCacheEntries,
            G::PartsCacheBytes,
        ];
        let rows = [
            (G::PartsPrompts, counts.prompts),
            (G::PartsFresh, counts.fresh),
            (G::PartsLate, counts.late),
            (G::PartsDiffered, counts.differed),
            (G::PartsGivenUp, counts.given_up),
            (G::PartsWorkNs, counts.work_ns),
            (G::PartsWaitedNs, counts.waited_ns),
            (G::PartsUnfit, counts.unfit),
        ];
        self.flight.update(|w| {
            set(w, account, gauges);
            for (gauge, value) in rows {
                w.set(gauge, value.cast_signed());
            }
            if let Some(age) = counts.age_ns {
                w.set(G::PartsAgeNs, age.cast_signed());
            }
        });
    }
}

/// Sets what a cache's account says: hits, misses, evictions, ghost hits, entries and bytes, in that order.
fn set(w: &mut Recorder<'_>, account: Account, gauges: [Gauge; 6]) {
    let counts = account.counts;
    let values = [
        counts.hits,
        counts.misses,
        counts.evictions,
        counts.ghost_hits,
        account.entries as u64,
        account.bytes as u64,
    ];
    for (gauge, value) in gauges.into_iter().zip(values) {
        w.set(gauge, value.cast_signed());
    }
}
