//! Room that is held for a prune on a full disk.
//!
//! A pack that holds data of snapshots that stay and of some that go is written anew before it is removed: where there is no
//! room for that, nothing of it would come back. So a file of the size of the largest pack lies beside the repository,
//! `data/backup/reserve`, and is given up when a prune meets a full disk, and only then.
//!
//! Invariants: it is made only where it leaves twice its size free. It holds nothing: whoever removes it loses nothing.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::FallocateFlags;

use crate::shelf::Shelf;
use crate::store::Store;

/// The file's name, in the folder of the backup.
const NAME: &str = "reserve";
/// It is no larger, however large the packs are: one that is larger waits until there is room.
const BYTES_MAX: u64 = 32 * 1024 * 1024;
/// It is no smaller: an index is written anew, too.
const BYTES_MIN: u64 = 64 * 1024;
/// It is made where so many times its size is free.
const FREE_TIMES: u64 = 3;

/// Where it is; none of a repository elsewhere, whose folder is somebody else's.
fn path(store: &Store) -> Option<PathBuf> {
    match &store.shelf {
        Shelf::Folder(folder) if *folder == store.places.archive() => Some(store.places.backup().join(NAME)),
        Shelf::Folder(_) | Shelf::Server(_) => None,
    }
}

/// Makes it where there is none.
pub(crate) fn begin(store: &Store) {
    if path(store).is_some_and(|path| !path.exists()) {
        keep(store);
    }
}

/// Makes it, or makes it larger, where there is room. That it cannot be made is no failure: there is no promise of it.
pub(crate) fn keep(store: &Store) {
    let Some(path) = path(store) else { return };
    let largest = store
        .shelf
        .packs()
        .ok()
        .and_then(|packs| packs.into_values().max());
    let wanted = largest.unwrap_or(0).clamp(BYTES_MIN, BYTES_MAX);
    let has = fs::metadata(&path).map_or(0, |found| found.len());
    let is_roomy =
        free(store).is_some_and(|free| free >= (wanted - has.min(wanted)).saturating_mul(FREE_TIMES));
    if has >= wanted || !is_roomy {
        return;
    }
    if fill(&path, wanted).is_err() {
        let _none = fs::remove_file(&path);
    }
}

/// Has the file system set the room aside. Where it cannot, there is no reserve: zeros that it packs are none.
fn fill(path: &PathBuf, bytes: u64) -> io::Result<()> {
    let file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
    Ok(())
}

/// Gives it up; says whether there was any.
pub(crate) fn give_up(store: &Store) -> bool {
    path(store).is_some_and(|path| fs::remove_file(path).is_ok())
}

/// Bytes that may be written where the repository is; none if nobody says.
pub(crate) fn free(store: &Store) -> Option<u64> {
    let Shelf::Folder(folder) = &store.shelf else {
        return None;
    };
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sections::Places;

    #[test]
    fn it_is_of_the_size_of_the_largest_pack_and_given_up_once() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            config: folder.path().join("config"),
            state: folder.path().join("state"),
            data: folder.path().join("data"),
            home: None,
            repository: None,
            credentials: crate::remote::Credentials::default(),
        };
        let store = Store::open_or_make(&places, None, None).unwrap();
        let at = places.backup().join(NAME);
        keep(&store);
        assert_eq!(fs::metadata(&at).unwrap().len(), BYTES_MIN);
        let pack = places.archive().join("data/00").join("0".repeat(64));
        fs::create_dir_all(pack.parent().unwrap()).unwrap();
        fs::write(pack, vec![0; 300_000]).unwrap();
        keep(&store);
        assert_eq!(fs::metadata(&at).unwrap().len(), 300_000);
        assert!(give_up(&store) && !at.exists() && !give_up(&store));
    }
}
