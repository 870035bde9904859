//! The socket's place in the file system.
//!
//! Invariants:
//! - Nothing is removed but a socket of this user that nobody listens on, and at the end the one that was made here.
//! - The folder is this user's alone when the socket is made, so whatever is there was put there by this user.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Longest path of a socket, in bytes: the kernel's 108 end with a NUL.
pub const PATH_BYTES_MAX: usize = 107;
/// Clients that may wait to be let in; more wait in `connect`.
const BACKLOG: i32 = 1024;
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A socket that is listened on.
#[derive(Debug)]
pub(super) struct Bound {
    listener: OwnedFd,
    path: PathBuf,
    made: (u64, u64),
}

impl Bound {
    /// Makes the socket and listens. Of two who do so at once one may lose its path; the worker's lock decides
    /// between workers, not this.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let address = address(path)?;
        check_folder(path)?;
        clear(path, &address)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::bind(&listener, &address)?;
        // Until it is listened on, nobody can connect: there is no moment at which it is open to others.
        rustix::fs::chmod(path, PRIVATE)?;
        let stat = look(path)?;
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            made: (stat.st_dev, stat.st_ino),
        })
    }

    /// The path still leads to this socket.
    pub(super) fn is_there(&self) -> bool {
        look(&self.path).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == self.made)
    }

    pub(super) fn accept(&self) -> rustix::io::Result<OwnedFd> {
        rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
    }
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if self.is_there() {
            // What stays is stale, and the next to bind removes it.
            let _ = rustix::fs::unlink(&self.path);
        }
    }
}

/// The address of the socket at `path`.
pub(super) fn address(path: &Path) -> io::Result<SocketAddrUnix> {
    let bytes = path.as_os_str().len();
    if bytes > PATH_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "{}: {bytes} bytes, and the path of a socket is at most {PATH_BYTES_MAX}",
                path.display()
            ),
        ));
    }
    Ok(SocketAddrUnix::new(path)?)
}

fn look(path: &Path) -> rustix::io::Result<Stat> {
    rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
}

fn check_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .ok_or_else(|| refused(path, "is in no folder that could be looked at"))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, folder, flags, Mode::empty())
        .map_err(|error| named(folder, io::Error::from(error)))?;
    let stat = rustix::fs::fstat(&opened)?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(refused(folder, "belongs to another user"));
    }
    if Mode::from_raw_mode(stat.st_mode).intersects(Mode::RWXG | Mode::RWXO) {
        return Err(refused(folder, "is open to other users: it must be 0700"));
    }
    Ok(())
}

/// Removes what a server that is gone has left.
fn clear(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    let stat = match look(path) {
        Err(Errno::NOENT) => return Ok(()),
        found => found?,
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        let error = format!("{} is there and is no socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, error));
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(refused(path, "belongs to another user"));
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let probe = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&probe, address) {
        Err(Errno::CONNREFUSED) => Ok(rustix::fs::unlink(path)?),
        Err(Errno::NOENT) => Ok(()),
        // Also if its backlog is full: then somebody is listening all the more.
        Ok(()) | Err(Errno::AGAIN) => {
            let error = format!("{}: somebody is listening there", path.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, error))
        }
        Err(error) => Err(named(path, error.into())),
    }
}

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{} {why}", path.display()),
    )
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
