//! Sizes on disk, for their forecasts; what cannot be told is left out.
//!
//! Invariant: nothing is waited for. What is counted file by file is counted once an hour and is bounded; links are not
//! followed, since what is at their end may be a server that does not answer.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Places;
use crate::engine::predict::watched::{
    BACKUP_BYTES, CACHE_FREE_BYTES, DATA_FREE_BYTES, DISK_FREE_BYTES, HISTORY_BYTES, STATE_BYTES,
};
use crate::world::Now;

/// Files of the worker's folder whose sizes are added up: there are some twenty.
const FILES_MAX: usize = 256;
/// Files of a backup whose sizes are added up: of a repository of some hundred gigabytes.
const ENTRIES_MAX: usize = 20_000;
/// Folders within each other; a repository has three.
const DEPTH_MAX: usize = 8;
/// How often those of a backup are, in nanoseconds: its journal is written once an hour.
const COUNTED_NS: u64 = 3_600 * 1_000_000_000;

/// What was counted last.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    backup: Option<(u64, Option<u64>)>,
}

impl Sizes {
    /// Every size that can be told.
    pub(super) fn measure(&mut self, now: Now, places: &Places) -> Vec<(&'static str, f64)> {
        let mut sizes = sizes(places);
        let counted = match self.backup {
            Some((at, bytes)) if now.mono_ns.saturating_sub(at) < COUNTED_NS => bytes,
            _ => {
                let bytes = places.backed_up.parent().and_then(folder_bytes);
                self.backup = Some((now.mono_ns, bytes));
                bytes
            }
        };
        sizes.extend(counted.map(|bytes| (BACKUP_BYTES, bytes as f64)));
        sizes
    }
}

/// What costs a few calls.
fn sizes(places: &Places) -> Vec<(&'static str, f64)> {
    let mut sizes = Vec::new();
    if let Ok(known) = fs::metadata(&places.history) {
        sizes.push((HISTORY_BYTES, known.len() as f64));
    }
    if let Ok(entries) = fs::read_dir(&places.maint) {
        let of = |entry: fs::DirEntry| {
            entry
                .metadata()
                .ok()
                .filter(fs::Metadata::is_file)
                .map(|known| known.len())
        };
        let all: u64 = entries.flatten().take(FILES_MAX).filter_map(of).sum();
        sizes.push((STATE_BYTES, all as f64));
    }
    // A disk is one series, however many of the folders lie on it.
    let mut seen = Vec::new();
    let cache = places.metrics.as_deref().and_then(Path::parent);
    let data = places.anchor.ancestors().nth(2);
    for (name, folder) in [
        (DISK_FREE_BYTES, Some(places.maint.as_path())),
        (DATA_FREE_BYTES, data),
        (CACHE_FREE_BYTES, cache),
    ] {
        let Some((folder, known)) = folder.and_then(|folder| Some((folder, fs::metadata(folder).ok()?)))
        else {
            continue;
        };
        if seen.contains(&known.dev()) {
            continue;
        }
        if let Ok(disk) = rustix::fs::statvfs(folder) {
            seen.push(known.dev());
            sizes.push((name, disk.f_bavail as f64 * disk.f_frsize as f64));
        }
    }
    sizes
}

/// Bytes of all files below a folder; links are not followed, so no other disk is waited for. None if it is not there, or
/// if there are so many files that counting them would take long.
fn folder_bytes(folder: &Path) -> Option<u64> {
    let (mut bytes, mut entries) = (0u64, 0);
    let mut folders = vec![fs::read_dir(folder).ok()?];
    while let Some(folder) = folders.last_mut() {
        let Some(entry) = folder.next() else {
            folders.pop();
            continue;
        };
        entries += 1;
        if entries > ENTRIES_MAX || folders.len() > DEPTH_MAX {
            return None;
        }
        // What was removed meanwhile holds nothing.
        let Some((entry, known)) = entry
            .ok()
            .and_then(|entry| Some((entry.path(), entry.metadata().ok()?)))
        else {
            continue;
        };
        if known.is_dir() {
            folders.extend(fs::read_dir(entry).ok());
        } else if known.is_file() {
            bytes = bytes.saturating_add(known.len());
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_are_counted_once_an_hour_and_one_disk_is_one_series() {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| folder.path().join(name);
        let places = Places::below(&below("s"), &below("d"), &below("c"), &below("r"), "m");
        fs::create_dir_all(&places.maint).unwrap();
        fs::create_dir_all(below("d/audit")).unwrap();
        fs::create_dir_all(below("c")).unwrap();
        let mut sizes = Sizes::default();
        let mut measure = |hours: u64| {
            let now = Now {
                wall_ns: 0,
                mono_ns: hours * COUNTED_NS,
            };
            sizes.measure(now, &places)
        };
        let of =
            |sizes: &[(&str, f64)], name: &str| sizes.iter().find(|size| size.0 == name).map(|size| size.1);
        let none = measure(0);
        assert_eq!(of(&none, BACKUP_BYTES), None, "there is no backup");
        assert!(of(&none, DISK_FREE_BYTES).is_some(), "{none:?}");
        assert_eq!(of(&none, DATA_FREE_BYTES).or(of(&none, CACHE_FREE_BYTES)), None);

        let packs = below("d/backup/archive/data/00");
        fs::create_dir_all(&packs).unwrap();
        fs::create_dir_all(below("d/backup/journal")).unwrap();
        fs::write(packs.join("pack"), [0; 1_000]).unwrap();
        fs::write(below("d/backup/journal/1.log"), [0; 24]).unwrap();
        // What a link leads to is somewhere else, however large.
        std::os::unix::fs::symlink("/usr", below("d/backup/elsewhere")).unwrap();
        assert_eq!(of(&measure(1), BACKUP_BYTES), Some(1_024.0));
        fs::write(packs.join("another"), [0; 1_000]).unwrap();
        let same = measure(1);
        assert_eq!(of(&same, BACKUP_BYTES), Some(1_024.0), "within the hour");
        assert_eq!(of(&measure(2), BACKUP_BYTES), Some(2_024.0));
    }
}
