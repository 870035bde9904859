//! Which values of the levers are in force, and what two values of one are compared by while one is on trial.
//!
//! ```text
//!  desired ─▸ agreed values ┐
//!         └─▸ trial ────────┴▸ the line's arm: current or candidate ─▸ its cost ─▸ ln(candidate / current), a pair
//! ```
//!
//! Lines go in pairs, one with either value. Which comes first is drawn anew for every pair, from a hash of the trial and
//! the number of the pair: nothing that goes on in the background, and no habit of the user, falls in step with it. A
//! line's cost is the mean of its paints, or of its completions, so long lines count no more than short ones; pairs are
//! compared by the logarithm of the ratio, since times are skewed and one hiccup must not outweigh a hundred lines. What all of
//! them cost together is summed up beside it ([`InAll`]), each by what a line with the value in force usually costs.
//!
//! A value with which less is done ([`Lever::leaves_work`]) would win by leaving work undone. A line for which something
//! was given up weighs [`GIVEN_UP_NS`] with the candidate; with the value in force it makes no pair.
//!
//! It decides in the session, and stands here so that what judges the judge (`lle-sim`) goes by the same code.
//!
//! Invariants: an arm is chosen when a line begins and holds until it ends; a line that is given up, or that too little
//! was typed into, counts for nothing and its arm is used again; what was typed is not looked at.

pub mod in_all;

use self::in_all::InAll;
use crate::desired;
use crate::lever::{Cost, Lever, Levers};

/// Paints of a line below which its mean says nothing: a pasted or recalled line is painted once.
const PAINTS_MIN: u64 = 3;
/// What a line weighs for which something was given up, in nanoseconds: the longest that a completion may be waited for, so
/// that giving up never looks faster than an answer.
const GIVEN_UP_NS: f64 = 30e9;
/// Millionths, in which logarithms are summed up.
const MILLION: f64 = 1e6;

/// A value that is compared with the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct On {
    id: u64,
    lever: Lever,
    value: u64,
}

/// What the pairs of a trial have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The trial's number; 0 without one.
    pub id: u64,
    /// Pairs of lines, one with either value.
    pub pairs: u64,
    /// The sum of ln(candidate / current), in millionths.
    pub log_sum: i64,
    /// The sum of its squares, in millionths.
    pub log_squares: i64,
    /// The sum of the costs with the current value, in nanoseconds.
    pub current_ns: u64,
    /// The sum of the costs with the candidate, in nanoseconds.
    pub candidate_ns: u64,
    /// What all of the lines cost together, by what one usually does.
    pub in_all: InAll,
}

/// What the line being typed has cost.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// It is typed, and not accepted yet.
    open: bool,
    candidate: bool,
    cost_ns: u64,
    paints: u64,
    completions: u64,
    /// Something was given up that the lever decides on.
    gave_up: bool,
}

/// What an accepted line has cost.
#[derive(Clone, Copy, Debug)]
struct Spent {
    cost_ns: f64,
    gave_up: bool,
}

impl Spent {
    /// What it is compared by.
    fn weight(self) -> f64 {
        if self.gave_up { GIVEN_UP_NS } else { self.cost_ns }
    }
}

/// The levers, and the trial of one.
#[derive(Debug, Default)]
pub struct Arms {
    agreed: Levers,
    on: Option<On>,
    tally: Tally,
    /// The sum of the logarithms of what lines of the pairs cost with the value in force.
    current_logs: f64,
    /// The first line of the pair, once there is one.
    first: Option<Spent>,
    line: Line,
}

impl Arms {
    /// Takes over what the worker wants; gives how many of its settings this version does not have.
    pub fn take(&mut self, settings: &[desired::Setting], trial: Option<&desired::Trial>) -> u64 {
        let mut refused = 0;
        let mut agreed = Levers::default();
        for setting in settings {
            refused += u64::from(!agreed.set(&setting.name, &setting.value));
        }
        self.agreed = agreed;
        let on = trial.and_then(|trial| {
            let lever = Lever::named(&trial.setting.name)?;
            let value = lever.row().parse(&trial.setting.value)?;
            Some(On {
                id: trial.id,
                lever,
                value,
            })
        });
        refused += u64::from(trial.is_some() && on.is_none());
        if on.map(|on| on.id) != self.on.map(|on| on.id) {
            self.first = None;
            self.current_logs = 0.0;
            self.tally = Tally {
                id: on.map_or(0, |on| on.id),
                ..Tally::default()
            };
            // What the line has cost so far belongs to no arm of this trial.
            self.line.open = false;
        }
        self.on = on;
        refused
    }

    /// A line begins; gives what is in force while it is typed.
    pub fn begin_line(&mut self) -> Levers {
        let mut levers = self.agreed;
        let mut candidate = false;
        if let Some(on) = self.on {
            let second = self.first.is_some();
            candidate = second != candidate_goes_first(on.id, self.tally.pairs);
            if candidate {
                levers.turn(on.lever, on.value);
            }
        }
        self.line = Line {
            open: true,
            candidate,
            ..Line::default()
        };
        levers
    }

    /// True while values of this lever are compared.
    pub fn tries(&self, lever: Lever) -> bool {
        self.on.is_some_and(|on| on.lever == lever)
    }

    /// Something was spent on the line.
    pub fn spent(&mut self, cost: Cost, ns: u64) {
        if self.on.is_some_and(|on| on.lever.row().cost == cost) {
            self.line.cost_ns += ns;
            self.line.completions += u64::from(cost == Cost::Completion);
        }
    }

    /// Something of the line was not done to its end.
    pub fn gave_up(&mut self, cost: Cost) {
        let decides = |on: On| {
            let value = if self.line.candidate {
                on.value
            } else {
                self.agreed.value(on.lever)
            };
            on.lever.row().cost == cost && on.lever.leaves_work(value)
        };
        self.line.gave_up |= self.on.is_some_and(decides);
    }

    /// What the trial has come to; of number 0 without one.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// A key's change of the line was painted.
    pub fn painted(&mut self) {
        self.line.paints += 1;
    }

    /// The line was accepted; gives the tally if it closed a pair.
    pub fn end_line(&mut self) -> Option<Tally> {
        let line = std::mem::take(&mut self.line);
        let on = self.on.filter(|_| line.open)?;
        let (n, least) = match on.lever.row().cost {
            Cost::Completion => (line.completions, 1),
            _ => (line.paints, PAINTS_MIN),
        };
        if (n < least || line.cost_ns == 0) && !line.gave_up {
            return None;
        }
        let this = Spent {
            cost_ns: line.cost_ns as f64 / n.max(1) as f64,
            gave_up: line.gave_up,
        };
        let Some(first) = self.first.take() else {
            self.first = Some(this);
            return None;
        };
        let (candidate, current) = if line.candidate {
            (this, first)
        } else {
            (first, this)
        };
        if current.gave_up {
            return None;
        }
        let ratio = libm::log(candidate.weight() / current.weight());
        let tally = &mut self.tally;
        tally.pairs += 1;
        self.current_logs += libm::log(current.weight());
        let usual = libm::exp(self.current_logs / tally.pairs as f64);
        tally.in_all.add(current.weight(), candidate.weight(), usual);
        tally.log_sum = tally.log_sum.saturating_add((ratio * MILLION) as i64);
        tally.log_squares = tally.log_squares.saturating_add((ratio * ratio * MILLION) as i64);
        tally.current_ns = tally.current_ns.saturating_add(current.cost_ns as u64);
        tally.candidate_ns = tally.candidate_ns.saturating_add(candidate.cost_ns as u64);
        Some(*tally)
    }
}

/// Draws which arm of a pair goes first: a bit of a hash (the finish of splitmix64; Steele, Lea, Flood 2014).
fn candidate_goes_first(trial: u64, pair: u64) -> bool {
    let mut z = trial
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(pair)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> desired::Setting {
        desired::Setting {
            name: name.into(),
            value: value.into(),
        }
    }

    fn trial(id: u64, name: &str, value: &str) -> desired::Trial {
        desired::Trial {
            id,
            setting: setting(name, value),
        }
    }

    /// Types a line that costs so much with either value.
    fn type_line(arms: &mut Arms, paints: u64, current: u64, candidate: u64) -> (bool, Option<Tally>) {
        let levers = arms.begin_line();
        let tried = levers.value(Lever::NamesCacheEntries) == 0;
        for _ in 0..paints {
            arms.painted();
            arms.spent(Cost::Highlight, if tried { candidate } else { current });
            // What the lever cannot move is not counted.
            arms.spent(Cost::Suggestion, 1 << 40);
        }
        (tried, arms.end_line())
    }

    #[test]
    fn a_pair_is_one_line_with_either_value() {
        let mut arms = Arms::default();
        assert_eq!(arms.take(&[], Some(&trial(3, "names.cache_entries", "0"))), 0);
        let mut firsts = Vec::new();
        for pair in 1..=64 {
            let (first, none) = type_line(&mut arms, 10, 1_000, 2_000);
            assert_eq!(none, None);
            // Neither a line given up nor one with too little in it uses its turn up.
            arms.begin_line();
            assert_eq!(type_line(&mut arms, PAINTS_MIN - 1, 1, 1), (!first, None));
            let (second, tally) = type_line(&mut arms, 20, 1_000, 2_000);
            assert_ne!(first, second);
            assert_eq!(tally.map(|tally| tally.pairs), Some(pair));
            firsts.push(first);
        }
        let tried_first = firsts.iter().filter(|first| **first).count();
        assert!((16..=48).contains(&tried_first), "{tried_first}");
        let tally = arms.tally;
        assert_eq!((tally.current_ns, tally.candidate_ns), (64_000, 128_000));
        let mean = tally.log_sum as f64 / 64.0 / MILLION;
        assert!((mean - std::f64::consts::LN_2).abs() < 1e-5, "{mean}");
    }

    /// Types a pair of lines with a completion each; says what the pairs have come to.
    fn complete_pair(arms: &mut Arms, current: (u64, bool), candidate: (u64, bool)) -> Tally {
        for _ in 0..2 {
            let deadline_ms = arms.begin_line().value(Lever::CompletionDeadlineMs);
            let (ns, gave_up) = if deadline_ms == 2_500 { candidate } else { current };
            arms.spent(Cost::Completion, ns);
            if gave_up {
                arms.gave_up(Cost::Completion);
            }
            arms.end_line();
        }
        arms.tally()
    }

    #[test]
    fn giving_up_is_never_faster() {
        let most = Lever::CompletionDeadlineMs.row().values;
        assert!(
            matches!(most, crate::lever::Values::Number { most, .. } if most as f64 * 1e6 == GIVEN_UP_NS)
        );
        let mut arms = Arms::default();
        arms.take(&[], Some(&trial(5, "completion.deadline_ms", "2500")));
        const MS: u64 = 1_000_000;
        // The answer came after three seconds with the one, and never with the other.
        for pair in 1..=8 {
            let tally = complete_pair(&mut arms, (3_000 * MS, false), (2_500 * MS, true));
            assert_eq!(tally.pairs, pair);
            assert!(tally.log_sum > 0, "{tally:?}");
        }
        let before = arms.tally();
        assert_eq!(before.candidate_ns, 8 * 2_500 * MS, "what is shown was measured");
        // Given up with both, or with the value in force: nobody knows what either is worth.
        complete_pair(&mut arms, (5_000 * MS, true), (2_500 * MS, true));
        complete_pair(&mut arms, (5_000 * MS, true), (20 * MS, false));
        assert_eq!(arms.tally(), before);
        complete_pair(&mut arms, (20 * MS, false), (20 * MS, false));
        assert_eq!((arms.tally().pairs, arms.tally().log_sum), (9, before.log_sum));
    }

    #[test]
    fn what_is_given_up_counts_where_the_lever_decides_on_it() {
        fn check(name: &str, value: &str, cost: Cost, expect: bool) {
            let mut arms = Arms::default();
            arms.take(&[], Some(&trial(1, name, value)));
            arms.begin_line();
            arms.gave_up(cost);
            assert_eq!(arms.line.gave_up, expect, "{name}");
        }
        check("suggestion.scan_bytes", "65536", Cost::Suggestion, true);
        check("suggestion.scan_bytes", "65536", Cost::Completion, false);
        check("suggestion.cache_entries", "64", Cost::Suggestion, false);
        // Where it looks first changes nothing about how far it gets.
        check("suggestion.source", "memory", Cost::Suggestion, false);
        check("completion.cache_entries", "64", Cost::Completion, false);
    }

    #[test]
    fn a_walk_that_gives_up_is_no_faster_than_the_index() {
        let mut arms = Arms::default();
        arms.take(&[], Some(&trial(7, "history.search", "scan")));
        for _ in 0..16 {
            let scans = arms.begin_line().value(Lever::HistorySearch) == crate::lever::HISTORY_SCAN;
            (0..PAINTS_MIN).for_each(|_| arms.painted());
            arms.spent(Cost::Suggestion, if scans { 1_000 } else { 2_000 });
            // Both stop at some time: of the index that is told, of the walk it counts.
            arms.gave_up(Cost::Suggestion);
            arms.end_line();
        }
        assert_eq!(arms.tally.pairs, 8);
        assert!(arms.tally.log_sum > 0, "{:?}", arms.tally);
    }

    #[test]
    fn what_is_agreed_is_in_force_and_a_new_trial_begins_anew() {
        let mut arms = Arms::default();
        let settings = [
            setting("names.keep", "path"),
            setting("names.keep", "never"),
            setting("x", "1"),
        ];
        assert_eq!(arms.take(&settings, Some(&trial(1, "x", "1"))), 3);
        assert_eq!(arms.begin_line().value(Lever::NamesKeep), 1);
        assert_eq!(type_line(&mut arms, 10, 1, 1), (false, None));
        arms.take(&settings, Some(&trial(2, "names.cache_entries", "0")));
        type_line(&mut arms, 10, 5, 5);
        type_line(&mut arms, 10, 5, 5);
        assert_eq!((arms.tally.id, arms.tally.pairs), (2, 1));
        arms.take(&settings, Some(&trial(3, "names.cache_entries", "0")));
        assert_eq!(
            arms.tally,
            Tally {
                id: 3,
                ..Tally::default()
            }
        );
        arms.take(&[], None);
        assert_eq!(arms.begin_line(), Levers::default());
    }
}
