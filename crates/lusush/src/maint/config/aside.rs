//! What stands where a version is to be written, and is no version: it is kept beside, never written over.
//!
//! Invariant: nothing that somebody wrote is lost, whatever it is. What is kept has a name of its own, and is told.

use std::path::{Path, PathBuf};

use lle_maintenance::real::config::{FileText, ReadError, ReplaceError, read, replace};
use lle_maintenance::real::now;

use super::{edit, layers};
use crate::failure::Failure;

/// Names that are tried: each second has its own.
const NAMES_MAX: i64 = 16;

/// Reads the file that is to be written over; what cannot be read is moved aside first, and there is none then.
pub(super) fn make_way(path: &Path) -> Result<Option<FileText>, Failure> {
    match read(path, layers::user_trust()) {
        Ok(found) => Ok(found),
        // The system refuses: it would refuse to move it as well, or it is no fault of the file.
        Err(ReadError::Io(_)) => layers::user_text(path),
        Err(error) => {
            let failed = |why: std::io::Error| {
                Failure::new(format!("cannot move {} aside", path.display()))
                    .because(why)
                    .hint("`lusush doctor` says more about folders")
            };
            let to = names(path, "aside").find(|name| name.symlink_metadata().is_err());
            let to = to.ok_or_else(|| failed(std::io::ErrorKind::AlreadyExists.into()))?;
            std::fs::rename(path, &to).map_err(failed)?;
            eprintln!("lusush: {error}: what was there is {} now", to.display());
            Ok(None)
        }
    }
}

/// Keeps a text that could not come into force, before it is written over.
pub(super) fn keep_refused(path: &Path, text: &FileText) -> Result<(), Failure> {
    for to in names(path, "refused") {
        match replace(&to, None, &text.text) {
            Ok(()) => {
                eprintln!(
                    "lusush: what it said has mistakes and is no version; it is kept as {}",
                    to.display()
                );
                return Ok(());
            }
            Err(ReplaceError::Changed) => {}
            Err(error) => return Err(edit::not_written(&to, error)),
        }
    }
    Err(edit::not_written(path, ReplaceError::Changed))
}

/// Names beside a file, by the time.
fn names(path: &Path, what: &str) -> impl Iterator<Item = PathBuf> {
    let seconds = now().wall_ns / 1_000_000_000;
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    (0..NAMES_MAX).map(move |more| path.with_file_name(format!("{name}.{what}-{}", seconds + more)))
}
