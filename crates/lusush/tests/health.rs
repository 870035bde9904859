//! Health as a user sees it: two sessions, one of which becomes slow.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use lle_pty::Terminal;
use rustix::process::Signal;
use serde_json::Value;
use support::household::{Household, wait};
use support::press;

/// Looks often: nobody waits for six looks of ten seconds here.
const OFTEN: &[&str] = &["--look-every", "200"];

fn session_of(health: &Value, terminal: &Terminal) -> Option<String> {
    let pid = terminal.pid().as_raw_nonzero().get();
    let sessions = health["sessions"].as_array()?;
    let found = sessions.iter().find(|session| session["pid"] == pid)?;
    Some(found["id"].as_str()?.to_owned())
}

/// The finding about a session's slow prompts.
fn slow_prompt(house: &Household, session: &str) -> Option<Value> {
    let health = house.json(&["health"]);
    let findings = health["findings"].as_array()?;
    let found = findings
        .iter()
        .find(|finding| finding["component"] == "prompt" && finding["session"] == session);
    found.cloned()
}

fn is_usual_known(house: &Household) -> bool {
    let metrics = house.json(&["metrics"]);
    let metrics = metrics["metrics"].as_array().unwrap();
    metrics
        .iter()
        .any(|metric| metric["name"] == "prompt_ns_recent" && metric["usual"].is_string())
}

#[test]
fn a_prompt_that_became_slow_is_found_and_told_once() {
    let house = Household::with_worker("", OFTEN);
    let (mut slow, mut other) = (house.session(), house.session());
    wait("what is usual to be known", || {
        for terminal in [&mut slow, &mut other] {
            press(terminal, "true\r", "$");
        }
        is_usual_known(&house)
    });
    let health = house.json(&["health"]);
    assert_eq!(health["sessions"].as_array().unwrap().len(), 2, "{health}");
    let id = session_of(&health, &slow).unwrap();
    assert!(session_of(&health, &other).is_some(), "{health}");
    // The machine may have been, for a prompt or two.
    wait("nothing to be slow yet", || {
        press(&mut slow, "true\r", "$");
        slow_prompt(&house, &id).is_none()
    });
    // Room for what is said.
    press(&mut slow, "clear\r", "$");
    press(&mut other, "clear\r", "$");

    press(&mut slow, "PROMPT_COMMAND='sleep 0.3'\r", "$");
    let mut finding = None;
    wait("a finding", || {
        press(&mut slow, "true\r", "$");
        finding = slow_prompt(&house, &id);
        finding.is_some()
    });
    let finding = finding.unwrap();
    assert_eq!(finding["session"], id.as_str(), "{finding}");
    let (before, after) = (&finding["before"], &finding["after"]);
    let (before, after) = (before.as_f64().unwrap(), after.as_f64().unwrap());
    // The mean of the last few: one of them may have been as usual.
    assert!(after > 2.0 * before && after >= 1e8, "{finding}");
    assert!(
        finding["evidence"].as_str().unwrap().contains("usual"),
        "{finding}"
    );

    // Of prompts; a busy machine may have something else to tell.
    let told = |terminal: &Terminal| {
        let text = terminal.text();
        let about = |line: &&str| line.contains("lusush: ") && line.contains("prompt");
        text.lines().filter(about).count()
    };
    wait("the alert", || {
        press(&mut slow, "true\r", "$");
        told(&slow) > 0
    });
    let text = slow.text();
    let alert = text
        .lines()
        .find(|line| line.contains("lusush: ") && line.contains("prompt"));
    let alert = alert.unwrap().to_owned();
    for _ in 0..6 {
        press(&mut slow, "true\r", "$");
        press(&mut other, "true\r", "$");
    }
    assert_eq!(told(&slow), 1, "{}", slow.text());
    // The other one may have had a slow prompt of its own.
    assert!(!other.text().contains(&alert), "{}", other.text());

    // It is known to have been shown, and can be taken note of.
    let alerts = house.json(&["alerts"]);
    let of_prompt = |alerts: &Value| {
        let alerts = alerts["alerts"].as_array().unwrap().iter();
        let mut found =
            alerts.filter(|alert| alert["component"] == "prompt" && alert["session"] == id.as_str());
        found.next().cloned().unwrap_or_default()
    };
    let alert = of_prompt(&alerts);
    assert_eq!(
        (&alert["state"], &alert["component"]),
        (&"shown".into(), &"prompt".into())
    );
    let number = alert["id"].to_string();
    assert!(
        house
            .said(&["alerts", "--ack", &number])
            .contains("is acknowledged")
    );
    assert_eq!(of_prompt(&house.json(&["alerts"]))["state"], "acknowledged");
}

/// Sessions whose allocators hold much that nobody uses.
fn hoarders(house: &Household, count: usize) -> Vec<Terminal> {
    let allocate = "for ((i = 0; i < 60000; i++)); do a[i]=text$i; done; keep=this; unset a\r";
    let mut terminals: Vec<Terminal> = (0..count).map(|_| house.session()).collect();
    for terminal in &mut terminals {
        press(terminal, allocate, "$");
    }
    let full = || {
        let metrics = house.json(&["metrics"]);
        let of = |metric: &&Value| metric["name"] == "malloc_free_bytes" && metric["session"].is_string();
        let metrics = metrics["metrics"].as_array().unwrap().iter().filter(of);
        metrics
            .filter(|metric| metric["value"].as_f64() > Some(1e6))
            .count()
    };
    // A session asks its allocator at a prompt, every few seconds at most.
    wait("much to be free", || {
        for terminal in &mut terminals {
            press(terminal, "\r", "$");
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        full() == count
    });
    terminals
}

/// Runs memory-defrag until its last run says something.
fn defrag_until(house: &Household, said: &str) -> Value {
    let mut task = Value::Null;
    wait(said, || {
        // Busy while a session is waited for; with nothing to do until all are idle.
        let _asked = house.maint(&["run", "memory-defrag"]);
        task = house.task("memory-defrag");
        task["last_note"].as_str().is_some_and(|note| note.contains(said))
    });
    task
}

#[test]
fn memory_that_an_idle_session_does_not_use_is_given_back() {
    let house = Household::with_worker("", OFTEN);
    let mut terminals = hoarders(&house, 1);
    let task = defrag_until(&house, "bytes given back");
    assert_eq!(task["last_outcome"], "succeeded", "{task}");
    assert!(task["gained_bytes"].as_i64().unwrap() > 100_000, "{task}");
    press(&mut terminals[0], "echo still here\r", "still here");
}

#[test]
fn a_session_that_hangs_keeps_no_other_from_giving_memory_back() {
    let house = Household::with_worker("", OFTEN);
    let mut terminals = hoarders(&house, 2);
    terminals[0].signal(Signal::STOP).unwrap();
    let task = defrag_until(&house, "1 of 2 steps missed");
    let note = task["last_note"].as_str().unwrap();
    assert!(
        note.contains("bytes given back") && note.contains("did not answer"),
        "{task}"
    );
    assert_eq!(task["last_outcome"], "succeeded", "{task}");
    assert!(task["gained_bytes"].as_i64().unwrap() > 100_000, "{task}");
    // A run that nobody answered has failed.
    terminals[1].signal(Signal::STOP).unwrap();
    wait("a run that failed", || {
        let _asked = house.maint(&["run", "memory-defrag"]);
        house.task("memory-defrag")["last_outcome"] == "failed"
    });
    terminals[1].signal(Signal::CONT).unwrap();
    terminals[0].signal(Signal::CONT).unwrap();
    press(&mut terminals[0], "echo still here\r", "still here");
}

#[test]
fn each_point_of_a_review_has_its_evidence() {
    let mut house = Household::with_worker("", &[]);
    let told = |house: &Household| -> Vec<String> {
        let document = house.json(&["checklist"]);
        let items = document["items"].as_array().unwrap().iter();
        let points = items.flat_map(|item| item["item"]["points"].as_array().unwrap());
        points
            .map(|point| point["evidence"].as_str().unwrap().to_owned())
            .collect()
    };
    house.said(&["run", "health-check"]);
    let lines = told(&house);
    assert!(lines.iter().all(|line| !line.is_empty()), "{lines:?}");
    let has = |lines: &[String], part: &str| lines.iter().any(|line| line.contains(part));
    assert!(
        has(&lines, "verified now, whole") && has(&lines, "the worker takes"),
        "{lines:?}"
    );
    assert!(house.said(&["checklist"]).contains("succeeded for 1"));
    // Without a worker, what it alone knows is unknown.
    house.kill_worker();
    let lines = told(&house);
    assert!(
        has(&lines, "refusals unknown") && has(&lines, "succeeded for 1"),
        "{lines:?}"
    );
}
