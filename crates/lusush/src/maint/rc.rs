//! `lusush maint rc`: every state of the start-up files, which of them reached a prompt, and back to one of them.
//!
//! Works without a worker: what the start guard knows joins the versions first. What is shown holds whatever the files
//! hold, secrets among it, and is for the user's own terminal.

mod known;
mod restore;
mod show;

use clap::Subcommand;

use super::Json;
use crate::exit::ExitCode;
use crate::failure::Failure;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum RcVerb {
    /// Lists the versions: since when, how much changed, whether a start with it reached a prompt
    Log {
        /// Of this file only
        file: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Shows what changed since the last version that reached a prompt, or between two versions
    Diff {
        /// A file, or the number of the older version; every file that changed without it
        of: Option<String>,
        /// The number of the newer version; the file as it is without it
        to: Option<u64>,
        #[command(flatten)]
        json: Json,
    },
    /// Prints a version
    Show {
        /// The version's number, or a file: its last version that reached a prompt
        of: String,
        #[command(flatten)]
        json: Json,
    },
    /// Makes a file say again what a version said; what it says now becomes a version first
    Restore {
        /// A file, or the version's number; the one file that changed without it
        of: Option<String>,
        /// The version's number; the last one that reached a prompt without it
        number: Option<u64>,
        #[command(flatten)]
        json: Json,
    },
}

/// Answers one of the verbs.
pub(crate) fn run(verb: RcVerb) -> Result<ExitCode, Failure> {
    match verb {
        RcVerb::Log { file, json } => show::log(file.as_deref(), json.json),
        RcVerb::Diff { of, to, json } => show::diff(of.as_deref(), to, json.json),
        RcVerb::Show { of, json } => show::show(&of, json.json),
        RcVerb::Restore { of, number, json } => restore::restore(of.as_deref(), number, json.json),
    }
}
