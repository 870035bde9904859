//! A command before prompts that ends each session, or never comes back, locks nobody out: it is taken back by itself, left
//! out of the next start where nobody can do that, and a safe start does without it.
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod support;

use std::fs;

use lle_pty::{Home, Terminal, deadline};
use serde_json::Value;
use support::household::{Household, wait};
use support::{lusush, press};

const BASE: &str = "# mine\n[editor]\nsuggest = true\n";
/// What ends the session in which it runs, each in its own way.
const ENDS: [&str; 3] = ["exit", "kill -9 $$", "exec true"];

/// Starts `lusush` in the home, without a worker.
fn start(home: &Home, arguments: &[&str]) -> Terminal {
    let mut terminal = Terminal::spawn(&home.spawn(lusush()).args(arguments)).unwrap();
    terminal
        .settle()
        .unwrap_or_else(|error| panic!("no prompt: {error}"));
    terminal
}

fn configure(home: &Home, text: &str) {
    let folder = home.lusush().join("config");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), text).unwrap();
}

/// Types a command and waits for the session's end.
fn ends(mut terminal: Terminal) {
    terminal.type_bytes(b"true\r").unwrap();
    terminal.wait_exit(deadline()).unwrap();
}

/// Types commands, after each of which there is a prompt.
fn lives(terminal: &mut Terminal) {
    for n in 40..43 {
        press(
            terminal,
            &format!("echo still $(({n} + 1))\r"),
            &format!("still {}", n + 1),
        );
    }
}

fn ended(house: &Household) -> Option<Value> {
    let trials = house.json(&["config", "trials"]);
    trials["ended"].as_array()?.first().cloned()
}

#[test]
fn what_ends_a_session_on_trial_is_taken_back() {
    for command in ENDS {
        eprintln!("{command}");
        let house = Household::with_worker("", &["--look-every", "100"]);
        configure(&house.home, BASE);
        let mut terminal = house.session();
        let in_force = || house.json(&["config", "trials"])["in_force"].as_u64();
        wait("the file to be in force", || in_force() == Some(1));
        house.said(&["config", "set", "prompt.command", command]);
        wait("it to be on trial", || {
            house.json(&["config", "trials"])["open"][0]["config_version"] == 2
        });
        wait("the session to go by it", || {
            house.json(&["config", "status"])["sessions"][0]["version"] == 2
        });
        terminal.type_bytes(b"true\r").unwrap();
        terminal.wait_exit(deadline()).unwrap();
        wait("it to be taken back", || ended(&house).is_some());
        let trial = ended(&house).unwrap();
        assert_eq!(trial["outcome"], "taken back", "{trial}");
        assert!(
            trial["why"]
                .as_str()
                .unwrap()
                .ends_with("ended in prompt.command"),
            "{trial}"
        );
        let file = house.home.lusush().join("config/config.toml");
        assert_eq!(fs::read_to_string(file).unwrap(), BASE);
        lives(&mut house.session());
    }
}

#[test]
fn without_a_worker_the_next_start_leaves_it_out_and_says_so() {
    for command in ENDS {
        eprintln!("{command}");
        let home = Home::new("").unwrap();
        configure(&home, &format!("prompt.command = \"{command}\"\n"));
        ends(start(&home, &[]));
        // Safe or not, that one says nothing of it and does not run it.
        let mut safe = start(&home, &["--safe"]);
        assert!(!safe.text().contains("left out"), "{}", safe.text());
        lives(&mut safe);
        for _ in 0..2 {
            let mut next = start(&home, &[]);
            let said = next.text();
            assert!(
                said.contains("prompt.command is left out") && said.contains("--retry"),
                "{said}"
            );
            lives(&mut next);
        }
        // Whoever wants it again has it, and the one after that is without.
        ends(start(&home, &["--retry"]));
        lives(&mut start(&home, &[]));
        // Another command is no such one.
        configure(&home, "prompt.command = \"n=$((n + 1))\"\n");
        let mut other = start(&home, &[]);
        assert!(!other.text().contains("left out"), "{}", other.text());
        lives(&mut other);
        press(&mut other, "echo n is $n\r", "n is 3");
    }
}

#[test]
fn a_safe_start_goes_by_nothing_of_the_user_s() {
    let home = Home::new("").unwrap();
    configure(&home, "prompt.command = \"exit\"\n[editor]\nsuggest = false\n");
    for arguments in [&["--safe"][..], &["--safe", "-l"], &["--safe", "--posix"]] {
        eprintln!("{arguments:?}");
        let spawn = home.spawn(lusush()).args(arguments);
        let mut terminal = Terminal::spawn(&spawn.env("LUSUSH_CONFIG_PROMPT_COMMAND", "exit")).unwrap();
        terminal.settle().unwrap();
        lives(&mut terminal);
        let house = Household::new("");
        let mut command = house.command(&["maint", "config", "status"]);
        let said = command.env("LUSUSH_HOME", home.lusush()).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.contains("started with --safe"), "{said}");
    }
}

#[test]
fn a_command_that_was_interrupted_and_one_of_the_user_s_own_end_count_for_nothing() {
    let home = Home::new("").unwrap();
    configure(
        &home,
        "prompt.command = \"[ -e ~/slow ] && rm ~/slow && echo sleeping && sleep 600\"\n",
    );
    let mut terminal = start(&home, &[]);
    terminal.type_bytes(b"touch ~/slow\r").unwrap();
    terminal
        .wait_for("the command to run", |terminal| support::runs("sleep", terminal))
        .unwrap();
    press(&mut terminal, "\x03", "$");
    terminal.type_bytes(b"exit\r").unwrap();
    terminal.wait_exit(deadline()).unwrap();
    let mut next = start(&home, &[]);
    assert!(!next.text().contains("left out"), "{}", next.text());
    lives(&mut next);
}
