//! How well the detectors, the forecasts and the blame judge: seeded series whose truth is known, and what came of them.
//!
//! ```text
//!  seed ─▸ scenario { points, truth, changes } ─▸ lle_core::series ─▸ trial ─▸ tally by kind ─▸ docs/judgement.md
//!  seed ─▸ typist { single prompts, lines }    ──────┘
//!  seed ─▸ desk { lines, levers, the engine }  ─▸ trial, row by row ─▸ docs/judgement.md
//! ```
//!
//! Seeds 1 to 800 are for development; what is reported comes from seeds that begin at [`HELD_OUT`] and were never looked
//! at while anything was set. No published benchmark is used, so that those can be used by others to judge this.
//!
//! To write the page: see [`COMMAND`]. A new section is its function in `report.rs` and its line in [`report::SECTIONS`].
//!
//! Invariant: the same seeds give the same page, byte by byte.

pub mod detection;
pub mod forecasting;
pub mod optimiser;
pub mod prompts;
pub mod report;
pub mod scenario;
mod signal;
mod typist;

/// The version of the corpus: another one makes pages written before incomparable.
pub const CORPUS_VERSION: u32 = 5;

/// The first seed that nothing was set by. Those from 10001 on were version 1's, those from 20001 on version 2's and those from
/// 30001 on version 3's: once looked at, they led to changes and are held out no more.
pub const HELD_OUT: u64 = 40_001;

/// What writes the page.
pub const COMMAND: &str = "cargo run --release -p lle-sim --example judgement -- docs/judgement.md";

/// How many seeds each kind of scenario is run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The first seed.
    pub first: u64,
    /// Seeds of each kind of detection.
    pub detection: u64,
    /// Seeds of each kind of single prompts.
    pub prompts: u64,
    /// Seeds of each kind of forecast, which cost more.
    pub forecasting: u64,
    /// Seeds of each effect of a lever in each setting: each is a row of the page.
    pub optimiser: u64,
}

/// What the page is made of.
pub const FULL: Size = Size {
    first: HELD_OUT,
    detection: 100,
    prompts: 400,
    forecasting: 40,
    optimiser: 4,
};

/// What a test makes again: the fingerprint of it is in the page.
pub const SMALL: Size = Size {
    first: HELD_OUT,
    detection: 2,
    prompts: 2,
    forecasting: 1,
    optimiser: 1,
};
