//! The optimiser as a user sees it: levers tried on lines that are really typed, judged, kept or not.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use lle_pty::Terminal;
use serde_json::Value;
use support::household::{Household, wait};

/// Looks often: nobody waits for six looks of ten seconds here.
const OFTEN: &[&str] = &["--look-every", "200"];
/// A PATH of some length, as people have.
const LONG_PATH: &str = "for i in {1..12}; do mkdir -p ~/d$i; PATH=$PATH:$HOME/d$i; done\n";
/// Lines typed before a trial must be over: all of its pairs, and those that a busy machine made too short.
const LINES_MAX: usize = 700;

/// Types a line key by key, as a person does: what comes at once is painted at once, and counts for nothing.
fn type_line(terminal: &mut Terminal, line: &str) {
    type_keys(terminal, line);
    terminal.press("\r").unwrap();
}

fn type_keys(terminal: &mut Terminal, keys: &str) {
    for key in keys.chars() {
        terminal.press(key.to_string()).unwrap();
    }
}

fn trials(house: &Household) -> Value {
    house.json(&["optimize", "--history"])
}

fn ended(house: &Household) -> Option<Value> {
    trials(house)["ended"].as_array().unwrap().last().cloned()
}

/// Types until the trial that is open has ended; gives what it came to.
fn type_until_ended(house: &Household, terminal: &mut Terminal, line: &str) -> Value {
    for typed in 0..LINES_MAX {
        type_line(terminal, line);
        if typed % 8 == 7
            && let Some(ended) = ended(house)
        {
            return ended;
        }
    }
    panic!("no verdict: {}", trials(house));
}

/// The lines of what sessions are told that turn a lever.
fn told(house: &Household) -> Vec<String> {
    let text = std::fs::read_to_string(house.runtime().join("desired")).unwrap_or_default();
    let turns = |line: &&str| line.starts_with("set ") || line.starts_with("trial ");
    text.lines().filter(turns).map(str::to_owned).collect()
}

fn value_of(house: &Household, lever: &str) -> String {
    let trials = trials(house);
    let levers = trials["levers"].as_array().unwrap();
    let found = levers.iter().find(|found| found["name"] == lever).unwrap();
    found["value"].as_str().unwrap().to_owned()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_bad_lever_is_measured_worse_and_undone() {
    let house = Household::with_worker(LONG_PATH, OFTEN);
    let mut terminal = house.session();
    let said = house.said(&["optimize", "--force", "names.cache_entries=0"]);
    assert!(said.contains("is open"), "{said}");
    let told_of_trial = told(&house);
    assert!(
        matches!(&told_of_trial[..], [one] if one.ends_with("names.cache_entries 0")),
        "{told_of_trial:?}"
    );
    let again = house.maint(&["optimize", "--force", "names.keep=path"]);
    assert!(!again.status.success(), "one lever is tried at a time");
    let none = house.maint(&["optimize", "--force", "names.keep=path", "--within", "0"]);
    assert!(!none.status.success(), "a trial without time is none");

    let ended = type_until_ended(&house, &mut terminal, "grep needle /dev/null");
    println!("{ended}");
    assert_eq!(
        (&ended["verdict"], &ended["kept"]),
        (&"worse".into(), &false.into()),
        "{ended}"
    );
    let estimate = &ended["estimate"];
    assert!(number(&estimate["percent_low"]) > 0.0, "{ended}");
    assert!(
        number(&estimate["percent"]) < number(&estimate["percent_high"]),
        "{ended}"
    );
    wait("the trial to be gone", || told(&house).is_empty());
    assert_eq!(value_of(&house, "names.cache_entries"), "512");

    // What was missed without any room asks for no more of it.
    type_line(&mut terminal, "grep needle /dev/null");
    let cleaned = house.said(&["run", "cache-cleanup"]);
    assert!(cleaned.contains("nothing to do"), "{cleaned}");
    assert_eq!(told(&house), [""; 0]);
    assert_eq!(value_of(&house, "names.cache_entries"), "512");
    let shown = house.json(&["cache"]);
    let names = &shown["sessions"][0]["caches"][0];
    assert_eq!(
        (&names["name"], &names["capacity"]),
        (&"names".into(), &512.into()),
        "{shown}"
    );
    assert!(number(&names["asked"]) > 0.0, "{shown}");

    let history = house.said(&["optimize", "--history"]);
    // Where a row ends goes by how long the number is.
    let history = history.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(history.contains("worse, not kept"), "{history}");
    let audit = house.json(&["audit", "show", "--limit", "100"]);
    let records = audit["records"].as_array().unwrap();
    let of = |text: &str| {
        let has = |record: &&Value| record.to_string().contains(text);
        records.iter().filter(has).count()
    };
    assert!(of("try names.cache_entries=0") > 0, "{audit}");
    assert_eq!(of("names.cache_entries = 0: worse"), 1, "{audit}");
}

#[test]
fn a_good_lever_is_kept_with_its_interval() {
    let mut house = Household::with_worker(LONG_PATH, OFTEN);
    let mut terminal = house.session();
    house.said(&["optimize", "--force", "names.keep=path"]);
    for _ in 0..10 {
        type_line(&mut terminal, "grep needle /dev/null");
    }
    // A worker that is killed forgets nothing of it.
    let before = house.kill_worker();
    house.start_worker(OFTEN);
    house.wait_for_worker(before);
    let ended = type_until_ended(&house, &mut terminal, "grep needle /dev/null");
    println!("{ended}");
    assert_eq!(
        (&ended["verdict"], &ended["kept"]),
        (&"better".into(), &true.into()),
        "{ended}"
    );
    let estimate = &ended["estimate"];
    assert!(number(&estimate["percent_high"]) < 0.0, "{ended}");
    assert!(number(&ended["pairs"]) >= 32.0, "{ended}");
    assert_eq!(value_of(&house, "names.keep"), "path");
    assert_eq!(told(&house), ["set names.keep path"]);

    // A name that comes into PATH is seen at the next prompt all the same.
    type_line(
        &mut terminal,
        "printf '#!/bin/sh\\n' >~/d3/quuxly; chmod +x ~/d3/quuxly",
    );
    terminal.press("quuxly").unwrap();
    // The colour of the last letter typed.
    let colour = |terminal: &Terminal| {
        let (row, column) = terminal.cursor();
        let cell = terminal.screen().cell(row, column - 1).unwrap();
        (cell.contents().to_owned(), cell.fgcolor())
    };
    let known = colour(&terminal);
    terminal.press("\r").unwrap();
    type_line(&mut terminal, "rm ~/d3/quuxly");
    terminal.press("quuxly").unwrap();
    assert_ne!(colour(&terminal), known, "it is gone");
    terminal.press("\r").unwrap();

    // A right that is taken away shows in no folder: a check finds it, while nobody types.
    type_line(
        &mut terminal,
        "printf '#!/bin/sh\\n' >~/d3/quuxly; chmod +x ~/d3/quuxly",
    );
    type_line(&mut terminal, "quuxly");
    type_line(&mut terminal, "chmod -x ~/d3/quuxly");
    wait("the check to find it", || {
        terminal.press("\r").unwrap();
        metric(&house, "caches_wrong") > 0.0
    });

    house.said(&["optimize", "--reset", "names.keep"]);
    assert_eq!(value_of(&house, "names.keep"), "prompt");
    assert_eq!(told(&house), [""; 0]);
}

#[test]
fn with_too_little_typing_nothing_is_concluded() {
    let house = Household::with_worker("", OFTEN);
    let mut terminal = house.session();
    house.said(&["optimize", "--force", "names.keep=path", "--within", "1"]);
    let shown = || {
        let files = std::fs::read_dir(house.runtime().join("sessions")).unwrap();
        let paths = files.map(|entry| entry.unwrap().path());
        let mut flights = paths.filter(|path| path.extension().is_some_and(|name| name == "flight"));
        let snapshot = lle_metrics::Snapshot::read(&flights.next().unwrap()).unwrap();
        snapshot.gauge(lle_metrics::Gauge::TrialId)
    };
    type_line(&mut terminal, "grep needle /dev/null");
    wait("the session to compare lines", || {
        shown().is_some_and(|id| id > 0) || ended(&house).is_some()
    });
    let mut found = None;
    wait("the trial to end", || {
        // Somebody uses the session, and hardly types.
        terminal.press("\r").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        found = ended(&house);
        found.is_some()
    });
    let ended = found.unwrap();
    assert_eq!(
        (&ended["verdict"], &ended["kept"]),
        (&"inconclusive".into(), &false.into()),
        "{ended}"
    );
    assert!(ended["estimate"].is_null(), "{ended}");
    assert!(
        ended["why"].as_str().unwrap().contains("too little was typed"),
        "{ended}"
    );
    wait("the trial to be gone", || told(&house).is_empty());
    wait("the session to show no trial", || {
        terminal.press("\r").unwrap();
        shown() == Some(0)
    });
}

#[test]
fn where_suggestions_come_from_is_tried_on_real_lines() {
    let house = Household::with_worker("", OFTEN);
    let mut terminal = house.session();
    let line = "grep needle /dev/null";
    type_line(&mut terminal, line);
    for (lever, value) in [("suggestion.source", "memory"), ("history.search", "scan")] {
        house.said(&["optimize", "--force", &format!("{lever}={value}")]);
        let mut pairs = 0.0;
        for _ in 0..LINES_MAX {
            // What is suggested is the same with either value.
            type_keys(&mut terminal, "grep nee");
            terminal.settle().unwrap();
            let row = usize::from(terminal.cursor().0);
            let shown = terminal.screen().rows(0, 80).nth(row).unwrap();
            assert!(shown.ends_with(line), "{lever}: {}", terminal.text());
            type_keys(&mut terminal, "dle /dev/null\r");
            let trials = trials(&house);
            let open = trials["open"].as_array().unwrap();
            pairs = open.first().map_or(pairs, |open| number(&open["pairs"]));
            if pairs >= 2.0 {
                break;
            }
        }
        assert!(pairs >= 2.0, "{lever}: {}", trials(&house));
        house.said(&["optimize", "--withdraw"]);
        wait("the trial to be gone", || told(&house).is_empty());
    }
}

#[test]
fn who_only_observes_or_advises_turns_nothing() {
    let house = Household::with_worker(LONG_PATH, OFTEN);
    let mut terminal = house.session();
    house.said(&["mode", "performance", "observe"]);
    house.said(&["schedule", "performance", "--when", "every 1s"]);
    let note = |house: &Household| house.task("performance")["last_note"].to_string();
    let advice = |house: &Household| house.json(&["optimize", "--advise"])["opportunities"].clone();
    wait("an opportunity", || {
        type_line(&mut terminal, "grep needle /dev/null");
        advice(&house).to_string().contains("names.keep")
    });
    let said = house.said(&["optimize", "--advise"]);
    assert!(said.contains("names.keep = path, now prompt: may save"), "{said}");
    wait("a run that observes", || {
        note(&house).contains("not done: mode is observe")
    });
    house.said(&["mode", "performance", "advise"]);
    wait("a run that advises", || {
        note(&house).contains("would try names.keep = path; not done: mode is advise")
    });
    // Asked for by hand it is said, and not done: the modes change nothing at all.
    let refused = house.maint(&["optimize"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success(), "{said}");
    assert!(
        said.contains("its mode is advise") && said.contains("--force names.keep=path"),
        "{said}"
    );
    for _ in 0..8 {
        type_line(&mut terminal, "grep needle /dev/null");
    }
    assert_eq!(told(&house), [""; 0]);
    let trials = trials(&house);
    assert_eq!(
        (&trials["open"], &trials["ended"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );

    house.said(&["mode", "performance", "automatic"]);
    wait("a trial", || {
        told(&house).iter().any(|line| line.ends_with("names.keep path"))
    });
    house.said(&["mode", "performance", "observe"]);
    wait("the trial to be withdrawn", || told(&house).is_empty());
    let ended = ended(&house).unwrap();
    assert_eq!(
        (&ended["verdict"], &ended["kept"]),
        (&"withdrawn".into(), &false.into()),
        "{ended}"
    );
}

fn metric(house: &Household, name: &str) -> f64 {
    let metrics = house.json(&["metrics"]);
    let metrics = metrics["metrics"].as_array().unwrap();
    let of = |row: &&Value| row["name"] == name && row["session"].is_string();
    metrics
        .iter()
        .find(of)
        .and_then(|row| row["value"].as_f64())
        .unwrap_or(0.0)
}

#[test]
fn room_goes_to_the_cache_that_wins_most_by_it() {
    let house = Household::with_worker("", OFTEN);
    let mut terminal = house.session();
    // The same beginnings again and again, as somebody types who cannot make up their mind.
    let waver = |terminal: &mut Terminal| {
        for _ in 0..60 {
            type_keys(terminal, "gr\x7f\x7f");
        }
        terminal.press("\r").unwrap();
    };
    wait("enough to be asked", || {
        waver(&mut terminal);
        terminal.press("\r").unwrap();
        metric(&house, "cache_misses") > 250.0
    });
    assert_eq!(
        metric(&house, "suggestion_cache_hit_percent"),
        0.0,
        "out of the box nothing is kept"
    );
    let is_tried = |house: &Household| {
        let told = told(house);
        matches!(&told[..], [one] if one.starts_with("trial ") && one.ends_with("suggestion.cache_entries 64"))
    };
    house.said(&["mode", "cache-cleanup", "advise"]);
    let refused = house.maint(&["run", "cache-cleanup"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("its mode is advise"),
        "{said}"
    );
    assert!(said.contains("--force suggestion.cache_entries=64"), "{said}");
    assert_eq!(
        told(&house),
        [""; 0],
        "who advises turns nothing, at a person's word neither"
    );
    house.said(&["mode", "cache-cleanup", "automatic"]);
    let said = house.said(&["run", "cache-cleanup"]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("suggestion.cache_entries = 64 instead of 0"),
        "{said}"
    );
    assert!(is_tried(&house), "{:?}", told(&house));
    // What was missed before it had that room asks for no more.
    let said = house.said(&["run", "cache-cleanup"]);
    assert!(said.contains("nothing to do"), "{said}");
    // Half of the lines are typed with that room.
    wait("hits", || {
        waver(&mut terminal);
        terminal.press("\r").unwrap();
        metric(&house, "suggestion_cache_hit_percent") > 5.0
    });
    house.said(&["optimize", "--reset", "suggestion.cache_entries"]);
    assert_eq!(told(&house), [""; 0], "the trial goes with the setting");
}

/// Presses Enter until the session compares two values, or does not any more.
fn wait_for_arms(house: &Household, terminal: &mut Terminal, compares: bool) {
    wait("the session to hear of the trial, or of its end", || {
        terminal.press("\r").unwrap();
        terminal.settle().unwrap();
        let files = std::fs::read_dir(house.runtime().join("sessions")).unwrap();
        let paths = files.map(|entry| entry.unwrap().path());
        let mut flights = paths.filter(|path| path.extension().is_some_and(|name| name == "flight"));
        let snapshot = lle_metrics::Snapshot::read(&flights.next().unwrap()).unwrap();
        let trial = snapshot.gauge(lle_metrics::Gauge::TrialId);
        trial.is_some_and(|id| (id > 0) == compares)
    });
}

#[test]
fn a_value_on_trial_goes_with_the_worker() {
    let mut house = Household::with_worker("", OFTEN);
    let mut terminal = house.session();
    house.said(&["optimize", "--force", "completion.deadline_ms=100"]);
    wait_for_arms(&house, &mut terminal, true);
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    assert_eq!(told(&house), [""; 0]);
    wait_for_arms(&house, &mut terminal, false);
    for words in [&["optimize", "--history"][..], &["status"]] {
        let said = house.said(words);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("there is no worker"), "{said}");
    }
    let refused = house.maint(&["optimize", "--withdraw"]);
    let refused = String::from_utf8(refused.stderr).unwrap();
    for said in [refused, house.said(&["health"])] {
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let how = "t was stopped, and no session starts another: `lusush maint start` does";
        assert!(said.contains(how), "{said}");
    }

    // The next one goes on with it. One that is killed leaves it in the file; where no other comes, no session heeds it.
    let stopped = house.folder().join("stopped");
    std::fs::remove_file(&stopped).unwrap();
    house.start_worker(OFTEN);
    wait_for_arms(&house, &mut terminal, true);
    house.kill_worker();
    std::fs::write(&stopped, "").unwrap();
    assert_eq!(told(&house).len(), 1, "nobody took it back");
    wait_for_arms(&house, &mut terminal, false);
}

#[test]
fn while_the_optimiser_is_paused_nothing_is_tried() {
    let house = Household::with_worker(LONG_PATH, OFTEN);
    let mut terminal = house.session();
    house.said(&["optimize", "--force", "names.keep=path"]);
    assert_eq!(told(&house).len(), 1);
    let said = house.said(&["pause", "performance"]);
    assert!(said.contains("names.keep = path waits"), "{said}");
    assert_eq!(told(&house), [""; 0]);
    for _ in 0..8 {
        type_line(&mut terminal, "grep needle /dev/null");
    }
    let shown = trials(&house);
    assert_eq!(shown["ended"], Value::Array(vec![]), "{shown}");
    assert_eq!(value_of(&house, "names.keep"), "prompt");
    let history = house.said(&["optimize", "--history"]);
    let history = history.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        history.contains("waits, and no line is typed with it, since performance is paused"),
        "{history}"
    );
    let said = house.said(&["resume", "performance"]);
    assert!(said.contains("names.keep = path goes on"), "{said}");
    assert_eq!(told(&house).len(), 1);
}
