//! The worker: the one maintenance process of a user, on this machine.
//!
//! ```text
//!  lock ─▸ load ─▸ resume ─▸ bind ─▸ ┌ poll: control socket, jobs, signals, deadline ┐ ─▸ end
//!   └ held: another works, leave     └───── events ─▸ engine ─▸ effects ◂────────────┘
//! ```
//!
//! Invariants:
//! - Two never act at once: the lock lies in the state folder, which does not vanish with a logout, is held from
//!   before the first look until the last write, and is dropped by the kernel however the worker ends.
//! - A start that fails leaves no lock, socket or child.
//!
//! A program that embeds the engine runs the same loop: see [`crate::embed`].

pub mod crashes;
pub mod lock;
pub(crate) mod running;
pub mod served;

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::engine::{Config, Engine, Pace};
use crate::real::{Places, RealWorld};
use lock::Lock;
use running::{Running, Summons};

/// How a worker runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is.
    pub places: Places,
    /// What the engine goes by.
    pub config: Config,
    /// The file with the user's rules, which is followed while the worker runs, as the machine's is; none leaves the
    /// user's as they are in `config`.
    pub user_policy: Option<PathBuf>,
    /// How long to stay after the last session.
    pub linger: Linger,
    /// How often sessions are looked at.
    pub pace: Pace,
    /// It was started by a session, and leaves at once if nobody wants a worker.
    pub spawned: bool,
}

/// How long a worker stays after the last session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linger {
    /// As the configuration says.
    Configured,
    /// So long, whatever that says.
    For(Duration),
    /// Until it is told to end.
    Forever,
}

/// Why a worker did not run.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// There is one already.
    #[error("a worker is running already (process {pid})")]
    Running {
        /// Its process number; 0 if that cannot be told.
        pid: u32,
    },
    /// Nobody wants one.
    #[error("the worker was stopped")]
    Stopped,
    /// The lock cannot be taken.
    #[error("the lock {path} cannot be taken")]
    Lock {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The folders or the state cannot be used.
    #[error("the maintenance state in {path} cannot be used")]
    State {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Signals cannot be listened to.
    #[error("signals cannot be listened to")]
    Signals(#[source] io::Error),
}

/// Runs the worker until it is told to end or nobody needs it.
///
/// # Errors
/// It did not run; nothing of it is left.
pub fn run(options: &Options) -> Result<(), WorkerError> {
    let lock = Lock::take(&options.places.maint)?;
    let stopped = options.places.maint.join("stopped");
    if options.spawned && stopped.exists() {
        return Err(WorkerError::Stopped);
    }
    let signals = Signals::listen().map_err(WorkerError::Signals)?;
    let world = open(&options.places)?;
    Running::begin(options, lock, signals, world, true)?.serve();
    Ok(())
}

/// Opens the world for acting.
pub(crate) fn open(places: &Places) -> Result<RealWorld, WorkerError> {
    RealWorld::open(places.clone(), true).map_err(|source| unusable(places, source))
}

fn unusable(places: &Places, source: io::Error) -> WorkerError {
    let path = places.maint.clone();
    WorkerError::State { path, source }
}

/// The signals that ask the worker to end.
struct Signals {
    pipe: UnixStream,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
        }
        Ok(Self { pipe: read })
    }
}

impl Summons for Signals {
    fn wakes(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Every signal listened to asks for the end.
    fn take(&mut self, _: &mut Engine, _: &mut RealWorld) -> bool {
        let mut byte = [0];
        match io::Read::read(&mut self.pipe, &mut byte) {
            Ok(n) => n == 0,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }
}
