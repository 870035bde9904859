//! Asking the engine: the worker, over its control socket, or, without one, what it left on disk.
//!
//! Invariant: reading always has an answer. What changes something needs the worker, and says so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lle_core::error::Code;
use lle_core::health::assess::Thresholds;
use lle_core::policy::{self, Operation, Target, Who};
use lle_maintenance::api::{Fault, Request};
use lle_maintenance::control::{CallError, Client};
use lle_maintenance::engine::{Config, Engine};
use lle_maintenance::real::{Places, RealWorld, now};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::paths;

/// How long an answer may take: the engine never works longer on anything than a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a worker may take to start.
const START: Duration = Duration::from_secs(10);

/// How long a worker that cannot be asked may take to see that nobody wants it: it looks every five seconds.
const STOP: Duration = Duration::from_secs(10);

/// The variables that a worker is started with: where things are, who and when it is, and nothing else.
const WORKER_VARIABLES: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "LUSUSH_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// A worker that lives and cannot be asked from here: it serves a runtime folder that is not this shell's, and that
/// [`lle_core::paths`] does not let this shell use.
#[derive(Debug, Serialize)]
pub(crate) struct Elsewhere {
    /// Its process number.
    pub(crate) pid: u32,
    /// The folder that it serves.
    pub(crate) serves: String,
    /// That of this shell.
    pub(crate) runtime: String,
}

impl Elsewhere {
    /// As a sentence without its end.
    pub(crate) fn told(&self) -> String {
        format!("the worker, {}", self.what())
    }

    /// The same without "the worker".
    pub(crate) fn what(&self) -> String {
        let Self { pid, serves, runtime } = self;
        format!(
            "process {pid}, cannot be asked from here: it serves {serves}, which is gone or not for this user alone, instead of \
             {runtime}"
        )
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> String {
        let Self { pid, serves, .. } = self;
        format!(
            "chmod 700 {serves} if it is there; else `kill {pid}`: another then comes with the next prompt"
        )
    }
}

/// Whether the worker is elsewhere.
pub(crate) fn elsewhere() -> Option<Elsewhere> {
    let places = places().ok()?;
    let serves = lle_maintenance::worker::served::read(&places).filter(|serves| *serves != places.runtime)?;
    Some(Elsewhere {
        pid: holder(&places).ok()??,
        serves: serves.to_string_lossy().into_owned(),
        runtime: places.runtime.to_string_lossy().into_owned(),
    })
}

/// An answer, and who gave it.
pub(crate) struct Answer {
    /// The document.
    pub(crate) value: Value,
    /// A worker, rather than the disk.
    pub(crate) from_worker: bool,
}

/// Asks for something.
pub(crate) fn ask(request: &Request) -> Result<Answer, Failure> {
    let places = places()?;
    match call(&places, request) {
        Ok(value) => Ok(Answer {
            value,
            from_worker: true,
        }),
        Err(CallError::Fault(fault)) => Err(failure(&Fault {
            code: fault.code,
            message: fault.message,
            hint: fault.hint,
        })),
        Err(CallError::Unreachable { .. }) if matches!(request, Request::Start) => start(&places, request),
        Err(CallError::Unreachable { .. }) if matches!(request, Request::Stop) => stop(&places),
        Err(CallError::Unreachable { .. }) => from_disk(places, request),
        Err(error) => Err(Failure::new("the worker does not answer as it should")
            .because(error)
            .hint("`lusush maint stop` and `lusush maint start` make a new one")),
    }
}

/// Asks a worker, and nobody else; none if there is none, or one too old to know what is asked.
pub(crate) fn ask_worker(request: &Request) -> Option<Result<Value, Failure>> {
    match call(&places().ok()?, request) {
        Ok(value) => Some(Ok(value)),
        Err(CallError::Fault(fault)) if fault.code == Code::NotBuilt => None,
        Err(CallError::Fault(fault)) => Some(Err(failure(&Fault {
            code: fault.code,
            message: fault.message,
            hint: fault.hint,
        }))),
        Err(_) => None,
    }
}

/// Where everything is.
pub(crate) fn places() -> Result<Places, Failure> {
    let folders = paths::folders();
    let failed = || {
        Failure::new("there is no place for the maintenance state")
            .hint("`lusush doctor` says more about folders")
    };
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let mut places = Places::below(
        &folders.state.map_err(|refusal| failed().because(refusal))?,
        &folders.data.map_err(|refusal| failed().because(refusal))?,
        &folders.cache.map_err(|refusal| failed().because(refusal))?,
        &folders.runtime.map_err(|refusal| failed().because(refusal))?,
        &machine,
    );
    places.program = std::env::current_exe().ok();
    places.home = paths::home();
    if let Ok(folder) = folders.config {
        places.follow(folder.join(lle_core::config::FILE_NAME));
    }
    Ok(places)
}

/// The user's rules, if they may have some.
pub(crate) fn user_policy() -> Option<PathBuf> {
    let folder = paths::config().ok()?;
    Some(folder.join("policy.toml"))
}

/// What the engine goes by.
pub(crate) fn config() -> Result<Config, Failure> {
    let policy = lle_maintenance::real::policy::load(user_policy().as_deref());
    for problem in &policy.problems {
        eprintln!("lusush: {problem}");
    }
    Ok(Config {
        policy: policy.policy,
        problems: policy.problems,
        thresholds: Thresholds::default(),
        zone: lle_maintenance::real::zone(),
        uid: rustix::process::geteuid().as_raw(),
    })
}

fn call(places: &Places, request: &Request) -> Result<Value, CallError> {
    let (method, parameters) = request.write();
    let mut client = Client::connect(&places.socket(), PATIENCE)?;
    let reply = client.call(&format!("io.lusush.Maintenance.{method}"), parameters)?;
    Ok(Request::unwrap_answer(reply))
}

fn failure(fault: &Fault) -> Failure {
    let failure = Failure::new(fault.message.clone()).code(fault.code.exit());
    match &fault.hint {
        Some(hint) => failure.hint(hint.clone()),
        None => failure,
    }
}

/// Answers from what is on disk, changing nothing.
fn from_disk(places: Places, request: &Request) -> Result<Answer, Failure> {
    let failed = |error: std::io::Error| Failure::new("the maintenance state cannot be read").because(error);
    let config = config()?;
    let who = Who::peer(config.uid, None, config.uid);
    let mut world = RealWorld::open(places, false).map_err(failed)?;
    let mut engine = Engine::load(&mut world, config, now()).map_err(failed)?;
    let value = engine
        .request(&mut world, now(), &who, request)
        .map_err(
            |fault| match elsewhere().filter(|_| fault.code == Code::NoWorker) {
                Some(elsewhere) => Failure::new(fault.message)
                    .because(elsewhere.told())
                    .hint(elsewhere.remedy())
                    .code(fault.code.exit()),
                None => failure(&fault),
            },
        )?;
    Ok(Answer {
        value,
        from_worker: false,
    })
}

/// Starts a worker, and waits until it answers.
fn start(places: &Places, request: &Request) -> Result<Answer, Failure> {
    let failed = || Failure::new("no worker can be started").code(Code::StartFailed.exit());
    allow(Operation::Start)?;
    // Whoever stopped it has changed their mind; what cannot be removed keeps a spawned worker away, and says so.
    let _started = std::fs::remove_file(places.maint.join("stopped"));
    if let Some(elsewhere) = elsewhere() {
        return Err(failed().because(elsewhere.told()).hint(elsewhere.remedy()));
    }
    let program = std::env::current_exe().map_err(|error| failed().because(error))?;
    let mut child = spawn(&program).map_err(|error| failed().because(error))?;
    let began = Instant::now();
    while began.elapsed() < START {
        match call(places, request) {
            Ok(value) => {
                return Ok(Answer {
                    value,
                    from_worker: true,
                });
            }
            Err(CallError::Unreachable { .. }) => {
                std::thread::sleep(Duration::from_millis(20));
                match child.try_wait() {
                    // One that is about to end kept it from its lock.
                    Ok(Some(status)) if status.success() => {
                        child = spawn(&program).map_err(|error| failed().because(error))?;
                    }
                    Ok(Some(_)) => break,
                    _ => {}
                }
            }
            Err(error) => return Err(failed().because(error)),
        }
    }
    Err(failed().hint("`lusush maint worker` runs one in the foreground and says what is wrong"))
}

fn spawn(program: &Path) -> std::io::Result<Child> {
    let kept = WORKER_VARIABLES
        .iter()
        .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
    Command::new(program)
        .args(["maint", "worker", "--spawned"])
        .env_clear()
        .envs(kept)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// What a worker would ask its policy is asked without one, too.
pub(crate) fn allow(operation: Operation) -> Result<(), Failure> {
    let config = config()?;
    let who = Who::peer(config.uid, None, config.uid);
    match policy::authorise(who, operation, Target::All, (), &config.policy) {
        Ok(_proof) => Ok(()),
        Err(refusal) => Err(Failure::new(refusal.to_string())
            .hint(refusal.remedy())
            .code(refusal.code.exit())),
    }
}

/// No worker answers: none is to come either, and one that lives and cannot be asked reads that on disk.
fn stop(places: &Places) -> Result<Answer, Failure> {
    allow(Operation::Stop)?;
    std::fs::create_dir_all(&places.maint)
        .and_then(|()| std::fs::write(places.maint.join("stopped"), "lusush maint start\n"))
        .map_err(|error| Failure::new("cannot keep workers away").because(error))?;
    let began = Instant::now();
    while let Some(pid) = holder(places)? {
        if began.elapsed() >= STOP {
            let failure = Failure::new(format!("the worker (process {pid}) neither answers nor ends"));
            return Err(failure
                .hint("no session starts another; this one ends if you end its process")
                .code(Code::Unavailable.exit()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Answer {
        value: serde_json::json!({}),
        from_worker: false,
    })
}

/// Whether somebody ran `lusush maint stop`.
pub(crate) fn is_stopped() -> bool {
    places().is_ok_and(|places| places.maint.join("stopped").exists())
}

/// The worker's process, if there is one.
pub(crate) fn holder_of() -> Option<u32> {
    holder(&places().ok()?).ok()?
}

fn holder(places: &Places) -> Result<Option<u32>, Failure> {
    let failed = |error| Failure::new("it cannot be told whether a worker runs").because(error);
    lle_maintenance::worker::lock::holder(&places.maint).map_err(failed)
}
