//! What a search as you type has come to: the text, what was found for it, and which of that stands in the line.
//!
//! ```text
//!  key ▸ Op ▸ text, filters, target ─▸ settle ─▸ the row shown, "failed", the bell
//!                                        ▴
//!  the source ▸ offer, one row at a time ┘       rows are newest first, each command once
//! ```
//!
//! Invariants: a function of what it is given, it reads nothing; a row that is kept matches the text; what is shown was found,
//! and stays when nothing matches any more, as readline has it.

use lle_log::history::squeezed;
use lle_log::search::contains;
use std::collections::HashSet;

/// Rows of a page: what one takes in at a glance.
pub(crate) const PAGE_ROWS: usize = 8;
/// The longest text searched for; what is pasted beyond is nobody's search.
const TEXT_MAX: usize = 1024;

/// What is known of a command besides its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// Somebody told: else it is what bash's list has, the text alone.
    pub(crate) known: bool,
    /// When it ran last, in nanoseconds since 1970; 0 if unknown.
    pub(crate) time_ns: i64,
    /// Where; empty if unknown.
    pub(crate) cwd: Vec<u8>,
    /// How it ended, if anybody knows.
    pub(crate) status: Option<i32>,
}

/// A command that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) text: Vec<u8>,
    pub(crate) about: About,
}

/// How commands have to have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ended {
    #[default]
    Anyhow,
    Worked,
    Failed,
}

/// Since when commands have to have run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Since {
    #[default]
    Ever,
    Today,
    Week,
}

/// What commands have to be besides matching.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Of this folder.
    pub(crate) here: bool,
    pub(crate) ended: Ended,
    pub(crate) since: Since,
    /// Whose log: 0 is this machine's.
    pub(crate) host: usize,
}

impl Filter {
    /// True if every command passes: only then bash's list is asked, which knows nothing but texts.
    pub(crate) fn passes_all(self) -> bool {
        self == Self::default()
    }
}

/// Something to do, by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Rubout,
    /// Ctrl-R.
    Older,
    /// Ctrl-S.
    Newer,
    RowDown,
    RowUp,
    /// Ctrl-W: the next word of what is shown.
    TakeWord,
    /// Ctrl-Y: the rest of it.
    TakeRest,
    Here,
    Ended,
    Since,
    Host,
    Order,
    Why,
}

/// See the module's head.
#[derive(Default)]
pub(crate) struct Search {
    pub(crate) text: Vec<u8>,
    pub(crate) filter: Filter,
    /// The likeliest come first, and not the newest.
    pub(crate) likeliest: bool,
    /// The reasons of the row shown are told.
    pub(crate) why: bool,
    /// The last step went toward the newer ones.
    pub(crate) forward: bool,
    pub(crate) failed: bool,
    /// Which row is wanted in the line; it may not have been found yet. None: the line as it was.
    target: Option<usize>,
    shown: Option<Row>,
    rows: Vec<Row>,
    /// The rows' texts, by which bash's list and the log are known to mean the same.
    seen: HashSet<Vec<u8>>,
    /// The rows are of another text or filter; the source begins anew.
    stale: bool,
    /// The text has grown: the source goes on with the longer one.
    narrowed: bool,
    /// The source has nothing more.
    complete: bool,
    bell: bool,
}

impl Search {
    /// Begins a search for nothing yet: all commands match.
    pub(crate) fn new() -> Self {
        Self {
            stale: true,
            ..Self::default()
        }
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn shown(&self) -> Option<&Row> {
        self.shown.as_ref()
    }

    /// The row that stands in the line.
    pub(crate) fn chosen(&self) -> Option<usize> {
        self.target.filter(|target| *target < self.rows.len())
    }

    /// Where in the row shown the text is: its last place, as readline goes through a line from its end.
    pub(crate) fn matched(&self) -> std::ops::Range<usize> {
        let Some(row) = self.shown.as_ref().filter(|_| !self.text.is_empty()) else {
            return 0..0;
        };
        let mut places = row.text.windows(self.text.len());
        let at = places.rposition(|place| place == self.text);
        at.map_or(0..0, |at| at..at + self.text.len())
    }

    /// Takes whether the bell is to ring.
    pub(crate) fn take_bell(&mut self) -> bool {
        std::mem::take(&mut self.bell)
    }

    /// True if the row that is wanted may still come.
    pub(crate) fn is_pending(&self) -> bool {
        self.stale
            || self
                .target
                .is_some_and(|target| target >= self.rows.len() && !self.complete)
    }

    /// True if it is not known yet which row an older one is.
    pub(crate) fn awaits_older(&self) -> bool {
        self.is_pending() && self.target.is_some_and(|target| target > 0)
    }

    /// True if more rows are wanted than there are.
    pub(crate) fn lacks_rows(&self) -> bool {
        let pages = self.target.unwrap_or(0) / PAGE_ROWS + 1;
        self.stale || !self.complete && self.rows.len() <= pages * PAGE_ROWS
    }

    /// True if of a row that is in sight only the text is known.
    pub(crate) fn lacks_knowledge(&self) -> bool {
        self.page().any(|(_, row)| !row.about.known)
    }

    /// The rows of the page that the wanted one is on, with their numbers.
    pub(crate) fn page(&self) -> impl Iterator<Item = (usize, &Row)> {
        let at = self.target.unwrap_or(0).min(self.rows.len().saturating_sub(1));
        let first = at / PAGE_ROWS * PAGE_ROWS;
        self.rows.iter().enumerate().skip(first).take(PAGE_ROWS)
    }

    /// Adds to the text.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let room = TEXT_MAX.saturating_sub(self.text.len());
        if bytes.is_empty() || room < bytes.len() {
            self.bell |= !bytes.is_empty();
            return;
        }
        self.text.extend_from_slice(bytes);
        self.failed = false;
        // The order of the likeliest is another with every text.
        self.stale |= self.likeliest;
        self.narrowed = true;
        // What is shown stays if it still matches; otherwise the next older one that does.
        let (text, target) = (&self.text, self.target.unwrap_or(0));
        let fits = |row: &Row| contains(&row.text, text);
        let before = self.rows.iter().take(target).filter(|row| fits(row)).count();
        self.rows.retain(fits);
        self.target = Some(before);
        self.settle();
    }

    /// Does what a key asks for; `last` is what was searched for before.
    pub(crate) fn act(&mut self, op: Op, last: &[u8]) {
        match op {
            Op::Rubout => self.rubout(),
            Op::Older if self.text.is_empty() && !last.is_empty() => {
                self.forward = false;
                self.add(last);
            }
            Op::Older => {
                self.forward = false;
                self.older();
            }
            Op::Newer => {
                self.forward = true;
                self.newer();
            }
            Op::RowDown => self.older(),
            Op::RowUp => self.newer(),
            Op::TakeWord => self.take(word_of),
            Op::TakeRest => self.take(|rest| rest.len()),
            Op::Here => self.filter_anew(|filter| filter.here = !filter.here),
            Op::Ended => self.filter_anew(|filter| {
                filter.ended = match filter.ended {
                    Ended::Anyhow => Ended::Worked,
                    Ended::Worked => Ended::Failed,
                    Ended::Failed => Ended::Anyhow,
                };
            }),
            Op::Since => self.filter_anew(|filter| {
                filter.since = match filter.since {
                    Since::Ever => Since::Today,
                    Since::Today => Since::Week,
                    Since::Week => Since::Ever,
                };
            }),
            Op::Host => self.filter_anew(|filter| filter.host += 1),
            Op::Order => {
                self.likeliest = !self.likeliest;
                self.begin_anew();
            }
            Op::Why => self.why = !self.why,
        }
    }

    /// The next machine is the first again.
    pub(crate) fn own_host(&mut self) {
        self.filter.host = 0;
    }

    fn filter_anew(&mut self, change: impl FnOnce(&mut Filter)) {
        change(&mut self.filter);
        self.begin_anew();
    }

    /// Has the source begin again from the newest; what is there stays in sight until something else is found.
    fn begin_anew(&mut self) {
        (self.stale, self.complete, self.failed) = (true, false, false);
        self.target = (!self.text.is_empty()).then_some(0);
    }

    fn rubout(&mut self) {
        let Some((_, text)) = self.text.split_last() else {
            self.bell = true;
            return;
        };
        // A whole character, if it is one.
        let mut end = text.len();
        while end > 0 && self.text[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        self.text.truncate(end);
        self.begin_anew();
        if self.text.is_empty() {
            self.shown = None;
        }
    }

    fn older(&mut self) {
        self.failed = false;
        self.target = Some(self.target.map_or(0, |target| target + 1));
        self.settle();
    }

    fn newer(&mut self) {
        match self.target.and_then(|target| target.checked_sub(1)) {
            Some(target) => {
                self.target = Some(target);
                self.settle();
            }
            None => (self.failed, self.bell) = (self.target.is_some(), true),
        }
    }

    /// Adds some of what follows the match in the row shown.
    fn take(&mut self, how_much: impl FnOnce(&[u8]) -> usize) {
        let end = self.matched().end;
        let rest = self.shown.as_ref().and_then(|row| row.text.get(end..));
        let more = rest
            .map(|rest| rest[..how_much(rest)].to_vec())
            .unwrap_or_default();
        self.bell |= more.is_empty();
        self.add(&more);
    }

    /// Brings what is shown up to date with what is wanted and what there is.
    fn settle(&mut self) {
        let Some(target) = self.target else { return };
        if self.stale {
            return;
        }
        if let Some(row) = self.rows.get(target) {
            self.failed = false;
            if self.shown.as_ref() != Some(row) {
                self.shown = Some(row.clone());
            }
        } else if self.complete {
            self.bell |= !self.failed;
            self.failed = true;
            self.target = Some(self.rows.len().saturating_sub(1));
        }
    }

    // What the source tells.

    /// What the source has to do first: begin anew, or go on with a longer text.
    pub(crate) fn take_change(&mut self) -> Option<Change> {
        let narrowed = std::mem::take(&mut self.narrowed);
        if std::mem::take(&mut self.stale) {
            self.rows.clear();
            self.seen.clear();
            self.complete = false;
            return Some(Change::Anew);
        }
        narrowed.then_some(Change::Narrowed)
    }

    /// Whether the source has something to begin with.
    pub(crate) fn has_changed(&self) -> bool {
        self.stale || self.narrowed
    }

    /// Adds a row behind the others, unless the command is one of them: then what is known of it is taken over, if that is
    /// more.
    pub(crate) fn offer(&mut self, row: Row) {
        let key = squeezed(&row.text);
        if self.seen.contains(&key) {
            self.tell(&key, row.about);
        } else {
            self.seen.insert(key);
            self.rows.push(row);
        }
    }

    /// Whether a command is among the rows.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.seen.contains(key)
    }

    /// Tells of a command among the rows when it ran last; the first word on it is the newest.
    fn tell(&mut self, key: &[u8], about: About) {
        let known = self
            .rows
            .iter_mut()
            .find(|row| !row.about.known && squeezed(&row.text) == key);
        if let Some(row) = known {
            row.about = about;
        }
    }

    /// The source says that there is nothing more, or that there may be.
    pub(crate) fn told(&mut self, complete: bool) {
        self.complete = complete;
        // What has failed stays so until the next key.
        if !self.failed {
            self.settle();
        }
    }
}

/// What the source has to do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Anew,
    Narrowed,
}

/// The length of the next word: none if no word begins there.
fn word_of(rest: &[u8]) -> usize {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    rest.iter().position(|byte| !is_word(byte)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests;
