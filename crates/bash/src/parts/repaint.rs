//! A value that comes when its prompt is on the screen: the prompt is written anew where it stands.
//!
//! Invariants: text, cursor, undo list and menu are not touched; rows that scrolled off the screen, and rows of which it
//! is not sure how many there are, are left as they are: then the value is seen at the next prompt.

use crate::abi::state::READCMD;
use crate::frame::Frame;
use crate::lle::Lle;
use crate::view;
use std::io::Write;

impl Lle {
    /// Shows a value that came late, once readline shows the prompt and no message in its place.
    pub(crate) fn show_late_parts(&mut self) {
        let bash = self.bash;
        if !self.parts.stale || !bash.is(READCMD) || !bash.prompt_is_own() || !bash.at_first_prompt() {
            return;
        }
        self.parts.stale = false;
        let before = bash.shown_prompt().to_vec();
        let Some(after) = self.parts.filled().filter(|after| *after != before) else {
            return;
        };
        let size = bash.size();
        // SAFETY: a plain read.
        let echoes = unsafe { *bash.echoing != 0 };
        if !echoes
            || !self.painter.is_valid()
            || self.starts_fresh_row()
            || self.painter.is_of_other_size(size)
        {
            // Whoever paints next paints the whole prompt.
            self.set_filled_prompt();
            return;
        }
        let from = first_row_that_differs(&before, &after);
        let Some(up) = self.rows_from(&before[from..], size) else {
            return;
        };
        if !self.set_filled_prompt() {
            return;
        }
        let row = self.painter.pos().row;
        self.go_up_and_wipe(up, from == 0 && up == row);
        let above = after.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        for b in after.get(from..above).unwrap_or_default() {
            match b {
                1 | 2 => {}
                b'\n' => self.painter.out.extend(b"\r\n"),
                b => self.painter.out.push(*b),
            }
        }
        self.painter.forget();
        self.lay_prompt(size);
        self.print_prompt(size, false);
        self.show(bash.line(), bash.point());
    }

    /// How many rows above the cursor a stretch of the shown prompt begins, which goes on to the prompt's end; none if it
    /// is not sure that it is still on the screen.
    fn rows_from(&mut self, stretch: &[u8], size: (usize, usize)) -> Option<usize> {
        let above = stretch.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let rows = rows_of(stretch.get(..above).unwrap_or_default(), size.0, self.utf8)?;
        let below = self.painter.shown().rows().len();
        (rows + below <= size.1).then(|| rows + self.painter.pos().row)
    }

    /// Goes to where the stretch begins and wipes all from there. What stands before a prompt of one row is output that
    /// ended without a newline: it stays, since the way back is counted in columns.
    fn go_up_and_wipe(&mut self, up: usize, is_first: bool) {
        let pos = self.painter.pos();
        let out = &mut self.painter.out;
        if is_first && up == 0 && pos.col < self.bash.size().0 {
            if pos.col > 0 {
                let _ = write!(out, "\x1b[{}D", pos.col);
            }
        } else {
            out.push(b'\r');
            if up > 0 {
                let _ = write!(out, "\x1b[{up}A");
            }
        }
        out.extend(b"\x1b[J");
    }
}

/// Where the first row of a prompt begins in which two prompts differ.
fn first_row_that_differs(before: &[u8], after: &[u8]) -> usize {
    let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    before[..same]
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1)
}

/// How many rows a stretch of a prompt takes that ends with its newline; none if something in it moves the cursor.
fn rows_of(stretch: &[u8], width: usize, utf8: bool) -> Option<usize> {
    if moves_the_cursor(stretch) {
        return None;
    }
    let mut frame = Frame::default();
    frame.begin(width);
    view::lay_prompt(
        &mut frame,
        stretch,
        utf8,
        &mut Vec::new(),
        &mut Default::default(),
    );
    let rows = frame.rows();
    // A row that is full is followed by one that the terminal opens only for a further character.
    let unopened = rows
        .windows(2)
        .filter(|two| two[0].wrapped && two[1].cols == 0)
        .count();
    Some(rows.len() - 1 - unopened)
}

/// True if a stretch holds what puts the cursor elsewhere: anything but text, colours and titles.
fn moves_the_cursor(stretch: &[u8]) -> bool {
    let mut rest = stretch;
    while let Some(&b) = rest.first() {
        let length = match (b, rest) {
            (0x1b, [_, b'[', body @ ..]) => {
                let end = body.iter().position(|b| (0x40..=0x7e).contains(b));
                match end.map(|end| (end, body[end])) {
                    Some((end, b'm')) => end + 3,
                    _ => return true,
                }
            }
            (0x1b, [_, b']', body @ ..]) => match body.iter().position(|b| matches!(b, 0x07 | 0x1b)) {
                Some(end) if body[end] == 0x07 => end + 3,
                Some(end) if body.get(end + 1) == Some(&b'\\') => end + 4,
                _ => return true,
            },
            (b'\r', [_, b'\n', ..]) => 2,
            (0x1b | b'\r' | 0x08 | 0x0b | 0x0c, _) => return true,
            _ => 1,
        };
        rest = &rest[length.min(rest.len())..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_the_terminal_makes_them() {
        let check = |stretch: &str, expect: Option<usize>| {
            assert_eq!(rows_of(stretch.as_bytes(), 10, true), expect, "{stretch:?}");
        };
        check("", Some(0));
        check("a\r\n", Some(1));
        check("a\n\nb\n", Some(3));
        check("0123456789\n", Some(1));
        check("0123456789a\n", Some(2));
        check("01234567890123456789\n", Some(2));
        check("\x01\x1b[32m\x02漢字漢字漢\n", Some(1));
        check("\x1b]0;a long title\x07a\n", Some(1));
        check("\x1b]0;a long title\x1b\\a\n", Some(1));
        check("a\x1b[80Cb\n", None);
        check("a\rb\n", None);
        check("\x1b7a\n", None);
        check("\x1b[", None);
    }

    #[test]
    fn what_is_the_same_above_stays() {
        let check = |before: &str, after: &str, expect: usize| {
            assert_eq!(
                first_row_that_differs(before.as_bytes(), after.as_bytes()),
                expect,
                "{before:?}"
            );
        };
        check("a$ ", "b$ ", 0);
        check("x\na$ ", "x\nb$ ", 2);
        check("x\n$ ", "y\n$ ", 0);
        check("x\n\n$ ", "x\ny\n$ ", 2);
    }
}
