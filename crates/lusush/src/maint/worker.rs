//! `lusush maint worker`: the worker itself, in the foreground or started by a session.

use std::time::Duration;

use clap::Args;
use lle_core::error::Code;
use lle_maintenance::engine::Pace;
use lle_maintenance::worker::{self, Linger, Options, WorkerError};

use super::ask;
use crate::exit::ExitCode;
use crate::failure::Failure;

/// How to run.
#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// Stay, although no session is there
    #[arg(long)]
    stay: bool,
    /// Leave so many seconds after the last session
    #[arg(long, value_name = "SECONDS", conflicts_with = "stay")]
    linger: Option<u64>,
    /// Look at sessions so often, in milliseconds, and take them for idle after three looks: for tests, which cannot
    /// wait for minutes
    #[arg(long, value_name = "MS", hide = true)]
    look_every: Option<u64>,
    /// Take so many milliseconds of use for a minute on trial: for tests, too
    #[arg(long, value_name = "MS", hide = true)]
    minute: Option<u64>,
    /// Leave at once if somebody ran `lusush maint stop`, and say nothing if there is a worker already
    #[arg(long)]
    spawned: bool,
}

/// Runs the worker until it is told to end, or nobody needs it.
pub(crate) fn run(asked: &Worker) -> Result<ExitCode, Failure> {
    if asked.spawned {
        // Out of the terminal's reach; a session that started us has done this already.
        let _leader_already = rustix::process::setsid();
    }
    // Whatever a library creates is for this user alone, too.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let linger = match (asked.stay, asked.linger) {
        (true, _) => Linger::Forever,
        (false, None) => Linger::Configured,
        (false, Some(seconds)) => Linger::For(Duration::from_secs(seconds)),
    };
    let ns = |ms: u64| ms.max(1).saturating_mul(1_000_000);
    let mut pace = Pace::default();
    if let Some(look_ns) = asked.look_every.map(ns) {
        // More than a look: one without news is no idleness.
        (pace.look_ns, pace.idle_ns) = (look_ns, look_ns.saturating_mul(3));
    }
    pace.minute_ns = asked.minute.map_or(pace.minute_ns, ns);
    let options = Options {
        pace,
        places: ask::places()?,
        config: ask::config()?,
        user_policy: ask::user_policy(),
        linger,
        spawned: asked.spawned,
    };
    match worker::run(&options) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(WorkerError::Running { .. } | WorkerError::Stopped) if asked.spawned => Ok(ExitCode::SUCCESS),
        Err(error) => {
            let code = match error {
                WorkerError::Running { .. } => Code::Busy,
                WorkerError::Stopped => Code::InvalidState,
                _ => Code::StartFailed,
            };
            let failure = Failure::new("the worker did not start")
                .because(error)
                .code(code.exit());
            Err(match code {
                Code::Busy => failure.hint("`lusush maint status` shows it"),
                Code::InvalidState => failure.hint("`lusush maint start` lets workers run again"),
                _ => failure.hint("`lusush doctor` says more about folders"),
            })
        }
    }
}
