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

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use crate::control::{Dispatch, Fault, Peer, Server};
use crate::engine::{Config, Engine, Event, Pace};
use crate::real::{Places, RealWorld, now};
use crate::world::Now;
use lle_core::policy::Who;

/// How long the worker stays after the last session, out of the box.
pub const LINGER: Duration = Duration::from_secs(600);
/// How often the folders are looked after, in nanoseconds: a logout may have removed them. It is the longest sleep,
/// too: two looks at the disk every five seconds are a millionth of a processor.
const LOOK_AFTER_NS: u64 = 5_000_000_000;

/// How a worker runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is.
    pub places: Places,
    /// What the engine goes by.
    pub config: Config,
    /// How long to stay after the last session; none is for ever.
    pub linger: Option<Duration>,
    /// How often sessions are looked at.
    pub pace: Pace,
    /// It was started by a session, and leaves at once if nobody wants a worker.
    pub spawned: bool,
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

/// The lock that makes a worker the only one.
pub struct Lock {
    file: fs::File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// Another holds it, or the file cannot be made or locked.
    pub fn take(folder: &Path) -> Result<Self, WorkerError> {
        let path = folder.join("worker.lock");
        let fail = |source| WorkerError::Lock {
            path: path.clone(),
            source,
        };
        crate::real::disk::create_folder(folder).map_err(fail)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(fail)?;
        match rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
                let pid = fs::read_to_string(&path)
                    .ok()
                    .and_then(|text| text.lines().next()?.parse().ok());
                return Err(WorkerError::Running {
                    pid: pid.unwrap_or(0),
                });
            }
            Err(error) => return Err(fail(error.into())),
        }
        // Without room it stays empty.
        let _untold = file
            .set_len(0)
            .and_then(|()| io::Write::write_all(&mut &file, format!("{}\n", std::process::id()).as_bytes()));
        Ok(Self { file, path })
    }

    /// Writes down that the worker works. What a worker leaves in the file tells sessions how it ended, and so how
    /// soon another is worth starting: nothing, by itself; its number, killed while it started; `ready` too, killed later.
    fn tell_ready(&self) {
        let _untold = io::Write::write_all(&mut &self.file, b"ready\n");
    }

    /// Whether the lock's file still has its name: without it another worker could take a lock of its own.
    fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let (Ok(ours), Ok(named)) = (self.file.metadata(), fs::symlink_metadata(&self.path)) else {
            return false;
        };
        (ours.dev(), ours.ino()) == (named.dev(), named.ino())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.is_in_place() {
            let _untold = self.file.set_len(0);
        }
    }
}

/// Runs the worker until it is told to end or nobody needs it.
///
/// # Errors
/// It did not run; nothing of it is left.
pub fn run(options: &Options) -> Result<(), WorkerError> {
    let lock = Lock::take(&options.places.maint)?;
    let fail = |source| WorkerError::State {
        path: options.places.maint.clone(),
        source,
    };
    let stopped = options.places.maint.join("stopped");
    if options.spawned && stopped.exists() {
        return Err(WorkerError::Stopped);
    }
    let signals = Signals::listen().map_err(WorkerError::Signals)?;
    let mut world = RealWorld::open(options.places.clone(), true).map_err(fail)?;
    let mut engine = Engine::load(&mut world, options.config.clone(), now()).map_err(fail)?;
    engine.set_pace(options.pace);
    let server = bind(&options.places);
    engine.start(&mut world, now());
    lock.tell_ready();
    let mut worker = Running {
        options,
        lock,
        signals,
        world,
        engine,
        server,
        last_needed: now().mono_ns,
        looked_after: 0,
    };
    worker.serve();
    // Without its lock it is no longer this worker's to write anything; jobs are killed all the same.
    if worker.lock.is_in_place() {
        worker.engine.end(&mut worker.world, now());
    }
    Ok(())
}

/// Binds the control socket; without one, sessions are looked after all the same, and it is tried again.
fn bind(places: &Places) -> Option<Server> {
    crate::real::disk::create_folder(&places.runtime).ok()?;
    Server::bind(&places.socket()).ok()
}

struct Running<'a> {
    options: &'a Options,
    lock: Lock,
    signals: Signals,
    world: RealWorld,
    engine: Engine,
    server: Option<Server>,
    last_needed: u64,
    looked_after: u64,
}

impl Running<'_> {
    fn serve(&mut self) {
        loop {
            self.sleep();
            // Looked at before anything is done: another worker may have taken a lock of that name meanwhile.
            if self.signals.end_asked() || !self.lock.is_in_place() {
                return;
            }
            let at = now();
            for end in self.world.ended_jobs() {
                self.engine.handle(&mut self.world, at, Event::JobDone(end));
            }
            self.answer(at);
            self.engine.handle(&mut self.world, now(), Event::Tick);
            self.look_after(at);
            if self.engine.is_stopping() || !self.is_needed(at) {
                // What was answered goes out before the socket does. Who asks for a start just now gets one.
                self.answer(now());
                if self.engine.is_stopping() || !self.is_needed(at) {
                    return;
                }
            }
        }
    }

    /// Waits for a client, a job, a signal, or the time to do something.
    fn sleep(&mut self) {
        let at = now();
        // The folders are looked after also when nothing else is to do: a session asks nobody to.
        let mut until = self
            .engine
            .wake_at(at)
            .min(self.looked_after.saturating_add(LOOK_AFTER_NS))
            .max(at.mono_ns);
        if let Some(server) = &self.server {
            until = until.min(server.next_deadline().unwrap_or(u64::MAX));
        }
        let left = Duration::from_nanos(until.saturating_sub(at.mono_ns));
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(60),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut fds = vec![PollFd::from_borrowed_fd(self.signals.pipe.as_fd(), PollFlags::IN)];
        if let Some(server) = &self.server {
            server.interests(&mut fds);
        }
        fds.extend(
            self.world
                .jobs()
                .outputs()
                .map(|output| PollFd::from_borrowed_fd(output, PollFlags::IN)),
        );
        // Interrupted or not, everything is looked at.
        let _woken = poll(&mut fds, Some(&timeout));
    }

    fn answer(&mut self, at: Now) {
        if let Some(server) = &mut self.server {
            let mut desk = Desk {
                engine: &mut self.engine,
                world: &mut self.world,
                owner: self.options.config.uid,
            };
            server.serve(at.mono_ns, &mut desk);
        }
    }

    /// Whether anybody needs a worker, or did a while ago.
    fn is_needed(&mut self, at: Now) -> bool {
        if self.engine.has_sessions() || self.world.jobs().any() {
            self.last_needed = at.mono_ns;
        }
        let alone = Duration::from_nanos(at.mono_ns.saturating_sub(self.last_needed));
        self.options.linger.is_none_or(|linger| alone < linger)
    }

    /// Puts back what a logout or a cleaner removed.
    fn look_after(&mut self, at: Now) {
        if at.mono_ns.saturating_sub(self.looked_after) < LOOK_AFTER_NS {
            return;
        }
        self.looked_after = at.mono_ns;
        if !self.server.as_ref().is_some_and(Server::still_bound) {
            let was_bound = self.server.take().is_some();
            self.server = bind(&self.options.places);
            if was_bound {
                // What was published went with the socket.
                self.engine.publish_again();
            }
        }
    }
}

/// Where calls of the control socket meet the engine.
struct Desk<'a> {
    engine: &'a mut Engine,
    world: &'a mut RealWorld,
    owner: u32,
}

impl Dispatch for Desk<'_> {
    fn call(
        &mut self,
        peer: &Peer,
        method: &str,
        parameters: serde_json::Value,
    ) -> Result<serde_json::Value, Fault> {
        let who = Who::peer(peer.uid, Some(peer.pid), self.owner);
        self.engine.answers_on_socket();
        crate::api::Request::read(method, parameters)
            .and_then(|request| self.engine.request(self.world, now(), &who, &request))
    }

    fn refused(&mut self, peer: &Peer) {
        let who = Who::peer(peer.uid, Some(peer.pid), self.owner);
        self.engine.refused(self.world, now(), &who);
    }
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

    fn end_asked(&mut self) -> bool {
        let mut byte = [0];
        match io::Read::read(&mut self.pipe, &mut byte) {
            Ok(n) => n > 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock && error.kind() != ErrorKind::Interrupted,
        }
    }
}
