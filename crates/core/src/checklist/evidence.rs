//! What the running system shows beside each point of a review, in one line.
//!
//! Invariant: a number that nobody counted is not shown: what cannot be told says that it is unknown, and why.

use super::Shows;
use crate::alert::Alerts;
use crate::health::assess::{Assessment, Measured};
use crate::health::metric::{Source, Statistic};
use crate::quantity::{age, bytes, count, duration, several};
use crate::task::ledger::Ledger;
use crate::task::statistics::{LastRun, Outcome};
use crate::validate::systems::Audit;
use crate::validate::{Row, Tally, Validation, Verdict};

/// Runs older than this tell nothing of how things are now, in nanoseconds.
const RECENT_NS: i64 = 7 * 86_400 * 1_000_000_000;
/// Names in one line; of more, their number is told.
const NAMES_MAX: usize = 3;

/// One task, as a review sees it.
#[derive(Clone, Copy, Debug)]
pub struct TaskFacts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its last run.
    pub last: Option<&'a LastRun>,
    /// When it is due, in nanoseconds since 1970; none if only when asked for.
    pub next_wall_ns: Option<i64>,
    /// What it cost and gained.
    pub ledger: Ledger,
}

/// What is known.
pub struct Facts<'a> {
    /// Now, in nanoseconds since 1970.
    pub now_wall_ns: i64,
    /// The last health check.
    pub health: Option<&'a Assessment>,
    /// Every alert.
    pub alerts: &'a Alerts,
    /// Every task.
    pub tasks: &'a [TaskFacts<'a>],
    /// What became of every promise.
    pub validation: &'a Validation,
    /// What the verification of the audit log found just now; none if it cannot be read.
    pub audit: Option<&'a Audit>,
    /// What is wrong with the files of rules.
    pub policy_problems: u64,
    /// Operations and peers that were refused since the worker began; none without a worker.
    pub refused: Option<(u64, u64)>,
}

/// The line for one point.
pub fn evidence(shows: Shows, facts: &Facts<'_>) -> String {
    match shows {
        Shows::Health => health(facts),
        Shows::Anomalies => anomalies(facts),
        Shows::Alerts => alerts(facts),
        Shows::Runs => runs(facts),
        Shows::Failures => failures(facts),
        Shows::Schedule => schedule(facts),
        Shows::Ledger => ledger(facts),
        Shows::Slowest => slowest(facts),
        Shows::Resources => resources(facts),
        Shows::Policy => policy(facts),
        Shows::Budgets => promises(&facts.validation.budgets),
        Shows::Success => promises(&facts.validation.success),
        Shows::Trends
        | Shows::Impact
        | Shows::Report
        | Shows::Opportunities
        | Shows::Deprecations
        | Shows::Plugins
        | Shows::Backups
        | Shows::Recoveries
        | Shows::Runbook => unknown("not yet built"),
    }
}

fn unknown(why: &str) -> String {
    format!("unknown: {why}")
}

/// Names the first of many.
fn named(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(NAMES_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn health(facts: &Facts<'_>) -> String {
    let Some(found) = facts.health else {
        return unknown("nobody has looked yet");
    };
    let affected = found.components.iter().filter(|part| part.findings > 0);
    let parts: Vec<String> = affected
        .map(|part| format!("{} {}", part.component.name(), part.findings))
        .collect();
    let findings = several(found.findings.len() as u64, "open finding", "open findings");
    match parts.is_empty() {
        true => format!("{}; {findings}", found.overall.name()),
        false => format!(
            "{}; {findings}, by part: {}",
            found.overall.name(),
            parts.join(", ")
        ),
    }
}

fn anomalies(facts: &Facts<'_>) -> String {
    let learned = |found: &Assessment| found.metrics.iter().filter(|one| one.usual.is_some()).count();
    let Some(found) = facts.health.filter(|found| learned(found) > 0) else {
        return unknown("what is usual has not been learned yet");
    };
    let unlike = found.findings.iter().filter(|finding| finding.before.is_some());
    let titles: Vec<String> = unlike.map(|finding| finding.title.clone()).collect();
    match titles.is_empty() {
        true => format!("all {} that are learned are as usual", learned(found)),
        false => named(&titles),
    }
}

fn alerts(facts: &Facts<'_>) -> String {
    let acknowledged = facts.alerts.open().filter(|alert| alert.acknowledged.is_some());
    format!(
        "{} open, {} of them acknowledged; {} resolved",
        facts.alerts.open().count(),
        acknowledged.count(),
        facts.alerts.history().count()
    )
}

/// The tasks that ran within a week.
fn recent<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (&'a str, &'a LastRun)> {
    let since = facts.now_wall_ns.saturating_sub(RECENT_NS);
    let tasks = facts.tasks.iter();
    let runs = tasks.filter_map(|task| Some((task.name, task.last?)));
    runs.filter(move |(_, run)| run.wall_ns >= since)
}

fn runs(facts: &Facts<'_>) -> String {
    let of = |wanted: &[Outcome]| {
        recent(facts)
            .filter(|(_, run)| wanted.contains(&run.outcome))
            .count()
    };
    format!(
        "of {}, the last run within 7 days succeeded for {}, had nothing to do for {}, went wrong for {}; {} have none",
        several(facts.tasks.len() as u64, "task", "tasks"),
        of(&[Outcome::Succeeded]),
        of(&[Outcome::NothingToDo, Outcome::NotBuilt]),
        of(&[
            Outcome::Failed,
            Outcome::TimedOut,
            Outcome::Panicked,
            Outcome::Cancelled
        ]),
        facts.tasks.len() - recent(facts).count(),
    )
}

fn failures(facts: &Facts<'_>) -> String {
    let wrong = recent(facts).filter(|(_, run)| run.outcome.went_wrong());
    let names: Vec<String> = wrong
        .map(|(name, run)| format!("{name} ({}: {})", run.outcome.name(), run.note))
        .collect();
    match names.is_empty() {
        true => "no task's last run within 7 days went wrong".into(),
        false => named(&names),
    }
}

fn schedule(facts: &Facts<'_>) -> String {
    let mut due: Vec<(i64, &str)> = facts
        .tasks
        .iter()
        .filter_map(|task| Some((task.next_wall_ns?, task.name)))
        .collect();
    due.sort_unstable();
    let told = |(at, name): &(i64, &str)| match at.saturating_sub(facts.now_wall_ns) {
        left @ 1.. => format!("{name} in {}", age(left.unsigned_abs())),
        _ => format!("{name} is due"),
    };
    match due.is_empty() {
        true => "nothing runs by itself".into(),
        false => named(&due.iter().map(told).collect::<Vec<_>>()),
    }
}

fn ledger(facts: &Facts<'_>) -> String {
    let sum = |of: fn(&Ledger) -> u64| facts.tasks.iter().map(|task| of(&task.ledger)).sum::<u64>();
    let entries = sum(|ledger| ledger.entries);
    if entries == 0 {
        return unknown("no task has done anything yet");
    }
    let gained: i64 = facts.tasks.iter().map(|task| task.ledger.gained_bytes).sum();
    format!(
        "{} took {} of processor time and gave {} back; {} do not tell their cost, {} their gain",
        several(entries, "run", "runs"),
        duration(sum(|ledger| ledger.cost_cpu_ns) as f64),
        bytes(gained as f64),
        count(sum(|ledger| ledger.cost_unknown)),
        count(sum(|ledger| ledger.gain_unknown)),
    )
}

fn slowest(facts: &Facts<'_>) -> String {
    let of = |one: &Measured| {
        let slow = matches!(one.metric.source, Source::Timer(_, Statistic::P99)) && one.session.is_none();
        slow.then_some((one.value.known()?, one.metric))
            .filter(|(value, _)| *value > 0.0)
    };
    let mut timed: Vec<_> = facts
        .health
        .iter()
        .flat_map(|found| &found.metrics)
        .filter_map(of)
        .collect();
    timed.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    timed.truncate(NAMES_MAX);
    let told: Vec<String> = timed
        .iter()
        .map(|(value, metric)| format!("{} {}", metric.name, metric.unit.show(*value)))
        .collect();
    match told.is_empty() {
        true => unknown("nothing was timed in the last minute"),
        false => told.join(", "),
    }
}

fn resources(facts: &Facts<'_>) -> String {
    let known = |name: &str| {
        let mut metrics = facts.health.iter().flat_map(|found| &found.metrics);
        let one = metrics.find(|one| one.metric.name == name)?;
        Some(one.metric.unit.show(one.value.known()?))
    };
    match (known("worker_cpu_percent"), known("worker_rss_anon_bytes")) {
        (None, None) => unknown("no worker runs, or the kernel does not tell"),
        (cpu, memory) => format!(
            "the worker takes {} of a processor and {} of memory",
            cpu.as_deref().unwrap_or("an unknown share"),
            memory.as_deref().unwrap_or("an unknown amount")
        ),
    }
}

fn policy(facts: &Facts<'_>) -> String {
    let refused = match facts.refused {
        Some((operations, peers)) => format!(
            "{} and {} refused since the worker began",
            several(operations, "operation", "operations"),
            several(peers, "peer", "peers")
        ),
        None => "refusals unknown: no worker runs".into(),
    };
    let files = match facts.policy_problems {
        0 => "its files are understood".into(),
        wrong => several(wrong, "file is not understood", "files are not understood"),
    };
    let audit = match facts.audit {
        None => unknown("it cannot be read"),
        Some(Audit { records, faults: 0 }) => {
            format!("{} verified now, whole", several(*records, "record", "records"))
        }
        Some(Audit { records, faults }) => format!(
            "{} verified now, {}",
            several(*records, "record", "records"),
            several(*faults, "fault", "faults")
        ),
    };
    format!("{files}; {refused}; audit log: {audit}")
}

fn promises(rows: &[Row]) -> String {
    let tally = Tally::of(rows);
    let missed = rows.iter().filter(|row| row.reading.verdict == Verdict::Missed);
    let names: Vec<String> = missed.map(|row| row.id.to_owned()).collect();
    let told = format!(
        "{} met, {} missed, {} unknown",
        tally.met, tally.missed, tally.unknown
    );
    match names.is_empty() {
        true => told,
        false => format!("{told}; missed: {}", named(&names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checklist::ITEMS;
    use crate::validate::evidence::Evidence;
    use crate::validate::validate;

    fn lines(facts: &Facts<'_>) -> String {
        let points = ITEMS.iter().flat_map(|item| item.points);
        let mut shows: Vec<Shows> = points.map(|point| point.shows).collect();
        shows.sort_unstable();
        shows.dedup();
        // How many promises there are is said elsewhere.
        shows.retain(|shows| !matches!(shows, Shows::Budgets | Shows::Success));
        let line = |shows: &Shows| format!("{shows:?}: {}\n", evidence(*shows, facts));
        shows.iter().map(line).collect()
    }

    #[test]
    fn where_nothing_is_known_it_says_so() {
        let validation = validate(&Evidence::default());
        let facts = Facts {
            now_wall_ns: 0,
            health: None,
            alerts: &Alerts::default(),
            tasks: &[],
            validation: &validation,
            audit: None,
            policy_problems: 0,
            refused: None,
        };
        insta::assert_snapshot!(lines(&facts), @"
        Health: unknown: nobody has looked yet
        Anomalies: unknown: what is usual has not been learned yet
        Alerts: 0 open, 0 of them acknowledged; 0 resolved
        Runs: of 0 tasks, the last run within 7 days succeeded for 0, had nothing to do for 0, went wrong for 0; 0 have none
        Trends: unknown: not yet built
        Impact: unknown: not yet built
        Slowest: unknown: nothing was timed in the last minute
        Failures: no task's last run within 7 days went wrong
        Report: unknown: not yet built
        Opportunities: unknown: not yet built
        Deprecations: unknown: not yet built
        Plugins: unknown: not yet built
        Schedule: nothing runs by itself
        Ledger: unknown: no task has done anything yet
        Policy: its files are understood; refusals unknown: no worker runs; audit log: unknown: it cannot be read
        Resources: unknown: no worker runs, or the kernel does not tell
        Backups: unknown: not yet built
        Recoveries: unknown: not yet built
        Runbook: unknown: not yet built
        ");
    }

    #[test]
    fn promises_that_are_missed_are_named() {
        let mut rows = validate(&Evidence::default()).budgets;
        rows.truncate(5);
        assert_eq!(promises(&rows), "0 met, 0 missed, 5 unknown");
        rows[0].reading.verdict = Verdict::Met;
        for row in &mut rows[1..] {
            row.reading.verdict = Verdict::Missed;
        }
        let told = promises(&rows);
        assert!(
            told.starts_with(&format!("1 met, 4 missed, 0 unknown; missed: {}", rows[1].id)),
            "{told}"
        );
        assert!(told.ends_with(" and 1 more"), "{told}");
    }

    #[test]
    fn what_is_known_is_counted() {
        const HOUR_NS: i64 = 3_600_000_000_000;
        let now_wall_ns = 1_000 * HOUR_NS;
        let run = |hours_ago: i64, outcome, note: &str| LastRun {
            wall_ns: now_wall_ns - hours_ago * HOUR_NS,
            ns: 1,
            outcome,
            note: note.to_owned(),
        };
        let runs = [
            run(1, Outcome::Succeeded, ""),
            run(2, Outcome::TimedOut, "no end"),
            run(24 * 8, Outcome::Failed, "long ago"),
            run(3, Outcome::NothingToDo, "all well"),
        ];
        let ledger = Ledger {
            entries: 3,
            cost_unknown: 1,
            cost_cpu_ns: 2_500_000,
            gained_bytes: 3 << 20,
            ..Ledger::default()
        };
        let names = ["backup", "hangs", "old", "idle"];
        let tasks: Vec<TaskFacts<'_>> = (0..)
            .zip(names.iter().zip(&runs))
            .map(|(n, (name, last))| TaskFacts {
                name,
                last: Some(last),
                next_wall_ns: Some(now_wall_ns + (n - 1) * HOUR_NS),
                ledger,
            })
            .collect();
        let validation = validate(&Evidence::default());
        let facts = Facts {
            now_wall_ns,
            health: None,
            alerts: &Alerts::default(),
            tasks: &tasks,
            validation: &validation,
            audit: Some(&Audit {
                records: 1_234,
                faults: 1,
            }),
            policy_problems: 1,
            refused: Some((1, 20)),
        };
        let lines = lines(&facts);
        let told = ["Alerts", "Runs", "Failures", "Schedule", "Ledger", "Policy"];
        let of = |line: &&str| told.iter().any(|name| line.starts_with(name));
        let known: Vec<&str> = lines.lines().filter(of).collect();
        insta::assert_snapshot!(known.join("\n"), @"
        Alerts: 0 open, 0 of them acknowledged; 0 resolved
        Runs: of 4 tasks, the last run within 7 days succeeded for 1, had nothing to do for 1, went wrong for 1; 1 have none
        Failures: hangs (timed-out: no end)
        Schedule: backup is due, hangs is due, old in 1 h and 1 more
        Ledger: 12 runs took 10 ms of processor time and gave 12 MiB back; 4 do not tell their cost, 0 their gain
        Policy: 1 file is not understood; 1 operation and 20 peers refused since the worker began; audit log: 1,234 records verified now, 1 fault
        ");
    }
}
