//! Whether values lie higher than others by their ranks (Mann, Whitney 1947): on a busy machine a few values are a hundred
//! times the usual, and no mean tells anything.
//!
//! Invariant: bounded, and kept as whole microseconds: what is compared takes milliseconds, and the state holds many.

use serde::{Deserialize, Serialize};

/// Values that are compared: with fewer, one that is off hides what the others say.
const VALUES: usize = 16;
/// Values on either side below which ranks say nothing: completely apart, 11 and 11 are 4 deviations off.
pub(super) const VALUES_MIN: usize = 11;
/// Deviations from what chance would have: looked at anew with each value, so one in ten thousand for each look.
const CERTAIN: f64 = 3.9;

/// The last values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recent {
    values_us: [u32; VALUES],
    /// How many there were in all.
    count: u64,
}

impl Recent {
    /// Adds a value, in nanoseconds; what is no number is passed over.
    pub fn add(&mut self, ns: f64) {
        if !ns.is_finite() {
            return;
        }
        let at = usize::try_from(self.count % VALUES as u64).unwrap_or(0);
        self.values_us[at] = (ns / 1e3) as u32;
        self.count = self.count.saturating_add(1);
    }

    /// Adds a value if there is room: of a ring that is filled so, the first values stay.
    pub fn fill(&mut self, ns: f64) {
        if self.known().len() < VALUES {
            self.add(ns);
        }
    }

    /// Fills up with the values of another, which is no more than filled.
    pub fn fill_from(&mut self, other: &Recent) {
        other
            .known()
            .iter()
            .for_each(|us| self.fill(f64::from(*us) * 1e3));
    }

    /// Goes on with the last values of another.
    pub fn append(&mut self, other: &Recent) {
        let oldest = usize::try_from(other.count % VALUES as u64).unwrap_or(0);
        let known = other.known();
        let (later, earlier) = known.split_at(oldest.min(known.len()));
        // A ring that is not full begins at its beginning.
        for us in earlier.iter().chain(later) {
            self.add(f64::from(*us) * 1e3);
        }
    }

    fn known(&self) -> &[u32] {
        let count = usize::try_from(self.count).unwrap_or(VALUES).min(VALUES);
        &self.values_us[..count]
    }

    /// The value in the middle; 0 if there is none.
    pub fn median_ns(&self) -> f64 {
        let mut sorted = self.values_us;
        let count = self.known().len();
        let sorted = &mut sorted[..count];
        sorted.sort_unstable();
        let at = |at: usize| sorted.get(at).map_or(0.0, |us| f64::from(*us) * 1e3);
        f64::midpoint(at(count.saturating_sub(1) / 2), at(count / 2))
    }
}

/// The medians of before and after, if these lie apart beyond doubt.
pub fn apart(before: &Recent, after: &Recent) -> Option<(f64, f64)> {
    let (n, m) = (before.known().len() as f64, after.known().len() as f64);
    if before.known().len().min(after.known().len()) < VALUES_MIN {
        return None;
    }
    // With ties it scatters less: this errs on the side of doubt.
    let deviations = (wins(before, after) - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt();
    (deviations.abs() >= CERTAIN).then(|| (before.median_ns(), after.median_ns()))
}

/// How clearly they lie apart, whatever their number: 1 if completely, 0 if not at all (Kerby 2014).
pub fn clearness(before: &Recent, after: &Recent) -> f64 {
    let pairs = before.known().len() as f64 * after.known().len() as f64;
    (2.0 * wins(before, after) / pairs.max(1.0) - 1.0).abs()
}

/// Of all pairs of one before and one after, those in which the later one is larger; one that is tied is half of one.
fn wins(before: &Recent, after: &Recent) -> f64 {
    let won = |value: &u32| {
        let earlier = before.known();
        let won = earlier.iter().filter(|one| *one < value).count() as f64;
        let tied = earlier.iter().filter(|one| *one == value).count() as f64;
        won + tied / 2.0
    };
    after.known().iter().map(won).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent(values_ms: impl IntoIterator<Item = f64>) -> Recent {
        let mut recent = Recent::default();
        values_ms.into_iter().for_each(|ms| recent.add(ms * 1e6));
        recent
    }

    fn recent_of(us: std::ops::Range<u32>) -> Recent {
        recent(us.map(|us| f64::from(us) / 1e3))
    }

    impl Recent {
        fn in_order(&self) -> Vec<u32> {
            let oldest = self.count as usize % VALUES;
            let known = self.known();
            [
                &known[oldest.min(known.len())..],
                &known[..oldest.min(known.len())],
            ]
            .concat()
        }
    }

    fn around(ms: f64, n: u32) -> impl Iterator<Item = f64> {
        (0..n).map(move |i| ms + f64::from(i * 7 % 5))
    }

    #[test]
    fn some_values_that_are_far_off_hide_nothing() {
        fn check(before: Recent, after: Recent, expect: bool) {
            assert_eq!(apart(&before, &after).is_some(), expect, "{before:?} {after:?}");
        }
        check(recent(around(3.0, 11)), recent(around(60.0, 11)), true);
        check(recent(around(60.0, 11)), recent(around(3.0, 11)), true);
        check(recent(around(3.0, 10)), recent(around(60.0, 40)), false);
        check(recent(around(3.0, 16)), recent(around(3.0, 16)), false);
        // A machine that was busy for a moment, before or since.
        check(
            recent(around(3.0, 15).chain([900.0])),
            recent(around(60.0, 16)),
            true,
        );
        check(
            recent(around(3.0, 16)),
            recent(around(60.0, 14).chain([4_000.0, 900.0])),
            true,
        );
        // And one that has become so: half of it is nothing.
        check(
            recent(around(3.0, 16)),
            recent(around(3.0, 8).chain(around(60.0, 8))),
            false,
        );
    }

    #[test]
    fn the_last_values_count_and_what_is_no_number_is_nothing() {
        let mut recent = recent(around(900.0, 5).chain(around(3.0, 16)));
        assert!(recent.known().iter().all(|us| *us < 10_000), "{recent:?}");
        recent.add(f64::NAN);
        recent.add(f64::INFINITY);
        assert!(
            recent.known().iter().all(|us| (3_000..10_000).contains(us)),
            "{recent:?}"
        );
        // The cast of a float saturates.
        recent.add(1e300);
        assert_eq!(recent.known().iter().max(), Some(&u32::MAX));
        let text = serde_json::to_string(&recent).unwrap();
        assert_eq!(serde_json::from_str::<Recent>(&text).unwrap(), recent);
        let mut longer = recent_of(0..20);
        longer.append(&recent_of(100..103));
        assert_eq!(
            longer.in_order(),
            [&(7..20).collect::<Vec<_>>()[..], &[100, 101, 102]].concat()
        );
        longer = recent_of(0..3);
        longer.append(&recent_of(100..130));
        assert_eq!(longer.in_order(), (114..130).collect::<Vec<_>>());
        let mut first = Recent::default();
        (0..10).for_each(|us| first.fill(f64::from(us) * 1e3));
        first.fill_from(&first.clone());
        first.fill_from(&recent_of(100..103));
        assert_eq!(first.known(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5]);
        assert_eq!(serde_json::from_str::<Recent>("{}").unwrap(), Recent::default());
    }

    #[test]
    fn chance_alone_is_seldom_apart() {
        let mut state = 7u64;
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            f64::from((state >> 40) as u32)
        };
        let mut found = 0;
        for _ in 0..20_000 {
            let (mut before, mut after) = (Recent::default(), Recent::default());
            (0..VALUES).for_each(|_| before.add(draw() * 1e3));
            (0..VALUES).for_each(|_| after.add(draw() * 1e3));
            found += u32::from(apart(&before, &after).is_some());
        }
        assert!(found <= 10, "{found}");
    }
}
