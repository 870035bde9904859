//! `lusush maint history`: the table of its verbs, one a file.

use clap::Subcommand;
use lle_core::error::Code;
use lle_maintenance::api::Request;

use super::super::{Json, ask};
use super::{scrub, search, stats, transfer};
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;

/// What can be done with the history.
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryVerb {
    /// Reads the whole log and says what is in it and what is damaged
    Check(Json),
    /// Finds commands by text, folder, exit status, machine and time, the likeliest first
    Search(search::Search),
    /// Counts what is in the history; says how far mirror and index are, and what may be a secret
    Stats(Json),
    /// Brings a history file of bash, zsh or fish in, before what is there; twice is once
    Import(transfer::Import),
    /// Writes every command to the standard output
    Export(transfer::Export),
    /// Brings another machine's log in, under its name; twice is once
    Merge(transfer::Merge),
    /// Takes commands out for good, and says where they may still be
    Scrub(scrub::Scrub),
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
        HistoryVerb::Search(asked) => search::run(&asked),
        HistoryVerb::Stats(Json { json }) => stats::run(json),
        HistoryVerb::Import(asked) => transfer::import(&asked),
        HistoryVerb::Export(asked) => transfer::export(&asked),
        HistoryVerb::Merge(asked) => transfer::merge(&asked),
        HistoryVerb::Scrub(asked) => scrub::run(&asked),
        HistoryVerb::Restore { file, accept, json } => {
            let what = if accept { "accept" } else { "restore" };
            restore(what, file.map(absolute), json.json)
        }
    }
}

/// The version of the JSON that a restore answers with.
const SCHEMA_VERSION: u32 = 1;

/// The guard names files by their whole path; `log` is the log.
fn absolute(file: String) -> String {
    if file == "log" {
        return file;
    }
    std::path::absolute(&file).map_or(file, |path| path.display().to_string())
}

fn restore(what: &str, which: Option<String>, json: bool) -> Result<ExitCode, Failure> {
    let request = Request::History {
        what: what.into(),
        which,
        detail: None,
    };
    let given = ask::ask(&request).map_err(|failure| match failure.status() == Code::NoWorker.exit() {
        // Where no worker may run, or can.
        true if what == "restore" => failure.hint("`lusush maint recover history-cut` does it without one"),
        _ => failure,
    })?;
    if json {
        return answer::versioned(SCHEMA_VERSION, &given.value);
    }
    let said = given.value["said"].as_str().unwrap_or("done");
    answer::text(&format!("{said}\n"))
}

/// Has it written in the audit log that the history is changed; a worker is started for that if there is none.
///
/// # Errors
/// It was not written down, or may not be done: then nothing is changed.
pub(super) fn note(what: &str, detail: &str) -> Result<(), Failure> {
    let request = Request::History {
        what: what.into(),
        which: None,
        detail: Some(detail.into()),
    };
    if ask::ask(&request).is_ok() {
        return Ok(());
    }
    if ask::is_stopped() {
        let failure = Failure::new("nothing is changed that cannot be audited, and the worker was stopped");
        return Err(failure
            .hint("`lusush maint start` lets workers run again")
            .code(Code::NoWorker.exit()));
    }
    // Refused by a worker, this says so again; without one, it starts.
    if ask::holder_of().is_none() {
        ask::ask(&Request::Start)?;
    }
    ask::ask(&request).map(drop)
}
