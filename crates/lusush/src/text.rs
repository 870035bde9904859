//! Text for a terminal that may be 80 columns wide, dumb, or a pipe.
//!
//! Invariant: what a session recorded reaches the terminal only through [`printable`], so no recorded
//! command can send escape sequences.

/// Columns that every answer fits in.
pub(crate) const COLUMNS: usize = 80;

/// Whether to colour, and the few ways to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// A pipe, a dumb terminal, or NO_COLOR.
    Plain,
    /// A terminal.
    Colour,
}

impl Ink {
    /// Colours if the standard output is a terminal and nobody objects.
    pub(crate) fn of_stdout() -> Ink {
        let objection = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        match std::io::IsTerminal::is_terminal(&std::io::stdout()) && !dumb && !objection("NO_COLOR") {
            true => Ink::Colour,
            false => Ink::Plain,
        }
    }

    /// A heading.
    pub(crate) fn strong(self, text: &str) -> String {
        self.sgr("1", text)
    }

    /// Something wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.sgr("31", text)
    }

    /// Something to look at.
    pub(crate) fn warn(self, text: &str) -> String {
        self.sgr("33", text)
    }

    fn sgr(self, code: &str, text: &str) -> String {
        match self {
            Ink::Plain => text.to_owned(),
            Ink::Colour => format!("\x1b[{code}m{text}\x1b[m"),
        }
    }
}

/// Writes recorded text so that it cannot act on the terminal, in at most `columns` columns.
pub(crate) fn printable(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    let mut shown = text.chars().peekable();
    while let Some(c) = shown.next() {
        let (piece, width) = piece(c);
        let room = if shown.peek().is_some() {
            columns.saturating_sub(1)
        } else {
            columns
        };
        if used + width > room {
            out.push('…');
            break;
        }
        out.push_str(&piece);
        used += width;
    }
    out
}

/// The columns that text takes at most, once it is [`printable`].
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| piece(c).1).sum()
}

/// A character as shown, and the columns it takes at most.
fn piece(c: char) -> (String, usize) {
    if c == '\n' {
        return ("↵".to_owned(), 1);
    }
    if c.is_control() || reorders(c) {
        let escaped: String = c.escape_default().collect();
        let width = escaped.len();
        return (escaped, width);
    }
    (c.to_string(), columns_of(c))
}

/// No table of widths is worth its size here: what may be wide is taken to be, but for what is put in here.
fn columns_of(c: char) -> usize {
    match c {
        '…' | '↵' | char::REPLACEMENT_CHARACTER => 1,
        '\u{1100}'.. => 2,
        _ => 1,
    }
}

/// Characters that take no room or reorder their neighbours, so that a line reads as what it is not.
fn reorders(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Breaks a sentence into lines of at most `columns` columns, each further one indented by `indent`. A word that is
/// longer than a line is broken, too.
pub(crate) fn wrapped(text: &str, columns: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let width: usize = word.chars().map(columns_of).sum();
        if used > 0 && used + 1 + width > columns {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        for c in word.chars() {
            if used + columns_of(c) > columns && used > indent {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                used = indent;
            }
            out.push(c);
            used += columns_of(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_text_cannot_act_on_the_terminal() {
        fn check(text: &str, columns: usize, expect: &str) {
            assert_eq!(printable(text, columns), expect);
        }
        check("ls -l", 20, "ls -l");
        check("ls -l", 5, "ls -l");
        check("ls -la", 5, "ls -…");
        check("\x1b[31mred", 20, "\\u{1b}[31mred");
        check("a\nb\tc", 20, "a↵b\\tc");
        check("rm \u{202e}gpj", 20, "rm \\u{202e}gpj");
        check("\u{9b}2J", 20, "\\u{9b}2J");
        check("漢字漢字", 5, "漢字…");
        check("", 5, "");
    }

    #[test]
    fn sentences_wrap_between_words() {
        fn check(text: &str, expect: &str) {
            assert_eq!(wrapped(text, 10, 2), expect);
        }
        check("one two", "one two");
        check("one two three four", "one two\n  three\n  four");
        check("", "");
        check("a word-that-is-long", "a\n  word-tha\n  t-is-lon\n  g");
        check("unbreakable", "unbreakabl\n  e");
    }
}
