//! Pure decisions: what to do, from plain inputs.
//!
//! Invariant: reads no clock, disk, environment or randomness; whatever it needs of these is an argument.
//!
//! The shared object in the shell needs only the folders and what the worker wants of it; what the worker decides is behind the feature `engine`.
#![forbid(unsafe_code)]

#[cfg(feature = "engine")]
pub mod alert;
pub mod arms;
pub mod budget;
#[cfg(feature = "engine")]
pub mod cache;
#[cfg(feature = "engine")]
pub mod checklist;
#[cfg(feature = "engine")]
pub mod config;
pub mod desired;
#[cfg(feature = "engine")]
pub mod error;
#[cfg(feature = "engine")]
pub mod health;
pub mod history_builtin;
pub mod history_names;
pub mod in_force;
pub mod lever;
#[cfg(feature = "engine")]
pub mod list_file;
#[cfg(feature = "engine")]
pub mod mode;
#[cfg(feature = "engine")]
pub mod optimise;
pub mod paths;
#[cfg(feature = "engine")]
pub mod plan;
#[cfg(feature = "engine")]
pub mod policy;
pub mod quantity;
pub mod recall;
#[cfg(feature = "engine")]
pub mod recovery;
pub mod report;
pub mod repository;
#[cfg(feature = "engine")]
pub mod schedule;
#[cfg(feature = "engine")]
pub mod secret;
#[cfg(feature = "engine")]
pub mod series;
pub mod severity;
#[cfg(feature = "engine")]
pub mod shed;
pub mod shown;
pub mod start;
pub mod sum;
#[cfg(feature = "engine")]
pub mod task;
pub mod texts;
pub mod theme;
#[cfg(feature = "engine")]
pub mod trial;
#[cfg(feature = "engine")]
pub mod validate;
