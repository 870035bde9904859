//! A start-up file as the guard sees it: what bash or readline is going to read, and what tells one state from another.
//!
//! Invariant: looking never waits, whatever lies there. A file that cannot be read is none: bash cannot read it either.

use std::path::{Path, PathBuf};

use lle_core::start::Version;
use lle_core::start::copy::{fnv, is_path};
use lle_maintenance::real::rc_versions::shown;
use lle_maintenance::real::start_file::{self, ReadError};

/// Longest start-up file that is copied, in bytes: hundreds of times the usual, and nothing a start waits for.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Readline's own.
pub(crate) const INPUTRC: &str = ".inputrc";
/// What is read in place of a file that is left out.
pub(crate) const NOTHING: &str = "/dev/null";

/// A start-up file as it is on disk now.
#[derive(Debug)]
pub(crate) struct File {
    /// Its name in the home folder; the whole path of one that the others read.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// What is in it, and when it was written, in nanoseconds since the epoch.
    Whole(Vec<u8>, i64),
    /// Too long for a copy: what tells this state from another.
    TooLong(Vec<u8>),
}

impl File {
    /// Reads a file; none if a shell would find nothing to read.
    ///
    /// # Errors
    /// What it is, if a shell would wait for it.
    pub(crate) fn read(name: &str, path: PathBuf) -> Result<Option<Self>, &'static str> {
        let content = match start_file::read(&path, FILE_BYTES_MAX) {
            Ok(Some(file)) => Content::Whole(file.bytes, file.written_ns),
            Err(ReadError::TooLong { stamp, .. }) => Content::TooLong(stamp.bytes()),
            Err(ReadError::Endless { what }) => return Err(what),
            Ok(None) | Err(ReadError::Folder | ReadError::Io(_)) => return Ok(None),
        };
        Ok(Some(Self {
            name: name.to_owned(),
            path,
            content,
        }))
    }

    /// What is in it, unless it is too long.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Whole(bytes, _) => Some(bytes),
            Content::TooLong(_) => None,
        }
    }

    /// When it was written, in nanoseconds since the epoch; 0 if that is not known.
    pub(crate) fn written_ns(&self) -> i64 {
        match &self.content {
            Content::Whole(_, written_ns) => *written_ns,
            Content::TooLong(_) => 0,
        }
    }

    /// Names its content.
    pub(crate) fn version(&self) -> Version {
        let (Content::Whole(content, _) | Content::TooLong(content)) = &self.content;
        fnv([self.name.as_bytes(), content])
    }

    /// True if another start-up file reads it, and neither bash nor readline by themselves.
    pub(crate) fn is_sourced(&self) -> bool {
        is_path(&self.name)
    }

    /// What people call it.
    pub(crate) fn shown(&self, home: &Path) -> String {
        shown(&self.path, home)
    }
}

/// Where a file of that name is.
pub(crate) fn path_of(name: &str, home: &Path) -> PathBuf {
    match name {
        INPUTRC => inputrc(home),
        // An absolute path stays what it is.
        name => home.join(name),
    }
}

/// Where readline looks.
fn inputrc(home: &Path) -> PathBuf {
    match std::env::var_os("INPUTRC") {
        Some(named) if !named.is_empty() => home.join(named),
        _ => home.join(INPUTRC),
    }
}

/// Names the content of `files`.
pub(crate) fn version(files: &[File]) -> Version {
    let versions: Vec<_> = files.iter().map(|file| file.version().to_le_bytes()).collect();
    fnv(versions.iter().map(|bytes| &bytes[..]))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn file(name: &str, content: &str) -> File {
        File {
            name: name.to_owned(),
            path: Path::new("/home/u").join(name),
            content: Content::Whole(content.into(), 0),
        }
    }

    #[test]
    fn any_edit_is_another_version() {
        let versions = [
            version(&[]),
            version(&[file(".bashrc", "")]),
            version(&[file(".bashrc", "x")]),
            version(&[file(".profile", "x")]),
            version(&[file(".profile", "x"), file(".bashrc", "")]),
            version(&[file(".profile", ""), file(".bashrc", "x")]),
        ];
        for (index, one) in versions.iter().enumerate() {
            assert!(!versions[..index].contains(one), "version {index} is another's");
        }
    }

    #[test]
    fn a_file_too_long_for_a_copy_has_versions_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".bashrc");
        let read = || File::read(".bashrc", path.clone()).unwrap().unwrap();
        std::fs::write(&path, vec![b'#'; 10 << 20]).unwrap();
        let before = read();
        assert_eq!((before.bytes(), before.version()), (None, read().version()));
        std::fs::write(&path, vec![b'#'; (10 << 20) + 1]).unwrap();
        assert_ne!(before.version(), read().version());
    }

    #[test]
    fn what_a_shell_would_wait_for_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(File::read(".bashrc", pipe).unwrap_err(), "a pipe");
        assert!(File::read(".bashrc", folder.path().to_owned()).unwrap().is_none());
        assert!(
            File::read(".bashrc", folder.path().join("none"))
                .unwrap()
                .is_none()
        );
    }
}
