//! A sum over the bytes of a small text file, so that one that changed on the disk is not obeyed.
//!
//! FNV-1a (Fowler, Noll, Vo) of 64 bits. Each step is a bijection of the state, so one changed byte always gives another
//! sum. It keeps nobody from forging one: whoever can write these files may write what they like.

use std::fmt::Write;

/// What a line with a sum begins with, and how many digits follow.
const WORD: &str = "sum ";
const DIGITS: usize = 16;
/// Bytes of such a line.
pub(crate) const LINE_BYTES: usize = WORD.len() + DIGITS + 1;

/// The sum.
pub fn of(bytes: &[u8]) -> u64 {
    let step = |state: u64, byte: &u8| (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Adds a line with the sum of all lines before it.
pub(crate) fn add(text: &mut String) {
    let sum = of(text.as_bytes());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{WORD}{sum:016x}");
}

/// Whether the text ends with the sum of what is before it, or, as what earlier versions wrote, with none. Where its line
/// begins is not asked: that may be the byte that changed.
pub(crate) fn holds(text: &[u8]) -> bool {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let Some((before, line)) = body.split_last_chunk::<{ LINE_BYTES - 1 }>() else {
        return true;
    };
    let digits = line.strip_prefix(WORD.as_bytes());
    let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let said = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    said.and_then(|said| u64::from_str_radix(said, 16).ok())
        .is_none_or(|said| said == of(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_byte_is_seen_or_changes_no_line_before_the_sum() {
        let mut text = String::from("lusush 1\nkey a free b\n");
        let body = text.clone();
        add(&mut text);
        assert_eq!(text.len(), body.len() + LINE_BYTES);
        assert!(holds(text.as_bytes()) && holds(body.as_bytes()) && holds(b""));
        for at in 0..text.len() {
            for flip in 1..=u8::MAX {
                let mut bad = text.clone().into_bytes();
                bad[at] ^= flip;
                assert!(!holds(&bad) || bad.starts_with(body.as_bytes()), "{at} {flip:#x}");
            }
        }
    }
}
