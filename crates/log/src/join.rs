//! Joins the records of a command, whichever direction the log is read in.

use std::collections::VecDeque;

use crate::event::Event;
use crate::frame::{Header, PAYLOAD_BYTES_MAX};
use crate::walk::Forward;

/// Loose ends kept while reading backward (ends and further lines met before their command): far more
/// than sessions ever have commands running at once. Past it the oldest is forgotten.
const LOOSE_ENDS_MAX: usize = 1_024;
/// Bytes of further lines kept with them.
const LOOSE_BYTES_MAX: usize = 2 * PAYLOAD_BYTES_MAX;
/// Commands a forward listing holds back to learn how the first of them ended.
pub(crate) const LOOKAHEAD_COMMANDS: usize = 256;
/// Bytes of command text held back with them.
pub(crate) const LOOKAHEAD_BYTES: usize = 2 * PAYLOAD_BYTES_MAX;

/// One command, joined from its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Random id of the session that ran it; 0 if imported.
    pub session: u64,
    /// Sequence number within the session, from 1.
    pub seq: u64,
    /// When it started, in nanoseconds since the epoch, by the clock of that moment; 0 if unknown.
    pub time_ns: i64,
    /// Working directory; empty if imported.
    pub cwd: Vec<u8>,
    /// The text as typed, lines joined by newlines; any bytes.
    pub command: Vec<u8>,
    /// Exit status, if it has ended and someone saw it.
    pub status: Option<i32>,
    /// Run time in nanoseconds, if it has ended and someone saw it.
    pub duration_ns: Option<u64>,
    /// True if it came from bash's own history file.
    pub imported: bool,
}

/// All commands of a log, oldest first. See [`History::commands`].
pub struct Commands<'h> {
    walk: Forward<'h>,
    held: VecDeque<Command>,
    held_bytes: usize,
}

impl<'h> Commands<'h> {
    pub(crate) fn new(walk: Forward<'h>) -> Self {
        Self {
            walk,
            held: VecDeque::new(),
            held_bytes: 0,
        }
    }
}

impl Iterator for Commands<'_> {
    type Item = Command;

    fn next(&mut self) -> Option<Command> {
        while self
            .held
            .front()
            .is_none_or(|first| !first.imported && first.status.is_none())
            && self.held.len() <= LOOKAHEAD_COMMANDS
            && self.held_bytes <= LOOKAHEAD_BYTES
        {
            let Some(record) = self.walk.next() else { break };
            let Some(event) = Event::read(record.header.kind, record.payload) else {
                continue;
            };
            if record.redacted {
                continue;
            }
            match Command::begin(&record.header, event) {
                Some(command) => {
                    self.held_bytes += command.command.len();
                    self.held.push_back(command);
                }
                None => join(self.held.iter_mut().rev(), record.header.session, event),
            }
        }
        let command = self.held.pop_front()?;
        self.held_bytes = self.held_bytes.saturating_sub(command.command.len());
        Some(command)
    }
}

impl Command {
    pub(crate) fn begin(header: &Header, event: Event<'_>) -> Option<Self> {
        let (cwd, command, imported) = match event {
            Event::Started { cwd, command } => (cwd, command, false),
            Event::Imported { command } => (&[][..], command, true),
            Event::Continued { .. } | Event::Finished { .. } | Event::Ended => return None,
        };
        Some(Self {
            session: header.session,
            seq: header.sequence,
            time_ns: header.time_ns,
            cwd: cwd.to_vec(),
            command: command.to_vec(),
            status: None,
            duration_ns: None,
            imported,
        })
    }

    /// A further line of which the first is not there.
    pub(crate) fn of_line(header: &Header, of: u64, more: &[u8]) -> Self {
        Self {
            session: header.session,
            seq: of,
            time_ns: header.time_ns,
            cwd: Vec::new(),
            command: more.to_vec(),
            status: None,
            duration_ns: None,
            imported: false,
        }
    }

    /// Appends a line, unless the command would become longer than one that is typed at once may be.
    pub(crate) fn append_line(&mut self, more: &[u8]) -> bool {
        let fits = self.command.len() + more.len() < PAYLOAD_BYTES_MAX;
        if fits {
            self.command.push(b'\n');
            self.command.extend_from_slice(more);
        }
        fits
    }

    fn end(&mut self, status: i32, duration_ns: u64) {
        self.status = Some(status);
        self.duration_ns = Some(duration_ns);
    }
}

/// Joins an event to the command it belongs to, if that is among `commands`, newest first.
pub(crate) fn join<'c>(mut commands: impl Iterator<Item = &'c mut Command>, session: u64, event: Event<'_>) {
    let (Event::Continued { of, .. } | Event::Finished { of, .. }) = event else {
        return;
    };
    let Some(command) = commands.find(|command| (command.session, command.seq) == (session, of)) else {
        return;
    };
    match event {
        // What is too long is listed without its end.
        Event::Continued { more, .. } => drop(command.append_line(more)),
        Event::Finished {
            status, duration_ns, ..
        } => command.end(status, duration_ns),
        Event::Started { .. } | Event::Imported { .. } | Event::Ended => {}
    }
}

/// Events met before the command they belong to, because the log is being read backward.
#[derive(Default)]
pub(crate) struct LooseEnds {
    ends: VecDeque<((u64, u64), LooseEnd)>,
    bytes: usize,
}

enum LooseEnd {
    Line(Vec<u8>),
    End { status: i32, duration_ns: u64 },
}

impl LooseEnds {
    pub(crate) fn keep(&mut self, session: u64, event: Event<'_>) {
        match event {
            Event::Continued { of, more } => {
                self.bytes += more.len();
                self.ends
                    .push_back(((session, of), LooseEnd::Line(more.to_vec())));
            }
            Event::Finished {
                of,
                status,
                duration_ns,
            } => {
                self.ends
                    .push_back(((session, of), LooseEnd::End { status, duration_ns }));
            }
            Event::Started { .. } | Event::Imported { .. } | Event::Ended => return,
        }
        while self.ends.len() > LOOSE_ENDS_MAX || self.bytes > LOOSE_BYTES_MAX {
            let Some((_, oldest)) = self.ends.pop_front() else {
                return;
            };
            self.bytes -= oldest.bytes();
        }
    }

    /// Joins what belongs to `command`: kept newest first, so the lines come back in reverse.
    pub(crate) fn tie(&mut self, key: (u64, u64), command: &mut Command) {
        for (_, end) in self.ends.iter().rev().filter(|(of, _)| *of == key) {
            match end {
                LooseEnd::Line(more) => drop(command.append_line(more)),
                LooseEnd::End { status, duration_ns } => command.end(*status, *duration_ns),
            }
        }
        self.drop_all(key);
    }

    pub(crate) fn drop_all(&mut self, key: (u64, u64)) {
        let bytes = &mut self.bytes;
        self.ends.retain(|(of, end)| {
            let keep = *of != key;
            *bytes -= if keep { 0 } else { end.bytes() };
            keep
        });
    }
}

impl LooseEnd {
    fn bytes(&self) -> usize {
        match self {
            Self::Line(more) => more.len(),
            Self::End { .. } => 0,
        }
    }
}
