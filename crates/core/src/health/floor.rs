//! Whether an idle session's memory keeps growing.
//!
//! What a busy session holds says nothing about a leak; the least it holds while it waits for keys does. The least of
//! each ten minutes is kept, for two hours; it leaks if the least of the newer half lies above that of the older one.

/// How long the least is taken over.
const PERIOD_NS: u64 = 600 * 1_000_000_000;

/// Periods kept: two hours, in which a leak of a megabyte an hour stands out.
const PERIODS: usize = 12;

/// Periods before anything is said: an hour.
const PERIODS_MIN: usize = 6;

/// The least memory of an idle session, over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    /// When each period began, and the least in it; oldest first.
    periods: [(u64, u64); PERIODS],
    used: usize,
}

impl Floor {
    /// Takes in what the session holds, if it is idle; allocates nothing.
    pub fn observe(&mut self, now_mono_ns: u64, idle: bool, bytes: u64) {
        if !idle {
            return;
        }
        let newest = self
            .used
            .checked_sub(1)
            .and_then(|newest| self.periods.get_mut(newest));
        if let Some((_, least)) = newest.filter(|(began, _)| now_mono_ns.saturating_sub(*began) < PERIOD_NS) {
            *least = bytes.min(*least);
            return;
        }
        if self.used == PERIODS {
            self.periods.rotate_left(1);
            self.used -= 1;
        }
        if let Some(period) = self.periods.get_mut(self.used) {
            *period = (now_mono_ns, bytes);
            self.used += 1;
        }
    }

    /// The least of the present period; none before the session was idle.
    pub fn least(&self) -> Option<u64> {
        let newest = self.periods.get(self.used.checked_sub(1)?)?;
        Some(newest.1)
    }

    /// Bytes an hour by which the least grew; none as long as the session was not idle long enough.
    pub fn growth(&self) -> Option<f64> {
        if self.used < PERIODS_MIN {
            return None;
        }
        let kept = self.periods.get(..self.used)?;
        let (older, newer) = kept.split_at_checked(self.used / 2)?;
        let least = |half: &[(u64, u64)]| half.iter().map(|(_, bytes)| *bytes).min();
        let grown = least(newer)? as f64 - least(older)? as f64;
        let hours = newer.first()?.0.saturating_sub(older.first()?.0) as f64 / 3.6e12;
        (hours > 0.0).then_some(grown / hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_of_the_floor() {
        fn check(bytes: &[u64], expect: Option<f64>) {
            let mut floor = Floor::default();
            for (at, bytes) in bytes.iter().enumerate() {
                let now = at as u64 * PERIOD_NS;
                floor.observe(now, true, *bytes + 50);
                floor.observe(now + 1, true, *bytes);
                floor.observe(now + 2, false, 0);
            }
            assert_eq!(floor.growth(), expect, "{bytes:?}");
            assert_eq!(floor.least(), bytes.last().copied(), "{bytes:?}");
        }
        check(&[], None);
        check(&[1, 2, 3, 4, 5], None);
        check(&[7; 6], Some(0.0));
        check(&[10, 20, 30, 40, 50, 60], Some(60.0));
        check(&[10, 90, 10, 90, 10, 90], Some(0.0));
        check(&[9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9], Some(0.0));
        check(&[60, 50, 40, 30, 20, 10], Some(-60.0));
    }
}
