//! What `maint why` names and advises in real sessions: nothing that could not be followed, and nothing left out unsaid.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use lle_pty::Terminal;
use serde_json::Value;

mod support;

use support::household::{Household, wait};
use support::press;

const MS: u64 = 1_000_000;

/// A session after `n` prompts behind the first.
fn session(house: &Household, n: usize) -> Terminal {
    let mut terminal = house.session();
    for _ in 0..n {
        press(&mut terminal, "true\r", "$");
    }
    terminal
}

/// An answer as one line.
fn said(house: &Household, of: &str) -> String {
    let said = house.said(&["why", of]);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn part<'a>(why: &'a Value, name: &str) -> &'a Value {
    let parts = why["parts"].as_array().unwrap();
    let part = parts.iter().find(|part| part["name"] == name);
    part.unwrap_or_else(|| panic!("no {name}: {why:#}"))
}

#[test]
fn what_cannot_be_put_off_is_not_advised() {
    for (ps1, name) in [
        (r"\w \[$(sleep 0.04)\] $ ", "sleep 0.04"),
        (r"\w $(( $(sleep 0.05; echo 1)+1 )) $ ", "sleep 0.05"),
        (r"${x:-$(sleep 0.03)}$ ", "sleep 0.03"),
    ] {
        let house = Household::new(&format!("PS1='{ps1}'\n"));
        let _terminal = session(&house, 4);
        let why = house.json(&["why", "prompt"]);
        assert_eq!(part(&why, name)["may_wait"], false, "{why:#}");
        assert!(why["may_be_cached"].is_null(), "{why:#}");
        let said = said(&house, "prompt");
        assert!(
            said.contains("cannot be put off where it stands") && !said.contains("config set"),
            "{said}"
        );
    }
}

#[test]
fn advice_that_was_followed_is_not_given_again_and_what_fits_nothing_is_told() {
    // Far enough from each other for a machine that stands still for a moment.
    let rc = "PS1='$(sleep 0.2; echo s)$(sleep 0.03; echo t)$ '\n";
    let house = Household::with_worker(rc, &["--look-every", "200"]);
    let mut terminal = session(&house, 4);
    let set = |list: &str| house.said(&["config", "set", "prompt.cached", list]);
    let advised = || house.json(&["why", "prompt"])["may_be_cached"].clone();
    assert_eq!(advised(), "sleep 0.2");
    set(r#"["git stats"]"#);
    let said_now = said(&house, "prompt");
    assert!(
        said_now.contains(r#"prompt.cached '["git stats","sleep 0.2"]'"#),
        "{said_now}"
    );
    wait("what fits nothing to be told", || {
        press(&mut terminal, "true\r", "$");
        said(&house, "prompt").contains("at the last prompt: `git stats`.")
    });
    set(r#"["git stats","sleep 0.2"]"#);
    wait("the next advice", || {
        press(&mut terminal, "true\r", "$");
        advised() == "sleep 0.03"
    });
    set(r#"["sleep 0.03","sleep 0.2"]"#);
    wait("the end of all advice", || {
        press(&mut terminal, "true\r", "$");
        let why = house.json(&["why", "prompt"]);
        why["may_be_cached"].is_null() && why["fits_nothing"].is_null()
    });
}

#[test]
fn what_is_slow_is_named_however_many_quick_ones_come_first() {
    let quick: String = (0..60).map(|n| format!("v{n}=1; ")).collect();
    let inner: String = (0..25).map(|n| format!("w{n}=1\n")).collect();
    let functions: String = (0..80)
        .map(|n| format!("f{n}() {{ x{n}=1; }}; PROMPT_COMMAND+=(f{n}); "))
        .collect();
    for (rc, name, least) in [
        (format!("PROMPT_COMMAND='{quick}sleep 0.1'\n"), "sleep 0.1", 100),
        (
            format!("printf '%s' '{inner}br=$(sleep 0.05; echo main)' >~/p.sh\nPROMPT_COMMAND='. ~/p.sh'\n"),
            "br=$(sleep 0.05",
            50,
        ),
        (
            format!("PROMPT_COMMAND=()\n{functions}\nPROMPT_COMMAND+=('sleep 0.06')\n"),
            "sleep 0.06",
            60,
        ),
    ] {
        let house = Household::new(&rc);
        let _terminal = session(&house, 3);
        let why = house.json(&["why", "prompt"]);
        let slow = part(&why, name);
        assert!(slow["mean_ns"].as_u64().unwrap() >= least * MS, "{why:#}");
        assert_eq!(slow["count"], 3, "{why:#}");
        let others = why["parts"].as_array().unwrap();
        let others = others.iter().filter(|part| part["name"] == "(others)");
        assert!(
            others.map(|part| part["sum_ns"].as_u64().unwrap()).sum::<u64>()
                < slow["sum_ns"].as_u64().unwrap(),
            "{why:#}"
        );
    }
}

#[test]
fn a_part_that_runs_twice_in_a_prompt_is_told_by_prompt() {
    let git = "git() { :; }\nPS1='$(git -C / status; sleep 0.03)$(git -C / log; sleep 0.05)$ '\n";
    let house = Household::new(git);
    let _terminal = session(&house, 3);
    let why = house.json(&["why", "prompt"]);
    let git = part(&why, "git");
    assert_eq!(git["count"], 3, "{why:#}");
    assert!(git["mean_ns"].as_u64().unwrap() >= 80 * MS, "{why:#}");
}

#[test]
fn the_first_prompt_is_divided_and_what_came_before_is_told() {
    let house = Household::new("PS1='\\u $(sleep 0.05; echo s) $ '\n");
    let _terminal = house.session();
    let why = house.json(&["why", "startup"]);
    let slow = part(&why, "sleep 0.05");
    assert_eq!(slow["kind"], "substitution", "{why:#}");
    assert!(slow["sum_ns"].as_u64().unwrap() >= 50 * MS, "{why:#}");
    assert!(why["before_load_ns"].as_u64().unwrap() > 0, "{why:#}");
    let said = said(&house, "startup");
    assert!(said.contains("before LLE was loaded are not in here"), "{said}");
}

#[test]
fn what_runs_beside_the_prompt_is_named_as_not_timed() {
    let house = Household::new("PS0='$(sleep 0.01)'\nPS2='$(sleep 0.01)> '\n");
    let mut terminal = session(&house, 1);
    let not_timed = || {
        house.json(&["why", "prompt"])["not_timed"]
            .as_array()
            .map_or(0, Vec::len)
    };
    assert_eq!(not_timed(), 2);
    press(&mut terminal, "trap : DEBUG\r", "$");
    assert_eq!(not_timed(), 3);
    press(&mut terminal, "trap - DEBUG; unset PS0; PS2='> '\r", "$");
    assert_eq!(not_timed(), 0);
}

#[test]
fn what_completes_is_named_and_what_was_typed_is_not() {
    let house = Household::new(
        "_slow() { sleep 0.3; COMPREPLY=(alpha); }; complete -F _slow foo\n\
         _quick() { COMPREPLY=(beta); }; complete -F _quick bar\nPS1='$ '\n",
    );
    let mut terminal = house.session();
    let empty = said(&house, "completion");
    assert!(empty.contains("press Tab behind a command"), "{empty}");
    for (typed, becomes) in [
        ("foo --secret=hunter2 al\t", "foo --secret=hunter2 alpha"),
        ("bar be\t", "bar beta"),
        ("foo al\t", "foo alpha"),
        // Who keeps a line to themselves finds nothing of it here.
        (" bar be\t", " bar beta"),
    ] {
        press(&mut terminal, typed, becomes);
        press(&mut terminal, "\x15", "$");
    }
    let why = house.json(&["why", "completion"]);
    let (slow, quick) = (part(&why, "_slow"), part(&why, "_quick"));
    assert_eq!(slow["within"], "bash's completion", "{why:#}");
    assert_eq!(
        (&slow["count"], &quick["count"]),
        (&2.into(), &1.into()),
        "{why:#}"
    );
    let number = |value: &Value| value.as_f64().unwrap();
    assert!(number(&slow["sum_ns"]) >= 600.0 * MS as f64, "{why:#}");
    let share = 100.0 * number(&slow["sum_ns"]) / number(&why["whole"]["sum_ns"]);
    assert!((number(&slow["share_percent"]) - share).abs() < 0.1, "{why:#}");
    assert!(
        number(&quick["share_percent"]) < number(&slow["share_percent"]),
        "{why:#}"
    );
    let said = said(&house, "completion");
    assert!(
        said.contains("Most of it is `_slow`") && !said.contains("hunter"),
        "{said}"
    );
}
