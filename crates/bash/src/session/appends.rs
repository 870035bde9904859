//! Records of the history log: what writing one took, and what becomes of those that cannot be written.

use super::{Session, with_causes};
use crate::clock;
use lle_log::AppendError;
use lle_log::history::History;
use lle_metrics::{Counter, EventKind, Gauge, Timer};

/// A record waits in memory until there is room.
const WAITS: &str = "commands wait in this shell for the history log";
/// It is too long for the log, or for what may wait.
const NOT_KEPT: &str = "this command is kept by bash alone";

impl Session {
    /// Times one record written to the history log.
    pub(crate) fn appended(&mut self, began: u64, result: Result<(), AppendError>) {
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
                let waits = self.history.as_ref().and_then(History::newest_waits);
                self.memory_only(if waits.is_some() { WAITS } else { NOT_KEPT }, &text);
            }
        }
        self.tell_late();
    }

    /// Tells what became of commands that waited.
    fn tell_late(&mut self) {
        let late = self.history.as_mut().map(History::take_late);
        let late = late.unwrap_or_default();
        if late.dropped > 0 {
            self.say_once(
                "more commands wait for the history log than there is memory for",
                "the newest are kept by bash alone",
            );
        }
        if late.written > 0 && !late.still_waits {
            // The next time is news again.
            self.said.retain(|said| *said != WAITS);
            if self.flight.is_shared() {
                self.flight.update(|w| w.set(Gauge::MemoryOnly, 0));
            }
            let commands = match late.written {
                1 => "the command that waited is in it".to_owned(),
                n => format!("the {n} commands that waited are in it"),
            };
            self.notice(format!("lusush: the history log has room again: {commands}"));
        }
    }
}
