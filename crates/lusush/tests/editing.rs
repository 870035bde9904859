//! What people do in a shell all day, in bash with LLE, in a real terminal.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use lle_metrics::{Snapshot, Timer};
use lle_pty::{Home, Terminal, deadline};

use support::{bash_with_lle, load_lle, press, runs, shared_object};

/// Starts bash with LLE and runs `rc` in it.
fn bash(rc: &str) -> (Home, Terminal) {
    bash_with_lle(Path::new("bash"), rc)
}

/// Types a line and waits for text that is not part of it.
fn run(terminal: &mut Terminal, line: &str, expected: &str) {
    press(terminal, &format!("{line}\r"), expected);
}

/// Returns the foreground colour and boldness of the first cell of `text` on the screen.
fn colour_of(terminal: &Terminal, text: &str) -> vt100::Color {
    let rows = terminal.rows();
    let (row, line) = rows
        .iter()
        .enumerate()
        .rfind(|(_, line)| line.contains(text))
        .expect("the text is shown");
    let col = line[..line.find(text).unwrap()].chars().count();
    terminal.screen().cell(row as u16, col as u16).unwrap().fgcolor()
}

#[test]
fn commands_show_their_output() {
    let (_home, mut terminal) = bash("");
    run(&mut terminal, "echo $((40 + 2))", "\n42\n$");
    run(&mut terminal, "printf %s no-newline", "no-newline$");
    run(&mut terminal, "false; echo status=$?", "\nstatus=1\n");
}

#[test]
fn words_are_coloured_by_what_they_are() {
    let (_home, mut terminal) = bash("");
    press(&mut terminal, "echo 'text' # note", "# note");
    let colours = ["echo", "'text'", "# note"].map(|word| colour_of(&terminal, word));
    assert!(
        colours[0] != colours[1] && colours[1] != colours[2],
        "{colours:?}"
    );
    press(&mut terminal, "\x15nosuchcommand ", "nosuchcommand");
    assert_ne!(
        colour_of(&terminal, "nosuchcommand"),
        colours[0],
        "an unknown command looks like a known one"
    );
}

/// Letters are echoed in the colour of the one before; what they really are is seen once no key waits.
#[test]
fn a_word_has_its_own_colour_after_each_letter() {
    let (_home, mut terminal) = bash("");
    let mut colors = Vec::new();
    for letter in "untilx".chars() {
        terminal.type_bytes(letter.to_string().as_bytes()).unwrap();
        terminal.settle().unwrap();
        colors.push(colour_of(&terminal, "u"));
    }
    let (unknown, keyword) = (colors[0], colors[4]);
    assert_ne!(unknown, keyword);
    assert_eq!(colors, [unknown, unknown, unknown, unknown, keyword, unknown]);
    assert_eq!(colour_of(&terminal, "x"), unknown);
}

#[test]
fn no_color_means_none() {
    let home = Home::new(&load_lle()).unwrap();
    let mut terminal = Terminal::spawn(&home.spawn("bash").env("NO_COLOR", "1")).unwrap();
    terminal.settle().unwrap();
    press(&mut terminal, "echo 'text' nosuch # note", "# note");
    for word in ["echo", "'text'", "# note"] {
        assert_eq!(colour_of(&terminal, word), vt100::Color::Default, "{word}");
    }
}

#[test]
fn suggestion_comes_from_history_and_is_accepted_by_the_usual_keys() {
    for accept in ["\x1b[C", "\x05", "\x1b[F", "\x06"] {
        let (_home, mut terminal) = bash("");
        run(&mut terminal, "echo suggested words", "\nsuggested words\n");
        press(&mut terminal, "ech", "\n$ echo suggested words");
        assert_ne!(colour_of(&terminal, "o suggested"), vt100::Color::Default);
        press(&mut terminal, accept, "\n$ echo suggested words");
        press(
            &mut terminal,
            "\r",
            "\nsuggested words\n$ echo suggested words\nsuggested words\n",
        );
    }
}

#[test]
fn a_suggestion_that_is_not_accepted_is_not_run() {
    let (_home, mut terminal) = bash("");
    run(&mut terminal, "echo suggested words", "\nsuggested words\n");
    run(&mut terminal, "echo", "\n$ echo\n\n$");
}

#[test]
fn enter_on_an_incomplete_command_opens_a_row() {
    let (_home, mut terminal) = bash("");
    press(&mut terminal, "for n in 1 2; do\r", "$ for n in 1 2; do");
    assert_eq!(terminal.cursor(), (1, 0), "{}", terminal.text());
    press(&mut terminal, "echo n=$n\r", "do\necho n=$n");
    run(&mut terminal, "done", "\nn=1\nn=2\n$");
    // One entry in history, joined as bash joins lines: one key up brings all of it back.
    press(&mut terminal, "\x10", "\nn=2\n$ for n in 1 2; do echo n=$n; done");
    run(&mut terminal, "", "\nn=1\nn=2\n$");
}

#[test]
fn completion_completes() {
    let (home, mut terminal) = bash("");
    std::fs::write(home.path().join("a-file-to-complete"), "found\n").unwrap();
    press(&mut terminal, "cat a-fi", "a-fi");
    terminal.type_bytes(b"\t").unwrap();
    terminal.wait_for_text("a-file-to-complete").unwrap();
    run(&mut terminal, "", "\nfound\n$");
}

#[test]
fn a_panic_hands_back_to_readline_with_the_text() {
    let (_home, mut terminal) = bash("");
    run(&mut terminal, "lle panic", "$");
    press(&mut terminal, "echo kept", "echo kept");
    run(&mut terminal, "", "\nkept\n");
    run(&mut terminal, "lle status", " off in session");
    run(&mut terminal, "lle on", "$");
    run(&mut terminal, "lle status", " on in session");
}

#[test]
fn private_commands_stay_out_of_the_log() {
    let (home, mut terminal) = bash("");
    run(&mut terminal, "echo seen", "\nseen\n");
    run(&mut terminal, "lle private on", "$");
    run(&mut terminal, "echo hidden", "\nhidden\n");
    run(&mut terminal, "lle private off", "$");
    let log = support::log_of(&home);
    let log = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
    assert!(log.contains("echo seen") && !log.contains("echo hidden"));
}

#[test]
fn job_control_is_that_of_bash() {
    let (_home, mut terminal) = bash("");
    terminal.type_bytes(b"cat\r").unwrap();
    terminal.wait_for("cat to read", |t| runs("cat", t)).unwrap();
    press(&mut terminal, "through\r", "through\nthrough");
    press(&mut terminal, "\x1a", "Stopped");
    run(&mut terminal, "echo between", "\nbetween\n");
    terminal.type_bytes(b"fg\r").unwrap();
    terminal.wait_for("cat to read", |t| runs("cat", t)).unwrap();
    press(&mut terminal, "again\r", "again\nagain");
    press(&mut terminal, "\x04", "$");
    run(&mut terminal, "echo after", "\nafter\n");
}

#[test]
fn control_c_ends_a_loop() {
    let (_home, mut terminal) = bash("");
    terminal.type_bytes(b"while :; do sleep 1; done\r").unwrap();
    terminal.wait_for("the loop", |t| runs("sleep", t)).unwrap();
    press(&mut terminal, "\x03", "^C");
    run(&mut terminal, "echo status=$?", "\nstatus=130\n");
}

#[test]
fn control_c_drops_the_line() {
    let (_home, mut terminal) = bash("");
    press(&mut terminal, "echo dropped\x03", "^C\n$");
    run(&mut terminal, "echo kept", "\nkept\n");
    assert!(!terminal.text().contains("\ndropped"));
}

#[test]
fn exec_and_nested_shells_work() {
    let (_home, mut terminal) = bash("");
    run(&mut terminal, "exec bash", "$");
    run(&mut terminal, "lle status", " on in session");
    run(&mut terminal, "bash", "$");
    run(&mut terminal, "echo level=$SHLVL", "\nlevel=2\n");
    run(&mut terminal, "exit", "exit\n$");
    run(&mut terminal, "echo level=$SHLVL", "\nlevel=1\n");
}

#[test]
fn end_of_file_ends_the_shell_unless_it_is_ignored() {
    let (_home, mut terminal) = bash("");
    terminal.type_bytes(b"\x04").unwrap();
    assert!(terminal.wait_exit(deadline()).unwrap().success());

    let (_home, mut terminal) = bash("IGNOREEOF=1");
    press(&mut terminal, "\x04", "Use \"exit\" to leave the shell.\n$");
    terminal.type_bytes(b"\x04").unwrap();
    terminal.wait_exit(deadline()).unwrap();
}

#[test]
fn timeout_ends_the_shell() {
    let (_home, mut terminal) = bash("TMOUT=1");
    terminal.wait_exit(deadline()).unwrap();
    assert!(
        terminal.text().contains("timed out waiting for input"),
        "{}",
        terminal.text()
    );
}

#[test]
fn read_and_select_are_those_of_bash() {
    let (_home, mut terminal) = bash("");
    run(&mut terminal, "read -e -p 'name: ' name", "\nname:");
    press(&mut terminal, "wrod\x1b[D\x1b[D\x14\r", "$");
    run(&mut terminal, "echo \"<$name>\"", "\n<word>\n");
    run(
        &mut terminal,
        "select one in a b; do echo \"chose $one\"; break; done",
        "#?",
    );
    press(&mut terminal, "2\r", "\nchose b\n");
    run(&mut terminal, "read -e -s -p 'secret: ' secret", "\nsecret:");
    press(&mut terminal, "hidden\r", "$");
    assert!(!terminal.text().contains("hidden"), "{}", terminal.text());
}

#[test]
fn vi_mode_is_that_of_readline() {
    let (_home, mut terminal) = bash("set -o vi");
    press(&mut terminal, "echo three two one\x1b", "$ echo three two one");
    press(&mut terminal, "0wdw", "$ echo two one");
    press(&mut terminal, "$xxxathree\r", "\ntwo three\n");
}

#[test]
fn pasted_lines_wait_for_enter() {
    let (_home, mut terminal) = bash("");
    press(
        &mut terminal,
        "\x1b[200~echo first\necho second\x1b[201~",
        "$ echo first\n",
    );
    assert!(!terminal.text().contains("\nfirst"), "{}", terminal.text());
    run(&mut terminal, "", "\nfirst\nsecond\n");
}

#[test]
fn keys_bound_to_commands_run_them() {
    let (_home, mut terminal) =
        bash("put() { READLINE_LINE=\"echo bound\"; READLINE_POINT=10; }\nbind -x '\"\\C-t\": put'");
    press(&mut terminal, "gone\x14", "$ echo bound");
    run(&mut terminal, "", "\nbound\n");
    run(&mut terminal, r#"bind '"\C-g": "echo macro\n"'"#, "$");
    press(&mut terminal, "\x07", "\nmacro\n");
}

#[test]
fn bindings_of_fzf_work() {
    let Some(_) = lle_pty::required("fzf", "bindings_of_fzf_work") else {
        return;
    };
    let bindings = "/usr/share/doc/fzf/examples/key-bindings.bash";
    let (_home, mut terminal) = bash(&format!(". {bindings}"));
    run(&mut terminal, "echo needle in history", "\nneedle in history\n");
    run(&mut terminal, "echo hay", "\nhay\n");
    terminal.type_bytes(b"\x12").unwrap();
    terminal.wait_for_text("2/2").unwrap();
    terminal.type_bytes(b"needle").unwrap();
    terminal.wait_for_text("1/").unwrap();
    terminal.type_bytes(b"\r").unwrap();
    terminal
        .wait_for("fzf to end", |t| {
            !t.screen().alternate_screen() && t.text().ends_with("$ echo needle in history")
        })
        .unwrap();
    terminal.settle().unwrap();
    run(
        &mut terminal,
        "",
        "\nneedle in history\n$ echo hay\nhay\n$ echo needle in history\nneedle in history\n",
    );
}

#[test]
fn a_dumb_terminal_and_a_pipe_get_plain_bash() {
    let home = Home::new(&load_lle()).unwrap();
    let mut terminal = Terminal::spawn(&home.spawn("bash").env("TERM", "dumb")).unwrap();
    terminal.settle().unwrap();
    run(&mut terminal, "echo dumb", "\ndumb\n");

    let script = format!(
        "enable -f '{}' lle; echo loaded=$?; lle status",
        shared_object().display()
    );
    let output = Command::new("bash")
        .args(["--norc", "-c", &script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("loaded="), "{text}");
    assert!(!text.contains('\x1b'), "escape sequences into a pipe: {text:?}");
}

#[test]
fn what_start_up_files_say_after_lle_was_loaded_counts() {
    let rc = format!("{}export LC_ALL=C.UTF-8 NO_COLOR=1\n", load_lle());
    let home = Home::new(&rc).unwrap();
    let mut terminal = Terminal::spawn(&home.spawn("bash").env("LC_ALL", "C").env("LANG", "C")).unwrap();
    terminal.settle().unwrap();
    press(&mut terminal, "echo äöü", "$ echo äöü");
    assert_eq!(colour_of(&terminal, "echo"), vt100::Color::Default);
    run(&mut terminal, "\x15TERM=dumb", "$");
    run(&mut terminal, "lle status", "LLE 0.1.0 off");
    run(&mut terminal, "TERM=xterm", "$");
    run(&mut terminal, "clear; lle status", "LLE 0.1.0 on");
}

/// Keys of the only session that were timed until the screen showed them.
fn keys_timed(home: &Home) -> u64 {
    let files = std::fs::read_dir(home.lusush().join("run/sessions")).unwrap();
    let mut paths = files.map(|entry| entry.unwrap().path());
    let flight = paths.find(|path| path.extension().is_some_and(|x| x == "flight"));
    Snapshot::read(&flight.unwrap())
        .unwrap()
        .samples(Timer::KeyToPaint)
}

#[test]
fn what_a_key_runs_is_no_time_of_the_editor() {
    let rc = "bind -x '\"\\C-o\": READLINE_LINE=ran; /bin/true'; ask() { /bin/true; COMPREPLY=(abc); }; complete -F ask slow";
    let (home, mut terminal) = bash(rc);
    press(&mut terminal, "x", "$ x");
    let before = keys_timed(&home);
    press(&mut terminal, "\x0f", "$ ran");
    assert_eq!(keys_timed(&home), before, "the key that runs a program");
    press(&mut terminal, "y", "ryan");
    assert_eq!(keys_timed(&home), before + 1, "the key after it");
    press(&mut terminal, "\x15slow a", "$ slow a");
    let before = keys_timed(&home);
    press(&mut terminal, "\t", "$ slow abc");
    assert_eq!(keys_timed(&home), before, "the key that asks for a completion");
}
