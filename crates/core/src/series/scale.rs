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

/// A spread below this share of the level is rounding, not spread.
const SHARE_LEAST: f64 = 1e-6;

/// A spread of nothing at all.
const LEAST: f64 = 1e-9;

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
    pub(super) fn add(&mut self, size: f64) {
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

    /// How large residuals usually are around such a level.
    pub(super) fn spread(&self, level: f64) -> f64 {
        let least = LEAST.max(level.abs() * SHARE_LEAST);
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
