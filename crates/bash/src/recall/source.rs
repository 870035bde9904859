//! Where the rows come from: bash's own list, then the history log, some of either at a time.
//!
//! ```text
//!  bash's list, newest first ─▸ rows ◂── what ran when, where and how it ended ── the log, newest first
//!                               └ once the list has no more, what only the log has
//!  the likeliest first: all uses in the log ▸ rank ▸ rows, then what only the list has
//! ```
//!
//! The list comes first since it is what Ctrl-R always went through: a command that never reached the log is found in its
//! place. With a filter the log alone is asked, for the list knows nothing but texts.
//!
//! Invariant: a step is bounded, in entries of the list or bytes of the log, and leaves everything where the next goes on.

use super::state::{About, Change, Ended, Filter, Row, Search, Since};
use lle_core::recall::{Recalled, Use, rank};
use lle_log::history::{Command, History, Reading, squeezed};
use lle_log::search::{Look, Matches, contains};
use std::path::PathBuf;

/// Bytes of log in a step: about a millisecond, after which the terminal is looked at.
const STEP_BYTES: u64 = 4 * 1024 * 1024;
/// Entries of bash's list in a step.
const STEP_ENTRIES: usize = 4_096;
/// Commands of the log put aside while bash's list is not through: some of them are further up in it.
const ASIDE_MAX: usize = 256;
/// Uses looked at to tell how often a command is used, as `lusush maint history search` has it.
const USES_MAX: usize = 10_000;

/// What a step goes by.
pub(crate) struct Around<'a> {
    /// This machine's log.
    pub(crate) history: &'a History,
    /// Bash's list, oldest first, by number.
    pub(crate) entry: &'a dyn Fn(usize) -> &'a [u8],
    pub(crate) entries: usize,
    /// The folder of the shell.
    pub(crate) here: &'a [u8],
    /// When today began and what the time is, in nanoseconds since 1970.
    pub(crate) midnight_ns: i64,
    pub(crate) now_ns: i64,
}

/// A log that is not this machine's.
pub(crate) struct Other {
    pub(crate) host: String,
    pub(crate) log: Reading,
}

/// See the module's head.
pub(crate) struct Source {
    matches: Matches,
    /// Entries of the list that were not looked at yet.
    entries_left: usize,
    aside: Vec<Row>,
    /// All uses, for the reasons of a rank.
    uses: Matches,
    used: Vec<Use>,
    ranked: Option<Vec<Recalled>>,
    /// Ranked commands that became rows.
    ranked_taken: usize,
    pub(crate) other: Option<Other>,
    index: Option<PathBuf>,
}

impl Source {
    pub(crate) fn new(index: Option<PathBuf>) -> Self {
        Self {
            matches: Matches::new(index.clone()),
            entries_left: 0,
            aside: Vec::new(),
            uses: Matches::new(index.clone()),
            used: Vec::new(),
            ranked: None,
            ranked_taken: 0,
            other: None,
            index,
        }
    }

    /// Goes by another machine's log from now on, or by this one's again.
    pub(crate) fn switch(&mut self, other: Option<Other>) {
        // No other log has an index here.
        let index = self.index.clone().filter(|_| other.is_none());
        (self.matches, self.uses) = (Matches::new(index.clone()), Matches::new(index));
        self.other = other;
    }

    /// True if a step would do something.
    pub(crate) fn owes(&self, search: &Search) -> bool {
        search.has_changed()
            || search.lacks_rows()
            || self.may_tell(search)
            || search.why && self.ranked.is_none()
    }

    /// True if the log may tell more of a row in sight.
    fn may_tell(&self, search: &Search) -> bool {
        let goes_on = !search.likeliest && !self.matches.is_done() && self.aside.len() < ASIDE_MAX;
        goes_on && search.lacks_knowledge()
    }

    /// What is known of the row that is shown, for `--why`.
    pub(crate) fn reasons(&self, search: &Search) -> Option<&Recalled> {
        let text = &search.shown()?.text;
        let ranked = self.ranked.as_ref()?;
        ranked.iter().find(|one| one.newest.command == *text)
    }

    /// Does the next piece of work.
    pub(crate) fn step(&mut self, search: &mut Search, around: &Around<'_>) {
        match search.take_change() {
            Some(Change::Anew) => self.begin(search, around),
            Some(Change::Narrowed) => self.narrow(search, around),
            None => {}
        }
        if search.likeliest && self.ranked.is_none() {
            self.gather(search, around);
        } else if search.likeliest && search.lacks_rows() && self.take_ranked(search) {
            // The list comes when those are through.
        } else if self.entries_left > 0 && search.lacks_rows() {
            self.walk_list(search, around);
        } else if !search.likeliest && search.lacks_rows() || self.may_tell(search) {
            self.walk_log(search, around);
        } else if search.why && self.ranked.is_none() {
            self.gather(search, around);
        }
        search.told(self.is_through(search));
    }

    fn is_through(&self, search: &Search) -> bool {
        let ranked = self.ranked.as_ref();
        self.entries_left == 0
            && match search.likeliest {
                true => ranked.is_some_and(|ranked| self.ranked_taken >= ranked.len()),
                false => self.matches.is_done() && self.aside.is_empty(),
            }
    }

    fn begin(&mut self, search: &Search, around: &Around<'_>) {
        let by_list = search.filter.passes_all();
        self.entries_left = if by_list { around.entries } else { 0 };
        self.aside.clear();
        let history = self.other.as_ref().map_or(around.history, |other| &other.log);
        self.matches.begin(history, &search.text);
        self.rank_anew(&search.text, around);
    }

    fn narrow(&mut self, search: &Search, around: &Around<'_>) {
        self.matches.narrow(&search.text);
        self.aside.retain(|row| contains(&row.text, &search.text));
        self.rank_anew(&search.text, around);
    }

    fn rank_anew(&mut self, text: &[u8], around: &Around<'_>) {
        self.used.clear();
        (self.ranked, self.ranked_taken) = (None, 0);
        let history = self.other.as_ref().map_or(around.history, |other| &other.log);
        self.uses.begin(history, text);
    }

    fn walk_list(&mut self, search: &mut Search, around: &Around<'_>) {
        // The list may have been cut meanwhile, by a trap.
        self.entries_left = self.entries_left.min(around.entries);
        for _ in 0..STEP_ENTRIES {
            let Some(at) = self.entries_left.checked_sub(1) else {
                break;
            };
            if !search.lacks_rows() {
                return;
            }
            self.entries_left = at;
            let text = (around.entry)(at);
            if text.is_empty() || !contains(text, &search.text) {
                continue;
            }
            let key = squeezed(text);
            let aside = self.aside.iter().position(|row| squeezed(&row.text) == key);
            let about = aside.map(|at| self.aside.remove(at).about).unwrap_or_default();
            search.offer(Row {
                text: text.to_vec(),
                about,
            });
        }
        if self.entries_left == 0 {
            self.aside.drain(..).for_each(|row| search.offer(row));
        }
    }

    fn walk_log(&mut self, search: &mut Search, around: &Around<'_>) {
        let Self {
            matches,
            aside,
            other,
            entries_left,
            ..
        } = self;
        let history = other.as_ref().map_or(around.history, |other| &other.log);
        let filter = search.filter;
        let list_is_through = *entries_left == 0;
        let search = std::cell::RefCell::new(search);
        let wanted = |command: &Command| {
            let search = search.borrow();
            // A command of several lines is known by all of them, which come later.
            admits(filter, around, command)
                && (search.lacks_knowledge() || !search.has(&squeezed(&command.command)))
        };
        matches.step(history, STEP_BYTES, wanted, |command| {
            let mut search = search.borrow_mut();
            if !ended_as(filter.ended, command.status) {
                return Look::On;
            }
            let row = row_of(command);
            let key = squeezed(&row.text);
            if list_is_through || search.has(&key) {
                search.offer(row);
            } else if !aside.iter().any(|known| squeezed(&known.text) == key) {
                aside.push(row);
            }
            let enough = !search.lacks_rows() && !search.lacks_knowledge();
            match enough || aside.len() >= ASIDE_MAX {
                true => Look::Enough,
                false => Look::On,
            }
        });
    }

    /// Makes rows of the next ranked commands; false if there are no more.
    fn take_ranked(&mut self, search: &mut Search) -> bool {
        let ranked = self.ranked.as_deref().unwrap_or_default();
        let Some(rest) = ranked.get(self.ranked_taken..).filter(|rest| !rest.is_empty()) else {
            return false;
        };
        for one in rest.iter().take(STEP_ENTRIES) {
            if !search.lacks_rows() {
                break;
            }
            self.ranked_taken += 1;
            search.offer(Row {
                text: one.newest.command.clone(),
                about: About {
                    known: true,
                    time_ns: one.newest.time_ns,
                    cwd: one.newest.cwd.clone(),
                    status: one.newest.status,
                },
            });
        }
        true
    }

    /// Takes in more uses, and ranks them once there are no more.
    fn gather(&mut self, search: &Search, around: &Around<'_>) {
        let Self {
            uses, used, other, ..
        } = self;
        let history = other.as_ref().map_or(around.history, |other| &other.log);
        let filter = search.filter;
        uses.step(
            history,
            STEP_BYTES,
            |command| admits(filter, around, command),
            |command| {
                if ended_as(filter.ended, command.status) {
                    used.push(Use {
                        command: command.command,
                        time_ns: command.time_ns,
                        cwd: command.cwd,
                        status: command.status,
                        host: String::new(),
                    });
                }
                match used.len() < USES_MAX {
                    true => Look::On,
                    false => Look::Enough,
                }
            },
        );
        if uses.is_done() || used.len() >= USES_MAX {
            self.ranked = Some(rank(std::mem::take(used), around.here, around.now_ns));
        }
    }
}

fn row_of(command: Command) -> Row {
    Row {
        text: command.command,
        about: About {
            known: true,
            time_ns: command.time_ns,
            cwd: command.cwd,
            status: command.status,
        },
    }
}

/// Whether a command passes by what its first record says.
fn admits(filter: Filter, around: &Around<'_>, command: &Command) -> bool {
    const WEEK_NS: i64 = 7 * 24 * 3_600 * 1_000_000_000;
    let since_ns = match filter.since {
        Since::Ever => i64::MIN,
        Since::Today => around.midnight_ns.max(1),
        Since::Week => around.now_ns.saturating_sub(WEEK_NS).max(1),
    };
    (!filter.here || command.cwd == around.here) && command.time_ns >= since_ns
}

/// Whether it passes by how it ended; of one that nobody saw end nobody knows.
fn ended_as(wanted: Ended, status: Option<i32>) -> bool {
    match wanted {
        Ended::Anyhow => true,
        Ended::Worked => status == Some(0),
        Ended::Failed => status.is_some_and(|status| status != 0),
    }
}

#[cfg(test)]
mod tests;
