//! What stands inside words: quotes, expansions, arithmetic, backticks, extended patterns.

use super::Open::{Arith, Backtick, Double, Param, Subst};
use super::{Frame, Lexer, Open, paint};
use crate::theme::Role;

impl Lexer {
    /// Handles `$…` and `` ` `` at `i`, common to words and double quotes; gives the next index.
    pub(super) fn expansion(&mut self, line: &[u8], i: usize, roles: &mut [Role]) -> usize {
        if line[i] == b'`' {
            // A backtick inside its own substitution closes it, wherever in a double quote it stands.
            roles[i] = Role::Operator;
            self.open_in_word(Backtick, i);
            return i + 1;
        }
        let rest = &line[i + 1..];
        let (open, len) = match rest {
            [b'(', b'(', ..] => (Arith, 3),
            [b'(', ..] => (Subst, 2),
            [b'{', ..] => (Param, 2),
            _ => {
                let n = variable_name(rest);
                paint(
                    roles,
                    i,
                    i + 1 + n,
                    if n > 0 { Role::Variable } else { Role::Plain },
                );
                let top = self.top();
                top.word.get_or_insert(i);
                top.quoted = true;
                return i + 1 + n;
            }
        };
        paint(
            roles,
            i,
            i + len,
            if open == Param {
                Role::Variable
            } else {
                Role::Operator
            },
        );
        self.open_in_word(open, i);
        i + len
    }

    pub(super) fn double_quoted(&mut self, line: &[u8], i: usize, roles: &mut [Role]) -> usize {
        roles[i] = Role::String;
        match line[i] {
            b'"' => {
                self.pop();
                i + 1
            }
            b'\\' => {
                paint(roles, i, i + 2, Role::String);
                i + 2
            }
            b'`' if self.inside_backtick() => {
                self.close_backtick();
                roles[i] = Role::Operator;
                i + 1
            }
            b'$' | b'`' => {
                let next = self.expansion(line, i, roles);
                if roles[i] == Role::Plain {
                    roles[i] = Role::String;
                }
                next
            }
            _ => i + 1,
        }
    }

    pub(super) fn parameter(&mut self, line: &[u8], i: usize, roles: &mut [Role]) -> usize {
        roles[i] = Role::Variable;
        match line[i] {
            b'}' => {
                self.pop();
                i + 1
            }
            b'\\' => {
                paint(roles, i, i + 2, Role::Variable);
                i + 2
            }
            b'\'' if !self.stack.iter().rev().skip(1).any(|f| f.open == Double) => {
                self.single_quote(line, i, roles)
            }
            b'"' => {
                roles[i] = Role::String;
                self.stack.push(Frame::new(Double));
                i + 1
            }
            b'$' if matches!(line.get(i + 1), Some(b'(' | b'{')) => self.expansion(line, i, roles),
            b'`' => self.expansion(line, i, roles),
            _ => i + 1,
        }
    }

    pub(super) fn arithmetic(&mut self, line: &[u8], i: usize, roles: &mut [Role]) -> usize {
        let depth = self.top().stage;
        match line[i] {
            b'(' => {
                self.top().stage += 1;
                i + 1
            }
            b')' if depth > 0 => {
                self.top().stage -= 1;
                i + 1
            }
            b')' => {
                let len = if line.get(i + 1) == Some(&b')') { 2 } else { 1 };
                if i + 1 < line.len() || len == 2 {
                    paint(roles, i, i + len, Role::Operator);
                    self.pop();
                    if self.top().word.is_none() {
                        self.close_compound();
                    }
                    i + len
                } else {
                    i + 1
                }
            }
            b'"' => {
                roles[i] = Role::String;
                self.stack.push(Frame::new(Double));
                i + 1
            }
            b'\\' => i + 2,
            b'$' | b'`' => self.expansion(line, i, roles),
            b if b.is_ascii_alphabetic() || b == b'_' => {
                let n = variable_name(&line[i..]).max(1);
                paint(roles, i, i + n, Role::Variable);
                i + n
            }
            _ => i + 1,
        }
    }

    pub(super) fn single_quote(&mut self, line: &[u8], i: usize, roles: &mut [Role]) -> usize {
        if self.top().open != Param {
            let top = self.top();
            top.word.get_or_insert(i);
            top.quoted = true;
        }
        if let Some(n) = line[i + 1..].iter().position(|b| *b == b'\'') {
            paint(roles, i, i + n + 2, Role::String);
            i + n + 2
        } else {
            paint(roles, i, line.len(), Role::String);
            self.stack.push(Frame::new(Double)); // Never closed: what is left is the quote.
            line.len()
        }
    }

    pub(super) fn ansi_quote(&mut self, line: &[u8], i: usize, roles: &mut [Role]) -> usize {
        self.top().quoted = true;
        let mut j = i + 1;
        while j < line.len() && line[j] != b'\'' {
            j += if line[j] == b'\\' { 2 } else { 1 };
        }
        paint(roles, i, j + 1, Role::String);
        if j >= line.len() {
            self.stack.push(Frame::new(Double));
        }
        j + 1
    }

    /// Opens a construct inside the current word.
    pub(super) fn open_in_word(&mut self, open: Open, i: usize) {
        let top = self.top();
        top.word.get_or_insert(i);
        top.quoted = true;
        self.stack.push(Frame::new(open));
    }

    pub(super) fn inside_backtick(&self) -> bool {
        self.stack.iter().any(|f| f.open == Backtick)
    }

    pub(super) fn close_backtick(&mut self) {
        while self.stack.len() > 1 {
            let open = self.stack.pop().map(|f| f.open);
            if open == Some(Backtick) {
                return;
            }
        }
    }
}

/// Gives the length of the variable name, special parameter or positional digit at the start of `b`.
fn variable_name(b: &[u8]) -> usize {
    match b.first() {
        Some(c) if c.is_ascii_alphabetic() || *c == b'_' => b
            .iter()
            .position(|c| !(c.is_ascii_alphanumeric() || *c == b'_'))
            .unwrap_or(b.len()),
        Some(b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => 1,
        _ => 0,
    }
}

/// Gives the index after the group of an extended pattern that opens at `i`.
pub(super) fn pattern_group(line: &[u8], i: usize) -> usize {
    let mut depth = 0usize;
    let mut j = i;
    while j < line.len() {
        match line[j] {
            b'\\' => j += 1,
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return j + 1;
                }
            }
            b'\n' => return j,
            _ => {}
        }
        j += 1;
    }
    line.len()
}
