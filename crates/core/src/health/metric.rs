//! What a metric is: a name, a unit, where its number comes from, and from where on it is a finding.
//!
//! The rows are in one table, [`METRICS`]. Adding a metric is a row there.

use lle_metrics::{Counter, Gauge, Timer};
use serde::Serialize;

use super::component::Component;
pub use super::rows::METRICS;
use crate::quantity;
use crate::severity::Severity;

/// A number, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// Measured.
    Known(f64),
    /// Not to be known, for this reason.
    Unknown(&'static str),
}

impl Value {
    /// The number; none if unknown.
    pub const fn known(self) -> Option<f64> {
        match self {
            Value::Known(value) => Some(value),
            Value::Unknown(_) => None,
        }
    }

    /// Takes a number that may be missing.
    pub(super) fn or(value: Option<f64>, why: &'static str) -> Value {
        match value {
            Some(value) if value.is_finite() => Value::Known(value),
            _ => Value::Unknown(why),
        }
    }
}

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes.
    Bytes,
    /// Bytes in an hour.
    BytesPerHour,
    /// Things in a second.
    PerSecond,
    /// Hundredths; of one processor, for the processor's time.
    Percent,
    /// A number of things.
    Count,
    /// 0 or 1.
    Flag,
}

impl Unit {
    /// Writes a number of this unit as people read it.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Nanoseconds => quantity::duration(value),
            Unit::Bytes => quantity::bytes(value),
            Unit::BytesPerHour => format!("{} an hour", quantity::bytes(value)),
            Unit::PerSecond => format!("{value:.1} a second"),
            Unit::Percent => format!("{value:.1} %"),
            Unit::Count => quantity::count(value.max(0.0) as u64),
            Unit::Flag => if value == 0.0 { "no" } else { "yes" }.to_owned(),
        }
    }
}

/// What is taken of a distribution over the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// The largest.
    Max,
    /// The median.
    P50,
    /// The 99th percentile.
    P99,
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// A distribution in the flight file, over the window.
    Timer(Timer, Statistic),
    /// The mean of a timer's last samples, whenever they were.
    Recent(Timer),
    /// A counter in the flight file: its growth over the window, a second.
    Rate(Counter),
    /// A counter in the flight file: its growth over the window.
    Grown(Counter),
    /// A gauge in the flight file, which an older session may lack.
    Gauge(Gauge),
    /// A sum over the caches of a session.
    Caches(CachePart),
    /// Hundredths of the questions to one cache, by its place among all of them, that it could answer.
    CacheHits(usize),
    /// Hundredths of what the allocator holds that nobody uses.
    FreeShare,
    /// Waits for input that no key ended, a second.
    IdleWakeups,
    /// Whether LLE is switched off.
    Off,
    /// Generations of the configuration that an idle session has not applied.
    ConfigLag,
    /// Processor time, from /proc.
    Cpu,
    /// The same, only of a session that waits for keys.
    IdleCpu,
    /// Anonymous memory, from /proc.
    RssAnon,
    /// The most memory there ever was, from /proc.
    RssPeak,
    /// Growth of the least memory an idle session has.
    FloorGrowth,
    /// Since the session started.
    Uptime,
    /// Of the worker, not of a session.
    Worker(WorkerFact),
    /// Nothing measures it, for this reason.
    Nothing(&'static str),
}

/// What caches tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachePart {
    /// Questions that they could answer since the session began.
    Hits,
    /// Questions that they could not.
    Misses,
    /// What they take.
    Bytes,
}

/// What is known of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerFact {
    /// Processor time.
    Cpu,
    /// Anonymous memory.
    RssAnon,
    /// Since it started.
    Uptime,
    /// Panics in the last hour.
    Panics,
    /// Things put right by themselves in the last hour: trials undone, intents finished after a crash.
    Recoveries,
    /// Damaged records in its own logs.
    DamagedRecords,
    /// Clients turned away in the last hour.
    FailedAuthentications,
    /// Operations refused in the last hour.
    BlockedOperations,
    /// Security findings in the last hour.
    SecurityEvents,
}

impl Source {
    /// Whether the number is the worker's and so there is one in all.
    pub const fn is_of_worker(self) -> bool {
        matches!(self, Source::Worker(_) | Source::Nothing(_))
    }
}

/// How a finding words its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// The number comes last: "prompt takes 305 ms".
    Last(&'static str),
    /// The number comes first: "3 history records could not be written".
    First(&'static str),
    /// There is no number to it: "nothing is kept on disk".
    Alone(&'static str),
}

/// From where on a metric is a finding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The finding's stable key, without the session.
    pub key: &'static str,
    /// How the finding says it.
    pub wording: Wording,
    /// A finding from here on, whatever was usual; none if only what was usual counts.
    pub warn: Option<f64>,
    /// A worse one from here on.
    pub critical: Option<f64>,
    /// A finding from so many times the usual on; none if what is usual is not learned.
    pub times_warn: Option<f64>,
    /// A worse one from so many times the usual on, if it is also above `warn`.
    pub times_critical: Option<f64>,
    /// Less than so much above the usual matters to nobody.
    pub least: f64,
    /// How bad the finding is.
    pub severity: Severity,
    /// How bad the worse one is.
    pub worse: Severity,
    /// What to do about it; names a command.
    pub remedy: &'static str,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// The stable name; the unit last where it is not a plain count.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// Which part it tells of.
    pub component: Component,
    /// Where the number comes from.
    pub source: Source,
    /// From where on it is a finding; none if it never is.
    pub limits: Option<Limits>,
}

impl Metric {
    /// Finds a metric by its name.
    pub fn named(name: &str) -> Option<&'static Metric> {
        METRICS.iter().find(|metric| metric.name == name)
    }

    /// Whether what is usual is learned.
    pub fn is_learned(&self) -> bool {
        self.limits.is_some_and(|limits| limits.times_warn.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_distinct_and_their_limits_make_sense() {
        for metric in METRICS {
            let twins = METRICS.iter().filter(|other| other.name == metric.name);
            assert_eq!(twins.count(), 1, "{}", metric.name);
            assert_eq!(Metric::named(metric.name), Some(metric));
            let Some(limits) = metric.limits else { continue };
            let twins = METRICS
                .iter()
                .filter(|other| other.limits.is_some_and(|l| l.key == limits.key));
            assert_eq!(twins.count(), 1, "{}", limits.key);
            assert!(limits.worse >= limits.severity, "{}", metric.name);
            assert!(
                limits.warn.is_some() || limits.times_warn.is_some(),
                "{}",
                metric.name
            );
            if let (Some(warn), Some(critical)) = (limits.warn, limits.critical) {
                assert!(warn < critical, "{}", metric.name);
            }
            if let (Some(warn), Some(critical)) = (limits.times_warn, limits.times_critical) {
                assert!(1.0 < warn && warn < critical, "{}", metric.name);
            }
            assert!(limits.remedy.contains('`'), "{}: names no command", metric.name);
        }
    }

    #[test]
    fn every_component_has_a_metric() {
        for component in Component::ALL {
            assert!(
                METRICS.iter().any(|metric| metric.component == *component),
                "{}",
                component.name()
            );
        }
    }
}
