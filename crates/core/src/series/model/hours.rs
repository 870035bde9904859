//! The past of a series by the hour: what each hour of a day and of a week is usually like, and how well that would have told
//! what came.
//!
//! Invariant: a profile is of what was before a moment, and tried on what came after it.

use super::{CARRIED, DAY, HOUR_NS, HOURS_MIN, WEEK, WEEKS_MAX, WEEKS_OF_DOUBT, median, usable};
use crate::series::forecast::Unknown;

/// How far off each candidate was once.
pub(super) struct Trial {
    /// Of the profile of the day and of the week, by how much of today goes on.
    pub(super) errors: [[f64; CARRIED.len()]; 2],
    /// Of the last value.
    pub(super) naive: f64,
}

/// Hourly means, each with the level of the week before it.
pub(super) struct Hours {
    /// Hours since 1970 at the first.
    first: i64,
    pub(super) means: Vec<Option<f64>>,
    levels: Vec<Option<f64>>,
    /// Hours that have a mean.
    pub(super) known: usize,
}

impl Hours {
    /// Sorts points into hours.
    ///
    /// # Errors
    /// The past is too short, or has too many holes.
    pub(super) fn of(points: &[(i64, f64)]) -> Result<Hours, Unknown> {
        let hour = |point: &(i64, f64)| point.0.div_euclid(HOUR_NS);
        let last = points.last().map_or(0, hour);
        let longest = (WEEKS_MAX * WEEK) as i64;
        let first = points
            .iter()
            .map(hour)
            .find(|at| last - at < longest)
            .unwrap_or(last);
        let length = usize::try_from(last - first + 1)
            .unwrap_or(0)
            .min(WEEKS_MAX * WEEK);
        let mut sums = vec![(0.0, 0u32); length];
        for point in points.iter().filter(|point| usable(point.1)) {
            let place = usize::try_from(hour(point) - first)
                .ok()
                .and_then(|at| sums.get_mut(at));
            if let Some((sum, count)) = place {
                *sum += point.1;
                *count += 1;
            }
        }
        let means: Vec<Option<f64>> = sums
            .into_iter()
            .map(|(sum, count)| (count > 0).then(|| sum / f64::from(count)))
            .collect();
        let known = means.iter().flatten().count();
        if length < HOURS_MIN || known < HOURS_MIN / 4 {
            return Err(Unknown::TooFew {
                have: known.min(length),
                need: HOURS_MIN,
            });
        }
        let level = |at: usize| {
            let week = means.get((at + 1).saturating_sub(WEEK)..=at)?;
            median(week.iter().flatten().copied().collect())
        };
        let levels = (0..means.len()).map(level).collect();
        Ok(Hours {
            first,
            means,
            levels,
            known,
        })
    }

    /// How far an hour was from its level.
    fn off(&self, at: usize) -> Option<f64> {
        Some((*self.means.get(at)?)? - (*self.levels.get(at)?)?)
    }

    fn bin(&self, at: usize, of: usize) -> usize {
        (self.first + at as i64).rem_euclid(of as i64) as usize
    }

    /// The usual distance of each bin, by what was before `end`, and of how many.
    fn bins(&self, end: usize, of: usize) -> Vec<(Option<f64>, usize)> {
        let mut bins = vec![Vec::new(); of];
        // In the first week there is no level of a week yet.
        for at in WEEK.min(end)..end {
            bins[self.bin(at, of)].extend(self.off(at));
        }
        bins.into_iter()
            .map(|values| {
                let count = values.len();
                (median(values), count)
            })
            .collect()
    }

    /// How far each hour of a day usually is from its level, by what was before `end`.
    pub(super) fn day(&self, end: usize) -> Vec<Option<f64>> {
        self.bins(end, DAY).into_iter().map(|(value, _)| value).collect()
    }

    /// What an hour of the week says is drawn towards what that hour says on all days, the more the fewer weeks there
    /// were.
    pub(super) fn week(&self, end: usize) -> Vec<Option<f64>> {
        let day = self.day(end);
        let week = self.bins(end, WEEK).into_iter().enumerate();
        week.map(|(at, (value, count))| match (value, day[at % DAY]) {
            (Some(value), Some(day)) => {
                let share = count as f64 / (count as f64 + WEEKS_OF_DOUBT);
                Some(value * share + day * (1.0 - share))
            }
            (value, day) => value.or(day),
        })
        .collect()
    }

    /// Forecasts from an hour on with profiles of what was before it, and says how far off that was.
    pub(super) fn trial(
        &self,
        points: &[(i64, f64)],
        profiles: &[Vec<Option<f64>>; 2],
        at: usize,
        ahead: usize,
        ahead_ns: i64,
    ) -> Option<Trial> {
        let level = (*self.levels.get(at)?)?;
        let off = self.off(at)?;
        let over_ns = (self.first + at as i64 + 1).saturating_mul(HOUR_NS);
        let before = points.partition_point(|point| point.0 < over_ns);
        let (made_ns, last) = *points.get(before.checked_sub(1)?)?;
        let due_ns = made_ns.saturating_add(ahead_ns);
        let (came_ns, value) = *points.get(points.partition_point(|point| point.0 < due_ns))?;
        if came_ns - due_ns > HOUR_NS || !usable(value) || !usable(last) {
            return None;
        }
        let mut errors = [[0.0; CARRIED.len()]; 2];
        for (errors, profile) in errors.iter_mut().zip(profiles) {
            let then = profile[self.bin(at + ahead, profile.len())]?;
            let now = profile[self.bin(at, profile.len())]?;
            for (error, carried) in errors.iter_mut().zip(CARRIED) {
                *error = (value - (level + then + carried * (off - now))).abs();
            }
        }
        Some(Trial {
            errors,
            naive: (value - last).abs(),
        })
    }
}
