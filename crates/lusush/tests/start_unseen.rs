//! What the launcher does around start-up files, nobody sees who looks at what bash does.
// A panic is the report.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lle_pty::{Home, Terminal, deadline, shared_object, test_bashes};
use support::{lusush, press};

/// How long a person waits before the next Ctrl-C.
const AGAIN: Duration = Duration::from_millis(500);

/// Starts `program` in `home`, whose `~/.bashrc` is `rc`.
fn start(home: &Home, program: &Path, rc: &str) -> Terminal {
    std::fs::write(home.rc(), format!("PS1='$ '\n{rc}\n")).unwrap();
    let mut t = Terminal::spawn(&home.spawn(program)).unwrap();
    t.settle().unwrap_or_else(|error| panic!("no prompt: {error}"));
    t
}

/// What the newest start said of itself at its first prompt.
fn reached(home: &Home) -> String {
    let folder = home.lusush().join("state/start/interactive");
    let records = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut records: Vec<PathBuf> = records.filter(|path| path.join("begun").exists()).collect();
    records.sort();
    std::fs::read_to_string(records.pop().unwrap().join("reached")).unwrap_or_default()
}

fn leave(mut t: Terminal) {
    t.type_bytes(b"\x15exit\r").unwrap();
    t.wait_exit(deadline()).unwrap();
}

/// What the screen shows; the launcher's script sources the file, which `set -x` shows by a plus more.
fn shown(t: &Terminal) -> String {
    t.text().replace("++ ", "+ ")
}

#[test]
fn what_a_start_up_file_has_bash_show_ends_with_it() {
    for (rc, keys) in [
        ("set -x", "echo $-\r"),
        (
            "exec {BASH_XTRACEFD}>~/trace; set -x",
            "wc -l <~/trace; echo $BASH_XTRACEFD\r",
        ),
        ("set -v", "echo $-\r"),
        ("trap 'echo \"DEBUG $BASH_COMMAND\"' DEBUG", "trap -p DEBUG\r"),
        (
            "trap 'echo \"DEBUG $BASH_COMMAND\"' DEBUG; set -T",
            "trap - DEBUG\r",
        ),
        ("trap 'echo \"ERR $?\"' ERR; (exit 7)", "echo $?\r"),
        ("set -x; (exit 7)", "echo $?\r"),
        ("set -x; return 0", "echo $?\r"),
    ] {
        let (home, other) = (Home::new("").unwrap(), Home::new("").unwrap());
        let mut bare = start(&other, Path::new("bash"), rc);
        let mut ours = start(&home, lusush(), rc);
        assert_eq!(shown(&ours), shown(&bare), "{rc}");
        assert_eq!(reached(&home), "ready\n", "{rc}");
        for t in [&mut bare, &mut ours] {
            t.press(keys).unwrap();
        }
        assert_eq!(shown(&ours), shown(&bare), "{rc}");
    }
}

#[test]
fn a_start_whose_end_cannot_be_told_is_not_called_interrupted() {
    for rc in [
        "enable -n lle",
        "lle set attribute off",
        "unset PIPESTATUS",
        "PROMPT_COMMAND='. ~/.more'; echo : >~/.more",
        "trap : DEBUG",
        "",
    ] {
        let home = Home::new("").unwrap();
        for _ in 0..2 {
            let mut t = start(&home, lusush(), rc);
            press(&mut t, "echo \"is $((40 + 2))\"\r", "is 42");
            assert!(!t.text().contains("interrupted"), "{rc}:\n{}", t.text());
            assert_eq!(reached(&home), "ready\n", "{rc}");
            leave(t);
        }
    }
}

#[test]
fn a_start_up_file_that_switches_readline_off_is_one_that_works() {
    for rc in ["set +o emacs", "lle set attribute off; set +o emacs"] {
        let home = Home::new("").unwrap();
        for _ in 0..4 {
            let mut t = start(&home, lusush(), &format!("{rc}\nhere=yes"));
            assert_eq!(reached(&home), "ready\n", "{rc}");
            press(&mut t, "echo \"is $here\"\n", "is yes");
            t.type_bytes(b"exit\n").unwrap();
            t.wait_exit(deadline()).unwrap();
        }
    }
}

#[test]
fn a_start_up_file_that_unloads_lle_is_one_that_works() {
    for (rc, paints) in [
        ("enable -d lle", false),
        ("lle set attribute off; enable -d lle maint", false),
        ("enable -d lle; enable -f \"$(<~/library)\" lle", true),
    ] {
        let home = Home::new("").unwrap();
        let library = shared_object(lusush());
        std::fs::write(home.path().join("library"), library.as_os_str().as_bytes()).unwrap();
        for _ in 0..4 {
            let mut t = start(&home, lusush(), &format!("{rc}\nhere=yes"));
            assert_eq!(reached(&home), "ready\n", "{rc}");
            press(&mut t, "echo \"is $here\"\r", "is yes");
            // An incomplete command goes on in a row of the same line, or behind PS2.
            t.press("echo 'a\r").unwrap();
            let row = &t.rows()[usize::from(t.cursor().0)];
            // What is suggested may stand there.
            assert_eq!(row.starts_with('>'), !paints, "{rc}: {}", t.text());
            press(&mut t, "b'\r", "\na\nb\n$");
            leave(t);
        }
        let log = std::fs::read(support::log_of(&home)).unwrap_or_default();
        let is_logged = log.windows(7).any(|bytes| bytes == b"is $her");
        assert_eq!(is_logged, paints, "{rc}");
    }
}

/// What is unloaded in the middle is whole again when it is loaded.
#[test]
fn what_a_start_up_file_unloaded_can_be_loaded_again() {
    let home = Home::new("").unwrap();
    let library = shared_object(lusush());
    std::fs::write(home.path().join("library"), library.as_os_str().as_bytes()).unwrap();
    for rc in [
        "enable -d lle",
        "set +o emacs; enable -d lle; set -o emacs",
        "enable -d lle; set +o emacs",
    ] {
        let mut t = start(&home, lusush(), rc);
        assert_eq!(reached(&home), "ready\n", "{rc}");
        t.press("set -o emacs\n").unwrap();
        press(&mut t, "enable -f \"$(<~/library)\" lle\n", "$");
        t.press("for i in 1\r").unwrap();
        let row = t.cursor().0;
        assert!(t.rows()[usize::from(row)].is_empty(), "{rc}: {}", t.text());
        press(&mut t, "do echo \"i=$i\"; done\r", "i=1");
        leave(t);
    }
}

#[test]
fn every_bash_comes_to_the_end_of_its_files() {
    for bash in test_bashes() {
        let home = Home::new("").unwrap();
        std::fs::write(home.rc(), "PS1='$ '\nset -x\nenable -n lle\n").unwrap();
        for words in [&[][..], &["-l"]] {
            let profile = home.path().join(".bash_profile");
            std::fs::write(&profile, ". ~/.bashrc\n").unwrap();
            let spawn = home.spawn(lusush()).args(words).env("LUSUSH_BASH", &bash.program);
            let mut t = Terminal::spawn(&spawn).unwrap();
            t.settle().unwrap();
            assert!(
                !t.text().contains("interrupted"),
                "{}:\n{}",
                bash.version,
                t.text()
            );
            press(&mut t, "echo $BASH_VERSION\r", &bash.version);
            leave(t);
        }
    }
}

#[test]
fn every_bash_has_an_interrupted_start_told() {
    let looping = "while [[ -e ~/began ]] || : >~/began; do :; done";
    for bash in test_bashes() {
        for rc in [looping.to_owned(), format!("trap : DEBUG\n{looping}\nhere=yes")] {
            let home = Home::new("").unwrap();
            std::fs::write(home.rc(), format!("{rc}\n")).unwrap();
            let spawn = home.spawn(lusush()).env("LUSUSH_BASH", &bash.program);
            let mut t = Terminal::spawn(&spawn).unwrap();
            let began = home.path().join("began");
            t.wait_for("the file to be read", |_| began.exists()).unwrap();
            // Bash loses an interrupt that comes while a trap of a sourced file runs, without LLE, too.
            let is_told = |t: &Terminal| t.text().contains("were interrupted");
            let began = Instant::now();
            while !is_told(&t) && began.elapsed() < deadline() {
                t.type_bytes(b"\x03").unwrap();
                let typed = Instant::now();
                while !is_told(&t) && typed.elapsed() < AGAIN {
                    t.pump(AGAIN);
                }
            }
            assert!(
                t.text().contains("were interrupted"),
                "{} {rc}:\n{}",
                bash.version,
                t.text()
            );
            assert_eq!(reached(&home), "partial\n", "{} {rc}", bash.version);
        }
    }
}
