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
    /// One without samples, of a metric in `unit`.
    pub const fn empty(unit: Unit) -> Histogram {
        Histogram {
            count: 0,
            sum: 0,
            max: 0,
            buckets: [0; BUCKETS],
            shift: unit.shift(),
        }
    }

    /// Adds the samples of another distribution in the same unit.
    pub fn merge(&mut self, other: &Histogram) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
        self.max = self.max.max(other.max);
        for (to, from) in self.buckets.iter_mut().zip(&other.buckets) {
            *to = to.saturating_add(*from);
        }
    }

    /// The upper bound of the bucket that holds the quantile `q` of 0 to 1; none without samples.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.quantiles([q]).map(|[found]| found)
    }

    /// The same of several quantiles, the lowest first, in one go; none without samples.
    pub fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> Option<[u64; N]> {
        let samples: u64 = self.buckets.iter().map(|&count| u64::from(count)).sum();
        if samples == 0 {
            return None;
        }
        let rank = |q: f64| ((q.clamp(0.0, 1.0) * samples as f64).ceil() as u64).clamp(1, samples);
        let mut found = [self.max; N];
        let mut wanted = quantiles.map(rank).into_iter().zip(&mut found).peekable();
        let mut below = 0;
        for (at, &count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            below += u64::from(count);
            while let Some((_, found)) = wanted.next_if(|(rank, _)| below >= *rank) {
                *found = self.highest(at).min(self.max);
            }
            if wanted.peek().is_none() {
                break;
            }
        }
        Some(found)
    }

    /// The mean; none without samples.
    pub fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }

    /// Samples in each bucket, in the order of [`bucket::highest`].
    pub const fn buckets(&self) -> &[u32; BUCKETS] {
        &self.buckets
    }

    /// Adds `n` samples to a bucket and to none of the sums; one that does not exist is passed over.
    pub fn add_to_bucket(&mut self, at: usize, n: u32) {
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket = bucket.saturating_add(n);
        }
    }

    /// The largest value that falls into a bucket, in the unit of the metric.
    pub const fn highest(&self, at: usize) -> u64 {
        bucket::highest(at) >> self.shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_added_one_by_one_give_the_same_quantiles() {
        let mut histogram = Histogram::empty(Unit::Bytes);
        histogram.add_to_bucket(bucket::index(1 << bucket::FLOOR_BITS), 3);
        histogram.add_to_bucket(bucket::index(100 << bucket::FLOOR_BITS), 1);
        histogram.add_to_bucket(BUCKETS, 1);
        histogram.max = 100;
        assert_eq!(histogram.quantile(0.5), Some(1));
        assert_eq!(histogram.quantile(1.0), Some(100));
        assert_eq!(
            histogram.quantiles([0.0, 0.5, 0.75, 0.76, 1.0]),
            Some([1, 1, 1, 100, 100])
        );
        assert_eq!(Histogram::empty(Unit::Bytes).quantiles([0.5, 0.99]), None);
        assert_eq!(histogram.buckets().iter().sum::<u32>(), 4);
        assert_eq!(histogram.highest(0), 0);
    }
}
