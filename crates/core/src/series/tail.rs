//! How rare a value of a statistic is, by its own past.
//!
//! What lies above a high threshold is remembered, one peak for each cluster, and a generalised Pareto distribution is
//! fitted to it by probability-weighted moments (Hosking, Wallis 1987); peaks over a threshold in a stream: Siffer et
//! al. 2017. The threshold follows the 98th percentile by steps (Robbins, Monro 1951). While few peaks were seen the
//! fit is held to a heavy tail.
//!
//! Invariant: a peak that raises an alarm is remembered as one that just would, so no single event makes the next one
//! normal, and a habit becomes one after a few.

use super::ring::Ring;

/// Peaks remembered: with one in fifty points above the threshold, some days of five-minute points.
const PEAKS: usize = 128;

/// The share of points above the threshold.
const ABOVE: f64 = 0.02;

/// A cluster ends after so many points, or a change that stays would be one for ever.
const CLUSTER_MAX: u32 = 64;

/// The share of points that are as rare as an alarm.
pub(super) const ALARM: f64 = 3e-5;

/// The shape held to, and how many peaks that weighs: a tail as heavy as Student's with five degrees of freedom.
const SHAPE_PRIOR: (f64, f64) = (0.2, 20.0);
/// The mean excess held to, as a share of the threshold, and how many peaks that weighs.
const EXCESS_PRIOR: (f64, f64) = (0.25, 8.0);
/// Shapes outside are taken to be these: lighter than exponential is not believed, heavier has no variance.
const SHAPES: (f64, f64) = (0.05, 0.6);
/// Points that the prior stands for.
const POINTS_PRIOR: f64 = 100.0;

#[derive(Clone, Debug)]
pub(super) struct Tail {
    threshold: f64,
    /// A running mean, by which the threshold knows its unit.
    mean: f64,
    points: u64,
    peaks: Ring<Peak, PEAKS>,
    cluster: Option<f64>,
    cluster_points: u32,
    rate: f64,
    shape: f64,
    width: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    /// In single precision: a share is no finer than that, and there are many peaks.
    size: f32,
    at: u32,
}

impl Tail {
    /// Begins with a guess of the threshold.
    pub(super) fn new(threshold: f64) -> Self {
        let mut tail = Self {
            threshold,
            mean: threshold / 3.0,
            points: 0,
            peaks: Ring::new(),
            cluster: None,
            cluster_points: 0,
            rate: ABOVE,
            shape: SHAPE_PRIOR.0,
            width: 1.0,
        };
        tail.fit();
        tail
    }

    /// The share of points that are as large as that, or begin something that is.
    pub(super) fn share(&self, size: f64) -> f64 {
        if size <= self.threshold {
            return ABOVE + (1.0 - ABOVE) * (1.0 - size.max(0.0) / self.threshold).clamp(0.0, 1.0);
        }
        let far = 1.0 + self.shape * (size - self.threshold) / self.width;
        (self.rate * libm::pow(far, -1.0 / self.shape)).clamp(f64::MIN_POSITIVE, 1.0)
    }

    /// The size that just raises an alarm.
    pub(super) fn alarming(&self) -> f64 {
        let far = libm::pow((ALARM / self.rate).min(1.0), -self.shape);
        self.threshold + self.width / self.shape * (far - 1.0)
    }

    /// Learns a value, not negative.
    pub(super) fn add(&mut self, size: f64) {
        self.points += 1;
        let size = size.min(self.threshold * 100.0);
        let rate = (4.0 / self.points as f64).clamp(0.005, 0.2);
        self.mean += (size.min(self.threshold * 2.0) - self.mean) * rate;
        let over = size > self.threshold;
        match self.cluster {
            Some(peak) if over && self.cluster_points < CLUSTER_MAX => {
                self.cluster = Some(peak.max(size));
                self.cluster_points += 1;
            }
            Some(peak) => {
                let size = peak.min(self.alarming());
                self.peaks.push(Peak {
                    size: size as f32,
                    at: self.points.min(u64::from(u32::MAX)) as u32,
                });
                self.cluster = None;
                self.fit();
            }
            None if over => {
                self.cluster = Some(size);
                self.cluster_points = 1;
            }
            None => {}
        }
        let step = self.mean * (10.0 / self.points as f64).clamp(0.1, 0.5);
        self.threshold += step * (f64::from(over) - ABOVE);
        self.threshold = self.threshold.max(self.mean).max(1e-3);
    }

    fn fit(&mut self) {
        let mut excesses = [0.0; PEAKS];
        let mut count = 0;
        let mut since = self.points;
        for peak in self.peaks.iter() {
            since = since.min(u64::from(peak.at));
            let size = f64::from(peak.size);
            if size > self.threshold {
                excesses[count] = size - self.threshold;
                count += 1;
            }
        }
        let excesses = &mut excesses[..count];
        excesses.sort_unstable_by(f64::total_cmp);
        let n = count as f64;
        let (mut mean, mut weighted) = (0.0, 0.0);
        for (at, excess) in excesses.iter().enumerate() {
            mean += excess / n;
            weighted += excess / n * (1.0 - (at as f64 + 0.65) / n);
        }
        let between = mean - 2.0 * weighted;
        let shape = if between > 0.0 {
            2.0 - mean / between
        } else {
            SHAPE_PRIOR.0
        };
        let (prior, weight) = SHAPE_PRIOR;
        self.shape = ((shape.clamp(-0.5, 1.0) * n + prior * weight) / (n + weight)).clamp(SHAPES.0, SHAPES.1);
        let (prior, weight) = EXCESS_PRIOR;
        let mean = (mean * n + prior * self.threshold * weight) / (n + weight);
        self.width = (mean * (1.0 - self.shape)).max(1e-6);
        let span = (self.points - since) as f64;
        self.rate = ((n + ABOVE * POINTS_PRIOR) / (span + POINTS_PRIOR)).min(ABOVE * 2.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws from 0 to 1, evenly, the same every time.
    fn even(n: usize) -> impl Iterator<Item = f64> {
        let mut state = 7u64;
        (0..n).map(move |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        })
    }

    #[test]
    fn the_share_is_near_the_truth_for_light_and_heavy_tails() {
        fn check(name: &str, draw: impl Fn(f64) -> f64, truth: impl Fn(f64) -> f64) {
            let mut tail = Tail::new(3.0);
            even(20_000).for_each(|u| tail.add(draw(u)));
            for size in [truth(1e-3), truth(1e-4)] {
                let share = tail.share(size);
                let expected = if size == truth(1e-3) { 1e-3 } else { 1e-4 };
                assert!(
                    (0.2..8.0).contains(&(share / expected)),
                    "{name}: {share:e} for {expected:e}"
                );
            }
        }
        check("exponential", |u| -libm::log(u), |p: f64| -libm::log(p));
        check(
            "cubic",
            |u| libm::pow(u, -1.0 / 3.0),
            |p: f64| libm::pow(p, -1.0 / 3.0),
        );
    }

    #[test]
    fn a_habit_becomes_normal_and_one_event_does_not() {
        let mut tail = Tail::new(3.0);
        even(5_000).for_each(|u| tail.add(-libm::log(u)));
        assert!(tail.share(40.0) < ALARM);
        tail.add(40.0);
        tail.add(0.0);
        assert!(tail.share(40.0) < ALARM);
        for _ in 0..40 {
            even(200).for_each(|u| tail.add(-libm::log(u)));
            tail.add(40.0);
        }
        assert!(tail.share(40.0) > ALARM, "{:e}", tail.share(40.0));
    }
}
