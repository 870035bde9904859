//! What of a damaged repository can no longer be restored.
//!
//! Invariant: a snapshot is called whole only if each of its files is in packs that are there, as long as the index says
//! and, where they were read, as they were written.

use std::collections::{HashMap, HashSet};

use rustic_core::repofile::{IndexFile, SnapshotFile};
use rustic_core::{IndexedFull, Repository};

use crate::failure::RepositoryError;
use crate::list::{self, Snapshot, nodes_of};
use crate::store::Store;

/// What one snapshot has lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Files of it that cannot be restored; none if what is in it cannot be read, and so nothing of it.
    pub files: Option<u64>,
}

/// Every snapshot that can be read as such and has lost something; `damaged` are packs that are known not to be what they
/// were, by name.
pub(crate) fn lost(store: &Store, damaged: &HashSet<String>) -> Result<Vec<Lost>, RepositoryError> {
    let sound = sound_packs(store, damaged)?;
    let repository = store.again()?.to_indexed()?;
    let mut lost = Vec::new();
    for file in list::readable(store)? {
        // A tree that cannot be read names no files.
        let files = lost_files(&repository, &file, &sound).ok();
        if files != Some(0) {
            lost.push(Lost {
                snapshot: Snapshot::of(&file),
                files,
            });
        }
    }
    lost.sort_by_key(|one| one.snapshot.time_ns);
    Ok(lost)
}

/// The names of packs that are what the index says.
fn sound_packs(store: &Store, damaged: &HashSet<String>) -> Result<HashSet<String>, RepositoryError> {
    let there: HashMap<String, u64> = store.shelf.packs()?;
    let mut sound = HashSet::new();
    for file in store.repository.stream_files::<IndexFile>()? {
        // What an index file that cannot be read names is in none.
        let Ok((_, file)) = file else { continue };
        for pack in file.packs {
            let name = pack.id.to_hex().as_str().to_owned();
            if there.get(&name) == Some(&u64::from(pack.pack_size())) && !damaged.contains(&name) {
                sound.insert(name);
            }
        }
    }
    Ok(sound)
}

fn lost_files<S: IndexedFull>(
    repository: &Repository<S>,
    file: &SnapshotFile,
    sound: &HashSet<String>,
) -> Result<u64, RepositoryError> {
    let nodes = nodes_of(repository, file)?;
    let is_lost = |blob| {
        let entry = repository.get_index_entry(blob);
        entry.map_or(true, |entry| !sound.contains(entry.pack.to_hex().as_str()))
    };
    let lost = nodes
        .iter()
        .filter(|(_, node)| node.content.iter().flatten().any(is_lost));
    Ok(lost.count() as u64)
}
