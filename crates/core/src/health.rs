//! How the shell is doing: from what sessions measure to findings.
//!
//! ```text
//!  Snapshot ─▸ Window::fold ─┐                       ┌─▸ metrics     value or unknown, and why
//!  /proc    ─▸ SessionView ──┼─▸ assess(…) ─▸ Assessment ─▸ components  each judged by its metrics
//!  the worker ▸ WorkerView ──┤        ▲              └─▸ findings ─▸ crate::alert
//!                            │   Baselines ◂─ learn(…) from what is no finding
//! ```
//!
//! The seven steps of the full check: collect ([`sample`], [`view`]), evaluate ([`assess`]), record (the caller, from
//! the assessment's metrics), alert ([`crate::alert`]), components (in the assessment), predictive trigger (the
//! caller, from what is recorded), publish (the caller).
//!
//! Invariants:
//! - What is not known is [`metric::Value::Unknown`] with a reason, never a number.
//! - Folding a session in allocates nothing.
//! - No text of a session reaches a finding unless it has been made harmless.

pub mod assess;
pub mod baseline;
mod blame;
pub mod component;
pub mod finding;
pub mod floor;
mod grown;
pub mod metric;
mod rows;
pub mod sample;
mod slot;
#[cfg(test)]
mod tests;
pub mod view;
