//! The reviews that a person makes: what to look at, what it is shown beside, and when it is due.
//!
//! Invariant: an item is overdue only a full period after it was last signed off, or after it came to be known; a
//! sign-off clears it. A sign-off that the clock puts further ahead than one period is a mistake of the clock's and
//! counts for nothing.

pub mod evidence;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::quantity::age;
use crate::report;
use crate::severity::Severity;

/// How often an item comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cadence {
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
}

/// What a point is shown beside, taken from the running system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shows {
    /// The verdict on every part, and open findings.
    Health,
    /// Metrics outside their baseline.
    Anomalies,
    /// Alerts, and who acknowledged them when.
    Alerts,
    /// Each task's last runs and how they ended.
    Runs,
    /// Trends of the recorded metrics.
    Trends,
    /// What was changed to make things faster, and what came of it.
    Impact,
    /// The budgets that are missed.
    Budgets,
    /// The slowest operations.
    Slowest,
    /// Runs that failed, with their reasons.
    Failures,
    /// The report of the period.
    Report,
    /// Enhancements that evidence speaks for.
    Opportunities,
    /// Deprecations with their dates.
    Deprecations,
    /// Plugins: faults, cost, use.
    Plugins,
    /// What runs when.
    Schedule,
    /// What each task cost and what it gained.
    Ledger,
    /// The policy in force, and what it refused.
    Policy,
    /// Processor, memory and disk that maintenance takes.
    Resources,
    /// The success metrics.
    Success,
    /// Backups read back.
    Backups,
    /// Recoveries and drills.
    Recoveries,
    /// The runbook, and when it was last written.
    Runbook,
}

/// One thing to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// What to ask oneself.
    pub text: &'static str,
    /// What it is shown beside.
    pub shows: Shows,
}

/// One review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The stable name, by which it is signed off.
    pub id: &'static str,
    /// How often.
    pub cadence: Cadence,
    /// What it is, for people.
    pub title: &'static str,
    /// What to look at.
    pub points: &'static [Point],
}

/// Somebody's word that an item was gone through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOff {
    /// When, in nanoseconds since 1970.
    pub wall_ns: i64,
    /// Who.
    pub who: String,
    /// What they had to say; may be empty.
    pub note: String,
}

/// How an item stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ItemStatus {
    /// The item.
    pub item: &'static Item,
    /// When it is to be done by, in nanoseconds since 1970.
    pub due_wall_ns: i64,
    /// For how long it has been overdue, in nanoseconds; none while it is not.
    pub overdue_by_ns: Option<u64>,
    /// The last sign-off that counts.
    pub last: Option<SignOff>,
}

/// Every review, the most frequent first.
pub const ITEMS: &[Item] = &[
    Item {
        id: "health-review",
        cadence: Cadence::Daily,
        title: "System health",
        points: &[
            point(
                "Is every part well, and is each open finding understood?",
                Shows::Health,
            ),
            point("Does anything behave unlike it used to?", Shows::Anomalies),
            point("Was each security alert answered rightly?", Shows::Alerts),
            point("Did every task that was due run, and end well?", Shows::Runs),
        ],
    },
    Item {
        id: "performance-analysis",
        cadence: Cadence::Daily,
        title: "Performance",
        points: &[
            point("Where is speed going, over days and weeks?", Shows::Trends),
            point("Did what was optimised get better, and stay so?", Shows::Impact),
            point("What is slow that no task will mend by itself?", Shows::Slowest),
            point("Which budgets are missed?", Shows::Budgets),
        ],
    },
    Item {
        id: "report-review",
        cadence: Cadence::Weekly,
        title: "Maintenance report",
        points: &[
            point(
                "What does the week's report say that the days did not?",
                Shows::Report,
            ),
            point("Which trends of the week go on?", Shows::Trends),
            point("Why did runs fail, and will they again?", Shows::Failures),
            point("Which improvement comes next?", Shows::Opportunities),
        ],
    },
    Item {
        id: "evolution-planning",
        cadence: Cadence::Weekly,
        title: "Evolution",
        points: &[
            point(
                "Which enhancements are wanted, and worth it?",
                Shows::Opportunities,
            ),
            point("What is deprecated, and who still uses it?", Shows::Deprecations),
            point("Are the plugins well, and worth what they cost?", Shows::Plugins),
            point(
                "When does the next large piece of maintenance fit?",
                Shows::Schedule,
            ),
        ],
    },
    Item {
        id: "strategy-review",
        cadence: Cadence::Monthly,
        title: "Strategy",
        points: &[
            point("Does maintenance gain more than it costs?", Shows::Ledger),
            point("Does the policy still say what is meant?", Shows::Policy),
            point(
                "Does maintenance have what it needs, and not more?",
                Shows::Resources,
            ),
            point(
                "Which success metric asks for another way of working?",
                Shows::Success,
            ),
        ],
    },
    Item {
        id: "recovery-test",
        cadence: Cadence::Monthly,
        title: "Disaster recovery",
        points: &[
            point("Can every backup be read back?", Shows::Backups),
            point("Does each way back still lead there?", Shows::Recoveries),
            point(
                "Did this month's drill reach its end, in time?",
                Shows::Recoveries,
            ),
            point(
                "Could somebody else follow the runbook on a new machine?",
                Shows::Runbook,
            ),
        ],
    },
];

const fn point(text: &'static str, shows: Shows) -> Point {
    Point { text, shows }
}

const DAY_NS: i64 = 86_400 * 1_000_000_000;

impl Cadence {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Cadence::Daily => "daily",
            Cadence::Weekly => "weekly",
            Cadence::Monthly => "monthly",
        }
    }

    /// The longest time between two reviews, in nanoseconds. A month is its longest: whoever signs off on the same
    /// day of each month is never late.
    pub const fn period_ns(self) -> i64 {
        match self {
            Cadence::Daily => DAY_NS,
            Cadence::Weekly => 7 * DAY_NS,
            Cadence::Monthly => 31 * DAY_NS,
        }
    }
}

impl Item {
    /// Finds an item by its name.
    pub fn named(id: &str) -> Option<&'static Item> {
        ITEMS.iter().find(|item| item.id == id)
    }
}

/// Says how each of `items` stands, by the last sign-off of each and the time since which the items are known.
pub fn status(
    items: &'static [Item],
    sign_offs: &BTreeMap<String, SignOff>,
    installed_wall_ns: i64,
    now_wall_ns: i64,
) -> Vec<ItemStatus> {
    let stands = |item: &'static Item| {
        let period = item.cadence.period_ns();
        // A time that lies ahead is the work of a clock that was set back: nothing can be late against it.
        let latest = now_wall_ns.saturating_add(period);
        let last = sign_offs
            .get(item.id)
            .filter(|sign_off| sign_off.wall_ns <= latest);
        let known = installed_wall_ns.min(now_wall_ns);
        let since = last.map_or(known, |sign_off| sign_off.wall_ns.max(known));
        let due_wall_ns = since.saturating_add(period);
        let late = now_wall_ns.saturating_sub(due_wall_ns);
        ItemStatus {
            item,
            due_wall_ns,
            overdue_by_ns: u64::try_from(late).ok().filter(|&late| late > 0),
            last: last.cloned(),
        }
    };
    items.iter().map(stands).collect()
}

/// The findings that overdue items are.
pub fn overdue(statuses: &[ItemStatus]) -> impl Iterator<Item = report::Check> {
    statuses.iter().filter_map(|status| {
        let late = age(status.overdue_by_ns?);
        let last = match &status.last {
            Some(sign_off) => format!("last signed off by {}", sign_off.who),
            None => "never signed off".to_owned(),
        };
        Some(report::Check::found(
            Severity::Warning,
            status.item.title,
            format!("{} review overdue by {late}; {last}", status.item.cadence.name()),
            format!(
                "go through it: lusush maint checklist; then: lusush maint checklist sign-off {}",
                status.item.id
            ),
        ))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INSTALLED: i64 = 1_000 * DAY_NS;

    fn signed(id: &str, wall_ns: i64) -> BTreeMap<String, SignOff> {
        let (who, note) = ("alice".to_owned(), String::new());
        BTreeMap::from([(id.to_owned(), SignOff { wall_ns, who, note })])
    }

    fn of(id: &str, sign_offs: &BTreeMap<String, SignOff>, now: i64) -> ItemStatus {
        let mut all = status(ITEMS, sign_offs, INSTALLED, now);
        all.remove(ITEMS.iter().position(|item| item.id == id).unwrap())
    }

    #[test]
    fn items_have_distinct_names_and_something_to_look_at() {
        for item in ITEMS {
            assert_eq!(ITEMS.iter().filter(|other| other.id == item.id).count(), 1);
            assert_eq!(Item::named(item.id), Some(item));
            assert!(item.points.iter().all(|point| point.text.ends_with('?')));
            assert!(!item.points.is_empty());
        }
        assert!(ITEMS.is_sorted_by_key(|item| item.cadence));
    }

    #[test]
    fn an_item_is_overdue_a_period_after_it_was_known_or_signed_off() {
        fn check(id: &str, signed_day: Option<i64>, now_day: i64, overdue_days: Option<u64>) {
            let sign_offs = signed_day.map_or_else(BTreeMap::new, |day| signed(id, INSTALLED + day * DAY_NS));
            let status = of(id, &sign_offs, INSTALLED + now_day * DAY_NS);
            let days = status.overdue_by_ns.map(|ns| ns / DAY_NS as u64);
            assert_eq!(days, overdue_days, "{id} {signed_day:?} {now_day}");
        }
        check("health-review", None, 0, None);
        check("health-review", None, 1, None);
        check("health-review", None, 2, Some(1));
        check("health-review", Some(1), 2, None);
        check("report-review", None, 7, None);
        check("report-review", Some(2), 10, Some(1));
        check("recovery-test", Some(0), 31, None);
        check("recovery-test", Some(0), 33, Some(2));
        // Signed off before this installation: known anew.
        check("health-review", Some(-10), 1, None);
        // The clock was set back: by an hour's worth nothing is lost, by a year nothing is believed.
        check("health-review", Some(3), 2, None);
        check("health-review", Some(300), 3, Some(2));
        check("health-review", None, -300, None);
    }

    #[test]
    fn an_overdue_item_is_a_finding_that_says_what_to_do() {
        let now = INSTALLED + 9 * DAY_NS;
        let statuses = status(
            ITEMS,
            &signed("report-review", INSTALLED + DAY_NS),
            INSTALLED,
            now,
        );
        let found: Vec<_> = overdue(&statuses).collect();
        let subjects: Vec<_> = found.iter().map(|check| check.subject).collect();
        assert_eq!(
            subjects,
            ["System health", "Performance", "Maintenance report", "Evolution"]
        );
        assert_eq!(
            found[2].evidence,
            "weekly review overdue by 1 d; last signed off by alice"
        );
        assert!(found[0].evidence.ends_with("never signed off"));
        assert!(found[0].remedy.ends_with("sign-off health-review"));
    }

    proptest! {
        #[test]
        fn a_sign_off_clears_what_is_overdue(
            at in 0..ITEMS.len(),
            installed in any::<i64>(),
            before in prop::option::of(any::<i64>()),
            now in any::<i64>(),
        ) {
            let item = &ITEMS[at];
            let mut sign_offs = before.map_or_else(BTreeMap::new, |ns| signed(item.id, ns));
            let stood = &status(ITEMS, &sign_offs, installed, now)[at];
            if stood.overdue_by_ns.is_some() {
                prop_assert!(i128::from(now) - i128::from(installed) > i128::from(item.cadence.period_ns()));
            }
            sign_offs.extend(signed(item.id, now));
            let stands = &status(ITEMS, &sign_offs, installed, now)[at];
            prop_assert_eq!(stands.overdue_by_ns, None);
            prop_assert_eq!(stands.last.as_ref().map(|last| last.wall_ns), Some(now));
        }
    }
}
