//! Files of a snapshot, written beside the places they are to take, and proven.
//!
//! Invariants: a file is staged only if every piece of it is, by its SHA-256, the one that was backed up, and it is
//! durable. What is in its place is not touched.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustic_core::repofile::{BlobType, Node};
use rustic_core::{BlobId, IndexedFull, Repository};
use sha2::{Digest, Sha256};

use crate::disk;
use crate::failure::RepositoryError;

/// How the name of a staged file ends.
const SUFFIX: &str = ".lusush-restore";
/// Rights of a file whose snapshot says none.
const MODE: u32 = 0o600;

/// Why a file was not staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A piece is not what was backed up.
    #[error("the backup of {} is damaged", .0.display())]
    Damaged(PathBuf),
    /// The system refused.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The repository refused.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// The name under which a file is staged, beside its place.
pub(crate) fn staged(target: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(SUFFIX);
    target.with_file_name(name)
}

/// Whether a folder is no place for a new one: it has something in it, or is none.
pub(crate) fn is_occupied(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// Makes a folder that is not there yet or is empty, with all that `fill` writes into it, or not at all: what was written
/// lies beside it until then, and goes if that fails.
pub(crate) fn whole_folder<E>(
    folder: &Path,
    failed: impl Fn(&Path, io::Error) -> E,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let draft = staged(folder);
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(|error| failed(&draft, error))?;
    }
    let made = disk::create_folder(&draft)
        .map_err(|error| failed(&draft, error))
        .and_then(|()| fill(&draft))
        .and_then(|()| fs::rename(&draft, folder).map_err(|error| failed(folder, error)));
    if made.is_err() {
        // It has in plain text what is sealed where it came from.
        let _none = fs::remove_dir_all(&draft);
    }
    made?;
    disk::sync_folder(disk::folder_of(folder)).map_err(|error| failed(folder, error))
}

/// Writes a file of a snapshot, proven and durable.
pub(crate) fn stage<S: IndexedFull>(
    repository: &Repository<S>,
    node: &Node,
    name: &Path,
    path: &Path,
    mut told: impl FnMut(u64),
) -> Result<(), StageError> {
    let failed = |source| StageError::Io {
        path: path.to_owned(),
        source,
    };
    disk::create_folder(disk::folder_of(path)).map_err(failed)?;
    // Only one of an interrupted restore can be there.
    let _stray = fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
        .map_err(failed)?;
    for id in node.content.iter().flatten() {
        let blob = repository
            .get_blob_cached(&BlobId::from(**id), BlobType::Data)
            .map_err(RepositoryError::from)?;
        let digest: [u8; 32] = Sha256::digest(&blob).into();
        if crate::hex::encode(&digest) != id.to_hex().as_str() {
            return Err(StageError::Damaged(name.to_owned()));
        }
        file.write_all(&blob).map_err(failed)?;
        told(blob.len() as u64);
    }
    let mode = node.meta.mode.unwrap_or(MODE) & 0o777;
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(failed)?;
    if let Some(changed) = node.meta.mtime.and_then(|time| instant(time.as_nanosecond())) {
        // A file without its time is still the file.
        let _unset = file.set_modified(changed);
    }
    file.sync_all().map_err(failed)
}

fn instant(ns: i128) -> Option<SystemTime> {
    let after = Duration::from_nanos(u64::try_from(ns).ok()?);
    UNIX_EPOCH.checked_add(after)
}
