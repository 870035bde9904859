//! `lusush maint history scrub`: takes commands out for good, wherever we keep them, and says where they may still be.
//!
//! Order: mirrors, then logs, the index, copies of bash's file, drafts, last words of dead
//! sessions, the backup's journal; each is killed at any moment
//! without harm, and whoever begins again finds what is left. What is not ours to change is named, never changed: bash's
//! own file unless asked for, memory of shells that run, what the worker has noted, snapshots ([`beyond`]).

mod beyond;
mod journal;
mod wanted;

use std::cell::Cell;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::Args;
use lle_core::error::Code;
use lle_core::history_names;
use lle_core::quantity::several;
use lle_log::history::Command;
use lle_log::mirror::Lock;
use lle_log::scrub;
use lle_maintenance::real::history::list_edit;
use serde::Serialize;

use super::super::Json;
use super::logs::{self, Own};
use super::note;
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::paths;
use beyond::beyond;
use wanted::{Wanted, without};

const SCHEMA_VERSION: u32 = 1;
/// Bytes of a list that is written anew; a longer one is looked into, and named if it has the text.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Takes commands out of the history, for good
#[derive(Debug, Args)]
pub(crate) struct Scrub {
    /// Every command that contains this text, wherever it ran
    text: Option<String>,
    /// This command, as `maint history stats` names it
    #[arg(long, value_name = "SESSION:NUMBER", conflicts_with = "text")]
    id: Option<String>,
    /// The machine in whose history it has that name: the beginning of its id, or the name it was merged under
    #[arg(long, requires = "id")]
    host: Option<String>,
    /// Takes out those, too, that only ran in a folder whose name contains the text
    #[arg(long, requires = "text")]
    folders: bool,
    /// Says what would be taken out, and takes nothing
    #[arg(long)]
    plan: bool,
    /// Takes the lines out of bash's own history file, too
    #[arg(long)]
    histfile: bool,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Default, Serialize)]
struct Answer {
    version: u32,
    planned: bool,
    commands: usize,
    /// Commands that have the text in their folder's name alone; among those above with `--folders`, and left otherwise.
    in_folders: usize,
    #[serde(skip)]
    folders: bool,
    /// What was changed, a file each.
    reached: Vec<String>,
    /// Where it may still be.
    not_reached: Vec<String>,
    /// Parts of the journal that no key here opens: they are among those at the end.
    #[serde(skip)]
    sealed: Vec<String>,
}

/// Runs it.
pub(super) fn run(asked: &Scrub) -> Result<ExitCode, Failure> {
    if asked.text.is_none() && asked.id.is_none() {
        return Err(Failure::new("nothing is named to be taken out")
            .hint("`lusush maint history scrub TEXT` takes out every command with a text in it")
            .hint("`lusush maint history scrub --id SESSION:NUMBER` takes out one; `stats` names those that seem to hold a secret")
            .code(Code::InvalidParameters.exit()));
    }
    let own = logs::own()?;
    let wanted = Wanted::new(asked, &own)?;
    let mut answer = Answer {
        version: SCHEMA_VERSION,
        planned: asked.plan,
        folders: asked.folders,
        ..Answer::default()
    };
    let in_folders = Cell::new(0);
    let admits = |command: &Command| {
        in_folders.set(in_folders.get() + usize::from(wanted.is_in_folder_alone(command)));
        wanted.admits(command)
    };
    for log in own.all() {
        match scrub::find(&log.path, admits) {
            Ok(found) => answer.commands += found.commands(),
            Err(error) if log.is_own => return Err(logs::unopened(&log.path, error)),
            // What is no log is named if it has the text.
            Err(_) => {}
        }
    }
    answer.in_folders = in_folders.get();
    if asked.plan {
        answer.not_reached = beyond(&own, &wanted, asked.histfile);
        return told(&answer, asked.json.json);
    }
    note(
        "scrub",
        &format!(
            "begins: {}",
            several(answer.commands as u64, "command", "commands")
        ),
    )?;
    let done = take_out(&own, &wanted, asked.histfile, &mut answer)
        .and_then(|()| journal::begin_anew(&own, &mut answer));
    let outcome = match &done {
        Ok(()) => format!("done: {}", answer.reached.join("; ")),
        Err(error) => format!("failed: {error}"),
    };
    note("scrub", &outcome)?;
    done.map_err(|error| {
        Failure::new("not everything was taken out")
            .because(error)
            .hint("the same command again goes on where this one ended")
    })?;
    answer.not_reached = std::mem::take(&mut answer.sealed);
    answer.not_reached.extend(beyond(&own, &wanted, asked.histfile));
    told(&answer, asked.json.json)
}

/// What could not be taken out of a file.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: let it and its folder be written to", path.display())]
struct Unwritten {
    path: PathBuf,
    source: Box<dyn std::error::Error>,
}

fn unwritten<E: std::error::Error + 'static>(path: &Path) -> impl FnOnce(E) -> Unwritten {
    move |error| Unwritten {
        path: path.to_owned(),
        source: Box::new(error),
    }
}

fn take_out(
    own: &Own,
    wanted: &Wanted,
    histfile: bool,
    answer: &mut Answer,
) -> Result<(), Box<dyn std::error::Error>> {
    // Nobody compares log and mirror meanwhile, and nobody writes either anew.
    let lock = Lock::take(&own.log).map_err(unwritten(&own.log))?;
    // Whoever was killed at an import is helped first: what differs between log and mirror then is no edit of others.
    lock.settle().map_err(unwritten(&own.log))?;
    let mut files: Vec<PathBuf> = own.files().into_iter().filter(|path| is_log(path)).collect();
    // Mirrors first: a log that is ahead of its mirror in this is followed, and not put back.
    files.sort_by_key(|path| path.extension().is_some_and(|extension| extension == "log"));
    for path in files {
        // What another program left is no log.
        let Ok(found) = scrub::find(&path, |command| wanted.admits(command)) else {
            continue;
        };
        // Before: killed in between, nobody would find any more what the index has to forget.
        if let Some(index) = own.index.as_deref().filter(|_| path == own.log) {
            lle_log::index::forget(index, found.at()).map_err(unwritten(index))?;
        }
        let scrubbed = found.overwrite().map_err(unwritten(&path))?;
        if scrubbed.commands > 0 {
            let commands = several(scrubbed.commands as u64, "command", "commands");
            answer.reached.push(format!("{}: {commands}", path.display()));
        }
    }
    let mut lists: Vec<PathBuf> = own.files().into_iter().filter(|path| is_copy(path)).collect();
    if histfile {
        lists.extend(history_files(own));
    }
    for path in lists.into_iter().filter(|path| is_edited(path)) {
        let taken = take_lines_out(&path, wanted).map_err(unwritten(&path))?;
        if taken > 0 {
            let lines = several(taken, "line", "lines");
            answer.reached.push(format!("{}: {lines}", path.display()));
        }
    }
    for path in files_of(&own.state.join("drafts"), "draft") {
        if wanted.is_in_file(&path) {
            overwrite(&path).map_err(unwritten(&path))?;
            answer.reached.push(format!("{}: removed", path.display()));
        }
    }
    for path in flights_of_the_dead(own) {
        // Only the beginning of a line is there, and of a last command.
        if wanted.as_told().iter().any(|told| told.is_in_file(&path)) {
            overwrite(&path).map_err(unwritten(&path))?;
            answer.reached.push(format!("{}: removed", path.display()));
        }
    }
    Ok(())
}

/// What sessions that died left of themselves: nobody writes it any more.
fn flights_of_the_dead(own: &Own) -> Vec<PathBuf> {
    let sessions = own.runtime.as_deref().map(|runtime| runtime.join("sessions"));
    let mut flights = sessions
        .map(|sessions| files_of(&sessions, lle_metrics::EXTENSION))
        .unwrap_or_default();
    flights.retain(|path| lle_metrics::liveness(path) == lle_metrics::Liveness::Dead);
    flights
}

/// The history files of bash that sessions have named, and the default one.
fn history_files(own: &Own) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = paths::home()
        .into_iter()
        .map(|home| home.join(".bash_history"))
        .collect();
    let list = names_of_history_files(own);
    // A name may be of any bytes; one of them that is no text hides no other.
    let (named, _) = history_names::files(&list);
    files.extend(
        named
            .into_iter()
            .map(|name| PathBuf::from(OsStr::from_bytes(name))),
    );
    files.sort();
    files.dedup();
    files
}

/// The list of the names of them.
fn names_of_history_files(own: &Own) -> Vec<u8> {
    fs::read(own.log.with_extension("lists")).unwrap_or_default()
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".log", ".mirror", ".mirror.before", ".log.found", ".log.before"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// A copy of a history file of bash's.
fn is_copy(path: &Path) -> bool {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .contains(".list-")
}

fn files_of(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
    let mut files: Vec<PathBuf> = entries.unwrap_or_default();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files
}

/// Whether a list can be read and is written anew; others are named, if they have it.
fn is_edited(path: &Path) -> bool {
    let found = File::open(path).and_then(|file| file.metadata());
    found.is_ok_and(|found| found.is_file() && found.len() <= FILE_BYTES_MAX)
}

/// Writes a file anew without the lines that contain the text, or, if that is of several lines, without those lines. One that is
/// too long stays as it is, and is named as such.
fn take_lines_out(path: &Path, wanted: &Wanted) -> io::Result<u64> {
    let (mut taken, mut taken_late) = (0, 0);
    let edit = |text: &[u8]| {
        wanted.is_in(text).then(|| {
            let (left, lines) = without(text, wanted);
            taken = lines;
            left
        })
    };
    let late = |text: Vec<u8>| {
        let (left, lines) = without(&text, wanted);
        taken_late = lines;
        left
    };
    list_edit::edit(path, FILE_BYTES_MAX, edit, late)?;
    Ok(taken + taken_late)
}

/// Overwrites a file and removes it.
fn overwrite(path: &Path) -> io::Result<()> {
    let length = fs::metadata(path)?.len();
    let mut file = OpenOptions::new().write(true).open(path)?;
    io::copy(&mut io::Read::take(io::repeat(0), length), &mut file)?;
    file.sync_data()?;
    fs::remove_file(path)
}

fn told(answer: &Answer, json: bool) -> Result<ExitCode, Failure> {
    if json {
        return answer::json(answer);
    }
    answer::text(&text(answer))
}

fn text(answer: &Answer) -> String {
    let commands = several(answer.commands as u64, "command", "commands");
    let mut out = match answer.planned {
        true => format!("{commands} would be taken out"),
        false => format!("{commands} taken out"),
    };
    let (more, in_folders) = (answer.in_folders > 0, answer.in_folders as u64);
    if more && answer.folders {
        let _ = write!(out, ", {in_folders} of them for the name of their folder");
    }
    out.push('\n');
    for reached in &answer.reached {
        let _ = writeln!(out, "  {reached}");
    }
    let is_left = more && !answer.folders;
    if is_left || !answer.not_reached.is_empty() {
        out.push_str("not reached:\n");
    }
    if is_left {
        let commands = several(in_folders, "more command", "more commands");
        let _ = writeln!(
            out,
            "  {commands} that ran in a folder whose name has it: `--folders` takes them out, too"
        );
    }
    for left in &answer.not_reached {
        let _ = writeln!(out, "  {left}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_and_was_not_reached_is_said() {
        let mut answer = Answer {
            version: SCHEMA_VERSION,
            planned: false,
            commands: 2,
            in_folders: 0,
            folders: false,
            reached: vec![
                "/s/history/m.mirror: 2 commands".into(),
                "/s/history/m.log: 2 commands".into(),
            ],
            not_reached: vec!["/home/me/.bash_history: `--histfile` takes it out".into()],
            sealed: Vec::new(),
        };
        insta::assert_snapshot!("scrubbed", text(&answer));
        (answer.planned, answer.reached) = (true, Vec::new());
        insta::assert_snapshot!("scrub_planned", text(&answer));
        (answer.in_folders, answer.not_reached) = (1, Vec::new());
        insta::assert_snapshot!("scrub_leaves_folders", text(&answer));
        answer.folders = true;
        insta::assert_snapshot!("scrub_of_folders", text(&answer));
    }
}
