//! A home with real sessions and a real worker in it.
//!
//! Invariant: no worker and no job outlives its household.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use lle_maintenance::api::Request;
use lle_maintenance::control::{CallError, Client};
use lle_pty::{Home, Terminal, deadline};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long one call may take: far more than any does.
const PATIENCE: Duration = Duration::from_secs(10);

/// A home, its sessions' rc file, and whoever works in it.
pub(crate) struct Household {
    pub(crate) home: Home,
    foreground: Option<Child>,
}

impl Household {
    /// Makes a home whose sessions load LLE and then run `rc`.
    pub(crate) fn new(rc: &str) -> Self {
        let home = Home::new(&format!("{}{rc}", super::load_lle())).expect("a home can be made");
        Self {
            home,
            foreground: None,
        }
    }

    /// Makes one with a worker in the foreground, which stays without sessions and gets `options` besides.
    pub(crate) fn with_worker(rc: &str, options: &[&str]) -> Self {
        let mut house = Self::new(rc);
        house.start_worker(options);
        house
    }

    /// Starts a worker and waits until it answers.
    pub(crate) fn start_worker(&mut self, options: &[&str]) {
        let mut command = self.command(&["maint", "worker", "--stay"]);
        command.args(options).stdin(Stdio::null());
        self.foreground = Some(command.spawn().expect("the worker starts"));
        wait("a worker that answers", || self.ask(&Request::Version).is_ok());
    }

    /// Starts a session and waits for its prompt.
    pub(crate) fn session(&self) -> Terminal {
        let spawn = self.home.spawn_with_worker("bash").size(60, 80);
        let mut terminal = Terminal::spawn(&spawn).expect("bash starts");
        terminal
            .settle()
            .unwrap_or_else(|error| panic!("no prompt: {error}"));
        let loaded = self.home.path().join("lle-loaded").exists();
        assert!(loaded, "LLE does not load:\n{}", terminal.text());
        terminal
    }

    /// `lusush` with these words, in this home.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(super::lusush());
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("LUSUSH_HOME", self.home.lusush())
            .env("LANG", "C.UTF-8");
        command
    }

    /// Runs `lusush maint` with these words.
    pub(crate) fn maint(&self, words: &[&str]) -> Output {
        let mut command = self.command(&["maint"]);
        command
            .args(words)
            .stdin(Stdio::null())
            .output()
            .expect("lusush runs")
    }

    /// Runs it, demands success, and gives what it said.
    pub(crate) fn said(&self, words: &[&str]) -> String {
        let output = self.maint(words);
        let all = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(all).expect("what is said is UTF-8");
        assert!(output.status.success(), "{words:?}: {} {text}", output.status);
        text
    }

    /// Runs it until it succeeds.
    ///
    /// # Panics
    /// At the deadline, with what it said last.
    pub(crate) fn said_in_time(&self, words: &[&str]) {
        let began = Instant::now();
        loop {
            let output = self.maint(words);
            if output.status.success() {
                return;
            }
            let refusal = String::from_utf8_lossy(&output.stderr);
            assert!(began.elapsed() < deadline(), "{words:?} in vain: {refusal}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Runs it with `--json`.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        // Before `--`, behind which everything is a task's command.
        let at = words.iter().position(|word| *word == "--").unwrap_or(words.len());
        let output = self.maint(&[&words[..at], &["--json"], &words[at..]].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{words:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The row of one task.
    pub(crate) fn task(&self, name: &str) -> Value {
        let tasks = self.json(&["tasks"]);
        let rows = tasks["tasks"].as_array().expect("tasks are a list");
        let row = rows.iter().find(|row| row["name"] == name);
        row.cloned().unwrap_or_else(|| panic!("there is no task {name}"))
    }

    /// The drill that goes with a backup now and then is not due: it takes far longer than a test of backups waits.
    pub(crate) fn no_drill_is_due(&self) {
        let folder = self.home.lusush().join("data/recovery");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let now = lle_maintenance::real::now().wall_ns;
        let text = format!(r#"{{"version":1,"at_wall_ns":{now},"rows":[]}}"#);
        fs::write(folder.join("drill.json"), text).expect("it can be written");
    }

    /// The runtime folder.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.home.lusush().join("run")
    }

    /// The state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.home.lusush().join("state")
    }

    /// The worker's folder.
    pub(crate) fn folder(&self) -> PathBuf {
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        lle_core::paths::maint_folder(&self.state(), &machine)
    }

    /// A connection to the worker, if one answers.
    pub(crate) fn client(&self) -> Option<Client> {
        Client::connect(&self.runtime().join("control"), PATIENCE).ok()
    }

    /// Asks the worker.
    pub(crate) fn ask(&self, request: &Request) -> Result<Value, CallError> {
        let mut client = Client::connect(&self.runtime().join("control"), PATIENCE)?;
        call(&mut client, request)
    }

    /// The process that holds the worker's lock, if one does.
    pub(crate) fn worker(&self) -> Option<Pid> {
        let lock = fs::File::open(self.folder().join("worker.lock")).ok()?;
        let held = rustix::process::fcntl_getlk(
            &lock,
            &rustix::process::Flock {
                start: 0,
                length: 0,
                pid: None,
                typ: rustix::process::FlockType::WriteLock,
                offset_type: rustix::process::FlockOffsetType::Set,
            },
        );
        held.ok()??.pid
    }

    /// Kills the worker as the kernel would; gives the process it was.
    pub(crate) fn kill_worker(&mut self) -> Option<Pid> {
        let pid = self.worker()?;
        kill_process(pid, Signal::KILL).ok()?;
        if let Some(mut child) = self.foreground.take() {
            let _reaped = child.wait();
        }
        wait("the lock to be free", || self.worker() != Some(pid));
        Some(pid)
    }

    /// Waits for a worker, which is not `before`, and has said who it is.
    pub(crate) fn wait_for_worker(&self, before: Option<Pid>) -> Pid {
        let lock = self.folder().join("worker.lock");
        let mut found = None;
        wait("a new worker", || {
            found = self.worker().filter(|pid| Some(*pid) != before);
            let named = fs::read_to_string(&lock).unwrap_or_default();
            let named = named.lines().next().and_then(|line| line.parse().ok());
            found.is_some() && found.map(|pid| pid.as_raw_nonzero().get()) == named
        });
        found.expect("it was waited for")
    }
}

impl Drop for Household {
    fn drop(&mut self) {
        // Sessions are gone by now: nobody starts another.
        if let Some(pid) = self.worker() {
            let _gone = kill_process(pid, Signal::KILL);
        }
        if let Some(child) = &mut self.foreground {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// Calls a method of the worker.
pub(crate) fn call(client: &mut Client, request: &Request) -> Result<Value, CallError> {
    let (method, parameters) = request.write();
    client.call(&method, parameters)
}

/// Waits until something is true.
///
/// # Panics
/// At the deadline.
pub(crate) fn wait(what: &str, mut is_true: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < deadline(), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The processes whose command line contains `marker`.
pub(crate) fn processes(marker: &str) -> Vec<(Pid, String)> {
    let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
    let of = |entry: fs::DirEntry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(marker).then_some((pid, line))
    };
    entries.filter_map(of).collect()
}
