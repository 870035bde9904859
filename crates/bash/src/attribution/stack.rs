//! Which function is running, and from which file: bash's own arrays, looked up only when it is worth it.
//!
//! Invariant: an array that is no array (`unset FUNCNAME; FUNCNAME=x`) is not read.

use super::Attribution;
use super::names;
use super::table::Name;
use crate::prompt_clock::is_variable;
use crate::readline::text;
use libc::{c_int, c_void};
use std::ffi::CStr;

/// Frames looked at; deeper recursion is not followed.
const FRAMES_MAX: usize = 64;
/// `att_array`.
const ARRAY: c_int = 4;

/// An `ARRAY` of bash's that holds a call stack, innermost first.
#[derive(Clone, Copy)]
pub(super) struct Frames(
    *mut c_void,
    unsafe extern "C-unwind" fn(*mut c_void, i64) -> *mut libc::c_char,
);

impl Frames {
    /// The entry of a frame; it is bash's, and valid until bash runs on.
    pub(super) fn at(&self, frame: usize) -> Option<&'static [u8]> {
        // SAFETY: the array is bash's own; a missing element is null, and each element a nul-terminated string.
        unsafe {
            let p = (self.1)(self.0, i64::try_from(frame).ok()?);
            (!p.is_null()).then(|| text(p))
        }
    }
}

impl Attribution {
    /// One of bash's arrays.
    pub(super) fn frames(&self, name: &CStr) -> Option<Frames> {
        let (find, read) = (self.bash.find_variable?, self.bash.array_reference?);
        // SAFETY: find_variable gives null or a variable of bash's; its value is an array if the attribute says so.
        unsafe {
            let v = find(name.as_ptr());
            let is_array = !v.is_null() && is_variable(v, name) && (*v).attributes & ARRAY != 0;
            (is_array && !(*v).value.is_null()).then(|| Frames((*v).value.cast(), read))
        }
    }

    /// The function called from outside all functions (`nth` 0), or the one called by that (1).
    pub(super) fn function(&self, nth: usize) -> Option<Name> {
        let frames = self.frames(c"FUNCNAME")?;
        let mut last = [&b""[..]; 2];
        for frame in 0..FRAMES_MAX {
            match frames.at(frame) {
                Some(b"source" | b"main") => {}
                Some(name) => last = [name, last[0]],
                None => {
                    return last
                        .get(nth)
                        .filter(|name| !name.is_empty())
                        .map(|name| names::function(name));
                }
            }
        }
        None
    }
}
