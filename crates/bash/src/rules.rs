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

/// Says whether bash was told to keep no history on the disk: no file for it, or none of any length.
pub(crate) fn keeps_nothing(bash: &Bash) -> bool {
    let file = bash.variable(c"HISTFILE").unwrap_or_default();
    let is_none = |name| bash.variable(name).is_some_and(|most| most == b"0");
    file.is_empty() || file == b"/dev/null" || is_none(c"HISTSIZE") || is_none(c"HISTFILESIZE")
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
    let mut quote = 0u8;
    for row in line.split(|b| *b == b'\n') {
        if let Some(state) = bash.history_quoting {
            // What bash's parser would know of the rows before.
            // SAFETY: a plain write; bash sets it anew for every row it reads.
            unsafe { *state = c_int::from(quote) }
        }
        quote = open_quote(row, quote);
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
            // A row after the first can stand where bash does not expand, in a here-document: then it is kept as typed.
            _ if rows.is_empty() => return Expanded::NotRun,
            _ => return Expanded::Same,
        }
    }
    if let Some(state) = bash.history_quoting {
        // SAFETY: as above.
        unsafe { *state = 0 }
    }
    match (changed, verify) {
        (false, _) => Expanded::Same,
        (true, true) => Expanded::NotRun,
        (true, false) => Expanded::Into(rows.join(&b'\n')),
    }
}

/// Gives the quote that is open after a row, 0 for none, if `quote` was open before it.
fn open_quote(row: &[u8], mut quote: u8) -> u8 {
    let mut i = 0;
    while i < row.len() {
        match (row[i], quote) {
            (b'\\', 0 | b'"') => i += 1,
            (b @ (b'\'' | b'"'), 0) => quote = b,
            (b, q) if b == q => quote = 0,
            _ => {}
        }
        i += 1;
    }
    quote
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

    #[test]
    fn quotes_stay_open_across_rows() {
        let check = |row: &str, before, after| assert_eq!(open_quote(row.as_bytes(), before), after, "{row}");
        check("echo 'a", 0, b'\'');
        check("b' c", b'\'', 0);
        check("echo \"it's", 0, b'"');
        check("a \\\" b", b'"', b'"');
        check("a \\' b", 0, 0);
        check("a \\' b", b'\'', 0);
    }
}
