//! One home, several runtime folders: a login without `pam_systemd`, `su`, cron, a tmux with an old environment.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lle_pty::{Home, Terminal};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

mod support;

use support::household::wait;
use support::{load_lle, press};

/// A home as everybody has one, whose sessions have runtime folders of their own.
struct Shared {
    home: Home,
}

impl Shared {
    fn new() -> Self {
        Self {
            home: Home::new(&load_lle()).unwrap(),
        }
    }

    /// A folder for `XDG_RUNTIME_DIR`. Its name is short: a socket's path has to be.
    fn runtime(&self, name: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        folder
    }

    fn session(&self, runtime: &Path) -> Terminal {
        let spawn = self.home.spawn_with_worker("bash").size(60, 100);
        let spawn = spawn.env("LUSUSH_HOME", "").env("XDG_RUNTIME_DIR", runtime);
        let mut terminal = Terminal::spawn(&spawn).unwrap();
        terminal
            .settle()
            .unwrap_or_else(|error| panic!("no prompt: {error}"));
        terminal
    }

    /// What a verb of a shell with that runtime folder prints, and whether it succeeds.
    fn maint(&self, runtime: &Path, words: &[&str]) -> (String, bool) {
        let output = Command::new(support::lusush())
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", runtime)
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let all = [output.stdout, output.stderr].concat();
        (String::from_utf8(all).unwrap(), output.status.success())
    }

    fn status(&self, runtime: &Path) -> Value {
        serde_json::from_str(&self.maint(runtime, &["maint", "status", "--json"]).0).unwrap()
    }

    /// The worker that answers there, once one does.
    fn worker(&self, runtime: &Path) -> u64 {
        let mut pid = None;
        wait("a worker that answers", || {
            let status = self.status(runtime);
            pid = status["worker"]["pid"]
                .as_u64()
                .filter(|_| status["worker"]["worker"] == true);
            pid.is_some()
        });
        pid.unwrap()
    }

    /// Which versions of the configuration the sessions go by.
    fn versions(&self, runtime: &Path) -> Vec<Value> {
        let (said, _) = self.maint(runtime, &["maint", "config", "status", "--json"]);
        let document: Value = serde_json::from_str(&said).unwrap();
        let sessions = document["sessions"].as_array().unwrap();
        sessions
            .iter()
            .map(|session| session["version"].clone())
            .collect()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.home.path().join(".local/state/lusush/maint");
        for folder in fs::read_dir(state).into_iter().flatten().flatten() {
            let lock = fs::read_to_string(folder.path().join("worker.lock")).unwrap_or_default();
            let pid = lock.lines().next().and_then(|line| line.parse().ok());
            if let Some(pid) = pid.and_then(Pid::from_raw) {
                let _gone = kill_process(pid, Signal::KILL);
            }
        }
    }
}

#[test]
fn sessions_of_another_runtime_folder_have_the_same_worker() {
    let shared = Shared::new();
    let (one, two) = (shared.runtime("r1"), shared.runtime("r2"));
    let mut first = shared.session(&one);
    press(&mut first, "echo one\r", "one");
    let pid = shared.worker(&one);
    let mut second = shared.session(&two);
    press(&mut second, "echo two\r", "two");
    // Both ask the same, and it has seen both.
    assert_eq!(shared.worker(&two), pid);
    wait("both sessions to be seen", || {
        [&one, &two]
            .iter()
            .all(|runtime| shared.status(runtime)["sessions"].as_array().unwrap().len() == 2)
    });
    let (said, started) = shared.maint(&two, &["maint", "start"]);
    assert!(started, "{said}");
    // What is saved in one comes into force in both, whether a key is pressed or not.
    let (said, set) = shared.maint(&one, &["maint", "config", "set", "editor.theme", "night"]);
    assert!(set, "{said}");
    wait("the version in both", || {
        shared.versions(&two) == [Value::from(1), Value::from(1)]
    });
    press(&mut second, "lle status | grep -i theme\r", "night");
    second.type_bytes(b"exit\r").unwrap();
    second.wait_exit(lle_pty::deadline()).unwrap();
    wait("one to be gone", || {
        shared.status(&one)["sessions"].as_array().unwrap().len() == 1
    });
}

#[test]
fn a_runtime_folder_that_is_lost_is_followed_by_one_that_is_there() {
    let shared = Shared::new();
    let (one, two) = (shared.runtime("r1"), shared.runtime("r2"));
    let mut first = shared.session(&one);
    press(&mut first, "echo one\r", "one");
    let lost = shared.worker(&one);
    let mut second = shared.session(&two);
    press(&mut second, "echo two\r", "two");
    // As a logout does; and nobody can make it again.
    fs::remove_dir_all(&one).unwrap();
    fs::write(&one, "").unwrap();
    wait("another worker", || {
        press(&mut second, "true\r", "");
        let status = shared.status(&two);
        status["worker"]["worker"] == true && status["worker"]["pid"] != lost
    });
    wait("the session to be there", || {
        shared.status(&two)["sessions"].as_array().unwrap().len() == 1
    });
}

#[test]
fn a_worker_that_cannot_be_asked_is_named_at_once_and_alike_everywhere() {
    let shared = Shared::new();
    let (one, two) = (shared.runtime("r1"), shared.runtime("r2"));
    let mut first = shared.session(&one);
    press(&mut first, "echo one\r", "one");
    let pid = shared.worker(&one).to_string();
    // Others may look into it: it is used by nobody else.
    let lusush = one.join("lusush");
    let served = fs::read_dir(&lusush).unwrap().flatten().next().unwrap().path();
    fs::set_permissions(&served, fs::Permissions::from_mode(0o755)).unwrap();
    let mut second = shared.session(&two);
    press(&mut second, "echo two\r", "two");
    let began = std::time::Instant::now();
    let (start, started) = shared.maint(&two, &["maint", "start"]);
    assert!(!started && began.elapsed().as_secs() < 9, "{start}");
    let status = shared.maint(&two, &["maint", "status"]).0;
    let config = shared.maint(&two, &["maint", "config", "status"]).0;
    let doctor = shared.maint(&two, &["doctor"]).0;
    let health = shared.maint(&two, &["maint", "health"]).0;
    for said in [&start, &status, &config, &doctor, &health] {
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("process {pid}")), "{said}");
        assert!(words.contains(&served.display().to_string()), "{said}");
        assert!(!words.contains("next prompt of a session starts one"), "{said}");
        assert!(!words.contains("busy with a command"), "{said}");
    }
}
