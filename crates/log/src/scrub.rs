//! Takes commands out of a log for good: their records are overwritten in place, every length stays.
//!
//! Invariant: killed at any moment, every record is whole or overwritten; who begins again takes out what is left. For that
//! a command is overwritten from its last line to its first, which names it; and one that is overwritten in part is taken
//! out as a whole by whoever comes next, whatever is wanted then.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::OpenError;
use crate::event::{CONTINUED, Event, STARTED};
use crate::history::{Command, History, Reading};
use crate::join::{LOOKAHEAD_BYTES, LOOKAHEAD_COMMANDS};
use crate::walk::Forward;
use crate::window::{Toward, Window};

/// Places that are named: who looks at the first finds the others.
const PLACES_MAX: usize = 8;
/// Bytes looked through at once.
const PIECE_BYTES: u64 = 32 * 1024;

/// What was taken out of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Commands.
    pub commands: usize,
    /// Records of them that were overwritten.
    pub records: usize,
}

/// Why nothing was, or not everything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScrubError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be written.
    #[error("the log cannot be written")]
    Write(#[from] io::Error),
}

/// What is to be taken out of one file.
pub struct Found {
    path: PathBuf,
    history: Reading,
    commands: usize,
    /// Offsets and payload lengths, in the order of the file.
    records: Vec<(u64, u32)>,
}

/// Finds every command of the log at `path` that `wanted` accepts, and what is left of those that were taken out in part.
///
/// Lines whose first one is damaged or gone are offered as a command of their own.
///
/// # Errors
/// The file is none of ours.
pub fn find(path: &Path, wanted: impl Fn(&Command) -> bool) -> Result<Found, OpenError> {
    let history = History::read(path)?;
    let mut search = Search {
        gone: begun(&history),
        wanted,
        commands: 0,
        records: Vec::new(),
    };
    search.walk(&history);
    search.records.sort_unstable();
    Ok(Found {
        path: path.to_owned(),
        commands: search.commands,
        records: search.records,
        history,
    })
}

impl Found {
    /// How many commands.
    pub fn commands(&self) -> usize {
        self.commands
    }

    /// Where their records lie in the file: what an index has to forget, before they are overwritten.
    pub fn at(&self) -> impl Iterator<Item = u64> {
        self.records.iter().map(|(at, _)| *at)
    }

    /// Overwrites them, and makes that durable. The caller holds the lock of [`crate::mirror::Lock`] since before they
    /// were looked for.
    ///
    /// # Errors
    /// The file cannot be written; some commands may be gone already.
    pub fn overwrite(self) -> Result<Scrubbed, ScrubError> {
        self.history.overwrite(self.records.iter().rev().copied())?;
        // Also if nothing was left to be done: whoever did it may have been killed before this.
        std::fs::File::open(&self.path)?.sync_data()?;
        Ok(Scrubbed {
            commands: self.commands,
            records: self.records.len(),
        })
    }
}

/// Overwrites every command of the log at `path` that `wanted` accepts: [`find`] and [`Found::overwrite`].
///
/// # Errors
/// Theirs.
pub fn scrub(path: &Path, wanted: impl Fn(&Command) -> bool) -> Result<Scrubbed, ScrubError> {
    find(path, wanted)?.overwrite()
}

/// Where `text` stands in the log at `path` outside of its records, [`PLACES_MAX`] places at most: in what a full disk left of one,
/// or another program wrote. Nobody can tell to which command that belonged, so it is not taken out.
///
/// # Errors
/// The file is none of ours.
pub fn outside(path: &Path, text: &[u8]) -> Result<Vec<u64>, OpenError> {
    let history = History::read(path)?;
    let end = history.version().1;
    let mut places = Vec::new();
    let mut walk = Forward::new(history.descriptor(), history.floor(), end);
    let mut window = Window::new();
    let mut close = 0;
    loop {
        let at = walk.next().map(|record| record.at);
        let gap = close..at.unwrap_or(end);
        if gap.end - gap.start.min(gap.end) >= text.len() as u64 && !text.is_empty() {
            places_in(&history, &mut window, gap, text, &mut places);
        }
        close = walk.position();
        if at.is_none() || places.len() >= PLACES_MAX {
            return Ok(places);
        }
    }
}

fn places_in(history: &History, window: &mut Window, gap: Range<u64>, text: &[u8], places: &mut Vec<u64>) {
    let length = text.len() as u64;
    let mut from = gap.start;
    while from + length <= gap.end && places.len() < PLACES_MAX {
        let to = gap.end.min(from + length + PIECE_BYTES);
        // What cannot be read any more was cut off meanwhile.
        let Some(bytes) = window.range(history.descriptor(), from, to, Toward::End, gap.end) else {
            return;
        };
        let found = bytes.windows(text.len()).enumerate();
        places.extend(
            found
                .filter(|(_, window)| *window == text)
                .map(|(at, _)| from + at as u64),
        );
        from = to - length + 1;
    }
    places.truncate(PLACES_MAX);
}

/// The commands of which some lines are overwritten and some are not: somebody was killed while taking them out.
///
/// An overwritten line no longer says whose it is, but its number does: a session numbers the lines of a command one after
/// the other. A gap is nobody's.
fn begun(history: &History) -> HashSet<(u64, u64)> {
    struct Lines {
        of: u64,
        next: u64,
        is_gone: bool,
    }
    let mut begun = HashSet::new();
    let mut newest: HashMap<u64, Lines> = HashMap::new();
    let mut walk = Forward::new(history.descriptor(), history.floor(), history.version().1);
    while let Some(record) = walk.next() {
        let (session, number) = (record.header.session, record.header.sequence);
        match record.header.kind {
            STARTED => {
                let lines = Lines {
                    of: number,
                    next: number.wrapping_add(1),
                    is_gone: record.redacted,
                };
                newest.insert(session, lines);
            }
            CONTINUED => {
                if let Some(lines) = newest.get_mut(&session).filter(|lines| lines.next == number) {
                    lines.next = number.wrapping_add(1);
                    if lines.is_gone != record.redacted {
                        begun.insert((session, lines.of));
                    }
                }
            }
            _ => {}
        }
    }
    begun
}

struct Search<W> {
    wanted: W,
    /// Commands, by session and number, whose every line goes.
    gone: HashSet<(u64, u64)>,
    commands: usize,
    records: Vec<(u64, u32)>,
}

/// A command that may still go on, or lines whose beginning is not there, and where its records lie.
struct Held {
    command: Command,
    records: Vec<(u64, u32)>,
}

impl<W: Fn(&Command) -> bool> Search<W> {
    fn walk(&mut self, history: &History) {
        let (mut held, mut held_bytes) = (VecDeque::<Held>::new(), 0);
        let mut walk = Forward::new(history.descriptor(), history.floor(), history.version().1);
        while let Some(record) = walk.next() {
            if record.redacted {
                continue;
            }
            let place = (record.at, record.header.payload_bytes);
            let session = record.header.session;
            let Some(event) = Event::read(record.header.kind, record.payload) else {
                continue;
            };
            let command = match (Command::begin(&record.header, event), event) {
                (Some(command), _) => command,
                (None, Event::Continued { of, more }) => {
                    let newest = held.iter_mut().rev();
                    let mut same =
                        newest.filter(|one| (one.command.session, one.command.seq) == (session, of));
                    if let Some(one) = same.next()
                        && one.command.append_line(more)
                    {
                        one.records.push(place);
                        held_bytes += more.len();
                        continue;
                    }
                    Command::of_line(&record.header, of, more)
                }
                (None, _) => continue,
            };
            held_bytes += command.command.len();
            held.push_back(Held {
                command,
                records: vec![place],
            });
            while held.len() > LOOKAHEAD_COMMANDS || held_bytes > LOOKAHEAD_BYTES {
                let Some(first) = held.pop_front() else { break };
                held_bytes -= first.command.command.len().min(held_bytes);
                self.judge(first);
            }
        }
        held.into_iter().for_each(|one| self.judge(one));
    }

    fn judge(&mut self, one: Held) {
        // Two imports number their commands alike: of those none goes because of its number.
        let key = (!one.command.imported).then_some((one.command.session, one.command.seq));
        let is_known = key.is_some_and(|key| self.gone.contains(&key));
        if is_known || (self.wanted)(&one.command) {
            self.commands += 1;
            self.records.extend(one.records);
            self.gone.extend(key);
        }
    }
}
