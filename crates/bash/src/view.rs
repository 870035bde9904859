//! Composes the picture: prompt, text, suggestion, menu.
//!
//! Invariant: a function of its input only; the input's bytes may be anything. Byte order of the line is screen
//! order, so the cursor's place is found on the way.

use crate::frame::{Frame, Marks, Place, Style};
use crate::menu::Menu;
use crate::recall::List;
use crate::theme::Role;
use crate::width;

/// What is to be shown.
pub(crate) struct Picture<'a> {
    /// The last row of the prompt, laid out by [`lay_prompt`].
    pub(crate) prompt: &'a Frame,
    pub(crate) line: &'a [u8],
    /// A role a byte; shorter than the line means the rest is plain.
    pub(crate) roles: &'a [Role],
    pub(crate) point: usize,
    /// The active region, empty for none.
    pub(crate) region: std::ops::Range<usize>,
    pub(crate) suggestion: &'a [u8],
    pub(crate) below: Below<'a>,
    /// The terminal's size in columns and rows.
    pub(crate) size: (usize, usize),
    /// The locale's characters are UTF-8; otherwise ASCII, and other bytes are shown as readline does, `\303`.
    pub(crate) utf8: bool,
    pub(crate) octal: Octal,
}

/// What of the text is shown as `\303` though the locale has characters for it: `output-meta` is off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Octal {
    Nothing,
    /// Bytes that are no character: readline 8.3.
    Broken,
    /// Every character beyond ASCII, and of its bytes the first alone: readline before that.
    Beyond,
}

impl Picture<'_> {
    /// Walks a part of the text as it is to be shown.
    fn each_char(&self, bytes: &[u8], mut f: impl FnMut(usize, Shown)) {
        each_char(bytes, self.utf8, |i, shown| {
            let as_number = match (self.octal, &shown) {
                (Octal::Nothing, _) | (_, Shown::Byte(_)) => false,
                (Octal::Broken, Shown::Char(ch)) => {
                    !bytes[i..].starts_with(ch.encode_utf8(&mut [0; 4]).as_bytes())
                }
                (Octal::Beyond, Shown::Char(ch)) => !ch.is_ascii(),
            };
            f(i, if as_number { Shown::Byte(bytes[i]) } else { shown });
        });
    }
}

/// What stands below the text.
pub(crate) enum Below<'a> {
    Nothing,
    Menu(&'a Menu),
    List(List<'a>),
}

/// What [`compose`] found on the way, in rows of the frame after cropping.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Extent {
    /// Where the text ends: suggestion and menu come after.
    pub(crate) text_end: Place,
    /// Rows of prompt and text.
    pub(crate) text_rows: usize,
    /// The last of these rows is below others and empty: readline adds none below it when the line is accepted. A
    /// combining mark that comes after a full row or a newline is in that row to readline.
    pub(crate) ends_on_empty_row: bool,
}

/// Lays a prompt row out, with `\001` and `\002` around what takes no room, and collects its SGR sequences.
pub(crate) fn lay_prompt(
    frame: &mut Frame,
    prompt: &[u8],
    utf8: bool,
    sgr: &mut Vec<Vec<u8>>,
    marks: &mut Marks,
) {
    sgr.clear();
    let mut style = Style::PLAIN;
    let mut sum: Vec<u8> = Vec::new();
    let mut rest = prompt;
    while let Some(&b) = rest.first() {
        if let Some(n) = invisible(rest) {
            for sequence in sgr_sequences(&rest[..n]) {
                if matches!(sequence, b"\x1b[m" | b"\x1b[0m" | b"\x1b[00m") {
                    sum.clear();
                    style = Style::PLAIN;
                } else {
                    sum.extend_from_slice(sequence);
                    sgr.push(sum.clone());
                    style = Style::prompt(sgr.len() - 1);
                }
            }
            rest = &rest[n..];
        } else if b == b'\n' {
            frame.newline();
            rest = &rest[1..];
        } else if b == b'\r' {
            rest = &rest[1..];
        } else {
            let n = run(rest, |b| matches!(b, 0x01 | 0x02 | 0x1b | b'\n' | b'\r')).max(1);
            each_char(&rest[..n], utf8, |_, ch| match ch {
                Shown::Char('\t') => tab(frame, style),
                Shown::Char(ch) => frame.put(ch, width::of(ch), style, marks),
                Shown::Byte(b) => octal(frame, b, style),
            });
            rest = &rest[n..];
        }
    }
}

/// Gives the length of the run that takes no room at the start of `b`: what stands between `\001` and `\002`, and
/// escape sequences that the prompt's author forgot to put there.
fn invisible(b: &[u8]) -> Option<usize> {
    match b {
        [0x01, ..] => Some(b.iter().position(|c| *c == 0x02).map_or(b.len(), |n| n + 1)),
        [0x02, ..] => Some(1),
        [0x1b, b'[', rest @ ..] => Some(2 + (run(rest, |c| (0x40..=0x7e).contains(&c)) + 1).min(rest.len())),
        [0x1b, b']', rest @ ..] => {
            let end = run(rest, |c| c == 0x07 || c == 0x1b);
            Some(2 + (end + if rest.get(end) == Some(&0x1b) { 2 } else { 1 }).min(rest.len()))
        }
        [0x1b, _, ..] => Some(2),
        _ => None,
    }
}

/// Gives how many bytes come before the first that satisfies `stop`.
fn run(b: &[u8], stop: impl Fn(u8) -> bool) -> usize {
    b.iter().position(|c| stop(*c)).unwrap_or(b.len())
}

/// The `ESC [ … m` sequences in a stretch of prompt.
fn sgr_sequences(b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = b;
    std::iter::from_fn(move || {
        loop {
            let at = rest.windows(2).position(|w| w == b"\x1b[")?;
            let body = &rest[at + 2..];
            let len = run(body, |c| (0x40..=0x7e).contains(&c));
            let sequence = &rest[at..(at + 2 + len + 1).min(rest.len())];
            rest = &rest[(at + sequence.len()).min(rest.len())..];
            if sequence.ends_with(b"m") {
                return Some(sequence);
            }
        }
    })
}

/// Lays the whole picture out into `frame`.
pub(crate) fn compose(frame: &mut Frame, p: &Picture<'_>, marks: &mut Marks) -> Extent {
    frame.begin_with(p.prompt);
    let mut cursor = None;
    p.each_char(p.line, |i, ch| {
        let role = p.roles.get(i).copied().unwrap_or(Role::Plain);
        let style = Style::role(role);
        let style = if p.region.contains(&i) {
            style.in_region()
        } else {
            style
        };
        let cols = match ch {
            Shown::Char(c) if c >= ' ' => width::of(c),
            _ => 1,
        };
        if i == p.point {
            cursor = Some(if cols > 1 {
                frame.place_for(cols)
            } else {
                frame.place()
            });
        }
        match ch {
            Shown::Char('\n') => frame.newline(),
            Shown::Char('\t') => tab(frame, style),
            Shown::Char(ch) => frame.put(ch, cols, style, marks),
            Shown::Byte(b) => octal(frame, b, style),
        }
    });
    let mut extent = Extent {
        text_end: frame.place(),
        text_rows: frame.rows().len(),
        ends_on_empty_row: frame.ends_on_empty_row(),
    };
    frame.cursor = cursor.unwrap_or(extent.text_end);
    lay_suggestion(frame, p, marks);
    match &p.below {
        Below::Nothing => {}
        Below::Menu(menu) => menu.lay(frame, p.size),
        Below::List(list) => list.lay(frame, p.size, p.utf8, marks),
    }
    let cut = frame.crop(p.size.1);
    extent.text_end.row = extent.text_end.row.saturating_sub(cut).min(p.size.1 - 1);
    extent.text_rows = extent.text_rows.saturating_sub(cut).clamp(1, p.size.1);
    extent
}

/// Lays as much of the suggestion out as fits on the row: grey text never makes rows, so it never scrolls the screen.
fn lay_suggestion(frame: &mut Frame, p: &Picture<'_>, marks: &mut Marks) {
    let grey = Style::role(Role::Suggestion);
    let row = frame.place().row;
    let room = p.size.0.saturating_sub(frame.place().col + 1);
    let first = p.suggestion.split(|b| *b == b'\n').next().unwrap_or_default();
    let mut cols = 0;
    let mut whole = first.len() == p.suggestion.len();
    let mut end = first.len();
    p.each_char(first, |i, ch| {
        cols += match ch {
            Shown::Char(c) if c >= ' ' && c != '\x7f' => width::of(c),
            Shown::Char(_) => 2,
            Shown::Byte(_) => 4,
        };
        // A blank column is kept for the sign that there is more.
        if cols >= room && end == first.len() && i < end {
            end = i;
            whole = false;
        }
    });
    if room == 0 {
        return;
    }
    p.each_char(&first[..end], |_, ch| match ch {
        Shown::Char(ch) => frame.put(ch, width::of(ch), grey, marks),
        Shown::Byte(b) => octal(frame, b, grey),
    });
    if !whole && p.utf8 && frame.place().row == row {
        frame.text("…", grey);
    }
}

fn tab(frame: &mut Frame, style: Style) {
    for _ in 0..8 - frame.place().col % 8 {
        frame.text(" ", style);
    }
}

pub(crate) fn octal(frame: &mut Frame, b: u8, style: Style) {
    for ch in ['\\', digit(b >> 6), digit(b >> 3 & 7), digit(b & 7)] {
        frame.text(ch.encode_utf8(&mut [0; 4]), style);
    }
}

fn digit(n: u8) -> char {
    char::from(b'0' + n)
}

/// What one step through a line meets.
pub(crate) enum Shown {
    Char(char),
    Byte(u8),
}

/// Walks the characters with their byte offsets; a byte that is no character of the locale is one by itself.
pub(crate) fn each_char(bytes: &[u8], utf8: bool, mut f: impl FnMut(usize, Shown)) {
    if !utf8 {
        for (i, b) in bytes.iter().enumerate() {
            f(
                i,
                if b.is_ascii() {
                    Shown::Char(char::from(*b))
                } else {
                    Shown::Byte(*b)
                },
            );
        }
        return;
    }
    let mut i = 0;
    for chunk in bytes.utf8_chunks() {
        for ch in chunk.valid().chars() {
            f(i, Shown::Char(ch));
            i += ch.len_utf8();
        }
        for _ in chunk.invalid() {
            f(i, Shown::Char('\u{fffd}'));
            i += 1;
        }
    }
}
