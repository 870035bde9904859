//! The logs of versions on disk, `state/versions/config.log` and `rc.log`, each with a lock beside it.
//!
//! ```text
//!  hold ▸ accept { the log's end ▸ is it new? ▸ one write } ▸ acknowledged ▸ sync { prune ▸ fdatasync } ▸ durable
//! ```
//!
//! Invariants: a version is one `write` to the end of the log. Whoever writes holds the lock, and waits for it no longer
//! than [`PATIENCE`]. A log that a later release wrote is left alone. A torn record is passed over and never repaired.
//! Keeping a version costs the same however long the log is, and waits for no disk: that is left to [`Held::sync`].

mod known;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lle_log::records::{ReadError, TooLong};
use lle_log::versions::{self, Cause, LOG_BYTES_MAX, VERSIONS_MAX, Verdict, Version, Versions};
use rustix::fs::{CWD, FlockOperation};
use rustix::io::Errno;

use super::draft;
use known::Known;

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
    name: &'static str,
}

/// The log, while nobody else writes to it.
#[derive(Debug)]
pub struct Held {
    log: VersionLog,
    /// What it says, as far as that was asked: nobody else changes it meanwhile.
    known: Option<Known>,
    /// Something was written that may not be durable.
    is_dirty: bool,
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

impl<'a> Accepted<'a> {
    /// The version that it becomes, by this user and this process.
    pub(super) fn version(&self, number: u64) -> Version<'a> {
        Version {
            number,
            time_ns: self.time_ns,
            cause: self.cause,
            uid: rustix::process::geteuid().as_raw(),
            pid: std::process::id(),
            from: self.from,
            file: self.file,
            tool: self.tool,
            content: self.content,
            verdict: None,
        }
    }
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
    /// The configuration's log below the state folder.
    pub fn below(state: &Path) -> VersionLog {
        Self::named(state, "config")
    }

    /// The log of that name below the state folder.
    pub(super) fn named(state: &Path, name: &'static str) -> VersionLog {
        VersionLog {
            folder: state.join("versions"),
            name,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(self.name).with_extension("log")
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
        let mut held = self.hold(PATIENCE)?;
        let kept = held.accept(states)?;
        held.sync()?;
        Ok(kept)
    }

    /// Makes what anybody has kept durable.
    ///
    /// # Errors
    /// It may not be.
    pub fn sync(&self) -> Result<(), VersionsError> {
        match self.hold(Duration::ZERO) {
            Ok(mut held) => {
                held.is_dirty = true;
                held.sync()
            }
            // Whoever is at it prunes.
            Err(_) => Ok(File::open(self.path())?.sync_data()?),
        }
    }

    /// Keeps everybody else from writing versions, and from bringing files into force, until it is dropped.
    ///
    /// # Errors
    /// Somebody else holds it for longer than `patience` ([`ErrorKind::WouldBlock`]), or the folder cannot be written.
    pub fn hold(&self, patience: Duration) -> Result<Held, VersionsError> {
        draft::create_folder(&self.folder)?;
        Ok(Held {
            log: self.clone(),
            known: None,
            is_dirty: false,
            _lock: self.lock(patience)?,
        })
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
        let lock = options.open(self.folder.join(self.name).with_extension("lock"))?;
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
    pub fn accept(&mut self, states: &[Accepted<'_>]) -> Result<Option<u64>, VersionsError> {
        let mut kept = None;
        for state in states {
            kept = self.one(state)?.or(kept);
        }
        Ok(kept)
    }

    fn one(&mut self, state: &Accepted<'_>) -> Result<Option<u64>, VersionsError> {
        let mut known = self.known_of(state.file)?;
        if known
            .newest(state.file)
            .is_some_and(|(_, content)| content == state.content)
        {
            self.known = Some(known);
            return Ok(None);
        }
        let version = state.version(known.next_number());
        self.append(&known.records(&version)?)?;
        known.add(&version);
        self.known = Some(known);
        Ok(Some(version.number))
    }

    /// The newest version of a file: its number and what it says.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn newest(&mut self, file: &str) -> Result<Option<(u64, &[u8])>, VersionsError> {
        let known = self.known_of(file)?;
        Ok(self.known.insert(known).newest(file))
    }

    /// Reads a log whose `bytes` were read while it was held, and remembers what it says.
    ///
    /// # Errors
    /// It is no log of versions, or a later release's.
    pub(super) fn know<'b>(&mut self, bytes: &'b [u8]) -> Result<Versions<'b>, VersionsError> {
        let versions = versions::read(bytes)?;
        self.known = Some(Known::all(&versions, bytes.is_empty()));
        Ok(versions)
    }

    /// Takes out what is known, with all there is to know of that file.
    fn known_of(&mut self, file: &str) -> Result<Known, VersionsError> {
        match self.known.take().filter(|known| known.tells_of(file)) {
            Some(known) => Ok(known),
            None => Known::read(&self.log, file),
        }
    }

    /// As [`VersionLog::bytes`].
    ///
    /// # Errors
    /// It cannot be read, or is far longer than it may be.
    pub fn bytes(&self) -> Result<Vec<u8>, VersionsError> {
        Ok(self.log.bytes()?)
    }

    /// Writes down what became of a version; one that is not there any more needs no verdict.
    ///
    /// # Errors
    /// It is not written down.
    pub fn judge(&mut self, number: u64, verdict: Verdict, time_ns: i64) -> Result<(), VersionsError> {
        let mut bytes = self.bytes()?;
        let log = versions::read(&bytes)?;
        if log
            .numbered(number)
            .is_none_or(|version| version.verdict == Some(verdict))
        {
            return Ok(());
        }
        let (next, before) = (log.next_number(), bytes.len());
        versions::encode_verdict(&mut bytes, next, time_ns, number, verdict)?;
        Ok(self.append(&bytes[before..])?)
    }

    /// Appends whole records.
    pub(super) fn append(&mut self, records: &[u8]) -> io::Result<()> {
        // Torn or whole, the end is another one now.
        self.known = None;
        self.is_dirty = true;
        self.log.append(records)
    }

    /// Replaces the log by a smaller one, durably.
    pub(super) fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.known = None;
        draft::replace(CWD, &self.log.path(), bytes)
    }

    /// Makes what was kept durable, and drops the oldest versions of a log that has grown too long.
    ///
    /// # Errors
    /// It may not be, and the log is as long as it was.
    pub fn sync(&mut self) -> Result<(), VersionsError> {
        if !self.is_dirty {
            return Ok(());
        }
        let bytes = self.bytes()?;
        match versions::read(&bytes)?.pruned(VERSIONS_MAX, LOG_BYTES_MAX) {
            Some(pruned) => self.replace(&pruned)?,
            None => File::open(self.log.path())?.sync_data()?,
        }
        self.is_dirty = false;
        Ok(())
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
    fn what_became_of_a_version_is_kept_beside_it_and_is_none_itself() {
        let folder = tempfile::tempdir().unwrap();
        let log = VersionLog::below(folder.path());
        log.accept(&[state(b"a"), state(b"b")]).unwrap();
        let mut held = log.hold(PATIENCE).unwrap();
        for _ in 0..2 {
            held.judge(2, Verdict::TakenBack, 5).unwrap();
            held.judge(9, Verdict::Confirmed, 5).unwrap();
        }
        let bytes = held.bytes().unwrap();
        let read = versions::read(&bytes).unwrap();
        let verdicts: Vec<_> = read.versions.iter().map(|version| version.verdict).collect();
        assert_eq!(verdicts, [None, Some(Verdict::TakenBack)]);
        assert_eq!(read.last_good("config.toml").unwrap().number, 1);
        assert_eq!(held.accept(&[state(b"c")]).unwrap(), Some(4));
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
    fn only_the_end_is_read_where_that_tells_and_all_of_it_where_it_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let log = VersionLog::below(folder.path());
        let theme = Accepted {
            file: "themes/mine.toml",
            ..state(b"x")
        };
        log.accept(&[theme]).unwrap();
        // More than the end that is read.
        let content = |n: u8| vec![n; 10_000];
        for n in 0..20 {
            log.accept(&[state(&content(n))]).unwrap();
        }
        let mut held = log.hold(PATIENCE).unwrap();
        assert_eq!(held.newest("config.toml").unwrap().unwrap().0, 21);
        assert!(!held.known.as_ref().unwrap().tells_of("themes/mine.toml"));
        assert_eq!(held.newest("themes/mine.toml").unwrap(), Some((1, &b"x"[..])));
        assert_eq!(held.newest("none.toml").unwrap(), None);
        assert_eq!(
            held.accept(&[theme, state(&content(19))]).unwrap(),
            None,
            "nothing is new"
        );
        assert_eq!(held.accept(&[state(b"a"), state(b"b"), theme]).unwrap(), Some(23));
        assert_eq!(held.newest("config.toml").unwrap(), Some((23, &b"b"[..])));
        drop(held);
        assert_eq!(log.accept(&[state(b"b")]).unwrap(), None);
        assert_eq!(contents(&log).len(), 23);
        // What others append in between is known to the next one who holds it.
        std::fs::write(log.path(), "").unwrap();
        assert_eq!(log.accept(&[state(b"b")]).unwrap(), Some(1));
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
