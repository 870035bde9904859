//! The two commands that search: LLE's own search stands before the one, and readline's own has both back while it runs.
//!
//! Invariant: readline's search knows its keys by the addresses of its commands, so it never runs with LLE's in the keymaps.

use super::{Command, Commands, NAMES, each_keymap, functions, go_before, same};
use crate::abi::CommandFn;
use crate::hooks::guarded;
use crate::lle::Lle;
use crate::symbols::Bash;
use libc::c_int;
use std::ffi::CStr;

/// What the search of the log is called by itself, whatever `editor.search` makes of readline's.
const SEARCH_NAME: &CStr = c"lle-search-history";

impl Commands {
    /// Lets readline's own search find its two commands where they were: it goes by their addresses.
    fn lend(&mut self, bash: &Bash) {
        self.lent = self.wrapped;
        let searches = [Command::ReverseSearch as usize, Command::ForwardSearch as usize];
        let originals = self.originals;
        each_keymap(bash, &mut |f| {
            let which = searches.iter().find(|which| same(NAMES[**which].1, f))?;
            originals[*which]
        });
    }

    /// Goes before them again.
    pub(super) fn take_back(&mut self, bash: &Bash) {
        if std::mem::take(&mut self.lent) {
            self.rebind(bash);
        }
    }
}

pub(super) unsafe extern "C-unwind" fn reverse_search(count: c_int, key: c_int) -> c_int {
    search(count, key, |lle| lle.settings.search)
}

unsafe extern "C-unwind" fn search_log(count: c_int, key: c_int) -> c_int {
    search(count, key, |_| true)
}

/// Searches the log if `wanted` and this is a place for it, else bash's list by readline's own search.
fn search(count: c_int, key: c_int, wanted: fn(&Lle) -> bool) -> c_int {
    // A negative argument searches forward, which is readline's.
    let begins = |lle: &mut Lle| lle.hooks.armed() && count >= 0 && wanted(lle) && lle.begin_recall();
    if guarded("a command", begins).unwrap_or(false) {
        crate::recall::run();
        return 0;
    }
    readlines_search(Command::ReverseSearch, count, key)
}

pub(super) unsafe extern "C-unwind" fn forward_search(count: c_int, key: c_int) -> c_int {
    readlines_search(Command::ForwardSearch, count, key)
}

fn readlines_search(which: Command, count: c_int, key: c_int) -> c_int {
    guarded("a command", |lle| lle.commands.lend(&lle.bash));
    let result = go_before(which, count, key, |_| false);
    guarded("a command", |lle| lle.commands.take_back(&lle.bash));
    result
}

/// Lets keys be bound to the search by a name of its own, before readline reads the user's `inputrc`.
pub(crate) fn name_search(bash: &Bash) {
    if let Some(add) = bash.add_defun {
        // SAFETY: readline keeps both, which live as long as the process; it binds no key.
        unsafe { add(SEARCH_NAME.as_ptr(), Some(search_log), -1) };
    }
}

/// The name that a command is listed under.
pub(crate) fn name_of(bash: &Bash, function: CommandFn) -> Option<&'static [u8]> {
    // SAFETY: as in wrap().
    functions(bash)?.iter().find_map(|entry| unsafe {
        let is_it = (**entry).function.is_some_and(|f| same(f, function));
        is_it.then(|| CStr::from_ptr((**entry).name).to_bytes())
    })
}
