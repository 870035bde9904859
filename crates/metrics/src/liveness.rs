//! Whether the writer of a flight file still runs.
//!
//! A session holds a POSIX record lock on its file for as long as it lives: the kernel drops it at
//! `kill -9`, forked children do not inherit it, and a process number used again does not hold it.

use std::os::unix::fs::FileExt;
use std::path::Path;

use super::identity::boot_id;
use super::layout::MAGIC;
use super::snapshot::{Snapshot, open};
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
    let Ok((file, _)) = open(path) else {
        return Liveness::Unknown;
    };
    let mut magic = [0; 8];
    let finished = file.read_exact_at(&mut magic, 0).is_ok() && u64::from_ne_bytes(magic) == MAGIC;
    match sys::locked_by_other(&file) {
        Ok(true) => Liveness::Alive,
        Ok(false) if finished => Liveness::Dead,
        _ => Liveness::Unknown,
    }
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
