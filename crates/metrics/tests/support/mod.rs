//! What the tests share: an identity, and a second process to play the session.
//!
//! A process that opens and closes a flight file drops its own locks on it, so the writer and the
//! reader of a test are always two processes: the test binary runs itself again with a role to play.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use lle_metrics::Identity;

/// The variable that names the role, and the one that names its directory.
const ROLE: &str = "LLE_TEST_ROLE";
const DIR: &str = "LLE_TEST_DIR";

/// The session number every test uses, each in its own directory.
pub(crate) const SESSION: u64 = 0x5eed;

pub(crate) fn identity() -> Identity {
    Identity::of_this_process(SESSION, "/dev/pts/7", "5.2.15(1)-release", "0.1.0")
}

/// A role being played.
pub(crate) struct Actor {
    pub(crate) child: Child,
    lines: BufReader<ChildStdout>,
    stdin: Option<ChildStdin>,
}

impl Actor {
    /// Runs only the test `role` of this binary again, in `dir`.
    pub(crate) fn start(role: &str, dir: &Path) -> Actor {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([role, "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, stdin) = (BufReader::new(child.stdout.take().unwrap()), child.stdin.take());
        Actor { child, lines, stdin }
    }

    /// Waits until the actor has said `line`.
    pub(crate) fn wait_for(&mut self, line: &str) {
        let mut said = String::new();
        while self.lines.read_line(&mut said).unwrap() > 0 {
            // The test runner's own "test role ... " may stand before it.
            if said.trim_end().ends_with(line) {
                return;
            }
            said.clear();
        }
        panic!("the actor ended without saying {line:?}");
    }

    /// Lets the actor go on, and waits for its end.
    pub(crate) fn release(&mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

/// The directory to play `role` in; none in an ordinary test run, which passes over the role.
pub(crate) fn playing(role: &str) -> Option<std::path::PathBuf> {
    (std::env::var(ROLE).as_deref() == Ok(role)).then(|| std::env::var_os(DIR).unwrap().into())
}

/// Says a line to [`Actor::wait_for`].
pub(crate) fn say(line: &str) {
    println!("\n{line}");
    std::io::stdout().flush().unwrap();
}

/// Waits for [`Actor::release`].
pub(crate) fn wait_for_release() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}
