//! A home folder that exists for one test.
//!
//! Invariant: a shell started from it sees no file and no environment of the user who runs the tests, except
//! `PATH`.

use std::io;
use std::path::{Path, PathBuf};

use crate::terminal::Spawn;

/// What every test's shell gets: a prompt that is easy to wait for, and nothing that depends on the machine.
const RC: &str = "PS1='$ '\nPS2='> '\nunset MAILCHECK\n";

/// A temporary home with a `~/.bashrc`, a history file and a place for Lusush's own files.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// Makes a home whose `~/.bashrc` sets plain prompts and then runs `rc`.
    ///
    /// # Errors
    /// The system's.
    pub fn new(rc: &str) -> io::Result<Self> {
        let home = Self {
            folder: tempfile::Builder::new().prefix("lusush-test-").tempdir()?,
        };
        std::fs::create_dir(home.lusush())?;
        std::fs::write(home.rc(), format!("{RC}{rc}\n"))?;
        std::fs::write(home.path().join(".inputrc"), "set bell-style none\n")?;
        Ok(home)
    }

    /// Returns the home folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the folder given as `LUSUSH_HOME`.
    #[must_use]
    pub fn lusush(&self) -> PathBuf {
        self.path().join("lusush")
    }

    /// Returns `~/.bashrc`.
    #[must_use]
    pub fn rc(&self) -> PathBuf {
        self.path().join(".bashrc")
    }

    /// Returns the history file of bash.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.path().join(".bash_history")
    }

    /// Makes the start of `program` in this home: a cleared environment, UTF-8, an xterm of 24 by 80, and no worker:
    /// hundreds of tests would start hundreds.
    pub fn spawn(&self, program: impl Into<PathBuf>) -> Spawn {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        Spawn::new(program)
            .cwd(self.path())
            .env("PATH", path)
            .env("HOME", self.path())
            .env("LUSUSH_HOME", self.lusush())
            .env("HISTFILE", self.history())
            .env("LANG", "C.UTF-8")
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("INPUTRC", self.path().join(".inputrc"))
            .env("LUSUSH_WORKER", "off")
    }

    /// Makes the same start, of a session that starts the worker where there is none.
    pub fn spawn_with_worker(&self, program: impl Into<PathBuf>) -> Spawn {
        self.spawn(program).env("LUSUSH_WORKER", "on")
    }
}
