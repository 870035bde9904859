//! `lusush maint config`: what is configured, by whom, and what is wrong with it; setting and unsetting one key.
//!
//! Works without a worker: it reads the files themselves, and a worker notices when they change. What is in force, and
//! where, is in files as well.

mod edit;
mod layers;
mod show;
mod status;
mod versions;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use lle_core::config::{CATALOGUE, schema};

use super::Json;
use crate::answer;
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
    /// Says all that is wrong with a file, or with what is in force; exit status 2 if anything is
    Check {
        /// The file; without one, all that Lusush goes by
        file: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
    /// Prints the JSON Schema of the file, for editors
    Schema,
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
    /// Shows the difference between two versions, or between one and the file as it is
    Diff {
        /// The number of the older one
        a: u64,
        /// The number of the newer one; the file as it is without it
        b: Option<u64>,
    },
    /// Makes your file say again what an older version said
    Rollback {
        /// The version's number
        version: u64,
        #[command(flatten)]
        json: Json,
    },
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
        ConfigVerb::Check { file, json } => show::check(file.as_deref(), json.json),
        ConfigVerb::Schema => answer::json(&schema::schema(&CATALOGUE)),
        ConfigVerb::Set { key, value, json } => edit::set(&key, &value, json.json),
        ConfigVerb::Unset { key, json } => edit::unset(&key, json.json),
        ConfigVerb::Log(Json { json }) => versions::log(json),
        ConfigVerb::Diff { a, b } => versions::diff(a, b),
        ConfigVerb::Rollback { version, json } => versions::rollback(version, json.json),
        ConfigVerb::Status(Json { json }) => status::status(json),
        ConfigVerb::Path => {
            let mut path = layers::user_file()?.into_os_string().into_encoded_bytes();
            path.push(b'\n');
            answer::bytes(&path)
        }
    }
}
