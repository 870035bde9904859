//! The budgets whose probe came with the engine, or has not come yet.
//!
//! A row without a probe is a promise that nobody can check: validation says so instead of leaving it out.

use super::{Budget, Cache, MIB, MS, NO_PROBE, Percentile, US, Unit};

const MB: f64 = 1e6;

const ENGINE: &str = "cargo bench -p lle-maintenance --bench engine";
const BACKUP: &str = "cargo bench -p lle-archive --bench backup";

/// A time that the 99th percentile must keep; nothing else is said yet.
const TIMED: Budget = Budget {
    name: "",
    operation: "",
    percentile: Percentile::P99,
    corpus: "",
    cache: Cache::Warm,
    at_most: 0.0,
    unit: Unit::Nanoseconds,
    critical: false,
    probe: NO_PROBE,
};

/// The same, and each single measurement stays below a millisecond.
const CRITICAL: Budget = Budget {
    critical: true,
    ..TIMED
};

/// A time that the median must keep.
const TYPICAL: Budget = Budget {
    percentile: Percentile::P50,
    ..TIMED
};

/// A comparison of the same session with maintenance and without.
const PAIRED: Budget = Budget {
    percentile: Percentile::Upper95,
    unit: Unit::TimesWithout,
    ..TIMED
};

/// Something counted as a whole.
const SIZE: Budget = Budget {
    percentile: Percentile::Every,
    unit: Unit::Bytes,
    ..TIMED
};

pub(super) const ROWS: &[Budget] = &[
    // Prediction.
    Budget {
        name: "series_point",
        operation: "judge one point of a series",
        corpus: "a day's load with noise, five-minute points",
        at_most: 10.0 * US,
        probe: "cargo bench -p lle-core --features engine --bench series",
        ..TIMED
    },
    // Sessions, seen by those who use them.
    Budget {
        name: "shell_memory",
        operation: "private memory that maintenance adds to a shell (RssAnon)",
        corpus: "flight file, wake socket and desired state of one session",
        at_most: 5.0,
        unit: Unit::Percent,
        ..SIZE
    },
    Budget {
        name: "monitoring_bytes",
        operation: "monitoring data of all sessions",
        corpus: "up to 16 sessions",
        at_most: MB,
        ..SIZE
    },
    Budget {
        name: "first_prompt_lag",
        operation: "first prompt",
        corpus: "half of what people notice (50 ms)",
        at_most: 25.0 * MS,
        ..TYPICAL
    },
    Budget {
        name: "command_lag",
        operation: "from a command's end to the next prompt",
        corpus: "half of what people notice (10 ms)",
        at_most: 5.0 * MS,
        ..TYPICAL
    },
    Budget {
        name: "maintenance_on_off",
        operation: "key to echo, maintenance on against off",
        corpus: "paired and interleaved, n >= 10,000",
        at_most: 1.02,
        ..PAIRED
    },
    Budget {
        name: "maintenance_on_off_plugins",
        operation: "key to echo, maintenance and plugins on against off",
        corpus: "paired and interleaved, n >= 10,000",
        at_most: 1.02,
        ..PAIRED
    },
    Budget {
        name: "history_search_10m",
        operation: "history search as you type, 10 M entries",
        corpus: "present and absent patterns",
        at_most: 30.0 * MS,
        ..TIMED
    },
    // The worker.
    Budget {
        name: "health_sample_proc",
        operation: "health sample with /proc",
        corpus: "one session and the worker",
        at_most: 50.0 * US,
        probe: ENGINE,
        ..CRITICAL
    },
    Budget {
        name: "impact_measurement",
        operation: "impact of a change, before against after",
        corpus: "two histograms of one session",
        at_most: 20.0 * US,
        probe: ENGINE,
        ..CRITICAL
    },
    Budget {
        name: "access_decision",
        operation: "access control decision",
        corpus: "every operation, three layers of policy",
        at_most: 5.0 * US,
        probe: ENGINE,
        ..TIMED
    },
    Budget {
        name: "audit_append",
        operation: "security log record, acknowledged",
        corpus: "records of a typical operation",
        at_most: 5.0 * US,
        probe: ENGINE,
        ..CRITICAL
    },
    Budget {
        name: "worker_cpu",
        operation: "processor time of the worker at rest",
        corpus: "sessions idle, no task due",
        at_most: 0.1,
        unit: Unit::Percent,
        probe: ENGINE,
        ..SIZE
    },
    Budget {
        name: "worker_memory",
        operation: "private memory of the worker at rest (RssAnon)",
        corpus: "sessions idle, no task due",
        at_most: 8.0 * MIB,
        probe: ENGINE,
        ..SIZE
    },
    Budget {
        name: "sessions_unserved",
        operation: "sessions of 1,000 that one worker leaves unserved",
        corpus: "1,000 flight files",
        at_most: 0.0,
        unit: Unit::Count,
        probe: ENGINE,
        ..SIZE
    },
    // Optimisation.
    Budget {
        name: "cache_cycle",
        operation: "cache optimisation cycle",
        corpus: "every cache of one session",
        at_most: 50.0 * US,
        probe: ENGINE,
        ..CRITICAL
    },
    Budget {
        name: "memory_optimisation",
        operation: "memory optimisation",
        corpus: "allocator trim in an idle session",
        at_most: MS,
        ..TIMED
    },
    Budget {
        name: "algorithm_analysis",
        operation: "algorithm analysis",
        corpus: "a day of rollups",
        at_most: 100.0 * US,
        probe: ENGINE,
        ..TIMED
    },
    // Security.
    Budget {
        name: "threat_scan",
        operation: "threat scan",
        corpus: "a stated home",
        at_most: MS,
        cache: Cache::Cold,
        ..TIMED
    },
    Budget {
        name: "threat_scan_again",
        operation: "threat scan, incremental",
        corpus: "a stated home with one change",
        at_most: 100.0 * US,
        ..TIMED
    },
    Budget {
        name: "vulnerability_assessment",
        operation: "vulnerability assessment",
        corpus: "1,000 advisories x 20 modules",
        at_most: 2.0 * MS,
        ..TIMED
    },
    Budget {
        name: "access_validation",
        operation: "access control validation",
        corpus: "declared against actual modes, owners, sockets",
        at_most: 100.0 * US,
        ..TIMED
    },
    // Configuration.
    Budget {
        name: "config_validation",
        operation: "configuration validation",
        corpus: "200 lines",
        at_most: 100.0 * US,
        probe: "cargo bench -p lle-core --features engine --bench config",
        ..CRITICAL
    },
    Budget {
        name: "hot_reload",
        operation: "hot reload, published to applied",
        corpus: "an idle session, the line being typed painted again",
        at_most: 300.0 * US,
        probe: "cargo bench -p lusush --bench follow",
        ..CRITICAL
    },
    Budget {
        name: "config_backup",
        operation: "configuration backup, acknowledged",
        corpus: "200 lines",
        at_most: 300.0 * US,
        probe: ENGINE,
        ..CRITICAL
    },
    Budget {
        name: "rollback",
        operation: "rollback, acknowledged",
        corpus: "200 lines",
        at_most: MS,
        probe: ENGINE,
        ..TIMED
    },
    // Backup and recovery.
    Budget {
        name: "incremental_journal",
        operation: "incremental backup into the journal, acknowledged",
        corpus: "5 MB in 50 files, 20 MB history, one change",
        at_most: 5.0 * MS,
        probe: BACKUP,
        ..TIMED
    },
    Budget {
        name: "incremental_archive",
        operation: "incremental backup into the archive, nothing changed",
        corpus: "5 MB in 50 files, 20 MB history",
        at_most: 15.0 * MS,
        probe: BACKUP,
        ..TIMED
    },
    Budget {
        name: "full_journal",
        operation: "full backup into the journal, acknowledged",
        corpus: "5 MB in 50 files, 20 MB history",
        at_most: 100.0 * MS,
        probe: BACKUP,
        ..TIMED
    },
    Budget {
        name: "full_archive",
        operation: "full backup into the archive",
        corpus: "5 MB in 50 files, 20 MB history",
        at_most: 500.0 * MS,
        probe: BACKUP,
        ..TIMED
    },
    Budget {
        name: "recovery_validation",
        operation: "validation of a recovery",
        corpus: "5 MB in 50 files, 20 MB history",
        at_most: 5.0 * MS,
        probe: BACKUP,
        ..TIMED
    },
    Budget {
        name: "integrity_check",
        operation: "integrity check of metadata",
        corpus: "5 MB in 50 files, 20 MB history",
        at_most: 2.0 * MS,
        probe: BACKUP,
        ..TIMED
    },
];
