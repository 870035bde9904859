//! Files that appear whole: written under another name, made durable, and then given their own.
//!
//! Invariant: after a crash a file is what it was or what it was to become; its folder is made durable, too.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// How the name of a file ends that is not whole yet.
const SUFFIX: &str = ".new";

/// Makes a folder and those it is in, for this user alone.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes what a folder lists durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Opens a file for reading that anybody may have put there: neither a link nor a device is followed or waited for.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

/// Reads a file of at most `bytes_max`; none if there is none.
pub(crate) fn read_small(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(Some(bytes))
}

/// Makes a file that is not there yet, whole and durable.
///
/// # Errors
/// It is there already ([`ErrorKind::AlreadyExists`]), or was not made.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = write(path, bytes)?;
    let linked = fs::hard_link(&draft, path);
    // With two names it is none the worse.
    let _stray = fs::remove_file(&draft);
    linked?;
    sync_folder(folder_of(path))
}

/// Puts a file in the place of another: readers see the old one or the new one, also after power loss.
///
/// # Errors
/// The file is as it was, or may not be durable.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = write(path, bytes)?;
    if let Err(error) = fs::rename(&draft, path) {
        let _stray = fs::remove_file(&draft);
        return Err(error);
    }
    sync_folder(folder_of(path))
}

/// The folder that a path is in; of a bare name, the one in which this program runs.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}

/// Writes a draft beside a path and makes it durable; gives its name.
fn write(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let draft = draft_of(path);
    // Only whoever holds the lock writes: what is there is of a process that died.
    let _stray = fs::remove_file(&draft);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    match file.write_all(bytes).and_then(|()| file.sync_all()) {
        Ok(()) => Ok(draft),
        Err(error) => {
            let _stray = fs::remove_file(&draft);
            Err(error)
        }
    }
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(SUFFIX);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_in_a_folder_that_can_be_opened() {
        for (path, expect) in [("out", "."), ("a/out", "a"), ("/out", "/"), ("/", "/")] {
            assert_eq!(folder_of(Path::new(path)), Path::new(expect));
        }
        sync_folder(folder_of(Path::new("out"))).unwrap();
    }

    #[test]
    fn a_file_is_made_once_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(draft_of(&path), "a stray").unwrap();
        create(&path, b"1").unwrap();
        assert_eq!(create(&path, b"2").unwrap_err().kind(), ErrorKind::AlreadyExists);
        replace(&path, b"3").unwrap();
        assert_eq!(read_small(&path, 9).unwrap(), Some(b"3".to_vec()));
        assert_eq!(read_small(&path, 0).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read_small(&folder.path().join("b"), 9).unwrap(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
