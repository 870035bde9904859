//! The file that holds a log: created by one of many, appended to by all, read by anyone.
//!
//! On disk:
//! - Created whole under a temporary name and hard-linked to its own: nobody ever sees half a log, and of
//!   several creators exactly one wins. What the creator fills in (the import) is there from the first moment.
//! - Appended to by one `write(2)` a record, `O_APPEND`, without a lock. What a failed write leaves behind is
//!   stepped over by readers; the next append is whole again. A file that is not the one at the log's path any more is not
//!   where the record ends, whatever other names it has. What could not be written waits in memory, within
//!   [`waiting::BYTES_MAX`], and goes before the next.
//! - Folder 0700, file 0600. Nothing is made durable here: the worker does that, once a second.

mod begun;
mod made;
mod outbox;
mod problem;
mod waiting;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::descriptor::{Descriptor, Identity};
use crate::header::{FILE_HEADER_BYTES, FileHeader, LogKind, header};
use crate::{frame, walk};
use begun::recognise;
use made::{begin_anew, create, create_folder};
pub(crate) use made::{give_name, sync_folder_of};
pub(crate) use outbox::Outbox;
pub use problem::{AppendError, Disturbance, OpenError};

/// Files in a row that are replaced while one record is written; two would be much.
const REPLACEMENTS_MAX: usize = 3;
/// How far from the end of the file a record is looked for that was just written: one longest, and what many sessions
/// write within milliseconds.
const NEWEST_BYTES: u64 = 2 * frame::PAYLOAD_BYTES_MAX as u64;
/// Interrupted writes in a row before giving up; only a network file system interrupts even one.
const INTERRUPTIONS_MAX: usize = 8;

/// A log open for reading and appending.
pub(crate) struct LogFile {
    descriptor: Descriptor,
    path: PathBuf,
    kind: LogKind,
    /// What this session writes if it has to begin the log anew.
    header: FileHeader,
    /// How the file began when it was opened: what tells a log that was put back from another log.
    born: FileHeader,
    /// How the file begins that has the name now.
    beginning: FileHeader,
    /// Where records start: after the header, or at once if the header is damaged.
    floor: u64,
    end: u64,
    /// Changes whenever offsets remembered from before mean nothing any more.
    generation: u32,
    disturbance: Option<Disturbance>,
    /// The name is nobody's, or leads to no log: what is written would be read by nobody.
    is_lost: bool,
    outbox: Outbox,
}

/// A log that was opened, and what `fill` returned if this call created it.
pub(crate) struct OpenedFile<T> {
    pub(crate) log: LogFile,
    pub(crate) created: Option<T>,
}

impl LogFile {
    /// Opens the log at `path`, or creates it with the records that `fill` writes.
    ///
    /// `session` is a random id, not zero, used by no one else: it names this writer and, if this call creates
    /// the log, the log.
    pub(crate) fn open<T>(
        path: &Path,
        kind: LogKind,
        session: u64,
        now_ns: i64,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<OpenedFile<T>, OpenError> {
        let header = header(kind, session, now_ns);
        let mut created = None;
        let descriptor = match Descriptor::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create_folder(path)?;
                created = create(path, &header, session, fill).map_err(|source| OpenError::Create {
                    path: path.to_owned(),
                    source,
                })?;
                Descriptor::open(path)
            }
            other => other,
        };
        let open_error = |source| OpenError::Open {
            path: path.to_owned(),
            source,
        };
        let descriptor = descriptor.map_err(open_error)?;
        let mut end = descriptor.length().map_err(open_error)?;
        if end == 0 {
            // Emptied by another program. Two sessions may both do this: the second header is then 64 bytes
            // of damage, stepped over.
            end = begin_anew(&descriptor, &header).map_err(open_error)?;
        }
        let (floor, beginning) = recognise(&descriptor, path, kind, end)?;
        let writer = (header, Outbox::new(session));
        let log = Self::of(descriptor, path, kind, writer, beginning, floor..end);
        Ok(OpenedFile { log, created })
    }

    /// Opens the log at `path`, which must be there, for nothing but reading: no byte of it is written.
    pub(crate) fn open_to_read(path: &Path, kind: LogKind) -> Result<Self, OpenError> {
        let open_error = |source| OpenError::Open {
            path: path.to_owned(),
            source,
        };
        let descriptor = Descriptor::open_to_read(path).map_err(open_error)?;
        let end = descriptor.length().map_err(open_error)?;
        // Emptied by another program, it is a log without records.
        let (floor, beginning) = match end {
            0 => (0, [0; FILE_HEADER_BYTES]),
            _ => recognise(&descriptor, path, kind, end)?,
        };
        let nobody = (header(kind, 0, 0), Outbox::new(0));
        Ok(Self::of(descriptor, path, kind, nobody, beginning, floor..end))
    }

    fn of(
        descriptor: Descriptor,
        path: &Path,
        kind: LogKind,
        (header, outbox): (FileHeader, Outbox),
        beginning: FileHeader,
        records: std::ops::Range<u64>,
    ) -> Self {
        Self {
            born: beginning,
            beginning,
            descriptor,
            path: path.to_owned(),
            kind,
            header,
            floor: records.start,
            end: records.end,
            generation: 0,
            disturbance: None,
            is_lost: false,
            outbox,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    pub(crate) fn beginning(&self) -> &FileHeader {
        &self.beginning
    }

    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(crate) fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    pub(crate) fn take_disturbance(&mut self) -> Option<Disturbance> {
        self.disturbance.take()
    }

    /// Appends one record with one write, behind those that wait, and returns its sequence number. What cannot be written
    /// waits, if there is room for it.
    pub(crate) fn append(
        &mut self,
        kind: u8,
        now_ns: i64,
        payload_bytes: usize,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<u64, AppendError> {
        self.outbox.prepare(kind, now_ns, payload_bytes, fill)?;
        let written = self
            .write_waiting()
            .and_then(|()| self.look())
            .and_then(|()| self.write());
        if let Err(error) = &written {
            self.outbox.keep(error);
        }
        self.outbox.put_away();
        written.map(|()| self.outbox.sequence)
    }

    /// Writes what waits, oldest first, until something of it cannot be written.
    pub(crate) fn write_waiting(&mut self) -> Result<(), AppendError> {
        while let Some(mut record) = self.outbox.waiting.take() {
            let written = self.look().and_then(|()| self.write_late(&record));
            if let Err(error) = written {
                record.failed(&error);
                self.outbox.waiting.put_back(record);
                return Err(error);
            }
            self.outbox.waiting.wrote(&record);
        }
        Ok(())
    }

    /// Writes a record that waited, or what is missing of one that the disk had room for a part of.
    ///
    /// If the part is still the end of the file, the rest goes behind it, and no damage is left. Somebody else may slip in
    /// between the look and the write: then the whole record follows, and the part is damage to be stepped over.
    fn write_late(&mut self, late: &waiting::Late) -> Result<(), AppendError> {
        let (part, rest) = late.bytes.split_at(late.written);
        if !part.is_empty() && self.ends_with(part)? {
            let file = self.descriptor.file()?;
            let written = write_once(&file, rest)?;
            drop(file);
            if written < rest.len() {
                return Err(AppendError::Short {
                    written: late.written + written,
                    bytes: late.bytes.len(),
                });
            }
            if self.ends_with(&late.bytes)? {
                if self.is_at_its_path(rest.len()) {
                    return Ok(());
                }
                self.look()?;
                return match self.has(late.sequence) {
                    true => Ok(()),
                    false => self.write_record(&late.bytes, late.sequence),
                };
            }
        }
        if late.is_whole() || (late.may_be_there && self.has(late.sequence)) {
            return Ok(());
        }
        self.write_record(&late.bytes, late.sequence)
    }

    fn ends_with(&self, bytes: &[u8]) -> io::Result<bool> {
        let Some(from) = self.descriptor.length()?.checked_sub(bytes.len() as u64) else {
            return Ok(false);
        };
        let mut end = vec![0; bytes.len()];
        Ok(self.descriptor.read_at(&mut end, from)? == bytes.len() && end == bytes)
    }

    /// Goes over to the file that has the name, if that is another one by now.
    fn look(&mut self) -> Result<(), AppendError> {
        if self.is_lost || self.descriptor.file().is_err() || !self.descriptor.is_named() {
            self.refresh()?;
        }
        match self.is_lost {
            true => Err(AppendError::Lost),
            false => Ok(()),
        }
    }

    /// Writes the record in the buffer into the file that was looked at, and if that is not the log any more, into the one
    /// that is.
    fn write(&mut self) -> Result<(), AppendError> {
        let record = std::mem::take(&mut self.outbox.record);
        let written = self.write_record(&record, self.outbox.sequence);
        self.outbox.record = record;
        written
    }

    fn write_record(&mut self, record: &[u8], sequence: u64) -> Result<(), AppendError> {
        let bytes = record.len();
        for _ in 0..REPLACEMENTS_MAX {
            let file = self.descriptor.file()?;
            let written = write_once(&file, record)?;
            drop(file);
            let before = self.descriptor.identity();
            if self.is_at_its_path(written) {
                return match written < bytes {
                    true => Err(AppendError::Short { written, bytes }),
                    false => Ok(()),
                };
            }
            self.look()?;
            if self.descriptor.identity() == before {
                break;
            }
            if self.has(sequence) {
                return Ok(());
            }
        }
        Err(AppendError::Lost)
    }

    /// Whether the file that so many bytes were just written into is still the log; takes down how long it is, if it is.
    ///
    /// Only its path tells: a file that lost that one may have others, which whoever copies a home by links gives it. What
    /// was written into it may have come too late for whoever replaced it to carry over ([`crate::leftovers`]).
    fn is_at_its_path(&mut self, written: usize) -> bool {
        match std::fs::metadata(&self.path) {
            Ok(named) if Identity::of(&named) == self.descriptor.identity() => {
                self.end = named.len();
                true
            }
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            // The folder cannot be searched just now, or is none: only what was opened can tell.
            Err(_) => {
                self.end += written as u64;
                let opened = self.descriptor.opened();
                opened.is_none_or(|opened| opened.nlink() > 0)
            }
        }
    }

    /// Whether a record of this session is at the end of the file: carried over by whoever replaced it.
    fn has(&self, sequence: u64) -> bool {
        let from = self.end.saturating_sub(NEWEST_BYTES).max(self.floor);
        let mut walk = walk::Forward::new(&self.descriptor, from, self.end);
        while let Some(record) = walk.next() {
            if (record.header.session, record.header.sequence) == (self.outbox.session(), sequence) {
                return true;
            }
        }
        false
    }

    /// Looks at the file again; true if there is more to read, or other things to read, than before.
    pub(crate) fn refresh(&mut self) -> io::Result<bool> {
        match std::fs::metadata(&self.path) {
            Ok(named) if Identity::of(&named) != self.descriptor.identity() => {
                return Ok(self.follow(Disturbance::Replaced));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Whoever removes the state folder means what is in it; what is typed from now on needs a place.
                let made = create_folder(&self.path).is_ok()
                    && create(&self.path, &self.header, self.outbox.session(), |_| Ok(())).is_ok();
                return Ok(self.follow(if made {
                    Disturbance::Removed
                } else {
                    Disturbance::Lost
                }));
            }
            // The same file; or the folder cannot be searched just now, and the open file still serves.
            Ok(_) | Err(_) => self.is_lost = false,
        }
        let length = self.descriptor.length()?;
        let changed = self.adopt_length(length);
        if length == 0 {
            self.end = begin_anew(&self.descriptor, &self.header)?;
            self.floor = FILE_HEADER_BYTES as u64;
            self.beginning = self.header;
        }
        Ok(changed)
    }

    fn adopt_length(&mut self, length: u64) -> bool {
        if length < self.end {
            self.disturbance = Some(Disturbance::Truncated {
                lost_bytes: self.end - length,
            });
            self.invalidate();
        }
        let changed = length != self.end;
        self.end = length;
        changed
    }

    /// Goes over to the file that has the name now.
    fn follow(&mut self, disturbance: Disturbance) -> bool {
        let reopened = Descriptor::open(&self.path).ok().and_then(|descriptor| {
            let end = descriptor.length().ok()?;
            let (floor, beginning) = recognise(&descriptor, &self.path, self.kind, end).ok()?;
            Some((descriptor, beginning, floor, end))
        });
        let Some((descriptor, beginning, floor, end)) = reopened else {
            if !std::mem::replace(&mut self.is_lost, true) {
                self.disturbance = Some(Disturbance::Lost);
            }
            return false;
        };
        self.is_lost = false;
        self.beginning = beginning;
        let restored = disturbance == Disturbance::Replaced && end >= self.end && self.beginning == self.born;
        if disturbance == Disturbance::Removed {
            self.born = self.beginning;
        }
        (self.descriptor, self.floor, self.end) = (descriptor, floor, end);
        self.invalidate();
        self.disturbance = Some(if restored {
            Disturbance::Restored
        } else {
            disturbance
        });
        true
    }

    /// Makes everyone who remembers what was read forget it.
    pub(crate) fn invalidate(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Overwrites the payload of the record at `at`, whose header the caller has read and checked.
    ///
    /// One write from the state byte on: a reader in between sees a redacted record, never a damaged one, and who is
    /// killed has written all of it or, if pages end within it, the state byte first.
    pub(crate) fn redact_at(&self, at: u64, payload_bytes: u32) -> io::Result<()> {
        // Not through our own descriptor: Linux lets no `pwrite` of an O_APPEND file choose its place.
        let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        if Identity::of(&file.metadata()?) != self.descriptor.identity() {
            return Err(io::Error::other("the log was replaced meanwhile"));
        }
        let from_state = frame::HEADER_BYTES - frame::STATE_AT;
        let mut bytes = vec![frame::FILL; from_state + payload_bytes as usize];
        let state_at = at + frame::STATE_AT as u64;
        file.read_exact_at(&mut bytes[..from_state], state_at)?;
        bytes[0] = frame::REDACTED;
        file.write_all_at(&bytes, state_at)
    }
}

fn write_once(mut file: &File, bytes: &[u8]) -> io::Result<usize> {
    let mut interruptions = 0;
    loop {
        match file.write(bytes) {
            // The kernel says so only if nothing was written.
            Err(error) if error.kind() == ErrorKind::Interrupted && interruptions < INTERRUPTIONS_MAX => {
                interruptions += 1;
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests;
