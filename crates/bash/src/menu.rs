//! The completion menu: what can be chosen, what is chosen, and how it is laid out under the line.
//!
//! Invariant: the menu never takes more than half the screen or [`ROWS_MAX`] rows; with more items it has pages,
//! and its last row says where in them one is.

use crate::frame::{Frame, Style};
use crate::theme::Role;
use crate::width;

/// Rows of items at most: more than one can take in at a glance only pushes the command off the screen.
const ROWS_MAX: usize = 12;
/// The widest an item is shown, in columns.
const ITEM_COLS_MAX: usize = 60;
/// Items kept; what a completion gives beyond is counted and not shown.
pub(crate) const ITEMS_MAX: usize = 5_000;

/// One thing to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// What the menu shows.
    pub(crate) label: String,
    /// What it is for, if the completion says; empty otherwise.
    pub(crate) about: String,
    /// What is put into the line in place of the word.
    pub(crate) replacement: Vec<u8>,
    /// Where in the line the replaced word starts.
    pub(crate) start: usize,
}

/// An open menu.
pub(crate) struct Menu {
    items: Vec<Item>,
    /// Items the completion gave, those beyond [`ITEMS_MAX`] included.
    total: usize,
    selected: Option<usize>,
    /// The line and the cursor the menu belongs to; another line closes it.
    pub(crate) line: Vec<u8>,
    pub(crate) point: usize,
}

/// Where to go in the menu.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Next,
    Previous,
    RowDown,
    RowUp,
}

struct Grid {
    per_row: usize,
    col: usize,
    /// Columns given to labels when items carry descriptions, one item a row.
    label: Option<usize>,
}

impl Menu {
    /// Opens a menu on `line` with the cursor at `point`; `items` must not be empty.
    pub(crate) fn new(items: Vec<Item>, total: usize, line: Vec<u8>, point: usize) -> Self {
        Self {
            items,
            total,
            selected: None,
            line,
            point,
        }
    }

    pub(crate) fn chosen(&self) -> Option<&Item> {
        self.selected.and_then(|i| self.items.get(i))
    }

    /// Moves the choice; `cols` is the screen's width.
    pub(crate) fn step(&mut self, step: Step, cols: usize) {
        let n = self.items.len();
        let per_row = self.grid(cols).per_row;
        self.selected = Some(match (self.selected, step) {
            (None, Step::Previous | Step::RowUp) => n - 1,
            (None, _) => 0,
            (Some(i), Step::Next) => (i + 1) % n,
            (Some(i), Step::Previous) => (i + n - 1) % n,
            (Some(i), Step::RowDown) if i + per_row < n => i + per_row,
            (Some(i), Step::RowDown) => i % per_row,
            (Some(i), Step::RowUp) if i >= per_row => i - per_row,
            (Some(i), Step::RowUp) => {
                let last = (n - 1) / per_row * per_row + i % per_row;
                if last < n { last } else { last - per_row }
            }
        });
    }

    fn grid(&self, cols: usize) -> Grid {
        let widest = self
            .items
            .iter()
            .map(|i| cells(&i.label))
            .max()
            .unwrap_or(1)
            .min(ITEM_COLS_MAX);
        if self.items.iter().any(|i| !i.about.is_empty()) {
            return Grid {
                per_row: 1,
                col: cols.saturating_sub(1),
                label: Some(widest.min(cols / 2)),
            };
        }
        let col = (widest + 2).min(cols.saturating_sub(1)).max(1);
        Grid {
            per_row: ((cols.saturating_sub(1) + 2) / col).max(1),
            col,
            label: None,
        }
    }

    /// Lays the menu out below what the frame holds; `size` is the screen's columns and rows.
    pub(crate) fn lay(&self, frame: &mut Frame, size: (usize, usize)) {
        let grid = self.grid(size.0);
        let room = size
            .1
            .saturating_sub(frame.rows().len())
            .min(ROWS_MAX)
            .min((size.1 / 2).max(2));
        let needed = self.items.len().div_ceil(grid.per_row);
        if room == 0 {
            return;
        }
        let more = needed > room || self.total > self.items.len();
        let rows = if more {
            room.saturating_sub(1).max(1)
        } else {
            needed
        };
        let page = self.selected.unwrap_or(0) / grid.per_row / rows;
        let first = page * rows * grid.per_row;
        for (i, item) in self
            .items
            .iter()
            .enumerate()
            .skip(first)
            .take(rows * grid.per_row)
        {
            if (i - first).is_multiple_of(grid.per_row) {
                frame.newline_below();
            }
            self.lay_item(frame, item, &grid, self.selected == Some(i));
        }
        if more && room > 1 {
            frame.newline_below();
            let at = self.selected.map_or(String::new(), |i| format!("{} of ", i + 1));
            let pages = needed.div_ceil(rows);
            let footer = format!(
                "{at}{} · page {} of {pages} · Tab next, Enter takes, Ctrl-G closes",
                self.total,
                page + 1
            );
            frame.text(
                &fit(&footer, size.0.saturating_sub(1)),
                Style::role(Role::MenuFooter),
            );
        }
    }

    fn lay_item(&self, frame: &mut Frame, item: &Item, grid: &Grid, selected: bool) {
        let style = Style::role(if selected {
            Role::MenuSelected
        } else {
            Role::MenuItem
        });
        let room = grid.label.unwrap_or(grid.col.saturating_sub(2)).max(1);
        let label = fit(&item.label, room);
        let pad = room - cells(&label);
        frame.text(&label, style);
        match grid.label {
            Some(_) => {
                frame.text(&" ".repeat(pad + 2), Style::PLAIN);
                let about = fit(&item.about, grid.col.saturating_sub(room + 2));
                frame.text(
                    &about,
                    Style::role(if selected {
                        Role::MenuSelected
                    } else {
                        Role::MenuDescription
                    }),
                );
            }
            None if frame.place().col + pad + 2 < frame.width() => {
                frame.text(&" ".repeat(pad + 2), Style::PLAIN);
            }
            None => {}
        }
    }
}

/// Gives the columns of a text.
fn cells(text: &str) -> usize {
    text.chars().map(width::of).sum()
}

/// Shortens a text to `cols` columns, with an ellipsis, and drops control characters.
fn fit(text: &str, cols: usize) -> String {
    let (mut out, mut used) = (String::new(), 0);
    for ch in text.chars().filter(|c| !c.is_control()) {
        let w = width::of(ch);
        if used + w > cols {
            while used + 1 > cols {
                match out.pop() {
                    Some(c) => used -= width::of(c),
                    None => return out,
                }
            }
            out.push('…');
            return out;
        }
        out.push(ch);
        used += w;
    }
    out
}

/// Splits what cobra-style completions give, `word   (what it does)`, into word and description.
pub(crate) fn split_description(text: &str) -> (&str, &str) {
    let Some(at) = text.find("  (").filter(|_| text.ends_with(')')) else {
        return (text, "");
    };
    (
        text[..at].trim_end(),
        text[at..]
            .trim_start()
            .trim_start_matches('(')
            .trim_end_matches(')'),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn menu(labels: &[&str]) -> Menu {
        let items = labels.iter().map(|l| {
            let (label, about) = split_description(l);
            Item {
                label: label.into(),
                about: about.into(),
                replacement: vec![],
                start: 0,
            }
        });
        Menu::new(items.collect(), labels.len(), vec![], 0)
    }

    fn screen(m: &Menu, cols: usize, rows: usize) -> Vec<String> {
        let mut f = Frame::default();
        f.begin(cols);
        f.text("$ x", Style::PLAIN);
        m.lay(&mut f, (cols, rows));
        (0..f.rows().len())
            .map(|r| {
                f.row(r)
                    .iter()
                    .map(|c| c.ch)
                    .collect::<String>()
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn lays_out_in_columns() {
        assert_eq!(
            screen(&menu(&["one", "two", "three", "four"]), 16, 24),
            ["$ x", "one    two", "three  four"]
        );
    }

    #[test]
    fn descriptions_stand_beside() {
        let m = menu(&["add  (Add files)", "branch   (List branches)"]);
        assert_eq!(
            screen(&m, 40, 24),
            ["$ x", "add     Add files", "branch  List branches"]
        );
    }

    #[test]
    fn pages_when_long() {
        let labels: Vec<String> = (0..100).map(|n| format!("item-{n:03}")).collect();
        let mut m = menu(&labels.iter().map(String::as_str).collect::<Vec<_>>());
        let rows = screen(&m, 80, 10);
        assert!(
            rows.len() <= 10 && rows.last().is_some_and(|r| r.contains("100 · page 1 of")),
            "{rows:?}"
        );
        m.step(Step::Previous, 80);
        assert_eq!(m.chosen().map(|i| i.label.as_str()), Some("item-099"));
        let rows = screen(&m, 80, 10);
        assert!(
            rows.iter().any(|r| r.contains("item-099"))
                && rows.last().is_some_and(|r| r.contains("100 of 100")),
            "{rows:?}"
        );
    }

    #[test]
    fn steps_stay_inside() {
        let mut m = menu(&["a", "b", "c", "d", "e"]);
        for step in [
            Step::RowUp,
            Step::RowDown,
            Step::RowDown,
            Step::Next,
            Step::RowUp,
            Step::Previous,
        ] {
            for cols in [1, 2, 5, 9, 80] {
                m.step(step, cols);
                assert!(m.chosen().is_some());
            }
        }
    }

    #[test]
    fn fits() {
        width::utf8_locale();
        let check = |text, cols, expect: &str| assert_eq!(fit(text, cols), expect);
        check("abc", 3, "abc");
        check("abcd", 3, "ab…");
        check("\u{4f60}\u{597d}", 3, "\u{4f60}…");
        check("a\u{1b}[1mb", 9, "a[1mb");
        check("ab", 0, "");
    }
}
