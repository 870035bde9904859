//! What is different between two snapshots, or between one and the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lle_log::rewrite::back;
use rustic_core::repofile::Node;
use rustic_core::{IndexedFull, ReadSource, Repository};

use crate::failure::RepositoryError;
use crate::history;
use crate::list::{self, Snapshot};
use crate::restore::place;
use crate::source::Source;
use crate::stage;
use crate::standing::{self, Placed, Standing};
use crate::store::Store;

/// How a file differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the later one has it.
    Added,
    /// Only the earlier one has it.
    Removed,
    /// It is a log that has only grown.
    Grown,
    /// Its content is another.
    Changed,
    /// Its content is the same, and its rights are others.
    Rights,
}

/// One file that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name in the archive.
    pub path: PathBuf,
    /// How.
    pub change: Change,
    /// Its bytes before; none if it was not there.
    pub before: Option<u64>,
    /// Its bytes after; none if it is gone.
    pub after: Option<u64>,
    /// Its rights before and after, if those are others.
    pub rights: Option<(u32, u32)>,
    /// Records of a history that the one that is there lacks; none if it is no history that differs.
    pub lacks: Option<u64>,
}

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The repository refused.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

type Files = BTreeMap<PathBuf, Node>;

fn files(store: &Store, name: &str) -> Result<(Snapshot, Files), RepositoryError> {
    let file = list::find(store, name)?;
    let nodes = list::nodes(store, &file)?;
    let files = nodes.into_iter().filter(|(_, node)| node.is_file());
    Ok((Snapshot::of(&file), files.collect()))
}

/// The rights of a file in two snapshots, if they are others.
fn other_rights(was: &Node, is: &Node) -> Option<(u32, u32)> {
    let (was, is) = (was.meta.mode? & 0o777, is.meta.mode? & 0o777);
    (was != is).then_some((was, is))
}

/// Compares two snapshots, the earlier one first.
///
/// # Errors
/// One of them is not there or cannot be read.
pub fn between(store: &Store, a: &str, b: &str) -> Result<(Snapshot, Snapshot, Vec<Difference>), DiffError> {
    let (a, before) = files(store, a)?;
    let (b, mut after) = files(store, b)?;
    let mut out = Vec::new();
    for (path, was) in before {
        let is = after.remove(&path);
        let rights = is.as_ref().and_then(|is| other_rights(&was, is));
        let change = match &is {
            Some(is) if is.content == was.content && rights.is_none() => continue,
            Some(is) if is.content == was.content => Change::Rights,
            Some(_) => Change::Changed,
            None => Change::Removed,
        };
        out.push(Difference {
            path,
            change,
            before: Some(was.meta.size),
            after: is.map(|is| is.meta.size),
            rights,
            lacks: None,
        });
    }
    out.extend(after.into_iter().map(|(path, is)| Difference {
        path,
        change: Change::Added,
        before: None,
        after: Some(is.meta.size),
        rights: None,
        lacks: None,
    }));
    out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((a, b, out))
}

/// How many records a history lacks that the snapshot has: one that was lost and begun anew is another in every byte, and so
/// is one into which something was imported.
fn lacks<S: IndexedFull>(
    store: &Store,
    repository: &Repository<S>,
    node: &Node,
    name: &Path,
    target: &Path,
) -> Option<u64> {
    if !history::is_history(name) {
        return None;
    }
    let draft = stage::staged(&store.places.backup().join("history"));
    let staged = stage::stage(repository, node, name, &draft, |_| ());
    let lacks = staged.ok().and_then(|()| back::lacks(target, &draft).ok());
    let _none = fs::remove_file(&draft);
    lacks.map(|lacks| lacks.missing)
}

/// Compares a snapshot with what is on disk now, by content.
///
/// # Errors
/// It is not there or cannot be read.
pub fn since(store: &Store, name: &str) -> Result<(Snapshot, Vec<Difference>), DiffError> {
    let (snapshot, before) = files(store, name)?;
    let repository = store.again()?.to_indexed().map_err(RepositoryError::from)?;
    let mut out = Vec::new();
    let placed: Vec<_> = before
        .iter()
        .filter_map(|(name, node)| Some((name, node, store.places.target(name)?)))
        .collect();
    let files: Vec<_> = placed
        .iter()
        .map(|(name, node, path)| Placed { node, name, path })
        .collect();
    let standings = standing::standings(&repository, &files)?;
    for (file, standing) in files.iter().zip(standings) {
        let rights = place::other_rights(file.node, file.path).map(|(now, saved)| (saved, now));
        let change = match standing {
            Standing::Same if rights.is_none() => continue,
            Standing::Same => Change::Rights,
            Standing::Absent => Change::Removed,
            Standing::Grown => Change::Grown,
            Standing::Differs => Change::Changed,
        };
        out.push(Difference {
            path: file.name.to_owned(),
            change,
            before: Some(file.node.meta.size),
            after: fs::metadata(file.path).ok().map(|found| found.len()),
            rights,
            lacks: match change {
                Change::Changed => lacks(store, &repository, file.node, file.name, file.path),
                _ => None,
            },
        });
    }
    for entry in Source::look(&store.places).entries().flatten() {
        if entry.node.is_file() && !before.contains_key(&entry.path) {
            out.push(Difference {
                path: entry.path,
                change: Change::Added,
                before: None,
                after: Some(entry.node.meta.size),
                rights: None,
                lacks: None,
            });
        }
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((snapshot, out))
}
