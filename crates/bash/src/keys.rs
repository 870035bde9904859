//! Readline's commands that LLE goes before: Tab, Enter, Ctrl-R, and the keys that accept a suggestion or move in the menu.
//!
//! Each is replaced by name where readline keeps it, in its list of named commands and in every keymap, so that
//! `bind -p`, `~/.inputrc`, macros and the user's own bindings go on meaning the same commands. `lle off` puts all back.
//!
//! Invariant: what LLE does not need itself goes to the command that stood there, outside any borrow of the state,
//! since it may `longjmp`.

mod search;

use crate::abi::{CommandFn, Function, ISFUNC, ISKMAP, KEYMAP_SIZE, KeymapEntry, state as bits};
use crate::complete::asked::Asked;
use crate::hooks::guarded;
use crate::lexer::End;
use crate::lle::{Lle, state};
use crate::menu::Step;
use crate::symbols::Bash;
use libc::c_int;
use search::{forward_search, reverse_search};
pub(crate) use search::{name_of, name_search};
use std::ffi::CStr;

/// Enter on an incomplete command opens a row; after this many empty rows it submits what there is.
const EMPTY_ROWS_MAX: usize = 2;
/// Nested keymaps looked into: readline's deepest key sequences have 8 keys.
const KEYMAP_DEPTH_MAX: usize = 16;
/// Named commands of readline and bash; there are about 230, and the list ends with a null.
const FUNCTIONS_MAX: usize = 10_000;

/// The commands gone before, in the order of [`NAMES`].
#[derive(Clone, Copy)]
enum Command {
    Accept,
    Complete,
    ForwardChar,
    BackwardChar,
    ForwardWord,
    EndOfLine,
    PreviousHistory,
    NextHistory,
    Abort,
    ReverseSearch,
    ForwardSearch,
}

const NAMES: [(&CStr, CommandFn); 11] = [
    (c"accept-line", accept),
    (c"complete", complete),
    (c"forward-char", forward_char),
    (c"backward-char", backward_char),
    (c"forward-word", forward_word),
    (c"end-of-line", end_of_line),
    (c"previous-history", previous_history),
    (c"next-history", next_history),
    (c"abort", abort),
    (c"reverse-search-history", reverse_search),
    (c"forward-search-history", forward_search),
];

/// What stood where LLE's commands stand now.
#[derive(Default)]
pub(crate) struct Commands {
    originals: [Option<CommandFn>; NAMES.len()],
    wrapped: bool,
    /// Readline's own search has its two commands back, by which it knows its keys.
    lent: bool,
}

impl Commands {
    /// Goes before the commands, once readline has its list of them.
    pub(crate) fn wrap(&mut self, bash: &Bash) {
        // A search that a signal ended has not given them back.
        self.take_back(bash);
        if self.wrapped {
            return;
        }
        let Some(list) = functions(bash) else { return };
        for entry in list {
            // SAFETY: readline allocated the entry and never frees it; names are nul-terminated.
            let (name, function) = unsafe { (CStr::from_ptr((**entry).name), (**entry).function) };
            let Some(n) = NAMES.iter().position(|(known, _)| *known == name) else {
                continue;
            };
            let Some(function) = function.filter(|f| !same(*f, NAMES[n].1)) else {
                continue;
            };
            self.originals[n] = Some(function);
            // SAFETY: as above; the entry is readline's own writable memory.
            unsafe { (**entry).function = Some(NAMES[n].1) };
        }
        self.wrapped = true;
        self.rebind(bash);
    }

    /// Replaces the originals where keys are bound to them: also what an inputrc bound since.
    fn rebind(&self, bash: &Bash) {
        let pairs = self.originals;
        each_keymap(bash, &mut |f| {
            NAMES
                .iter()
                .zip(pairs)
                .find(|(_, old)| old.is_some_and(|o| same(o, f)))
                .map(|((_, ours), _)| *ours)
        });
    }

    /// Puts everything back.
    pub(crate) fn unwrap(&mut self, bash: &Bash) {
        self.lent = false;
        if !std::mem::take(&mut self.wrapped) {
            return;
        }
        let pairs = self.originals;
        let original = |f: CommandFn| {
            NAMES
                .iter()
                .zip(pairs)
                .find(|((_, ours), _)| same(*ours, f))
                .and_then(|(_, old)| old)
        };
        for entry in functions(bash).into_iter().flatten() {
            // SAFETY: as in wrap().
            unsafe {
                if let Some(old) = (**entry).function.and_then(original) {
                    (**entry).function = Some(old);
                }
            }
        }
        each_keymap(bash, &mut |f| original(f));
    }
}

fn same(a: CommandFn, b: CommandFn) -> bool {
    std::ptr::fn_addr_eq(a, b)
}

/// Readline's list of named commands, up to its null.
fn functions(bash: &Bash) -> Option<&'static [*mut Function]> {
    // SAFETY: funmap is null or points to a null-terminated array of pointers that readline only ever extends.
    unsafe {
        let list = *bash.funmap?;
        if list.is_null() {
            return None;
        }
        let n = (0..FUNCTIONS_MAX)
            .take_while(|n| !(*list.add(*n)).is_null())
            .count();
        Some(std::slice::from_raw_parts(list, n))
    }
}

/// Visits every command bound in every keymap and replaces it where `f` says so.
fn each_keymap(bash: &Bash, f: &mut dyn FnMut(CommandFn) -> Option<CommandFn>) {
    let tops = [
        bash.emacs_keymap,
        bash.emacs_meta_keymap,
        bash.emacs_ctlx_keymap,
        bash.vi_insertion_keymap,
        Some(bash.vi_movement_keymap),
    ];
    for top in tops.into_iter().flatten() {
        visit(top, KEYMAP_DEPTH_MAX, f);
    }
}

fn visit(keymap: *mut KeymapEntry, depth: usize, f: &mut dyn FnMut(CommandFn) -> Option<CommandFn>) {
    if keymap.is_null() || depth == 0 {
        return;
    }
    // SAFETY: a keymap of readline's has KEYMAP_SIZE entries and is its own writable memory.
    let entries = unsafe { std::slice::from_raw_parts_mut(keymap, KEYMAP_SIZE) };
    for entry in entries {
        match (entry.kind, entry.function) {
            (ISFUNC, Some(function)) => {
                if let Some(new) = f(function) {
                    entry.function = Some(new);
                }
            }
            // SAFETY: for this kind readline stores a keymap's address in the same field.
            (ISKMAP, Some(nested)) => visit(nested as *const () as *mut KeymapEntry, depth - 1, f),
            _ => {}
        }
    }
}

/// Runs LLE's part; if it has none, the command that stood there.
fn go_before(which: Command, count: c_int, key: c_int, ours: impl FnOnce(&mut Lle) -> bool) -> c_int {
    let done = guarded("a command", |lle| lle.hooks.armed() && ours(lle)).unwrap_or(false);
    if done {
        return 0;
    }
    let original = state().and_then(|lle| lle.commands.originals[which as usize].map(|f| (lle.bash, f)));
    match original.map(|(bash, original)| {
        if let Some(last) = bash.last_func {
            // Some commands behave otherwise when repeated, and go by the function that was called last.
            // SAFETY: a plain read and write of readline's variable.
            unsafe {
                if (*last).is_some_and(|f| same(f, NAMES[which as usize].1)) {
                    *last = Some(original);
                }
            }
        }
        original
    }) {
        // SAFETY: a command of readline's, called as readline would; nothing here owns anything.
        Some(original) => unsafe { original(count, key) },
        None => 0,
    }
}

unsafe extern "C-unwind" fn accept(count: c_int, key: c_int) -> c_int {
    go_before(Command::Accept, count, key, Lle::enter)
}

unsafe extern "C-unwind" fn complete(count: c_int, key: c_int) -> c_int {
    go_before(Command::Complete, count, key, |lle| lle.tab(key))
}

unsafe extern "C-unwind" fn forward_char(count: c_int, key: c_int) -> c_int {
    go_before(Command::ForwardChar, count, key, |lle| {
        lle.menu_step(Step::Next) || lle.accept_suggestion(false)
    })
}

unsafe extern "C-unwind" fn backward_char(count: c_int, key: c_int) -> c_int {
    go_before(Command::BackwardChar, count, key, |lle| {
        lle.menu_arrow(Step::Previous)
    })
}

unsafe extern "C-unwind" fn forward_word(count: c_int, key: c_int) -> c_int {
    go_before(Command::ForwardWord, count, key, |lle| {
        lle.accept_suggestion(true)
    })
}

unsafe extern "C-unwind" fn end_of_line(count: c_int, key: c_int) -> c_int {
    go_before(Command::EndOfLine, count, key, |lle| lle.accept_suggestion(false))
}

unsafe extern "C-unwind" fn previous_history(count: c_int, key: c_int) -> c_int {
    go_before(Command::PreviousHistory, count, key, |lle| {
        lle.menu_arrow(Step::RowUp) || lle.row_step(false)
    })
}

unsafe extern "C-unwind" fn next_history(count: c_int, key: c_int) -> c_int {
    go_before(Command::NextHistory, count, key, |lle| {
        lle.menu_arrow(Step::RowDown) || lle.row_step(true)
    })
}

unsafe extern "C-unwind" fn abort(count: c_int, key: c_int) -> c_int {
    go_before(Command::Abort, count, key, |lle| {
        let waiting = lle.job.take().is_some_and(|job| {
            job.cancel();
            true
        });
        lle.menu.take().is_some() || waiting
    })
}

impl Lle {
    /// Enter. True if LLE used it up.
    fn enter(&mut self) -> bool {
        if !self.await_completion() {
            return true;
        }
        if let Some(menu) = self.menu.take()
            && let Some(item) = menu.chosen()
        {
            self.take_item(item);
            return true;
        }
        if self.owed {
            self.paint();
        }
        self.open_row()
    }

    /// Opens a row if the command is incomplete.
    fn open_row(&mut self) -> bool {
        let bash = self.bash;
        if !self.settings.multiline || !bash.reads_commands() || bash.is(bits::MACROINPUT) {
            return false;
        }
        let line = bash.line();
        let empty_rows = line.iter().rev().take_while(|b| **b == b'\n').count();
        if empty_rows > EMPTY_ROWS_MAX || self.line_end(line) != End::Incomplete {
            return false;
        }
        let vi = bash.in_vi_command_mode();
        bash.set_point(line.len());
        bash.insert(b"\n");
        if vi && let Some(insertion) = bash.vi_insertion_mode {
            // SAFETY: a command of readline's that only switches the keymap.
            unsafe { insertion(1, c_int::from(b'i')) };
        }
        true
    }

    /// Tab. True if LLE used it up.
    fn tab(&mut self, key: c_int) -> bool {
        if self.bash.flag(self.bash.inhibit_completion) {
            // `disable-completion`: readline inserts the key.
            return false;
        }
        if self.menu_step(Step::Next) {
            return true;
        }
        if std::mem::take(&mut self.complete_in_shell) {
            return false;
        }
        let bash = self.bash;
        if !self.settings.complete
            || !bash.reads_commands()
            || bash.has_argument()
            || bash.is(bits::MACROINPUT)
        {
            return false;
        }
        let repeated = bash.last_func.is_some_and(|last| {
            // SAFETY: a plain read of readline's variable.
            unsafe { *last }.is_some_and(|f| same(f, complete))
        });
        let asked = Asked::now(self, key, repeated && !self.completion_changed);
        self.start_completion(asked)
    }

    /// An arrow moves in the menu once something is chosen there, or down into it; otherwise it means what it always
    /// does, and the menu goes.
    fn menu_arrow(&mut self, step: Step) -> bool {
        let in_menu = self
            .menu
            .as_ref()
            .is_some_and(|m| m.chosen().is_some() || step == Step::RowDown);
        if !in_menu {
            self.menu = None;
        }
        in_menu && self.menu_step(step)
    }

    /// Moves in the menu, if one is open. The menu knows the line it is for, so it stays open.
    fn menu_step(&mut self, step: Step) -> bool {
        let cols = self.bash.size().0;
        let stale = self
            .menu
            .as_ref()
            .is_some_and(|m| m.line != self.bash.line() || m.point != self.bash.point());
        match self.menu.as_mut() {
            Some(menu) if !stale => {
                menu.step(step, cols);
                true
            }
            _ => false,
        }
    }

    /// Puts the suggestion, or its next word, into the line.
    fn accept_suggestion(&mut self, word: bool) -> bool {
        if self.suggestion.is_empty()
            || self.bash.has_argument()
            || self.bash.point() != self.bash.line().len()
        {
            return false;
        }
        let n = if word {
            word_end(&self.suggestion)
        } else {
            self.suggestion.len()
        };
        let taken = self.suggestion[..n].to_vec();
        self.bash.insert(&taken);
        self.session.suggestion_accepted();
        true
    }

    /// Moves between the rows of a command of several rows; at its first and last row history goes on.
    fn row_step(&mut self, down: bool) -> bool {
        let bash = self.bash;
        if !self.settings.multiline
            || !bash.reads_commands()
            || bash.has_argument()
            || bash.is(bits::SEARCHING)
        {
            return false;
        }
        match row_step(bash.line(), bash.point(), down) {
            Some(point) => {
                bash.set_point(point);
                true
            }
            None => false,
        }
    }
}

/// Gives the place one row down or up at the same character column, if there is such a row.
fn row_step(line: &[u8], point: usize, down: bool) -> Option<usize> {
    let start = line[..point]
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |i| i + 1);
    let col = String::from_utf8_lossy(&line[start..point]).chars().count();
    let from = if down {
        point + line[point..].iter().position(|b| *b == b'\n')? + 1
    } else {
        let end = start.checked_sub(1)?;
        line[..end].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1)
    };
    let row = &line[from..];
    let row = &row[..row.iter().position(|b| *b == b'\n').unwrap_or(row.len())];
    let mut at = 0;
    for _ in 0..col {
        let Some(first) = row.get(at) else { break };
        let len = match first {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
            _ => 1,
        };
        at = (at + len).min(row.len());
    }
    Some(from + at)
}

/// Gives the length of the next word of a suggestion, the blanks before it included.
fn word_end(text: &[u8]) -> usize {
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80 || *b == b'_';
    let start = text.iter().position(is_word).unwrap_or(text.len());
    start
        + text[start..]
            .iter()
            .position(|b| !is_word(b))
            .unwrap_or(text.len() - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_between_rows() {
        let check = |line: &str, point, down, expect| {
            assert_eq!(row_step(line.as_bytes(), point, down), expect, "{line:?}");
        };
        check("abc\ndef", 1, true, Some(5));
        check("abc\ndef", 5, false, Some(1));
        check("abc\nd", 3, true, Some(5));
        check("abc", 1, true, None);
        check("abc", 1, false, None);
        check("a\n\nb", 0, true, Some(2));
        check("\u{e4}\u{f6}\nxyz", 4, true, Some(7));
        check("xyz\n\u{e4}\u{f6}\u{fc}", 2, true, Some(8));
    }

    #[test]
    fn words_of_a_suggestion() {
        let check = |text: &str, expect| assert_eq!(word_end(text.as_bytes()), expect, "{text:?}");
        check("checkout main", 8);
        check(" main/sub", 5);
        check("--", 2);
        check("", 0);
    }
}
