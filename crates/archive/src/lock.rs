//! One at a time: our own lock.
//!
//! rustic takes no lock, so whoever writes to the repository holds a POSIX record lock on `data/backup/lock`. restic's own
//! locks are another matter (`restic.rs`), and restic does not see ours: who runs it on a live home by hand, does that while
//! no backup runs.
//!
//! Invariant: a lock dies with its process, however that ends.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::disk;

/// Between two looks at the lock.
const LOOK_EVERY: Duration = Duration::from_millis(20);

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
    #[error(
        "restic is at work on the repository, as process {pid} of {host}: it left {lock} {minutes} min ago"
    )]
    Restic {
        /// Its lock.
        lock: String,
        /// The machine it works on.
        host: String,
        /// Its process there.
        pid: i64,
        /// How old the lock is, in minutes.
        minutes: u64,
    },
    /// There is a lock that says nothing.
    #[error("restic may be at work on the repository: its lock {lock} cannot be read")]
    Unread {
        /// The lock.
        lock: String,
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
