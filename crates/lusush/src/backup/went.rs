//! Where the last snapshot went: noted beside the backup, so that a place that has changed by itself is told.
//!
//! Invariants: only this home's own snapshots count. A reader finds the former document or the new one, and after a loss of
//! power perhaps none: all that it is for is a notice, so nobody waits for the disk, and that nothing could be noted takes
//! no snapshot back.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use lle_archive::{Places, Store};
use lle_core::recovery::backed_up::BackedUp;

/// Bytes of the document, at most.
const BYTES_MAX: u64 = 16 * 1024;

/// Notes where a snapshot went, and gives the document. The store holds the lock.
pub(super) fn note(places: &Places, store: &Store, at_wall_ns: i64) -> BackedUp {
    let path = lle_archive::note_path(places);
    let noted = BackedUp::then(read(&path), &store.address().to_string(), at_wall_ns);
    if let Err(error) = write(&path, &noted) {
        eprintln!("lusush: where the snapshot went could not be noted: {error}");
    }
    noted
}

fn read(path: &Path) -> Option<BackedUp> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let read: Option<BackedUp> = serde_json::from_slice(&bytes).ok();
    read.and_then(BackedUp::understood)
}

fn write(path: &Path, noted: &BackedUp) -> io::Result<()> {
    let document = serde_json::to_vec(noted).map_err(io::Error::other)?;
    let draft = path.with_extension("json.new");
    fs::write(&draft, document)?;
    fs::rename(&draft, path)
}
