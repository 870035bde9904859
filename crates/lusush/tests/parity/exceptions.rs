//! The differences from stock bash that are meant, each with its reason.
//!
//! Invariant: an exception matches as little as can be, and how often it did is printed with the result.

use crate::duel::{Difference, Setup};
use crate::keys::Step;

/// A difference that is no fault of LLE.
pub(crate) struct Exception {
    pub(crate) name: &'static str,
    /// Why LLE shows something else; printed with the count.
    pub(crate) reason: &'static str,
    pub(crate) matches: fn(&Setup, &[Step], &Difference) -> bool,
}

/// All of them.
pub(crate) const EXCEPTIONS: &[Exception] = &[];
