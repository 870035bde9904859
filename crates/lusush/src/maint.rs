//! `lusush maint`: what the maintenance system knows and does, one verb a file.

pub(crate) mod history;
mod process;
mod render;
pub(crate) mod session;
pub(crate) mod status;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::failure::Failure;
use crate::text::Ink;
use crate::{answer, paths};

/// Shows and maintains the sessions of this user
#[derive(Debug, Parser)]
#[command(name = "lusush maint", disable_help_subcommand = true)]
struct Maint {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows every session: how fast it is, what it costs, and how dead ones ended
    Status {
        /// Writes JSON instead, schema version 1
        #[arg(long)]
        json: bool,
    },
    /// Looks after the history log
    History {
        #[command(subcommand)]
        verb: HistoryVerb,
    },
}

#[derive(Debug, Subcommand)]
enum HistoryVerb {
    /// Reads the whole log and says what is in it and what is damaged
    Check {
        /// Writes JSON instead, schema version 1
        #[arg(long)]
        json: bool,
    },
}

/// Runs `lusush maint` with the arguments that follow it.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let parsed = match answer::parse::<Maint>("lusush maint", arguments) {
        Ok(parsed) => parsed,
        Err(code) => return Ok(code),
    };
    match parsed.verb {
        None => answer::text(&Maint::command().render_help().to_string()),
        Some(Verb::Status { json }) => show_status(json),
        Some(Verb::History {
            verb: HistoryVerb::Check { json },
        }) => check_history(json),
    }
}

fn show_status(json: bool) -> Result<ExitCode, Failure> {
    let failed = || Failure::new("cannot look for sessions").hint("`lusush doctor` says more about folders");
    let runtime = paths::folders()
        .runtime
        .map_err(|refusal| failed().because(refusal))?;
    let status = status::status(&runtime.join("sessions")).map_err(|error| failed().because(error))?;
    if json {
        answer::json(&status)
    } else {
        answer::text(&render::status(&status, Ink::of_stdout()))
    }
}

fn check_history(json: bool) -> Result<ExitCode, Failure> {
    let failed = || Failure::new("cannot check the history log");
    let state = paths::folders()
        .state
        .map_err(|refusal| failed().because(refusal))?;
    let checked = history::check(&history::log_in(&state)).map_err(|error| {
        let hint = match error {
            history::CheckError::None { .. } => "the first session makes it: run `lusush`",
            history::CheckError::Open { .. } => "`lusush doctor` says more about folders",
        };
        failed().because(error).hint(hint)
    })?;
    if json {
        answer::json(&checked)
    } else {
        answer::text(&checked.text())
    }
}
