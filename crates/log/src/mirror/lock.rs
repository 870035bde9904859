//! The lock of a log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Held by whoever rewrites a log, and by whoever compares it with its mirror. Who takes it removes the drafts of those who
/// were killed with it.
#[derive(Debug)]
pub struct Lock {
    log: PathBuf,
    /// Never read: open, it holds the lock.
    _file: File,
}

impl Lock {
    /// Waits for the lock of a log; nobody holds it for longer than rewriting takes.
    ///
    /// # Errors
    /// The system's.
    pub fn take(log: &Path) -> io::Result<Self> {
        let file = lock_file(log)?;
        file.lock()?;
        Ok(Self::of(log, file))
    }

    fn of(log: &Path, file: File) -> Self {
        crate::leftovers::clear_drafts(log);
        Self {
            log: log.to_owned(),
            _file: file,
        }
    }

    /// Finishes what somebody left who was killed while they wrote the log anew.
    ///
    /// # Errors
    /// The system's; it stays to be done, by whoever holds the lock next.
    pub fn settle(&self) -> io::Result<()> {
        crate::leftovers::adopt(&self.log)
    }

    /// The log that it is of.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Takes the lock if nobody holds it.
    ///
    /// # Errors
    /// The system's.
    pub fn try_take(log: &Path) -> io::Result<Option<Self>> {
        let file = match lock_file(log) {
            Ok(file) => file,
            // Without its folder there is no log either.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self::of(log, file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

fn lock_file(log: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(log.with_extension("lock"))
}
