//! Start-up files broken, filthy or swapped: the next start reaches a prompt and says why; every state is kept and comes
//! back.
// A panic is the report.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lle_pty::{Home, Terminal, deadline};
use serde_json::Value;
use support::household::Household;
use support::lusush;

struct House {
    home: Home,
}

impl House {
    /// A home whose `~/.bashrc` once reached a prompt.
    fn new(rc: &str) -> House {
        let house = House {
            home: Home::new("").unwrap(),
        };
        house.write(".bashrc", &format!("PS1='$ '\n{rc}"));
        house.reach();
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn start(&self) -> Terminal {
        Terminal::spawn(&self.home.spawn(lusush()).size(30, 80)).expect("lusush starts")
    }

    /// Starts, and leaves at the prompt; gives the screen.
    fn reach(&self) -> String {
        let (terminal, _) = self.ask("");
        terminal
    }

    /// Starts, and asks at the prompt what a text in double quotes expands to; gives the screen and the answer.
    fn ask(&self, said: &str) -> (String, String) {
        let mut terminal = self.start();
        let settled = terminal.settle();
        let screen = terminal.text();
        settled.unwrap_or_else(|error| panic!("no prompt: {error}\n{screen}"));
        let (draft, answer) = (self.path("draft"), self.path("answer"));
        let line = format!("printf %s \"{said}\" >~/draft; mv ~/draft ~/answer; exit\r");
        terminal.type_bytes(line.as_bytes()).unwrap();
        terminal.wait_exit(deadline()).unwrap();
        let text = fs::read_to_string(&answer).unwrap_or_else(|error| panic!("{error}:\n{screen}"));
        fs::remove_file(answer).unwrap();
        assert!(!draft.exists());
        (screen, text)
    }

    /// Starts, and waits until that shell has ended, or is past mending: `~/began` says that it has come that far.
    fn fail(&self) {
        let began = self.path("began");
        let mut terminal = self.start();
        let said = || fs::read_to_string(&began).unwrap_or_default();
        terminal
            .wait_for("the start to fail", |_| said().ends_with('\n'))
            .unwrap();
        let ends = said() != "loops\n";
        if !ends {
            terminal.signal(rustix::process::Signal::KILL).unwrap();
        }
        terminal.wait_exit(deadline()).unwrap();
        fs::remove_file(began).unwrap();
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(lusush());
        command
            .args(["maint", "rc"])
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .env("LUSUSH_HOME", self.home.lusush());
        command.output().unwrap()
    }

    fn rc(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{words:?}: {text}");
        text
    }

    /// Each version as file, verdict and whether it is there now.
    fn log(&self) -> Vec<String> {
        let output = self.run(&["log", "--json"]);
        let log: Value = serde_json::from_slice(&output.stdout).unwrap();
        let row = |row: &Value| {
            let verdict = row["verdict"].as_str().unwrap_or("unknown");
            let now = if row["is_now"] == true { " now" } else { "" };
            format!("{} {verdict}{now}", row["file"].as_str().unwrap())
        };
        let rows = log["versions"].as_array().unwrap().iter();
        // Every home of these tests has an inputrc of its own.
        rows.map(row)
            .filter(|row| !row.starts_with("~/.inputrc"))
            .collect()
    }
}

fn fits(screen: &str) {
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
}

/// Ways not to reach a prompt, and what the next start shows of where it stood.
const FATAL: &[(&str, &str, &str)] = &[
    ("exit", "echo ends >~/began\nexit 1\n", "3 exit 1"),
    ("kill", "echo ends >~/began\nkill -9 $$\n", "3 kill -9 $$"),
    (
        "loop",
        "echo loops >~/began\nwhile :; do :; done\n",
        "3 while :; do :; done",
    ),
    ("exec", "echo ends >~/began\n\n# why\nexec true\n", "5 exec true"),
    ("errexit", "echo ends >~/began\nset -e\nfalse\n", "4 false"),
];

#[test]
fn the_next_start_says_where_it_stood_what_changed_and_how_to_undo_it() {
    for (name, rc, stood) in FATAL {
        let house = House::new("here=worked\n");
        house.write(".bashrc", &format!("PS1='$ '\n{rc}"));
        house.fail();
        let (screen, here) = house.ask("$here");
        assert_eq!(here, "worked", "{name}:\n{screen}");
        fits(&screen);
        for told in [
            "of ~/.bashrc:",
            stood,
            "What changed since a prompt was last reached:",
            "-here=worked",
            "+echo",
            "`lusush maint rc restore ~/.bashrc`",
            "--retry",
        ] {
            assert!(screen.contains(told), "{name}: {told:?} is not told:\n{screen}");
        }
        assert_eq!(house.log(), ["~/.bashrc good", "~/.bashrc bad now"], "{name}");
        assert!(house.rc(&["diff"]).contains("-here=worked"), "{name}");

        house.rc(&["restore", "~/.bashrc"]);
        let (screen, here) = house.ask("$here");
        assert_eq!(
            (here.as_str(), screen.contains("lusush:")),
            ("worked", false),
            "{name}:\n{screen}"
        );
        assert_eq!(house.log().last().unwrap(), "~/.bashrc good now", "{name}");
    }
}

#[test]
fn a_login_shell_has_its_own_last_good_files() {
    let house = House::new("here=rc\n");
    let login = |say: &str| {
        let mut terminal = Terminal::spawn(&house.home.spawn(lusush()).args(["-l"]).size(30, 80)).unwrap();
        terminal
            .settle()
            .unwrap_or_else(|error| panic!("{error}\n{}", terminal.text()));
        let screen = terminal.text();
        terminal
            .type_bytes(format!("printf %s \"{say}\" >~/answer; exit\r").as_bytes())
            .unwrap();
        terminal.wait_exit(deadline()).unwrap();
        (screen, fs::read_to_string(house.path("answer")).unwrap())
    };
    house.write(".bash_profile", "there=profile; . ~/.bashrc; . ~/env\n");
    house.write("env", "env=env\n");
    for _ in 0..3 {
        assert_eq!(login("$here $there $env").1, "rc profile env");
    }
    house.write("env", "exit 1\n");
    Terminal::spawn(&house.home.spawn(lusush()).args(["-l"]))
        .unwrap()
        .wait_exit(deadline())
        .unwrap();
    let (screen, said) = login("$here $there $env");
    assert_eq!(said, "rc profile env", "{screen}");
    assert!(
        screen.contains("+exit 1") && screen.contains("restore ~/env"),
        "{screen}"
    );
    assert!(
        house.log().contains(&"~/env bad now".to_owned()),
        "{:?}",
        house.log()
    );
}

#[test]
fn a_syntax_error_costs_no_prompt() {
    let house = House::new("here=worked\n");
    house.write(".bashrc", "PS1='$ '\nhere=before\nif then\nhere=after\n");
    for _ in 0..2 {
        let (screen, here) = house.ask("$here $(type -t lle)");
        assert_eq!(here, "before builtin", "{screen}");
        assert!(screen.contains("line 3"), "bash says where:\n{screen}");
    }
    // Nobody falls back on half of a file.
    assert_eq!(house.log(), ["~/.bashrc good", "~/.bashrc unknown now"]);
}

#[test]
fn a_file_that_is_read_by_another_is_guarded_as_well() {
    let house = House::new("here=rc; . ~/aliases; . ./more\n");
    house.write("aliases", "there=aliases\n");
    house.write("more", "more=more\n");
    // A start finds out what is read, the next one copies it, the third finds that it worked.
    for _ in 0..3 {
        assert_eq!(house.ask("$here $there $more").1, "rc aliases more");
    }
    let expect = ["~/.bashrc good now", "~/aliases good now", "~/more good now"];
    let mut log = house.log();
    log.sort();
    assert_eq!(log, expect);

    house.write("aliases", "there=broken\necho ends >~/began; exit\n");
    house.fail();
    let (screen, said) = house.ask("$here $there $more $(type -t source) $(enable -a | grep -c source)");
    assert_eq!(said, "rc aliases more builtin 1", "{screen}");
    assert!(screen.contains("restore ~/aliases"), "{screen}");
    assert!(
        screen.contains("of ~/aliases:") && screen.contains("2 echo ends"),
        "{screen}"
    );
    fits(&screen);
    house.rc(&["restore", "~/aliases"]);
    assert_eq!(house.ask("$here $there $more").1, "rc aliases more");
}

#[test]
fn an_inputrc_that_kills_the_shell_is_left_out() {
    // Readline follows such a circle until the stack is full.
    let circle = "$include ~/.inputrc\n";
    for before in ["", "\"\\C-g\": \"good\"\n"] {
        let house = House {
            home: Home::new("").unwrap(),
        };
        house.write(".bashrc", "PS1='$ '\nhere=rc\n");
        house.write(".inputrc", before);
        house.reach();
        house.write(".inputrc", circle);
        house.start().wait_exit(deadline()).unwrap();
        let (screen, said) = house.ask("$here $(bind -s) ${INPUTRC##*/}");
        assert_eq!(said, format!("rc {} .inputrc", before.trim_end()), "{screen}");
        assert!(screen.contains("~/.inputrc"), "{screen}");
        fits(&screen);
        let mut terminal = Terminal::spawn(&house.home.spawn(lusush()).args(["--safe"])).unwrap();
        terminal.settle().unwrap();
        terminal.type_bytes(b"exit\r").unwrap();
        terminal.wait_exit(deadline()).unwrap();
        let undone = house.run(&["restore", "~/.inputrc"]);
        assert!(undone.status.success(), "{undone:?}");
        house.write(".inputrc", circle);
        // Mended by hand.
        house.write(".inputrc", "\"\\C-g\": \"mended\"\n");
        let (screen, said) = house.ask("$(bind -s)");
        assert!(said.contains("mended") && !screen.contains("lusush:"), "{screen}");
    }
}

#[test]
fn a_new_file_that_keeps_the_prompt_away_has_nothing_to_go_back_to() {
    let house = House::new("here=rc\n");
    house.write(".bash_profile", "echo ends >~/began; exit\n");
    let login = || Terminal::spawn(&house.home.spawn(lusush()).args(["-l"]).size(30, 80)).unwrap();
    login().wait_exit(deadline()).unwrap();
    let mut terminal = login();
    terminal.settle().unwrap();
    terminal.type_bytes(b"exit\r").unwrap();
    terminal.wait_exit(deadline()).unwrap();
    assert!(
        house.rc(&["diff"]).contains("+echo ends"),
        "{}",
        house.rc(&["diff"])
    );
    let refused = house.run(&["restore"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && text.contains("move ~/.bash_profile away"),
        "{text}"
    );
}

#[test]
fn what_a_shell_would_wait_for_is_left_out_at_once() {
    for (name, here) in [(".bashrc", "none"), (".inputrc", "rc"), (".bash_profile", "none")] {
        for make in ["pipe", "zero"] {
            let house = House::new("here=rc\n");
            let _ = fs::remove_file(house.path(name));
            match make {
                "pipe" => assert!(
                    Command::new("mkfifo")
                        .arg(house.path(name))
                        .status()
                        .unwrap()
                        .success()
                ),
                _ => symlink("/dev/zero", house.path(name)).unwrap(),
            }
            let login = name == ".bash_profile";
            let mut terminal = match login {
                true => Terminal::spawn(&house.home.spawn(lusush()).args(["-l"])).unwrap(),
                false => house.start(),
            };
            terminal
                .settle()
                .unwrap_or_else(|error| panic!("{name} {make}: {error}\n{}", terminal.text()));
            assert!(
                terminal.text().contains("is left out"),
                "{name} {make}:\n{}",
                terminal.text()
            );
            terminal
                .type_bytes(b"printf %s ${here-none} >~/answer; exit\r")
                .unwrap();
            terminal.wait_exit(deadline()).unwrap();
            assert_eq!(
                fs::read_to_string(house.path("answer")).unwrap(),
                here,
                "{name} {make}"
            );
            house.rc(&["log"]);
        }
    }
}

#[test]
fn whatever_lies_there_there_is_a_prompt() {
    let check = |what: &str, make: &dyn Fn(&Path), expect: &str| {
        let house = House::new("here=worked\n");
        fs::remove_file(house.path(".bashrc")).unwrap();
        make(&house.path(".bashrc"));
        for _ in 0..2 {
            let (screen, here) = house.ask("${here-none}");
            assert_eq!(here, expect, "{what}:\n{screen}");
        }
        house.rc(&["log"]);
        house.rc(&["diff"]);
    };
    check("a folder", &|path| fs::create_dir(path).unwrap(), "none");
    check("nothing", &|_| (), "none");
    check("a circle of links", &|path| symlink(path, path).unwrap(), "none");
    check(
        "bytes",
        &|path| fs::write(path, b"here='a\xffb'; here=${#here}\n# \xc3").unwrap(),
        "3",
    );
    check("/dev/null", &|path| symlink("/dev/null", path).unwrap(), "none");
    check(
        "unreadable",
        &|path| {
            fs::write(path, "here=unreadable\n").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
        },
        if rustix::process::geteuid().is_root() {
            "unreadable"
        } else {
            "none"
        },
    );
    check(
        "somebody else's",
        &|path| {
            fs::write(path, "here=theirs\n").unwrap();
            let _only_root_may = std::os::unix::fs::chown(path, Some(12_345), None);
        },
        "theirs",
    );
}

#[test]
fn a_file_too_long_for_a_copy_locks_nobody_out() {
    let house = House::new("here=worked\n");
    let long = format!("echo ends >~/began; exit\n{}", "#\n".repeat(5 << 20));
    house.write(".bashrc", &long);
    house.fail();
    let (screen, here) = house.ask("$here");
    assert_eq!(here, "worked", "{screen}");
    // It is no version, and would be lost.
    let output = house.run(&["restore", "~/.bashrc"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("too long"), "{text}");
    assert_eq!(
        fs::metadata(house.path(".bashrc")).unwrap().len(),
        long.len() as u64
    );
}

#[test]
fn a_link_that_is_swapped_is_another_state() {
    let house = House::new("");
    fs::remove_file(house.path(".bashrc")).unwrap();
    house.write("one", "PS1='$ '; here=one\n");
    house.write("two", "PS1='$ '; here=two; echo ends >~/began; exit\n");
    symlink("one", house.path(".bashrc")).unwrap();
    assert_eq!(house.ask("$here").1, "one");
    fs::remove_file(house.path(".bashrc")).unwrap();
    symlink("two", house.path(".bashrc")).unwrap();
    house.fail();
    assert_eq!(house.ask("$here").1, "one");
    house.rc(&["restore"]);
    assert_eq!(
        fs::read_link(house.path(".bashrc")).unwrap(),
        Path::new("two"),
        "the link stays"
    );
    assert_eq!(
        fs::read_to_string(house.path("two")).unwrap(),
        "PS1='$ '; here=one\n"
    );
    assert_eq!(house.ask("$here").1, "one");
    // What was there is a version, byte for byte.
    let log: Value = serde_json::from_slice(&house.run(&["log", "--json"]).stdout).unwrap();
    let bad = log["versions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["verdict"] == "bad");
    let number = bad.unwrap()["number"].to_string();
    assert!(house.rc(&["show", &number]).contains("here=two"));
    let log = house.path(".bashrc");
    let versions = house.home.lusush().join("state/versions/rc.log");
    assert!(log.exists());
    assert_eq!(
        fs::metadata(versions).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_worker_keeps_every_state_and_records_what_is_restored() {
    let house = Household::with_worker("", &["--look-every", "100"]);
    let rc = house.home.rc();
    let text = fs::read_to_string(&rc).unwrap();
    let versions = || house.json(&["rc", "log"])["versions"].as_array().unwrap().clone();
    let first = versions().len();
    fs::write(&rc, format!("{text}\nhere=second\n")).unwrap();
    // A new session is a reason to look.
    let _session = house.session();
    let log = house.state().join("versions/rc.log");
    support::household::wait("the worker to see the second state", || {
        let bytes = fs::read(&log).unwrap_or_default();
        bytes.windows(11).any(|bytes| bytes == b"here=second")
    });
    let all = versions();
    assert!(all.len() > first, "{all:?}");
    let rows: Vec<&Value> = all.iter().filter(|row| row["file"] == "~/.bashrc").collect();
    assert!(rows.iter().any(|row| row["tool"] == "lusush worker"), "{rows:?}");
    let number = rows[0]["number"].to_string();
    let said = house.said(&["rc", "restore", &number]);
    assert!(said.contains("says again"), "{said}");
    assert_eq!(fs::read_to_string(&rc).unwrap(), text);
    let audit = house.said(&["audit", "show"]);
    assert!(audit.contains("restore-rc"), "{audit}");
    let last = versions().last().unwrap().clone();
    assert_eq!(
        (last["cause"].as_str(), last["tool"].as_str()),
        (Some("rolled-back"), Some("lusush worker"))
    );
}
