//! The table of series that are watched: bounded, since each costs some 40 KiB.

use lle_core::health::component::Component::{self, Display, History, Memory, Prompt, Storage};
use lle_core::health::metric::Unit;
use lle_core::series::blame::Measured;

const MIB: f64 = 1024.0 * 1024.0;
const GIB: f64 = 1024.0 * MIB;
const MS: f64 = 1e6;

/// Which way is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worse {
    More,
    Less,
}

/// A series that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    /// Its name among the metrics, or among the sizes on disk.
    pub(crate) metric: &'static str,
    /// What it is, as a sentence begins.
    pub(crate) words: &'static str,
    pub(crate) more: &'static str,
    pub(crate) less: &'static str,
    pub(crate) unit: Unit,
    pub(crate) component: Component,
    pub(crate) worse: Worse,
    /// A change smaller than this matters to nobody.
    pub(crate) least: f64,
    /// What it must not reach; none if it cannot run out.
    pub(crate) limit: Option<f64>,
    /// Whether it grows by being used, so that growth is no news before a limit is near.
    pub(crate) grows: bool,
    /// What to do when it gets worse: names a command that exists.
    pub(crate) remedy: &'static str,
}

impl Watched {
    /// Where it is measured.
    pub(crate) fn measured(&self) -> Measured {
        match self.metric {
            WORKER_BYTES => Measured::Worker,
            HISTORY_BYTES | STATE_BYTES | BACKUP_BYTES | DISK_FREE_BYTES | DATA_FREE_BYTES
            | CACHE_FREE_BYTES => Measured::Disk,
            _ => Measured::Session,
        }
    }

    /// The name of the unit, as findings have it.
    pub(crate) fn unit_name(&self) -> &'static str {
        match self.unit {
            Unit::Bytes => "bytes",
            _ => "nanoseconds",
        }
    }
}

const fn time(
    metric: &'static str,
    words: &'static str,
    component: Component,
    least_ms: f64,
    remedy: &'static str,
) -> Watched {
    Watched {
        metric,
        words,
        more: "slower",
        less: "faster",
        unit: Unit::Nanoseconds,
        component,
        worse: Worse::More,
        least: least_ms * MS,
        limit: None,
        grows: false,
        remedy,
    }
}

const fn size(
    metric: &'static str,
    words: &'static str,
    component: Component,
    limit: Option<f64>,
    remedy: &'static str,
) -> Watched {
    Watched {
        metric,
        words,
        more: "larger",
        less: "smaller",
        unit: Unit::Bytes,
        component,
        worse: Worse::More,
        least: MIB,
        limit,
        grows: false,
        remedy,
    }
}

/// What grows by being used.
const fn growing(
    metric: &'static str,
    words: &'static str,
    component: Component,
    limit: Option<f64>,
    remedy: &'static str,
) -> Watched {
    Watched {
        grows: true,
        ..size(metric, words, component, limit, remedy)
    }
}

/// What is used up.
const fn free(metric: &'static str, words: &'static str, remedy: &'static str) -> Watched {
    Watched {
        worse: Worse::Less,
        least: 256.0 * MIB,
        ..growing(metric, words, Storage, Some(256.0 * MIB), remedy)
    }
}

const WHY_PROMPT: &str = "`lusush maint why prompt` names what it spends its time on";
const WHY_START: &str = "`lusush maint why startup` names what it spends its time on";
const WHY_KEY: &str = "`lusush maint why key` names what it spends its time on";
const WHY_COMPLETION: &str = "`lusush maint why completion` names what it spends its time on";
const CHECK_DISK: &str =
    "`lusush doctor` says on which disk the state is, `lusush maint history check` reads it all";
const TRIM: &str = "`lusush maint status` says which session it is, `lusush maint run memory-defrag` gives back what none of \
                    them uses; a session that is closed gives back all";
const WORKER_ANEW: &str =
    "`lusush maint stop`, then `lusush maint start`, begins a worker that has nothing yet";
const LESS_HISTORY: &str = "`lusush maint history stats` says what it consists of, `lusush maint history export` keeps a copy, \
                            and `lusush maint history scrub` takes out what nobody needs";
const ROTATE: &str = "`lusush maint run log-rotation` puts away what is past";
const PRUNE: &str =
    "`lusush maint backup prune --dry-run` says which snapshots could go, without `--dry-run` they do";
const ROOM: &str = "make room: `lusush doctor` says what lies there, `lusush maint backup prune` gives back what old snapshots hold";
const CACHE_ROOM: &str =
    "make room: `lusush doctor` says where the caches are; they may be deleted at any time";

/// Every series that is watched.
pub(crate) const WATCHED: &[Watched] = &[
    time("prompt_ns_recent", "prompt", Prompt, 5.0, WHY_PROMPT),
    time(START_NS, "start", Prompt, 20.0, WHY_START),
    time("key_to_paint_ns_mean", "echo", Display, 1.0, WHY_KEY),
    time(
        "completion_ns_mean",
        "completion",
        Component::Completion,
        10.0,
        WHY_COMPLETION,
    ),
    time(
        "history_append_ns_mean",
        "writing the history",
        History,
        0.5,
        CHECK_DISK,
    ),
    size(
        "rss_anon_bytes",
        "a session's memory",
        Memory,
        Some(512.0 * MIB),
        TRIM,
    ),
    size(
        FLOOR_BYTES,
        "an idle session's memory",
        Memory,
        Some(512.0 * MIB),
        TRIM,
    ),
    size(
        WORKER_BYTES,
        "the worker's memory",
        Memory,
        Some(8.0 * MIB),
        WORKER_ANEW,
    ),
    growing(HISTORY_BYTES, "history", History, Some(GIB), LESS_HISTORY),
    growing(
        STATE_BYTES,
        "maintenance state",
        Storage,
        Some(64.0 * MIB),
        ROTATE,
    ),
    // A snapshot more is no news; one that holds half a gigabyte more than those before is.
    Watched {
        least: 512.0 * MIB,
        ..growing(BACKUP_BYTES, "backups in this home", Storage, None, PRUNE)
    },
    free(DISK_FREE_BYTES, "free space on disk", ROOM),
    free(DATA_FREE_BYTES, "free space for backups", ROOM),
    free(CACHE_FREE_BYTES, "free space for caches", CACHE_ROOM),
];

/// From the load of LLE to the first prompt, of sessions that started since the last look.
pub(crate) const START_NS: &str = "start_ns";
/// The least that idle sessions hold, their mean.
pub(crate) const FLOOR_BYTES: &str = "idle_floor_bytes";
/// What the worker holds for itself.
const WORKER_BYTES: &str = "worker_rss_anon_bytes";
/// Bytes of the history log.
pub(crate) const HISTORY_BYTES: &str = "history_log_bytes";
/// Bytes of the worker's own files.
pub(crate) const STATE_BYTES: &str = "state_folder_bytes";
/// Bytes that are free on the disk of the history.
pub(crate) const DISK_FREE_BYTES: &str = "disk_free_bytes";
/// Bytes of the backups below the data folder: the journal, and the repository that is there unless another was named.
pub(crate) const BACKUP_BYTES: &str = "backup_folder_bytes";
/// Bytes that are free on the disk of the data folder, if that is another.
pub(crate) const DATA_FREE_BYTES: &str = "data_disk_free_bytes";
/// Bytes that are free on the disk of the caches, if that is another still.
pub(crate) const CACHE_FREE_BYTES: &str = "cache_disk_free_bytes";

/// Whether a home may well have no such series: one disk is usual.
pub(crate) fn may_lack(metric: &str) -> bool {
    matches!(metric, DATA_FREE_BYTES | CACHE_FREE_BYTES)
}
