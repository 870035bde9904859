//! Replaces a small file of our own: a draft beside it, made durable, renamed over it. A reader finds the old bytes or the
//! new ones.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::paths::create_folder;

/// Replaces a file, or makes it, for this user alone; makes its folder, too.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    create_folder(folder)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = Path::new(&draft);
    let written = write(draft, bytes).and_then(|()| fs::rename(draft, path));
    if written.is_err() {
        let _stray = fs::remove_file(draft);
    }
    written?;
    sync_folder(folder)
}

fn write(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_no_draft_stays() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("below/file");
        for bytes in [&b"one"[..], b"two"] {
            replace(&path, bytes).expect("it can be replaced");
            assert_eq!(fs::read(&path).expect("it is there"), bytes);
        }
        let names = fs::read_dir(path.parent().expect("it has one")).expect("it is there");
        assert_eq!(names.count(), 1);
    }
}
