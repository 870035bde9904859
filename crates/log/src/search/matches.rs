//! Every command that contains a text, newest first, some of the log a call: what a list of matches is made from.
//!
//! ```text
//!  log │ … │ place ◂─ looked through ─│ newest         text that grows: goes on from `place`, nothing is read twice
//! ```
//!
//! Invariants: a call looks at a bounded stretch and rests where it stands; no descriptor is held between two calls, and
//! nothing that was read of the log either, since it may be taken out meanwhile.

use std::path::PathBuf;

use super::contains;
use crate::event::{Event, IMPORTED, STARTED, command_of};
use crate::frame::{FRAME_BYTES, PAYLOAD_BYTES_MAX};
use crate::history::{Command, History};
use crate::index::{Finder, Groups, Next, Region};
use crate::join::join;
use crate::walk::{Back, Forward, Place};
use crate::window::Window;

/// Bytes behind a command in which its end is looked for: of one that ran while thousands of others did it is unknown.
const END_BYTES_MAX: u64 = 64 * 1024;
/// Bytes in which it is looked for first: nearly always it is the next record or the one after.
const END_BYTES_FIRST: u64 = 4 * 1024;
/// What reading that much counts for, as bytes of log that are walked: a system call and what it copies.
const END_COST: u64 = 16 * 1024;

/// What whoever asks says of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Look for the next one.
    On,
    /// That is enough for this call; the next goes on behind it.
    Enough,
}

/// See the module's head.
pub struct Matches {
    finder: Option<Finder>,
    window: Window,
    /// Through which ends are read.
    ends: Window,
    text: Vec<u8>,
    groups: Groups,
    place: Place,
    /// Where what is being walked ends, and from where on downward the index is asked next.
    until: u64,
    below: u64,
    /// The log as it was when the search began: its generation and its end.
    log: (u32, u64),
    is_done: bool,
}

impl Matches {
    /// Makes a search that has nothing to look for; `index` is where the index of the log is, if it has one.
    pub fn new(index: Option<PathBuf>) -> Self {
        Self {
            finder: index.map(Finder::new),
            window: Window::new(),
            ends: Window::new(),
            text: Vec::new(),
            groups: Groups::of(b"", false),
            place: Place::before(0),
            until: u64::MAX,
            below: 0,
            log: (0, 0),
            is_done: true,
        }
    }

    /// Begins at the newest command of the log. An empty text occurs in every command.
    pub fn begin(&mut self, history: &History, text: &[u8]) {
        self.log = history.version();
        self.place = Place::before(self.log.1);
        (self.until, self.below) = (u64::MAX, self.log.1);
        self.is_done = false;
        self.look_for(text);
    }

    /// Goes on from where it stands with a text that contains the former one: what did not match that is not looked at again.
    pub fn narrow(&mut self, text: &[u8]) {
        debug_assert!(contains(text, &self.text));
        self.look_for(text);
    }

    fn look_for(&mut self, text: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(text);
        self.groups = Groups::of(text, false);
        if let Some(finder) = &mut self.finder {
            finder.forget();
        }
    }

    /// True if there is nothing more to be found.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Looks through some `bytes` of the log, at least one record, and calls `each` with the commands found there that
    /// `wanted` accepts, which sees them before their further lines and their end are known. Only the first record of a
    /// command is looked at for the text.
    ///
    /// What was appended since the search began is not looked at. A log that was replaced is another one: the search is done
    /// then.
    pub fn step(
        &mut self,
        history: &History,
        bytes: u64,
        mut wanted: impl FnMut(&Command) -> bool,
        mut each: impl FnMut(Command) -> Look,
    ) {
        if self.is_done || history.version().0 != self.log.0 {
            self.is_done = true;
            return;
        }
        // What was read of it may have been taken out since, in place.
        self.window.clear();
        if let Some(finder) = &mut self.finder {
            finder.open(history.beginning());
        }
        let mut budget = bytes.max(1);
        while budget > 0 && !self.is_done {
            let Some(mut command) = self.next(history, &mut budget) else {
                continue;
            };
            if !wanted(&command.1) {
                continue;
            }
            budget = budget.saturating_sub(END_COST);
            self.end(history, command.0, &mut command.1);
            if each(command.1) == Look::Enough {
                break;
            }
        }
        if let Some(finder) = &mut self.finder {
            finder.close();
        }
    }

    /// Steps one record, or over one stretch that cannot match; gives a command that matches and where its record ends.
    fn next(&mut self, history: &History, budget: &mut u64) -> Option<(u64, Command)> {
        let offset = self.place.offset();
        if offset <= self.until {
            let next = match &mut self.finder {
                Some(finder) => finder.before(&self.groups, &mut self.below, offset, budget),
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
                Next::Later => return None,
                Next::Nothing => {
                    self.is_done = true;
                    return None;
                }
            }
        }
        let text = &self.text[..];
        let wanted = |kind: u8, payload: &[u8]| {
            matches!(kind, STARTED | IMPORTED)
                && command_of(kind, payload).is_some_and(|command| contains(command, text))
        };
        let before = self.place.offset();
        let longest = FRAME_BYTES + PAYLOAD_BYTES_MAX;
        let found = match history.step_back(&mut self.window, &mut self.place, longest, wanted) {
            Back::Start => {
                self.is_done = true;
                None
            }
            Back::Record(record) if !record.redacted => {
                let event = Event::read(record.header.kind, record.payload);
                let command = event.and_then(|event| Command::begin(&record.header, event));
                command.map(|command| (record.at + record.header.frame_bytes() as u64, command))
            }
            Back::Passed | Back::Record(_) => None,
        };
        *budget = budget.saturating_sub(before - self.place.offset());
        found
    }

    /// Joins what follows a command soon: its further lines and its end.
    fn end(&mut self, history: &History, from: u64, command: &mut Command) {
        if command.imported {
            return;
        }
        let first = command.clone();
        for bytes in [END_BYTES_FIRST, END_BYTES_MAX] {
            command.clone_from(&first);
            let to = history.version().1.min(from + bytes);
            self.ends.clear();
            let window = std::mem::replace(&mut self.ends, Window::new());
            let mut walk = Forward::through(window, history.descriptor(), from.min(to), to);
            while command.status.is_none()
                && let Some(record) = walk.next()
            {
                let event = Event::read(record.header.kind, record.payload);
                let own = !record.redacted && record.header.session == command.session;
                if let Some(event) = event.filter(|_| own) {
                    join(std::iter::once(&mut *command), record.header.session, event);
                }
            }
            self.ends = walk.into_window();
            if command.status.is_some() {
                return;
            }
        }
    }
}
