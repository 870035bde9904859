//! Whatever is done to an audit log without its key is found, and the right record named.
#![cfg(feature = "audit")]
// A panic is the report.
#![allow(clippy::unwrap_used)]

mod changed;
mod harm;
mod records;
mod sample;
mod segments;
mod writing;
