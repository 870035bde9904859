//! The flight file: what one session measures, in 32 KiB of memory that other processes read
//! without disturbing the writer.
//!
//! ```text
//!  session (one thread)                                  any other process
//!  Flight::update ─▸ Recorder ─▸ atomic stores ─▸ page cache ─▸ Snapshot::read   a consistent copy
//!     │                                                 └──────▸ Window          one live value
//!     └ holds a POSIX record lock ◂──────────────────────────── liveness         alive, dead, unknown
//! ```
//!
//! Invariants:
//! - Recording takes no lock, allocates nothing and makes no system call.
//! - Only the process that created a flight writes to it. A forked child inherits the mapping; its
//!   updates do nothing.
//! - Every byte of a flight file may be rubbish: reading answers with data or an error, never a panic.
//! - A process must not open and close a flight file it is itself writing: closing *any* descriptor of
//!   the file drops the process's POSIX locks on it, and the session would be taken for dead. Inside
//!   the session use [`Flight::snapshot`].

pub mod bucket;
pub mod flight;
pub mod histogram;
pub mod identity;
mod layout;
pub mod liveness;
mod mapping;
pub mod parts;
pub mod prompts;
pub mod recorder;
pub mod snapshot;
mod sys;
pub mod table;
pub mod watch;
pub mod window;

pub use flight::{CreateError, Flight};
pub use histogram::Histogram;
pub use identity::Identity;
pub use liveness::{Liveness, OpenFlight, Seen, liveness, look};
pub use parts::{NewPart, Part, PartKind, Parted, Parts};
pub use prompts::{PromptChange, TimedPrompt};
pub use recorder::{Draft, Recorder};
pub use snapshot::{DraftLine, Event, ReadError, Snapshot};
pub use table::{Counter, EventKind, Gauge, Stage, Timer, Unit};
pub use watch::Watch;
pub use window::Window;

/// Bytes of a flight file. Within the promised 32 to 64 KiB a session, and room to grow the tables.
pub const FILE_BYTES: usize = 32 * 1024;

/// What the name of every flight file ends in.
pub const EXTENSION: &str = "flight";

/// Names the flight file of a session: sixteen hex digits and the extension.
pub fn file_name(session_id: u64) -> String {
    format!("{session_id:016x}.{EXTENSION}")
}
