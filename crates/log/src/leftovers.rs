//! What is written into the file that had the log's name, while another takes its place.
//!
//! ```text
//!  session │ looks at the path ─────────────── writes ── looks: is it another file?   no  ▸ done
//!  rewrite │     ….log.before = log ── rename ── carry over ── unlink ── carry over   yes ▸ writes again, if it is not there
//! ```
//!
//! Invariant: a record that was written is in the new log, whoever is stopped for however long between two of these steps, and
//! whatever further names somebody gave the former file. A session relies on nobody for what it wrote into that; what is carried
//! over is of those that were killed, and of sessions of an earlier version. Twice only if both are within the same
//! microseconds.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::descriptor::{Descriptor, Identity};
use crate::frame::{FRAME_BYTES, PAYLOAD_BYTES_MAX};
use crate::header::{FILE_HEADER_BYTES, FileHeader};
use crate::mirror::{number, path_of, with_suffix, write_record};
use crate::rewrite::finish_import;
use crate::walk::Forward;

/// Bytes at the end of a former file of which nobody knows how far it was read.
const LATE_BYTES: u64 = 2 * 1024 * 1024;
/// Bytes at the end of the log in which records are looked for first that may be there already: twice as many, since
/// sessions go on.
const NEW_BYTES: u64 = 2 * LATE_BYTES;

/// The longest record.
const FRAME_BYTES_MAX: u64 = (FRAME_BYTES + PAYLOAD_BYTES_MAX) as u64;

/// Names looked at for drafts: far more than the folder has.
const NAMES_MAX: usize = 4_096;
/// Digits of a process's number, at most, and of a session's: by these their drafts are told apart.
const PROCESS_DIGITS_MAX: usize = 10;
const SESSION_DIGITS: usize = 16;
/// A session's draft is none that it still writes no sooner than this: sessions make a log without the lock.
const STRAY_AGE: Duration = Duration::from_secs(60 * 60);

/// The name of the former file while something may be left in it.
pub(crate) fn before(log: &Path) -> PathBuf {
    with_suffix(log, ".before")
}

/// The name under which whoever holds the lock writes what is to take the place of a file.
pub(crate) fn draft_of(path: &Path) -> PathBuf {
    with_suffix(path, &format!(".{}.new", std::process::id()))
}

/// Removes what those left who were killed while they wrote a log or its mirror anew: nobody else writes one, since the caller
/// holds the lock. Also, once it is old, what a session left that was killed while it made the log. All of that is the whole
/// history, where nobody looks for it.
pub(crate) fn clear_drafts(log: &Path) {
    let named = [log.to_owned(), path_of(log)].map(|path| path.file_name().map(OsStr::to_owned));
    let Some(folder) = log.parent() else { return };
    for entry in fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .take(NAMES_MAX)
    {
        let name = entry.file_name();
        let maker = named.iter().flatten().find_map(|named| {
            let rest = name.as_bytes().strip_prefix(named.as_bytes())?;
            rest.strip_prefix(b".")?.strip_suffix(b".new")
        });
        let Some(maker) = maker else { continue };
        let age = entry.metadata().and_then(|found| found.modified());
        let is_old = age.is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= STRAY_AGE));
        let is_stray = match maker.len() {
            1..=PROCESS_DIGITS_MAX => maker.iter().all(u8::is_ascii_digit),
            SESSION_DIGITS => is_old && maker.iter().all(u8::is_ascii_hexdigit),
            _ => false,
        };
        if is_stray {
            // Failing that, whoever takes the lock next tries again.
            let _stays = fs::remove_file(entry.path());
        }
    }
}

/// Carries over what is left in the former file of a log, if there is one, and takes its name away. The caller holds the
/// lock.
///
/// # Errors
/// The system's; it stays to be done.
pub(crate) fn adopt(log: &Path) -> io::Result<()> {
    let old = match Descriptor::open_to_read(&before(log)) {
        Ok(old) => old,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match Descriptor::open_to_read(log) {
        // Killed before the rename: there is only the name to take back, unless the mirror was renamed by then.
        Ok(new) if new.identity() == old.identity() && !finish_import(log)? => {
            return fs::remove_file(before(log));
        }
        Ok(_) => {}
        // It is all that is left of the log: whoever puts that back needs it.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let end = old.length()?;
    let from = end.saturating_sub(LATE_BYTES).max(FILE_HEADER_BYTES as u64);
    let mut late = Late {
        old,
        read_to: from.min(end),
        anywhere: true,
    };
    late.finish(log)
}

/// A file that had the log's name, and how far it is known to be in the log.
pub(crate) struct Late {
    old: Descriptor,
    read_to: u64,
    /// What is behind that may be anywhere in the log, and not only at its end.
    anywhere: bool,
}

impl Late {
    /// All of `old` up to `read_to` is in the log.
    pub(crate) fn new(old: Descriptor, read_to: u64) -> Self {
        Self {
            old,
            read_to,
            anywhere: false,
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        self.old.identity()
    }

    /// Carries over what there is, takes away the name `….log.before`, and carries over what was written until then.
    pub(crate) fn finish(&mut self, log: &Path) -> io::Result<()> {
        self.carry_over(log)?;
        match fs::remove_file(before(log)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // What was there last was written by somebody who saw that name, and relies on it.
        self.carry_over(log)
    }

    /// Appends to the log what was written into the former file since and is not there yet.
    pub(crate) fn carry_over(&mut self, log: &Path) -> io::Result<()> {
        let Some(end) = self.old.opened().map(|old| old.len()) else {
            return Ok(());
        };
        // The rest is left to the next call.
        let end = end.min(self.read_to + LATE_BYTES);
        if end <= self.read_to {
            return Ok(());
        }
        let missing = self.missing(log, end)?;
        let mut out = OpenOptions::new().append(true).open(log)?;
        if !missing.is_empty() && out.metadata()?.len() == 0 {
            // Emptied meanwhile: it begins as the former one did.
            let mut header: FileHeader = [0; FILE_HEADER_BYTES];
            self.old.read_at(&mut header, 0)?;
            out.write_all(&header)?;
        }
        let mut walk = Forward::new(&self.old, self.read_to, end);
        let mut buffer = Vec::new();
        while let Some(record) = walk.next() {
            if missing.contains(&number(&record.header)) {
                write_record(&mut buffer, &record.header, record.payload);
                out.write_all(&buffer)?;
            }
            // After a failure the next call goes on here.
            self.read_to = walk.position();
        }
        if !missing.is_empty() {
            // Their other place may lose its name next.
            out.sync_data()?;
        }
        // The last record may just be being written; more than that is none.
        self.read_to = self.read_to.max(end.saturating_sub(FRAME_BYTES_MAX));
        Ok(())
    }

    fn missing(&self, log: &Path, end: u64) -> io::Result<HashSet<u64>> {
        let mut missing = HashSet::new();
        let mut walk = Forward::new(&self.old, self.read_to, end);
        while let Some(record) = walk.next() {
            if !record.redacted {
                missing.insert(number(&record.header));
            }
        }
        let new = Descriptor::open_to_read(log)?;
        let (first, end) = (FILE_HEADER_BYTES as u64, new.length()?);
        let last = end.saturating_sub(NEW_BYTES).max(first);
        let stretches = [Some((last, end)), self.anywhere.then_some((first, last))];
        for (from, to) in stretches.into_iter().flatten() {
            let mut walk = Forward::new(&new, from, end);
            while !missing.is_empty()
                && walk.position() < to
                && let Some(record) = walk.next()
            {
                missing.remove(&number(&record.header));
            }
        }
        Ok(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::{Lock, Mirror};
    use std::time::SystemTime;

    #[test]
    fn drafts_of_the_killed_are_removed_by_who_takes_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        let long_ago = SystemTime::now() - 2 * STRAY_AGE;
        let names = [
            ("m.log", true, true),
            ("m.log.123.new", false, false),
            ("m.mirror.4194304.new", false, false),
            // Sessions that make the log, now and long ago.
            ("m.log.0123456789abcdef.new", false, true),
            ("m.log.1123456789abcdef.new", true, false),
            // Another machine's, and what is no draft.
            ("n.log.123.new", true, true),
            ("m.log.new", true, true),
            ("m.log.notes.new", true, true),
            ("m.list-0123456789abcdef.123-4.new", true, true),
        ];
        let make = || {
            for (name, is_old, _) in names {
                let file = fs::File::create(folder.path().join(name)).unwrap();
                if is_old {
                    file.set_modified(long_ago).unwrap();
                }
            }
        };
        let check = |by: &str| {
            for (name, _, stays) in names {
                assert_eq!(folder.path().join(name).exists(), stays, "{name} by {by}");
            }
        };
        make();
        drop(Lock::take(&log).unwrap());
        check("who rewrites");
        make();
        Mirror::new(&log).follow().unwrap();
        check("the worker");
    }
}
