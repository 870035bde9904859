use super::*;
use lle_core::health::metric::METRICS;
use lle_core::series::blame::ChangeKind;

const S: i64 = 1_000_000_000;
const MS: f64 = 1e6;

fn at(wall_ns: i64) -> Now {
    Now {
        wall_ns,
        mono_ns: wall_ns.cast_unsigned(),
    }
}

fn moved(before_ms: f64, after_ms: f64) -> Moved {
    let mut predict = Predict::default();
    predict.note(blame::Change {
        at_ns: 9_900 * S,
        what: "plugin git-status was enabled".into(),
        kind: ChangeKind::Plugin,
    });
    predict.note(blame::Change {
        at_ns: 8_000 * S,
        what: "backup ran".into(),
        kind: ChangeKind::Task,
    });
    let changepoint = Changepoint {
        at_ns: 10_000 * S,
        earliest_ns: 9_700 * S,
        latest_ns: 10_000 * S,
        before: before_ms * MS,
        after: after_ms * MS,
        confidence: 0.9999,
    };
    predict.moved(&WATCHED[0], changepoint, at(13_000 * S));
    predict.moved.pop_back().unwrap()
}

#[test]
fn a_slower_prompt_names_what_was_changed() {
    let moved = moved(20.0, 58.0);
    assert!(moved.is_worse());
    assert_eq!(
        moved.title(),
        "prompt 38 ms slower since plugin git-status was enabled"
    );
    assert_eq!(
        moved.evidence(),
        "20 ms before, 58 ms after; 99.9 % sure that it changed, 100 % of what did it; 1 other change was made then too"
    );
}

#[test]
fn what_gets_better_or_hardly_changes_is_no_finding() {
    assert!(!moved(58.0, 20.0).is_worse());
    assert!(!moved(20.0, 22.0).is_worse());
    assert_eq!(
        moved(58.0, 20.0).title(),
        "prompt 38 ms faster since plugin git-status was enabled"
    );
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut predict = Predict::default();
    let change = |at_ns| blame::Change {
        at_ns,
        what: "x".into(),
        kind: ChangeKind::Other,
    };
    (0..2 * CHANGES_MAX as i64).for_each(|at| predict.note(change(at)));
    assert_eq!(predict.changes.len(), CHANGES_MAX);
    let changepoint = moved(20.0, 58.0).changepoint;
    (0..2 * MOVED_MAX).for_each(|_| predict.moved(&WATCHED[0], changepoint, at(0)));
    assert_eq!(predict.moved.len(), MOVED_MAX);
}

#[test]
fn every_series_is_a_metric_or_measured_for_it() {
    let sizes = [
        watched::HISTORY_BYTES,
        watched::STATE_BYTES,
        watched::DISK_FREE_BYTES,
        watched::START_NS,
        watched::FLOOR_BYTES,
    ];
    for row in WATCHED {
        let metric = METRICS.iter().find(|metric| metric.name == row.metric);
        assert!(
            sizes.contains(&row.metric) || metric.is_some_and(|metric| metric.unit == row.unit),
            "{}",
            row.metric
        );
    }
}

#[test]
fn a_prompt_that_got_slower_and_is_too_slow_is_told_once() {
    let change = moved(20.0, 320.0).finding();
    let limit = Finding {
        key: "prompt_ns_recent.7".into(),
        session: Some(7),
        ..change.clone()
    };
    let keys = |findings: &[Finding], alerts: &Alerts| -> Vec<String> {
        let told = told_once(findings, alerts);
        told.into_iter().map(|finding| finding.key).collect()
    };
    let both = [change.clone(), limit.clone()];
    let mut alerts = Alerts::default();
    assert_eq!(
        keys(std::slice::from_ref(&change), &alerts),
        ["changed.prompt_ns_recent"]
    );
    assert_eq!(keys(&both, &alerts), ["prompt_ns_recent.7"]);
    // Whichever was told first stays what is told.
    let at = lle_core::alert::Now {
        wall_ns: 1,
        mono_ns: 1,
    };
    alerts.observe(at, std::slice::from_ref(&change));
    assert_eq!(keys(&both, &alerts), ["changed.prompt_ns_recent"]);
    let worse = Finding {
        severity: Severity::Major,
        ..limit
    };
    assert_eq!(keys(&[change, worse], &alerts).len(), 2);
}
