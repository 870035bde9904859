//! An earlier state of a log comes back into the log that is here.
//!
//! ```text
//!  here     │ a │ b' │     │ d │ typed since │        b' is b, taken out
//!  earlier  │ a │ b  │ c   │ d │
//!  then     │ a │ b' │ c   │ d │ typed since │        what is there already is not touched: [`lacks`] says 1, and 1 stays out
//! ```
//!
//! Invariant: every record of the log that is here stays as it is. One that was taken out on purpose stays so, whatever
//! the earlier state has: records are told by their numbers, which taking out leaves.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use super::{RewriteError, merge, write_anew};
use crate::OpenError;
use crate::descriptor::Identity;
use crate::header::FILE_HEADER_BYTES;
use crate::history::{History, Reading};
use crate::leftovers;
use crate::mirror::{Lock, Mirror, number, write_record};
use crate::walk::Forward;

/// Records that only the log has, held in memory while its mirror is put back: as many as elsewhere.
const NEW_RECORDS_MAX: usize = 64 * 1024;

/// How a log stands to an earlier state of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// Records that only the earlier state has.
    pub missing: u64,
    /// Records that the earlier state has, and that were taken out here.
    pub taken_out: u64,
}

/// Compares a log with an earlier state of it. A log that is not there lacks all.
///
/// # Errors
/// One of the two is no log of ours, or cannot be read.
pub fn lacks(log: &Path, earlier: &Path) -> Result<Lacks, OpenError> {
    let earlier = History::read(earlier)?;
    let own = match History::read(log) {
        Ok(own) => Some(own),
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(error),
    };
    let (missing, taken_out) = compared(own.as_ref(), &earlier);
    Ok(Lacks {
        missing: missing.len() as u64,
        taken_out,
    })
}

fn is_absent(error: &OpenError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == ErrorKind::NotFound) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The numbers that only the earlier state has, and how many of its records were taken out here.
fn compared(own: Option<&Reading>, earlier: &Reading) -> (HashSet<u64>, u64) {
    let mut there = HashMap::new();
    if let Some(own) = own {
        let mut walk = all_of(own);
        while let Some(record) = walk.next() {
            there.insert(number(&record.header), record.redacted);
        }
    }
    let (mut missing, mut taken_out) = (HashSet::new(), 0);
    let mut walk = all_of(earlier);
    while let Some(record) = walk.next() {
        match there.get(&number(&record.header)) {
            // What was taken out before says nothing.
            _ if record.redacted => {}
            Some(is_out) => taken_out += u64::from(*is_out),
            None => {
                missing.insert(number(&record.header));
            }
        }
    }
    (missing, taken_out)
}

fn all_of(log: &Reading) -> Forward<'_> {
    Forward::new(log.descriptor(), log.floor(), log.version().1)
}

/// Brings what only an earlier state of a log has back into it, each record where it was by its time; what only the
/// mirror still has comes back first. Doing it twice is doing it once.
///
/// # Errors
/// The log has every record that it had.
pub fn bring_back(log: &Path, lock: &Lock, earlier: &Path) -> Result<Lacks, RewriteError> {
    leftovers::adopt(log)?;
    let mut mirror = Mirror::new(log);
    if mirror.has_more().or_else(|error| match error.kind() {
        // Without a log, the mirror has all there is.
        ErrorKind::NotFound => mirror.path().try_exists(),
        _ => Err(error),
    })? {
        mirror.restore(lock, NEW_RECORDS_MAX)?;
    }
    let lacked = lacks(log, earlier)?;
    if lacked.missing == 0 {
        return Ok(lacked);
    }
    let own = match History::read(log) {
        Ok(own) => Some(own),
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(error.into()),
    };
    let Some(own) =
        own.filter(|own| own.floor() == FILE_HEADER_BYTES as u64 && own.version().1 > own.floor())
    else {
        // It has no beginning behind which something could be put.
        merge(log, lock, earlier)?;
        return Ok(lacked);
    };
    let earlier = History::read(earlier)?;
    let (missing, _) = compared(Some(&own), &earlier);
    write_anew(log, |source, out| {
        if Identity::of(&source.metadata()?) != own.descriptor().identity() {
            return Err(io::Error::other("another program replaced the log meanwhile"));
        }
        interleave(&own, source, &earlier, &missing, out)
    })?;
    Ok(lacked)
}

/// Writes all of a log, and between its records those that it lacks; gives how many bytes of it that were.
fn interleave(
    own: &Reading,
    source: &mut File,
    earlier: &Reading,
    missing: &HashSet<u64>,
    out: &mut dyn Write,
) -> io::Result<u64> {
    let mut theirs = all_of(earlier);
    let mut lacked = Vec::new();
    let mut next = || -> Option<(i64, Vec<u8>)> {
        while let Some(record) = theirs.next() {
            if !record.redacted && missing.contains(&number(&record.header)) {
                write_record(&mut lacked, &record.header, record.payload);
                return Some((record.header.time_ns, lacked.clone()));
            }
        }
        None
    };
    let (mut first, mut copied) = (next(), 0);
    let mut copy_to = |out: &mut dyn Write, at: u64| -> io::Result<()> {
        let more = at.saturating_sub(FILE_HEADER_BYTES as u64 + copied);
        copied += io::copy(&mut Read::take(&mut *source, more), out)?;
        Ok(())
    };
    let mut walk = all_of(own);
    while let Some(record) = walk.next() {
        let (at, time_ns) = (record.at, record.header.time_ns);
        while let Some((_, bytes)) = first.take_if(|(theirs_ns, _)| *theirs_ns < time_ns) {
            copy_to(out, at)?;
            out.write_all(&bytes)?;
            first = next();
        }
    }
    copy_to(out, walk.position())?;
    while let Some((_, bytes)) = first {
        out.write_all(&bytes)?;
        first = next();
    }
    copy_to(out, u64::MAX)?;
    Ok(copied)
}
