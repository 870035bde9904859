//! `lusush maint history import|export|merge`: history that comes from elsewhere and goes elsewhere.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use clap::Args;
use lle_core::quantity::{count, several};
use lle_log::formats::{self, Format, Refusal};
use lle_log::lines::LineEnd;
use lle_log::mirror::Lock;
use lle_log::rewrite::{self, Added, RewriteError};
use serde::Serialize;

use super::super::Json;
use super::logs::{self, Own};
use super::{exported, note};
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;

const SCHEMA_VERSION: u32 = 1;
/// Bytes of a file by which it is told what it is.
const BEGINNING_BYTES: usize = 64 * 1024;

/// A history file of bash, zsh or fish, or what `export --format json` wrote
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file
    file: String,
    /// Whose it is; told by its first line without
    #[arg(long, value_parser = ["bash", "zsh", "fish", "json"])]
    format: Option<String>,
    #[command(flatten)]
    json: Json,
}

/// To the standard output
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// As bash's history file with times, or JSON, a line each
    #[arg(long, value_parser = ["text", "json"], default_value = "text")]
    format: String,
    /// Of this machine; of all without
    #[arg(long)]
    host: Option<String>,
}

/// A log of another machine
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The log
    file: String,
    /// What that machine is called here; its file's name without
    #[arg(long)]
    host: Option<String>,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Serialize)]
struct Answer {
    version: u32,
    added: u64,
    known: u64,
    /// Left out, since they were scrubbed from this history before.
    taken_out: u64,
    /// Something was, and may be in what was added in other words.
    was_scrubbed: bool,
    #[serde(flatten)]
    file: Told,
}

/// What was special about the file.
#[derive(Debug, Default, Serialize)]
struct Told {
    /// Entries that no record holds.
    too_long: u64,
    /// Its lines ended as DOS has it.
    dos_line_ends: bool,
}

/// Brings a file in.
pub(super) fn import(asked: &Import) -> Result<ExitCode, Failure> {
    let own = logs::own()?;
    let unread = |error: std::io::Error| {
        Failure::new(format!("cannot read {}", asked.file))
            .because(error)
            .hint("name a history file of bash, zsh or fish")
    };
    let file = File::open(&asked.file).map_err(unread)?;
    let mut file = BufReader::with_capacity(BEGINNING_BYTES, file);
    let beginning = file.fill_buf().map_err(unread)?;
    if let Some(refusal) = formats::refusal(beginning) {
        return Err(refused(&asked.file, refusal));
    }
    let named = asked.format.as_deref();
    let is_json = named.map_or_else(|| exported::is_it(beginning), |name| name == "json");
    let known = named.and_then(|name| Format::ALL.iter().find(|known| known.0 == name));
    let format = known.map_or_else(|| Format::of(beginning), |(_, format)| *format);
    let line_end = match is_json {
        true => LineEnd::Newline,
        false => line_end(Path::new(&asked.file), file.buffer()).map_err(unread)?,
    };
    let (read, format) = match is_json {
        true => (exported::read(file), "Json".to_owned()),
        false => (format.read(file, line_end), format!("{format:?}")),
    };
    let read = read.map_err(unread)?;
    logs::open(&own.log)?;
    let detail = format!("{} as {format}, {} entries", asked.file, read.entries.len());
    let added = changing(&own, "import", &detail, |lock| {
        // Made again by the worker, of what is then in the log; who extends it holds the lock.
        forget_index(&own)?;
        let added = rewrite::import(&own.log, lock, logs::random(), &read.entries)?;
        // A worker of an earlier version, which holds no lock, may have made one of the former log meanwhile.
        let _done_before = forget_index(&own);
        Ok(added)
    })?;
    let file = Told {
        too_long: read.too_long,
        dos_line_ends: line_end == LineEnd::Dos,
    };
    told(&added, file, asked.json.json, "entry", "entries")
}

/// How the lines of a file end; of a pipe, which cannot be read twice, by its beginning.
fn line_end(path: &Path, beginning: &[u8]) -> std::io::Result<LineEnd> {
    match path.metadata()?.is_file() {
        true => LineEnd::of(BufReader::with_capacity(BEGINNING_BYTES, File::open(path)?)),
        false => LineEnd::of(beginning),
    }
}

/// Any bytes would be read as commands, and nobody could take them out again.
fn refused(file: &str, refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Log => Failure::new(format!(
            "{file} is a log of Lusush's, no history file of another shell"
        ))
        .hint(format!(
            "`lusush maint history merge {file}` brings another machine's history in"
        ))
        .hint("`lusush maint history restore` puts back what this machine's own has lost"),
        Refusal::Binary => Failure::new(format!("{file} is no history file: it is no text"))
            .hint("name a history file of bash, zsh or fish, or what `lusush maint history export` wrote"),
    }
}

/// Brings another machine's log in.
pub(super) fn merge(asked: &Merge) -> Result<ExitCode, Failure> {
    let own = logs::own()?;
    let other = Path::new(&asked.file);
    let stem = other
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let host = asked.host.clone().unwrap_or(stem);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if host.is_empty() || host.len() > 64 || !host.chars().all(plain) {
        return Err(Failure::new(format!("{host:?} names no machine"))
            .hint("--host NAME: letters, digits, - and _, at most 64"));
    }
    if !other.is_file() {
        return Err(Failure::new(format!("there is no file {}", asked.file))
            .hint("a log is in the folder `history` of the state folder of its machine"));
    }
    let target = own.log.with_file_name(format!("{host}.log"));
    if target == own.log {
        // Behind what is there, every session would take it for what others type just now.
        return Err(
            Failure::new(format!("{} is this machine's own history", asked.file))
                .hint("`lusush maint history restore` puts back what the log has lost")
                .hint("--host NAME brings it in beside it, under another name"),
        );
    }
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::new(format!("cannot make {}", folder.display()))
                .because(error)
                .hint("`lusush doctor` says more about folders")
        })?;
    }
    let detail = format!("{} into {host}", asked.file);
    let added = changing(&own, "merge", &detail, |lock| {
        rewrite::merge(&target, lock, other)
    })?;
    told(&added, Told::default(), asked.json.json, "record", "records")
}

fn forget_index(own: &Own) -> std::io::Result<()> {
    match own.index.as_deref().map(std::fs::remove_file) {
        Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Does it with the lock, and has it written down before and after.
fn changing(
    own: &Own,
    what: &str,
    detail: &str,
    change: impl FnOnce(&Lock) -> Result<Added, RewriteError>,
) -> Result<Added, Failure> {
    note(what, &format!("begins: {detail}"))?;
    let lock = Lock::take(&own.log).map_err(|error| {
        Failure::new("the history log cannot be locked")
            .because(error)
            .hint("`lusush doctor` says more about folders")
    })?;
    let done = change(&lock);
    drop(lock);
    match done {
        Ok(added) => {
            note(
                what,
                &format!("done: {} added, {} known", added.added, added.known),
            )?;
            Ok(added)
        }
        Err(error) => {
            note(what, &format!("failed: {error}"))?;
            let done = if what == "merge" { "merged" } else { "imported" };
            let failure = Failure::new(format!("nothing was {done}"));
            Err(match error {
                RewriteError::Lost => failure
                    .because(error)
                    .hint("`lusush maint history restore` puts them back; then do this again")
                    .hint("`lusush maint history restore --accept` keeps the history without them"),
                // It is none of ours, or cannot be read.
                RewriteError::Open(_) if what == "merge" => failure
                    .because(error)
                    .hint(
                        "name the log of another machine: it is in the folder `history` of its state folder",
                    )
                    .hint("history files of other shells come in by `lusush maint history import FILE`"),
                error => failure
                    .because(error)
                    .hint("what was there is as it was; `lusush maint history check` reads all of it"),
            })
        }
    }
}

fn told(added: &Added, file: Told, json: bool, one: &str, more: &str) -> Result<ExitCode, Failure> {
    if json {
        return answer::json(&Answer {
            version: SCHEMA_VERSION,
            added: added.added,
            known: added.known,
            taken_out: added.taken_out,
            was_scrubbed: added.was_scrubbed,
            file,
        });
    }
    let mut said = format!(
        "{} added, {} there already\n",
        several(added.added, one, more),
        count(added.known)
    );
    if added.taken_out > 0 {
        said += &format!(
            "{} left out: scrubbed from this history before\n",
            count(added.taken_out)
        );
    }
    if added.was_scrubbed && added.added > 0 {
        said += "something was scrubbed from this history before: where this file has it in other words or at other \
                 times, it is back, and\n`lusush maint history scrub TEXT` takes it out again\n";
    }
    if file.too_long > 0 {
        said += &format!("{} left out: longer than 1 MiB\n", count(file.too_long));
    }
    if file.dos_line_ends {
        said += "its lines end as DOS has it: the commands are in the history without the carriage returns\n";
    }
    answer::text(&said)
}

/// Writes every command out.
pub(super) fn export(asked: &Export) -> Result<ExitCode, Failure> {
    let own = logs::own()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let opened = own.open_all(|log| {
        let host = asked.host.as_ref();
        host.is_none_or(|host| log.host.starts_with(host.as_str()))
    })?;
    opened.tell();
    for (log, history) in &opened.logs {
        for command in history.commands() {
            let written = match asked.format.as_str() {
                "json" => exported::write(&mut out, &log.host, &command),
                _ => formats::write_bash(&mut out, command.time_ns, &command.command),
            };
            match written {
                // `… | head` is no failure.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                Err(error) => return Err(Failure::new("cannot write the history").because(error)),
                Ok(()) => {}
            }
        }
    }
    match out.flush() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new("cannot write the history").because(error))
        }
        _ if opened.logs.is_empty() => Err(logs::none_of(asked.host.as_deref())),
        _ => Ok(ExitCode::SUCCESS),
    }
}
