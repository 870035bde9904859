//! Where this session keeps things, from bash's own variables.
//!
//! Invariant: only folders that the effective user owns, by the rules of [`lle_core::paths`]; made 0700 when first used.

use crate::symbols::Bash;
use lle_core::paths::{Found, Values, folders, history_log};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The folders, each with the reason if there is none.
pub(crate) struct Places {
    values: Values,
}

impl Places {
    /// Reads `LUSUSH_HOME`, the XDG variables and `HOME`.
    pub(crate) fn of(bash: &Bash) -> Self {
        // SAFETY: geteuid has no arguments and cannot fail.
        let euid = unsafe { libc::geteuid() };
        let value = |name: &str| {
            let name = CString::new(name).ok()?;
            bash.variable(&name)
                .filter(|v| !v.is_empty())
                .map(|v| OsString::from_vec(v.to_vec()))
        };
        Self {
            values: Values::read(euid, value),
        }
    }

    /// The folder of flight files, made if it is not there: the runtime folder can vanish under a live session.
    pub(crate) fn sessions(&self) -> Result<PathBuf, String> {
        let dir = folders(&self.values, look)
            .runtime
            .map_err(|e| e.to_string())?
            .join("sessions");
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir);
        made.map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(dir)
    }

    fn state(&self) -> Result<PathBuf, String> {
        folders(&self.values, look).state.map_err(|e| e.to_string())
    }

    /// The history log: one per machine, since a home may be shared.
    pub(crate) fn history(&self) -> Result<PathBuf, String> {
        let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        self.state().map(|state| history_log(&state, &machine))
    }

    /// Where unfinished lines go.
    pub(crate) fn drafts(&self) -> Result<PathBuf, String> {
        self.state().map(|state| state.join("drafts"))
    }

    /// The draft of one session.
    pub(crate) fn draft(&self, session: u64) -> Result<PathBuf, String> {
        self.drafts().map(|dir| dir.join(format!("{session:016x}.draft")))
    }
}

fn look(path: &Path) -> Option<Found> {
    let link = std::fs::symlink_metadata(path).ok()?;
    let symlink = link.is_symlink();
    let target = if symlink {
        std::fs::metadata(path).ok()?
    } else {
        link
    };
    Some(Found {
        owner: target.uid(),
        mode: target.mode() & 0o7777,
        symlink,
    })
}
