//! One client: the bytes that came and those that are to go.
//!
//! Invariant: nothing is read while a whole request or a part of a reply is waiting, so what a client makes the server
//! hold is at most one message and what came with its end, or one reply.

use super::message::MESSAGE_BYTES_MAX;
use super::peer::Peer;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Time for a message, from its first byte to its last.
pub const MESSAGE_NS: u64 = 5_000_000_000;
/// Time for a client to take a reply.
pub const REPLY_NS: u64 = 5_000_000_000;
/// Time for a client to say nothing, from one reply to the next message.
pub const IDLE_NS: u64 = 30_000_000_000;
/// Read at a time.
const READ_BYTES: usize = 16 * 1024;

/// The client has closed its side or the connection is broken: nothing can be sent.
#[derive(Debug)]
pub(super) struct Gone;

/// What a client is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Part of a reply waits to be taken, since then.
    Answering { since: u64 },
    /// A whole message waits to be answered.
    Asking,
    /// Part of a message has come, the first of it then.
    Sending { since: u64 },
    /// Nothing has come since then.
    Silent { since: u64 },
    /// Nothing more will come and nothing is to be sent.
    Finished,
}

#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    pub(super) peer: Peer,
    input: Vec<u8>,
    /// So many bytes of the input hold no NUL.
    scanned: usize,
    message_end: Option<usize>,
    message_since: Option<u64>,
    output: Vec<u8>,
    sent: usize,
    reply_since: u64,
    quiet_since: u64,
    /// The client will send no more, or will not be heard.
    ended: bool,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd, peer: Peer, now: u64) -> Self {
        Self {
            socket,
            peer,
            input: Vec::new(),
            scanned: 0,
            message_end: None,
            message_since: None,
            output: Vec::new(),
            sent: 0,
            reply_since: now,
            quiet_since: now,
            ended: false,
        }
    }

    pub(super) fn state(&self) -> State {
        if self.unsent_bytes() > 0 {
            State::Answering {
                since: self.reply_since,
            }
        } else if self.message_end.is_some() {
            State::Asking
        } else if self.ended {
            State::Finished
        } else if let Some(since) = self.message_since {
            State::Sending { since }
        } else {
            State::Silent {
                since: self.quiet_since,
            }
        }
    }

    /// The last time that something was finished: a reply taken, or the connection made.
    pub(super) fn quiet_since(&self) -> u64 {
        self.quiet_since
    }

    /// When the client is given up, if it does nothing until then.
    pub(super) fn deadline(&self) -> Option<u64> {
        match self.state() {
            State::Answering { since } => Some(since.saturating_add(REPLY_NS)),
            State::Asking | State::Finished => None,
            State::Sending { since } => Some(since.saturating_add(MESSAGE_NS)),
            State::Silent { since } => Some(since.saturating_add(IDLE_NS)),
        }
    }

    /// What to wait for.
    pub(super) fn interest(&self) -> PollFlags {
        match self.state() {
            State::Answering { .. } => PollFlags::OUT,
            State::Sending { .. } | State::Silent { .. } => PollFlags::IN,
            State::Asking | State::Finished => PollFlags::empty(),
        }
    }

    pub(super) fn unsent_bytes(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Sends what can be sent and reads once, if there is something to be read and nothing waits before it.
    pub(super) fn exchange(&mut self, now: u64) -> Result<(), Gone> {
        self.flush(now)?;
        if !matches!(self.state(), State::Sending { .. } | State::Silent { .. }) {
            return Ok(());
        }
        let mut chunk = [0; READ_BYTES];
        match rustix::io::read(&self.socket, &mut chunk) {
            Ok(0) => self.ended = true,
            // Descriptors sent along are closed by the kernel, since nobody asked for them.
            Ok(count) => {
                self.input.extend_from_slice(&chunk[..count]);
                self.scan(now);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return Err(Gone),
        }
        Ok(())
    }

    /// The message that is being sent is too long already.
    pub(super) fn is_overlong(&self) -> bool {
        self.message_end.unwrap_or(self.input.len()) > MESSAGE_BYTES_MAX
    }

    /// Takes the message that has come, without its NUL.
    pub(super) fn take_message(&mut self, now: u64) -> Option<Vec<u8>> {
        let end = self.message_end.take()?;
        let rest = self.input.split_off(end + 1);
        let mut message = std::mem::replace(&mut self.input, rest);
        message.pop();
        self.scanned = 0;
        self.quiet_since = now;
        self.scan(now);
        Some(message)
    }

    /// Sends a reply, as far as the client takes it.
    pub(super) fn send(&mut self, reply: Vec<u8>, now: u64) -> Result<(), Gone> {
        debug_assert_eq!(self.unsent_bytes(), 0);
        self.output = reply;
        self.sent = 0;
        self.reply_since = now;
        self.flush(now)
    }

    /// Hears no more of the client; what is to be sent still is.
    pub(super) fn stop_listening(&mut self) {
        self.input = Vec::new();
        self.message_end = None;
        self.message_since = None;
        self.ended = true;
    }

    fn scan(&mut self, now: u64) {
        self.message_end = self.input[self.scanned..]
            .iter()
            .position(|byte| *byte == 0)
            .map(|at| self.scanned + at);
        match self.message_end {
            Some(_) => self.message_since = None,
            None => {
                self.scanned = self.input.len();
                self.message_since = match self.input.len() {
                    0 => None,
                    _ => self.message_since.or(Some(now)),
                };
            }
        }
    }

    fn flush(&mut self, now: u64) -> Result<(), Gone> {
        while self.unsent_bytes() > 0 {
            match rustix::net::send(&self.socket, &self.output[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(_) => return Err(Gone),
            }
            if self.unsent_bytes() == 0 {
                self.output = Vec::new();
                self.sent = 0;
                self.quiet_since = now;
            }
        }
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
