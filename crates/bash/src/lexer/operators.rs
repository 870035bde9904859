//! What stands between words: separators, connectors, redirections, here-documents, parentheses, the end of a row.

use super::Open::{Arith, Array, Case, Cond, For, Subshell, Subst};
use super::{At, Frame, HEREDOCS_MAX, Lexer, paint};
use crate::theme::Role;

impl Lexer {
    /// The end of a row inside a place of commands.
    pub(super) fn row_end(&mut self) {
        self.invalid |= self.top().is_broken_by_row_end();
        let top = self.top();
        match (top.open, top.stage, top.at) {
            (Array | Cond, ..) | (_, _, At::Needed | At::Body) => {}
            (For, 2, _) => {
                top.stage = 1;
                top.at = At::Needed;
            }
            (For, _, _) | (Case, 0..=2, _) => {}
            _ => top.at = At::Command,
        }
    }

    /// Colours the bodies of the here-documents that start at `i`; gives the index after them.
    pub(super) fn here_documents(&mut self, line: &[u8], mut i: usize, roles: &mut [Role]) -> usize {
        for k in 0..self.heredocs.len() {
            let (from, to, tabs) = self.heredocs[k];
            let word = &line[from..to];
            let mut closed = false;
            while i < line.len() {
                let end = line[i..]
                    .iter()
                    .position(|b| *b == b'\n')
                    .map_or(line.len(), |n| i + n);
                let mut row = &line[i..end];
                while tabs && row.first() == Some(&b'\t') {
                    row = &row[1..];
                }
                closed = same_unquoted(word, row);
                paint(roles, i, end, if closed { Role::Operator } else { Role::String });
                i = (end + 1).min(line.len());
                if closed {
                    break;
                }
            }
            if !closed {
                self.heredocs.drain(..k);
                return i;
            }
        }
        self.heredocs.clear();
        i
    }

    pub(super) fn operator(&mut self, line: &[u8], i: usize, roles: &mut [Role]) -> usize {
        let rest = &line[i..];
        roles[i] = Role::Operator;
        match rest {
            [b'<' | b'>', b'(', ..] => {
                paint(roles, i, i + 2, Role::Operator);
                self.open_in_word(Subst, i);
                i + 2
            }
            [b'<' | b'>', ..] | [b'&', b'>', ..] => self.redirection(rest, i, roles),
            [b'(', ..] => self.open_paren(line, i, roles),
            [b')', ..] => self.close_paren(i, roles),
            [b';', b';', ..] => {
                let n = if rest.get(2) == Some(&b'&') { 3 } else { 2 };
                self.case_end(i, n, roles)
            }
            [b';', b'&', ..] => self.case_end(i, 2, roles),
            [b';', ..] => {
                self.separator(i, roles, true);
                i + 1
            }
            [b'&', b'&', ..] | [b'|', b'|' | b'&', ..] => {
                paint(roles, i, i + 2, Role::Operator);
                self.connector(i, roles);
                i + 2
            }
            [b'|', ..] if self.top().open == Case && self.top().stage == 2 => i + 1,
            [b'|', ..] => {
                self.connector(i, roles);
                i + 1
            }
            _ => {
                self.separator(i, roles, false);
                i + 1
            }
        }
    }

    fn redirection(&mut self, rest: &[u8], i: usize, roles: &mut [Role]) -> usize {
        let len = match rest {
            [b'<', b'<', b'<', ..] | [b'<', b'<', b'-', ..] | [b'&', b'>', b'>', ..] => 3,
            [b'<', b'<' | b'&' | b'>', ..] | [b'>', b'>' | b'&' | b'|', ..] | [b'&', b'>', ..] => 2,
            _ => 1,
        };
        paint(roles, i, i + len, Role::Operator);
        let top = self.top();
        if top.at == At::Target {
            self.invalid = true;
            return i + len;
        }
        top.after_target = top.at;
        top.at = At::Target;
        top.heredoc = rest.starts_with(b"<<") && !rest.starts_with(b"<<<");
        if top.heredoc && self.heredocs.len() < HEREDOCS_MAX {
            self.heredocs.push((0, 0, rest.starts_with(b"<<-")));
        }
        i + len
    }

    fn open_paren(&mut self, line: &[u8], i: usize, roles: &mut [Role]) -> usize {
        let top = *self.top();
        let arith = line.get(i + 1) == Some(&b'(');
        match (top.open, top.stage, top.at) {
            (Case, 2, _) => {
                self.top().at = At::Args;
                return i + 1;
            }
            (For, 0, _) if arith => {}
            // `function name ()`.
            (_, _, At::Body) if let Some(n) = empty_parens(&line[i..]) => {
                paint(roles, i, i + n, Role::Operator);
                return i + n;
            }
            (_, _, At::Command | At::Needed | At::Body) if top.open != For => {}
            (_, _, At::Named) => {
                // `name()`: anything else here is an error of the user's.
                let Some(n) = empty_parens(&line[i..]) else {
                    self.error(i, roles);
                    return i + 1;
                };
                paint(roles, i, i + n, Role::Operator);
                self.top().at = At::Body;
                return i + n;
            }
            _ => {
                self.error(i, roles);
                return i + 1;
            }
        }
        self.top().same_row = false;
        if arith {
            paint(roles, i, i + 2, Role::Operator);
            self.stack.push(Frame::new(Arith));
            i + 2
        } else {
            self.stack.push(Frame::new(Subshell));
            i + 1
        }
    }

    fn close_paren(&mut self, i: usize, roles: &mut [Role]) -> usize {
        let top = *self.top();
        match (top.open, top.stage) {
            (Case, 2) => {
                self.top().stage = 3;
                self.top().at = At::Command;
            }
            (Array, _) => self.pop(),
            (Subst, _) => {
                if matches!(top.at, At::Target) {
                    self.invalid = true;
                }
                self.pop();
            }
            (Subshell, _) if top.at != At::Needed && top.at != At::Target => {
                self.pop();
                self.close_compound();
            }
            _ => self.error(i, roles),
        }
        i + 1
    }

    fn case_end(&mut self, i: usize, n: usize, roles: &mut [Role]) -> usize {
        paint(roles, i, i + n, Role::Operator);
        let top = self.top();
        if top.open == Case && top.stage == 3 {
            top.stage = 2;
            top.at = At::Command;
        } else {
            self.error(i, roles);
        }
        i + n
    }

    /// `;` or `&`.
    fn separator(&mut self, i: usize, roles: &mut [Role], semicolon: bool) {
        let top = self.top();
        match (top.open, top.stage, top.at) {
            (For, 1, _) if semicolon => top.at = At::Needed,
            (For, 2, _) if semicolon => {
                top.stage = 1;
                top.at = At::Needed;
            }
            (For, ..) | (Case, 0..=2, _) | (_, _, At::Command | At::Needed | At::Target | At::Body) => {
                self.error(i, roles);
            }
            _ => top.at = At::Command,
        }
    }

    /// `|`, `&&` or `||`.
    fn connector(&mut self, i: usize, roles: &mut [Role]) {
        let top = self.top();
        match (top.open, top.stage, top.at) {
            (For, ..) | (Case, 0..=2, _) | (_, _, At::Command | At::Needed | At::Target | At::Body) => {
                self.error(i, roles);
            }
            _ => top.at = At::Needed,
        }
    }
}

/// Gives the length of `()` at the start of `rest`, blanks between the two included.
fn empty_parens(rest: &[u8]) -> Option<usize> {
    let blanks = rest[1..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    (rest.get(1 + blanks) == Some(&b')')).then_some(blanks + 2)
}

/// True if the here-document's word, its quotes removed, is this row.
fn same_unquoted(word: &[u8], row: &[u8]) -> bool {
    word.iter()
        .filter(|b| !matches!(b, b'\'' | b'"' | b'\\'))
        .eq(row.iter())
}
