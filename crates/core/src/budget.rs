//! The one table of budgets: what each operation may cost, and how that is measured.
//!
//! Benches print their numbers beside these rows, and validation judges by them. Every promise has its row from
//! the first day; one without a probe is reported as unknown until there is one.

mod rows;

use std::fmt;

use crate::quantity::{bytes, duration, percent};

/// Which of many measurements a budget holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Percentile {
    /// The median.
    P50,
    /// The 99th percentile.
    P99,
    /// All there is: a size, a count.
    Every,
    /// The upper end of the 95 % confidence interval of a paired comparison.
    Upper95,
}

/// What is warm when the measurement starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Nothing in memory that was not there by itself.
    Cold,
    /// Everything in memory.
    Warm,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// Nanoseconds more than bash without LLE, measured in the same interleaved run.
    NanosecondsOverBash,
    /// Times what bash without LLE takes, measured in the same interleaved run.
    TimesBash,
    /// Bytes.
    Bytes,
    /// Bytes more than bash without LLE has.
    BytesOverBash,
    /// A number of things.
    Count,
    /// Hundredths of a whole.
    Percent,
    /// Times what the same session takes with maintenance switched off.
    TimesWithout,
}

/// One budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// The stable name, by which probes find it.
    pub name: &'static str,
    /// What is measured, for people.
    pub operation: &'static str,
    /// Which measurement counts.
    pub percentile: Percentile,
    /// What it is measured on.
    pub corpus: &'static str,
    /// Cold or warm.
    pub cache: Cache,
    /// The most it may be.
    pub at_most: f64,
    /// What `at_most` counts.
    pub unit: Unit,
    /// A critical operation: also below 1 ms at every single measurement.
    pub critical: bool,
    /// What measures it: a command, or [`NO_PROBE`].
    pub probe: &'static str,
}

/// Stands where a budget has no probe that could be run.
pub const NO_PROBE: &str = "";

/// What a measurement says about a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize))]
#[cfg_attr(feature = "engine", serde(rename_all = "lowercase"))]
pub enum Verdict {
    /// Within the budget.
    Met,
    /// Over the budget.
    Missed,
    /// Not measured.
    Unknown,
}

const US: f64 = 1e3;
const MS: f64 = 1e6;
const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;

/// Budgets of sessions and of looking at them. [`all`] has the others too.
pub const BUDGETS: &[Budget] = &[
    Budget {
        name: "record_key",
        operation: "record one key",
        percentile: Percentile::P99,
        corpus: "counter, timer, gauge, draft of 40 bytes",
        cache: Cache::Warm,
        at_most: 50.0,
        unit: Unit::Nanoseconds,
        critical: true,
        probe: RECORD,
    },
    Budget {
        name: "health_sample",
        operation: "health sample from the flight file",
        percentile: Percentile::P99,
        corpus: "one flight file in memory",
        cache: Cache::Warm,
        at_most: 10.0 * US,
        unit: Unit::Nanoseconds,
        critical: true,
        probe: RECORD,
    },
    Budget {
        name: "health_steps",
        operation: "health check, all seven steps",
        percentile: Percentile::P99,
        corpus: "two sessions in use, a finding in one; without what is recorded and published on disk",
        cache: Cache::Warm,
        at_most: 100.0 * US,
        unit: Unit::Nanoseconds,
        critical: true,
        probe: HEALTH,
    },
    Budget {
        name: "raise_alert",
        operation: "raise one alert",
        percentile: Percentile::P99,
        corpus: "a finding already known among 16",
        cache: Cache::Warm,
        at_most: 2.0 * US,
        unit: Unit::Nanoseconds,
        critical: true,
        probe: HEALTH,
    },
    Budget {
        name: "collect_metric",
        operation: "collect one metric from shared memory",
        percentile: Percentile::P99,
        corpus: "one counter",
        cache: Cache::Warm,
        at_most: 100.0,
        unit: Unit::Nanoseconds,
        critical: true,
        probe: RECORD,
    },
    Budget {
        name: "session_bytes",
        operation: "monitoring data of a session",
        percentile: Percentile::Every,
        corpus: "one flight file",
        cache: Cache::Warm,
        at_most: 64.0 * KIB,
        unit: Unit::Bytes,
        critical: false,
        probe: RECORD,
    },
    Budget {
        name: "history_append",
        operation: "append to the history log, acknowledged",
        percentile: Percentile::P50,
        corpus: "commands of a typical history",
        cache: Cache::Warm,
        at_most: 20.0 * US,
        unit: Unit::Nanoseconds,
        critical: true,
        probe: LOG,
    },
    Budget {
        name: "history_search_1m",
        operation: "history search as you type, 1 M entries",
        percentile: Percentile::P99,
        corpus: "present and absent patterns",
        cache: Cache::Warm,
        at_most: 5.0 * MS,
        unit: Unit::Nanoseconds,
        critical: false,
        probe: LOG,
    },
    Budget {
        name: "key_to_echo",
        operation: "key to echo",
        percentile: Percentile::P50,
        corpus: "typing into an idle prompt",
        cache: Cache::Warm,
        at_most: 1.1,
        unit: Unit::TimesBash,
        critical: false,
        probe: PTY,
    },
    Budget {
        name: "input_lag",
        operation: "key to echo",
        percentile: Percentile::P99,
        corpus: "typing into an idle prompt",
        cache: Cache::Warm,
        at_most: 10.0 * MS,
        unit: Unit::Nanoseconds,
        critical: false,
        probe: PTY,
    },
    Budget {
        name: "long_line_key",
        operation: "a key in a line of 100 kB",
        percentile: Percentile::P50,
        corpus: "a line of 100 kB",
        cache: Cache::Warm,
        at_most: 16.0 * MS,
        unit: Unit::Nanoseconds,
        critical: false,
        probe: PTY,
    },
    Budget {
        name: "first_prompt",
        operation: "first prompt",
        percentile: Percentile::P50,
        corpus: "an empty rc file",
        cache: Cache::Warm,
        at_most: 3.0 * MS,
        unit: Unit::NanosecondsOverBash,
        critical: false,
        probe: PTY,
    },
    Budget {
        name: "type_ahead",
        operation: "type-ahead echoed",
        percentile: Percentile::P50,
        corpus: "keys sent before the prompt",
        cache: Cache::Warm,
        at_most: 5.0 * MS,
        unit: Unit::NanosecondsOverBash,
        critical: false,
        probe: PTY,
    },
    Budget {
        name: "command_string",
        operation: "lusush -c true",
        percentile: Percentile::P50,
        corpus: "no rc file",
        cache: Cache::Warm,
        at_most: 2.0 * MS,
        unit: Unit::NanosecondsOverBash,
        critical: false,
        probe: PTY,
    },
    Budget {
        name: "idle_wakeups",
        operation: "wakeups of an idle session",
        percentile: Percentile::Every,
        corpus: "an idle prompt",
        cache: Cache::Warm,
        at_most: 0.0,
        unit: Unit::Count,
        critical: false,
        probe: PTY,
    },
    Budget {
        name: "private_memory",
        operation: "private memory of a session (RssAnon)",
        percentile: Percentile::P50,
        corpus: "an idle prompt",
        cache: Cache::Warm,
        at_most: 2.0 * MIB,
        unit: Unit::BytesOverBash,
        critical: false,
        probe: PTY,
    },
];

/// The probes.
const RECORD: &str = "cargo bench -p lle-metrics --bench record";
const HEALTH: &str = "cargo bench -p lle-core --features engine --bench health";
const LOG: &str = "cargo bench -p lle-log --bench history";
const PTY: &str = "cargo bench -p lusush --bench compare";

/// Every budget there is.
pub fn all() -> impl Iterator<Item = &'static Budget> {
    BUDGETS.iter().chain(rows::ROWS)
}

impl Budget {
    /// Finds a budget by its name.
    pub fn named(name: &str) -> Option<&'static Budget> {
        all().find(|budget| budget.name == name)
    }

    /// The command that measures it, if there is one.
    pub fn probe(&self) -> Option<&'static str> {
        (self.probe != NO_PROBE).then_some(self.probe)
    }

    /// Judges a measurement in the budget's unit; none is unknown, and so is what is no number.
    pub fn judge(&self, measured: Option<f64>) -> Verdict {
        match measured {
            Some(measured) if measured <= self.at_most => Verdict::Met,
            Some(measured) if measured > self.at_most => Verdict::Missed,
            _ => Verdict::Unknown,
        }
    }

    /// Writes what a bench measured as a line of a results file, for validation: the number at the budget's percentile,
    /// the worst of all, of how many, when and where. None if it is no number.
    ///
    /// A results file has a line of JSON for each result; of two about the same budget the later counts.
    pub fn result_line(
        &self,
        value: f64,
        worst: Option<f64>,
        samples: usize,
        when: &str,
        machine: &str,
    ) -> Option<String> {
        let quoted = |text: &str| text.replace(['"', '\\'], "'").replace(char::is_control, " ");
        let worst = worst.filter(|worst| worst.is_finite());
        let worst = worst.map_or(String::new(), |worst| format!("\"worst\":{worst},"));
        let (name, when, machine) = (self.name, quoted(when), quoted(machine));
        value.is_finite().then(|| {
            format!(
                "{{\"{name}\":{{\"value\":{value},{worst}\"samples\":{samples},\"when\":\"{when}\",\
                 \"machine\":\"{machine}\"}}}}\n"
            )
        })
    }

    /// Writes a measurement in the budget's unit as people read it.
    pub fn show(&self, value: f64) -> String {
        match self.unit {
            Unit::Nanoseconds => duration(value),
            Unit::NanosecondsOverBash => format!("bash + {}", duration(value)),
            Unit::TimesBash => format!("{value:.2} x bash"),
            Unit::Bytes => bytes(value),
            Unit::BytesOverBash => format!("bash + {}", bytes(value)),
            Unit::Count => format!("{value:.0}"),
            Unit::Percent => percent(value),
            Unit::TimesWithout => format!("{value:.3} x without"),
        }
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Percentile::P50 => "p50",
            Percentile::P99 => "p99",
            Percentile::Every => "all",
            Percentile::Upper95 => "95 % bound",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Met => "met",
            Verdict::Missed => "missed",
            Verdict::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_critical_operations_stay_below_a_millisecond() {
        for budget in all() {
            assert_eq!(
                all().filter(|other| other.name == budget.name).count(),
                1,
                "{}",
                budget.name
            );
            assert!(!budget.critical || (budget.unit == Unit::Nanoseconds && budget.at_most < MS));
            assert!(
                !budget.operation.is_empty() && !budget.corpus.is_empty(),
                "{}",
                budget.name
            );
            assert_eq!(Budget::named(budget.name), Some(budget));
        }
        assert_eq!(Budget::named("none"), None);
    }

    #[test]
    fn every_promise_of_the_specification_has_its_rows() {
        fn check(promise: &str, rows: &[&str]) {
            for row in rows {
                assert!(Budget::named(row).is_some(), "{promise}: {row}");
            }
        }
        check("record one key", &["record_key"]);
        check("health sample", &["health_sample", "health_sample_proc"]);
        check("collect one metric", &["collect_metric"]);
        check("monitoring data", &["session_bytes", "monitoring_bytes"]);
        check("all maintenance inside the shell", &["shell_memory"]);
        check("cache optimisation cycle", &["cache_cycle"]);
        check("memory optimisation", &["memory_optimisation"]);
        check("algorithm analysis", &["algorithm_analysis"]);
        check("impact measurement", &["impact_measurement"]);
        check("threat scan", &["threat_scan", "threat_scan_again"]);
        check("vulnerability assessment", &["vulnerability_assessment"]);
        check("access control", &["access_decision", "access_validation"]);
        check("security log record", &["audit_append"]);
        check("config validation", &["config_validation"]);
        check("hot reload", &["hot_reload"]);
        check("config backup", &["config_backup"]);
        check("rollback", &["rollback"]);
        check(
            "incremental backup",
            &["incremental_journal", "incremental_archive"],
        );
        check("full backup", &["full_journal", "full_archive"]);
        check("recovery validation", &["recovery_validation"]);
        check("integrity check", &["integrity_check"]);
        check("key to echo against readline", &["key_to_echo"]);
        check(
            "maintenance on / off",
            &["maintenance_on_off", "maintenance_on_off_plugins"],
        );
        check(
            "first prompt, command, input lag",
            &["first_prompt_lag", "command_lag", "input_lag"],
        );
        check("worker at rest", &["worker_cpu", "worker_memory", "idle_wakeups"]);
        check("sessions per worker", &["sessions_unserved"]);
        check(
            "history search as you type",
            &["history_search_1m", "history_search_10m"],
        );
    }

    #[test]
    fn verdicts() {
        fn check(measured: Option<f64>, expect: Verdict) {
            let budget = Budget::named("record_key").unwrap();
            assert_eq!(budget.judge(measured), expect, "{measured:?}");
        }
        check(Some(49.0), Verdict::Met);
        check(Some(50.0), Verdict::Met);
        check(Some(51.0), Verdict::Missed);
        check(Some(f64::NAN), Verdict::Unknown);
        check(None, Verdict::Unknown);
    }

    #[test]
    fn measurements_as_people_read_them() {
        fn check(name: &str, value: f64, expect: &str) {
            assert_eq!(Budget::named(name).unwrap().show(value), expect);
        }
        check("record_key", 7.24, "7.2 ns");
        check("record_key", 50.0, "50 ns");
        check("health_sample", 10_000.0, "10 µs");
        check("first_prompt", 3e6, "bash + 3 ms");
        check("first_prompt", -400_000.0, "bash + -400 µs");
        check("key_to_echo", 1.1, "1.10 x bash");
        check("private_memory", 2.0 * MIB, "bash + 2 MiB");
        check("session_bytes", 32_768.0, "32 KiB");
        check("idle_wakeups", 0.0, "0");
        check("worker_cpu", 0.1, "0.1 %");
        check("maintenance_on_off", 1.02, "1.020 x without");
    }
}
