//! Records of the history log: what writing one took, and what becomes of those that cannot be written.

use super::{Session, with_causes};
use crate::clock;
use crate::file_size::as_error;
use lle_log::AppendError;
use lle_log::history::{History, Unopened};
use lle_metrics::{Counter, EventKind, Gauge, Timer};

/// A record waits in memory until there is room, or a log.
pub(super) const WAITS: &str = "commands wait in this shell for the history log";
/// It is too long for the log, or for what may wait.
const NOT_KEPT: &str = "this command is kept by bash alone";

impl Session {
    /// A command is about to run in `cwd`: it is written, or waits. Gives its number in the log, if it has one. `began` is
    /// when this did.
    pub(crate) fn command_started(&mut self, began: u64, cwd: &[u8], command: &[u8]) -> Option<u64> {
        let at = clock::wall();
        self.append(
            began,
            |history| history.started(at, cwd, command),
            |unopened| unopened.started(at, cwd, command),
        )
    }

    /// A further line of the command of that number was accepted.
    pub(crate) fn command_continued(&mut self, seq: u64, line: &[u8]) {
        let at = clock::wall();
        self.append(
            clock::now(),
            |history| history.continued(seq, at, line).map(|()| seq),
            |unopened| unopened.continued(seq, at, line),
        );
    }

    /// The command of that number has ended.
    pub(crate) fn command_finished(&mut self, seq: u64, status: i32, duration: u64) {
        let at = clock::wall();
        self.append(
            clock::now(),
            |history| history.finished(seq, at, status, duration).map(|()| seq),
            |unopened| unopened.finished(seq, at, status, duration),
        );
    }

    /// Writes one record, or keeps it for a log that is not open yet; gives its number, if it is somewhere.
    fn append(
        &mut self,
        began: u64,
        to_log: impl FnOnce(&mut History) -> Result<u64, AppendError>,
        to_memory: impl FnOnce(&mut Unopened) -> AppendError,
    ) -> Option<u64> {
        let result = match (&mut self.history, &mut self.missing) {
            (Some(history), _) => as_error(|| to_log(history)),
            (None, Some(missing)) => Err(to_memory(&mut missing.unopened)),
            (None, None) => return None,
        };
        // One that waits in memory has its number, too.
        let seq = result.as_ref().ok().copied().or_else(|| self.newest_waits());
        self.appended(began, result.map(drop));
        seq
    }

    fn newest_waits(&self) -> Option<u64> {
        match (&self.history, &self.missing) {
            (Some(history), _) => history.newest_waits(),
            (None, missing) => missing.as_ref()?.unopened.newest_waits(),
        }
    }

    /// Times one record written to the history log.
    fn appended(&mut self, began: u64, result: Result<(), AppendError>) {
        let spent = clock::now().saturating_sub(began);
        match result {
            Ok(()) => self.flight.update(|w| {
                w.add(Counter::HistoryAppends, 1);
                w.time(Timer::HistoryAppend, spent);
            }),
            Err(e) => {
                let text = with_causes(&e);
                self.flight.update(|w| {
                    w.add(Counter::HistoryAppendFailures, 1);
                    w.event(EventKind::HistoryFailed, 0, 0, text.as_bytes());
                });
                let waits = self.newest_waits().is_some();
                self.memory_only(if waits { WAITS } else { NOT_KEPT }, &text);
                // Why a log is not open is known better than that it is not.
                if waits && self.history.is_some() {
                    self.log_problem = Some(text);
                }
            }
        }
        self.tell_late();
    }

    /// Tells what became of commands that waited.
    pub(super) fn tell_late(&mut self) {
        let late = match (&mut self.history, &mut self.missing) {
            (Some(history), _) => history.take_late(),
            (None, Some(missing)) => missing.unopened.take_late(),
            (None, None) => return,
        };
        if late.dropped > 0 {
            self.say_once(
                "more commands wait for the history log than there is memory for",
                "the newest are kept by bash alone",
            );
        }
        self.late_written += late.written;
        let is_news = self.late_written > 0 || self.opened_late;
        if late.still_waits || !is_news {
            return;
        }
        let written = std::mem::take(&mut self.late_written);
        let what = match std::mem::take(&mut self.opened_late) {
            true => "can be opened now",
            false => "has room again",
        };
        let commands = match written {
            0 => String::new(),
            1 => ": the command that waited is in it".to_owned(),
            n => format!(": the {n} commands that waited are in it"),
        };
        // The next time is news again.
        self.said.retain(|said| *said != WAITS);
        self.log_problem = None;
        if self.flight_problem.is_none() {
            self.flight.update(|w| w.set(Gauge::MemoryOnly, 0));
        }
        self.notice(format!("lusush: the history log {what}{commands}"));
    }
}
