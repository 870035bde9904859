//! Readline's variables, read and written without ceremony.
//!
//! Invariant: nothing here calls into bash except where its comment says so, so a borrow of LLE's state may be
//! held across any of these.

use crate::abi::{EXPORTED, state};
use crate::prompt_clock::is_variable;
use crate::symbols::Bash;
use libc::{c_char, c_int, c_ulong};
use std::ffi::CStr;

impl Bash {
    /// The text being edited.
    ///
    /// The borrow is of readline's own buffer: it ends before anything that edits the text is called.
    pub(crate) fn line<'a>(&self) -> &'a [u8] {
        // SAFETY: readline keeps rl_line_buffer allocated with at least rl_end bytes and a nul while it runs; before its
        // first line the pointer is null.
        unsafe { bytes(*self.line_buffer, usize::try_from(*self.end).unwrap_or(0)) }
    }

    /// The text up to its nul, for after readline has reset its length.
    pub(crate) fn accepted_line<'a>(&self) -> &'a [u8] {
        // SAFETY: the buffer is nul-terminated or null.
        unsafe { text(*self.line_buffer) }
    }

    pub(crate) fn point(&self) -> usize {
        // SAFETY: plain reads of readline's variables, here and in the functions below; there is one thread.
        usize::try_from(unsafe { *self.point }).unwrap_or(0)
    }

    pub(crate) fn set_point(&self, point: usize) {
        // SAFETY: as above; the caller gives a place inside the text.
        unsafe { *self.point = c_int::try_from(point).unwrap_or(0) }
    }

    pub(crate) fn state(&self) -> c_ulong {
        // SAFETY: as above.
        unsafe { *self.state }
    }

    pub(crate) fn is(&self, bits: c_ulong) -> bool {
        self.state() & bits != 0
    }

    /// The prompt that is shown: the command prompt, or a search's or an argument's message.
    pub(crate) fn shown_prompt<'a>(&self) -> &'a [u8] {
        // SAFETY: null or nul-terminated.
        unsafe { text(*self.display_prompt) }
    }

    /// True while the prompt shown is the prompt itself and no message.
    pub(crate) fn prompt_is_own(&self) -> bool {
        // SAFETY: as above; only the addresses are compared.
        unsafe { *self.display_prompt == *self.prompt }
    }

    /// Points readline back at its prompt.
    pub(crate) fn show_own_prompt(&self) {
        // SAFETY: what readline does itself when it clears a message.
        unsafe { *self.display_prompt = *self.prompt }
    }

    /// True if there is a prompt at all.
    pub(crate) fn has_prompt(&self) -> bool {
        // SAFETY: null or nul-terminated.
        !unsafe { text(*self.prompt) }.is_empty()
    }

    /// True while a command line is read: PS1 or PS2, and no `read -e`.
    pub(crate) fn reads_commands(&self) -> bool {
        // SAFETY: as above.
        unsafe { *self.executing_builtin == 0 }
    }

    /// True at PS1, false at PS2 and `read -e`.
    pub(crate) fn at_first_prompt(&self) -> bool {
        // SAFETY: as above; only the addresses are compared.
        let (shown, first) = unsafe { (*self.current_prompt_string, *self.ps1_prompt) };
        if shown.is_null() {
            // Without prompts, the rows read so far tell.
            // SAFETY: as above.
            return self.reads_commands() && self.command_line_count.is_none_or(|p| unsafe { *p } == 0);
        }
        self.reads_commands() && shown == first
    }

    /// The active region, empty for none. Calls `rl_mark_active_p`, which only reads.
    pub(crate) fn region(&self) -> std::ops::Range<usize> {
        // SAFETY: as above.
        let (active, mark) = unsafe { ((self.mark_active)() != 0, *self.mark) };
        let (mark, point) = (usize::try_from(mark).unwrap_or(0), self.point());
        if active {
            mark.min(point)..mark.max(point)
        } else {
            0..0
        }
    }

    /// The terminal's columns and rows, at least 2 and 1. Calls `rl_get_screen_size`, which only reads.
    pub(crate) fn size(&self) -> (usize, usize) {
        let (mut rows, mut cols): (c_int, c_int) = (0, 0);
        // SAFETY: both out-pointers are valid.
        unsafe { (self.screen_size)(&raw mut rows, &raw mut cols) };
        (
            usize::try_from(cols).unwrap_or(80).max(2),
            usize::try_from(rows).unwrap_or(24).max(1),
        )
    }

    /// False if readline knows that the terminal does not go on in the next row by itself, and only once there is more text
    /// (`am` and `xenl`): then it keeps the last column free. Before the first line it does not know.
    pub(crate) fn wraps(&self) -> bool {
        // SAFETY: as above.
        self.term_autowrap.is_none_or(|p| unsafe { *p } != 0)
    }

    /// True unless readline knows no way to move the cursor up.
    pub(crate) fn goes_up(&self) -> bool {
        // SAFETY: null or nul-terminated.
        self.term_up.is_none_or(|p| !unsafe { text(*p) }.is_empty())
    }

    /// A readline setting as `bind -v` shows it. Calls `rl_variable_value`, which only reads.
    pub(crate) fn setting<'a>(&self, name: &CStr) -> &'a [u8] {
        // SAFETY: the name is nul-terminated; the result is null or nul-terminated and owned by readline.
        unsafe { text((self.variable_value)(name.as_ptr())) }
    }

    /// A flag of readline's; off if this readline has none.
    pub(crate) fn flag(&self, flag: Option<*mut c_int>) -> bool {
        // SAFETY: as above.
        flag.is_some_and(|p| unsafe { *p } != 0)
    }

    /// An optional number of bash's; 0 if this bash does not have it.
    pub(crate) fn number(&self, number: Option<*mut c_int>) -> c_int {
        // SAFETY: as above.
        number.map_or(0, |p| unsafe { *p })
    }

    /// A shell variable's value, or nothing if unset. Calls `get_string_value`.
    pub(crate) fn variable<'a>(&self, name: &CStr) -> Option<&'a [u8]> {
        // SAFETY: as above, owned by bash; the borrow ends before bash can assign to the variable.
        unsafe {
            let p = (self.string_value)(name.as_ptr());
            (!p.is_null()).then(|| text(p))
        }
    }

    /// A shell variable's value if the user exports it to programs. Calls `find_variable` and `get_string_value`.
    pub(crate) fn exported<'a>(&self, name: &CStr) -> Option<&'a [u8]> {
        let find = self.find_variable?;
        // SAFETY: find_variable gives null or a variable of bash's; its first field is checked against its name.
        let exported = unsafe {
            let v = find(name.as_ptr());
            !v.is_null() && is_variable(v, name) && (*v).attributes & EXPORTED != 0
        };
        self.variable(name).filter(|_| exported)
    }

    /// True in emacs mode.
    pub(crate) fn edits_as_emacs(&self) -> bool {
        // SAFETY: as above.
        unsafe { *self.editing_mode != 0 }
    }

    /// True if keys go to vi's command keymap.
    pub(crate) fn in_vi_command_mode(&self) -> bool {
        // SAFETY: get_keymap only reads; the addresses are compared.
        unsafe { *self.editing_mode == 0 && (self.get_keymap)() == self.vi_movement_keymap }
    }

    /// True if an argument like `M-5` precedes the command being run.
    pub(crate) fn has_argument(&self) -> bool {
        // SAFETY: as above.
        self.explicit_arg.is_some_and(|p| unsafe { *p } != 0)
    }

    /// Inserts text at the cursor. Calls `rl_insert_text`, which edits and records the undo, no more.
    pub(crate) fn insert(&self, text: &[u8]) {
        for part in text.split(|b| *b == 0).filter(|p| !p.is_empty()) {
            let mut owned = part.to_vec();
            owned.push(0);
            // SAFETY: nul-terminated; readline copies it.
            unsafe { (self.insert_text)(owned.as_ptr().cast()) };
        }
    }

    /// Replaces a stretch of the text by another as one undo step, the cursor after it.
    pub(crate) fn replace(&self, range: std::ops::Range<usize>, with: &[u8]) {
        let current = self.line();
        let range = range.start.min(current.len())..range.end.min(current.len());
        if current[range.clone()] == *with {
            self.set_point(range.end);
            return;
        }
        if with.starts_with(&current[range.clone()]) {
            let added = with[range.len()..].to_vec();
            self.set_point(range.end);
            self.insert(&added);
            return;
        }
        // SAFETY: the range lies inside the text; these only edit and record the undo.
        unsafe {
            (self.begin_undo)();
            (self.delete_text)(
                c_int::try_from(range.start).unwrap_or(0),
                c_int::try_from(range.end).unwrap_or(0),
            );
        }
        self.set_point(range.start);
        self.insert(with);
        // SAFETY: ends the group begun above.
        unsafe { (self.end_undo)() };
    }

    /// Rings the bell as the user's settings say.
    pub(crate) fn bell(&self) {
        // SAFETY: rl_ding writes to the terminal and has no other effect.
        unsafe { (self.ding)() };
    }

    /// The descriptor readline writes to, what it has buffered flushed first.
    pub(crate) fn out_fd(&self) -> c_int {
        // SAFETY: rl_outstream is an open FILE while readline runs.
        unsafe {
            libc::fflush(*self.outstream);
            libc::fileno(*self.outstream)
        }
    }

    /// The descriptor readline reads from.
    pub(crate) fn in_fd(&self) -> c_int {
        // SAFETY: rl_instream is an open FILE while readline runs.
        unsafe { libc::fileno(*self.instream) }
    }

    /// True if the line was accepted or ended by other means.
    pub(crate) fn is_done(&self) -> bool {
        self.is(state::DONE)
    }
}

/// Borrows a C string, nothing for null.
///
/// # Safety
/// `p` is null or points to a nul-terminated string that outlives the borrow.
pub(crate) unsafe fn text<'a>(p: *const c_char) -> &'a [u8] {
    if p.is_null() {
        return b"";
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(p) }.to_bytes()
}

/// Borrows `n` bytes, nothing for null.
///
/// # Safety
/// `p` is null or points to `n` readable bytes that outlive the borrow.
unsafe fn bytes<'a>(p: *const c_char, n: usize) -> &'a [u8] {
    if p.is_null() {
        return b"";
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(p.cast(), n) }
}
