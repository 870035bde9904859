//! The function on `PIPESTATUS`, which bash calls whenever a command has ended.
//!
//! Invariant: a variable that has a function of its own, or does not look like bash's structure, is left alone.

use super::{BUSY, Phase, enter, is_in, quietly, state};
use crate::abi::ShellVar;
use crate::prompt_clock::is_variable;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// `sh_var_value_func_t`.
type Dynamic = unsafe extern "C-unwind" fn(*mut ShellVar) -> *mut ShellVar;

/// It may hang there: where it does not, the variable need not be looked up to take it off.
static MAY_HANG: AtomicBool = AtomicBool::new(false);

/// Hangs the stamp on the variable.
pub(super) fn hang() {
    MAY_HANG.store(true, Relaxed);
    change(None, Some(stamp));
}

/// Takes it off; says whether it was there.
pub(super) fn take_off() -> bool {
    let hung = MAY_HANG.load(Relaxed) && change(Some(stamp), None);
    if hung {
        MAY_HANG.store(false, Relaxed);
    }
    hung
}

/// Gives the variable the function `to`, if it has the function `from`; says whether it had.
fn change(from: Option<Dynamic>, to: Option<Dynamic>) -> bool {
    let Some(find) = state().and_then(|a| a.bash.find_variable) else {
        return false;
    };
    let address = |function: Option<Dynamic>| function.map(|f| f as usize);
    // SAFETY: as in `prompt_clock::hang`: the variable is looked at before anything is written.
    quietly(|| unsafe {
        let v = find(c"PIPESTATUS".as_ptr());
        let is_due =
            !v.is_null() && is_variable(v, c"PIPESTATUS") && address((*v).dynamic_value) == address(from);
        if is_due {
            (*v).dynamic_value = to;
        }
        is_due
    })
}

/// Bash looks `PIPESTATUS` up.
unsafe extern "C-unwind" fn stamp(v: *mut ShellVar) -> *mut ShellVar {
    if is_in(Phase::Off) || BUSY.load(Relaxed) {
        return v;
    }
    // No exchange: there is one thread.
    BUSY.store(true, Relaxed);
    let divided = catch_unwind(AssertUnwindSafe(|| {
        if let Some(a) = state() {
            a.stamp();
        }
    }));
    if divided.is_err() {
        enter(Phase::Off);
    }
    BUSY.store(false, Relaxed);
    v
}
