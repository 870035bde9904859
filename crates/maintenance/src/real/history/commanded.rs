//! Did the user tell bash to write its history file anew?
//!
//! `history -c; history -w` is how a person empties it: bash does as it is told, and so do we. Bash says nowhere that it
//! did, but the log has each command before it runs.

use std::path::Path;

use lle_core::history_builtin;
use lle_log::history::History;

/// Newest commands that are looked at, of all sessions: what was typed within a second.
const NEWEST: usize = 16;
/// How far the file system's clock may be behind: it ticks.
const TICK_NS: i64 = 20_000_000;
/// How long after a command's end a change is still its doing.
const AFTER_NS: i64 = 100_000_000;
/// How long a command of which no end is known may have run.
const UNENDED_NS: i64 = 10_000_000_000;

/// Whether a command that ran when the file changed has bash write its list, or shorten the file.
pub(super) fn at(log: &Path, changed_ns: i64) -> bool {
    let Ok(history) = History::read(log) else {
        return false;
    };
    history.tail(NEWEST).iter().any(|command| {
        let ran_ns = command.duration_ns.map_or(UNENDED_NS, |ns| {
            i64::try_from(ns).unwrap_or(i64::MAX).saturating_add(AFTER_NS)
        });
        let since_ns = changed_ns.saturating_sub(command.time_ns);
        !command.imported && (-TICK_NS..=ran_ns).contains(&since_ns) && writes(&command.command)
    })
}

/// Whether a command has `history` with `-w` among its options, or sets `HISTFILESIZE`.
fn writes(command: &[u8]) -> bool {
    history_builtin::calls_with(command, b"w") || history_builtin::sets(command, b"HISTFILESIZE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_while_it_ran() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.log");
        let mut history = History::open(&path, 7, 1, None).unwrap().history;
        let second = 1_000_000_000;
        let seq = history.started(100 * second, b"/", b"history -w").unwrap();
        assert!(at(&path, 101 * second));
        assert!(!at(&path, 99 * second));
        assert!(!at(&path, 200 * second), "killed, perhaps");
        history.finished(seq, 101 * second, 0, 1_000_000_000).unwrap();
        assert!(at(&path, 101 * second) && at(&path, 100 * second - 4_000_000));
        assert!(!at(&path, 102 * second));
        assert!(!at(&folder.path().join("none"), 100 * second));
    }
}
