//! What was taken out of a log, looked for in what is to come in: a history file still has it.
//!
//! ```text
//!  log   │ 12:00:05 │ 31 bytes │ checksum │ ██████████ │     file │ 12:00:05 │ curl -u me:hunter2 … │
//!                                                                 in any folder of the log: 31 bytes, that checksum ▸ left out
//! ```
//!
//! The text is gone; its length, its checksum and its time are not, and of a folder only such are asked that other commands ran
//! in. Invariant: what has another text, or was typed at another time, comes in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crc32fast::Hasher;

use crate::event::{CONTINUED, Event, IMPORTED, STARTED};
use crate::formats::Entry;
use crate::frame::Header;
use crate::history::History;
use crate::walk::Forward;

use super::SECOND_NS;

/// Bash and a session look at the clock one after the other.
const APART_NS: u64 = SECOND_NS.unsigned_abs();
/// Lengths of records that an entry without a time is compared with: each costs a checksum for each folder of some length.
const LENGTHS_MAX: usize = 64;
/// Bytes of a record before its folder.
const FOLDER_AT: usize = 4;

/// What tells a text, but for collisions of one in four thousand millions.
type Sum = (usize, u32);

/// What is left of one command that was taken out.
struct Gone {
    session: u64,
    sequence: u64,
    time_ns: i64,
}

/// What is left of all of them.
#[derive(Default)]
pub(super) struct TakenOut {
    imported: HashMap<Sum, Vec<Gone>>,
    started: HashMap<Sum, Vec<Gone>>,
    /// Further lines, by session and number.
    continued: HashMap<(u64, u64), Sum>,
    /// Lengths of what was typed, all of them and by the second.
    lengths: BTreeSet<usize>,
    lengths_at: BTreeMap<i64, BTreeSet<usize>>,
    /// Checksums of folders as records begin with them, by their length.
    folders: HashMap<usize, Vec<Hasher>>,
}

impl TakenOut {
    pub(super) fn of(history: &History) -> Self {
        let mut found = Self::default();
        let mut folders = HashSet::new();
        let mut walk = Forward::new(history.descriptor(), history.floor(), history.version().1);
        while let Some(record) = walk.next() {
            let header = &record.header;
            let event = Event::read(header.kind, record.payload);
            match event.filter(|_| !record.redacted) {
                Some(Event::Started { cwd, .. }) if !folders.contains(cwd) => {
                    folders.insert(cwd.to_vec());
                }
                _ if record.redacted => found.add(header),
                _ => {}
            }
        }
        if !found.started.is_empty() {
            folders.iter().for_each(|folder| {
                found.folders.entry(folder.len()).or_default().push(begun(folder));
            });
        }
        found
    }

    fn add(&mut self, header: &Header) {
        let sum = (header.payload_bytes as usize, header.payload_crc);
        let gone = Gone {
            session: header.session,
            sequence: header.sequence,
            time_ns: header.time_ns,
        };
        match header.kind {
            IMPORTED => self.imported.entry(sum).or_default().push(gone),
            STARTED => {
                self.lengths.insert(sum.0);
                let at = gone.time_ns.div_euclid(SECOND_NS);
                self.lengths_at.entry(at).or_default().insert(sum.0);
                self.started.entry(sum).or_default().push(gone);
            }
            CONTINUED => {
                self.continued.insert((gone.session, gone.sequence), sum);
            }
            _ => {}
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.imported.is_empty() && self.started.is_empty()
    }

    /// Whether an entry is a command that was taken out.
    pub(super) fn has(&self, entry: &Entry) -> bool {
        let is_then = |gone: &Gone| {
            entry.time_ns == 0 || gone.time_ns == 0 || gone.time_ns.abs_diff(entry.time_ns) <= APART_NS
        };
        let command = &entry.command[..];
        let imported = self.imported.get(&sum_of(command));
        if imported.is_some_and(|gone| gone.iter().any(is_then)) {
            return true;
        }
        // A session writes a record for each line, an import one for all of them.
        let first = command.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_out = |gone: &Gone| is_then(gone) && self.continues(gone, command);
        self.typed(entry, command).any(is_then) || self.typed(entry, first).any(is_out)
    }

    /// What was typed, in whatever folder, and has this text.
    fn typed<'s>(&'s self, entry: &'s Entry, text: &'s [u8]) -> impl Iterator<Item = &'s Gone> {
        let own = entry.ran.as_ref().map(|ran| (ran.cwd.len(), begun(&ran.cwd)));
        let at = entry.time_ns.div_euclid(SECOND_NS);
        let lengths: BTreeSet<usize> = match entry.time_ns {
            0 => self.lengths.iter().copied().take(LENGTHS_MAX).collect(),
            _ => {
                let near = self.lengths_at.range(at - 1..=at + 1);
                near.flat_map(|(_, lengths)| lengths).copied().collect()
            }
        };
        lengths.into_iter().flat_map(move |length| {
            let folder = length.checked_sub(FOLDER_AT + text.len());
            let known = folder
                .and_then(|folder| self.folders.get(&folder))
                .into_iter()
                .flatten();
            let own = own
                .iter()
                .filter(|(bytes, _)| Some(*bytes) == folder)
                .map(|(_, own)| own);
            let sums: Vec<Sum> = known
                .chain(own)
                .map(|folder| {
                    let mut whole = folder.clone();
                    whole.update(text);
                    (length, whole.finalize())
                })
                .collect();
            sums.into_iter()
                .filter_map(move |sum| self.started.get(&sum))
                .flatten()
        })
    }

    /// Whether the lines behind the first are those of this command.
    fn continues(&self, gone: &Gone, command: &[u8]) -> bool {
        let lines = command.split(|byte| *byte == b'\n').skip(1);
        lines.zip(gone.sequence + 1..).all(|(more, number)| {
            let mut payload = Vec::new();
            let of = gone.sequence;
            Event::Continued { of, more }.write(&mut payload);
            self.continued.get(&(gone.session, number)) == Some(&sum_of(&payload))
        })
    }
}

/// The checksum of a record that begins with this folder.
fn begun(folder: &[u8]) -> Hasher {
    let mut begun = Hasher::new();
    let mut payload = Vec::new();
    let command = b"";
    Event::Started { cwd: folder, command }.write(&mut payload);
    begun.update(&payload);
    begun
}

fn sum_of(payload: &[u8]) -> Sum {
    (payload.len(), crc32fast::hash(payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::Ran;
    use crate::mirror::Lock;
    use crate::rewrite::{Added, import};
    use crate::scrub::scrub;

    fn entry(seconds: i64, command: &str) -> Entry {
        Entry {
            time_ns: seconds * SECOND_NS,
            command: command.into(),
            ran: None,
        }
    }

    #[test]
    fn what_was_taken_out_does_not_come_back_and_all_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        let lock = Lock::take(&log).unwrap();
        let mut session = History::open(&log, 1, 1, None).unwrap().history;
        let typed = |seconds: i64, extra: i64| seconds * SECOND_NS + extra;
        session
            .started(typed(10, 5), b"/srv/a", b"login hunter2")
            .unwrap();
        session.started(typed(20, 5), b"/srv/a", b"ls").unwrap();
        let lines = session
            .started(typed(30, 5), b"/srv/b", b"for hunter2 in 1")
            .unwrap();
        session.continued(lines, typed(31, 0), b"do x").unwrap();
        let file = [
            entry(5, "old hunter2"),
            entry(0, "untimed hunter2"),
            entry(6, "old"),
        ];
        import(&log, &lock, 7, &file).unwrap();
        let gone = scrub(&log, |command| {
            command.command.windows(7).any(|window| window == b"hunter2") || command.time_ns == typed(20, 5)
        });
        assert_eq!(gone.unwrap().commands, 5);
        // Somebody is still in the other folder.
        session.refresh().unwrap();
        session.started(typed(40, 0), b"/srv/a", b"pwd").unwrap();
        session.started(typed(41, 0), b"/srv/b", b"pwd").unwrap();
        let _unmirrored = std::fs::remove_file(crate::mirror::path_of(&log));

        let check = |entry: Entry, is_out: bool| {
            let taken_out = TakenOut::of(&History::read(&log).unwrap());
            assert_eq!(taken_out.has(&entry), is_out, "{entry:?}");
        };
        check(entry(5, "old hunter2"), true);
        check(entry(0, "old hunter2"), true);
        check(entry(50, "old hunter2"), false);
        check(entry(50, "untimed hunter2"), true);
        check(entry(10, "login hunter2"), true);
        check(entry(11, "login hunter2"), true);
        check(entry(0, "login hunter2"), true);
        check(entry(10, "login hunter3"), false);
        check(entry(30, "for hunter2 in 1\ndo x"), true);
        check(entry(30, "for hunter2 in 1\ndo y"), false);
        check(entry(30, "for hunter2 in 1\ndo x\ndone"), false);
        // It was another command of that text.
        check(entry(20, "ls"), true);
        check(entry(21, "ls"), true);
        check(entry(25, "ls"), false);
        check(entry(6, "old"), false);
        let ran = |cwd: &str| {
            let cwd = cwd.as_bytes().to_vec();
            Some(Ran { cwd, end: None })
        };
        check(
            Entry {
                ran: ran("/srv/a"),
                ..entry(10, "login hunter2")
            },
            true,
        );

        let file = [
            entry(5, "old hunter2"),
            entry(6, "old"),
            entry(7, "new"),
            entry(0, "login hunter2"),
        ];
        let added = import(&log, &lock, 8, &file).unwrap();
        let expect = Added {
            added: 1,
            known: 1,
            taken_out: 2,
            was_scrubbed: true,
        };
        assert_eq!(added, expect);
    }
}
