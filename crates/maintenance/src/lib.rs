//! The maintenance engine: what looks after one user's sessions, and proves it.
//!
//! ```text
//!  worker (or a host's thread) ─▸ Engine::handle(world, now, event)
//!     │ poll: control socket, jobs, signals, deadline      ├ observe   look, assess, learn, alert
//!     └ real::RealWorld │ lle_sim: the simulated one       ├ schedule  due, order, shed, plan
//!                                                          ├ execute   authorise, apply, verify, else undo
//!                                                          └ publish   what sessions are to do
//! ```
//!
//! Invariants:
//! - One thread owns the state and waits for nothing but its own events.
//! - Whatever is acknowledged is in a log; whatever changes the world was authorised and recorded before.
//! - The world is three traits with two implementations, so that the simulator runs this very code.
#![forbid(unsafe_code)]

pub mod api;
pub mod control;
pub mod embed;
pub mod engine;
pub mod models;
pub mod real;
mod rollup;
pub mod state;
pub mod worker;
pub mod world;
