//! The `$(…)` and `` `…` `` of a PS1 that may be put off, and the PS1 without them.
//!
//! Bash decodes the backslashes of a prompt first and expands what comes of it afterwards. Where that makes it uncertain
//! what is a substitution and what is not, nothing is put off: the whole PS1 stays as it is.
//!
//! Invariants: a part stands by itself, in no `${…}`, no `$((…))`, no `\[…\]`; in its place comes what takes no room,
//! [`GAP`], by which it is found in the prompt that bash makes of the rest.

use crate::attribution::ps1::substitutions as substitutions_of;
use crate::attribution::table::Name;
use std::ops::Range;

/// What stands in the place of a part in PS1: so many empty stretches without width are nobody's own.
pub(super) const GAP_IN_PS1: &[u8] = br"\[\]\[\]\[\]\[\]\[\]";
/// What bash makes of it.
pub(super) const GAP: &[u8] = b"\x01\x02\x01\x02\x01\x02\x01\x02\x01\x02";

/// Parts of one prompt that are put off; further ones are not.
pub(super) const PARTS_MAX: usize = 8;

/// A PS1 without what is put off.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// The text that bash is given.
    pub(super) rest: Vec<u8>,
    /// The substitutions that were taken out, each with its `$(` and `)`.
    pub(super) parts: Vec<Vec<u8>>,
}

/// Takes the parts out of a PS1 that one of the texts speaks of; none if there are none or it is not certain.
pub(super) fn split(ps1: &[u8], consented: &[String]) -> Option<Split> {
    let found = substitutions(ps1)?;
    let mut split = Split {
        rest: Vec::with_capacity(ps1.len() + GAP_IN_PS1.len()),
        parts: Vec::new(),
    };
    let mut kept_until = 0;
    for one in found {
        let command = ps1.get(one.command.clone()).unwrap_or_default();
        if split.parts.len() == PARTS_MAX || !consented.iter().any(|text| speaks_of(text, command)) {
            continue;
        }
        split.rest.extend_from_slice(&ps1[kept_until..one.whole.start]);
        split.rest.extend_from_slice(GAP_IN_PS1);
        split.parts.push(ps1[one.whole.clone()].to_vec());
        kept_until = one.whole.end;
    }
    split.rest.extend_from_slice(&ps1[kept_until..]);
    (!split.parts.is_empty()).then_some(split)
}

/// Whether a PS1 can be made without all that it runs under this name.
pub(super) fn can_be_without(ps1: &[u8], name: &str) -> bool {
    let mut names = [Name::default(); NAMES_MAX];
    let left = split(ps1, &[name.to_owned()]).map(|split| substitutions_of(&split.rest, &mut names));
    // A pipeline that begins with it has a longer one.
    let is_it = |left: &Name| {
        let behind = left.bytes().strip_prefix(name.as_bytes());
        behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(b" | "))
    };
    left.is_some_and(|n| n <= NAMES_MAX && !names.iter().take(n).any(is_it))
}

/// Commands of a PS1 whose names are looked at.
const NAMES_MAX: usize = 16;

/// Which texts speak of nothing that can be taken out of a PS1, as bits in their order; of the first 62.
pub(super) fn unfit(ps1: &[u8], consented: &[String]) -> u64 {
    let found = substitutions(ps1).unwrap_or_default();
    let commands = || found.iter().filter_map(|one| ps1.get(one.command.clone()));
    let texts = consented.iter().take(62).enumerate();
    texts
        .filter(|(_, text)| !commands().any(|command| speaks_of(text, command)))
        .fold(0, |bits, (at, _)| bits | 1 << at)
}

/// Whether a text speaks of a part as it was taken out.
pub(super) fn is_of(part: &[u8], text: &str) -> bool {
    let command = part.strip_prefix(b"$(").or(part.strip_prefix(b"`"));
    command.is_some_and(|command| speaks_of(text, &command[..command.len().saturating_sub(1)]))
}

/// Whether a text names a command: its words are the command's first ones.
pub(super) fn speaks_of(text: &str, command: &[u8]) -> bool {
    let mut words = command
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let mut wanted = text.split_ascii_whitespace().peekable();
    let mut any = false;
    while let Some(one) = wanted.next() {
        any = true;
        let Some(word) = words.next() else { return false };
        let is_last = wanted.peek().is_none();
        let behind = word.strip_prefix(one.as_bytes());
        if !behind.is_some_and(|rest| rest.is_empty() || is_last && b"|&;<>".contains(&rest[0])) {
            return false;
        }
    }
    any
}

/// A substitution in a PS1.
struct Found {
    /// With `$(` and `)`, or the backticks.
    whole: Range<usize>,
    /// What it runs.
    command: Range<usize>,
}

/// Finds the substitutions that stand by themselves; none if the text is not certain.
fn substitutions(ps1: &[u8]) -> Option<Vec<Found>> {
    let (mut found, mut at, mut without_width) = (Vec::new(), 0, false);
    while let Some(&b) = ps1.get(at) {
        let rest = &ps1[at..];
        let (lead, length, tail) = match b {
            b'\\' => {
                at += escape(rest, &mut without_width)?;
                continue;
            }
            b'`' => (1, rest[1..].iter().position(|b| *b == b'`')?, 1),
            b'$' if rest.starts_with(b"$((") => {
                at += 3 + to_parenthesis(&rest[2..])?;
                continue;
            }
            b'$' if rest.starts_with(b"$(") => (2, to_parenthesis(&rest[2..])?, 1),
            b'$' if rest.starts_with(b"${") => {
                at += 2 + to_brace(&rest[2..])?;
                continue;
            }
            b'$' if rest.starts_with(b"$[") => return None,
            // A process number: its second dollar opens nothing.
            b'$' if rest.starts_with(b"$$") => {
                at += 2;
                continue;
            }
            _ => {
                at += 1;
                continue;
            }
        };
        let command = at + lead..at + lead + length;
        let whole = at..command.end + tail;
        if !is_certain(&ps1[command.clone()]) {
            return None;
        }
        at = whole.end;
        if !without_width {
            found.push(Found { whole, command });
        }
    }
    Some(found)
}

/// True if the end of a command is surely where it was looked for: no backslash, which bash decodes before it looks, and
/// nothing that a parenthesis stands in by itself.
fn is_certain(command: &[u8]) -> bool {
    let has = |text: &[u8]| command.windows(text.len()).any(|part| part == text);
    !(has(b"\\") || has(b"case") || has(b"<<") || has(b"#") || has(b"$'"))
}

/// The bytes of an escape; none if what it decodes to changes what follows.
fn escape(rest: &[u8], without_width: &mut bool) -> Option<usize> {
    match *rest.get(1)? {
        b'\\' => {
            // One backslash is left, and takes its meaning from what follows.
            let next = rest.get(2).copied().unwrap_or_default();
            (!b"\\$`\"\n".contains(&next)).then_some(2)
        }
        b'0'..=b'7' => {
            let digits = rest[1..].iter().take(3).take_while(|b| matches!(b, b'0'..=b'7'));
            let (n, value) = digits.fold((0, 0u32), |(n, value), b| {
                (n + 1, value * 8 + u32::from(b - b'0'))
            });
            // An ordinary character, as `\033` is: what the shell obeys, or bash cannot decode, makes all uncertain.
            let harmless = u8::try_from(value).is_ok_and(|b| !b"\\$`\"{}()'".contains(&b) && b > 2);
            harmless.then_some(1 + n)
        }
        b'[' => {
            *without_width = true;
            Some(2)
        }
        b']' => {
            *without_width = false;
            Some(2)
        }
        b'D' if rest.get(2) == Some(&b'{') => {
            let length = rest[3..].iter().position(|b| *b == b'}')?;
            let format = &rest[3..3 + length];
            (!format.iter().any(|b| b"\\$`".contains(b))).then_some(4 + length)
        }
        _ => Some(2),
    }
}

/// Substitutions within each other that are followed; nobody's prompt has more.
const DEPTH_MAX: usize = 8;

/// Bytes up to the parenthesis that closes; none if there is none, or it is not certain which one does.
fn to_parenthesis(text: &[u8]) -> Option<usize> {
    to_parenthesis_within(text, DEPTH_MAX)
}

/// In quotes, in braces and in further substitutions a parenthesis may stand that closes nothing: each is followed to its
/// own end.
fn to_parenthesis_within(text: &[u8], deeper: usize) -> Option<usize> {
    let (mut open, mut at) = (0usize, 0);
    while let Some(&b) = text.get(at) {
        let rest = &text[at + 1..];
        at += 1 + match b {
            b'\'' => 1 + rest.iter().position(|b| *b == b'\'')?,
            b'"' => to_quote(rest, deeper)?,
            b'$' => inner(rest, deeper)?,
            // Its end is looked for by other rules.
            b'`' => return None,
            b')' if open == 0 => return Some(at),
            b'(' | b')' => {
                open = if b == b'(' { open + 1 } else { open - 1 };
                0
            }
            _ => 0,
        };
    }
    None
}

/// Bytes up to behind the double quote that closes.
fn to_quote(text: &[u8], deeper: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(&b) = text.get(at) {
        at += 1;
        match b {
            b'"' => return Some(at),
            b'$' => at += inner(&text[at..], deeper)?,
            b'`' => return None,
            _ => {}
        }
    }
    None
}

/// Bytes of what a `$` opens, behind it; 0 if that is a variable, or nothing.
fn inner(text: &[u8], deeper: usize) -> Option<usize> {
    match text.first() {
        Some(b'(') => Some(2 + to_parenthesis_within(&text[1..], deeper.checked_sub(1)?)?),
        Some(b'{') => Some(1 + to_brace_within(&text[1..], deeper.checked_sub(1)?)?),
        // A process number: the second is not the beginning of something else.
        Some(b'$') => Some(1),
        _ => Some(0),
    }
}

/// Bytes up to behind the brace that closes; none if that is not certain.
fn to_brace(text: &[u8]) -> Option<usize> {
    to_brace_within(text, DEPTH_MAX)
}

fn to_brace_within(text: &[u8], deeper: usize) -> Option<usize> {
    // A command in braces, as bash 5.3 has them; and quotes, of which some are none in here.
    if text
        .first()
        .is_none_or(|b| b.is_ascii_whitespace() || b"|(".contains(b))
    {
        return None;
    }
    let (mut depth, mut at) = (1usize, 0);
    while let Some(&b) = text.get(at) {
        match b {
            b'\'' | b'"' | b'\\' | b'`' => return None,
            b'$' if text[at..].starts_with(b"$(") => {
                at += 2 + to_parenthesis_within(&text[at + 2..], deeper.checked_sub(1)?)?;
            }
            b'{' if at > 0 && text[at - 1] == b'$' => depth += 1,
            b'{' => return None,
            b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Puts values into the gaps of a prompt that bash has made, in their order; none if there are not as many gaps.
pub(super) fn fill(made: &[u8], values: &[&[u8]]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(made.len() + values.iter().map(|value| value.len()).sum::<usize>());
    let mut rest = made;
    for value in values {
        let at = gap(rest)?;
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(value);
        rest = &rest[at + GAP.len()..];
    }
    out.extend_from_slice(rest);
    gap(rest).is_none().then_some(out)
}

/// Where the next gap is.
pub(super) fn gap(made: &[u8]) -> Option<usize> {
    made.windows(GAP.len()).position(|window| window == GAP)
}

#[cfg(test)]
mod tests;
