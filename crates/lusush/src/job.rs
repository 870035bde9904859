//! `lusush job command -- PROGRAM …`: supervises a program for the worker. `lusush job models METRICS OUT`: makes models
//! of the samples, supervised by the former. `lusush job die FOLDER`: a session that crashes, for drills. `lusush job backup …`:
//! see [`backup`].
//!
//! The worker holds the other end of standard input. When that closes, however the worker ended, the program and
//! everything it started in its group are killed, this supervisor among them.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_current_process_group, pidfd_open};

use crate::backup;
use crate::exit::ExitCode;
use crate::failure::Failure;

/// Exit status of a program that cannot be run, as shells have it.
const NOT_FOUND: u8 = 127;
/// What shells add to the number of the signal that ended a program.
const SIGNAL: i32 = 128;

/// Runs `lusush job` with the arguments that follow it.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let usage = || Failure::new("usage: lusush job command -- PROGRAM [ARGUMENT …]").code(2);
    if let [kind, words @ ..] = arguments
        && kind == "backup"
    {
        return backup::run(words);
    }
    if let [kind, metrics, out] = arguments
        && kind == "models"
    {
        return models(metrics.as_ref(), out.as_ref());
    }
    if let [kind, sessions] = arguments
        && kind == "die"
    {
        return die(sessions.as_ref());
    }
    let [kind, dashes, program, rest @ ..] = arguments else {
        return Err(usage());
    };
    if kind != "command" || dashes != "--" {
        return Err(usage());
    }
    let mut child = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| {
            Failure::new(format!("cannot run {}", program.display()))
                .because(error)
                .code(NOT_FOUND)
        })?;
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(ended) = process.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) {
        let stdin = std::io::stdin();
        loop {
            let mut fds = [
                PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN),
                // Nobody writes to it: readable means closed.
                PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN),
            ];
            if poll(&mut fds, None).is_err() {
                continue;
            }
            if !fds[0].revents().is_empty() {
                break;
            }
            if !fds[1].revents().is_empty() {
                // Ends this process too.
                let _ended_with_it = kill_current_process_group(Signal::KILL);
            }
        }
    }
    let status = child
        .wait()
        .map_err(|error| Failure::new("cannot wait for the program").because(error))?;
    let code = status
        .code()
        .unwrap_or_else(|| SIGNAL + status.signal().unwrap_or(0));
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Registers as a session does, and dies as one that crashes does: its flight file stays.
fn die(sessions: &Path) -> Result<ExitCode, Failure> {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let id = RandomState::new().build_hasher().finish() | 1;
    let identity = lle_metrics::Identity::of_this_process(id, "drill", "none", env!("CARGO_PKG_VERSION"));
    let stays = lle_metrics::Flight::create(sessions, &identity)
        .map_err(|error| Failure::new("no session can be registered").because(error))?;
    // One that had its prompt.
    stays.update(|session| session.time(lle_metrics::Timer::Start, 1));
    // Nobody looks at what a crash on purpose leaves.
    let no_core = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _as_it_is = rustix::process::setrlimit(rustix::process::Resource::Core, no_core);
    std::process::abort();
}

/// Makes models of the samples; what it says last stands in the task's statistics.
fn models(metrics: &Path, out: &Path) -> Result<ExitCode, Failure> {
    // Nobody waits for it, and somebody may be typing.
    let _as_it_is = rustix::process::nice(19);
    let made = lle_maintenance::models::make(metrics, out, lle_maintenance::real::now().wall_ns)
        .map_err(|error| Failure::new("no models were made").because(error))?;
    println!(
        "{} of {} series have a model, {} one that says more than the last value",
        made.fitted, made.series, made.of_use
    );
    Ok(ExitCode::SUCCESS)
}
