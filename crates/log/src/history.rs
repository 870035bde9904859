//! History: every command of every session, one log, written by all and read by all.
//!
//! A command is a `started` record, written before it runs, perhaps `continued` records for further lines, and
//! a `finished` record. A session that ends by itself, so that bash writes its own list, leaves an `ended` record; one
//! that is killed leaves none. Records of different sessions interleave; the view joins them by session and sequence
//! number. Commands are in the order in which they started, which is the order of the file.
//!
//! The log is created with bash's own history file imported into it, or not at all: there is no moment
//! at which it exists without what the user already had. That file is only ever read.

mod late;
mod squeezed;
mod unopened;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::descriptor::Descriptor;
use crate::event::Event;
use crate::file::LogFile;
use crate::frame::{self, FRAME_BYTES, PAYLOAD_BYTES_MAX};
use crate::header::{FileHeader, LogKind};
pub use crate::join::{Command, Commands};
use crate::join::{LooseEnds, join};
use crate::walk::{Back, Forward, Place, step_back};
use crate::window::Window;
use crate::{AppendError, Disturbance, OpenError};
pub use late::Late;
pub use squeezed::squeezed;
pub use unopened::Unopened;

/// Bytes of log looked at for commands that no file of bash's has, from its end: some 10,000 commands with their ends,
/// 1.4 ms where this was measured (`cargo bench -p lle-log`), once a session.
pub const UNSAVED_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// What a full read of the log found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Undamaged records of all kinds, redacted ones among them.
    pub records: u64,
    /// Commands typed in sessions.
    pub commands: u64,
    /// Ends of commands.
    pub finished: u64,
    /// Sessions that ended by themselves.
    pub ended: u64,
    /// Commands imported from bash's own history file.
    pub imported: u64,
    /// Records overwritten on purpose.
    pub redacted: u64,
    /// Stretches that are no record, or records with a wrong state byte or closing length.
    pub damaged_runs: u64,
    /// Bytes in them.
    pub damaged_bytes: u64,
    /// Bytes after the last record: an append that was cut off, or is just being written.
    pub torn_tail_bytes: u64,
}

/// A log that was opened.
pub struct Opened {
    /// The log.
    pub history: History,
    /// True if this call created it.
    pub created: bool,
    /// Commands imported by this call.
    pub imported: u64,
    /// Entries that it left out, since no record holds that much.
    pub too_long: u64,
    /// Its lines ended as DOS has it; no command does.
    pub is_of_dos: bool,
    /// Why the import ended early. What was read until then is in the log.
    pub import_error: Option<io::Error>,
}

/// A place in the log between two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    offset: u64,
    generation: u32,
}

/// The history log, open for appending and reading.
pub struct History {
    log: LogFile,
}

/// A history log that is only read.
pub struct Reading(History);

impl std::ops::Deref for Reading {
    type Target = History;

    fn deref(&self) -> &History {
        &self.0
    }
}

impl History {
    /// Opens the history log at `path`, or creates it, with its folder, from bash's history file `import`.
    ///
    /// `session` is a random id, not 0, fresh at each open; `now_ns` is the time since the epoch.
    ///
    /// # Errors
    /// The log can be neither opened nor created, or is something else. The caller then goes on without.
    pub fn open(path: &Path, session: u64, now_ns: i64, import: Option<&Path>) -> Result<Opened, OpenError> {
        Self::open_telling(path, session, now_ns, import, &mut |_, _| ())
    }

    /// Opens or creates it as [`History::open`], and tells `told` of how many bytes of `import` how many have been read:
    /// often, and at ten million commands for half a minute.
    ///
    /// # Errors
    /// As [`History::open`].
    pub fn open_telling(
        path: &Path,
        session: u64,
        now_ns: i64,
        import: Option<&Path>,
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<Opened, OpenError> {
        Unopened::new(session).open(path, now_ns, import, told)
    }

    /// Opens the history log at `path` to read it: nothing is created, and no byte of it is written.
    ///
    /// # Errors
    /// It is not there, cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Reading, OpenError> {
        let log = LogFile::open_to_read(path, LogKind::History)?;
        Ok(Reading(Self { log }))
    }

    /// Records that `command` is about to run in `cwd`, and returns its sequence number.
    ///
    /// # Errors
    /// Nothing, or only a part that readers skip, was written. Unless it is too long it waits in memory, as far as there is
    /// room ([`History::newest_waits`]), and is written before the next.
    pub fn started(&mut self, now_ns: i64, cwd: &[u8], command: &[u8]) -> Result<u64, AppendError> {
        self.append(now_ns, Event::Started { cwd, command })
    }

    /// Records a further line of the command with sequence number `of`.
    ///
    /// # Errors
    /// As [`History::started`].
    pub fn continued(&mut self, of: u64, now_ns: i64, more: &[u8]) -> Result<(), AppendError> {
        self.append(now_ns, Event::Continued { of, more }).map(drop)
    }

    /// Records how the command with sequence number `of` ended.
    ///
    /// # Errors
    /// As [`History::started`].
    pub fn finished(
        &mut self,
        of: u64,
        now_ns: i64,
        status: i32,
        duration_ns: u64,
    ) -> Result<(), AppendError> {
        self.append(
            now_ns,
            Event::Finished {
                of,
                status,
                duration_ns,
            },
        )
        .map(drop)
    }

    /// Records that this session ends by itself, so that bash has written its own list: see [`History::unsaved`].
    ///
    /// # Errors
    /// As [`History::started`].
    pub fn ended(&mut self, now_ns: i64) -> Result<(), AppendError> {
        self.append(now_ns, Event::Ended).map(drop)
    }

    fn append(&mut self, now_ns: i64, event: Event<'_>) -> Result<u64, AppendError> {
        self.log
            .append(event.kind(), now_ns, event.payload_bytes(), |out| {
                event.write(out);
            })
    }

    /// Notices what others did to the log since; true if it has another length than when it was last looked at, by an
    /// append of this session's, too: for what is new since then ask [`History::since`].
    ///
    /// # Errors
    /// The open file cannot be looked at any more.
    pub fn refresh(&mut self) -> io::Result<bool> {
        self.log.refresh()
    }

    /// Takes the latest disturbance that [`History::refresh`] noticed, so that it is told once.
    pub fn take_disturbance(&mut self) -> Option<Disturbance> {
        self.log.take_disturbance()
    }

    /// Whether the log's mirror is longer than it, so that something of what is gone is there.
    pub fn has_longer_mirror(&self) -> bool {
        let mirror = std::fs::metadata(crate::mirror::path_of(self.log.path()));
        mirror.is_ok_and(|mirror| mirror.len() > self.log.end())
    }

    /// The random id this session appends under.
    pub fn session(&self) -> u64 {
        self.log.outbox().session()
    }

    /// Returns the newest `n` commands, oldest first.
    pub fn tail(&self, n: usize) -> Vec<Command> {
        self.newest(n, u64::MAX, |_, _| true)
    }

    /// Returns the newest `n` commands, oldest first, after which their session did not end by itself: what a
    /// killed session never wrote to bash's history file, and what live ones, this one too, have not yet.
    ///
    /// Imported commands are none of them. Looks at the last [`UNSAVED_BYTES_MAX`] bytes of the log.
    pub fn unsaved(&self, n: usize) -> Vec<Command> {
        self.newest(n, UNSAVED_BYTES_MAX, |ended, command| {
            !command.imported && !ended.contains(&command.session)
        })
    }

    /// Returns the newest commands that `wanted` accepts, given the sessions that ended later.
    fn newest(
        &self,
        n: usize,
        bytes_max: u64,
        wanted: impl Fn(&BTreeSet<u64>, &Command) -> bool,
    ) -> Vec<Command> {
        let mut window = Window::new();
        let mut place = Place::before(self.log.end());
        let mut loose = LooseEnds::default();
        let mut commands = Vec::new();
        let mut ended = BTreeSet::new();
        let stop = place.offset().saturating_sub(bytes_max);
        while commands.len() < n && place.offset() > stop {
            match self.step_back(&mut window, &mut place, usize::MAX, |_, _| true) {
                Back::Start => break,
                Back::Passed => {}
                Back::Record(record) => {
                    let key = (record.header.session, record.header.sequence);
                    let event = Event::read(record.header.kind, record.payload).filter(|_| !record.redacted);
                    match event.map(|event| (event, Command::begin(&record.header, event))) {
                        Some((_, Some(mut command))) => {
                            loose.tie(key, &mut command);
                            if wanted(&ended, &command) {
                                commands.push(command);
                            }
                        }
                        Some((Event::Ended, None)) => {
                            ended.insert(record.header.session);
                        }
                        Some((event, None)) => loose.keep(record.header.session, event),
                        None => loose.drop_all(key),
                    }
                }
            }
        }
        commands.reverse();
        commands
    }

    /// Returns a cursor after everything known so far.
    pub fn cursor_at_end(&self) -> Cursor {
        Cursor {
            offset: self.log.end(),
            generation: self.log.generation(),
        }
    }

    /// Returns up to `limit` commands that any session, this one too, started since `cursor`, and moves it on.
    ///
    /// How they ended and their further lines are included as far as already written. After the log was
    /// replaced or truncated the cursor moves to its end, and nothing is returned.
    pub fn since(&self, cursor: &mut Cursor, limit: usize) -> Vec<Command> {
        let mut commands = Vec::new();
        let end = self.log.end();
        if cursor.generation != self.log.generation() {
            *cursor = self.cursor_at_end();
        }
        if cursor.offset >= end {
            return commands;
        }
        let mut walk = Forward::new(self.log.descriptor(), cursor.offset, end);
        while commands.len() < limit {
            let Some(record) = walk.next() else {
                // Something may just be being written: look again, but not at ever more garbage.
                let record_bytes_max = (FRAME_BYTES + PAYLOAD_BYTES_MAX) as u64;
                cursor.offset = walk.position().max(end.saturating_sub(record_bytes_max));
                return commands;
            };
            let Some(event) = Event::read(record.header.kind, record.payload) else {
                continue;
            };
            if record.redacted {
                continue;
            }
            match Command::begin(&record.header, event) {
                Some(command) => commands.push(command),
                None => join(commands.iter_mut().rev(), record.header.session, event),
            }
        }
        cursor.offset = walk.position();
        commands
    }

    /// Returns all commands, oldest first.
    ///
    /// A command that still ran after 256 others had started is listed without its end.
    pub fn commands(&self) -> Commands<'_> {
        let walk = Forward::new(self.log.descriptor(), self.log.floor(), self.log.end());
        Commands::new(walk)
    }

    /// Reads the whole log and says what is in it.
    pub fn check(&self) -> Report {
        let mut report = Report::default();
        let end = self.log.end();
        let mut walk = Forward::new(self.log.descriptor(), self.log.floor(), end);
        while let Some(record) = walk.next() {
            report.records += 1;
            match Event::read(record.header.kind, record.payload) {
                _ if record.redacted => report.redacted += 1,
                Some(Event::Started { .. }) => report.commands += 1,
                Some(Event::Imported { .. }) => report.imported += 1,
                Some(Event::Finished { .. }) => report.finished += 1,
                Some(Event::Ended) => report.ended += 1,
                Some(Event::Continued { .. }) => {}
                None if Event::is_known(record.header.kind) => {
                    report.damaged_runs += 1;
                    report.damaged_bytes += record.header.frame_bytes() as u64;
                }
                None => {}
            }
        }
        report.damaged_runs += walk.damage().runs;
        report.damaged_bytes += walk.damage().bytes;
        report.torn_tail_bytes = end - walk.position();
        report
    }

    /// Overwrites the command with sequence number `seq` of `session`, all its lines, in place, and returns how
    /// many records that were. Every length, offset and sequence number stays.
    ///
    /// # Errors
    /// The log cannot be written; some of the records may then be overwritten already.
    pub fn redact(&mut self, session: u64, seq: u64) -> io::Result<usize> {
        let mut records = Vec::new();
        let mut walk = Forward::new(self.log.descriptor(), self.log.floor(), self.log.end());
        while let Some(record) = walk.next() {
            if record.redacted || record.header.session != session {
                continue;
            }
            let hit = match Event::read(record.header.kind, record.payload) {
                Some(Event::Started { .. } | Event::Imported { .. }) => record.header.sequence == seq,
                Some(Event::Continued { of, .. }) => of == seq,
                Some(Event::Finished { .. } | Event::Ended) | None => false,
            };
            if hit {
                records.push((record.at, record.header.payload_bytes));
            }
        }
        // The first line last: killed in between, what is left still has its name.
        self.overwrite(records.iter().rev().copied())?;
        self.log.invalidate();
        Ok(records.len())
    }

    /// How the log began when it was opened: what an index of it begins with, too.
    pub(crate) fn beginning(&self) -> &FileHeader {
        self.log.beginning()
    }

    /// The log, for whoever walks it.
    pub(crate) fn descriptor(&self) -> &Descriptor {
        self.log.descriptor()
    }

    /// Where its records start.
    pub(crate) fn floor(&self) -> u64 {
        self.log.floor()
    }

    /// Overwrites the records at these offsets, whose payloads have these lengths.
    pub(crate) fn overwrite(&self, mut records: impl Iterator<Item = (u64, u32)>) -> io::Result<()> {
        records.try_for_each(|(at, payload_bytes)| self.log.redact_at(at, payload_bytes))
    }

    /// Says which log this is and how long: equal values mean equal contents.
    pub fn version(&self) -> (u32, u64) {
        (self.log.generation(), self.log.end())
    }

    /// Whether the record at that offset says of itself that nobody took its text out.
    pub(crate) fn is_intact(&self, at: u64) -> bool {
        let mut state = [0];
        let read = self
            .log
            .descriptor()
            .read_at(&mut state, at + frame::STATE_AT as u64);
        read.is_ok_and(|bytes| bytes == 1) && state == [frame::INTACT]
    }

    /// See [`step_back`]; over the records of this log.
    pub(crate) fn step_back<'w>(
        &self,
        window: &'w mut Window,
        place: &mut Place,
        frame_bytes_max: usize,
        wanted: impl FnMut(u8, &[u8]) -> bool,
    ) -> Back<'w> {
        step_back(
            self.log.descriptor(),
            window,
            place,
            self.log.floor(),
            frame_bytes_max,
            wanted,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::PrefixSearch;

    #[test]
    fn a_record_of_a_kind_that_a_later_version_writes_is_stepped_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(&folder.path().join("log"), 1, 0, None)
            .unwrap()
            .history;
        let mut cursor = history.cursor_at_end();
        // Before, between and after the records of a command, with payloads that those of known kinds could be.
        let future = |history: &mut History| {
            for payload in [&b""[..], b"12345678 and some", &[0; 20]] {
                let written = history
                    .log
                    .append(77, 1, payload.len(), |out| out.extend_from_slice(payload));
                written.unwrap();
            }
        };
        future(&mut history);
        let one = history.started(2, b"/", b"one \\").unwrap();
        future(&mut history);
        history.continued(one, 3, b"more").unwrap();
        future(&mut history);
        history.finished(one, 4, 7, 8).unwrap();
        future(&mut history);

        let expect = [Command {
            session: 1,
            seq: one,
            time_ns: 2,
            cwd: b"/".to_vec(),
            command: b"one \\\nmore".to_vec(),
            status: Some(7),
            duration_ns: Some(8),
            imported: false,
        }];
        assert_eq!(history.commands().collect::<Vec<_>>(), expect);
        assert_eq!(history.tail(9), expect);
        assert_eq!(history.unsaved(9), expect);
        assert_eq!(history.since(&mut cursor, 9), expect);
        assert_eq!(PrefixSearch::new().find(&history, b"one"), Some(&b"one \\"[..]));
        let expect = Report {
            records: 15,
            commands: 1,
            finished: 1,
            ..Report::default()
        };
        assert_eq!(history.check(), expect);
        assert_eq!(history.redact(1, one).unwrap(), 2);
    }
}
