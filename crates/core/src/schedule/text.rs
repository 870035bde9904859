//! Schedules as people write them.
//!
//! Invariant: what is written out is read back as the same, and what is read has been checked.

use std::fmt;
use std::str::FromStr;

use super::cron::Cron;
use super::{EVERY_SECONDS_MAX, EVERY_SECONDS_MIN, Schedule};

/// Longest cron expression, in bytes: five fields with long lists fit.
pub const CRON_BYTES_MAX: usize = 128;
const CRON_FIELDS: usize = 5;
/// Units of an interval with their seconds, the largest first.
const UNITS: &[(char, u64)] = &[
    ('w', 7 * 86_400),
    ('d', 86_400),
    ('h', 3_600),
    ('m', 60),
    ('s', 1),
];
/// A schedule that is never due from this day on, for 28 years, never is. The day is arbitrary; 2000 has a leap day.
const REFERENCE: jiff::civil::DateTime = jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0);

/// Why a text is no schedule, and what would be.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// It is none of the three.
    #[error(
        "{text:?} is no schedule; expected `every 30m`, a cron time such as `0 2 * * SUN` (minute, hour, day of the \
         month, month, weekday), or `manual`"
    )]
    Unknown {
        /// What was written.
        text: String,
    },
    /// The length of an interval is not understood.
    #[error("{text:?} is no interval; expected a whole number and s, m, h, d or w, as in `every 30m`")]
    Interval {
        /// What was written.
        text: String,
    },
    /// An interval is too short or too long.
    #[error("an interval is between {EVERY_SECONDS_MIN} s and {days} days", days = EVERY_SECONDS_MAX / 86_400)]
    IntervalRange,
    /// A cron time has more or fewer fields than five.
    #[error(
        "a cron time has 5 fields, this has {found}; expected minute, hour, day of the month, month, weekday, as in \
         `0 2 * * SUN`; it is in local time and names no zone"
    )]
    Fields {
        /// How many there are.
        found: usize,
    },
    /// A cron time is too long.
    #[error("a cron time is at most {CRON_BYTES_MAX} bytes long")]
    TooLong,
    /// A field of a cron time is not understood.
    #[error("a cron time that is not understood")]
    Cron {
        /// Where and why.
        source: cronexpr::Error,
    },
    /// `L` stands for the last day; the library that evaluates it forgets December.
    #[error("`L`, the last day, is not supported; expected a day, or a weekday of the month such as `SUN#1`")]
    LastDay,
    /// There is no such day.
    #[error("{text:?} is never due: no such day in 28 years")]
    Never {
        /// What was written.
        text: String,
    },
}

impl Schedule {
    /// Reads a schedule; capitals and the number of spaces do not matter.
    ///
    /// # Errors
    /// Says what was expected instead.
    pub fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let schedule = match words.as_slice() {
            [word] if word.eq_ignore_ascii_case("manual") => Schedule::Manual,
            [word, length @ ..] if word.eq_ignore_ascii_case("every") => {
                let seconds = interval(&length.concat());
                Schedule::Every {
                    seconds: seconds.ok_or_else(|| ScheduleError::Interval {
                        text: text.to_owned(),
                    })?,
                }
            }
            [word, ..] if words.len() == CRON_FIELDS || looks_like_cron(word) => Schedule::Cron {
                text: words.join(" ").to_ascii_uppercase(),
            },
            _ => {
                return Err(ScheduleError::Unknown {
                    text: text.to_owned(),
                });
            }
        };
        schedule.check().map(|()| schedule)
    }

    /// Checks one that was not read from text.
    ///
    /// # Errors
    /// As [`parse`](Schedule::parse).
    pub fn check(&self) -> Result<(), ScheduleError> {
        match self {
            Schedule::Manual => Ok(()),
            Schedule::Every { seconds } => match seconds {
                EVERY_SECONDS_MIN..=EVERY_SECONDS_MAX => Ok(()),
                _ => Err(ScheduleError::IntervalRange),
            },
            Schedule::Cron { text } => check_cron(text),
        }
    }
}

fn looks_like_cron(word: &str) -> bool {
    word.starts_with(|first: char| first == '*' || first.is_ascii_digit())
}

fn interval(length: &str) -> Option<u64> {
    let unit = length.chars().last()?.to_ascii_lowercase();
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    // The unit is one of the letters above, hence one byte.
    let number = &length[..length.len() - 1];
    // `parse` would take a plus sign.
    if !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // More than fits is a number all the same, and is refused as too long.
    number
        .parse::<u64>()
        .ok()
        .map(|number| number.saturating_mul(*seconds))
}

fn check_cron(text: &str) -> Result<(), ScheduleError> {
    if text.len() > CRON_BYTES_MAX {
        return Err(ScheduleError::TooLong);
    }
    let fields: Vec<&str> = text.split(' ').collect();
    let &[_, _, day, _, weekday] = fields.as_slice() else {
        return Err(ScheduleError::Fields { found: fields.len() });
    };
    let cron = Cron::parse(text).map_err(|source| ScheduleError::Cron { source })?;
    if day.contains('L') || weekday.contains('L') {
        return Err(ScheduleError::LastDay);
    }
    match cron.after(REFERENCE) {
        Some(_) => Ok(()),
        None => Err(ScheduleError::Never {
            text: text.to_owned(),
        }),
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Every { seconds } => {
                let whole = UNITS
                    .iter()
                    .find(|(_, unit)| *seconds > 0 && seconds.is_multiple_of(*unit));
                let (name, unit) = whole.copied().unwrap_or(('s', 1));
                write!(f, "every {}{name}", seconds / unit)
            }
            Schedule::Cron { text } => f.write_str(text),
            Schedule::Manual => f.write_str("manual"),
        }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Schedule, ScheduleError> {
        Schedule::parse(text)
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Schedule, ScheduleError> {
        Schedule::parse(&text)
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn read_and_written() {
        fn check(text: &str, expect: &str) {
            assert_eq!(Schedule::parse(text).unwrap().to_string(), expect, "{text}");
        }
        check("every 30m", "every 30m");
        check("Every  120 s", "every 2m");
        check("every 7D", "every 1w");
        check("every 90m", "every 90m");
        check("MANUAL", "manual");
        check("  0 2 *\t* sun ", "0 2 * * SUN");
        check("0 3 * * sun#1", "0 3 * * SUN#1");
        check("*/15 8-18 1,15W * mon-fri", "*/15 8-18 1,15W * MON-FRI");
    }

    #[test]
    fn errors_say_what_was_expected() {
        fn said(text: &str) -> String {
            let error = Schedule::parse(text).unwrap_err();
            match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }
        }
        let wrong = [
            "",
            "hourly",
            "every",
            "every 30",
            "every +3m",
            "every 3ü",
            "every 0s",
            "every 9999999999999999w",
            "0 2 * *",
            "0 2 * * SUN Europe/Berlin",
            "0 25 * * SUN",
            "0 2 * * Söndag",
            "0 0 L * *",
            "0 0 * * 5L",
            "0 0 30 2 *",
            &format!("{}0 0 * * *", "0,".repeat(100)),
        ];
        let said: Vec<String> = wrong.iter().map(|text| said(text)).collect();
        assert_snapshot!(said.join("\n"), @r#"
        "" is no schedule; expected `every 30m`, a cron time such as `0 2 * * SUN` (minute, hour, day of the month, month, weekday), or `manual`
        "hourly" is no schedule; expected `every 30m`, a cron time such as `0 2 * * SUN` (minute, hour, day of the month, month, weekday), or `manual`
        "every" is no interval; expected a whole number and s, m, h, d or w, as in `every 30m`
        "every 30" is no interval; expected a whole number and s, m, h, d or w, as in `every 30m`
        "every +3m" is no interval; expected a whole number and s, m, h, d or w, as in `every 30m`
        "every 3ü" is no interval; expected a whole number and s, m, h, d or w, as in `every 30m`
        an interval is between 1 s and 366 days
        an interval is between 1 s and 366 days
        a cron time has 5 fields, this has 4; expected minute, hour, day of the month, month, weekday, as in `0 2 * * SUN`; it is in local time and names no zone
        a cron time has 5 fields, this has 6; expected minute, hour, day of the month, month, weekday, as in `0 2 * * SUN`; it is in local time and names no zone
        a cron time that is not understood: failed to parse crontab expression:
        0 25 * * SUN
          ^ value must be in range 0..=23; found 25
        a cron time that is not understood: failed to parse crontab expression:
        0 2 * * SöNDAG
                ^ malformed expression
        `L`, the last day, is not supported; expected a day, or a weekday of the month such as `SUN#1`
        `L`, the last day, is not supported; expected a day, or a weekday of the month such as `SUN#1`
        "0 0 30 2 *" is never due: no such day in 28 years
        a cron time is at most 128 bytes long
        "#);
    }

    #[test]
    fn json_is_the_text() {
        let schedule: Schedule = serde_json::from_str("\"0 2 * * sun\"").unwrap();
        assert_eq!(
            schedule,
            Schedule::Cron {
                text: "0 2 * * SUN".into()
            }
        );
        assert_eq!(
            serde_json::to_string(&Schedule::Every { seconds: 1_800 }).unwrap(),
            "\"every 30m\""
        );
        assert!(serde_json::from_str::<Schedule>("\"every blue moon\"").is_err());
    }

    fn any_schedule() -> impl Strategy<Value = Schedule> {
        let minute = prop_oneof!["[0-5][0-9]", "\\*/[1-9]", "[0-9],[1-5]0", "\\*"];
        let hour = prop_oneof!["1[0-9]", "\\*", "[0-9]-1[0-9]"];
        let day = prop_oneof!["\\*", "[1-9]", "1[0-9]W"];
        let weekday = prop_oneof!["\\*", "[0-7]", "SUN#[1-4]", "MON-FRI"];
        prop_oneof![
            (EVERY_SECONDS_MIN..=EVERY_SECONDS_MAX).prop_map(|seconds| Schedule::Every { seconds }),
            (1_u64..=366).prop_map(|days| Schedule::Every {
                seconds: days * 86_400
            }),
            (minute, hour, day, "\\*|[1-9]|JUL", weekday).prop_map(|(m, h, d, month, w)| Schedule::Cron {
                text: format!("{m} {h} {d} {month} {w}")
            }),
            Just(Schedule::Manual),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(schedule in any_schedule()) {
            prop_assert_eq!(&Schedule::parse(&schedule.to_string()).unwrap(), &schedule);
            let json = serde_json::to_string(&schedule).unwrap();
            prop_assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule);
        }

        #[test]
        fn any_text_is_read_or_refused(text in prop_oneof![".*", "[0-9*/,#LWH -]{0,40}", "every .*"]) {
            if let Ok(schedule) = Schedule::parse(&text) {
                prop_assert!(schedule.check().is_ok());
                prop_assert_eq!(Schedule::parse(&schedule.to_string()).unwrap(), schedule);
            }
        }
    }
}
