//! What a key means while one searches.
//!
//! The keys are those of readline's incremental search, by the commands they are bound to, so a user's own bindings go on
//! meaning what they mean. What readline leaves free, Alt with a letter that nothing is bound to, chooses what is searched.
//!
//! Invariant: a key that means nothing here ends the search, and is handed on whole.

use super::state::Op;

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It goes into the text.
    Text,
    Op(Op),
    /// The next key goes into the text, whatever it is.
    Quote,
    /// What is pasted goes into the text.
    Paste,
    /// The search is over, and the line is as it was.
    Abort,
    /// What was found is taken.
    Accept,
    /// What was found is taken, and the key does what it does.
    Leave,
}

const ESCAPE: u8 = 0x1b;
const DELETE: u8 = 0x7f;
const BACKSPACE: u8 = 0x08;

/// Says what the key `keys` means, which readline's `command` is bound to. `terminators` are the bytes that end a search
/// and do nothing else, by readline's `isearch-terminators`.
pub(crate) fn meaning(keys: &[u8], command: Option<&[u8]>, terminators: &[u8]) -> Meaning {
    let named = command.unwrap_or_default();
    match (keys, named) {
        (_, b"reverse-search-history" | b"lle-search-history") => return Meaning::Op(Op::Older),
        (_, b"forward-search-history") => return Meaning::Op(Op::Newer),
        (_, b"abort") | ([0x07], _) => return Meaning::Abort,
        (_, b"backward-delete-char" | b"vi-rubout") => return Meaning::Op(Op::Rubout),
        // In vi's command mode Backspace moves.
        ([DELETE | BACKSPACE], b"" | b"backward-char") => return Meaning::Op(Op::Rubout),
        (_, b"unix-word-rubout") | ([0x17], _) => return Meaning::Op(Op::TakeWord),
        (_, b"yank") | ([0x19], _) => return Meaning::Op(Op::TakeRest),
        (_, b"quoted-insert") | ([0x16], _) => return Meaning::Quote,
        (_, b"bracketed-paste-begin") => return Meaning::Paste,
        _ => {}
    }
    match keys {
        [one] if terminators.contains(one) => Meaning::Accept,
        [0..0x20 | DELETE] => Meaning::Leave,
        [_] => Meaning::Text,
        [ESCAPE, letter] if named.is_empty() => match letter {
            b'h' => Meaning::Op(Op::Here),
            b's' => Meaning::Op(Op::Ended),
            b'w' => Meaning::Op(Op::Since),
            b'm' => Meaning::Op(Op::Host),
            b'o' => Meaning::Op(Op::Order),
            b'e' => Meaning::Op(Op::Why),
            _ => Meaning::Leave,
        },
        [ESCAPE, ..] => arrow(named).map_or(Meaning::Leave, Meaning::Op),
        _ => Meaning::Leave,
    }
}

/// An arrow walks through the list, whatever of the history it is bound to.
fn arrow(command: &[u8]) -> Option<Op> {
    match command {
        b"previous-history"
        | b"history-search-backward"
        | b"history-substring-search-backward"
        | b"previous-screen-line" => Some(Op::RowUp),
        b"next-history"
        | b"history-search-forward"
        | b"history-substring-search-forward"
        | b"next-screen-line" => Some(Op::RowDown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &[u8] = b"\x1b\n";

    #[test]
    fn keys_mean_what_they_mean_in_readlines_own_search() {
        let check = |keys: &[u8], command: &str, expect| {
            let command = (!command.is_empty()).then_some(command.as_bytes());
            assert_eq!(meaning(keys, command, STOCK), expect, "{keys:?} {command:?}");
        };
        check(b"a", "self-insert", Meaning::Text);
        // In vi's command mode letters are commands, and yet are searched for.
        check(b"d", "vi-delete-to", Meaning::Text);
        check(b"\xc3", "", Meaning::Text);
        check(b"\x12", "reverse-search-history", Meaning::Op(Op::Older));
        check(b"\x13", "forward-search-history", Meaning::Op(Op::Newer));
        check(b"\x7f", "backward-delete-char", Meaning::Op(Op::Rubout));
        check(b"\x7f", "backward-char", Meaning::Op(Op::Rubout));
        check(b"\x08", "unix-filename-rubout", Meaning::Leave);
        check(b"\x07", "", Meaning::Abort);
        check(b"\x17", "unix-word-rubout", Meaning::Op(Op::TakeWord));
        check(b"\x19", "yank", Meaning::Op(Op::TakeRest));
        check(b"\x16", "quoted-insert", Meaning::Quote);
        check(b"\x1b", "vi-movement-mode", Meaning::Accept);
        check(b"\n", "accept-line", Meaning::Accept);
        check(b"\r", "accept-line", Meaning::Leave);
        check(b"\x01", "beginning-of-line", Meaning::Leave);
        check(b"\x10", "previous-history", Meaning::Leave);
        check(b"\x1b[C", "forward-char", Meaning::Leave);
        check(b"\x1bb", "backward-word", Meaning::Leave);
        check(b"\x1b[200~", "bracketed-paste-begin", Meaning::Paste);
        check(b"\x18", "", Meaning::Leave);
    }

    #[test]
    fn terminators_are_the_users() {
        assert_eq!(meaning(b"\x1b", None, b"\x01"), Meaning::Leave);
        assert_eq!(
            meaning(b"\x01", Some(b"beginning-of-line"), b"\x01"),
            Meaning::Accept
        );
        assert_eq!(meaning(b"x", Some(b"self-insert"), b"x"), Meaning::Accept);
    }

    #[test]
    fn arrows_walk_and_free_letters_choose() {
        let check = |keys: &[u8], command: &str, expect| {
            let command = (!command.is_empty()).then_some(command.as_bytes());
            assert_eq!(meaning(keys, command, STOCK), expect, "{keys:?} {command:?}");
        };
        check(b"\x1b[A", "previous-history", Meaning::Op(Op::RowUp));
        check(b"\x1bOB", "next-history", Meaning::Op(Op::RowDown));
        check(b"\x1b[A", "history-search-backward", Meaning::Op(Op::RowUp));
        check(b"\x1bh", "", Meaning::Op(Op::Here));
        check(b"\x1bs", "", Meaning::Op(Op::Ended));
        check(b"\x1bw", "", Meaning::Op(Op::Since));
        check(b"\x1bm", "", Meaning::Op(Op::Host));
        check(b"\x1bo", "", Meaning::Op(Op::Order));
        check(b"\x1be", "", Meaning::Op(Op::Why));
        // Bound by the user, it is the user's.
        check(b"\x1bh", "run-help", Meaning::Leave);
        check(b"\x1bq", "", Meaning::Leave);
    }
}
