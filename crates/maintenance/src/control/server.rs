//! All clients at once, one step at a time.
//!
//! ```text
//!  loop { interests ▸ poll(…, next_deadline) ▸ serve(now) }
//! ```
//!
//! Invariant: clients take turns. Whoever was not answered in this call of [`Server::serve`] is at the front in the
//! next one.

use super::answer::{Dispatch, answer};
use super::connection::{Connection, Gone, State};
use super::message::{Fault, MESSAGE_BYTES_MAX, Reply, Request};
use super::peer::Peer;
use super::socket::Bound;
use lle_core::error::Code;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Clients connected at a time; others wait to be let in, and a client's whole visit takes well under a millisecond.
pub const CONNECTIONS_MAX: usize = 64;
/// A client that has finished nothing for so long gives its place to one that waits, when there is no other: a
/// thousand clients that connect and say nothing hold up one that does by two seconds for every 64 of them.
pub const YIELD_NS: u64 = 2_000_000_000;
/// Requests answered in one call of [`Server::serve`], each of another client: what the engine has to do besides
/// waits no longer than that.
pub const REQUESTS_PER_SERVE: usize = 16;
/// Clients let in, or refused, in one call.
const ACCEPTS_PER_SERVE: usize = 64;
/// Replies that wait to be taken, of all clients together; beyond it the slowest client is gone.
const OUTPUT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Pause after the system had no descriptor or memory for a client; else `poll` would return at once, for ever.
const ACCEPT_PAUSE_NS: u64 = 250_000_000;

/// The server: the socket and its clients.
#[derive(Debug)]
pub struct Server {
    bound: Bound,
    uid: u32,
    /// Whose turn it is stands in front.
    connections: VecDeque<Connection>,
    now: u64,
    accept_after: u64,
}

/// What one call of [`Server::serve`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Clients let in.
    pub accepted: usize,
    /// Clients of another user, turned away.
    pub refused: usize,
    /// Requests answered, rubbish among them.
    pub requests: usize,
    /// Clients given up: too slow, too silent, or in the way.
    pub dropped: usize,
    /// More can be answered at once: call again without waiting.
    pub pending: bool,
}

impl Server {
    /// Makes the socket at `path`, 0600, and listens on it.
    ///
    /// A socket that nobody listens on is replaced.
    ///
    /// # Errors
    /// With `InvalidInput` if the path is longer than a socket's may be, `PermissionDenied` if the folder is not
    /// 0700 and of this user, `AlreadyExists` if something else than a socket is there (a link, too), `AddrInUse`
    /// if somebody listens there; or what the system says.
    pub fn bind(path: &Path) -> io::Result<Self> {
        Ok(Self {
            bound: Bound::at(path)?,
            uid: rustix::process::geteuid().as_raw(),
            connections: VecDeque::with_capacity(CONNECTIONS_MAX),
            now: 0,
            accept_after: 0,
        })
    }

    /// Returns false if the path no longer leads here: then nobody can connect any more, and it is time to bind
    /// again.
    #[must_use]
    pub fn still_bound(&self) -> bool {
        self.bound.is_there()
    }

    /// Clients connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Appends what `poll` is to wait for. What it then says need not be handed back: [`serve`](Self::serve) tries
    /// each.
    pub fn interests<'a>(&'a self, out: &mut Vec<PollFd<'a>>) {
        let has_place = self.connections.len() < CONNECTIONS_MAX || self.yielding().is_some();
        if has_place && self.accept_after <= self.now {
            out.push(PollFd::from_borrowed_fd(self.bound.as_fd(), PollFlags::IN));
        }
        for connection in &self.connections {
            out.push(PollFd::from_borrowed_fd(
                connection.as_fd(),
                connection.interest(),
            ));
        }
    }

    /// When [`serve`](Self::serve) is to be called even if `poll` has nothing to say, on the clock that it is given.
    /// None without clients: then the server costs nothing.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        if self.is_pending() {
            return Some(self.now);
        }
        let full = self.connections.len() >= CONNECTIONS_MAX;
        let yields = self.connections.iter().filter(|_| full).filter_map(yields_at);
        let given_up = self.connections.iter().filter_map(Connection::deadline);
        given_up
            .chain(yields.chain([self.accept_after]).filter(|at| *at > self.now))
            .min()
    }

    /// Does what can be done without waiting. `now_mono_ns` is a clock that never goes back.
    pub fn serve(&mut self, now_mono_ns: u64, dispatch: &mut dyn Dispatch) -> Served {
        self.now = self.now.max(now_mono_ns);
        let mut served = Served::default();
        let now = self.now;
        self.keep(&mut served, |connection| connection.exchange(now));
        self.let_in(dispatch, &mut served);
        self.take_turns(dispatch, &mut served);
        self.give_up(&mut served);
        served.pending = self.is_pending();
        served
    }

    fn is_pending(&self) -> bool {
        self.connections
            .iter()
            .any(|connection| connection.state() == State::Asking)
    }

    /// Keeps the clients that `still` keeps; those that are finished, or gone by themselves, are not counted.
    fn keep(&mut self, served: &mut Served, mut still: impl FnMut(&mut Connection) -> Result<(), Gone>) {
        self.connections
            .retain_mut(|connection| still(connection).is_ok() && connection.state() != State::Finished);
        while self.unsent_bytes() > OUTPUT_BYTES_MAX {
            let slowest = |connection: &Connection| match connection.state() {
                State::Answering { since } => Some(since),
                _ => None,
            };
            self.drop_first_by(slowest);
            served.dropped += 1;
        }
    }

    fn unsent_bytes(&self) -> usize {
        self.connections.iter().map(Connection::unsent_bytes).sum()
    }

    /// Drops the client for which `since` returns the least.
    fn drop_first_by(&mut self, since: impl Fn(&Connection) -> Option<u64>) {
        let numbered = self.connections.iter().enumerate();
        let first = numbered
            .filter_map(|(at, connection)| Some((since(connection)?, at)))
            .min();
        if let Some((_, at)) = first {
            self.connections.remove(at);
        }
    }

    /// Who may be sent away for one who waits, and since when that is.
    fn yielding(&self) -> Option<u64> {
        let at = self.connections.iter().filter_map(yields_at).min()?;
        (at <= self.now).then_some(at)
    }

    fn let_in(&mut self, dispatch: &mut dyn Dispatch, served: &mut Served) {
        if self.accept_after > self.now {
            return;
        }
        for _ in 0..ACCEPTS_PER_SERVE {
            if self.connections.len() >= CONNECTIONS_MAX && self.yielding().is_none() {
                return;
            }
            match self.bound.accept() {
                Ok(socket) => self.welcome(socket, dispatch, served),
                Err(Errno::AGAIN) => return,
                // Of a client that left before it was let in.
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(_) => {
                    self.accept_after = self.now.saturating_add(ACCEPT_PAUSE_NS);
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, socket: OwnedFd, dispatch: &mut dyn Dispatch, served: &mut Served) {
        let Ok(peer) = Peer::of(&socket) else { return };
        if peer.uid != self.uid {
            served.refused += 1;
            // An empty buffer takes that, or the peer is gone.
            let _ = rustix::net::send(&socket, &refusal(self.uid), SendFlags::NOSIGNAL);
            dispatch.refused(&peer);
            return;
        }
        if self.connections.len() >= CONNECTIONS_MAX {
            self.drop_first_by(yields_at);
            served.dropped += 1;
        }
        served.accepted += 1;
        let mut connection = Connection::new(socket, peer, self.now);
        if connection.exchange(self.now).is_ok() && connection.state() != State::Finished {
            self.connections.push_back(connection);
        }
    }

    fn take_turns(&mut self, dispatch: &mut dyn Dispatch, served: &mut Served) {
        for _ in 0..self.connections.len() {
            if served.requests == REQUESTS_PER_SERVE {
                break;
            }
            let Some(mut connection) = self.connections.pop_front() else {
                break;
            };
            let outcome = take_turn(&mut connection, self.now, dispatch, served);
            if outcome.is_ok() && connection.state() != State::Finished {
                self.connections.push_back(connection);
            }
        }
        self.keep(served, |_| Ok(()));
    }

    /// Drops whoever took too long. All were read from and sent to just before: nobody pays for a server that was
    /// not called for a while.
    fn give_up(&mut self, served: &mut Served) {
        let before = self.connections.len();
        let now = self.now;
        self.connections
            .retain(|connection| connection.deadline().is_none_or(|deadline| deadline > now));
        served.dropped += before - self.connections.len();
    }
}

/// When a client's place may be given to another. Who waits for an answer, or takes one, keeps it.
fn yields_at(connection: &Connection) -> Option<u64> {
    match connection.state() {
        State::Sending { .. } | State::Silent { .. } => {
            Some(connection.quiet_since().saturating_add(YIELD_NS))
        }
        State::Answering { .. } | State::Asking | State::Finished => None,
    }
}

/// Answers one message of a client, if one has come.
fn take_turn(
    connection: &mut Connection,
    now: u64,
    dispatch: &mut dyn Dispatch,
    served: &mut Served,
) -> Result<(), Gone> {
    let request = if connection.is_overlong() {
        let message = format!("a request is at most {MESSAGE_BYTES_MAX} bytes");
        Err(Fault::new(Code::InvalidParameters, message))
    } else if connection.state() == State::Asking {
        let message = connection.take_message(now).unwrap_or_default();
        Request::read(&message)
    } else {
        return Ok(());
    };
    served.requests += 1;
    match request {
        Ok(request) => {
            let oneway = request.is_oneway();
            let reply = answer(request, &connection.peer, dispatch);
            if oneway {
                Ok(())
            } else {
                connection.send(reply.into_bytes(), now)
            }
        }
        // Whoever sends that speaks something else: where its next message would begin, nobody knows.
        Err(fault) => {
            connection.stop_listening();
            connection.send(Reply::Fault(fault).into_bytes(), now)
        }
    }
}

fn refusal(uid: u32) -> Vec<u8> {
    let fault = Fault::new(
        Code::Unauthorized,
        format!("this is user {uid}'s, who alone is answered"),
    )
    .with_hint("ask as that user, without sudo or su");
    Reply::Fault(fault).into_bytes()
}
