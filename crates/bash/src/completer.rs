//! What completed: the function or the command that `complete` names for the command at hand.
//!
//! Asked in the child when it is done, since the specification may have been loaded only by completing.
//!
//! Invariants: never an argument, never what was typed behind the command; where it is not sure which command the word
//! belongs to, within a substitution above all, nothing is named.

use crate::attribution::names;
use crate::lexer::{Known, Lexer};
use crate::readline::text;
use crate::symbols::Bash;
use std::ffi::CString;

/// Bash's own names for the specifications of `complete -D` and `-E`.
const ANY: &[u8] = b"_DefaultCmD_";
const EMPTY: &[u8] = b"_EmptycmD_";

/// The name of what completes a word that begins at `word`; empty if bash does it by itself, or it is not sure.
pub(crate) fn name(bash: &Bash, line: &[u8], word: usize) -> Vec<u8> {
    let before = line.get(..word).unwrap_or_default();
    let Some(command) = command(before) else {
        return Vec::new();
    };
    let base = command.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let found = match &command[..] {
        b"" => by_specification(bash, EMPTY),
        whole => by_specification(bash, whole)
            .or_else(|| by_specification(bash, base))
            .or_else(|| by_specification(bash, ANY)),
    };
    found.unwrap_or_default()
}

/// The command that the next word of a line is an argument of; empty if that is a command itself, none if not sure.
fn command(before: &[u8]) -> Option<Vec<u8>> {
    let opens = before.contains(&b'`') || before.windows(2).any(|two| two == b"$(" || two == b"<(");
    if opens {
        return None;
    }
    let start = before
        .iter()
        .rposition(|b| b"|&;\n(){}".contains(b))
        .map_or(0, |at| at + 1);
    let mut last = Vec::new();
    let mut roles = Vec::new();
    Lexer::default().lex(before.get(start..)?, &mut roles, |command| {
        last = command.to_vec();
        Known::Yes
    });
    Some(last)
}

/// What a specification calls: its function, or its command without arguments; none if there is no specification.
fn by_specification(bash: &Bash, command: &[u8]) -> Option<Vec<u8>> {
    let search = bash.progcomp_search?;
    let command = CString::new(command).ok()?;
    // SAFETY: bash's own look-up by a nul-terminated name gives null or a specification of its table, whose texts are null
    // or nul-terminated.
    unsafe {
        let found = search(command.as_ptr()).as_ref()?;
        let named = if found.funcname.is_null() {
            names::command(text(found.command))
        } else {
            names::function(text(found.funcname))
        };
        Some(named.bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_that_of_the_word() {
        for (before, expect) in [
            ("foo ", Some("foo")),
            ("a; x=1 foo -b ", Some("foo")),
            ("git log | less ", Some("less")),
            ("", Some("")),
            ("sudo x; ", Some("")),
            ("foo $(bar) ", None),
            ("foo `bar ", None),
        ] {
            let found = command(before.as_bytes());
            assert_eq!(found.as_deref(), expect.map(str::as_bytes), "{before}");
        }
    }
}
