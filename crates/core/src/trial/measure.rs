//! What a part of the configuration can move, and so what a changed one is judged by.
//!
//! What the user's own `PROMPT_COMMAND` and `PS1` take is in no row: it depends on the folder they are in, so a verdict
//! that went by it would take a configuration back for a `cd`.
//!
//! Invariant: every part is in [`moved_by`], and a part of the sessions moves something; a change of one that moves
//! nothing is judged by crashes and panics alone.

use lle_metrics::{Snapshot, Stage, Timer};

use crate::config::Part;

/// Something measured in every session; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Measure {
    /// From a key to its last byte on the terminal.
    Keys,
    /// Colouring the line.
    Colours,
    /// Finding a suggestion.
    Suggestions,
    /// Finding completions.
    Completions,
    /// Writing a command to the history log.
    Appends,
    /// Searching the history log.
    Searches,
    /// What LLE and the configuration add to a prompt, beside the user's own `PROMPT_COMMAND` and `PS1`.
    Prompts,
    /// From the exec of bash to its first prompt.
    Starts,
}

/// A row of the table of measures.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which.
    pub measure: Measure,
    /// The stable name.
    pub name: &'static str,
    /// How one of them is called, and several.
    pub one: &'static str,
    /// Several of them, as a sentence begins: "prompts were 203 ms slower".
    pub many: &'static str,
    /// By how much they must be slower to matter at all, in nanoseconds: what nobody notices is no verdict, and what
    /// a busy machine does to a millisecond is none either.
    pub floor_ns: u64,
}

const MS: u64 = 1_000_000;

/// Every measure, in the order of [`Measure`].
pub const MEASURES: &[Row] = &[
    row(Measure::Keys, "keys", "key", "keys", 5 * MS),
    row(Measure::Colours, "colours", "colouring", "colours", 3 * MS),
    row(
        Measure::Suggestions,
        "suggestions",
        "suggestion",
        "suggestions",
        10 * MS,
    ),
    row(
        Measure::Completions,
        "completions",
        "completion",
        "completions",
        100 * MS,
    ),
    row(
        Measure::Appends,
        "appends",
        "append to the history",
        "appends to the history",
        5 * MS,
    ),
    row(
        Measure::Searches,
        "searches",
        "search of the history",
        "searches of the history",
        20 * MS,
    ),
    row(Measure::Prompts, "prompts", "prompt", "prompts", 20 * MS),
    row(Measure::Starts, "starts", "start", "starts", 200 * MS),
];

const fn row(
    measure: Measure,
    name: &'static str,
    one: &'static str,
    many: &'static str,
    floor_ns: u64,
) -> Row {
    Row {
        measure,
        name,
        one,
        many,
        floor_ns,
    }
}

impl Measure {
    /// The row of the table.
    pub const fn row(self) -> &'static Row {
        &MEASURES[self as usize]
    }

    /// The measure of that name.
    pub fn named(name: &str) -> Option<Measure> {
        let row = MEASURES.iter().find(|row| row.name == name)?;
        Some(row.measure)
    }

    /// How many samples a session has of it, and their sum in nanoseconds; both only grow.
    pub fn totals(self, snapshot: &Snapshot) -> Totals {
        let of = |timer| {
            let (samples, sum_ns) = snapshot.total(timer);
            Totals { samples, sum_ns }
        };
        match self {
            Measure::Keys => of(Timer::KeyToPaint),
            Measure::Colours => of(Timer::Highlight),
            Measure::Suggestions => of(Timer::Suggestion),
            Measure::Completions => of(Timer::Completion),
            Measure::Appends => of(Timer::HistoryAppend),
            Measure::Searches => of(Timer::HistorySearch),
            Measure::Starts => of(Timer::Start),
            Measure::Prompts => {
                let own = snapshot.stage(Stage::PromptOwn);
                Totals {
                    samples: own.count,
                    sum_ns: own.sum_ns,
                }
            }
        }
    }
}

/// So many samples, and what they come to together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many.
    pub samples: u64,
    /// Their sum, in nanoseconds.
    pub sum_ns: u64,
}

impl Totals {
    /// What came since: how many, and their mean in nanoseconds; none without any, or of numbers that cannot be.
    pub fn since(&self, before: &Totals) -> Option<(u64, f64)> {
        let samples = self.samples.checked_sub(before.samples).filter(|n| *n > 0)?;
        let sum = self.sum_ns.checked_sub(before.sum_ns)?;
        Some((samples, sum as f64 / samples as f64))
    }
}

/// What a part of the configuration can move, in the sessions that go by it.
pub const fn moved_by(part: Part) -> &'static [Measure] {
    use Measure::{Appends, Colours, Completions, Keys, Prompts, Searches, Starts, Suggestions};
    match part {
        Part::Editor => &[Keys, Colours, Suggestions, Completions],
        Part::Display => &[Keys, Colours],
        Part::Prompt => &[Prompts],
        Part::History => &[Suggestions, Appends, Searches, Prompts, Starts],
        Part::Worker | Part::Tasks | Part::Trials | Part::Reload | Part::Alerts | Part::Backup => &[],
    }
}

/// What these parts can move together, each once, in the order of the table.
pub fn moved_by_all(parts: &[Part]) -> Vec<Measure> {
    let moved = |row: &&Row| parts.iter().any(|part| moved_by(*part).contains(&row.measure));
    MEASURES.iter().filter(moved).map(|row| row.measure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;

    #[test]
    fn rows_stand_in_the_order_of_the_measures_under_distinct_names() {
        for (at, row) in MEASURES.iter().enumerate() {
            assert_eq!(at, row.measure as usize, "{}", row.name);
            assert_eq!(Measure::named(row.name), Some(row.measure));
            assert!(row.floor_ns >= MS, "{}: a busy machine does as much", row.name);
        }
        assert_eq!(Measure::named("nonsense"), None);
    }

    #[test]
    fn every_key_moves_what_its_part_moves_and_every_measure_is_moved_by_a_key() {
        for key in KEYS {
            assert_eq!(
                key.part.is_of_sessions(),
                !moved_by(key.part).is_empty(),
                "{}: what sessions go by can slow them, and nothing else can",
                key.name
            );
        }
        for row in MEASURES {
            let moves = |part: &&Part| moved_by(**part).contains(&row.measure);
            assert!(Part::ALL.iter().any(|part| moves(&part)), "{}", row.name);
        }
    }

    #[test]
    fn what_parts_move_together_is_listed_once() {
        assert_eq!(moved_by_all(&[]), []);
        assert_eq!(moved_by_all(&[Part::Alerts]), []);
        let both = moved_by_all(&[Part::Display, Part::Editor]);
        assert_eq!(both, moved_by(Part::Editor));
    }

    #[test]
    fn what_came_since_is_a_number_or_nothing() {
        let totals = |samples, sum_ns| Totals { samples, sum_ns };
        let check = |before, after: Totals, expect| assert_eq!(after.since(&before), expect, "{before:?}");
        check(totals(1, 10), totals(3, 40), Some((2, 15.0)));
        check(totals(3, 40), totals(3, 40), None);
        check(totals(3, 40), totals(1, 5), None);
        check(totals(3, 40), totals(4, 5), None);
    }
}
