//! The engine's files on a real disk.
//!
//! File strategy: folders 0700, files 0600. Appending is one `write`; a short one is an error, and what it left is for
//! readers to step over. Replacing writes a temporary file, makes it durable, and renames. Descriptors are kept
//! between calls and opened anew once their file has lost its name: another program may have replaced it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Places;
use crate::engine::predict::watched::{DISK_FREE_BYTES, HISTORY_BYTES, STATE_BYTES};
use crate::world::{Disk, File};

/// Bytes of a file that are read. A log is rotated or rewritten long before.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a file that is read on the side.
const SMALL_BYTES_MAX: u64 = 256 * 1024;
/// Files of the worker's folder whose sizes are added up: there are some twenty.
const FILES_MAX: usize = 256;
/// Descriptors kept open: the state, the audit segment, the anchor.
const KEPT_MAX: usize = 4;

/// The folders, and the files in use.
pub struct RealDisk {
    maint: PathBuf,
    anchor: PathBuf,
    key: PathBuf,
    writable: bool,
    kept: Vec<(File, fs::File)>,
}

impl RealDisk {
    /// Opens the folders; `write` makes those that are missing.
    ///
    /// # Errors
    /// A folder cannot be made.
    pub fn open(places: &Places, write: bool) -> io::Result<Self> {
        if write {
            for folder in [
                Some(places.maint.as_path()),
                places.anchor.parent(),
                places.key.parent(),
            ] {
                folder.map_or(Ok(()), create_folder)?;
            }
        }
        Ok(Self {
            maint: places.maint.clone(),
            anchor: places.anchor.clone(),
            key: places.key.clone(),
            writable: write,
            kept: Vec::new(),
        })
    }

    fn path(&self, file: File) -> PathBuf {
        match file {
            File::State => self.maint.join("state.log"),
            File::Audit(segment) => self.maint.join(audit_name(segment)),
            File::Stopped => self.maint.join("stopped"),
            File::Anchor => self.anchor.clone(),
            File::Key => self.key.clone(),
        }
    }

    fn refuse_unless_writable(&self) -> io::Result<()> {
        match self.writable {
            true => Ok(()),
            false => Err(io::Error::new(
                ErrorKind::ReadOnlyFilesystem,
                "opened for reading only",
            )),
        }
    }

    /// The file, open for writing; appended to, except for the anchor.
    fn open_file(&mut self, file: File) -> io::Result<&fs::File> {
        self.refuse_unless_writable()?;
        let kept = self.kept.iter().position(|(kept, _)| *kept == file);
        let named = |open: &fs::File| open.metadata().is_ok_and(|found| found.nlink() > 0);
        if let Some(at) = kept {
            if named(&self.kept[at].1) {
                return Ok(&self.kept[at].1);
            }
            self.kept.swap_remove(at);
        }
        let path = self.path(file);
        let open = || {
            OpenOptions::new()
                .append(file != File::Anchor)
                .write(true)
                .create(true)
                .mode(0o600)
                .custom_flags(libc::O_NOFOLLOW)
                .open(&path)
        };
        let opened = match open() {
            // Folders vanish: a cleaned cache, a removed home.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), create_folder)?;
                open()?
            }
            other => other?,
        };
        if self.kept.len() >= KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push((file, opened));
        let at = self.kept.len() - 1;
        Ok(&self.kept[at].1)
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

/// Reads a file that anybody may have put there, if it is one of a sensible size.
pub(crate) fn read_small(path: &Path) -> Option<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let found = file.metadata().ok()?;
    let mut bytes = Vec::new();
    (found.is_file() && found.len() <= SMALL_BYTES_MAX).then_some(())?;
    file.take(SMALL_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Makes a folder and those it is in, for this user alone.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl Disk for RealDisk {
    fn read(&mut self, file: File) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(file);
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path);
        let opened = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        if !opened.metadata()?.is_file() {
            return Err(io::Error::other(format!("{} is no file", path.display())));
        }
        let mut bytes = Vec::new();
        opened.take(BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn append(&mut self, file: File, bytes: &[u8]) -> io::Result<()> {
        let mut open = self.open_file(file)?;
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
        self.refuse_unless_writable()?;
        let path = self.path(file);
        self.kept.retain(|(kept, _)| *kept != file);
        path.parent().map_or(Ok(()), create_folder)?;
        replace(&path, bytes)
    }

    fn write_at(&mut self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.open_file(file)?.write_all_at(bytes, offset)
    }

    fn remove(&mut self, file: File) -> io::Result<()> {
        self.refuse_unless_writable()?;
        self.kept.retain(|(kept, _)| *kept != file);
        match fs::remove_file(self.path(file)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
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
        self.open_file(file)?.sync_data()
    }
}

/// Puts a file in the place of another: readers see the old one or the new one, also after power loss.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let draft = path.with_file_name(name);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&draft)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&draft, path)
    })();
    if written.is_ok() {
        // The name, too. Failing that, a loss of power in the next seconds brings the old content back, whole.
        let _later = path.parent().map(|folder| fs::File::open(folder)?.sync_all());
    }
    if written.is_err() {
        // What stays is overwritten by the next attempt.
        let _stray = fs::remove_file(&draft);
    }
    written
}

/// Sizes on disk, for their forecasts; what cannot be told is left out.
pub(crate) fn sizes(places: &Places) -> Vec<(&'static str, f64)> {
    let mut sizes = Vec::new();
    if let Ok(known) = fs::metadata(&places.history) {
        sizes.push((HISTORY_BYTES, known.len() as f64));
    }
    if let Ok(entries) = fs::read_dir(&places.maint) {
        let of = |entry: fs::DirEntry| {
            entry
                .metadata()
                .ok()
                .filter(fs::Metadata::is_file)
                .map(|known| known.len())
        };
        let all: u64 = entries.flatten().take(FILES_MAX).filter_map(of).sum();
        sizes.push((STATE_BYTES, all as f64));
    }
    if let Ok(disk) = rustix::fs::statvfs(&places.maint) {
        sizes.push((DISK_FREE_BYTES, disk.f_bavail as f64 * disk.f_frsize as f64));
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(folder: &Path) -> RealDisk {
        let places = Places::below(
            &folder.join("s"),
            &folder.join("d"),
            &folder.join("c"),
            &folder.join("r"),
            "m",
        );
        RealDisk::open(&places, true).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = disk(folder.path());
        assert_eq!(disk.read(File::State).unwrap(), None);
        disk.append(File::State, b"one").unwrap();
        disk.append(File::State, b"two").unwrap();
        assert_eq!(disk.read(File::State).unwrap().unwrap(), b"onetwo");
        disk.replace(File::State, b"three").unwrap();
        disk.append(File::State, b"four").unwrap();
        assert_eq!(disk.read(File::State).unwrap().unwrap(), b"threefour");
        disk.write_at(File::Anchor, 4, b"xy").unwrap();
        disk.write_at(File::Anchor, 0, b"ab").unwrap();
        assert_eq!(disk.read(File::Anchor).unwrap().unwrap(), b"ab\0\0xy");
        disk.append(File::Audit(2), b"x").unwrap();
        disk.append(File::Audit(1), b"x").unwrap();
        assert_eq!(disk.audit_segments().unwrap(), [1, 2]);
        disk.remove(File::Audit(1)).unwrap();
        disk.remove(File::Audit(1)).unwrap();
        assert_eq!(disk.audit_segments().unwrap(), [2]);
    }

    #[test]
    fn a_file_that_was_replaced_by_another_program_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = disk(folder.path());
        disk.append(File::State, b"one").unwrap();
        fs::remove_file(disk.path(File::State)).unwrap();
        disk.append(File::State, b"two").unwrap();
        assert_eq!(disk.read(File::State).unwrap().unwrap(), b"two");
        fs::remove_dir_all(folder.path().join("s")).unwrap();
        disk.append(File::State, b"three").unwrap();
        assert_eq!(disk.read(File::State).unwrap().unwrap(), b"three");
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = disk(folder.path());
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, disk.path(File::State)).unwrap();
        assert!(disk.append(File::State, b"x").is_err());
        assert!(disk.read(File::State).is_err());
        disk.replace(File::State, b"ours").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}
