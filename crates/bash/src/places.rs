//! Where this session keeps things, from bash's own variables.
//!
//! Invariant: only folders that the effective user owns; see [`lle_core::paths`] for the rules.

use crate::symbols::Bash;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// The folders, each with the reason if there is none.
pub(crate) struct Places {
    state: Result<PathBuf, String>,
    run: Result<PathBuf, String>,
}

impl Places {
    /// Reads `LUSUSH_HOME`, the XDG variables and `HOME`.
    pub(crate) fn of(bash: &Bash) -> Self {
        let value = |name: &CStr| {
            bash.variable(name)
                .filter(|v| !v.is_empty())
                .map(|v| PathBuf::from(OsStr::from_bytes(v)))
        };
        let home = value(c"LUSUSH_HOME");
        let state = match (&home, value(c"XDG_STATE_HOME"), value(c"HOME")) {
            (Some(h), ..) => Ok(h.join("state")),
            (None, Some(x), _) => Ok(x.join("lusush")),
            (None, None, Some(h)) => Ok(h.join(".local/state/lusush")),
            _ => Err("neither XDG_STATE_HOME nor HOME is set".to_owned()),
        };
        let run = match (&home, value(c"XDG_RUNTIME_DIR")) {
            (Some(h), _) => Ok(h.join("run")),
            (None, Some(x)) => Ok(x.join("lusush")),
            _ => Ok(PathBuf::from(format!("/tmp/lusush-{}", 0))),
        };
        Self { state, run }
    }

    /// The folder of flight files.
    pub(crate) fn sessions(&self) -> Result<PathBuf, String> {
        let dir = self.run.clone()?.join("sessions");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(dir)
    }

    /// The history log: one per machine, since a home may be shared.
    pub(crate) fn history(&self) -> Result<PathBuf, String> {
        let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        self.state
            .clone()
            .map(|d| d.join("history").join(format!("{}.log", machine.trim())))
    }

    /// Where unfinished lines go.
    pub(crate) fn drafts(&self) -> Result<PathBuf, String> {
        self.state.clone().map(|d| d.join("drafts"))
    }

    /// The draft of one session.
    pub(crate) fn draft(&self, session: u64) -> Result<PathBuf, String> {
        self.drafts().map(|d| d.join(format!("{session:016x}.draft")))
    }
}
