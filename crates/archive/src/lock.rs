//! One at a time: our own lock, and restic's.
//!
//! rustic takes no lock, so whoever writes to the repository holds a POSIX record lock on `data/backup/lock`. restic
//! leaves files in the repository's `locks` folder while it works; one that is fresh is waited out by the user and not
//! by us. restic does not see our lock: who runs it on a live home by hand, does that while no backup runs.
//!
//! Invariant: a lock dies with its process, however that ends.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::disk;

/// Between two looks at the lock.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// restic renews its lock every five minutes and takes one for dead after thirty.
const RESTIC_STALE: Duration = Duration::from_secs(30 * 60);

/// Held while something is done to the repository.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("another backup, restore or prune is at work")]
    Held,
    /// restic is at work.
    #[error("restic is at work on the repository: it left {lock} {minutes} min ago")]
    Restic {
        /// Its lock.
        lock: String,
        /// How old the lock is, in minutes.
        minutes: u64,
    },
    /// The system refused.
    #[error("cannot lock {}", path.display())]
    Io {
        /// What was to be locked.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock in the folder `backup`, which is made; waits no longer than `patience`.
    ///
    /// # Errors
    /// Somebody else holds it, or the system refuses.
    pub fn take(backup: &Path, patience: Duration) -> Result<Lock, LockError> {
        let path = backup.join("lock");
        let failed = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        disk::create_folder(backup).map_err(failed)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let began = Instant::now();
        loop {
            match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(Errno::AGAIN | Errno::ACCESS) if began.elapsed() < patience => {
                    std::thread::sleep(LOOK_EVERY);
                }
                Err(Errno::AGAIN | Errno::ACCESS) => return Err(LockError::Held),
                Err(errno) => return Err(failed(errno.into())),
            }
        }
    }
}

/// Looks whether restic works on the repository.
///
/// # Errors
/// It does.
pub(crate) fn look_for_restic(repository: &Path) -> Result<(), LockError> {
    let now = SystemTime::now();
    let files = fs::read_dir(repository.join("locks"))
        .into_iter()
        .flatten()
        .flatten();
    for file in files {
        let written = file.metadata().and_then(|found| found.modified());
        // One from the future is of a clock that is ahead: fresh.
        let age = written.map_or(RESTIC_STALE, |at| now.duration_since(at).unwrap_or_default());
        judge(file.path().display().to_string(), age.as_secs())?;
    }
    Ok(())
}

/// Whether a lock of restic's that was renewed so many seconds ago is of one that works.
///
/// # Errors
/// It is.
pub(crate) fn judge(lock: String, age_s: u64) -> Result<(), LockError> {
    match age_s < RESTIC_STALE.as_secs() {
        false => Ok(()),
        true => Err(LockError::Restic {
            lock,
            minutes: age_s / 60,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_lock_of_restic_counts_and_an_old_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        look_for_restic(folder.path()).unwrap();
        let locks = folder.path().join("locks");
        fs::create_dir(&locks).unwrap();
        let lock = File::create(locks.join("abc")).unwrap();
        assert!(matches!(
            look_for_restic(folder.path()),
            Err(LockError::Restic { minutes: 0, .. })
        ));
        let old = SystemTime::now() - RESTIC_STALE - Duration::from_secs(60);
        lock.set_modified(old).unwrap();
        look_for_restic(folder.path()).unwrap();
    }
}
