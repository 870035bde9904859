//! `lusush maint history`: the history log, and what can be done with it. `check` reads all of it and says what is in it.

pub(crate) mod beside;
mod exported;
mod logs;
mod scrub;
mod search;
mod stats;
mod transfer;
pub(crate) mod verbs;

use verbs::note;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use lle_core::quantity::{bytes, count, several};
use lle_log::history::{History, Report};
use serde::Serialize;

use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::paths;

/// The version of the schema of `--json`.
const SCHEMA_VERSION: u32 = 1;

/// What a history log holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HistoryCheck {
    /// The version of this schema.
    pub(crate) version: u32,
    /// The log.
    pub(crate) path: PathBuf,
    /// Its size.
    pub(crate) bytes: u64,
    /// Undamaged records of all kinds.
    pub(crate) records: u64,
    /// Commands typed in sessions.
    pub(crate) commands: u64,
    /// Of these, commands whose end is recorded.
    pub(crate) finished: u64,
    /// Sessions that ended by themselves.
    pub(crate) ended: u64,
    /// Commands imported from bash's own history file.
    pub(crate) imported: u64,
    /// Records overwritten on purpose.
    pub(crate) redacted: u64,
    /// Damaged stretches, which readers skip.
    pub(crate) damaged_runs: u64,
    /// Bytes in them.
    pub(crate) damaged_bytes: u64,
    /// Bytes after the last whole record.
    pub(crate) torn_tail_bytes: u64,
    /// What stands beside the log; none if it was not looked at.
    #[serde(flatten)]
    pub(crate) beside: Option<beside::Beside>,
}

/// Why a log could not be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// No session with LLE has run yet.
    #[error("there is no history log yet: {}", path.display())]
    None { path: PathBuf },
    /// It is there, but cannot be opened.
    #[error("the history log cannot be opened: {}", path.display())]
    Open {
        path: PathBuf,
        source: lle_log::OpenError,
    },
}

/// Finds this machine's log below the state folder.
pub(crate) fn log_in(state: &Path) -> PathBuf {
    let machine_id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    lle_core::paths::history_log(state, &machine_id)
}

/// Reads the whole log at `path`; creates nothing, and writes nothing.
pub(crate) fn check(path: &Path) -> Result<HistoryCheck, CheckError> {
    let path_owned = || path.to_owned();
    let Ok(metadata) = path.metadata() else {
        return Err(CheckError::None { path: path_owned() });
    };
    let history = History::read(path).map_err(|source| CheckError::Open {
        path: path_owned(),
        source,
    })?;
    Ok(describe(path_owned(), metadata.len(), history.check()))
}

fn describe(path: PathBuf, bytes: u64, report: Report) -> HistoryCheck {
    HistoryCheck {
        version: SCHEMA_VERSION,
        path,
        bytes,
        records: report.records,
        commands: report.commands,
        finished: report.finished,
        ended: report.ended,
        imported: report.imported,
        redacted: report.redacted,
        damaged_runs: report.damaged_runs,
        damaged_bytes: report.damaged_bytes,
        torn_tail_bytes: report.torn_tail_bytes,
        beside: None,
    }
}

impl HistoryCheck {
    /// Says in one sentence what is in it.
    pub(crate) fn summary(&self) -> String {
        let commands = self.commands + self.imported;
        let mut said = format!(
            "{} in {}",
            several(commands, "command", "commands"),
            bytes(self.bytes as f64)
        );
        if self.redacted > 0 {
            let _ = write!(said, ", {} redacted", several(self.redacted, "record", "records"));
        }
        said
    }

    /// Says in one sentence what is wrong with it; none if nothing is.
    pub(crate) fn damage(&self) -> Option<String> {
        (self.damaged_runs > 0).then(|| {
            let runs = several(self.damaged_runs, "damaged stretch", "damaged stretches");
            format!("{runs}, {} in all, skipped", bytes(self.damaged_bytes as f64))
        })
    }

    /// Writes the check for people.
    pub(crate) fn text(&self) -> String {
        let mut out = format!("{}\n  {}\n", self.path.display(), self.summary());
        let _ = writeln!(
            out,
            "  {} typed, of these {} with their end; {} imported; {} ended",
            count(self.commands),
            count(self.finished),
            count(self.imported),
            several(self.ended, "session", "sessions")
        );
        match self.damage() {
            Some(damage) => out.push_str(&format!("  {damage}\n")),
            None => out.push_str("  no damage\n"),
        }
        if self.torn_tail_bytes > 0 {
            let _ = writeln!(
                out,
                "  {} after the last record: being written, or cut off by a crash",
                bytes(self.torn_tail_bytes as f64)
            );
        }
        if let Some(beside) = &self.beside {
            out.push_str(&beside.text());
        }
        out
    }
}

fn check_history(json: bool) -> Result<ExitCode, Failure> {
    let failed = || Failure::new("cannot check the history log");
    let state = paths::state().map_err(|refusal| failed().because(refusal))?;
    let log = log_in(&state);
    let mut checked = check(&log).map_err(|error| {
        let hint = match error {
            CheckError::None { .. } => "the first session makes it: run `lusush`",
            CheckError::Open { .. } => "`lusush doctor` says more about folders",
        };
        failed().because(error).hint(hint)
    })?;
    checked.beside = Some(beside::look(&log, logs::own()?.index.as_deref()));
    if json {
        answer::json(&checked)
    } else {
        answer::text(&checked.text())
    }
}
