//! A slower prompt is blamed on the line that made it so: typed, or in a start-up file.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;

use lle_pty::Terminal;
use serde_json::Value;
use support::household::{Household, wait};
use support::press;

/// Prompts of every session that are known before anything is changed. On a busy machine some take a hundred times the
/// usual: then it takes a dozen on either side to tell, by their ranks, and of the last sixteen one may be far off.
const KNOWN_MIN: u64 = 16;
/// Looks often: what is told above prompts, and written down, comes with a look.
const OFTEN: &[&str] = &["--look-every", "100"];
/// Looks once an hour, and when somebody asks.
const SELDOM: &[&str] = &["--look-every", "3600000"];
/// A prompt that takes at least 60 ms longer.
const SLOW: &str = "PROMPT_COMMAND='sleep 0.06'";
/// How what is told of it ends, if it was typed.
const SLOW_TYPED: &str = "slower since `PROMPT_COMMAND='sleep 0.06'` was typed";

/// What was blamed for a slower prompt.
fn blamed(house: &Household) -> Option<Value> {
    let anomalies = house.json(&["anomalies"]);
    let found = anomalies["changes"]
        .as_array()?
        .iter()
        .find(|change| change["metric"] == "prompt_ns_recent" && change["worse"] == true);
    found.cloned()
}

/// Presses Enter until something holds.
fn use_until(terminal: &mut Terminal, what: &str, mut holds: impl FnMut() -> bool) {
    wait(what, || {
        press(terminal, "true\r", "$");
        holds()
    });
}

/// Uses a session until something is blamed, and gives what.
fn blame(house: &Household, terminal: &mut Terminal) -> (String, Value) {
    use_until(terminal, "the blame", || blamed(house).is_some());
    let blamed = blamed(house).unwrap();
    (blamed["title"].as_str().unwrap().to_owned(), blamed)
}

/// Adds a line to the start-up file.
fn add(house: &Household, line: &str) {
    let file = house.home.path().join(".bashrc");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}{line}\n")).unwrap();
}

/// Adds the slow line to the start-up file, and demands that a session which begins then has it named.
fn is_named_in_the_start_up_file(house: &Household) {
    add(house, SLOW);
    let (title, _) = blame(house, &mut house.session());
    assert!(
        title.contains("slower since ~/.bashrc:") && title.contains("PROMPT_COMMAND"),
        "{title}"
    );
}

/// Uses a session until of every session some prompts are known.
fn use_a_while(house: &Household, terminal: &mut Terminal) {
    use_until(terminal, "prompts of every session to be known", || {
        let anomalies = house.json(&["anomalies"]);
        let known = anomalies["prompts"].as_object();
        known.is_some_and(|known| known.values().all(|n| n.as_u64().is_some_and(|n| n >= KNOWN_MIN)))
    });
}

#[test]
fn a_line_that_was_typed_is_named() {
    let house = Household::with_worker("", OFTEN);
    let mut terminal = house.session();
    use_a_while(&house, &mut terminal);
    press(&mut terminal, &format!("{SLOW}\r"), "$");
    let (title, _) = blame(&house, &mut terminal);
    assert!(title.ends_with(SLOW_TYPED), "{title}");
    let findings = house.json(&["health"])["findings"].clone();
    assert!(findings.to_string().contains("was typed"), "{findings}");
}

#[test]
fn a_line_is_named_however_seldom_it_is_looked() {
    let house = Household::with_worker("", SELDOM);
    let mut terminal = house.session();
    use_a_while(&house, &mut terminal);
    press(&mut terminal, &format!("{SLOW}\r"), "$");
    (0..12).for_each(|_| press(&mut terminal, "true\r", "$"));
    // On a quiet machine it is known by now; on a busy one it takes some more. Only who asks looks.
    let (title, _) = blame(&house, &mut terminal);
    assert!(title.ends_with(SLOW_TYPED), "{title}");
}

#[test]
fn of_lines_typed_one_after_another_the_slow_one_is_named() {
    // The first prompt after the variable is made is not timed as a whole.
    let house = Household::with_worker("PROMPT_COMMAND=:\n", SELDOM);
    let mut terminal = house.session();
    use_a_while(&house, &mut terminal);
    // Each is a candidate; the second alone makes prompts slower.
    for line in ["PS1='1$ '", SLOW, "PS1='2$ '", "PS1='3$ '"] {
        press(&mut terminal, &format!("{line}\r"), "$");
    }
    let (title, blamed) = blame(&house, &mut terminal);
    assert!(title.ends_with(SLOW_TYPED), "{blamed}");
    assert!(
        !blamed.to_string().contains("PS1="),
        "no other is suspected: {blamed}"
    );
}

#[test]
fn a_function_that_is_defined_anew_is_named_and_lines_around_it_that_set_ps1_are_not() {
    let rc = "p() { :; }\nq() { :; }\nPROMPT_COMMAND=q\n";
    let q = "q() { sleep 0.06; }";
    for story in [["PS1='$(p)$ '", q], [q, "PS1='% $ '"]] {
        let house = Household::with_worker(rc, SELDOM);
        let mut terminal = house.session();
        use_a_while(&house, &mut terminal);
        for line in story {
            press(&mut terminal, &format!("{line}\r"), "$");
        }
        let (title, blamed) = blame(&house, &mut terminal);
        assert!(title.ends_with("slower since `q() { …` was typed"), "{blamed}");
        assert!(!blamed.to_string().contains("PS1="), "{blamed}");
    }
}

#[test]
fn a_file_that_is_read_and_a_variable_that_is_exported_are_named() {
    let rc = "q() { [[ -z $SHOWDIRTY ]] || sleep 0.06; }\nPROMPT_COMMAND=q\n";
    for (line, expect) in [
        (". ~/slow.sh", "slower since `. ~/slow.sh` was typed"),
        (
            "export SHOWDIRTY=1",
            "slower since `export SHOWDIRTY=…` was typed",
        ),
    ] {
        let house = Household::with_worker(rc, SELDOM);
        fs::write(house.home.path().join("slow.sh"), "q() { sleep 0.06; }\n").unwrap();
        let mut terminal = house.session();
        use_a_while(&house, &mut terminal);
        press(&mut terminal, &format!("{line}\r"), "$");
        let (title, blamed) = blame(&house, &mut terminal);
        assert!(title.ends_with(expect), "{blamed}");
    }
}

#[test]
fn of_lines_that_nothing_tells_apart_none_is_picked() {
    // The prompt between the two is not timed as a whole: the variable was made by the first.
    let house = Household::with_worker("PS1='0$ '\n", SELDOM);
    let mut terminal = house.session();
    use_a_while(&house, &mut terminal);
    for line in [SLOW, "PS1='2$ '"] {
        press(&mut terminal, &format!("{line}\r"), "$");
    }
    let (title, blamed) = blame(&house, &mut terminal);
    assert!(
        title.ends_with("since one of 2 changes at that moment"),
        "{blamed}"
    );
    assert!(blamed.to_string().contains("sleep 0.06"), "{blamed}");
}

#[test]
fn a_slower_folder_is_blamed_on_nobody_and_a_slow_line_in_it_is_named() {
    let house = Household::with_worker("PROMPT_COMMAND='[[ $PWD == */slow ]] && sleep 0.06'\n", SELDOM);
    fs::create_dir(house.home.path().join("slow")).unwrap();
    let mut terminal = house.session();
    use_a_while(&house, &mut terminal);
    // What it types does nothing; where it goes, prompts are slower from this line on.
    press(&mut terminal, "PS1='decoy $ '; cd ~/slow\r", "decoy $");
    use_a_while(&house, &mut terminal);
    assert_eq!(blamed(&house), None);
    // There a line is compared with what prompts took there.
    press(&mut terminal, "PROMPT_COMMAND='sleep 0.3'\r", "decoy $");
    use_until(&mut terminal, "the blame", || blamed(&house).is_some());
    let blamed = blamed(&house).unwrap();
    let title = blamed["title"].as_str().unwrap();
    assert!(
        title.ends_with("slower since `PROMPT_COMMAND='sleep 0.3'` was typed"),
        "{blamed}"
    );
}

#[test]
fn what_another_session_typed_is_not_blamed() {
    let house = Household::with_worker("PS1='one$ '\n", SELDOM);
    let (mut quiet, mut slow) = (house.session(), house.session());
    (0..KNOWN_MIN).for_each(|_| press(&mut quiet, "true\r", "$"));
    use_a_while(&house, &mut slow);
    press(&mut slow, &format!("{SLOW}\r"), "$");
    press(&mut quiet, "PS1='two$ '\r", "two$");
    use_until(&mut slow, "the blame", || {
        press(&mut quiet, "true\r", "two$");
        blamed(&house).is_some()
    });
    let (title, blamed) = blame(&house, &mut slow);
    assert!(title.ends_with(SLOW_TYPED), "{blamed}");
    assert!(
        !blamed.to_string().contains("PS1="),
        "it was typed elsewhere: {blamed}"
    );
}

#[test]
fn what_was_blamed_outlives_a_killed_worker() {
    let mut house = Household::with_worker("", OFTEN);
    let mut terminal = house.session();
    use_a_while(&house, &mut terminal);
    press(&mut terminal, &format!("{SLOW}\r"), "$");
    use_until(&mut terminal, "the blame", || blamed(&house).is_some());
    let before = blamed(&house);
    house.kill_worker().unwrap();
    assert_eq!(blamed(&house), before, "the state alone tells");
    house.start_worker(OFTEN);
    assert_eq!(blamed(&house), before);
    let findings = house.json(&["health"])["findings"].clone();
    assert!(findings.to_string().contains("was typed"), "{findings}");
    // One that ends in good order, as after ten minutes without a session, leaves it too.
    house.said(&["stop"]);
    wait("the worker to be gone", || house.worker().is_none());
    assert_eq!(blamed(&house), before);
}

#[test]
fn a_worker_killed_before_it_could_judge_leaves_its_suspicion() {
    let mut house = Household::with_worker("", OFTEN);
    let mut terminal = house.session();
    use_a_while(&house, &mut terminal);
    press(&mut terminal, &format!("{SLOW}\r"), "$");
    // The suspicion has begun: what is known of the prompts begins anew.
    wait("the suspicion", || {
        let known = house.json(&["anomalies"])["prompts"].clone();
        known.to_string().len() > 2
            && known
                .as_object()
                .is_some_and(|known| known.values().all(|n| n.as_u64() < Some(5)))
    });
    house.kill_worker().unwrap();
    assert_eq!(blamed(&house), None);
    house.start_worker(OFTEN);
    let (title, _) = blame(&house, &mut terminal);
    assert!(title.ends_with(SLOW_TYPED), "{title}");
}

#[test]
fn a_line_typed_while_no_worker_ran_is_named() {
    let mut house = Household::with_worker("", OFTEN);
    let mut terminal = house.session();
    use_a_while(&house, &mut terminal);
    // In good order: what it knew of the prompts is written. And stopped: the session is not to start one of its own.
    house.said(&["stop"]);
    wait("the worker to be gone", || house.worker().is_none());
    press(&mut terminal, &format!("{SLOW}\r"), "$");
    house.start_worker(OFTEN);
    use_until(&mut terminal, "the blame", || blamed(&house).is_some());
    // That the worker was stopped at that time is suspected, too, but less.
    let blamed = blamed(&house).unwrap();
    let first = blamed["suspects"][0]["what"].as_str().unwrap();
    assert_eq!(first, "`PROMPT_COMMAND='sleep 0.06'` was typed", "{blamed}");
}

#[test]
fn a_line_of_a_start_up_file_is_named_and_a_decoy_is_not() {
    let house = Household::with_worker("", OFTEN);
    let mut early = house.session();
    use_a_while(&house, &mut early);
    // Nothing of this makes a prompt slower.
    add(&house, "alias decoy=true");
    let mut decoyed = house.session();
    use_a_while(&house, &mut decoyed);
    assert_eq!(blamed(&house), None);
    is_named_in_the_start_up_file(&house);
}

#[test]
fn a_line_of_a_start_up_file_is_named_however_seldom_it_is_looked() {
    let house = Household::with_worker("", SELDOM);
    let mut early = house.session();
    assert_eq!(blamed(&house), None);
    // Nobody looks at these before the file is another.
    (0..KNOWN_MIN).for_each(|_| press(&mut early, "true\r", "$"));
    is_named_in_the_start_up_file(&house);
}

#[test]
fn a_mended_prompt_is_blamed_no_more_and_no_other_session_is_told() {
    let house = Household::with_worker("PROMPT_COMMAND=:\n", OFTEN);
    let mut terminal = house.session();
    let own = house.json(&["status"])["sessions"][0]["id"].clone();
    let own = own.as_str().unwrap();
    let told = |session: &str| {
        let why = house.json(&["why", "prompt", "--session", session]);
        why["slower_since"].as_str().map(str::to_owned)
    };
    use_a_while(&house, &mut terminal);
    press(&mut terminal, &format!("{SLOW}\r"), "$");
    blame(&house, &mut terminal);
    let slower = told(own).unwrap();
    assert!(
        slower.contains(&format!("{SLOW_TYPED}, found ")),
        "it is dated: {slower}"
    );
    (0..20).for_each(|_| press(&mut terminal, "true\r", "$"));
    // It is as slow there, but not by what was typed here.
    let mut other = house.session();
    press(&mut other, "PROMPT_COMMAND='sleep 0.07'\r", "$");
    (0..3).for_each(|_| press(&mut other, "true\r", "$"));
    let sessions = house.json(&["status"])["sessions"].clone();
    let ids = sessions.as_array().unwrap().iter();
    let others: Vec<&str> = ids
        .filter_map(|one| one["id"].as_str())
        .filter(|id| *id != own)
        .collect();
    let [other_id] = others[..] else {
        panic!("two sessions: {sessions}")
    };
    assert_eq!(told(other_id), None);

    press(&mut terminal, "PROMPT_COMMAND=:\r", "$");
    for _ in 0..12 {
        press(&mut terminal, "true\r", "$");
    }
    assert_eq!(told(own), None);
    let said = house.said(&["why", "prompt", "--session", own]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("Most of it was `sleep 0.06`, which did not run in the last"),
        "{said}"
    );
}
