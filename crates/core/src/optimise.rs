//! The optimiser's eye: where time goes, and which lever may win some of it back.
//!
//! ```text
//!  what sessions measured ─▸ opportunities, the largest gain first ─▸ a trial of the first ─▸ kept or not, by evidence
//! ```
//!
//! A gain here is a guess made from a distribution, and only decides what is tried first. What is kept is decided by
//! [`crate::trial::paired`] alone.
//!
//! What a completion's deadline would win is no opportunity either way: a shorter one wins by giving up, and of a longer one a
//! trial hears nothing, since a line whose completion was given up with the value in force makes no pair. What the allocator
//! holds and does not use is given back by `memory-defrag`, which measures what came of it.
//!
//! Invariants: too few samples are no opportunity; what was tried is left alone for [`RETRY_NS`], whatever came of it: what did
//! not help is not tried on, and a proven value that is not in force somebody has let go ([`left_alone`] says which); a candidate is a value of its lever, and not the one in force; a lever that decides how much is done
//! before it is given up ([`Lever::bounds_work`]) is never one, however slow its work: half as much is always faster.

pub mod since;
pub mod targets;

use lle_metrics::{Histogram, Timer};

use crate::cache::{self, CACHES, Move, Reading};
use crate::lever::{Cost, Lever, Levers, SUGGEST_FROM_MEMORY};
use crate::quantity;
use crate::trial::{Ended, Verdict};

/// Samples of a cost below which nothing is concluded from it.
pub const SAMPLES_MIN: u64 = 200;
/// Completions are rarer than keys.
const COMPLETIONS_MIN: u64 = 20;
/// How long a candidate that was not proven better is left alone, in nanoseconds: a month changes what one types.
pub const RETRY_NS: i64 = 30 * 24 * 60 * 60 * 1_000_000_000;
/// How long if too little was typed to tell.
pub const RETRY_UNSEEN_NS: i64 = 24 * 60 * 60 * 1_000_000_000;
/// Searches of PATH a paint from which on keeping what they found is worth a thought.
const SEARCHES_MIN: f64 = 0.05;
/// Colouring that takes so long is felt behind a key, in nanoseconds: an eighth of what a frame of a screen lasts.
const HIGHLIGHT_NS: u64 = 2_000_000;
/// A line is long, in bytes: four rows of a terminal.
const LONG_LINE_BYTES: u64 = 320;
/// A search for a suggestion that takes so long is worth a thought, in nanoseconds: it is behind the echo, but ahead of the
/// grey text.
const SEARCH_NS: u64 = 200_000;
/// A gain below this fraction is none to try for.
const GAIN_SEEN: f64 = 0.05;
/// A gain that nobody would believe: more than this fraction is not promised.
const GAIN_MAX: f64 = 0.9;

/// What sessions have measured, all together: since they began, or lately.
#[derive(Clone, Debug)]
pub struct Costs {
    /// Painting.
    pub key_to_paint: Histogram,
    /// Colouring.
    pub highlight: Histogram,
    /// Looking for suggestions.
    pub suggestion: Histogram,
    /// Completing.
    pub completion: Histogram,
    /// Names that were looked for on PATH.
    pub path_searches: u64,
    /// What each cache has counted since the size of one last changed; none where no session tells.
    pub caches: [Option<Reading>; CACHES.len()],
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            key_to_paint: Histogram::empty(Timer::KeyToPaint.unit()),
            highlight: Histogram::empty(Timer::Highlight.unit()),
            suggestion: Histogram::empty(Timer::Suggestion.unit()),
            completion: Histogram::empty(Timer::Completion.unit()),
            path_searches: 0,
            caches: [None; CACHES.len()],
        }
    }
}

impl Costs {
    /// The distribution of one cost.
    pub const fn of(&self, cost: Cost) -> &Histogram {
        match cost {
            Cost::KeyToPaint => &self.key_to_paint,
            Cost::Highlight => &self.highlight,
            Cost::Suggestion => &self.suggestion,
            Cost::Completion => &self.completion,
        }
    }

    /// The same, to be added to.
    pub const fn of_mut(&mut self, cost: Cost) -> &mut Histogram {
        match cost {
            Cost::KeyToPaint => &mut self.key_to_paint,
            Cost::Highlight => &mut self.highlight,
            Cost::Suggestion => &mut self.suggestion,
            Cost::Completion => &mut self.completion,
        }
    }
}

/// Something that may be worth turning.
#[derive(Clone, Debug, PartialEq)]
pub struct Opportunity {
    /// The lever.
    pub lever: Lever,
    /// The value to try.
    pub candidate: u64,
    /// How much of its cost it may save, a fraction: a guess.
    pub gain: f64,
    /// What was measured, in words.
    pub evidence: String,
}

/// Finds what may be worth turning, the largest gain first.
pub fn opportunities(costs: &Costs, levers: &Levers, tried: &[Ended], now_wall_ns: i64) -> Vec<Opportunity> {
    let mut found = candidates(costs, levers);
    found.retain(|found| !is_settled(found, levers, tried, now_wall_ns));
    found
}

/// What would be worth turning, but was tried not long ago: what may gain most of it, with its trial.
pub(crate) fn left_alone<'a>(
    costs: &Costs,
    levers: &Levers,
    tried: &'a [Ended],
    now_wall_ns: i64,
) -> Option<LeftAlone<'a>> {
    let found = candidates(costs, levers).into_iter();
    let of = |found: Opportunity| {
        let (trial, left_ns) = settled(&found, levers, tried, now_wall_ns)?;
        Some(LeftAlone {
            found,
            trial,
            left_ns,
        })
    };
    found.filter_map(of).next()
}

/// Something that was tried not long ago.
pub(crate) struct LeftAlone<'a> {
    pub(crate) found: Opportunity,
    pub(crate) trial: &'a Ended,
    /// How much longer it is left alone, in nanoseconds.
    pub(crate) left_ns: i64,
}

/// Whatever could be turned by what was measured, the largest gain first.
fn candidates(costs: &Costs, levers: &Levers) -> Vec<Opportunity> {
    let found = [
        keep_names(costs),
        colour_later(costs),
        look_in_memory(costs),
        go_by_index(costs),
        more_room(costs, levers),
    ];
    let mut found: Vec<Opportunity> = found
        .into_iter()
        .flatten()
        .filter(|found| found.candidate != levers.value(found.lever))
        .filter(|found| found.lever.row().admits(found.candidate))
        .collect();
    found.sort_by(|a, b| b.gain.total_cmp(&a.gain));
    found
}

/// Whether this was tried against the value in force not long ago.
pub(crate) fn is_settled(found: &Opportunity, levers: &Levers, tried: &[Ended], now_wall_ns: i64) -> bool {
    settled(found, levers, tried, now_wall_ns).is_some()
}

/// The trial of this against the value in force that was not long ago, and how much longer it settles the matter.
fn settled<'a>(
    found: &Opportunity,
    levers: &Levers,
    tried: &'a [Ended],
    now_wall_ns: i64,
) -> Option<(&'a Ended, i64)> {
    let row = found.lever.row();
    let change = (
        row.name.to_owned(),
        row.show(levers.value(found.lever)),
        row.show(found.candidate),
    );
    tried.iter().find_map(|ended| {
        let wait = match ended.estimate {
            Some(_) if ended.verdict != Verdict::Withdrawn => RETRY_NS,
            _ => RETRY_UNSEEN_NS,
        };
        let passed = now_wall_ns.saturating_sub(ended.wall_ns);
        let settles = ended.lever.as_ref() == Some(&change) && (0..wait).contains(&passed);
        settles.then(|| (ended, wait.saturating_sub(passed)))
    })
}

/// What lies above the median goes to what is not done every time: looking at the disk.
fn keep_names(costs: &Costs) -> Option<Opportunity> {
    let of = &costs.highlight;
    let (mean, median) = (of.mean()?, of.quantile(0.5)?);
    let a_paint = costs.path_searches as f64 / of.count as f64;
    if of.count < SAMPLES_MIN || a_paint < SEARCHES_MIN {
        return None;
    }
    Some(Opportunity {
        lever: Lever::NamesKeep,
        candidate: 1,
        gain: share(mean.saturating_sub(median), mean),
        evidence: format!(
            "{} names were looked for on PATH in {} colourings, which take {} at the median and {} on average",
            quantity::count(costs.path_searches),
            quantity::count(of.count),
            duration(median),
            duration(mean)
        ),
    })
}

fn colour_later(costs: &Costs) -> Option<Opportunity> {
    let (slow, echo) = (
        costs.highlight.quantile(0.99)?,
        costs.key_to_paint.quantile(0.99)?,
    );
    let enough = costs.highlight.count.min(costs.key_to_paint.count) >= SAMPLES_MIN;
    (enough && slow >= HIGHLIGHT_NS).then(|| Opportunity {
        lever: Lever::HighlightFullBelowBytes,
        candidate: LONG_LINE_BYTES,
        gain: share(slow, echo.max(slow)),
        evidence: format!(
            "colouring takes {} at the 99th percentile, of {} to the echo",
            duration(slow),
            duration(echo)
        ),
    })
}

/// Most of what is looked for was typed not long ago: what it takes where little is walked, it could take mostly.
fn look_in_memory(costs: &Costs) -> Option<Opportunity> {
    let of = &costs.suggestion;
    let (median, quick) = (of.quantile(0.5)?, of.quantile(0.1)?);
    let gain = share(median.saturating_sub(quick), median);
    (of.count >= SAMPLES_MIN && median >= SEARCH_NS && gain >= GAIN_SEEN).then(|| Opportunity {
        lever: Lever::SuggestionSource,
        candidate: SUGGEST_FROM_MEMORY,
        gain,
        evidence: format!(
            "looking for a suggestion takes {} at the median, {} one time in ten",
            duration(median),
            duration(quick)
        ),
    })
}

/// The cache that would win most by more room, as its ghosts say. Where room would have to be taken from another, the cache
/// maintenance does that first.
fn more_room(costs: &Costs, levers: &Levers) -> Option<Opportunity> {
    match &cache::rebalance(&costs.caches, levers)[..] {
        [grows] => Some(room(grows, &costs.caches, levers)),
        _ => None,
    }
}

/// A cache that is to grow, as something to try.
pub(crate) fn room(grows: &Move, readings: &[Option<Reading>], levers: &Levers) -> Opportunity {
    let row = CACHES.iter().position(|row| row.capacity == grows.lever);
    let reading = row.and_then(|at| readings.get(at).copied().flatten());
    let reading = reading.unwrap_or_default();
    let name = row.and_then(|at| CACHES.get(at)).map_or("", |row| row.name);
    Opportunity {
        lever: grows.lever,
        candidate: grows.entries,
        gain: grows.gain.min(GAIN_MAX),
        evidence: format!(
            "the {name} cache answers {:.0} % of {} questions with {} entries, {} of which let go, and {} would have answered {:.0} % more",
            reading.hit_percent().unwrap_or(0.0),
            quantity::count(reading.asked()),
            quantity::count(levers.value(grows.lever)),
            quantity::count(reading.evictions),
            quantity::count(grows.entries),
            grows.gain * 100.0
        ),
    }
}

/// Worth a thought only where somebody has turned it off: it is the default.
fn go_by_index(costs: &Costs) -> Option<Opportunity> {
    let of = &costs.suggestion;
    let (slow, median) = (of.quantile(0.99)?, of.quantile(0.5)?);
    let gain = share(slow.saturating_sub(median), slow);
    (of.count >= SAMPLES_MIN && slow >= SEARCH_NS && gain >= GAIN_SEEN).then(|| Opportunity {
        lever: Lever::HistorySearch,
        candidate: Lever::HistorySearch.row().default,
        gain,
        evidence: format!(
            "looking for a suggestion takes {} at the 99th percentile, {} at the median",
            duration(slow),
            duration(median)
        ),
    })
}

fn duration(ns: u64) -> String {
    quantity::duration(ns as f64)
}

fn share(part: u64, whole: u64) -> f64 {
    (part as f64 / (whole as f64).max(1.0)).min(GAIN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_metrics::bucket;
    use std::fmt::Write;

    fn histogram(timer: Timer, samples: &[(u64, u32)]) -> Histogram {
        let mut histogram = Histogram::empty(timer.unit());
        for (ns, n) in samples {
            histogram.add_to_bucket(bucket::index(*ns), *n);
            histogram.count += u64::from(*n);
            histogram.sum += ns * u64::from(*n);
            histogram.max = histogram.max.max(*ns);
        }
        histogram
    }

    fn everything_is_slow() -> Costs {
        Costs {
            key_to_paint: histogram(Timer::KeyToPaint, &[(60_000, 900), (5_000_000, 100)]),
            highlight: histogram(Timer::Highlight, &[(5_000, 800), (40_000, 150), (4_000_000, 50)]),
            suggestion: histogram(Timer::Suggestion, &[(9_000_000, 500)]),
            completion: histogram(Timer::Completion, &[(20_000_000, 30), (4_990_000_000, 10)]),
            path_searches: 300,
            caches: [None; CACHES.len()],
        }
    }

    #[test]
    fn what_is_slow_is_an_opportunity() {
        let found = opportunities(&everything_is_slow(), &Levers::default(), &[], 0);
        let mut shown = String::new();
        for found in found {
            assert!(!found.lever.bounds_work(), "{found:?}");
            let row = found.lever.row();
            writeln!(
                shown,
                "{} = {} may save {:.0} %: {}",
                row.name,
                row.show(found.candidate),
                found.gain * 100.0,
                found.evidence
            )
            .unwrap();
        }
        insta::assert_snapshot!(shown, @r"
        names.keep = path may save 90 %: 300 names were looked for on PATH in 1,000 colourings, which take 5.1 µs at the median and 210 µs on average
        highlight.full_below_bytes = 320 may save 80 %: colouring takes 4 ms at the 99th percentile, of 5 ms to the echo
        ");
    }

    #[test]
    fn where_suggestions_come_from_is_an_opportunity_where_most_take_long() {
        fn check(samples: &[(u64, u32)], levers: &Levers, expect: &[(Lever, u64)]) {
            let costs = Costs {
                suggestion: histogram(Timer::Suggestion, samples),
                ..Costs::default()
            };
            let found = opportunities(&costs, levers, &[], 0);
            let found: Vec<_> = found.iter().map(|one| (one.lever, one.candidate)).collect();
            assert_eq!(found, expect, "{samples:?}");
        }
        let mut scans = Levers::default();
        scans.turn(Lever::HistorySearch, crate::lever::HISTORY_SCAN);
        let mut remembers = Levers::default();
        remembers.turn(Lever::SuggestionSource, SUGGEST_FROM_MEMORY);
        let memory = (Lever::SuggestionSource, SUGGEST_FROM_MEMORY);
        let index = (Lever::HistorySearch, 0);
        let slow = [(20_000, 100), (900_000, 400)];
        check(&slow, &Levers::default(), &[memory]);
        check(&slow, &remembers, &[]);
        let deep = [(20_000, 400), (5_000_000, 100)];
        check(&deep, &Levers::default(), &[]);
        check(&deep, &scans, &[index]);
        check(&[(20_000, 50), (900_000, 100)], &scans, &[]);
    }

    #[test]
    fn more_room_is_an_opportunity_where_ghosts_were_asked_for() {
        let wants = Reading {
            misses: 1_000,
            ghost_hits: 250,
            ..Reading::default()
        };
        let costs = Costs {
            caches: [None, Some(wants), None],
            ..Costs::default()
        };
        let mut levers = Levers::default();
        let [found] = &opportunities(&costs, &levers, &[], 0)[..] else {
            panic!("one opportunity")
        };
        assert_eq!(
            (found.lever, found.candidate),
            (Lever::SuggestionCacheEntries, 64)
        );
        assert_eq!(
            found.evidence,
            "the suggestion cache answers 0 % of 1,000 questions with 0 entries, 0 of which let go, and 64 would have answered 25 % more"
        );
        // With room for all that was asked for, there is none.
        levers.turn(Lever::SuggestionCacheEntries, 64);
        assert_eq!(opportunities(&costs, &levers, &[], 0), []);
    }

    #[test]
    fn what_is_fast_or_hardly_measured_is_none() {
        let fast = Costs {
            highlight: histogram(Timer::Highlight, &[(5_000, 1_000)]),
            suggestion: histogram(Timer::Suggestion, &[(100_000, 1_000)]),
            ..Costs::default()
        };
        let few = Costs {
            highlight: histogram(Timer::Highlight, &[(5_000_000, SAMPLES_MIN as u32 - 1)]),
            suggestion: histogram(Timer::Suggestion, &[(9_000_000, SAMPLES_MIN as u32 - 1)]),
            completion: histogram(Timer::Completion, &[(4_990_000_000, 3)]),
            path_searches: 1_000,
            ..Costs::default()
        };
        for costs in [Costs::default(), fast, few] {
            assert_eq!(opportunities(&costs, &Levers::default(), &[], 0), []);
        }
    }

    #[test]
    fn what_did_not_help_is_left_alone_for_a_while() {
        let ended = |verdict, estimate: bool| Ended {
            id: 1,
            wall_ns: 0,
            change: String::new(),
            lever: Some(("names.keep".into(), "prompt".into(), "path".into())),
            metric: "highlight".into(),
            estimate: estimate.then_some(crate::trial::paired::Estimate {
                pairs: 32,
                ratio: 1.0,
                low: 0.9,
                high: 1.1,
                current_ns: 1,
                candidate_ns: 1,
                in_all: None,
            }),
            active_ns: 0,
            verdict,
            why: String::new(),
            kept: false,
            config: None,
        };
        let check = |ended: Ended, now: i64, expect: bool| {
            let found = opportunities(&everything_is_slow(), &Levers::default(), &[ended], now);
            let names = found.iter().any(|found| found.lever == Lever::NamesKeep);
            assert_eq!(names, expect, "after {now}");
        };
        check(ended(Verdict::Revert, true), RETRY_NS - 1, false);
        check(ended(Verdict::Revert, true), RETRY_NS, true);
        check(
            ended(Verdict::InconclusiveReverted, false),
            RETRY_UNSEEN_NS - 1,
            false,
        );
        check(ended(Verdict::InconclusiveReverted, false), RETRY_UNSEEN_NS, true);
        // A clock that was set back holds nothing up.
        check(ended(Verdict::Revert, true), -1, true);
        // One that was proven and let go is left alone, too; that is said.
        check(ended(Verdict::Confirm, true), RETRY_NS - 1, false);
        let hours = 2 * 60 * 60 * 1_000_000_000;
        let proven = [ended(Verdict::Confirm, true)];
        let why =
            |now| crate::task::performance::why_none(&everything_is_slow(), &Levers::default(), &proven, now);
        assert_eq!(
            why(hours),
            "names.keep = path may save 90 % of highlight, but was tried 2 h ago (better), and is left alone for 29 d 22 h \
             more; `lusush maint optimize --force names.keep=path` tries it all the same"
        );
        assert_eq!(
            why(RETRY_NS),
            "nothing that was measured is slow enough for a lever"
        );
    }
}
