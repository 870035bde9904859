//! What a timestamp may look like.
//!
//! Invariant: nothing is guessed. Where the day stands before the month or after it, depending on who wrote it, the
//! timestamp is refused, and the refusal says what is read.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

/// What is expected where a timestamp stands.
pub(super) const TIMESTAMP: &str =
    "a timestamp such as 2023-11-14T22:13:20Z, 2023-11-14 22:13:20 +01:00 or 1700000000";
/// The same, of one that can be read in two ways.
pub(super) const YEAR_FIRST: &str =
    "the year first, such as 2023-11-14 22:13:20: elsewhere days and months are confused";

/// Forms with an offset that RFC 3339 does not have.
const WITH_OFFSET: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f %:z", "%Y-%m-%d %H:%M:%S%.f %z"];

/// Reads a date, with or without a time; without an offset it is taken for UTC: hours apart stay hours apart.
pub(super) fn date(text: &str) -> Option<i64> {
    // `2023/11/14` is as clear as `2023-11-14`.
    let bytes = text.as_bytes();
    let slashed = bytes.len() >= 10
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'/'
        && bytes[7] == b'/';
    let dashed = slashed.then(|| text.replacen('/', "-", 2));
    let text = dashed.as_deref().unwrap_or(text);
    let bare = ["UTC", "GMT", "Z"]
        .iter()
        .find_map(|zone| text.strip_suffix(*zone));
    let stamp = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| civil(bare.unwrap_or(text).trim_end()))
        .or_else(|| {
            WITH_OFFSET
                .iter()
                .find_map(|form| strtime::parse(form, text).ok()?.to_timestamp().ok())
        })
        .or_else(|| rfc2822::parse(text).ok().map(|zoned| zoned.timestamp()))?;
    let ns = stamp.as_nanosecond();
    Some(i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX }))
}

fn civil(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.parse().ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// What to say of a timestamp that could not be read.
pub(super) fn expected(text: &str) -> &'static str {
    let parts: Vec<&str> = text.splitn(3, ['/', '.', '-']).collect();
    let is_short =
        |part: &&str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    match parts[..] {
        [a, b, _] if is_short(&a) && is_short(&b) => YEAR_FIRST,
        _ => TIMESTAMP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_every_usual_dress() {
        let at = Some(1_700_000_000_000_000_000);
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-14 22:13:20",
            "2023-11-14 22:13:20 UTC",
            "2023-11-14 22:13:20Z",
            "2023-11-14 22:13:20 GMT",
            "2023/11/14 22:13:20",
            "2023/11/14 22:13:20 UTC",
            "2023-11-14 23:13:20 +0100",
            "2023-11-14 23:13:20 +01:00",
            "2023-11-14 23:13:20+01:00",
            "Tue, 14 Nov 2023 22:13:20 GMT",
            "Tue, 14 Nov 2023 23:13:20 +0100",
            "14 Nov 2023 22:13:20 +0000",
        ] {
            assert_eq!(date(text), at, "{text}");
        }
        assert_eq!(date("2023-11-14 22:13:20.5 +0000"), at.map(|at| at + 500_000_000));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused_and_told_so() {
        for text in [
            "11/14/2023",
            "14.11.2023",
            "14.11.2023 22:13:20",
            "3-4-2023",
            "11/12/23",
        ] {
            assert_eq!(date(text), None, "{text}");
            assert_eq!(expected(text), YEAR_FIRST, "{text}");
        }
        for text in ["yesterday", "", "22:13", "2023-13-45"] {
            assert_eq!(date(text), None, "{text}");
            assert_eq!(expected(text), TIMESTAMP, "{text}");
        }
    }
}
