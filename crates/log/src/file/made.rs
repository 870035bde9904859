//! Makes a log: whole under a temporary name, then linked to its own, so that nobody ever sees half of one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::OpenError;
use crate::descriptor::Descriptor;
use crate::header::FileHeader;

/// Bytes collected before a write while importing: a system call for some thousand commands.
const DRAFT_BUFFER_BYTES: usize = 64 * 1024;

/// Writes the file header into a log that is empty, and returns how long it is then.
pub(super) fn begin_anew(descriptor: &Descriptor, header: &FileHeader) -> io::Result<u64> {
    (&*descriptor.file()?).write_all(header)?;
    descriptor.length()
}

pub(super) fn create_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| OpenError::Folder {
            path: folder.to_owned(),
            source,
        })
}

/// Makes the log, or finds that another process was faster (`None`).
pub(super) fn create<T>(
    path: &Path,
    header: &FileHeader,
    session: u64,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<Option<T>> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{session:016x}.new"));
    let draft = Draft(path.with_file_name(name));
    let file = match draft.make() {
        // The name has the session's number in it: it tried before, and could not take the name away again.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            std::fs::remove_file(&draft.0)?;
            draft.make()?
        }
        other => other?,
    };
    // At once: on a full disk nobody reads a history file of megabytes first.
    (&file).write_all(header)?;
    let mut out = io::BufWriter::with_capacity(DRAFT_BUFFER_BYTES, &file);
    let filled = fill(&mut out)?;
    out.flush()?;
    drop(out);
    Ok(give_name(&draft.0, path)?.then_some(filled))
}

/// Gives a file a name that no other has; false if another has it by now. Its former name stays.
pub(crate) fn give_name(draft: &Path, path: &Path) -> io::Result<bool> {
    match std::fs::hard_link(draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        // A file system without links: the first to make the name copies into it. A reader may then see a
        // log that is still growing, which is what logs do.
        Err(_) => match OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(mut target) => {
                io::copy(&mut File::open(draft)?, &mut target)?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        },
    }
}

/// Makes the names durable that were given or taken away beside this one.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A temporary name, gone when dropped.
struct Draft(PathBuf);

impl Draft {
    fn make(&self) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.0)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What is left is a stray file that nobody reads.
        let _ = std::fs::remove_file(&self.0);
    }
}
