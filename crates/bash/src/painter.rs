//! Turns the picture that is on the screen into the picture that should be, in as few bytes as it can.
//!
//! ```text
//!  old Frame ─┐
//!             ├▸ differing rows ▸ differing cells ▸ moves, SGR, text ▸ one write
//!  new Frame ─┘
//! ```
//!
//! Invariant: after [`Painter::paint`], `pos` is where the terminal's cursor is, the pending wrap at the right margin
//! included (`col == width`), and `old` is what the terminal shows from the first row down.

use crate::frame::{Cell, Frame, Marks, Place, Style};
use crate::theme::{Look, REGION, Theme};
use std::io::Write;

/// The state of the terminal as LLE left it, and the bytes not yet written.
pub(crate) struct Painter {
    old: Frame,
    pos: Place,
    /// Rows that exist on the terminal below and with the first: going further down needs a line feed.
    rows_made: usize,
    width: usize,
    /// The terminal's size when the picture was painted.
    size: (usize, usize),
    /// Bytes for the terminal; the caller writes and clears them.
    pub(crate) out: Vec<u8>,
    /// SGR sequences of the prompt, each the sum of what the prompt had set by then.
    pub(crate) prompt_sgr: Vec<Vec<u8>>,
    pub(crate) marks: Marks,
    pub(crate) theme: Look,
    /// The picture on the terminal is known.
    valid: bool,
}

impl Painter {
    pub(crate) fn new(theme: &'static Theme) -> Self {
        Self {
            old: Frame::default(),
            pos: Place::default(),
            rows_made: 1,
            width: 0,
            size: (0, 0),
            out: Vec::with_capacity(1024),
            prompt_sgr: Vec::new(),
            marks: Marks::default(),
            theme: theme.into(),
            valid: false,
        }
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.valid
    }

    /// True if the picture was painted for a terminal of another size.
    pub(crate) fn is_of_other_size(&self, size: (usize, usize)) -> bool {
        self.valid && self.size != size
    }

    pub(crate) fn pos(&self) -> Place {
        self.pos
    }

    pub(crate) fn shown(&self) -> &Frame {
        &self.old
    }

    /// Forgets the terminal: whatever is there was put there by somebody else.
    pub(crate) fn forget(&mut self) {
        self.valid = false;
    }

    /// Switches the look; the next paint writes again what looks otherwise now. False if it is the look in use.
    pub(crate) fn restyle(&mut self, look: Look) -> bool {
        let changed = self.theme != look;
        if changed {
            self.old.age(|role| self.theme.differs(&look, role));
            self.theme = look;
        }
        changed
    }

    /// Takes `frame` as what was just printed by other means, the cursor after its last cell.
    pub(crate) fn assume(&mut self, frame: &mut Frame, size: (usize, usize)) {
        let width = size.0;
        self.width = width;
        self.size = size;
        let end = frame.place();
        if end.col == 0 && end.row > 0 && frame.rows()[end.row - 1].wrapped {
            frame.drop_empty_last();
            self.pos = Place {
                row: end.row - 1,
                col: width,
            };
        } else {
            self.pos = end;
        }
        self.rows_made = self.pos.row + 1;
        std::mem::swap(&mut self.old, frame);
        self.valid = true;
    }

    /// Wipes what is shown after the width changed, leaving the cursor at its first row.
    ///
    /// `reflows`: the terminal rewraps its rows to the new width by itself, so the first row is found by counting
    /// rows of the new width; otherwise the rows are where they were.
    pub(crate) fn wipe_resized(&mut self, new_width: usize, reflows: bool) {
        let up = if reflows {
            self.rows_above_reflowed(new_width)
        } else {
            self.pos.row
        };
        self.out.push(b'\r');
        if up > 0 {
            let _ = write!(self.out, "\x1b[{up}A");
        }
        self.erase_below();
        self.valid = false;
    }

    /// Erases from the start of the row that the cursor is in to the end of the screen; the cursor stays there.
    ///
    /// The first cell by a blank and the rest from there. Erasing the screen from its very first cell makes tmux copy it to
    /// the rows that have scrolled off; erasing a row from its first cell makes it forget that the row goes on from the one
    /// before, and that one then stays when the two become one again.
    fn erase_below(&mut self) {
        self.out.extend(b" \x1b[J\r");
    }

    fn rows_above_reflowed(&self, new_width: usize) -> usize {
        let (mut rows, mut cols) = (0, 0);
        for (n, row) in self.old.rows().iter().enumerate().take(self.pos.row + 1) {
            if n == self.pos.row {
                return rows + (cols + self.pos.col.min(self.width.saturating_sub(1))) / new_width;
            }
            cols += row.cols;
            if !row.wrapped {
                rows += cols.div_ceil(new_width).max(1);
                cols = 0;
            }
        }
        rows
    }

    /// Moves the terminal's cursor.
    pub(crate) fn go(&mut self, to: Place) {
        if self.pos == to {
            return;
        }
        if to.row >= self.rows_made {
            let down = (self.rows_made - 1).saturating_sub(self.pos.row);
            if down > 0 {
                let _ = write!(self.out, "\x1b[{down}B");
            }
            for _ in self.rows_made..=to.row {
                self.out.extend(b"\r\n");
            }
            self.rows_made = to.row + 1;
            self.pos = Place { row: to.row, col: 0 };
        } else if to.row == self.pos.row + 1 && to.col == 0 {
            self.out.extend(b"\r\n");
            self.pos = to;
        } else if to.row != self.pos.row {
            if self.pos.col >= self.width {
                // Terminals disagree on where a vertical move at a pending wrap leaves the cursor.
                self.out.push(b'\r');
                self.pos.col = 0;
            }
            let (n, dir) = if to.row < self.pos.row {
                (self.pos.row - to.row, 'A')
            } else {
                (to.row - self.pos.row, 'B')
            };
            let _ = if n == 1 {
                write!(self.out, "\x1b[{dir}")
            } else {
                write!(self.out, "\x1b[{n}{dir}")
            };
            self.pos.row = to.row;
        }
        self.go_col(to.col);
    }

    fn go_col(&mut self, col: usize) {
        let from = self.pos.col;
        if col == from {
            return;
        }
        if col == 0 {
            self.out.push(b'\r');
        } else if from >= self.width {
            // Only an absolute move surely ends a pending wrap.
            let _ = write!(self.out, "\x1b[{}G", col + 1);
        } else if col < from {
            let n = from - col;
            if n <= 3 {
                self.out.extend(std::iter::repeat_n(8, n));
            } else {
                let _ = write!(self.out, "\x1b[{n}D");
            }
        } else {
            let n = col - from;
            let _ = if n == 1 {
                write!(self.out, "\x1b[C")
            } else {
                write!(self.out, "\x1b[{n}C")
            };
        }
        self.pos.col = col;
    }

    fn sgr(&mut self, from: Style, to: Style) {
        if from == to {
            return;
        }
        if from != Style::PLAIN {
            self.out.extend(b"\x1b[0m");
        }
        match to.parts() {
            Err(n) => self
                .out
                .extend_from_slice(self.prompt_sgr.get(n).map_or(&[][..], Vec::as_slice)),
            Ok((role, region)) => {
                let sgr = self.theme.sgr_of(role);
                let over = if region { REGION } else { "" };
                let between = if region && !sgr.is_empty() { ";" } else { "" };
                if region || !sgr.is_empty() {
                    let _ = write!(self.out, "\x1b[{sgr}{between}{over}m");
                }
            }
        }
    }

    /// True if the two styles cannot be told apart under the theme.
    fn same_look(&self, a: Style, b: Style) -> bool {
        match (a.parts(), b.parts()) {
            (Ok((a, x)), Ok((b, y))) => x == y && self.theme.sgr_of(a) == self.theme.sgr_of(b),
            (a, b) => a == b,
        }
    }

    fn same(&self, a: &Cell, b: &Cell) -> bool {
        a.ch == b.ch
            && a.marks == b.marks
            && a.width == b.width
            && (a.style == b.style || self.same_look(a.style, b.style))
    }

    /// Makes the terminal show `new`; `new` holds the former picture afterwards.
    pub(crate) fn paint(&mut self, new: &mut Frame) {
        let old = std::mem::take(&mut self.old);
        for r in 0..new.rows().len() {
            self.paint_row(&old, new, r);
        }
        if old.rows().len() > new.rows().len() {
            self.go(Place {
                row: new.rows().len(),
                col: 0,
            });
            self.out.extend(b"\x1b[J");
        }
        let cursor = new.cursor;
        let pending = cursor.col == 0
            && cursor.row > 0
            && self.pos
                == (Place {
                    row: cursor.row - 1,
                    col: self.width,
                });
        if pending && new.cols(cursor.row) == 0 {
            // The row after a full one is reached by wrapping, as readline does it, not by a line feed.
            self.out.extend(b" \r");
            self.wrapped_to(cursor.row);
            if old.cols(cursor.row) > 0 {
                self.out.extend(b"\x1b[K");
            }
        }
        self.go(cursor);
        self.old = std::mem::replace(new, old);
    }

    fn wrapped_to(&mut self, row: usize) {
        self.pos = Place { row, col: 0 };
        self.rows_made = self.rows_made.max(row + 1);
    }

    fn paint_row(&mut self, old: &Frame, new: &Frame, r: usize) {
        let (now, was) = (new.row(r), old.row(r));
        let head = was.iter().zip(now).take_while(|(a, b)| self.same(a, b)).count();
        if head == now.len() && head == was.len() {
            return;
        }
        let (now_cols, was_cols) = (new.cols(r), old.cols(r));
        let tail = if now_cols == was_cols {
            let rest = now.len().min(was.len()) - head;
            was.iter()
                .rev()
                .zip(now.iter().rev())
                .take(rest)
                .take_while(|(a, b)| self.same(a, b))
                .count()
        } else {
            0
        };
        let changed = &now[head..now.len() - tail];
        let col = now[..head].iter().map(|c| usize::from(c.width)).sum();
        let wraps_here = col == 0
            && r > 0
            && self.pos
                == (Place {
                    row: r - 1,
                    col: self.width,
                });
        if wraps_here && !changed.is_empty() && new.rows()[r - 1].wrapped {
            self.wrapped_to(r);
        } else {
            self.go(Place { row: r, col });
        }
        let mut shrinks = was_cols > now_cols;
        let begins = r > 0 && self.pos == (Place { row: r, col: 0 }) && !new.rows()[r - 1].wrapped;
        if shrinks && begins {
            // Before the text, not behind it: tmux takes the cells of a row that was erased from its middle for
            // text, which makes rows of them when the screen gets narrower.
            self.out.extend(b"\x1b[K");
            shrinks = false;
        }
        let mut style = Style::PLAIN;
        for cell in changed {
            self.sgr(style, cell.style);
            style = cell.style;
            let mut utf8 = [0; 4];
            self.out.extend(cell.ch.encode_utf8(&mut utf8).as_bytes());
            if cell.marks != 0 {
                self.out.extend(self.marks.text(cell.marks).as_bytes());
            }
            self.pos.col += usize::from(cell.width);
        }
        self.sgr(style, Style::PLAIN);
        if shrinks && self.pos.col < self.width {
            self.out.extend(b"\x1b[K");
        }
    }

    /// After readline ended the line itself: its cursor stands at the start of the row below `row`.
    pub(crate) fn ended_below(&mut self, row: usize) {
        self.pos = Place { row: row + 1, col: 0 };
        self.rows_made = self.rows_made.max(row + 2);
    }

    /// Readline moved the cursor down to the start of `row`.
    pub(crate) fn moved_to(&mut self, row: usize) {
        self.pos = Place { row, col: 0 };
    }

    /// Erases from `place` to the end of the screen.
    pub(crate) fn erase_from(&mut self, place: Place) {
        self.go(place);
        self.out.extend(b"\x1b[J");
    }
}

#[cfg(test)]
mod tests;
