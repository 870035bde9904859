//! Puts back what another program took out of a log.
//!
//! The new file is the mirror and, behind it, every record that only the log has. It takes the log's name by rename:
//! killed before, nothing has changed; killed after, all is there. Sessions see the other file before they write again;
//! what was written between their look and the rename is carried over.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::compare;
use super::{Lock, Mirror, which, with_suffix};
use crate::descriptor::{Descriptor, Identity};
use crate::file::{give_name, sync_folder_of};
use crate::frame::{self, HEADER_BYTES, Header};
use crate::header::FILE_HEADER_BYTES;
use crate::leftovers::{self, Late};
use crate::walk::Forward;
use crate::window::{Toward, Window};

/// Rounds of following for which the former file is looked at: a session that had looked just before writes within
/// microseconds, one of an older version with its next command.
const LATE_ROUNDS: u32 = 600;

/// What restoring came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Bytes of the log that are back.
    pub bytes_back: u64,
    /// Records that only the damaged log had, which are kept.
    pub records_kept: u64,
    /// Bytes that were no record: the damaged log stays as `….found` for whoever wants to look.
    pub foreign_bytes: u64,
}

/// The file that is to have the log's name.
struct Made {
    draft: PathBuf,
    restored: Restored,
    /// The damaged one, as far as it was read.
    late: Option<Late>,
}

/// Why nothing was restored. The log is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// There is no mirror.
    #[error("there is no mirror to restore from")]
    NoMirror,
    /// The damaged log has more records of its own than may be held in memory here.
    #[error("the log has more than {most} records that the mirror has not")]
    TooMuchNew {
        /// How many may be held.
        most: usize,
    },
    /// The system refused.
    #[error("the log cannot be restored")]
    Io(#[from] io::Error),
}

impl Mirror {
    /// Puts back what the log has lost, and keeps what only it has, `records_max` records at most.
    ///
    /// # Errors
    /// The log is as it was.
    pub fn restore(&mut self, _lock: &Lock, records_max: usize) -> Result<Restored, RestoreError> {
        leftovers::adopt(&self.log)?;
        let made = self.make(records_max)?;
        let mut restored = self.put_in_place(made)?;
        // What was kept before anybody had answered is not back: it is what was typed since.
        if let Some(kept) = self.kept.take() {
            restored.bytes_back = restored.bytes_back.saturating_sub(kept.bytes);
            restored.records_kept += kept.records;
        }
        Ok(restored)
    }

    /// Makes the new file beside the log.
    fn make(&self, records_max: usize) -> Result<Made, RestoreError> {
        let mirror = match Descriptor::open_to_read(&self.mirror) {
            Ok(mirror) => mirror,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(RestoreError::NoMirror),
            Err(error) => return Err(error.into()),
        };
        let damaged = match Descriptor::open_to_read(&self.log) {
            Ok(damaged) => Some(damaged),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let draft = leftovers::draft_of(&self.log);
        match self.draft(&draft, &mirror, damaged.as_ref(), records_max) {
            Ok((restored, read_to)) => Ok(Made {
                draft,
                restored,
                late: damaged.map(|damaged| Late::new(damaged, read_to)),
            }),
            Err(error) => {
                let _stray = fs::remove_file(&draft);
                Err(error)
            }
        }
    }

    /// Gives it the log's name, whoever has that by now.
    fn put_in_place(&mut self, made: Made) -> io::Result<Restored> {
        let Made {
            draft,
            restored,
            mut late,
        } = made;
        if restored.foreign_bytes > 0 {
            let found = with_suffix(&self.log, ".found");
            let _none_before = fs::remove_file(&found);
            // Without a second name it goes with the last who has it open: it was no record of anything.
            let _unnamed = fs::hard_link(&self.log, &found);
        }
        // Killed from here on, what is written late is found by this name. If nobody had the log's name, somebody may have
        // begun it anew by now.
        let before = leftovers::before(&self.log);
        if late.is_none() && give_name(&draft, &self.log)? {
            let _stray = fs::remove_file(&draft);
        } else {
            // What an earlier rewrite left goes into the file that has the name now, and with that into the new one.
            leftovers::adopt(&self.log)?;
            let _unnamed = fs::hard_link(&self.log, &before);
            fs::rename(&draft, &self.log)?;
        }
        sync_folder_of(&self.log)?;
        if let Some(late) = &mut late {
            let had = fs::metadata(&before).map(|had| Identity::of(&had));
            match had.is_ok_and(|had| had == late.identity()) {
                true => late.finish(&self.log)?,
                false => late.carry_over(&self.log)?,
            }
        }
        // Of another file, that took the name after the damaged one was read.
        leftovers::adopt(&self.log)?;
        self.late = late.map(|late| Watched {
            late,
            rounds: LATE_ROUNDS,
        });
        self.seen = None;
        self.identity = Some(which(&fs::metadata(&self.log)?));
        Ok(restored)
    }

    /// Writes the new file, durable; says how far the damaged one was read.
    fn draft(
        &self,
        draft: &Path,
        mirror: &Descriptor,
        damaged: Option<&Descriptor>,
        records_max: usize,
    ) -> Result<(Restored, u64), RestoreError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(draft)?;
        let mirror_bytes = mirror.length()?;
        io::copy(&mut File::open(&self.mirror)?, &mut &file)?;
        let mut restored = Restored {
            bytes_back: mirror_bytes,
            records_kept: 0,
            foreign_bytes: 0,
        };
        let mut read_to = 0;
        if let Some(damaged) = damaged {
            let end = damaged.length()?;
            let common = {
                let (log, mirror) = (File::open(&self.log)?, File::open(&self.mirror)?);
                compare::common(&log, &mirror, end.min(mirror_bytes))?
            };
            restored.bytes_back = mirror_bytes - common;
            let from = compare::record_around(common);
            let only_here = only_in(damaged, from, end, mirror, from, records_max)?;
            let mut out = BufWriter::new(&file);
            let mut walk = Forward::new(damaged, from, end);
            let mut buffer = Vec::new();
            let mut before_first = None;
            while let Some(record) = walk.next() {
                let (header, payload, redacted) = (record.header, record.payload, record.redacted);
                let keeps = !redacted && only_here.contains(&number(&header));
                if keeps {
                    write_record(&mut buffer, &header, payload);
                    out.write_all(&buffer)?;
                    restored.records_kept += 1;
                }
                // Where the walk began is no boundary of a record, unless it is the first.
                before_first.get_or_insert(walk.damage().bytes);
            }
            out.flush()?;
            let header = FILE_HEADER_BYTES as u64;
            read_to = walk.position().max(from.min(end));
            let before_first = before_first.filter(|_| from > header).unwrap_or(0);
            let foreign = walk.damage().bytes - before_first + (end - read_to.min(end));
            restored.foreign_bytes = match common {
                // It does not even begin like a log.
                0 => foreign + from.min(end),
                // A second session that began the log anew at the same moment left a header between records.
                _ if foreign <= header => 0,
                _ => foreign,
            };
        }
        file.sync_all()?;
        Ok((restored, read_to))
    }
}

/// The records from `from` on that the mirror has not, which is looked through from `mirror_from` on.
pub(super) fn only_in(
    damaged: &Descriptor,
    from: u64,
    end: u64,
    mirror: &Descriptor,
    mirror_from: u64,
    records_max: usize,
) -> Result<HashSet<u64>, RestoreError> {
    let mirror_bytes = mirror.length()?;
    let mut only = HashSet::new();
    let mut walk = Forward::new(damaged, from, end);
    let mut window = Window::new();
    while let Some(record) = walk.next() {
        // What is at the same place in both need not be remembered: of a log that was rewritten in its middle, nearly all.
        if is_at(mirror, &mut window, record.at, mirror_bytes, &record.header) {
            continue;
        }
        if only.len() >= records_max {
            return Err(RestoreError::TooMuchNew { most: records_max });
        }
        only.insert(number(&record.header));
    }
    let mut walk = Forward::new(mirror, mirror_from, mirror_bytes);
    while !only.is_empty()
        && let Some(record) = walk.next()
    {
        only.remove(&number(&record.header));
    }
    Ok(only)
}

/// Whether the mirror has this record, whole, at this place.
fn is_at(mirror: &Descriptor, window: &mut Window, at: u64, end: u64, header: &Header) -> bool {
    let (payload, close) = (at + HEADER_BYTES as u64, at + header.frame_bytes() as u64);
    if close > end {
        return false;
    }
    let found = window.range(mirror, at, payload, Toward::End, end);
    if found.and_then(frame::decode).map(|found| number(&found)) != Some(number(header)) {
        return false;
    }
    let after = window.range(mirror, payload, close, Toward::End, end);
    after.is_some_and(|after| header.whole(after).is_some())
}

/// Tells a record from every other: who wrote it, its number there, when, and what it says.
pub(crate) fn number(header: &Header) -> u64 {
    let mut number = 0xcbf2_9ce4_8422_2325_u64;
    for part in [
        header.session,
        header.sequence,
        header.time_ns.cast_unsigned(),
        u64::from(header.payload_crc) << 8 | u64::from(header.kind),
    ] {
        // FNV-1a by words (Fowler, Noll, Vo), with a shift that brings high bits down: nobody gains by a collision.
        number = (number ^ part).wrapping_mul(0x0000_0100_0000_01b3);
        number ^= number >> 29;
    }
    number
}

/// Writes a record anew, with its closing length, which a cut may have taken.
pub(crate) fn write_record(out: &mut Vec<u8>, header: &Header, payload: &[u8]) {
    out.clear();
    frame::encode(
        out,
        header.kind,
        header.sequence,
        header.session,
        header.time_ns,
        |out| {
            out.extend_from_slice(payload);
        },
    );
}

/// The file that had the log's name: what is written into it late is carried over for some time.
pub(super) struct Watched {
    late: Late,
    rounds: u32,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Watched {{ rounds: {} }}", self.rounds)
    }
}

impl Watched {
    /// Carries over; false if nobody is expected to write any more.
    pub(super) fn carry_over(&mut self, log: &Path) -> io::Result<bool> {
        self.rounds = self.rounds.saturating_sub(1);
        self.late.carry_over(log)?;
        Ok(self.rounds > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::History;

    fn session(log: &Path, number: u64) -> History {
        History::open(log, number, 1, None).unwrap().history
    }

    fn commands(log: &Path) -> Vec<String> {
        let text = |command: crate::history::Command| String::from_utf8(command.command).unwrap();
        session(log, 99).commands().map(text).collect()
    }

    #[test]
    fn a_log_that_a_session_begins_while_the_lost_one_is_put_back_is_kept() {
        // Before, there may be a former file that nobody has looked at yet.
        for has_former in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let log = folder.path().join("m.log");
            session(&log, 1).started(1, b"/", b"mirrored").unwrap();
            let mut mirror = Mirror::new(&log);
            mirror.follow().unwrap();
            if has_former {
                fs::rename(&log, leftovers::before(&log)).unwrap();
                session(&leftovers::before(&log), 2)
                    .started(2, b"/", b"late")
                    .unwrap();
            } else {
                fs::remove_file(&log).unwrap();
            }
            let made = mirror.make(1_000).unwrap();
            session(&log, 3).started(3, b"/", b"meanwhile").unwrap();
            mirror.put_in_place(made).unwrap();
            let mut expected = vec!["mirrored", "meanwhile"];
            if has_former {
                expected.push("late");
            }
            let mut there = commands(&log);
            there.sort_by_key(|command| expected.iter().position(|text| text == command));
            assert_eq!(there, expected);
            assert!(!leftovers::before(&log).exists());
        }
    }

    #[test]
    fn a_restore_that_was_killed_is_finished_without_doing_anything_twice() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        let mut writer = session(&log, 1);
        // More than is looked at at the end of the log.
        for n in 0..120_u8 {
            writer.started(1, b"/", &[b'a' + n % 26; 64 * 1024]).unwrap();
        }
        let mut mirror = Mirror::new(&log);
        mirror.follow().unwrap();
        let cut = OpenOptions::new().write(true).open(&log).unwrap();
        cut.set_len(1024 * 1024).unwrap();
        writer.refresh().unwrap();
        writer.started(2, b"/", b"since").unwrap();
        let made = mirror.make(1_000).unwrap();
        fs::hard_link(&log, leftovers::before(&log)).unwrap();
        writer.started(3, b"/", b"late").unwrap();
        fs::rename(&made.draft, &log).unwrap();
        // Killed here.
        Mirror::new(&log).follow().unwrap();
        let there = commands(&log);
        assert_eq!(there.len(), 122);
        assert_eq!(there[120..], ["since", "late"]);
    }
}
