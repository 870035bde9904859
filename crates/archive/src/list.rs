//! What snapshots there are, and what is in one.

use std::path::PathBuf;

use rustic_core::repofile::{Node, SnapshotFile, SnapshotId};
use rustic_core::{Id, LsOptions};

use crate::create::{INCOMPLETE, LABEL};
use crate::failure::RepositoryError;
use crate::sections::Section;
use crate::small::{self, SNAPSHOTS};
use crate::store::Store;

/// Digits of a snapshot's name that are shown: more than enough to tell a few hundred apart.
const SHORT: usize = 8;

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name: 64 hex digits.
    pub id: String,
    /// When it was taken, in nanoseconds since 1970.
    pub time_ns: i64,
    /// Why it was taken.
    pub why: String,
    /// Where it was taken.
    pub host: String,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether files that were there could not be read.
    pub incomplete: bool,
    /// Whether Lusush took it: restic may have saved other folders in the same repository.
    pub ours: bool,
}

impl Snapshot {
    pub(crate) fn of(file: &SnapshotFile) -> Snapshot {
        let summary = file.summary.clone().unwrap_or_default();
        let time_ns = file.time.timestamp().as_nanosecond();
        Snapshot {
            id: file.id.to_hex().to_string(),
            time_ns: i64::try_from(time_ns).unwrap_or_default(),
            why: file.description.clone().unwrap_or_default(),
            host: file.hostname.clone(),
            files: summary.total_files_processed,
            bytes: summary.total_bytes_processed,
            incomplete: is_incomplete(file),
            ours: is_ours(file),
        }
    }

    /// The beginning of its name.
    pub fn short(&self) -> &str {
        self.id.get(..SHORT).unwrap_or(&self.id)
    }
}

/// The snapshots that can be read, oldest first; [`Store::unread`] names the others.
///
/// # Errors
/// They cannot be listed, or their server went away.
pub fn snapshots(store: &Store) -> Result<Vec<Snapshot>, RepositoryError> {
    let mut files = readable(store)?;
    files.sort();
    Ok(files.iter().map(Snapshot::of).collect())
}

/// The same in no order, as they are in the repository.
pub(crate) fn readable(store: &Store) -> Result<Vec<SnapshotFile>, RepositoryError> {
    let listed = store.shelf.small_files(SNAPSHOTS)?;
    let read = small::each(store, &listed, |held, text| {
        let mut file: SnapshotFile = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let id: Id = held.name.parse().map_err(|_| "its name is none".to_owned())?;
        file.id = SnapshotId::from(id);
        Ok(file)
    })?;
    let mut files = Vec::new();
    for (held, read) in listed.iter().zip(read) {
        match read.said {
            Ok(file) => files.push(file),
            Err(why) => store.note_unread(&held.name, why),
        }
    }
    Ok(files)
}

pub(crate) fn is_ours(file: &SnapshotFile) -> bool {
    file.label == LABEL
}

pub(crate) fn is_incomplete(file: &SnapshotFile) -> bool {
    file.tags.contains(INCOMPLETE)
}

/// Finds a snapshot by the beginning of its name; or the last complete one that Lusush took by `latest`, or the one so
/// many before it by `latest~2`. Where none is complete, those are counted that there are.
///
/// # Errors
/// There is none, or more than one.
pub(crate) fn find(store: &Store, name: &str) -> Result<SnapshotFile, RepositoryError> {
    let Some(back) = back(name) else {
        return Ok(store.repository.get_snapshot_from_str(name, |_| true)?);
    };
    // One that cannot be read may be newer: who asks is told of it beside what comes of this.
    let mut ours: Vec<SnapshotFile> = readable(store)?.into_iter().filter(is_ours).collect();
    ours.sort();
    if ours.iter().any(|file| !is_incomplete(file)) {
        if let Some(newest) = ours.last().filter(|file| is_incomplete(file)) {
            store.note_passed_over(Snapshot::of(newest));
        }
        ours.retain(|file| !is_incomplete(file));
    }
    let counted = ours.len();
    let at = counted.checked_sub(back.saturating_add(1));
    at.map(|at| ours.swap_remove(at)).ok_or_else(|| {
        RepositoryError::absent(match counted {
            0 => "there is no snapshot of Lusush's".to_owned(),
            1 => "there is one snapshot to count from latest".to_owned(),
            n => format!(
                "there are {n} snapshots to count from latest, the last of them latest~{}",
                n - 1
            ),
        })
    })
}

/// How many snapshots before the last one is meant; none if it is named otherwise.
fn back(name: &str) -> Option<usize> {
    match name.strip_prefix("latest")? {
        "" => Some(0),
        rest => rest.strip_prefix('~')?.parse().ok(),
    }
}

/// One file or folder in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the archive.
    pub path: PathBuf,
    /// Whether it is a folder.
    pub folder: bool,
    /// Its bytes.
    pub bytes: u64,
    /// When it was changed, in nanoseconds since 1970; none if that was not kept.
    pub changed_ns: Option<i64>,
}

/// How much of a section is in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The section.
    pub section: Section,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What is in a snapshot.
///
/// # Errors
/// There is no such snapshot, or its trees cannot be read.
pub fn contents(store: &Store, name: &str) -> Result<(Snapshot, Vec<Entry>), RepositoryError> {
    let file = find(store, name)?;
    let entries = nodes(store, &file)?.into_iter().map(|(path, node)| Entry {
        folder: node.is_dir(),
        bytes: node.meta.size,
        changed_ns: node
            .meta
            .mtime
            .and_then(|time| i64::try_from(time.as_nanosecond()).ok()),
        path,
    });
    Ok((Snapshot::of(&file), entries.collect()))
}

/// How much of each section there is.
pub fn parts(entries: &[Entry]) -> Vec<Part> {
    let of = |section: Section| {
        let files = || {
            entries
                .iter()
                .filter(move |entry| !entry.folder && Section::of(&entry.path) == Some(section))
        };
        Part {
            section,
            files: files().count() as u64,
            bytes: files().map(|entry| entry.bytes).sum(),
        }
    };
    Section::ALL.iter().map(|section| of(*section)).collect()
}

/// The files and folders of a snapshot, by their names in the archive.
pub(crate) fn nodes(store: &Store, file: &SnapshotFile) -> Result<Vec<(PathBuf, Node)>, RepositoryError> {
    let repository = store.again()?.to_indexed()?;
    nodes_of(&repository, file)
}

/// The same from a repository whose index was read.
pub(crate) fn nodes_of<S: rustic_core::IndexedTree>(
    repository: &rustic_core::Repository<S>,
    file: &SnapshotFile,
) -> Result<Vec<(PathBuf, Node)>, RepositoryError> {
    let root = repository.node_from_snapshot_and_path(file, "")?;
    let mut nodes = Vec::new();
    for item in repository.ls(&root, &LsOptions::default().recursive(true))? {
        let (path, node) = item?;
        nodes.push((PathBuf::from("/").join(path), node));
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::Span;

    use super::*;
    use crate::create::create;
    use crate::house::House;

    #[test]
    fn latest_is_the_last_complete_one_of_ours() {
        let house = House::empty();
        let (at, places) = (|name: &str| house.at(name), &house.places);
        fs::create_dir_all(at("config")).unwrap();
        fs::write(at("config/config.toml"), "version = 1\n").unwrap();
        let store = Store::open_or_make(places, None, None).unwrap();
        assert!(find(&store, "latest").is_err_and(|error| error.is_absent()));
        create(&store, "complete").unwrap();
        let complete = find(&store, "latest").unwrap();
        assert!(find(&store, "latest~1").is_err_and(|error| error.is_absent()));
        let save = |minutes: i64, change: &dyn Fn(&mut SnapshotFile)| {
            let mut file = complete.clone();
            file.time = file.time.checked_add(Span::new().minutes(minutes)).unwrap();
            change(&mut file);
            store.repository.save_snapshots(vec![file]).unwrap();
            let mut all = readable(&store).unwrap();
            all.sort();
            all.pop().unwrap()
        };
        let lacking = save(1, &|file| {
            file.tags.add(INCOMPLETE.to_owned());
        });
        let theirs = save(2, &|file| file.label.clear());
        assert_eq!(store.passed_over(), None);
        assert_eq!(find(&store, "latest").unwrap().id, complete.id);
        assert_eq!(
            store.passed_over().map(|one| one.id),
            Some(lacking.id.to_hex().to_string())
        );
        assert!(find(&store, "latest~1").is_err_and(|error| error.is_absent()));
        for one in [&lacking, &theirs] {
            let name = one.id.to_hex();
            assert_eq!(find(&store, &name.as_str()[..12]).unwrap().id, one.id);
        }
        let of = |one: &SnapshotFile| Snapshot::of(one);
        assert!(of(&lacking).incomplete && of(&lacking).ours && !of(&theirs).ours);
        // Where none is complete, what there is counts.
        store.repository.delete_snapshots(&[complete.id]).unwrap();
        assert_eq!(find(&store, "latest").unwrap().id, lacking.id);
    }
}
