//! The lock that makes a worker the only one of its folder, and who holds it.
//!
//! `worker.lock` is held as a POSIX record lock while the worker lives, and dropped by the kernel however it ends. What
//! stands in it tells sessions how the last one ended: see [`Lock::tell_ready`].
//!
//! Invariant: whoever has a [`Lock`] is the only one, in this process too, while [`Lock::is_in_place`] says so.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::{WorkerError, crashes};
use crate::real::guard::Guard;

/// The locks that this process holds, by device and inode. A record lock keeps other processes out and not this one:
/// a second engine of the same program would be let in, and closing the file that it opened would drop the first
/// one's lock.
static HELD: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// The lock that makes a worker the only one.
pub struct Lock {
    /// Never read again: open, it holds the lock.
    file: Option<fs::File>,
    /// Its name, and its entry in [`HELD`].
    guard: Guard,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// Another holds it, or the file cannot be made or locked.
    pub fn take(folder: &Path) -> Result<Self, WorkerError> {
        let path = folder.join("worker.lock");
        let fail = |source| WorkerError::Lock {
            path: path.clone(),
            source,
        };
        crate::real::disk::create_folder(folder).map_err(fail)?;
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if fs::symlink_metadata(&path).is_ok_and(|found| held.contains(&number_of(&found))) {
            let pid = std::process::id();
            return Err(WorkerError::Running { pid });
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(fail)?;
        match rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
                let pid = fs::read_to_string(&path)
                    .ok()
                    .and_then(|text| text.lines().next()?.parse().ok());
                return Err(WorkerError::Running {
                    pid: pid.unwrap_or(0),
                });
            }
            Err(error) => return Err(fail(error.into())),
        }
        crashes::note(folder, &file);
        // Never empty in between, which would say that a worker ended by itself. Without room it stays as it was.
        let number = format!("{}\n", std::process::id());
        let _untold = io::Write::write_all(&mut &file, number.as_bytes())
            .and_then(|()| file.set_len(number.len() as u64));
        let number = number_of(&file.metadata().map_err(fail)?);
        held.insert(number);
        Ok(Self {
            file: Some(file),
            guard: Guard { path, number },
        })
    }

    /// Writes down that the worker works. What a worker leaves in the file tells sessions how it ended, and so how
    /// soon another is worth starting: nothing, by itself; its number, killed while it started; `ready` too, killed later.
    pub(super) fn tell_ready(&self) {
        let Some(mut file) = self.file.as_ref() else {
            return;
        };
        let _untold = io::Write::write_all(&mut file, b"ready\n");
    }

    /// The file as it was when the lock was taken.
    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Whether the lock's file still has its name: without it another worker could take a lock of its own.
    pub(super) fn is_in_place(&self) -> bool {
        self.file.is_some() && self.guard.is_in_place()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        // A worker that ends by itself leaves nothing in the file: see `tell_ready`.
        if self.is_in_place()
            && let Some(file) = &self.file
        {
            let _untold = file.set_len(0);
        }
        // Closed while no other thread may take the lock: it would be dropped with ours.
        self.file = None;
        held.remove(&self.guard.number);
    }
}

/// The process that holds the lock of a folder, if another than this one does. Not for a process that may hold it: its
/// own lock would be dropped.
///
/// # Errors
/// The lock's file is there and cannot be looked at.
pub fn holder(folder: &Path) -> io::Result<Option<u32>> {
    let file = match fs::File::open(folder.join("worker.lock")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let whole = rustix::process::Flock {
        start: 0,
        length: 0,
        pid: None,
        typ: rustix::process::FlockType::WriteLock,
        offset_type: rustix::process::FlockOffsetType::Set,
    };
    let held = rustix::process::fcntl_getlk(&file, &whole)?;
    // A process that is not visible here holds it as number 0.
    let pid = |held: rustix::process::Flock| {
        held.pid
            .map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
    };
    Ok(held.map(pid))
}

fn number_of(found: &fs::Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}
