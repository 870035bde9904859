//! The C types of bash and readline that cross the boundary, as bash 5.1 to 5.3 declare them.
//!
//! Source: `readline.h`, `keymaps.h`, `history.h`, `builtins.h`, `variables.h`, `command.h` of those releases.

use libc::{FILE, c_char, c_int};

/// `rl_voidfunc_t`.
pub(crate) type VoidFn = unsafe extern "C-unwind" fn();
/// `rl_hook_func_t`.
pub(crate) type HookFn = unsafe extern "C-unwind" fn() -> c_int;
/// `rl_getc_func_t`.
pub(crate) type GetcFn = unsafe extern "C-unwind" fn(*mut FILE) -> c_int;
/// `rl_vintfunc_t`.
pub(crate) type PrepFn = unsafe extern "C-unwind" fn(c_int);
/// `rl_command_func_t`: numeric argument and key.
pub(crate) type CommandFn = unsafe extern "C-unwind" fn(c_int, c_int) -> c_int;
/// `rl_compdisp_func_t`: the matches (first entry the common prefix), how many, the longest.
pub(crate) type DisplayMatchesFn = unsafe extern "C-unwind" fn(*mut *mut c_char, c_int, c_int);
/// `rl_completion_func_t`: the word, and where it begins and ends.
pub(crate) type AttemptFn = unsafe extern "C-unwind" fn(*const c_char, c_int, c_int) -> *mut *mut c_char;
/// `rl_quote_func_t`.
pub(crate) type QuoteFn = unsafe extern "C-unwind" fn(*mut c_char, c_int, *mut c_char) -> *mut c_char;

/// `COMPSPEC`, as far as its command, from `pcomplete.h`.
#[allow(dead_code, reason = "what is not read says where the rest is")]
#[repr(C)]
pub(crate) struct CompSpec {
    references: c_int,
    actions: libc::c_ulong,
    options: libc::c_ulong,
    globpat: *mut c_char,
    words: *mut c_char,
    prefix: *mut c_char,
    suffix: *mut c_char,
    pub(crate) funcname: *mut c_char,
    pub(crate) command: *mut c_char,
}

/// `HIST_ENTRY`.
#[repr(C)]
pub(crate) struct HistEntry {
    pub(crate) line: *mut c_char,
    pub(crate) timestamp: *mut c_char,
    pub(crate) data: *mut libc::c_void,
}

/// `FUNMAP`: a command's name and function.
#[repr(C)]
pub(crate) struct Function {
    pub(crate) name: *const c_char,
    pub(crate) function: Option<CommandFn>,
}

/// `KEYMAP_ENTRY`; a keymap is an array of [`KEYMAP_SIZE`] of them.
#[repr(C)]
pub(crate) struct KeymapEntry {
    pub(crate) kind: c_char,
    pub(crate) function: Option<CommandFn>,
}

/// Entries of a keymap: one a byte and one for "any other key".
pub(crate) const KEYMAP_SIZE: usize = 257;
/// [`KeymapEntry::kind`] of a command.
pub(crate) const ISFUNC: c_char = 0;
/// [`KeymapEntry::kind`] of a nested keymap.
pub(crate) const ISKMAP: c_char = 1;

/// `SHELL_VAR`, up to the part LLE reads.
#[repr(C)]
pub(crate) struct ShellVar {
    pub(crate) name: *mut c_char,
    pub(crate) value: *mut c_char,
    pub(crate) exportstr: *mut c_char,
    pub(crate) dynamic_value: Option<unsafe extern "C-unwind" fn(*mut ShellVar) -> *mut ShellVar>,
    pub(crate) assign: *mut libc::c_void,
    pub(crate) attributes: c_int,
}

/// `att_exported`.
pub(crate) const EXPORTED: c_int = 1;

/// `WORD_DESC`.
#[repr(C)]
pub(crate) struct WordDesc {
    pub(crate) word: *mut c_char,
    pub(crate) flags: c_int,
}

/// `WORD_LIST`.
#[repr(C)]
pub(crate) struct WordList {
    pub(crate) next: *mut WordList,
    pub(crate) word: *mut WordDesc,
}

/// The beginning of `BASH_INPUT`.
#[repr(C)]
pub(crate) struct Input {
    kind: c_int,
    pub(crate) name: *mut c_char,
}

/// `struct builtin`. Bash writes into it, so it must lie in writable memory.
#[repr(C)]
pub(crate) struct Builtin {
    pub(crate) name: *const c_char,
    pub(crate) function: unsafe extern "C-unwind" fn(*mut WordList) -> c_int,
    pub(crate) flags: c_int,
    pub(crate) long_doc: *const *const c_char,
    pub(crate) short_doc: *const c_char,
    pub(crate) handle: *const c_char,
}

/// `BUILTIN_ENABLED`.
pub(crate) const BUILTIN_ENABLED: c_int = 1;

/// `RL_STATE_*` bits of `rl_readline_state`.
pub(crate) mod state {
    use libc::c_ulong;
    /// Waiting for the first key of a command.
    pub(crate) const READCMD: c_ulong = 0x8;
    /// In an incremental, a non-incremental or a history search.
    pub(crate) const SEARCHING: c_ulong = 0x80 | 0x100 | 0x200;
    /// Reading a numeric argument.
    pub(crate) const NUMERICARG: c_ulong = 0x400;
    /// Any state in which readline shows a message in place of the prompt: searches, arguments, `execute-named-command`.
    pub(crate) const MESSAGES: c_ulong = SEARCHING | NUMERICARG | 0x1000_0000;
    /// In a command, among them those that end the line by themselves.
    pub(crate) const DISPATCHING: c_ulong = 0x20;
    /// In readline's signal handling.
    pub(crate) const SIGHANDLER: c_ulong = 0x8000;
    /// A further key of a command is read.
    pub(crate) const MOREINPUT: c_ulong = 0x40;
    /// A key was read before its time and waits in readline.
    pub(crate) const INPUTPENDING: c_ulong = 0x2_0000;
    /// Keys come from a macro.
    pub(crate) const MACROINPUT: c_ulong = 0x800;
    /// The line was accepted.
    pub(crate) const DONE: c_ulong = 0x200_0000;
    /// End of file ended the line.
    pub(crate) const EOF: c_ulong = 0x800_0000;
}
