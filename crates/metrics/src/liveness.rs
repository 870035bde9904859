//! Whether the writer of a flight file still runs.
//!
//! A session holds a POSIX record lock on its file for as long as it lives: the kernel drops it at
//! `kill -9`, forked children do not inherit it, and a process number used again does not hold it.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::identity::boot_id;
use super::layout::MAGIC;
use super::snapshot::load::{length, open};
use super::snapshot::{ReadError, Snapshot};
use super::sys;

/// The state of a flight's writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It holds its lock.
    Alive,
    /// It has ended, or the machine has been started anew since.
    Dead,
    /// The file or its lock cannot be looked at, or is still being made.
    Unknown,
}

/// Asks whether the writer of the flight at `path` lives.
///
/// Never call it in the process that writes that flight: it would find no lock but its own, and drop
/// that one.
pub fn liveness(path: &Path) -> Liveness {
    open(path).map_or(Liveness::Unknown, |(file, _)| writer(&file).0)
}

/// What one look at a flight file shows.
#[derive(Debug)]
pub struct Seen {
    /// Whether its writer lives.
    pub liveness: Liveness,
    /// The process that holds the lock, by the kernel's word and its number here; none if nobody does or it is not
    /// visible here.
    pub holder: Option<u32>,
    /// Whether the snapshot is now a copy of it.
    pub read: Result<(), ReadError>,
}

/// Asks whether the writer of the flight at `path` lives, and then reads the flight over `snapshot`; allocates nothing
/// if that was used before.
///
/// In this order: a session seen alive may have ended when it is read, but a dead one is never read too early. Not for
/// the process that writes that flight, as [`liveness`].
pub fn look(path: &Path, snapshot: &mut Snapshot) -> Seen {
    match OpenFlight::open(path) {
        Ok(flight) => flight.look(snapshot),
        Err(error) => Seen::unreadable(error, snapshot),
    }
}

impl Seen {
    /// What there is to see of a flight that could not be opened.
    pub fn unreadable(error: ReadError, snapshot: &mut Snapshot) -> Seen {
        *snapshot = Snapshot::default();
        Seen {
            liveness: Liveness::Unknown,
            holder: None,
            read: Err(error),
        }
    }
}

/// A flight file that stays open from look to look: most of what a look costs is to find the file.
///
/// It stays the same file whatever becomes of its name: whoever keeps it compares [`OpenFlight::number`] with what the name
/// leads to now. Not for the process that writes that flight, as [`liveness`].
#[derive(Debug)]
pub struct OpenFlight {
    file: File,
    bytes: usize,
    number: (u64, u64),
}

impl OpenFlight {
    /// Opens the flight file at `path`.
    ///
    /// # Errors
    /// It cannot be opened, or is no regular file.
    pub fn open(path: &Path) -> Result<OpenFlight, ReadError> {
        let (file, metadata) = open(path)?;
        Ok(OpenFlight {
            bytes: length(&metadata),
            number: (metadata.dev(), metadata.ino()),
            file,
        })
    }

    /// The file's device and inode. As long as the file is open no other gets the same.
    pub fn number(&self) -> (u64, u64) {
        self.number
    }

    /// What [`look`] does, of this file. One that was shorter when it was opened is read that far: whoever gets an error
    /// opens it again.
    pub fn look(&self, snapshot: &mut Snapshot) -> Seen {
        let (liveness, holder) = writer(&self.file);
        Seen {
            liveness,
            holder,
            read: snapshot.read_file_again(&self.file, self.bytes),
        }
    }
}

fn writer(file: &File) -> (Liveness, Option<u32>) {
    match sys::lock_holder(file) {
        Ok(Some(pid)) => (Liveness::Alive, u32::try_from(pid).ok().filter(|pid| *pid > 0)),
        Ok(None) if is_finished(file) => (Liveness::Dead, None),
        _ => (Liveness::Unknown, None),
    }
}

/// The lock is taken before the magic number is written.
fn is_finished(file: &File) -> bool {
    let mut magic = [0; 8];
    file.read_exact_at(&mut magic, 0).is_ok() && u64::from_ne_bytes(magic) == MAGIC
}

/// Whether a snapshot was written before the machine was last started; none if that cannot be told.
///
/// Needed for files in a directory that outlives a boot and is shared between machines: a lock held on
/// another machine is not always visible here.
pub fn from_another_boot(snapshot: &Snapshot) -> Option<bool> {
    let own = boot_id()?;
    let written = snapshot.boot_id();
    (written != [0; 16]).then_some(written != own)
}
