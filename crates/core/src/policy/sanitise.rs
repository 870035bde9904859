//! Text from outside, made fit for logs, the audit trail and a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Stands for what was cut off.
const CUT: char = '…';

/// Writes out what would act on a terminal or deceive a reader, as `\u{1b}`, and cuts the text to `bytes_max` bytes.
/// What is left of a text too long ends in `…`.
///
/// Fit text is returned as it is. Doing it twice changes nothing more.
pub fn sanitise(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max && !text.contains(unfit) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    // Where the text can be cut so that the mark still has room.
    let mut cut = None;
    for c in text.chars() {
        if out.len() + CUT.len_utf8() <= bytes_max {
            cut = Some(out.len());
        }
        if unfit(c) {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
        if out.len() > bytes_max {
            out.truncate(cut.unwrap_or(0));
            if cut.is_some() {
                out.push(CUT);
            }
            break;
        }
    }
    Cow::Owned(out)
}

/// Controls, what turns or hides text, and what ends a line.
fn unfit(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_acts_or_deceives_is_written_out() {
        fn check(text: &str, bytes_max: usize, expect: &str) {
            assert_eq!(sanitise(text, bytes_max), expect, "{text:?}");
        }
        check("backup", 80, "backup");
        check("größer", 80, "größer");
        check("", 0, "");
        check("\x1b[2J", 80, "\\u{1b}[2J");
        check("a\nb\tc", 80, "a\\u{a}b\\u{9}c");
        check("\u{9b}31m", 80, "\\u{9b}31m");
        check("user\u{202e}gpj.exe", 80, "user\\u{202e}gpj.exe");
        check("zero\u{200b}width", 80, "zero\\u{200b}width");
        check("backup", 6, "backup");
        check("backups", 6, "bac…");
        check("ab\x1b", 6, "ab…");
        check("größer", 6, "gr…");
        check("abc", 2, "");
        check("abc", 0, "");
    }

    proptest! {
        #[test]
        fn the_result_is_fit_short_and_final(text in any::<String>(), bytes_max in 0..64_usize) {
            let once = sanitise(&text, bytes_max);
            prop_assert!(once.len() <= bytes_max);
            prop_assert!(!once.contains(unfit));
            prop_assert_eq!(&sanitise(&once, bytes_max), &once);
        }
    }
}
