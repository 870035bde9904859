//! The wake socket: how another process says "look again" to a session that sleeps at its prompt.
//!
//! File: `<runtime>/sessions/<id>.wake`, a datagram socket, 0600, removed at a clean exit. What is sent does not matter.
//!
//! Invariants: the descriptor is out of scripts' way, looked at before each use, and neither used nor closed once it is
//! somebody else's; whoever floods the socket delays no key and costs ten wakes a second at most: [`IN_A_ROW`] wakes are
//! heard at once, and then one each [`EVERY_NS`]. What is sent in between is heard then, so that nobody has to press a key
//! for it.

use libc::c_int;
use std::ffi::c_char;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the name of every wake socket ends in.
pub(crate) const EXTENSION: &str = "wake";
/// The descriptors looked for first, the highest that is free and that `ulimit -n` allows: above the flight file's 219
/// and the history log's 221, below bash's own 255; the others for low limits, as the log has them.
const DESCRIPTORS_FIRST: [c_int; 3] = [222, 62, 22];
/// Datagrams taken at one wake. The kernel queues ten for a socket, unless told otherwise.
const DRAINED_MAX: usize = 64;
/// A wake in so long is heard for ever: ten a second cost nothing.
const EVERY_NS: u64 = 100_000_000;
/// Wakes heard at once after a rest: a worker that changes its mind twice sends three.
const IN_A_ROW: u64 = 5;
/// The longest rest that counts.
const REST_NS_MAX: u64 = IN_A_ROW * EVERY_NS;

/// The socket, if there is one.
#[derive(Default)]
pub(crate) struct Wake {
    bound: Option<Bound>,
    /// From when on a wake may be heard again, had it not rested. Each wake takes [`EVERY_NS`] of the rest before it, and
    /// of [`REST_NS_MAX`] at most.
    due_at: u64,
}

struct Bound {
    fd: RawFd,
    /// Device and inode of the socket, and of its name.
    socket: (u64, u64),
    name: (u64, u64),
    path: PathBuf,
}

impl Wake {
    /// Makes sure that there is a socket at `path`.
    ///
    /// # Errors
    /// The system's; a path too long for a socket. Then the session looks only at its prompts.
    pub(crate) fn register(&mut self, path: &Path) -> io::Result<()> {
        if self
            .bound
            .as_ref()
            .is_some_and(|bound| bound.path == path && bound.is_ours() && bound.has_its_name())
        {
            return Ok(());
        }
        self.remove();
        self.bound = Some(Bound::at(path)?);
        Ok(())
    }

    /// The descriptor to wait for, −1 for none.
    pub(crate) fn fd(&self) -> RawFd {
        let bound = self.bound.as_ref();
        bound.filter(|bound| bound.is_ours()).map_or(-1, |bound| bound.fd)
    }

    /// How long it is to be left alone yet, in nanoseconds; none if it is heard. `now` is asked only after a wake.
    pub(crate) fn rests_for(&mut self, now: impl Fn() -> u64) -> Option<u64> {
        if self.due_at == 0 {
            return None;
        }
        let left = self.due_at.saturating_sub(now());
        if left == 0 {
            // All of the rest is over: until the next wake there is nothing to ask.
            self.due_at = 0;
        }
        left.checked_sub(REST_NS_MAX - EVERY_NS).filter(|left| *left > 0)
    }

    /// Takes what was sent.
    pub(crate) fn drain(&mut self, now: u64) {
        self.due_at = self.due_at.max(now) + EVERY_NS;
        let Some(bound) = &self.bound else { return };
        let mut byte = 0u8;
        for _ in 0..DRAINED_MAX {
            // SAFETY: one byte into one byte; of a longer datagram the rest is dropped.
            let n = unsafe { libc::recv(bound.fd, (&raw mut byte).cast(), 1, libc::MSG_DONTWAIT) };
            if n < 0 {
                break;
            }
        }
    }

    /// A key or a prompt came: wakes are heard again at once.
    pub(crate) fn rested(&mut self) {
        self.due_at = 0;
    }

    /// Removes the socket and its name, as far as they are still this session's.
    pub(crate) fn remove(&mut self) {
        if let Some(bound) = self.bound.take() {
            if bound.has_its_name() {
                let _left_as_dead = std::fs::remove_file(&bound.path);
            }
            if bound.is_ours() {
                // SAFETY: a descriptor of ours.
                unsafe { libc::close(bound.fd) };
            }
        }
    }
}

impl Bound {
    fn at(path: &Path) -> io::Result<Self> {
        let address = address(path)?;
        // SAFETY: makes a descriptor from numbers.
        let fd = unsafe {
            libc::socket(
                libc::AF_UNIX,
                libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
                0,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = move_high(fd);
        named(fd, &address, path).inspect_err(|_| {
            // SAFETY: a descriptor of ours.
            unsafe { libc::close(fd) };
        })
    }

    fn is_ours(&self) -> bool {
        identity(self.fd).is_ok_and(|found| found == self.socket)
    }

    fn has_its_name(&self) -> bool {
        name_identity(&self.path).is_ok_and(|found| found == self.name)
    }
}

/// Gives the socket its name.
fn named(fd: RawFd, address: &libc::sockaddr_un, path: &Path) -> io::Result<Bound> {
    let bytes = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: a descriptor of ours; the name gets the mode that the socket has, so there is no moment at which others
    // may send.
    if unsafe { libc::fchmod(fd, 0o600) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the address is a whole sockaddr_un and outlives the call.
    let bind = || unsafe { libc::bind(fd, std::ptr::from_ref(address).cast(), bytes) };
    if bind() != 0 {
        let error = io::Error::last_os_error();
        // The name has this session's number: what is there is this session's own, from before a script took its
        // descriptor.
        if error.raw_os_error() != Some(libc::EADDRINUSE) {
            return Err(error);
        }
        std::fs::remove_file(path)?;
        if bind() != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(Bound {
        fd,
        socket: identity(fd)?,
        name: name_identity(path)?,
        path: path.to_owned(),
    })
}

fn address(path: &Path) -> io::Result<libc::sockaddr_un> {
    // SAFETY: zero is a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    // One byte is left for the nul.
    if bytes.len() >= address.sun_path.len() || bytes.contains(&0) {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = from.cast_signed() as c_char;
    }
    Ok(address)
}

fn move_high(fd: RawFd) -> RawFd {
    // SAFETY: F_DUPFD_CLOEXEC takes a number and makes a new descriptor.
    let higher = |first: c_int| unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, first) };
    match DESCRIPTORS_FIRST.into_iter().map(higher).find(|high| *high >= 0) {
        Some(high) => {
            // SAFETY: a descriptor of ours, which the new one replaces.
            unsafe { libc::close(fd) };
            high
        }
        None => fd,
    }
}

/// Device and inode of what a descriptor is.
fn identity(fd: RawFd) -> io::Result<(u64, u64)> {
    // SAFETY: zero is a valid stat, and it outlives the call.
    let (result, found) = unsafe {
        let mut found: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &raw mut found), found)
    };
    match result {
        0 => Ok((found.st_dev, found.st_ino)),
        _ => Err(io::Error::last_os_error()),
    }
}

fn name_identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixDatagram;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("lusush-wake-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        folder
    }

    fn readable(fd: RawFd) -> bool {
        let mut poll = libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    }

    #[test]
    fn a_datagram_wakes_and_a_flood_wakes_ten_times_a_second() {
        let folder = folder("flood");
        let path = folder.join("a.wake");
        let mut wake = Wake::default();
        wake.register(&path).expect("it can be bound");
        let mode = std::fs::symlink_metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let sender = UnixDatagram::unbound().expect("a socket can be made");
        sender.set_nonblocking(true).expect("it can be set");
        let mut now = 1_000_000_000;
        // Sends without an end for so many milliseconds; gives how often that was heard.
        let mut flood = |wake: &mut Wake, ms: u64| {
            let mut heard = 0;
            for _ in 0..ms {
                while sender.send_to(b"look at me", &path).is_ok() {}
                if wake.rests_for(|| now).is_none() {
                    assert!(readable(wake.fd()));
                    wake.drain(now);
                    heard += 1;
                    assert!(!readable(wake.fd()), "drained");
                }
                now += 1_000_000;
            }
            heard
        };
        assert_eq!(flood(&mut wake, 100), IN_A_ROW);
        assert_eq!(flood(&mut wake, 1_000), 10);
        wake.rested();
        assert_eq!(flood(&mut wake, 50), IN_A_ROW, "a key came");
        // What was sent while it was left alone is heard without a key.
        let left = wake.rests_for(|| now).expect("it is left alone");
        assert!(left <= EVERY_NS);
        now += left;
        assert_eq!(wake.rests_for(|| now), None);
        assert!(readable(wake.fd()));
        now += REST_NS_MAX;
        let heard = std::iter::from_fn(|| wake.rests_for(|| now).is_none().then(|| wake.drain(now)));
        assert_eq!(
            heard.take(100).count() as u64,
            IN_A_ROW,
            "a rest makes up for all of it"
        );
        wake.remove();
        assert!(!path.exists());
        let _ = std::fs::remove_dir_all(&folder);
    }

    #[test]
    fn a_name_or_descriptor_that_is_lost_is_made_again() {
        let folder = folder("lost");
        let path = folder.join("a.wake");
        let mut wake = Wake::default();
        wake.register(&path).expect("it can be bound");
        let before = wake.fd();
        wake.register(&path).expect("it is bound");
        assert_eq!(wake.fd(), before);
        std::fs::remove_file(&path).expect("it was there");
        wake.register(&path).expect("it can be bound again");
        assert!(path.exists());
        // What a test has opened stands for what a script puts in the descriptor's place.
        let theirs = std::fs::File::open("/dev/null").expect("it can be opened");
        let fd = wake.fd();
        // SAFETY: both descriptors are this test's.
        unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&theirs), fd) };
        assert_eq!(wake.fd(), -1);
        wake.register(&path).expect("it can be bound again");
        assert!(wake.fd() >= 0 && wake.fd() != fd);
        assert!(identity(fd).is_ok(), "theirs is still open");
        // SAFETY: made by this test.
        unsafe { libc::close(fd) };
        wake.remove();
        let _ = std::fs::remove_dir_all(&folder);
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_an_error() {
        let mut wake = Wake::default();
        let long = PathBuf::from("/tmp").join("x".repeat(104));
        assert!(wake.register(&long).is_err());
        assert_eq!(wake.fd(), -1);
    }
}
