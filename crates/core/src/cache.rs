//! The caches of a session, as its flight file shows them, and where their memory does most good.
//!
//! A cache keeps the fingerprints of what it had to let go: asking for one of them is a hit that [`GHOSTS`] more entries
//! would have won. So what more room is worth is measured and not guessed, and what there is of it goes where it is worth
//! most (Megiddo and Modha 2003 steer one cache by its ghosts; here they steer one cache against another).
//!
//! What was counted with one size says nothing of the next: counts are those since sizes last changed ([`Counted::since`]),
//! and a trial of another size is such a change when it begins and when it ends, so that a cache whose misses are over does
//! not grow once more for them.
//!
//! Invariants: all caches together never get more than [`ENTRIES_MAX`] entries; one that asked for little tells nothing, and
//! one that was never full wants nothing, whatever it counted; memory is taken only where more of it would win nothing.

use lle_metrics::Gauge;

use crate::health::sample::Window;
use crate::lever::{GHOSTS, Lever, Levers};

/// Entries of all caches of one session together: some 100 KiB.
pub const ENTRIES_MAX: u64 = 1_024;
/// Questions below which a cache tells nothing.
pub const ASKED_MIN: u64 = 200;
/// Of so many questions one would be won by more room: then more room is worth having.
const SHARE_MIN: f64 = 0.05;

/// One cache.
#[derive(Debug)]
pub struct Row {
    /// The stable name.
    pub name: &'static str,
    /// How many entries it may have.
    pub capacity: Lever,
    gauges: Gauges,
}

/// Where a session says what a cache has counted.
#[derive(Debug)]
struct Gauges {
    hits: Gauge,
    misses: Gauge,
    evictions: Gauge,
    ghost_hits: Gauge,
    entries: Gauge,
    bytes: Gauge,
}

/// Every cache.
pub const CACHES: &[Row] = &[
    Row {
        name: "names",
        capacity: Lever::NamesCacheEntries,
        gauges: Gauges {
            hits: Gauge::NamesCacheHits,
            misses: Gauge::NamesCacheMisses,
            evictions: Gauge::NamesCacheEvictions,
            ghost_hits: Gauge::NamesCacheGhostHits,
            entries: Gauge::NamesCacheEntries,
            bytes: Gauge::NamesCacheBytes,
        },
    },
    Row {
        name: "suggestion",
        capacity: Lever::SuggestionCacheEntries,
        gauges: Gauges {
            hits: Gauge::SuggestionCacheHits,
            misses: Gauge::SuggestionCacheMisses,
            evictions: Gauge::SuggestionCacheEvictions,
            ghost_hits: Gauge::SuggestionCacheGhostHits,
            entries: Gauge::SuggestionCacheEntries,
            bytes: Gauge::SuggestionCacheBytes,
        },
    },
    Row {
        name: "completion",
        capacity: Lever::CompletionCacheEntries,
        gauges: Gauges {
            hits: Gauge::CompletionCacheHits,
            misses: Gauge::CompletionCacheMisses,
            evictions: Gauge::CompletionCacheEvictions,
            ghost_hits: Gauge::CompletionCacheGhostHits,
            entries: Gauge::CompletionCacheEntries,
            bytes: Gauge::CompletionCacheBytes,
        },
    },
];

/// The values of parts of prompts that are put off: of a fixed size, so that it is in no rebalance.
const PARTS: Gauges = Gauges {
    hits: Gauge::PartsCacheHits,
    misses: Gauge::PartsCacheMisses,
    evictions: Gauge::PartsCacheEvictions,
    ghost_hits: Gauge::PartsCacheGhostHits,
    entries: Gauge::PartsCacheEntries,
    bytes: Gauge::PartsCacheBytes,
};

/// What one cache has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Questions that it could answer.
    pub hits: u64,
    /// Questions that it could not.
    pub misses: u64,
    /// Entries that had to go for others.
    pub evictions: u64,
    /// Misses that more room would have made hits.
    pub ghost_hits: u64,
    /// Entries now.
    pub entries: u64,
    /// Bytes now.
    pub bytes: u64,
}

impl Reading {
    /// Reads a cache of one session; none if it does not tell, as an older one.
    pub fn of(row: &Row, window: &Window) -> Option<Reading> {
        Reading::by(&row.gauges, window)
    }

    fn by(gauges: &Gauges, window: &Window) -> Option<Reading> {
        let read = |gauge| u64::try_from(window.gauge(gauge)?).ok();
        Some(Reading {
            hits: read(gauges.hits)?,
            misses: read(gauges.misses)?,
            evictions: read(gauges.evictions)?,
            ghost_hits: read(gauges.ghost_hits)?,
            entries: read(gauges.entries)?,
            bytes: read(gauges.bytes)?,
        })
    }

    /// What was counted since `mark`; entries and bytes are those of now. All of it if it is less than at the mark: then
    /// the session counts anew.
    fn since(&self, mark: &Reading) -> Reading {
        let difference = || {
            Some(Reading {
                hits: self.hits.checked_sub(mark.hits)?,
                misses: self.misses.checked_sub(mark.misses)?,
                evictions: self.evictions.checked_sub(mark.evictions)?,
                ghost_hits: self.ghost_hits.checked_sub(mark.ghost_hits)?,
                ..*self
            })
        };
        difference().unwrap_or(*self)
    }

    /// All sessions together; of entries the most there are in one.
    pub fn add(&mut self, other: &Reading) {
        let sum = |of: &mut u64, more: u64| *of = of.saturating_add(more);
        sum(&mut self.hits, other.hits);
        sum(&mut self.misses, other.misses);
        sum(&mut self.evictions, other.evictions);
        sum(&mut self.ghost_hits, other.ghost_hits);
        sum(&mut self.bytes, other.bytes);
        self.entries = self.entries.max(other.entries);
    }

    /// Questions.
    pub const fn asked(&self) -> u64 {
        self.hits.saturating_add(self.misses)
    }

    /// Hits in hundred questions; none without questions.
    pub fn hit_percent(&self) -> Option<f64> {
        let asked = self.asked();
        (asked > 0).then(|| self.hits as f64 * 100.0 / asked as f64)
    }

    /// The questions in hundred that [`GHOSTS`] more entries would have answered; none without questions.
    pub fn more_room_percent(&self) -> Option<f64> {
        (self.asked() > 0).then(|| self.marginal() * 100.0)
    }

    /// Of the questions, the part that [`GHOSTS`] more entries would have answered.
    fn marginal(&self) -> f64 {
        self.ghost_hits as f64 / (self.asked() as f64).max(1.0)
    }

    /// Whether something had to go for something else, or would have to now: without that, more room stays empty.
    const fn was_full(&self, capacity: u64) -> bool {
        self.evictions > 0 || self.entries >= capacity
    }
}

/// The parts of prompts that are put off. Their values are recomputed each time, so each is its own validation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromptParts {
    /// Values that were shown older, and parts of which none was known.
    pub kept: Reading,
    /// Parts whose new value came within the wait.
    pub fresh: u64,
    /// Values that came later.
    pub late: u64,
    /// Of these, those that were other than what was shown.
    pub differed: u64,
    /// Age of the value that was shown older last, in nanoseconds; of several sessions the largest.
    pub age_ns: Option<u64>,
}

impl PromptParts {
    /// Reads those of one session; none if it puts nothing off.
    pub fn of(window: &Window) -> Option<PromptParts> {
        let read = |gauge| window.gauge(gauge).and_then(|n| u64::try_from(n).ok());
        Some(PromptParts {
            kept: Reading::by(&PARTS, window)?,
            fresh: read(Gauge::PartsFresh)?,
            late: read(Gauge::PartsLate)?,
            differed: read(Gauge::PartsDiffered)?,
            age_ns: read(Gauge::PartsAgeNs),
        })
    }

    /// All sessions together.
    pub fn add(&mut self, other: &PromptParts) {
        self.kept.add(&other.kept);
        self.fresh = self.fresh.saturating_add(other.fresh);
        self.late = self.late.saturating_add(other.late);
        self.differed = self.differed.saturating_add(other.differed);
        self.age_ns = self.age_ns.max(other.age_ns);
    }
}

/// What the caches of a session have counted, or of all sessions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Each cache of [`CACHES`]; none where no session tells.
    pub caches: [Option<Reading>; CACHES.len()],
    /// Entries that were checked.
    pub checked: u64,
    /// Of these, entries that were found wrong.
    pub wrong: u64,
    /// Parts of prompts, since their sessions began; none where nothing is put off.
    pub parts: Option<PromptParts>,
}

impl Counted {
    /// Reads all caches of one session.
    pub fn of(window: &Window) -> Counted {
        let gauge = |gauge| window.gauge(gauge).map_or(0, |n| n.max(0).cast_unsigned());
        let mut caches = [None; CACHES.len()];
        for (reading, row) in caches.iter_mut().zip(CACHES) {
            *reading = Reading::of(row, window);
        }
        Counted {
            caches,
            checked: gauge(Gauge::CachesChecked),
            wrong: gauge(Gauge::CachesWrong),
            parts: PromptParts::of(window),
        }
    }

    /// What was counted since `mark`.
    pub fn since(&self, mark: &Counted) -> Counted {
        let mut since = *self;
        for (reading, mark) in since.caches.iter_mut().zip(&mark.caches) {
            if let (Some(reading), Some(mark)) = (reading, mark) {
                *reading = reading.since(mark);
            }
        }
        if self.checked >= mark.checked && self.wrong >= mark.wrong {
            since.checked -= mark.checked;
            since.wrong -= mark.wrong;
        }
        since
    }

    /// Adds what another session has counted.
    pub fn add(&mut self, other: &Counted) {
        for (sum, reading) in self.caches.iter_mut().zip(&other.caches) {
            if let Some(reading) = reading {
                sum.get_or_insert_with(Reading::default).add(reading);
            }
        }
        self.checked = self.checked.saturating_add(other.checked);
        self.wrong = self.wrong.saturating_add(other.wrong);
        if let Some(parts) = &other.parts {
            self.parts.get_or_insert_with(PromptParts::default).add(parts);
        }
    }
}

/// A cache that is to have another size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// Its lever.
    pub lever: Lever,
    /// Entries.
    pub entries: u64,
    /// Of its questions, the part that the change would win; 0 where room is only given away.
    pub gain: f64,
}

/// Finds what memory should go where: to the cache in which it wins most, and, if there is too little, from one in which
/// it wins nothing. Nothing is moved unless it is worth it.
pub fn rebalance(readings: &[Option<Reading>], levers: &Levers) -> Vec<Move> {
    let told = || {
        let rows = CACHES.iter().zip(readings);
        rows.filter_map(|(row, reading)| Some((row, reading.as_ref()?)))
            .filter(|(_, reading)| reading.asked() >= ASKED_MIN)
    };
    let worth = told()
        .filter(|(row, reading)| reading.was_full(levers.value(row.capacity)))
        .max_by(|a, b| a.1.marginal().total_cmp(&b.1.marginal()));
    let Some((row, reading)) = worth.filter(|(_, reading)| reading.marginal() >= SHARE_MIN) else {
        return Vec::new();
    };
    let now = levers.value(row.capacity);
    let grown = now.saturating_add(GHOSTS as u64);
    if !row.capacity.row().admits(grown) {
        return Vec::new();
    }
    let mut moves = vec![Move {
        lever: row.capacity,
        entries: grown,
        gain: reading.marginal(),
    }];
    let total: u64 = CACHES.iter().map(|row| levers.value(row.capacity)).sum();
    let needed = (total + GHOSTS as u64).saturating_sub(ENTRIES_MAX);
    if needed > 0 {
        // From one that never had to let anything go and is not half full.
        let spare = |found: &(&Row, &Reading)| {
            let has = levers.value(found.0.capacity);
            found.0.capacity != row.capacity && found.1.evictions == 0 && found.1.entries <= has / 2
        };
        let Some((from, _)) = told()
            .filter(spare)
            .max_by_key(|(from, _)| levers.value(from.capacity))
        else {
            return Vec::new();
        };
        let left = levers.value(from.capacity).saturating_sub(needed);
        moves.insert(
            0,
            Move {
                lever: from.capacity,
                entries: left,
                gain: 0.0,
            },
        );
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reading(hits: u64, misses: u64, evictions: u64, ghost_hits: u64, entries: u64) -> Option<Reading> {
        Some(Reading {
            hits,
            misses,
            evictions,
            ghost_hits,
            entries,
            bytes: entries * 100,
        })
    }

    fn levers(names: u64, suggestion: u64) -> Levers {
        let mut levers = Levers::default();
        levers.turn(Lever::NamesCacheEntries, names);
        levers.turn(Lever::SuggestionCacheEntries, suggestion);
        levers
    }

    #[test]
    fn memory_goes_where_it_wins_most() {
        fn check(readings: &[Option<Reading>], levers: &Levers, expect: &[(&str, u64)]) {
            let found: Vec<_> = rebalance(readings, levers)
                .iter()
                .map(|found| (found.lever.row().name, found.entries))
                .collect();
            assert_eq!(found, expect, "{readings:?}");
        }
        let idle = reading(900, 100, 0, 0, 40);
        check(&[None, None, None], &levers(512, 0), &[]);
        check(&[idle, None, None], &levers(512, 0), &[]);
        let wants = reading(0, 1_000, 0, 300, 0);
        // What a trial of no room leaves behind: ghost hits, and a cache that is nearly empty.
        let misled = reading(600, 400, 0, 180, 7);
        check(&[misled, None, None], &levers(512, 0), &[]);
        check(
            &[idle, wants, None],
            &levers(512, 0),
            &[("suggestion.cache_entries", 64)],
        );
        // More than the other, though that wants some too.
        let less = reading(900, 100, 9, 60, 512);
        check(
            &[less, wants, None],
            &levers(512, 0),
            &[("suggestion.cache_entries", 64)],
        );
        check(
            &[less, None, None],
            &levers(512, 0),
            &[("names.cache_entries", 576)],
        );
        let few = reading(0, ASKED_MIN - 1, 0, 100, 0);
        check(&[idle, few, None], &levers(512, 0), &[]);
        // There is no more: it comes from who does not need it, or it does not come.
        let moved = [("names.cache_entries", 448), ("suggestion.cache_entries", 576)];
        let wants = reading(0, 1_000, 400, 300, 512);
        check(&[idle, wants, None], &levers(512, 512), &moved);
        check(&[less, wants, None], &levers(512, 512), &[]);
    }

    #[test]
    fn what_was_counted_before_a_change_asks_for_no_other() {
        let counted = |suggestion, checked, wrong| Counted {
            caches: [None, suggestion, None],
            checked,
            wrong,
            parts: None,
        };
        let mark = counted(reading(0, 1_000, 0, 300, 0), 40, 9);
        let now = counted(reading(990, 1_010, 3, 301, 64), 60, 9);
        let since = now.since(&mark);
        assert_eq!(since, {
            let bytes = 6_400;
            let since = Reading {
                bytes,
                ..reading(990, 10, 3, 1, 64).unwrap()
            };
            counted(Some(since), 20, 0)
        });
        let levers = levers(512, 64);
        assert_eq!(rebalance(&since.caches, &levers), []);
        assert_eq!(
            rebalance(&now.caches, &levers).len(),
            1,
            "it would have grown for what is over"
        );
        // A session that counts anew has no mark.
        let anew = counted(reading(5, 5, 0, 0, 5), 3, 1);
        assert_eq!(anew.since(&mark), anew);
        let mut sum = since;
        sum.add(&anew);
        assert_eq!(
            (sum.caches[1].unwrap().asked(), sum.checked, sum.wrong),
            (1_010, 23, 1)
        );
    }

    proptest! {
        #[test]
        fn all_together_stay_below_the_most(
            raw in prop::collection::vec((any::<[u64; 5]>(), any::<bool>()), 3),
            names in 0u64..512, suggestion in 0u64..512,
        ) {
            let readings: Vec<_> = raw
                .iter()
                .map(|(of, told)| reading(of[0], of[1], of[2] % 2, of[3], of[4] % 1_000).filter(|_| *told))
                .collect();
            let mut levers = levers(names, suggestion);
            for found in rebalance(&readings, &levers) {
                prop_assert!(found.lever.row().admits(found.entries));
                levers.turn(found.lever, found.entries);
            }
            let total: u64 = CACHES.iter().map(|row| levers.value(row.capacity)).sum();
            prop_assert!(total <= ENTRIES_MAX, "{total}");
        }
    }
}
