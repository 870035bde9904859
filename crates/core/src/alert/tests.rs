//! Alerts: told once, counted, held back, taken note of.

use super::escalation::reached;
use super::*;
use proptest::prelude::*;

const MINUTE: u64 = 60 * 1_000_000_000;
/// Any moment of the wall clock.
const WALL: u64 = 1_700_000_000 * 1_000_000_000;

fn at(minute: u64) -> Now {
    Now {
        wall_ns: WALL + minute * MINUTE,
        mono_ns: minute * MINUTE,
    }
}

fn finding(key: &str, severity: Severity, session: Option<u64>) -> Finding {
    Finding {
        key: key.to_owned(),
        severity,
        component: Component::Prompt,
        session,
        title: format!("{key} is {severity}"),
        evidence: String::new(),
        remedy: String::new(),
        before: None,
        after: None,
        unit: "ns".to_owned(),
    }
}

fn slow(severity: Severity) -> [Finding; 1] {
    [finding("prompt.slow/1", severity, Some(1))]
}

const SESSIONS: [Addressee; 2] = [
    Addressee {
        session: 1,
        active_ns: 10,
    },
    Addressee {
        session: 2,
        active_ns: 20,
    },
];

fn shown_to(alerts: &Alerts, session: u64) -> Vec<u64> {
    let shown: Vec<u64> = alerts
        .to_show(session, &SESSIONS)
        .iter()
        .map(|alert| alert.id)
        .collect();
    // Asked for all sessions at once, the answer is the same.
    let addressed = alerts.addressed(&SESSIONS).filter(|(to, _)| *to == session);
    assert_eq!(addressed.map(|(_, alert)| alert.id).collect::<Vec<_>>(), shown);
    shown
}

#[test]
fn one_finding_is_told_once_in_its_own_session() {
    let mut alerts = Alerts::default();
    assert_eq!(
        alerts.observe(at(0), &slow(Severity::Warning)),
        [Change::Raised(1)]
    );
    for minute in 1..10 {
        assert_eq!(alerts.observe(at(minute), &slow(Severity::Warning)), []);
    }
    assert_eq!((shown_to(&alerts, 1), shown_to(&alerts, 2)), (vec![1], vec![]));
    assert_eq!(alerts.shown(1, 1, WALL), Some(Change::Shown(1)));
    assert_eq!(alerts.shown(1, 1, WALL), None);
    assert!(shown_to(&alerts, 1).is_empty());
    assert_eq!(alerts.of(1).map(|alert| alert.times), Some(10));
}

#[test]
fn what_is_of_no_session_alive_goes_to_the_one_active_last() {
    fn check(session: Option<u64>, expect: u64) {
        let mut alerts = Alerts::default();
        alerts.observe(at(0), &[finding("x", Severity::Minor, session)]);
        for each in [1, 2] {
            assert_eq!(
                shown_to(&alerts, each).len(),
                usize::from(each == expect),
                "{session:?}"
            );
        }
    }
    check(Some(1), 1);
    check(Some(2), 2);
    check(None, 2);
    check(Some(3), 2);
    let mut alerts = Alerts::default();
    alerts.observe(at(0), &[finding("x", Severity::Minor, None)]);
    assert!(alerts.to_show(1, &[]).is_empty());
}

#[test]
fn the_worst_is_told_first_and_what_is_only_worth_knowing_not_at_all() {
    let mut alerts = Alerts::default();
    let found = [
        finding("a", Severity::Info, None),
        finding("b", Severity::Warning, None),
        finding("c", Severity::Major, None),
    ];
    assert_eq!(
        alerts.observe(at(0), &found),
        [Change::Raised(1), Change::Raised(2)]
    );
    assert_eq!(shown_to(&alerts, 2), [2, 1]);
}

#[test]
fn an_acknowledged_alert_is_quiet_until_it_gets_worse() {
    let mut alerts = Alerts::default();
    alerts.observe(at(0), &slow(Severity::Warning));
    assert_eq!(alerts.acknowledge(7, "me", WALL), None);
    assert_eq!(
        alerts.acknowledge(1, "me\x1b", WALL),
        Some(Change::Acknowledged(1))
    );
    assert_eq!(
        alerts.of(1).unwrap().acknowledged.as_ref().unwrap().who,
        "me\u{fffd}"
    );
    assert!(shown_to(&alerts, 1).is_empty());
    assert_eq!(alerts.observe(at(1), &slow(Severity::Warning)), []);
    assert_eq!(
        alerts.observe(at(2), &slow(Severity::Major)),
        [Change::Worsened(1)]
    );
    assert_eq!(shown_to(&alerts, 1), [1]);
    assert_eq!(alerts.of(1).unwrap().title, "prompt.slow/1 is major");
    // Better and as bad again is nothing new.
    assert_eq!(alerts.observe(at(3), &slow(Severity::Warning)), []);
    assert_eq!(alerts.observe(at(4), &slow(Severity::Major)), []);
}

#[test]
fn what_is_not_so_any_more_is_closed_before_it_is_told() {
    let mut alerts = Alerts::default();
    alerts.observe(at(0), &slow(Severity::Major));
    assert_eq!(alerts.close("another", WALL), None);
    assert_eq!(alerts.close("prompt.slow/1", WALL), Some(Change::Resolved(1)));
    assert!(shown_to(&alerts, 1).is_empty());
    assert_eq!((alerts.open().count(), alerts.history().count()), (0, 1));
    assert_eq!(alerts.of(1).unwrap().resolved_wall_ns, Some(WALL));
    // It may come back.
    assert_eq!(alerts.observe(at(1), &slow(Severity::Major)), [Change::Raised(2)]);
}

#[test]
fn what_comes_and_goes_is_told_once_and_what_stays_away_is_resolved() {
    let mut alerts = Alerts::default();
    alerts.observe(at(0), &slow(Severity::Warning));
    alerts.shown(1, 1, WALL);
    for minute in 1..20 {
        let gone = minute % 3 != 0;
        let found = if gone {
            vec![]
        } else {
            slow(Severity::Warning).to_vec()
        };
        assert_eq!(alerts.observe(at(minute), &found), [], "{minute}");
    }
    assert_eq!(alerts.observe(at(21), &[]), []);
    assert_eq!(alerts.observe(at(22), &[]), [Change::Resolved(1)]);
    assert_eq!(alerts.open().count(), 0);
    assert_eq!(alerts.of(1).unwrap().resolved_wall_ns, Some(at(22).wall_ns));
    assert_eq!(
        alerts.observe(at(23), &slow(Severity::Warning)),
        [Change::Raised(2)]
    );
    assert_eq!(shown_to(&alerts, 1), [2]);
}

#[test]
fn what_must_not_be_missed_waits_until_it_was_told() {
    let mut alerts = Alerts::default();
    alerts.observe(at(0), &slow(Severity::Major));
    for minute in 1..60 {
        assert_eq!(alerts.observe(at(minute), &[]), []);
    }
    alerts.shown(1, 1, WALL);
    assert_eq!(alerts.observe(at(60), &[]), [Change::Resolved(1)]);
}

#[test]
fn too_many_are_held_back_and_counted_in_one() {
    let mut alerts = Alerts::default();
    let found: Vec<_> = (0..40)
        .map(|n| finding(&format!("f{n:02}"), Severity::Warning, None))
        .collect();
    let raised = |changes: &[Change]| {
        changes
            .iter()
            .filter(|change| matches!(change, Change::Raised(_)))
            .count()
    };
    assert_eq!(raised(&alerts.observe(at(0), &found)), PER_HOUR_MAX);
    assert_eq!(alerts.held_back(), 40 - PER_HOUR_MAX as u64);
    assert_eq!(raised(&alerts.observe(at(1), &found)), 1);
    let told = alerts.open().find(|alert| alert.key == HELD_BACK).unwrap();
    assert_eq!(told.title, "28 further alerts were held back");
    for minute in 2..60 {
        assert_eq!(raised(&alerts.observe(at(minute), &found)), 0, "{minute}");
    }
    // An hour later the next ones have their turn.
    assert_eq!(raised(&alerts.observe(at(60), &found)), PER_HOUR_MAX);
}

#[test]
fn one_thing_is_told_twice_an_hour_at_most() {
    let mut alerts = Alerts::default();
    let mut told = 0;
    for minute in 0..58 {
        let found = if minute % 6 == 0 {
            slow(Severity::Warning).to_vec()
        } else {
            vec![]
        };
        for change in alerts.observe(at(minute), &found) {
            if let Change::Raised(id) = change
                && alerts.of(id).is_some_and(|alert| alert.key == "prompt.slow/1")
            {
                told += 1;
                alerts.shown(id, 1, WALL);
            }
        }
    }
    assert_eq!(told, PER_KEY_PER_HOUR_MAX);
}

#[test]
fn alerts_outlive_a_restart_and_a_clock_that_jumps_back() {
    let mut alerts = Alerts::default();
    alerts.observe(at(100), &slow(Severity::Warning));
    alerts.acknowledge(1, "me", WALL);
    let json = serde_json::to_string(&alerts).unwrap();
    let mut again: Alerts = serde_json::from_str(&json).unwrap();
    // The monotonic clock begins anew, and the wall clock stands a day earlier.
    let early = |minute: u64| Now {
        wall_ns: WALL - 1_440 * MINUTE,
        mono_ns: minute * MINUTE,
    };
    assert_eq!(again.observe(early(0), &slow(Severity::Warning)), []);
    assert!(shown_to(&again, 1).is_empty());
    again.observe(early(1), &[]);
    assert_eq!(again.observe(early(4), &[]), [Change::Resolved(1)]);
    assert_eq!(
        again.observe(early(5), &slow(Severity::Warning)),
        [Change::Raised(2)]
    );
}

#[test]
fn levels_by_severity_and_patience() {
    fn check(severity: Severity, minutes: u64, expect: &[&str]) {
        let mut alerts = Alerts::default();
        alerts.observe(at(0), &slow(severity));
        let names = |alerts: &Alerts| -> Vec<&str> {
            let alert = alerts.of(1).unwrap();
            reached(alert, at(minutes).wall_ns)
                .map(|level| level.name)
                .collect()
        };
        assert_eq!(names(&alerts), expect);
        alerts.acknowledge(1, "me", WALL);
        assert!(names(&alerts).is_empty());
    }
    check(Severity::Warning, 600, &["prompt"]);
    check(Severity::Major, 0, &["prompt"]);
    check(Severity::Major, 10, &["prompt", "desktop"]);
    check(
        Severity::Critical,
        600,
        &["prompt", "desktop", "webhook", "command"],
    );
}

fn findings() -> impl Strategy<Value = Vec<Finding>> {
    let severity = prop_oneof![
        Just(Severity::Info),
        Just(Severity::Warning),
        Just(Severity::Major)
    ];
    let one = (0u8..150, severity).prop_map(|(key, severity)| finding(&format!("k{key}"), severity, None));
    proptest::collection::vec(one, 0..100)
}

proptest! {
    #[test]
    fn everything_is_bounded_and_the_same_findings_raise_once(
        rounds in proptest::collection::vec((findings(), 0u64..90), 1..40),
    ) {
        let mut alerts = Alerts::default();
        let (mut minute, mut last_id) = (0, 0);
        for (found, pause) in rounds {
            minute += pause;
            for change in alerts.observe(at(minute), &found) {
                if let Change::Raised(id) = change {
                    prop_assert!(id > last_id);
                    last_id = id;
                }
            }
            let again = alerts.observe(at(minute), &found);
            let raised = again.iter().filter(|change| matches!(change, Change::Raised(_)));
            prop_assert!(raised.count() <= 1, "but for the one that counts: {again:?}");
            let third = alerts.observe(at(minute), &found);
            prop_assert!(!third.iter().any(|change| matches!(change, Change::Raised(_) | Change::Worsened(_))));
            prop_assert!(alerts.open.len() <= OPEN_MAX);
            prop_assert!(alerts.history.len() <= HISTORY_MAX);
            prop_assert!(alerts.held_back() <= 64);
        }
    }
}
