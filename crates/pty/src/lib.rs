//! A terminal for tests and benches: a pty, a child in it, and an emulated screen.
//!
//! ```text
//!  test ── type_bytes ──▶ master ═══ kernel ═══ slave ──▶ child (bash, lusush, …)
//!   ▲                                                        │
//!   └── screen, text, cursor ◀── emulator ◀── master ◀───────┘
//! ```
//!
//! Invariant: nothing here sleeps for luck. A test waits for a condition ([`Terminal::wait_for`]) or for proof
//! that the child has nothing left to do ([`Terminal::settle`]), both under a deadline that names what was
//! awaited and shows the screen.

mod emulator;
mod home;
mod process;
mod shells;
mod terminal;
mod wire;

pub use emulator::Emulator;
pub use home::Home;
pub use process::{foreground_pid, rss_anon, waits_for_input, wakeups};
pub use shells::{Shell, installed, required, shared_object, test_bashes};
pub use terminal::{Spawn, Terminal, Timeout, deadline};
