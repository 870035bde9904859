//! What is looked at: one view of each session, and one of the worker. Whoever reads /proc and the sockets fills them.

use super::floor::Floor;
use super::sample::Window;

/// Whether a session is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It holds its lock.
    Alive,
    /// It ended by itself.
    Ended,
    /// It is gone without having said so.
    Crashed,
    /// That cannot be told.
    Unknown,
}

/// One session, as it is now.
#[derive(Clone, Copy)]
pub struct SessionView<'a> {
    /// Its random number.
    pub id: u64,
    /// Its terminal, as the session wrote it.
    pub tty: &'a str,
    /// Its process.
    pub pid: u32,
    /// Whether it is there.
    pub presence: Presence,
    /// It waits for keys, and no command runs.
    pub idle: bool,
    /// What it did in the last minute.
    pub window: &'a Window,
    /// Its idle memory over time.
    pub floor: &'a Floor,
    /// Processor time over the window, in hundredths of one processor; none if /proc does not tell.
    pub cpu_percent: Option<f64>,
    /// Private memory, in bytes; none if /proc does not tell.
    pub rss_anon: Option<u64>,
    /// The most memory there ever was, in bytes; none if /proc does not tell.
    pub rss_peak: Option<u64>,
    /// Since the session started, in ns.
    pub uptime_ns: Option<u64>,
}

/// The worker, as it is now. What is counted is counted over the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WorkerView {
    /// Processor time, in hundredths of one processor.
    pub cpu_percent: Option<f64>,
    /// Private memory, in bytes.
    pub rss_anon: Option<u64>,
    /// Since the worker started, in ns.
    pub uptime_ns: Option<u64>,
    /// Panics caught.
    pub panics: Option<u64>,
    /// Things put right by themselves.
    pub recoveries: Option<u64>,
    /// Damaged records in its own logs.
    pub damaged_records: Option<u64>,
    /// Clients turned away at the control socket; none if there is none.
    pub failed_authentications: Option<u64>,
    /// Operations refused; none if there is no control socket.
    pub blocked_operations: Option<u64>,
    /// Security findings; none as long as nothing looks.
    pub security_events: Option<u64>,
    /// The version of the configuration that is published; none if none is.
    pub config_version: Option<i64>,
}
