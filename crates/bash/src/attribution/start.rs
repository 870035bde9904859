//! The start: which line of which file took how long, and each file with what it sources; then `PROMPT_COMMAND` and the
//! `$(…)` of `PS1`, the first time.
//!
//! Invariant: only what runs outside functions has a line; a function's time is that of the line that called it.

use super::Attribution;
use super::names;
use super::table::Name;
use libc::c_int;
use lle_metrics::PartKind;

/// Files that source one another, at most.
const NESTED_MAX: usize = 16;
/// A line quicker than this waits for the next: a start of a tenth of a second has two thousand such steps.
const GRAIN_NS: u64 = 50_000;

impl Attribution {
    /// The shell forks: the line is right now. When the child has ended, bash stands at the last line it has read.
    pub(super) fn note_line(&mut self) {
        if self.bash.number(self.bash.variable_context) == 0 {
            self.forked_line = Some(self.line());
        }
    }

    /// Whether bash executes a text: a file, an entry of `PROMPT_COMMAND`; none if this bash does not tell.
    pub(super) fn executes_text(&self) -> Option<bool> {
        let level = self.bash.execute_level;
        level.map(|_| self.bash.flag(level))
    }

    pub(super) fn line(&self) -> c_int {
        // SAFETY: the function only reads bash's own variables.
        self.bash.line_number.map_or(0, |f| unsafe { f() })
    }

    /// A command outside functions has ended.
    pub(super) fn stamp_start(&mut self, now: u64) {
        let since = now.saturating_sub(self.last);
        if since < GRAIN_NS {
            return;
        }
        self.last = now;
        let forked_line = self.forked_line.take();
        let home = self.bash.variable(c"HOME").unwrap_or_default();
        let Some(files) = self.frames(c"BASH_SOURCE") else {
            return;
        };
        let Some(innermost) = files.at(0).filter(|file| !file.is_empty()) else {
            // Outside of files only `PROMPT_COMMAND` is executed as a text; an expansion of PS1 is not.
            if self.executes_text() != Some(false) {
                let name = Name::of("PROMPT_COMMAND");
                self.table.add(PartKind::FirstPrompt, name, since, None, false);
            }
            return;
        };
        if is_launcher(innermost) {
            return;
        }
        let number = forked_line.unwrap_or_else(|| self.line());
        self.table.add_slow(
            PartKind::Line,
            names::line(innermost, home, i64::from(number)),
            since,
        );
        for nth in 0..NESTED_MAX {
            let Some(file) = files.at(nth) else { break };
            let again = (0..nth).any(|before| files.at(before) == Some(file));
            if !again && !is_launcher(file) {
                self.table
                    .add_slow(PartKind::File, names::file(file, home), since);
            }
        }
    }
}

/// Whether a file of the user's is read just now, and so loads LLE: what stood above was not seen.
pub(crate) fn is_loaded_by_file() -> bool {
    let innermost = || super::state()?.frames(c"BASH_SOURCE")?.at(0);
    innermost().is_some_and(|file| !file.is_empty() && !is_launcher(file))
}

/// The script that loads LLE, read from a descriptor.
pub(super) fn is_launcher(file: &[u8]) -> bool {
    file.starts_with(b"/dev/fd/") || file.starts_with(b"/proc/self/fd/")
}
