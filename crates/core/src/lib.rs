//! Pure decisions: what to do, from plain inputs.
//!
//! Invariant: reads no clock, disk, environment or randomness; whatever it needs of these is an argument.
#![forbid(unsafe_code)]

pub mod paths;
pub mod start;
