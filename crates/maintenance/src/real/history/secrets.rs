//! Commands that seem to hold a secret, as they come into the log: told, never dropped.
//!
//! Invariant: of the command, its number is told and the kind of secret; no text of it.

use std::fs;
use std::path::Path;

use lle_core::secret;
use lle_log::find;

use crate::world::{Answer, HistoryNews};

/// Bytes of new log that are looked through: far more than is typed in a second. What an import brings is told by
/// `lusush maint history stats`.
const BYTES_MAX: u64 = 1024 * 1024;
/// Secrets told at once; the first of many says enough.
const TOLD_MAX: usize = 2;

/// Looks through the `bytes` that were just mirrored.
pub(super) fn among_the_newest(log: &Path, mirror: &Path, bytes: u64) -> Vec<HistoryNews> {
    let mut news = Vec::new();
    let to = fs::metadata(mirror).map_or(0, |found| found.len());
    if bytes > BYTES_MAX {
        return news;
    }
    // What cannot be read now is not looked through: it is in the log, and `stats` reads all of it.
    let _unread = find::between(log, to.saturating_sub(bytes), to, |command| {
        let Some(kind) = secret::find(&command.command) else {
            return;
        };
        if news.len() < TOLD_MAX && !command.imported {
            news.push(told(kind, command.session, command.seq));
        }
    });
    news
}

fn told(kind: &str, session: u64, seq: u64) -> HistoryNews {
    let id = format!("{session:016x}:{seq}");
    HistoryNews {
        which: super::LOG.into(),
        file: String::new(),
        title: format!("a command that went into the history seems to hold a secret ({kind})"),
        evidence: format!("command {id}, by its shape; it was kept as it is"),
        remedy: format!(
            "`lusush maint history scrub --id {id}` takes it out; a blank before a command keeps it out"
        ),
        undo: false,
        is_loss: false,
        answer: Answer::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_log::history::History;

    #[test]
    fn a_secret_is_told_without_being_told() {
        let folder = tempfile::tempdir().unwrap();
        let (log, mirror) = (folder.path().join("m.log"), folder.path().join("m.mirror"));
        let mut history = History::open(&log, 7, 1, None).unwrap().history;
        history.started(1, b"/", b"ls").unwrap();
        let from = fs::metadata(&log).unwrap().len();
        let token = "A1".repeat(18);
        history
            .started(2, b"/", format!("curl -u me:ghp_{token} x").as_bytes())
            .unwrap();
        let to = fs::copy(&log, &mirror).unwrap();
        let news = among_the_newest(&log, &mirror, to - from);
        assert_eq!(news.len(), 1);
        assert!(news[0].title.contains("GitHub token") && news[0].remedy.contains("0000000000000007:2"));
        assert!(!format!("{news:?}").contains(&token));
        assert!(among_the_newest(&log, &mirror, 0).is_empty());
    }
}
