//! The control socket: real sockets, real clients, good and bad.
// A panic is the report.
#![allow(clippy::unwrap_used)]

#[path = "control/calls.rs"]
mod calls;
#[path = "control/crowd.rs"]
mod crowd;
#[path = "control/foreign.rs"]
mod foreign;
#[path = "control/hostile.rs"]
mod hostile;
#[path = "control/place.rs"]
mod place;
#[path = "control/strangers.rs"]
mod strangers;
#[path = "control/support.rs"]
mod support;
