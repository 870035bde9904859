//! Percentiles, and how far a ratio of two of them can be trusted.

/// Resamples for a bound: enough for two digits.
const RESAMPLES: usize = 1000;
/// Fewer pairs than this bound nothing.
const PAIRS_MIN: usize = 20;

/// Returns the percentile (0 to 1) of `values`, or nothing if there are none.
pub(crate) fn percentile(values: &[f64], at: f64) -> Option<f64> {
    let mut values = values.to_vec();
    let index = ((values.len() as f64 * at) as usize).min(values.len().checked_sub(1)?);
    Some(*values.select_nth_unstable_by(index, f64::total_cmp).1)
}

/// Bounds the ratio of two percentiles with 95 % confidence by the paired bootstrap (Efron 1979): rounds are
/// drawn with replacement, both sides' numbers of a round together. A round has `block` pairs, one after another, since
/// what is measured at nearly the same moment is alike (Künsch 1989).
pub(crate) fn ratio_bound(ours: &[f64], theirs: &[f64], at: f64, block: usize) -> Option<(f64, f64)> {
    let block = block.max(1);
    let rounds = ours.len().min(theirs.len()) / block;
    if rounds < PAIRS_MIN {
        return None;
    }
    let mut random = Random(rounds as u64);
    let mut ratios = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let drawn: Vec<usize> = (0..rounds).map(|_| random.below(rounds)).collect();
        let of = |values: &[f64]| {
            let pairs = drawn
                .iter()
                .flat_map(|&round| &values[round * block..(round + 1) * block]);
            percentile(&pairs.copied().collect::<Vec<_>>(), at)
        };
        ratios.push(of(ours)? / of(theirs)?);
    }
    Some((percentile(&ratios, 0.025)?, percentile(&ratios, 0.975)?))
}

/// Xorshift64* (Vigna 2014): the same order in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Returns a number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    /// Shuffles `items` (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}
