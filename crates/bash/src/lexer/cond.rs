//! What stands between `[[` and `]]`: tests of one operand or two, joined by `&&`, `||`, `!` and parentheses.
//!
//! Where a row may end is bash's `cond_term`: before a test and behind one, never inside. Of a [`Frame`](super::Frame) of
//! this kind `stage` counts open parentheses, and `at` says what is next:
//!
//! | `at` | |
//! | --- | --- |
//! | `Needed` | a test begins |
//! | `Named` | an operand was read: its operator, or the end of the test |
//! | `Target` | an operator was read: its operand, on the same row |
//! | `Simple` | `=~` was read: its pattern, in which parentheses and bars are letters |
//! | `Closed` | a test ended |

use super::Open::Cond;
use super::{At, Lexer, paint};
use crate::theme::Role;

/// Operators between two operands, besides `<`, `>` and `=~`.
const BINARY: [&[u8]; 12] = [
    b"=", b"==", b"!=", b"-eq", b"-ne", b"-lt", b"-le", b"-gt", b"-ge", b"-nt", b"-ot", b"-ef",
];
/// Letters of the operators before one operand.
const UNARY: &[u8] = b"abcdefghknoprstuvwxzGLNORS";

impl Lexer {
    /// A word has ended.
    pub(super) fn cond_word(
        &mut self,
        word: &[u8],
        quoted: bool,
        (start, end): (usize, usize),
        roles: &mut [Role],
    ) {
        let top = *self.top();
        if word == b"]]" && !quoted {
            paint(roles, start, end, Role::Keyword);
            // A test is missing, or half, or a parenthesis is open.
            self.invalid |= matches!(top.at, At::Needed | At::Target | At::Simple) || top.stage > 0;
            self.pop();
            self.close_compound();
            return;
        }
        let is_operator = !quoted
            && match top.at {
                At::Needed => word == b"!" || is_unary(word),
                At::Named => word == b"=~" || BINARY.contains(&word),
                _ => false,
            };
        if is_operator {
            paint(roles, start, end, Role::Operator);
        }
        self.top().at = match top.at {
            At::Needed if is_operator && word == b"!" => At::Needed,
            At::Needed if is_operator => At::Target,
            // Whether this is one pattern or a test in parentheses is said by an option of bash's.
            At::Needed if word.starts_with(b"!(") => At::Closed,
            At::Needed => At::Named,
            At::Named if is_operator && word == b"=~" => At::Simple,
            At::Named if is_operator => At::Target,
            At::Target | At::Simple => At::Closed,
            _ => {
                self.invalid = true;
                At::Closed
            }
        };
    }

    /// Whether the pattern of `=~` is being read.
    pub(super) fn reads_pattern(&mut self) -> bool {
        let top = self.top();
        top.open == Cond && top.at == At::Simple
    }

    /// One of `;&|<>()`, no word before it; gives the index after it.
    pub(super) fn cond_operator(&mut self, line: &[u8], i: usize, roles: &mut [Role]) -> usize {
        let rest = &line[i..];
        if let [b'<' | b'>', b'(', ..] = rest {
            return self.operator(line, i, roles);
        }
        let top = *self.top();
        let joins = matches!(rest, [b'&', b'&', ..] | [b'|', b'|', ..]);
        let n = if joins { 2 } else { 1 };
        paint(roles, i, i + n, Role::Operator);
        let ended = matches!(top.at, At::Named | At::Closed);
        let frame = self.top();
        match rest[0] {
            _ if joins && ended => frame.at = At::Needed,
            b'<' | b'>' if top.at == At::Named => frame.at = At::Target,
            b'(' if top.at == At::Needed => frame.stage += 1,
            b')' if ended && top.stage > 0 => (frame.stage, frame.at) = (top.stage - 1, At::Closed),
            _ => self.invalid = true,
        }
        i + n
    }
}

fn is_unary(word: &[u8]) -> bool {
    matches!(word, [b'-', letter] if UNARY.contains(letter))
}
