//! Which of the commands that match is meant: by how lately and how often it was used, where, and whether it worked.
//!
//! Each reason gives 0 to 1, and their weighted sum is the rank; so the rank can say why.
//!
//! Invariant: nothing is left out by ranking, only ordered; equal ranks keep the newest first.

use std::collections::BTreeMap;

use crate::quantity::{age, several};

/// After so long a use counts half of what it did, in nanoseconds: a week.
const HALF_LIFE_NS: f64 = 7.0 * 24.0 * 3_600.0 * 1e9;
const RECENCY: f64 = 0.4;
const FREQUENCY: f64 = 0.3;
const PLACE: f64 = 0.2;
const SUCCESS: f64 = 0.1;
/// What is unknown counts as neither.
const UNKNOWN: f64 = 0.5;
/// What a folder above or below the one asked from counts for.
const NEAR: f64 = 0.5;

/// One use of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// What was typed.
    pub command: Vec<u8>,
    /// When, in nanoseconds since 1970; 0 if unknown.
    pub time_ns: i64,
    /// Where; empty if unknown.
    pub cwd: Vec<u8>,
    /// How it ended, if that is known.
    pub status: Option<i32>,
    /// On which machine.
    pub host: String,
}

/// A command with every use of it that matched.
#[derive(Clone, Debug, PartialEq)]
pub struct Recalled {
    /// Its newest use.
    pub newest: Use,
    /// How often it was used.
    pub uses: u64,
    /// How often it worked, and how often it is known how it ended.
    pub worked: (u64, u64),
    /// Why it stands where it stands.
    pub why: Why,
}

/// What the rank is made of, each from 0 to 1 before it is weighed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize))]
pub struct Why {
    /// How lately it was used: halved by each week.
    pub recency: f64,
    /// How often, against the command that was used most, by logarithms.
    pub frequency: f64,
    /// Whether it was used in this folder: 1; above or below it: a half.
    pub place: f64,
    /// How often it worked; a half if nobody knows.
    pub success: f64,
    /// The weighted sum.
    pub rank: f64,
}

/// Puts uses, newest first, together by command, and orders those by rank. `here` is the folder that is asked from, `now`
/// the time in nanoseconds since 1970.
pub fn rank(uses: Vec<Use>, here: &[u8], now_ns: i64) -> Vec<Recalled> {
    let mut places: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let mut recalled: Vec<Recalled> = Vec::new();
    for used in uses {
        let place = nearness(&used.cwd, here);
        let worked = (
            u64::from(used.status == Some(0)),
            u64::from(used.status.is_some()),
        );
        match places.get(&used.command) {
            Some(at) => {
                let known = &mut recalled[*at];
                known.uses += 1;
                known.worked = (known.worked.0 + worked.0, known.worked.1 + worked.1);
                known.why.place = known.why.place.max(place);
            }
            None => {
                places.insert(used.command.clone(), recalled.len());
                recalled.push(Recalled {
                    newest: used,
                    uses: 1,
                    worked,
                    why: Why {
                        place,
                        ..Why::default()
                    },
                });
            }
        }
    }
    let most = recalled.iter().map(|one| one.uses).max().unwrap_or(1);
    for one in &mut recalled {
        let why = &mut one.why;
        why.recency = match one.newest.time_ns {
            0 => 0.0,
            at => libm::exp2(-(now_ns.saturating_sub(at).max(0) as f64) / HALF_LIFE_NS),
        };
        why.frequency = libm::log1p(one.uses as f64) / libm::log1p(most as f64);
        why.success = match one.worked {
            (_, 0) => UNKNOWN,
            (worked, known) => worked as f64 / known as f64,
        };
        why.rank =
            RECENCY * why.recency + FREQUENCY * why.frequency + PLACE * why.place + SUCCESS * why.success;
    }
    recalled.sort_by(|a, b| b.why.rank.total_cmp(&a.why.rank));
    recalled
}

/// Says on one row what a command's rank is made of. `now_ns` is as for [`rank`].
pub fn reasons(one: &Recalled, now_ns: i64) -> String {
    let why = &one.why;
    let last = match one.newest.time_ns {
        0 => "last use unknown".to_owned(),
        at => format!("{} ago", age(now_ns.saturating_sub(at).max(0).cast_unsigned())),
    };
    let place = match why.place {
        place if place >= 1.0 => "in this folder",
        place if place > 0.0 => "near this folder",
        _ => "elsewhere",
    };
    let ended = match one.worked {
        (_, 0) => "ending unknown".to_owned(),
        (worked, known) => format!("worked {worked} of {known}"),
    };
    format!(
        "{:.2}: {last} {:.2}, {} {:.2}, {place} {:.2}, {ended} {:.2}",
        why.rank,
        why.recency,
        several(one.uses, "use", "uses"),
        why.frequency,
        why.place,
        why.success
    )
}

fn nearness(cwd: &[u8], here: &[u8]) -> f64 {
    let is_below = |inner: &[u8], outer: &[u8]| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with(b"/") || outer == b"/")
    };
    match cwd {
        b"" => 0.0,
        cwd if cwd == here => 1.0,
        // Everything is below the root; that says nothing.
        cwd if cwd != b"/" && here != b"/" && (is_below(cwd, here) || is_below(here, cwd)) => NEAR,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY_NS: i64 = 24 * 3_600 * 1_000_000_000;
    const NOW: i64 = 1_000 * DAY_NS;

    fn used(command: &str, days_ago: i64, cwd: &str, status: Option<i32>) -> Use {
        Use {
            command: command.into(),
            time_ns: NOW - days_ago * DAY_NS,
            cwd: cwd.into(),
            status,
            host: "here".into(),
        }
    }

    fn check(uses: &[Use], expect: &[&str]) {
        let ranked = rank(uses.to_vec(), b"/home/me/project", NOW);
        let order: Vec<_> = ranked
            .iter()
            .map(|one| String::from_utf8(one.newest.command.clone()).unwrap())
            .collect();
        assert_eq!(order, expect);
    }

    #[test]
    fn what_is_near_in_time_and_place_and_works_comes_first() {
        check(
            &[used("new", 0, "/x", None), used("old", 30, "/x", None)],
            &["new", "old"],
        );
        let here = "/home/me/project";
        check(
            &[used("there", 1, "/x", None), used("here", 1, here, None)],
            &["here", "there"],
        );
        check(
            &[
                used("far", 1, "/x", None),
                used("below", 1, "/home/me/project/src", None),
            ],
            &["below", "far"],
        );
        check(
            &[used("fails", 1, "/x", Some(1)), used("works", 1, "/x", Some(0))],
            &["works", "fails"],
        );
        let mut often: Vec<_> = (0..20).map(|_| used("often", 3, "/x", None)).collect();
        often.insert(0, used("once", 3, "/x", None));
        check(&often, &["often", "once"]);
    }

    proptest! {
        #[test]
        fn nothing_is_left_out(uses in proptest::collection::vec(("[ab]{1,2}", 0..400_i64, 0..3), 0..40)) {
            let uses: Vec<Use> = uses
                .iter()
                .map(|(command, days, status)| used(command, *days, "/x", Some(*status)))
                .collect();
            let ranked = rank(uses.clone(), b"/x", NOW);
            prop_assert_eq!(ranked.iter().map(|one| one.uses).sum::<u64>(), uses.len() as u64);
            for one in &ranked {
                for part in [one.why.recency, one.why.frequency, one.why.place, one.why.success, one.why.rank] {
                    prop_assert!((0.0..=1.000_001).contains(&part));
                }
            }
        }
    }
}
