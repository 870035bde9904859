//! Parts of the user's own prompt that are put off, in every bash: what is shown when, and what nobody gets to see.
//!
//! The part of these prompts shows a file's text as soon as a gate, another file, is open: so the tests say when it is slow.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::fs;
use std::path::Path;

use lle_pty::{Home, Terminal, test_bashes};

mod support;

use support::household::{Household, processes, wait};
use support::{bash_with_lle, press};

/// A part that waits for the gate, then shows the value. It counts its runs.
const RC: &str = r#"
part() { echo >>~/runs; until [[ -e ~/gate ]]; do sleep 0.01; done; cat "${1:-$HOME/value}"; }
lle cached part
PS1='<$(part)> '
"#;

struct Session {
    home: Home,
    t: Terminal,
}

impl Session {
    /// Starts a bash whose part shows `one`; it is known here and the gate is closed.
    fn start(bash: &Path, rc: &str) -> Self {
        // What `bash_with_lle` waits for is a prompt, and the gate is a file of its home.
        let rc = format!("echo one >~/value; : >~/gate\n{RC}{rc}");
        let (home, t) = bash_with_lle(bash, &rc);
        let mut session = Self { home, t };
        session.press("\r", "one");
        wait("the value to be known", || session.runs() == 2);
        session
            .t
            .wait_for("the value", |t| t.text().matches("one").count() == 2)
            .unwrap();
        session.shut();
        session
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    fn runs(&self) -> usize {
        fs::read_to_string(self.file("runs")).map_or(0, |text| text.lines().count())
    }

    fn shut(&self) {
        fs::remove_file(self.file("gate")).unwrap();
    }

    fn open(&self, value: &str) {
        fs::write(self.file("value"), format!("{value}\n")).unwrap();
        fs::write(self.file("gate"), "").unwrap();
    }

    fn press(&mut self, keys: &str, expected: &str) {
        press(&mut self.t, keys, expected);
    }

    fn waits_for(&mut self, text: &str) {
        self.t
            .wait_for_text(text)
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

fn in_every_bash(rc: &str, of: impl Fn(Session)) {
    for bash in test_bashes() {
        println!("bash {}", bash.version);
        of(Session::start(&bash.program, rc));
    }
}

#[test]
fn an_older_value_is_shown_at_once_and_the_new_one_when_it_comes() {
    in_every_bash("", |mut s| {
        s.press("echo hel", "<one> echo hel");
        s.press("\x02\x02", "<one> echo hel");
        s.press("\x15\r", "<one>\n<one>");
        s.press("echo hel\x1b[D", "<one> echo hel");
        let cursor = s.t.cursor();
        s.open("longer");
        s.waits_for("<longer> echo hel");
        let moved = s.t.cursor();
        assert_eq!(
            (moved.0, moved.1),
            (cursor.0, cursor.1 + 3),
            "the cursor is where it was in the text"
        );
        s.press("\x1b[Clo\r", "\nhello\n<longer>");
        // Undo knows of nothing but what was typed.
        s.press("abc\x1f\x1f\x1f\x1f\x1f\x1f", "\n<longer>");
    });
}

#[test]
fn a_value_is_shown_in_its_own_folder_only() {
    in_every_bash("mkdir ~/a\n", |mut s| {
        s.press("cd a\r", "<one> cd a\n<>");
        s.press("cd ..\r", "<> cd ..\n<one>");
        s.press("cd a\r", "<one> cd a\n<>");
        s.open("two");
        s.waits_for("<one> cd a\n<two>");
        s.press("cd ..\r", "<two> cd ..\n<");
        s.waits_for("<two> cd ..\n<two>");
        s.shut();
        s.press("rmdir a; mkdir a; cd a\r", "cd a\n<>");
    });
}

#[test]
fn nobody_gets_to_see_the_child() {
    in_every_bash("trap 'echo CHLD' CHLD\n", |mut s| {
        s.press("printf '\\e[H\\e[2J'\r", "<one>");
        s.press("jobs; wait; wait -n; echo $? [$!]\r", "\n127 []\n");
        s.open("two");
        s.waits_for("\n<two>");
        s.press("jobs; wait; echo [$!]\r", "\n[]\n");
        assert!(!s.t.text().contains("CHLD"), "{}", s.t.text());
        // A child of the user's own is told of as ever.
        s.press("/bin/true\r", "CHLD");
        let text = s.t.text();
        assert!(!text.contains("Done") && !text.contains("Terminated"), "{text}");
    });
}

#[test]
fn the_user_reads_their_own_ps1() {
    in_every_bash("", |mut s| {
        s.open("two");
        s.press("\r", "<");
        s.press(
            "clear; echo \"${PS1}\" \"$PS2\"; PS1=\"$PS1\"; declare -p PS1\r",
            "<$(part)>  >\ndeclare",
        );
        s.waits_for("declare -- PS1=\"<\\$(part)> \"\n<two>");
        s.shut();
        s.press("clear; echo \"$PS1\"\r", "<$(part)>\n<two>");
        s.open("two");
        s.press("clear; echo \"${PS1@P}.\"\r", "<two> .\n<two>");
        s.press("clear; set | grep -c 'LLE_P\\|lle_p\\|_part'\r", "0\n<two>");
    });
}

#[test]
fn what_is_not_certain_is_bash_s_own() {
    in_every_bash("", |mut s| {
        s.open("two");
        s.press("\r", "<");
        s.waits_for("\n<two>");
        // Tracing shows what a prompt runs: then it runs in the shell itself.
        s.press("set -x; clear\r", "+ part");
        s.press("set +x; clear\r", "<two>");
        s.press("shopt -u promptvars; clear\r", "<$(part)>");
        s.press("shopt -s promptvars; clear\r", "<two>");
        s.press("PS1='${x:-$(part)}> '; clear\r", "two>");
        s.press("PS1='$PS1$(part)> '; clear\r", "$PS1$(part)> ");
        s.press("PS1='$(part) % '; set +o emacs; clear\r", "two %");
        s.press("set -o emacs; clear\r", "two %");
    });
}

/// What bash itself shows of the same prompt is what the child has to say.
#[test]
fn a_value_is_what_bash_itself_would_show() {
    // It says who expands the prompt: the shell, or a child of its.
    const TELLS: &str = r#"
part() {
    read -r _ _ _ parent _ </proc/$BASHPID/stat; (( parent == $$ )); echo $? >>~/by
    echo >>~/runs; cat "${1:-$HOME/value}"
}
"#;
    const PARTS: &str =
        r#"$(part /dev/fd/3 3< <(echo "$?,$x,$PWD,$BASH_SUBSHELL,$-,$_,$!"))|$(part)|`part <(echo b)`"#;
    in_every_bash(TELLS, |mut s| {
        s.open("two");
        s.press("x=y\r", "<");
        s.waits_for("<two>");
        s.press(&format!("PS1='<{PARTS}> '\r"), "> ");
        s.waits_for("|b>");
        let mut shown = Vec::new();
        for (consent, by) in [("lle cached part", "1\n1\n1\n"), ("lle cached off", "0\n0\n0\n")] {
            fs::remove_file(s.file("by")).unwrap();
            s.press(&format!("{consent}; cd /tmp; clear; (exit 7)\r"), "<");
            s.waits_for("|b>");
            shown.push(s.t.text());
            assert_eq!(fs::read_to_string(s.file("by")).unwrap(), by, "{consent}");
        }
        assert_eq!(shown[0], shown[1]);
        assert!(shown[0].starts_with("<7,y,/tmp,"), "{shown:?}");
    });
}

#[test]
fn a_prompt_of_several_rows_is_written_anew_where_it_stands() {
    in_every_bash(
        "PS1='above\\n[$(part)] \\w\\n\\[\\e[32m\\]%\\[\\e[0m\\] '\n",
        |mut s| {
            s.press("\recho typed", "above\n[one] ~\n%\nabove\n[one] ~\n% echo typed");
            s.open("a longer value");
            s.waits_for("above\n[one] ~\n%\nabove\n[a longer value] ~\n% echo typed");
            s.press("\r", "% echo typed\ntyped\nabove\n[a longer value] ~\n%");
        },
    );
}

#[test]
fn output_without_a_newline_stays() {
    in_every_bash("", |mut s| {
        s.press("clear; printf out\r", "out<one>");
        s.press("echo x", "out<one> echo x");
        s.open("two");
        s.waits_for("out<two> echo x");
    });
}

#[test]
fn ctrl_c_and_end_of_file_find_their_line() {
    in_every_bash("IGNOREEOF=1\n", |mut s| {
        s.press("clear\r", "<one>");
        s.press("abc", "<one> abc");
        s.press("\x03", "<one> abc^C\n<one>");
        s.press("echo $?\r", "\n130\n<one>");
        s.open("two");
        s.waits_for("\n<two>");
        s.press("\x04", "<two>\nUse \"");
        s.press("echo end\r", "\nend\n<two>");
    });
}

#[test]
fn a_search_is_not_disturbed() {
    in_every_bash("", |mut s| {
        s.press("echo findme\r", "\nfindme\n<one>");
        s.press("\x12findme", "`findme': echo findme");
        s.open("two");
        s.t.type_bytes(b"\x01").unwrap();
        s.waits_for("<two> echo findme");
    });
}

/// The first prompt's value was the shell's; a child's is there when it comes.
fn value_is_kept(t: &mut Terminal) {
    press(t, "\r", "<");
    t.wait_for_text("<v>\n<v>")
        .unwrap_or_else(|error| panic!("{error}"));
}

/// A part that never answers leaves nothing behind, however its shell ends.
#[test]
fn nothing_is_left_of_a_shell_that_ends() {
    for bash in test_bashes() {
        for ends in [
            "exit\r",
            "\x04",
            "kill -9 $$\r",
            "exec /bin/true\r",
            "kill -HUP $$\r",
        ] {
            let marker = format!(
                "{}.{}",
                90_000 + std::process::id() % 9_000,
                ends.len() + ends.bytes().next().map_or(0, usize::from)
            );
            let rc = format!(
                "part() {{ [[ -e ~/stuck ]] && sleep {marker}; echo v; }}; PS1='<$(part)> '; lle cached part; HISTFILE=\n"
            );
            let (home, mut t) = bash_with_lle(&bash.program, &rc);
            value_is_kept(&mut t);
            fs::write(home.path().join("stuck"), "").unwrap();
            press(&mut t, "\r", "<v>\n<v>\n<v>");
            wait("the part to be at work", || {
                !processes(&format!("sleep {marker}")).is_empty()
            });
            t.type_bytes(ends.as_bytes()).unwrap();
            t.wait_exit(lle_pty::deadline()).unwrap();
            wait("the part to end", || {
                processes(&format!("sleep {marker}")).is_empty()
            });
        }
    }
}

#[test]
fn a_part_that_is_not_heard_of_is_ended_with_its_line() {
    let rc = "part() { [[ -e ~/stuck ]] && { trap '' TERM; exec sleep 81234.5; }; echo v; }; PS1='<$(part)> '; lle cached part\n";
    for bash in test_bashes() {
        let (home, mut t) = bash_with_lle(&bash.program, rc);
        value_is_kept(&mut t);
        fs::write(home.path().join("stuck"), "").unwrap();
        press(&mut t, "\r", "<v>\n<v>\n<v>");
        wait("the part to be at work", || {
            !processes("sleep 81234.5").is_empty()
        });
        fs::remove_file(home.path().join("stuck")).unwrap();
        press(&mut t, "\r", "<v>");
        wait("the part to be killed", || processes("sleep 81234.5").is_empty());
    }
}

/// What the configuration says is in force from the next prompt on; a variable of the session goes before it, and what is
/// chosen in the session before that.
#[test]
fn the_configuration_is_consent() {
    let rc = "part() { until [[ -e ~/gate ]]; do sleep 0.01; done; cat ~/value; }; PS1='<$(part)> '\n";
    let house = Household::with_worker(rc, &["--look-every", "200"]);
    let gate = house.home.path().join("gate");
    fs::write(&gate, "").unwrap();
    fs::write(house.home.path().join("value"), "one\n").unwrap();
    let said = house.said(&["config", "set", "prompt.cached", r#"["part"]"#]);
    assert!(said.contains(r#"prompt.cached = ["part"]"#), "{said}");
    let mut terminal = house.session();
    wait("the consent", || {
        terminal.press("clear; lle cached\r").unwrap();
        terminal.text().starts_with("part\n")
    });
    terminal.wait_for_text("part\n<one>").unwrap();
    terminal.press("\r").unwrap();
    fs::remove_file(&gate).unwrap();
    press(&mut terminal, "clear\r", "<one>");
    fs::write(&gate, "").unwrap();
    press(&mut terminal, "lle cached off; lle cached; echo none\r", "none");
    press(&mut terminal, "clear; LUSUSH_CONFIG_PROMPT_CACHED=\r", "<one>");
    let said = house.said(&["config", "show", "prompt.cached"]);
    assert!(said.contains(r#"["part"]"#), "{said}");
    let output = house.maint(&["config", "set", "prompt.cached", "git status"]);
    assert!(!output.status.success(), "no list is no consent");
    house.said(&["config", "set", "prompt.cached_wait_ms", "1000"]);
    // With a long wait a value that takes a moment is new at once.
    let mut patient = house.session();
    press(
        &mut patient,
        "lle cached part; LUSUSH_CONFIG_PROMPT_CACHED_WAIT_MS=1000\r",
        "<one>",
    );
    press(&mut patient, "\r", "<one>");
    fs::remove_file(&gate).unwrap();
    patient.type_bytes(b"clear\r").unwrap();
    wait("the part to be at work", || !processes("sleep 0.01").is_empty());
    fs::write(house.home.path().join("value"), "two\n").unwrap();
    fs::write(&gate, "").unwrap();
    patient.wait_for_text("<two>").unwrap();
}

/// What it saves, and what is told of it.
#[test]
fn what_is_slow_is_named_and_what_was_saved_is_told() {
    let house = Household::new("slow() { sleep 0.06; echo s; }; PS1='<$(slow)> '\n");
    let mut terminal = house.session();
    for _ in 0..5 {
        press(&mut terminal, "\r", "<s>");
    }
    let why = house.json(&["why", "prompt"]);
    assert_eq!(why["may_be_cached"], "slow", "{why}");
    let said = house.said(&["why", "prompt"]);
    assert!(
        said.contains("lusush maint config set prompt.cached '[\"slow\"]'"),
        "{said}"
    );
    press(&mut terminal, "lle cached slow\r", "<");
    for prompts in 1..5 {
        // Its value comes, and is of use at the next prompt.
        wait("the value", || {
            house.json(&["why", "prompt"])["put_off"]["late"] == prompts
        });
        terminal.type_bytes(b"\r").unwrap();
    }
    wait("the values", || {
        house.json(&["why", "prompt"])["put_off"]["late"] == 5
    });
    let put_off = &house.json(&["why", "prompt"])["put_off"];
    assert_eq!(
        (&put_off["prompts"], &put_off["given_up"]),
        (&5.into(), &0.into()),
        "{put_off}"
    );
    assert_eq!(
        (&put_off["empty"], &put_off["older"]),
        (&1.into(), &4.into()),
        "{put_off}"
    );
    assert_eq!(put_off["differed"], 1, "{put_off}");
    let number = |name: &str| put_off[name].as_u64().unwrap();
    assert!(
        number("work_ns") >= 5 * 60_000_000 && number("waited_ns") < number("work_ns"),
        "{put_off}"
    );
    let said = house.said(&["why", "prompt"]);
    assert!(said.contains("Parts of PS1 were put off in 5 prompts"), "{said}");
}
