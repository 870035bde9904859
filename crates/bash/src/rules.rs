//! What bash itself would do with an accepted line, so that the log does the same: `HISTCONTROL`, `HISTIGNORE`,
//! `set +o history`, and `!!` expanded to what runs.
//!
//! Invariant: nothing of bash's is changed; on any doubt the line is kept as it was typed.

use crate::readline::text;
use crate::symbols::Bash;
use libc::{c_char, c_int};
use std::ffi::CString;

/// `HC_IGNOREDUPS` of `HISTCONTROL`.
const IGNORE_DUPS: c_int = 0x2;
/// `FNM_EXTMATCH`: bash matches `HISTIGNORE` with extended patterns.
const EXTENDED: c_int = 0x20;

/// What becomes of a line when bash has expanded its history references.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expanded {
    /// It has none.
    Same,
    /// It runs as this.
    Into(Vec<u8>),
    /// It does not run: the reference was not found, or is only to be shown or edited.
    NotRun,
}

/// Says whether the log keeps a line. `previous` is the session's last one.
pub(crate) fn keeps(bash: &Bash, line: &[u8], previous: &[u8]) -> bool {
    // A leading space always keeps a line private, whatever HISTCONTROL says.
    if line.trim_ascii().is_empty() || line.first() == Some(&b' ') {
        return false;
    }
    // SAFETY: plain reads of bash's variables.
    let (recording, control) = unsafe {
        (
            bash.remember_on_history.is_none_or(|p| *p != 0),
            bash.history_control.map_or(0, |p| *p),
        )
    };
    let duplicate = control & IGNORE_DUPS != 0 && line == previous;
    recording && !duplicate && !ignored(bash, line, previous)
}

/// Matches a line against the patterns of `HISTIGNORE`.
fn ignored(bash: &Bash, line: &[u8], previous: &[u8]) -> bool {
    let (Some(patterns), Some(matches)) = (bash.variable(c"HISTIGNORE"), bash.strmatch) else {
        return false;
    };
    let Ok(line_c) = CString::new(line) else {
        return false;
    };
    split_patterns(patterns).any(|pattern| {
        if pattern == b"&" {
            return line == previous;
        }
        // SAFETY: both are nul-terminated; strmatch reads them.
        CString::new(pattern).is_ok_and(|p| unsafe {
            matches(p.as_ptr().cast_mut(), line_c.as_ptr().cast_mut(), EXTENDED) == 0
        })
    })
}

/// Splits at colons that no backslash precedes.
fn split_patterns(patterns: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut escaped = false;
    patterns
        .split(move |b| {
            let is_colon = *b == b':' && !escaped;
            escaped = *b == b'\\' && !escaped;
            is_colon
        })
        .filter(|p| !p.is_empty())
}

/// Expands history references as bash is about to, row by row.
pub(crate) fn expand(bash: &Bash, line: &[u8]) -> Expanded {
    // SAFETY: plain reads of bash's variables.
    let (on, inhibited, verify) = unsafe {
        (
            bash.history_expansion.is_some_and(|p| *p != 0),
            bash.history_expansion_inhibited.is_some_and(|p| *p != 0),
            bash.hist_verify.is_some_and(|p| *p != 0),
        )
    };
    let chars = bash
        .variable(c"histchars")
        .filter(|c| c.len() >= 2)
        .unwrap_or(b"!^");
    if !on || inhibited || !(line.contains(&chars[0]) || line.first() == Some(&chars[1])) {
        return Expanded::Same;
    }
    let Some(history_expand) = bash.history_expand else {
        return Expanded::Same;
    };
    let mut rows: Vec<Vec<u8>> = Vec::new();
    let mut changed = false;
    for row in line.split(|b| *b == b'\n') {
        let Ok(row_c) = CString::new(row) else {
            return Expanded::Same;
        };
        let mut result: *mut c_char = std::ptr::null_mut();
        // SAFETY: the row is nul-terminated and not modified; the result is null or a string of bash's to be freed. The
        // allocator is bash's in both places, since its symbols come first in this process.
        let (status, expansion) = unsafe {
            let status = history_expand(row_c.as_ptr().cast_mut(), &raw mut result);
            let expansion = text(result).to_vec();
            libc::free(result.cast());
            (status, expansion)
        };
        match status {
            0 => rows.push(row.to_vec()),
            1 => {
                changed = true;
                rows.push(expansion);
            }
            _ => return Expanded::NotRun,
        }
    }
    match (changed, verify) {
        (false, _) => Expanded::Same,
        (true, true) => Expanded::NotRun,
        (true, false) => Expanded::Into(rows.join(&b'\n')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_split_at_bare_colons() {
        let split = |s: &str| {
            split_patterns(s.as_bytes())
                .map(|p| String::from_utf8_lossy(p).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(split("ls:cd*:&"), ["ls", "cd*", "&"]);
        assert_eq!(split("a\\:b:c"), ["a\\:b", "c"]);
        assert_eq!(split("::"), Vec::<String>::new());
    }
}
