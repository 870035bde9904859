//! Cron expressions in civil time, and which instant a civil time is.
//!
//! Invariant: [`wall_ns`] never decreases from one civil time to a later one. So the civil times can be walked in
//! their order, and each instant is passed once.
//!
//! `cronexpr` is asked as if in UTC, where every civil time exists once; daylight saving is added here. Asked in the
//! zone itself it runs what lies in the doubled hour twice, and skips what lies in the missing one.

use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// `cronexpr` looks four years ahead. Seven times that is the cycle of weekdays and leap years.
const LOOKS_AHEAD_MAX: usize = 7;
const LOOK_AHEAD_YEARS: i16 = 4;
/// Minutes that a fold may have had passed already: a day, when a country moved across the date line.
const FOLD_MINUTES_MAX: usize = 24 * 60;
/// Transitions to look through for the end of a gap. It is the first, except where a zone changed something else in
/// the same hour.
const TRANSITIONS_MAX: usize = 4;

/// A cron expression that has been understood.
pub(super) struct Cron(Crontab);

impl Cron {
    /// Understands five fields; a zone behind them is an error of the caller.
    pub(super) fn parse(text: &str) -> Result<Cron, cronexpr::Error> {
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        cronexpr::parse_crontab_with(text, options).map(Cron)
    }

    /// Finds the first matching civil time after this one; none within 28 years, or beyond the calendar.
    pub(super) fn after(&self, civil: DateTime) -> Option<DateTime> {
        let mut from = civil;
        for _ in 0..LOOKS_AHEAD_MAX {
            let as_utc = from.to_zoned(TimeZone::UTC).ok()?.timestamp();
            if let Ok(found) = self.0.find_next(MakeTimestamp(as_utc)) {
                return Some(found.datetime());
            }
            // What was looked through includes its end, and the next look begins after it.
            from = from.checked_add(jiff::Span::new().years(LOOK_AHEAD_YEARS)).ok()?;
        }
        None
    }

    /// Finds the first matching civil time whose instant is after this one.
    pub(super) fn after_wall(&self, wall_ns: i64, zone: &TimeZone) -> Option<DateTime> {
        let now = Timestamp::from_nanosecond(i128::from(wall_ns)).ok()?;
        let mut civil = self.after(zone.to_datetime(now))?;
        // On the second pass of a doubled hour, what follows in civil time ran on the first.
        for _ in 0..=FOLD_MINUTES_MAX {
            if self::wall_ns(civil, zone)? > wall_ns {
                return Some(civil);
            }
            civil = self.after(civil)?;
        }
        None
    }
}

/// The instant of a civil time, in nanoseconds since 1970; none if the clock cannot show it.
///
/// What happens twice is its first time; what is missing is the moment the clock is put forward.
pub(super) fn wall_ns(civil: DateTime, zone: &TimeZone) -> Option<i64> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    let at = match ambiguous.offset() {
        AmbiguousOffset::Gap { .. } => {
            let before = ambiguous.earlier().ok()?;
            let transitions = zone.following(before).take(TRANSITIONS_MAX);
            let end = transitions
                .map(|transition| transition.timestamp())
                .find(|at| zone.to_datetime(*at) > civil);
            end.or_else(|| ambiguous.later().ok())?
        }
        _ => ambiguous.earlier().ok()?,
    };
    i64::try_from(at.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why [`super::super::ScheduleError::LastDay`] exists. When this fails, `L` can be allowed.
    #[test]
    fn cronexpr_misses_the_last_day_of_december() {
        let last = Cron::parse("0 0 L * *").unwrap();
        let next = last.after("2026-12-01T00:00".parse().unwrap()).unwrap();
        assert_eq!(next, "2027-01-31T00:00".parse().unwrap());
    }

    #[test]
    fn after() {
        fn check(text: &str, civil: &str, expect: Option<&str>) {
            let found = Cron::parse(text).unwrap().after(civil.parse().unwrap());
            assert_eq!(
                found,
                expect.map(|civil| civil.parse().unwrap()),
                "{text} after {civil}"
            );
        }
        check("0 2 * * SUN", "2026-03-28T12:00", Some("2026-03-29T02:00"));
        check("0 2 * * SUN", "2026-03-29T02:00", Some("2026-04-05T02:00"));
        check(
            "0 2 * * SUN",
            "2026-03-29T01:59:59.999999999",
            Some("2026-03-29T02:00"),
        );
        check("0 3 * * SUN#1", "2026-03-01T03:00", Some("2026-04-05T03:00"));
        check("0 3 * * 0#1", "2026-11-30T00:00", Some("2026-12-06T03:00"));
        check("*/20 * * * *", "2026-12-31T23:40", Some("2027-01-01T00:00"));
        check("0 0 29 2 *", "2024-02-29T00:00", Some("2028-02-29T00:00"));
        // 1900 and 2100 have no such day.
        check("0 0 29 2 *", "2096-02-29T00:00", Some("2104-02-29T00:00"));
        check("0 0 30 2 *", "2026-01-01T00:00", None);
    }
}
