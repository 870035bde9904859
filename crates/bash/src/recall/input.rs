//! Reading a key while one searches, by readline's own keymaps, and handing it on.
//!
//! Invariant: nothing here owns anything while readline reads: bash may `longjmp` past it.

use crate::abi::{CommandFn, ISFUNC, ISKMAP, KeymapEntry, state as bits};
use crate::keys::name_of;
use crate::symbols::Bash;
use libc::c_int;

/// Bytes of the longest key: readline's own are shorter.
const KEY_BYTES: usize = 16;
/// How long the rest of a key may take, as readline waits for it.
const REST_MS: c_int = 100;
const ESCAPE: u8 = 0x1b;
/// What ends a search and does nothing else, unless `isearch-terminators` says otherwise.
const TERMINATORS: &[u8] = b"\x1b\n";

/// A key: its bytes, and what it is bound to.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    bytes: [u8; KEY_BYTES],
    len: usize,
    function: Option<CommandFn>,
    /// It is bound to a macro.
    is_macro: bool,
    /// Escape and what followed it, which did not come together, in vi's modes.
    is_two: bool,
}

impl Keys {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The name of the command that it is bound to.
    pub(crate) fn command(&self, bash: &Bash) -> Option<&'static [u8]> {
        match self.bytes() {
            // Letters are searched for, whatever they are bound to.
            [b' '..=b'~' | 0x80..] => None,
            _ if self.is_macro => Some(b"macro"),
            _ => self.function.and_then(|function| name_of(bash, function)),
        }
    }

    /// True if these are two keys that were typed one after the other.
    pub(crate) fn is_two_in_vi(&self) -> bool {
        self.is_two
    }
}

/// Reads a byte; none at the end of input.
pub(crate) fn read_byte(bash: &Bash) -> Option<Keys> {
    // SAFETY: readline's own function; nothing is owned here.
    let byte = u8::try_from(unsafe { (bash.read_key)() }).ok()?;
    let mut bytes = [0; KEY_BYTES];
    bytes[0] = byte;
    Some(Keys {
        bytes,
        len: 1,
        function: None,
        is_macro: false,
        is_two: false,
    })
}

/// Reads a key, as far as readline's keymaps go; none at the end of input.
pub(crate) fn read_keys(bash: &Bash) -> Option<Keys> {
    let mut keys = read_byte(bash)?;
    if keys.bytes[0] != ESCAPE && bash.search_terminators().contains(&keys.bytes[0]) {
        return Some(keys);
    }
    // SAFETY: get_keymap only reads.
    let mut keymap = unsafe { (bash.get_keymap)() };
    let vi = !bash.edits_as_emacs();
    loop {
        let last = keys.bytes[keys.len - 1];
        // SAFETY: a keymap of readline's has an entry for every byte.
        let (kind, function) = unsafe {
            let entry = &*keymap.add(usize::from(last));
            (entry.kind, entry.function)
        };
        let escape = keys.bytes() == [ESCAPE];
        match (kind, function) {
            // SAFETY: for this kind readline stores a keymap's address in the same field.
            (ISKMAP, Some(nested)) => keymap = nested as *const () as *mut KeymapEntry,
            // In vi's modes Escape is a command, and yet begins what arrows and Alt send.
            (ISFUNC, _) if escape && vi => keymap = std::ptr::null_mut(),
            (ISFUNC, function) => {
                keys.function = function;
                return Some(keys);
            }
            _ => {
                keys.is_macro = true;
                return Some(keys);
            }
        }
        // In a macro Escape stands alone, as in readline's own search.
        let alone = escape && bash.is(bits::MACROINPUT);
        if keys.len == KEY_BYTES || alone || !more_comes(bash, REST_MS, &mut keys, vi) {
            return Some(keys);
        }
        // SAFETY: as in read_byte().
        let Ok(byte) = u8::try_from(unsafe { (bash.read_key)() }) else {
            return Some(keys);
        };
        keys.bytes[keys.len] = byte;
        keys.len += 1;
        if keymap.is_null() {
            return Some(keys);
        }
    }
}

/// Waits for the rest of a key.
fn more_comes(bash: &Bash, ms: c_int, keys: &mut Keys, vi: bool) -> bool {
    if bash.is(bits::MACROINPUT) {
        return true;
    }
    let mut terminal = libc::pollfd {
        fd: bash.in_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid pollfd, twice.
    unsafe {
        if libc::poll(&raw mut terminal, 1, 0) > 0 {
            return true;
        }
        keys.is_two |= vi;
        libc::poll(&raw mut terminal, 1, ms) > 0
    }
}

/// Gives a key back to readline, as if it had not been read.
pub(crate) fn hand_on(bash: &Bash, keys: &Keys) {
    let bytes = keys.bytes();
    // SAFETY: readline's own functions, which keep the bytes for its next reads; it frees what is pushed as a macro.
    unsafe {
        if let Some(push) = bash
            .push_macro_input
            .filter(|_| bytes.len() > 1 && bash.is(bits::MACROINPUT))
        {
            // What is stuffed would come behind the rest of the macro.
            let copy = (bash.xmalloc)(bytes.len() + 1).cast::<u8>();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            *copy.add(bytes.len()) = 0;
            push(copy.cast());
            return;
        }
        let mut rest = bytes.iter();
        if let Some(first) = rest.next() {
            (bash.execute_next)(c_int::from(*first));
        }
        for byte in rest {
            (bash.stuff_char)(c_int::from(*byte));
        }
    }
}

impl Bash {
    /// The bytes that end a search and do nothing else.
    pub(crate) fn search_terminators<'a>(&self) -> &'a [u8] {
        let Some(own) = self.isearch_terminators else {
            return TERMINATORS;
        };
        // SAFETY: null or nul-terminated.
        let own = unsafe { crate::readline::text(*own) };
        if own.is_empty() { TERMINATORS } else { own }
    }

    /// Goes to an entry of the list of history as Up and Down would, the line being typed kept behind the last.
    pub(crate) fn go_in_history(&self, at: usize) {
        let (Some(place), Some(back), Some(forth)) =
            (self.where_history, self.previous_entry, self.next_entry)
        else {
            return;
        };
        // SAFETY: readline's own commands, called as its own search does; they edit, and call nothing that comes back.
        unsafe {
            let steps = place().saturating_sub(c_int::try_from(at).unwrap_or(c_int::MAX));
            match steps {
                0 => {}
                1.. => drop(back(steps, 0)),
                _ => drop(forth(-steps, 0)),
            }
        }
    }
}
