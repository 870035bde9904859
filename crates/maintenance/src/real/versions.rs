//! The log of versions on disk: `state/versions/config.log`, and a lock beside it.
//!
//! Invariants: a version is one `write` to the end of the log. Whoever writes holds the lock, and waits for it no longer
//! than [`PATIENCE`]. A log that a later release wrote is left alone. A torn record is passed over and never repaired.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lle_log::records::{ReadError, TooLong};
use lle_log::versions::{self, Cause, LOG_BYTES_MAX, VERSIONS_MAX, Version};
use rustix::fs::{CWD, FlockOperation};
use rustix::io::Errno;

use super::draft;

/// How long to wait for whoever else writes a version: far longer than that takes.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at the lock.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Bytes of a log that is read: what pruning leaves room for, with a version of the greatest length on top.
const BYTES_MAX: u64 = 4 * LOG_BYTES_MAX as u64;

/// Where the log is.
#[derive(Clone, Debug)]
pub struct VersionLog {
    folder: PathBuf,
}

/// The log, while nobody else writes to it.
#[derive(Debug)]
pub struct Held {
    log: VersionLog,
    /// Never read: open, it holds the lock. Nobody may open the lock's file a second time in this process meanwhile, since
    /// closing that would drop it.
    _lock: File,
}

/// A state of a file, to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Accepted<'a> {
    /// When, in nanoseconds of Unix time.
    pub time_ns: i64,
    /// Why.
    pub cause: Cause,
    /// The version that is taken up again; 0 if none is.
    pub from: u64,
    /// Which file.
    pub file: &'a str,
    /// The program that did it.
    pub tool: &'a str,
    /// The whole file.
    pub content: &'a [u8],
}

/// Why versions were not read or kept.
#[derive(Debug, thiserror::Error)]
pub enum VersionsError {
    /// It is no log of versions, or a later release's.
    #[error(transparent)]
    Foreign(#[from] ReadError),
    /// The file is too long to be kept.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl VersionLog {
    /// The log below the state folder.
    pub fn below(state: &Path) -> VersionLog {
        VersionLog {
            folder: state.join("versions"),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("config.log")
    }

    /// The bytes of the log; none if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is far longer than it may be.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let opened = match options.open(self.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut bytes = Vec::new();
        opened.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    /// Keeps states of files, each unless it is what the newest version says already, and makes them durable; gives the
    /// number of the last one that was kept.
    ///
    /// # Errors
    /// None of them was kept, or only the first ones.
    pub fn accept(&self, states: &[Accepted<'_>]) -> Result<Option<u64>, VersionsError> {
        let held = self.hold(PATIENCE)?;
        let kept = held.accept(states)?;
        if kept.is_some() {
            held.sync()?;
        }
        Ok(kept)
    }

    /// Keeps everybody else from writing versions, and from bringing files into force, until it is dropped.
    ///
    /// # Errors
    /// Somebody else holds it for longer than `patience` ([`ErrorKind::WouldBlock`]), or the folder cannot be written.
    pub fn hold(&self, patience: Duration) -> Result<Held, VersionsError> {
        draft::create_folder(&self.folder)?;
        Ok(Held {
            log: self.clone(),
            _lock: self.lock(patience)?,
        })
    }

    fn one(&self, state: &Accepted<'_>) -> Result<Option<u64>, VersionsError> {
        let mut bytes = self.bytes()?;
        let log = versions::read(&bytes)?;
        if log
            .newest(state.file)
            .is_some_and(|newest| newest.content == state.content)
        {
            return Ok(None);
        }
        let version = Version {
            number: log.next_number(),
            time_ns: state.time_ns,
            cause: state.cause,
            uid: rustix::process::geteuid().as_raw(),
            pid: std::process::id(),
            from: state.from,
            file: state.file,
            tool: state.tool,
            content: state.content,
            verdict: None,
        };
        let number = version.number;
        let before = bytes.len();
        versions::encode(&mut bytes, &version)?;
        self.append(&bytes[before..])?;
        if let Some(pruned) = versions::read(&bytes)?.pruned(VERSIONS_MAX, LOG_BYTES_MAX) {
            draft::replace(CWD, &self.path(), &pruned)?;
        }
        Ok(Some(number))
    }

    fn append(&self, record: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW);
        let mut log = options.open(self.path())?;
        let written = log.write(record)?;
        if written < record.len() {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn lock(&self, patience: Duration) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW);
        let lock = options.open(self.folder.join("config.lock"))?;
        let began = Instant::now();
        loop {
            match rustix::fs::fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(lock),
                Err(Errno::AGAIN | Errno::ACCESS) if began.elapsed() < patience => {
                    std::thread::sleep(LOOK_EVERY);
                }
                Err(Errno::ACCESS) => return Err(ErrorKind::WouldBlock.into()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Held {
    /// As [`VersionLog::accept`]: acknowledged, and durable after [`Held::sync`].
    ///
    /// # Errors
    /// None of them was kept, or only the first ones.
    pub fn accept(&self, states: &[Accepted<'_>]) -> Result<Option<u64>, VersionsError> {
        let mut kept = None;
        for state in states {
            kept = self.log.one(state)?.or(kept);
        }
        Ok(kept)
    }

    /// As [`VersionLog::bytes`].
    ///
    /// # Errors
    /// It cannot be read, or is far longer than it may be.
    pub fn bytes(&self) -> Result<Vec<u8>, VersionsError> {
        Ok(self.log.bytes()?)
    }

    /// Makes what was kept durable.
    ///
    /// # Errors
    /// It may not be.
    pub fn sync(&self) -> io::Result<()> {
        File::open(self.log.path())?.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(content: &[u8]) -> Accepted<'_> {
        Accepted {
            time_ns: 1,
            cause: Cause::Edited,
            from: 0,
            file: "config.toml",
            tool: "test",
            content,
        }
    }

    fn contents(log: &VersionLog) -> Vec<(u64, Vec<u8>)> {
        let bytes = log.bytes().unwrap();
        let read = versions::read(&bytes).unwrap();
        read.versions
            .iter()
            .map(|version| (version.number, version.content.to_vec()))
            .collect()
    }

    #[test]
    fn what_is_new_is_kept_and_what_is_not_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let log = VersionLog::below(folder.path());
        assert_eq!(log.accept(&[state(b"a"), state(b"b")]).unwrap(), Some(2));
        assert_eq!(log.accept(&[state(b"b")]).unwrap(), None);
        assert_eq!(log.accept(&[state(b"b"), state(b"a")]).unwrap(), Some(3));
        assert_eq!(
            contents(&log),
            [(1, b"a".to_vec()), (2, b"b".to_vec()), (3, b"a".to_vec())]
        );
    }

    #[test]
    fn a_torn_record_costs_nothing_but_itself() {
        let folder = tempfile::tempdir().unwrap();
        let log = VersionLog::below(folder.path());
        log.accept(&[state(b"a"), state(b"bbbb")]).unwrap();
        let bytes = log.bytes().unwrap();
        std::fs::write(log.path(), &bytes[..bytes.len() - 7]).unwrap();
        log.accept(&[state(b"c")]).unwrap();
        assert_eq!(contents(&log), [(1, b"a".to_vec()), (2, b"c".to_vec())]);
    }

    #[test]
    fn the_log_stays_within_its_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let log = VersionLog::below(folder.path());
        let large = vec![b'#'; 900_000];
        for n in 0..12u8 {
            let mut content = large.clone();
            content.push(n);
            log.accept(&[state(&content)]).unwrap();
        }
        assert!(log.bytes().unwrap().len() <= LOG_BYTES_MAX + 2 * large.len());
        assert_eq!(contents(&log).last().map(|(number, _)| *number), Some(12));
        std::fs::write(log.path(), "something else").unwrap();
        assert!(matches!(
            log.accept(&[state(b"x")]),
            Err(VersionsError::Foreign(_))
        ));
        assert_eq!(std::fs::read(log.path()).unwrap(), b"something else");
    }
}
