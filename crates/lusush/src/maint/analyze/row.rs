//! One row: when and how much.
//!
//! Quotes are taken off a field and mean nothing else: a series has no field with a comma in it, and one stray quote
//! must not swallow the rows after it. That is why no CSV library stands here.
//!
//! Invariant: what unit a number of seconds or milliseconds has is decided by the first row, for all.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A point, and how it was written.
#[derive(Debug, PartialEq)]
pub(super) struct Row<'a> {
    pub(super) at_ns: i64,
    /// Not a number where there is none.
    pub(super) value: f64,
    pub(super) timestamp: &'a str,
    pub(super) text: &'a str,
}

/// A row that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) line: u64,
    pub(super) column: usize,
    pub(super) found: String,
    pub(super) expected: &'static str,
}

/// What the rows before have told about those to come.
#[derive(Debug)]
pub(super) struct Rows {
    separator: u8,
    /// Which fields are the timestamp and the value.
    fields: (usize, usize),
    /// Nanoseconds in a unit of a timestamp that is a number.
    unit: Option<f64>,
    begun: bool,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            separator: b',',
            fields: (0, 1),
            unit: None,
            begun: false,
        }
    }
}

/// What stands where a value is missing.
const MISSING: &[&str] = &["", "na", "n/a", "nan", "null", "none", "-"];

const TIMESTAMP: &str = "RFC 3339 or a number";
const VALUE: &str = "a number";
const BOTH: &str = "timestamp,value";

impl Rows {
    /// Reads a line; an empty one and a header are no row and no mistake.
    pub(super) fn read<'a>(&mut self, line: &'a [u8], number: u64) -> Result<Option<Row<'a>>, Bad> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let bad = |column: usize, found: String, expected| Bad {
            line: number,
            column: column + 1,
            found,
            expected,
        };
        let text = std::str::from_utf8(line)
            .map_err(|error| bad(error.valid_up_to(), "bytes that are no UTF-8".into(), BOTH))?;
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            return Ok(None);
        }
        if !self.begun {
            self.begun = true;
            let found = [b',', b';', b'\t']
                .into_iter()
                .find(|separator| line.contains(separator));
            self.separator = found.unwrap_or(b',');
            if self.is_header(text) {
                return Ok(None);
            }
        }
        let quoted = |field: &str| format!("\"{field}\"");
        let (time_column, timestamp) = self
            .field(text, self.fields.0)
            .ok_or_else(|| bad(0, quoted(text), BOTH))?;
        let (value_column, value) = self
            .field(text, self.fields.1)
            .ok_or_else(|| bad(text.len(), "the end of the line".into(), BOTH))?;
        let at_ns = self
            .time(timestamp)
            .ok_or_else(|| bad(time_column, quoted(timestamp), TIMESTAMP))?;
        let number = number_of(value).ok_or_else(|| bad(value_column, quoted(value), VALUE))?;
        Ok(Some(Row {
            at_ns,
            value: number,
            timestamp,
            text: value,
        }))
    }

    /// A header has no number where the value is; it may name the columns in another order.
    fn is_header(&mut self, text: &str) -> bool {
        let named = |names: &[&str]| {
            text.split(char::from(self.separator))
                .position(|field| names.contains(&bare(field).to_ascii_lowercase().as_str()))
        };
        let value = self.field(text, self.fields.1).map(|(_, value)| value);
        if value.is_none_or(|value| number_of(value).is_some()) {
            return false;
        }
        let time = named(&["timestamp", "time", "datetime", "date", "ts", "ds"]);
        if let (Some(time), Some(value)) = (time, named(&["value", "y"])) {
            self.fields = (time, value);
        }
        true
    }

    /// A field without blanks and quotes, and where in the line it begins, from 0.
    fn field<'a>(&self, text: &'a str, index: usize) -> Option<(usize, &'a str)> {
        let field = text.split(char::from(self.separator)).nth(index)?;
        let inner = bare(field);
        Some((inner.as_ptr() as usize - text.as_ptr() as usize, inner))
    }

    fn time(&mut self, text: &str) -> Option<i64> {
        if let Ok(number) = text.parse::<f64>() {
            if !number.is_finite() {
                return None;
            }
            let unit = *self.unit.get_or_insert(match number.abs() {
                1e17.. => 1.0,
                1e14.. => 1e3,
                1e11.. => 1e6,
                _ => 1e9,
            });
            // Whole numbers keep every nanosecond; what is beyond the clock stands at its end.
            return Some(match text.parse::<i64>() {
                Ok(whole) => whole.saturating_mul(unit as i64),
                Err(_) => (number * unit) as i64,
            });
        }
        let stamp = text.parse::<Timestamp>().or_else(|_| {
            // Without an offset it is taken for UTC: hours apart stay hours apart.
            let civil: DateTime = text.parse()?;
            civil.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
        });
        let ns = stamp.ok()?.as_nanosecond();
        Some(i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX }))
    }
}

fn bare(field: &str) -> &str {
    field.trim().trim_matches('"').trim()
}

/// A number, or none where one is missing.
fn number_of(text: &str) -> Option<f64> {
    let missing = |known: &&str| text.eq_ignore_ascii_case(known);
    match text.parse::<f64>() {
        Ok(number) => Some(number),
        Err(_) if MISSING.iter().any(missing) => Some(f64::NAN),
        Err(_) => None,
    }
}
