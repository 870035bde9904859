//! What came to a distribution between two copies of a flight: most of what a fold does, so only what changed is touched.
//!
//! Invariant: nothing is allocated, and what is kept in fewer buckets than came never reads lower.

use lle_metrics::bucket::{self, BUCKETS};
use lle_metrics::{Histogram, Snapshot, Timer};

use super::slot::Sparse;

/// What a distribution comes to but for its buckets.
#[derive(Clone, Copy)]
pub(super) struct Totals {
    pub(super) count: u64,
    pub(super) sum: u64,
    pub(super) max: u64,
}

/// What came to a distribution since the last fold.
pub(super) struct Grown {
    pub(super) sparse: Sparse,
    /// Each of its buckets, where `sparse` has not got room for all.
    buckets: Option<Histogram>,
    totals: Totals,
}

impl Grown {
    /// Takes in what a distribution has come to since it was as `last` and `before` say; `last` is then what it is. The
    /// largest sample is exact if it is the largest ever.
    pub(super) fn of(
        timer: Timer,
        snapshot: &Snapshot,
        last: &mut [u32; BUCKETS],
        before: Totals,
        now: Totals,
    ) -> Self {
        let (mut sparse, mut buckets) = (Sparse::EMPTY, None::<Histogram>);
        let mut highest = 0;
        snapshot.update_buckets(timer, last, |at, before, now| {
            let grown = now.saturating_sub(before);
            if grown == 0 {
                return;
            }
            highest = at;
            if buckets.is_none() && sparse.push(at, grown) {
                return;
            }
            let buckets = buckets.get_or_insert_with(|| {
                let mut so_far = Histogram::empty(timer.unit());
                sparse.add_buckets_to(&mut so_far);
                so_far
            });
            buckets.add_to_bucket(at, grown);
        });
        let totals = Totals {
            count: now.count.saturating_sub(before.count),
            // The writer's sum wraps around, and so does its difference.
            sum: now.sum.wrapping_sub(before.sum),
            max: if now.max > before.max {
                now.max
            } else {
                (bucket::highest(highest) >> timer.unit().shift()).min(now.max)
            },
        };
        if let Some(buckets) = &mut buckets {
            totals.put_into(buckets);
            sparse = Sparse::of(buckets);
        }
        sparse.count = u32::try_from(totals.count).unwrap_or(u32::MAX);
        (sparse.sum, sparse.max) = (totals.sum, totals.max);
        Self {
            sparse,
            buckets,
            totals,
        }
    }

    /// The same with each of its buckets.
    pub(super) fn whole(self, timer: Timer) -> Histogram {
        self.buckets.unwrap_or_else(|| {
            let mut whole = Histogram::empty(timer.unit());
            self.sparse.add_buckets_to(&mut whole);
            self.totals.put_into(&mut whole);
            whole
        })
    }
}

impl Totals {
    fn put_into(self, histogram: &mut Histogram) {
        (histogram.count, histogram.sum, histogram.max) = (self.count, self.sum, self.max);
    }
}
