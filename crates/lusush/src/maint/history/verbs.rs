//! `lusush maint history`: the table of its verbs, one a file.

use std::process::ExitCode;

use clap::Subcommand;
use lle_maintenance::api::Request;

use super::super::{Json, ask};
use crate::answer;
use crate::failure::Failure;

/// What can be done with the history.
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryVerb {
    /// Reads the whole log and says what is in it and what is damaged
    Check(Json),
    /// Puts back what another program cut off the log, or off a history file of bash's
    Restore {
        /// The history file; the log without one
        file: Option<String>,
        /// Takes every history as it is now instead
        #[arg(long, conflicts_with = "file")]
        accept: bool,
        #[command(flatten)]
        json: Json,
    },
}

/// Runs a verb.
pub(crate) fn run(verb: HistoryVerb) -> Result<ExitCode, Failure> {
    match verb {
        HistoryVerb::Check(Json { json }) => super::check_history(json),
        HistoryVerb::Restore { file, accept, json } => {
            let what = if accept { "accept" } else { "restore" };
            let which = file.map(absolute);
            restore(what, which, json.json)
        }
    }
}

/// The guard names files by their whole path.
fn absolute(file: String) -> String {
    std::path::absolute(&file).map_or(file, |path| path.display().to_string())
}

fn restore(what: &str, which: Option<String>, json: bool) -> Result<ExitCode, Failure> {
    let request = Request::History {
        what: what.into(),
        which,
        detail: None,
    };
    let given = ask::ask(&request)?;
    if json {
        return answer::json(&given.value);
    }
    let said = given.value["said"].as_str().unwrap_or("done");
    answer::text(&format!("{said}\n"))
}
