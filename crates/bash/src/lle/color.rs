//! The colours of the line: a role for every byte, by the lexer, or by the letter before while an echo waits for it.
//!
//! Invariant: there are as many roles as the line has bytes, or none.

use super::{LONG_LINE, Lle};
use crate::lexer::Known;
use crate::theme::Role;

impl Lle {
    /// Colours the line, or leaves it plain where it is no command. A name that only the disk knows is shown as
    /// unknown until `look` allows to look. `began` is now.
    pub(crate) fn color(&mut self, line: &[u8], look: bool, began: u64) {
        self.roles.clear();
        self.colored.clear();
        if !self.settings.highlight || !self.bash.reads_commands() {
            return;
        }
        let (bash, names, open) = (self.bash, &mut self.names, &mut self.names_open);
        let look_up = line.len() <= LONG_LINE;
        self.lexer
            .lex(line, &mut self.roles, |word| match names.recall(&bash, word) {
                _ if !look_up => Known::Unasked,
                Some(known) => known,
                None if look => names.lookup(&bash, word),
                None => {
                    *open = true;
                    Known::No
                }
            });
        let searches = names.take_searches();
        let gave_up = names.gave_up();
        self.colored.extend_from_slice(line);
        self.session.highlighted(began, searches, gave_up);
    }

    /// True if all that is new is one more letter of the word at the end of the line: by far the most keys.
    pub(super) fn goes_on_with_word(&self, line: &[u8]) -> bool {
        let in_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let Some((last, before)) = line.split_last() else {
            return false;
        };
        in_word(last)
            && before.last().is_some_and(in_word)
            && self.roles.len() == before.len()
            && self.bash.point() == line.len()
            && self.settings.highlight
            && self.bash.reads_commands()
            && self.colored == before
    }

    /// Shows one more letter in the colour of the one before it, which is nearly always right: the echo waits for no
    /// lexer. [`Lle::enrich`] says what it really is.
    pub(super) fn color_as_before(&mut self, line: &[u8]) {
        let role = self.roles.last().copied().unwrap_or(Role::Plain);
        self.roles.push(role);
        self.colored.clear();
        self.colored.extend_from_slice(line);
        self.names_open = true;
    }

    /// The echo of a long line does not wait for its colours: [`Lle::enrich`] brings them.
    pub(super) fn color_later(&mut self, line: &[u8]) {
        self.colored.clear();
        if self.settings.highlight && self.bash.reads_commands() {
            self.roles.resize(line.len(), Role::Plain);
            self.names_open = true;
        } else {
            self.roles.clear();
        }
    }
}
