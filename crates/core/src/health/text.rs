//! Text that sessions wrote, made fit to be shown.

/// Characters kept of a text of a session: a name and a path.
pub const TEXT_CHARS_MAX: usize = 80;

/// Gives text of unknown origin without anything that could act on a terminal or reorder what stands beside it, and at
/// most `chars_max` characters long.
pub fn harmless(text: &[u8], chars_max: usize) -> String {
    // A character takes at most four bytes, so no more of a long text needs to be looked at.
    let head = text.get(..chars_max.saturating_mul(4)).unwrap_or(text);
    let shown = String::from_utf8_lossy(head);
    let mut out: String = shown.chars().take(chars_max).map(visible).collect();
    if shown.chars().count() > chars_max || head.len() < text.len() {
        out.pop();
        out.push('…');
    }
    out
}

fn visible(c: char) -> char {
    let invisible = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    if c.is_control() || invisible {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_can_be_shown_is_left() {
        fn check(text: &[u8], expect: &str) {
            assert_eq!(harmless(text, 8), expect);
        }
        check(b"sleep", "sleep");
        check(b"", "");
        check(b"\x1b[2Jx", "\u{fffd}[2Jx");
        check("a\u{202e}b\u{9b}c".as_bytes(), "a\u{fffd}b\u{fffd}c");
        check(b"\xff\xfe", "\u{fffd}\u{fffd}");
        check(b"12345678", "12345678");
        check(b"123456789", "1234567…");
        check("ääääääää".as_bytes(), "ääääääää");
    }

    proptest! {
        #[test]
        fn nothing_acts_and_nothing_grows(text in proptest::collection::vec(any::<u8>(), 0..200), most in 1usize..90) {
            let shown = harmless(&text, most);
            prop_assert!(shown.chars().count() <= most);
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
