//! `lusush maint backup`: snapshots of the home, what is in them, and back.
//!
//! What takes them is another program, `lusush-job`: the archive is as large as all else together, and neither a shell's
//! start nor the worker is to pay for it. This one reads the words, so that help and mistakes are the same as
//! everywhere, and then becomes that one.

pub(crate) mod verbs;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use lle_core::error::Code;
use lle_maintenance::api::{Request, ScheduleRequest};
use verbs::BackupVerb;

use super::show;
use crate::failure::Failure;

/// The program's name.
pub(crate) const JOB: &str = "lusush-job";

/// Answers one of the verbs; `words` are those behind `backup`.
pub(crate) fn run(verb: BackupVerb, words: &[OsString]) -> Result<ExitCode, Failure> {
    if let BackupVerb::Schedule { when, json } = verb {
        let request = match when {
            None => Request::Tasks,
            Some(when) => Request::Schedule(Box::new(schedule(when))),
        };
        return show::answer(&request, json.json);
    }
    let job = program().map_err(not_found)?;
    let error = Command::new(&job).arg("backup").args(words).exec();
    Err(Failure::new(format!("cannot run {}", job.display()))
        .code(Code::Unavailable.exit())
        .because(error)
        .hint("`lusush install` puts it where it belongs"))
}

fn schedule(when: String) -> ScheduleRequest {
    ScheduleRequest {
        name: lle_core::task::TaskKind::Backup.name().to_owned(),
        schedule: Some(when),
        ..ScheduleRequest::default()
    }
}

/// Where the program is: beside this one as it is built, or where both are installed.
///
/// # Errors
/// In none of the places.
pub(crate) fn program() -> Result<PathBuf, Vec<PathBuf>> {
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.parent().unwrap_or(&own);
    let places = vec![folder.join(JOB), folder.join("../lib/lusush").join(JOB)];
    match places.iter().find(|place| place.is_file()) {
        Some(place) => Ok(place.clone()),
        None => Err(places),
    }
}

/// The failure of what needs the program, which is in none of `places`.
pub(crate) fn not_found(places: Vec<PathBuf>) -> Failure {
    let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
    Failure::new(format!("there is no {JOB}"))
        .code(Code::Unavailable.exit())
        .because(io::Error::new(
            io::ErrorKind::NotFound,
            format!("looked for {}", places.join(", ")),
        ))
        .hint("from source, `cargo build --release` makes it beside the binary")
        .hint("`lusush install` puts both where they belong")
}
