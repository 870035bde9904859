//! Where this session keeps things, from bash's own variables.
//!
//! Invariant: only folders that the effective user owns, by the rules of [`lle_core::paths`]; made 0700 when first used.

use crate::symbols::Bash;
use lle_core::paths::{self, Found, Refusal, Values, history_index, history_log, maint_folder};
use std::cell::OnceCell;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The folders, each with the reason if there is none.
pub(crate) struct Places {
    values: Values,
    /// What `/etc/machine-id` says, once it was asked for.
    machine_id: OnceCell<String>,
    /// The runtime folder that the worker serves, where that is not this session's own.
    served: Option<PathBuf>,
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
            machine_id: OnceCell::new(),
            served: None,
        }
    }

    /// The folder of flight files, made if it is not there: the runtime folder can vanish under a live session.
    pub(crate) fn sessions(&self) -> Result<PathBuf, String> {
        let own = paths::runtime(&self.values, look).map_err(|e| e.to_string())?;
        let served = self
            .served
            .as_ref()
            .filter(|served| self.may_be_served(&own, served));
        let dir = served.unwrap_or(&own).join("sessions");
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir);
        made.map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(dir)
    }

    /// The worker serves this runtime folder: that is where the session is from now on, if it may be used. True if it may.
    pub(crate) fn go_by(&mut self, served: &Path) -> bool {
        let Ok(own) = paths::runtime(&self.values, look) else {
            return false;
        };
        let is_own = served == own;
        self.served = self.may_be_served(&own, served).then(|| served.to_owned());
        is_own || self.served.is_some()
    }

    fn may_be_served(&self, own: &Path, served: &Path) -> bool {
        paths::served::may_be_used(&self.values, own, served, look)
    }

    fn state(&self) -> Result<PathBuf, String> {
        paths::state(&self.values, look).map_err(|e| e.to_string())
    }

    /// Whether no variable says where the state would be: they were read when this session began, so none ever will.
    pub(crate) fn has_no_state(&self) -> bool {
        matches!(paths::state(&self.values, look), Err(Refusal::Unset { .. }))
    }

    /// The history log: one per machine, since a home may be shared.
    pub(crate) fn history(&self) -> Result<PathBuf, String> {
        self.state().map(|state| history_log(&state, self.machine_id()))
    }

    /// The index of that log, which may not be there.
    pub(crate) fn history_index(&self) -> Option<PathBuf> {
        let cache = paths::cache(&self.values, look).ok()?;
        Some(history_index(&cache, self.machine_id()))
    }

    /// The worker's folder, likewise; not made here.
    pub(crate) fn maint(&self) -> Result<PathBuf, String> {
        self.state().map(|state| maint_folder(&state, self.machine_id()))
    }

    fn machine_id(&self) -> &str {
        self.machine_id
            .get_or_init(|| std::fs::read_to_string("/etc/machine-id").unwrap_or_default())
    }

    /// The variables that lead another process to the same folders: as they were when this session chose, exported or
    /// not.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        let values = &self.values;
        [
            ("LUSUSH_HOME", &values.lusush_home),
            ("HOME", &values.home),
            ("XDG_CONFIG_HOME", &values.config_home),
            ("XDG_STATE_HOME", &values.state_home),
            ("XDG_DATA_HOME", &values.data_home),
            ("XDG_CACHE_HOME", &values.cache_home),
            ("XDG_RUNTIME_DIR", &values.runtime_dir),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?.as_os_str())))
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
