//! Bringing files back.
//!
//! A worker would not see that its files were replaced: if state is to come back, it is stopped first and started again
//! afterwards, whatever came of it.

use std::path::Path;
use std::process::ExitCode;

use lle_archive::{RestoreError, Restored, Section};
use lle_core::error::Code;
use lle_core::quantity::{bytes, several};
use lle_maintenance::api::Request;
use serde::Serialize;

use super::bar::Bar;
use super::look::{Listed, listed, names};
use super::{At, open};
use crate::failure::Failure;
use crate::maint::ask;
use crate::{answer, text};

#[derive(Debug, Serialize)]
struct Came {
    snapshot: Listed,
    moved: u64,
    bytes: u64,
    same: u64,
    grown: u64,
    homeless: Vec<String>,
    aside: Option<String>,
}

/// Brings sections of a snapshot back.
pub(super) fn restore(
    name: &str,
    sections: &[Section],
    to: Option<&Path>,
    at: &At,
) -> Result<ExitCode, Failure> {
    let bar = Bar::new();
    let store = open::open(at, &bar)?;
    let once = || match to {
        Some(folder) => lle_archive::restore_to(&store, name, sections, folder),
        None => lle_archive::restore(&store, name, sections),
    };
    let restored = match once() {
        Err(RestoreError::WorkerRuns) => {
            ask::ask(&Request::Stop)?;
            let restored = once();
            // Its own trouble is told by `maint status`; what came back is what was asked for.
            let _started = ask::ask(&Request::Start);
            restored
        }
        other => other,
    };
    let restored = restored.map_err(|error| failure(error, sections))?;
    drop(bar);
    if at.json.json {
        return answer::json(&Came {
            snapshot: listed(&restored.snapshot),
            moved: restored.moved,
            bytes: restored.bytes,
            same: restored.same,
            grown: restored.grown,
            homeless: restored
                .homeless
                .iter()
                .map(|name| name.display().to_string())
                .collect(),
            aside: restored.aside.as_ref().map(|aside| aside.display().to_string()),
        });
    }
    answer::text(&said(&restored, to))
}

fn said(restored: &Restored, to: Option<&Path>) -> String {
    let mut out = format!(
        "{} of snapshot {}, {}, {}.\n",
        several(restored.moved, "file", "files"),
        restored.snapshot.short(),
        bytes(restored.bytes as f64),
        match (to, restored.moved) {
            (Some(folder), _) => format!("in {}", folder.display()),
            (None, 0) => "came back: nothing was missing or different".to_owned(),
            (None, _) => "came back, each proven".to_owned(),
        }
    );
    let mut also = |n: u64, what: &str| {
        if n > 0 {
            out.push_str(&format!("  {} {what}\n", several(n, "file", "files")));
        }
    };
    also(restored.same, "the same as before");
    also(restored.grown, "only longer since: left as it is");
    also(restored.homeless.len() as u64, "without a place here");
    if let Some(aside) = &restored.aside {
        out.push_str("What was there is kept in\n  ");
        out.push_str(&text::printable(&aside.display().to_string(), usize::MAX));
        out.push('\n');
    }
    out
}

fn failure(error: RestoreError, sections: &[Section]) -> Failure {
    let failed = Failure::new("nothing was restored");
    match &error {
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
        RestoreError::Repository(_) => failed
            .code(Code::Unavailable.exit())
            .hint("`lusush maint backup list` names the snapshots"),
    }
    .because(error)
}
