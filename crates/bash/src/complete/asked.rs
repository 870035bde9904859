//! How a completion was asked for: by which key, and whether to complete or to list. Functions see both, as `COMP_KEY` and
//! `COMP_TYPE`.
//!
//! LLE completes and lists at one Tab; readline does the first at the first Tab and the second at the next. So the child
//! has readline do both at once, and tells bash meanwhile what readline alone would have: a function that gives hints when it
//! is to list, and words when it is to complete, gives words first here too.
//!
//! Invariant: nothing here owns memory while bash completes, since a function's error ends that by `longjmp`.

use crate::abi::AttemptFn;
use crate::lle::Lle;
use crate::symbols::Bash;
use libc::{c_char, c_int};
use std::ffi::CStr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

/// Readline's name for "insert what is common", a Tab.
const INSERT: c_int = b'\t' as c_int;
/// "List", a second Tab behind one that changed nothing.
const LIST: c_int = b'?' as c_int;
/// "Insert what is common, list the rest", as `show-all-if-ambiguous` has it.
pub(crate) const INSERT_AND_LIST: c_int = b'!' as c_int;
/// "Insert what is common; if nothing is, list", as `show-all-if-unmodified` has it.
const INSERT_OR_LIST: c_int = b'@' as c_int;

/// What the child's completion was asked for, and bash's own function that completes.
static HOW: AtomicI32 = AtomicI32::new(INSERT);
static ATTEMPT: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// How a completion was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What readline would do, and bash's `COMP_TYPE`.
    how: c_int,
    /// The last key of the sequence that asked, bash's `COMP_KEY`.
    key: c_int,
}

impl Asked {
    /// What readline would do at this key; `again` if the command before was the same and changed nothing.
    pub(crate) fn now(lle: &Lle, key: c_int, again: bool) -> Self {
        let on = |name: &CStr| lle.bash.setting(name) == b"on";
        let how = if again {
            LIST
        } else if on(c"show-all-if-ambiguous") {
            INSERT_AND_LIST
        } else if on(c"show-all-if-unmodified") {
            INSERT_OR_LIST
        } else {
            INSERT
        };
        Self { how, key }
    }

    /// Both, as part of what an answer goes by.
    pub(super) fn bytes(self) -> [u8; 8] {
        (u64::from(self.how.cast_unsigned()) << 32 | u64::from(self.key.cast_unsigned())).to_le_bytes()
    }
}

/// Whether only a list was asked for, so that the line is to stay as it is.
pub(crate) fn is_list() -> bool {
    HOW.load(Ordering::Relaxed) == LIST
}

/// Has bash's completion in this process see what was asked for, whatever readline is called with.
///
/// # Safety
/// The process is a child that completes and ends: what is set here is never set back.
pub(crate) unsafe fn tell(bash: &Bash, asked: Asked) {
    HOW.store(asked.how, Ordering::Relaxed);
    let (Some(key), Some(hook)) = (bash.completion_key, bash.attempted_completion) else {
        return;
    };
    // SAFETY: variables of readline's.
    unsafe {
        *key = asked.key;
        if let Some(original) = *hook {
            ATTEMPT.store(original as *mut (), Ordering::Relaxed);
            *hook = Some(attempt);
        }
    }
}

/// `rl_attempted_completion_function`: bash's own, between readline's noting how it was called and bash's telling functions.
unsafe extern "C-unwind" fn attempt(text: *const c_char, start: c_int, end: c_int) -> *mut *mut c_char {
    let original = ATTEMPT.load(Ordering::Relaxed);
    let Some(bash) = crate::lle::state()
        .map(|lle| lle.bash)
        .filter(|_| !original.is_null())
    else {
        return std::ptr::null_mut();
    };
    let how = HOW.load(Ordering::Relaxed);
    // SAFETY: ATTEMPT holds what `tell` took from a variable of this very type, and it is called as readline calls it; the text
    // is nul-terminated.
    unsafe {
        if let Some(kind) = bash.completion_type {
            *kind = how;
        }
        let original = std::mem::transmute::<*mut (), AttemptFn>(original);
        let found = original(text, start, end);
        let over = bash.flag(bash.attempted_completion_over);
        if !found.is_null() || over || how != INSERT || !is_pattern(text) {
            return found;
        }
        // To insert what a pattern matches is to insert one name: bash gives none where there are several, and lists them at
        // the next Tab. No function is asked again for that.
        match (bash.default_completion, bash.completion_type) {
            (Some(by_default), Some(kind)) => {
                *kind = INSERT_AND_LIST;
                by_default(text, start, end, 0, 0)
            }
            _ => found,
        }
    }
}

/// # Safety
/// `text` is nul-terminated.
unsafe fn is_pattern(text: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) }.to_bytes();
    text.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
}
