//! What was written and outlives every process, but perhaps not a loss of power.

use std::path::PathBuf;

use super::super::draft;
use super::super::versions::{VersionLog, VersionsError};

/// Files that are to be made durable, whenever there is time: nobody waits for it.
#[derive(Clone, Debug, Default)]
#[must_use = "without a sync a loss of power may cost what was written"]
pub struct Unsynced {
    log: Option<VersionLog>,
    files: Vec<PathBuf>,
}

impl Unsynced {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.log.is_none() && self.files.is_empty()
    }

    /// A version was kept.
    pub(super) fn log(&mut self, log: &VersionLog) {
        self.log.get_or_insert_with(|| log.clone());
    }

    /// A file was replaced.
    pub(super) fn file(&mut self, path: PathBuf) {
        if !self.files.contains(&path) {
            self.files.push(path);
        }
    }

    /// Adds what another has.
    pub fn add(&mut self, other: Unsynced) {
        if let Some(log) = &other.log {
            self.log(log);
        }
        other.files.into_iter().for_each(|file| self.file(file));
    }

    /// Makes all of it durable, the versions first: everything else can be made of them.
    ///
    /// # Errors
    /// Some of it may not be. What is there by now is as it was acknowledged.
    pub fn sync(self) -> Result<(), VersionsError> {
        // One that cannot be synced keeps no other from it.
        let log = self.log.as_ref().map_or(Ok(()), VersionLog::sync);
        let files = self.files.iter().map(|file| Ok(draft::sync(file)?));
        files.fold(log, |first, synced| first.and(synced))
    }
}
