//! What the screen should show: cells in rows, laid out as readline lays them out.
//!
//! Invariants: a row never holds more columns than the screen; a row that is filled to its last column is
//! followed by another, since that is where readline shows the cursor; a frame is rebuilt without allocating
//! once it is warm.

use crate::theme::Role;

/// How a cell looks: a role, the active region over it, or a stretch of the prompt's own SGR sequences.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Style(u16);

impl Style {
    const REGION: u16 = 0x100;
    const PROMPT: u16 = 0x8000;
    /// A look that is on the screen and that no theme in force has: the cell is painted again.
    const STALE: Self = Self(0xffff);

    pub(crate) const PLAIN: Self = Self(Role::Plain as u16);

    pub(crate) fn role(role: Role) -> Self {
        Self(role as u16)
    }

    /// The `n`th sequence the prompt set; see [`Frame::prompt_sgr`].
    pub(crate) fn prompt(n: usize) -> Self {
        Self(Self::PROMPT | (n as u16 & 0x7fff))
    }

    pub(crate) fn in_region(self) -> Self {
        Self(self.0 | Self::REGION)
    }

    /// Takes the style apart: the prompt's sequence, or the role's index and whether the region lies over it.
    pub(crate) fn parts(self) -> Result<(usize, bool), usize> {
        if self.0 & Self::PROMPT != 0 {
            Err((self.0 & 0x7fff) as usize)
        } else {
            Ok(((self.0 & 0xff) as usize, self.0 & Self::REGION != 0))
        }
    }
}

/// One character on the screen with the combining characters on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) ch: char,
    /// Index into [`Marks`], 0 for none.
    pub(crate) marks: u16,
    pub(crate) style: Style,
    /// Columns: 1 or 2.
    pub(crate) width: u8,
}

/// Sequences of combining characters, each kept once, so that cells stay small and comparable.
#[derive(Default)]
pub(crate) struct Marks(Vec<String>);

/// Distinct sequences kept; further ones are dropped from the picture, never from the text.
const MARKS_MAX: usize = 4096;

impl Marks {
    pub(crate) fn text(&self, marks: u16) -> &str {
        self.0
            .get(usize::from(marks).wrapping_sub(1))
            .map_or("", String::as_str)
    }

    fn with(&mut self, marks: u16, ch: char) -> u16 {
        let mut text = self.text(marks).to_owned();
        text.push(ch);
        let n = match self.0.iter().position(|t| *t == text) {
            Some(n) => n,
            None if self.0.len() < MARKS_MAX => {
                self.0.push(text);
                self.0.len() - 1
            }
            None => return marks,
        };
        n as u16 + 1
    }
}

/// A place on the screen, counted from the first row of what LLE paints.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) row: usize,
    pub(crate) col: usize,
}

/// One row: its cells, its columns, whether the next row goes on without a newline, and whether a combining mark comes
/// before its first cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Row {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) cols: usize,
    pub(crate) wrapped: bool,
    pub(crate) begins_with_mark: bool,
}

/// The picture.
#[derive(Default)]
pub(crate) struct Frame {
    cells: Vec<Cell>,
    rows: Vec<Row>,
    width: usize,
    pub(crate) cursor: Place,
}

impl Frame {
    /// Takes what was painted under another theme for painted otherwise; `changed` says which roles those are, by number.
    pub(crate) fn age(&mut self, changed: impl Fn(usize) -> bool) {
        for cell in &mut self.cells {
            if cell.style.parts().is_ok_and(|(role, _)| changed(role)) {
                cell.style = Style::STALE;
            }
        }
    }

    /// Starts an empty picture of the given width in columns.
    pub(crate) fn begin(&mut self, width: usize) {
        self.cells.clear();
        self.rows.clear();
        self.rows.push(Row::default());
        self.width = width.max(2);
        self.cursor = Place::default();
    }

    /// Starts with a picture laid out before, typically the prompt's.
    pub(crate) fn begin_with(&mut self, other: &Self) {
        self.cells.clone_from(&other.cells);
        self.rows.clone_from(&other.rows);
        self.width = other.width;
        self.cursor = other.cursor;
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Gives the cells of a row; none past the last row.
    pub(crate) fn row(&self, n: usize) -> &[Cell] {
        self.rows.get(n).map_or(&[], |r| &self.cells[r.from..r.to])
    }

    /// Gives the columns of a row; 0 past the last row.
    pub(crate) fn cols(&self, n: usize) -> usize {
        self.rows.get(n).map_or(0, |r| r.cols)
    }

    /// Where the next character will stand, if it fits there.
    pub(crate) fn place(&self) -> Place {
        let row = self.rows.len().saturating_sub(1);
        Place {
            row,
            col: self.cols(row),
        }
    }

    /// Where a character of `width` columns will stand: on the next row if this one has no room.
    pub(crate) fn place_for(&mut self, width: usize) -> Place {
        if self.place().col + width > self.width {
            self.wrap();
        }
        self.place()
    }

    /// True if the last row is one below others and nothing stands in it, not even a mark.
    pub(crate) fn ends_on_empty_row(&self) -> bool {
        self.rows.len() > 1 && self.place().col == 0 && self.rows.last().is_some_and(|r| !r.begins_with_mark)
    }

    /// Ends the row at a newline.
    pub(crate) fn newline(&mut self) {
        let at = self.cells.len();
        self.rows.push(Row {
            from: at,
            to: at,
            cols: 0,
            wrapped: false,
            begins_with_mark: false,
        });
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Goes to the start of an empty row below: the one a full row already opened, or a new one.
    pub(crate) fn newline_below(&mut self) {
        let full_before = self.rows.len() > 1 && self.rows[self.rows.len() - 2].wrapped;
        if !(full_before && self.place().col == 0) {
            self.newline();
        }
    }

    fn wrap(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            row.wrapped = true;
        }
        self.newline();
    }

    /// Adds one character as readline shows it: `^A` for a control, marks onto the cell before.
    pub(crate) fn put(&mut self, ch: char, width: usize, style: Style, marks: &mut Marks) {
        let code = ch as u32;
        if code < 0x20 || code == 0x7f {
            self.cell('^', 1, style);
            self.cell(char::from(code as u8 ^ 0x40), 1, style);
        } else if width == 0 {
            // A mark that begins a row after a newline has no cell to ride on; one after a full row has.
            let begins_row = self.place().col == 0 && self.rows.len() > 1;
            if let Some(row) = self.rows.last_mut() {
                row.begins_with_mark |= begins_row;
            }
            if begins_row && !self.rows[self.rows.len() - 2].wrapped {
                return;
            }
            if let Some(cell) = self.cells.last_mut() {
                cell.marks = marks.with(cell.marks, ch);
            }
        } else {
            self.cell(ch, width, style);
        }
    }

    /// Adds text of the program's own: no controls, no marks.
    pub(crate) fn text(&mut self, text: &str, style: Style) {
        for ch in text.chars() {
            let width = crate::width::of(ch);
            if width > 0 && ch >= ' ' {
                self.cell(ch, width, style);
            }
        }
    }

    fn cell(&mut self, ch: char, width: usize, style: Style) {
        let place = self.place_for(width);
        self.cells.push(Cell {
            ch,
            marks: 0,
            style,
            width: width as u8,
        });
        if let Some(row) = self.rows.last_mut() {
            row.to += 1;
            row.cols += width;
        }
        if place.col + width >= self.width {
            self.wrap();
        }
    }

    /// Drops the empty row that follows a full one, so that the last row is the full one.
    pub(crate) fn drop_empty_last(&mut self) {
        if self.rows.len() > 1 && self.cols(self.rows.len() - 1) == 0 {
            self.rows.pop();
        }
    }

    /// Keeps only `height` rows, among them the cursor's; gives how many were cut above.
    pub(crate) fn crop(&mut self, height: usize) -> usize {
        if self.rows.len() <= height {
            return 0;
        }
        let last = self.rows.len() - height;
        let top = (self.cursor.row + 1).saturating_sub(height).min(last);
        self.rows.drain(..top);
        self.rows.truncate(height);
        self.cursor.row -= top;
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: usize, text: &str) -> Frame {
        crate::width::utf8_locale();
        let (mut f, mut m) = (Frame::default(), Marks::default());
        f.begin(width);
        for ch in text.chars() {
            match ch {
                '\n' => f.newline(),
                ch => f.put(ch, crate::width::of(ch), Style::PLAIN, &mut m),
            }
        }
        f
    }

    fn shown(f: &Frame) -> Vec<String> {
        (0..f.rows().len())
            .map(|r| f.row(r).iter().map(|c| c.ch).collect())
            .collect()
    }

    #[test]
    fn wraps_as_readline_does() {
        let check = |width, text, expect: &[&str]| {
            assert_eq!(shown(&frame(width, text)), expect, "{text:?} in {width}");
        };
        check(4, "abc", &["abc"]);
        check(4, "abcd", &["abcd", ""]);
        check(4, "abcde", &["abcd", "e"]);
        check(4, "abc\u{4f60}", &["abc", "\u{4f60}"]);
        check(4, "a\u{3}b", &["a^Cb", ""]);
        check(4, "abc\u{3}", &["abc^", "C"]);
        check(4, "a\nb", &["a", "b"]);
        check(4, "", &[""]);
    }

    #[test]
    fn marks_ride_on_their_cell() {
        let (mut f, mut m) = (Frame::default(), Marks::default());
        f.begin(10);
        for ch in ['e', '\u{301}', '\u{323}', 'x'] {
            f.put(ch, usize::from(ch.is_ascii()), Style::PLAIN, &mut m);
        }
        assert_eq!(f.row(0).len(), 2);
        assert_eq!(m.text(f.row(0)[0].marks), "\u{301}\u{323}");
        assert_eq!(f.cols(0), 2);
    }

    #[test]
    fn a_mark_behind_a_full_row_or_a_newline_fills_the_row_below() {
        let check = |text, expect| assert_eq!(frame(4, text).ends_on_empty_row(), expect, "{text:?}");
        check("", false);
        check("abc", false);
        check("abcd", true);
        check("abc\n", true);
        check("abcd\u{301}", false);
        check("abc\n\u{301}", false);
        check("\u{301}", false);
        check("abc\n\u{301}\n", true);
    }

    #[test]
    fn cropping_keeps_the_cursor() {
        let mut f = frame(4, "a\nb\nc\nd\ne");
        f.cursor = Place { row: 3, col: 0 };
        assert_eq!(f.crop(2), 2);
        assert_eq!(shown(&f), ["c", "d"]);
        assert_eq!(f.cursor.row, 1);
    }
}
