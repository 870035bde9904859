//! Where what was taken out may still be: whatever is ours and holds text of commands, but is not ours to change.
//!
//! Invariant: a store that can be looked into is named only if the text, or its beginning, is in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use lle_core::history_names;
use lle_core::quantity::several;
use lle_log::scrub;

use super::super::logs::Own;
use super::wanted::Wanted;
use super::{files_of, history_files, is_copy, is_edited, is_log, names_of_history_files};
use crate::paths;
use crate::text::printable;

/// What leaves only a snapshot of now.
const REMEDY: &str = "`lusush maint backup create`, and then `lusush maint backup prune --keep-last 1 --keep-daily 0 \
                      --keep-weekly 0 --keep-monthly 0 --keep-yearly 0`, leave only a new one";
/// Letters of a name that is told.
const NAME_CHARS_MAX: usize = 120;
/// What a repository elsewhere wants besides, since another machine may be at work on it.
const ON_A_SERVER: &str = ", and where that says so, the same prune a day later once more";
/// Files below one folder that are looked into: sixteen restores of some hundred files.
const FILES_BELOW_MAX: usize = 16 * 1024;

/// Where it may still be.
pub(super) fn beyond(own: &Own, wanted: &Wanted, histfile: bool) -> Vec<String> {
    let mut left = in_histories(own, wanted, histfile);
    left.extend(in_sessions(own, wanted));
    left.extend(in_backups(own, wanted));
    left.push("histories of other machines, and copies that others made".into());
    left
}

/// In the logs, outside of their records, and in lists of lines.
fn in_histories(own: &Own, wanted: &Wanted, histfile: bool) -> Vec<String> {
    let mut left = Vec::new();
    let own_files = own.files();
    for path in own_files.iter().filter(|path| !is_copy(path)) {
        match is_log(path).then(|| scrub::outside(path, &wanted.text)) {
            Some(Ok(places)) => {
                left.extend(places.first().map(|at| {
                    let path = path.display();
                    format!("{path}: bytes that are no record, from byte {at} on")
                }));
            }
            _ if wanted.is_in_file(path) => {
                left.push(format!("{}: bytes that are no record", path.display()));
            }
            _ => {}
        }
    }
    for path in history_files(own) {
        let is_edited = is_edited(&path);
        if (!histfile || !is_edited) && wanted.is_in_file(&path) {
            let remedy = match is_edited {
                true => "`--histfile` takes it out",
                false => "too long, or not to be read, for `--histfile`: take it out with an editor",
            };
            left.push(format!("{}: {remedy}", path.display()));
        }
    }
    left.extend(unnamed(own));
    for path in own_files.iter().filter(|path| is_copy(path) && !is_edited(path)) {
        if wanted.is_in_file(path) {
            left.push(format!(
                "{}: too long to be written anew; it may be removed",
                path.display()
            ));
        }
    }
    left
}

/// History files of bash that nobody can look into from here.
fn unnamed(own: &Own) -> Vec<String> {
    let list = names_of_history_files(own);
    let odd = history_names::names(&list).filter(|name| !name.starts_with(b"/"));
    let mut left: Vec<String> = odd
        .map(|name| {
            let name = printable(&String::from_utf8_lossy(name), NAME_CHARS_MAX);
            format!("HISTFILE={name}: no whole path, so it lies wherever that shell was: take it out with an editor")
        })
        .collect();
    if history_names::is_full(&list) {
        left.push(format!(
            "history files of bash beyond the {} whose names are kept, if there are more: take it out with an editor",
            history_names::NAMES_MAX
        ));
    }
    left
}

/// In what sessions have in memory and keep of themselves, and in what was noted of them.
fn in_sessions(own: &Own, wanted: &Wanted) -> Vec<String> {
    let mut left = Vec::new();
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
    let told = wanted.as_told();
    let is_told = |path: &Path| told.iter().any(|told| told.is_in_file(path));
    for path in flights.iter().filter(|path| is_told(path)) {
        left.push(format!(
            "{}: it or its beginning, as long as that session lives",
            path.display()
        ));
    }
    for (path, why) in noted(own).iter().filter(|(path, _)| is_told(path)) {
        left.push(format!("{}: it or its beginning; {why}", path.display()));
    }
    left
}

/// In what was saved, and in copies of the home.
fn in_backups(own: &Own, wanted: &Wanted) -> Vec<String> {
    let mut left = Vec::new();
    let backup = own.data.as_deref().map(|data| data.join("backup"));
    if let Some(archive) = backup.as_deref().map(|backup| backup.join("archive"))
        && has_snapshots(&archive)
    {
        left.push(format!("{}: snapshots made before; {REMEDY}", archive.display()));
    }
    if let Some(own) = crate::maint::backup::own::address() {
        left.push(format!("{own}: snapshots made before; {REMEDY}{ON_A_SERVER}"));
    }
    let damaged = backup.as_deref().and_then(|backup| fs::read_dir(backup).ok());
    for entry in damaged.into_iter().flatten().flatten() {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("archive.damaged-")
        {
            left.push(format!(
                "{}: snapshots made before; it may be removed",
                entry.path().display()
            ));
        }
    }
    let cache = paths::folders().cache.ok();
    for name in ["drill", "recover"] {
        let folder = cache.as_deref().map(|cache| cache.join(name));
        // A copy of the home has a backup of its own, which is not read here.
        if let Some(folder) = folder.filter(|folder| !copies_in(folder).is_empty()) {
            left.push(format!(
                "{}: left by a drill or a recovery that was killed; it may be removed",
                folder.display()
            ));
        }
    }
    let aside = backup.map(|backup| files_below(&backup.join("aside")));
    for path in aside.iter().flatten().filter(|path| wanted.is_in_file(path)) {
        left.push(format!("{}: kept when a backup was restored", path.display()));
    }
    left
}

/// Whether a repository has a snapshot: what is in one is sealed, and not looked into here.
fn has_snapshots(archive: &Path) -> bool {
    fs::read_dir(archive.join("snapshots")).is_ok_and(|mut entries| entries.next().is_some())
}

/// Files in which what was typed is noted beside the history, and why that stays: the last command of a session that
/// died, a line that made prompts slower, what stood in a start-up file.
fn noted(own: &Own) -> Vec<(PathBuf, &'static str)> {
    // The history and the drafts are taken care of; keys are random.
    let done = ["history", "drafts", "keys"].map(|name| own.state.join(name));
    let mut files = files_below(&own.state);
    files.retain(|path| !done.iter().any(|done| path.starts_with(done)));
    files.extend(own.runtime.as_deref().map(|runtime| runtime.join("desired")));
    files.sort();
    let named = |path: PathBuf| {
        let why = why_it_stays(&path);
        (path, why)
    };
    files.into_iter().map(named).collect()
}

fn why_it_stays(path: &Path) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    match &*name {
        "state.log" => "noted by the worker, until it is the oldest of what that remembers",
        "state.log.newer" => "kept for a newer version; it may be removed",
        "desired" => "told to sessions, until there is something else to tell",
        name if name.starts_with("audit-") => "the audit log, of which nothing is ever changed",
        _ if folder == "versions" => "versions of start-up files and configurations",
        _ => "kept about your sessions and start-up files",
    }
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

/// The copies in a folder: all in it but its lock.
fn copies_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name() != Some(OsStr::new("lock")))
        .collect()
}
