//! Nobody is locked out by a file that start-up files read, by half of one, or by a start that cannot be recorded.
// A panic is the report.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use lle_pty::{Home, Spawn, Terminal, deadline};
use support::lusush;

struct House(Home);

impl House {
    fn new(rc: &str) -> House {
        let house = House(Home::new("").unwrap());
        house.write(".bashrc", &format!("PS1='$ '\n{rc}"));
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn add(&self, name: &str, text: &str) {
        let before = fs::read_to_string(self.path(name)).unwrap();
        self.write(name, &format!("{before}{text}"));
    }

    fn plain(&self) -> Spawn {
        self.0.spawn(lusush()).size(30, 80)
    }

    fn login(&self) -> Spawn {
        self.plain().args(["--login"])
    }

    /// Starts, and asks at the prompt what a text in double quotes expands to; gives the answer and the screen.
    fn ask(&self, how: &Spawn, said: &str) -> (String, String) {
        let mut terminal = Terminal::spawn(how).expect("lusush starts");
        let settled = terminal.settle();
        let screen = terminal.text();
        settled.unwrap_or_else(|error| panic!("no prompt: {error}\n{screen}"));
        let answer = self.path("answer");
        let line = format!(
            "cd; printf %s \"{said}\" >{0}/draft; mv {0}/draft {0}/answer; exit\r",
            self.0.path().display()
        );
        terminal.type_bytes(line.as_bytes()).unwrap();
        terminal.wait_exit(deadline()).unwrap();
        let text = fs::read_to_string(&answer).unwrap_or_else(|error| panic!("{error}:\n{screen}"));
        fs::remove_file(answer).unwrap();
        assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
        (text, screen)
    }

    fn reach(&self, how: &Spawn, times: usize) {
        for _ in 0..times {
            self.ask(how, "");
        }
    }

    /// Starts, and waits until that shell has ended by itself.
    fn fail(&self, how: &Spawn) {
        let mut terminal = Terminal::spawn(how).expect("lusush starts");
        terminal
            .wait_exit(deadline())
            .unwrap_or_else(|error| panic!("it should end: {error}\n{}", terminal.text()));
    }

    fn rc(&self, words: &[&str]) -> String {
        let mut command = Command::new(lusush());
        command
            .args(["maint", "rc"])
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.0.path())
            .env("LUSUSH_HOME", self.0.lusush());
        let output = command.output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    /// What the last good start of that kind had of a file.
    fn good(&self, kind: &str, copy: &str) -> String {
        let good = self.0.lusush().join("state/start").join(kind).join("good");
        fs::read_to_string(good.join(copy)).unwrap_or_default()
    }
}

/// Demands that a text has each of these.
fn shows(screen: &str, all: &[&str]) {
    for one in all {
        assert!(screen.contains(one), "{one:?} is not told:\n{screen}");
    }
}

#[test]
fn a_file_with_a_syntax_error_is_not_the_last_that_worked() {
    let house = House::new("here=worked\nthere=worked\n");
    house.reach(&house.plain(), 1);
    house.write(".bashrc", "PS1='$ '\nif true\nhere=broken\nthere=broken\n");
    for _ in 0..3 {
        let (_, screen) = house.ask(&house.plain(), "");
        shows(
            &screen,
            &[
                "~/.bashrc was read up to line",
                "+if true",
                "maint rc diff",
                "`lusush maint rc restore ~/.bashrc`",
            ],
        );
    }
    assert!(house.good("interactive", "bashrc").contains("here=worked"));
    house.write(".bashrc", "exit 1\n");
    house.fail(&house.plain());
    let (here, screen) = house.ask(&house.plain(), "$here $there");
    assert_eq!(here, "worked worked", "{screen}");
    shows(&screen, &["last version that reached a prompt", "+exit 1"]);
    house.rc(&["restore", "~/.bashrc"]);
    let (here, screen) = house.ask(&house.plain(), "$here $there");
    assert_eq!(
        (here.as_str(), screen.contains("lusush:")),
        ("worked worked", false),
        "{screen}"
    );
}

#[test]
fn a_syntax_error_in_a_file_that_is_read_by_another_names_that_one() {
    let house = House::new(". ~/aliases\nhere=worked\n");
    house.write("aliases", "one=1\ntwo=2\n");
    house.reach(&house.plain(), 3);
    house.write("aliases", "one=1\ncase x in (\ntwo=2\n");
    house.reach(&house.plain(), 1);
    let (said, screen) = house.ask(&house.plain(), "$one $here ${two-none}");
    assert_eq!(said, "1 worked none", "{screen}");
    shows(
        &screen,
        &[
            "~/aliases was read up to line",
            "+case x in (",
            "rc restore ~/aliases`",
        ],
    );
    house.write("aliases", "exit 1\n");
    house.fail(&house.plain());
    let (said, screen) = house.ask(&house.plain(), "$one $here $two");
    assert_eq!(said, "1 worked 2", "{screen}");
}

#[test]
fn what_is_no_syntax_error_of_a_file_leaves_it_one_that_works() {
    // None of these stops bash from reading the file to its end.
    for rc in [
        "eval 'if then'",
        "(eval 'if')",
        "x=$(eval 'case')",
        "f() { eval 'if'; }; f",
        "(exit 2)",
        "trap 'eval if' USR1; kill -USR1 $$; trap - USR1",
        "bash -c 'if'",
        ". /etc/no/such/file",
        "return 2",
    ] {
        let house = House::new(&format!("here=worked\n{rc}\n"));
        for _ in 0..2 {
            let (here, screen) = house.ask(&house.plain(), "$here");
            assert_eq!(here, "worked");
            assert!(!screen.contains("read up to"), "{rc}:\n{screen}");
        }
        assert!(
            house.good("interactive", "bashrc").contains("here=worked"),
            "{rc}"
        );
    }
}

#[test]
fn half_of_a_file_is_better_than_none_where_no_better_one_is_known() {
    let house = House::new("here=half\nif true\n");
    house.reach(&house.plain(), 2);
    house.write(".bashrc", "exit 1\n");
    house.fail(&house.plain());
    let (here, screen) = house.ask(&house.plain(), "$here");
    assert_eq!(here, "half", "{screen}");
    house.write(".bashrc", "PS1='$ '; here=whole\n");
    house.reach(&house.plain(), 2);
    assert!(house.good("interactive", "bashrc").contains("here=whole"));
}

#[test]
fn a_full_disk_and_a_broken_file_leave_what_worked() {
    // As far as a full disk can be had without privileges: files of no more than 1,024 bytes. A copy does not fit.
    let full = |house: &House, retry: &str| {
        let script = format!("ulimit -f 1; trap '' XFSZ; exec {} {retry}", lusush().display());
        let bash = lle_pty::installed("bash").unwrap();
        house.0.spawn(bash).args(["-c", &script]).size(30, 80)
    };
    let house = House::new("here=worked\n");
    house.reach(&house.plain(), 1);
    let room = "# room\n".repeat(300);
    house.add(".bashrc", &format!("{room}exit 1\n"));
    for _ in 0..3 {
        let (here, screen) = house.ask(&full(&house, ""), "$here");
        assert_eq!(here, "worked", "{screen}");
        shows(&screen, &["not guarded", "last version that reached", "--retry"]);
    }
    house.fail(&full(&house, "--retry"));
    // A change that is sound waits, too; what worked is read without a word of it.
    house.write(".bashrc", &format!("PS1='$ '\nhere=new\n{room}"));
    assert_eq!(house.ask(&full(&house, ""), "$here").0, "worked");
    assert_eq!(house.ask(&full(&house, "--retry"), "$here").0, "new");
    let (here, screen) = house.ask(&house.plain(), "$here");
    assert_eq!(
        (here.as_str(), screen.contains("lusush:")),
        ("new", false),
        "{screen}"
    );
    let (here, screen) = house.ask(&full(&house, ""), "$here");
    assert_eq!(
        (here.as_str(), screen.contains("not tried")),
        ("new", false),
        "{screen}"
    );
}

#[test]
fn a_file_that_is_read_by_another_is_guarded_however_it_is_named() {
    for source in [
        "cd ~/dot; . aliases; cd",
        "cd ~/dot; source -- aliases; cd",
        "cd ~/link; . ./aliases; cd",
        "cd ~/link; . aliases; cd",
        ". ~/link/aliases",
        ". ~/dot/../link/./aliases",
        "cd ~/dot; . ../dot/aliases; cd",
        "PATH=~/dot:$PATH; . aliases",
    ] {
        let house = House::new(&format!("{source}\nhere=rc\n"));
        house.write("dot/aliases", "there=aliases\n");
        std::os::unix::fs::symlink("dot", house.path("link")).unwrap();
        house.reach(&house.plain(), 3);
        house.write("dot/aliases", "there=broken\nexit 3\n");
        house.fail(&house.plain());
        for _ in 0..2 {
            let (said, screen) = house.ask(&house.plain(), "$here $there");
            assert_eq!(said, "rc aliases", "{source}:\n{screen}");
            shows(&screen, &["+exit 3", "/aliases`"]);
            assert!(
                !screen.contains("/./") && !screen.contains("/../"),
                "{source}:\n{screen}"
            );
        }
    }
}

#[test]
fn a_file_outside_the_home_folder_is_guarded_as_well() {
    let team = tempfile::tempdir().unwrap();
    let rc = team.path().join("rc");
    fs::write(&rc, "there=team\n").unwrap();
    let house = House::new(&format!(". {}\nhere=rc\n", rc.display()));
    house.reach(&house.plain(), 3);
    fs::write(&rc, "there=broken\nexit 3\n").unwrap();
    house.fail(&house.plain());
    for _ in 0..2 {
        let (said, screen) = house.ask(&house.plain(), "$here $there");
        assert_eq!(said, "rc team", "{screen}");
        shows(&screen, &["+exit 3", "maint rc restore"]);
        assert!(!screen.contains("as they were"), "{screen}");
    }
    assert!(
        house
            .rc(&["restore", rc.to_str().unwrap()])
            .contains("says again")
    );
    assert_eq!(house.ask(&house.plain(), "$here $there").0, "rc team");
}

#[test]
fn what_a_login_shell_did_not_survive_is_not_tried_by_a_plain_one_and_the_other_way_round() {
    for (first, worked) in [("login", true), ("login", false), ("plain", true)] {
        let house = House::new("here=worked\n");
        house.write(
            ".bash_profile",
            "there=profile\n[ -f ~/.bashrc ] && . ~/.bashrc\n",
        );
        let (one, other) = match first {
            "login" => (house.login(), house.plain()),
            _ => (house.plain(), house.login()),
        };
        if worked {
            house.reach(&one, 2);
            house.reach(&other, 2);
        }
        house.add(".bashrc", "exit 1\n");
        house.fail(&one);
        for how in [&other, &one, &other] {
            let (here, screen) = house.ask(how, "${here-none}");
            assert_eq!(here, if worked { "worked" } else { "none" }, "{first}:\n{screen}");
            shows(&screen, &["~/.bashrc"]);
        }
        // An edit is tried by both.
        house.write(".bashrc", "PS1='$ '; here=mended\n");
        for how in [&other, &one] {
            let (here, screen) = house.ask(how, "$here");
            assert_eq!(
                (here.as_str(), screen.contains("lusush:")),
                ("mended", false),
                "{screen}"
            );
        }
    }
}

#[test]
fn a_plain_shell_does_not_pay_for_a_profile() {
    let house = House::new("here=rc\n");
    for profile in [
        "exit 1\n",
        ". ~/.bashrc\nexit 1\n",
        ". ~/.bashrc\n: ~/.bashrc\n:\nexit 1\n",
    ] {
        house.write(".bash_profile", profile);
        house.add(".bashrc", "# edited\n");
        house.fail(&house.login());
        let (here, screen) = house.ask(&house.plain(), "$here");
        assert_eq!(
            (here.as_str(), screen.contains("lusush:")),
            ("rc", false),
            "{screen}"
        );
    }
}

#[test]
fn a_file_that_executes_lusush_gets_its_prompt() {
    let exec = format!("[[ $- == *i* ]] && exec {}\n", lusush().display());
    for worked in [true, false] {
        let house = House::new("here=worked\n");
        if worked {
            house.reach(&house.plain(), 1);
        }
        house.add(".bashrc", &format!("echo round >>~/rounds\n{exec}"));
        for _ in 0..2 {
            let (here, screen) = house.ask(&house.plain(), "${here-none}");
            assert_eq!(here, if worked { "worked" } else { "none" }, "{screen}");
            shows(&screen, &["started lusush again", "exec", "LLE_LOADED"]);
        }
        let rounds = fs::read_to_string(house.path("rounds")).unwrap();
        assert!(rounds.lines().count() <= 3, "{rounds}");
        // As it is told.
        house.write(
            ".bashrc",
            &format!("PS1='$ '\n[ -z \"$LLE_LOADED\" ] && {exec}here=mended\n"),
        );
        let (here, screen) = house.ask(&house.plain(), "$here");
        assert_eq!(
            (here.as_str(), screen.contains("lusush:")),
            ("mended", false),
            "{screen}"
        );
        let bash = house
            .0
            .spawn(lle_pty::installed("bash").unwrap())
            .args(["-i"])
            .size(30, 80);
        assert_eq!(house.ask(&bash, "$here $(type -t lle)").0, "mended builtin");
    }
}

#[test]
fn a_file_that_marks_the_environment_and_executes_lusush_is_read() {
    let house = House::new("");
    let exec = format!(
        "[ -z \"$ONCE\" ] && export ONCE=1 && exec {}\n",
        lusush().display()
    );
    house.write(".bashrc", &format!("PS1='$ '\n{exec}here=rc\n"));
    for _ in 0..3 {
        let (here, screen) = house.ask(&house.plain(), "$here");
        assert_eq!(
            (here.as_str(), screen.contains("lusush:")),
            ("rc", false),
            "{screen}"
        );
    }
}
