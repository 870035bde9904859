//! Writes a log anew with more in it: what was imported comes before everything, what another log has comes behind, and
//! what an earlier state of the same log has comes where it was by its time ([`back`]).
//!
//! ```text
//!  log ▸ draft │ header │ imported │ all else │        mirror ▸ the same, first; then the log, by rename
//!  killed before the mirror's rename: nothing happened       after it: whoever has the lock next finishes it
//! ```
//!
//! Invariant: every record of the log and of its mirror is in the new ones: a log that has lost some is not written anew.
//! What sessions wrote meanwhile is carried over; until that is done the former file has the name `….log.before`, and
//! [`crate::leftovers`] finishes what was killed in between.

pub mod back;
mod finish;
mod taken_out;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::OpenError;
use crate::event::Event;
use crate::file::{give_name, sync_folder_of};
use crate::formats::Entry;
use crate::frame;
use crate::header::FILE_HEADER_BYTES;
use crate::history::History;
use crate::leftovers;
use crate::mirror::{Lock, Mirror, RestoreError, number, path_of, write_record};
use crate::walk::Forward;
use finish::begins_as_its_mirror;
pub(crate) use finish::finish_import;
use taken_out::TakenOut;

const SECOND_NS: i64 = 1_000_000_000;

/// What came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Entries or records that are new.
    pub added: u64,
    /// Those that were there already.
    pub known: u64,
    /// Entries that were left out, since they were taken out of the log on purpose.
    pub taken_out: u64,
    /// Something was taken out of the log on purpose: what comes in may have it in other words.
    pub was_scrubbed: bool,
}

/// Why nothing came in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// The log cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Written anew, the mirror would lose what only it has.
    #[error("the mirror has commands that the log has lost")]
    Lost,
    /// The mirror has what the log has lost, and it could not be put back.
    #[error(transparent)]
    Mirror(#[from] RestoreError),
    /// It cannot be written.
    #[error("the log cannot be written anew")]
    Io(#[from] io::Error),
}

/// Puts the entries before everything that the log has, but for those that it has already: as many of the same second and
/// text as it has are passed over, and of those without a time all whose text it has at any time. Importing twice is importing
/// once. What was taken out of the log stays out.
///
/// `importer` is a random number, not 0, by which these records are known.
///
/// # Errors
/// The log is as it was. If it has lost something that its mirror still has, that comes first: it is put back, or given up
/// with [`Mirror::accept`].
pub fn import(log: &Path, _lock: &Lock, importer: u64, entries: &[Entry]) -> Result<Added, RewriteError> {
    leftovers::adopt(log)?;
    if Mirror::new(log).has_more()? {
        return Err(RewriteError::Lost);
    }
    let history = History::open(log, importer, 0, None)?.history;
    let mut there: HashMap<u64, u64> = HashMap::new();
    let is_any_untimed = entries.iter().any(|entry| entry.time_ns == 0);
    let mut texts: HashSet<u64> = HashSet::new();
    for command in history.commands() {
        if is_any_untimed {
            texts.insert(said(0, &command.command));
        }
        *there.entry(said(command.time_ns, &command.command)).or_default() += 1;
    }
    let taken_out = TakenOut::of(&history);
    let mut added = Added {
        was_scrubbed: !taken_out.is_empty(),
        ..Added::default()
    };
    let new: Vec<&Entry> = entries
        .iter()
        .filter(|entry| {
            let left = there.entry(said(entry.time_ns, &entry.command)).or_default();
            // What bash wrote of a session that the log has, too, has no time in bash's file.
            let is_typed = entry.time_ns == 0 && texts.contains(&said(0, &entry.command));
            let is_known = *left > 0 || is_typed;
            *left = left.saturating_sub(1);
            let is_out = !is_known && !taken_out.is_empty() && taken_out.has(entry);
            added.known += u64::from(is_known);
            added.taken_out += u64::from(is_out);
            !is_known && !is_out
        })
        .collect();
    drop(history);
    added.added = new.len() as u64;
    if new.is_empty() {
        return Ok(added);
    }
    write_anew(log, |source, out| {
        write_entries(out, importer, &new)?;
        io::copy(source, out)
    })?;
    Ok(added)
}

/// Writes entries as records. Of those that say how they ran, all of it, as a session's that has ended.
fn write_entries(out: &mut dyn Write, importer: u64, entries: &[&Entry]) -> io::Result<()> {
    let (mut record, mut sequence) = (Vec::new(), 0);
    let mut write = |time_ns: i64, event: Event<'_>| {
        record.clear();
        sequence += 1;
        frame::encode(&mut record, event.kind(), sequence, importer, time_ns, |out| {
            event.write(out);
        });
        out.write_all(&record).map(|()| sequence)
    };
    for entry in entries {
        let command = &entry.command[..];
        let Some(ran) = &entry.ran else {
            write(entry.time_ns, Event::Imported { command })?;
            continue;
        };
        let of = write(
            entry.time_ns,
            Event::Started {
                cwd: &ran.cwd,
                command,
            },
        )?;
        if let Some((status, duration_ns)) = ran.end {
            let ended_ns = entry.time_ns.saturating_add_unsigned(duration_ns);
            write(
                ended_ns,
                Event::Finished {
                    of,
                    status,
                    duration_ns,
                },
            )?;
        }
    }
    if let Some(last) = entries.iter().rev().find(|entry| entry.ran.is_some()) {
        // No session takes them for what one that was killed had not written to bash's file.
        write(last.time_ns, Event::Ended)?;
    }
    Ok(())
}

/// Brings the records of another log in, behind those of `log`, which is made if there is none. Merging twice is merging
/// once.
///
/// # Errors
/// The log is as it was, or has some of the records.
pub fn merge(log: &Path, lock: &Lock, other: &Path) -> Result<Added, RewriteError> {
    // Looks whether it is a log, too.
    let other = History::read(other)?;
    let mut added = Added::default();
    if other.version().1 == 0 {
        return Ok(added);
    }
    if !log.exists() {
        // Under the name of the log that the lock is of: by that it is found if this is killed.
        let draft = leftovers::draft_of(lock.log());
        let made = begin_with(&other, &draft, &mut added).and_then(|()| {
            let is_ours = give_name(&draft, log)?;
            sync_folder_of(log)?;
            Ok(is_ours)
        });
        let _stray = fs::remove_file(&draft);
        if made? {
            return Ok(added);
        }
        // Somebody else made it meanwhile.
        added = Added::default();
    }
    let own = History::read(log)?;
    let mut there = HashSet::new();
    let mut walk = Forward::new(own.descriptor(), own.floor(), own.version().1);
    while let Some(record) = walk.next() {
        there.insert(number(&record.header));
    }
    let file = OpenOptions::new().append(true).open(log)?;
    let mut out = BufWriter::new(&file);
    if own.version().1 == 0 {
        out.write_all(other.beginning())?;
    }
    append_all(&other, &mut out, |number| !there.contains(&number), &mut added)?;
    out.flush()?;
    file.sync_data()?;
    Ok(added)
}

/// Writes a log with all records of another one.
fn begin_with(other: &History, draft: &Path, added: &mut Added) -> io::Result<()> {
    let file = new_file(draft)?;
    let mut out = BufWriter::new(&file);
    out.write_all(other.beginning())?;
    append_all(other, &mut out, |_| true, added)?;
    out.flush()?;
    file.sync_data()
}

fn append_all(
    from: &History,
    out: &mut impl Write,
    wanted: impl Fn(u64) -> bool,
    added: &mut Added,
) -> io::Result<()> {
    let mut record = Vec::new();
    let mut walk = Forward::new(from.descriptor(), from.floor(), from.version().1);
    while let Some(found) = walk.next() {
        if found.redacted {
            continue;
        }
        if wanted(number(&found.header)) {
            write_record(&mut record, &found.header, found.payload);
            out.write_all(&record)?;
            added.added += 1;
        } else {
            added.known += 1;
        }
    }
    Ok(())
}

/// A command by its second and its text.
fn said(time_ns: i64, command: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (time_ns.div_euclid(SECOND_NS), command).hash(&mut hasher);
    hasher.finish()
}

/// Writes the log anew, its mirror too: behind the header what `fill` writes, which copies all the rest of the former one
/// into it and says how many bytes that was.
fn write_anew(
    log: &Path,
    fill: impl FnOnce(&mut File, &mut dyn Write) -> io::Result<u64>,
) -> Result<(), RewriteError> {
    let draft = leftovers::draft_of(log);
    let mirror = path_of(log);
    let mirror_draft = leftovers::draft_of(&mirror);
    let before = leftovers::before(log);
    let written = (|| -> Result<(), RewriteError> {
        let file = new_file(&draft)?;
        let mut out = BufWriter::new(&file);
        let mut source = File::open(log)?;
        io::copy(
            &mut io::Read::take(&mut source, FILE_HEADER_BYTES as u64),
            &mut out,
        )?;
        let copied = fill(&mut source, &mut out)?;
        // Whoever cut it since it was compared has cut what was copied, too.
        if FILE_HEADER_BYTES as u64 + copied < fs::metadata(&mirror).map_or(0, |mirror| mirror.len()) {
            return Err(RewriteError::Lost);
        }
        out.flush()?;
        file.sync_data()?;
        let copy = new_file(&mirror_draft)?;
        io::copy(&mut File::open(&draft)?, &mut &copy)?;
        copy.sync_data()?;
        fs::hard_link(log, &before)?;
        // The name that tells of this is durable before what it tells of: a power cut leaves what a kill leaves.
        sync_folder_of(log)?;
        Ok(fs::rename(&mirror_draft, &mirror)?)
    })();
    if let Err(error) = written {
        let _stray = fs::remove_file(&draft);
        let _stray = fs::remove_file(&mirror_draft);
        return Err(error);
    }
    // The mirror has it: from here on it is finished, by whoever adopts what was left, if not by this.
    let renamed = sync_folder_of(log).and_then(|()| fs::rename(&draft, log));
    if renamed.is_err() {
        let _stray = fs::remove_file(&draft);
    }
    sync_folder_of(log)?;
    leftovers::adopt(log)?;
    match renamed {
        // Whoever cut the log since keeps it from being finished.
        Err(error) if !begins_as_its_mirror(log)? => Err(error.into()),
        _ => Ok(()),
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}
