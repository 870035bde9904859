//! The bell: where a session says that somebody types again, after the worker took all of them for idle and sleeps for
//! long.
//!
//! File: `<runtime>/bell`, a datagram socket, 0600, removed at the end. What is sent does not matter.
//!
//! Invariant: whoever rings without end costs one look a second at the most: after each ring the bell is not listened to
//! for a while.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};

/// The name in the runtime folder; sessions know it too.
pub(crate) const NAME: &str = "bell";
/// Time after a ring for which the bell is not listened to, in nanoseconds.
const DEAF_NS: u64 = 1_000_000_000;
/// Datagrams taken at once. The kernel queues ten for a socket, unless told otherwise.
const DRAINED_MAX: usize = 64;

/// The socket.
pub(crate) struct Bell {
    socket: OwnedFd,
    path: PathBuf,
    /// Device and inode of its name.
    number: (u64, u64),
    /// When it is listened to again, on the monotonic clock.
    deaf_until: u64,
}

impl Bell {
    /// Hangs the bell up; one that an earlier worker left is taken down. For whoever holds the lock.
    ///
    /// # Errors
    /// The system's; a path too long for a socket. Then sessions are looked at when it is time to.
    pub(crate) fn hang(runtime: &Path) -> io::Result<Self> {
        let path = runtime.join(NAME);
        let address = SocketAddrUnix::new(&path)?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        // Before it has a name: there is no moment at which others may send.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        if fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(&path)?;
        }
        rustix::net::bind(&socket, &address)?;
        Ok(Self {
            number: number(&path)?,
            socket,
            path,
            deaf_until: 0,
        })
    }

    /// Whether it still has its name.
    pub(crate) fn hangs(&self) -> bool {
        number(&self.path).is_ok_and(|found| found == self.number)
    }

    /// What becomes readable when somebody rings; none while it is not listened to.
    pub(crate) fn wakes(&self, now_ns: u64) -> Option<BorrowedFd<'_>> {
        (now_ns >= self.deaf_until).then(|| self.socket.as_fd())
    }

    /// Whether somebody has rung since the last call.
    pub(crate) fn has_rung(&mut self, now_ns: u64) -> bool {
        if now_ns < self.deaf_until {
            return false;
        }
        let mut byte = [0; 1];
        let mut take = || rustix::net::recv(&self.socket, &mut byte, RecvFlags::DONTWAIT).is_ok();
        let rung = (0..DRAINED_MAX).take_while(|_| take()).count() > 0;
        if rung {
            self.deaf_until = now_ns.saturating_add(DEAF_NS);
        }
        rung
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if self.hangs() {
            let _left_and_replaced = fs::remove_file(&self.path);
        }
    }
}

fn number(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn it_is_heard_and_not_too_often() {
        let folder = tempfile::tempdir().unwrap();
        let mut bell = Bell::hang(folder.path()).unwrap();
        let path = folder.path().join(NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let ring = || {
            let socket = UnixDatagram::unbound().unwrap();
            socket.set_nonblocking(true).unwrap();
            socket.send_to(b"r", &path)
        };
        assert!(!bell.has_rung(1));
        ring().unwrap();
        assert!(bell.has_rung(1));
        // A flood fills the queue and is heard once a second.
        while ring().is_ok() {}
        assert!(!bell.has_rung(DEAF_NS) && bell.wakes(DEAF_NS).is_none());
        assert!(bell.has_rung(DEAF_NS + 1));
        assert!(!bell.has_rung(3 * DEAF_NS), "all of it was taken");
        // Another worker takes the name; the old one leaves it alone.
        let other = Bell::hang(folder.path()).unwrap();
        assert!(!bell.hangs() && other.hangs());
        drop(bell);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());
    }
}
