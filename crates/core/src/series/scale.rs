//! How large residuals usually are: the quantiles of the last of them, kept sorted.
//!
//! A median of absolute residuals is not moved by a few strange ones (Hampel 1974). Where more than half of all
//! residuals are nothing, as with counts that are mostly 0, the median says nothing and their mean is taken.
//!
//! Invariant: `sorted` holds exactly the values of `recent`, in order.

use super::ring::Ring;

/// Residuals remembered.
const REMEMBERED: usize = 256;

/// The median absolute residual times this is the standard deviation, for a normal distribution.
const MEDIAN_TO_SIGMA: f64 = 1.4826;

/// Units in the last place of a level that are rounding, not spread: what is computed is off by a few, as a mean of equal
/// values is.
const ROUNDING: f64 = 8.0;

/// A first residual where there was none before counts as this share of itself: one strange value must not be the
/// spread of a series that was constant. What comes often is known for what it is within a few points.
const FIRST: f64 = 1e-3;

/// A residual says no more than so many spreads.
const SPREADS_MAX: f64 = 1e6;

/// The least by which values around a level can differ, apart from rounding. It is no share of the level that would hide a
/// spread: a level of a billion may have one of 1. It is never 0.
pub(super) fn least(level: f64) -> f64 {
    (level.abs() * f64::EPSILON * ROUNDING).max(f64::MIN_POSITIVE)
}

#[derive(Clone, Debug)]
pub(super) struct Scale {
    recent: Ring<f64, REMEMBERED>,
    sorted: [f64; REMEMBERED],
    sum: f64,
}

impl Scale {
    pub(super) fn new() -> Self {
        Self {
            recent: Ring::new(),
            sorted: [0.0; REMEMBERED],
            sum: 0.0,
        }
    }

    /// Adds the size of a residual, which is a number and not negative.
    fn add(&mut self, size: f64) {
        let mut length = self.recent.len();
        if let Some(old) = self.recent.push(size) {
            self.sum -= old;
            let at = self.sorted.partition_point(|value| *value < old);
            self.sorted.copy_within(at + 1..REMEMBERED, at);
            length -= 1;
        }
        self.sum += size;
        let at = self.sorted[..length].partition_point(|value| *value < size);
        self.sorted.copy_within(at..length, at + 1);
        self.sorted[at] = size;
    }

    /// Adds the size of a residual, held within what can be believed of one, around such a level.
    pub(super) fn learn(&mut self, size: f64, level: f64) {
        let spread = self.spread(level);
        let most = if spread > least(level) {
            (spread * SPREADS_MAX).max(level.abs())
        } else {
            (size * FIRST).max(level.abs())
        };
        self.add(size.min(most));
    }

    /// How large residuals usually are around such a level.
    pub(super) fn spread(&self, level: f64) -> f64 {
        let least = least(level);
        let length = self.recent.len();
        if length == 0 {
            return least;
        }
        let at = |share: f64| self.sorted[((length - 1) as f64 * share) as usize];
        // The upper quartile of a normal residual is 1.15 of its sigma: a distribution with a heavy middle has more.
        let robust = (at(0.5) * MEDIAN_TO_SIGMA).max(at(0.75) / 1.5);
        let mean = self.sum.max(0.0) / length as f64;
        robust.max(mean / 4.0).max(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_sorted_is_what_is_remembered(values in proptest::collection::vec(0.0..100.0f64, 1..700)) {
            let mut scale = Scale::new();
            for value in &values {
                scale.add(*value);
            }
            let mut expected = values[values.len().saturating_sub(REMEMBERED)..].to_vec();
            expected.sort_by(f64::total_cmp);
            prop_assert_eq!(&scale.sorted[..expected.len()], &expected[..]);
            prop_assert!(scale.spread(0.0) > 0.0);
        }
    }
}
