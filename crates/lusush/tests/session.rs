//! What a session does for the worker: it says what it is told, gives memory back, can be woken, and starts a worker
//! where there is none.
// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use lle_core::desired::{Alert, Desired, FILE_NAME, Trim};
use lle_core::severity::Severity;
use lle_metrics::{Counter, Gauge, Liveness, Snapshot};
use lle_pty::{Home, Terminal, deadline};

mod support;

use support::{bash_with_lle, press, shared_object};

/// The one session in a home, as the worker sees it.
struct Seen<'a> {
    home: &'a Home,
    flight: PathBuf,
}

impl<'a> Seen<'a> {
    fn of(home: &'a Home) -> Self {
        let flights = files(home, "flight");
        assert_eq!(flights.len(), 1, "{flights:?}");
        Self {
            home,
            flight: flights[0].clone(),
        }
    }

    fn id(&self) -> u64 {
        self.snapshot().identity().session_id
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::read(&self.flight).unwrap()
    }

    fn counter(&self, counter: Counter) -> u64 {
        self.snapshot().counter(counter)
    }

    fn gauge(&self, gauge: Gauge) -> Option<i64> {
        self.snapshot().gauge(gauge)
    }

    /// Puts down what is wanted, as the worker does: under another name first.
    fn want(&self, generation: u64, alerts: &[(u64, u64, &str)], trims: &[(u64, u64)]) {
        let alerts = alerts.iter().map(|&(id, session, text)| Alert {
            id,
            session,
            severity: Severity::Warning,
            text: text.into(),
        });
        let trims = trims.iter().map(|&(token, session)| Trim { token, session });
        let desired = Desired {
            generation,
            alerts: alerts.collect(),
            trims: trims.collect(),
            ..Desired::default()
        };
        let path = self.home.lusush().join("run").join(FILE_NAME);
        fs::write(path.with_extension("new"), desired.encode()).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    }

    /// Wakes the session; false if it does not listen.
    fn wake(&self) -> bool {
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        sender.send_to(b"", self.flight.with_extension("wake")).is_ok()
    }

    /// Waits until the flight file says what `true_of` asks for.
    fn wait(&self, terminal: &mut Terminal, what: &str, true_of: impl Fn(&Snapshot) -> bool) {
        terminal
            .wait_for(what, |_| true_of(&self.snapshot()))
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The files of one kind in a home's folder of sessions.
fn files(home: &Home, extension: &str) -> Vec<PathBuf> {
    let folder = home.lusush().join("run/sessions");
    let entries = fs::read_dir(folder).map_or(vec![], |entries| entries.flatten().collect());
    let paths = entries.iter().map(fs::DirEntry::path);
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

fn session(rc: &str) -> (Home, Terminal) {
    bash_with_lle("bash".as_ref(), rc)
}

#[test]
fn an_alert_waits_for_the_next_prompt_and_is_shown_once() {
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    press(&mut terminal, "echo half", "$ echo half");
    let screen = terminal.text();
    let id = seen.id();
    seen.want(
        4,
        &[
            (8, id, "the second"),
            (7, id, "the history log is on a full disk"),
            (9, id ^ 1, "not for you"),
        ],
        &[],
    );
    assert!(seen.wake());
    seen.wait(&mut terminal, "the session to look", |s| {
        s.gauge(Gauge::ConfigGeneration) == Some(4)
    });
    terminal.settle().unwrap();
    assert_eq!(terminal.text(), screen, "nothing is shown while one types");
    assert_eq!(seen.counter(Counter::Wakes), 1);
    assert_eq!(seen.gauge(Gauge::AlertsShown), None);

    press(
        &mut terminal,
        " line\r",
        "$ echo half line\nhalf line\n\
         lusush: warning: the history log is on a full disk\n\
         lusush: warning: the second\n$",
    );
    assert_eq!(seen.gauge(Gauge::AlertsShown), Some(8));
    press(&mut terminal, "clear\r", "$");
    press(&mut terminal, "echo again\r", "$ echo again\nagain\n$");
    // Neither a new generation nor a wake shows it again, and without a wake the next prompt looks by itself.
    seen.want(5, &[(8, id, "the second"), (10, id, "the third")], &[]);
    press(&mut terminal, "\r", "lusush: warning: the third\n$");
    assert!(!terminal.text().contains("the second") && !terminal.text().contains("not for you"));
    assert_eq!(seen.gauge(Gauge::AlertsShown), Some(10));
    assert_eq!(seen.gauge(Gauge::ConfigGeneration), Some(5));
}

#[test]
fn more_alerts_than_one_prompt_has_room_for_come_at_the_next() {
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    let id = seen.id();
    let texts: Vec<_> = (1..=8).map(|n| format!("alert number {n}")).collect();
    let alerts: Vec<_> = texts
        .iter()
        .zip(1..)
        .map(|(text, n)| (n, id, text.as_str()))
        .collect();
    seen.want(1, &alerts, &[]);
    press(&mut terminal, "\r", "alert number 6\n$");
    assert!(!terminal.text().contains("alert number 7"));
    press(
        &mut terminal,
        "\r",
        "alert number 7\nlusush: warning: alert number 8\n$",
    );
}

#[test]
fn an_idle_session_gives_memory_back_when_it_is_asked() {
    // What was allocated and freed stays with the allocator: a list of small pieces, and one behind it in use.
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    let line = "x=(); for i in {1..40000}; do x+=(piece$i); done; y=end; unset x\r";
    press(&mut terminal, line, "$");
    press(&mut terminal, "half a line", "$ half a line");
    let id = seen.id();
    seen.want(2, &[], &[(5, id), (6, id ^ 1)]);
    assert!(seen.wake());
    seen.wait(&mut terminal, "the trim", |s| {
        s.gauge(Gauge::TrimToken) == Some(5)
    });
    terminal.settle().unwrap();
    assert!(terminal.text().ends_with("$ half a line"), "{}", terminal.text());
    // A bash with an allocator of its own answers, and knows nothing.
    if let Some(spent) = seen.gauge(Gauge::TrimNs) {
        assert!(spent > 0);
        let (before, after) = (
            seen.gauge(Gauge::TrimBeforeBytes),
            seen.gauge(Gauge::TrimAfterBytes),
        );
        assert!(after.unwrap() > 0 && before > after, "{before:?} {after:?}");
        assert_eq!(seen.counter(Counter::Trims), 1);
        let [arena, used, free] = [
            Gauge::MallocArenaBytes,
            Gauge::MallocUsedBytes,
            Gauge::MallocFreeBytes,
        ]
        .map(|gauge| seen.gauge(gauge).unwrap());
        assert!(
            used > 0 && free > 0 && used + free <= arena,
            "{arena} {used} {free}"
        );
        eprintln!("trim: {before:?} to {after:?} bytes in {spent} ns; arena {arena}, free {free}");
    }
    // Looked at again, it is not done again.
    let trims = seen.counter(Counter::Trims);
    seen.want(3, &[], &[(5, id)]);
    assert!(seen.wake());
    seen.wait(&mut terminal, "the session to look", |s| {
        s.gauge(Gauge::ConfigGeneration) == Some(3)
    });
    terminal.settle().unwrap();
    assert_eq!(seen.counter(Counter::Trims), trims);
}

#[test]
fn a_flood_of_wakes_delays_no_key() {
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    let socket = seen.flight.with_extension("wake");
    assert_eq!(
        fs::symlink_metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let sender = UnixDatagram::unbound().unwrap();
            sender.set_nonblocking(true).unwrap();
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                // Full: the session leaves it alone by now.
                if sender.send_to(&[b'x'; 4000], &socket).is_err() {
                    std::thread::yield_now();
                }
            }
        });
        let typed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            seen.wait(&mut terminal, "a wake", |s| s.counter(Counter::Wakes) > 0);
            // Its wait has a limit as long as the flood lasts, so that it never looks settled.
            let mut shows = |keys: &str, expect: &str| {
                terminal.type_bytes(keys.as_bytes()).unwrap();
                terminal.wait_for(expect, |t| t.text().ends_with(expect)).unwrap();
            };
            for n in 0..3 {
                shows(
                    &format!("echo typed in flood {n}\r"),
                    &format!("\ntyped in flood {n}\n$"),
                );
            }
            // It leaves alone what is sent: ten times a second is less than the socket takes.
            terminal
                .wait_for("the flood to be left alone", |_| !seen.wake())
                .unwrap();
            terminal.type_bytes(b"a").unwrap();
            terminal.wait_for("a key", |t| t.text().ends_with("$ a")).unwrap();
        }));
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        typed.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    // Afterwards it is heard as before, without a key.
    seen.want(6, &[], &[]);
    terminal
        .wait_for("the socket to take more", |_| seen.wake())
        .unwrap();
    seen.wait(&mut terminal, "the session to look", |s| {
        s.gauge(Gauge::ConfigGeneration) == Some(6)
    });
    press(&mut terminal, "\x15echo calm\r", "\ncalm\n$");
}

#[test]
fn a_session_whose_runtime_folder_vanished_can_be_woken_again() {
    let (home, mut terminal) = session("");
    let id = Seen::of(&home).id();
    fs::remove_dir_all(home.lusush().join("run")).unwrap();
    press(&mut terminal, "echo on\r", "\non\n$");
    let seen = Seen::of(&home);
    assert_eq!(seen.id(), id);
    assert_eq!(lle_metrics::liveness(&seen.flight), Liveness::Alive);
    seen.want(3, &[(1, id, "still there")], &[]);
    assert!(seen.wake());
    seen.wait(&mut terminal, "the session to look", |s| {
        s.gauge(Gauge::ConfigGeneration) == Some(3)
    });
    press(&mut terminal, "\r", "still there\n$");
}

#[test]
fn a_script_that_takes_the_descriptors_is_not_disturbed_and_disturbs_nothing() {
    let (home, mut terminal) = session("");
    let seen = Seen::of(&home);
    let taken = home.path().join("taken");
    press(
        &mut terminal,
        "for ((f = 3; f < 255; f++)); do eval \"exec $f>&-\"; done; echo closed\r",
        "\nclosed\n$",
    );
    assert!(seen.wake(), "there is another socket");
    seen.wait(&mut terminal, "the wake", |s| s.counter(Counter::Wakes) == 1);
    // Now it is a file of the user's, which stays open and theirs.
    press(
        &mut terminal,
        "exec 222>&-; exec 222>>~/taken; echo x >&222\r",
        "\n$",
    );
    assert!(seen.wake(), "there is a third");
    seen.wait(&mut terminal, "the wake", |s| s.counter(Counter::Wakes) == 2);
    seen.want(2, &[(1, seen.id(), "told at the prompt")], &[]);
    press(&mut terminal, "echo y >&222\r", "told at the prompt\n$");
    assert_eq!(fs::read_to_string(taken).unwrap(), "x\ny\n");
    assert_eq!(lle_metrics::liveness(&seen.flight), Liveness::Alive);
}

#[test]
fn a_clean_exit_leaves_no_socket_and_a_subshell_s_leaves_it_alone() {
    let (home, mut terminal) = session("");
    press(&mut terminal, "(exit 0); echo $(echo inner)\r", "\ninner\n$");
    assert_eq!(files(&home, "wake").len(), 1);
    terminal.type_bytes(b"exit\r").unwrap();
    terminal.wait_exit(deadline()).unwrap();
    assert_eq!(files(&home, "wake"), Vec::<PathBuf>::new());
    assert_eq!(files(&home, "flight"), Vec::<PathBuf>::new());
}

/// The fake worker: says in a file of its own what it was started with, and ends.
const WORKER: &str = r#"#!/bin/sh
out=$LUSUSH_HOME/worker.$$
{
    echo "arguments $*"
    echo "folder $(pwd -P)"
    read -r _ _ _ parent _ session tty _ </proc/$$/stat
    echo "parent $parent session $session self $$ tty $tty"
    echo descriptors /proc/$$/fd/*
    grep -E '^(SigBlk|SigIgn)' /proc/self/status
    env
} >"$out.new" 2>&1
mv "$out.new" "$out"
"#;

/// A home whose LLE finds the fake worker beside itself.
fn home_with_worker(rc: &str) -> Home {
    let home = Home::new("").unwrap();
    let folder = home.path().join("bin");
    fs::create_dir(&folder).unwrap();
    fs::copy(shared_object(), folder.join("liblle_bash.so")).unwrap();
    fs::write(folder.join("lusush"), WORKER).unwrap();
    fs::set_permissions(folder.join("lusush"), fs::Permissions::from_mode(0o755)).unwrap();
    let load = format!(
        "PS1='$ '\nenable -f '{}/liblle_bash.so' lle\n{rc}",
        folder.display()
    );
    fs::write(home.rc(), load).unwrap();
    home
}

fn start(home: &Home) -> Terminal {
    let how = home.spawn_with_worker("bash");
    let how = how
        .env("BASH_ENV", "/dev/null")
        .env("SECRET", "s")
        .env("USER", "joe");
    let mut terminal = Terminal::spawn(&how).unwrap();
    terminal
        .settle()
        .unwrap_or_else(|error| panic!("no prompt: {error}"));
    terminal
}

/// What the workers wrote that were started.
fn workers(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.lusush()).unwrap().flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("worker.") && !name.ends_with(".new")
    });
    paths.map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn lock_folder(home: &Home) -> PathBuf {
    let machine_id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    lle_core::paths::maint_folder(&home.lusush().join("state"), &machine_id)
}

#[test]
fn a_session_starts_the_worker_once_and_bash_knows_nothing_of_it() {
    let home = home_with_worker("trap 'echo a child ended' CHLD\nnot_exported=1 LC_TIME=C\n");
    let mut terminal = start(&home);
    terminal
        .wait_for("the worker", |_| !workers(&home).is_empty())
        .unwrap();
    press(
        &mut terminal,
        "jobs; echo \"last [$!]\"; wait; echo waited\r",
        "last []\nwaited\n$",
    );
    press(
        &mut terminal,
        "sleep 0.01 & wait $!; echo status $?\r",
        "status 0\n",
    );
    press(&mut terminal, "\r\r", "$");
    let seen = workers(&home);
    assert_eq!(seen.len(), 1, "{seen:?}");
    // Of the sleep's, and of no other.
    assert_eq!(
        terminal.text().matches("a child ended").count(),
        1,
        "{}",
        terminal.text()
    );

    let line = |start: &str| {
        let found = seen[0].lines().find_map(|line| line.strip_prefix(start));
        found
            .unwrap_or_else(|| panic!("no {start} in {}", seen[0]))
            .trim()
    };
    assert_eq!(line("arguments "), "maint worker --spawned");
    assert_eq!(line("folder "), "/");
    let words: Vec<_> = line("parent ").split(' ').collect();
    assert_ne!(
        words[0],
        terminal.pid().as_raw_nonzero().to_string(),
        "no child of bash"
    );
    assert_eq!((words[2], words[4]), (words[4], words[2]), "its own session");
    assert_eq!(words[6], "0", "no terminal");
    let descriptors = line("descriptors ").split(' ');
    let highest = descriptors
        .filter_map(|path| path.rsplit('/').next()?.parse::<u32>().ok())
        .max();
    // What a shell takes for its own redirections and for looking.
    assert!(highest <= Some(12), "{}", line("descriptors "));
    assert_eq!(line("SigBlk:"), "0000000000000000");
    // The C library keeps 32 and 33 for itself, and lets nobody touch them.
    let ignored = u64::from_str_radix(line("SigIgn:"), 16).unwrap();
    assert_eq!(ignored & !(3 << 31), 0, "{ignored:x}");
    let names: Vec<_> = seen[0]
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| !matches!(*name, "PWD" | "OLDPWD" | "_" | "SHLVL"))
        .collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        ["HOME", "LANG", "LC_ALL", "LUSUSH_HOME", "PATH", "USER"],
        "{names:?}"
    );
    assert_eq!(Seen::of(&home).counter(Counter::WorkerStarts), 1);
}

#[test]
fn no_worker_is_started_where_there_is_one_or_none_is_wanted() {
    fn check(what: &str, prepare: impl Fn(&Home) -> Option<fs::File>, rc: &str) {
        let home = home_with_worker(rc);
        let held = prepare(&home);
        let mut terminal = start(&home);
        press(&mut terminal, "echo one\r", "\none\n$");
        press(&mut terminal, "echo two\r", "\ntwo\n$");
        let starts = Seen::of(&home).counter(Counter::WorkerStarts);
        assert_eq!(starts, 0, "{what}");
        drop(held);
    }
    let file = |home: &Home, name: &str| {
        fs::create_dir_all(lock_folder(home)).unwrap();
        fs::File::create(lock_folder(home).join(name)).unwrap()
    };
    check(
        "one lives",
        |home| {
            let lock = file(home, "worker.lock");
            rustix::fs::fcntl_lock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
            Some(lock)
        },
        "",
    );
    check(
        "stopped",
        |home| {
            file(home, "stopped");
            None
        },
        "",
    );
    check("switched off", |_| None, "LUSUSH_WORKER=off");
    check(
        "no program",
        |home| {
            fs::remove_file(home.path().join("bin/lusush")).unwrap();
            None
        },
        "",
    );
    // The tests' own sessions start none.
    let home = home_with_worker("");
    let mut terminal = Terminal::spawn(&home.spawn("bash")).unwrap();
    terminal.settle().unwrap();
    press(&mut terminal, "echo one\r", "\none\n$");
    assert_eq!(Seen::of(&home).counter(Counter::WorkerStarts), 0);
}

#[test]
fn a_worker_that_was_there_is_started_again() {
    let home = home_with_worker("");
    fs::create_dir_all(lock_folder(&home)).unwrap();
    let lock = fs::File::create(lock_folder(&home).join("worker.lock")).unwrap();
    rustix::fs::fcntl_lock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let mut terminal = start(&home);
    press(&mut terminal, "echo one\r", "\none\n$");
    assert_eq!(Seen::of(&home).counter(Counter::WorkerStarts), 0);
    drop(lock);
    press(&mut terminal, "echo two\r", "\ntwo\n$");
    terminal
        .wait_for("the worker", |_| workers(&home).len() == 1)
        .unwrap();
    // It is gone again; the next start is not due.
    press(&mut terminal, "echo three\r", "\nthree\n$");
    assert_eq!(Seen::of(&home).counter(Counter::WorkerStarts), 1);
}

#[test]
fn a_session_asleep_at_its_prompt_stays_asleep() {
    let (home, mut terminal) = session("");
    press(&mut terminal, "echo one\r", "\none\n$");
    let before = lle_pty::wakeups(terminal.pid()).unwrap();
    let seen = Seen::of(&home);
    // Nothing is due by a timer: what was done is done by the time the session sleeps.
    assert!(lle_pty::waits_for_input(terminal.pid()));
    terminal.settle().unwrap();
    assert_eq!(lle_pty::wakeups(terminal.pid()), Some(before));
    assert!(seen.gauge(Gauge::MallocUsedBytes).is_none_or(|bytes| bytes > 0));
}
