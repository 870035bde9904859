//! How many columns a character takes.
//!
//! Readline asks the C library, so LLE does too: two opinions in one shell would put the cursor in two places.
//! A table of our own would be newer, and wrong wherever the two are mixed.

/// Gives the columns of a printable character; 0 for a combining one; 1 for what the C library does not know.
pub(crate) fn of(ch: char) -> usize {
    if ch.is_ascii() {
        return usize::from((' '..='~').contains(&ch));
    }
    unsafe extern "C" {
        fn wcwidth(c: libc::wchar_t) -> libc::c_int;
    }
    // SAFETY: wcwidth takes any value, reads the locale and has no other effect.
    let n = unsafe { wcwidth(ch as libc::wchar_t) };
    usize::try_from(n).unwrap_or(1)
}

/// Gives tests the character widths that a UTF-8 terminal has.
#[cfg(test)]
pub(crate) fn utf8_locale() {
    // SAFETY: the name is nul-terminated; every test sets the same locale.
    let set = unsafe { libc::setlocale(libc::LC_CTYPE, c"C.UTF-8".as_ptr()) };
    assert!(!set.is_null(), "the C library has C.UTF-8");
}
