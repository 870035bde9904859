//! What is different between two snapshots, or between one and the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rustic_core::ReadSource;
use rustic_core::repofile::Node;

use crate::failure::RepositoryError;
use crate::list::{self, Snapshot};
use crate::source::Source;
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
        let change = match &is {
            Some(is) if is.content == was.content => continue,
            Some(_) => Change::Changed,
            None => Change::Removed,
        };
        out.push(Difference {
            path,
            change,
            before: Some(was.meta.size),
            after: is.map(|is| is.meta.size),
        });
    }
    out.extend(after.into_iter().map(|(path, is)| Difference {
        path,
        change: Change::Added,
        before: None,
        after: Some(is.meta.size),
    }));
    out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((a, b, out))
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
        let change = match standing {
            Standing::Same => continue,
            Standing::Absent => Change::Removed,
            Standing::Grown => Change::Grown,
            Standing::Differs => Change::Changed,
        };
        out.push(Difference {
            path: file.name.to_owned(),
            change,
            before: Some(file.node.meta.size),
            after: fs::metadata(file.path).ok().map(|found| found.len()),
        });
    }
    for entry in Source::look(&store.places).entries().flatten() {
        if entry.node.is_file() && !before.contains_key(&entry.path) {
            out.push(Difference {
                path: entry.path,
                change: Change::Added,
                before: None,
                after: Some(entry.node.meta.size),
            });
        }
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((snapshot, out))
}
