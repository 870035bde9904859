//! The mirror of a log: a second file with the same bytes, a moment behind, so that what another program does to the
//! log can be seen and undone.
//!
//! ```text
//!  log ─ longer, beginning and end as mirrored ▸ copy what is new        follow, by one process
//!      ─ records overwritten on purpose        ▸ overwrite them in the mirror
//!      ─ anything else                         ▸ trouble: the mirror stays as it is
//!  trouble ▸ until somebody answers: append to the mirror what only the log has
//!          ▸ restore: mirror + what only the log has ▸ new file ▸ rename over the log ▸ what late writers left
//!          ▸ accept:  the mirror is made anew, the former one is kept beside it
//! ```
//!
//! Invariants:
//! - The mirror never loses a record that it has, unless that was overwritten on purpose or [`Mirror::accept`] says so.
//! - Who rewrites a log of ours holds the lock; while somebody does, nothing is trouble.
//! - Restoring keeps every record of both files. What was no record stays in a file of its own.
//! - Loss window: what was appended after the last copy and was cut before the next. Whoever follows once a second
//!   states it as that second.
//!
//! A change in the middle of the file that leaves its first and last bytes alone is not seen by following, which reads
//! a few pages; [`Mirror::compare_whole`] sees it.

mod compare;
mod files;
mod lock;
mod restore;
mod since;

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::descriptor::{Descriptor, Identity};
use crate::frame::HEADER_BYTES;
use crate::header::FILE_HEADER_BYTES;
use compare::{Compared, compare};
use files::open_mirror;
pub(crate) use files::{copy, with_suffix};
pub use lock::Lock;
pub use restore::{RestoreError, Restored};
use restore::{Watched, only_in};
pub(crate) use restore::{number, write_record};
use since::Kept;

/// Bytes copied in one call: some 20 ms. What is left is copied by the next.
const COPY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes compared at the beginning of the file, and as many before the end of what is mirrored.
const COMPARED_BYTES: u64 = 64 * 1024;
/// Records of the mirror that are elsewhere in the log, remembered while it is looked whether any is gone: with more the log
/// is another one.
const OWN_RECORDS_MAX: usize = 64 * 1024;

/// What another program did to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The name is gone, or belongs to a log that began anew.
    Removed,
    /// Everything was cut off; sessions may have begun it anew since.
    Emptied,
    /// The end was cut off; sessions may have gone on since.
    Cut,
    /// Bytes are others than they were.
    Rewritten,
}

/// Something is wrong with the log, and the mirror has what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What was done.
    pub damage: Damage,
    /// Length of the log as it is, in bytes.
    pub log_bytes: u64,
    /// Length of the mirror before it was done, in bytes.
    pub mirror_bytes: u64,
    /// Bytes that both begin with.
    pub common_bytes: u64,
    /// What was typed since is in the mirror, too; if it is not, [`Mirror::unkept`] says why, and the next call tries again.
    pub is_kept: bool,
}

/// What following came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// There was nothing new.
    Unchanged,
    /// So many bytes were copied.
    Copied {
        /// How many.
        bytes: u64,
        /// How many are still to be copied.
        left: u64,
    },
    /// So many records were overwritten, as in the log.
    Redacted {
        /// How many.
        records: usize,
    },
    /// Log and mirror, which had so many bytes, are both gone; what has their names now, if anything, began anew. Said once.
    Lost {
        /// Bytes of the former mirror.
        bytes: u64,
    },
    /// Somebody of ours rewrites the log just now.
    Busy,
    /// The log is not what it was.
    Trouble(Trouble),
}

/// A log and its mirror.
#[derive(Debug)]
pub struct Mirror {
    log: PathBuf,
    mirror: PathBuf,
    /// The log as it was last seen: nothing is read while it is the same.
    seen: Option<Seen>,
    /// Which file had the log's name last.
    identity: Option<Which>,
    /// Bytes that the mirror had last.
    mirrored_bytes: Option<u64>,
    /// The file that had the log's name before it was restored, for what is still written into it.
    late: Option<Watched>,
    /// What was appended to the mirror of a log that waits for somebody's word.
    kept: Option<Kept>,
    /// Why what was typed since could not be.
    unkept: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    identity: Identity,
    bytes: u64,
    changed: (i64, i64),
    mirror: (u64, i64, i64),
    trouble: Option<Trouble>,
}

impl Mirror {
    /// Names the two files. Nothing is opened yet.
    pub fn new(log: &Path) -> Self {
        Self {
            log: log.to_owned(),
            mirror: path_of(log),
            seen: None,
            identity: None,
            mirrored_bytes: None,
            late: None,
            kept: None,
            unkept: None,
        }
    }

    /// The mirror's file.
    pub fn path(&self) -> &Path {
        &self.mirror
    }

    /// Why what was typed since the log was damaged is not in the mirror, if [`Trouble::is_kept`] says so.
    pub fn unkept(&self) -> Option<&io::Error> {
        self.unkept.as_ref()
    }

    /// Looks at the log, and copies what is new in it.
    ///
    /// # Errors
    /// The system's. The mirror may have a part of what is new.
    pub fn follow(&mut self) -> io::Result<Followed> {
        let Some(_lock) = Lock::try_take(&self.log)? else {
            return Ok(Followed::Busy);
        };
        crate::leftovers::adopt(&self.log)?;
        if let Some(late) = &mut self.late {
            // What cannot be carried over now is tried again in the next round.
            if let Ok(false) = late.carry_over(&self.log) {
                self.late = None;
            }
        }
        let log = match File::open(&self.log) {
            Ok(log) => log,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(self.lost(None).unwrap_or_else(|| self.removed()));
            }
            Err(error) => return Err(error),
        };
        let found = log.metadata()?;
        if let Some(lost) = self.lost(Some(&found)) {
            return Ok(lost);
        }
        let mirrored = fs::metadata(&self.mirror).map_or((0, 0, 0), |mirror| stamp(&mirror));
        if let Some(seen) = self.seen
            && seen.is(&found, mirrored)
        {
            return Ok(seen.trouble.map_or(Followed::Unchanged, Followed::Trouble));
        }
        let mirror = open_mirror(&self.mirror)?;
        let mut followed = self.bring_up(&log, &found, &mirror)?;
        let trouble = match &mut followed {
            Followed::Trouble(trouble) => {
                self.keep_typed(trouble, &found, &mirror);
                Some(*trouble)
            }
            _ => {
                self.kept = None;
                None
            }
        };
        let is_kept = trouble.is_none_or(|trouble| trouble.is_kept);
        let left = !is_kept || matches!(followed, Followed::Copied { left: 1.., .. });
        self.identity = Some(which(&found));
        let mirrored = stamp(&mirror.metadata()?);
        self.mirrored_bytes = Some(mirrored.0);
        self.seen = Some(Seen {
            identity: Identity::of(&found),
            bytes: found.len(),
            changed: (found.ctime(), found.ctime_nsec()),
            mirror: mirrored,
            trouble,
        });
        if left {
            self.seen = None;
        }
        Ok(followed)
    }

    /// Whether both are gone: the mirror, and the log that it was of.
    fn lost(&mut self, log: Option<&Metadata>) -> Option<Followed> {
        let bytes = self
            .mirrored_bytes
            .filter(|bytes| *bytes > FILE_HEADER_BYTES as u64)?;
        let is_whole =
            log.is_some_and(|log| self.identity.is_none_or(|last| last == which(log)) && log.len() >= bytes);
        if is_whole || self.mirror.exists() {
            return None;
        }
        (self.seen, self.identity, self.mirrored_bytes, self.kept) = (None, None, None, None);
        Some(Followed::Lost { bytes })
    }

    fn keep_typed(&mut self, trouble: &mut Trouble, found: &Metadata, mirror: &File) {
        trouble.mirror_bytes -= self.kept.map_or(0, |kept| kept.bytes.min(trouble.mirror_bytes));
        match self.keep_since(found, trouble.common_bytes, mirror) {
            Ok(is_all) => (trouble.is_kept, self.unkept) = (is_all, None),
            Err(error) => (trouble.is_kept, self.unkept) = (false, Some(error)),
        }
    }

    fn removed(&self) -> Followed {
        let mirror_bytes = fs::metadata(&self.mirror).map_or(0, |mirror| mirror.len());
        if mirror_bytes <= FILE_HEADER_BYTES as u64 {
            return Followed::Unchanged;
        }
        Followed::Trouble(Trouble {
            damage: Damage::Removed,
            log_bytes: 0,
            mirror_bytes: mirror_bytes - self.kept.map_or(0, |kept| kept.bytes.min(mirror_bytes)),
            common_bytes: 0,
            // There is nothing that was.
            is_kept: true,
        })
    }

    fn bring_up(&self, log: &File, found: &Metadata, mirror: &File) -> io::Result<Followed> {
        let (bytes, mirror_bytes) = (found.len(), mirror.metadata()?.len());
        let mut redacted = Vec::new();
        let mut same = bytes >= mirror_bytes;
        let tail = mirror_bytes.saturating_sub(COMPARED_BYTES);
        for (from, to) in [(0, mirror_bytes.min(COMPARED_BYTES)), (tail, mirror_bytes)] {
            if same && from < to {
                match compare(log, mirror, from, to, mirror_bytes)? {
                    Compared::Same => {}
                    Compared::Redacted(records) => redacted.extend(records),
                    Compared::Different => same = false,
                }
            }
        }
        if !same {
            return self.judge(log, found, mirror);
        }
        if !redacted.is_empty() {
            for (at, frame_bytes) in &redacted {
                copy(log, mirror, *at, at + frame_bytes)?;
            }
            if bytes == mirror_bytes {
                return Ok(Followed::Redacted {
                    records: redacted.len(),
                });
            }
        }
        let to = bytes.min(mirror_bytes + COPY_BYTES_MAX);
        copy(log, mirror, mirror_bytes, to)?;
        Ok(match to - mirror_bytes {
            0 => Followed::Unchanged,
            copied => Followed::Copied {
                bytes: copied,
                left: bytes - to,
            },
        })
    }

    /// Says what is wrong: the log, or the mirror itself, which is then made anew.
    fn judge(&self, log: &File, found: &Metadata, mirror: &File) -> io::Result<Followed> {
        let (log_bytes, mirror_bytes) = (found.len(), mirror.metadata()?.len());
        let common_bytes = compare::common(log, mirror, log_bytes.min(mirror_bytes))?;
        let mirror_is_worse = log_bytes >= mirror_bytes
            && compare::damage(&self.log, common_bytes, mirror_bytes) == 0
            && compare::damage(&self.mirror, common_bytes, mirror_bytes) > 0
            && !self.mirror_has_more(common_bytes)?;
        if mirror_is_worse {
            mirror.set_len(common_bytes)?;
            let to = log_bytes.min(common_bytes + COPY_BYTES_MAX);
            copy(log, mirror, common_bytes, to)?;
            return Ok(Followed::Copied {
                bytes: to - common_bytes,
                left: log_bytes - to,
            });
        }
        let header = FILE_HEADER_BYTES as u64;
        let is_other = self.identity.is_some_and(|last| last != which(found));
        // A beginning that was cut in two is no log that began anew: sessions would refuse it.
        let is_halved = log_bytes > 0 && compare::has_damaged_beginning(&self.log)?;
        let has_beginning = mirror_bytes == header && !compare::has_damaged_beginning(&self.mirror)?;
        if mirror_bytes <= header && !(is_halved && has_beginning) {
            return self.begin_again(log, log_bytes, mirror);
        }
        // A session that began the log and begins it anew writes the same header, and its records begin alike.
        let begun_anew = common_bytes < header + HEADER_BYTES as u64;
        let damage = match (begun_anew, log_bytes < mirror_bytes) {
            (true, _) if is_other => Damage::Removed,
            (true, true) => Damage::Emptied,
            (false, true) => Damage::Cut,
            (_, false) => Damage::Rewritten,
        };
        Ok(Followed::Trouble(Trouble {
            damage,
            log_bytes,
            mirror_bytes,
            common_bytes,
            is_kept: false,
        }))
    }

    /// Whether the mirror has whole records from there on that the log has not: then it is not the damaged one, whatever
    /// lies between them.
    fn mirror_has_more(&self, common_bytes: u64) -> io::Result<bool> {
        let (log, mirror) = (
            Descriptor::open_to_read(&self.log)?,
            Descriptor::open_to_read(&self.mirror)?,
        );
        let from = compare::record_around(common_bytes);
        match only_in(&mirror, from, mirror.length()?, &log, from, OWN_RECORDS_MAX) {
            Ok(only) => Ok(!only.is_empty()),
            Err(RestoreError::Io(error)) => Err(error),
            Err(_) => Ok(true),
        }
    }

    /// A mirror without a record is worth nothing: it follows whatever log there is.
    fn begin_again(&self, log: &File, log_bytes: u64, mirror: &File) -> io::Result<Followed> {
        mirror.set_len(0)?;
        let to = log_bytes.min(COPY_BYTES_MAX);
        copy(log, mirror, 0, to)?;
        Ok(Followed::Copied {
            bytes: to,
            left: log_bytes - to,
        })
    }

    /// Makes what was copied durable.
    ///
    /// # Errors
    /// It may not be.
    pub fn sync(&self) -> io::Result<()> {
        match File::open(&self.mirror) {
            Ok(mirror) => mirror.sync_data(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Compares all of the mirror with the log, but for records overwritten in either; gives the first offset at which
    /// they differ.
    ///
    /// # Errors
    /// The system's.
    pub fn compare_whole(&self) -> io::Result<Option<u64>> {
        self.compare_from(0)
    }

    /// Compares so from this offset on: whoever compared without the lock makes sure, with it, that both are not just being
    /// written anew.
    ///
    /// # Errors
    /// The system's.
    pub fn compare_from(&self, from: u64) -> io::Result<Option<u64>> {
        let (log, mirror) = (File::open(&self.log)?, File::open(&self.mirror)?);
        let (mirror_bytes, log_bytes) = (mirror.metadata()?.len(), log.metadata()?.len());
        let end = mirror_bytes.min(log_bytes);
        let mut from = compare::common_from(&log, &mirror, from.min(end), end)?;
        while from < end {
            let to = end.min(from + compare::FRAME_BYTES_MAX);
            if compare(&log, &mirror, from, to, end)? == Compared::Different {
                return Ok(Some(from));
            }
            from = compare::common_from(&log, &mirror, to, end)?;
        }
        Ok((log_bytes < mirror_bytes).then_some(log_bytes))
    }

    /// Bytes that are no record, from this offset on as far as both go: in the log and in the mirror.
    ///
    /// # Errors
    /// The system's.
    pub fn damage_from(&self, from: u64) -> io::Result<(u64, u64)> {
        let end = fs::metadata(&self.log)?
            .len()
            .min(fs::metadata(&self.mirror)?.len());
        let from = from.min(end);
        Ok((
            compare::damage(&self.log, from, end),
            compare::damage(&self.mirror, from, end),
        ))
    }

    /// Whether there is a mirror of something that the log does not have.
    ///
    /// # Errors
    /// The system's.
    pub fn has_more(&self) -> io::Result<bool> {
        // One without a record is worth nothing.
        let has_records =
            fs::metadata(&self.mirror).is_ok_and(|mirror| mirror.len() > FILE_HEADER_BYTES as u64);
        Ok(has_records && self.compare_whole()?.is_some())
    }

    /// Takes the log as it is now: the mirror is made anew from it, and the former one is kept as `….mirror.before`.
    ///
    /// # Errors
    /// The system's. The former mirror is then there under one of its two names.
    pub fn accept(&mut self, _lock: &Lock) -> io::Result<()> {
        match fs::rename(&self.mirror, with_suffix(&self.mirror, ".before")) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        (self.seen, self.kept) = (None, None);
        let mirror = open_mirror(&self.mirror)?;
        match File::open(&self.log) {
            Ok(log) => copy(&log, &mirror, 0, log.metadata()?.len())?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        mirror.sync_data()
    }
}

impl Seen {
    fn is(&self, found: &Metadata, mirrored: (u64, i64, i64)) -> bool {
        self.identity == Identity::of(found)
            && self.bytes == found.len()
            && self.changed == (found.ctime(), found.ctime_nsec())
            && self.mirror == mirrored
    }
}

/// What tells a file from one that has got its numbers since: also when it was made, where the file system says.
type Which = (Identity, Option<SystemTime>);

fn which(found: &Metadata) -> Which {
    (Identity::of(found), found.created().ok())
}

/// Length and time of change.
fn stamp(found: &Metadata) -> (u64, i64, i64) {
    (found.len(), found.ctime(), found.ctime_nsec())
}

/// The mirror's name: the log's with `.mirror` for `.log`.
pub fn path_of(log: &Path) -> PathBuf {
    log.with_extension("mirror")
}
