//! With which of several changes a series moved, or with none of them: where its values turn from one level to the other.
//!
//! ```text
//!  values    3 3 4 3   3   61   4 60 62 59     each is likelier on one of the levels than on the other
//!  lines             ▲   ▲    ▲                the sums say how well each place divides them: here the second
//! ```
//!
//! Bayes: of each place between two values, how probable all of them are if the level changed there. Before looking, any one
//! moment at which nobody is known to have changed anything is less probable than a line, by [`ELSEWHERE`]: so what began
//! some prompts after a line is none of it, and one value that is off by chance moves nothing. Values scatter by their
//! logarithm, with a tail (Student's distribution with four degrees of freedom), and now and then one is off by chance.
//!
//! Invariant: a change is named alone only if the others together are less probable than [`DOUBT_MAX`].

use super::{Suspect, Value};

/// How probable it is, before looking, that a level changed at a moment at which nothing is known to have been changed,
/// compared with one at which something was.
const ELSEWHERE: f64 = 0.015;
/// How improbable the other changes must be for one to be named alone.
const DOUBT_MAX: f64 = 0.15;
/// The least scatter of a logarithm: a clock and a processor have some.
const SCATTER_MIN: f64 = 0.02;
/// How improbable it must be that it was none of the changes.
const NONE_MAX: f64 = 0.5;
/// Degrees of freedom of the scatter.
const FREEDOM: f64 = 4.0;
/// Student's distribution with so many, where it is highest.
const HIGHEST: f64 = 0.375;
/// How often a value is off by chance, on any level. Much may hold a prompt up for once, and nothing makes one quick that is
/// not: so one slow prompt right before a line does not say that it was not the line, and one quick prompt behind it does.
const SLOW_BY_CHANCE: f64 = 0.05;
const QUICK_BY_CHANCE: f64 = 0.002;
/// By how much, then: the scale of an exponential distribution of the logarithm.
const OFF_BY: f64 = 1.5;

/// The changes that fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turned {
    /// The number of the first of them.
    pub(super) from: usize,
    /// Of the last.
    pub(super) until: usize,
    /// How probable it is that it was none.
    pub(super) none: f64,
}

/// Says which changes fit, if any does better than other moments. `shift_ns` is by
/// how much the series differs if it is divided at the one of them that divides it most clearly.
pub(super) fn by(values: &[Value], suspects: &[Suspect], clearest: Suspect, shift_ns: f64) -> Option<Turned> {
    let sums = turns(values, clearest, shift_ns / 1e3);
    let best = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let at = |place: usize| sums.get(place).map_or(0.0, |sum| libm::exp(sum - best));
    // It may have begun at a line's moment, too, and be none of the line.
    let elsewhere: f64 = (0..sums.len()).map(at).sum();
    let fits: Vec<f64> = suspects
        .iter()
        .map(|suspect| (suspect.before..=suspect.until).map(at).fold(0.0, f64::max))
        .collect();
    let all: f64 = fits.iter().sum();
    let none = ELSEWHERE * elsewhere / (all + ELSEWHERE * elsewhere);
    if none >= NONE_MAX {
        return None;
    }
    let most = fits.iter().copied().fold(0.0, f64::max);
    let least = if most >= all * (1.0 - DOUBT_MAX) {
        most
    } else {
        all * DOUBT_MAX / 2.0
    };
    let from = fits.iter().position(|fit| *fit >= least)?;
    let until = fits.iter().rposition(|fit| *fit >= least)?;
    Some(Turned { from, until, none })
}

/// For each place between two values, and before the first and after the last, the logarithm of how probable they are if
/// the level changed there, but for what is the same for all.
fn turns(values: &[Value], at: Suspect, shift_us: f64) -> Vec<f64> {
    let levels = levels(values, at, shift_us);
    let level_of = |value: &Value| {
        let at = levels
            .binary_search_by_key(&value.folder, |(folder, _)| *folder)
            .ok()?;
        levels.get(at).map(|(_, level)| *level)
    };
    let is_before = |number: usize| number < at.before;
    let off = |us: u32, level: f64| libm::log(f64::from(us.max(1)) / level.max(1.0));
    let mut distances: Vec<f64> = values
        .iter()
        .enumerate()
        .filter(|(number, _)| is_before(*number) || *number >= at.until)
        .filter_map(|(number, value)| {
            let level = level_of(value)?;
            Some(
                off(
                    value.us,
                    if is_before(number) {
                        level
                    } else {
                        level + shift_us
                    },
                )
                .abs(),
            )
        })
        .collect();
    let scatter = (1.4826 * middle(&mut distances)).max(SCATTER_MIN);
    let mut sum = 0.0;
    let mut sums = vec![0.0];
    for value in values {
        if let Some(level) = level_of(value) {
            let says = |level: f64| libm::log(density(off(value.us, level), scatter));
            sum += says(level) - says(level + shift_us);
        }
        sums.push(sum);
    }
    sums
}

/// How dense the probability of a value is whose logarithm is off a level's by so much.
fn density(off: f64, scatter: f64) -> f64 {
    let tail = (off / scatter).powi(2).mul_add(1.0 / FREEDOM, 1.0);
    let usual = HIGHEST / scatter * libm::pow(tail, -(FREEDOM + 1.0) / 2.0);
    let by_chance = if off > 0.0 {
        SLOW_BY_CHANCE
    } else {
        QUICK_BY_CHANCE
    };
    (1.0 - SLOW_BY_CHANCE - QUICK_BY_CHANCE) * usual + by_chance * libm::exp(-off.abs() / OFF_BY) / OFF_BY
}

/// What values of each folder are before the level changes, by the number of the folder: from those of both sides. Of one that
/// is on one side alone it is not known on which level it is: it would say what is supposed here.
fn levels(values: &[Value], at: Suspect, shift_us: f64) -> Vec<(u32, f64)> {
    let mut as_before: Vec<(u32, f64, bool)> = values
        .iter()
        .enumerate()
        .filter(|(number, _)| *number < at.before || *number >= at.until)
        .map(|(number, value)| {
            let is_before = number < at.before;
            let shift = if is_before { 0.0 } else { shift_us };
            (value.folder, f64::from(value.us) - shift, is_before)
        })
        .collect();
    as_before.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let on_both = |one: &&[(u32, f64, bool)]| one.iter().any(|one| one.2) && !one.iter().all(|one| one.2);
    as_before
        .chunk_by(|a, b| a.0 == b.0)
        .filter(on_both)
        .filter_map(|one| Some((one.first()?.0, one.get(one.len() / 2)?.1)))
        .collect()
}

/// The one in the middle; 0 if there is none.
fn middle(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
