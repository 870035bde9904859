//! What is wrong with a configuration: where, what was expected, what was probably meant, and how to mend it.
//!
//! Invariant: no problem is told without a place or a source, and none without a remedy.

use std::fmt;

use serde::Serialize;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// The configuration holds all the same.
    Warning,
    /// The configuration does not come into force.
    Error,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How much it matters.
    pub weight: Weight,
    /// The file, the variable, or the words on the command line.
    pub source: String,
    /// Where in the file.
    pub at: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What was expected; empty if that says nothing.
    pub expected: String,
    /// The known name that was probably meant.
    pub meant: Option<String>,
    /// How to mend it.
    pub remedy: String,
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.line, self.column)
    }
}

/// In as many lines as it takes, the first as compilers have it.
impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.source)?;
        if let Some(at) = self.at {
            write!(out, ":{at}")?;
        }
        let weight = match self.weight {
            Weight::Warning => "warning",
            Weight::Error => "error",
        };
        write!(out, ": {weight}: {}", self.message)?;
        if !self.expected.is_empty() {
            write!(out, "; expected {}", self.expected)?;
        }
        if let Some(meant) = &self.meant {
            write!(out, "\n  did you mean `{meant}`?")?;
        }
        write!(out, "\n  {}", self.remedy)
    }
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Lines<'t> {
        let after = |(at, byte): (usize, u8)| (byte == b'\n').then_some(at + 1);
        let starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter_map(after))
            .collect();
        Lines { text, starts }
    }

    /// The position of a byte; that of the end for any beyond.
    pub(super) fn position(&self, at: usize) -> Position {
        let at = self.text.floor_char_boundary(at.min(self.text.len()));
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line.saturating_sub(1)];
        // A mark of the byte order is no character of the first line.
        let before = self.text[start..at].trim_start_matches('\u{feff}');
        Position {
            line,
            column: before.chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one_and_in_characters() {
        fn check(text: &str, at: usize, line: usize, column: usize) {
            assert_eq!(
                Lines::of(text).position(at),
                Position { line, column },
                "{text:?} {at}"
            );
        }
        check("", 0, 1, 1);
        check("ab\ncd", 1, 1, 2);
        check("ab\ncd", 2, 1, 3);
        check("ab\ncd", 3, 2, 1);
        check("ab\ncd", 99, 2, 3);
        check("é = 1", 2, 1, 2);
        check("é = 1", 1, 1, 1);
        check("\u{feff}a", 3, 1, 1);
    }
}
