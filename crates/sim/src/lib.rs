//! The simulator: the production engine in a world that misbehaves on purpose, with a seed for everything that happens.
//!
//! ```text
//!  seed ─▸ drive ─▸ Engine (the real one) ─▸ world { disk tears, sessions lie, clocks jump, the worker is killed }
//!             └─▸ check: what must hold after every event ─▸ a violation prints the seed and the last moments
//! ```
//!
//! To run it:
//! - `cargo test -p lle-sim`: some hundred seeds, and those that once failed.
//! - `LUSUSH_SIM_SEEDS=10000 cargo test -p lle-sim --test seeds`: as many as CI runs.
//! - `LUSUSH_SIM_SEED=7 cargo test -p lle-sim --test seeds -- --nocapture`: one seed, with every call into the world.
//!
//! A seed that fails is put into the table of `tests/found.rs`, with a line on what it found.
//!
//! Invariants: nothing here reads a clock, a file of the machine (but the flight file of the version before) or its
//! randomness; the same seed is the same story everywhere.
#![forbid(unsafe_code)]

pub mod check;
pub mod committing;
pub mod confirming;
pub mod disk;
pub mod drive;
pub mod files;
pub mod judgement;
pub mod model;
pub mod random;
pub mod session;
pub mod turning;
pub mod world;
