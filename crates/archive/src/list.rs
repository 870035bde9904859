//! What snapshots there are, and what is in one.

use std::path::PathBuf;

use rustic_core::repofile::{Node, SnapshotFile, SnapshotId};
use rustic_core::{Id, LsOptions};

use crate::create::INCOMPLETE;
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
            incomplete: file.tags.contains(INCOMPLETE),
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

/// Finds a snapshot by the beginning of its name, or the last one by `latest`, or the one so many before it by
/// `latest~2`.
///
/// # Errors
/// There is none, or more than one.
pub(crate) fn find(store: &Store, name: &str) -> Result<SnapshotFile, RepositoryError> {
    if let Some(back) = back(name) {
        // One that cannot be read may be newer: who asks is told of it beside what comes of this.
        let mut files = readable(store)?;
        files.sort();
        if let Some(at) = files.len().checked_sub(back.saturating_add(1)) {
            return Ok(files.swap_remove(at));
        }
    }
    Ok(store.repository.get_snapshot_from_str(name, |_| true)?)
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
