//! `lusush maint history scrub`: takes commands out for good, wherever we keep them, and says where they may still be.
//!
//! Order: mirrors, then logs, the index, copies of bash's file, drafts, the backup's journal; each is killed at any moment
//! without harm, and whoever begins again finds what is left. What is not ours to change is named, never changed: bash's
//! own file unless asked for, memory of shells that run, snapshots.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode, Stdio};

use clap::Args;
use lle_core::quantity::several;
use lle_log::history::Command;
use lle_log::mirror::Lock;
use lle_log::scrub::scrub;
use serde::Serialize;

use super::super::{Json, backup};
use super::logs::{self, Own};
use super::note;
use crate::answer;
use crate::failure::Failure;
use crate::paths;

const SCHEMA_VERSION: u32 = 1;
/// Texts shorter than this would take out half a history.
const TEXT_BYTES_MIN: usize = 4;
/// Bytes of a file that is read in one piece; a longer one is named as not looked into.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Files that restores have kept aside and that are looked into: sixteen restores of some hundred files.
const FILES_BELOW_MAX: usize = 16 * 1024;

/// Takes commands out of the history, for good
#[derive(Debug, Args)]
pub(crate) struct Scrub {
    /// Every command that contains this text
    #[arg(required_unless_present = "id")]
    text: Option<String>,
    /// This command, as `maint history stats` names it
    #[arg(long, value_name = "SESSION:NUMBER", conflicts_with = "text")]
    id: Option<String>,
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
    /// What was changed, a file each.
    reached: Vec<String>,
    /// Where it may still be.
    not_reached: Vec<String>,
}

/// Runs it.
pub(super) fn run(asked: &Scrub) -> Result<ExitCode, Failure> {
    let own = logs::own()?;
    let wanted = Wanted::new(asked, &own)?;
    let mut answer = Answer {
        version: SCHEMA_VERSION,
        planned: asked.plan,
        ..Answer::default()
    };
    for log in own.all() {
        let history = logs::open(&log.path)?;
        answer.commands += history
            .commands()
            .filter(|command| wanted.admits(command))
            .count();
    }
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
        .and_then(|()| begin_journal_anew(&own, &mut answer));
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
    answer.not_reached = beyond(&own, &wanted, asked.histfile);
    told(&answer, asked.json.json)
}

fn take_out(
    own: &Own,
    wanted: &Wanted,
    histfile: bool,
    answer: &mut Answer,
) -> Result<(), Box<dyn std::error::Error>> {
    // Nobody compares log and mirror meanwhile, and nobody writes either anew.
    let _lock = Lock::take(&own.log)?;
    let mut files: Vec<PathBuf> = own.files().into_iter().filter(|path| is_log(path)).collect();
    // Mirrors first: a log that is ahead of its mirror in this is followed, and not put back.
    files.sort_by_key(|path| path.extension().is_some_and(|extension| extension == "log"));
    for path in files {
        let scrubbed = match scrub(&path, |command| wanted.admits(command)) {
            Ok(scrubbed) => scrubbed,
            // What another program left is no log.
            Err(lle_log::scrub::ScrubError::Open(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        if let Some(index) = own.index.as_deref().filter(|_| path == own.log) {
            lle_log::index::forget(index, scrubbed.at.iter().copied())?;
        }
        if scrubbed.commands > 0 {
            let commands = several(scrubbed.commands as u64, "command", "commands");
            answer.reached.push(format!("{}: {commands}", path.display()));
        }
    }
    let mut lists: Vec<PathBuf> = own.files().into_iter().filter(|path| is_copy(path)).collect();
    if histfile {
        lists.extend(history_files(own));
    }
    for path in lists {
        let taken = take_lines_out(&path, wanted)?;
        if taken > 0 {
            let lines = several(taken, "line", "lines");
            answer.reached.push(format!("{}: {lines}", path.display()));
        }
    }
    for path in files_of(&own.state.join("drafts"), "draft") {
        if wanted.is_in_file(&path) {
            overwrite(&path)?;
            answer.reached.push(format!("{}: removed", path.display()));
        }
    }
    Ok(())
}

/// Has the backup's journal begin anew, if there is one: what it has of a log is what that once was, and it is sealed, so
/// that nobody can look into it for a text. Done with every scrub, whether anything was found or not: an earlier one may
/// have been killed before it came to this.
fn begin_journal_anew(own: &Own, answer: &mut Answer) -> Result<(), Box<dyn std::error::Error>> {
    let journal = own.data.as_deref().map(|data| data.join("backup/journal"));
    let Some(journal) = journal.filter(|journal| !files_of(journal, "log").is_empty()) else {
        return Ok(());
    };
    let job =
        backup::program().map_err(|_| format!("there is no {} to write the journal anew", backup::JOB))?;
    let written = process::Command::new(job)
        .args(["backup", "create", "--journal", "--anew", "--json"])
        .stdin(Stdio::null())
        .output()?;
    if !written.status.success() {
        let said = String::from_utf8_lossy(&written.stderr);
        return Err(format!("{}: {}", journal.display(), said.trim()).into());
    }
    answer.reached.push(format!("{}: begun anew", journal.display()));
    Ok(())
}

/// What is scrubbed.
struct Wanted {
    text: Vec<u8>,
    id: Option<(u64, u64)>,
}

impl Wanted {
    fn new(asked: &Scrub, own: &Own) -> Result<Self, Failure> {
        let Some(id) = &asked.id else {
            let text = asked.text.clone().unwrap_or_default().into_bytes();
            if text.len() < TEXT_BYTES_MIN {
                return Err(Failure::new(format!(
                    "{TEXT_BYTES_MIN} bytes at least: a shorter text is everywhere"
                ))
                .hint("`lusush maint history scrub --id` takes out one command"));
            }
            return Ok(Self { text, id: None });
        };
        let unknown = || {
            Failure::new(format!("there is no command {id}"))
                .hint("`lusush maint history stats` names those that seem to hold a secret")
        };
        let (session, seq) = id.split_once(':').ok_or_else(unknown)?;
        let session = u64::from_str_radix(session, 16).map_err(|_| unknown())?;
        let seq = seq.parse().map_err(|_| unknown())?;
        for log in own.all() {
            let history = logs::open(&log.path)?;
            let found = history
                .commands()
                .find(|command| (command.session, command.seq) == (session, seq));
            if let Some(command) = found {
                return Ok(Self {
                    text: command.command,
                    id: Some((session, seq)),
                });
            }
        }
        Err(unknown())
    }

    fn admits(&self, command: &Command) -> bool {
        match self.id {
            Some(id) => (command.session, command.seq) == id && command.command == self.text,
            None => contains(&command.command, &self.text) || contains(&command.cwd, &self.text),
        }
    }

    fn is_in(&self, text: &[u8]) -> bool {
        contains(text, &self.text)
    }

    fn is_in_file(&self, path: &Path) -> bool {
        small(path).is_some_and(|text| self.is_in(&text))
    }
}

/// Where it may still be.
fn beyond(own: &Own, wanted: &Wanted, histfile: bool) -> Vec<String> {
    let mut left = Vec::new();
    let own_files = own.files();
    for path in own_files.iter().filter(|path| !is_log(path) && !is_copy(path)) {
        if wanted.is_in_file(path) {
            left.push(format!("{}: bytes that are no record", path.display()));
        }
    }
    for path in history_files(own) {
        if !histfile && wanted.is_in_file(&path) {
            left.push(format!("{}: `--histfile` takes it out", path.display()));
        }
    }
    let runtime = own.runtime.as_deref().map(|runtime| runtime.join("sessions"));
    let flights = runtime
        .map(|sessions| files_of(&sessions, "flight"))
        .unwrap_or_default();
    if !flights.is_empty() {
        left.push(format!(
            "the lists in memory of {}, which bash writes to its file when they end: `history -d`",
            several(flights.len() as u64, "session", "sessions")
        ));
    }
    for path in flights.iter().filter(|path| wanted.is_in_file(path)) {
        left.push(format!("{}: until that session's next command", path.display()));
    }
    let backup = own.data.as_deref().map(|data| data.join("backup"));
    if let Some(archive) = backup.as_deref().map(|backup| backup.join("archive"))
        && archive.exists()
    {
        left.push(format!("{}: snapshots made before", archive.display()));
    }
    let aside = backup.map(|backup| files_below(&backup.join("aside")));
    for path in aside.iter().flatten().filter(|path| wanted.is_in_file(path)) {
        left.push(format!("{}: kept when a backup was restored", path.display()));
    }
    left.push("histories of other machines, and copies that others made".into());
    left
}

/// The history files of bash that sessions have named, and the default one.
fn history_files(own: &Own) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = paths::home()
        .into_iter()
        .map(|home| home.join(".bash_history"))
        .collect();
    let named = fs::read_to_string(own.log.with_extension("lists")).unwrap_or_default();
    files.extend(named.lines().map(PathBuf::from).filter(|path| path.is_absolute()));
    files.sort();
    files.dedup();
    files
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

/// All files below a folder; as many as a few restores leave.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop()
        && files.len() < FILES_BELOW_MAX
    {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => files.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    files
}

fn small(path: &Path) -> Option<Vec<u8>> {
    let found = fs::metadata(path).ok()?;
    (found.is_file() && found.len() <= FILE_BYTES_MAX)
        .then(|| fs::read(path).ok())
        .flatten()
}

/// Writes a file anew without the lines that contain the text, or, if that is of several lines, without those lines.
fn take_lines_out(path: &Path, wanted: &Wanted) -> io::Result<u64> {
    let Some(text) = small(path).filter(|text| wanted.is_in(text)) else {
        return Ok(0);
    };
    let (left, taken) = without(&text, wanted);
    let target = fs::canonicalize(path)?;
    let draft = target.with_file_name(format!(".lusush-scrub.{}.new", process::id()));
    let mode = fs::metadata(&target)?.permissions().mode() & 0o777;
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(&left)?;
            file.sync_data()
        })
        .and_then(|()| fs::rename(&draft, &target));
    if written.is_err() {
        let _stray = fs::remove_file(&draft);
    }
    written.map(|()| taken)
}

fn without(text: &[u8], wanted: &Wanted) -> (Vec<u8>, u64) {
    let whole_lines = |text: &[u8]| text.split_inclusive(|byte| *byte == b'\n').count() as u64;
    if !wanted.text.contains(&b'\n') {
        let kept: Vec<u8> = text
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| !wanted.is_in(line))
            .flatten()
            .copied()
            .collect();
        let taken = whole_lines(text) - whole_lines(&kept);
        return (kept, taken);
    }
    let mut left = text.to_vec();
    while let Some(at) = left
        .windows(wanted.text.len())
        .position(|window| window == wanted.text)
    {
        let from = left[..at]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let after = at + wanted.text.len();
        let to = left[after..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(left.len(), |end| after + end + 1);
        left.drain(from..to);
    }
    let taken = whole_lines(text) - whole_lines(&left);
    (left, taken)
}

/// Overwrites a file and removes it.
fn overwrite(path: &Path) -> io::Result<()> {
    let length = fs::metadata(path)?.len();
    let mut file = OpenOptions::new().write(true).open(path)?;
    io::copy(&mut io::Read::take(io::repeat(0), length), &mut file)?;
    file.sync_data()?;
    fs::remove_file(path)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
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
        true => format!("{commands} would be taken out\n"),
        false => format!("{commands} taken out\n"),
    };
    for reached in &answer.reached {
        let _ = writeln!(out, "  {reached}");
    }
    if !answer.not_reached.is_empty() {
        out.push_str("not reached:\n");
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
    fn lines_with_the_text_go_and_no_others() {
        let check = |text: &str, wanted: &str, expect: &str| {
            let wanted = Wanted {
                text: wanted.into(),
                id: None,
            };
            let (left, _) = without(text.as_bytes(), &wanted);
            assert_eq!(String::from_utf8(left).unwrap(), expect);
        };
        check("a\nsecret one\nb\n", "secret", "a\nb\n");
        check("a\nx secret", "secret", "a\n");
        check("a\nfor i\ndo x\nb\n", "for i\ndo x", "a\nb\n");
        check("a\nb\n", "secret", "a\nb\n");
    }

    #[test]
    fn what_was_and_was_not_reached_is_said() {
        let mut answer = Answer {
            version: SCHEMA_VERSION,
            planned: false,
            commands: 2,
            reached: vec![
                "/s/history/m.mirror: 2 commands".into(),
                "/s/history/m.log: 2 commands".into(),
            ],
            not_reached: vec!["/home/me/.bash_history: `--histfile` takes it out".into()],
        };
        insta::assert_snapshot!("scrubbed", text(&answer));
        (answer.planned, answer.reached) = (true, Vec::new());
        insta::assert_snapshot!("scrub_planned", text(&answer));
    }
}
