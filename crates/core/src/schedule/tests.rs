//! Due times: clocks that jump, daylight saving, what was missed.

use jiff::Timestamp;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;

use super::*;

const MINUTE_NS: i64 = 60 * NS_PER_SECOND;
const HOUR_NS: i64 = 60 * MINUTE_NS;
const DAY_NS: i64 = 24 * HOUR_NS;

/// The compiled-in zones: the same on every machine.
fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

fn at(time: &str) -> i64 {
    i64::try_from(time.parse::<Timestamp>().unwrap().as_nanosecond()).unwrap()
}

fn every(seconds: u64) -> Schedule {
    Schedule::Every { seconds }
}

fn cron(text: &str) -> Schedule {
    Schedule::parse(text).unwrap()
}

/// Looks at the clock every ten seconds and returns when something ran.
fn watched(schedule: &Schedule, from: &str, to: &str, zone: &TimeZone) -> Vec<(String, u64)> {
    let mut timing = first(schedule, at(from), zone);
    let mut ran = Vec::new();
    let mut now = at(from);
    while now <= at(to) {
        if let Some(due) = due(schedule, &mut timing, now, zone) {
            let shown = Timestamp::from_nanosecond(i128::from(due.due_wall_ns))
                .unwrap()
                .to_zoned(zone.clone());
            ran.push((shown.strftime("%a %F %R %:z").to_string(), due.missed));
        }
        now += 10 * NS_PER_SECOND;
    }
    ran
}

#[test]
fn daylight_saving_runs_each_time_once() {
    fn check(text: &str, zone_name: &str, from: &str, to: &str, expect: &[(&str, u64)]) {
        let ran = watched(&cron(text), from, to, &zone(zone_name));
        let ran: Vec<(&str, u64)> = ran
            .iter()
            .map(|(time, missed)| (time.as_str(), *missed))
            .collect();
        assert_eq!(ran, expect, "{text} in {zone_name}");
    }
    // Spring: 02:00 to 03:00 is missing.
    let (from, to) = ("2026-03-28T12:00Z", "2026-03-30T12:00Z");
    check(
        "0 2 * * SUN",
        "Europe/Berlin",
        from,
        to,
        &[("Sun 2026-03-29 03:00 +02:00", 0)],
    );
    check(
        "30 2 * * SUN",
        "Europe/Berlin",
        from,
        to,
        &[("Sun 2026-03-29 03:00 +02:00", 0)],
    );
    check(
        "*/30 2 * * SUN",
        "Europe/Berlin",
        from,
        to,
        &[("Sun 2026-03-29 03:00 +02:00", 1)],
    );
    check(
        "0 2-3 * * SUN",
        "Europe/Berlin",
        from,
        to,
        &[("Sun 2026-03-29 03:00 +02:00", 1)],
    );
    check(
        "59 1 * * SUN",
        "Europe/Berlin",
        from,
        to,
        &[("Sun 2026-03-29 01:59 +01:00", 0)],
    );
    // Autumn: 02:00 to 03:00 happens twice.
    let (from, to) = ("2026-10-24T12:00Z", "2026-10-26T12:00Z");
    check(
        "0 2 * * SUN",
        "Europe/Berlin",
        from,
        to,
        &[("Sun 2026-10-25 02:00 +02:00", 0)],
    );
    check(
        "59 2 * * SUN",
        "Europe/Berlin",
        from,
        to,
        &[("Sun 2026-10-25 02:59 +02:00", 0)],
    );
    check(
        "0 3 * * SUN",
        "Europe/Berlin",
        from,
        to,
        &[("Sun 2026-10-25 03:00 +01:00", 0)],
    );

    let (from, to) = ("2026-03-07T18:00Z", "2026-03-09T18:00Z");
    check(
        "0 2 * * SUN",
        "America/New_York",
        from,
        to,
        &[("Sun 2026-03-08 03:00 -04:00", 0)],
    );
    let (from, to) = ("2026-10-31T18:00Z", "2026-11-02T18:00Z");
    check(
        "0 1 * * SUN",
        "America/New_York",
        from,
        to,
        &[("Sun 2026-11-01 01:00 -04:00", 0)],
    );
    check(
        "0 2 * * SUN",
        "America/New_York",
        from,
        to,
        &[("Sun 2026-11-01 02:00 -05:00", 0)],
    );

    // Half an hour: 02:00 to 02:30 is missing, 01:30 to 02:00 happens twice.
    let (from, to) = ("2026-10-03T00:00Z", "2026-10-04T12:00Z");
    check(
        "0 2 * * SUN",
        "Australia/Lord_Howe",
        from,
        to,
        &[("Sun 2026-10-04 02:30 +11:00", 0)],
    );
    check(
        "15 2 * * SUN",
        "Australia/Lord_Howe",
        from,
        to,
        &[("Sun 2026-10-04 02:30 +11:00", 0)],
    );
    let (from, to) = ("2026-04-04T00:00Z", "2026-04-05T12:00Z");
    check(
        "45 1 * * SUN",
        "Australia/Lord_Howe",
        from,
        to,
        &[("Sun 2026-04-05 01:45 +11:00", 0)],
    );
    check(
        "0 2 * * SUN",
        "Australia/Lord_Howe",
        from,
        to,
        &[("Sun 2026-04-05 02:00 +10:30", 0)],
    );

    // Samoa went without a Friday.
    let (from, to) = ("2011-12-29T00:00Z", "2012-01-01T00:00Z");
    let saturday = "Sat 2011-12-31 00:00 +14:00";
    check("0 12 30 12 *", "Pacific/Apia", from, to, &[(saturday, 0)]);
}

#[test]
fn the_first_sunday_of_each_month() {
    let ran = watched(
        &cron("0 3 * * SUN#1"),
        "2026-01-01T00:00Z",
        "2026-04-30T00:00Z",
        &TimeZone::UTC,
    );
    let days: Vec<&str> = ran.iter().map(|(time, _)| time.as_str()).collect();
    assert_eq!(
        days,
        [
            "Sun 2026-01-04 03:00 +00:00",
            "Sun 2026-02-01 03:00 +00:00",
            "Sun 2026-03-01 03:00 +00:00",
            "Sun 2026-04-05 03:00 +00:00",
        ]
    );
}

#[test]
fn what_was_missed_is_caught_up_once() {
    let (backup, berlin) = (cron("0 2 * * SUN"), zone("Europe/Berlin"));
    let mut timing = first(&backup, at("2026-05-01T12:00+02:00"), &berlin);
    assert_eq!(timing.next_wall_ns, Some(at("2026-05-03T02:00+02:00")));

    // The machine was off on three Sundays.
    let start = at("2026-05-20T08:00+02:00");
    let run = due(&backup, &mut timing, start, &berlin).unwrap();
    assert_eq!(
        run,
        Due {
            due_wall_ns: at("2026-05-03T02:00+02:00"),
            missed: 2
        }
    );
    assert_eq!(due(&backup, &mut timing, start, &berlin), None);
    assert_eq!(timing.next_wall_ns, Some(at("2026-05-24T02:00+02:00")));

    // Suspended over several intervals.
    let health = every(1_800);
    let mut timing = first(&health, start, &berlin);
    let woke = start + 10 * 1_800 * NS_PER_SECOND + 7;
    let run = due(&health, &mut timing, woke, &berlin).unwrap();
    assert_eq!(
        run,
        Due {
            due_wall_ns: start + 1_800 * NS_PER_SECOND,
            missed: 9
        }
    );
    assert_eq!(due(&health, &mut timing, woke, &berlin), None);
    assert_eq!(timing.next_wall_ns, Some(woke + 1_800 * NS_PER_SECOND));
}

#[test]
fn it_survives_a_restart() {
    let (backup, berlin) = (cron("0 2 * * SUN"), zone("Europe/Berlin"));
    let mut timing = first(&backup, at("2026-05-01T12:00+02:00"), &berlin);
    due(&backup, &mut timing, at("2026-05-03T02:00+02:00"), &berlin).unwrap();
    ran(&backup, &mut timing, at("2026-05-03T02:00:05+02:00"));
    let json = serde_json::to_string(&timing).unwrap();
    assert_eq!(serde_json::from_str::<Timing>(&json).unwrap(), timing);
    // An older version wrote less.
    assert_eq!(serde_json::from_str::<Timing>("{}").unwrap(), Timing::default());
}

#[test]
fn a_clock_set_back_neither_repeats_nor_stalls() {
    fn check(schedule: &Schedule, ran_at: &str, set_back_to: &str, expect: &str) {
        let berlin = zone("Europe/Berlin");
        let mut timing = first(schedule, at(ran_at) - 1, &berlin);
        // Caught up long after, so that something ran for sure.
        let now = at(ran_at) + 1;
        timing.next_wall_ns = timing.next_wall_ns.map(|next| next.min(now));
        due(schedule, &mut timing, now, &berlin).unwrap();
        assert_eq!(
            due(schedule, &mut timing, at(set_back_to), &berlin),
            None,
            "{schedule}"
        );
        assert_eq!(
            timing.next_wall_ns,
            Some(at(expect)),
            "{schedule} set back to {set_back_to}"
        );
        assert_eq!(due(schedule, &mut timing, at(expect) - 1, &berlin), None);
        assert!(due(schedule, &mut timing, at(expect), &berlin).is_some());
    }
    let (backup, hourly) = (cron("0 2 * * SUN"), cron("0 * * * *"));
    let sunday = "2026-05-03T02:00+02:00";
    // By a second, by a day: this Sunday has run.
    check(
        &backup,
        sunday,
        "2026-05-03T01:59:59+02:00",
        "2026-05-10T02:00+02:00",
    );
    check(
        &backup,
        sunday,
        "2026-05-02T02:00+02:00",
        "2026-05-10T02:00+02:00",
    );
    // By more than a period: the clock was wrong when it ran.
    check(
        &backup,
        sunday,
        "2025-05-03T02:00+02:00",
        "2025-05-04T02:00+02:00",
    );
    check(
        &hourly,
        sunday,
        "2026-05-03T01:59:59+02:00",
        "2026-05-03T03:00+02:00",
    );
    check(
        &hourly,
        sunday,
        "2026-05-02T02:00+02:00",
        "2026-05-02T03:00+02:00",
    );
    check(
        &hourly,
        sunday,
        "2025-05-03T02:00+02:00",
        "2025-05-03T03:00+02:00",
    );
    check(
        &every(1_800),
        sunday,
        "2026-05-02T02:00+02:00",
        "2026-05-02T02:30+02:00",
    );
    check(
        &every(1_800),
        sunday,
        "2025-05-03T02:00+02:00",
        "2025-05-03T02:30+02:00",
    );
}

#[test]
fn a_clock_far_ahead_and_corrected_costs_one_run() {
    let (minutely, utc) = (cron("* * * * *"), TimeZone::UTC);
    let mut timing = first(&minutely, at("2026-05-03T02:00Z"), &utc);
    let run = due(&minutely, &mut timing, at("2040-01-01T00:00Z"), &utc).unwrap();
    assert_eq!(run.missed, MISSED_MAX);
    assert_eq!(timing.next_wall_ns, Some(at("2040-01-01T00:01Z")));
    assert_eq!(
        due(&minutely, &mut timing, at("2026-05-03T02:00:30Z"), &utc),
        None
    );
    assert_eq!(timing.next_wall_ns, Some(at("2026-05-03T02:01Z")));
}

#[test]
fn who_travels_gets_each_local_time_once() {
    let (backup, berlin, new_york) = (
        cron("0 2 * * SUN"),
        zone("Europe/Berlin"),
        zone("America/New_York"),
    );
    let mut timing = first(&backup, at("2026-05-01T12:00Z"), &berlin);
    due(&backup, &mut timing, at("2026-05-03T02:00+02:00"), &berlin).unwrap();
    // Six hours later it is Sunday 02:00 again, over there.
    assert_eq!(
        due(&backup, &mut timing, at("2026-05-03T02:00-04:00"), &new_york),
        None
    );
    assert_eq!(timing.next_wall_ns, Some(at("2026-05-10T02:00-04:00")));
}

#[test]
fn asked_for_counts_as_a_run_of_an_interval() {
    let (hourly, utc) = (every(3_600), TimeZone::UTC);
    let mut timing = first(&hourly, 0, &utc);
    ran(&hourly, &mut timing, 50 * MINUTE_NS);
    assert_eq!(due(&hourly, &mut timing, HOUR_NS, &utc), None);
    assert!(due(&hourly, &mut timing, HOUR_NS + 50 * MINUTE_NS, &utc).is_some());
}

#[test]
fn manual_and_broken_ones_are_never_due() {
    for schedule in [
        Schedule::Manual,
        Schedule::Cron {
            text: "whenever".into(),
        },
    ] {
        let mut timing = first(&schedule, 0, &TimeZone::UTC);
        for now in [0, i64::MAX, i64::MIN, DAY_NS] {
            assert_eq!(due(&schedule, &mut timing, now, &TimeZone::UTC), None);
            assert_eq!(timing.next_wall_ns, None);
        }
    }
}

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
