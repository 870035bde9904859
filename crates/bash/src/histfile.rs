//! Which file bash keeps its own history in, written down for the worker, which guards it.
//!
//! File: `history/<machine>.lists` beside the log, 0600, a path a line. A session adds its own with one write if it is
//! not there; beyond [`NAMES_MAX`] the list begins anew.
//!
//! Invariant: nobody waits for it, and nothing depends on it: without it `~/.bash_history` is guarded.

use std::fs::OpenOptions;
use std::io::{Error, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Names kept.
const NAMES_MAX: usize = 8;
/// Bytes of the list that are read; a longer one begins anew.
const BYTES_MAX: u64 = 64 * 1024;

/// Writes the file's name down beside the log.
///
/// # Errors
/// The system's; a path that is relative or of more than one line.
pub(crate) fn name(log: &Path, file: &Path) -> std::io::Result<()> {
    let path = file.as_os_str().as_bytes();
    if !file.is_absolute() || path.contains(&b'\n') {
        return Err(Error::other("no name for a list of lines"));
    }
    let list = log.with_extension("lists");
    let is_short = std::fs::metadata(&list).is_ok_and(|found| found.len() <= BYTES_MAX);
    let known = match is_short {
        true => std::fs::read(&list)?,
        false => Vec::new(),
    };
    let mut names = known.split(|byte| *byte == b'\n');
    if names.any(|known| known == path) {
        return Ok(());
    }
    let anew = !is_short || known.iter().filter(|byte| **byte == b'\n').count() >= NAMES_MAX;
    let mut out = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&list)?;
    if anew {
        out.set_len(0)?;
    }
    out.write_all(&[path, b"\n"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_there_once_and_the_list_stays_short() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let log = folder.path().join("m.log");
        let list = || std::fs::read_to_string(log.with_extension("lists")).expect("it is written");
        for _ in 0..2 {
            name(&log, Path::new("/home/me/.bash_history")).expect("it can be written");
        }
        assert_eq!(list(), "/home/me/.bash_history\n");
        assert!(name(&log, Path::new("relative")).is_err());
        assert!(name(&log, Path::new("/two\nlines")).is_err());
        for n in 0..20 {
            name(&log, Path::new(&format!("/tmp/{n}"))).expect("it can be written");
        }
        assert!(list().lines().count() <= NAMES_MAX && list().ends_with("/tmp/19\n"));
    }
}
