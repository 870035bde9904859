//! A worker whose disk fails at any call, from its first on: what it acknowledged is there, and it goes on when it can.

use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use lle_fault::{Fault, Faults, Kind, are_here};
use lle_log::history::History;
use lle_pty::deadline;
use serde_json::Value;

use super::spread;
use super::support::household::{Household, wait};
use super::support::log_of;

/// Tasks that are asked for in a round.
const TASKS: usize = 3;

/// How long a worker may take to answer whose disk may not let it.
const ANSWER: Duration = Duration::from_secs(2);

/// A worker under watch.
struct Watched {
    child: Child,
}

impl Watched {
    fn start(house: &Household, faults: Option<&Faults>) -> Watched {
        let spawn = || {
            house
                .command(&["maint", "worker", "--stay", "--look-every", "50"])
                .stdin(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let child = match faults {
            Some(faults) => faults.start(spawn).unwrap(),
            None => spawn(),
        };
        Watched { child }
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it answers, has ended, or so long; tells whether it answers.
    fn answers_within(&mut self, house: &Household, patience: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience && !self.has_ended() {
            if house.client().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        false
    }

    fn answers(&mut self, house: &Household) -> bool {
        self.answers_within(house, deadline())
    }

    fn said(&mut self) -> String {
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _unread = stderr.read_to_string(&mut said);
        }
        said
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn names(house: &Household) -> Vec<String> {
    let tasks = house.json(&["tasks"]);
    let rows = tasks["tasks"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

fn schedule(house: &Household, name: &str) -> bool {
    let output = house.maint(&["schedule", name, "--when", "manual", "--", "true"]);
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        assert_eq!(said.matches("Error: ").count(), 1, "{said}");
        assert!(said.contains("Hint: "), "{said}");
    }
    output.status.success()
}

/// What a worker is asked for in a round; gives the tasks that it acknowledged.
fn ask(house: &Household, round: usize) -> Vec<String> {
    let log = log_of(&house.home);
    let mut history = History::open(&log, 1 + round as u64, 1, None).unwrap().history;
    let mut acknowledged = Vec::new();
    for n in 0..TASKS {
        history
            .started(5, b"/", format!("echo {round} {n}").as_bytes())
            .unwrap();
        let name = format!("task-{round}-{n}");
        if schedule(house, &name) {
            acknowledged.push(name);
        }
    }
    acknowledged
}

/// It is as it was, and can do everything again.
fn goes_on(house: &Household, acknowledged: &[String], about: &str) {
    wait(&format!("what was in memory to be written: {about}"), || {
        let status = house.json(&["status"]);
        status["worker"]["memory_only"].is_null() && status["worker"]["worker"] == true
    });
    wait(&format!("the mirror: {about}"), || {
        // No session has made a log where nothing was asked.
        lle_maintenance::real::history::mirrored(&log_of(&house.home))
            .is_none_or(|(log, mirror)| log == mirror)
    });
    let there = names(house);
    assert!(
        acknowledged.iter().all(|name| there.contains(name)),
        "{acknowledged:?} of {there:?}: {about}"
    );
}

#[test]
fn a_worker() {
    if !are_here() {
        return;
    }
    let mut round = 0;
    let mut once = |at: u64, fault: Fault| {
        round += 1;
        let house = Household::new("");
        let faults = Faults::below(&house.home.lusush());
        faults.set(at, fault);
        let mut worker = Watched::start(&house, Some(&faults));
        let mut acknowledged = Vec::new();
        let mut about = format!("{fault:?} at {at}");
        // Without its folder there is no socket, and it works on without: it looks after that every few seconds.
        if worker.answers_within(&house, ANSWER) {
            acknowledged = ask(&house, round);
        }
        let calls = faults.calls();
        // Calls come once a second, too: from here on none is hit.
        let hit = faults.clear();
        about += &format!(", {hit:?}, acknowledged {acknowledged:?}");
        if fault.kills() && hit.is_some() {
            wait(&format!("the worker to end: {about}"), || worker.has_ended());
        }
        if worker.has_ended() {
            let said = worker.said();
            assert!(fault.kills() || hit.is_some(), "{about}: {said}");
            assert!(!said.contains("panicked"), "{about}: {said}");
            if !fault.kills() {
                assert_eq!(said.matches("Error: ").count(), 1, "{about}: {said}");
                assert!(said.contains("Hint: "), "{about}: {said}");
            }
            faults.clear();
            worker = Watched::start(&house, None);
            assert!(worker.answers(&house), "{about}: {}", worker.said());
        }
        faults.clear();
        assert!(worker.answers(&house), "{about}: {}", worker.said());
        goes_on(&house, &acknowledged, &about);
        let last = format!("last-{round}");
        assert!(schedule(&house, &last), "{about}");
        acknowledged.push(last);
        // Nothing of it is in memory only.
        worker.child.kill().unwrap();
        worker.child.wait().unwrap();
        let worker = Watched::start(&house, None);
        wait("an answer", || house.client().is_some());
        goes_on(&house, &acknowledged, &about);
        let verified = house.json(&["audit", "verify"]);
        let problems = verified["problems"].as_array().unwrap();
        // A record that there was no room for is named for ever; nothing else is wrong.
        let is_torn = |problem: &Value| problem.as_str().unwrap().contains("never finished");
        assert!(problems.iter().all(is_torn), "{about}: {verified}");
        drop(worker);
        calls
    };
    let calls = once(u64::MAX, Fault::Short);
    for fault in Fault::ALL {
        for at in spread(calls, 31) {
            once(at, fault);
        }
    }
    println!("a worker's start and work have {calls} calls");
}

#[test]
fn a_mirror_that_cannot_be_written_is_told_once_and_follows_when_it_can() {
    if !are_here() {
        return;
    }
    let house = Household::new("");
    let log = log_of(&house.home);
    let faults = Faults::below(&lle_log::mirror::path_of(&log));
    let mut worker = Watched::start(&house, Some(&faults));
    assert!(worker.answers(&house), "{}", worker.said());
    let mut history = History::open(&log, 1, 1, None).unwrap().history;
    let mirrored =
        || lle_maintenance::real::history::mirrored(&log).is_some_and(|(log, mirror)| log == mirror);
    history.started(5, b"/", b"echo before").unwrap();
    wait("the mirror", mirrored);
    faults.set(1, Fault::Full);
    history.started(5, b"/", b"echo meanwhile").unwrap();
    let told = || {
        house
            .json(&["alerts"])
            .to_string()
            .matches("mirror of the history")
            .count()
    };
    wait("it to be told", || told() > 0);
    assert!(
        house
            .json(&["audit", "show"])
            .to_string()
            .contains("mirror of the history")
    );
    faults.clear();
    // Nothing is written meanwhile that would have it looked at.
    wait("the mirror", mirrored);
    assert_eq!(told(), 1);
}

#[test]
fn a_key_of_the_audit_log_that_could_not_be_made_is_made_when_it_can_be() {
    if !are_here() {
        return;
    }
    let house = Household::new("");
    let faults = Faults::below(&house.state().join("keys")).only(&[Kind::Sync]);
    faults.set(1, Fault::Broken);
    let mut worker = Watched::start(&house, Some(&faults));
    assert!(worker.answers(&house), "{}", worker.said());
    // It answers before its first look is over, which makes the key.
    wait("the key to fail", || faults.hit().is_some());
    goes_on(&house, &[], "the key");
    assert!(schedule(&house, "afterwards"));
    assert_eq!(house.json(&["audit", "verify"])["whole"], true);
}
