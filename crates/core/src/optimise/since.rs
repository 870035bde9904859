//! What was measured since a moment: the difference of two distributions of a session.
//!
//! A session lives for months, and what it has measured in all hardly moves in a week. So the weekly baseline is of that week:
//! when one is taken, what every live session has measured so far is marked, and the next counts from there.
//!
//! Invariants: what cannot be told apart from what was before is left out, never counted in: a session that began before the
//! mark and has none says nothing; sessions that are marked have a limit.

use std::collections::BTreeMap;

use lle_metrics::Histogram;
use serde::{Deserialize, Serialize};

use super::Costs;
use crate::lever::Cost;

/// Sessions that are marked: what more of them measured is counted from their next mark on.
pub const SESSIONS_MAX: usize = 32;

/// What one session had measured at a moment, by cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    costs: BTreeMap<String, Counted>,
}

/// A distribution, without its empty buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    count: u64,
    sum: u64,
    buckets: Vec<(usize, u32)>,
}

impl Mark {
    /// Marks what a session has measured so far.
    pub fn of(costs: &Costs) -> Mark {
        let of = |cost: &Cost| {
            let histogram = costs.of(*cost);
            let buckets = histogram.buckets().iter().copied().enumerate();
            let counted = Counted {
                count: histogram.count,
                sum: histogram.sum,
                buckets: buckets.filter(|(_, n)| *n > 0).collect(),
            };
            (cost.name().to_owned(), counted)
        };
        Mark {
            costs: Cost::ALL.iter().map(of).collect(),
        }
    }

    /// What the session has measured since. All of it where there is less than at the mark: then it counts anew.
    pub fn since(&self, costs: &Costs) -> Costs {
        let mut since = costs.clone();
        for cost in Cost::ALL {
            let now = costs.of(*cost);
            if let Some(counted) = self.costs.get(cost.name())
                && let Some(difference) = counted.subtracted_from(now, Costs::default().of(*cost))
            {
                *since.of_mut(*cost) = difference;
            }
        }
        since
    }
}

impl Counted {
    /// What is there now beyond it, put into an empty distribution of the same unit; none if there is less now.
    fn subtracted_from(&self, now: &Histogram, empty: &Histogram) -> Option<Histogram> {
        let mut difference = empty.clone();
        difference.count = now.count.checked_sub(self.count)?;
        difference.sum = now.sum.checked_sub(self.sum)?;
        // The largest of all time bounds the largest since.
        difference.max = now.max;
        let mut before = self.buckets.iter().copied().peekable();
        for (at, n) in now.buckets().iter().copied().enumerate() {
            let was = before.next_if(|(of, _)| *of == at).map_or(0, |(_, n)| n);
            difference.add_to_bucket(at, n.checked_sub(was)?);
        }
        Some(difference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_metrics::{Timer, bucket};

    fn costs(samples: &[(u64, u32)]) -> Costs {
        let mut costs = Costs::default();
        let mut of = Histogram::empty(Timer::Highlight.unit());
        for (ns, n) in samples {
            of.add_to_bucket(bucket::index(*ns), *n);
            of.count += u64::from(*n);
            of.sum += ns * u64::from(*n);
            of.max = of.max.max(*ns);
        }
        costs.highlight = of;
        costs
    }

    #[test]
    fn what_came_since_is_the_difference() {
        let mark = Mark::of(&costs(&[(20_000, 100_000), (900_000, 5)]));
        let now = costs(&[(20_000, 100_300), (900_000, 5), (9_000, 700)]);
        let median = |of: &Histogram| of.quantile(0.5).map(bucket::index);
        assert_eq!(
            median(&now.highlight),
            Some(bucket::index(20_000)),
            "of all its life"
        );
        let since = mark.since(&now).highlight;
        assert_eq!((since.count, since.sum), (1_000, 300 * 20_000 + 700 * 9_000));
        assert_eq!(median(&since), Some(bucket::index(9_000)));
        assert_eq!(
            mark.since(&costs(&[(20_000, 100_000), (900_000, 5)]))
                .highlight
                .count,
            0
        );
        // One that counts anew.
        let anew = costs(&[(9_000, 40)]);
        assert_eq!(mark.since(&anew).highlight.count, 40);
        let json = serde_json::to_string(&mark).unwrap();
        assert_eq!(serde_json::from_str::<Mark>(&json).unwrap(), mark);
    }
}
