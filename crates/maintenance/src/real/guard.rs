//! The lock that lets an engine write, and the watch of it.
//!
//! Invariant: a lock that was removed or renamed is missed at once, one that was moved with its folder within a second.

use std::cell::Cell;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};

/// The lock that lets an engine write: its name, and the file that is to have it.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// Where the lock is.
    pub(crate) path: PathBuf,
    /// Its device and inode.
    pub(crate) number: (u64, u64),
}

impl Guard {
    /// Whether the lock's file still has its name: without it another could take a lock of its own.
    pub(crate) fn is_in_place(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|named| (named.dev(), named.ino()) == self.number)
    }
}

/// A lock under watch, without which nothing is written.
pub(crate) struct Watched {
    pub(crate) guard: Guard,
    /// The lock's file, as a place only: a descriptor that was opened in full would drop the lock with its end.
    file: Option<OwnedFd>,
    /// The second in which the path was looked at last, and what the inode was like before that.
    seen: Cell<Option<(i64, Inode)>>,
}

/// When an inode was changed last, and how many names it has.
type Inode = (i64, i64, u64);

impl Watched {
    pub(crate) fn new(guard: Guard) -> Self {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(&guard.path, flags, Mode::empty()).ok();
        Self {
            guard,
            file,
            seen: Cell::new(None),
        }
    }

    /// Whether the lock's file still has its name, for whoever appends to a file of the state folder.
    ///
    /// A removed or renamed lock shows in its inode, at once and without its path being resolved. What does not is that a
    /// folder above it was moved: the path is looked at once in a second for that. Until then what is appended goes where
    /// the lock is, into the folder that is held open, and no other worker has its lock there.
    pub(crate) fn holds(&self) -> bool {
        let inode = || {
            let found = rustix::fs::fstat(self.file.as_ref()?).ok()?;
            Some((
                found.st_ctime,
                i64::try_from(found.st_ctime_nsec).ok()?,
                found.st_nlink as u64,
            ))
        };
        let second = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse).tv_sec;
        let Some(inode) = inode() else {
            return self.guard.is_in_place();
        };
        if self.seen.get() == Some((second, inode)) {
            return true;
        }
        let holds = self.guard.is_in_place();
        self.seen.set(holds.then_some((second, inode)));
        holds
    }
}
