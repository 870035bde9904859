//! Nobody is locked out: `lusush` on a real terminal, with start-up files broken in every way we know.
// A panic is the report.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lle_pty::{Home, Spawn, Terminal, deadline};
use support::lusush;

/// Starts `lusush` in `home` with `arguments`.
fn start(home: &Home, arguments: &[&str]) -> Terminal {
    spawn(&home.spawn(lusush()).args(arguments))
}

fn spawn(how: &Spawn) -> Terminal {
    Terminal::spawn(how).expect("lusush starts")
}

/// Proves that there is a prompt: a command typed there runs. Returns what `said` expands to in double quotes.
fn ask(terminal: &mut Terminal, said: &str) -> String {
    terminal
        .settle()
        .unwrap_or_else(|error| panic!("no prompt: {error}"));
    // Through a file: the screen wraps.
    let folder = tempfile::tempdir().unwrap();
    let (draft, answer) = (folder.path().join("draft"), folder.path().join("answer"));
    let line = format!(
        "printf %s \"{said}\" >{}; mv {} {}\r",
        draft.display(),
        draft.display(),
        answer.display()
    );
    terminal.type_bytes(line.as_bytes()).unwrap();
    terminal
        .wait_for("the answer", |_| answer.exists())
        .unwrap_or_else(|error| panic!("no answer: {error}"));
    std::fs::read_to_string(answer).unwrap()
}

/// Ends the shell as a person does.
fn leave(mut terminal: Terminal) {
    terminal.type_bytes(b"\x15exit\r").unwrap();
    terminal.wait_exit(deadline()).unwrap();
}

fn write_rc(home: &Home, rc: &str) {
    std::fs::write(home.rc(), format!("PS1='$ '\n{rc}\n")).unwrap();
}

/// How a `~/.bashrc` keeps the prompt away; `: >~/began` says that it came that far.
const BROKEN: &[(&str, &str)] = &[
    ("exit", ": >~/began; exit"),
    ("kill", ": >~/began; kill -9 $$"),
    ("sleep", ": >~/began; sleep 1000"),
    ("loop", ": >~/began; while :; do :; done"),
    ("errexit", ": >~/began; set -e; false"),
    ("exec", ": >~/began; exec false"),
];

/// Starts with a broken file and waits until it is past mending.
fn start_broken(home: &Home, arguments: &[&str]) -> Terminal {
    let began = home.path().join("began");
    let _ = std::fs::remove_file(&began);
    let mut terminal = start(home, arguments);
    terminal
        .wait_for("the start-up file to run", |_| began.exists())
        .unwrap();
    terminal
}

/// The records of interactive starts.
fn records(home: &Home) -> Vec<PathBuf> {
    let folder = home.lusush().join("state/start/interactive");
    let entries =
        std::fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()).collect());
    entries.unwrap_or_default()
}

/// Makes every recorded start begin a minute earlier: what is alive then has hung.
fn let_a_minute_pass(home: &Home) {
    for record in records(home) {
        let path = record.join("begun");
        let mut begun: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let began_ns = begun["began_ns"].as_i64().unwrap();
        begun["began_ns"] = (began_ns - 60_000_000_000).into();
        std::fs::write(&path, begun.to_string()).unwrap();
    }
}

/// Gets the broken start out of the way as a person would: closes the window, or leaves it and waits.
fn fail(home: &Home, name: &str) -> Option<Terminal> {
    let mut terminal = start_broken(home, &[]);
    match name {
        // Left open.
        "sleep" => {
            let_a_minute_pass(home);
            Some(terminal)
        }
        "loop" => {
            terminal.signal(rustix::process::Signal::KILL).unwrap();
            terminal.wait_exit(deadline()).unwrap();
            None
        }
        _ => {
            terminal.wait_exit(deadline()).unwrap();
            None
        }
    }
}

#[test]
fn a_file_that_never_worked_is_left_out_at_the_next_start_and_after() {
    for (name, rc) in BROKEN {
        let home = Home::new("").unwrap();
        write_rc(&home, &format!("{rc}\nhere=yes"));
        let _left_open = fail(&home, name);
        for again in ["next", "after"] {
            let mut terminal = start(&home, &[]);
            assert_eq!(ask(&mut terminal, "${here-no}"), "no", "{name}, {again}");
            let text = terminal.text();
            assert!(
                text.contains("~/.bashrc") && text.contains("lusush --retry"),
                "{name}, {again}:\n{text}"
            );
            leave(terminal);
        }
    }
}

#[test]
fn the_last_version_that_reached_a_prompt_is_used_at_the_next_start_and_after() {
    for (name, rc) in BROKEN {
        let home = Home::new("").unwrap();
        write_rc(&home, "here=worked");
        let mut terminal = start(&home, &[]);
        assert_eq!(ask(&mut terminal, "$here"), "worked", "{name}");
        leave(terminal);

        write_rc(&home, rc);
        let _left_open = fail(&home, name);
        for again in ["next", "after"] {
            let mut terminal = start(&home, &[]);
            assert_eq!(ask(&mut terminal, "${here-no}"), "worked", "{name}, {again}");
            assert!(
                terminal.text().contains("last version that reached a prompt"),
                "{}",
                terminal.text()
            );
            leave(terminal);
        }

        write_rc(&home, "here=mended");
        let mut terminal = start(&home, &[]);
        assert_eq!(ask(&mut terminal, "$here"), "mended", "{name}: an edit is tried");
        assert!(!terminal.text().contains("lusush:"), "{}", terminal.text());
        leave(terminal);
    }
}

#[test]
fn a_file_that_reads_another_broken_one_is_left_out_once_it_failed_twice() {
    let home = Home::new("").unwrap();
    write_rc(&home, "here=worked; . ~/aliases");
    std::fs::write(home.path().join("aliases"), "").unwrap();
    let mut terminal = start(&home, &[]);
    assert_eq!(ask(&mut terminal, "$here"), "worked");
    leave(terminal);
    std::fs::write(home.path().join("aliases"), ": >~/began; exit").unwrap();
    for _ in 0..2 {
        start_broken(&home, &[]).wait_exit(deadline()).unwrap();
    }
    let mut terminal = start(&home, &[]);
    assert_eq!(ask(&mut terminal, "${here-no}"), "no");
    leave(terminal);

    std::fs::write(home.path().join("aliases"), "").unwrap();
    let mut terminal = start(&home, &["--retry"]);
    assert_eq!(ask(&mut terminal, "$here"), "worked", "--retry");
    leave(terminal);
    let mut terminal = start(&home, &[]);
    assert_eq!(ask(&mut terminal, "$here"), "worked", "after --retry");
    leave(terminal);
}

#[test]
fn what_errors_and_goes_on_keeps_its_prompt_and_lle() {
    for rc in [
        "here=yes; if then",
        "here=yes; return 3",
        "here=yes; no_such_command; . /no/such/file",
        "set -u; echo $unset_here",
    ] {
        let home = Home::new("").unwrap();
        write_rc(&home, rc);
        for _ in 0..2 {
            let mut terminal = start(&home, &[]);
            assert_eq!(ask(&mut terminal, "$(type -t lle)"), "builtin", "{rc}");
            assert!(!terminal.text().contains("--retry"), "{rc}:\n{}", terminal.text());
            leave(terminal);
        }
    }
}

#[test]
fn an_interrupted_start_has_lle_and_is_not_taken_for_a_good_one() {
    let home = Home::new("").unwrap();
    // A loop and not a child: one that is just being forked may miss the interrupt, in any bash.
    write_rc(&home, ": >~/began; while :; do :; done; here=yes");
    let mut terminal = start_broken(&home, &[]);
    terminal.type_bytes(b"\x03").unwrap();
    assert_eq!(ask(&mut terminal, "$(type -t lle) ${here-no}"), "builtin no");
    leave(terminal);
    let started = records(&home);
    assert_eq!(started.len(), 1);
    assert_eq!(
        std::fs::read_to_string(started[0].join("reached")).unwrap(),
        "partial\n"
    );
    let mut terminal = start(&home, &["--safe"]);
    assert_eq!(ask(&mut terminal, "safe"), "safe");
    leave(terminal);
    assert!(!records(&home).iter().any(|record| record.ends_with("good")));
}

#[test]
fn where_lle_sees_no_prompt_a_start_is_no_failure() {
    let check = |name: &str, value: &str, rc: &str| {
        let home = Home::new("").unwrap();
        write_rc(&home, &format!("here=rc\n{rc}"));
        for _ in 0..3 {
            let mut terminal = spawn(&home.spawn(lusush()).env(name, value));
            assert_eq!(ask(&mut terminal, "$here"), "rc", "{name}={value} {rc}");
            assert!(!terminal.text().contains("--retry"), "{}", terminal.text());
            leave(terminal);
        }
    };
    check("TERM", "dumb", "");
    check("INSIDE_EMACS", "29.4,comint", "");
    check("TERM", "xterm", "set +o emacs");
}

#[test]
fn safe_reads_nothing_of_the_users() {
    let home = Home::new("").unwrap();
    write_rc(&home, "exit 9");
    std::fs::write(home.path().join(".profile"), "exit 9").unwrap();
    for arguments in [&["--safe"][..], &["--safe", "-l"]] {
        let mut terminal = start(&home, arguments);
        assert_eq!(ask(&mut terminal, "$(type -t lle)"), "builtin", "{arguments:?}");
        leave(terminal);
    }
}

#[test]
fn the_shell_is_as_bash_would_have_left_it() {
    let home = Home::new("").unwrap();
    write_rc(&home, "false");
    // The same questions to bash and to lusush; what LLE itself adds is known by name.
    let state = r#"$?|$#|$0|$-|$(shopt login_shell)|$(ls -l /proc/$$/fd | grep -c memfd)|$SHLVL"#;
    let mut stock = home.spawn(lle_pty::installed("bash").unwrap()).args(["-i"]);
    stock.arg0 = Some("bash".into());
    let mut bash = spawn(&stock);
    let mut ours = start(&home, &["-i"]);
    assert_eq!(ask(&mut ours, state), ask(&mut bash, state));
    let names =
        "$(compgen -v | grep -v -e ^LLE_ -e ^BASH_REMATCH | tr '\\n' ' ' | md5sum)$(compgen -A function)";
    assert_eq!(ask(&mut ours, names), ask(&mut bash, names));
    leave(bash);
    leave(ours);
}

#[test]
fn a_login_shell_reads_what_a_login_shell_reads() {
    let home = Home::new("").unwrap();
    write_rc(&home, "here=rc");
    let profile = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    profile(
        ".profile",
        "here=profile-$0-$(shopt -q login_shell && echo login); PS1='$ '",
    );
    let by_name = {
        let mut how = home.spawn(lusush());
        how.arg0 = Some("-lusush".into());
        how
    };
    for how in [
        by_name,
        home.spawn(lusush()).args(["-l"]),
        home.spawn(lusush()).args(["--login", "-i"]),
    ] {
        let mut terminal = spawn(&how);
        assert_eq!(ask(&mut terminal, "$here $0"), "profile--bash-login -bash");
        leave(terminal);
    }
    profile(".bash_login", "here=bash_login; PS1='$ '");
    profile(".bash_profile", "here=bash_profile; . ~/.bashrc; PS1='$ '");
    let mut terminal = start(&home, &["-l"]);
    assert_eq!(ask(&mut terminal, "$here"), "rc");
    leave(terminal);

    // The profile reads ~/.bashrc by name: the copy that worked stands in for it.
    write_rc(&home, "here=new; : >~/began; exit");
    start_broken(&home, &["-l"]).wait_exit(deadline()).unwrap();
    let mut terminal = start(&home, &["-l"]);
    assert_eq!(
        ask(&mut terminal, "$here $(shopt -q login_shell && echo login)"),
        "rc login"
    );
    leave(terminal);
}

#[test]
fn bash_s_own_options_mean_what_they_mean() {
    let home = Home::new("").unwrap();
    write_rc(&home, "here=rc");
    std::fs::write(home.path().join("other"), "here=other; PS1='$ '").unwrap();
    std::fs::write(home.path().join(".profile"), "here=profile; PS1='$ '").unwrap();
    let check = |arguments: &[&str], question: &str, expect: &str| {
        let mut terminal = start(&home, arguments);
        assert_eq!(
            ask(&mut terminal, &format!("{question} $(type -t lle)")),
            format!("{expect} builtin"),
            "{arguments:?}"
        );
        leave(terminal);
    };
    check(&["--norc"], "${here-none}", "none");
    check(&["--rcfile", "other"], "$here", "other");
    check(&["--init-file", "other"], "$here", "other");
    check(&["-l", "--noprofile"], "${here-none}", "none");
    check(
        &["-O", "nullglob", "+o", "history"],
        "$(shopt -q nullglob && echo on) $here",
        "on rc",
    );
    check(
        &["--posix"],
        "$(shopt -qo posix && echo on) ${here-none}",
        "on none",
    );
    check(&["-s", "a", "b"], "$here $*", "rc a b");
}

#[test]
fn a_prompt_without_a_place_for_records() {
    let check = |prepare: &dyn Fn(&Home, Spawn) -> Spawn, says: &str| {
        let home = Home::new("").unwrap();
        write_rc(&home, "here=rc");
        let how = prepare(&home, home.spawn(lusush()));
        for _ in 0..2 {
            let mut terminal = spawn(&how);
            assert_eq!(ask(&mut terminal, "$here"), "rc", "{says}");
            let rows = terminal.rows().join("");
            assert!(rows.contains(says), "{says}:\n{}", terminal.text());
            leave(terminal);
        }
    };
    // Root may write anywhere, so the folder is made impossible, not read-only.
    let a_file = |home: &Home, how: Spawn| {
        std::fs::write(home.path().join("file"), "").unwrap();
        how.env("LUSUSH_HOME", home.path().join("file/below"))
    };
    check(&a_file, "not guarded");
    let bad_library = |home: &Home, how: Spawn| {
        std::fs::write(home.path().join("bad.so"), "not a library").unwrap();
        how.env("LUSUSH_LIB", home.path().join("bad.so"))
    };
    check(&bad_library, "this is plain bash");
    check(
        &|_: &Home, how: Spawn| how.env("LUSUSH_LIB", "/no/such.so"),
        "this is plain bash",
    );

    let home = Home::new("").unwrap();
    let mut how = home.spawn(lusush());
    how.env.retain(|(name, _)| name == "PATH" || name == "TERM");
    let mut terminal = spawn(&how);
    assert_eq!(ask(&mut terminal, "here"), "here", "no HOME, no XDG");
    leave(terminal);
}

#[test]
fn a_full_disk_leaves_a_prompt() {
    // As far as one can be had without privileges: files of no more than 1,024 bytes. The copy does not fit.
    let home = Home::new("").unwrap();
    write_rc(&home, &format!("here=rc\n# {}", "x".repeat(2000)));
    let script = format!("ulimit -f 1; trap '' XFSZ; exec {}", lusush().display());
    let bash = lle_pty::installed("bash").unwrap();
    let mut terminal = spawn(&home.spawn(bash).args(["-c", &script]));
    assert_eq!(ask(&mut terminal, "$here"), "rc");
    assert!(terminal.text().contains("not guarded"), "{}", terminal.text());
    leave(terminal);
    assert!(
        !records(&home).iter().any(|record| !record.join("begun").exists()),
        "nothing half-written stays"
    );
}

#[test]
fn records_are_bounded() {
    let home = Home::new("").unwrap();
    for round in 0..5 {
        write_rc(&home, &format!("here={round}"));
        leave_at_prompt(&home);
    }
    // The last good one, and the start that nobody has looked at yet.
    assert!(records(&home).len() <= 2, "{:?}", records(&home));
}

fn leave_at_prompt(home: &Home) {
    let mut terminal = start(home, &[]);
    assert_eq!(ask(&mut terminal, "x"), "x");
    leave(terminal);
}

fn output(home: &Path, arguments: &[&str], input: Option<&str>) -> (String, Option<i32>) {
    let mut command = Command::new(lusush());
    command
        .args(arguments)
        .env("HOME", home)
        .current_dir(home)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match input {
        Some(file) => command.stdin(std::fs::File::open(home.join(file)).unwrap()),
        None => command.stdin(Stdio::null()),
    };
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.code())
}

#[test]
fn commands_and_scripts_are_plain_bash() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(
        home.path().join("script"),
        "echo \"$0 $* ${LLE_LOADED-plain} $(type -t lle)\"; exit 4\n",
    )
    .unwrap();
    std::fs::write(home.path().join(".bashrc"), "echo never").unwrap();
    let check = |arguments: &[&str], input, expect: &str, status| {
        assert_eq!(
            output(home.path(), arguments, input),
            (expect.to_owned(), Some(status)),
            "{arguments:?}"
        );
    };
    check(
        &["-c", "echo $0 $1; exit 3", "name", "one"],
        None,
        "name one\n",
        3,
    );
    check(
        &["./script", "--safe", "help"],
        None,
        "./script --safe help plain \n",
        4,
    );
    check(&["-x", "-c", ":"], None, "+ :\n", 0);
    check(&[], Some("script"), "bash  plain \n", 4);
    check(&["-s", "a"], Some("script"), "bash a plain \n", 4);
    check(
        &["version"],
        None,
        concat!("lusush ", env!("CARGO_PKG_VERSION"), "\n"),
        0,
    );
}

#[test]
fn without_a_bash_the_error_says_what_to_do() {
    let run = |variable: &str, value: &str| {
        let mut command = Command::new(lusush());
        command.env(variable, value).args(["-c", "true"]);
        let output = command.output().unwrap();
        (String::from_utf8(output.stderr).unwrap(), output.status.code())
    };
    for (variable, value, expect) in [
        (
            "PATH",
            "/nowhere",
            "Error: there is no bash to start\nCaused by: ",
        ),
        (
            "LUSUSH_BASH",
            "/nowhere/bash",
            "Error: cannot start /nowhere/bash\nCaused by: ",
        ),
    ] {
        let (text, code) = run(variable, value);
        assert!(text.starts_with(expect) && text.contains("\nHint: "), "{text}");
        assert_eq!(code, Some(127));
    }
}
