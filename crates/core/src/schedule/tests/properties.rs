//! Whatever is asked for and whatever the clock does.

use proptest::prelude::*;

use super::*;

/// A cron text and the same said in Rust.
type Known = (&'static str, fn(DateTime) -> bool);

const KNOWN: &[Known] = &[
    ("0 2 * * SUN", |t| {
        t.weekday() == Weekday::Sunday && (t.hour(), t.minute()) == (2, 0)
    }),
    ("30 1 * * *", |t| (t.hour(), t.minute()) == (1, 30)),
    ("*/20 * * * *", |t| t.minute() % 20 == 0),
    ("15 1-3 * * *", |t| {
        (1..=3).contains(&t.hour()) && t.minute() == 15
    }),
    ("45 2 1-7 * *", |t| {
        t.day() <= 7 && (t.hour(), t.minute()) == (2, 45)
    }),
    ("0 3 * * SUN#1", |t| {
        t.weekday() == Weekday::Sunday && t.day() <= 7 && (t.hour(), t.minute()) == (3, 0)
    }),
];

/// A zone and a day before its clock is changed.
const CHANGES: &[(&str, &str)] = &[
    ("Europe/Berlin", "2026-03-28T00:00Z"),
    ("Europe/Berlin", "2026-10-24T00:00Z"),
    ("America/New_York", "2026-03-07T00:00Z"),
    ("America/New_York", "2026-10-31T00:00Z"),
    ("Australia/Lord_Howe", "2026-04-03T12:00Z"),
    ("Australia/Lord_Howe", "2026-10-02T12:00Z"),
    ("Asia/Tokyo", "2026-05-02T00:00Z"),
];

/// The reference: a local clock that is watched every minute and never shows a time again.
struct Watched<'a> {
    zone: &'a TimeZone,
    matches: fn(DateTime) -> bool,
    minute_ns: i64,
    shown: DateTime,
}

impl Watched<'_> {
    /// Goes on to `now` and returns the matching times that were reached, each with when.
    fn reached(&mut self, now: i64) -> Vec<i64> {
        let mut reached = Vec::new();
        while self.minute_ns + MINUTE_NS <= now {
            self.minute_ns += MINUTE_NS;
            let time = Timestamp::from_nanosecond(i128::from(self.minute_ns)).unwrap();
            let shows = self.zone.to_datetime(time);
            while self.shown < shows {
                self.shown = self.shown.checked_add(jiff::Span::new().minutes(1)).unwrap();
                if (self.matches)(self.shown) {
                    reached.push(self.minute_ns);
                }
            }
        }
        reached
    }
}

proptest! {
    #[test]
    fn each_local_time_runs_at_most_once_and_none_is_forgotten(
        (zone_name, before) in proptest::sample::select(CHANGES),
        (text, matches) in proptest::sample::select(KNOWN),
        begin_s in 0_i64..2 * 86_400,
        waits_s in proptest::collection::vec(prop_oneof![0_i64..120, 0_i64..7_200, 0_i64..200_000], 1..60),
    ) {
        let zone = zone(zone_name);
        let day = at(before);
        let shown = zone.to_datetime(Timestamp::from_nanosecond(i128::from(day)).unwrap());
        let mut watched = Watched { zone: &zone, matches, minute_ns: day, shown };
        let schedule = cron(text);

        let mut now = day + begin_s * NS_PER_SECOND;
        watched.reached(now);
        let mut timing = first(&schedule, now, &zone);
        for wait_s in waits_s {
            now += wait_s * NS_PER_SECOND;
            let reached = watched.reached(now);
            let expect = reached.first().map(|first| Due { due_wall_ns: *first, missed: reached.len() as u64 - 1 });
            prop_assert_eq!(due(&schedule, &mut timing, now, &zone), expect, "{} in {} at {}", text, zone_name, now);
            prop_assert!(timing.next_wall_ns.is_some_and(|next| next > now));
        }
    }

    #[test]
    fn intervals_keep_their_distance(
        seconds in 1_u64..100_000,
        waits_s in proptest::collection::vec(0_i64..300_000, 1..60),
    ) {
        let schedule = every(seconds);
        let mut timing = first(&schedule, 0, &TimeZone::UTC);
        let (mut now, mut last) = (0, 0);
        for wait_s in waits_s {
            now += wait_s * NS_PER_SECOND;
            let run = due(&schedule, &mut timing, now, &TimeZone::UTC);
            prop_assert_eq!(run.is_some(), now - last >= period_ns(seconds));
            if run.is_some() {
                last = now;
            }
        }
    }

    #[test]
    fn any_clock_is_survived_and_the_next_run_stays_near(
        (zone_name, _) in proptest::sample::select(CHANGES),
        text in prop_oneof![
            Just("0 2 * * SUN"), Just("* * * * *"), Just("30 2 29 2 *"), Just("every 1s"), Just("every 366d"), Just("manual"),
        ],
        start in any_clock(),
        clocks in proptest::collection::vec(any_clock(), 1..12),
    ) {
        let zone = zone(zone_name);
        let schedule = Schedule::parse(text).unwrap();
        let mut timing = first(&schedule, start, &zone);
        for now in clocks {
            let run = due(&schedule, &mut timing, now, &zone);
            prop_assert!(run.is_none_or(|run| run.due_wall_ns <= now));
            // Asked again at once, it has nothing to add.
            prop_assert_eq!(due(&schedule, &mut timing, now, &zone), None);
            let period_ns = match text {
                // The time that ran is left out: at most two weeks, and the hour of a change.
                "0 2 * * SUN" => 14 * DAY_NS + HOUR_NS,
                // The doubled hour.
                "* * * * *" => HOUR_NS + 2 * MINUTE_NS,
                "30 2 29 2 *" => 16 * 366 * DAY_NS,
                "every 1s" => NS_PER_SECOND,
                _ => 366 * DAY_NS,
            };
            if let Some(next) = timing.next_wall_ns {
                prop_assert!(next > now && next.abs_diff(now) <= period_ns.unsigned_abs(), "{} {}", now, next);
            } else {
                prop_assert!(text == "manual" || now.checked_add(period_ns).is_none());
            }
        }
    }
}

fn any_clock() -> impl Strategy<Value = i64> {
    let today = 1_790_000_000 * NS_PER_SECOND;
    prop_oneof![
        any::<i64>(),
        (i64::MAX - 3 * DAY_NS)..=i64::MAX,
        i64::MIN..=(i64::MIN + 3 * DAY_NS),
        (today - 40 * DAY_NS)..(today + 40 * DAY_NS),
    ]
}
