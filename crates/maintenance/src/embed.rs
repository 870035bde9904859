//! The engine inside another program: a line editor or a shell that is no bash.
//!
//! ```text
//!  host's threads ─ request, register, watch ─▸ channel ─▸ ┌ the loop of the worker ┐ ─▸ control socket, if wanted
//!        ◂──────────── answer ─────────────────────────────┤ on one thread of its own │
//!  callbacks, each call on a thread of its own ◂───────────┘                          ┘
//! ```
//!
//! It is the worker's engine, its loop and its lock: a host beside a running worker, or a second one over the same
//! folders, is told [`WorkerError::Running`]. `lusush maint` talks to a host as to a worker, where the host lets it
//! have the control socket.
//!
//! # What the host measures
//!
//! What the engine looks after are sessions, and a session is a [`Flight`] in the runtime folder. A host makes one and
//! records into it; [`Maintenance::watch`] shows it to the engine, which must not open the file itself: the lock that
//! says that a session lives belongs to the process, and closing any descriptor of the file drops it.
//!
//! ```
//! use lle_maintenance::api::Request;
//! use lle_maintenance::embed::{Maintenance, Options};
//! use lle_metrics::{Counter, Flight, Identity, Timer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let home = home.path();
//! let maintenance = Maintenance::start(Options::in_folder(home))?;
//!
//! let identity = Identity::of_this_process(0x5e55_1011, "/dev/pts/3", "my editor 1.0", "");
//! let mut flight = Flight::create(&maintenance.sessions()?, &identity)?;
//! maintenance.watch(&flight)?;
//! flight.update(|record| {
//!     record.add(Counter::Keys, 1);
//!     record.time(Timer::KeyToPaint, 180_000);
//! });
//!
//! let health = maintenance.request(Request::Health)?;
//! assert_eq!(health["version"], 1);
//!
//! flight.remove();
//! maintenance.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! # What the host does
//!
//! [`Maintenance::register`] makes a callback a task: with a schedule, a time budget, statistics and audit like any
//! other. A call that overruns its budget is given up and counted; its thread goes on until the callback returns.
//!
//! Invariants:
//! - A start that fails leaves no lock, socket or thread.
//! - Nothing the engine does ends the host: a panic of its thread is an answer to the next request.
//! - Signals and the umask are the host's: folders are made 0700 and files 0600 whatever it is.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lle_core::error::Code;
use lle_core::health::assess::Thresholds;
use lle_core::policy::Who;
use lle_core::task::Task;
use lle_metrics::{Flight, Watch};
use serde_json::Value;

use crate::api::{Fault, Request, ScheduleRequest};
use crate::engine::{Config, Engine};
use crate::real::calls::Callback;
use crate::real::{Places, RealWorld, now, policy, zone};
use crate::worker::lock::Lock;
use crate::worker::running::{Running, Summons};
use crate::worker::{self, WorkerError};

/// How long an answer may take: the engine never works longer on anything than a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the engine is embedded.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is.
    pub places: Places,
    /// What the engine goes by.
    pub config: Config,
    /// Whether `lusush maint` and other clients of this user may ask it, over the control socket.
    pub control_socket: bool,
}

impl Options {
    /// Everything below one folder, as `LUSUSH_HOME` has it, under the machine's policy, and with a control socket.
    pub fn in_folder(folder: &Path) -> Self {
        let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let places = Places::below(
            &folder.join("state"),
            &folder.join("data"),
            &folder.join("cache"),
            &folder.join("run"),
            &machine,
        );
        let loaded = policy::load(None);
        Self {
            places,
            config: Config {
                policy: loaded.policy,
                problems: loaded.problems,
                thresholds: Thresholds::default(),
                zone: zone(),
                uid: rustix::process::geteuid().as_raw(),
            },
            control_socket: true,
        }
    }
}

/// The engine, on a thread of its own. Dropping it ends it in good order.
pub struct Maintenance {
    asks: Sender<Asked>,
    waker: Arc<UnixStream>,
    thread: Option<JoinHandle<()>>,
    runtime: PathBuf,
}

/// What the host's threads want of the engine's.
enum Asked {
    Request(Request, SyncSender<Result<Value, Fault>>),
    Register(Box<Task>, Callback, SyncSender<Result<Value, Fault>>),
    Watch(Watch),
    End,
}

impl Maintenance {
    /// Starts the engine, and returns once it acts.
    ///
    /// # Errors
    /// It does not run, and nothing of it is left.
    pub fn start(options: Options) -> Result<Self, WorkerError> {
        let failed = |source| WorkerError::State {
            path: options.places.maint.clone(),
            source,
        };
        let lock = Lock::take(&options.places.maint)?;
        let (wakes, waker) = UnixStream::pair().map_err(failed)?;
        wakes.set_nonblocking(true).map_err(failed)?;
        waker.set_nonblocking(true).map_err(failed)?;
        let (asks, asked) = channel();
        let waker = Arc::new(waker);
        let runtime = options.places.runtime.clone();
        let (began, begins) = sync_channel(1);
        let desk = Desk {
            asked,
            wakes,
            owner: options.config.uid,
        };
        let wake = Arc::clone(&waker);
        let thread = thread::Builder::new()
            .name("lusush-maint".into())
            .spawn({
                let options = options.clone();
                move || run(&options, lock, desk, wake, &began)
            })
            .map_err(failed)?;
        match begins.recv() {
            Ok(Ok(())) => Ok(Self {
                asks,
                waker,
                thread: Some(thread),
                runtime,
            }),
            Ok(Err(error)) => {
                let _ended = thread.join();
                Err(error)
            }
            Err(_) => {
                let _panicked = thread.join();
                Err(failed(io::Error::other("the engine panicked while it started")))
            }
        }
    }

    /// The folder that sessions register in, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn sessions(&self) -> io::Result<PathBuf> {
        let folder = self.runtime.join("sessions");
        crate::real::disk::create_folder(&folder)?;
        Ok(folder)
    }

    /// Looks at a session that this process itself is; again after each [`Flight::rehome`].
    ///
    /// # Errors
    /// The flight is a private one, or cannot be mapped.
    pub fn watch(&self, flight: &Flight) -> io::Result<()> {
        let watch = flight.watch()?;
        // An engine that has ended looks at nothing; the next request says so.
        let _ended = self.ask(Asked::Watch(watch));
        Ok(())
    }

    /// Registers a task whose substance is the host's own, or takes it up again after a start. It has no kind and no
    /// command; when it runs and whether it does by itself stays as the user last had it.
    ///
    /// # Errors
    /// It is beyond a limit, has the name of another task, is not granted, or cannot be recorded.
    pub fn register(
        &self,
        task: Task,
        callback: impl FnMut() -> Result<String, String> + Send + 'static,
    ) -> Result<Value, Fault> {
        self.answered(|answer| Asked::Register(Box::new(task), Box::new(callback), answer))
    }

    /// Asks for anything that the control socket can be asked for.
    ///
    /// # Errors
    /// It is not granted, failed, or the engine has ended.
    pub fn request(&self, request: Request) -> Result<Value, Fault> {
        self.answered(|answer| Asked::Request(request, answer))
    }

    /// How the engine is doing.
    ///
    /// # Errors
    /// As of [`Maintenance::request`], here and below.
    pub fn status(&self) -> Result<Value, Fault> {
        self.request(Request::Status)
    }

    /// How the parts are doing.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn health(&self) -> Result<Value, Fault> {
        self.request(Request::Health)
    }

    /// What is measured.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn metrics(&self) -> Result<Value, Fault> {
        self.request(Request::Metrics { session: None })
    }

    /// What is done on a schedule.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn tasks(&self) -> Result<Value, Fault> {
        self.request(Request::Tasks)
    }

    /// Runs a task now.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn run(&self, task: &str) -> Result<Value, Fault> {
        let task = task.to_owned();
        self.request(Request::Run { task })
    }

    /// Does nothing by itself, or leaves one task alone.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn pause(&self, task: Option<&str>) -> Result<Value, Fault> {
        let task = task.map(str::to_owned);
        self.request(Request::Pause { task })
    }

    /// Goes on after a pause.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn resume(&self, task: Option<&str>) -> Result<Value, Fault> {
        let task = task.map(str::to_owned);
        self.request(Request::Resume { task })
    }

    /// Registers a task with a command, or changes when a task runs.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn schedule(&self, asked: ScheduleRequest) -> Result<Value, Fault> {
        self.request(Request::Schedule(Box::new(asked)))
    }

    /// Cancels a task's run; removes a registered task that does not run.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn cancel(&self, task: &str) -> Result<Value, Fault> {
        let task = task.to_owned();
        self.request(Request::Cancel { task })
    }

    /// What needs attention.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn alerts(&self) -> Result<Value, Fault> {
        self.request(Request::Alerts)
    }

    /// Takes note of an alert.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn acknowledge(&self, id: u64) -> Result<Value, Fault> {
        self.request(Request::Acknowledge { id })
    }

    /// What was done last, so many records of it.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn audit(&self, limit: u64) -> Result<Value, Fault> {
        let (from, limit) = (None, Some(limit));
        self.request(Request::Audit { from, limit })
    }

    /// Whether the audit log is whole.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn verify(&self) -> Result<Value, Fault> {
        self.request(Request::Verify)
    }

    /// Whether the system keeps what it promises.
    ///
    /// # Errors
    /// As of [`Maintenance::request`].
    pub fn validate(&self) -> Result<Value, Fault> {
        self.request(Request::Validate)
    }

    /// Ends the engine and waits until its lock is free. Other than [`Request::Stop`] it keeps no later worker away.
    ///
    /// # Errors
    /// Its thread had panicked.
    pub fn stop(mut self) -> Result<(), Fault> {
        match self.end() {
            Some(Err(_)) => Err(ended("it panicked")),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Option<thread::Result<()>> {
        let thread = self.thread.take()?;
        let _ended_already = self.ask(Asked::End);
        Some(thread.join())
    }

    fn ask(&self, asked: Asked) -> Result<(), Fault> {
        self.asks.send(asked).map_err(|_| ended("it was stopped"))?;
        wake(&self.waker);
        Ok(())
    }

    fn answered(
        &self,
        asked: impl FnOnce(SyncSender<Result<Value, Fault>>) -> Asked,
    ) -> Result<Value, Fault> {
        let (answer, answers) = sync_channel(1);
        self.ask(asked(answer))?;
        match answers.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => Err(ended("it ended before it answered")),
            Err(RecvTimeoutError::Timeout) => Err(Fault::new(
                Code::TimedOut,
                format!("the engine did not answer within {PATIENCE:?}"),
            )),
        }
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        let _ended = self.end();
    }
}

/// The thread: begins, says whether it did, and serves.
fn run(
    options: &Options,
    lock: Lock,
    desk: Desk,
    waker: Arc<UnixStream>,
    began: &SyncSender<Result<(), WorkerError>>,
) {
    let worker = worker::Options {
        places: options.places.clone(),
        config: options.config.clone(),
        user_policy: None,
        linger: worker::Linger::Forever,
        spawned: false,
        pace: crate::engine::Pace::default(),
    };
    let running = worker::open(&options.places).and_then(|mut world| {
        world.wake_by(Arc::new(move || wake(&waker)));
        Running::begin(&worker, lock, desk, world, options.control_socket)
    });
    match running {
        Ok(running) => {
            let _starter_waits = began.send(Ok(()));
            running.serve();
        }
        // The lock went with what failed, before the starter is told.
        Err(error) => drop(began.send(Err(error))),
    }
}

fn wake(waker: &UnixStream) {
    // A full pipe has woken it already.
    let _awake = (&mut &*waker).write(b"w");
}

fn ended(how: &str) -> Fault {
    Fault::new(Code::NoWorker, format!("the embedded engine does not run: {how}"))
        .with_hint("start another one: Maintenance::start")
}

/// Where the host's wishes meet the engine.
struct Desk {
    asked: Receiver<Asked>,
    wakes: UnixStream,
    owner: u32,
}

impl Summons for Desk {
    fn wakes(&self) -> BorrowedFd<'_> {
        self.wakes.as_fd()
    }

    fn take(&mut self, engine: &mut Engine, world: &mut RealWorld) -> bool {
        // First the bytes, then what they told of: one that comes in between wakes once more.
        let mut bytes = [0; 64];
        while self.wakes.read(&mut bytes).is_ok_and(|n| n == bytes.len()) {}
        let who = Who::peer(self.owner, Some(std::process::id()), self.owner);
        for asked in self.asked.try_iter() {
            match asked {
                Asked::End => return false,
                Asked::Watch(watch) => world.watch(watch),
                Asked::Request(request, answer) => {
                    // Whoever has given up waiting is told nothing.
                    let _gone = answer.send(engine.request(world, now(), &who, &request));
                }
                Asked::Register(task, callback, answer) => {
                    let name = task.name.clone();
                    let registered = engine.register(world, now(), &who, *task);
                    if registered.is_ok() {
                        world.register(&name, callback);
                    }
                    let _gone = answer.send(registered);
                }
            }
        }
        true
    }
}
