//! The period of a series, in points, found by autocorrelation over the last of them.
//!
//! One lag is looked at with each point, so a sweep over all lags costs no point more than another. A period is a lag
//! at which the series resembles itself and between which and 0 it does not (Box, Jenkins 1970).
//!
//! Invariant: a period fits twice into what is remembered.

use super::ring::Ring;

/// Points remembered.
pub(super) const REMEMBERED: usize = 1_024;
/// The shortest period: below, neighbours are alike anyway.
const PERIOD_MIN: usize = 4;
/// The longest.
pub(super) const PERIOD_MAX: usize = REMEMBERED / 2;
/// How alike points must be that lie a period apart.
const ALIKE: f64 = 0.35;
/// How much less alike they must be on the way there.
const DIP: f64 = 0.25;

#[derive(Clone, Debug)]
pub(super) struct Period {
    /// As shares of `whole`, since a square of what is measured may be no number in single precision.
    alike: [f32; PERIOD_MAX + 1],
    /// What a point has in common with itself.
    whole: f64,
    lag: usize,
    mean: f64,
    /// The period, if there is one.
    pub(super) found: Option<usize>,
}

impl Period {
    pub(super) fn new() -> Self {
        Self {
            alike: [0.0; PERIOD_MAX + 1],
            whole: 0.0,
            lag: 0,
            mean: 0.0,
            found: None,
        }
    }

    /// Looks at the next lag.
    pub(super) fn look(&mut self, values: &Ring<f64, REMEMBERED>) {
        let length = values.len();
        if self.lag > PERIOD_MAX.min(length / 2) {
            self.found = self.best(self.lag - 1);
            self.lag = 0;
        }
        if self.lag == 0 {
            self.mean = values.iter().sum::<f64>() / length.max(1) as f64;
        }
        let product = self.product(values, self.lag);
        if self.lag == 0 {
            self.whole = product;
        }
        self.alike[self.lag] = if self.whole > 0.0 {
            (product / self.whole) as f32
        } else {
            0.0
        };
        self.lag += 1;
    }

    /// The mean product of points so far apart, of at most the last `REMEMBERED - PERIOD_MAX`.
    fn product(&self, values: &Ring<f64, REMEMBERED>, lag: usize) -> f64 {
        let (older, newer) = values.parts();
        let at = |i: usize| {
            if i < older.len() {
                older[i]
            } else {
                newer[i - older.len()]
            }
        };
        let length = values.len();
        let first = length.saturating_sub(PERIOD_MAX).max(lag);
        let sum: f64 = (first..length)
            .map(|i| (at(i) - self.mean) * (at(i - lag) - self.mean))
            .sum();
        sum / (length - first).max(1) as f64
    }

    fn best(&self, longest: usize) -> Option<usize> {
        if self.alike[0] <= 0.0 {
            return None;
        }
        let alike = |lag: usize| f64::from(self.alike[lag]);
        let mut lowest = 1.0f64;
        let mut best: Option<(usize, f64)> = None;
        for lag in 1..longest {
            lowest = lowest.min(alike(lag));
            let peak = alike(lag) >= alike(lag - 1) && alike(lag) >= alike(lag + 1);
            if lag < PERIOD_MIN || !peak || alike(lag) < ALIKE || alike(lag) - lowest < DIP {
                continue;
            }
            // A multiple of a period is one too: it must be clearly better. On a broad top the highest place counts.
            let margin = |before: usize| if lag < before + before / 4 { 0.0 } else { 0.1 };
            if best.is_none_or(|(before, height)| alike(lag) > height + margin(before)) {
                best = Some((lag, alike(lag)));
            }
        }
        best.map(|(lag, _)| lag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_found_and_noise_has_none() {
        fn check(name: &str, value: impl Fn(usize) -> f64, expect: Option<usize>) {
            let mut ring = Ring::new();
            let mut period = Period::new();
            for at in 0..3_000 {
                ring.push(value(at));
                period.look(&ring);
            }
            // Noise moves the top of a broad wave by a few points.
            let near = match (period.found, expect) {
                (Some(found), Some(expect)) => found.abs_diff(expect) <= expect / 50,
                (found, expect) => found == expect,
            };
            assert!(near, "{name}: {:?}", period.found);
        }
        let noise = |at: usize| {
            let mut mixed = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed >> 40) as f64 / 16_777_216.0
        };
        check("constant", |_| 3.0, None);
        check("noise", noise, None);
        check("line", |at| at as f64, None);
        check("saw", |at| (at % 24) as f64 + noise(at), Some(24));
        check("one in a hundred", |at| f64::from(at % 100 == 0), Some(100));
        check(
            "a day of five minutes",
            |at| (at as f64 / 288.0 * std::f64::consts::TAU).sin() + noise(at),
            Some(288),
        );
    }
}
