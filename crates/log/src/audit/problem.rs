//! What may be wrong with an audit log, in words.

use std::fmt;
use std::ops::Range;

use super::Head;

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the file; empty if it concerns the log as a whole.
    pub segment: String,
    /// The bytes it concerns; empty at the place where something is missing.
    pub at: Range<u64>,
    /// The record it concerns, if it concerns one.
    pub sequence: Option<u64>,
    /// What it is.
    pub kind: ProblemKind,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The record is not as it was written.
    Changed,
    /// These records were overwritten, and cannot be told apart any more.
    Destroyed {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// These records are gone, and nothing is in their place. If the start of the oldest segment is missing, it
    /// may be more than these.
    Deleted {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Whole files are gone.
    MissingSegment {
        /// The first file, counted from 0.
        first: u32,
        /// The last.
        last: u32,
        /// The first record that is gone.
        from: u64,
        /// The last record that is gone.
        to: u64,
    },
    /// These records, which lie one after the other, are not where they were written.
    Reordered {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The record is there a second time, or another was written with its number and the key: a chain that
    /// was resumed from an old head.
    Duplicated,
    /// The log ends before the head that its anchor names.
    Truncated {
        /// That head.
        expected: Head,
    },
    /// The record under the anchor's number is not the anchor's, or does not follow the record before it,
    /// although the key made both: an older log was put in place of this one, and continued.
    Diverged,
    /// The record is sound as far as it goes, but its predecessor, against which to prove it, is damaged or gone.
    Unproven,
    /// A record whose writing was never finished; with its number, if only its closing length is missing.
    Torn,
    /// Bytes that no record accounts for, or a record that was made without the key.
    Foreign,
    /// The state byte or the closing length of the record is wrong. Nothing is lost.
    Frame,
    /// The header of the file is damaged or another log's. No record is lost.
    Header,
    /// There is no anchor, so that records cut from the end would not be noticed.
    AnchorMissing,
    /// No record is proven: this is not the key of the log, or every record was replaced.
    WrongKey,
}

impl ProblemKind {
    /// Says whether every record is still there, as it was written.
    pub fn loses_nothing(self) -> bool {
        matches!(
            self,
            Self::Frame | Self::Header | Self::Torn | Self::Duplicated | Self::Foreign | Self::AnchorMissing
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.segment.is_empty() {
            "audit log"
        } else {
            &self.segment
        };
        let (start, end) = (self.at.start, self.at.end);
        write!(f, "{name}: ")?;
        let record = |f: &mut fmt::Formatter<'_>| match self.sequence {
            Some(sequence) => write!(f, "record {sequence} at byte {start}"),
            None => write!(f, "bytes {start} to {end}"),
        };
        match self.kind {
            ProblemKind::Changed => {
                record(f)?;
                f.write_str(" was changed")
            }
            ProblemKind::Destroyed { from, to } => {
                write!(
                    f,
                    "{} {} overwritten at bytes {start} to {end}",
                    Records(from, to),
                    are(from, to)
                )
            }
            ProblemKind::Deleted { from, to } => write!(
                f,
                "{} {} missing at byte {start}",
                Records(from, to),
                are(from, to)
            ),
            ProblemKind::MissingSegment {
                first,
                last,
                from,
                to,
            } => {
                let lost = Records(from, to);
                if first == last {
                    write!(f, "segment {first} is missing before it, with {lost}")
                } else {
                    write!(f, "segments {first} to {last} are missing before it, with {lost}")
                }
            }
            ProblemKind::Reordered { from, to } => {
                write!(
                    f,
                    "{} {} out of order at bytes {start} to {end}",
                    Records(from, to),
                    are(from, to)
                )
            }
            ProblemKind::Duplicated => {
                record(f)?;
                f.write_str(" is there a second time")
            }
            ProblemKind::Truncated { expected } => {
                write!(
                    f,
                    "cut off at byte {start}: it went on to record {}",
                    expected.sequence
                )
            }
            ProblemKind::Diverged => {
                record(f)?;
                f.write_str(" belongs to another course of the log: an older copy was put back and continued")
            }
            ProblemKind::Unproven => {
                record(f)?;
                f.write_str(" cannot be proven: the record before it is damaged or gone")
            }
            ProblemKind::Torn => match self.sequence {
                Some(sequence) => write!(
                    f,
                    "record {sequence} lacks its end at byte {start}; nothing is lost"
                ),
                None => write!(f, "bytes {start} to {end} are a record that was never finished"),
            },
            ProblemKind::Foreign => {
                record(f)?;
                f.write_str(if self.sequence.is_some() {
                    " was not made with this key"
                } else {
                    " are no record"
                })
            }
            ProblemKind::Frame => {
                let sequence = self.sequence.unwrap_or_default();
                write!(
                    f,
                    "the frame of record {sequence} was changed at byte {start}; nothing is lost"
                )
            }
            ProblemKind::Header => {
                f.write_str("the file header is damaged or another log's; no record is lost")
            }
            ProblemKind::AnchorMissing => {
                f.write_str("no anchor: records cut from the end would not be noticed")
            }
            ProblemKind::WrongKey => {
                f.write_str("no record is proven: this is not its key, or every record was replaced")
            }
        }
    }
}

/// `record 5`, `records 5 to 7`.
struct Records(u64, u64);

impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(from, to) = self;
        if from == to {
            write!(f, "record {from}")
        } else {
            write!(f, "records {from} to {to}")
        }
    }
}

fn are(from: u64, to: u64) -> &'static str {
    if from == to { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_in_words() {
        let check = |sequence: Option<u64>, kind: ProblemKind, expect: &str| {
            let problem = Problem {
                segment: "audit.log".to_owned(),
                at: 2310..2400,
                sequence,
                kind,
            };
            assert_eq!(problem.to_string(), format!("audit.log: {expect}"));
        };
        use ProblemKind::*;
        check(Some(17), Changed, "record 17 at byte 2310 was changed");
        check(
            None,
            Deleted { from: 5, to: 7 },
            "records 5 to 7 are missing at byte 2310",
        );
        check(
            None,
            Deleted { from: 5, to: 5 },
            "record 5 is missing at byte 2310",
        );
        check(
            None,
            Destroyed { from: 5, to: 6 },
            "records 5 to 6 are overwritten at bytes 2310 to 2400",
        );
        check(
            None,
            MissingSegment {
                first: 1,
                last: 1,
                from: 11,
                to: 20,
            },
            "segment 1 is missing before it, with records 11 to 20",
        );
        check(
            Some(9),
            Reordered { from: 9, to: 9 },
            "record 9 is out of order at bytes 2310 to 2400",
        );
        check(
            Some(9),
            Duplicated,
            "record 9 at byte 2310 is there a second time",
        );
        let expected = Head {
            sequence: 30,
            segment: 0,
            mac: [0; 32],
        };
        check(
            None,
            Truncated { expected },
            "cut off at byte 2310: it went on to record 30",
        );
        check(
            Some(8),
            Unproven,
            "record 8 at byte 2310 cannot be proven: the record before it is damaged or gone",
        );
        check(
            None,
            Torn,
            "bytes 2310 to 2400 are a record that was never finished",
        );
        check(
            Some(8),
            Torn,
            "record 8 lacks its end at byte 2310; nothing is lost",
        );
        check(None, Foreign, "bytes 2310 to 2400 are no record");
        check(
            Some(8),
            Foreign,
            "record 8 at byte 2310 was not made with this key",
        );
        check(
            Some(8),
            Frame,
            "the frame of record 8 was changed at byte 2310; nothing is lost",
        );
    }
}
