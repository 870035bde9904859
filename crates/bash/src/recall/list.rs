//! How a search looks: its prompt, and the list of what was found under the line.
//!
//! ```text
//!  (reverse-i-search)`git': git push origin main                   the line: what Enter runs
//!  git push origin main                          ~/project · 2 min
//!  git commit -m 'one more'           failed 1 · ~/project · 3 h
//!  Alt: h any folder · s any end · w any time · m this machine · o newest · e why
//! ```
//!
//! Invariants: what commands and folders hold never reaches the terminal as a control character; the list takes the rows
//! that are free below the line, at most half the screen, and no row wraps.

use super::state::{Ended, PAGE_ROWS, Row, Search, Since};
use crate::frame::{Frame, Marks, Style};
use crate::theme::Role;
use crate::view::{Shown, each_char, octal};
use crate::width;
use lle_core::quantity::age;

/// Columns of a folder at most: its end says most.
const FOLDER_COLS: usize = 24;
/// On narrower screens a row has the command alone, and on those below the next only when it ran.
const ABOUT_FROM_COLS: usize = 30;
const FOLDER_FROM_COLS: usize = 60;
/// The last row names all choices from here on; below, those that were made.
const CHOICES_FROM_COLS: usize = 78;

/// The list, as it is to be shown.
pub(crate) struct List<'a> {
    pub(crate) search: &'a Search,
    /// What is said of the row shown, above the choices.
    pub(crate) said: Option<&'a str>,
    /// The machine whose log it is; empty for this one.
    pub(crate) host: &'a str,
    pub(crate) more: bool,
    pub(crate) home: &'a [u8],
    pub(crate) now_ns: i64,
}

/// Writes the prompt of a search, as readline has it; control characters of the text as `^A`.
pub(crate) fn write_prompt(search: &Search, out: &mut Vec<u8>) {
    out.push(b'(');
    if search.failed {
        out.extend_from_slice(b"failed ");
    }
    if !search.forward {
        out.extend_from_slice(b"reverse-");
    }
    out.extend_from_slice(b"i-search)`");
    for byte in &search.text {
        match byte {
            0..0x20 | 0x7f => out.extend_from_slice(&[b'^', byte ^ 0x40]),
            byte => out.push(*byte),
        }
    }
    out.extend_from_slice(b"': ");
}

impl List<'_> {
    /// Lays the list out below what the frame holds; `size` is the screen's columns and rows.
    pub(crate) fn lay(&self, frame: &mut Frame, size: (usize, usize), utf8: bool, marks: &mut Marks) {
        let free = size.1.saturating_sub(frame.rows().len());
        let said = usize::from(self.said.is_some());
        let room = free.min((size.1 / 2).max(2)).min(PAGE_ROWS + 1 + said);
        let chosen = self.search.chosen();
        // What there is too little room for goes in this order: what is said, the choices, the rows.
        let with_choices = room > 1;
        let with_said = room > 2 && said > 0;
        let rows = room - usize::from(with_choices) - usize::from(with_said);
        // Of a page that does not fit, the part with the chosen row.
        let skip = self
            .search
            .page()
            .position(|(at, _)| Some(at) == chosen)
            .map_or(0, |at| (at + 1).saturating_sub(rows));
        for (at, row) in self.search.page().skip(skip).take(rows) {
            frame.newline_below();
            self.lay_row(frame, row, Some(at) == chosen, size.0, utf8, marks);
        }
        let choices = with_choices.then(|| self.choices(size.0));
        for text in [self.said.filter(|_| with_said), choices.as_deref()]
            .into_iter()
            .flatten()
        {
            frame.newline_below();
            let style = Style::role(Role::MenuFooter);
            lay_text(frame, text.as_bytes(), size.0 - 1, style, utf8, marks);
        }
    }

    fn lay_row(
        &self,
        frame: &mut Frame,
        row: &Row,
        is_chosen: bool,
        cols: usize,
        utf8: bool,
        marks: &mut Marks,
    ) {
        let about = self.about(row, cols);
        let about_cols = text_cols(about.as_bytes(), utf8);
        // The last column stays free: a full row would open another.
        let room = cols.saturating_sub(1);
        let for_text = match about_cols {
            0 => room,
            n => room.saturating_sub(n + 2),
        };
        let role = |other| Style::role(if is_chosen { Role::MenuSelected } else { other });
        let used = lay_text(frame, &row.text, for_text, role(Role::MenuItem), utf8, marks);
        if about_cols > 0 {
            frame.text(&" ".repeat(room - about_cols - used), role(Role::MenuDescription));
            lay_text(
                frame,
                about.as_bytes(),
                about_cols,
                role(Role::MenuDescription),
                utf8,
                marks,
            );
        }
    }

    /// What is said of a command: how it failed, where and when it ran.
    fn about(&self, row: &Row, cols: usize) -> String {
        let about = &row.about;
        let mut parts = Vec::new();
        if cols < ABOUT_FROM_COLS {
            return String::new();
        }
        if let Some(status) = about.status.filter(|status| *status != 0) {
            parts.push(format!("failed {status}"));
        }
        if cols >= FOLDER_FROM_COLS && !about.cwd.is_empty() {
            parts.push(folder(&about.cwd, self.home));
        }
        if about.time_ns != 0 {
            let ago = age(self.now_ns.saturating_sub(about.time_ns).max(0).cast_unsigned());
            // The largest unit says enough.
            let mut words = ago.split(' ');
            let (number, unit) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            parts.push(format!("{number} {unit}"));
        }
        parts.join(" · ")
    }

    /// What is chosen, and by which keys it is chosen otherwise.
    fn choices(&self, cols: usize) -> String {
        let filter = self.search.filter;
        let whole = cols >= CHOICES_FROM_COLS;
        let ended = match filter.ended {
            Ended::Anyhow => "any end",
            Ended::Worked => "worked",
            Ended::Failed => "failed",
        };
        let since = match filter.since {
            Since::Ever => "any time",
            Since::Today => "today",
            Since::Week => "7 days",
        };
        let host = match self.host {
            "" => "this machine",
            host => host,
        };
        let order = ["newest", "likeliest"][usize::from(self.search.likeliest)];
        let all = [
            (
                'h',
                ["any folder", "this folder"][usize::from(filter.here)],
                filter.here,
            ),
            ('s', ended, filter.ended != Ended::Anyhow),
            ('w', since, filter.since != Since::Ever),
            ('m', host, filter.host != 0),
            ('o', order, self.search.likeliest),
            ('e', "why", self.search.why),
        ];
        let mut parts: Vec<String> = all
            .iter()
            .filter(|(_, _, made)| whole || *made)
            .map(|(key, text, _)| format!("{key} {text}"))
            .collect();
        if !whole && parts.is_empty() {
            parts.push("h s w m o e: choose".to_owned());
        }
        let state = match (self.more, self.search.rows().is_empty()) {
            (true, _) => "searching · ",
            (false, true) => "nothing found · ",
            (false, false) => "",
        };
        format!("{state}Alt: {}", parts.join(" · "))
    }
}

/// A folder, its home as `~`, and of a long one its end.
fn folder(cwd: &[u8], home: &[u8]) -> String {
    let text = match cwd
        .strip_prefix(home)
        .filter(|rest| !home.is_empty() && (rest.is_empty() || rest[0] == b'/'))
    {
        Some(rest) => format!("~{}", String::from_utf8_lossy(rest)),
        None => String::from_utf8_lossy(cwd).into_owned(),
    };
    let mut cols: usize = text.chars().map(width::of).sum();
    if cols <= FOLDER_COLS {
        return text;
    }
    let mut rest = text.chars();
    while cols >= FOLDER_COLS
        && let Some(first) = rest.next()
    {
        cols -= width::of(first);
    }
    format!("…{}", rest.as_str())
}

/// Lays one row of text out, as much of it as fits into `room` columns; gives the columns it took.
fn lay_text(
    frame: &mut Frame,
    text: &[u8],
    room: usize,
    style: Style,
    utf8: bool,
    marks: &mut Marks,
) -> usize {
    let fits = text_cols(text, utf8) <= room;
    let room = if fits { room } else { room.saturating_sub(1) };
    let (mut used, mut full) = (0, false);
    each_char(text, utf8, |_, shown| {
        let cols = cols_of(&shown);
        full |= used + cols > room;
        if full {
            return;
        }
        used += cols;
        match shown {
            Shown::Char('\n') if utf8 => frame.text("↵", style),
            Shown::Char(ch) => frame.put(ch, cols, style, marks),
            Shown::Byte(byte) => octal(frame, byte, style),
        }
    });
    if fits || used > room {
        return used;
    }
    frame.text(if utf8 { "…" } else { ">" }, style);
    used + 1
}

fn text_cols(text: &[u8], utf8: bool) -> usize {
    let mut cols = 0;
    each_char(text, utf8, |_, shown| cols += cols_of(&shown));
    cols
}

fn cols_of(shown: &Shown) -> usize {
    match shown {
        Shown::Char('\n') => 1,
        // As `^A`.
        Shown::Char(ch) if *ch < ' ' || *ch == '\x7f' => 2,
        Shown::Char(ch) => width::of(*ch),
        Shown::Byte(_) => 4,
    }
}

#[cfg(test)]
mod tests;
