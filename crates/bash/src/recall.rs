//! Ctrl-R: search as you type through bash's list and the whole history log.
//!
//! ```text
//!  key ▸ keys: what it means ▸ state: text, filters, which row ▸ echo ─▸ no key waits ▸ source: some more rows ▸ painted anew
//!                    └ it means nothing here: what was found is put into the line, and the key does what it does
//! ```
//!
//! It stands before `reverse-search-history`, as LLE's other commands stand before readline's, and is to be had under a name
//! of its own, `lle-search-history`. `editor.search = false` leaves the former to readline.
//!
//! Invariants: until something is taken, readline's text, cursor and undo list are not touched: giving up, a signal, a panic
//! and a lost terminal find the line as it was, and what is searched for is never taken for the line being typed; bash may
//! `longjmp` while a key is waited for, so nothing is owned or borrowed then.

mod input;
mod keys;
mod list;
mod rows;
mod source;
mod state;

use crate::hooks::guarded;
use crate::lle::{Lle, state};
use crate::places::Places;
use crate::shared_list::entries;
use crate::{clock, readline};
use input::{Keys, hand_on, read_byte, read_keys};
use keys::{Meaning, meaning};
pub(crate) use list::List;
use list::write_prompt;
use lle_log::history::History;
use source::{Other, Source};
use state::{Op, Search};
use std::path::PathBuf;

/// The longest paste that is taken; it is no search.
const PASTE_MAX: usize = 64 * 1024;
const PASTE_END: &[u8] = b"\x1b[201~";
/// Logs of other machines: far more than anybody has.
const LOGS_MAX: usize = 64;

/// What the next key is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Key,
    Quoted,
    Pasted,
}

/// Whether the search goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    More,
    Over,
}

/// A search under way.
pub(crate) struct Recall {
    search: Search,
    source: Source,
    mode: Mode,
    /// Bytes of a character, or of a paste, that is not whole yet.
    part: Vec<u8>,
    midnight_ns: i64,
    now_ns: i64,
    /// The line as it is shown, and what is said below the list.
    line: Vec<u8>,
    said: Option<String>,
    /// What looking for this text has taken so far.
    spent_ns: u64,
    shown_at: u64,
    /// The colours of the row shown have not been looked up.
    plain: bool,
}

impl Recall {
    /// How its prompt reads.
    pub(crate) fn write_prompt(&self, out: &mut Vec<u8>) {
        write_prompt(&self.search, out);
    }

    /// What stands below the line.
    pub(crate) fn list<'a>(&'a self, home: &'a [u8]) -> List<'a> {
        List {
            search: &self.search,
            said: self.said.as_deref(),
            host: self.source.other.as_ref().map_or("", |other| &other.host),
            more: self.source.owes(&self.search),
            home,
            now_ns: self.now_ns,
        }
    }

    /// Where the text is in the line that is shown.
    pub(crate) fn matched(&self) -> std::ops::Range<usize> {
        self.search.matched()
    }
}

/// Reads keys until the search is over. The state is not borrowed by the caller.
pub(crate) fn run() {
    loop {
        let mode = guarded("searching", |lle| {
            lle.paint_or_owe();
            lle.recall.as_ref().map(|recall| recall.mode)
        });
        // It has panicked, or a signal ended the line meanwhile.
        let Some(Some(mode)) = mode else { return };
        let Some(bash) = state().map(|lle| lle.bash) else {
            return;
        };
        let keys = match mode {
            Mode::Key => read_keys(&bash),
            Mode::Quoted | Mode::Pasted => read_byte(&bash),
        };
        match guarded("searching", |lle| lle.recall_keys(keys)) {
            Some(Then::More) => {}
            Some(Then::Over) | None => return,
        }
    }
}

impl Lle {
    /// Begins a search, if this is a place for one.
    pub(crate) fn begin_recall(&mut self) -> bool {
        let bash = self.bash;
        if !bash.reads_commands() || !self.painter.is_valid() {
            return false;
        }
        let Some(history) = self.session.history.as_mut() else {
            return false;
        };
        // What other sessions have entered meanwhile. If it cannot be looked at, what is known is searched.
        let _ = crate::file_size::as_error(|| history.refresh());
        self.menu = None;
        if let Some(job) = self.job.take() {
            job.cancel();
        }
        self.suggestion.clear();
        let now_ns = clock::wall();
        self.recall = Some(Box::new(Recall {
            search: Search::new(),
            source: Source::new(self.session.places.history_index()),
            mode: Mode::Key,
            part: Vec::new(),
            midnight_ns: midnight(now_ns),
            now_ns,
            line: Vec::new(),
            said: None,
            spent_ns: 0,
            shown_at: 0,
            plain: false,
        }));
        true
    }

    /// Does what the key asks for.
    fn recall_keys(&mut self, keys: Option<Keys>) -> Then {
        let bash = self.bash;
        let Some(recall) = self.recall.as_mut() else {
            // The line ended by a signal meanwhile: the key is the next one's.
            keys.iter().for_each(|keys| hand_on(&bash, keys));
            return Then::Over;
        };
        let Some(keys) = keys else {
            self.recall = None;
            return Then::Over;
        };
        match std::mem::replace(&mut recall.mode, Mode::Key) {
            Mode::Key => self.recall_key(&keys),
            Mode::Quoted => {
                recall.search.add(keys.bytes());
                self.ring()
            }
            Mode::Pasted => {
                recall.part.extend_from_slice(keys.bytes());
                let is_whole = recall.part.ends_with(PASTE_END);
                if !is_whole && recall.part.len() < PASTE_MAX {
                    recall.mode = Mode::Pasted;
                    return Then::More;
                }
                let mut text = std::mem::take(&mut recall.part);
                text.truncate(text.len() - if is_whole { PASTE_END.len() } else { 0 });
                text.iter_mut()
                    .filter(|byte| **byte == b'\r')
                    .for_each(|byte| *byte = b'\n');
                recall.search.add(text.trim_ascii_end());
                self.ring()
            }
        }
    }

    fn recall_key(&mut self, keys: &Keys) -> Then {
        let bash = self.bash;
        let meaning = meaning(keys.bytes(), keys.command(&bash), bash.search_terminators());
        let meaning = match meaning {
            // Two keys that a vi user has typed one after the other.
            Meaning::Op(_) if keys.is_two_in_vi() => Meaning::Leave,
            meaning => meaning,
        };
        match meaning {
            Meaning::Text => self.recall_text(keys.bytes()),
            Meaning::Op(op) => self.recall_op(op),
            Meaning::Quote => self.next_is(Mode::Quoted),
            Meaning::Paste => self.next_is(Mode::Pasted),
            Meaning::Abort => {
                self.recall = None;
                Then::Over
            }
            Meaning::Accept => self.take_recalled(),
            Meaning::Leave => {
                self.take_recalled();
                hand_on(&bash, keys);
                Then::Over
            }
        }
    }

    fn next_is(&mut self, mode: Mode) -> Then {
        if let Some(recall) = self.recall.as_mut() {
            recall.mode = mode;
            recall.part.clear();
        }
        Then::More
    }

    fn ring(&mut self) -> Then {
        if self
            .recall
            .as_mut()
            .is_some_and(|recall| recall.search.take_bell())
        {
            self.bash.bell();
        }
        Then::More
    }

    /// Adds to the text, a whole character at a time.
    fn recall_text(&mut self, bytes: &[u8]) -> Then {
        if self
            .recall
            .as_ref()
            .is_some_and(|recall| recall.search.awaits_older())
        {
            self.settle_recall();
        }
        let utf8 = self.utf8;
        let Some(recall) = self.recall.as_mut() else {
            return Then::Over;
        };
        recall.part.extend_from_slice(bytes);
        let is_cut = |error: std::str::Utf8Error| error.error_len().is_none();
        if !utf8 || !std::str::from_utf8(&recall.part).is_err_and(is_cut) {
            let text = std::mem::take(&mut recall.part);
            recall.search.add(&text);
        }
        self.ring()
    }

    fn recall_op(&mut self, op: Op) -> Then {
        if matches!(op, Op::TakeWord | Op::TakeRest) {
            self.settle_recall();
        }
        let Some(recall) = self.recall.as_mut() else {
            return Then::Over;
        };
        recall.part.clear();
        recall.search.act(op, &self.last_search);
        if op == Op::Host {
            let place = recall.search.filter.host;
            let other = place
                .checked_sub(1)
                .and_then(|nth| other_log(&self.session.places, nth));
            if other.is_none() {
                recall.search.own_host();
            }
            recall.source.switch(other);
        }
        self.ring()
    }

    /// Ends the search and puts what was found into the line: by going there in bash's list, as readline does, so that its
    /// neighbours are one key away; else in place of the text, which an undo brings back.
    fn take_recalled(&mut self) -> Then {
        self.settle_recall();
        let bash = self.bash;
        let Some(recall) = self.recall.take() else {
            return Then::Over;
        };
        if !recall.search.text.is_empty() {
            self.last_search.clone_from(&recall.search.text);
        }
        let Some(row) = recall.search.shown() else {
            return Then::Over;
        };
        let list = entries(&bash);
        let is_it = |entry: &*mut crate::abi::HistEntry| {
            // SAFETY: as in step_recall().
            let text = unsafe { readline::text((**entry).line) };
            text == row.text
        };
        if let Some(at) = list.iter().rposition(is_it) {
            bash.go_in_history(at);
        }
        if bash.line() != row.text {
            bash.replace(0..bash.line().len(), &row.text);
        }
        let matched = recall.search.matched();
        let point = if matched.is_empty() {
            row.text.len()
        } else {
            matched.start
        };
        bash.set_point(point.min(bash.line().len()));
        Then::Over
    }
}

/// The log of the `nth` other machine, by name; what cannot be read is none.
fn other_log(places: &Places, nth: usize) -> Option<Other> {
    let own = places.history().ok()?;
    let entries = std::fs::read_dir(own.parent()?).ok()?;
    let is_other =
        |path: &PathBuf| path.extension().is_some_and(|extension| extension == "log") && *path != own;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_other)
        .take(LOGS_MAX)
        .collect();
    paths.sort();
    let mut readable = paths.into_iter().filter_map(|path| {
        let host = path.file_stem()?.to_string_lossy().into_owned();
        let log = crate::file_size::as_error(|| History::read(&path)).ok()?;
        Some(Other { host, log })
    });
    readable.nth(nth)
}

/// When today began here, in nanoseconds since 1970.
fn midnight(now_ns: i64) -> i64 {
    const SECOND_NS: i64 = 1_000_000_000;
    let now = now_ns.div_euclid(SECOND_NS);
    // SAFETY: both pointers are valid; localtime_r fills its second, and mktime reads and sets it right.
    let midnight = unsafe {
        let mut local: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const now, &raw mut local);
        (local.tm_hour, local.tm_min, local.tm_sec, local.tm_isdst) = (0, 0, 0, -1);
        libc::mktime(&raw mut local)
    };
    midnight.saturating_mul(SECOND_NS)
}
