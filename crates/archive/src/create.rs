//! A snapshot is taken.
//!
//! Invariants: a snapshot that is told of is in the repository, durable, and says which files it lacks. It stands on no
//! pack that is gone: the index is held to what is there before it is believed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lle_core::repository::Address;
use rustic_core::repofile::{IndexFile, IndexPack, SnapshotFile};
use rustic_core::{BackupOptions, RepairIndexOptions, SnapshotOptions};

use crate::failure::RepositoryError;
use crate::list::{self, Snapshot};
use crate::reserve;
use crate::sections::Section;
use crate::shelf::Shelf;
use crate::source::{LeftOut, Source};
use crate::store::Store;

/// The label of our snapshots: another program's in the same repository have none, or theirs.
pub(crate) const LABEL: &str = "lusush";
/// The tag of a snapshot that lacks files which could not be read.
pub(crate) const INCOMPLETE: &str = "incomplete";

/// A snapshot that was taken.
#[derive(Clone, Debug)]
pub struct Created {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Bytes that were added to the repository.
    pub added_bytes: u64,
    /// Files that are new or changed since the last one.
    pub changed_files: u64,
    /// Files that could not be read.
    pub left_out: Vec<LeftOut>,
    /// Packs of the repository that were gone: what of them is still here was saved anew.
    pub gone_packs: u64,
    /// How long it took.
    pub took: Duration,
}

/// Why no snapshot was taken.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is nothing to back up.
    #[error("there is nothing to back up")]
    Nothing,
    /// Another machine's repository is in the place of the one that was made.
    #[error("another machine made the backup at {0} at the same moment, by a key of its own")]
    Beaten(Address),
    /// Packs are cut, or gone from a server: a snapshot would stand on them.
    #[error("{gone} files with data are gone or cut in {address}")]
    GonePacks {
        /// The repository.
        address: Address,
        /// How many.
        gone: u64,
    },
    /// The library refused.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// Takes a snapshot.
///
/// # Errors
/// None was taken.
pub fn create(store: &Store, why: &str) -> Result<Created, CreateError> {
    let began = Instant::now();
    let source = Source::look(&store.places);
    if source.is_empty() {
        return Err(CreateError::Nothing);
    }
    let gone_packs = forget_gone_packs(store)?;
    // Opened anew each time: the library does not learn from its own backup, and the next one would store all again.
    let (repository, failures) = store.again_noting()?;
    let repository = repository.to_indexed_ids().map_err(RepositoryError::from)?;
    let snapshot = SnapshotOptions::default()
        .label(LABEL.to_owned())
        .description(why.to_owned())
        .to_snapshot()
        .map_err(RepositoryError::from)?;
    let names: Vec<PathBuf> = Section::ALL
        .iter()
        .map(|section| PathBuf::from(format!("/{}", section.name())))
        .collect();
    let options = BackupOptions::default();
    let mut file = repository
        .archive(&options, &source, snapshot, &names)
        .map_err(|error| failures.behind(error.into()))?;
    let left_out = source.missing();
    if left_out.iter().any(|file| file.unread) {
        file = mark_incomplete(store, file)?;
    }
    // A server without conditions lets whoever was slow write over what was there.
    if store.is_new && store.again().is_err_and(|error| error.is_seal()) {
        return Err(CreateError::Beaten(store.address().clone()));
    }
    reserve::begin(store);
    let summary = file.summary.clone().unwrap_or_default();
    Ok(Created {
        snapshot: Snapshot::of(&file),
        added_bytes: summary.data_added_packed,
        changed_files: summary.files_new + summary.files_changed,
        left_out,
        gone_packs,
        took: began.elapsed(),
    })
}

/// Has the index forget packs that are not there, so that what they held is stored again; gives how many there were. By
/// the list of what is there alone: no pack is read.
fn forget_gone_packs(store: &Store) -> Result<u64, CreateError> {
    let (gone, cut) = gone_packs(store)?;
    let fails = |gone| {
        Err(CreateError::GonePacks {
            address: store.address().clone(),
            gone,
        })
    };
    match store.shelf {
        _ if gone + cut == 0 => Ok(0),
        // What is in one that was cut nobody can say, and the library reads it.
        Shelf::Folder(_) if cut > 0 => fails(gone + cut),
        Shelf::Folder(_) => {
            let mended = store
                .repository
                .repair_index(&RepairIndexOptions::default(), false);
            mended.map_err(RepositoryError::from)?;
            Ok(gone)
        }
        // Another machine may have pruned meanwhile. If not, the index is not written anew under those who use it: what
        // they have just added would be taken out of it.
        Shelf::Server(_) => match gone_packs(store)? {
            (0, 0) => Ok(0),
            (gone, cut) => fails(gone + cut),
        },
    }
}

/// How many packs that the index names are not there, and how many have another length.
fn gone_packs(store: &Store) -> Result<(u64, u64), RepositoryError> {
    // First the index: a pack is there before it is named.
    let mut named: Vec<IndexPack> = Vec::new();
    for file in store.repository.stream_files::<IndexFile>()? {
        named.extend(file?.1.packs);
    }
    let there = store.shelf.packs()?;
    let (mut gone, mut cut) = (0, 0);
    for pack in &named {
        match there.get(pack.id.to_hex().as_str()) {
            None => gone += 1,
            Some(bytes) => cut += u64::from(*bytes != u64::from(pack.pack_size())),
        }
    }
    Ok((gone, cut))
}

/// Saves the snapshot once more, with the tag; the one without goes last.
fn mark_incomplete(store: &Store, mut file: SnapshotFile) -> Result<SnapshotFile, RepositoryError> {
    let former = file.id;
    file.tags.add(INCOMPLETE.to_owned());
    store.repository.save_snapshots(vec![file.clone()])?;
    store.repository.delete_snapshots(&[former])?;
    let mut all = list::readable(store)?;
    all.retain(|one| one.time == file.time && one.tags.contains(INCOMPLETE));
    Ok(all.pop().unwrap_or(file))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustic_core::ConfigOptions;

    use super::*;
    use crate::house::{House, random};

    #[test]
    fn of_several_packs_that_were_not_written_the_first_is_told() {
        let house = House::empty();
        let (at, places) = (|name: &str| house.at(name), &house.places);
        fs::create_dir_all(at("state/history")).unwrap();
        let log: Vec<u8> = std::iter::repeat_with(random()).take(16 << 20).collect();
        fs::write(at("state/history/m.log"), log).unwrap();
        let mut store = Store::open_or_make(places, None, None).unwrap();
        let mut small = ConfigOptions::default();
        small.set_datapack_size = Some("64KiB".parse().unwrap());
        small.set_datapack_growfactor = Some(0);
        store.repository.apply_config(&small).unwrap();
        // Where packs are to be, there is a file.
        let packs = places.archive().join("data");
        fs::remove_dir_all(&packs).unwrap();
        fs::write(&packs, "").unwrap();
        let error = create(&store, "test").unwrap_err().to_string();
        assert!(error.contains("Not a directory"), "{error}");
    }
}
