//! The real worker: killed at any moment, started twice, ended, stopped; and who else is told nothing.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lle_core::error::Code;
use lle_core::task::statistics::Outcome;
use lle_maintenance::api::{Request, ScheduleRequest};
use lle_maintenance::control::{CallError, Client};
use lle_maintenance::real::{Places, RealWorld};
use lle_maintenance::state::{Durable, StateLog};
use lle_pty::Terminal;
use rustix::process::{Signal, kill_process};
use support::household::{Household, call, processes, wait};
use support::{Random, number, press};

/// Kills out of the box; CI makes more.
const KILLS: usize = 15;
/// Names of the tasks that the load registers and cancels.
const NAMES: usize = 12;

/// What the load knows of one task; none where a call was cut off, so that it may have been done or not.
#[derive(Clone, Debug, Default)]
struct Expected {
    there: Option<bool>,
    schedule: Option<&'static str>,
    /// The last answers, for whoever reads a failure.
    heard: VecDeque<String>,
}

/// A client that asks for changes as fast as it is answered, and remembers what was acknowledged.
struct Load {
    socket: PathBuf,
    random: Random,
    marker: String,
    tasks: BTreeMap<String, Expected>,
    acknowledged: u64,
}

impl Load {
    fn run(mut self, stop: &AtomicBool) -> Self {
        let mut client = None;
        while !stop.load(Ordering::Relaxed) {
            let Some(connected) = &mut client else {
                client = Client::connect(&self.socket, Duration::from_secs(10)).ok();
                if client.is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                continue;
            };
            if !self.ask(connected) {
                client = None;
            }
        }
        self
    }

    /// Asks for one thing; false if the worker went meanwhile.
    fn ask(&mut self, client: &mut Client) -> bool {
        let name = format!("load-{}", self.random.below(NAMES));
        let schedule = ["every 1s", "manual", "every 1h"][self.random.below(3)];
        let request = match self.random.below(8) {
            0..=2 => Request::Schedule(Box::new(ScheduleRequest {
                name: name.clone(),
                schedule: Some(schedule.into()),
                command: Some(
                    ["sh", "-c", "sleep 0.05; : $0", &self.marker]
                        .map(str::to_owned)
                        .to_vec(),
                ),
                ..ScheduleRequest::default()
            })),
            3..=4 => Request::Run { task: name.clone() },
            5 => Request::Cancel { task: name.clone() },
            6 => Request::SetMode {
                area: "health-check".into(),
                mode: ["observe", "advise", "automatic"][self.random.below(3)].into(),
            },
            _ => Request::Acknowledge { id: 1 },
        };
        let answer = call(client, &request);
        let known = self.tasks.entry(name).or_insert_with(|| Expected {
            there: Some(false),
            ..Expected::default()
        });
        known.heard.truncate(8);
        known
            .heard
            .push_front(format!("{} {answer:?}", request.write().0));
        match (&request, &answer) {
            (_, Err(CallError::Unreachable { .. })) => {
                if matches!(request, Request::Schedule(_)) {
                    // It may have been done, without our hearing of it.
                    known.there = known.there.filter(|there| *there);
                    known.schedule = None;
                } else if matches!(request, Request::Cancel { .. }) {
                    known.there = known.there.filter(|there| !*there);
                }
                return false;
            }
            (Request::Schedule(_), Ok(_)) => {
                (known.there, known.schedule) = (Some(true), Some(schedule));
            }
            (Request::Cancel { .. }, Ok(value)) if value["removed"] == true => known.there = Some(false),
            (Request::Cancel { .. }, Err(CallError::Fault(fault))) if fault.code == Code::NotFound => {
                assert_ne!(
                    known.there,
                    Some(true),
                    "an acknowledged task was lost: {:?}",
                    known.heard
                );
            }
            (_, Ok(_)) => {}
            (_, Err(CallError::Fault(fault))) => {
                let usual = [Code::NotFound, Code::Busy, Code::InvalidState];
                assert!(usual.contains(&fault.code), "{request:?}: {fault:?}");
            }
            (_, Err(error)) => panic!("{request:?}: {error}"),
        }
        self.acknowledged += 1;
        true
    }
}

/// What is on disk, read by the engine's own code.
fn durable(house: &Household) -> Durable {
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let lusush = house.home.lusush();
    let below = |name: &str| lusush.join(name);
    let places = Places::below(
        &below("state"),
        &below("data"),
        &below("cache"),
        &below("run"),
        &machine,
    );
    let mut world = RealWorld::open(places, false).unwrap();
    StateLog::load(&mut world, 1).unwrap().1
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_is_replaced_at_the_next_prompt() {
    let seed = number("LUSUSH_WORKER_SEED", 20_261_124) as u64;
    let kills = number("LUSUSH_WORKER_KILLS", KILLS);
    eprintln!("LUSUSH_WORKER_SEED={seed} LUSUSH_WORKER_KILLS={kills}");
    let mut random = Random::new(seed);
    let mut house = Household::new("");
    let marker = format!("lusush-load-{}", std::process::id());
    let mut sessions = [house.session(), house.session()];
    let mut worker = house.wait_for_worker(None);
    wait("an answer", || house.client().is_some());
    let stop = Arc::new(AtomicBool::new(false));
    let load = Load {
        socket: house.runtime().join("control"),
        random: Random::new(seed ^ 1),
        marker: marker.clone(),
        tasks: BTreeMap::new(),
        acknowledged: 0,
    };
    let stopped = Arc::clone(&stop);
    let load = std::thread::spawn(move || load.run(&stopped));
    for kill in 0..kills {
        let keys = random.below(6);
        for key in 0..keys {
            press(&mut sessions[kill % 2], &format!("echo {kill}.{key}\r"), "$");
        }
        // No wait for a condition: the moment is what varies.
        std::thread::sleep(Duration::from_millis(random.below(120) as u64));
        house.kill_worker();
        press(&mut sessions[(kill + 1) % 2], "\r", "$");
        worker = house.wait_for_worker(Some(worker));
    }
    stop.store(true, Ordering::Relaxed);
    let load = load.join().unwrap();
    assert!(
        load.acknowledged > kills as u64,
        "nobody was answered: {}",
        load.acknowledged
    );
    drop(sessions);

    // Everything is whole while it runs …
    assert_whole_but_for_torn_writes(&house);
    let home = house.home.path().to_string_lossy().into_owned();
    // A job's process has the worker's command line until it becomes the job.
    wait("one worker", || {
        let workers = processes("maint worker");
        let ours = workers.iter().filter(|(pid, _)| {
            std::fs::read(format!("/proc/{pid}/environ", pid = pid.as_raw_nonzero()))
                .is_ok_and(|environment| String::from_utf8_lossy(&environment).contains(&home))
        });
        ours.count() == 1
    });
    // … and after it was killed for the last time, with all it had started.
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    wait("every job to end", || processes(&marker).is_empty());
    let durable = durable(&house);
    for (name, expected) in &load.tasks {
        let found = durable.tasks.get(name);
        if let Some(there) = expected.there {
            assert_eq!(found.is_some(), there, "{name}: {expected:?}");
        }
        if let (Some(schedule), Some(found)) = (expected.schedule, found)
            && expected.there == Some(true)
        {
            assert_eq!(found.task.schedule.to_string(), schedule, "{name}");
        }
    }
    for (name, known) in &durable.tasks {
        let statistics = &known.statistics;
        let sum: u64 = Outcome::ALL
            .iter()
            .map(|outcome| statistics.counter(*outcome))
            .sum();
        assert_eq!(sum, statistics.runs, "{name}: {statistics:?}");
    }
    assert!(durable.stuck.is_empty(), "{:?}", durable.stuck);
    assert_whole_but_for_torn_writes(&house);
}

/// Demands that nothing is wrong with the audit log but records that a kill ended in the middle of their write: the kernel
/// looks for one between two pages, so such a record ends with a page, and nobody was told that it is there.
fn assert_whole_but_for_torn_writes(house: &Household) {
    const PAGE_BYTES: u64 = 4096;
    let verified = house.json(&["audit", "verify"]);
    let is_torn = |problem: &str| {
        let bytes = problem.strip_suffix(" are a record that was never finished");
        let end = bytes.and_then(|bytes| bytes.rsplit_once(" to "));
        end.and_then(|(_, end)| end.parse::<u64>().ok())
            .is_some_and(|end| end.is_multiple_of(PAGE_BYTES))
    };
    let problems = verified["problems"].as_array().unwrap();
    assert!(
        problems
            .iter()
            .all(|problem| problem.as_str().is_some_and(is_torn)),
        "{verified}"
    );
    assert_eq!(verified["whole"], problems.is_empty(), "{verified}");
}

#[test]
fn of_two_started_at_once_one_wins() {
    let house = Household::new("");
    let mut workers: Vec<_> = (0..2)
        .map(|_| {
            let mut command = house.command(&["maint", "worker", "--stay"]);
            command.stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut lost = None;
    wait("one to lose", || {
        lost = workers
            .iter_mut()
            .position(|worker| worker.try_wait().unwrap().is_some());
        lost.is_some()
    });
    let loser = workers.remove(lost.unwrap()).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&loser.stderr);
    assert_eq!(loser.status.code(), Some(i32::from(Code::Busy.exit())), "{said}");
    assert!(said.contains("a worker is running already"), "{said}");
    let mut winner = workers.remove(0);
    assert_eq!(
        house.wait_for_worker(None).as_raw_nonzero().get().cast_unsigned(),
        winner.id()
    );
    wait("an answer", || house.client().is_some());

    // Told to, the other ends, and leaves nothing.
    kill_process(house.worker().unwrap(), Signal::TERM).unwrap();
    assert!(winner.wait().unwrap().success());
    assert!(!house.runtime().join("control").exists(), "its socket is gone");
    assert_eq!(house.worker(), None, "its lock is free");
    assert_eq!(std::fs::read(house.folder().join("worker.lock")).unwrap(), b"");
}

#[test]
fn stopped_it_stays_away_until_it_is_started() {
    let house = Household::new("");
    let mut terminal = house.session();
    let first = house.wait_for_worker(None);
    wait("an answer", || house.client().is_some());
    assert!(house.said(&["stop"]).contains("no session starts another"));
    wait("the worker to end", || house.worker().is_none());
    for n in 0..3 {
        press(&mut terminal, &format!("echo {n}\r"), "$");
    }
    let mut second = house.session();
    press(&mut second, "echo here\r", "here");
    assert_eq!(house.worker(), None);
    let status = house.json(&["status"]);
    assert_eq!(status["worker"]["stopped"], true, "{status}");
    assert!(house.said(&["start"]).contains("The worker runs."));
    let started = house.wait_for_worker(Some(first));
    // At once after a stop, a start finds the one that is about to end.
    house.said(&["stop"]);
    house.said(&["start"]);
    wait("an answer", || house.client().is_some());
    assert_eq!(house.json(&["status"])["worker"]["worker"], true);
    let _perhaps_the_same = started;
}

#[test]
fn a_session_that_comes_or_wakes_is_seen_at_once() {
    // Nobody is there, so it looks once a minute.
    let house = Household::with_worker("", &[]);
    let seen = || house.json(&["status"])["worker"]["sessions"].as_u64();
    assert_eq!(seen(), Some(0));
    let _terminal = house.session();
    wait("the session to be seen", || seen() == Some(1));
    let bell = house.runtime().join("bell");
    assert!(bell.exists());
    house.said(&["stop"]);
    wait("the worker to end", || house.worker().is_none());
    assert!(!bell.exists(), "its bell is gone");
}

#[test]
fn stopped_without_its_socket_it_ends_all_the_same() {
    let house = Household::with_worker("", &[]);
    let socket = house.runtime().join("control");
    std::fs::remove_file(&socket).unwrap();
    // Nor can it bind another.
    std::fs::create_dir(&socket).unwrap();
    let pid = house.worker().unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let held = house.maint(&["stop"]);
    let said = String::from_utf8_lossy(&held.stderr).into_owned();
    assert_eq!(
        held.status.code(),
        Some(i32::from(Code::Unavailable.exit())),
        "{said}"
    );
    assert!(
        said.contains(&format!("process {}", pid.as_raw_nonzero())),
        "{said}"
    );
    kill_process(pid, Signal::CONT).unwrap();
    assert!(house.said(&["stop"]).contains("no session starts another"));
    assert_eq!(house.worker(), None, "whoever was told so may rely on it");
    assert!(house.folder().join("stopped").exists());
    assert!(house.said(&["audit", "show"]).contains("by the file `stopped`"));
}

#[test]
fn rules_that_are_changed_hold_in_the_worker_that_runs() {
    let house = Household::with_worker("", &[]);
    let folder = house.home.lusush().join("config");
    std::fs::create_dir_all(&folder).unwrap();
    let rules = folder.join("policy.toml");
    let write = |text: &str| {
        std::fs::write(&rules, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&rules, mode).unwrap();
    };
    let denied = |words: &[&str]| {
        let code = house.maint(words).status.code();
        code == Some(i32::from(Code::PolicyViolation.exit()))
    };
    let told = || house.said(&["audit", "show"]).contains("the policy has changed");
    assert!(!denied(&["pause", "backup"]) && !told());
    write("denied_operations = [\"pause\"]\n");
    wait("the rules to hold", || denied(&["pause", "backup"]));
    assert!(told());
    assert!(!denied(&["resume", "backup"]), "only what they say");
    // What is not understood allows looking only, now as at a start.
    write("denied_operations = pause\n");
    wait("no rules to hold", || denied(&["resume", "backup"]));
    let health = house.said(&["health"]);
    assert!(health.contains("a policy is not understood"), "{health}");
    std::fs::remove_file(&rules).unwrap();
    wait("the rules to be gone", || !denied(&["pause", "backup"]));
    assert!(!house.said(&["health"]).contains("a policy is not understood"));
    assert!(told());
}

#[test]
fn what_begins_by_itself_can_be_paused() {
    let house = Household::with_worker("", &[]);
    house.said(&["schedule", "tick", "--when", "every 1s", "--", "true"]);
    wait("a run", || house.task("tick")["successes"].as_u64() >= Some(1));
    house.said(&["pause", "tick"]);
    wait("no run", || house.task("tick")["running"] == false);
    let before = house.task("tick");
    assert_eq!(before["paused"], true);
    // One asked for runs all the same; so much time has passed then that the schedule would have run it.
    house.said(&["schedule", "tock", "--when", "every 1s", "--", "true"]);
    wait("runs of another", || {
        house.task("tock")["successes"].as_u64() >= Some(2)
    });
    assert_eq!(house.task("tick")["runs"], before["runs"]);
    house.said(&["resume", "tick"]);
    wait("a run", || {
        house.task("tick")["successes"].as_u64() > before["successes"].as_u64()
    });
    house.said(&["pause"]);
    assert_eq!(house.json(&["status"])["worker"]["paused"], true);
    house.said(&["resume"]);
    assert_eq!(house.json(&["status"])["worker"]["paused"], false);
}

#[test]
fn a_session_that_was_killed_is_one_incident_with_its_last_command() {
    let mut house = Household::with_worker("", &["--look-every", "50"]);
    let mut terminal = house.session();
    press(&mut terminal, "echo make me famous\r", "famous");
    wait("the session to be seen", || {
        house.json(&["health"])["sessions"][0]["id"].is_string()
    });
    let tty = house.json(&["health"])["sessions"][0]["tty"]
        .as_str()
        .unwrap()
        .to_owned();
    terminal.signal(Signal::KILL).unwrap();
    terminal.wait_exit(lle_pty::deadline()).unwrap();
    let incidents = |house: &Household| house.json(&["status"])["worker"]["incidents"].clone();
    wait("an incident", || incidents(&house)[0].is_object());
    let first = incidents(&house)[0].clone();
    let (what, evidence) = (
        first["what"].as_str().unwrap(),
        first["evidence"].as_str().unwrap(),
    );
    assert!(what.contains(&tty), "{first}");
    assert!(evidence.contains("echo make me famous"), "{first}");
    assert!(house.said(&["audit", "show"]).contains("echo make me famous"));
    // Another worker finds the same file, and does not tell again.
    house.kill_worker();
    house.start_worker(&["--look-every", "50"]);
    house.said(&["health"]);
    assert_eq!(incidents(&house).as_array().unwrap().len(), 1);
    let audit = house.said(&["audit", "show"]);
    assert_eq!(audit.matches("ended without a word").count(), 1, "{audit}");
}

#[test]
fn a_terminal_that_is_closed_is_no_incident() {
    let house = Household::with_worker("", &["--look-every", "50"]);
    let (mut closed, mut killed) = (house.session(), house.session());
    press(&mut closed, "echo one", "one");
    press(&mut killed, "echo two\r", "two");
    wait("both to be seen", || {
        house.json(&["health"])["sessions"].as_array().unwrap().len() == 2
    });
    closed.hang_up();
    closed.wait_exit(lle_pty::deadline()).unwrap();
    killed.signal(Signal::KILL).unwrap();
    killed.wait_exit(lle_pty::deadline()).unwrap();
    wait("an incident and a burial", || {
        let status = house.json(&["status"]);
        status["worker"]["incidents"][0].is_object() && status["dead"].as_array().unwrap().len() == 1
    });
    let incidents = house.json(&["status"])["worker"]["incidents"].clone();
    assert_eq!(incidents.as_array().unwrap().len(), 1, "{incidents}");
    assert!(
        incidents[0]["evidence"].as_str().unwrap().contains("echo two"),
        "{incidents}"
    );
}

#[test]
fn without_a_worker_a_closed_terminal_is_told_as_one() {
    let house = Household::new("");
    for killed in [false, false, true] {
        let mut session = Terminal::spawn(&house.home.spawn("bash")).unwrap();
        session.settle().unwrap();
        press(&mut session, "echo hi\r", "hi");
        match killed {
            false => session.hang_up(),
            true => session.signal(Signal::KILL).unwrap(),
        }
        session.wait_exit(lle_pty::deadline()).unwrap();
    }
    let status = house.said(&["status"]);
    assert!(status.contains("Ended without a word: 1\n"), "{status}");
    assert!(
        status.contains("Ended in order, with their terminal: 2\n"),
        "{status}"
    );
    let output = house.command(&["doctor"]).output().unwrap();
    let doctor = String::from_utf8(output.stdout).unwrap();
    let doctor = doctor.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        doctor.contains("1 ended without a word, 2 with their terminal"),
        "{doctor}"
    );
}
