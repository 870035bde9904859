//! The end of a line, by whatever road: nothing of LLE's stays on the screen, and the cursor is where readline would have it.

use crate::abi::state as bits;
use crate::frame::Place;
use crate::lle::Lle;
use libc::c_int;

impl Lle {
    /// The end of a `readline()` call, by any road: suggestion and menu off, the cursor below the text, the line told.
    pub(super) fn finish(&mut self, accepted: bool) {
        let bash = self.bash;
        let searches = self.recall.is_some();
        // What a search shows stays as it is, as readline leaves it.
        let owed = (std::mem::take(&mut self.owed) || self.names_open) && !searches;
        let grey = !self.suggestion.is_empty() || self.menu.is_some() || searches;
        self.drop_line_state();
        // SAFETY: a plain read.
        if !self.painter.is_valid() || unsafe { *bash.echoing } == 0 {
            return;
        }
        // SAFETY: plain reads.
        let (by_readline, version) = unsafe {
            (
                *bash.display_fixed > 0,
                bash.readline_version.map_or(0x802, |p| *p),
            )
        };
        let line = bash.accepted_line();
        if by_readline {
            self.painter.ended_below(self.extent.text_rows - 1);
        }
        if owed && !by_readline {
            self.paint_last(if accepted { line } else { bash.line() });
        } else if grey {
            let end = self.extent.text_end;
            self.painter.erase_from(end);
            if by_readline {
                self.painter.out.extend(b"\r\n");
            }
        }
        if !by_readline {
            self.end_row(accepted, version);
        } else if self.extent.ends_on_empty_row {
            // Readline does not know that nothing stands in the last row, and went one row too far.
            self.painter.out.extend(b"\x1b[A");
        }
        self.flush();
        self.painter.forget();
    }

    /// True if the line was accepted, not given up and not ended by end of file.
    pub(super) fn is_accepted(&self) -> bool {
        // Release 5.1 has no state for end of file.
        let at_eof = self.hooks.line_was_empty && matches!(self.hooks.last_key, 4 | -1);
        self.bash.is_done() && !self.bash.is(bits::EOF) && !at_eof
    }

    /// True if end of file was typed, and did not just come; where readline reads by itself that is not known, and whoever
    /// has a terminal is taken to have typed it.
    pub(crate) fn typed_end_of_file(&self) -> bool {
        if self.hooks.armed {
            return self.hooks.last_key > 0;
        }
        // SAFETY: readline's own stream.
        unsafe { libc::isatty(libc::fileno(*self.bash.instream)) == 1 }
    }

    fn end_row(&mut self, accepted: bool, version: c_int) {
        let end = self.extent.text_end;
        if !accepted {
            // SAFETY: a plain read. Cleaning up for a signal, readline went to the last row and took note of it so.
            if unsafe { *self.bash.vis_botlin } == 0 && self.extent.text_rows > 1 {
                self.painter.moved_to(end.row);
            }
            if self.painter.pos().row != end.row {
                self.painter.go(end);
            }
            return;
        }
        self.painter.go(end);
        // Until 5.3 readline adds no row below an empty line without a prompt.
        let nothing_shown =
            end == Place::default() && self.painter.shown().row(0).is_empty() && version < 0x803;
        if !self.extent.ends_on_empty_row && !nothing_shown {
            self.painter.out.extend(b"\r\n");
        }
    }
}
