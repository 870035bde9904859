//! One framed, checksummed, append-only log, and history, the first view over it.
//!
//! This runs inside the user's shell, so it never maps a file (a program that truncates it would kill the
//! shell with SIGBUS), starts no thread, keeps a fixed 64 KiB window per reader, and reads any bytes
//! without panicking.
//!
//! ```text
//!  command ▸ history ▸ frame: encode ▸ one write(2), O_APPEND ▸ │ file header │ record │ record │ ▸ EOF
//!                                                                 64 bytes      ◀ walk: Backward (tail, search)
//!                                                                               ▶ walk: Forward  (listing, check)
//! ```
//!
//! Invariants:
//! - Nothing already written is changed, except by a redaction, which keeps every length.
//! - A reader yields every undamaged record, whatever lies between them; damage is counted, never fatal.
//! - No descriptor that a script took is read, written or closed.
//! - The order of records is their order in the file. A clock that jumps back reorders nothing.
#![forbid(unsafe_code)]

#[cfg(feature = "audit")]
pub mod audit;
mod descriptor;
mod event;
mod file;
pub mod find;
pub mod formats;
mod frame;
mod header;
pub mod history;
mod import;
pub mod index;
mod join;
mod leftovers;
pub mod lines;
pub mod mirror;
pub mod records;
pub mod rewrite;
pub mod scrub;
pub mod search;
pub mod start_up;
pub mod versions;
mod walk;
mod window;

pub use file::{AppendError, Disturbance, OpenError};
pub use frame::PAYLOAD_BYTES_MAX;
