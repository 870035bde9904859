//! The control socket: whoever this user is may ask the engine and tell it what to do, in Varlink.
//!
//! ```text
//!  client ▸ socket ▸ Connection: bytes ▸ message: Request ▸ answer: which method, which parameters ▸ Dispatch ▸ engine
//!                               bytes ◂ message: Reply    ◂──────────────────────────────────────────┘
//! ```
//!
//! Invariants:
//! - The engine's thread never waits for a client: every descriptor is non-blocking, and one call of
//!   [`Server::serve`] does a bounded amount of work, the same for each client.
//! - Whatever a client sends, or does not send, or does not read, costs memory and time up to a named constant;
//!   then the client is gone, and no other has noticed.
//! - Nobody but the user whom the server runs as is answered, by the kernel's word and not by the client's. Root,
//!   too, is refused unless the server is root's: `sudo` inside a session should not steer the user's worker by
//!   accident, and root can become the user where that is meant.
//!
//! The protocol is one JSON object and a NUL each way, and is spoken here rather than by the crate `varlink`:
//! its handler takes interfaces that are `'static`, `Send`, `Sync` and called by shared reference, while the engine
//! is one thread's exclusive state; it answers all that is buffered before it returns, so one client could hold up
//! the others; and it bounds neither messages nor replies. As an independent client it stands in the tests.

mod answer;
mod client;
mod connection;
mod interface;
mod message;
mod peer;
mod server;
mod socket;

pub use answer::Dispatch;
pub use client::{CallError, Client};
pub use connection::{IDLE_NS, MESSAGE_NS, REPLY_NS};
pub use interface::{DESCRIPTION, INTERFACE, VERSION};
pub use message::{Fault, MESSAGE_BYTES_MAX, REPLY_BYTES_MAX};
pub use peer::Peer;
pub use server::{CONNECTIONS_MAX, REQUESTS_PER_SERVE, Served, Server, YIELD_NS};
pub use socket::PATH_BYTES_MAX;
