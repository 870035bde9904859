//! What prompts and the start spend their time on, as real bashes spend it.
//!
//! No duration is asserted but one: a sleep takes no less than it was asked for. Shares are compared with what else was
//! measured in the same prompts.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use lle_metrics::{Part, PartKind, Parted, Snapshot, Timer};
use lle_pty::{Home, Terminal, test_bashes};
use serde_json::Value;

mod support;

use support::household::{processes, wait};
use support::{load_lle, press};

const MS: u64 = 1_000_000;

/// A slow `git` that writes down what it takes.
const STUB: &str =
    "#!/bin/bash\nb=$EPOCHREALTIME\nsleep 0.06\necho \"$b $EPOCHREALTIME\" >>~/git\necho main\n";

/// A session of a bash, with `rc`.
struct Timed {
    home: Home,
    terminal: Terminal,
}

impl Timed {
    fn start(bash: impl Into<PathBuf>, rc: &str) -> Self {
        let home = Home::new(&format!("{}{rc}", load_lle())).unwrap();
        let bin = home.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("git"), STUB).unwrap();
        fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut path = bin.into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let spawn = home.spawn(bash).env("PATH", path).size(30, 80);
        let mut terminal = Terminal::spawn(&spawn).unwrap();
        terminal
            .settle()
            .unwrap_or_else(|error| panic!("no prompt: {error}"));
        Self { home, terminal }
    }

    fn press(&mut self, keys: &str, expected: &str) {
        press(&mut self.terminal, keys, expected);
    }

    fn snapshot(&self) -> Snapshot {
        let sessions = self.home.lusush().join("run/sessions");
        let files = fs::read_dir(sessions)
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        let mut flights = files.filter(|path| path.extension().is_some_and(|x| x == "flight"));
        let snapshot = Snapshot::read(&flights.next().unwrap()).unwrap();
        assert_eq!(flights.next(), None);
        snapshot
    }

    /// The parts that were met: kind, name, what they took each time in ns, and what they are within.
    fn parts(&self, of: Parted) -> Vec<(PartKind, String, u64, Option<String>)> {
        let snapshot = self.snapshot();
        let text = |part: &Part<'_>| String::from_utf8_lossy(part.name).into_owned();
        let rows: Vec<_> = snapshot.parts(of).rows().collect();
        let within = |part: &Part<'_>| {
            let parent = rows.iter().find(|row| Some(row.row) == part.parent);
            parent.map(text)
        };
        rows.iter()
            .map(|part| {
                (
                    part.kind.unwrap(),
                    text(part),
                    part.times.mean_ns().unwrap(),
                    within(part),
                )
            })
            .collect()
    }

    /// What the last `n` lines of a file say was taken in all, in ms.
    fn truth_ms(&self, file: &str, n: usize) -> f64 {
        let text = fs::read_to_string(self.home.path().join(file)).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() > n, "{text}");
        let took = lines[lines.len() - n..].iter().map(|line| {
            let (began, ended) = line.split_once(' ').unwrap();
            (ended.parse::<f64>().unwrap() - began.parse::<f64>().unwrap()) * 1000.0
        });
        took.sum()
    }

    fn took(&self, of: Parted, kind: PartKind, name: &str) -> u64 {
        let parts = self.parts(of);
        let found = parts.iter().find(|part| part.0 == kind && part.1 == name);
        found
            .unwrap_or_else(|| panic!("no {kind:?} {name}: {parts:#?}"))
            .2
    }

    fn prompts(&self) -> u64 {
        self.snapshot().parts(Parted::Prompt).whole().count
    }

    fn why(&self, words: &[&str]) -> Value {
        let output = Command::new(support::lusush())
            .args(["maint", "why"])
            .args(words)
            .arg("--json")
            .env("LUSUSH_HOME", self.home.lusush())
            .env("HOME", self.home.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
    }
}

fn in_every_bash(rc: &str, mut check: impl FnMut(&mut Timed)) {
    for shell in test_bashes() {
        eprintln!("bash {}", shell.version);
        check(&mut Timed::start(shell.program, rc));
    }
}

#[test]
fn a_slow_function_and_a_slow_substitution_are_named_with_their_shares() {
    // Both write down what they take: on a busy machine a sleep is longer than it was asked to be.
    let rc = "slow_fn() { local b=$EPOCHREALTIME; sleep 0.05; echo \"$b $EPOCHREALTIME\" >>~/fn; }\n\
        PROMPT_COMMAND=slow_fn\nPS1='$(git status) $ '";
    in_every_bash(rc, |timed| {
        for _ in 0..5 {
            timed.press("true\r", "main $");
        }
        let why = timed.why(&["prompt"]);
        assert_eq!(why["version"], 1);
        let parts = why["parts"].as_array().unwrap();
        let part = |name: &str| {
            let part = parts.iter().find(|part| part["name"] == name);
            part.unwrap_or_else(|| panic!("no {name}: {why:#}"))
        };
        let share = |name: &str| part(name)["share_percent"].as_f64().unwrap();
        // The first prompt is the start's.
        let (function, git) = (timed.truth_ms("fn", 5), timed.truth_ms("git", 5));
        let whole = why["whole"]["sum_ns"].as_f64().unwrap() / 1e6;
        for (name, truth) in [("slow_fn", function), ("git status", git)] {
            // What the program took is part of it; starting and ending it is more, and how much is the machine's. That
            // no part is given too much is shown by their sum, below.
            let least = 100.0 * truth / whole;
            assert!(share(name) > least - 3.0, "{name}: {least} {why:#}");
            assert_eq!(part(name)["count"], 5, "{why:#}");
        }
        let sum: f64 = parts
            .iter()
            .filter(|part| part["besides"] == false)
            .map(|part| part["share_percent"].as_f64().unwrap())
            .sum();
        assert!((sum - 100.0).abs() < 1.0, "{sum}: {why:#}");
        // And where: that line alone sets it, and nothing was typed that may have.
        let rc = fs::read_to_string(timed.home.rc()).unwrap();
        for (name, line) in [
            ("slow_fn", "PROMPT_COMMAND=slow_fn"),
            ("git status", "PS1='$(git status) $ '"),
        ] {
            let at = rc.lines().position(|text| text == line).unwrap() + 1;
            assert_eq!(part(name)["set_in"], format!("~/.bashrc:{at}"), "{why:#}");
        }
        assert!(timed.took(Parted::Prompt, PartKind::Command, "slow_fn") >= 50 * MS);
        assert!(timed.took(Parted::Prompt, PartKind::Substitution, "git status") >= 60 * MS);
    });
}

#[test]
fn who_typed_or_changed_what_makes_the_prompt_is_told_no_line_of_a_file() {
    let rc = "slow_fn() { sleep 0.02; }\nPROMPT_COMMAND=slow_fn";
    let unknown = |timed: &Timed| {
        let why = timed.why(&["prompt"]);
        let parts = why["parts"].as_array().unwrap();
        assert!(parts.iter().all(|part| part["set_in"].is_null()), "{why:#}");
        why["set_unknown"].as_str().unwrap().to_owned()
    };
    in_every_bash(rc, |timed| {
        timed.press("true\r", "$");
        fs::write(
            timed.home.rc(),
            format!("{}# more\n", fs::read_to_string(timed.home.rc()).unwrap()),
        )
        .unwrap();
        let why = unknown(timed);
        assert!(why.contains("~/.bashrc has changed since"), "{why}");
        timed.press("PROMPT_COMMAND='slow_fn; :'\r", "$");
        timed.press("true\r", "$");
        let why = unknown(timed);
        assert!(why.contains("a command in this session"), "{why}");
    });
}

#[test]
fn every_entry_and_every_kind_of_command_is_named() {
    let rc = "one() { sleep 0.02; }\ndeep() { one; }\n\
        PROMPT_COMMAND=('deep' 'sleep 0.03; (sleep 0.02)' 'sleep 0.02 | cat' 'x=$(sleep 0.02)')";
    in_every_bash(rc, |timed| {
        timed.press("true\r", "$");
        timed.press("true\r", "$");
        for (name, least) in [
            ("deep", 20),
            ("sleep 0.03", 30),
            ("sleep 0.02 | cat", 20),
            ("x=$(sleep 0.02)", 20),
        ] {
            let took = timed.took(Parted::Prompt, PartKind::Command, name);
            assert!(took >= least * MS, "{name}: {took}");
        }
        let parts = timed.parts(Parted::Prompt);
        let subshell = parts.iter().find(|part| part.1.starts_with("( sleep"));
        assert!(subshell.is_some_and(|part| part.2 >= 20 * MS), "{parts:#?}");
        let within = parts.iter().find(|part| part.1 == "one");
        assert_eq!(
            within.and_then(|part| part.3.as_deref()),
            Some("deep"),
            "{parts:#?}"
        );
    });
}

#[test]
fn a_pipeline_is_named_whole_whichever_of_its_commands_is_slow() {
    let rc = "PROMPT_COMMAND=('echo hi | sleep 0.05' 'true & sleep 0.03')\nPS1='$(echo x | sleep 0.02)$ '";
    in_every_bash(rc, |timed| {
        timed.press("true\r", "$");
        timed.press("true\r", "$");
        assert!(timed.took(Parted::Prompt, PartKind::Command, "echo hi | sleep 0.05") >= 50 * MS);
        assert!(timed.took(Parted::Prompt, PartKind::Substitution, "echo x | sleep 0.02") >= 20 * MS);
        // What ran in the background is no part of it.
        assert!(timed.took(Parted::Prompt, PartKind::Command, "sleep 0.03") >= 30 * MS);
    });
}

#[test]
fn a_trap_that_forks_has_a_row_of_its_own_and_the_commands_keep_their_names() {
    let rc = "trap 'x=$(sleep 0.02)' DEBUG\nPROMPT_COMMAND='sleep 0.06; sleep 0.01'";
    in_every_bash(rc, |timed| {
        timed.press("true\r", "$");
        timed.press("true\r", "$");
        for (name, least) in [("the trap on DEBUG", 20), ("sleep 0.06", 60), ("sleep 0.01", 10)] {
            let took = timed.took(Parted::Prompt, PartKind::Command, name);
            assert!(took >= least * MS, "{name}: {took}");
        }
        let parts = timed.parts(Parted::Prompt);
        assert!(!parts.iter().any(|part| part.1.starts_with("x=")), "{parts:#?}");
    });
}

#[test]
fn functions_of_a_precmd_array_are_named_one_by_one() {
    // As bash-preexec does it: a DEBUG trap, and one function that runs all others.
    let rc = "precmd_functions=(git_part clock_part)\ngit_part() { sleep 0.03; }\nclock_part() { sleep 0.03; }\n\
        __bp_precmd_invoke_cmd() { local f; for f in \"${precmd_functions[@]}\"; do \"$f\"; done; }\n\
        __bp_preexec() { last=$BASH_COMMAND; }\ntrap '__bp_preexec \"$_\"' DEBUG\nPROMPT_COMMAND=__bp_precmd_invoke_cmd";
    in_every_bash(rc, |timed| {
        timed.press("true\r", "$");
        timed.press("true\r", "$");
        assert!(timed.took(Parted::Prompt, PartKind::Command, "__bp_precmd_invoke_cmd") >= 60 * MS);
        let parts = timed.parts(Parted::Prompt);
        for name in ["git_part", "clock_part"] {
            let part = parts.iter().find(|part| part.1 == name);
            let part = part.unwrap_or_else(|| panic!("no {name}: {parts:#?}"));
            assert!(part.2 >= 30 * MS, "{parts:#?}");
            assert_eq!(part.3.as_deref(), Some("__bp_precmd_invoke_cmd"));
        }
        timed.press("echo \"<$last>\"\r", "<echo \"<$last>\">");
    });
}

#[test]
fn substitutions_that_cannot_be_told_apart_are_named_together() {
    in_every_bash("PS1='${x:-$(sleep 0.02)}${y:+$(git branch)}$ '", |timed| {
        timed.press("true\r", "$");
        assert!(timed.took(Parted::Prompt, PartKind::Joint, "sleep 0.02, git branch") >= 20 * MS);
    });
}

#[test]
fn what_the_prompt_command_sees_is_what_it_saw() {
    let rc = "see() { seen=\"$? ${PIPESTATUS[*]}\"; true | false; inner=\"${PIPESTATUS[*]}\"; [[ a ]]; }\n\
        PROMPT_COMMAND=see";
    in_every_bash(rc, |timed| {
        timed.press("false | true | (exit 3)\r", "$");
        timed.press("echo \"<$seen><$inner>\"\r", "<3 1 0 3><0 1>");
        timed.press("true | false; echo \"[${PIPESTATUS[@]}] [$?]\"\r", "[0 1] [1]");
        timed.press("declare -p PIPESTATUS\r", "declare -a PIPESTATUS=([0]=\"0\")");
        timed.press(
            "f() { (exit 4) | true; return 5; }; f; echo \"${PIPESTATUS[@]}\"\r",
            "5",
        );
        timed.press("trap 'echo \"E:$BASH_COMMAND\"' ERR; (( 0 ))\r", "E:(( 0 ))");
    });
}

#[test]
fn an_error_and_an_interrupt_leave_the_next_prompt_right() {
    let rc = "bad() { sleep 0.02; : ${nope:?gone}; }\nPROMPT_COMMAND=(bad 'sleep 0.03')";
    in_every_bash(rc, |timed| {
        timed.press("true\r", "$");
        assert!(timed.took(Parted::Prompt, PartKind::Command, "sleep 0.03") >= 30 * MS);
        let bad = timed.took(Parted::Prompt, PartKind::Command, "bad");
        assert!((20 * MS..).contains(&bad), "{bad}");
        // Ctrl-C in the middle of it: what was begun is begun anew.
        let keys = "PROMPT_COMMAND='[[ -e go ]] || { : >go; sleep 30.125; }'\r";
        timed.terminal.type_bytes(keys.as_bytes()).unwrap();
        wait("the sleep", || {
            timed.terminal.pump(Duration::from_millis(1));
            processes("sleep 30.125")
                .iter()
                .any(|(_, line)| line.starts_with("sleep"))
        });
        timed.press("\x03", "$");
        timed.press("true\r", "$");
        let parts = timed.parts(Parted::Prompt);
        assert!(!parts.iter().any(|part| part.1.contains("30.125")), "{parts:#?}");
        assert!(parts.iter().any(|part| part.1 == "[["), "{parts:#?}");
    });
}

#[test]
fn a_users_own_look_at_the_variables_is_no_prompt() {
    in_every_bash("PROMPT_COMMAND=:", |timed| {
        timed.press("true\r", "$");
        timed.press(
            "echo $PROMPT_COMMAND $PS1; sleep 3; eval 'echo $PROMPT_COMMAND'\r",
            "$",
        );
        timed.press("true\r", "$");
        let whole = timed.snapshot().parts(Parted::Prompt).whole();
        assert!(whole.max_ns < 2_000 * MS, "{whole:?}");
        let parts = timed.parts(Parted::Prompt);
        assert!(
            !parts
                .iter()
                .any(|part| part.1.contains("sleep") || part.1.contains("true")),
            "{parts:#?}"
        );
    });
}

#[test]
fn a_command_that_looks_at_the_variables_loses_no_prompt() {
    let rc = "quick() { :; }; slow() { sleep 0.04; }; PROMPT_COMMAND=(quick slow 'history -a')";
    in_every_bash(rc, |timed| {
        timed.press("true\r", "$");
        for command in [
            "echo $PS1",
            "echo $PROMPT_COMMAND $PS1; eval 'echo $PROMPT_COMMAND'",
            "for a in 1 2\rdo : $a\rdone",
            "PS1='> '",
            "PROMPT_COMMAND=()",
            "PROMPT_COMMAND=(slow quick)",
            "unset PROMPT_COMMAND",
        ] {
            let before = timed.prompts();
            timed.press(&format!("{command}\r"), "");
            let snapshot = timed.snapshot();
            let whole = snapshot.parts(Parted::Prompt).whole();
            assert_eq!(whole.count, before + 1, "{command}");
            assert_eq!(whole.count, snapshot.samples(Timer::Prompt), "{command}");
            let runs_nothing = ["PROMPT_COMMAND=()", "unset PROMPT_COMMAND"].contains(&command);
            let slow = snapshot
                .parts(Parted::Prompt)
                .rows()
                .any(|part| part.name == b"slow" && part.last_round == whole.count);
            assert_eq!(slow, !runs_nothing, "{command}");
        }
    });
}

#[test]
fn children_and_other_programs_record_nothing() {
    in_every_bash(
        "f() { sleep 0.01; }\nPROMPT_COMMAND='( f; sleep 0.02 )'",
        |timed| {
            timed.press("( f; f )\r", "$");
            timed.press("bash --norc -c 'exit 0'\r", "$");
            let parts = timed.parts(Parted::Prompt);
            assert!(!parts.iter().any(|part| part.1 == "f"), "{parts:#?}");
            let before = timed.prompts();
            timed.press("PS1='new$ ' exec bash --norc --noprofile\r", "new$");
            assert_eq!(timed.prompts(), before);
        },
    );
}

#[test]
fn slow_lines_of_the_start_are_named() {
    let rc = "quick=1\nsleep 0.03\nf() { sleep 0.02; }; f\n. ~/more.sh";
    for shell in test_bashes() {
        let home = Home::new(&format!("{}{rc}", load_lle())).unwrap();
        fs::write(
            home.path().join("more.sh"),
            "sleep 0.02\n\nif true; then\n  sleep 0.04\nfi\n",
        )
        .unwrap();
        let lines = fs::read_to_string(home.rc()).unwrap();
        let at = lines.lines().position(|line| line == "sleep 0.03").unwrap() + 1;
        let mut terminal = Terminal::spawn(&home.spawn(shell.program)).unwrap();
        terminal.settle().unwrap();
        let timed = Timed { home, terminal };
        let check = |kind, name: &str, least: u64| {
            assert!(timed.took(Parted::Start, kind, name) >= least * MS, "{name}");
        };
        check(PartKind::Line, &format!("~/.bashrc:{at}"), 30);
        check(PartKind::Line, &format!("~/.bashrc:{}", at + 1), 20);
        check(PartKind::Line, "~/more.sh:1", 20);
        check(PartKind::Line, "~/more.sh:4", 40);
        check(PartKind::File, "~/more.sh", 60);
        check(PartKind::File, "~/.bashrc", 110);
    }
}

#[test]
fn it_can_be_switched_off_and_says_so() {
    in_every_bash("PROMPT_COMMAND='sleep 0.01'", |timed| {
        timed.press("lle set attribute off\r", "$");
        let before = timed.prompts();
        timed.press("true\r", "$");
        assert_eq!(timed.prompts(), before);
        let why = timed.why(&[]);
        assert!(
            why["unknown"].as_str().unwrap().contains("lle set attribute on"),
            "{why}"
        );
        timed.press("lle set attribute on\r", "$");
        timed.press("true\r", "$");
        assert!(timed.prompts() > before);
    });
}

/// What no file and no answer may hold.
const SECRET: &str = "s3cretword";

impl Timed {
    /// Demands that neither the flight file nor `maint why` holds a secret.
    fn keeps_secrets(&self, what: &str) {
        let told = self.why(&["prompt"]).to_string();
        assert!(!told.contains(SECRET), "{what}: {told}");
        let sessions = self.home.lusush().join("run/sessions");
        for entry in fs::read_dir(sessions).unwrap().flatten() {
            let Ok(bytes) = fs::read(entry.path()) else {
                continue;
            };
            let found = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
            assert!(!found, "{what}: {}", entry.path().display());
        }
    }
}

#[test]
fn a_line_with_a_leading_space_reaches_neither_the_flight_file_nor_why() {
    // Bash forks before it prints a command of this round: what it printed last is the user's own.
    for rc in [
        "PROMPT_COMMAND='while read -r l; do :; done < <(sleep 0.05)'",
        "PS1='$(sleep 0.02)$ '",
        "PROMPT_COMMAND='x=$(sleep 0.02)'",
    ] {
        in_every_bash(&format!("trap : USR1\n{rc}"), |timed| {
            timed.press(&format!(" true {SECRET} pw2 x\r"), "$");
            timed.press(&format!(" {SECRET}() {{ kill -USR1 $$; }}; {SECRET}\r"), "$");
            timed.press("clear\r", "$");
            timed.keeps_secrets(rc);
        });
    }
}

#[test]
fn a_line_with_a_leading_space_is_no_name_in_a_round_of_another() {
    let rc = "PROMPT_COMMAND='while read -r l; do :; done < <(sleep 0.05)'";
    in_every_bash(rc, |timed| {
        // Not even what may be seen names what it did not run.
        timed.press("true openword\r", "$");
        timed.press("true\r", "$");
        let parts = timed.parts(Parted::Prompt);
        assert!(!parts.iter().any(|part| part.1.starts_with("true")), "{parts:#?}");
    });
}

#[test]
fn a_prompt_command_set_privately_is_not_named() {
    in_every_bash("PROMPT_COMMAND=:", |timed| {
        timed.press("true\r", "$");
        timed.press(
            &format!(" PROMPT_COMMAND='sleep 0.02; {SECRET}() {{ sleep 0.03; }}; {SECRET}'\r"),
            "$",
        );
        timed.press("true\r", "$");
        timed.press("clear\r", "$");
        timed.keeps_secrets("with a leading space");
        assert!(timed.took(Parted::Prompt, PartKind::Command, "PROMPT_COMMAND") >= 50 * MS);
        timed.press("PROMPT_COMMAND='sleep 0.02'\r", "$");
        timed.press("true\r", "$");
        assert!(timed.took(Parted::Prompt, PartKind::Command, "sleep 0.02") >= 20 * MS);
        timed.press("lle private on\r", "$");
        timed.press(
            &format!(
                "PS1='$(sleep 0.02; : {SECRET})$ '; {SECRET}() {{ sleep 0.1; }}; PROMPT_COMMAND={SECRET}\r"
            ),
            "$",
        );
        timed.press("lle private off\r", "$");
        timed.press("true\r", "$");
        timed.press("clear\r", "$");
        timed.keeps_secrets("in private mode");
    });
}

#[test]
fn a_prompt_command_is_named_without_what_it_is_given() {
    let rc = format!("PROMPT_COMMAND='true -u me:{SECRET} x; sleep 0.02; : {SECRET}=1; : a/{SECRET}'");
    in_every_bash(&rc, |timed| {
        timed.press("true\r", "$");
        // What divides nothing goes by the text.
        timed.press("lle set attribute off\r", "$");
        timed.press("true\r", "$");
        timed.keeps_secrets(&rc);
    });
}

#[test]
fn of_a_line_that_may_have_changed_the_prompt_no_value_is_kept() {
    in_every_bash("PROMPT_COMMAND=:", |timed| {
        timed.press("true\r", "$");
        timed.press(&format!("PROMPT_COMMAND='true -u me:{SECRET} x'\r"), "$");
        timed.press(&format!("PS1='new$ ' TOKEN={SECRET}\r"), "new$");
        // What ran last is kept until something else does.
        timed.press("clear\r", "$");
        let snapshot = timed.snapshot();
        let told: Vec<_> = snapshot
            .prompt_changes_since(0)
            .map(|change| String::from_utf8_lossy(change.text).into_owned())
            .collect();
        assert_eq!(told, ["PROMPT_COMMAND='true …", "PS1='new$ ' …"]);
        timed.keeps_secrets("as a change of the prompt");
    });
}

#[test]
fn nothing_is_divided_where_no_line_begins_and_again_where_one_does() {
    let load = load_lle()
        .replace("&& : >\"$HOME/lle-loaded\"", "")
        .trim()
        .to_owned();
    for (off, on) in [("set +o emacs", "set -o emacs"), ("enable -d lle", load.as_str())] {
        in_every_bash("PROMPT_COMMAND='sleep 0.02'", |timed| {
            timed.press("true\r", "$");
            timed.press(&format!("{off}\n"), "$");
            let before = timed.prompts();
            for _ in 0..3 {
                timed.press("true; for i in 1 2 3; do :; done\n", "$");
            }
            assert_eq!(timed.prompts(), before, "{off}");
            timed.press(&format!("{on}\n"), "$");
            timed.press("true\r", "$");
            timed.press("true\r", "$");
            assert!(timed.prompts() > before, "{on}");
            assert!(timed.took(Parted::Prompt, PartKind::Command, "sleep 0.02") >= 20 * MS);
        });
    }
}
