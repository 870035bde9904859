//! Places that vanish, fill up, cannot be written, or belong to somebody else; and what comes over the socket from those
//! who mean no good.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lle_core::error::Code;
use lle_pty::Terminal;
use serde_json::Value;
use support::household::{Household, wait};
use support::press;

/// A user who is nobody's friend.
const NOBODY: u32 = 65534;

/// Whether this machine lets a test do what only root may; says so if not.
fn may(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(
            std::env::var("LUSUSH_TEST_REQUIRE").as_deref() != Ok("1"),
            "{test} needs root"
        );
        eprintln!("skipped: {test} (only root may)");
    }
    root
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let status = Command::new(program).args(arguments).arg(path).status();
    status.is_ok_and(|status| status.success())
}

/// What is undone at the end of a test, however it ends.
struct Undone {
    program: &'static str,
    arguments: &'static [&'static str],
    path: PathBuf,
}

impl Drop for Undone {
    fn drop(&mut self) {
        run(self.program, self.arguments, &self.path);
    }
}

fn failed(output: &Output, code: Code) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(i32::from(code.exit())), "{said}");
    said
}

fn memory_only(house: &Household) -> Value {
    house.json(&["status"])["worker"]["memory_only"].clone()
}

fn schedule(house: &Household, name: &str) -> Output {
    house.maint(&["schedule", name, "--when", "manual", "--", "true"])
}

fn names(house: &Household) -> Vec<String> {
    let tasks = house.json(&["tasks"]);
    let rows = tasks["tasks"].as_array().unwrap().iter();
    rows.map(|task| task["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_runtime_folder_that_vanished_comes_back() {
    let house = Household::with_worker("", &["--look-every", "200"]);
    let mut terminal = house.session();
    press(&mut terminal, "echo one\r", "one");
    let flights = || {
        let entries = fs::read_dir(house.runtime().join("sessions"))
            .into_iter()
            .flatten()
            .flatten();
        entries
            .filter(|entry| entry.path().extension().is_some_and(|x| x == "flight"))
            .count()
    };
    assert_eq!(flights(), 1);
    fs::remove_dir_all(house.runtime()).unwrap();
    press(&mut terminal, "echo two\r", "two");
    press(&mut terminal, "\r", "$");
    assert_eq!(flights(), 1, "one prompt later the session is registered again");
    wait("the control socket", || house.client().is_some());
    wait("what is published", || house.runtime().join("desired").exists());
    let mut worker = Value::Null;
    wait("the worker to see the session", || {
        worker = house.json(&["status"])["worker"].clone();
        worker["worker"] == true && worker["sessions"] == 1
    });
    let incidents = worker["incidents"].as_array().unwrap();
    assert!(incidents.is_empty(), "nobody died: {incidents:?}");
}

#[test]
fn a_state_folder_that_vanished_ends_its_worker_and_gets_another() {
    let house = Household::new("");
    let mut terminal = house.session();
    let first = house.wait_for_worker(None);
    wait("an answer", || house.client().is_some());
    // At once: what is removed piece by piece, its worker fills again meanwhile.
    let gone = house.state().with_extension("gone");
    fs::rename(house.state(), &gone).unwrap();
    fs::remove_dir_all(&gone).unwrap();
    wait("a new worker", || {
        press(&mut terminal, "echo one\r", "one");
        house.worker().is_some_and(|pid| pid != first)
    });
    let second = house.wait_for_worker(Some(first));
    wait("the first to end", || {
        rustix::process::test_kill_process(first).is_err()
    });
    assert_eq!(house.worker(), Some(second));
    wait("an answer", || house.client().is_some());
    assert!(house.said(&["audit", "verify"]).contains("whole"));
}

#[test]
fn a_key_that_a_loss_of_power_emptied_is_kept_aside_and_the_log_goes_on() {
    for left in [&b""[..], b"too short"] {
        let mut house = Household::with_worker("", &[]);
        assert!(schedule(&house, "early").status.success());
        house.kill_worker();
        let key = house.state().join("keys/audit.key");
        fs::write(&key, left).unwrap();
        let problem = format!("its key has {} bytes and not 32", left.len());
        let unproven = house.json(&["audit", "verify"]);
        assert!(
            unproven["problems"][0].as_str().unwrap().contains(&problem),
            "{unproven}"
        );
        house.start_worker(&[]);
        assert!(schedule(&house, "late").status.success());
        assert_eq!(fs::read(&key).unwrap().len(), 32);
        assert_eq!(fs::read(key.with_extension("key.unusable")).unwrap(), left);
        let audit = house.json(&["audit", "show"])["records"].to_string();
        assert!(audit.contains(&problem) && audit.contains("\"late\""), "{audit}");
        // What was written before proves nothing any more, and what came after is as it was written.
        let verified = house.json(&["audit", "verify"]);
        let problems = verified["problems"].as_array().unwrap();
        let of_old = |problem: &Value| problem.as_str().unwrap().starts_with("audit-00000000.log");
        assert!(!problems.is_empty() && problems.iter().all(of_old), "{verified}");
    }
}

fn check_refuses_changes(house: &Household, terminal: &mut Terminal) -> Vec<String> {
    let mut kept = Vec::new();
    // The last page of a file may have room for some more.
    let refused = (0..200).find_map(|n| {
        let name = format!("late-{n}");
        let output = schedule(house, &name);
        if output.status.success() {
            kept.push(name);
            return None;
        }
        Some(failed(&output, Code::Unavailable))
    });
    let said = refused.expect("what cannot be written is refused");
    assert!(said.contains("cannot be written"), "{said}");
    for change in [
        &["pause"][..],
        &["run", "health-check"],
        &["mode", "backup", "observe"],
    ] {
        failed(&house.maint(change), Code::Unavailable);
    }
    let status = house.json(&["status"])["worker"].clone();
    assert_eq!(status["paused"], false, "nothing was changed");
    assert!(status["memory_only"].is_string(), "{status}");
    assert!(house.said(&["status"]).contains("memory only: "));
    let now = names(house);
    assert!(kept.iter().all(|name| now.contains(name)));
    assert_eq!(
        now.iter().filter(|name| name.starts_with("late-")).count(),
        kept.len()
    );
    // The shell goes on, and so does what only looks.
    press(terminal, "echo $((6 * 7))\r", "42");
    assert_eq!(house.json(&["health"])["sessions"].as_array().unwrap().len(), 1);
    kept
}

fn check_recovers(house: &Household, kept: &[String]) {
    wait("what was in memory to be written", || {
        memory_only(house).is_null()
    });
    assert!(schedule(house, "after").status.success());
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    let now = names(house);
    assert!(
        kept.iter()
            .chain(&["after".to_owned()])
            .all(|name| now.contains(name)),
        "{now:?}"
    );
    // A record for which there was no room is told of, and nothing else is wrong.
    let verified = house.json(&["audit", "verify"]);
    let problems = verified["problems"].as_array().unwrap();
    let unfinished = |problem: &Value| problem.as_str().unwrap().contains("never finished");
    assert!(problems.iter().all(unfinished), "{verified}");
}

#[test]
fn a_full_disk_is_said_and_survived() {
    if !may("a full disk") {
        return;
    }
    let mut house = Household::new("");
    fs::create_dir_all(house.state()).unwrap();
    if !run(
        "mount",
        &["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"],
        &house.state(),
    ) {
        eprintln!("skipped: a full disk (nothing can be mounted here)");
        return;
    }
    let _unmounted = Undone {
        program: "umount",
        arguments: &["-l"],
        path: house.state(),
    };
    house.start_worker(&["--look-every", "200"]);
    let mut terminal = house.session();
    press(&mut terminal, "echo one\r", "one");
    assert!(schedule(&house, "early").status.success());
    let filler = house.state().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write(&[1; 512]).is_ok_and(|written| written > 0) {}
    let mut kept = check_refuses_changes(&house, &mut terminal);
    kept.push("early".into());
    drop(file);
    fs::remove_file(&filler).unwrap();
    check_recovers(&house, &kept);
}

#[test]
fn a_state_folder_that_became_read_only_is_said_and_survived() {
    if !may("a read-only state folder") {
        return;
    }
    let house = Household::with_worker("", &["--look-every", "200"]);
    let mut terminal = house.session();
    press(&mut terminal, "echo one\r", "one");
    assert!(schedule(&house, "early").status.success());
    // Also what is open already can no longer be written to, as on a disk that the kernel has made read-only.
    if !run("chattr", &["-R", "+i"], &house.state()) {
        eprintln!("skipped: a read-only state folder (this file system knows no such flag)");
        return;
    }
    let writable = Undone {
        program: "chattr",
        arguments: &["-R", "-i"],
        path: house.state(),
    };
    let mut kept = check_refuses_changes(&house, &mut terminal);
    kept.push("early".into());
    drop(writable);
    check_recovers(&house, &kept);
}

#[test]
fn with_a_read_only_state_folder_sessions_start_and_the_disk_answers() {
    if !may("a read-only state folder") {
        return;
    }
    let house = Household::with_worker("", &[]);
    assert!(schedule(&house, "early").status.success());
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    let state = house.state();
    let path = state.to_str().unwrap();
    fs::remove_file(house.folder().join("stopped")).unwrap();
    if !run("mount", &["--bind", path], &state) || !run("mount", &["-o", "remount,bind,ro"], &state) {
        eprintln!("skipped: a read-only state folder (nothing can be mounted here)");
        return;
    }
    let _unmounted = Undone {
        program: "umount",
        arguments: &["-l"],
        path: state,
    };
    let mut terminal = house.session();
    press(&mut terminal, "echo $((6 * 7))\r", "42");
    assert!(names(&house).contains(&"early".to_owned()));
    failed(&schedule(&house, "late"), Code::NoWorker);
    let said = failed(&house.maint(&["worker"]), Code::StartFailed);
    assert!(said.contains("lusush doctor"), "{said}");
    let said = failed(&house.maint(&["start"]), Code::StartFailed);
    assert!(said.contains("lusush maint worker"), "{said}");
    assert_eq!(house.json(&["health"])["sessions"].as_array().unwrap().len(), 1);
    // What is not there yet, and cannot be made, is as bad.
    let doctor = house
        .command(&["doctor"])
        .env("LUSUSH_HOME", house.state().join("deep"))
        .output();
    let said = String::from_utf8_lossy(&doctor.unwrap().stdout).into_owned();
    let unbroken = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unbroken.contains("state cannot be made, since"), "{said}");
}

/// Everything below a folder, with owner and length.
fn tree(folder: &Path) -> Vec<String> {
    let output = Command::new("find")
        .arg(folder)
        .args(["-printf", "%p %U %m %y\\n"])
        .output()
        .unwrap();
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

#[test]
fn folders_of_another_user_are_refused_and_left_alone() {
    if !may("folders of another user") {
        return;
    }
    let house = Household::with_worker("", &[]);
    // Nothing keeps the other from looking but the rule.
    let program = house.home.path().join("lusush-copy");
    // By another process: what one of this one's threads starts meanwhile would hold it open for writing.
    let copied = Command::new("cp").arg(support::lusush()).arg(&program).status();
    assert!(copied.unwrap().success());
    let open = [house.home.path().to_owned(), house.home.lusush(), program.clone()];
    for path in &open {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let before = tree(&house.home.lusush());
    let ask = |words: &[&str], home_variable: &str, home: &Path| {
        let mut command = Command::new(&program);
        command
            .args(words)
            .env_clear()
            .env("HOME", "/nonexistent")
            .env(home_variable, home);
        command.uid(NOBODY).gid(NOBODY).current_dir("/").output().unwrap()
    };
    let verbs = [
        &["maint", "status"][..],
        &["maint", "tasks"],
        &["maint", "stop"],
        &["maint", "worker"],
    ];
    for verb in verbs {
        let output = ask(verb, "LUSUSH_HOME", &house.home.lusush());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{verb:?}");
        assert!(said.contains("belongs to user 0"), "{verb:?}: {said}");
    }
    assert_eq!(tree(&house.home.lusush()), before);
    // The other way round: root, in a shell of another user's.
    let theirs = Household::new("");
    for path in [theirs.home.lusush(), theirs.home.path().to_owned()] {
        std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let before = tree(theirs.home.path());
    for verb in [&["status"][..], &["tasks"], &["stop"], &["worker"]] {
        let output = theirs.maint(verb);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{verb:?}");
        assert!(said.contains("belongs to user 65534"), "{verb:?}: {said}");
    }
    assert_eq!(tree(theirs.home.path()), before);
}

const ASK: &str = r#"
use IO::Socket::UNIX;
$SIG{PIPE} = 'IGNORE';
my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "cannot connect: $!";
syswrite $socket, "{\"method\":\"io.lusush.Maintenance.Stop\"}\0";
my $answer = "";
while (sysread $socket, my $piece, 4096) { $answer .= $piece }
print $answer;
"#;

#[test]
fn another_user_at_an_exposed_socket_is_refused_and_recorded() {
    if !may("another user") {
        return;
    }
    let Some(perl) = lle_pty::required("perl", "another user") else {
        return;
    };
    let house = Household::with_worker("", &[]);
    let socket = house.runtime().join("control");
    for path in [house.home.path().to_owned(), house.home.lusush(), house.runtime()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    for _ in 0..5 {
        let mut command = Command::new(&perl);
        command
            .args(["-e", ASK])
            .arg(&socket)
            .uid(NOBODY)
            .gid(NOBODY)
            .current_dir("/");
        let output = command.output().unwrap();
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            answer.contains("io.lusush.Maintenance.Unauthorized"),
            "{answer} {output:?}"
        );
    }
    assert!(house.worker().is_some(), "and is not stopped");
    let audit = house.said(&["audit", "show"]);
    assert!(audit.contains("user 65534"), "{audit}");
    // A flood of them fills no disk: one record, and a count.
    assert_eq!(audit.matches("control socket").count(), 1, "{audit}");
    let metrics = house.json(&["metrics"]);
    let metrics = metrics["metrics"].as_array().unwrap();
    let counted = metrics
        .iter()
        .find(|metric| metric["name"] == "failed_authentications");
    assert_eq!(counted.unwrap()["value"], 5.0);
}

#[test]
fn rubbish_and_silence_keep_nobody_waiting() {
    let house = Household::with_worker("", &[]);
    let socket = house.runtime().join("control");
    // Who waits for a place is answered from the files, once it has waited for long.
    let assert_answers = || {
        wait("an answer", || {
            house.json(&["status"])["worker"]["worker"] == true
        });
    };
    let mut silent = Vec::new();
    for n in 0..200 {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // Some say nothing, some begin a message and never end it.
        if n % 2 == 0 {
            let _perhaps_gone = stream.write_all(b"{\"method\":\"io.lusush");
        }
        silent.push(stream);
        if n % 50 == 0 {
            assert_answers();
        }
    }
    let mut rubbish = UnixStream::connect(&socket).unwrap();
    rubbish.set_write_timeout(Some(lle_pty::deadline())).unwrap();
    // A megabyte: it is cut off long before its end.
    let _cut_off = rubbish.write_all(&vec![0xa5; 1 << 20]);
    assert_answers();
    assert!(house.said(&["audit", "verify"]).contains("whole"));
    drop(silent);
}

#[test]
fn a_flight_of_the_format_before_is_read_and_breaks_nothing() {
    let house = Household::with_worker("", &["--look-every", "100"]);
    let mut terminal = house.session();
    press(&mut terminal, "echo one\r", "one");
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../metrics/tests/fixtures/flight-1-2026-11.bin");
    let placed = house.runtime().join("sessions/00000000000000aa.flight");
    fs::write(&placed, fs::read(fixture).unwrap()).unwrap();
    fs::set_permissions(&placed, fs::Permissions::from_mode(0o600)).unwrap();
    wait("its last words", || {
        let status = house.json(&["status"]);
        let incidents = status["worker"]["incidents"].as_array().unwrap().clone();
        incidents
            .iter()
            .any(|incident| incident["session"] == "00000000000000aa")
    });
    let status = house.json(&["status"]);
    assert_eq!(status["sessions"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(status["dead"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(house.json(&["health"])["sessions"].as_array().unwrap().len(), 1);
    press(&mut terminal, "echo two\r", "two");
}
