//! What every answer looks like.

use super::*;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECOND: i64 = 1_000_000_000;

/// What an answer looks like; everything fits, and nothing acts on the terminal.
fn shown(request: &Request, value: Value) -> String {
    let given = Answer {
        value,
        from_worker: true,
    };
    let text = text(request, &given, Ink::Plain).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
    assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "{text:?}");
    text
}

fn task(name: &str, about: &Value) -> Value {
    let mut task = json!({
        "name": name, "kind": name, "description": "Does it.", "priority": "low", "schedule": "every 30m",
        "enabled": true, "paused": false, "mode": "automatic", "built": true, "running": false,
        "next_wall_ns": 1_800 * SECOND, "last_wall_ns": null, "last_outcome": null, "last_note": null,
        "runs": 0, "successes": 0, "failures": 0, "nothing_to_do": 0, "not_built": 0, "mean_ns": null,
        "longest_ns": null, "budget_ms": 1000, "cost_cpu_ns": 0, "gained_bytes": 0,
    });
    for (field, value) in about.as_object().unwrap() {
        task[field] = value.clone();
    }
    task
}

#[test]
fn the_tasks() {
    let tasks = [
        task(
            "health-check",
            &json!({ "runs": 12, "successes": 12, "mean_ns": 471_000,
            "last_wall_ns": -90 * SECOND, "last_outcome": "succeeded" }),
        ),
        task(
            "security-scan",
            &json!({ "built": false, "not_built": 3, "last_wall_ns": 0,
            "last_outcome": "not-built", "last_note": "nothing to do: not yet built" }),
        ),
        task("backup", &json!({ "enabled": false, "schedule": "0 2 * * SUN" })),
        task(
            "feature-upgrade",
            &json!({ "paused": true, "schedule": "0 3 * * SUN#1" }),
        ),
        task(
            "a-name-as-long-as-names-may-be-and-then",
            &json!({ "kind": null, "running": true,
            "schedule": "1-59/7 1-23/3 * 1-11/2 MON", "runs": 123_456, "failures": 9, "mean_ns": 59_000_000_000_u64,
            "last_wall_ns": -1, "last_outcome": "timed-out",
            "last_note": "was killed: \u{1b}]0;gotcha\u{7} and much more that nobody will ever read to its end" }),
        ),
        task(
            "manual",
            &json!({ "kind": null, "schedule": "manual", "next_wall_ns": null }),
        ),
    ];
    let document = json!({ "version": 1, "now_wall_ns": 0, "tasks": tasks });
    insta::assert_snapshot!(shown(&Request::Tasks, document));
}

#[test]
fn the_health() {
    let document = json!({
        "version": 1,
        "health": "degraded",
        "sessions": [
            { "id": "a4a860ceebafca89", "tty": "/dev/pts/2", "pid": 14100, "health": "degraded" },
            { "id": "00000000000000aa", "tty": "/dev/\u{1b}[31mpts", "pid": 7, "health": "healthy" },
        ],
        "components": [
            { "component": "prompt", "health": "degraded", "why": "8 of 15 metrics known" },
            { "component": "buffer", "health": "unknown",
              "why": "the line belongs to readline, which counts nothing" },
        ],
        "findings": [{
            "key": "prompt.slow/a4a860ceebafca89", "severity": "warning", "component": "prompt",
            "title": "prompt takes 312 ms in the session on /dev/pts/2",
            "evidence": "usually 4.1 ms ± 0.5 ms, and now 312 ms: 76 times as long; most of it in PROMPT_COMMAND",
            "remedy": "`declare -p PROMPT_COMMAND PS1` shows what runs before each prompt; take the slow part out",
        }],
    });
    insta::assert_snapshot!(shown(&Request::Health, document));
    let nobody =
        json!({ "version": 1, "health": "unknown", "sessions": [], "components": [], "findings": [] });
    insta::assert_snapshot!("no_health", shown(&Request::Health, nobody));
}

#[test]
fn the_alerts() {
    let document = json!({
        "version": 1,
        "alerts": [{
            "id": 3, "severity": "major", "component": "storage", "session": null, "state": "not shown yet",
            "text": "the maintenance state is kept in memory only. No space left on device. make room: `lusush \
                     doctor` says where the state is",
        }],
        "resolved": [],
    });
    insta::assert_snapshot!(shown(&Request::Alerts, document));
    let none = json!({ "version": 1, "alerts": [], "resolved": [] });
    insta::assert_snapshot!("no_alerts", shown(&Request::Alerts, none));
}

#[test]
fn the_checklist() {
    let document = json!({
        "version": 1,
        "now_wall_ns": 0,
        "items": [
            {
                "item": { "id": "health-review", "title": "System health", "cadence": "daily",
                    "points": [{ "text": "Is every part well, and is each open finding understood?",
                        "evidence": "degraded; 2 open findings, by part: prompt 1, storage 1" }] },
                "due_wall_ns": 3_600 * SECOND, "overdue_by_ns": null,
                "last": { "wall_ns": -3_600 * SECOND, "who": "user 1000 (process 7)",
                          "note": "all \u{1b}[31mwell" },
            },
            {
                "item": { "id": "report-review", "title": "Maintenance report", "cadence": "weekly",
                    "points": [{ "text": "Which trends of the week go on?" }] },
                "due_wall_ns": -1, "overdue_by_ns": 90_000_000_000_000_u64,
                "last": null,
            },
        ],
    });
    insta::assert_snapshot!(shown(&Request::Checklist, document));
}

#[test]
fn the_validation() {
    let document = json!({
        "version": 1,
        "tally": { "met": 1, "missed": 1, "unknown": 1 },
        "systems": [{ "title": "S1 scheduled tasks", "verdict": "met", "why": "ten rows, all consistent" }],
        "budgets": [{ "title": "append to the history log, acknowledged", "verdict": "missed", "shown": "25.4 µs",
                      "target": "p50 at most 20 µs", "why": "timer history_append of 2 live sessions" }],
        "success": [{ "title": "operations without a stuck change", "verdict": "unknown",
                      "why": "nothing has run yet" }],
    });
    insta::assert_snapshot!(shown(&Request::Validate, document));
}

#[test]
fn the_audit() {
    // Three days, five and a half hours ago, whenever that is: the age is part of what is wrapped.
    let age = Duration::from_secs(3 * 86_400 + 5 * 3_600 + 1_800);
    let then = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - age;
    let wall_ns = u64::try_from(then.as_nanos()).unwrap();
    let record = |sequence: u64, phase: &str, about: &Value| {
        let mut record = json!({ "sequence": sequence, "wall_ns": wall_ns, "who": "", "operation": "", "target": "",
            "why": "", "phase": phase, "outcome": "", "plan": 0 });
        for (field, value) in about.as_object().unwrap() {
            record[field] = value.clone();
        }
        record
    };
    let hostile = "\u{1b}]0;gotcha\u{7}";
    let records = [
        record(
            1,
            "intent",
            &json!({ "who": "user 1000 (process 7)", "operation": "run", "target": "backup" }),
        ),
        record(
            2,
            "intent",
            &json!({ "who": "engine", "operation": "begin segment 2 of the audit log; remove those \
            before 1", "target": "log-rotation", "why": "its schedule", "plan": 12 }),
        ),
        record(
            3,
            "outcome",
            &json!({ "outcome": "failed", "why": format!("ended with status 1: {hostile}"),
            "plan": 12 }),
        ),
        record(
            4,
            "refused",
            &json!({ "who": "user 65534 (process 9)", "operation": "connect",
            "target": "control socket", "outcome": "refused", "why": "another user; 1 since the last record" }),
        ),
    ];
    let document = json!({ "version": 1, "records": records });
    let request = Request::Audit {
        from: None,
        limit: None,
    };
    insta::assert_snapshot!(shown(&request, document));
    let empty = json!({ "version": 1, "records": [] });
    insta::assert_snapshot!("no_audit", shown(&request, empty));
    let whole = json!({ "version": 1, "whole": true, "records": 12, "last_sequence": 12, "problems": [],
        "remarks": [] });
    insta::assert_snapshot!("whole_audit", shown(&Request::Verify, whole));
    let damaged = json!({ "version": 1, "whole": false, "records": 11, "last_sequence": 12, "remarks": [],
        "problems": ["audit-00000000.log, byte 1234: record 7 is missing"] });
    insta::assert_snapshot!("damaged_audit", shown(&Request::Verify, damaged));
}
