//! What a word is once it has ended: a command's name, a keyword, an assignment, an argument.

use super::Open::{Arith, Array, Case, Cond, Double, For, Group, If, Loop, Param};
use super::{At, Frame, Known, Lexer, paint, paint_plain};
use crate::theme::Role;

impl Lexer {
    /// Ends the word that stands before `end`, if there is one, and gives it its role.
    pub(super) fn end_word(
        &mut self,
        line: &[u8],
        end: usize,
        roles: &mut [Role],
        known: &mut impl FnMut(&[u8]) -> Known,
    ) {
        let top = self.top();
        let Some(start) = top.word.take() else { return };
        let quoted = std::mem::take(&mut top.quoted);
        let end = end.min(line.len());
        let word = &line[start..end];
        if matches!(top.open, Double | Param | Arith) {
            return;
        }
        if top.open == Cond {
            self.cond_word(word, quoted, (start, end), roles);
            return;
        }
        if top.open == Array {
            return;
        }
        let is_coproc = std::mem::take(&mut top.same_row);
        if top.naming {
            top.naming = false;
            top.at = At::Body;
            paint(roles, start, end, Role::Command);
            return;
        }
        match top.at {
            At::Target => {
                top.at = match top.after_target {
                    At::Needed | At::Command => At::Simple,
                    other => other,
                };
                if std::mem::take(&mut top.heredoc)
                    && let Some(last) = self.heredocs.last_mut()
                {
                    (last.0, last.1) = (start, end);
                }
                return;
            }
            // A file descriptor before a redirection belongs to it.
            _ if !quoted
                && matches!(line.get(end), Some(b'<' | b'>'))
                && word.iter().all(u8::is_ascii_digit) =>
            {
                paint(roles, start, end, Role::Operator);
                return;
            }
            _ => {}
        }
        if self.compound_word(word, quoted, start, end, roles) {
            return;
        }
        let top = self.top();
        match top.at {
            At::Command | At::Needed | At::Simple => {
                if let Some(n) = assignment(word) {
                    paint_plain(roles, start, start + n, Role::Variable);
                    if word.ends_with(b"=") && line.get(end) == Some(&b'(') && n == word.len() {
                        top.word = Some(start);
                        top.quoted = true;
                        self.stack.push(Frame::new(Array));
                        roles[end] = Role::Plain;
                        return;
                    }
                    top.at = At::Simple;
                    return;
                }
                if is_coproc && opens_compound(&line[end..]) {
                    top.same_row = true;
                    paint_plain(roles, start, end, Role::Variable);
                    return;
                }
                top.at = At::Named;
                if quoted {
                    return;
                }
                let role = match known(word) {
                    Known::Yes => Role::Command,
                    Known::No if looks_like_function(line, end) => Role::Command,
                    Known::No => Role::Unknown,
                    Known::Unasked => Role::Plain,
                };
                paint(roles, start, end, role);
            }
            At::Closed | At::Body => {
                paint(roles, start, end, Role::Error);
                self.invalid = true;
            }
            _ => {
                top.at = At::Args;
                if word.first() == Some(&b'-') {
                    paint_plain(roles, start, end, Role::Option);
                }
            }
        }
    }

    /// Reserved words and the words of `for` and `case`; true if the word was one.
    fn compound_word(
        &mut self,
        word: &[u8],
        quoted: bool,
        start: usize,
        end: usize,
        roles: &mut [Role],
    ) -> bool {
        let top = *self.top();
        match (top.open, top.stage) {
            (For, 0) => {
                paint(roles, start, end, Role::Variable);
                self.top().stage = 1;
                self.top().at = At::Needed;
                return true;
            }
            (For, 1) if word == b"in" && !quoted => {
                paint(roles, start, end, Role::Keyword);
                self.top().stage = 2;
                self.top().at = At::Args;
                return true;
            }
            (For, 1) if matches!(word, b"do" | b"{") && !quoted => {}
            (For, 1) => {
                paint(roles, start, end, Role::Error);
                self.invalid = true;
                return true;
            }
            (For, _) => return true,
            (Case, 0) => {
                self.top().stage = 1;
                return true;
            }
            (Case, 1) => {
                if word == b"in" && !quoted {
                    paint(roles, start, end, Role::Keyword);
                    self.top().stage = 2;
                    self.top().at = At::Command;
                } else {
                    paint(roles, start, end, Role::Error);
                    self.invalid = true;
                }
                return true;
            }
            (Case, 2) if word == b"esac" && !quoted && top.at == At::Command => {
                paint(roles, start, end, Role::Keyword);
                self.pop();
                self.close_compound();
                return true;
            }
            (Case, 2) => {
                self.top().at = At::Args;
                return true;
            }
            _ => {}
        }
        if quoted || !matches!(top.at, At::Command | At::Needed | At::Closed | At::Body) {
            return false;
        }
        self.reserved_word(word, start, end, roles)
    }

    fn reserved_word(&mut self, word: &[u8], start: usize, end: usize, roles: &mut [Role]) -> bool {
        let top = *self.top();
        let opens = match word {
            b"if" => Some(If),
            b"while" | b"until" => Some(Loop),
            b"for" | b"select" => Some(For),
            b"case" => Some(Case),
            b"{" => Some(Group),
            b"[[" => Some(Cond),
            _ => None,
        };
        if top.open == For && top.stage == 1 && word == b"{" {
            // `for x in a b; { …; }`
            self.pop();
            self.top().at = At::Args;
            self.stack.push(Frame::new(Group));
            paint(roles, start, end, Role::Keyword);
            return true;
        }
        if let Some(open) = opens {
            if top.at == At::Closed {
                return false;
            }
            paint(roles, start, end, Role::Keyword);
            self.top().at = At::Args;
            self.stack.push(Frame::new(open));
            return true;
        }
        match word {
            b"!" | b"time" | b"coproc" if matches!(top.at, At::Command | At::Needed) => {
                paint(roles, start, end, Role::Keyword);
                // `!` and `time` may stand alone; a coprocess needs its command.
                let needs = word == b"coproc";
                self.top().same_row = needs;
                self.top().at = if needs { At::Needed } else { At::Command };
                return true;
            }
            b"function" if matches!(top.at, At::Command | At::Needed) => {
                paint(roles, start, end, Role::Keyword);
                self.top().naming = true;
                self.top().at = At::Needed;
                return true;
            }
            b"then" | b"elif" | b"else" | b"fi" | b"do" | b"done" | b"}" | b"esac" => {}
            _ => return false,
        }
        if matches!(top.at, At::Body) {
            return false;
        }
        paint(roles, start, end, Role::Keyword);
        // A closing word needs a command before it: `then fi` is an error, `true; fi` is not.
        let ready = top.at != At::Needed;
        let moved = match (word, top.open, top.stage) {
            (b"then", If, 0) if ready => Some((If, 1)),
            (b"elif", If, 1) if ready => Some((If, 0)),
            (b"else", If, 1) if ready => Some((If, 2)),
            (b"do", Loop, 0) if ready => Some((Loop, 1)),
            (b"do", For, 1) => Some((Loop, 1)),
            (b"fi", If, 1 | 2) | (b"done", Loop, 1) | (b"}", Group, _) | (b"esac", Case, 3)
                if ready || word == b"esac" =>
            {
                self.pop();
                self.close_compound();
                return true;
            }
            _ => None,
        };
        if let Some((open, stage)) = moved {
            let frame = self.top();
            (frame.open, frame.stage, frame.at) = (open, stage, At::Needed);
        } else {
            paint(roles, start, end, Role::Error);
            self.invalid = true;
        }
        true
    }
}

/// Gives the length up to and with the `=` if the word is `name=…`, `name+=…` or `name[…]=…`.
fn assignment(word: &[u8]) -> Option<usize> {
    let n = word
        .iter()
        .position(|c| !(c.is_ascii_alphanumeric() || *c == b'_'))?;
    if n == 0 || word[0].is_ascii_digit() {
        return None;
    }
    match &word[n..] {
        [b'=', ..] => Some(n + 1),
        [b'+', b'=', ..] => Some(n + 2),
        [b'[', rest @ ..] => {
            let close = rest.iter().position(|c| *c == b']')?;
            match &rest[close + 1..] {
                [b'=', ..] => Some(n + close + 3),
                [b'+', b'=', ..] => Some(n + close + 4),
                _ => None,
            }
        }
        _ => None,
    }
}

/// True if a compound command follows, so that the word behind `coproc` is a name.
fn opens_compound(rest: &[u8]) -> bool {
    let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let rest = &rest[blanks..];
    let word = rest.split(|b| b" \t\n;&|()<>".contains(b)).next();
    let words: [&[u8]; 8] = [b"{", b"if", b"while", b"until", b"for", b"select", b"case", b"[["];
    rest.first() == Some(&b'(') || word.is_some_and(|word| words.contains(&word))
}

/// True if `()` follows, so that the word before is being defined.
fn looks_like_function(line: &[u8], end: usize) -> bool {
    let rest = &line[end..];
    let n = rest
        .iter()
        .position(|b| !matches!(b, b' ' | b'\t'))
        .unwrap_or(rest.len());
    rest[n..].starts_with(b"()")
}
