//! The prompt as readline would show it: its last row is laid out and part of the picture, those above it are printed once.

use super::Lle;
use crate::view;

impl Lle {
    /// Makes sure there is a prompt to paint behind: prints it on a fresh row, or again after a resize.
    pub(super) fn begin(&mut self, size: (usize, usize)) {
        if self.painter.is_of_other_size(size) {
            self.painter.wipe_resized(size.0, self.session.terminal_reflows());
            self.session.resized(size);
            // As readline does it, the rows above the prompt's last one stay as they are.
            self.print_prompt(size, false);
        } else if !self.painter.is_valid() || self.starts_fresh_row() {
            self.print_prompt(size, true);
        }
    }

    /// Prints the prompt as it is, escape sequences and all, and takes it as the picture on the screen.
    pub(crate) fn print_prompt(&mut self, size: (usize, usize), whole: bool) {
        let full = self.bash.shown_prompt();
        let above = if whole {
            &full[..self.prompt_cut(full)]
        } else {
            b""
        };
        for b in above.iter().chain(&self.prompt_row) {
            match b {
                1 | 2 => {}
                b'\n' => self.painter.out.extend(b"\r\n"),
                b => self.painter.out.push(*b),
            }
        }
        self.frame.begin_with(&self.prompt_frame);
        self.painter.assume(&mut self.frame, size);
    }

    /// Lays the prompt's last row out, if it is not the one laid out before.
    pub(crate) fn lay_prompt(&mut self, size: (usize, usize)) {
        std::mem::swap(&mut self.prompt_row, &mut self.prompt_row_before);
        self.write_prompt_row();
        if self.prompt_row == self.prompt_row_before && self.prompt_frame.width() == size.0 {
            return;
        }
        self.prompt_frame.begin(size.0);
        let (sgr, marks) = (&mut self.painter.prompt_sgr, &mut self.painter.marks);
        view::lay_prompt(&mut self.prompt_frame, &self.prompt_row, self.utf8, sgr, marks);
    }

    /// Where the last row of a prompt of several rows begins; 0 for a message.
    fn prompt_cut(&self, full: &[u8]) -> usize {
        if !self.bash.prompt_is_own() || self.recall.is_some() {
            return 0;
        }
        full.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1)
    }

    /// Takes note of whether the line is a modified one, as long as readline knows.
    pub(crate) fn note_modified(&mut self) {
        let bash = self.bash;
        if !bash.is_done() {
            // SAFETY: plain reads, and a function that only reads.
            self.modified = unsafe { !(*bash.undo_list).is_null() && !(bash.current_history)().is_null() };
        }
    }

    /// Writes the last row of the prompt, with readline's marks for a modified line and the editing mode.
    fn write_prompt_row(&mut self) {
        self.note_modified();
        let bash = self.bash;
        let full = bash.shown_prompt();
        let row = &mut self.prompt_row;
        row.clear();
        if let Some(recall) = &self.recall {
            recall.write_prompt(row);
            return;
        }
        if self.modified && bash.flag(bash.mark_modified_lines) {
            row.push(b'*');
        }
        // Readline adds the mode to a prompt, not to none.
        if bash.prompt_is_own() && !full.is_empty() && bash.flag(bash.show_mode_in_prompt) {
            // SAFETY: a plain read.
            let emacs = unsafe { *bash.editing_mode } == 1;
            row.extend_from_slice(bash.setting(match (emacs, bash.in_vi_command_mode()) {
                (true, _) => c"emacs-mode-string",
                (false, true) => c"vi-cmd-mode-string",
                (false, false) => c"vi-ins-mode-string",
            }));
        }
        let cut = self.prompt_cut(full);
        self.prompt_row.extend_from_slice(&full[cut..]);
    }
}
