//! Search as you type, newest first: what the grey suggestion is made from, on every key.
//!
//! A search walks backward through the log and remembers where it stands. What did not match a shorter text
//! cannot match a longer one that extends it, so each further key goes on where the last one stopped, and
//! the whole log is read at most once a line. Nothing is allocated once the buffers have grown.
//!
//! With an index ([`crate::index`]) it passes over what cannot match, and it may keep the newest commands in memory
//! ([`recent`]). What it finds is the same.

mod matches;
mod recent;

use std::path::PathBuf;

use crate::event::{IMPORTED, STARTED, command_of};
use crate::history::History;
use crate::index::{Finder, Groups, Next, Region};
use crate::walk::{Back, Place};
use crate::window::{WINDOW_BYTES, Window};
pub use matches::{Look, Matches};
use recent::Recent;

/// Bytes of log looked at in one call unless somebody says otherwise, some 50 000 commands with their ends: 1 to 2 ms where this was measured
/// (`cargo bench -p lle-log`), a tenth of what a key may take. The next call goes on from there.
const BYTES_PER_CALL: u64 = 8 * 1024 * 1024;
/// Records longer than this are not searched: nobody completes a command of 64 KB, and reading it costs a window.
const FRAME_BYTES_MAX: usize = WINDOW_BYTES;
/// Bytes reserved for text at first: longer than almost every command.
const TEXT_BYTES: usize = 4 * 1024;

/// Finds the newest command that starts with the typed bytes and is longer.
pub struct PrefixSearch(Search);

/// Finds the newest command that contains the typed bytes and is longer.
pub struct SubstringSearch(Search);

impl PrefixSearch {
    /// Makes a search that has found nothing yet; 72 KiB from its first use on.
    pub fn new() -> Self {
        Self(Search::new(|command, typed| command.starts_with(typed), true))
    }

    /// Returns the newest command of `history` that starts with `prefix` and is longer, if one was found yet.
    ///
    /// Only the first record of a command is looked at. Work is bounded: [`PrefixSearch::is_done`] says whether
    /// another call may find more.
    pub fn find(&mut self, history: &History, prefix: &[u8]) -> Option<&[u8]> {
        self.0.find(history, prefix)
    }

    /// Sets where the index of the log is, if it has one.
    pub fn set_index(&mut self, index: Option<PathBuf>) {
        self.0.finder = index.map(Finder::new);
    }

    /// Sets whether it goes by the index, if there is one, or walks all of the log.
    pub fn use_index(&mut self, on: bool) {
        if std::mem::replace(&mut self.0.indexed, on) != on {
            self.0.begin_anew();
        }
    }

    /// Sets whether it keeps the newest commands in memory and looks there first.
    pub fn use_memory(&mut self, on: bool) {
        if std::mem::replace(&mut self.0.remembers, on) != on {
            if on {
                // It stays when it is not asked: on trial that is every other line, and none is to begin cold.
                self.0.recent.get_or_insert_with(Recent::new);
            }
            self.0.begin_anew();
        }
    }

    /// Sets how many bytes of log one call looks at, at least one record.
    pub fn set_bytes_per_call(&mut self, bytes: u64) {
        self.0.bytes_per_call = bytes;
    }

    /// True if calling again with the same prefix can find nothing more.
    pub fn is_done(&self) -> bool {
        self.0.state != State::Searching
    }
}

impl Default for PrefixSearch {
    fn default() -> Self {
        Self::new()
    }
}

impl SubstringSearch {
    /// Makes a search that has found nothing yet; 72 KiB from its first use on.
    pub fn new() -> Self {
        Self(Search::new(contains, false))
    }

    /// Returns the newest command of `history` that contains `text` and is longer, if one was found yet.
    ///
    /// Bounded as [`PrefixSearch::find`].
    pub fn find(&mut self, history: &History, text: &[u8]) -> Option<&[u8]> {
        self.0.find(history, text)
    }

    /// Sets where the index of the log is, if it has one.
    pub fn set_index(&mut self, index: Option<PathBuf>) {
        self.0.finder = index.map(Finder::new);
    }

    /// True if calling again with the same text can find nothing more.
    pub fn is_done(&self) -> bool {
        self.0.state != State::Searching
    }
}

impl Default for SubstringSearch {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a command has the text somewhere.
pub fn contains(command: &[u8], typed: &[u8]) -> bool {
    let Some((&first, rest)) = typed.split_first() else {
        return true;
    };
    let mut from = command;
    while let Some(at) = from.iter().position(|&byte| byte == first) {
        from = &from[at + 1..];
        if from.starts_with(rest) {
            return true;
        }
    }
    false
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing newer than `place` matches.
    Searching,
    /// `found` matches, and nothing newer does.
    Found,
    /// Nothing matches.
    Absent,
}

struct Search {
    /// Whether a command matches what is typed. If it does not, it must not match anything that extends it.
    matches: fn(&[u8], &[u8]) -> bool,
    window: Window,
    typed: Vec<u8>,
    found: Vec<u8>,
    state: State,
    place: Place,
    /// Where what is being walked ends, and from where on downward the index is asked next.
    until: u64,
    below: u64,
    finder: Option<Finder>,
    /// Whether the finder is asked.
    indexed: bool,
    /// The newest commands, if they were ever kept.
    recent: Option<Recent>,
    /// Whether they are asked.
    remembers: bool,
    /// A command matches only where it begins.
    begins: bool,
    bytes_per_call: u64,
    /// The log as it was when the search began: its generation and its end.
    log: (u32, u64),
}

impl Search {
    fn new(matches: fn(&[u8], &[u8]) -> bool, begins: bool) -> Self {
        Self {
            matches,
            until: u64::MAX,
            below: 0,
            finder: None,
            indexed: true,
            recent: None,
            remembers: false,
            begins,
            window: Window::new(),
            typed: Vec::new(),
            found: Vec::new(),
            state: State::Absent,
            place: Place::before(0),
            bytes_per_call: BYTES_PER_CALL,
            log: (0, 0),
        }
    }

    fn find(&mut self, history: &History, typed: &[u8]) -> Option<&[u8]> {
        self.follow(history, typed);
        if self.state == State::Searching {
            self.search(history);
        }
        (self.state == State::Found).then_some(&self.found[..])
    }

    /// Takes over what is typed now, keeping what was learnt as far as it still holds.
    fn follow(&mut self, history: &History, typed: &[u8]) {
        let log = history.version();
        let extends = !self.typed.is_empty() && typed.starts_with(&self.typed);
        if log != self.log || !extends {
            if log != self.log {
                // What was read of it may have been taken out since.
                self.window.clear();
            }
            self.log = log;
            self.place = Place::before(log.1);
            (self.until, self.below) = (u64::MAX, log.1);
            self.state = if typed.is_empty() {
                State::Absent
            } else {
                State::Searching
            };
        } else if self.state == State::Found && !self.fits(typed, &self.found) {
            self.state = State::Searching;
        }
        if typed != self.typed
            && let Some(finder) = &mut self.finder
        {
            finder.forget();
        }
        self.typed.clear();
        self.typed.reserve(TEXT_BYTES.max(typed.len()));
        self.typed.extend_from_slice(typed);
    }

    /// Forgets how far the search has come.
    fn begin_anew(&mut self) {
        self.typed.clear();
        self.state = State::Absent;
    }

    fn fits(&self, typed: &[u8], command: &[u8]) -> bool {
        command.len() > typed.len() && (self.matches)(command, typed)
    }

    fn search(&mut self, history: &History) {
        if self.remembers(history) {
            return;
        }
        if let Some(finder) = &mut self.finder {
            finder.open(history.beginning());
        }
        self.walk(history);
        if let Some(finder) = &mut self.finder {
            finder.close();
        }
    }

    /// Looks among the newest commands; true if one of them is what is looked for. If none is, the log is walked from
    /// where they begin.
    fn remembers(&mut self, history: &History) -> bool {
        let Some(recent) = self.recent.as_mut().filter(|_| self.remembers) else {
            return false;
        };
        // Only where the search has not passed them already.
        if self.place.offset() == self.log.1 {
            recent.follow(history, &mut self.window);
        } else if !recent.is_of(self.log) || self.place.offset() <= recent.rest().offset() {
            return false;
        }
        let (typed, matches) = (&self.typed[..], self.matches);
        let fits = |command: &[u8]| command.len() > typed.len() && matches(command, typed);
        if let Some((at, command)) = recent.newest(self.place.offset(), fits) {
            // It may have been taken out since: in place, which changes neither the log's name nor its length.
            if !history.is_intact(at) {
                *recent = Recent::new();
                self.window.clear();
                return false;
            }
            self.found.clear();
            self.found.reserve(TEXT_BYTES.max(command.len()));
            self.found.extend_from_slice(command);
            self.place = Place::before(at);
            self.state = State::Found;
            return true;
        }
        self.place = recent.rest();
        (self.until, self.below) = (u64::MAX, self.place.offset());
        false
    }

    fn walk(&mut self, history: &History) {
        let mut budget = self.bytes_per_call.max(1);
        let groups = Groups::of(&self.typed, self.begins);
        let (typed, matches) = (&self.typed[..], self.matches);
        let wanted = |kind: u8, payload: &[u8]| {
            (kind == STARTED || kind == IMPORTED)
                && command_of(kind, payload)
                    .is_some_and(|command| command.len() > typed.len() && matches(command, typed))
        };
        while budget > 0 {
            let offset = self.place.offset();
            if offset <= self.until {
                let next = match self.finder.as_mut().filter(|_| self.indexed) {
                    Some(finder) => finder.before(&groups, &mut self.below, offset, &mut budget),
                    None if self.until == u64::MAX => Next::Region(Region {
                        end: offset,
                        start: 0,
                    }),
                    None => Next::Nothing,
                };
                match next {
                    Next::Region(region) => {
                        // Where the walk stands already, it may stand in the middle of damage.
                        if region.end < offset {
                            self.place = Place::before(region.end);
                        }
                        self.until = region.start;
                    }
                    Next::Later => return,
                    Next::Nothing => {
                        self.state = State::Absent;
                        return;
                    }
                }
            }
            let before = self.place.offset();
            match history.step_back(&mut self.window, &mut self.place, FRAME_BYTES_MAX, wanted) {
                Back::Passed => {}
                Back::Start => {
                    self.state = State::Absent;
                    return;
                }
                Back::Record(record) if record.redacted => {}
                Back::Record(record) => {
                    if let Some(command) = command_of(record.header.kind, record.payload) {
                        self.found.clear();
                        self.found.reserve(TEXT_BYTES.max(command.len()));
                        self.found.extend_from_slice(command);
                        self.state = State::Found;
                        return;
                    }
                }
            }
            budget = budget.saturating_sub(before - self.place.offset());
        }
    }
}
