//! How far the start has come, in a page that the next start reads if this one never reaches a prompt.
//!
//! The format is [`lle_core::start::trace`]'s. What is written is written to mapped memory: it outlives `kill -9`.
//!
//! Invariants: without room on the disk there is no page, and no signal either; a forked child writes nothing; a command
//! costs a few reads and one store, a look at bash's arrays only where another file goes on.

use super::Attribution;
use crate::file_size::as_error;
use libc::{c_int, c_void};
use lle_core::start::trace::{self, BYTES, FILES_MAX, NAME, NAME_BYTES_MAX, Stage, header, offset};
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The page of this start.
pub(super) struct Page {
    at: *mut u8,
    /// How deep files source one another, when the file was looked up last.
    level: c_int,
    /// Its number, from 1; 0 if it is none of the user's, such as the script that loads LLE.
    file: usize,
    names: Vec<PathBuf>,
    used: usize,
    /// The status was [`BAD_SYNTAX`] at the last look.
    bad_syntax: bool,
    /// The first guarded file that bash gave up for a syntax error, and the line it was at.
    unparsed: Option<(PathBuf, u32)>,
}

/// What bash sets the status to while it says that a text is no command: `EX_BADSYNTAX` in its `shell.h`. No command ends with it.
const BAD_SYNTAX: c_int = 257;

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nothing else refers to it.
        unsafe { libc::munmap(self.at.cast::<c_void>(), BYTES) };
    }
}

impl Page {
    /// Maps the page of the start whose record is in `dir`; none if that cannot be.
    pub(super) fn open(dir: &Path) -> Option<Self> {
        // A record is named after when its start began.
        let began_ns = dir.file_name()?.to_str()?.split('-').next()?.parse().ok()?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(dir.join(NAME))
            .ok()?;
        // SAFETY: plain system calls on an open descriptor. The blocks are allocated before they are mapped, or a full
        // disk would end the shell with SIGBUS.
        let at = unsafe {
            let allocate = || libc::posix_fallocate(file.as_raw_fd(), 0, BYTES as libc::off_t);
            if as_error(allocate) != 0 {
                return None;
            }
            libc::mmap(
                std::ptr::null_mut(),
                BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return None;
        }
        let page = Self {
            at: at.cast(),
            level: -1,
            file: 0,
            names: Vec::new(),
            used: 0,
            bad_syntax: false,
            unparsed: None,
        };
        page.write(0, &header(began_ns));
        Some(page)
    }

    /// Copies bytes into the page, as far as it goes.
    fn write(&self, at: usize, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(BYTES.saturating_sub(at))];
        // SAFETY: it is `BYTES` long and mapped as long as `self` lives; this process alone writes to it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at.add(at), bytes.len()) };
    }

    fn place(&self, line: c_int) {
        let place = (self.file as u64) << 32 | u64::from(line.unsigned_abs());
        // SAFETY: it is mapped at a page's boundary, and the offset is a multiple of eight within it.
        let at = unsafe { AtomicU64::from_ptr(self.at.add(offset::PLACE).cast()) };
        at.store(place.to_le(), Ordering::Release);
    }

    fn number(&self, at: usize, value: u32) {
        // SAFETY: as above, and a multiple of four.
        let number = unsafe { AtomicU32::from_ptr(self.at.add(at).cast()) };
        number.store(value.to_le(), Ordering::Release);
    }

    /// The number of a file, which is named if there is room.
    fn file(&mut self, path: &[u8]) -> usize {
        let path = absolute(path);
        if let Some(known) = self.names.iter().position(|name| *name == path) {
            return known + 1;
        }
        let name = path.as_os_str().as_bytes();
        let end = offset::NAMES + self.used + 2 + name.len();
        if self.names.len() == FILES_MAX || name.len() > NAME_BYTES_MAX || end > BYTES {
            return 0;
        }
        self.write(offset::NAMES + self.used, &(name.len() as u16).to_le_bytes());
        self.write(offset::NAMES + self.used + 2, name);
        self.used += 2 + name.len();
        self.names.push(path);
        self.number(offset::USED, self.used as u32);
        self.number(offset::FILES, self.names.len() as u32);
        self.names.len()
    }

    pub(super) fn unparsed(&self) -> Option<(PathBuf, u32)> {
        self.unparsed.clone()
    }

    pub(super) fn ready(&self) {
        self.number(offset::READY, 1);
    }

    /// The shell is about to become another program.
    pub(super) fn replaced(&self) {
        self.number(offset::STAGE, Stage::Replaced as u32);
    }

    /// The file and the line of the last command that ended.
    pub(super) fn came_to(&self) -> Option<(PathBuf, u32)> {
        // SAFETY: as in `place`.
        let at = unsafe { AtomicU64::from_ptr(self.at.add(offset::PLACE).cast()) };
        let place = u64::from_le(at.load(Ordering::Relaxed));
        let file = ((place >> 32) as usize).checked_sub(1)?;
        Some((self.names.get(file)?.clone(), place as u32))
    }

    /// Whose page it is, and where its stage is said; it stays mapped for good.
    pub(super) fn into_stage(self) -> (&'static AtomicU64, &'static AtomicU32) {
        let page = std::mem::ManuallyDrop::new(self);
        // SAFETY: as in `place` and `number`, and it is never unmapped.
        unsafe {
            (
                AtomicU64::from_ptr(page.at.add(offset::BEGAN).cast()),
                AtomicU32::from_ptr(page.at.add(offset::STAGE).cast()),
            )
        }
    }
}

/// The path of a file that `source` was asked for: the same however it was asked for, as far as no link is followed.
fn absolute(path: &[u8]) -> PathBuf {
    let path = Path::new(OsStr::from_bytes(path));
    let path = match path.is_absolute() {
        true => path.to_owned(),
        false => std::env::current_dir().unwrap_or_default().join(path),
    };
    // This leaves out each `.` already.
    let plain: PathBuf = path.components().collect();
    let goes_up = plain.components().any(|part| part == Component::ParentDir);
    let folder = plain
        .parent()
        .filter(|_| goes_up)
        .and_then(|folder| folder.canonicalize().ok());
    match (folder, plain.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => plain,
    }
}

impl Attribution {
    /// Bash may have met a syntax error: it looks `PIPESTATUS` up then, too. It reads no further in that file, and goes on
    /// with the one that sources it. After an `eval` that is no command a file goes on.
    pub(super) fn note_unparsed(&mut self) {
        // SAFETY: a plain read of bash's own number.
        let bad_syntax = unsafe { *self.bash.last_status } == BAD_SYNTAX;
        let Some(page) = self.page.as_mut() else { return };
        // It stays that until the builtin that read the text has ended, and then it looks like one of the file around it.
        let was_bad = std::mem::replace(&mut page.bad_syntax, bad_syntax);
        let is_known = was_bad || page.unparsed.is_some();
        if !bad_syntax || is_known || self.bash.flag(self.bash.subshell_environment) {
            return;
        }
        let line = self.bash.number(self.bash.parsed_line).unsigned_abs();
        let file = self.frames(c"BASH_SOURCE").and_then(|files| files.at(0));
        let Some(file) = file.filter(|file| Some(*file) == self.parsed() && !super::start::is_launcher(file))
        else {
            return;
        };
        let home = self.bash.variable(c"HOME").unwrap_or_default();
        let Some(page) = self.page.as_mut() else { return };
        let path = absolute(file);
        if trace::is_guarded(&path, Path::new(OsStr::from_bytes(home))) {
            // None of its commands may have ended: it is named here at the latest.
            page.file(file);
            page.unparsed = Some((path, line));
        }
    }

    /// What bash parses: a file's name as it was asked for, or the name of a builtin such as `eval`.
    fn parsed(&self) -> Option<&'static [u8]> {
        // SAFETY: bash's own record of it, laid out as in the table of `abi`; its name is null or nul-terminated.
        let name = unsafe { (*self.bash.input?).name };
        // SAFETY: as above, and not kept beyond this look at it.
        let name = (!name.is_null()).then(|| unsafe { crate::readline::text(name) });
        name.filter(|name| !name.is_empty())
    }

    /// A command outside functions has ended.
    pub(super) fn note_place(&mut self) {
        if self.page.is_none() || self.bash.flag(self.bash.subshell_environment) {
            return;
        }
        let level = self.bash.number(self.bash.source_level);
        let line = self.line();
        let Some(page) = self.page.as_ref() else { return };
        if page.level != level {
            let file = self.frames(c"BASH_SOURCE").and_then(|files| files.at(0));
            let file = file.filter(|file| !file.is_empty() && !super::start::is_launcher(file));
            let Some(page) = self.page.as_mut() else { return };
            page.level = level;
            page.file = file.map_or(0, |file| page.file(file));
        }
        if let Some(page) = self.page.as_ref().filter(|page| page.file > 0) {
            page.place(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_core::start::trace;

    #[test]
    fn what_is_noted_is_read_by_the_next_start() {
        let dir = std::env::temp_dir()
            .join(format!("lle-page-{}", std::process::id()))
            .join("0042-7");
        std::fs::create_dir_all(&dir).unwrap();
        let read = || trace::read(&std::fs::read(dir.join(NAME)).unwrap(), 42).unwrap();
        for round in 0..2 {
            // A record is used again: nothing of the former start is left.
            let mut page = Page::open(&dir).unwrap();
            assert_eq!(read(), trace::Trace::default(), "round {round}");
            page.file = page.file(b"/h/.bashrc");
            page.place(3);
            assert_eq!(read().place, Some((0, 3)));
            page.file = page.file(b"/h/aliases");
            page.place(1);
            page.file = page.file(b"/h/.bashrc");
            page.place(4);
            page.ready();
            assert_eq!(page.came_to(), Some((PathBuf::from("/h/.bashrc"), 4)));
            page.replaced();
            let read = read();
            assert_eq!(read.stage, Stage::Replaced);
            assert_eq!(
                (read.place, read.files.len(), read.ready),
                (Some((0, 4)), 2, true)
            );
            for n in 0..2 * FILES_MAX {
                page.file(format!("/{}{n}", "d".repeat(100)).as_bytes());
            }
            assert_eq!(page.file(b"/one/more"), 0, "there is no room");
            assert_eq!(files(&dir).len(), FILES_MAX);
        }
        assert!(
            Page::open(dir.parent().unwrap()).is_none(),
            "no record of a start"
        );
        std::fs::remove_dir_all(dir.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_file_has_one_name_however_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let file = folder.join("aliases");
        for asked in ["aliases", "./aliases", ".//aliases", "../{}/aliases"] {
            let asked = asked.replace("{}", folder.file_name().unwrap().to_str().unwrap());
            assert_eq!(
                absolute(folder.join(&asked).as_os_str().as_bytes()),
                file,
                "{asked}"
            );
        }
        assert_eq!(absolute(b"./x"), std::env::current_dir().unwrap().join("x"));
    }

    fn files(dir: &Path) -> Vec<Vec<u8>> {
        trace::read(&std::fs::read(dir.join(NAME)).unwrap(), 42)
            .unwrap()
            .files
    }
}
