//! One interval of one session, small enough that sixteen sessions stay below a megabyte.
//!
//! A distribution of ten seconds touches few of its 242 buckets, so only those are kept. When they are more than
//! there is room for, neighbours are joined, two to one, until they fit: the quantiles get coarser, never lower.

use lle_metrics::bucket::BUCKETS;
use lle_metrics::{Counter, Histogram, Timer};

/// Distinct buckets kept of one distribution in one interval: 24 span eight doublings at an eighth each when half of
/// them are empty, more than ten seconds of typing show.
const KEPT: usize = 24;

const _: () = assert!(BUCKETS <= 256, "a bucket's number is kept in a byte");

/// The samples of one distribution in one interval.
#[derive(Clone, Copy)]
pub(super) struct Sparse {
    pub(super) sum: u64,
    pub(super) max: u64,
    pub(super) count: u32,
    /// Buckets joined to one, as a power of two.
    joined: u8,
    used: u8,
    at: [u8; KEPT],
    n: [u32; KEPT],
}

impl Sparse {
    pub(super) const EMPTY: Sparse = Sparse {
        sum: 0,
        max: 0,
        count: 0,
        joined: 0,
        used: 0,
        at: [0; KEPT],
        n: [0; KEPT],
    };

    /// Keeps a distribution.
    pub(super) fn of(histogram: &Histogram) -> Sparse {
        let mut kept = Sparse {
            sum: histogram.sum,
            max: histogram.max,
            count: u32::try_from(histogram.count).unwrap_or(u32::MAX),
            ..Sparse::EMPTY
        };
        // Eight joinings leave one bucket, which always fits.
        while kept.joined < 8 && !kept.fill(histogram.buckets()) {
            kept.joined += 1;
        }
        kept
    }

    /// Whether all buckets had room.
    fn fill(&mut self, buckets: &[u32; BUCKETS]) -> bool {
        self.used = 0;
        let mut filled = buckets.iter().enumerate().filter(|(_, n)| **n > 0);
        filled.all(|(bucket, &n)| self.push(bucket, n))
    }

    /// Adds samples to a bucket that lies behind those so far, or is the last of them; false if there is no room for it.
    pub(super) fn push(&mut self, bucket: usize, n: u32) -> bool {
        let group = (bucket >> self.joined) as u8;
        let used = usize::from(self.used);
        let last = used
            .checked_sub(1)
            .filter(|last| self.at.get(*last) == Some(&group));
        let slot = last.unwrap_or(used);
        let (Some(at), Some(sum)) = (self.at.get_mut(slot), self.n.get_mut(slot)) else {
            return false;
        };
        if last.is_some() {
            *sum = sum.saturating_add(n);
        } else {
            (*at, *sum) = (group, n);
            self.used += 1;
        }
        true
    }

    /// Adds the samples to a distribution; joined buckets count as the highest of them.
    pub(super) fn add_to(&self, histogram: &mut Histogram) {
        histogram.count = histogram.count.saturating_add(u64::from(self.count));
        histogram.sum = histogram.sum.saturating_add(self.sum);
        histogram.max = histogram.max.max(self.max);
        self.add_buckets_to(histogram);
    }

    /// Adds the samples to the buckets of a distribution, and to none of its sums.
    pub(super) fn add_buckets_to(&self, histogram: &mut Histogram) {
        let kept = self.at.iter().zip(&self.n).take(usize::from(self.used));
        for (&group, &n) in kept {
            let highest = ((usize::from(group) + 1) << self.joined) - 1;
            histogram.add_to_bucket(highest.min(BUCKETS - 1), n);
        }
    }
}

/// What one interval saw.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
    pub(super) torn: bool,
    pub(super) counters: [u32; Counter::ALL.len()],
    pub(super) timers: [Sparse; Timer::ALL.len()],
}

impl Slot {
    pub(super) const EMPTY: Slot = Slot {
        from_ns: 0,
        to_ns: 0,
        torn: false,
        counters: [0; Counter::ALL.len()],
        timers: [Sparse::EMPTY; Timer::ALL.len()],
    };

    pub(super) fn span_ns(&self) -> u64 {
        self.to_ns.saturating_sub(self.from_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_metrics::{Unit, bucket};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_kept_never_reads_lower_and_loses_no_sample(
            values in proptest::collection::vec(64u64..1 << 35, 1..400),
        ) {
            let mut whole = Histogram::empty(Unit::Nanoseconds);
            for &value in &values {
                whole.count += 1;
                whole.sum += value;
                whole.max = whole.max.max(value);
                whole.add_to_bucket(bucket::index(value), 1);
            }
            let mut back = Histogram::empty(Unit::Nanoseconds);
            Sparse::of(&whole).add_to(&mut back);
            prop_assert_eq!((back.count, back.sum, back.max), (whole.count, whole.sum, whole.max));
            prop_assert_eq!(back.buckets().iter().sum::<u32>(), whole.buckets().iter().sum::<u32>());
            for q in [0.5, 0.99, 1.0] {
                prop_assert!(back.quantile(q) >= whole.quantile(q));
                // At worst sixteen buckets are joined: two doublings.
                prop_assert!(back.quantile(q).unwrap() <= whole.quantile(q).unwrap().saturating_mul(5));
            }
        }
    }
}
