//! What snapshots there are, what is in them, what differs, and whether all of it is what was written.

use std::fs;
use std::path::PathBuf;

use lle_archive::{Change, DiffError, Difference, Entry, Lost, Section, Snapshot, Verdict, Verification};
use lle_core::error::Code;
use lle_core::quantity::{age, bytes, several};
use serde::Serialize;

use super::bar::Bar;
use super::{At, open};
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::{COLUMNS, Ink, printable};
use crate::{answer, text};

/// A snapshot, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    id: String,
    wall_ns: i64,
    why: String,
    host: String,
    files: u64,
    bytes: u64,
    incomplete: bool,
    /// Whether Lusush took it.
    ours: bool,
}

#[derive(Debug, Serialize)]
struct List {
    repository: String,
    snapshots: Vec<Listed>,
    /// Damaged repositories that recoveries moved away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Shown {
    snapshot: Listed,
    sections: Vec<SectionRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileRow>,
}

#[derive(Debug, Serialize)]
struct SectionRow {
    section: &'static str,
    files: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct FileRow {
    path: String,
    bytes: u64,
    changed_wall_ns: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Differences {
    a: Listed,
    b: Option<Listed>,
    differences: Vec<DifferenceRow>,
}

#[derive(Debug, Serialize)]
struct DifferenceRow {
    path: String,
    change: &'static str,
    bytes_before: Option<u64>,
    bytes_after: Option<u64>,
    /// In octal, as `chmod` takes them, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    rights_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rights_after: Option<String>,
    /// Records that a history lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    lacks: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Verified {
    good: bool,
    verification: &'static str,
    snapshots: u64,
    files: u64,
    bytes: u64,
    took_ms: u64,
    findings: Vec<FindingRow>,
    /// None if it is not known.
    lost: Option<Vec<LostRow>>,
}

#[derive(Debug, Serialize)]
struct LostRow {
    id: String,
    wall_ns: i64,
    /// None if nothing of it can be restored.
    files: Option<u64>,
    of: u64,
}

#[derive(Debug, Serialize)]
struct FindingRow {
    what: String,
    serious: bool,
}

pub(super) fn listed(one: &Snapshot) -> Listed {
    Listed {
        id: one.id.clone(),
        wall_ns: one.time_ns,
        why: one.why.clone(),
        host: one.host.clone(),
        files: one.files,
        bytes: one.bytes,
        incomplete: one.incomplete,
        ours: one.ours,
    }
}

/// Nanoseconds since 1970.
fn now_ns() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// One line about a snapshot.
fn line(one: &Snapshot, now_ns: i64) -> String {
    let ago = age(now_ns.saturating_sub(one.time_ns).max(0).unsigned_abs());
    let lacks = match (one.ours, one.incomplete) {
        (false, _) => ", of another program",
        (true, true) => ", INCOMPLETE",
        (true, false) => "",
    };
    let line = format!(
        "{} {ago} ago, {}, {}{lacks}, {} ({})",
        one.short(),
        several(one.files, "file", "files"),
        bytes(one.bytes as f64),
        one.host,
        one.why,
    );
    printable(&line, COLUMNS) + "\n"
}

/// Lists the snapshots.
pub(super) fn list(at: &At) -> Result<ExitCode, Failure> {
    let store = open::open(at, &Bar::new())?;
    let all =
        lle_archive::snapshots(&store).map_err(|error| open::other("cannot list the snapshots", error))?;
    open::tell_beside(&store);
    let repository = store.address().to_string();
    if at.json.json {
        return super::json(&List {
            repository,
            snapshots: all.iter().map(listed).collect(),
            kept: kept_aside()
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
        });
    }
    let now_ns = now_ns();
    let mut out: String = all.iter().map(|one| line(one, now_ns)).collect();
    out.push_str(&match all.len() {
        0 => "There is no snapshot yet: `lusush maint backup create` takes one.\n".to_owned(),
        n => format!(
            "{} in\n  {repository}\n",
            several(n as u64, "snapshot", "snapshots")
        ),
    });
    out.push_str(&kept_said());
    answer::text(&out)
}

/// Damaged repositories that recoveries moved away: they take room, and hold what was taken out since.
fn kept_aside() -> Vec<PathBuf> {
    let Ok(places) = open::places() else {
        return Vec::new();
    };
    let entries = fs::read_dir(places.backup()).into_iter().flatten().flatten();
    let is_kept = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("archive.damaged-")
    };
    let mut kept: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_kept).collect();
    kept.sort();
    kept
}

/// Names them, each with the command that removes it.
pub(super) fn kept_said() -> String {
    let of = |path: &PathBuf| {
        format!(
            "Kept damaged by a recovery; nothing but this removes it:\n  rm -r '{}'\n",
            path.display()
        )
    };
    kept_aside().iter().map(of).collect()
}

/// Shows what is in a snapshot.
pub(super) fn show(name: &str, files: bool, at: &At) -> Result<ExitCode, Failure> {
    let store = open::open(at, &Bar::new())?;
    let (one, entries) = lle_archive::contents(&store, name).map_err(|error| no_snapshot(name, error))?;
    open::tell_beside(&store);
    let parts = lle_archive::parts(&entries);
    let named = || entries.iter().filter(|entry| files && !entry.folder);
    if at.json.json {
        let row = |entry: &Entry| FileRow {
            path: entry.path.display().to_string(),
            bytes: entry.bytes,
            changed_wall_ns: entry.changed_ns,
        };
        return super::json(&Shown {
            snapshot: listed(&one),
            sections: parts
                .iter()
                .map(|part| SectionRow {
                    section: part.section.name(),
                    files: part.files,
                    bytes: part.bytes,
                })
                .collect(),
            files: named().map(row).collect(),
        });
    }
    let mut out = line(&one, now_ns());
    for part in &parts {
        out.push_str(&format!(
            "  {:<14} {:>7}, {}\n",
            part.section.name(),
            several(part.files, "file", "files"),
            bytes(part.bytes as f64)
        ));
    }
    for entry in named() {
        // Names are whole: they are what people restore and search by.
        let row = format!("  {:>10}  {}", bytes(entry.bytes as f64), entry.path.display());
        out.push_str(&(printable(&row, usize::MAX) + "\n"));
    }
    answer::text(&out)
}

fn no_snapshot(name: &str, error: lle_archive::RepositoryError) -> Failure {
    no_such(&format!("cannot read the snapshot {name}"), error)
}

/// There is no such snapshot.
pub(super) fn no_such(what: &str, error: impl std::error::Error + 'static) -> Failure {
    Failure::new(what)
        .code(Code::NotFound.exit())
        .because(error)
        .hint("`lusush maint backup list` names them")
}

/// Shows what differs.
pub(super) fn diff(a: &str, b: Option<&str>, at: &At) -> Result<ExitCode, Failure> {
    let store = open::open(at, &Bar::new())?;
    let failed = |error| match error {
        DiffError::Repository(error) if error.is_absent() => no_such("cannot compare", error),
        error => open::other("cannot compare", error),
    };
    let (a, b, differences) = match b {
        Some(b) => {
            let (a, b, differences) = lle_archive::between(&store, a, b).map_err(failed)?;
            (a, Some(b), differences)
        }
        None => {
            let (a, differences) = lle_archive::since(&store, a).map_err(failed)?;
            (a, None, differences)
        }
    };
    open::tell_beside(&store);
    if at.json.json {
        return super::json(&Differences {
            a: listed(&a),
            b: b.as_ref().map(listed),
            differences: differences.iter().map(difference_row).collect(),
        });
    }
    let mut out: String = differences.iter().map(difference_line).collect();
    let to = b.map_or_else(|| "what is there now".to_owned(), |b| b.short().to_owned());
    out.push_str(&match differences.len() {
        0 => format!("Nothing differs between {} and {to}.\n", a.short()),
        n => format!(
            "{} from {} to {to}\n",
            several(n as u64, "difference", "differences"),
            a.short()
        ),
    });
    answer::text(&out)
}

const fn name_of(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Grown => "grown",
        Change::Changed => "changed",
        Change::Rights => "rights",
    }
}

fn difference_row(one: &Difference) -> DifferenceRow {
    DifferenceRow {
        path: one.path.display().to_string(),
        change: name_of(one.change),
        bytes_before: one.before,
        bytes_after: one.after,
        rights_before: one.rights.map(|(before, _)| octal(before)),
        rights_after: one.rights.map(|(_, after)| octal(after)),
        lacks: one.lacks,
    }
}

fn octal(rights: u32) -> String {
    format!("{rights:03o}")
}

fn difference_line(one: &Difference) -> String {
    let size = |bytes_: Option<u64>| bytes_.map(|n| bytes(n as f64));
    let sizes = match (size(one.before), size(one.after)) {
        (Some(before), Some(after)) if before != after => format!("{before} to {after}"),
        (Some(size), _) | (None, Some(size)) => size,
        (None, None) => String::new(),
    };
    let rights = one.rights.map_or_else(String::new, |(before, after)| {
        format!("; rights {} to {}", octal(before), octal(after))
    });
    let lacks = one.lacks.map_or_else(String::new, |lacks| {
        format!("; lacks {}", several(lacks, "record", "records"))
    });
    let row = format!(
        "{:<8} {} ({sizes}{rights}{lacks})",
        name_of(one.change),
        one.path.display()
    );
    printable(&row, usize::MAX) + "\n"
}

/// Says whether all is what was written.
pub(super) fn verify(verification: Verification, at: &At) -> Result<ExitCode, Failure> {
    let bar = Bar::new();
    let store = open::open(at, &bar)?;
    let began = std::time::Instant::now();
    let verdict =
        lle_archive::verify(&store, verification).map_err(|error| open::other("cannot verify", error))?;
    let took = began.elapsed();
    drop(bar);
    if at.json.json {
        super::json(&Verified {
            good: verdict.is_good(),
            verification: name_of_depth(verification),
            snapshots: verdict.snapshots,
            files: verdict.files,
            bytes: verdict.bytes,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            findings: verdict
                .findings
                .iter()
                .map(|finding| FindingRow {
                    what: finding.what.clone(),
                    serious: finding.serious,
                })
                .collect(),
            lost: verdict
                .lost
                .as_ref()
                .map(|lost| lost.iter().map(lost_row).collect()),
        })?;
    } else {
        answer::text(&verdict_said(&verdict, took, Ink::of_stdout()))?;
    }
    Ok(match verdict.is_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(Code::BackupInvalid.exit()),
    })
}

const fn name_of_depth(verification: Verification) -> &'static str {
    match verification {
        Verification::Metadata => "metadata",
        Verification::Trees => "trees",
        Verification::Data => "data",
    }
}

fn lost_row(lost: &Lost) -> LostRow {
    LostRow {
        id: lost.snapshot.id.clone(),
        wall_ns: lost.snapshot.time_ns,
        files: lost.files,
        of: lost.snapshot.files,
    }
}

/// What can no longer be restored, a line a snapshot.
fn lost_said(verdict: &Verdict) -> String {
    let rows = match &verdict.lost {
        None => vec!["what of it can still be restored is unknown".to_owned()],
        Some(lost) if lost.is_empty() => vec!["every file of every snapshot is still there".to_owned()],
        Some(lost) => lost.iter().map(lost_line).collect(),
    };
    rows.iter()
        .map(|row| format!("  {}\n", text::wrapped(row, COLUMNS - 2, 2)))
        .collect()
}

fn lost_line(lost: &Lost) -> String {
    let (name, of) = (lost.snapshot.short(), lost.snapshot.files);
    match lost.files {
        Some(files) => format!(
            "lost of snapshot {name}: {files} of {}",
            several(of, "file", "files")
        ),
        None => format!("lost of snapshot {name}: all of it, since what is in it cannot be read"),
    }
}

fn verdict_said(verdict: &Verdict, took: std::time::Duration, ink: Ink) -> String {
    let of = format!(
        "{}, {}, {}",
        several(verdict.snapshots, "snapshot", "snapshots"),
        several(verdict.files, "file", "files"),
        bytes(verdict.bytes as f64)
    );
    let mut out = String::new();
    for finding in &verdict.findings {
        let what = text::wrapped(&finding.what, COLUMNS - 2, 2);
        let what = match finding.serious {
            true => ink.bad(&what),
            false => what,
        };
        out.push_str(&format!("  {what}\n"));
    }
    let how = match verdict.verification {
        Verification::Data => {
            let seconds = took.as_secs_f64().max(f64::MIN_POSITIVE);
            format!("every byte was read, {}/s", bytes(verdict.bytes as f64 / seconds))
        }
        Verification::Trees => "no file's content was read: `--data` reads every byte".to_owned(),
        Verification::Metadata => {
            "metadata only: no pack was read, so folders and files in them may have changed; `--data` reads every byte"
                .to_owned()
        }
    };
    let good = match verdict.is_good() {
        true => "Good".to_owned(),
        false => ink.bad("DAMAGED"),
    };
    let said = text::wrapped(&format!("{good}: {of}; {how}."), COLUMNS, 2);
    let next = match verdict.is_good() {
        true => String::new(),
        false => {
            lost_said(verdict)
                + &text::wrapped(
                    "Next: `lusush maint recover repository-damaged` saves what is here anew, and keeps this one aside.",
                    COLUMNS,
                    2,
                )
                + "\n"
        }
    };
    format!("{said}\n{out}{next}")
}

/// The names of sections, for those that say what was asked for.
pub(super) fn names(sections: &[Section]) -> String {
    sections
        .iter()
        .map(|section| section.name())
        .collect::<Vec<_>>()
        .join(", ")
}
