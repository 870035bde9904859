//! What a person sees while a file is saved in another window.

use std::fs;

use lle_pty::Terminal;
use support::household::{Household, wait};

use super::*;

/// Colours of a command's name: `default`, `night`, `deep`.
const GREEN: vt100::Color = vt100::Color::Idx(2);
const NIGHT: vt100::Color = vt100::Color::Idx(114);

/// Waits until the first character behind the prompt has that colour.
fn turns(terminal: &mut Terminal, expect: vt100::Color) {
    let (row, _) = terminal.cursor();
    terminal
        .wait_for("another colour", |terminal| colour(terminal, row, 2) == expect)
        .unwrap_or_else(|error| panic!("{error}:\n{}", terminal.text()));
    // All of what was painted with it.
    terminal.settle().unwrap();
}

#[test]
fn another_theme_is_saved_while_a_command_is_typed() {
    let house = Household::with_worker("", &[]);
    let mut terminal = house.session();
    // Half a command, and the cursor within it.
    terminal.press("echo 'one two").unwrap();
    terminal.press("\x1b[D\x1b[D\x1b[D").unwrap();
    let (before, cursor) = (terminal.rows(), terminal.cursor());
    assert_eq!(colour(&terminal, cursor.0, 2), GREEN);
    save(&house, "editor.theme = \"night\"\n");
    turns(&mut terminal, NIGHT);
    assert_eq!((terminal.rows(), terminal.cursor()), (before.clone(), cursor));
    // A theme of one's own, and a change of it.
    fs::write(theme_file(&house, "mine"), "[roles]\ncommand = \"#010203\"\n").unwrap();
    save(&house, "editor.theme = \"mine\"\n");
    turns(&mut terminal, vt100::Color::Rgb(1, 2, 3));
    fs::write(theme_file(&house, "mine"), "[roles]\ncommand = \"201\"\n").unwrap();
    turns(&mut terminal, vt100::Color::Idx(201));
    assert_eq!((terminal.rows(), terminal.cursor()), (before, cursor));
    // It is the same line: what is typed goes where the cursor is, and undo knows of it.
    terminal.press("X").unwrap();
    assert!(terminal.text().contains("echo 'one Xtwo"), "{}", terminal.text());
    terminal.press("\x1f").unwrap();
    assert!(terminal.text().contains("echo 'one two"), "{}", terminal.text());
    followed(&house, in_force(&house));
}

#[test]
fn an_open_menu_stays_open() {
    let house = Household::with_worker("mkdir -p ~/m; cd ~/m; : >apple1 >apple2 >apple3\n", &[]);
    let mut terminal = house.session();
    terminal.press("ls app\t").unwrap();
    terminal.press("\t").unwrap();
    terminal.press("\t").unwrap();
    let before = terminal.rows();
    assert!(
        terminal.text().matches("apple").count() >= 3,
        "{}",
        terminal.text()
    );
    save(&house, "editor.theme = \"night\"\n");
    turns(&mut terminal, NIGHT);
    assert_eq!(terminal.rows(), before);
}

#[test]
fn a_busy_session_follows_at_its_next_prompt_and_says_so_until_then() {
    let house = Household::with_worker("", &[]);
    let (mut busy, mut idle) = (house.session(), house.session());
    busy.type_bytes(b"cat\r").unwrap();
    wait("the command to run", || {
        let status = house.json(&["status"]);
        let sessions = status["sessions"].as_array().unwrap().clone();
        sessions
            .iter()
            .any(|session| session["gauges"]["command_running"] == 1)
    });
    save(&house, "editor.theme = \"night\"\n");
    wait("one that waits", || {
        let status = status(&house);
        let sessions = status["sessions"].as_array().unwrap().clone();
        let pending: Vec<String> = sessions
            .iter()
            .filter_map(|session| session["pending"].as_str().map(str::to_owned))
            .collect();
        status["in_force"]["number"] == 1
            && matches!(&pending[..], [one] if one.starts_with("busy with a command since"))
    });
    let shown = house.said(&["config", "status"]);
    assert!(shown.starts_with("Version #1 is in force (noticed"), "{shown}");
    assert!(shown.contains("pending: busy with a command"), "{shown}");
    assert_eq!(says(&mut idle, "theme"), "night");
    busy.press("\x04").unwrap();
    followed(&house, 1);
    assert_eq!(says(&mut busy, "theme"), "night");
}

#[test]
fn a_broken_file_is_told_once_and_so_is_that_it_is_mended() {
    let house = Household::with_worker("", &["--look-every", "200"]);
    let mut terminal = house.session();
    save(&house, "editor.theme = \"night\"\n");
    followed(&house, 1);
    save(&house, "[editor]\nthem = \"deep\"\n");
    let shows = |terminal: &mut Terminal, what: &str| {
        wait("something to be told", || {
            terminal.press("\r").unwrap();
            terminal.text().replace('\n', "").contains(what)
        });
    };
    // Where, what was meant, and how to mend it; not more than once.
    shows(
        &mut terminal,
        "config.toml:2:1: error: `editor.them` is no key; did you mean `editor.theme`?",
    );
    for _ in 0..5 {
        terminal.press("\r").unwrap();
    }
    let told = |terminal: &Terminal, what: &str| terminal.text().replace('\n', "").matches(what).count();
    assert_eq!(told(&terminal, "config.toml:2:1"), 1, "{}", terminal.text());
    assert_eq!(says(&mut terminal, "theme"), "night", "the one before holds");
    let refusal = &status(&house)["last_refusal"];
    assert_eq!(
        (&refusal["mended"], &refusal["problems"][0]["at"]["line"]),
        (&false.into(), &2.into())
    );
    save(&house, "[editor]\ntheme = \"deep\"\n");
    followed(&house, 2);
    shows(
        &mut terminal,
        "the configuration is in order again, and applied (version 2)",
    );
    for _ in 0..5 {
        terminal.press("\r").unwrap();
    }
    assert_eq!(told(&terminal, "in order again"), 1, "{}", terminal.text());
    assert_eq!(status(&house)["last_refusal"]["mended"], true);
}

#[test]
fn switched_off_only_new_sessions_go_by_what_is_new() {
    let house = Household::with_worker("", &[]);
    let mut terminal = house.session();
    save(&house, "editor.theme = \"night\"\nreload.live = false\n");
    wait("the version", || in_force(&house) == 1);
    let mut new = house.session();
    assert_eq!(says(&mut new, "theme"), "night");
    assert_eq!(says(&mut terminal, "theme"), "default");
    let shown = house.said(&["config", "status"]);
    assert!(shown.contains("pending: reload.live is off"), "{shown}");
    save(&house, "editor.theme = \"deep\"\n");
    followed(&house, 2);
    assert_eq!(says(&mut terminal, "theme"), "deep");
    assert_eq!(says(&mut new, "theme"), "deep");
}

#[test]
fn what_a_user_chose_in_a_session_stays_and_so_does_what_its_variables_say() {
    let house = Household::with_worker("", &[]);
    let mut chosen = house.session();
    chosen.press("lle set suggest on; lle theme bold\r").unwrap();
    let mut by_variable = house.session();
    by_variable
        .press("LUSUSH_CONFIG_EDITOR_THEME=paper LUSUSH_CONFIG_EDITOR_SUGGEST=true\r")
        .unwrap();
    save(
        &house,
        "editor.theme = \"night\"\neditor.suggest = false\neditor.multiline = false\n",
    );
    followed(&house, 1);
    for (terminal, theme) in [(&mut chosen, "bold"), (&mut by_variable, "paper")] {
        assert_eq!(says(terminal, "suggest"), "on");
        assert_eq!(says(terminal, "multiline"), "off");
        assert_eq!(says(terminal, "theme"), theme);
    }
    // A variable that says nothing sensible decides nothing.
    by_variable
        .press("LUSUSH_CONFIG_EDITOR_THEME='no such' LUSUSH_CONFIG_EDITOR_SUGGEST=maybe\r")
        .unwrap();
    assert_eq!(says(&mut by_variable, "theme"), "night");
    assert_eq!(says(&mut by_variable, "suggest"), "off");
}

#[test]
fn a_key_that_needs_a_new_shell_is_named() {
    let house = Household::with_worker("", &[]);
    let _terminal = house.session();
    save(&house, "history.list_max = 300\n");
    followed(&house, 1);
    let needs = || status(&house)["sessions"][0]["needs_new_shell"].clone();
    assert_eq!(needs(), serde_json::json!(["history.list_max"]));
    assert!(
        house
            .said(&["config", "status"])
            .contains("needs a new shell: history.list_max")
    );
    save(&house, "");
    followed(&house, 2);
    assert_eq!(needs(), serde_json::json!([]));
}
