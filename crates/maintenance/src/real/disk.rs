//! The engine's files on a real disk.
//!
//! File strategy: folders 0700, files 0600. Appending is one `write`; a short one is an error, and what it left is for
//! readers to step over. Replacing writes a draft of a name that no other process uses, makes it durable, and renames.
//! Descriptors are kept between calls and opened anew once their file has lost its name: another program may have
//! replaced it.
//!
//! Invariants:
//! - Whoever is guarded by a lock writes nothing once the lock has lost its name: another may act by then. The state
//!   folder is held open, so that what is written between that check and the call lands where the lock was, or nowhere.
//!   That is also why appending, which must cost microseconds, may look at the lock's inode instead of its path: see
//!   [`Watched::holds`].
//! - Making something durable never makes a file.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags};

pub(crate) use super::draft::{clear_strays, create_folder, put, read_small, replace};
use super::guard::{Guard, Watched};
use super::{Places, draft};
use crate::world::{Disk, File};

/// Bytes of a file that is read; a longer one is an error, since what is cut off would look like damage. A log is
/// rotated or rewritten long before.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Descriptors kept open: the state, the audit segment, the anchor.
const KEPT_MAX: usize = 4;

/// The folders, and the files in use.
pub struct RealDisk {
    maint: PathBuf,
    /// The state folder, opened when it was there; none for whoever only reads.
    folder: Option<OwnedFd>,
    anchor: PathBuf,
    key: PathBuf,
    writable: bool,
    guard: Option<Watched>,
    kept: Vec<(File, fs::File)>,
}

impl RealDisk {
    /// Opens the folders; `write` makes those that are missing.
    ///
    /// # Errors
    /// A folder cannot be made.
    pub fn open(places: &Places, write: bool) -> io::Result<Self> {
        let mut folder = None;
        if write {
            let folders = [
                Some(places.maint.as_path()),
                places.anchor.parent(),
                places.key.parent(),
            ];
            for made in folders.into_iter().flatten() {
                create_folder(made)?;
                clear_strays(made);
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            folder = Some(rustix::fs::open(&places.maint, flags, Mode::empty())?);
        }
        Ok(Self {
            maint: places.maint.clone(),
            folder,
            anchor: places.anchor.clone(),
            key: places.key.clone(),
            writable: write,
            guard: None,
            kept: Vec::new(),
        })
    }

    /// Writes from now on only while that lock is in place.
    pub(crate) fn guard(&mut self, guard: Guard) {
        self.guard = Some(Watched::new(guard));
    }

    /// Where a file is: a folder that is open, and the name from there.
    fn place(&self, file: File) -> (BorrowedFd<'_>, PathBuf) {
        let name = match file {
            File::Anchor => return (CWD, self.anchor.clone()),
            File::Key => return (CWD, self.key.clone()),
            File::KeyAside => return (CWD, self.key.with_extension("key.unusable")),
            File::State => "state.log".to_owned(),
            File::StateAside => "state.log.newer".to_owned(),
            File::Audit(segment) => audit_name(segment),
            File::Stopped => "stopped".to_owned(),
        };
        match &self.folder {
            Some(folder) => (folder.as_fd(), name.into()),
            None => (CWD, self.maint.join(name)),
        }
    }

    /// The folder of a file outside the state folder, which may vanish by itself.
    fn own_folder(&self, file: File) -> Option<&Path> {
        match file {
            File::Anchor => self.anchor.parent(),
            File::Key | File::KeyAside => self.key.parent(),
            _ => None,
        }
    }

    /// Whether anything may be written.
    ///
    /// # Errors
    /// It is open for reading only, or the lock that guards it is gone.
    pub(crate) fn refuse_unless_writable(&self) -> io::Result<()> {
        self.refuse_unless(|watched| watched.guard.is_in_place())
    }

    fn refuse_unless(&self, holds: impl Fn(&Watched) -> bool) -> io::Result<()> {
        if !self.writable {
            return Err(io::Error::new(
                ErrorKind::ReadOnlyFilesystem,
                "opened for reading only",
            ));
        }
        match self.guard.as_ref().is_none_or(holds) {
            true => Ok(()),
            false => Err(io::Error::new(
                ErrorKind::NotFound,
                "the worker's lock is gone, and with it the right to write",
            )),
        }
    }

    /// The file, open for writing; appended to, except for the anchor. `make` makes one that is not there.
    fn open_file(&mut self, file: File, make: bool) -> io::Result<&fs::File> {
        match file {
            File::State | File::Audit(_) => self.refuse_unless(Watched::holds)?,
            // Outside the folder that is held open.
            _ => self.refuse_unless_writable()?,
        }
        let kept = self.kept.iter().position(|(kept, _)| *kept == file);
        if let Some(at) = kept {
            if is_named(&self.kept[at].1) {
                return Ok(&self.kept[at].1);
            }
            self.kept.swap_remove(at);
        }
        let mut flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        flags.set(OFlags::APPEND, file != File::Anchor);
        flags.set(OFlags::CREATE, make);
        let (folder, name) = self.place(file);
        let open = || rustix::fs::openat(folder, &name, flags, Mode::RUSR | Mode::WUSR);
        let opened = match (open(), self.own_folder(file)) {
            // Folders vanish: a removed home, a cleaner.
            (Err(rustix::io::Errno::NOENT), Some(folder)) if make => {
                create_folder(folder)?;
                open()?
            }
            (other, _) => other?,
        };
        if self.kept.len() >= KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push((file, opened.into()));
        let at = self.kept.len() - 1;
        Ok(&self.kept[at].1)
    }

    /// Makes ready for a draft of a file.
    fn prepare(&mut self, file: File) -> io::Result<()> {
        self.refuse_unless_writable()?;
        self.kept.retain(|(kept, _)| *kept != file);
        self.own_folder(file).map_or(Ok(()), create_folder)
    }
}

/// Whether an open file has a name.
///
/// Nothing but that is asked: a kernel from 6.13 on that has told when a file was changed has to note the next change with
/// a time of its own, which makes the append behind this look cost half as much again.
fn is_named(open: &fs::File) -> bool {
    let asked = rustix::fs::statx(open, "", AtFlags::EMPTY_PATH, StatxFlags::NLINK);
    match asked {
        Ok(found) if found.stx_mask & StatxFlags::NLINK.bits() != 0 => found.stx_nlink > 0,
        _ => open.metadata().is_ok_and(|found| found.nlink() > 0),
    }
}

/// The name of a segment of the audit log.
pub fn audit_name(segment: u32) -> String {
    format!("audit-{segment:08}.log")
}

fn segment_of(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("audit-")?.strip_suffix(".log")?;
    (digits.len() == 8).then(|| digits.parse().ok()).flatten()
}

impl Disk for RealDisk {
    fn read(&mut self, file: File) -> io::Result<Option<Vec<u8>>> {
        let (folder, name) = self.place(file);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = match rustix::fs::openat(folder, &name, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            other => fs::File::from(other?),
        };
        if !opened.metadata()?.is_file() {
            return Err(io::Error::other(format!("{} is no file", name.display())));
        }
        let mut bytes = Vec::new();
        opened.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(io::Error::new(
                ErrorKind::FileTooLarge,
                format!("{} is longer than {BYTES_MAX} bytes", name.display()),
            ));
        }
        Ok(Some(bytes))
    }

    fn append(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        let mut open = self.open_file(file, true)?;
        let written = open.write(bytes)?;
        match written == bytes.len() {
            true => Ok(()),
            false => Err(io::Error::new(
                ErrorKind::StorageFull,
                format!("only {written} of {} bytes were written", bytes.len()),
            )),
        }
    }

    fn replace(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        self.prepare(file)?;
        let (folder, name) = self.place(file);
        replace(folder, &name, bytes)
    }

    fn create(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        self.prepare(file)?;
        let (folder, name) = self.place(file);
        draft::create(folder, &name, bytes)
    }

    fn write_at(&mut self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.open_file(file, true)?.write_all_at(bytes, offset)
    }

    fn remove(&mut self, file: File) -> io::Result<()> {
        self.refuse_unless_writable()?;
        self.kept.retain(|(kept, _)| *kept != file);
        let (folder, name) = self.place(file);
        match rustix::fs::unlinkat(folder, &name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn audit_segments(&mut self) -> io::Result<Vec<u32>> {
        let entries = match fs::read_dir(&self.maint) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut segments = Vec::new();
        for entry in entries {
            segments.extend(entry?.file_name().to_str().and_then(segment_of));
        }
        segments.sort_unstable();
        Ok(segments)
    }

    fn sync(&mut self, file: File) -> io::Result<()> {
        self.open_file(file, false)?.sync_data()
    }
}
