//! What bash has printed of the commands it runs, for itself: the names of what a prompt spends its time on.
//!
//! Invariant: what is the user's own last line names nothing; no text of bash's is kept past the call.

use libc::c_int;

use super::table::Name;
use super::{Attribution, names};

impl Attribution {
    /// Says whether bash has begun a command since the last call.
    pub(super) fn forget_printed(&self) -> bool {
        let Some(index) = self.bash.command_string_index else {
            return true;
        };
        // SAFETY: bash sets the index to 0 itself before it prints, and no printing is under way: see the module's head.
        unsafe { std::mem::replace(&mut *index, 0) > 0 }
    }

    /// Says whether bash has printed a command of this round; false if this bash does not tell.
    pub(super) fn has_printed(&self) -> bool {
        // SAFETY: a plain read of a number of bash's.
        let printed = |index: *mut c_int| unsafe { *index } > 0;
        let index = self.bash.command_string_index;
        index.is_some_and(|index| self.prints || printed(index))
    }

    /// The text of the command that ran last, if it is one of this round: release 5.2 prints a `$(…)` that it parses,
    /// and what it keeps for traps is then still the user's own line.
    pub(super) fn printed(&mut self) -> Option<Name> {
        let text = self.kept_text()?;
        if self.users_own == Some(names::fingerprint(text)) {
            // SAFETY: null or a nul-terminated buffer of bash's; nothing is run before it is compared.
            let last = self
                .bash
                .printed
                .map(|last| unsafe { crate::readline::text(*last) });
            last.filter(|last| *last == text)?;
        } else {
            self.users_own = None;
        }
        Some(names::command(text))
    }

    /// What bash keeps of the last command for traps.
    pub(super) fn kept_text(&self) -> Option<&'static [u8]> {
        let text = self.bash.printed_except_trap?;
        // SAFETY: null or a nul-terminated string of bash's; callers use it before bash runs on and may free it.
        Some(unsafe { crate::readline::text(*text) })
    }
}
