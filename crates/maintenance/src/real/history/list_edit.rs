//! Edits a history file of bash's, to which shells append at any moment.
//!
//! ```text
//!  read ▸ edit ▸ draft ▸ is it still what was read? ▸ rename ▸ append what was written into the former file meanwhile
//!                        no ▸ begin again
//! ```
//!
//! Invariant: what a shell appends is in the new file, unless the shell had opened the former one before the rename and
//! writes into it later than it is looked at after. Bash opens, writes and closes at once.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::lists::{Stamp, stamp, whole};
use crate::real::draft;

/// How often it is begun again: a shell appends once a command at most.
const TRIES_MAX: usize = 16;
/// The mode of a file that was not there.
const NEW_MODE: u32 = 0o600;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    /// Nothing was to be changed.
    Unchanged,
    /// It is as it was wanted.
    Written,
    /// It is longer than that: nothing was changed.
    TooLong,
}

/// Puts what `edit` makes of a file in its place, with its mode; a link stays a link, and no file is an empty one. `edit` gives
/// none if nothing is to be changed, and is asked again if a shell was faster. What comes last is appended as `late` has it.
///
/// # Errors
/// The system's, or the file is written to without end: it is as it was, or it is edited and lacks what came last.
pub fn edit(
    path: &Path,
    bytes_max: u64,
    mut edit: impl FnMut(&[u8]) -> Option<Vec<u8>>,
    late: impl FnOnce(Vec<u8>) -> Vec<u8>,
) -> io::Result<Edited> {
    for _ in 0..TRIES_MAX {
        let Some(mut read) = Read::of(path, bytes_max)? else {
            return Ok(Edited::TooLong);
        };
        let Some(bytes) = edit(&read.bytes) else {
            return Ok(Edited::Unchanged);
        };
        let drafted = read.draft(&bytes)?;
        let placed = read.is_current() && read.put_in_place(&drafted)?;
        // In its place it has another name.
        let _stray = fs::remove_file(&drafted);
        if placed {
            read.append(late)?;
            return Ok(Edited::Written);
        }
    }
    Err(io::Error::other(format!(
        "{} is written to all the time",
        path.display()
    )))
}

/// A file as it was read.
struct Read {
    target: PathBuf,
    /// None if there was none.
    file: Option<File>,
    stamp: Option<Stamp>,
    bytes: Vec<u8>,
}

impl Read {
    /// None if it is no file, or a longer one.
    fn of(path: &Path, bytes_max: u64) -> io::Result<Option<Self>> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut options = OpenOptions::new();
        let file = match options.read(true).custom_flags(libc::O_NONBLOCK).open(&target) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Some(Self {
                    target,
                    file: None,
                    stamp: None,
                    bytes: Vec::new(),
                }));
            }
            Err(error) => return Err(error),
        };
        // First: what is written from here on makes it another.
        let stamp = Some(stamp(&file.metadata()?));
        Ok(whole(&file, bytes_max).map(|bytes| Self {
            target,
            file: Some(file),
            stamp,
            bytes,
        }))
    }

    fn draft(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        // What one that was killed has left is a whole history.
        draft::clear_strays_of(&self.target);
        let draft = draft::draft_of(&self.target);
        let mode = match &self.file {
            Some(file) => file.metadata()?.permissions().mode() & 0o777,
            None => NEW_MODE,
        };
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(NEW_MODE)
            .open(&draft)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.set_permissions(Permissions::from_mode(mode))?;
                file.sync_data()
            });
        match written {
            Ok(()) => Ok(draft),
            Err(error) => {
                let _stray = fs::remove_file(&draft);
                Err(error)
            }
        }
    }

    fn is_current(&self) -> bool {
        fs::metadata(&self.target).ok().map(|found| stamp(&found)) == self.stamp
    }

    /// False if somebody has made the file meanwhile.
    fn put_in_place(&self, draft: &Path) -> io::Result<bool> {
        if self.file.is_some() {
            return fs::rename(draft, &self.target).map(|()| true);
        }
        match fs::hard_link(draft, &self.target) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            // A file system without links.
            Err(_) => fs::rename(draft, &self.target).map(|()| true),
        }
    }

    /// Appends what was written into the former file since it was read.
    fn append(&mut self, late: impl FnOnce(Vec<u8>) -> Vec<u8>) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let (read, now) = (self.bytes.len() as u64, file.metadata()?.len());
        let mut bytes = vec![0; usize::try_from(now.saturating_sub(read)).unwrap_or(0)];
        if bytes.is_empty() {
            return Ok(());
        }
        file.read_exact_at(&mut bytes, read)?;
        let mut target = OpenOptions::new().append(true).open(&self.target)?;
        target.write_all(&late(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn without_secrets(text: &[u8]) -> Option<Vec<u8>> {
        let text = String::from_utf8(text.to_vec()).unwrap();
        let kept: String = text
            .split_inclusive('\n')
            .filter(|line| !line.contains("secret"))
            .collect();
        (kept != text).then(|| kept.into_bytes())
    }

    #[test]
    fn what_a_shell_appends_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("list"), folder.path().join("link"));
        fs::write(&path, "a\nsecret\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut times = 0;
        let edited = edit(
            &link,
            100,
            |text| {
                times += 1;
                if times < 4 {
                    append(&path, &format!("meanwhile {times}\n"));
                }
                without_secrets(text)
            },
            |late| late,
        );
        assert_eq!((edited.unwrap(), times), (Edited::Written, 4));
        let expected = "a\nmeanwhile 1\nmeanwhile 2\nmeanwhile 3\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no stray");
        let again = edit(&path, 100, without_secrets, |late| late);
        assert_eq!(again.unwrap(), Edited::Unchanged);
        let long = edit(&path, 10, without_secrets, |late| late);
        assert_eq!(long.unwrap(), Edited::TooLong);
        let endless = edit(
            &path,
            10_000,
            |_| {
                append(&path, "again\n");
                Some(Vec::new())
            },
            |late| late,
        );
        assert!(endless.is_err());
        assert!(fs::read_to_string(&path).unwrap().starts_with(expected));
    }

    #[test]
    fn what_a_shell_writes_into_the_former_file_is_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        fs::write(&path, "a\nsecret\n").unwrap();
        let mut read = Read::of(&path, 100).unwrap().unwrap();
        let draft = read.draft(b"a\n").unwrap();
        let mut shell = OpenOptions::new().append(true).open(&path).unwrap();
        assert!(read.is_current() && read.put_in_place(&draft).unwrap());
        shell.write_all(b"late\nsecret late\n").unwrap();
        read.append(|late| without_secrets(&late).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\nlate\n");
    }

    #[test]
    fn a_file_that_somebody_made_meanwhile_is_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let mut times = 0;
        let edited = edit(
            &path,
            100,
            |text| {
                times += 1;
                if times == 1 {
                    fs::write(&path, "theirs\n").unwrap();
                }
                Some([b"back\n", text].concat())
            },
            |late| late,
        );
        assert_eq!(edited.unwrap(), Edited::Written);
        assert_eq!(fs::read_to_string(&path).unwrap(), "back\ntheirs\n");
    }
}
