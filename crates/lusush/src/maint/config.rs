//! `lusush maint config`: what is configured, by whom, and what is wrong with it; setting and unsetting one key.
//!
//! Works without a worker: it reads the files themselves, and a worker notices when they change. What is in force, and
//! where, is in files as well.

mod aside;
mod edit;
mod in_force;
pub(crate) mod layers;
mod schema_file;
mod show;
mod status;
mod trial;
mod versions;

use std::path::PathBuf;

use clap::Subcommand;

use super::Json;
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Shows every key with its value
    Show {
        /// The key, or a table of them; all without one
        key: Option<String>,
        /// Says which file and line, variable or word gave each value
        #[arg(long)]
        origin: bool,
        /// Shows what would hold with this as well, as editor.theme=light
        #[arg(short = 'c', value_name = "KEY=VALUE")]
        with: Vec<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Says all that is wrong with files, or with what is in force; exit status 2 if anything is
    Check {
        /// The files, `-` for standard input; without one, all that Lusush goes by. A theme is looked for in `themes`
        /// beside the file first
        files: Vec<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
    /// Prints the JSON Schema of the file, for editors
    Schema {
        /// Writes it beside your file instead, and adds the line that leads editors to it
        #[arg(long)]
        write: bool,
    },
    /// Gives a key a value in your file, and keeps your comments
    Set {
        /// The key
        key: String,
        /// The value, without quotes
        value: String,
        #[command(flatten)]
        json: Json,
    },
    /// Takes a key out of your file
    Unset {
        /// The key
        key: String,
        #[command(flatten)]
        json: Json,
    },
    /// Lists the versions of your file and its themes: why, by whom, and how much changed
    Log(Json),
    /// Shows what changed between two versions, in all files, or between one and the files as they are
    Diff {
        /// The number of the older one
        a: u64,
        /// The number of the newer one; the files as they are without it
        b: Option<u64>,
        #[command(flatten)]
        json: Json,
    },
    /// Makes your file, or a theme of yours, say again what an older version of it said
    Rollback {
        /// The version's number
        version: u64,
        #[command(flatten)]
        json: Json,
    },
    /// Keeps the configuration that is on trial, without waiting for it to prove itself
    Confirm {
        /// The version's number; the one that is on trial without it
        version: Option<u64>,
        #[command(flatten)]
        json: Json,
    },
    /// Makes your file say what another one says
    Apply {
        /// The file
        file: PathBuf,
        /// Takes it back after so long of use, such as 10m, unless it is confirmed by then
        #[arg(long = "for", value_name = "TIME", value_parser = trial::how_long)]
        active_ms: Option<u64>,
        #[command(flatten)]
        json: Json,
    },
    /// Shows the configuration that is on trial, and what became of those that were
    Trials(Json),
    /// Says which version is in force, which each session goes by, and what was refused last
    Status(Json),
    /// Prints where your file is, or would be
    Path,
}

/// Answers one of the verbs.
pub(crate) fn run(verb: ConfigVerb) -> Result<ExitCode, Failure> {
    match verb {
        ConfigVerb::Show {
            key,
            origin,
            with,
            json,
        } => show::show(key.as_deref(), origin, &with, json.json),
        ConfigVerb::Check { files, json } => show::check(&files, json.json),
        ConfigVerb::Schema { write: false } => schema_file::print(),
        ConfigVerb::Schema { write: true } => schema_file::write(),
        ConfigVerb::Set { key, value, json } => edit::set(&key, &value, json.json),
        ConfigVerb::Unset { key, json } => edit::unset(&key, json.json),
        ConfigVerb::Log(Json { json }) => versions::log(json),
        ConfigVerb::Diff { a, b, json } => versions::diff(a, b, json.json),
        ConfigVerb::Rollback { version, json } => versions::rollback(version, json.json),
        ConfigVerb::Confirm { version, json } => trial::confirm(version, json.json),
        ConfigVerb::Apply {
            file,
            active_ms,
            json,
        } => trial::apply(&file, active_ms, json.json),
        ConfigVerb::Trials(Json { json }) => trial::trials(json),
        ConfigVerb::Status(Json { json }) => status::status(json),
        ConfigVerb::Path => {
            let mut path = layers::user_file()?.into_os_string().into_encoded_bytes();
            path.push(b'\n');
            answer::bytes(&path)
        }
    }
}
