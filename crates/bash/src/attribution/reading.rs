//! Whether the start-up files were read to their end.
//!
//! It is seen, not said: a command that says it would be traced by `set -x`, run a trap on DEBUG, set `$?`, and could be
//! taken away by `enable -n`. The launcher's script reads each file on a row of its own and tells beforehand which row the
//! last one has (`lle reads`). Once a command on that row has ended, or behind it, all were read; who interrupts them leaves
//! the script before.
//!
//! Invariant: what could not be seen is not claimed: then nobody is told of an interruption.

use super::{Attribution, state};
use libc::c_int;

/// Bash's number of the trap on DEBUG: its own come behind the signals, of which there are 64 on Linux.
const DEBUG_TRAP: c_int = 65;
/// How deep the launcher's script stands among the texts that bash reads.
const SCRIPT_LEVEL: c_int = 1;

/// How far the reading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// No launcher told of any files, or nobody could see their end.
    Unknown,
    /// The last one is read at this row of the script.
    Until {
        row: c_int,
        /// A command of a start-up file has ended since the script's own.
        inner: bool,
        /// That row was come to; but with a trap on DEBUG, bash saves what is watched before each command, too.
        perhaps: bool,
    },
    Over,
}

/// The last start-up file is read so many rows below the command that bash runs.
pub(crate) fn last_file_is_read_below(rows: c_int) {
    if let Some(a) = state().filter(|a| a.bash.source_level.is_some() && a.bash.line_number.is_some()) {
        a.reading = Reading::Until {
            row: a.line().saturating_add(rows),
            inner: false,
            perhaps: false,
        };
    }
}

/// Whether the start-up files were certainly not read to their end; known at the first prompt.
pub(crate) fn was_cut_short() -> bool {
    state().is_some_and(|a| matches!(a.reading, Reading::Until { perhaps: false, .. }))
}

impl Attribution {
    /// Whether files are being read whose end is awaited.
    pub(super) fn reads_files(&self) -> bool {
        matches!(self.reading, Reading::Until { perhaps: false, .. })
    }

    /// A command outside functions has ended: says whether the files have been read by that.
    pub(super) fn note_reading(&mut self) -> bool {
        let Reading::Until { row, inner, .. } = self.reading else {
            return false;
        };
        if self.bash.flag(self.bash.subshell_environment) {
            return false;
        }
        let level = self.bash.number(self.bash.source_level);
        let is_last = level == SCRIPT_LEVEL && self.line() >= row;
        let trapped = || {
            let is_trapped = self.bash.signal_is_trapped;
            // SAFETY: the function of bash's only reads.
            is_trapped.is_some_and(|f| unsafe { f(DEBUG_TRAP) != 0 })
        };
        let is_over = is_last && (inner || !trapped());
        self.reading = if is_over {
            Reading::Over
        } else {
            Reading::Until {
                row,
                inner: level > SCRIPT_LEVEL,
                perhaps: is_last,
            }
        };
        if is_over && let Some(page) = &self.page {
            page.ready();
        }
        is_over
    }

    /// The first prompt is there; `watched` until then.
    pub(super) fn close_reading(&mut self, watched: bool) {
        if !watched && self.reads_files() {
            self.reading = Reading::Unknown;
        }
    }
}
