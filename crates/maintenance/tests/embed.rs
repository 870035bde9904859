//! The engine inside another program: this test, and a line editor on a real pty.
// A panic is the report.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use lle_core::error::Code;
use lle_core::schedule::Schedule;
use lle_core::task::Task;
use lle_maintenance::api::{Request, ScheduleRequest};
use lle_maintenance::control::Client;
use lle_maintenance::embed::{Maintenance, Options};
use lle_maintenance::worker::WorkerError;
use lle_metrics::{Counter, Flight, Identity, Liveness, Timer};
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(60);

fn options(home: &Path) -> Options {
    Options::in_folder(home)
}

fn start(home: &Path) -> Maintenance {
    Maintenance::start(options(home)).unwrap()
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} did not come about");
}

fn task(maintenance: &Maintenance, name: &str) -> Value {
    let tasks = maintenance.tasks().unwrap();
    let all = tasks["tasks"].as_array().unwrap();
    all.iter()
        .find(|task| task["name"] == name)
        .cloned()
        .unwrap_or(Value::Null)
}

/// Runs a task and waits for its end.
fn run(maintenance: &Maintenance, name: &str) -> Value {
    maintenance.run(name).unwrap();
    wait_for("the end of the run", || {
        let task = task(maintenance, name);
        (task["running"] == false).then_some(task)
    })
}

#[test]
fn a_host_asks_as_the_control_socket_does() {
    let home = tempfile::tempdir().unwrap();
    let maintenance = start(home.path());
    let status = maintenance.status().unwrap();
    assert_eq!(
        (&status["worker"], &status["pid"]),
        (&true.into(), &std::process::id().into())
    );
    assert_eq!(
        maintenance.tasks().unwrap()["tasks"].as_array().unwrap().len(),
        10
    );
    for document in [
        maintenance.health(),
        maintenance.metrics(),
        maintenance.alerts(),
        maintenance.validate(),
    ] {
        assert_eq!(document.unwrap()["version"], 1);
    }
    maintenance.pause(Some("backup")).unwrap();
    assert_eq!(task(&maintenance, "backup")["paused"], true);
    maintenance.resume(Some("backup")).unwrap();
    assert_eq!(task(&maintenance, "backup")["paused"], false);
    maintenance
        .schedule(ScheduleRequest {
            name: "hello".into(),
            description: Some("says hello".into()),
            command: Some(vec!["echo".into(), "hello".into()]),
            ..ScheduleRequest::default()
        })
        .unwrap();
    let hello = run(&maintenance, "hello");
    assert_eq!(
        (&hello["successes"], &hello["last_note"]),
        (&1.into(), &"hello".into())
    );
    assert_eq!(maintenance.cancel("hello").unwrap()["removed"], true);
    assert_eq!(maintenance.acknowledge(99).unwrap_err().code, Code::NotFound);
    assert_eq!(maintenance.verify().unwrap()["whole"], true);
    assert!(
        !maintenance.audit(5).unwrap()["records"]
            .as_array()
            .unwrap()
            .is_empty()
    );

    let mut client = Client::connect(&home.path().join("run/control"), DEADLINE).unwrap();
    let called = client.call("io.lusush.Maintenance.Status", Value::Null).unwrap();
    assert_eq!(called["document"]["pid"], std::process::id());
    drop(client);

    maintenance.stop().unwrap();
    assert!(!home.path().join("run/control").exists());
    start(home.path()).stop().unwrap();
}

#[test]
fn without_a_control_socket_there_is_none() {
    let home = tempfile::tempdir().unwrap();
    let quiet = Options {
        control_socket: false,
        ..options(home.path())
    };
    let maintenance = Maintenance::start(quiet).unwrap();
    assert_eq!(maintenance.status().unwrap()["worker"], true);
    assert!(!home.path().join("run/control").exists());
}

#[test]
fn a_stop_that_is_asked_for_ends_it_and_what_comes_later_is_told() {
    let home = tempfile::tempdir().unwrap();
    let maintenance = start(home.path());
    maintenance.request(Request::Stop).unwrap();
    let fault = wait_for("the end", || maintenance.status().err());
    assert_eq!(fault.code, Code::NoWorker);
    maintenance.stop().unwrap();
    // Whoever starts one wants one.
    start(home.path()).request(Request::Start).unwrap();
}

#[test]
fn two_never_act_at_once() {
    let home = tempfile::tempdir().unwrap();
    let maintenance = start(home.path());
    for _ in 0..2 {
        let second = Maintenance::start(options(home.path())).err().unwrap();
        assert!(matches!(second, WorkerError::Running { pid } if pid == std::process::id()));
    }
    // The attempts of this process have not dropped its lock: another process is still kept out.
    let second = Command::new(editor()).arg(home.path()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("Running"), "{said}");
    assert_eq!(maintenance.status().unwrap()["worker"], true);
    drop(maintenance);
    start(home.path());
}

/// Starts over folders that `spoil` made unusable, and again once `mend` has made them usable.
fn start_fails(spoil: impl FnOnce(&Path), mend: impl FnOnce(&Path), expect: fn(&WorkerError) -> bool) {
    let home = tempfile::tempdir().unwrap();
    spoil(home.path());
    let error = Maintenance::start(options(home.path())).err().unwrap();
    assert!(expect(&error), "{error:?}");
    assert!(!home.path().join("run/control").exists(), "no socket");
    mend(home.path());
    // The lock is free, and the thread that held it was waited for.
    start(home.path()).stop().unwrap();
}

fn maint(home: &Path) -> PathBuf {
    options(home).places.maint
}

#[test]
fn a_step_of_the_start_that_fails_leaves_nothing() {
    // The lock: its folder cannot be made.
    start_fails(
        |home| fs::write(home.join("state"), "in the way").unwrap(),
        |home| fs::remove_file(home.join("state")).unwrap(),
        |error| matches!(error, WorkerError::Lock { .. }),
    );
    // The world: the folder of the anchor cannot be made.
    start_fails(
        |home| fs::write(home.join("data"), "in the way").unwrap(),
        |home| fs::remove_file(home.join("data")).unwrap(),
        |error| matches!(error, WorkerError::State { .. }),
    );
    // The state: there is something else in its place.
    start_fails(
        |home| fs::create_dir_all(maint(home).join("state.log")).unwrap(),
        |home| fs::remove_dir(maint(home).join("state.log")).unwrap(),
        |error| matches!(error, WorkerError::State { .. }),
    );
}

#[test]
fn a_socket_that_cannot_be_had_keeps_no_engine_from_acting() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("run"), "in the way").unwrap();
    let maintenance = start(home.path());
    assert_eq!(maintenance.status().unwrap()["worker"], true);
    assert!(maintenance.sessions().is_err());
}

#[test]
fn a_callback_is_a_task_with_statistics_and_audit() {
    let home = tempfile::tempdir().unwrap();
    let maintenance = start(home.path());
    let mut runs = 0;
    let tidy = Task::registered("tidy", "tidies up", Schedule::Every { seconds: 86_400 });
    let next = maintenance
        .register(tidy, move || {
            runs += 1;
            match runs {
                1 => Ok("3 files".into()),
                2 => Err("no disk".into()),
                _ => panic!("run {runs}"),
            }
        })
        .unwrap();
    assert!(next["next_wall_ns"].is_i64());
    let check = |ended: &Value, successes: u64, failures: u64, note: &str| {
        let found = (&ended["successes"], &ended["failures"], &ended["last_note"]);
        assert_eq!(
            found,
            (&successes.into(), &failures.into(), &note.into()),
            "{ended}"
        );
    };
    check(&run(&maintenance, "tidy"), 1, 0, "3 files");
    check(&run(&maintenance, "tidy"), 1, 1, "no disk");
    check(&run(&maintenance, "tidy"), 1, 2, "it panicked: run 3");

    let audit = maintenance.audit(100).unwrap();
    let of = |phase: &str, operation: &str| {
        let records = audit["records"].as_array().unwrap();
        records
            .iter()
            .filter(|record| record["phase"] == phase && record["operation"] == operation)
            .count()
    };
    assert_eq!(
        (of("intent", "register"), of("outcome", "register")),
        (1, 1),
        "{audit}"
    );
    assert_eq!(of("intent", "call the host's tidy"), 3, "{audit}");
}

#[test]
fn a_callback_is_limited_as_commands_are() {
    let home = tempfile::tempdir().unwrap();
    let maintenance = start(home.path());
    let refuse = |task: Task, expect: &str| {
        let fault = maintenance.register(task, || Ok(String::new())).unwrap_err();
        assert_eq!(fault.code, Code::InvalidParameters);
        assert!(fault.message.contains(expect), "{}", fault.message);
    };
    let task = |name: &str| Task::registered(name, "does something", Schedule::Manual);
    refuse(task("No Name"), "is no name");
    refuse(task("backup"), "comes with the system");
    refuse(
        Task {
            budget_ms: 1,
            ..task("t")
        },
        "budget_ms",
    );
    refuse(
        Task {
            command: Some(vec!["true".into()]),
            ..task("t")
        },
        "no task of a host",
    );
    let command = || ScheduleRequest {
        name: "t".into(),
        description: Some("does something".into()),
        command: Some(vec!["true".into()]),
        ..ScheduleRequest::default()
    };
    maintenance.schedule(command()).unwrap();
    refuse(task("t"), "another task");
    maintenance.cancel("t").unwrap();
    maintenance.register(task("t"), || Ok(String::new())).unwrap();
    // And the other way round.
    let fault = maintenance.schedule(command()).unwrap_err();
    assert_eq!(fault.code, Code::InvalidParameters, "{}", fault.message);
    // Nobody but a host registers a task without a command.
    let fault = maintenance
        .schedule(ScheduleRequest {
            name: "empty".into(),
            description: Some("does nothing".into()),
            ..ScheduleRequest::default()
        })
        .unwrap_err();
    assert!(fault.message.contains("has no command"), "{}", fault.message);
}

#[test]
fn a_call_that_overruns_is_given_up_and_the_engine_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let maintenance = start(home.path());
    let (go, wait) = channel::<()>();
    let slow = Task {
        budget_ms: 100,
        ..Task::registered("slow", "never ends", Schedule::Manual)
    };
    let returns = move || {
        wait.recv()
            .map(|()| "late".to_owned())
            .map_err(|_| "gone".to_owned())
    };
    maintenance.register(slow, returns).unwrap();
    let ended = run(&maintenance, "slow");
    assert_eq!(
        (&ended["failures"], &ended["last_outcome"]),
        (&1.into(), &"timed-out".into()),
        "{ended}"
    );
    // The thread is still in there, and nobody else is let in.
    let again = run(&maintenance, "slow");
    assert_eq!(
        again["last_note"],
        "slow cannot be called: its last call has not returned yet"
    );
    go.send(()).unwrap();
    // What it says now says nothing about a run; and the next one is a run again.
    go.send(()).unwrap();
    wait_for("a run that is let in", || {
        (run(&maintenance, "slow")["successes"] == 1).then_some(())
    });
    drop(maintenance);
}

#[test]
fn what_the_user_changed_about_a_callback_survives_and_without_its_host_it_does_nothing() {
    let home = tempfile::tempdir().unwrap();
    let tidy = || Task::registered("tidy", "tidies up", Schedule::Every { seconds: 60 });
    let maintenance = start(home.path());
    maintenance.register(tidy(), || Ok(String::new())).unwrap();
    maintenance
        .schedule(ScheduleRequest {
            name: "tidy".into(),
            schedule: Some("every 2h".into()),
            ..ScheduleRequest::default()
        })
        .unwrap();
    maintenance.stop().unwrap();

    let other = start(home.path());
    let ended = run(&other, "tidy");
    assert_eq!(
        (&ended["nothing_to_do"], &ended["failures"]),
        (&1.into(), &0.into()),
        "{ended}"
    );
    other.register(tidy(), || Ok("here again".into())).unwrap();
    let ended = run(&other, "tidy");
    assert_eq!(
        (&ended["schedule"], &ended["last_note"]),
        (&"every 2h".into(), &"here again".into())
    );
}

#[test]
fn a_host_is_a_session_that_keeps_its_lock() {
    let home = tempfile::tempdir().unwrap();
    let maintenance = start(home.path());
    let identity = Identity::of_this_process(0x1057, "test", "", "");
    let mut flight = Flight::create(&maintenance.sessions().unwrap(), &identity).unwrap();
    maintenance.watch(&flight).unwrap();
    flight.update(|record| {
        record.add(Counter::Keys, 1);
        record.time(Timer::KeyToPaint, 180_000);
    });
    // A health check looks at every session.
    run(&maintenance, "health-check");
    assert_eq!(maintenance.status().unwrap()["sessions"], 1);
    // Another process still sees the lock.
    let path = flight.path().unwrap().to_owned();
    assert!(is_locked(&path), "the look has dropped the session's lock");
    assert!(flight.still_registered());
    flight.remove();
    drop(flight);
    assert_eq!(lle_metrics::liveness(&path), Liveness::Unknown, "it is gone");
    run(&maintenance, "health-check");
    assert_eq!(maintenance.status().unwrap()["sessions"], 0);
}

/// Whether the kernel lists a record lock of this process on the file.
fn is_locked(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{} ", fs::metadata(path).unwrap().ino());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks
        .lines()
        .any(|line| line.contains("POSIX") && line.contains(&inode))
}

/// The example, which cargo builds with the tests.
fn editor() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().with_file_name("examples").join("editor");
    assert!(
        program.exists(),
        "first: cargo build -p lle-maintenance --examples"
    );
    program
}

#[test]
fn a_small_editor_hosts_it() {
    let home = tempfile::tempdir().unwrap();
    let spawn = lle_pty::Spawn::new(editor()).args([home.path()]).size(40, 100);
    let mut terminal = lle_pty::Terminal::spawn(&spawn).unwrap();
    let mut type_line = |line: &str, expect: &str| {
        let at_prompt = |terminal: &lle_pty::Terminal| terminal.text().trim_end().ends_with("editor>");
        terminal.wait_for("a prompt", at_prompt).unwrap();
        // The editor asks where the cursor is, and takes what comes before the answer for it.
        terminal.settle().unwrap();
        terminal.type_bytes(line.as_bytes()).unwrap();
        terminal.wait_for_text(expect).unwrap();
    };
    type_line("echo $((6 * 7))\r", "42");
    type_line("maint run tidy\r", "\"plan\"");
    type_line("maint nonsense\r", "unknown variant `Nonsense`");
    // A health check looks at every session: this one, too.
    type_line("maint run health-check\r", "\"succeeded\"");
    let mut client = Client::connect(&home.path().join("run/control"), DEADLINE).unwrap();
    let metrics = client.call("io.lusush.Maintenance.Metrics", Value::Null).unwrap();
    let said = metrics.to_string();
    assert!(said.contains("key_to_paint"), "{said}");
    let status = client.call("io.lusush.Maintenance.Status", Value::Null).unwrap();
    assert_eq!(status["document"]["sessions"], 1);
    type_line("maint verify\r", "\"whole\": true");
    type_line("\x04", "");
    let status = terminal.wait_exit(DEADLINE).unwrap();
    assert!(status.success(), "{}", terminal.text());
    assert!(!home.path().join("run/control").exists());
    let left: Vec<_> = fs::read_dir(home.path().join("run/sessions"))
        .unwrap()
        .flatten()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_example_stays_small() {
    let source = include_str!("../examples/editor.rs");
    assert!(source.lines().count() < 100, "{}", source.lines().count());
}
