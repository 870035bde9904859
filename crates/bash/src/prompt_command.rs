//! The command line that the configuration has bash run before each prompt but the first: `prompt.command`.
//!
//! ```text
//!  PROMPT_COMMAND (bash) ─▸ PS1 is looked up ─▸ prompt.command, by bash's own evaluator ─▸ PS1 is expanded
//! ```
//!
//! Bash runs it as it runs `PROMPT_COMMAND`: `$?`, `$_` and `PIPESTATUS` are kept, Ctrl-C ends it, and what it sets can be
//! used in `PS1`. Not before the first prompt: there is time for a command that takes it back. As long as it runs the
//! flight file says so, and of which version it is: whoever finds a session that ended in it, or is in it for long, takes
//! that version back (the worker) or leaves it out of the next session (the launcher).
//!
//! Invariants: it runs once after each accepted line and in no other look-up of `PS1`; no frame owns anything while bash
//! runs, since an interrupt jumps over it; where this bash lacks a symbol it is not run, and `lle symbols` says so. A
//! session that ends while it runs leaves its flight file, which says that it did.

use crate::abi::ShellVar;
use crate::clock;
use crate::symbols::Bash;
use lle_metrics::Gauge;
use std::ffi::{CStr, CString};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64};

/// What to run; null for nothing.
static LINE: AtomicPtr<CString> = AtomicPtr::new(std::ptr::null_mut());
/// A line was accepted since it ran.
static IS_DUE: AtomicBool = AtomicBool::new(false);
/// What it took before the prompt that comes, in ns.
static TOOK_NS: AtomicU64 = AtomicU64::new(0);
/// The version of the configuration that says it; 0 if a variable does.
static VERSION: AtomicU64 = AtomicU64::new(0);
/// It runs, or was interrupted and no prompt was shown since.
static RUNS: AtomicBool = AtomicBool::new(false);
/// How bash's messages about it begin.
const SOURCE: &CStr = c"prompt.command";

/// Makes this the line to run, as that version of the configuration says; an empty one is none.
pub(crate) fn set(line: String, version: u64) {
    VERSION.store(version, Relaxed);
    let now = LINE.load(Relaxed);
    // SAFETY: null or a box of ours.
    let same = unsafe { now.as_ref() }.map_or(line.is_empty(), |now| now.as_bytes() == line.as_bytes());
    if same {
        return;
    }
    let fresh = CString::new(line).ok().filter(|line| !line.is_empty());
    let fresh = fresh.map_or(std::ptr::null_mut(), |line| Box::into_raw(Box::new(line)));
    let before = LINE.swap(fresh, Relaxed);
    if !before.is_null() {
        // SAFETY: a box of ours that nobody can reach any more: bash copies a line before it runs it.
        drop(unsafe { Box::from_raw(before) });
    }
}

/// A line was accepted: it is due before the next prompt.
pub(crate) fn accepted() {
    IS_DUE.store(!LINE.load(Relaxed).is_null(), Relaxed);
    TOOK_NS.store(0, Relaxed);
}

/// What it took before this prompt, in ns; 0 if it did not run.
pub(crate) fn took_ns() -> u64 {
    TOOK_NS.swap(0, Relaxed)
}

/// Whether it is to run now: `PS1` is being looked up for the first row of a command, and by nothing that the user runs.
pub(crate) fn is_due() -> bool {
    if !IS_DUE.load(Relaxed) {
        return false;
    }
    let Some(bash) = crate::lle::state().map(|lle| lle.bash) else {
        return false;
    };
    // SAFETY: plain reads of numbers of bash's.
    let is_zero = |number: Option<*mut libc::c_int>| number.is_some_and(|number| unsafe { *number == 0 });
    is_zero(bash.executing) && is_zero(bash.command_line_count)
}

/// Runs it. May not come back.
pub(crate) fn run() {
    IS_DUE.store(false, Relaxed);
    let Some(execute) = crate::lle::state().and_then(|lle| lle.bash.execute_text) else {
        return;
    };
    // SAFETY: null or a box of ours.
    let Some(line) = (unsafe { LINE.load(Relaxed).as_ref() }).map(|line| line.as_ptr()) else {
        return;
    };
    let began = clock::now();
    mark(true);
    // SAFETY: bash's own way to run a text before a prompt, which saves what it changes of the parser; it copies the
    // text first. Nothing here has a destructor, so an interrupt may jump over this frame.
    unsafe { execute(line, SOURCE.as_ptr()) };
    mark(false);
    TOOK_NS.store(clock::now().saturating_sub(began), Relaxed);
}

/// Says in the flight file that it runs, or does not any more.
fn mark(runs: bool) {
    RUNS.store(runs, Relaxed);
    if let Some(lle) = crate::lle::state() {
        lle.session.record(|w| {
            if runs {
                w.set(Gauge::PromptCommandVersion, VERSION.load(Relaxed).cast_signed());
            }
            w.set(
                Gauge::PromptCommandSinceWallNs,
                if runs { clock::wall() } else { 0 },
            );
        });
    }
}

/// Whether a session that ends now ends in it.
pub(crate) fn runs() -> bool {
    RUNS.load(Relaxed)
}

/// A prompt is shown: if it was interrupted it does not run any more.
pub(crate) fn is_over() {
    if runs() {
        mark(false);
    }
}

/// The variable, whatever became of it: what is run may have unset it and set it anew.
pub(crate) fn find_again(v: *mut ShellVar) -> *mut ShellVar {
    let find = crate::lle::state()
        .map(|lle| lle.bash)
        .and_then(|bash: Bash| bash.find_variable);
    match find {
        // SAFETY: bash's own look-up; it stamps the time, and nothing is due any more.
        Some(find) => unsafe { find(c"PS1".as_ptr()) },
        None => v,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_once_after_each_accepted_line() {
        accepted();
        assert!(!IS_DUE.load(Relaxed), "there is nothing to run");
        set("sleep 1".into(), 1);
        set("sleep 1".into(), 1);
        accepted();
        assert!(IS_DUE.load(Relaxed));
        run();
        assert!(!IS_DUE.load(Relaxed) && !runs(), "without a bash as well");
        set("a\0b".into(), 1);
        accepted();
        assert!(!IS_DUE.load(Relaxed));
        set(String::new(), 1);
    }
}
