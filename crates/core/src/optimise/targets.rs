//! The weekly baseline of performance: what each cost usually is here, what it is to become, and which levers were in
//! force.
//!
//! It is what later gains are counted against, so it moves only for what a trial has proven: a cost that fell by itself,
//! on a faster machine or in a quiet week, leaves it where it is. That it is slower than its baseline is for health to say.
//!
//! It is of what was measured since the last one ([`super::since`]). A trial that was kept late in a week shows in the next
//! one only, so it counts until it has moved its cost, two baselines long at most.
//!
//! Invariants: updated once a week at most; a cost moves only if a trial of it was kept since, once for each, and never
//! upwards; every difference is in words, for the audit log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::since::Mark;
use super::{COMPLETIONS_MIN, Costs, SAMPLES_MIN, duration};
use crate::lever::{Cost, LEVERS, Levers};
use crate::trial::Ended;
use crate::trial::paired::GAIN_MIN;

/// Between two updates, in nanoseconds.
pub const WEEK_NS: i64 = 7 * 24 * 60 * 60 * 1_000_000_000;
/// What optimisation is to win where it acts, as a fraction: the success metric of the specification.
pub const GAIN_WANTED: f64 = 0.15;

/// One cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The median when the baseline was taken, in nanoseconds.
    pub usual_ns: u64,
    /// What it is to become, in nanoseconds.
    pub target_ns: u64,
    /// The newest trial that it has taken in: only a later one moves it.
    #[serde(default)]
    pub trial: u64,
}

/// The baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// When it was updated, in nanoseconds since 1970.
    pub wall_ns: i64,
    /// By the cost's name.
    pub costs: BTreeMap<String, Target>,
    /// The parameters in force, by lever.
    pub levers: BTreeMap<String, String>,
    /// When the one before it was taken; none of the first.
    #[serde(default)]
    pub before_wall_ns: Option<i64>,
    /// What each session had measured by then, by its sixteen hex digits.
    #[serde(default)]
    pub marks: BTreeMap<String, Mark>,
}

/// Takes the baseline of this week, with what is different in words; none if it is not due, or nothing was measured.
///
/// `costs` are of the time since `before`. What sessions have measured by now is for the caller to mark.
pub fn update(
    before: Option<&Targets>,
    costs: &Costs,
    levers: &Levers,
    ended: &[Ended],
    now_wall_ns: i64,
) -> Option<(Targets, Vec<String>)> {
    // A clock that was set back makes it due: once, since then it says the new time.
    let is_due = |at: i64| !(0..WEEK_NS).contains(&now_wall_ns.saturating_sub(at));
    if !before.is_none_or(|before| is_due(before.wall_ns)) {
        return None;
    }
    let since = before.map_or(i64::MIN, |before| before.before_wall_ns.unwrap_or(before.wall_ns));
    let mut after = before.cloned().unwrap_or_default();
    (after.wall_ns, after.before_wall_ns) = (now_wall_ns, before.map(|before| before.wall_ns));
    let mut differences = Vec::new();
    for cost in Cost::ALL {
        let Some(now_ns) = usual(*cost, costs) else {
            continue;
        };
        let was = after.costs.get(cost.name());
        let taken_in = was.map_or(0, |was| was.trial);
        let of_cost = || {
            ended
                .iter()
                .filter(|ended| ended.kept && ended.metric == cost.name())
        };
        let newest = of_cost().map(|ended| ended.id).max().unwrap_or(0);
        let proven = of_cost().find(|ended| {
            let gained = ended.estimate.is_some_and(|seen| seen.high < 1.0 - GAIN_MIN);
            gained && ended.id > taken_in && ended.wall_ns >= since
        });
        match (was, proven) {
            (None, _) => differences.push(format!("{} is {} at the median", cost.name(), duration(now_ns))),
            (Some(was), Some(ended)) if now_ns < was.usual_ns => differences.push(format!(
                "{} was {} and is {} at the median: trial {}, {}",
                cost.name(),
                duration(was.usual_ns),
                duration(now_ns),
                ended.id,
                ended.change
            )),
            _ => continue,
        }
        let target = Target {
            usual_ns: now_ns,
            target_ns: (now_ns as f64 * (1.0 - GAIN_WANTED)) as u64,
            trial: newest,
        };
        after.costs.insert(cost.name().to_owned(), target);
    }
    if after.costs.is_empty() {
        return None;
    }
    for row in LEVERS {
        let value = row.show(levers.value(row.lever));
        let was = after.levers.insert(row.name.to_owned(), value.clone());
        if let Some(was) = was.filter(|was| *was != value) {
            differences.push(format!("{} was {was} and is {value}", row.name));
        }
    }
    Some((after, differences))
}

/// The median of a cost, if enough was measured.
fn usual(cost: Cost, costs: &Costs) -> Option<u64> {
    let least = match cost {
        Cost::KeyToPaint | Cost::Highlight | Cost::Suggestion => SAMPLES_MIN,
        Cost::Completion => COMPLETIONS_MIN,
    };
    let of = costs.of(cost);
    (of.count >= least).then(|| of.quantile(0.5)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lever::Lever;
    use crate::trial::Verdict;
    use crate::trial::paired::Estimate;
    use lle_metrics::{Histogram, Timer, bucket};

    fn costs(highlight_ns: u64) -> Costs {
        let mut costs = Costs::default();
        let mut of = Histogram::empty(Timer::Highlight.unit());
        of.add_to_bucket(bucket::index(highlight_ns), 1_000);
        (of.count, of.sum, of.max) = (1_000, 1_000 * highlight_ns, highlight_ns);
        costs.highlight = of;
        costs
    }

    fn kept(high: f64) -> Ended {
        Ended {
            id: 7,
            wall_ns: 1,
            change: "names.keep = path".into(),
            lever: None,
            metric: "highlight".into(),
            estimate: Some(Estimate {
                pairs: 32,
                ratio: high - 0.1,
                low: high - 0.2,
                high,
                current_ns: 1,
                candidate_ns: 1,
                in_all: None,
            }),
            active_ns: 0,
            verdict: Verdict::Confirm,
            why: String::new(),
            kept: true,
            config: None,
        }
    }

    #[test]
    fn only_a_proven_gain_moves_it() {
        let levers = Levers::default();
        assert_eq!(update(None, &Costs::default(), &levers, &[], 0), None);
        let (first, said) = update(None, &costs(20_000), &levers, &[], 0).unwrap();
        assert_eq!(said, ["highlight is 20 µs at the median"]);
        assert_eq!(first.costs["highlight"].target_ns, 17_000);
        // Not before the week is over.
        assert_eq!(
            update(Some(&first), &costs(9_000), &levers, &[kept(0.6)], WEEK_NS - 1),
            None
        );
        // By itself it became faster: that proves nothing.
        let (same, said) = update(Some(&first), &costs(9_000), &levers, &[], WEEK_NS).unwrap();
        assert_eq!((&same.costs, said.len()), (&first.costs, 0));
        let (same, _) = update(Some(&first), &costs(9_000), &levers, &[kept(0.99)], WEEK_NS).unwrap();
        assert_eq!(same.costs, first.costs);
        // A trial says that something helped, and still it is slower: the baseline does not follow.
        let (same, _) = update(Some(&first), &costs(30_000), &levers, &[kept(0.6)], WEEK_NS).unwrap();
        assert_eq!(same.costs, first.costs);

        let mut turned = levers;
        turned.turn(Lever::NamesKeep, 1);
        let (moved, said) = update(Some(&first), &costs(9_000), &turned, &[kept(0.6)], WEEK_NS).unwrap();
        assert_eq!(moved.costs["highlight"].usual_ns, 9_000);
        insta::assert_snapshot!(said.join("\n"));
        // A trial that was kept as the week ended shows in the next one, and counts there.
        let late = Ended {
            wall_ns: WEEK_NS - 1,
            ..kept(0.6)
        };
        let late = [late];
        let (not_yet, _) = update(Some(&first), &costs(20_000), &turned, &late, WEEK_NS).unwrap();
        assert_eq!(not_yet.costs, first.costs);
        let (then, _) = update(Some(&not_yet), &costs(9_000), &turned, &late, 2 * WEEK_NS).unwrap();
        assert_eq!(then.costs["highlight"].usual_ns, 9_000);
        let (not_yet, _) = update(Some(&not_yet), &costs(20_000), &turned, &late, 2 * WEEK_NS).unwrap();
        let (over, _) = update(Some(&not_yet), &costs(9_000), &turned, &late, 3 * WEEK_NS).unwrap();
        assert_eq!(over.costs, first.costs, "by then it may be anything's");
        // What was proven once moves it once.
        let (still, said) = update(Some(&moved), &costs(5_000), &turned, &[kept(0.6)], 2 * WEEK_NS).unwrap();
        assert_eq!((&still.costs, said.len()), (&moved.costs, 0));
    }
}
