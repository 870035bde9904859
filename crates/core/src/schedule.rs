//! When a task is due: every so often, at times of the local calendar, or only when asked.
//!
//! ```text
//!  Schedule ──first──▶ Timing ──due(now)──▶ nothing yet │ one run, however many times have passed
//!               ▲ persisted │ ▲                                        │
//!               └───────────┘ └───────────────────── ran(now) ◀────────┘
//! ```
//!
//! Invariant: a time of the calendar runs once. Clocks jump and zones change their offset, so what is planned is a
//! *civil* time ("Sunday 02:00"), and the civil times run in order. The hour that happens twice in autumn runs on its
//! first pass; what lies in the hour that is missing in spring runs once, when that hour would have begun. Whoever
//! wants even distances through both nights uses an interval.
//!
//! The clock is an argument, in nanoseconds since 1970 in UTC, and may be any number at all.

mod cron;
#[cfg(test)]
mod tests;
mod text;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use self::cron::Cron;
pub use self::text::{CRON_BYTES_MAX, ScheduleError};

/// Shortest interval, in seconds: the worker looks once a second.
pub const EVERY_SECONDS_MIN: u64 = 1;
/// Longest interval, in seconds: a leap year. What is rarer has a date and belongs into a cron time.
pub const EVERY_SECONDS_MAX: u64 = 366 * 24 * 60 * 60;
/// As many passed times of the calendar are counted one by one; beyond, `missed` means "at least".
pub const MISSED_MAX: u64 = 1_000;

const NS_PER_SECOND: i64 = 1_000_000_000;

/// When a task runs.
///
/// As text, also in JSON: `every 30m`, `0 2 * * SUN`, `manual`. [`parse`](Schedule::parse) and
/// [`check`](Schedule::check) say what is wrong with one; a wrong one that was put together by hand is never due.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Schedule {
    /// At least so long after the run before.
    Every {
        /// From [`EVERY_SECONDS_MIN`] to [`EVERY_SECONDS_MAX`].
        seconds: u64,
    },
    /// At the local times that a cron expression of five fields names.
    Cron {
        /// The fields in capitals, one space between them: minute, hour, day of the month, month, weekday.
        /// `0 3 * * SUN#1` is the first Sunday of each month at three.
        text: String,
    },
    /// Only when somebody asks.
    Manual,
}

/// Where a schedule stands. Kept on disk: save it when [`due`] returned a run and when `next_wall_ns` has changed.
///
/// All times are nanoseconds since 1970 in UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timing {
    /// When the next run is due; none for what runs only when asked, or not before the end of the clock.
    pub next_wall_ns: Option<i64>,
    /// The same in local time, for times of the calendar; it decides, since a zone may change its offset until then.
    pub next_civil: Option<DateTime>,
    /// The due time that the last scheduled run was for.
    pub last_due_wall_ns: Option<i64>,
    /// When the task last ran, for whatever reason.
    pub last_run_wall_ns: Option<i64>,
    /// The clock when it was last looked at; shows that it was set back.
    pub last_seen_wall_ns: Option<i64>,
}

/// A run that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The oldest due time that it makes up for.
    pub due_wall_ns: i64,
    /// How many later due times have passed as well and get no run of their own; at most [`MISSED_MAX`] for times of
    /// the calendar.
    pub missed: u64,
}

/// Plans a new or changed schedule. Nothing is due yet: an interval begins now.
pub fn first(schedule: &Schedule, now_wall_ns: i64, zone: &TimeZone) -> Timing {
    let mut timing = Timing {
        last_seen_wall_ns: Some(now_wall_ns),
        ..Timing::default()
    };
    match schedule {
        Schedule::Every { seconds } => timing.next_wall_ns = now_wall_ns.checked_add(period_ns(*seconds)),
        Schedule::Cron { text } => {
            let planned = Cron::parse(text)
                .ok()
                .and_then(|cron| cron.after_wall(now_wall_ns, zone));
            timing.plan(planned, zone);
        }
        Schedule::Manual => {}
    }
    timing
}

/// Returns the one run that is due, if one or more due times have passed, and moves on to the next.
///
/// A clock that was set back neither repeats what ran nor holds anything up: the next run is at most one period
/// away (for the calendar: the next time that has not run). A clock that jumped ahead is caught up with once.
pub fn due(schedule: &Schedule, timing: &mut Timing, now_wall_ns: i64, zone: &TimeZone) -> Option<Due> {
    let set_back = timing.last_seen_wall_ns.is_some_and(|seen| now_wall_ns < seen);
    timing.last_seen_wall_ns = Some(now_wall_ns);
    match schedule {
        Schedule::Every { seconds } => interval(period_ns(*seconds), timing, now_wall_ns),
        Schedule::Cron { text } => calendar(text, timing, now_wall_ns, zone, set_back),
        Schedule::Manual => {
            timing.plan(None, zone);
            None
        }
    }
}

/// Notes that the task runs now, scheduled or asked for: an interval counts from here.
pub fn ran(schedule: &Schedule, timing: &mut Timing, now_wall_ns: i64) {
    timing.last_run_wall_ns = Some(now_wall_ns);
    if let Schedule::Every { seconds } = schedule {
        timing.next_wall_ns = now_wall_ns.checked_add(period_ns(*seconds));
    }
}

impl Timing {
    fn plan(&mut self, civil: Option<DateTime>, zone: &TimeZone) {
        self.next_wall_ns = civil.and_then(|civil| cron::wall_ns(civil, zone));
        // A time that the clock cannot show is no plan.
        self.next_civil = civil.filter(|_| self.next_wall_ns.is_some());
    }
}

/// A length that fits the clock whatever the field says; the limits are held when a schedule is made.
fn period_ns(seconds: u64) -> i64 {
    let seconds = seconds.clamp(EVERY_SECONDS_MIN, EVERY_SECONDS_MAX);
    // A leap year is 3.2e16 ns, far below 2^63.
    seconds.cast_signed() * NS_PER_SECOND
}

fn interval(period_ns: i64, timing: &mut Timing, now: i64) -> Option<Due> {
    timing.next_civil = None;
    let latest = now.checked_add(period_ns);
    match timing.next_wall_ns {
        Some(next) if next <= now => {
            // Counted from now and not from when it was due: a run that was late does not draw the next one near.
            timing.next_wall_ns = latest;
            timing.last_due_wall_ns = Some(next);
            Some(Due {
                due_wall_ns: next,
                missed: now.abs_diff(next) / period_ns.unsigned_abs(),
            })
        }
        planned => {
            // Further away than one period only after the clock was set back.
            timing.next_wall_ns = match (planned, latest) {
                (Some(planned), Some(latest)) => Some(planned.min(latest)),
                (planned, latest) => planned.or(latest),
            };
            None
        }
    }
}

fn calendar(text: &str, timing: &mut Timing, now: i64, zone: &TimeZone, set_back: bool) -> Option<Due> {
    if let Some(next) = timing.next_civil
        && let Some(at) = cron::wall_ns(next, zone)
    {
        if at <= now {
            return Some(caught_up(text, timing, next, at, now, zone));
        }
        if !set_back {
            timing.next_wall_ns = Some(at);
            return None;
        }
    }
    let planned = Cron::parse(text)
        .ok()
        .and_then(|cron| replanned(&cron, timing, now, zone));
    timing.plan(planned, zone);
    None
}

/// One run for all times from `next` up to now.
fn caught_up(text: &str, timing: &mut Timing, next: DateTime, at: i64, now: i64, zone: &TimeZone) -> Due {
    let mut missed = 0;
    let planned = Cron::parse(text).ok().and_then(|cron| {
        let mut civil = cron.after(next)?;
        while cron::wall_ns(civil, zone)? <= now {
            missed += 1;
            if missed == MISSED_MAX {
                return cron.after_wall(now, zone);
            }
            civil = cron.after(civil)?;
        }
        Some(civil)
    });
    timing.plan(planned, zone);
    timing.last_due_wall_ns = Some(at);
    Due {
        due_wall_ns: at,
        missed,
    }
}

/// The next time after the clock was set back.
///
/// If it is the one right before what was planned, it ran already. If more lie between, the clock was wrong for longer
/// than a period, and waiting for it to get there again would be to stall.
fn replanned(cron: &Cron, timing: &Timing, now: i64, zone: &TimeZone) -> Option<DateTime> {
    let next = cron.after_wall(now, zone)?;
    let ran = timing.last_due_wall_ns.is_some()
        && timing.next_civil.is_some()
        && cron.after(next) == timing.next_civil;
    if ran { timing.next_civil } else { Some(next) }
}
