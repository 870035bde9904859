//! How far the import of bash's history file is: one line on the terminal, for what takes longer than a second.
//!
//! It happens once, before the first prompt ever. Ten million commands take half a minute, and a terminal that shows
//! nothing for so long has been closed by then.

use std::io::{self, IsTerminal, Write};

use crate::clock;

/// What is over sooner needs no word.
const SILENT_NS: u64 = 1_000_000_000;
/// Between two drawings.
const EVERY_NS: u64 = 200_000_000;
/// As many columns as the longest line has, to wipe it with what every terminal knows.
const COLUMNS: usize = 46;

/// A line that appears if there is a reason.
pub(crate) struct Progress {
    began: u64,
    drawn: Option<u64>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            began: clock::now(),
            drawn: None,
        }
    }

    /// Shows how much is done, if it is time for that and somebody looks.
    pub(crate) fn tell(&mut self, done: u64, of: u64) {
        if let Some(line) = self.line(clock::now(), done, of)
            && io::stderr().is_terminal()
        {
            write(&format!("\r{line}"));
        }
    }

    /// The line that is due at `now`.
    fn line(&mut self, now: u64, done: u64, of: u64) -> Option<String> {
        let due = self
            .drawn
            .map_or(self.began + SILENT_NS, |drawn| drawn + EVERY_NS);
        if now < due || of == 0 {
            return None;
        }
        self.drawn = Some(now);
        Some(format!(
            "lusush: importing your history, once: {} %",
            done * 100 / of
        ))
    }

    /// Wipes the line.
    pub(crate) fn end(self) {
        if self.drawn.is_some() && io::stderr().is_terminal() {
            write(&format!("\r{}\r", " ".repeat(COLUMNS)));
        }
    }
}

fn write(text: &str) {
    let mut out = io::stderr();
    // A terminal that is gone ends the shell by itself.
    let _gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_nothing_of_what_is_over_soon_and_then_not_too_often() {
        let mut progress = Progress {
            began: 5,
            drawn: None,
        };
        let line = |percent| Some(format!("lusush: importing your history, once: {percent} %"));
        assert_eq!(progress.line(5 + SILENT_NS - 1, 1, 4), None);
        assert_eq!(progress.line(5 + SILENT_NS, 1, 4), line(25));
        assert_eq!(progress.line(5 + SILENT_NS + EVERY_NS - 1, 2, 4), None);
        let last = progress.line(5 + SILENT_NS + EVERY_NS, 4, 4);
        assert_eq!(last, line(100));
        assert!(last.is_some_and(|line| line.len() <= COLUMNS));
    }

    #[test]
    fn an_empty_file_is_no_division() {
        assert_eq!(
            Progress {
                began: 0,
                drawn: None
            }
            .line(u64::MAX, 0, 0),
            None
        );
    }
}
