//! The maintenance engine.

pub mod control;
