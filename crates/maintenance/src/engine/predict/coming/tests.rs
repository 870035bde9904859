//! What is told before it happens, to whom, and until when.

use super::super::watched::{self, HISTORY_BYTES};
use super::*;
use crate::engine::tests::started;
use crate::real::RealWorld;

const MINUTES_5: i64 = 300 * 1_000_000_000;
const A_DAY: i64 = 288;
const MIB: f64 = 1024.0 * 1024.0;
const SESSION: &str = "rss_anon_bytes";

/// From -1 to 1, the same every time.
fn noise(at: i64) -> f64 {
    let mixed = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 27)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

struct Shell {
    world: RealWorld,
    engine: Engine,
    now: Now,
    at: i64,
    _folder: tempfile::TempDir,
}

impl Shell {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut world, mut engine, now) = started(folder.path());
        for _ in WATCHED {
            engine.recall_one(&mut world, now);
        }
        Self {
            world,
            engine,
            now,
            at: 0,
            _folder: folder,
        }
    }

    /// Lets five minutes pass, so many times; gives how what is found has changed on the way.
    fn go_on(
        &mut self,
        times: i64,
        metric: &'static str,
        value: impl Fn(i64) -> f64,
    ) -> Vec<Option<Finding>> {
        let mut changes: Vec<Option<Finding>> = Vec::new();
        for _ in 0..times {
            self.now.wall_ns += MINUTES_5;
            self.now.mono_ns += MINUTES_5 as u64;
            let samples = [(metric, value(self.at))];
            self.engine.predict(&mut self.world, self.now, &samples);
            self.at += 1;
            let found = self.engine.coming_findings(self.now).into_iter().next();
            let key =
                |found: &Option<Finding>| found.as_ref().map(|found| (found.key.clone(), found.severity));
            if key(&found) != changes.last().and_then(key) {
                changes.push(found);
            }
        }
        changes
    }
}

#[test]
fn a_limit_that_is_near_is_told_with_a_command_until_it_is_out_of_sight() {
    let grows = |at: i64| (300.0 + at as f64 / A_DAY as f64 * 100.0 + noise(at)) * MIB;
    let mut shell = Shell::new();
    let changes = shell.go_on(5 * A_DAY, HISTORY_BYTES, grows);
    let [Some(found)] = &changes[..] else {
        panic!("{changes:#?}")
    };
    assert_eq!(
        (found.key.as_str(), found.severity),
        ("coming.history_log_bytes", Severity::Warning)
    );
    assert!(
        found.title.starts_with("history reaches 1 GiB in "),
        "{}",
        found.title
    );
    assert!(found.title.contains(" to "), "both ends: {}", found.title);
    assert!(
        found.remedy.contains("`lusush maint history stats`"),
        "{}",
        found.remedy
    );
    let answer = shell.engine.forecasts(shell.now);
    let rows = answer["resources"].as_array().unwrap();
    let row = rows.iter().find(|row| row["metric"] == HISTORY_BYTES).unwrap();
    assert!(
        row["coming"].as_str().unwrap().starts_with("history reaches"),
        "{row:#}"
    );
    assert!(
        row["remedy"]
            .as_str()
            .unwrap()
            .contains("`lusush maint history stats`")
    );

    // It is told once, and a worker that begins anew does not tell it again.
    shell.engine.check_health(&mut shell.world, shell.now);
    let is_open = |engine: &Engine| {
        engine
            .state
            .alerts
            .open()
            .filter(|alert| alert.key == found.key)
            .count()
    };
    assert_eq!(is_open(&shell.engine), 1);
    let config = shell.engine.config.clone();
    let next = Engine::load(&mut shell.world, config, shell.now).unwrap();
    let held = next.coming_findings(shell.now);
    assert_eq!(
        held.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(),
        [found.key.as_str()]
    );

    // Somebody has thrown half of it away: it grows no more.
    let changes = shell.go_on(3 * A_DAY, HISTORY_BYTES, |at| (300.0 + noise(at)) * MIB);
    assert!(matches!(changes.last(), Some(None)), "{changes:#?}");
}

#[test]
fn what_is_expected_within_a_day_is_told_once_more() {
    let mut shell = Shell::new();
    let changes = shell.go_on(2 * A_DAY, HISTORY_BYTES, |at| {
        (100.0 + at as f64 / A_DAY as f64 * 400.0 + noise(at)) * MIB
    });
    let worst = changes.iter().flatten().map(|found| found.severity).max();
    assert_eq!(worst, Some(Severity::Minor), "{changes:#?}");
}

#[test]
fn a_leak_is_told_and_a_spike_is_not() {
    let leak = |at: i64| (12.0 + at as f64 / A_DAY as f64 * 2.0 + 0.2 * noise(at)) * MIB;
    let mut shell = Shell::new();
    let changes = shell.go_on(5 * A_DAY, SESSION, leak);
    let [Some(found)] = &changes[..] else {
        panic!("{changes:#?}")
    };
    assert_eq!(found.key, "coming.rss_anon_bytes");
    assert!(
        found.title.starts_with("a session's memory becomes larger by "),
        "{}",
        found.title
    );
    assert!(found.remedy.contains("`lusush maint run memory-defrag`"));
    // It stays where it is, and days later that is how things are.
    let last = leak(shell.at);
    let changes = shell.go_on(4 * A_DAY, SESSION, |at| last + 0.2 * noise(at) * MIB);
    assert!(matches!(changes.last(), Some(None)), "{changes:#?}");

    let mut quiet = Shell::new();
    let changes = quiet.go_on(5 * A_DAY, SESSION, |at| {
        (12.0 + 0.2 * noise(at) + f64::from(at % 500 == 400) * 20.0) * MIB
    });
    assert_eq!(changes.iter().flatten().count(), 0, "{changes:#?}");
}

#[test]
fn what_nobody_measures_any_more_is_not_coming() {
    let mut shell = Shell::new();
    shell.go_on(5 * A_DAY, HISTORY_BYTES, |at| {
        (300.0 + at as f64 / A_DAY as f64 * 100.0) * MIB
    });
    assert_eq!(shell.engine.coming_findings(shell.now).len(), 1);
    shell.now.wall_ns += 2 * STALE_NS;
    assert_eq!(shell.engine.coming_findings(shell.now), []);
}

#[test]
fn a_change_of_the_same_part_hides_nothing_that_is_coming() {
    let of = |key: &str| Finding {
        key: key.into(),
        ..finding(
            watched_row(HISTORY_BYTES),
            Severity::Warning,
            String::new(),
            String::new(),
            0.0,
        )
    };
    let all = [
        of("changed.history_append_ns_mean"),
        of("coming.history_log_bytes"),
    ];
    let mut alerts = lle_core::alert::Alerts::default();
    let at = lle_core::alert::Now {
        wall_ns: 1,
        mono_ns: 1,
    };
    assert_eq!(super::super::told_once(&all, &alerts).len(), 2);
    alerts.observe(at, &all[..1]);
    assert_eq!(super::super::told_once(&all, &alerts).len(), 2);
}

fn watched_row(metric: &str) -> &'static Watched {
    WATCHED.iter().find(|row| row.metric == metric).unwrap()
}

#[test]
fn every_series_has_a_command_that_helps() {
    for row in WATCHED {
        assert!(row.remedy.contains("`lusush "), "{}: {}", row.metric, row.remedy);
        assert!(!watched::may_lack(row.metric) || row.worse == Worse::Less);
    }
}

#[test]
fn how_long_samples_take_is_told() {
    let shell = Shell::new();
    let forecasts = shell.engine.forecasts(shell.now);
    assert_eq!(
        forecasts["resources"][0]["unknown"],
        "unknown: 0 of 30 samples so far; one is a mean of five minutes of use, so the others take 2 h 30 min at least"
    );
    let anomalies = shell.engine.anomalies(shell.now);
    let unknown = anomalies["series"][0]["unknown"].as_str().unwrap();
    assert!(
        unknown.contains("0 of 41") && unknown.contains("3 h 25 min"),
        "{unknown}"
    );
    // Of a disk that this home has not nothing is said.
    let rows = forecasts["resources"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["metric"] != watched::DATA_FREE_BYTES));
}
