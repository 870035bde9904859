//! Pure decisions: what to do, from plain inputs.
//!
//! Invariant: reads no clock, disk, environment or randomness; whatever it needs of these is an argument.
#![forbid(unsafe_code)]

pub mod budget;
pub mod paths;
pub mod quantity;
pub mod report;
pub mod severity;
pub mod start;
