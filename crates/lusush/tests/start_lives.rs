//! What is no failure of a start-up file, and what is one although a prompt was shown.
// A panic is the report.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;

use lle_pty::{Home, Terminal, deadline};
use rustix::process::Signal;
use support::lusush;

struct House {
    home: Home,
}

impl House {
    /// A home whose `~/.bashrc` once reached a prompt at which a command was typed.
    fn new() -> House {
        let house = House {
            home: Home::new("").unwrap(),
        };
        house.write("here=worked");
        assert_eq!(house.ask("$here", &[]).0, "worked");
        house
    }

    fn write(&self, rc: &str) {
        std::fs::write(self.home.rc(), format!("PS1='$ '\n{rc}\n")).unwrap();
    }

    fn start(&self, environment: &[(&str, &str)]) -> Terminal {
        let how = self.home.spawn(lusush()).size(30, 80);
        let how = environment
            .iter()
            .fold(how, |how, (name, value)| how.env(name, value));
        Terminal::spawn(&how).expect("lusush starts")
    }

    /// Asks at a prompt what a text in double quotes expands to, and leaves; gives the answer and the screen.
    fn ask(&self, said: &str, environment: &[(&str, &str)]) -> (String, String) {
        let mut terminal = self.start(environment);
        self.ask_there(&mut terminal, said)
    }

    fn ask_there(&self, terminal: &mut Terminal, said: &str) -> (String, String) {
        let settled = terminal.settle();
        let screen = terminal.text();
        settled.unwrap_or_else(|error| panic!("no prompt: {error}\n{screen}"));
        let answer = self.home.path().join("answer");
        let line = format!("printf %s \"{said}\" >~/draft; mv ~/draft ~/answer; exit\r");
        terminal.type_bytes(line.as_bytes()).unwrap();
        terminal.wait_exit(deadline()).unwrap();
        let text = std::fs::read_to_string(&answer).unwrap_or_else(|error| panic!("{error}:\n{screen}"));
        std::fs::remove_file(answer).unwrap();
        (text, screen)
    }

    /// Whether a start is recorded that has said this.
    fn has_said(&self, what: &str) -> bool {
        self.records()
            .iter()
            .any(|record| std::fs::read_to_string(record.join("reached")).is_ok_and(|said| said == what))
    }

    fn records(&self) -> Vec<PathBuf> {
        let folder = self.home.lusush().join("state/start/interactive");
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

#[test]
fn a_program_that_takes_the_shell_s_place_and_runs_is_no_failure() {
    let house = House::new();
    house.write("here=edited; [ -n \"$OTHER\" ] && exec sleep 1000");
    for round in 0..3 {
        let mut terminal = house.start(&[("OTHER", "1")]);
        terminal
            .wait_for("the program to be seen to run", |_| house.has_said("became\n"))
            .unwrap_or_else(|error| panic!("{round}: {error}"));
        terminal.signal(Signal::KILL).unwrap();
        terminal.wait_exit(deadline()).unwrap();
    }
    let (here, screen) = house.ask("$here", &[]);
    assert_eq!(
        (here.as_str(), screen.contains("lusush:")),
        ("edited", false),
        "{screen}"
    );
}

#[test]
fn a_shell_is_not_judged_by_the_one_around_it() {
    let house = House::new();
    // As `exec tmux` does: a shell below the program that the first one became.
    let inner = format!("{}; exit 0", lusush().display());
    house.write(&format!(
        "here=edited; if [ -z \"$INNER\" ]; then export INNER=1; exec sh -c '{inner}'; fi"
    ));
    for round in 0..3 {
        let (here, screen) = house.ask("$here $INNER", &[]);
        assert_eq!(
            (here.as_str(), screen.contains("lusush:")),
            ("edited 1", false),
            "{round}:\n{screen}"
        );
    }
}

#[test]
fn a_redirection_that_exec_makes_in_a_start_up_file_stays() {
    let house = House::new();
    house.write("exec 7<~/.bashrc; exec 2>&1; level=$SHLVL; shopt -s execfail; exec no-such-program");
    let (said, screen) = house.ask("$(head -1 <&7) $((SHLVL - level))", &[]);
    assert_eq!(said, "PS1='$ ' 0", "{screen}");
}

/// What lets the first prompt come and ends the shell there, and what has to be typed for that.
const DEADLY: &[(&str, &str)] = &[
    ("exec </dev/null", ""),
    ("TMOUT=1", ""),
    ("PROMPT_COMMAND='((n++)) && exit'", "true\r"),
    ("PROMPT_COMMAND='((n++)) && kill -9 $$'", "true\r"),
    ("PS0='$(kill -9 $$)'", "true\r"),
];

#[test]
fn a_shell_that_ends_at_its_first_prompt_again_and_again_is_a_failure() {
    for (rc, typed) in DEADLY {
        let house = House::new();
        house.write(rc);
        for _ in 0..3 {
            let mut terminal = house.start(&[]);
            terminal.type_bytes(typed.as_bytes()).unwrap();
            terminal
                .wait_exit(deadline())
                .unwrap_or_else(|error| panic!("{rc}: {error}\n{}", terminal.text()));
        }
        for again in ["next", "after"] {
            let (here, screen) = house.ask("${here-no}", &[]);
            assert_eq!(here, "worked", "{rc}, {again}:\n{screen}");
            for told in [
                "ended by itself",
                "What changed since",
                "-here=worked",
                "restore ~/.bashrc",
                "--retry",
            ] {
                assert!(screen.contains(told), "{rc}, {again}: {told}\n{screen}");
            }
            assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
            // LLE is not to blame.
            assert!(!screen.contains("sessions crashed"), "{rc}, {again}:\n{screen}");
        }
        house.write("here=mended");
        let (here, screen) = house.ask("$here", &[]);
        assert_eq!(
            (here.as_str(), screen.contains("lusush:")),
            ("mended", false),
            "{screen}"
        );
    }
}

/// How somebody leaves who types no command.
type Leave = fn(&mut Terminal);
const LEAVES: &[(&str, Leave)] = &[
    ("closes the terminal", Terminal::hang_up),
    ("types Ctrl-D", |terminal| terminal.type_bytes(b"\x04").unwrap()),
    ("types exit", |terminal| terminal.type_bytes(b"exit\r").unwrap()),
    ("types exec", |terminal| {
        terminal.type_bytes(b"exec true\r").unwrap();
    }),
    ("kills it", |terminal| {
        terminal.type_bytes(b"kill -9 $$\r").unwrap();
    }),
];

/// Four starts with `rc`, left each time; then the file is read as it is, and nothing is said of it.
fn blames_no_file<'a>(rc: &str, leaves: impl IntoIterator<Item = &'a (&'a str, Leave)>) {
    for (name, leave) in leaves {
        let house = House::new();
        house.write(rc);
        for _ in 0..4 {
            let mut terminal = house.start(&[]);
            terminal
                .settle()
                .unwrap_or_else(|error| panic!("{name}: {error}\n{}", terminal.text()));
            leave(&mut terminal);
            terminal.wait_exit(deadline()).unwrap();
        }
        let (here, screen) = house.ask("$here", &[]);
        assert_eq!(
            (here.as_str(), screen.contains("lusush:")),
            ("edited", false),
            "{name}:\n{screen}"
        );
    }
}

#[test]
fn whoever_leaves_at_once_blames_no_file() {
    blames_no_file("here=edited", LEAVES);
}

/// LLE is gone then, and has seen the first line through.
#[test]
fn whoever_unloads_lle_and_uses_the_shell_blames_no_file() {
    let used: &[(&str, Leave)] = &[("closes the terminal behind a command", |terminal| {
        terminal.press("true\r").unwrap();
        terminal.hang_up();
    })];
    blames_no_file("here=edited; enable -d lle", LEAVES[1..].iter().chain(used));
}

#[test]
fn what_was_typed_ahead_blames_no_file_either() {
    let house = House::new();
    house.write("here=edited");
    for _ in 0..4 {
        let mut terminal = house.start(&[]);
        terminal.type_bytes(b"exit\r").unwrap();
        terminal.wait_exit(deadline()).unwrap();
    }
    assert_eq!(house.ask("$here", &[]).0, "edited");
}

#[test]
fn files_that_were_interrupted_after_seconds_are_not_read_again() {
    let house = House::new();
    house.write(": >~/began; while :; do :; done");
    let mut terminal = house.start(&[]);
    let began = house.home.path().join("began");
    terminal
        .wait_for("the start-up file to run", |_| began.exists())
        .unwrap();
    // Ten seconds before is when it began.
    for record in house.records() {
        let path = record.join("begun");
        let mut begun: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        begun["began_ns"] = (begun["began_ns"].as_i64().unwrap() - 10_000_000_000).into();
        std::fs::write(&path, begun.to_string()).unwrap();
    }
    terminal.type_bytes(b"\x03").unwrap();
    let (_, screen) = house.ask_there(&mut terminal, "x");
    assert!(
        screen.contains("were interrupted, behind line") && screen.contains("maint rc restore"),
        "{screen}"
    );
    for again in ["next", "after"] {
        let (here, screen) = house.ask("${here-no}", &[]);
        assert_eq!(here, "worked", "{again}:\n{screen}");
        assert!(screen.contains("was interrupted after"), "{again}:\n{screen}");
    }
    house.write("here=mended");
    assert_eq!(house.ask("$here", &[]).0, "mended");
}

#[test]
fn a_start_that_asks_for_something_does_not_hang() {
    let house = House::new();
    house.write("here=edited; read -r answer");
    let mut asks = house.start(&[]);
    asks.wait_for("the start to be asked", |_| house.records().len() == 2)
        .unwrap();
    asks.settle().ok();
    for record in house.records() {
        let path = record.join("begun");
        let mut begun: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        begun["began_ns"] = (begun["began_ns"].as_i64().unwrap() - 60_000_000_000).into();
        std::fs::write(&path, begun.to_string()).unwrap();
    }
    let mut second = house.start(&[]);
    second.type_bytes(b"an answer\r").unwrap();
    let (here, screen) = house.ask_there(&mut second, "$here $answer");
    assert_eq!(
        (here.as_str(), screen.contains("--retry")),
        ("edited an answer", false),
        "{screen}"
    );
}
