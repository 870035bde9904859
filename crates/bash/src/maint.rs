//! `maint`, the second builtin: `lusush maint …` without leaving the shell.
//!
//! Invariant: the session's own flight file is never opened in this process, since closing it would drop the lock that
//! says the session is alive. So the builtin only has bash run the program, as `eval` would.

use crate::abi::{BUILTIN_ENABLED, Builtin, WordList};
use crate::lle::state;
use crate::readline::text;
use crate::session::told;
use libc::{c_char, c_int, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// `SEVAL_NOHIST`.
const NO_HISTORY: c_int = 0x4;

/// The builtin's function.
unsafe extern "C-unwind" fn run(words: *mut WordList) -> c_int {
    let Some(command) = std::panic::catch_unwind(|| command(words)).ok().flatten() else {
        return 1;
    };
    match state().and_then(|lle| lle.bash.parse_and_execute) {
        // SAFETY: the string is bash's to free; nothing here owns anything, and bash may `longjmp` as from `eval`.
        Some(evaluate) => unsafe { evaluate(command, c"maint".as_ptr(), NO_HISTORY) },
        None => 1,
    }
}

/// The command line, in bash's own memory.
fn command(mut words: *mut WordList) -> Option<*mut c_char> {
    let mut line = Vec::new();
    // What no file tells of this session is told by the session.
    if let Some(told) = state().and_then(|lle| lle.session.memory_only_told(lle.owner)) {
        line.extend_from_slice(format!("{}=", told::VARIABLE).as_bytes());
        line.extend(quoted(told.as_bytes()));
        line.push(b' ');
    }
    line.extend(quoted(program().as_os_str().as_bytes()));
    line.extend(b" maint");
    while !words.is_null() {
        // SAFETY: bash passes a list of words, each nul-terminated.
        unsafe {
            line.push(b' ');
            line.extend(quoted(text((*(*words).word).word)));
            words = (*words).next;
        }
    }
    Some(crate::complete_child::copied(&state()?.bash, &line))
}

/// One shell word that means exactly these bytes.
fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![b'\''];
    for b in bytes {
        match b {
            b'\'' => out.extend(b"'\\''"),
            b => out.push(*b),
        }
    }
    out.push(b'\'');
    out
}

/// The program that belongs to this session, else the one on PATH.
fn program() -> PathBuf {
    own_program(state().and_then(|lle| lle.round.program.as_deref())).unwrap_or_else(|| "lusush".into())
}

/// The launcher, if it said which program it is and that is there; else the one where cargo or the installation put it, beside this
/// shared object.
pub(crate) fn own_program(launcher: Option<&Path>) -> Option<PathBuf> {
    if let Some(launcher) = launcher.filter(|launcher| launcher.is_file()) {
        return Some(launcher.to_owned());
    }
    let object = own_path().unwrap_or_default();
    let above = |n: usize| object.ancestors().nth(n).map(Path::to_owned).unwrap_or_default();
    [above(1), above(2), above(3).join("bin")]
        .into_iter()
        .map(|dir| dir.join("lusush"))
        .find(|path| path.is_file())
}

fn own_path() -> Option<PathBuf> {
    let mut info = nothing_known();
    // SAFETY: the address is of a function of this object; the name stays valid while it is mapped, which is for ever.
    let name = unsafe {
        if libc::dladdr(own_path as *const c_void, &raw mut info) == 0 {
            return None;
        }
        text(info.dli_fname).to_vec()
    };
    std::fs::canonicalize(std::ffi::OsString::from_vec(name)).ok()
}

fn nothing_known() -> libc::Dl_info {
    libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    }
}

struct Doc([*const c_char; 2]);
// SAFETY: constant strings, never written.
unsafe impl Sync for Doc {}

static DOC: Doc = Doc([
    c"The same as `lusush maint`: what the sessions do and cost.".as_ptr(),
    std::ptr::null(),
]);

/// What `enable -f` looks for. Bash writes into it.
#[unsafe(no_mangle)]
pub(crate) static mut maint_struct: Builtin = Builtin {
    name: c"maint".as_ptr(),
    function: run,
    flags: BUILTIN_ENABLED,
    long_doc: DOC.0.as_ptr(),
    short_doc: c"maint [verb …]".as_ptr(),
    handle: std::ptr::null(),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted(b"a b"), b"'a b'");
        assert_eq!(quoted(b"it's"), b"'it'\\''s'");
        assert_eq!(quoted(b""), b"''");
    }
}
