//! The session's history log: opened at its first prompt or, where that fails, at a later one.
//!
//! Invariant: until then what is typed waits in memory, as what a full disk refuses does ([`super::appends`]). Both are tried
//! again at prompts, never at a key, and that takes at most a hundredth of the time.

use super::appends::WAITS;
use super::{Session, with_causes};
use crate::clock;
use crate::file_size::as_error;
use crate::import_progress::Progress;
use lle_log::history::{History, Unopened};
use std::path::{Path, PathBuf};

/// Said where no place for the log can come to be.
const ALONE: &str = "history is kept by bash alone";
/// From one attempt at a prompt to the next, at the least: a dozen system calls …
const RETRY_NS: u64 = 1_000_000_000;
/// … and so many times what the last one took: an import may come far before it fills the disk.
const RETRY_SHARE: u64 = 100;

/// A log that could not be opened yet.
pub(super) struct Missing {
    pub(super) unopened: Unopened,
    /// What is imported by whoever makes the log: the name as it was at the first prompt.
    bash_file: Option<PathBuf>,
}

impl Session {
    /// Opens the history log; its creation imports what bash has kept so far.
    pub(crate) fn open_history(&mut self, bash_file: Option<&Path>) {
        let mut missing = Missing {
            unopened: Unopened::new(self.id),
            bash_file: bash_file.map(Path::to_owned),
        };
        let Err(problem) = self.try_to_open(&mut missing) else {
            return;
        };
        if self.places.has_no_state() {
            self.memory_only(ALONE, &problem);
        } else {
            self.memory_only(WAITS, &problem);
            self.missing = Some(missing);
        }
        self.log_problem = Some(problem);
    }

    /// A prompt comes: what waits is tried again, unless that was just now. True if the log could be opened by that.
    pub(crate) fn retry_log(&mut self) -> bool {
        let now = clock::now();
        if now < self.retry_log_at {
            return false;
        }
        if let Some(missing) = self.missing.take() {
            return self.open_late(missing);
        }
        if self.history.as_ref().is_some_and(History::waits) {
            self.write_waiting();
            self.retry_log_at = now.saturating_add(RETRY_NS);
        }
        false
    }

    /// The shell ends: there is no later moment for what waits.
    pub(super) fn write_what_waits(&mut self) {
        let waits = self
            .missing
            .take_if(|missing| missing.unopened.commands_waiting() > 0);
        if let Some(missing) = waits {
            self.open_late(missing);
        }
        self.write_waiting();
    }

    fn write_waiting(&mut self) {
        if let Some(history) = self.history.as_mut() {
            if let Err(e) = as_error(|| history.write_waiting()) {
                self.log_problem = Some(with_causes(&e));
            }
            self.tell_late();
        }
    }

    fn open_late(&mut self, mut missing: Missing) -> bool {
        if let Err(problem) = self.try_to_open(&mut missing) {
            self.log_problem = Some(problem);
            self.missing = Some(missing);
            return false;
        }
        self.opened_late = true;
        self.write_waiting();
        true
    }

    fn try_to_open(&mut self, missing: &mut Missing) -> Result<(), String> {
        let began = clock::now();
        let path = self.places.history();
        let opened = path.and_then(|path| {
            let mut progress = Progress::new();
            let file = missing.bash_file.as_deref();
            let told = &mut |done, of| progress.tell(done, of);
            let opened = as_error(|| missing.unopened.open(&path, clock::wall(), file, told));
            progress.end();
            opened.map_err(|e| with_causes(&e))
        });
        let now = clock::now();
        let pause = RETRY_NS.max(now.saturating_sub(began).saturating_mul(RETRY_SHARE));
        self.retry_log_at = now.saturating_add(pause);
        let opened = opened?;
        if opened.created && opened.imported > 0 {
            self.notice(format!(
                "lusush: {} commands imported into your history log",
                opened.imported
            ));
        }
        if opened.is_of_dos {
            self.notice(
                "lusush: your history file has DOS line ends: the log has the commands without".into(),
            );
        }
        if opened.too_long > 0 {
            self.notice(format!(
                "lusush: {} of your history file left out: longer than 1 MiB",
                opened.too_long
            ));
        }
        if let Some(e) = opened.import_error {
            self.notice(format!("lusush: your history file was read only in part: {e}"));
        }
        self.history = Some(opened.history);
        self.search.set_index(self.places.history_index());
        Ok(())
    }

    /// How many commands wait for the log, open or not; none if none are to wait.
    pub(super) fn commands_waiting(&self) -> Option<u64> {
        match (&self.history, &self.missing) {
            (Some(history), _) => Some(History::commands_waiting(history)),
            (None, Some(missing)) => Some(missing.unopened.commands_waiting()),
            (None, None) => None,
        }
    }
}
