//! Every verb: as JSON, in eighty columns, and without a worker.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use lle_core::error::Code;
use support::household::{Household, wait};
use support::press;

/// Verbs that only ask.
const ASKING: &[&[&str]] = &[
    &["status"],
    &["health"],
    &["metrics"],
    &["cache"],
    &["tasks"],
    &["alerts"],
    &["audit", "show"],
    &["audit", "verify"],
    &["checklist"],
    &["validate"],
    &["forecast"],
    &["anomalies"],
    &["config", "show"],
    &["config", "check"],
    &["config", "log"],
    &["config", "trials"],
];

/// Verbs that change something, in an order in which each can.
const CHANGING: &[&[&str]] = &[
    &["pause"],
    &["resume"],
    &["pause", "backup"],
    &["resume", "backup"],
    &["run", "health-check"],
    &["run", "backup"],
    &[
        "schedule",
        "a-task-with-a-name-that-is-long",
        "--when",
        "every 1h",
        "--",
        "echo",
        "x",
    ],
    &["schedule", "backup", "--when", "0 3 * * MON"],
    &["schedule", "backup", "--disable"],
    &["mode", "memory-defrag", "advise"],
    &["cancel", "a-task-with-a-name-that-is-long"],
    &[
        "checklist",
        "--sign-off",
        "report-review",
        "--note",
        "all is well",
    ],
];

fn check_width(house: &Household, verb: &[&str]) {
    let said = house.said(verb);
    for line in said.lines() {
        assert!(line.chars().count() <= 80, "{verb:?}: {line}");
    }
    assert!(
        said.chars().all(|c| !c.is_control() || c == '\n'),
        "{verb:?}: {said:?}"
    );
}

#[test]
fn with_a_worker() {
    let house = Household::with_worker("", &["--look-every", "200"]);
    house.no_drill_is_due();
    let mut terminal = house.session();
    press(&mut terminal, "echo one\r", "one");
    for verb in CHANGING.iter().chain(ASKING) {
        let answer = house.json(verb);
        assert!(answer.is_object(), "{verb:?}: {answer}");
    }
    let mut long = vec![
        "schedule",
        "a-task-with-a-name-that-is-long",
        "--when",
        "1-59/7 1-23/3 * 1-11/2 MON",
    ];
    long.extend(["--", "sh", "-c", "printf '%0300d' 1; exit 1"]);
    house.said(&long);
    house.said(&["run", long[1]]);
    wait("the run to end", || house.task(long[1])["running"] == false);
    terminal.signal(rustix::process::Signal::KILL).unwrap();
    terminal.wait_exit(lle_pty::deadline()).unwrap();
    wait("an incident", || {
        house.json(&["status"])["worker"]["incidents"][0].is_object()
    });
    for verb in ASKING {
        check_width(&house, verb);
    }
    // It is a job, and one at a time.
    wait("the backup to end", || house.task("backup")["running"] == false);
    for verb in [
        &["pause", "backup"][..],
        &["resume"],
        &["run", "backup"],
        &["run", "log-rotation"],
        &["start"],
    ] {
        check_width(&house, verb);
    }
}

#[test]
fn without_a_worker() {
    let house = Household::with_worker("", &[]);
    house.said(&["run", "health-check"]);
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    for house in [house, Household::new("")] {
        for verb in ASKING {
            assert!(house.json(verb).is_object(), "{verb:?}");
            check_width(&house, verb);
        }
        for verb in CHANGING.iter().chain(&[&["alerts", "--ack", "1"][..]]) {
            let output = house.maint(verb);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.code(),
                Some(i32::from(Code::NoWorker.exit())),
                "{verb:?}: {said}"
            );
            assert!(said.contains("lusush maint start"), "{verb:?}: {said}");
            assert!(
                said.lines().all(|line| line.chars().count() <= 80),
                "{verb:?}: {said}"
            );
        }
    }
}
