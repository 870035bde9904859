//! Due times: clocks that jump, daylight saving, what was missed.

mod properties;

use jiff::Timestamp;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

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
