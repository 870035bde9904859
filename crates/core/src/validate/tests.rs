//! Verdicts: met, missed, unknown, and that nothing is invented.

mod properties;

use super::evidence::{BenchResult, LIVE, Measured};
use super::success::{Errors, METRICS, Mean, Metric, Share, Spread, SuccessInputs};
use super::systems::{Audit, Facts, SYSTEMS};
use super::*;
use crate::budget::{self, Budget};

fn measured(value: f64, worst: Option<f64>, samples: u64) -> Measured {
    Measured {
        value,
        worst,
        samples,
        how: "timer record of 1 session".to_owned(),
    }
}

fn bench(value: f64, worst: Option<f64>, samples: u64) -> BenchResult {
    BenchResult {
        value,
        worst,
        samples,
        when: "2026-11-24".to_owned(),
        machine: "a machine".to_owned(),
    }
}

fn row<'a>(validation: &'a Validation, id: &str) -> &'a Row {
    validation
        .rows()
        .find(|row| row.id == id)
        .expect("a row of that name")
}

#[test]
fn everything_is_listed_once_with_a_reason_even_when_nothing_is_known() {
    let validation = validate(&Evidence::default());
    assert_eq!(validation.systems.len(), 22);
    assert_eq!(validation.budgets.len(), budget::all().count());
    assert_eq!(validation.success.len(), METRICS.len());
    for row in validation.rows() {
        assert_eq!(
            validation.rows().filter(|other| other.id == row.id).count(),
            1,
            "{}",
            row.id
        );
        let words = [row.title, &row.target, &row.reading.how, &row.reading.why];
        assert!(words.iter().all(|words| !words.is_empty()), "{row:?}");
        // Validation is the one thing that has just been seen to work.
        if row.id != "S21" {
            assert_eq!(row.reading.verdict, Verdict::Unknown, "{row:?}");
            assert_eq!((row.reading.value, &*row.reading.shown), (None, ""), "{row:?}");
            assert_eq!(row.reading.source, Source::Nothing, "{row:?}");
        }
    }
    let tally = validation.tally();
    assert_eq!((tally.met, tally.missed), (1, 0));
    assert_eq!(tally.unknown as usize, validation.rows().count() - 1);
    for validator in Validator::ALL {
        assert!(
            validation.tally_of(*validator).unknown > 0,
            "{}",
            validator.name()
        );
    }
}

#[test]
fn tables_name_what_exists() {
    for (at, system) in SYSTEMS.iter().enumerate() {
        assert_eq!(system.id, format!("S{}", at + 1));
        assert!(system.promise.ends_with('.') && !system.checks.is_empty());
    }
    for live in LIVE {
        assert!(Budget::named(live.budget).is_some(), "{}", live.budget);
        assert!(live.least > 0, "{}", live.budget);
    }
    for metric in METRICS {
        assert!(metric.least > 0 && metric.window_days > 0, "{}", metric.id);
        assert!(
            !metric.formula.is_empty() && !metric.denominator.is_empty(),
            "{}",
            metric.id
        );
    }
}

#[test]
fn a_budget_is_judged_by_enough_live_samples() {
    fn check(value: f64, worst: Option<f64>, samples: u64, verdict: Verdict, why: &str) {
        let mut evidence = Evidence::default();
        evidence
            .live
            .values
            .insert("record_key", measured(value, worst, samples));
        let validation = validate(&evidence);
        let reading = &row(&validation, "record_key").reading;
        assert_eq!((reading.verdict, &*reading.why), (verdict, why));
        assert_eq!(reading.value, Some(value).filter(|value| value.is_finite()));
    }
    let worst = Some(900.0);
    check(49.0, worst, 12, Verdict::Unknown, "too few samples (12 of 100)");
    check(49.0, worst, 100, Verdict::Met, "within 50 ns, of 100 samples");
    check(51.0, worst, 100, Verdict::Missed, "over 50 ns, of 100 samples");
    check(
        f64::NAN,
        worst,
        100,
        Verdict::Unknown,
        "what was supplied is not a number",
    );
    check(
        49.0,
        Some(3e6),
        100,
        Verdict::Missed,
        "within 50 ns, but one of 100 samples took 3 ms, and none may take 1 ms",
    );
    check(
        49.0,
        None,
        100,
        Verdict::Unknown,
        "within 50 ns, but the largest of 100 samples, below 1 ms too, was not supplied",
    );
}

#[test]
fn a_benchs_number_is_named_as_such_and_stays_apart() {
    let mut evidence = Evidence::default();
    evidence
        .bench
        .insert("record_key".to_owned(), bench(60.0, Some(70.0), 2_000));
    let validation = validate(&evidence);
    let alone = row(&validation, "record_key");
    assert_eq!(
        (alone.reading.source, alone.reading.verdict),
        (Source::Bench, Verdict::Missed)
    );
    assert_eq!(
        alone.reading.how,
        "bench of 2026-11-24 on a machine: counter, timer, gauge, draft of 40 bytes"
    );

    evidence
        .live
        .values
        .insert("record_key", measured(40.0, Some(900.0), 500));
    let validation = validate(&evidence);
    let both = row(&validation, "record_key");
    assert_eq!(
        (both.reading.source, both.reading.value),
        (Source::Live, Some(40.0))
    );
    assert_eq!(
        both.reading.how,
        "live: timer record of 1 session, on what these sessions do"
    );
    assert_eq!(both.bench.as_ref(), Some(&alone.reading));

    // Too few live samples give way.
    evidence
        .live
        .values
        .insert("record_key", measured(40.0, Some(900.0), 5));
    let validation = validate(&evidence);
    assert_eq!(row(&validation, "record_key").reading, alone.reading);
}

#[test]
fn a_comparison_in_pairs_takes_ten_thousand() {
    let mut evidence = Evidence::default();
    evidence
        .bench
        .insert("maintenance_on_off".to_owned(), bench(1.01, None, 9_999));
    let few = validate(&evidence);
    assert_eq!(
        row(&few, "maintenance_on_off").reading.why,
        "too few samples (9,999 of 10,000)"
    );
    evidence
        .bench
        .insert("maintenance_on_off".to_owned(), bench(1.01, None, 10_000));
    let enough = validate(&evidence);
    assert_eq!(row(&enough, "maintenance_on_off").reading.verdict, Verdict::Met);
}

#[test]
fn systems_are_judged_by_what_is_seen_of_them() {
    fn check(id: &str, facts: Facts, verdict: Verdict, why: &str) {
        let evidence = Evidence {
            facts,
            ..Evidence::default()
        };
        let validation = validate(&evidence);
        let reading = &row(&validation, id).reading;
        assert_eq!((reading.verdict, &*reading.why), (verdict, why), "{id}");
    }
    let minutes = |n: u64| Some(n * 60_000_000_000);
    let core = Facts {
        task_rows: Some(10),
        tasks_inconsistent: Some(0),
        scheduler_age_ns: minutes(0),
        ..Facts::default()
    };
    let seen = "10 of 10 kinds of task have their row; statistics of all tasks add up; scheduler ran 0 s ago";
    check("S1", core.clone(), Verdict::Met, seen);
    check(
        "S1",
        Facts {
            tasks_inconsistent: Some(1),
            scheduler_age_ns: None,
            ..core
        },
        Verdict::Missed,
        "10 of 10 kinds of task have their row; statistics of 1 task do not add up; scheduler: not looked at",
    );
    let health = |age| Facts {
        health_sample_age_ns: age,
        ..Facts::default()
    };
    check(
        "S2",
        health(minutes(31)),
        Verdict::Met,
        "last health sample 31 min ago",
    );
    check(
        "S2",
        health(minutes(90)),
        Verdict::Missed,
        "last health sample 1 h 30 min ago",
    );
    check(
        "S3",
        Facts::default(),
        Verdict::Unknown,
        "forecasts: no series has 20 of them scored yet; models of the day and the week: none made yet",
    );
    let audit = |records, faults| Facts {
        audit: Some(Audit { records, faults }),
        ..Facts::default()
    };
    let rest = "; not built yet: confinement of processes; not built yet: list of permitted egress";
    check(
        "S19",
        audit(7, 0),
        Verdict::Unknown,
        &format!("audit chain whole, 7 records{rest}"),
    );
    check(
        "S19",
        audit(0, 0),
        Verdict::Unknown,
        &format!("audit chain: no record yet{rest}"),
    );
    check(
        "S19",
        audit(7, 1),
        Verdict::Missed,
        &format!("audit chain broken in 1 place, 7 records{rest}"),
    );
    let sessions = |n| Facts {
        sessions: Some(n),
        ..Facts::default()
    };
    let rest = "; not built yet: C hosts; not built yet: zsh and fish";
    check(
        "S18",
        sessions(0),
        Verdict::Unknown,
        &format!("no live session to be seen{rest}"),
    );
    check(
        "S18",
        sessions(2),
        Verdict::Unknown,
        &format!("2 live sessions seen{rest}"),
    );
    let rest = "; not built yet: analyses and drills behind the schedule";
    let schedule = |missing| Facts {
        default_schedule_missing: Some(missing),
        ..Facts::default()
    };
    check(
        "S20",
        schedule(0),
        Verdict::Unknown,
        &format!("default schedule in place{rest}"),
    );
    check(
        "S20",
        schedule(2),
        Verdict::Missed,
        &format!("2 entries of the default schedule missing{rest}"),
    );
}

#[test]
fn success_is_judged_by_its_formula() {
    fn check(id: &str, inputs: &SuccessInputs, verdict: Verdict, value: Option<f64>, why: &str) {
        let judged = Metric::named(id).unwrap().judge(inputs);
        assert_eq!(
            (judged.verdict, judged.value, &*judged.why),
            (verdict, value, why),
            "{id}"
        );
    }
    let inputs = SuccessInputs {
        availability: Some(Share {
            part: 99_900,
            of: 100_000,
        }),
        recovered_errors: Some(Share { part: 3, of: 3 }),
        recovery: Some(Share { part: 0, of: 0 }),
        operations: Some(Share {
            part: 9_999,
            of: 10_000,
        }),
        disruptions: Some(Share { part: 1, of: 40 }),
        performance: Some(Spread {
            mean: 200.0,
            deviation: 8.0,
            samples: 24,
        }),
        response: Some(Spread {
            mean: 0.0,
            deviation: 0.0,
            samples: 24,
        }),
        optimisation: Some(Mean {
            value: 12.5,
            samples: 6,
        }),
        forecast_error: Some(Errors {
            ours: 3.0,
            naive: 4.0,
            samples: 100,
        }),
        overhead: Some(Share {
            part: 7_200_000,
            of: 3_600_000,
        }),
        compliance: Some(Share { part: 101, of: 100 }),
        ..SuccessInputs::default()
    };
    let met = "within the target, of 24 samples";
    check(
        "availability",
        &inputs,
        Verdict::Met,
        Some(99.9),
        "within the target, of 100,000 samples",
    );
    check(
        "error-recovery",
        &inputs,
        Verdict::Unknown,
        Some(100.0),
        "too few samples (3 of 200)",
    );
    check(
        "recovery",
        &inputs,
        Verdict::Unknown,
        None,
        "too few samples (0 of 1,000)",
    );
    check(
        "operations",
        &inputs,
        Verdict::Missed,
        Some(99.99),
        "misses the target, of 10,000 samples",
    );
    check(
        "disruption",
        &inputs,
        Verdict::Missed,
        Some(1.0),
        "misses the target, of 40 samples",
    );
    check("performance-variance", &inputs, Verdict::Met, Some(4.0), met);
    check(
        "response-variance",
        &inputs,
        Verdict::Unknown,
        None,
        "what was supplied gives no number",
    );
    check(
        "overhead",
        &inputs,
        Verdict::Missed,
        Some(200.0),
        "misses the target, of 3,600,000 samples",
    );
    check(
        "policy-compliance",
        &inputs,
        Verdict::Unknown,
        None,
        "what was supplied gives no number",
    );
    check(
        "optimisation",
        &inputs,
        Verdict::Missed,
        Some(12.5),
        "misses the target, of 6 samples",
    );
    check(
        "prediction-skill",
        &inputs,
        Verdict::Met,
        Some(25.0),
        "within the target, of 100 samples",
    );
    check(
        "backup-integrity",
        &inputs,
        Verdict::Unknown,
        None,
        "nobody counts this yet",
    );
}

#[test]
fn rows_as_json() {
    fn json(validation: &Validation, id: &str) -> String {
        serde_json::to_string_pretty(row(validation, id)).unwrap()
    }
    let mut evidence = Evidence::default();
    evidence
        .live
        .values
        .insert("worker_memory", measured(6e6, None, 1));
    let validation = validate(&evidence);
    insta::assert_snapshot!(json(&validation, "worker_memory"), @r#"
    {
      "id": "worker_memory",
      "title": "private memory of the worker at rest (RssAnon)",
      "validator": "performance",
      "target": "at most 8 MiB",
      "verdict": "met",
      "value": 6000000.0,
      "shown": "5.7 MiB",
      "source": "live",
      "how": "live: timer record of 1 session, on what these sessions do",
      "why": "within 8 MiB, of 1 sample"
    }
    "#);
    insta::assert_snapshot!(json(&validation, "vulnerability_assessment"), @r#"
    {
      "id": "vulnerability_assessment",
      "title": "vulnerability assessment",
      "validator": "security",
      "target": "p99 at most 2 ms",
      "verdict": "unknown",
      "value": null,
      "shown": "",
      "source": "nothing",
      "how": "no probe yet",
      "why": "no probe yet: nothing measures this"
    }
    "#);
}
