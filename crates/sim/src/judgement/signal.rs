//! What measurements look like: a level, a day, noise that remembers and has a tail, and the ways in which points are
//! missing.
//!
//! Invariant: a signal draws from its seed alone, in an order that does not depend on what is done with it.

use crate::random::Random;

pub(super) const S: i64 = 1_000_000_000;
pub(super) const MINUTES_5: i64 = 300 * S;
pub(super) const HOUR: i64 = 3_600 * S;
pub(super) const DAY: i64 = 24 * HOUR;
/// A Monday.
pub(super) const START: i64 = 1_700_438_400 * S;

/// A number from 0 to 1, neither included.
pub(super) fn even(random: &mut Random) -> f64 {
    ((random.draw() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

pub(super) fn between(random: &mut Random, low: f64, high: f64) -> f64 {
    low + (high - low) * even(random)
}

/// A draw from the normal distribution (Box, Muller 1958).
pub(super) fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * even(random).ln()).sqrt();
    radius * (std::f64::consts::TAU * even(random)).cos()
}

/// A draw from Student's distribution with three degrees of freedom, scaled to a spread of 1.
fn student(random: &mut Random) -> f64 {
    let squares: f64 = (0..3).map(|_| normal(random).powi(2)).sum();
    normal(random) / (squares / 3.0).sqrt() / 3f64.sqrt()
}

/// How noise is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tails {
    Normal,
    /// Student's, with three degrees of freedom.
    Heavy,
    /// Times, whose logarithm is normal.
    Skewed,
}

/// A metric, and how it is when nothing happens.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) level: f64,
    /// Of the noise.
    pub(super) spread: f64,
    /// How much of its noise a point keeps of the one before.
    memory: f64,
    tails: Tails,
    /// The swing of the day, in levels.
    pub(super) swing: f64,
    /// How much of the swing is there on Saturday and Sunday.
    weekend: f64,
    /// At which share of the day it is highest.
    phase: f64,
    /// What values are rounded to, as a share: histograms have buckets.
    bucket: f64,
    state: f64,
}

impl Signal {
    pub(super) fn draw(random: &mut Random, tails: Tails, daily: bool) -> Self {
        let level = 10f64.powf(between(random, 0.5, 3.0));
        let spread = level * between(random, 0.02, 0.12);
        let memory = between(random, 0.0, 0.6);
        let (swing, weekend) = (between(random, 0.2, 0.8), between(random, 0.3, 1.0));
        Self {
            level,
            spread,
            memory,
            tails,
            swing: if daily { swing } else { 0.0 },
            weekend,
            phase: even(random),
            bucket: if random.once_in(3) { 0.02 } else { 0.0 },
            state: 0.0,
        }
    }

    /// What the day makes of it, in levels.
    fn day(&self, at_ns: i64) -> f64 {
        let share = at_ns.rem_euclid(DAY) as f64 / DAY as f64;
        let weekday = (at_ns - START).div_euclid(DAY).rem_euclid(7);
        let strength = if weekday >= 5 { self.weekend } else { 1.0 };
        let wave = (std::f64::consts::TAU * (share - self.phase)).cos();
        // People work for a third of the day.
        self.swing * strength * (wave + 0.3).max(0.0)
    }

    /// The next value; `rougher` is how much more it scatters than usual.
    pub(super) fn next(&mut self, random: &mut Random, at_ns: i64, rougher: f64) -> f64 {
        let fresh = match self.tails {
            Tails::Normal => normal(random),
            Tails::Heavy => student(random),
            Tails::Skewed => (0.8 * normal(random)).exp() - 1.38,
        };
        self.state = self.memory * self.state + (1.0 - self.memory * self.memory).sqrt() * fresh;
        self.level * (1.0 + self.day(at_ns)) + self.spread * rougher * self.state
    }

    /// As a histogram's bucket would have it.
    pub(super) fn rounded(&self, value: f64) -> f64 {
        if self.bucket == 0.0 {
            return value;
        }
        let step = self.level * self.bucket;
        (value / step).round() * step
    }
}
