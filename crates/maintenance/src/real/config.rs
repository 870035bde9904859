//! Files of configuration: read in one go from one descriptor, and replaced whole or not at all.
//!
//! ```text
//! path ─ open, not blocking ▸ fstat ▸ read the same descriptor ▸ text and what tells this state from another
//! text ─ new file beside it ▸ fsync ▸ exchange ▸ was it still what had been read? ─ no ▸ exchange back, refuse
//! ```
//!
//! Invariants: nothing blocks, whatever lies at the path. A symbolic link stays one, as people who keep their dotfiles
//! elsewhere want. A reader finds the old text or the new one. What somebody else wrote in between is not lost.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use lle_core::config::FILE_BYTES_MAX;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::draft;

/// What a new file may be read and written by.
const NEW_MODE: u32 = 0o600;
/// Times that a file is put back which others replace at the same moment: each save costs one.
const EXCHANGES_MAX: usize = 16;
/// Names that are tried for the new file beside the old one.
const NAMES_MAX: u32 = 16;

/// Whose a file has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's: it is only looked at.
    Anyone,
    /// This user's or root's, and nobody else may write to it.
    User(u32),
    /// Root's, and nobody else may write to it.
    Root,
}

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileText {
    /// What is in it.
    pub text: String,
    /// Permission bits.
    pub mode: u32,
    /// Device and inode.
    file: (u64, u64),
    modified: (i64, i64),
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is longer than [`FILE_BYTES_MAX`].
    #[error("it is too large: a configuration has at most {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not text.
    #[error("byte {at} is no UTF-8")]
    Encoding {
        /// Where, from 0.
        at: usize,
    },
    /// It is a symbolic link that leads nowhere: what it led to is gone, or not there yet.
    #[error("it is a link to nothing")]
    Dangling,
    /// It is a folder, a pipe, a device.
    #[error("it is {what} and no file")]
    NotAFile {
        /// What it is.
        what: &'static str,
    },
    /// Somebody else could have written it.
    #[error("others could have written to it (owner {owner}, mode {mode:o})")]
    Untrusted {
        /// Whose it is.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why a file was not replaced. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// Somebody else changed it in between.
    #[error("it was changed by somebody else in the meantime")]
    Changed,
    /// It is a symbolic link that leads nowhere.
    #[error("it is a link to nothing")]
    Dangling,
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a file; none if there is none.
///
/// # Errors
/// If it is no file, too large, no text, or not to be trusted, or the system refuses. It never blocks.
pub fn read(path: &Path, trust: Trust) -> Result<Option<FileText>, ReadError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(opened) => File::from(opened),
        Err(Errno::NOENT) if fs::symlink_metadata(path).is_ok() => return Err(ReadError::Dangling),
        Err(Errno::NOENT) => return Ok(None),
        // A socket.
        Err(Errno::NXIO) => return Err(ReadError::NotAFile { what: "a socket" }),
        Err(errno) => return Err(io::Error::from(errno).into()),
    };
    read_open(&opened, trust).map(Some)
}

fn read_open(opened: &File, trust: Trust) -> Result<FileText, ReadError> {
    let found = opened.metadata()?;
    if !found.is_file() {
        let what = if found.is_dir() {
            "a folder"
        } else {
            "a pipe or a device"
        };
        return Err(ReadError::NotAFile { what });
    }
    let (owner, mode) = (found.uid(), found.mode() & 0o7777);
    let trusted = match trust {
        Trust::Anyone => true,
        Trust::User(uid) => (owner == uid || owner == 0) && mode & 0o002 == 0,
        Trust::Root => owner == 0 && mode & 0o022 == 0,
    };
    if !trusted {
        return Err(ReadError::Untrusted { owner, mode });
    }
    if found.len() > FILE_BYTES_MAX {
        return Err(ReadError::TooLarge);
    }
    let mut bytes = Vec::new();
    // It may have grown since.
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ReadError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|error| ReadError::Encoding {
        at: error.utf8_error().valid_up_to(),
    })?;
    Ok(FileText {
        text,
        mode,
        file: (found.dev(), found.ino()),
        modified: (found.mtime(), found.mtime_nsec()),
    })
}

/// Replaces the file that was read as `before`, or makes it if there was none, for this user alone.
///
/// # Errors
/// If the file is no longer as it was read, or the system refuses; it is left as it is then.
pub fn replace(path: &Path, before: Option<&FileText>, text: &str) -> Result<(), ReplaceError> {
    replace_text(path, before, text, Lasting::Durable).map(drop)
}

/// As [`replace`], and outlives every process; gives the file that has to be made durable.
///
/// Until then a loss of power may leave an empty file: what it said before and says now has to be kept elsewhere.
///
/// # Errors
/// As [`replace`].
pub(super) fn put(path: &Path, before: Option<&FileText>, text: &str) -> Result<PathBuf, ReplaceError> {
    replace_text(path, before, text, Lasting::Acknowledged)
}

/// What a replaced file outlives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasting {
    /// Every process.
    Acknowledged,
    /// A loss of power, too.
    Durable,
}

fn replace_text(
    path: &Path,
    before: Option<&FileText>,
    text: &str,
    lasting: Lasting,
) -> Result<PathBuf, ReplaceError> {
    let unchanged = |path: &Path| read(path, Trust::Anyone).is_ok_and(|found| found.as_ref() == before);
    let exists = before.map(|before| before.mode);
    replace_with(path, exists, &unchanged, text.as_bytes(), lasting)
}

/// Replaces a file that has this mode, if it is still `unchanged`; makes it if there was none.
pub(super) fn replace_bytes(
    path: &Path,
    exists: Option<u32>,
    unchanged: &dyn Fn(&Path) -> bool,
    bytes: &[u8],
) -> Result<(), ReplaceError> {
    replace_with(path, exists, unchanged, bytes, Lasting::Durable).map(drop)
}

fn replace_with(
    path: &Path,
    exists: Option<u32>,
    unchanged: &dyn Fn(&Path) -> bool,
    bytes: &[u8],
    lasting: Lasting,
) -> Result<PathBuf, ReplaceError> {
    let target = target(path, exists.is_some())?;
    let folder = target.parent().unwrap_or(Path::new("."));
    draft::create_folder(folder)?;
    draft::clear_strays_of(&target);
    let beside = Beside::write(&target, bytes, exists.unwrap_or(NEW_MODE), lasting)?;
    if exists.is_some() {
        exchange(&beside.path, &target, unchanged)?;
    } else {
        match rustix::fs::linkat(CWD, &beside.path, CWD, &target, AtFlags::empty()) {
            Err(Errno::EXIST) => return Err(ReplaceError::Changed),
            other => other.map_err(io::Error::from)?,
        }
    }
    drop(beside);
    if lasting == Lasting::Durable {
        // The name is durable once its folder is.
        File::open(folder)?.sync_all()?;
    }
    Ok(target)
}

/// Takes away the file that was read as `before`; a symbolic link, and what it leads to, stay.
///
/// # Errors
/// If it is a link, or no longer as it was read, or the system refuses; it is left as it is then.
pub fn remove(path: &Path, before: &FileText) -> Result<(), ReplaceError> {
    if fs::symlink_metadata(path)?.is_symlink() {
        return Err(ReplaceError::Changed);
    }
    let beside = Beside {
        path: draft::draft_of(path),
    };
    fs::rename(path, &beside.path)?;
    let is_same = read(&beside.path, Trust::Anyone).is_ok_and(|found| found.as_ref() == Some(before));
    if is_same {
        return Ok(());
    }
    // Somebody was faster: theirs goes back, unless they have put another one there.
    let back = rustix::fs::renameat_with(CWD, &beside.path, CWD, path, RenameFlags::NOREPLACE);
    match back {
        Ok(()) | Err(Errno::EXIST) => Err(ReplaceError::Changed),
        Err(errno) => Err(io::Error::from(errno).into()),
    }
}

/// Where the links lead.
fn target(path: &Path, exists: bool) -> Result<PathBuf, ReplaceError> {
    match fs::canonicalize(path) {
        Ok(target) => Ok(target),
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => Err(ReplaceError::Dangling),
            Err(_) if exists => Err(ReplaceError::Changed),
            Err(_) => Ok(path.to_owned()),
        },
        Err(error) => Err(error.into()),
    }
}

fn exchange(new: &Path, target: &Path, unchanged: &dyn Fn(&Path) -> bool) -> Result<(), ReplaceError> {
    if !unchanged(target) {
        return Err(ReplaceError::Changed);
    }
    let exchange = || rustix::fs::renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE);
    let ours = identity(new)?;
    match exchange() {
        Ok(()) if unchanged(new) => return Ok(()),
        Ok(()) => {}
        // Not every file system exchanges.
        Err(Errno::INVAL | Errno::NOSYS) => return Ok(fs::rename(new, target)?),
        Err(errno) => return Err(io::Error::from(errno).into()),
    }
    // Somebody was faster: theirs goes back where they put it. Whoever has saved meanwhile has replaced what we put there,
    // and finds theirs there, too: it is newer than what we took out.
    let mut put = ours;
    for _ in 0..EXCHANGES_MAX {
        let taken = identity(new)?;
        exchange().map_err(io::Error::from)?;
        if identity(new)? == put {
            break;
        }
        put = taken;
    }
    Err(ReplaceError::Changed)
}

/// Device and inode of what has a name.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// The file beside the one to replace, named as drafts are, so that a later start removes one that was left; gone when it is dropped, whatever is in it by then.
struct Beside {
    path: PathBuf,
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.path);
    }
}

impl Beside {
    fn write(target: &Path, bytes: &[u8], mode: u32, lasting: Lasting) -> io::Result<Beside> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 0..NAMES_MAX {
            let path = draft::draft_of(target);
            let mut opened = match rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR) {
                Err(Errno::EXIST) => continue,
                other => File::from(other?),
            };
            let beside = Beside { path };
            opened.write_all(bytes)?;
            opened.set_permissions(fs::Permissions::from_mode(mode))?;
            if lasting == Lasting::Durable {
                opened.sync_all()?;
            }
            return Ok(beside);
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn whatever_lies_there_is_read_or_refused_at_once() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        let check = |name: &str, expect: &str| {
            let said = match read(&at(name), Trust::Anyone) {
                Ok(None) => "none".to_owned(),
                Ok(Some(found)) => found.text,
                Err(error) => error.to_string(),
            };
            assert!(said.starts_with(expect), "{name}: {said}");
        };
        check("nothing", "none");
        fs::write(at("text"), "a = 1").unwrap();
        check("text", "a = 1");
        fs::write(at("bytes"), b"ab\xffc").unwrap();
        check("bytes", "byte 2 is no UTF-8");
        let large = File::create(at("large")).unwrap();
        large.set_len(FILE_BYTES_MAX + 1).unwrap();
        check("large", "it is too large");
        fs::create_dir(at("folder")).unwrap();
        check("folder", "it is a folder");
        let pipe = std::process::Command::new("mkfifo").arg(at("pipe")).status();
        assert!(pipe.unwrap().success());
        check("pipe", "it is a pipe");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        check("socket", "it is a socket");
        symlink(at("text"), at("link")).unwrap();
        check("link", "a = 1");
        symlink(at("gone"), at("dangling")).unwrap();
        check("dangling", "it is a link to nothing");
        symlink(at("loop"), at("loop")).unwrap();
        check("loop", "Too many levels");
        symlink("/dev/zero", at("zero")).unwrap();
        check("zero", "it is a pipe or a device");
    }

    #[test]
    fn a_file_that_others_could_write_is_refused_where_that_matters() {
        let folder = folder();
        let path = folder.path().join("c");
        let own = rustix::process::geteuid().as_raw();
        let check = |mode: u32, trust: Trust, expect: bool| {
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, trust).is_ok(), expect, "{mode:o} {trust:?}");
        };
        check(0o600, Trust::User(own), true);
        check(0o664, Trust::User(own), true);
        check(0o666, Trust::User(own), false);
        check(0o666, Trust::Anyone, true);
        check(0o644, Trust::Root, own == 0);
        check(0o664, Trust::Root, false);
        if own != 0 {
            check(0o600, Trust::User(own + 1), false);
        }
    }

    #[test]
    fn replacing_keeps_mode_and_link_and_leaves_nothing_behind() {
        let folder = folder();
        let (real, link) = (folder.path().join("dotfiles"), folder.path().join("config.toml"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("dotfiles", &link).unwrap();
        let before = read(&link, Trust::Anyone).unwrap();
        replace(&link, before.as_ref(), "new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_somebody_else_wrote_is_not_lost() {
        let folder = folder();
        let path = folder.path().join("below/config.toml");
        replace(&path, None, "first").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, NEW_MODE);
        assert!(matches!(
            replace(&path, None, "second"),
            Err(ReplaceError::Changed)
        ));
        let before = read(&path, Trust::Anyone).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(matches!(
            replace(&path, before.as_ref(), "ours"),
            Err(ReplaceError::Changed)
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        fs::remove_file(&path).unwrap();
        assert!(matches!(
            replace(&path, before.as_ref(), "ours"),
            Err(ReplaceError::Changed)
        ));
        symlink("nothing", &path).unwrap();
        assert!(matches!(
            replace(&path, None, "ours"),
            Err(ReplaceError::Dangling)
        ));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn only_what_was_read_is_taken_away() {
        let folder = folder();
        let path = folder.path().join("config.toml");
        fs::write(&path, "read").unwrap();
        let before = read(&path, Trust::Anyone).unwrap().unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(matches!(remove(&path, &before), Err(ReplaceError::Changed)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        let before = read(&path, Trust::Anyone).unwrap().unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(remove(&link, &before), Err(ReplaceError::Changed)));
        remove(&path, &before).unwrap();
        assert!(!path.exists() && fs::symlink_metadata(&link).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn whoever_saves_while_theirs_is_put_back_is_not_lost_either() {
        let folder = folder();
        let path = folder.path().join("config.toml");
        fs::write(&path, "found").unwrap();
        let saves = std::cell::RefCell::new(vec!["last", "in between"]);
        let unchanged = |_: &Path| {
            // At the first look nothing has changed; then somebody saves over what was just put there.
            let Some(save) = saves.borrow_mut().pop() else {
                return false;
            };
            if save == "last" {
                let beside = folder.path().join("theirs");
                fs::write(&beside, save).unwrap();
                fs::rename(&beside, &path).unwrap();
                return false;
            }
            fs::write(&path, save).unwrap();
            true
        };
        let replaced = replace_bytes(&path, Some(0o600), &unchanged, b"ours");
        assert!(matches!(replaced, Err(ReplaceError::Changed)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "last");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
