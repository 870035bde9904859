//! A configuration proves itself, or goes again: in a real session, by a real worker.
//!
//! No duration is asserted but one: a sleep takes no less than it was asked for.
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod support;

use std::fs;
use std::path::PathBuf;

use lle_pty::{Home, Terminal, test_bashes};
use serde_json::Value;
use support::household::{Household, wait};
use support::{load_lle, press, runs};

/// Looks often: each look is an observation.
const OFTEN: &[&str] = &["--look-every", "100"];
const BASE: &str = "# mine\n[editor]\nsuggest = true\n";

fn file(house: &Household) -> PathBuf {
    house.home.lusush().join("config/config.toml")
}

fn text(house: &Household) -> String {
    fs::read_to_string(file(house)).unwrap()
}

/// Presses Enter until something holds.
fn use_until(terminal: &mut Terminal, what: &str, mut holds: impl FnMut() -> bool) {
    wait(what, || {
        press(terminal, "true\r", "$");
        holds()
    });
}

/// Uses a session until of every session some prompts are known.
fn use_a_while(house: &Household, terminal: &mut Terminal) {
    use_until(terminal, "prompts of every session to be known", || {
        let anomalies = house.json(&["anomalies"]);
        let known = anomalies["prompts"].as_object();
        known.is_some_and(|known| known.values().all(|n| n.as_u64().is_some_and(|n| n >= 12)))
    });
}

fn in_force(house: &Household) -> u64 {
    house.json(&["config", "trials"])["in_force"].as_u64().unwrap()
}

/// The version on trial.
fn on_trial(house: &Household) -> Option<u64> {
    house.json(&["config", "trials"])["open"][0]["config_version"].as_u64()
}

/// What became of the version's trial.
fn ended(house: &Household, version: u64) -> Option<Value> {
    let trials = house.json(&["config", "trials"]);
    let found = trials["ended"]
        .as_array()?
        .iter()
        .find(|trial| trial["config_version"] == version);
    found.cloned()
}

/// A worker that follows a configuration, and a session that was used under it.
fn used() -> (Household, Terminal) {
    used_under(BASE, OFTEN)
}

/// The same with a file that says that, and a worker with these options.
fn used_under(text: &str, options: &[&str]) -> (Household, Terminal) {
    let house = Household::with_worker("", options);
    fs::create_dir_all(file(&house).parent().unwrap()).unwrap();
    fs::write(file(&house), text).unwrap();
    let mut terminal = house.session();
    wait("the file to be in force", || in_force(&house) == 1);
    use_a_while(&house, &mut terminal);
    (house, terminal)
}

#[test]
fn a_configuration_that_slows_the_prompt_is_taken_back_and_says_what_it_cost() {
    let (house, mut terminal) = used();
    house.said(&["config", "set", "prompt.command", "sleep 0.2"]);
    wait("it to be on trial", || on_trial(&house) == Some(2));
    use_until(&mut terminal, "it to be taken back", || {
        ended(&house, 2).is_some()
    });
    let trial = ended(&house, 2).unwrap();
    assert_eq!(
        (&trial["outcome"], &trial["kept"]),
        (&"taken back".into(), &false.into()),
        "{trial}"
    );
    let why = trial["why"].as_str().unwrap();
    assert!(
        why.starts_with("prompts were ") && why.contains(" ms slower ("),
        "{why}"
    );
    // Since, a prompt takes no less than the sleep, whatever it took before.
    let difference = &trial["measures"][0]["difference"];
    let since = difference["before_ns"].as_f64().unwrap() + difference["by_ns"].as_f64().unwrap();
    assert!(since >= 200e6, "{trial}");
    assert_eq!(text(&house), BASE, "it says again what it said");
    assert_eq!((in_force(&house), on_trial(&house)), (3, None));
    let told = format!("config version 2 taken back: {}", why.split(" (").next().unwrap());
    wait("it to be told", || {
        press(&mut terminal, "true\r", "$");
        terminal.text().contains(&told)
    });
    press(&mut terminal, "clear\r", "$");
    for _ in 0..3 {
        press(&mut terminal, "true\r", "$");
        assert!(
            !terminal.text().contains("taken back"),
            "it is told once:\n{}",
            terminal.text()
        );
    }
    // What was refused is not lost, and it is known what became of it.
    assert!(house.said(&["config", "diff", "1", "2"]).contains("sleep 0.2"));
    let log = house.json(&["config", "log"]);
    assert_eq!(log["versions"][1]["verdict"], "taken-back", "{log}");
    assert!(
        house
            .said(&["config", "trials"])
            .contains("version 2 (prompt.command)")
    );
    let audit = house.json(&["audit", "show"]).to_string();
    assert!(audit.contains("use config version 1 instead of 2"), "{audit}");
    house.said(&["audit", "verify"]);
}

#[test]
fn what_the_configured_command_takes_is_named() {
    let house = Household::new("");
    let spawn = house.home.spawn("bash").size(30, 80);
    let mut terminal = Terminal::spawn(&spawn.env("LUSUSH_CONFIG_PROMPT_COMMAND", "sleep 0.06")).unwrap();
    terminal.settle().unwrap();
    for _ in 0..4 {
        press(&mut terminal, "true\r", "$");
    }
    let why = house.json(&["why", "prompt"]);
    assert!(why.to_string().contains("\"sleep 0.06\""), "{why}");
}

#[test]
fn a_word_keeps_it_and_an_edit_takes_its_place() {
    let (house, mut terminal) = used();
    house.said(&["config", "set", "editor.theme", "light"]);
    wait("it to be on trial", || on_trial(&house) == Some(2));
    fs::write(file(&house), format!("{BASE}theme = \"deep\"\n")).unwrap();
    wait("the edit to be on trial", || on_trial(&house) == Some(3));
    assert_eq!(ended(&house, 2).unwrap()["outcome"], "replaced");
    let open = house.json(&["config", "trials"])["open"][0].clone();
    assert_eq!(
        (&open["earlier"], &open["keys"][0]),
        (&2.into(), &"editor.theme".into()),
        "{open}"
    );
    press(&mut terminal, "true\r", "$");
    let refused = house.maint(&["config", "confirm", "2"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("version 3 is on trial"),
        "{said}"
    );
    assert_eq!(house.said(&["config", "confirm"]), "Version 3 stays.\n");
    assert_eq!(ended(&house, 3).unwrap()["outcome"], "confirmed");
    let none = house.maint(&["config", "confirm"]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("no configuration is on trial"));
    assert_eq!(
        house.json(&["config", "log"])["versions"][2]["verdict"],
        "confirmed"
    );
}

#[test]
fn what_is_applied_for_a_while_goes_whatever_dies_unless_it_is_confirmed() {
    let (mut house, mut terminal) = used();
    let candidate = house.home.path().join("candidate.toml");
    fs::write(&candidate, "[editor]\ntheme = \"light\"\n").unwrap();
    let apply = |house: &Household, long: &str| {
        let words = ["config", "apply", candidate.to_str().unwrap(), "--for", long];
        let said = house.said(&words);
        assert!(said.contains("`lusush maint config confirm` keeps it"), "{said}");
    };
    // Long enough for what comes before the next worker, on a slow machine.
    apply(&house, "5s");
    wait("it to be on trial", || on_trial(&house) == Some(2));
    house.kill_worker();
    assert!(text(&house).contains("light"), "nobody is there to take it back");
    house.start_worker(OFTEN);
    assert_eq!(on_trial(&house), Some(2), "the next worker knows");
    use_until(&mut terminal, "it to be taken back", || {
        ended(&house, 2).is_some()
    });
    assert_eq!(text(&house), BASE);
    assert_eq!(ended(&house, 2).unwrap()["why"], "nobody confirmed it in time");
    apply(&house, "1h");
    wait("it to be on trial", || on_trial(&house).is_some());
    let version = on_trial(&house).unwrap();
    house.said(&["config", "confirm", &version.to_string()]);
    use_until(&mut terminal, "it to be over", || {
        ended(&house, version).is_some()
    });
    assert!(text(&house).contains("light"));
    // What holds already proves nothing.
    let again = house.maint(&["config", "apply", candidate.to_str().unwrap(), "--for", "1s"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("says that already"));
}

#[test]
fn what_was_saved_meanwhile_is_not_written_over() {
    let (house, mut terminal) = used();
    house.said(&["config", "set", "prompt.command", "sleep 0.2"]);
    wait("it to be on trial", || on_trial(&house) == Some(2));
    // Half a thought, which does not come into force.
    let broken = "[editor\n";
    fs::write(file(&house), broken).unwrap();
    use_until(&mut terminal, "the trial to end", || ended(&house, 2).is_some());
    assert_eq!(text(&house), broken);
    let trial = ended(&house, 2).unwrap();
    assert_eq!(trial["outcome"], "worse, and kept", "{trial}");
    assert!(
        trial["why"].as_str().unwrap().contains("could not be taken back"),
        "{trial}"
    );
}

/// A change that only prompts can tell about, and a session that is used until its time is up without one: what became of
/// the trial, and the file.
fn without_a_prompt(inconclusive: &str) -> (Household, Terminal, Value, String) {
    let base = format!("{BASE}[trial]\nactive_minutes = 10\ninconclusive = \"{inconclusive}\"\n");
    // Ten minutes of two seconds.
    let options = [OFTEN, &["--minute", "200"]].concat();
    let (house, mut terminal) = used_under(&base, &options);
    house.said(&["config", "set", "prompt.command", "true"]);
    wait("it to be on trial", || on_trial(&house) == Some(2));
    wait("its time to be up", || {
        // Somebody is there, and never presses Enter.
        terminal.press("x\x7f").unwrap();
        ended(&house, 2).is_some()
    });
    let trial = ended(&house, 2).unwrap();
    assert_eq!(trial["why"], "too few to tell: prompts", "{trial}");
    let file = text(&house);
    (house, terminal, trial, file)
}

#[test]
fn what_nobody_can_tell_stays_where_that_was_asked_for_and_says_so() {
    let (house, _terminal, trial, file) = without_a_prompt("keep");
    assert_eq!(
        (&trial["outcome"], &trial["kept"]),
        (&"kept, undecided".into(), &true.into()),
        "{trial}"
    );
    assert!(file.contains("command = \"true\""), "{file}");
    assert_eq!(in_force(&house), 2);
    let said = house.said(&["config", "trials"]);
    assert!(
        said.contains("version 2 (prompt.command)")
            && said.contains("kept, undecided; too few to tell: prompts"),
        "{said}"
    );
    // It has neither proved itself nor failed.
    let log = house.json(&["config", "log"]);
    assert_eq!(log["versions"][1]["verdict"], Value::Null, "{log}");
}

#[test]
fn what_nobody_can_tell_goes_where_that_was_asked_for_and_says_so() {
    let (house, mut terminal, trial, file) = without_a_prompt("revert");
    assert_eq!(
        (&trial["outcome"], &trial["kept"]),
        (&"taken back, undecided".into(), &false.into()),
        "{trial}"
    );
    assert!(!file.contains("prompt"), "{file}");
    assert_eq!(in_force(&house), 3);
    wait("it to be told", || {
        press(&mut terminal, "true\r", "$");
        let shown = terminal.text().replace('\n', "");
        shown.contains("config version 2 taken back: too few to tell: prompts")
    });
}

#[test]
fn a_theme_that_is_edited_is_on_trial_as_well_and_goes_again_if_a_session_fails() {
    let (house, mut terminal) = used();
    let theme = file(&house).with_file_name("themes").join("mine.toml");
    fs::create_dir(theme.parent().unwrap()).unwrap();
    let good = "[roles]\ncommand = \"#010203\"\n";
    fs::write(&theme, good).unwrap();
    house.said(&["config", "set", "editor.theme", "mine"]);
    wait("the theme to be on trial", || on_trial(&house).is_some());
    house.said(&["config", "confirm"]);
    let before = in_force(&house);
    fs::write(&theme, "[roles]\ncommand = \"201\"\n").unwrap();
    wait("its other colours to be on trial", || on_trial(&house).is_some());
    let open = house.json(&["config", "trials"])["open"][0].clone();
    assert_eq!(
        (&open["keys"], &open["earlier"]),
        (&serde_json::json!(["themes/mine.toml"]), &before.into()),
        "{open}"
    );
    let measured: Vec<&str> = open["measures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|measure| measure["name"].as_str().unwrap())
        .collect();
    assert_eq!(measured, ["colours", "keys"]);
    let version = on_trial(&house).unwrap();
    wait("the session to follow", || {
        house.json(&["config", "status"])["sessions"][0]["version"] == version
    });
    terminal.press("lle panic\r").unwrap();
    terminal.press("x\x7f").unwrap();
    wait("it to be taken back", || ended(&house, version).is_some());
    let trial = ended(&house, version).unwrap();
    assert_eq!(trial["outcome"], "taken back", "{trial}");
    assert!(
        trial["why"].as_str().unwrap().starts_with("LLE failed"),
        "{trial}"
    );
    assert_eq!(
        fs::read_to_string(&theme).unwrap(),
        good,
        "it says again what it said"
    );
    assert_eq!(on_trial(&house), None);
    // What it said is not lost, and its difference is told by the numbers that the message names.
    let said = house.said(&["config", "diff", &before.to_string(), &version.to_string()]);
    assert!(
        said.contains("-command = \"#010203\"\n+command = \"201\"\n"),
        "{said}"
    );
    let said = house.said(&["config", "rollback", &version.to_string()]);
    assert!(said.contains("mine.toml says again what version"), "{said}");
    assert!(fs::read_to_string(&theme).unwrap().contains("201"));
}

/// A session of a bash with a command that is run before its prompts.
fn with_command(bash: PathBuf, rc: &str, command: &str) -> (Home, Terminal) {
    let home = Home::new(&format!("{}{rc}", load_lle())).unwrap();
    let spawn = home.spawn(bash).size(30, 80);
    let mut terminal = Terminal::spawn(&spawn.env("LUSUSH_CONFIG_PROMPT_COMMAND", command)).unwrap();
    terminal
        .settle()
        .unwrap_or_else(|error| panic!("no prompt: {error}"));
    (home, terminal)
}

#[test]
fn the_configured_command_runs_once_a_line_as_prompt_command_does() {
    for shell in test_bashes() {
        eprintln!("bash {}", shell.version);
        for rc in ["PS1='[$n] $ '", "PS1='[$n] $ '; PROMPT_COMMAND='p=$n; false'"] {
            let (_home, mut terminal) = with_command(shell.program.clone(), rc, "n=$((n + 1)); (exit 7)");
            let mut press = |keys: &str, expected: &str| press(&mut terminal, keys, expected);
            press("", "[] $");
            press("false\r", "[1] $");
            press("echo status $?\r", "status 1\n[2] $");
            press("(exit 3) | true | (exit 4)\r", "[3] $");
            press("echo \"${PIPESTATUS[*]}\" $?\r", "3 0 4 4\n[4] $");
            // Looking PS1 up is no prompt, nor is a second row.
            press("x=${PS1}; y=$PS1; echo \"<$n>\"\r", "<4>\n[5] $");
            press("for i in 1 2\r", "");
            press("do :; done; echo last $_\r", "[6] $");
            press("dropped\x03", "^C\n[6] $");
            press("eval 'echo $PS1'; unset PS1\r", "");
            // Without a PS1 nobody looks one up.
            press("PS1='{$n} $ '\r", "{6} $");
            press("jobs; echo \"<$!>\"\r", "<>\n{7} $");
        }
    }
}

#[test]
fn ctrl_c_ends_the_configured_command_and_the_prompt_comes() {
    for shell in test_bashes() {
        eprintln!("bash {}", shell.version);
        // As bash runs PROMPT_COMMAND again before the prompt that follows an interrupted one, so some run this.
        let slow = "[ -e ~/slow ] && rm ~/slow && echo sleeping && sleep 600";
        let (_home, mut terminal) = with_command(shell.program, "PS1='$ '", slow);
        terminal.type_bytes(b"touch ~/slow\r").unwrap();
        terminal
            .wait_for("the command to run", |t| runs("sleep", t))
            .unwrap();
        press(&mut terminal, "\x03", "$ ");
        press(&mut terminal, "echo still $((40 + 2))\r", "still 42");
    }
}
