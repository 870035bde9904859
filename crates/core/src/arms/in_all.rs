//! What all lines of a trial cost together, with either value, and how many of them stalled: what the mean of the
//! logarithms does not see.
//!
//! ```text
//!  a pair ─▸ each line by what one usually costs, at most [`MOST`] ─▸ sums, the costliest, those that stalled ─▸ says
//! ```
//!
//! A lever that makes most lines faster and stalls one in forty has a mean of logarithms that fell and a sum that rose; the
//! sum is what somebody waits for. But a plain sum is decided by its one costliest line, which may be the machine's doing. So
//! a line counts in multiples of what one usually costs with the value in force in that session (the geometric mean of those so
//! far), and for at most [`MOST`] of them; and beside the sum stands a count: lines of more than [`STALL`] times the usual.
//!
//! - *rises*: the sum is higher with the candidate, and so many more of its lines stalled that chance does that one time in
//!   [`CHANCE`] (the sign test: among lines that stalled, either value is as likely where it makes no difference).
//! - *fell*: the sum is lower, and no line stalled with the candidate. With [`ENOUGH`] lines of either one may have, or, if lines
//!   stall with either value, so many more as are one standard deviation of the sign test; and the sum must be lower without
//!   the costliest line of each. So no single line decides: with fewer lines, it asks for more of them.
//! - *open*: neither.
//!
//! How often it is wrong, of levers that make lines 30 % faster, as the tests of `trial::paired` count it over 200 trials each:
//!
//! | the machine | helps, kept | stalls one line in forty sixty-fold, kept | the same, called worse |
//! | --- | --- | --- | --- |
//! | steady | all | 4 % | 68 % |
//! | noisy | all | 6 % | 45 % |
//! | heavy tails | 96 % | 12 % | 20 % |
//! | steady, but the time is up after 64 pairs | all | 25 % | none |
//! | steady, and hangs for one line of the candidate | all | – | – |
//!
//! What is neither kept nor called worse is left undecided, and not kept. A stall that is rarer than one in two hundred is not to
//! be seen in so many lines: a lever that does it may be kept.
//!
//! Invariants: bounded, whatever is typed; two sessions' sums add up; nothing here allocates.

/// A line counts for so many times the usual at most: beyond it nobody can tell a lever from a machine that hung.
pub const MOST: f64 = 64.0;
/// A line of more than so many times the usual stalled. Lines of different lengths differ by less.
pub const STALL: f64 = 16.0;
/// Pairs with which a single line that stalled decides nothing.
pub const ENOUGH: u64 = 256;
/// More lines stalled with the candidate, and chance does that one time in so many: five to none.
pub const CHANCE: f64 = 32.0;
/// Thousandths of the usual, in which costs are summed up.
const THOUSAND: f64 = 1e3;

/// What the lines of either value cost together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize, serde::Deserialize))]
pub struct InAll {
    /// The sum with the value in force, in thousandths of the usual cost of a line.
    pub current: u64,
    /// The sum with the candidate.
    pub candidate: u64,
    /// The costliest line with the value in force.
    pub current_most: u64,
    /// The costliest line with the candidate.
    pub candidate_most: u64,
    /// Lines with the value in force that stalled.
    pub current_stalls: u64,
    /// Lines with the candidate that stalled.
    pub candidate_stalls: u64,
}

/// What the sums say of the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Lines cost less with it, in all.
    Fell,
    /// They cost more in all, since more of them stall.
    Rises,
    /// Nobody can tell.
    Open,
}

impl InAll {
    /// Adds a pair of lines, with what one usually costs.
    pub fn add(&mut self, current: f64, candidate: f64, usual: f64) {
        let (current, candidate) = (current / usual, candidate / usual);
        self.current_stalls += u64::from(current > STALL);
        self.candidate_stalls += u64::from(candidate > STALL);
        let (current, candidate) = (counted(current), counted(candidate));
        self.current = self.current.saturating_add(current);
        self.candidate = self.candidate.saturating_add(candidate);
        self.current_most = self.current_most.max(current);
        self.candidate_most = self.candidate_most.max(candidate);
    }

    /// Adds what another session's lines cost.
    pub fn merge(&mut self, other: &InAll) {
        self.current = self.current.saturating_add(other.current);
        self.candidate = self.candidate.saturating_add(other.candidate);
        self.current_most = self.current_most.max(other.current_most);
        self.candidate_most = self.candidate_most.max(other.candidate_most);
        self.current_stalls = self.current_stalls.saturating_add(other.current_stalls);
        self.candidate_stalls = self.candidate_stalls.saturating_add(other.candidate_stalls);
    }

    /// Whether numbers can be those of so many pairs.
    pub fn can_be(&self, pairs: u64) -> bool {
        let line_most = counted(MOST);
        let can = |sum: u64, most: u64, stalls: u64| {
            sum <= pairs.saturating_mul(line_most) && most <= line_most && most <= sum && stalls <= pairs
        };
        can(self.current, self.current_most, self.current_stalls)
            && can(self.candidate, self.candidate_most, self.candidate_stalls)
    }

    /// The candidate's cost by the current one's, all lines together; none without lines.
    pub fn ratio(&self) -> Option<f64> {
        (self.current > 0).then(|| self.candidate as f64 / self.current as f64)
    }

    /// What so many pairs say.
    pub fn says(&self, pairs: u64) -> Says {
        let less = |candidate: u64, current: u64| candidate < current;
        let (more, fewer) = (self.candidate_stalls, self.current_stalls);
        if !less(self.candidate, self.current) && by_chance(more, fewer) <= 1.0 / CHANCE {
            return Says::Rises;
        }
        let excess = more.saturating_sub(fewer);
        let fell = if pairs < ENOUGH {
            more == 0 && less(self.candidate, self.current)
        } else {
            // The square of what a single line is to the deviation of one is one, too.
            excess.saturating_mul(excess) <= more.saturating_add(fewer)
                && less(
                    self.candidate.saturating_sub(self.candidate_most),
                    self.current.saturating_sub(self.current_most),
                )
        };
        if fell { Says::Fell } else { Says::Open }
    }
}

/// A line in thousandths of the usual.
fn counted(times: f64) -> u64 {
    (times.clamp(0.0, MOST) * THOUSAND) as u64
}

/// How likely chance gives the one so many of both together, or more, if both are as likely: the sign test, one-sided.
fn by_chance(more: u64, fewer: u64) -> f64 {
    let n = more.saturating_add(fewer);
    // Of so many, chance would have to be asked no more; and the halves below would be no numbers.
    if n > 1_000 {
        return if more > fewer && (more - fewer) as f64 > 2.0 * (n as f64).sqrt() {
            0.0
        } else {
            1.0
        };
    }
    // From all of them on the one side downwards: each term of the binomial distribution comes from the one before.
    let (mut term, mut sum) = (0.5f64.powi(n as i32), 0.0);
    for at in (more..=n).rev() {
        sum += term;
        term *= at as f64 / (n - at + 1) as f64;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// So many pairs in which the candidate costs so much, of which so many lines stalled with either, fifty times as long.
    fn pairs(n: u64, candidate: f64, current_stalls: u64, candidate_stalls: u64) -> InAll {
        let mut sums = InAll::default();
        for pair in 0..n {
            let times = |stalls| if pair < stalls { 50.0 } else { 1.0 };
            sums.add(
                100.0 * times(current_stalls),
                100.0 * candidate * times(candidate_stalls),
                100.0,
            );
        }
        sums
    }

    #[test]
    fn sums_and_stalls_decide_and_no_single_line_does() {
        fn check(n: u64, ratio: f64, stalls: (u64, u64), expect: Says) {
            let said = pairs(n, ratio, stalls.0, stalls.1).says(n);
            assert_eq!(said, expect, "{n} pairs, {ratio}, {stalls:?} stalled");
        }
        use Says::{Fell, Open, Rises};
        check(128, 0.7, (0, 0), Fell);
        check(128, 1.3, (0, 0), Open);
        // A single line asks for more lines, and decides nothing when they are there.
        check(128, 0.7, (0, 1), Open);
        check(256, 0.7, (0, 1), Fell);
        check(256, 0.85, (0, 1), Fell);
        check(256, 0.99, (1, 0), Fell);
        check(256, 1.01, (1, 0), Open);
        check(256, 0.7, (0, 2), Open);
        // Lines stall on this machine, with either value.
        check(128, 0.7, (4, 3), Open);
        check(256, 0.7, (6, 7), Fell);
        // Five to none.
        check(256, 0.7, (0, 4), Open);
        check(256, 0.7, (0, 5), Rises);
        check(64, 0.7, (0, 5), Rises);
        check(256, 0.7, (2, 8), Open);
        check(256, 0.7, (1, 9), Rises);
        // So many stall less, and lines cost less in all: not for the stalls, but no rise.
        check(256, 0.35, (0, 5), Open);
    }

    #[test]
    fn a_line_counts_for_no_more_than_it_can() {
        let mut hung = pairs(255, 0.7, 0, 0);
        hung.add(100.0, 1e15, 100.0);
        assert_eq!(hung.candidate_most, 64_000);
        assert_eq!(hung.says(256), Says::Fell, "{hung:?}");
        hung.add(0.0, f64::NAN, 100.0);
        assert!(hung.can_be(257));
    }

    #[test]
    fn chance_is_the_binomial_one() {
        let check = |more, fewer, expect: f64| {
            let is = by_chance(more, fewer);
            assert!((is - expect).abs() < 1e-9, "{more} to {fewer}: {is}");
        };
        check(0, 0, 1.0);
        check(1, 0, 0.5);
        check(5, 0, 1.0 / 32.0);
        check(0, 5, 1.0);
        check(4, 1, 6.0 / 32.0);
        check(7, 1, 9.0 / 256.0);
        assert!(by_chance(500, 400) < 1e-3 && by_chance(5_000, 4_000) == 0.0);
        assert!(by_chance(u64::MAX, 1) == 0.0 && by_chance(1_000_000, 1_000_000) == 1.0);
    }

    proptest! {
        #[test]
        fn what_was_added_can_be_and_two_add_up(
            lines in proptest::collection::vec((0.0..1e9f64, 0.0..1e9f64), 1..60), cut in 0..60usize
        ) {
            let of = |lines: &[(f64, f64)]| {
                let mut sums = InAll::default();
                lines.iter().for_each(|(current, candidate)| sums.add(*current, *candidate, 1e4));
                sums
            };
            let (left, right) = lines.split_at(cut.min(lines.len()));
            let (mut merged, whole) = (of(left), of(&lines));
            merged.merge(&of(right));
            prop_assert_eq!(merged, whole);
            prop_assert!(whole.can_be(lines.len() as u64));
        }
    }
}
