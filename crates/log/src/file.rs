//! The file that holds a log: created by one of many, appended to by all, read by anyone.
//!
//! On disk:
//! - Created whole under a temporary name and hard-linked to its own: nobody ever sees half a log, and of
//!   several creators exactly one wins. What the creator fills in (the import) is there from the first moment.
//! - Appended to by one `write(2)` a record, `O_APPEND`, without a lock. What a failed write leaves behind is
//!   stepped over by readers; the next append is whole again.
//! - Folder 0700, file 0600. Nothing is made durable here: the worker does that, once a second.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::descriptor::{Descriptor, Identity};
use crate::header::{Beginning, FILE_HEADER_BYTES, FILE_VERSION, FileHeader, LogKind, header};
use crate::{frame, walk};

/// How far to look for a record in a file whose header is damaged: one longest record and some.
const RECOGNISE_BYTES: u64 = 2 * frame::PAYLOAD_BYTES_MAX as u64;
/// Bytes of the record buffer kept between appends: every command but a pasted script fits.
const RECORD_BYTES_KEPT: usize = 16 * 1024;
/// Interrupted writes in a row before giving up; only a network file system interrupts even one.
const INTERRUPTIONS_MAX: usize = 8;
/// Bytes collected before a write while importing: a system call for some thousand commands.
const DRAFT_BUFFER_BYTES: usize = 64 * 1024;

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder of the log could not be made.
    #[error("cannot create the folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no log, and none could be made.
    #[error("cannot create the log {path}")]
    Create {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a log, but it cannot be read and written.
    #[error("cannot open the log {path}")]
    Open {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{path} is not a log of this kind")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The log was written by a later version.
    #[error("{path} has format {found}; this version reads formats up to {FILE_VERSION}")]
    Version {
        /// The log.
        path: PathBuf,
        /// Its format version.
        found: u32,
    },
}

/// Why a record was not written. The log stays usable: the next append is a whole record again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The payload is longer than [`PAYLOAD_BYTES_MAX`](crate::PAYLOAD_BYTES_MAX).
    #[error("{bytes} bytes are too long for one record")]
    TooLong {
        /// Length of the payload, in bytes.
        bytes: usize,
    },
    /// Only the start of the record reached the file.
    #[error("only {written} of {bytes} bytes were written: the disk is full, or a quota is used up")]
    Short {
        /// Bytes that reached the file.
        written: usize,
        /// Bytes of the record.
        bytes: usize,
    },
    /// The system refused.
    #[error("the log could not be written")]
    Write(#[from] io::Error),
}

/// Something that another program did to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// The file lost its end.
    Truncated {
        /// Bytes that are gone.
        lost_bytes: u64,
    },
    /// The name now belongs to another log, which is used from now on.
    Replaced,
    /// The name belongs to a log that begins as this one did when it was opened and is no shorter: somebody put back
    /// what was lost, or wrote it anew with more in it. It is used from now on.
    Restored,
    /// The name was gone. A new, empty log has it now: whoever deletes a history means it.
    Removed,
    /// The name belongs to something that is no log, or cannot be made again. Appends still go to the old,
    /// nameless file, and are lost when the last session ends.
    Lost,
}

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
    session: u64,
    sequence: u64,
    /// Changes whenever offsets remembered from before mean nothing any more.
    generation: u32,
    disturbance: Option<Disturbance>,
    record: Vec<u8>,
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
        let floor = recognise(&descriptor, path, kind, end)?;
        let log = Self {
            born: beginning_of(&descriptor),
            beginning: beginning_of(&descriptor),
            descriptor,
            path: path.to_owned(),
            kind,
            header,
            floor,
            end,
            session,
            sequence: 0,
            generation: 0,
            disturbance: None,
            record: Vec::new(),
        };
        Ok(OpenedFile { log, created })
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

    pub(crate) fn session(&self) -> u64 {
        self.session
    }

    pub(crate) fn take_disturbance(&mut self) -> Option<Disturbance> {
        self.disturbance.take()
    }

    /// Appends one record with one write, and returns its sequence number.
    pub(crate) fn append(
        &mut self,
        kind: u8,
        now_ns: i64,
        payload_bytes: usize,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<u64, AppendError> {
        if payload_bytes > frame::PAYLOAD_BYTES_MAX {
            return Err(AppendError::TooLong { bytes: payload_bytes });
        }
        // A number is spent even if the write fails: what reached the file may yet carry it.
        self.sequence += 1;
        self.record.clear();
        frame::encode(&mut self.record, kind, self.sequence, self.session, now_ns, fill);
        if self.descriptor.file().is_err() || !self.descriptor.is_named() {
            // The name is gone or another file's: what is written into the old one would be read by nobody.
            self.refresh()?;
        }
        let written = self
            .descriptor
            .file()
            .and_then(|file| write_once(&file, &self.record));
        let bytes = self.record.len();
        self.record.shrink_to(RECORD_BYTES_KEPT);
        let written = written?;
        if written < bytes {
            return Err(AppendError::Short { written, bytes });
        }
        self.end = self.descriptor.length().unwrap_or(self.end + bytes as u64);
        Ok(self.sequence)
    }

    /// Looks at the file again; true if there is more to read, or other things to read, than before.
    pub(crate) fn refresh(&mut self) -> io::Result<bool> {
        match std::fs::metadata(&self.path) {
            Ok(named) if Identity::of(&named) != self.descriptor.identity() => {
                return Ok(self.follow(Disturbance::Replaced));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = create(&self.path, &self.header, self.session, |_| Ok(())).is_ok();
                return Ok(self.follow(if made {
                    Disturbance::Removed
                } else {
                    Disturbance::Lost
                }));
            }
            // The same file; or the folder cannot be searched just now, and the open file still serves.
            Ok(_) | Err(_) => {}
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
            let floor = recognise(&descriptor, &self.path, self.kind, end).ok()?;
            Some((descriptor, floor, end))
        });
        let Some((descriptor, floor, end)) = reopened else {
            self.disturbance = Some(Disturbance::Lost);
            return false;
        };
        self.beginning = beginning_of(&descriptor);
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
    /// The state byte goes first: a reader in between sees a redacted record, never a damaged one.
    pub(crate) fn redact_at(&self, at: u64, payload_bytes: u32) -> io::Result<()> {
        // Not through our own descriptor: Linux lets no `pwrite` of an O_APPEND file choose its place.
        let file = OpenOptions::new().write(true).open(&self.path)?;
        if Identity::of(&file.metadata()?) != self.descriptor.identity() {
            return Err(io::Error::other("the log was replaced meanwhile"));
        }
        file.write_all_at(&[frame::REDACTED], at + frame::STATE_AT as u64)?;
        let fill = vec![frame::FILL; payload_bytes as usize];
        file.write_all_at(&fill, at + frame::HEADER_BYTES as u64)
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

/// Writes the file header into a log that is empty, and returns how long it is then.
fn begin_anew(descriptor: &Descriptor, header: &FileHeader) -> io::Result<u64> {
    (&*descriptor.file()?).write_all(header)?;
    descriptor.length()
}

fn create_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| OpenError::Folder {
            path: folder.to_owned(),
            source,
        })
}

/// Makes the log, or finds that another process was faster (`None`).
fn create<T>(
    path: &Path,
    header: &FileHeader,
    session: u64,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<Option<T>> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{session:016x}.new"));
    let draft = Draft(path.with_file_name(name));
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft.0)?;
    let mut out = io::BufWriter::with_capacity(DRAFT_BUFFER_BYTES, &file);
    out.write_all(header)?;
    let filled = fill(&mut out)?;
    out.flush()?;
    drop(out);
    match std::fs::hard_link(&draft.0, path) {
        Ok(()) => Ok(Some(filled)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        // A file system without links: the first to make the name copies into it. A reader may then see a
        // log that is still growing, which is what logs do.
        Err(_) => match OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(mut target) => {
                io::copy(&mut File::open(&draft.0)?, &mut target)?;
                Ok(Some(filled))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        },
    }
}

/// A temporary name, gone when dropped.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // What is left is a stray file that nobody reads.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The first bytes of a file, zeros where it is shorter.
fn beginning_of(descriptor: &Descriptor) -> FileHeader {
    let mut header = [0; FILE_HEADER_BYTES];
    // What cannot be read is like nothing else.
    let _shorter = descriptor.read_at(&mut header, 0);
    header
}

/// Says where the records of the file start, if it is a log of this kind.
///
/// A header that does not check is damage, not a reason to refuse, as long as the file begins like a log or
/// there is a record in it.
fn recognise(descriptor: &Descriptor, path: &Path, kind: LogKind, end: u64) -> Result<u64, OpenError> {
    let mut header = [0; FILE_HEADER_BYTES];
    let there = descriptor.read_at(&mut header, 0).unwrap_or(0);
    let foreign = || OpenError::Foreign {
        path: path.to_owned(),
    };
    let has_record = || {
        walk::Forward::new(descriptor, 0, end.min(RECOGNISE_BYTES))
            .next()
            .is_some()
    };
    match Beginning::of(&header[..there.min(FILE_HEADER_BYTES)], kind) {
        Beginning::Sound => Ok(FILE_HEADER_BYTES as u64),
        Beginning::Damaged => Ok(0),
        Beginning::Unknown if has_record() => Ok(0),
        Beginning::Unknown | Beginning::Other => Err(foreign()),
        Beginning::Version(found) => Err(OpenError::Version {
            path: path.to_owned(),
            found,
        }),
    }
}
