//! The descriptor of a log, in a process where anyone may take any descriptor.
//!
//! A shell closes and replaces descriptors by number, as its user says: `exec 3>file`, or a loop that closes them
//! all. So the log keeps out of the numbers scripts use, and looks at its descriptor before each use.
//!
//! Invariants: what is read or written is the file that was opened; a descriptor that has become somebody else's is
//! neither used nor closed.

use std::cell::{Ref, RefCell};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The descriptors looked for first, the highest that is free and that `ulimit -n` allows.
///
/// Above 200, which scripts lock by flock(1)'s manual page, and the flight file's 219; below 255, which bash takes
/// for itself. The others are for low limits: 9 is the last that a script can name by one digit, and from 10
/// upward bash puts aside what a redirection hides.
const DESCRIPTORS_FIRST: [i32; 3] = [221, 61, 21];

/// Device and inode: what makes a file the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// A file open for reading, perhaps for appending too, and the name to open it by again.
pub(crate) struct Descriptor {
    path: PathBuf,
    appends: bool,
    identity: Identity,
    /// None once it was taken, until it could be opened again. In a cell, because readers may have to.
    file: RefCell<Option<File>>,
}

impl Descriptor {
    /// Opens the file at `path`, which must be there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::of(path, true)
    }

    /// Opens it for nothing but reading.
    pub(crate) fn open_to_read(path: &Path) -> io::Result<Self> {
        Self::of(path, false)
    }

    fn of(path: &Path, appends: bool) -> io::Result<Self> {
        let file = open(path, appends)?;
        Ok(Self {
            path: path.to_owned(),
            appends,
            identity: Identity::of(&file.metadata()?),
            file: RefCell::new(Some(file)),
        })
    }

    /// The file that was opened.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns the file, opened again if its descriptor was taken.
    ///
    /// # Errors
    /// It was taken, and the name is gone or another file's.
    pub(crate) fn file(&self) -> io::Result<Ref<'_, File>> {
        if !self.is_ours() {
            self.let_go();
            let file = open(&self.path, self.appends)?;
            if Identity::of(&file.metadata()?) != self.identity {
                return Err(io::Error::other(
                    "the descriptor was taken, and the name is another file's",
                ));
            }
            *self.file.borrow_mut() = Some(file);
        }
        Ref::filter_map(self.file.borrow(), Option::as_ref).map_err(|_| io::ErrorKind::NotFound.into())
    }

    /// Whether the name still leads to the file that was opened, as far as the system tells.
    pub(crate) fn is_named(&self) -> bool {
        match std::fs::metadata(&self.path) {
            Ok(found) => Identity::of(&found) == self.identity,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// Returns how long the file is, in bytes.
    pub(crate) fn length(&self) -> io::Result<u64> {
        match self.opened() {
            Some(found) => Ok(found.len()),
            None => Ok(self.file()?.metadata()?.len()),
        }
    }

    /// What the system says of the file that was opened, whatever has its name now; none if the descriptor was taken.
    pub(crate) fn opened(&self) -> Option<Metadata> {
        let file = self.file.borrow();
        let found = file.as_ref()?.metadata().ok()?;
        (Identity::of(&found) == self.identity).then_some(found)
    }

    /// Reads up to `into.len()` bytes at `offset`.
    pub(crate) fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file()?.read_at(into, offset)
    }

    fn is_ours(&self) -> bool {
        let file = self.file.borrow();
        file.as_ref()
            .and_then(|file| file.metadata().ok())
            .is_some_and(|found| Identity::of(&found) == self.identity)
    }

    /// Forgets a descriptor that is somebody else's now, or nobody's, without closing it.
    fn let_go(&self) {
        if let Some(file) = self.file.borrow_mut().take() {
            let _theirs = file.into_raw_fd();
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if !self.is_ours() {
            self.let_go();
        }
    }
}

fn open(path: &Path, appends: bool) -> io::Result<File> {
    let file = OpenOptions::new().read(true).append(appends).open(path)?;
    let high = DESCRIPTORS_FIRST
        .iter()
        .find_map(|&first| rustix::io::fcntl_dupfd_cloexec(&file, first).ok());
    Ok(high.map_or(file, File::from))
}
