//! Reads a command line as bash would and says what each byte is, and whether Enter may submit it.
//!
//! One pass, no backtracking, tolerant of half a line: what is not yet closed keeps its colour, and only what
//! no continuation could mend is an error. Measured against the alternatives on this machine (2026-11): on a line of
//! 100 kB `tree-sitter-bash` 0.25 takes 16 ms and 5.3 MB and loses the structure of a half-typed `for`;
//! `brush-parser` 0.3 takes 9.6 ms and refuses an open quote. Neither leaves room in a key.
//!
//! Invariant: `roles.len() == line.len()` afterwards, for any bytes; nesting is bounded by [`DEPTH_MAX`].
//!
//! ```text
//!  bytes ▸ stack of open constructs ▸ a role per byte
//!                                   ▸ End::{Complete, Incomplete, Invalid}
//! ```
//!
//! Here a byte finds its construct; `quotes.rs` reads what stands inside words, `operators.rs` what stands between them,
//! `words.rs` says what a word was once it has ended, and `cond.rs` both within `[[`.

mod cond;
mod operators;
mod quotes;
mod words;

use crate::lexer::Open::{Arith, Array, Backtick, Case, Cond, Double, For, Param, Subst, Top};
use crate::lexer::quotes::pattern_group;
use crate::theme::Role;

/// Nesting deeper than this is left uncoloured and submitted as it is: bash's own parser is recursive, and no
/// line written by a person comes near.
const DEPTH_MAX: usize = 128;

/// Here-documents awaited on one row; more are legal and are merely not coloured.
const HEREDOCS_MAX: usize = 8;

/// What Enter should do with the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// Bash would run it.
    Complete,
    /// Bash would ask for more.
    Incomplete,
    /// Bash would report a syntax error at the end of the row, whatever the next one brings.
    Invalid,
}

/// What the caller knows of a command name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known {
    /// A function, builtin, alias or program.
    Yes,
    /// None of these.
    No,
    /// Not looked up: shown plain.
    Unasked,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Open {
    Top,
    Subst,
    Subshell,
    Array,
    Group,
    If,
    Loop,
    For,
    Case,
    Cond,
    Double,
    Param,
    Arith,
    Backtick,
}

/// Where in a simple or compound command the next word stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// A command word may come.
    Command,
    /// After `|`, `&&`, `then` and the like: one must come.
    Needed,
    /// After an assignment or a redirection: a command word may come, but no reserved word.
    Simple,
    /// Right after the command word: `()` would make it a function.
    Named,
    /// Its arguments.
    Args,
    /// After `fi`, `}`, `)` and the like: only an operator, a redirection or a closing word.
    Closed,
    /// After `name()`: a compound command must come.
    Body,
    /// The next word is the target of a redirection; then back to what is in `after_target`.
    Target,
}

/// One open construct and the word being read inside it.
#[derive(Clone, Copy, Debug)]
struct Frame {
    open: Open,
    at: At,
    after_target: At,
    /// The stage of a compound: `if`: 0 condition, 1 body, 2 else. Loops: 0 condition, 1 body. `for`: 0 name, 1 `in` or
    /// `do`, 2 words. `case`: 0 word, 1 `in`, 2 pattern, 3 body. Arithmetic: open parentheses.
    stage: u32,
    word: Option<usize>,
    /// The word holds a quote or an expansion, so it is no keyword.
    quoted: bool,
    /// The word before was a redirection to a here-document.
    heredoc: bool,
    /// `function` was read: the next word is a name.
    naming: bool,
    /// `coproc` was read: its command must begin on the same row.
    same_row: bool,
}

impl Frame {
    fn new(open: Open) -> Self {
        let at = match open {
            Subst | Backtick | Top => At::Command,
            _ => At::Needed,
        };
        Self {
            open,
            at,
            after_target: At::Args,
            stage: 0,
            word: None,
            quoted: false,
            heredoc: false,
            naming: false,
            same_row: false,
        }
    }

    /// Whether a row that ends here is a syntax error, where the end of a row is neither a blank nor a separator.
    fn is_broken_by_row_end(&self) -> bool {
        self.naming
            || self.same_row && self.at == At::Needed
            || self.at == At::Target
            || matches!(
                (self.open, self.stage, self.at),
                (For | Case, 0, _) | (Case, 2, At::Args) | (Cond, _, At::Named | At::Simple)
            )
    }
}

/// The reader; keeps its memory between lines.
#[derive(Default)]
pub(crate) struct Lexer {
    stack: Vec<Frame>,
    /// Delimiters awaited: where the word stands, and whether tabs are stripped.
    heredocs: Vec<(usize, usize, bool)>,
    invalid: bool,
}

impl Lexer {
    /// Fills `roles` with the role of each byte of `line` and says how the line ends.
    pub(crate) fn lex(
        &mut self,
        line: &[u8],
        roles: &mut Vec<Role>,
        mut known: impl FnMut(&[u8]) -> Known,
    ) -> End {
        roles.clear();
        roles.resize(line.len(), Role::Plain);
        self.stack.clear();
        self.heredocs.clear();
        self.invalid = false;
        self.stack.push(Frame::new(Top));
        let mut i = 0;
        while i < line.len() {
            if self.stack.len() > DEPTH_MAX {
                return End::Invalid;
            }
            i = match self.top().open {
                Double => self.double_quoted(line, i, roles),
                Param => self.parameter(line, i, roles),
                Arith => self.arithmetic(line, i, roles),
                _ => self.command(line, i, roles, &mut known),
            };
        }
        let backslash = ends_with_backslash(line) && roles.last() != Some(&Role::Comment);
        if !backslash || self.top().word.is_none_or(|w| w + 1 < line.len()) {
            self.end_word(line, line.len(), roles, &mut known);
        }
        if self.invalid || !backslash && self.top().is_broken_by_row_end() {
            return End::Invalid;
        }
        let needs = matches!(self.top().at, At::Needed | At::Body);
        if self.stack.len() > 1 || needs || backslash || !self.heredocs.is_empty() {
            End::Incomplete
        } else {
            End::Complete
        }
    }

    fn top(&mut self) -> &mut Frame {
        self.stack.last_mut().expect("the bottom frame is never popped")
    }

    fn pop(&mut self) {
        if self.stack.len() > 1 {
            self.stack.pop();
        }
    }

    /// One byte, or one whole token, of a place where commands stand.
    fn command(
        &mut self,
        line: &[u8],
        i: usize,
        roles: &mut [Role],
        known: &mut impl FnMut(&[u8]) -> Known,
    ) -> usize {
        let b = line[i];
        let open = self.top().open;
        match b {
            b'\\' => {
                if line.get(i + 1) == Some(&b'\n') {
                    return i + 2;
                }
                let top = self.top();
                top.word.get_or_insert(i);
                top.quoted = true;
                i + 2
            }
            b'\'' => self.single_quote(line, i, roles),
            b'"' => {
                roles[i] = Role::String;
                self.open_in_word(Double, i);
                i + 1
            }
            b'$' if line.get(i + 1) == Some(&b'\'') => {
                roles[i] = Role::String;
                self.top().word.get_or_insert(i);
                self.ansi_quote(line, i + 1, roles)
            }
            b'$' if line.get(i + 1) == Some(&b'"') => {
                roles[i] = Role::String;
                self.open_in_word(Double, i);
                i + 2
            }
            b'`' if self.inside_backtick() => {
                self.end_word(line, i, roles, known);
                self.close_backtick();
                roles[i] = Role::Operator;
                i + 1
            }
            b'$' | b'`' => self.expansion(line, i, roles),
            b'#' if self.top().word.is_none() => {
                let end = line[i..]
                    .iter()
                    .position(|b| *b == b'\n')
                    .map_or(line.len(), |n| i + n);
                paint(roles, i, end, Role::Comment);
                end
            }
            b' ' | b'\t' => {
                self.end_word(line, i, roles, known);
                i + 1
            }
            b'\n' => {
                self.end_word(line, i, roles, known);
                self.row_end();
                self.here_documents(line, i + 1, roles)
            }
            b'?' | b'*' | b'+' | b'@' | b'!'
                if line.get(i + 1) == Some(&b'(')
                    && (b != b'!' || self.top().word.is_some() || self.in_args()) =>
            {
                self.top().word.get_or_insert(i);
                self.top().quoted = true;
                pattern_group(line, i + 1)
            }
            b'(' | b'|' if self.reads_pattern() => {
                let top = self.top();
                top.word.get_or_insert(i);
                top.quoted = true;
                if b == b'(' { pattern_group(line, i) } else { i + 1 }
            }
            b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => {
                self.end_word(line, i, roles, known);
                if open != Array && self.top().open == Array {
                    return i + 1; // `name=(` has just opened it.
                }
                if open == Cond {
                    return self.cond_operator(line, i, roles);
                }
                if open == Array && !matches!(b, b')' | b'<' | b'>') {
                    roles[i] = Role::Operator;
                    return i + 1;
                }
                self.operator(line, i, roles)
            }
            _ => {
                self.top().word.get_or_insert(i);
                i + 1
            }
        }
    }

    fn in_args(&mut self) -> bool {
        matches!(self.top().at, At::Named | At::Args | At::Target) || matches!(self.top().open, Cond | Array)
    }

    fn error(&mut self, i: usize, roles: &mut [Role]) {
        roles[i] = Role::Error;
        self.invalid = true;
    }

    /// A compound command ended: what stands around it goes on.
    fn close_compound(&mut self) {
        let top = self.top();
        if top.open == For && top.stage == 0 {
            top.stage = 1; // `for ((…))`
            top.at = At::Needed;
        } else {
            top.at = At::Closed;
        }
    }
}

fn paint(roles: &mut [Role], from: usize, to: usize, role: Role) {
    let to = to.min(roles.len());
    if from < to {
        roles[from..to].fill(role);
    }
}

/// Paints what has no role yet.
fn paint_plain(roles: &mut [Role], from: usize, to: usize, role: Role) {
    let to = to.min(roles.len());
    for r in roles[from.min(to)..to].iter_mut().filter(|r| **r == Role::Plain) {
        *r = role;
    }
}

/// True if an odd number of backslashes ends the line, so that the next row belongs to it.
fn ends_with_backslash(line: &[u8]) -> bool {
    line.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests;
