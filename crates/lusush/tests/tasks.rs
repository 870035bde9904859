//! The tasks as a user has them: those that come with the system, and registered ones that succeed, fail, hang, flood
//! and lie.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use lle_core::error::Code;
use support::household::{Household, processes, wait};

/// Kinds whose substance is there.
const BUILT: &[&str] = &[
    "health-check",
    "memory-defrag",
    "log-rotation",
    "performance",
    "cache-cleanup",
    "backup",
];

#[test]
fn ten_rows_tell_the_truth() {
    let house = Household::with_worker("", &[]);
    house.no_drill_is_due();
    let tasks = house.json(&["tasks"]);
    let names: Vec<String> = tasks["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 10, "{names:?}");
    for name in &names {
        for run in 1..=2 {
            let said = house.said(&["run", name]);
            // Some are jobs.
            wait("the run to end", || house.task(name)["running"] == false);
            let task = house.task(name);
            let counts: Vec<u64> = ["runs", "successes", "failures", "nothing_to_do", "not_built"]
                .iter()
                .map(|field| task[field].as_u64().unwrap())
                .collect();
            let expect = match name.as_str() {
                "health-check" | "config-sync" | "backup" => [run, run, 0, 0, 0],
                _ if BUILT.contains(&name.as_str()) => [0, 0, 0, run, 0],
                _ => [0, 0, 0, 0, run],
            };
            assert_eq!(counts, expect, "{name}: {said}");
            assert_eq!(said.contains("not yet built"), expect[4] > 0, "{name}: {said}");
            assert_eq!(task["mean_ns"].is_u64(), counts[0] > 0, "{task}");
        }
    }
    // What was counted survives the worker.
    let before = house.json(&["tasks"])["tasks"].clone();
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    let after = house.json(&["tasks"])["tasks"].clone();
    for (before, after) in before.as_array().unwrap().iter().zip(after.as_array().unwrap()) {
        for field in ["runs", "successes", "nothing_to_do", "not_built", "mean_ns"] {
            assert_eq!(before[field], after[field], "{before}");
        }
    }
}

#[test]
fn a_registered_task_runs_is_cleaned_up_after_and_counted() {
    let house = Household::with_worker("", &[]);
    let file = house.home.path().join("cleaned");
    let cleanup = |name: &str| format!("echo {name} >>'{}'", file.display());
    let hang = format!("sleep 71.{pid} & sleep 71.{pid}", pid = std::process::id());
    let check = |name: &str, options: &[&str], script: &str, outcome: &str, note: &str| {
        let cleanup = cleanup(name);
        let head = ["schedule", name, "--when", "manual", "--cleanup", &cleanup];
        house.said(&[&head, options, &["--", "sh", "-c", script]].concat());
        house.said(&["run", name]);
        wait("the run to end", || house.task(name)["running"] == false);
        let task = house.task(name);
        assert_eq!(task["last_outcome"], outcome, "{task}");
        assert!(
            task["last_note"].as_str().unwrap_or_default().contains(note),
            "{task}"
        );
        assert_eq!(task["runs"], 1, "{task}");
        assert_eq!(task["failures"], u64::from(outcome != "succeeded"), "{task}");
        let cleaned = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            cleaned.lines().filter(|line| *line == name).count(),
            1,
            "{cleaned}"
        );
        task
    };
    check("works", &[], "echo well done", "succeeded", "well done");
    let failed = check(
        "fails",
        &["--retries", "2"],
        "echo no luck; exit 3",
        "failed",
        "status 3: no luck",
    );
    assert!(failed["next_wall_ns"].is_i64(), "it is tried again: {failed}");
    let failed = check("fails-once", &[], "exit 4", "failed", "status 4");
    assert!(
        failed["next_wall_ns"].is_null(),
        "it is not tried again: {failed}"
    );
    check("hangs", &["--budget", "1"], &hang, "timed-out", "");
    wait("what hung to be gone", || {
        processes(&format!("sleep 71.{}", std::process::id())).is_empty()
    });
    // Output without end is taken in pieces, and others are answered meanwhile.
    house.said(&[
        "schedule", "floods", "--when", "manual", "--budget", "1", "--", "yes",
    ]);
    house.said(&["run", "floods"]);
    wait("the flood to end", || house.task("floods")["running"] == false);
    assert_eq!(house.task("floods")["last_outcome"], "timed-out");
    assert!(house.json(&["status"])["worker"]["cost"]["rss_anon_bytes"].as_u64() < Some(64 << 20));
    // No process of a job is left unburied.
    let worker = house.worker().unwrap().as_raw_nonzero().get();
    let children = std::fs::read_to_string(format!("/proc/{worker}/task/{worker}/children")).unwrap();
    assert_eq!(children, "");
}

#[test]
fn a_run_is_cancelled_with_all_it_started_and_an_idle_task_removed() {
    let house = Household::with_worker("", &[]);
    let pid = std::process::id();
    let script = format!("sleep 72.{pid} & sleep 72.{pid}");
    let marker = format!("sleep 72.{pid}");
    house.said(&["schedule", "long", "--when", "manual", "--", "sh", "-c", &script]);
    assert!(house.said(&["run", "long"]).contains("is running"));
    wait("its processes", || processes(&marker).len() >= 2);
    let again = house.maint(&["run", "long"]);
    assert_eq!(again.status.code(), Some(i32::from(Code::Busy.exit())));
    assert!(house.said(&["status"]).contains("running long"));
    assert!(house.said(&["cancel", "long"]).contains("is cancelled"));
    wait("its processes to go", || processes(&marker).is_empty());
    wait("the run to end", || house.task("long")["running"] == false);
    let task = house.task("long");
    assert_eq!(
        (&task["last_outcome"], &task["running"]),
        (&"cancelled".into(), &false.into())
    );
    assert!(house.said(&["cancel", "long"]).contains("is removed"));
    let gone = house.maint(&["cancel", "long"]);
    assert_eq!(gone.status.code(), Some(i32::from(Code::NotFound.exit())));
    let kept = house.maint(&["cancel", "backup"]);
    assert_eq!(kept.status.code(), Some(i32::from(Code::InvalidState.exit())));
}

#[test]
fn a_cleanup_that_died_with_its_worker_is_run_by_the_next() {
    let mut house = Household::with_worker("", &[]);
    let file = house.home.path().join("cleaned");
    // The first one hangs until it is killed.
    let opened = house.home.path().join("opened");
    let cleanup = format!(
        "echo begun >>'{}'; [ -e '{}' ] || sleep 600; echo ended >>'{0}'",
        file.display(),
        opened.display()
    );
    let head = ["schedule", "task", "--when", "manual", "--cleanup", &cleanup];
    house.said(&[&head[..], &["--", "false"]].concat());
    house.said(&["run", "task"]);
    let cleaned = || std::fs::read_to_string(&file).unwrap_or_default();
    wait("the cleanup to begin", || cleaned() == "begun\n");
    house.kill_worker();
    std::fs::write(&opened, "").unwrap();
    house.start_worker(&[]);
    wait("the cleanup to end", || cleaned().ends_with("ended\n"));
    wait("the run to end", || house.task("task")["running"] == false);
    let task = house.task("task");
    assert_eq!(cleaned(), "begun\nbegun\nended\n");
    assert_eq!(
        (&task["last_outcome"], &task["runs"]),
        (&"failed".into(), &1.into()),
        "{task}"
    );
}

#[test]
fn what_tasks_say_cannot_act_on_the_terminal() {
    let house = Household::with_worker("", &[]);
    let hostile = "\x1b]0;gotcha\x07\u{202e}";
    let refused = house.maint(&["schedule", hostile, "--when", "manual", "--", "true"]);
    assert_eq!(
        refused.status.code(),
        Some(i32::from(Code::InvalidParameters.exit()))
    );
    let refused = house.maint(&["run", hostile]);
    assert!(!refused.status.success());
    let mut all = refused.stderr;
    let print = ["--", "printf", "\\033]0;gotcha\\007\\033[31m"];
    let head = ["schedule", "liar", "--when", "manual", "--description", hostile];
    house.said(&[&head[..], &print].concat());
    house.said(&["schedule", "plain", "--when", "manual", "--", "echo", hostile]);
    for task in ["liar", "plain"] {
        house.said(&["run", task]);
        wait("the run to end", || house.task(task)["running"] == false);
    }
    for verb in [&["tasks"][..], &["status"], &["audit", "show"]] {
        all.extend(house.maint(verb).stdout);
    }
    all.extend(house.maint(&["mode", hostile, "observe"]).stderr);
    all.extend(house.maint(&["metrics", "--session", hostile]).stderr);
    let text = String::from_utf8(all).unwrap();
    let raw = text
        .chars()
        .find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
    assert_eq!(raw, None, "{}", text.escape_debug());
    assert!(text.contains("gotcha"), "it is shown, harmless: {text}");
}
