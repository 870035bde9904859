//! `lusush maint backup`: snapshots of the home, what is in them, and back.
//!
//! What takes them is [`crate::backup`], as a process of its own, `lusush job backup`. This one reads the words, so that help
//! and mistakes are the same as everywhere. For what only looks it then becomes that one; what changes something is asked
//! of the policy and, where a worker runs, stands in the audit log before and after. What the worker's own task does
//! stands there as its steps.

pub(crate) mod address;
pub(crate) mod own;
pub(crate) mod verbs;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

use lle_core::error::Code;
use lle_core::policy::Operation;
use lle_maintenance::api::{Request, ScheduleRequest};
use lle_maintenance::world::AUDITED_PLAN;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use verbs::{At, BackupVerb, KeyVerb};

use super::{ask, show};
use crate::exit::ExitCode;
use crate::failure::Failure;

/// What shells add to the number of the signal that ended a program.
const SIGNAL: i32 = 128;

/// Answers one of the verbs; `words` are those behind `backup`.
pub(crate) fn run(verb: BackupVerb, words: &[OsString]) -> Result<ExitCode, Failure> {
    if let BackupVerb::Schedule { when, json } = &verb {
        return match when {
            None => show::task(lle_core::task::TaskKind::Backup.name(), json.json),
            Some(when) => show::answer(&Request::Schedule(Box::new(schedule(when.clone()))), json.json),
        };
    }
    let failed = |error: io::Error| {
        Failure::new("cannot run this program again")
            .code(Code::Unavailable.exit())
            .because(error)
            .hint("`lusush doctor` says what is in place")
    };
    let mut command = program().map_err(failed)?;
    command.args(words).envs(own::variables());
    let is_of_a_plan = std::env::var_os(AUDITED_PLAN).is_some();
    let Some((what, detail)) = change(&verb)?.filter(|_| !is_of_a_plan) else {
        return Err(failed(command.exec()));
    };
    let is_told = !note(what, &format!("begins{detail}"), false)?;
    let ended = run_and_pass_signals_on(&mut command).map_err(failed);
    let outcome = match &ended {
        Ok(status) if status.success() => "done".to_owned(),
        Ok(status) => format!("failed: {status}"),
        Err(failure) => format!("failed: {failure}"),
    };
    // It has happened, and says so itself.
    let _refused_by_now = note(what, &outcome, is_told);
    Ok(ExitCode::from(code(ended?)))
}

/// Runs the job to its end. Who interrupts or ends this program means the job, which knows what must not be left half done:
/// it is told, and what it came to is written down.
fn run_and_pass_signals_on(command: &mut Command) -> io::Result<ExitStatus> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let mut job = command.spawn()?;
    let pid = Pid::from_child(&job);
    // By a descriptor: a signal that comes late reaches nobody else.
    let passed_to = pidfd_open(pid, PidfdFlags::empty());
    let closing = signals.handle();
    let passing = std::thread::spawn(move || {
        for signal in &mut signals {
            let signal = match signal {
                SIGINT => Signal::INT,
                SIGHUP => Signal::HUP,
                _ => Signal::TERM,
            };
            if let Ok(job) = &passed_to {
                let _ended = pidfd_send_signal(job, signal);
            }
        }
    });
    let ended = job.wait();
    closing.close();
    // It only passed signals on.
    let _joined = passing.join();
    ended
}

/// What a verb changes, and the words for it; none if it only looks. A key is never among them.
fn change(verb: &BackupVerb) -> Result<Option<(&'static str, String)>, Failure> {
    let with = |at: &At, mut words: Vec<String>| -> Result<String, Failure> {
        if let Some(text) = &at.repository {
            words.push(format!("in {}", address::named(text)?));
        }
        Ok(match words.is_empty() {
            true => String::new(),
            false => format!(": {}", words.join(", ")),
        })
    };
    Ok(Some(match verb {
        BackupVerb::Create { journal, why, at, .. } => {
            let what = if *journal { "journal".into() } else { why.clone() };
            ("create", with(at, vec![what])?)
        }
        BackupVerb::Restore { snapshot, to, at, .. } => {
            let mut words = vec![snapshot.clone()];
            words.extend(to.iter().map(|to| format!("to {}", to.display())));
            ("restore", with(at, words)?)
        }
        BackupVerb::Prune {
            dry_run: false, at, ..
        } => ("prune", with(at, Vec::new())?),
        BackupVerb::Key { verb } => match verb {
            KeyVerb::Export(_) => ("key export", String::new()),
            KeyVerb::Import { at, .. } => ("key import", with(at, Vec::new())?),
            KeyVerb::Rotate(at) => ("key rotate", with(at, Vec::new())?),
        },
        BackupVerb::Prune { dry_run: true, .. }
        | BackupVerb::List(_)
        | BackupVerb::Show { .. }
        | BackupVerb::Diff { .. }
        | BackupVerb::Verify { .. }
        | BackupVerb::Schedule { .. } => return Ok(None),
    }))
}

/// Has it written in the audit log, if a worker runs. A log that cannot be written keeps nobody from it: on a full disk
/// letting old backups go is what makes room. That it could not is said, unless it `is_told` already; gives whether all is
/// in the log that should be.
///
/// # Errors
/// The policy forbids it.
fn note(what: &str, detail: &str, is_told: bool) -> Result<bool, Failure> {
    let request = Request::Backup {
        what: what.into(),
        detail: Some(detail.into()),
    };
    let written = ask::ask_worker(&request);
    ask::allow(Operation::Backup)?;
    let Some(Err(_)) = written else {
        return Ok(true);
    };
    if !is_told {
        // What the worker says is of what it would do itself.
        eprintln!("lusush: backup {what} goes on, and is not in the audit log, which cannot be written now");
    }
    Ok(false)
}

/// The exit status, as shells have it.
fn code(ended: ExitStatus) -> u8 {
    let code = ended
        .code()
        .unwrap_or_else(|| SIGNAL + ended.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn schedule(when: String) -> ScheduleRequest {
    ScheduleRequest {
        name: lle_core::task::TaskKind::Backup.name().to_owned(),
        schedule: Some(when),
        ..ScheduleRequest::default()
    }
}

/// What does it: this program again, in a process of its own.
///
/// # Errors
/// The kernel does not say which program this is.
pub(crate) fn program() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["job", "backup"]);
    Ok(command)
}
