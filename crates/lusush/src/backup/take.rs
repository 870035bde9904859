//! Taking a snapshot, and letting old ones go.

use lle_archive::{CreateError, Created, KEEP, LeftOut, PruneError, Pruned};
use lle_core::error::Code;
use lle_core::quantity::{bytes, duration, several};
use lle_core::recovery::backed_up::{BackedUp, Before};
use serde::Serialize;

use super::bar::Bar;
use super::look::{self, Listed, listed};
use super::{At, Keep, open, went};
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::printable;
use crate::{answer, text};

/// Files that are named as left out; the JSON has all.
const NAMED_MAX: usize = 8;

#[derive(Debug, Serialize)]
struct Taken {
    snapshot: Listed,
    added_bytes: u64,
    changed_files: u64,
    took_ms: u64,
    left_out: Vec<Left>,
    /// Packs of the repository that were gone.
    gone_packs: u64,
    /// Where those before it went, if this is the first one elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Before>,
}

#[derive(Debug, Serialize)]
struct Left {
    path: String,
    why: String,
    unread: bool,
}

#[derive(Debug, Serialize)]
struct Journalled {
    files: u64,
    changed: u64,
    written_bytes: u64,
    acknowledged_us: u64,
    durable_us: u64,
    left_out: Vec<Left>,
    /// Former segments that another key seals.
    foreign: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Gone {
    kept: u64,
    forgotten: Vec<String>,
    freed_bytes: u64,
    /// Whether the rest of the room is given back by a prune a day later.
    later: bool,
    /// Bytes that nobody needs and that stay for want of room.
    left_bytes: u64,
    dry_run: bool,
}

/// Takes a snapshot.
pub(super) fn create(why: &str, at: &At) -> Result<ExitCode, Failure> {
    let bar = Bar::new();
    let store = open::open_or_make(at, &bar)?;
    let created = lle_archive::create(&store, why).map_err(|error| match error {
        CreateError::Nothing => Failure::new("no snapshot was taken")
            .because(error)
            .hint("the first session makes what there is to back up: run `lusush`"),
        CreateError::Beaten(_) => open::beaten("no snapshot was taken", error),
        CreateError::GonePacks { .. } => Failure::new("no snapshot was taken")
            .code(Code::BackupUnhealthy.exit())
            .because(error)
            .hint("`lusush maint recover repository-damaged` keeps a folder aside, and begins a new one")
            .hint("or let `backup.repository` name another place"),
        CreateError::Repository(_) => open::other("no snapshot was taken", error),
    })?;
    drop(bar);
    // Only what was not named for once says where backups go.
    let went = match at.repository {
        None => Some(went::note(&open::places()?, &store, created.snapshot.time_ns)),
        Some(_) => None,
    };
    if let Some(moved) = went.as_ref().and_then(BackedUp::moved) {
        eprintln!("lusush: {moved}; `lusush maint config show backup` says why");
    }
    if created.gone_packs > 0 {
        let packs = several(created.gone_packs, "file", "files");
        eprintln!(
            "lusush: {packs} with data had gone from the repository; what is here was saved anew, and what only older \
             snapshots had of it is lost: `lusush maint backup verify` names them"
        );
    }
    open::tell_beside(&store);
    let unread = created.left_out.iter().any(|file| file.unread);
    if at.json.json {
        super::json(&taken(&created, went))?;
    } else {
        answer::text(&said(&created))?;
    }
    Ok(match unread {
        // There is a snapshot, and it is not what a person expects.
        true => ExitCode::from(Code::BackupInvalid.exit()),
        false => ExitCode::SUCCESS,
    })
}

fn left(file: &LeftOut) -> Left {
    Left {
        path: file.path.display().to_string(),
        why: file.why.clone(),
        unread: file.unread,
    }
}

fn taken(created: &Created, went: Option<BackedUp>) -> Taken {
    Taken {
        snapshot: listed(&created.snapshot),
        added_bytes: created.added_bytes,
        changed_files: created.changed_files,
        took_ms: u64::try_from(created.took.as_millis()).unwrap_or(u64::MAX),
        left_out: created.left_out.iter().map(left).collect(),
        gone_packs: created.gone_packs,
        before: went
            .filter(|went| went.moved().is_some())
            .and_then(|went| went.before),
    }
}

fn said(created: &Created) -> String {
    let one = &created.snapshot;
    let said = format!(
        "Snapshot {}: {}, {}; {} new or changed, {} added, in {}.",
        one.short(),
        several(one.files, "file", "files"),
        bytes(one.bytes as f64),
        created.changed_files,
        bytes(created.added_bytes as f64),
        duration(created.took.as_nanos() as f64),
    );
    let mut out = text::wrapped(&said, text::COLUMNS, 2) + "\n";
    for file in created.left_out.iter().take(NAMED_MAX) {
        let what = if file.unread { "NOT READ" } else { "left out" };
        let line = format!("  {what}: {} ({})", file.path.display(), file.why);
        out.push_str(&printable(&line, text::COLUMNS));
        out.push('\n');
    }
    let more = created.left_out.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        out.push_str(&format!("  and {more} more; `--json` names them\n"));
    }
    out
}

/// Records what changed in the journal.
pub(super) fn journal(anew: bool, at: &At) -> Result<ExitCode, Failure> {
    let places = open::places()?;
    let _lock = open::lock(&places)?;
    let key = lle_archive::key_or_first(&places).map_err(open::failure)?;
    let record = match anew {
        true => lle_archive::record_anew,
        false => lle_archive::record,
    };
    let recorded =
        record(&places, &key.line).map_err(|error| open::other("the journal was not written", error))?;
    if at.json.json {
        return super::json(&Journalled {
            files: recorded.files,
            changed: recorded.changed,
            written_bytes: recorded.written_bytes,
            acknowledged_us: u64::try_from(recorded.acknowledged.as_micros()).unwrap_or(u64::MAX),
            durable_us: u64::try_from(recorded.durable.as_micros()).unwrap_or(u64::MAX),
            left_out: recorded.left_out.iter().map(left).collect(),
            foreign: recorded
                .foreign
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
        });
    }
    let said = format!(
        "Journal: {}, {} changed, {} written; acknowledged in {}, durable in {}.",
        several(recorded.files, "file", "files"),
        recorded.changed,
        bytes(recorded.written_bytes as f64),
        duration(recorded.acknowledged.as_nanos() as f64),
        duration(recorded.durable.as_nanos() as f64),
    );
    let mut out = text::wrapped(&said, text::COLUMNS, 2) + "\n";
    for path in &recorded.foreign {
        let line = format!("  kept, sealed by another key: {}", path.display());
        out.push_str(&(printable(&line, usize::MAX) + "\n"));
    }
    answer::text(&out)
}

/// Lets old snapshots go.
pub(super) fn prune(keep: Keep, dry_run: bool, at: &At) -> Result<ExitCode, Failure> {
    let bar = Bar::new();
    let store = open::open(at, &bar)?;
    let keep = lle_archive::Keep {
        last: keep.keep_last.unwrap_or(KEEP.last),
        daily: keep.keep_daily.unwrap_or(KEEP.daily),
        weekly: keep.keep_weekly.unwrap_or(KEEP.weekly),
        monthly: keep.keep_monthly.unwrap_or(KEEP.monthly),
        yearly: keep.keep_yearly.unwrap_or(KEEP.yearly),
    };
    let pruned = lle_archive::prune(&store, keep, dry_run).map_err(|error| match error {
        PruneError::KeepsNothing => Failure::new("nothing was pruned")
            .code(Code::InvalidParameters.exit())
            .because(error)
            .hint("keep at least one: `--keep-last 1`"),
        PruneError::Unread(ref place) => Failure::new("nothing was pruned")
            .code(Code::BackupUnhealthy.exit())
            .hint(format!(
                "bring {place} back from a copy, or move it away to give it up, and prune again"
            ))
            .because(error),
        error => open::other("not all was pruned", error),
    })?;
    drop(bar);
    if at.json.json {
        return super::json(&gone(&pruned, dry_run));
    }
    answer::text(&(pruned_said(&pruned, dry_run) + &look::kept_said()))
}

fn gone(pruned: &Pruned, dry_run: bool) -> Gone {
    Gone {
        kept: pruned.kept,
        forgotten: pruned.forgotten.clone(),
        freed_bytes: pruned.freed_bytes,
        later: pruned.later,
        left_bytes: pruned.left_bytes,
        dry_run,
    }
}

/// Said where another machine may be at work on the same repository.
fn later(is_later: bool) -> &'static str {
    match is_later {
        true => " What only they had goes with a prune a day later.",
        false => "",
    }
}

fn pruned_said(pruned: &Pruned, dry_run: bool) -> String {
    let gone = several(pruned.forgotten.len() as u64, "snapshot", "snapshots");
    let kept = several(pruned.kept, "is kept", "are kept");
    let freed = bytes(pruned.freed_bytes as f64);
    match dry_run {
        true => format!("{gone} would go, {kept}; {freed} would be given back.\n"),
        false => format!(
            "{gone} went, {kept}; {freed} given back.{}{}\n",
            later(pruned.later),
            left_for_want_of_room(pruned.left_bytes)
        ),
    }
}

/// Said of what is in files with what is needed, where those cannot be written anew.
fn left_for_want_of_room(left_bytes: u64) -> String {
    match left_bytes {
        0 => String::new(),
        left => format!(
            "\n  {} that nobody needs stay, and can still be read: there is no room to write\n  the files anew that \
             they are in. Once there is, prune again.",
            bytes(left as f64)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_that_is_given_back_later_is_said_in_both_forms() {
        let check = |later: bool, expect: &str| {
            let pruned = Pruned {
                kept: 1,
                forgotten: vec!["a".into()],
                freed_bytes: 2,
                later,
                asides: 0,
                left_bytes: u64::from(later),
            };
            let said = pruned_said(&pruned, false);
            assert_eq!(said.contains("a day later"), later, "{said}");
            assert_eq!(said.contains("prune again"), later, "{said}");
            let json = serde_json::to_string(&gone(&pruned, false)).expect("it is plain data");
            assert_eq!(json, expect);
        };
        check(
            true,
            r#"{"kept":1,"forgotten":["a"],"freed_bytes":2,"later":true,"left_bytes":1,"dry_run":false}"#,
        );
        check(
            false,
            r#"{"kept":1,"forgotten":["a"],"freed_bytes":2,"later":false,"left_bytes":0,"dry_run":false}"#,
        );
    }
}
