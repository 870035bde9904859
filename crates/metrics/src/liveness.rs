//! Whether the writer of a flight file still runs.
//!
//! A session holds a POSIX record lock on its file for as long as it lives: the kernel drops it at
//! `kill -9`, forked children do not inherit it, and a process number used again does not hold it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::identity::boot_id;
use super::layout::MAGIC;
use super::snapshot::load::open;
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
    match open(path) {
        Ok((file, length)) => {
            let (liveness, holder) = writer(&file);
            let read = snapshot.read_file_again(&file, length);
            Seen {
                liveness,
                holder,
                read,
            }
        }
        Err(error) => {
            *snapshot = Snapshot::default();
            Seen {
                liveness: Liveness::Unknown,
                holder: None,
                read: Err(error),
            }
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
