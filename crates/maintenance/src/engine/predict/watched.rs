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
}

impl Watched {
    /// Where it is measured.
    pub(crate) fn measured(&self) -> Measured {
        match self.metric {
            WORKER_BYTES => Measured::Worker,
            HISTORY_BYTES | STATE_BYTES | DISK_FREE_BYTES => Measured::Disk,
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

const fn time(metric: &'static str, words: &'static str, component: Component, least_ms: f64) -> Watched {
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
    }
}

const fn size(
    metric: &'static str,
    words: &'static str,
    component: Component,
    limit: Option<f64>,
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
    }
}

/// Every series that is watched.
pub(crate) const WATCHED: &[Watched] = &[
    time("prompt_ns_recent", "prompt", Prompt, 5.0),
    time(START_NS, "start", Prompt, 20.0),
    time("key_to_paint_ns_mean", "echo", Display, 1.0),
    time("completion_ns_mean", "completion", Component::Completion, 10.0),
    time("history_append_ns_mean", "writing the history", History, 0.5),
    size("rss_anon_bytes", "a session's memory", Memory, Some(512.0 * MIB)),
    size(FLOOR_BYTES, "an idle session's memory", Memory, Some(512.0 * MIB)),
    size(WORKER_BYTES, "the worker's memory", Memory, Some(8.0 * MIB)),
    size(HISTORY_BYTES, "history", History, Some(GIB)),
    size(STATE_BYTES, "maintenance state", Storage, Some(64.0 * MIB)),
    Watched {
        worse: Worse::Less,
        least: 256.0 * MIB,
        ..size(DISK_FREE_BYTES, "free space on disk", Storage, Some(256.0 * MIB))
    },
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
