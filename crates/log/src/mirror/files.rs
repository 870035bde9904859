//! Files opened, named and copied.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes read at once.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

pub(super) fn open_mirror(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Copies `from..to` to the same place. A source that ends before is copied as far as it goes.
pub(crate) fn copy(source: &File, target: &File, from: u64, to: u64) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = from;
    while at < to {
        let wanted = PIECE_BYTES.min(usize::try_from(to - at).unwrap_or(PIECE_BYTES));
        match source.read_at(&mut piece[..wanted], at) {
            Ok(0) => break,
            Ok(read) => {
                target.write_all_at(&piece[..read], at)?;
                at += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
