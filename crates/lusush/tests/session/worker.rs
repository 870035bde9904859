//! The worker: a session sees to it that there is one, and neither waits for it nor wakes by itself.

use std::os::unix::fs::PermissionsExt;

use support::{press, shared_object};

use super::*;

/// Longer than a session waits for the next key alone.
const NEXT_KEY: std::time::Duration = std::time::Duration::from_millis(400);

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
    // The wait for the next key alone ends by its time, once; nothing else is due by a timer.
    std::thread::sleep(NEXT_KEY);
    terminal.settle().unwrap();
    let before = lle_pty::wakeups(terminal.pid()).unwrap();
    let seen = Seen::of(&home);
    std::thread::sleep(NEXT_KEY);
    terminal.settle().unwrap();
    assert_eq!(lle_pty::wakeups(terminal.pid()), Some(before));
    assert!(seen.gauge(Gauge::MallocUsedBytes).is_none_or(|bytes| bytes > 0));
}
