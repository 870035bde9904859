//! A distribution read out of a flight file.

use super::bucket::{self, BUCKETS};
use super::table::Unit;

/// Samples by bucket, in the unit of their metric.
///
/// Quantiles are exact to one bucket, an eighth of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Samples recorded.
    pub count: u64,
    /// Sum of all samples.
    pub sum: u64,
    /// The largest sample; 0 without samples.
    pub max: u64,
    pub(crate) buckets: [u32; BUCKETS],
    pub(crate) shift: u32,
}

impl Histogram {
    pub(crate) const fn empty(unit: Unit) -> Histogram {
        Histogram {
            count: 0,
            sum: 0,
            max: 0,
            buckets: [0; BUCKETS],
            shift: unit.shift(),
        }
    }

    /// The upper bound of the bucket that holds the quantile `q` of 0 to 1; none without samples.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let samples: u64 = self.buckets.iter().map(|&count| u64::from(count)).sum();
        if samples == 0 {
            return None;
        }
        let rank = ((q.clamp(0.0, 1.0) * samples as f64).ceil() as u64).clamp(1, samples);
        let mut below = 0;
        for (at, &count) in self.buckets.iter().enumerate() {
            below += u64::from(count);
            if below >= rank {
                return Some((bucket::highest(at) >> self.shift).min(self.max));
            }
        }
        Some(self.max)
    }

    /// The mean; none without samples.
    pub fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }
}
