//! A log that could not be opened: what a session types waits in its memory, as what a full disk refuses does, and is in the
//! log once that can be opened.
//!
//! ```text
//!  Unopened: record ▸ waits      open ▸ History: those that waited ▸ record ▸ log
//! ```
//!
//! Invariant: the session's numbers go on from one to the other, so that each record is in the log once and in order. What
//! bash's history file had before is imported by whoever makes the log; what this session made bash append to it meanwhile
//! is not, since it waits here, with more than bash knows of it.

use std::collections::HashMap;
use std::path::Path;

use super::{History, Late, Opened, squeezed};
use crate::event::Event;
use crate::file::{LogFile, Outbox};
use crate::header::LogKind;
use crate::import::{self, Import, Since, Told};
use crate::lines::LineEnd;
use crate::{AppendError, OpenError};

/// A history log that is not open yet.
pub struct Unopened {
    outbox: Outbox,
    /// How long bash's history file was when the log could not be opened for the first time.
    file_bytes: Option<u64>,
}

impl Unopened {
    /// Prepares for the log of `session`, a random id as [`History::open`] has it.
    pub fn new(session: u64) -> Self {
        Self {
            outbox: Outbox::new(session),
            file_bytes: None,
        }
    }

    /// Opens or creates the log, as [`History::open_telling`] does; what waits is written before the next record, or by
    /// [`History::write_waiting`]. May be tried again and again until it succeeds; after that this is another session's.
    ///
    /// # Errors
    /// As [`History::open`]. What waits goes on waiting.
    pub fn open(
        &mut self,
        path: &Path,
        now_ns: i64,
        import: Option<&Path>,
        told: Told<'_>,
    ) -> Result<Opened, OpenError> {
        let session = self.outbox.session();
        let opened = LogFile::open(path, LogKind::History, session, now_ns, |out| match import {
            Some(import) => import::copy(import, out, told, self.since()),
            None => Ok(Import::default()),
        });
        let mut opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let bytes = || import.and_then(|file| Some(std::fs::metadata(file).ok()?.len()));
                self.file_bytes.get_or_insert_with(|| bytes().unwrap_or_default());
                return Err(error);
            }
        };
        std::mem::swap(opened.log.outbox_mut(), &mut self.outbox);
        let created = opened.created.is_some();
        let import = opened.created.unwrap_or_default();
        Ok(Opened {
            history: History { log: opened.log },
            created,
            imported: import.count,
            too_long: import.too_long,
            is_of_dos: import.line_end == LineEnd::Dos,
            import_error: import.failed,
        })
    }

    /// Keeps that `command` is about to run in `cwd`; its sequence number is [`Unopened::newest_waits`].
    ///
    /// # Errors
    /// Always: nothing is written. It waits, unless it is too long or too much waits already.
    pub fn started(&mut self, now_ns: i64, cwd: &[u8], command: &[u8]) -> AppendError {
        self.append(now_ns, Event::Started { cwd, command })
    }

    /// Keeps a further line of the command with sequence number `of`; as [`Unopened::started`].
    pub fn continued(&mut self, of: u64, now_ns: i64, more: &[u8]) -> AppendError {
        self.append(now_ns, Event::Continued { of, more })
    }

    /// Keeps how the command with sequence number `of` ended; as [`Unopened::started`].
    pub fn finished(&mut self, of: u64, now_ns: i64, status: i32, duration_ns: u64) -> AppendError {
        let event = Event::Finished {
            of,
            status,
            duration_ns,
        };
        self.append(now_ns, event)
    }

    /// The sequence number of what was to be kept last, if it waits.
    pub fn newest_waits(&self) -> Option<u64> {
        self.outbox.newest_waits()
    }

    /// How many commands wait.
    pub fn commands_waiting(&self) -> u64 {
        self.outbox.waiting().commands()
    }

    /// Takes what became of records, so that it is told once.
    pub fn take_late(&mut self) -> Late {
        Late::take(&mut self.outbox)
    }

    fn append(&mut self, now_ns: i64, event: Event<'_>) -> AppendError {
        let prepared = self
            .outbox
            .prepare(event.kind(), now_ns, event.payload_bytes(), |out| {
                event.write(out);
            });
        if let Err(error) = prepared {
            return error;
        }
        self.outbox.keep(&AppendError::Unopened);
        self.outbox.put_away();
        AppendError::Unopened
    }

    /// What an import leaves to this session; nothing if nothing was typed yet.
    fn since(&self) -> Option<Since> {
        let file_bytes = self.file_bytes?;
        let mut commands: Vec<(u64, Vec<u8>)> = Vec::new();
        for (number, kind, payload) in self.outbox.waiting().records() {
            match Event::read(kind, payload) {
                Some(Event::Started { command, .. }) => commands.push((number, command.to_vec())),
                Some(Event::Continued { of, more }) => {
                    if let Some((_, command)) = commands.iter_mut().rev().find(|(number, _)| *number == of) {
                        command.push(b'\n');
                        command.extend_from_slice(more);
                    }
                }
                Some(Event::Finished { .. } | Event::Imported { .. } | Event::Ended) | None => {}
            }
        }
        let mut typed: HashMap<Vec<u8>, usize> = HashMap::new();
        for (_, command) in commands {
            *typed.entry(squeezed(&command)).or_default() += 1;
        }
        Some(Since { file_bytes, typed })
    }
}

#[cfg(test)]
mod tests;
