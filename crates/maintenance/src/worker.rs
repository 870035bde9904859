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

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use crate::control::{Dispatch, Fault, Peer, Server};
use crate::engine::{Config, Engine, Event, Pace};
use crate::real::bell::Bell;
use crate::real::disk::Guard;
use crate::real::sources::Sources;
use crate::real::watch::ConfigWatch;
use crate::real::{Places, RealWorld, now};
use crate::world::Now;
use lle_core::policy::Who;

/// How often the folders are looked after, in nanoseconds: a logout may have removed them, and rules may have been
/// changed. It is the longest sleep, too: six looks at the disk every five seconds are some millionths of a processor.
const LOOK_AFTER_NS: u64 = 5_000_000_000;

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

/// The locks that this process holds, by device and inode. A record lock keeps other processes out and not this one:
/// a second engine of the same program would be let in, and closing the file that it opened would drop the first
/// one's lock.
static HELD: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// The lock that makes a worker the only one.
pub struct Lock {
    /// Never read again: open, it holds the lock.
    file: Option<fs::File>,
    /// Its name, and its entry in [`HELD`].
    guard: Guard,
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
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if fs::symlink_metadata(&path).is_ok_and(|found| held.contains(&number_of(&found))) {
            let pid = std::process::id();
            return Err(WorkerError::Running { pid });
        }
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
        note_crash(folder, &file);
        // Without room it stays empty.
        let _untold = file
            .set_len(0)
            .and_then(|()| io::Write::write_all(&mut &file, format!("{}\n", std::process::id()).as_bytes()));
        let number = number_of(&file.metadata().map_err(fail)?);
        held.insert(number);
        Ok(Self {
            file: Some(file),
            guard: Guard { path, number },
        })
    }

    /// Writes down that the worker works. What a worker leaves in the file tells sessions how it ended, and so how
    /// soon another is worth starting: nothing, by itself; its number, killed while it started; `ready` too, killed later.
    fn tell_ready(&self) {
        let Some(mut file) = self.file.as_ref() else {
            return;
        };
        let _untold = io::Write::write_all(&mut file, b"ready\n");
    }

    /// Whether the lock's file still has its name: without it another worker could take a lock of its own.
    fn is_in_place(&self) -> bool {
        self.file.is_some() && self.guard.is_in_place()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        // A worker that ends by itself leaves nothing in the file: see `tell_ready`.
        if self.is_in_place()
            && let Some(file) = &self.file
        {
            let _untold = file.set_len(0);
        }
        // Closed while no other thread may take the lock: it would be dropped with ours.
        self.file = None;
        held.remove(&self.guard.number);
    }
}

/// Crashes that are kept, and bytes of the file that is read.
const CRASHES_MAX: usize = 16;
const CRASHES_BYTES_MAX: u64 = 4 * 1024;
/// The name of the file with the moments at which it was found that a worker had died, one in a line.
const CRASHES: &str = "crashes";

/// A worker that ends by itself leaves nothing in its lock's file: whoever left something died. That is kept for whoever
/// wants to know whether it happens again and again; what cannot be kept is not known then.
fn note_crash(folder: &Path, lock: &fs::File) {
    // Not by reading on: what is written next goes to the beginning.
    if !std::os::unix::fs::FileExt::read_at(lock, &mut [0], 0).is_ok_and(|bytes| bytes > 0) {
        return;
    }
    let mut known = crashes(folder);
    known.push(now().wall_ns);
    let lines = known.iter().rev().take(CRASHES_MAX).rev();
    let text: String = lines.map(|at| format!("{at}\n")).collect();
    let path = folder.join(CRASHES);
    let _unknown = crate::real::disk::replace(rustix::fs::CWD, &path, text.as_bytes());
}

/// When it was found that workers had died, in nanoseconds since 1970; the last sixteen, the oldest first.
pub fn crashes(folder: &Path) -> Vec<i64> {
    let path = folder.join(CRASHES);
    let is_small =
        fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= CRASHES_BYTES_MAX);
    let text = if is_small {
        fs::read_to_string(&path).unwrap_or_default()
    } else {
        String::new()
    };
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Forgets them.
///
/// # Errors
/// The system's.
pub fn forget_crashes(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(CRASHES)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The process that holds the lock of a folder, if another than this one does. Not for a process that may hold it: its
/// own lock would be dropped.
///
/// # Errors
/// The lock's file is there and cannot be looked at.
pub fn holder(folder: &Path) -> io::Result<Option<u32>> {
    let file = match fs::File::open(folder.join("worker.lock")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let whole = rustix::process::Flock {
        start: 0,
        length: 0,
        pid: None,
        typ: rustix::process::FlockType::WriteLock,
        offset_type: rustix::process::FlockOffsetType::Set,
    };
    let held = rustix::process::fcntl_getlk(&file, &whole)?;
    // A process that is not visible here holds it as number 0.
    let pid = |held: rustix::process::Flock| {
        held.pid
            .map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
    };
    Ok(held.map(pid))
}

fn number_of(found: &fs::Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
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

/// Where the loop is told things besides the control socket: signals tell the worker, a channel an embedded engine.
pub(crate) trait Summons {
    /// Becomes readable when there is something to take.
    fn wakes(&self) -> BorrowedFd<'_>;

    /// Takes what there is; false if the loop is to end.
    fn take(&mut self, engine: &mut Engine, world: &mut RealWorld) -> bool;
}

/// Binds the control socket; without one, sessions are looked after all the same, and it is tried again.
fn bind(places: &Places) -> Option<Server> {
    crate::real::disk::create_folder(&places.runtime).ok()?;
    Server::bind(&places.socket()).ok()
}

/// An engine that runs, on the thread that began it.
pub(crate) struct Running<'a, S> {
    options: &'a Options,
    summons: S,
    engine: Engine,
    world: RealWorld,
    /// Whether there is to be a control socket.
    listens: bool,
    server: Option<Server>,
    last_needed: u64,
    looked_after: u64,
    sources: Sources,
    /// None where no configuration is followed.
    config: Option<ConfigWatch>,
    /// None where it cannot be hung: then sessions are looked at when it is time to.
    bell: Option<Bell>,
    /// Dropped last: until the jobs are dead and the socket is gone, no other engine may begin.
    lock: Lock,
}

impl<'a, S: Summons> Running<'a, S> {
    /// Reads the state back, binds the control socket if there is to be one, and lets the engine act.
    ///
    /// # Errors
    /// The state cannot be read; nothing is left behind.
    pub(crate) fn begin(
        options: &'a Options,
        lock: Lock,
        summons: S,
        mut world: RealWorld,
        listens: bool,
    ) -> Result<Self, WorkerError> {
        let stopped = options.places.maint.join("stopped");
        let sources = Sources::new(options.user_policy.clone(), stopped, options.spawned);
        world.guard(lock.guard.clone());
        let mut engine = Engine::load(&mut world, options.config.clone(), now())
            .map_err(|source| unusable(&options.places, source))?;
        engine.set_pace(options.pace);
        let server = listens.then(|| bind(&options.places)).flatten();
        // Watched before it is read: what changes in between is told.
        let mut config = options.places.config.clone().map(ConfigWatch::new);
        engine.start(&mut world, now());
        if let Some(config) = &mut config {
            config.was_read(engine.config_sources());
        }
        lock.tell_ready();
        Ok(Self {
            options,
            summons,
            engine,
            world,
            listens,
            server,
            last_needed: now().mono_ns,
            looked_after: 0,
            sources,
            config,
            bell: Bell::hang(&options.places.runtime).ok(),
            lock,
        })
    }

    /// Serves until it is told to end or nobody needs it, and ends in good order.
    pub(crate) fn serve(mut self) {
        self.turn();
        // Without its lock it is no longer this engine's to write anything; jobs are killed all the same.
        if self.lock.is_in_place() {
            self.engine.end(&mut self.world, now());
        }
    }

    fn turn(&mut self) {
        loop {
            self.sleep();
            // Looked at before anything is done: another worker may have taken a lock of that name meanwhile.
            if !self.summons.take(&mut self.engine, &mut self.world) || !self.lock.is_in_place() {
                return;
            }
            let at = now();
            for end in self.world.ended_jobs() {
                self.engine.handle(&mut self.world, at, Event::JobDone(end));
            }
            for end in self.world.ended_calls() {
                self.engine.handle(&mut self.world, at, Event::CallDone(end));
            }
            if self.bell.as_mut().is_some_and(|bell| bell.has_rung(at.mono_ns)) {
                self.engine.is_called(&mut self.world, at);
            }
            if self.world.histories().was_touched(at.mono_ns) {
                self.engine.touch_history();
            }
            self.answer(at);
            self.follow_config(at);
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

    /// Waits for a client, a job, a signal, a session that rings, or the time to do something.
    fn sleep(&mut self) {
        let at = now();
        // The folders are looked after also when nothing else is to do: a session asks nobody to.
        let mut until = self
            .engine
            .wake_at(at)
            .min(self.looked_after.saturating_add(LOOK_AFTER_NS))
            .max(at.mono_ns);
        let deaf_until = self.world.histories().deaf_until();
        if at.mono_ns < deaf_until {
            // What is changed meanwhile is heard then.
            until = until.min(deaf_until);
        }
        if let Some(server) = &self.server {
            until = until.min(server.next_deadline().unwrap_or(u64::MAX));
        }
        if let Some(config) = &self.config {
            until = until.min(config.deadline().unwrap_or(u64::MAX)).max(at.mono_ns);
        }
        let left = Duration::from_nanos(until.saturating_sub(at.mono_ns));
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(60),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut fds = vec![PollFd::from_borrowed_fd(self.summons.wakes(), PollFlags::IN)];
        if let Some(server) = &self.server {
            server.interests(&mut fds);
        }
        let bell = self.bell.as_ref().and_then(|bell| bell.wakes(at.mono_ns));
        fds.extend(bell.map(|bell| PollFd::from_borrowed_fd(bell, PollFlags::IN)));
        let config = self.config.as_ref().and_then(ConfigWatch::wakes);
        fds.extend(config.map(|config| PollFd::from_borrowed_fd(config, PollFlags::IN)));
        fds.extend(
            self.world
                .wakes(at.mono_ns)
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
        match self.options.linger {
            Linger::Configured => alone < self.engine.linger(),
            Linger::For(linger) => alone < linger,
            Linger::Forever => true,
        }
    }

    /// Puts back what a logout or a cleaner removed, and sees what was changed.
    fn look_after(&mut self, at: Now) {
        if at.mono_ns.saturating_sub(self.looked_after) < LOOK_AFTER_NS {
            return;
        }
        self.looked_after = at.mono_ns;
        if self.listens && !self.server.as_ref().is_some_and(Server::still_bound) {
            let was_bound = self.server.take().is_some();
            self.server = bind(&self.options.places);
            if was_bound {
                // What was published went with the socket.
                self.engine.publish_again();
            }
        }
        if !self.bell.as_ref().is_some_and(Bell::hangs) {
            self.bell = None;
            self.bell = Bell::hang(&self.options.places.runtime).ok();
        }
        if let Some(config) = &mut self.config {
            config.look(at.mono_ns);
        }
        self.follow(at);
    }

    /// Brings the configuration into force, once its files have changed and are left alone.
    fn follow_config(&mut self, at: Now) {
        let Some(config) = &mut self.config else { return };
        if !config.is_due(at.mono_ns) {
            return;
        }
        match self.engine.sync_configuration(&mut self.world, at) {
            true => config.again(at.mono_ns),
            false => config.was_read(self.engine.config_sources()),
        }
    }

    /// Goes by what the files say that were changed meanwhile.
    fn follow(&mut self, at: Now) {
        let mut changed = false;
        if let Some(rules) = self.sources.changed_rules() {
            let user = self.sources.follows_user().then_some(rules.user);
            let policy = self.engine.policy().reread(rules.system, user);
            changed |= self
                .engine
                .set_policy(&mut self.world, at, policy, rules.problems);
        }
        if let Some(zone) = self.sources.changed_zone() {
            changed |= self.engine.set_zone(&mut self.world, at, zone);
        }
        if changed {
            self.engine.handle(&mut self.world, now(), Event::Changed);
        }
        if self.sources.is_stopped() {
            // Refused or not, it is answered once.
            self.sources.stop_heard();
            self.engine.is_unwanted(&mut self.world, at);
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
        let request = crate::api::Request::read(method, parameters)?;
        let answer = self.engine.request(self.world, now(), &who, &request)?;
        Ok(request.wrap(answer))
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
