//! Pure decisions: what to do, from plain inputs.
//!
//! Invariant: reads no clock, disk, environment or randomness; whatever it needs of these is an argument.
//!
//! The shared object in the shell needs only the folders; what the worker decides is behind the feature `engine`.
#![forbid(unsafe_code)]

#[cfg(feature = "engine")]
pub mod alert;
pub mod budget;
#[cfg(feature = "engine")]
pub mod error;
#[cfg(feature = "engine")]
pub mod health;
#[cfg(feature = "engine")]
pub mod mode;
pub mod paths;
pub mod quantity;
pub mod report;
pub mod severity;
pub mod start;
#[cfg(feature = "engine")]
pub mod task;
