//! What the guard knows of start-up files joins their versions: no worker is needed for that.
//!
//! Invariant: a start waits for it no longer than for one write, and only at the first start after an edit or a failure.
//! What cannot be kept holds nothing up.

use std::path::Path;

use lle_log::versions::{Cause, Verdict};
use lle_maintenance::real::rc_versions::{self, PATIENCE, Seen, shown};

use crate::paths;
use crate::start_file::{File, path_of};
use crate::start_record::Record;

/// Who writes versions here.
const TOOL: &str = "lusush";

/// Keeps the copies of the last good start; with `failed` also what the files hold now, which a start did not survive.
pub(crate) fn keep(home: &Path, good: Option<&Record>, files: &[File], failed: bool) {
    let Ok(state) = paths::state() else { return };
    let verdict = failed.then_some(Verdict::TakenBack);
    let good = good
        .map(|good| copies(home, good, Verdict::Confirmed))
        .unwrap_or_default();
    // What is as it was then is not to blame.
    let current = current(home, files, verdict);
    let current = current
        .into_iter()
        .filter(|now| failed && !good.iter().any(|was| was.says(now)));
    let all: Vec<State> = good.iter().cloned().chain(current).collect();
    let seen: Vec<Seen<'_>> = all.iter().map(State::seen).collect();
    let _best_effort = rc_versions::keep(&rc_versions::log(&state), &seen, TOOL, PATIENCE);
}

/// A state of a file.
#[derive(Clone, Debug)]
pub(crate) struct State {
    file: String,
    content: Vec<u8>,
    time_ns: i64,
    is_now: bool,
    verdict: Option<Verdict>,
}

impl State {
    /// As the log takes it.
    pub(crate) fn seen(&self) -> Seen<'_> {
        Seen {
            file: &self.file,
            content: &self.content,
            time_ns: self.time_ns,
            is_now: self.is_now,
            cause: Cause::Noticed,
            from: 0,
            verdict: self.verdict,
        }
    }

    /// True if both are the same state of the same file.
    pub(crate) fn says(&self, other: &State) -> bool {
        self.file == other.file && self.content == other.content
    }
}

/// The copies of a start.
pub(crate) fn copies(home: &Path, record: &Record, verdict: Verdict) -> Vec<State> {
    let state = |(name, copy): (&str, std::path::PathBuf)| {
        Some(State {
            file: shown(&path_of(name, home), home),
            content: std::fs::read(copy).ok()?,
            time_ns: record.began_ns(),
            is_now: false,
            verdict: Some(verdict),
        })
    };
    record.copies().filter_map(state).collect()
}

/// What the files hold now.
pub(crate) fn current(home: &Path, files: &[File], verdict: Option<Verdict>) -> Vec<State> {
    let state = |file: &File| {
        Some(State {
            file: file.shown(home),
            content: file.bytes()?.to_vec(),
            time_ns: file.written_ns(),
            is_now: true,
            verdict,
        })
    };
    files.iter().filter_map(state).collect()
}
