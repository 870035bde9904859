//! A start-up file: read in one go whatever lies at its path, and replaced whole or not at all.
//!
//! Start-up files are bytes to us: bash and readline read them in whatever encoding, and so are they kept.
//!
//! Invariants: nothing waits, neither for a pipe nor for a device; a file is judged and read by the same descriptor. What
//! somebody else wrote in the meantime is not lost.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::config::{self, ReplaceError};

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    changed: (i64, i64),
    bytes: u64,
}

/// A start-up file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartFile {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Whose it is.
    pub owner: u32,
    /// When it was written, in nanoseconds of Unix time, as far as the file system tells the truth.
    pub written_ns: i64,
    /// Which state of it.
    pub stamp: Stamp,
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A folder: bash says so and goes on.
    #[error("it is a folder")]
    Folder,
    /// A pipe, a socket or a device: whoever reads it may wait for ever.
    #[error("it is {what}, and reading it may never end")]
    Endless {
        /// What it is.
        what: &'static str,
    },
    /// It is longer than was asked for.
    #[error("it is too long: {bytes} bytes")]
    TooLong {
        /// How long.
        bytes: u64,
        /// Which state of it.
        stamp: Stamp,
    },
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Stamp {
    /// The state that the file was in when this was told of it.
    pub fn of(found: &Metadata) -> Stamp {
        Stamp {
            device: found.dev(),
            inode: found.ino(),
            // Not when it was written: a copy may keep that of the original, or have it from another machine.
            changed: (found.ctime(), found.ctime_nsec()),
            bytes: found.size(),
        }
    }

    /// The same as bytes, to be hashed.
    pub fn bytes(&self) -> Vec<u8> {
        let numbers = [self.device, self.inode, self.bytes];
        let changed = [self.changed.0.cast_unsigned(), self.changed.1.cast_unsigned()];
        let all = numbers.into_iter().chain(changed);
        all.flat_map(u64::to_le_bytes).collect()
    }

    /// When it was changed in any way, in nanoseconds of Unix time.
    pub fn changed_ns(&self) -> i64 {
        nanoseconds(self.changed.0, self.changed.1)
    }
}

fn nanoseconds(seconds: i64, ns: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(ns)
}

/// Reads a file of at most that many bytes; none if there is none, or one that holds nothing, as `/dev/null`. Links are
/// followed: people keep such files elsewhere.
///
/// # Errors
/// If it is no file, too long, or the system refuses. It never waits.
pub fn read(path: &Path, bytes_max: u64) -> Result<Option<StartFile>, ReadError> {
    // Opening some devices does something: they are only looked at.
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() || found.file_type().is_fifo() => {}
        Ok(found) => return refuse(&found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(opened) => File::from(opened),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(io::Error::from(errno).into()),
    };
    // It may be another than a moment ago.
    let found = opened.metadata()?;
    if !found.is_file() {
        return refuse(&found);
    }
    let stamp = Stamp::of(&found);
    let too_long = |bytes| ReadError::TooLong { bytes, stamp };
    if found.len() > bytes_max {
        return Err(too_long(found.len()));
    }
    let mut bytes = Vec::with_capacity(found.len() as usize);
    opened.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(too_long(bytes.len() as u64));
    }
    Ok(Some(StartFile {
        bytes,
        mode: found.mode() & 0o7777,
        owner: found.uid(),
        written_ns: nanoseconds(found.mtime(), found.mtime_nsec()),
        stamp,
    }))
}

fn refuse(found: &Metadata) -> Result<Option<StartFile>, ReadError> {
    let kind = found.file_type();
    let what = match () {
        () if kind.is_dir() => return Err(ReadError::Folder),
        () if kind.is_char_device() && found.rdev() == NULL => return Ok(None),
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(ReadError::Endless { what })
}

/// The device number of `/dev/null` on Linux.
const NULL: u64 = 1 << 8 | 3;

/// Replaces the file that was read as `before`, of at most that many bytes, or makes it if there was none. Its mode stays,
/// and a link stays one.
///
/// # Errors
/// If the file is no longer as it was read, or the system refuses; it is left as it is then.
pub fn replace(
    path: &Path,
    before: Option<&StartFile>,
    bytes: &[u8],
    bytes_max: u64,
) -> Result<(), ReplaceError> {
    // An exchange changes when the state of a file was changed: what else tells is compared.
    let unchanged = |path: &Path| {
        let found = read(path, bytes_max).ok().flatten();
        let same = |a: &StartFile, b: &StartFile| {
            a.bytes == b.bytes
                && (a.mode, a.owner, a.written_ns) == (b.mode, b.owner, b.written_ns)
                && (a.stamp.device, a.stamp.inode) == (b.stamp.device, b.stamp.inode)
        };
        match (&found, before) {
            (Some(found), Some(before)) => same(found, before),
            (None, None) => true,
            _ => false,
        }
    };
    config::replace_bytes(path, before.map(|before| before.mode), &unchanged, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const BYTES_MAX: u64 = 100;

    #[test]
    fn whatever_lies_there_is_read_or_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let check = |name: &str, expect: &str| {
            let said = match read(&at(name), BYTES_MAX) {
                Ok(None) => "none".to_owned(),
                Ok(Some(found)) => format!("{:?}", found.bytes.escape_ascii().to_string()),
                Err(error) => error.to_string(),
            };
            assert!(said.starts_with(expect), "{name}: {said}");
        };
        check("nothing", "none");
        fs::write(at("bytes"), b"ab\xffc").unwrap();
        check("bytes", r#""ab\\xffc""#);
        File::create(at("large")).unwrap().set_len(10 << 20).unwrap();
        check("large", "it is too long: 10485760 bytes");
        fs::create_dir(at("folder")).unwrap();
        check("folder", "it is a folder");
        let pipe = std::process::Command::new("mkfifo").arg(at("pipe")).status();
        assert!(pipe.unwrap().success());
        check("pipe", "it is a pipe");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        check("socket", "it is a socket");
        symlink(at("bytes"), at("link")).unwrap();
        check("link", r#""ab"#);
        symlink(at("loop"), at("loop")).unwrap();
        check("loop", "Too many levels");
        symlink("/dev/zero", at("zero")).unwrap();
        check("zero", "it is a device");
        symlink("/dev/null", at("null")).unwrap();
        check("null", "none");
        symlink(at("gone"), at("dangling")).unwrap();
        check("dangling", "none");
    }

    #[test]
    fn replacing_keeps_mode_and_link_and_what_somebody_else_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("dotfiles"), folder.path().join(".bashrc"));
        fs::write(&real, b"old\xff").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("dotfiles", &link).unwrap();
        let before = read(&link, BYTES_MAX).unwrap();
        replace(&link, before.as_ref(), b"new\xfe", BYTES_MAX).unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new\xfe");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let before = read(&link, BYTES_MAX).unwrap();
        fs::write(&real, "theirs").unwrap();
        let refused = replace(&link, before.as_ref(), b"ours", BYTES_MAX);
        assert!(matches!(refused, Err(ReplaceError::Changed)), "{refused:?}");
        // The link was swapped for another file.
        let before = read(&link, BYTES_MAX).unwrap();
        fs::remove_file(&link).unwrap();
        fs::write(&link, "swapped").unwrap();
        let refused = replace(&link, before.as_ref(), b"ours", BYTES_MAX);
        assert!(matches!(refused, Err(ReplaceError::Changed)), "{refused:?}");
        assert_eq!(fs::read(&link).unwrap(), b"swapped");
        assert_eq!(fs::read(&real).unwrap(), b"theirs");
        assert!(matches!(
            replace(&link, None, b"ours", BYTES_MAX),
            Err(ReplaceError::Changed)
        ));
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing is left behind"
        );
    }
}
