//! The 22 systems: what each promises, and what shows that it is there and works.
//!
//! A system is met when everything it promises is there and works; as long as a part of it is not built the answer
//! is unknown, and the row names the part. Building a part removes its line from the table and adds a check.

use super::{Reading, Row, Source, Validator, Verdict};
use crate::quantity::{age, count, several};

/// One system of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System {
    /// `S1` to `S22`.
    pub id: &'static str,
    /// The name.
    pub name: &'static str,
    /// What it promises, in one sentence.
    pub promise: &'static str,
    /// Who judges it.
    pub validator: Validator,
    /// What has to hold.
    pub checks: &'static [Check],
}

/// Something that has to hold of a running system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// The ten kinds of task have their rows.
    TaskRows,
    /// In each task's statistics, the runs are the sum of what they ended as.
    StatisticsConsistent,
    /// The scheduler looked at the time not long ago.
    SchedulerAlive,
    /// The last health sample is not old.
    HealthSampleFresh,
    /// The control socket answers.
    SocketAnswers,
    /// The audit chain is whole, to its anchored head.
    ChainVerifies,
    /// The default schedule is in place.
    DefaultSchedule,
    /// Live sessions are seen.
    SessionsSeen,
    /// Idle sessions go by the configuration in force.
    ConfigFollowed,
    /// This validation.
    Itself,
    /// A part that this version does not have.
    NotBuilt(&'static str),
}

/// What the worker sees of itself. What it did not look at is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many of the ten kinds of task have a row.
    pub task_rows: Option<u32>,
    /// Tasks whose statistics contradict themselves.
    pub tasks_inconsistent: Option<u32>,
    /// How long ago the scheduler looked at the time.
    pub scheduler_age_ns: Option<u64>,
    /// How long ago the last health sample was taken.
    pub health_sample_age_ns: Option<u64>,
    /// Whether the control socket answered.
    pub socket_answers: Option<bool>,
    /// What the verification of the audit log found.
    pub audit: Option<Audit>,
    /// Entries of the default schedule that are neither in place nor changed by the user.
    pub default_schedule_missing: Option<u32>,
    /// Live sessions whose flight file could be read.
    pub sessions: Option<u32>,
    /// Idle sessions that go by another version of the configuration than the one they are to; none if no session says.
    pub sessions_behind: Option<u32>,
}

/// What the verification of the audit log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Records in the log.
    pub records: u64,
    /// Places where the chain is broken.
    pub faults: u64,
}

/// The scheduler wakes at least this often; a suspended machine is no reason, since it was not asked meanwhile.
pub const SCHEDULER_AGE_MAX_NS: u64 = 5 * 60 * 1_000_000_000;

/// The full check comes every 30 minutes; two of them missed are no chance.
pub const HEALTH_SAMPLE_AGE_MAX_NS: u64 = 65 * 60 * 1_000_000_000;

const TASK_KINDS: u32 = crate::task::TaskKind::ALL.len() as u32;

/// Every system.
pub const SYSTEMS: &[System] = &[
    system(
        "S1",
        "maintenance core",
        "Ten kinds of task, and those of users, run on a schedule with limits, statistics and a ledger.",
        Validator::Operational,
        &[
            Check::TaskRows,
            Check::StatisticsConsistent,
            Check::SchedulerAlive,
        ],
    ),
    system(
        "S2",
        "health monitor",
        "Every part's health is known from real measurements, or unknown with the reason.",
        Validator::Operational,
        &[Check::HealthSampleFresh],
    ),
    system(
        "S3",
        "prediction",
        "Trends, patterns and changes are found, forecasts made, and each forecast scored.",
        Validator::Performance,
        &[Check::NotBuilt("models made in the background")],
    ),
    system(
        "S4",
        "performance optimiser",
        "What is slow is made faster, proved by a paired comparison, and undone where it is not.",
        Validator::Performance,
        &[Check::NotBuilt("parts of a prompt put off or cached")],
    ),
    system(
        "S5",
        "cache maintenance",
        "Every cache is cleaned, validated, and given the memory that it uses best.",
        Validator::Performance,
        &[Check::NotBuilt("checks of suggestions and completions")],
    ),
    system(
        "S6",
        "security maintenance",
        "What really hits shell users is detected, contained and told.",
        Validator::Security,
        &[Check::NotBuilt("detectors")],
    ),
    system(
        "S7",
        "plugin security",
        "A plugin has nothing it did not ask for and was not granted.",
        Validator::Security,
        &[Check::NotBuilt("plugins")],
    ),
    system(
        "S8",
        "configuration",
        "Layered configuration with origins, versions, and mistakes told with file, line and column.",
        Validator::Operational,
        &[Check::ConfigFollowed],
    ),
    system(
        "S9",
        "hot reload",
        "A change reaches every live session without losing the line, and goes back if it harms.",
        Validator::Integration,
        &[
            Check::ConfigFollowed,
            Check::NotBuilt("versions that go back by themselves"),
        ],
    ),
    system(
        "S10",
        "evolution",
        "A new feature is tried in one session before all get it.",
        Validator::Operational,
        &[Check::NotBuilt("stages and canaries")],
    ),
    system(
        "S11",
        "backward compatibility",
        "Versions n and n-1 of everything that is written or spoken work together.",
        Validator::Integration,
        &[Check::NotBuilt("check of interfaces")],
    ),
    system(
        "S12",
        "backup",
        "Configuration, history, state and plugins are saved, encrypted, and proved readable.",
        Validator::Operational,
        &[Check::NotBuilt("journal and archive")],
    ),
    system(
        "S13",
        "disaster recovery",
        "From every named disaster there is a tested way back.",
        Validator::Operational,
        &[Check::NotBuilt("scenarios and drills")],
    ),
    system(
        "S14",
        "analytics",
        "What was measured is kept, summed up and reported.",
        Validator::Performance,
        &[Check::NotBuilt("reports and exports")],
    ),
    system(
        "S15",
        "dashboard and alerts",
        "One live view of everything, and alerts that never come while typing.",
        Validator::Integration,
        &[Check::NotBuilt("dashboard"), Check::NotBuilt("escalation")],
    ),
    system(
        "S16",
        "maintenance testing",
        "A scratch copy of the live system is tested and compared with earlier results.",
        Validator::Operational,
        &[Check::NotBuilt("self-test")],
    ),
    system(
        "S17",
        "API",
        "The same operations from Rust, control socket, command line and C.",
        Validator::Integration,
        &[Check::SocketAnswers, Check::NotBuilt("C interface")],
    ),
    system(
        "S18",
        "host integration",
        "One worker serves many sessions of several kinds of shell.",
        Validator::Integration,
        &[
            Check::SessionsSeen,
            Check::NotBuilt("C hosts"),
            Check::NotBuilt("zsh and fish"),
        ],
    ),
    system(
        "S19",
        "maintenance security",
        "Every operation is authorised, checked against policy, sanitised and audited.",
        Validator::Security,
        &[
            Check::ChainVerifies,
            Check::NotBuilt("confinement of processes"),
            Check::NotBuilt("list of permitted egress"),
        ],
    ),
    system(
        "S20",
        "procedures",
        "The daily, weekly and monthly procedures are the default schedule, with reviews to sign off.",
        Validator::Operational,
        &[
            Check::DefaultSchedule,
            Check::NotBuilt("analyses and drills behind the schedule"),
        ],
    ),
    system(
        "S21",
        "validation",
        "The running system is measured against every budget and success metric.",
        Validator::Operational,
        &[Check::Itself],
    ),
    system(
        "S22",
        "deployment",
        "From observing to acting, once what was promised holds; packages for the whole.",
        Validator::Operational,
        &[Check::NotBuilt("gate"), Check::NotBuilt("packages")],
    ),
];

const fn system(
    id: &'static str,
    name: &'static str,
    promise: &'static str,
    validator: Validator,
    checks: &'static [Check],
) -> System {
    System {
        id,
        name,
        promise,
        validator,
        checks,
    }
}

pub(super) fn judge(facts: &Facts) -> Vec<Row> {
    SYSTEMS.iter().map(|system| row(system, facts)).collect()
}

fn row(system: &'static System, facts: &Facts) -> Row {
    let seen: Vec<(Verdict, String)> = system.checks.iter().map(|check| check.look(facts)).collect();
    let count = |verdict| seen.iter().filter(|(found, _)| *found == verdict).count();
    let (met, all) = (count(Verdict::Met), seen.len());
    let verdict = match (count(Verdict::Missed), met) {
        (1.., _) => Verdict::Missed,
        _ if met == all => Verdict::Met,
        _ => Verdict::Unknown,
    };
    let looked = met + count(Verdict::Missed) > 0;
    let words: Vec<&str> = seen.iter().map(|(_, words)| words.as_str()).collect();
    Row {
        id: system.id,
        title: system.name,
        validator: system.validator,
        target: system.promise.to_owned(),
        reading: Reading {
            verdict,
            value: looked.then_some(met as f64),
            shown: if looked {
                format!("{met} of {all} checks hold")
            } else {
                String::new()
            },
            source: if looked { Source::Live } else { Source::Nothing },
            how: "checks of the running system".to_owned(),
            why: words.join("; "),
        },
        bench: None,
    }
}

impl Check {
    /// Judges one check, and says what was seen.
    pub fn look(self, facts: &Facts) -> (Verdict, String) {
        match self {
            Check::TaskRows => holds(
                "kinds of task",
                facts.task_rows,
                |rows| rows == TASK_KINDS,
                |rows| format!("{rows} of {TASK_KINDS} kinds of task have their row"),
            ),
            Check::StatisticsConsistent => holds(
                "statistics of tasks",
                facts.tasks_inconsistent,
                |tasks| tasks == 0,
                |tasks| match tasks {
                    0 => "statistics of all tasks add up".to_owned(),
                    _ => format!(
                        "statistics of {} do not add up",
                        several(tasks.into(), "task", "tasks")
                    ),
                },
            ),
            Check::SchedulerAlive => holds(
                "scheduler",
                facts.scheduler_age_ns,
                |ns| ns <= SCHEDULER_AGE_MAX_NS,
                |ns| format!("scheduler ran {} ago", age(ns)),
            ),
            Check::HealthSampleFresh => holds(
                "health sample",
                facts.health_sample_age_ns,
                |ns| ns <= HEALTH_SAMPLE_AGE_MAX_NS,
                |ns| format!("last health sample {} ago", age(ns)),
            ),
            Check::SocketAnswers => holds(
                "control socket",
                facts.socket_answers,
                |answers| answers,
                |answers| {
                    let not = if answers { "answers" } else { "does not answer" };
                    format!("control socket {not}")
                },
            ),
            Check::ChainVerifies => chain(facts.audit.as_ref()),
            Check::DefaultSchedule => holds(
                "default schedule",
                facts.default_schedule_missing,
                |missing| missing == 0,
                |missing| match missing {
                    0 => "default schedule in place".to_owned(),
                    _ => format!(
                        "{} of the default schedule missing",
                        several(missing.into(), "entry", "entries")
                    ),
                },
            ),
            Check::SessionsSeen => sessions(facts.sessions),
            Check::ConfigFollowed => holds(
                "configuration of sessions",
                facts.sessions_behind,
                |behind| behind == 0,
                |behind| match behind {
                    0 => "every idle session goes by the configuration in force".to_owned(),
                    _ => format!(
                        "{} by another version than the one in force",
                        several(behind.into(), "idle session goes", "idle sessions go")
                    ),
                },
            ),
            Check::Itself => (Verdict::Met, "every promise is listed and judged here".to_owned()),
            Check::NotBuilt(part) => (Verdict::Unknown, format!("not built yet: {part}")),
        }
    }
}

fn holds<T: Copy>(
    subject: &str,
    fact: Option<T>,
    good: impl Fn(T) -> bool,
    words: impl Fn(T) -> String,
) -> (Verdict, String) {
    match fact {
        None => (Verdict::Unknown, format!("{subject}: not looked at")),
        Some(fact) if good(fact) => (Verdict::Met, words(fact)),
        Some(fact) => (Verdict::Missed, words(fact)),
    }
}

fn chain(audit: Option<&Audit>) -> (Verdict, String) {
    match audit {
        None => (Verdict::Unknown, "audit chain: not verified".to_owned()),
        // An empty log is whole and proves nothing.
        Some(Audit {
            records: 0,
            faults: 0,
        }) => (Verdict::Unknown, "audit chain: no record yet".to_owned()),
        Some(Audit { records, faults: 0 }) => {
            let records = several(*records, "record", "records");
            (Verdict::Met, format!("audit chain whole, {records}"))
        }
        Some(Audit { records, faults }) => {
            let faults = several(*faults, "place", "places");
            let why = format!("audit chain broken in {faults}, {} records", count(*records));
            (Verdict::Missed, why)
        }
    }
}

/// Without a session there is nothing to be seen, which is no fault of the worker's.
fn sessions(seen: Option<u32>) -> (Verdict, String) {
    match seen {
        None => (Verdict::Unknown, "sessions: not looked for".to_owned()),
        Some(0) => (Verdict::Unknown, "no live session to be seen".to_owned()),
        Some(seen) => {
            let sessions = several(seen.into(), "live session", "live sessions");
            (Verdict::Met, format!("{sessions} seen"))
        }
    }
}
