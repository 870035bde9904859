//! The table of calls: their numbers, what they are, and which file they are about.

use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use libc::{c_long, seccomp_data};

/// Bytes of a path.
const PATH_BYTES_MAX: usize = libc::PATH_MAX as usize;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Writes at the end or where the descriptor stands.
    Write,
    /// Writes at a place.
    WriteAt,
    /// Writes from several buffers, or from another file.
    Gather,
    /// Makes a file durable.
    Sync,
    /// Cuts a file, or makes it longer.
    Truncate,
    /// Takes room for a file.
    Allocate,
    /// Makes or empties a file.
    Make,
    /// Makes a folder.
    MakeFolder,
    /// Gives a file a further name.
    Link,
    /// Gives a file another name.
    Rename,
    /// Takes a name away.
    Remove,
}

impl Kind {
    /// Whether it needs room that a full disk does not have.
    pub(crate) const fn takes_room(self) -> bool {
        matches!(
            self,
            Kind::Write
                | Kind::WriteAt
                | Kind::Gather
                | Kind::Allocate
                | Kind::Make
                | Kind::MakeFolder
                | Kind::Link
        )
    }

    /// Whether half of it can be done.
    pub(crate) const fn is_plain_write(self) -> bool {
        matches!(self, Kind::Write | Kind::WriteAt)
    }
}

/// Calls that are stopped whatever their arguments say.
pub(crate) const ALWAYS: &[(c_long, Kind)] = &[
    (libc::SYS_write, Kind::Write),
    (libc::SYS_pwrite64, Kind::WriteAt),
    (libc::SYS_writev, Kind::Gather),
    (libc::SYS_pwritev, Kind::Gather),
    (libc::SYS_copy_file_range, Kind::Gather),
    (libc::SYS_sendfile, Kind::Gather),
    (libc::SYS_fsync, Kind::Sync),
    (libc::SYS_fdatasync, Kind::Sync),
    (libc::SYS_ftruncate, Kind::Truncate),
    (libc::SYS_fallocate, Kind::Allocate),
    (libc::SYS_mkdirat, Kind::MakeFolder),
    (libc::SYS_linkat, Kind::Link),
    (libc::SYS_renameat2, Kind::Rename),
    (libc::SYS_unlinkat, Kind::Remove),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, Kind::MakeFolder),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_link, Kind::Link),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, Kind::Rename),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_renameat, Kind::Rename),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, Kind::Remove),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rmdir, Kind::Remove),
];

/// Calls that are stopped if they make or empty a file, with the argument that says so.
pub(crate) const IF_MADE: &[(c_long, Kind, usize)] = &[
    (libc::SYS_openat, Kind::Make, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, Kind::Make, 1),
];

/// What a stopped call does, and to which file; none if that cannot be told: its process has ended.
pub(crate) fn read(thread: u32, data: &seccomp_data) -> Option<(Kind, PathBuf)> {
    let number = c_long::from(data.nr);
    let always = ALWAYS.iter().find(|(of, _)| *of == number).map(|(_, kind)| *kind);
    let made = || {
        let found = IF_MADE.iter().find(|(of, ..)| *of == number);
        found.map(|(_, kind, _)| *kind)
    };
    let kind = always.or_else(made)?;
    let place = Place {
        thread,
        args: &data.args,
    };
    let path = match number {
        libc::SYS_copy_file_range => place.descriptor(2),
        libc::SYS_mkdirat | libc::SYS_unlinkat | libc::SYS_openat => place.named(Some(0), 1),
        libc::SYS_linkat | libc::SYS_renameat2 => place.named(Some(2), 3),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_renameat => place.named(Some(2), 3),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mkdir | libc::SYS_unlink | libc::SYS_rmdir | libc::SYS_open => place.named(None, 0),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_link | libc::SYS_rename => place.named(None, 1),
        _ => place.descriptor(0),
    };
    Some((kind, path?))
}

/// Reads bytes of a process that stands still.
pub(crate) fn memory(thread: u32, at: u64, bytes: usize) -> Option<Vec<u8>> {
    let mut read = vec![0; bytes];
    let memory = File::open(format!("/proc/{thread}/mem")).ok()?;
    let length = memory.read_at(&mut read, at).ok()?;
    read.truncate(length);
    Some(read)
}

struct Place<'a> {
    thread: u32,
    args: &'a [u64; 6],
}

impl Place<'_> {
    fn link(&self, name: &str) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/{name}", self.thread)).ok()
    }

    fn descriptor(&self, argument: usize) -> Option<PathBuf> {
        self.link(&format!("fd/{}", self.args[argument] as i32))
    }

    fn named(&self, folder: Option<usize>, name: usize) -> Option<PathBuf> {
        let mut bytes = memory(self.thread, self.args[name], PATH_BYTES_MAX)?;
        let end = bytes.iter().position(|byte| *byte == 0)?;
        bytes.truncate(end);
        let name = PathBuf::from(std::ffi::OsString::from_vec(bytes));
        if name.is_absolute() {
            return Some(name);
        }
        let folder = folder.filter(|at| self.args[*at] as i32 != libc::AT_FDCWD);
        let folder = match folder {
            Some(at) => self.descriptor(at),
            None => self.link("cwd"),
        };
        Some(folder.as_deref().unwrap_or(Path::new("/")).join(name))
    }
}
