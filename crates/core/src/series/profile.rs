//! What is usual at an hour of the day, or of the week: the mean of each bin, over the days that were seen.
//!
//! Invariant: a bin is known once it was seen in an earlier cycle than the one that asks.

/// Fifteen minutes each.
pub(super) type Day = Profile<96>;
/// An hour each.
pub(super) type Week = Profile<168>;

pub(super) const DAY_NS: i64 = 24 * 3_600 * 1_000_000_000;
pub(super) const WEEK_NS: i64 = 7 * DAY_NS;

/// How much of a bin the newest cycle is, once several were seen.
const NEWEST: f64 = 0.25;

#[derive(Clone, Debug)]
pub(super) struct Profile<const N: usize> {
    cycle_ns: i64,
    means: [f64; N],
    /// Cycles in which a bin was seen.
    cycles: [u8; N],
    /// What the bin that is being seen says in this cycle.
    current: Option<Current>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    bin: usize,
    cycle: i64,
    sum: f64,
    count: f64,
}

impl<const N: usize> Profile<N> {
    pub(super) fn new(cycle_ns: i64) -> Self {
        Self {
            cycle_ns,
            means: [0.0; N],
            cycles: [0; N],
            current: None,
        }
    }

    /// The mean at a time, between the middles of bins; none if one of them was not seen.
    pub(super) fn at(&self, at_ns: i64) -> Option<f64> {
        let place = at_ns.rem_euclid(self.cycle_ns) as f64 / self.cycle_ns as f64 * N as f64 - 0.5;
        let before = place.floor();
        let share = place - before;
        let before = (before as i64).rem_euclid(N as i64) as usize;
        let after = (before + 1) % N;
        match (self.cycles[before], self.cycles[after]) {
            (0, _) | (_, 0) => None,
            _ => Some(self.means[before] * (1.0 - share) + self.means[after] * share),
        }
    }

    /// Learns a value.
    pub(super) fn add(&mut self, at_ns: i64, value: f64) {
        let bin = (at_ns.rem_euclid(self.cycle_ns) as f64 / self.cycle_ns as f64 * N as f64) as usize % N;
        let cycle = at_ns.div_euclid(self.cycle_ns);
        match &mut self.current {
            Some(current) if current.bin == bin && current.cycle == cycle => {
                current.sum += value;
                current.count += 1.0;
            }
            _ => {
                self.close();
                self.current = Some(Current {
                    bin,
                    cycle,
                    sum: value,
                    count: 1.0,
                });
            }
        }
    }

    /// The bin that was being seen is over.
    fn close(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let seen = &mut self.cycles[current.bin];
        *seen = seen.saturating_add(1);
        let share = NEWEST.max(1.0 / f64::from(*seen));
        let mean = &mut self.means[current.bin];
        *mean += (current.sum / current.count - *mean) * share;
    }
}
