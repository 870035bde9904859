//! One row: when and how much.
//!
//! ```text
//!  line ─▸ fields (RFC 4180) ─▸ which is which, by the header or by what they hold ─▸ time, number ─▸ Row
//! ```
//!
//! Invariants:
//! - What unit a number of seconds or milliseconds has is decided by the first row, for all.
//! - A row is read as it was meant, or is a bad one: no field more or less, and no number by half.

mod fields;
mod number;
mod time;

use fields::{Field, Unquoted, fields};

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
    separator: char,
    /// Fields of a row.
    width: usize,
    /// Which field is the timestamp.
    time: usize,
    /// Which is the value; none before a row has told.
    value: Option<usize>,
    /// Nanoseconds in a unit of a timestamp that is a number.
    unit: Option<f64>,
    begun: bool,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            separator: ',',
            width: 2,
            time: 0,
            value: Some(1),
            unit: None,
            begun: false,
        }
    }
}

/// What a header may call the timestamp, and the value.
const TIMES: &[&str] = &["timestamp", "time", "datetime", "date", "ts", "ds"];
const VALUES: &[&str] = &["value", "y"];

const BOTH: &str = "timestamp,value";
const UTF_8: &str = "text in UTF-8 (`iconv -t UTF-8` makes it that)";
const TOO_MANY: &str =
    "no more fields than the header has, or two without one; a number with commas stands in quotes";
const ONE_VALUE: &str = "one column of numbers, or a header that calls one of them value or y";

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
            .map_err(|error| bad(error.valid_up_to(), "bytes that are no UTF-8".into(), UTF_8))?;
        if text.contains('\0') {
            return Err(bad(
                text.find('\0').unwrap_or(0),
                "a byte that is 0".into(),
                UTF_8,
            ));
        }
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            return Ok(None);
        }
        let is_first = !std::mem::replace(&mut self.begun, true);
        if is_first {
            let found = [',', ';', '\t'];
            // A decimal comma may stand before the first semicolon.
            let found = if text.contains(';') {
                [';', ',', '\t']
            } else {
                found
            };
            self.separator = found
                .into_iter()
                .find(|separator| text.contains(*separator))
                .unwrap_or(',');
        }
        let quoted = |field: &str| format!("\"{field}\"");
        let mut fields = fields(text, self.separator)
            .map_err(|Unquoted { column, expected }| bad(column, quoted(&text[column..]), expected))?;
        // Some programs end each line with a separator.
        let most = if is_first { 2 } else { self.width };
        if fields.len() > most && fields.last().is_some_and(Field::is_nothing) {
            fields.pop();
        }
        if is_first && self.is_header(&fields) {
            return Ok(None);
        }
        if let Some(more) = fields.get(self.width) {
            return Err(bad(more.column, quoted(more.text), TOO_MANY));
        }
        let end = || bad(text.len(), "the end of the line".into(), BOTH);
        let timestamp = fields.get(self.time).ok_or_else(end)?;
        let value = match self.value {
            Some(value) => fields.get(value).ok_or_else(end)?,
            None => self
                .only_number(&fields)
                .ok_or_else(|| bad(0, quoted(text), ONE_VALUE))?,
        };
        let at_ns = self.time(timestamp.text).ok_or_else(|| {
            bad(
                timestamp.column,
                quoted(timestamp.text),
                time::expected(timestamp.text),
            )
        })?;
        let number = number::value(value, self.separator)
            .map_err(|expected| bad(value.column, quoted(value.text), expected))?;
        Ok(Some(Row {
            at_ns,
            value: number,
            timestamp: timestamp.text,
            text: value.text,
        }))
    }

    /// A header has neither a number nor a time; it may name the columns in another order, and others beside them.
    fn is_header(&mut self, fields: &[Field<'_>]) -> bool {
        let is_data = |field: &Field<'_>| {
            let number = number::value(field, self.separator);
            number.is_ok_and(f64::is_finite) || time::date(field.text).is_some()
        };
        let named = |names: &[&str]| {
            let is_one = |field: &Field<'_>| names.iter().any(|name| field.text.eq_ignore_ascii_case(name));
            fields.iter().position(is_one)
        };
        if fields.len() < 2 || fields.iter().any(is_data) {
            return false;
        }
        let (time, value) = (named(TIMES), named(VALUES));
        let other = |of: usize| (fields.len() == 2).then_some(1 - of);
        self.width = fields.len();
        self.time = time.or_else(|| value.and_then(other)).unwrap_or(0);
        self.value = value.or_else(|| other(self.time));
        true
    }

    /// The only field beside the timestamp that is a number, which it is in all rows from then on. A missing value may
    /// be one: so long, nothing is decided.
    fn only_number<'f, 'a>(&mut self, fields: &'f [Field<'a>]) -> Option<&'f Field<'a>> {
        let others = fields.iter().enumerate().filter(|(at, _)| *at != self.time);
        let mut numbers = others.filter(|(_, field)| number::value(field, self.separator).is_ok());
        let (at, field) = numbers.next()?;
        let is_decided =
            numbers.next().is_none() && number::value(field, self.separator).is_ok_and(f64::is_finite);
        is_decided.then(|| {
            self.value = Some(at);
            field
        })
    }

    fn time(&mut self, text: &str) -> Option<i64> {
        let Ok(number) = text.parse::<f64>() else {
            return time::date(text);
        };
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
        Some(match text.parse::<i64>() {
            Ok(whole) => whole.saturating_mul(unit as i64),
            Err(_) => (number * unit) as i64,
        })
    }
}
