//! Every key does something: a test for each that another value is another behaviour.

use std::fs;
use std::time::{Duration, Instant};

use lle_core::config::KEYS;
use lle_pty::Terminal;
use support::household::{Household, wait};

use super::*;

/// How a key's value shows.
type Shows = fn(&Household);

/// Every key, by what proves it.
const PROOFS: &[(&str, Shows)] = &[
    ("editor.highlight", highlight),
    ("editor.suggest", suggest),
    ("editor.multiline", multiline),
    ("editor.complete", complete),
    ("editor.search", search),
    ("editor.theme", theme),
    ("history.share", share),
    ("history.list_max", list_max),
    ("worker.linger_s", linger),
    ("maintenance.mode.", modes),
    ("alerts.prompt", alerts_prompt),
    ("alerts.prompt_severity", alerts_severity),
    ("backup.repository", repository),
];

/// Keys that are proven elsewhere, and where.
const ELSEWHERE: &[(&str, &str)] = &[
    ("reload.live", "switched_off_only_new_sessions_go_by_what_is_new"),
    ("alerts.per_hour", "lle-maintenance, engine::config::tests"),
    ("trial.", "confirm.rs, and lle-sim"),
    ("prompt.command", "confirm.rs"),
    ("history.restore", "history.rs"),
    ("prompt.cached", "parts: the_configuration_is_consent"),
    ("prompt.cached_wait_ms", "parts: the_configuration_is_consent"),
    // It is for servers, which the default build does not speak to.
    ("backup.credentials", "lle-archive, remote"),
];

#[test]
fn every_key_has_a_proof() {
    for key in KEYS {
        let is = |name: &&str| key.name == *name || name.ends_with('.') && key.name.starts_with(*name);
        let proven = PROOFS.iter().map(|(name, _)| name).any(&is);
        let elsewhere = ELSEWHERE.iter().map(|(name, _)| name).any(is);
        assert!(proven || elsewhere, "{} does nothing that is tested", key.name);
    }
}

#[test]
fn editor_and_history_keys_change_what_a_shell_does() {
    for (name, shows) in PROOFS
        .iter()
        .filter(|(name, _)| name.starts_with("editor") || name.starts_with("history"))
    {
        eprintln!("{name}");
        shows(&Household::new("mkdir -p ~/m; cd ~/m; : >apple1 >apple2\n"));
    }
}

#[test]
fn worker_keys_change_what_the_worker_does() {
    for (name, shows) in PROOFS
        .iter()
        .filter(|(name, _)| !name.starts_with("editor") && !name.starts_with("history"))
    {
        eprintln!("{name}");
        shows(&Household::new(""));
    }
}

/// Starts a shell under either value of a truth.
fn both(house: &Household, key: &str, mut shows: impl FnMut(&mut Terminal, bool)) {
    for on in [true, false] {
        save(house, format!("{key} = {on}\n"));
        shows(&mut launched(house), on);
    }
}

fn repository(house: &Household) {
    for place in ["one", "another"] {
        save(house, format!("backup.repository = \"~/{place}\"\n"));
        house.said(&["backup", "create"]);
        assert!(house.home.path().join(place).join("config").is_file(), "{place}");
    }
}

fn highlight(house: &Household) {
    both(house, "editor.highlight", |terminal, on| {
        terminal.press("echo x").unwrap();
        let plain = colour(terminal, terminal.cursor().0, 2) == vt100::Color::Default;
        assert_eq!(!plain, on);
    });
}

fn suggest(house: &Household) {
    both(house, "editor.suggest", |terminal, on| {
        terminal.press("echo suggested\r").unwrap();
        terminal.press("echo sug").unwrap();
        let shown = terminal.text().matches("suggested").count();
        assert_eq!(shown, if on { 3 } else { 2 }, "{}", terminal.text());
    });
}

fn multiline(house: &Household) {
    both(house, "editor.multiline", |terminal, on| {
        terminal.press("for i in 1\r").unwrap();
        // Bash asks on with PS2; LLE goes on in the same line.
        let asked = terminal.text().lines().any(|line| line.trim_end() == ">");
        assert_eq!(!asked, on, "{}", terminal.text());
        terminal.press("\x03").unwrap();
    });
}

fn complete(house: &Household) {
    both(house, "editor.complete", |terminal, on| {
        let before = menus(house);
        terminal.press("ls app\t").unwrap();
        terminal.press("\t").unwrap();
        terminal.press("\t").unwrap();
        let opened = menus(house) > before;
        assert_eq!(opened, on, "{}", terminal.text());
    });
}

/// Menus that living sessions have opened.
fn menus(house: &Household) -> u64 {
    let status = house.json(&["status"]);
    let sessions = status["sessions"].as_array().unwrap().clone();
    sessions
        .iter()
        .filter_map(|session| session["counters"]["menu_opened"].as_u64())
        .sum()
}

fn search(house: &Household) {
    both(house, "editor.search", |terminal, on| {
        terminal.press("\x12").unwrap();
        // The list of what was found, and what can be chosen, are LLE's.
        let listed = terminal.text().contains("Alt: h any folder");
        assert_eq!(listed, on, "{}", terminal.text());
        terminal.press("\x07").unwrap();
    });
}

fn theme(house: &Household) {
    for (theme, expect) in [
        ("default", vt100::Color::Idx(2)),
        ("night", vt100::Color::Idx(114)),
    ] {
        save(house, format!("editor.theme = \"{theme}\"\n"));
        let mut terminal = launched(house);
        terminal.press("echo x").unwrap();
        assert_eq!(colour(&terminal, terminal.cursor().0, 2), expect);
    }
}

fn share(house: &Household) {
    both(house, "history.share", |terminal, on| {
        let mut other = launched(house);
        let word = if on { "told" } else { "untold" };
        other.press(format!("echo {word}\r")).unwrap();
        terminal.press("\r").unwrap();
        terminal
            .press(format!("clear; history | grep -c 'echo {word}$'\r"))
            .unwrap();
        let counted = terminal
            .text()
            .lines()
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        assert_eq!(counted != "0", on, "{}", terminal.text());
    });
}

fn list_max(house: &Household) {
    let lines: String = (0..2_000).map(|n| format!("echo {n}\n")).collect();
    for (text, least, most) in [("history.list_max = 150\n", 100, 160), ("", 490, 2_010)] {
        fs::write(house.home.history(), &lines).unwrap();
        save(house, text);
        let mut terminal = launched(house);
        terminal.press("clear; history | wc -l\r").unwrap();
        let said = terminal.text();
        let counted: u64 = said.lines().next().unwrap().trim().parse().unwrap();
        assert!((least..=most).contains(&counted), "{text:?}: {counted}");
    }
}

fn linger(house: &Household) {
    save(house, "worker.linger_s = 1\n");
    let mut worker = house.command(&["maint", "worker"]).spawn().unwrap();
    let began = Instant::now();
    let status = loop {
        match worker.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
        assert!(began.elapsed() < lle_pty::deadline(), "it stays");
    };
    assert!(status.success());
}

fn modes(house: &Household) {
    let mut house = Household::new(&fs::read_to_string(house.home.rc()).unwrap_or_default());
    save(&house, "maintenance.mode.cache-cleanup = \"advise\"\n");
    house.start_worker(&[]);
    wait("the mode", || house.task("cache-cleanup")["mode"] == "advise");
    assert_eq!(house.task("memory-defrag")["mode"], "automatic");
    save(&house, "maintenance.mode.cache-cleanup = \"observe\"\n");
    wait("the mode", || house.task("cache-cleanup")["mode"] == "observe");
    save(&house, "");
    wait("the mode", || house.task("cache-cleanup")["mode"] == "automatic");
}

/// Whether a broken file is told above a prompt, with that in the file before.
fn is_told(with: &str) -> bool {
    let house = Household::with_worker("", &["--look-every", "200"]);
    let mut terminal = house.session();
    save(&house, with);
    followed(&house, 1);
    save(&house, format!("{with}\nx"));
    wait("an alert", || {
        house.json(&["alerts"]).to_string().contains("config.broken")
    });
    let told = || terminal.text().contains("the configuration before holds");
    let mut told = told();
    for _ in 0..20 {
        terminal.press("\r").unwrap();
        told |= terminal.text().contains("the configuration before holds");
    }
    told
}

fn alerts_prompt(_: &Household) {
    assert!(is_told("alerts.prompt = true"));
    assert!(!is_told("alerts.prompt = false"));
}

fn alerts_severity(_: &Household) {
    assert!(!is_told("alerts.prompt_severity = \"major\""));
}
