//! Bringing files back.
//!
//! A worker would not see that its files were replaced: if state is to come back, it is stopped first and started again
//! afterwards, whatever came of it, and whoever interrupts it meanwhile.

use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lle_archive::{JournalError, RestoreError, Restored, Section};
use lle_core::error::Code;
use lle_core::quantity::{bytes, several};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::bar::Bar;
use super::look::{self, Listed, listed, names};
use super::{At, JOURNAL, open};
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::{answer, text};

/// How long a worker may take to end: it takes its jobs with it.
const STOP: Duration = Duration::from_secs(10);
/// Between two looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug, Serialize)]
struct FromJournal {
    files: u64,
}

#[derive(Debug, Serialize)]
struct Came {
    snapshot: Listed,
    moved: u64,
    bytes: u64,
    same: u64,
    grown: u64,
    filled: u64,
    taken_out: u64,
    /// Files that have their former rights again.
    rights: u64,
    homeless: Vec<String>,
    aside: Option<String>,
    /// A newer snapshot that lacks files, and that `latest` did not mean.
    passed_over: Option<String>,
}

/// Brings sections of a snapshot back.
pub(super) fn restore(
    name: &str,
    sections: &[Section],
    to: Option<&Path>,
    at: &At,
) -> Result<ExitCode, Failure> {
    if name == JOURNAL {
        return from_journal(sections, to, at);
    }
    let bar = Bar::new();
    let store = open::open(at, &bar)?;
    let once = || match to {
        Some(folder) => lle_archive::restore_to(&store, name, sections, folder),
        None => lle_archive::restore(&store, name, sections),
    };
    let restored = match once() {
        Err(RestoreError::WorkerRuns) => {
            let interrupted = note_interruptions()?;
            worker("stop")?;
            let restored = once_it_has_left(&interrupted, once);
            // What came back is what was asked for; that nobody looks after it is told beside it.
            if let Err(failed) = worker("start") {
                eprint!("{failed}");
            }
            restored
        }
        other => other,
    };
    let restored = restored.map_err(|error| failure(error, sections))?;
    drop(bar);
    open::tell_beside(&store);
    if at.json.json {
        return super::json(&Came {
            snapshot: listed(&restored.snapshot),
            moved: restored.moved,
            bytes: restored.bytes,
            same: restored.same,
            grown: restored.grown,
            filled: restored.filled,
            taken_out: restored.taken_out,
            rights: restored.rights,
            homeless: restored
                .homeless
                .iter()
                .map(|name| name.display().to_string())
                .collect(),
            aside: restored.aside.as_ref().map(|aside| aside.display().to_string()),
            passed_over: store.passed_over().map(|newer| newer.id),
        });
    }
    answer::text(&said(&restored, to))
}

/// Writes what the journal holds to a new folder.
fn from_journal(sections: &[Section], to: Option<&Path>, at: &At) -> Result<ExitCode, Failure> {
    let failed = || Failure::new("nothing was restored from the journal");
    if at.repository.is_some() {
        return Err(failed()
            .code(Code::InvalidParameters.exit())
            .because("it lies beside this home, in no repository")
            .hint("without `--repository` it is found"));
    }
    let to = to.ok_or_else(|| {
        failed()
            .code(Code::InvalidParameters.exit())
            .because("it is restored to a new folder only")
            .hint("`--to FOLDER` names one; move from there what you need")
    })?;
    let places = open::places()?;
    let line = open::line(&places)?;
    let _lock = open::lock(&places)?;
    let files = lle_archive::restore_journal_to(&places, &line, sections, to).map_err(|error| {
        match &error {
            JournalError::Occupied(_) => failed()
                .code(Code::InvalidParameters.exit())
                .hint("name a folder that is not there yet"),
            JournalError::Io { .. } => failed()
                .code(Code::Unavailable.exit())
                .hint("`--to` names another place"),
            JournalError::None | JournalError::Damaged(_) | JournalError::TooMuch => failed()
                .code(Code::BackupInvalid.exit())
                .hint("`lusush maint backup list` names the snapshots in the archive"),
        }
        .because(error)
    })?;
    if at.json.json {
        return super::json(&FromJournal { files });
    }
    let files = several(files, "file", "files");
    answer::text(&format!(
        "{files} of the journal, each proven, in {}.\n",
        to.display()
    ))
}

/// From now on Ctrl-C, a closed terminal and a polite kill are noted instead of obeyed: who obeyed them now would leave the
/// worker stopped for good. What has begun to be restored is restored to the end.
fn note_interruptions() -> Result<Arc<AtomicBool>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register(signal, Arc::clone(&interrupted)).map_err(|error| {
            Failure::new("nothing was restored: the worker would not be started again after an interruption")
                .because(error)
                .hint("`lusush maint stop`, restore, and `lusush maint start`")
        })?;
    }
    Ok(interrupted)
}

/// Tries again until the worker that was told to end has ended, or somebody interrupts.
fn once_it_has_left(
    interrupted: &AtomicBool,
    once: impl Fn() -> Result<Restored, RestoreError>,
) -> Result<Restored, RestoreError> {
    let began = Instant::now();
    loop {
        let gives_up = began.elapsed() >= STOP || interrupted.load(Ordering::Relaxed);
        match once() {
            Err(RestoreError::WorkerRuns) if !gives_up => std::thread::sleep(LOOK_EVERY),
            other => return other,
        }
    }
}

/// Stops or starts the worker, by the verb that knows how.
fn worker(word: &str) -> Result<(), Failure> {
    let failed = || Failure::new(format!("cannot {word} the worker")).hint("`lusush maint status` shows it");
    let own = std::env::current_exe().map_err(|error| failed().because(error))?;
    let output = Command::new(own)
        .args(["maint", word])
        .stdin(Stdio::null())
        // The terminal's Ctrl-C is not for it.
        .process_group(0)
        .output()
        .map_err(|error| failed().because(error))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed().because(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

fn said(restored: &Restored, to: Option<&Path>) -> String {
    let mut out = format!(
        "{} of snapshot {}, {}, {}.\n",
        several(restored.moved + restored.filled, "file", "files"),
        restored.snapshot.short(),
        bytes(restored.bytes as f64),
        match (to, restored.moved) {
            (Some(folder), _) => format!("in {}", folder.display()),
            (None, 0) if restored.filled > 0 => "came back into what is here".to_owned(),
            (None, 0) if restored.rights > 0 => "came back: nothing was missing".to_owned(),
            (None, 0) => "came back: nothing was missing or different".to_owned(),
            (None, _) => "came back, each proven".to_owned(),
        }
    );
    let mut also = |n: u64, of: (&str, &str), what: &str| {
        if n > 0 {
            out.push_str(&format!("  {} {what}\n", several(n, of.0, of.1)));
        }
    };
    let files = ("file", "files");
    also(restored.same, files, "the same as before");
    also(restored.grown, files, "with all of it and more: left as it is");
    also(
        restored.filled,
        ("history", "histories"),
        "filled with what it lacked: all else in it stays",
    );
    also(
        restored.taken_out,
        ("record", "records"),
        "taken out of the history here: they stay out",
    );
    also(restored.rights, files, "with the rights again that were saved");
    also(restored.homeless.len() as u64, files, "without a place here");
    if restored.snapshot.incomplete {
        out.push_str("  INCOMPLETE: files that could not be read when it was taken are not in it\n");
    }
    if let Some(aside) = &restored.aside {
        out.push_str("What was there is kept in\n  ");
        out.push_str(&text::printable(&aside.display().to_string(), usize::MAX));
        out.push('\n');
    }
    out
}

fn failure(error: RestoreError, sections: &[Section]) -> Failure {
    let failed = Failure::new(match &error {
        RestoreError::Stuck { .. } => "not all was restored",
        _ => "nothing was restored",
    });
    match &error {
        RestoreError::InTheWay(path) => failed.code(Code::InvalidState.exit()).hint(format!(
            "move {} away, and restore again: a file comes back there",
            path.display()
        )),
        RestoreError::Stuck { path, .. } => failed
            .code(Code::Unavailable.exit())
            .hint(format!(
                "see to {}: any `lusush maint backup` verb then ends what had begun",
                path.display()
            ))
            .hint("or restore something else: what is left of this one is given up then"),
        RestoreError::Io { path, source } if source.kind() == ErrorKind::PermissionDenied => failed
            .code(Code::Unauthorized.exit())
            .hint(format!("`chmod u+rw {}`, if it is yours", path.display())),
        RestoreError::Nothing => failed.code(Code::NotFound.exit()).hint(format!(
            "asked for: {}; `lusush maint backup show` says what there is",
            names(sections)
        )),
        RestoreError::WorkerRuns => failed
            .code(Code::Busy.exit())
            .hint("`lusush maint stop`, restore, and `lusush maint start`"),
        RestoreError::Occupied(_) => failed
            .code(Code::InvalidParameters.exit())
            .hint("name a folder that is not there yet"),
        RestoreError::Stage(_) => failed
            .code(Code::BackupInvalid.exit())
            .hint("an earlier snapshot may be whole: `lusush maint backup list`"),
        RestoreError::Plan(path) => failed.code(Code::IntegrityFailed.exit()).hint(format!(
            "remove {} once you have looked at what is there",
            path.display()
        )),
        RestoreError::Io { .. } => failed
            .code(Code::Unavailable.exit())
            .hint("once there is room and permission, any `lusush maint backup` verb ends what had begun"),
        RestoreError::Repository(inner) if inner.remote().is_some() => {
            return open::other("nothing was restored", error);
        }
        RestoreError::Repository(inner) if inner.is_absent() => {
            return look::no_such("nothing was restored", error);
        }
        RestoreError::Repository(_) => failed
            .code(Code::Unavailable.exit())
            .hint("`lusush maint backup list` names the snapshots"),
    }
    .because(error)
}
