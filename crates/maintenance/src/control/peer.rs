//! Who is at the other end of a connection, by the kernel's word.

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::io;
use std::os::fd::AsFd;

/// The process that connected, as it was at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The process; 0 if it is in a PID namespace that cannot be seen from here.
    pub pid: u32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

impl Peer {
    /// Asks the kernel.
    ///
    /// Not through `rustix`, whose process ids cannot be 0: a container that shares the runtime folder connects with
    /// that one.
    pub(super) fn of(socket: impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(&socket.as_fd(), PeerCredentials)?;
        Ok(Self {
            pid: u32::try_from(credentials.pid()).unwrap_or(0),
            uid: credentials.uid(),
            gid: credentials.gid(),
        })
    }
}
