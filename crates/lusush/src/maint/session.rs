//! What is known about the sessions: plain data, which is also the schema of `maint status --json`.
//!
//! Schema, version 1. Fields are added, never renamed or removed, while the version stays. `null` is
//! unknown: never set by the session, or not measurable, with the reason beside it where there is one.
//! Times ending in `_wall_ns` are nanoseconds since 1970; other `_ns` are durations. Text that is not UTF-8
//! has replacement characters. Names of counters, gauges, timers and events are those of `lle_metrics::table`.

use std::collections::BTreeMap;

use lle_maintenance::api::status::StatusDocument;
use lle_maintenance::world::Cost;
use lle_metrics::{Counter, EventKind, Gauge, Liveness, Snapshot, Timer};
use serde::Serialize;

use super::ask::Elsewhere;
use super::memory_only::MemoryOnly;
use crate::failure::Failure;
use crate::start_crashes;

/// The version of this schema.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// The last events shown of a session; the ring has 128.
const EVENTS_MAX: usize = 16;

/// The answer of `maint status`.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    /// The version of the schema.
    pub(crate) version: u32,
    /// When this was put together.
    pub(crate) now_wall_ns: u64,
    /// Where the flight files were looked for.
    pub(crate) directory: String,
    /// Sessions that live, or of which that cannot be told; the oldest first.
    pub(crate) sessions: Vec<Session>,
    /// Sessions that ended without removing their file; the last one seen first.
    pub(crate) dead: Vec<Session>,
    /// Files that cannot be read as flight files.
    pub(crate) unreadable: Vec<Unreadable>,
    /// Files beyond the number looked at.
    pub(crate) left_out: usize,
    /// Why no session could be looked for; null if they were.
    pub(crate) sessions_unknown: Option<String>,
    /// What the session that this was typed in keeps in its memory only; null if that is nothing, or this was typed elsewhere.
    pub(crate) memory_only: Option<MemoryOnly>,
    /// What the worker is and does; null if that is unknown.
    pub(crate) worker: Option<StatusDocument>,
    /// Why it is.
    pub(crate) worker_unknown: Option<String>,
    /// The worker lives and cannot be asked from here; null if it can, or none lives.
    pub(crate) worker_elsewhere: Option<Elsewhere>,
}

impl Status {
    /// No session, yet.
    pub(crate) fn empty(now_wall_ns: u64, directory: String) -> Self {
        Self {
            version: SCHEMA_VERSION,
            now_wall_ns,
            directory,
            sessions: Vec::new(),
            dead: Vec::new(),
            unreadable: Vec::new(),
            left_out: 0,
            sessions_unknown: None,
            memory_only: None,
            worker: None,
            worker_unknown: None,
            worker_elsewhere: None,
        }
    }

    /// Sessions could not be looked for.
    pub(crate) fn of_no_folder(now_wall_ns: u64, failure: &Failure) -> Self {
        Self {
            sessions_unknown: Some(failure.causes()),
            ..Self::empty(now_wall_ns, String::new())
        }
    }
}

/// A file that cannot be read as a flight file.
#[derive(Debug, Serialize)]
pub(crate) struct Unreadable {
    /// The file's name.
    pub(crate) file: String,
    /// Why.
    pub(crate) problem: String,
}

/// Whether a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It holds its lock.
    Alive,
    /// It does not.
    Dead,
    /// The lock cannot be asked for.
    Unknown,
}

/// How a session went whose file is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Killed, or it crashed.
    WithoutAWord,
    /// Its terminal was closed: bash ended in order.
    HungUp,
    /// It goes on as another program.
    Replaced,
}

/// One session.
#[derive(Debug, Serialize)]
pub(crate) struct Session {
    /// Sixteen hex digits.
    pub(crate) id: String,
    /// Alive, dead or unknown.
    pub(crate) state: State,
    /// From another boot of the machine; null if that cannot be told.
    pub(crate) another_boot: Option<bool>,
    /// The process lives on as another program (`exec`); null if that was not asked.
    pub(crate) replaced: Option<bool>,
    /// Bash ended in order, since its terminal was closed; null for a session that lives.
    pub(crate) hung_up: Option<bool>,
    /// The writer died inside a batch: single values are right, sums may be one off.
    pub(crate) torn: bool,
    pub(crate) pid: u32,
    pub(crate) tty: String,
    pub(crate) bash_version: String,
    pub(crate) lle_version: String,
    pub(crate) created_wall_ns: u64,
    /// Every counter by name.
    pub(crate) counters: BTreeMap<&'static str, u64>,
    /// Every gauge by name; null if the session has not set it.
    pub(crate) gauges: BTreeMap<&'static str, Option<i64>>,
    /// Every timer by name.
    pub(crate) timers: BTreeMap<&'static str, Distribution>,
    /// What the process costs now.
    pub(crate) cost: Option<ProcessCost>,
    /// Why the cost is unknown.
    pub(crate) cost_unknown: Option<String>,
    /// What the last prompt's time is blamed on: the commands named in PS1 or PROMPT_COMMAND.
    pub(crate) prompt_blame: Option<String>,
    /// The running or last command, cut at 256 bytes; null in private mode.
    pub(crate) last_command: Option<String>,
    /// The line being typed when the session died; null for one that lives.
    pub(crate) draft: Option<DraftText>,
    /// The last events, oldest first.
    pub(crate) events: Vec<EventText>,
}

/// What a process costs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ProcessCost {
    /// Private memory in use: `RssAnon`.
    pub(crate) private_bytes: u64,
    /// Time spent on a processor since the process started.
    pub(crate) cpu_ns: u64,
}

impl ProcessCost {
    fn of(cost: Cost) -> Self {
        Self {
            private_bytes: cost.rss_anon_bytes,
            cpu_ns: cost.cpu_ns,
        }
    }
}

/// A distribution in short. Quantiles are upper bounds, at most an eighth too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Distribution {
    /// "ns" or "bytes".
    pub(crate) unit: &'static str,
    pub(crate) count: u64,
    pub(crate) p50: Option<u64>,
    pub(crate) p99: Option<u64>,
    pub(crate) max: Option<u64>,
    pub(crate) mean: Option<u64>,
}

/// The line a session died with.
#[derive(Debug, Serialize)]
pub(crate) struct DraftText {
    /// The first 4 KiB.
    pub(crate) text: String,
    /// The length it had.
    pub(crate) bytes: usize,
    /// There was one, but it was not to be kept.
    pub(crate) hidden: bool,
}

/// One event.
#[derive(Debug, Serialize)]
pub(crate) struct EventText {
    pub(crate) wall_ns: u64,
    /// Null if a newer session knows more kinds.
    pub(crate) kind: Option<&'static str>,
    pub(crate) code: i64,
    pub(crate) value: i64,
    pub(crate) text: String,
}

impl Session {
    /// Tells what a snapshot says, with what is known from outside.
    pub(crate) fn of(
        snapshot: &Snapshot,
        liveness: Liveness,
        another_boot: Option<bool>,
        cost: Result<Cost, String>,
    ) -> Session {
        let identity = snapshot.identity();
        let state = match liveness {
            _ if another_boot == Some(true) => State::Dead,
            Liveness::Alive => State::Alive,
            Liveness::Dead => State::Dead,
            Liveness::Unknown => State::Unknown,
        };
        let events: Vec<_> = snapshot.events().collect();
        let draft = snapshot.draft();
        let (cost, cost_unknown) = match cost {
            Ok(cost) => (Some(ProcessCost::of(cost)), None),
            Err(reason) => (None, Some(reason)),
        };
        Session {
            id: format!("{:016x}", identity.session_id),
            state,
            another_boot,
            replaced: None,
            hung_up: (state == State::Dead).then(|| start_crashes::hung_up(snapshot)),
            torn: snapshot.torn(),
            pid: identity.pid,
            tty: identity.tty,
            bash_version: identity.bash_version,
            lle_version: identity.lle_version,
            created_wall_ns: identity.created_wall_ns,
            counters: Counter::ALL
                .iter()
                .map(|row| (row.name(), snapshot.counter(*row)))
                .collect(),
            gauges: Gauge::ALL
                .iter()
                .map(|row| (row.name(), snapshot.gauge(*row)))
                .collect(),
            timers: Timer::ALL
                .iter()
                .map(|row| (row.name(), distribution(snapshot, *row)))
                .collect(),
            cost,
            cost_unknown,
            prompt_blame: some_text(snapshot.prompt_blame()),
            last_command: some_text(snapshot.last_command()),
            draft: (state == State::Dead).then(|| DraftText {
                text: String::from_utf8_lossy(draft.text).into_owned(),
                bytes: draft.bytes,
                hidden: draft.hidden,
            }),
            events: events
                .iter()
                .skip(events.len().saturating_sub(EVENTS_MAX))
                .map(event_text)
                .collect(),
        }
    }

    pub(crate) fn counter(&self, counter: Counter) -> u64 {
        self.counters.get(counter.name()).copied().unwrap_or(0)
    }

    pub(crate) fn gauge(&self, gauge: Gauge) -> Option<i64> {
        self.gauges.get(gauge.name()).copied().flatten()
    }

    /// A gauge that counts something; a negative value is unknown as well.
    pub(crate) fn amount(&self, gauge: Gauge) -> Option<u64> {
        self.gauge(gauge).and_then(|value| u64::try_from(value).ok())
    }

    pub(crate) fn flag(&self, gauge: Gauge) -> Option<bool> {
        self.gauge(gauge).map(|value| value != 0)
    }

    /// How a session that is gone went.
    pub(crate) fn end(&self) -> End {
        match (self.replaced, self.hung_up) {
            (Some(true), _) => End::Replaced,
            (_, Some(true)) => End::HungUp,
            _ => End::WithoutAWord,
        }
    }

    /// When the session last recorded anything; when it was created, if never.
    pub(crate) fn seen_wall_ns(&self) -> u64 {
        self.amount(Gauge::SeenWallNs).unwrap_or(self.created_wall_ns)
    }
}

fn distribution(snapshot: &Snapshot, timer: Timer) -> Distribution {
    let histogram = snapshot.histogram(timer);
    Distribution {
        unit: timer.unit().symbol(),
        count: histogram.count,
        p50: histogram.quantile(0.5),
        p99: histogram.quantile(0.99),
        max: (histogram.count > 0).then_some(histogram.max),
        mean: histogram.mean(),
    }
}

fn event_text(event: &lle_metrics::Event<'_>) -> EventText {
    EventText {
        wall_ns: event.wall_ns,
        kind: event.kind.map(EventKind::name),
        code: event.code,
        value: event.value,
        text: String::from_utf8_lossy(event.text).into_owned(),
    }
}

fn some_text(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned())
}
