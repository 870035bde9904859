//! What the session that `maint` is typed in says of itself where no file of its own does.
//!
//! A session whose flight file cannot be made is seen by nobody: its `maint` passes on what it knows in a variable, the form
//! of which is stated by its writer (`crates/bash/src/session/told.rs`). Lines that are not known are passed over, so that a
//! session that is newer than this program is understood as far as it goes.

use std::fmt::Write;

use lle_core::quantity::several;
use serde::Serialize;

use super::render::line;
use crate::text::{COLUMNS, Ink, printable};

/// The variable.
const VARIABLE: &str = "LUSUSH_MEMORY_ONLY";
/// Characters of a reason that are shown.
const REASON_MAX: usize = 300;
/// What helps in each case.
const REMEDY: &str = "make room, or give yourself the folder: `lusush doctor` says which and how. It is tried again at \
                      each prompt, and the shell goes on meanwhile";

/// What helps where no variable says where anything belongs: a session reads them once.
const REMEDY_NOWHERE: &str = "set HOME, and start another shell: `lusush doctor` says more";

/// A session that keeps in its memory what belongs on the disk.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct MemoryOnly {
    /// Sixteen hex digits.
    pub(crate) session: String,
    pub(crate) pid: Option<u32>,
    /// Why nobody else sees the session; null if they do.
    pub(crate) unseen: Option<String>,
    /// Why its commands are not in the history log; null if they are.
    pub(crate) history: Option<String>,
    /// Commands that wait in it for the log; null if none are to: then bash alone keeps them.
    pub(crate) commands_waiting: Option<u64>,
}

impl MemoryOnly {
    /// What the session that this was typed in passed on, if it did.
    pub(crate) fn of_this_session() -> Option<Self> {
        Self::read(std::env::var_os(VARIABLE)?.to_str()?)
    }

    fn read(told: &str) -> Option<Self> {
        let mut found = Self::default();
        for (name, value) in told.lines().filter_map(|line| line.split_once(' ')) {
            match name {
                "session" => found.session = value.to_owned(),
                "pid" => found.pid = value.parse().ok(),
                "flight" => found.unseen = Some(value.to_owned()),
                "history" => found.history = Some(value.to_owned()),
                "waiting" => found.commands_waiting = value.parse().ok(),
                _ => {}
            }
        }
        (found.unseen.is_some() || found.history.is_some()).then_some(found)
    }

    /// For people.
    pub(super) fn tell(&self, out: &mut String, ink: Ink) {
        let pid = self.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
        let _ = writeln!(
            out,
            "{}: {}{pid}",
            ink.bad("This session is memory only"),
            printable(&self.session, COLUMNS / 2)
        );
        if let Some(why) = &self.unseen {
            let why = printable(why, REASON_MAX);
            line(
                out,
                "seen",
                &format!("by itself alone, since it could make no file for that: {why}"),
            );
        }
        if let Some(why) = &self.history {
            let where_to = match self.commands_waiting {
                None => "kept by bash alone".to_owned(),
                Some(0) => "commands wait in this shell for the log; none does yet".to_owned(),
                Some(n) => {
                    let waiting = several(n, "command waits", "commands wait");
                    format!("{waiting} in this shell for the log")
                }
            };
            line(
                out,
                "history",
                &format!("{where_to}: {}", printable(why, REASON_MAX)),
            );
        }
        let has_no_place = self.history.is_some() && self.commands_waiting.is_none();
        line(
            out,
            "what to do",
            if has_no_place { REMEDY_NOWHERE } else { REMEDY },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_says_is_read_as_far_as_it_is_known() {
        let told =
            "session 11fe\npid 4711\nflight /run: no room\nhistory no log: why\nwaiting 3\nlater news\n";
        let found = MemoryOnly::read(told).unwrap();
        assert_eq!(
            (&found.session[..], found.pid, found.commands_waiting),
            ("11fe", Some(4711), Some(3))
        );
        assert_eq!(found.unseen.as_deref(), Some("/run: no room"));
        assert_eq!(found.history.as_deref(), Some("no log: why"));
        for nothing in ["", "nonsense", "session 11fe\npid 4711\n"] {
            assert_eq!(MemoryOnly::read(nothing), None, "{nothing:?}");
        }
        let odd = MemoryOnly::read("pid many\nhistory why\nwaiting -1\n").unwrap();
        assert_eq!((odd.pid, odd.commands_waiting), (None, None));
    }
}
