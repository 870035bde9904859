//! Fields of one line, by the quoting rules of RFC 4180.
//!
//! Not by the crate `csv`: there a quote goes on over the ends of lines, so one stray quote swallows every row after it, and
//! a record's length has no bound. Here a quote ends where its line does, or the row is a bad one, and each field knows
//! its column for whoever is told about it.

/// A field without its quotes and the blanks around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) text: &'a str,
    /// Where in the line it begins, from 0.
    pub(super) column: usize,
    pub(super) is_quoted: bool,
}

impl Field<'_> {
    /// Whether there is not even a pair of quotes.
    pub(super) fn is_nothing(&self) -> bool {
        self.text.is_empty() && !self.is_quoted
    }
}

/// What is wrong with the quotes of a line, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unquoted {
    pub(super) column: usize,
    pub(super) expected: &'static str,
}

/// Divides a line.
pub(super) fn fields(line: &str, separator: char) -> Result<Vec<Field<'_>>, Unquoted> {
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let rest = &line[at..];
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let begins = at + blanks;
        let after = if line[begins..].starts_with('"') {
            let inner = begins + 1;
            let ends = end_of_quote(line, inner).ok_or(Unquoted {
                column: begins,
                expected: "a quote that ends in the same line",
            })?;
            fields.push(Field {
                text: line[inner..ends].trim(),
                column: inner,
                is_quoted: true,
            });
            let tail = &line[ends + 1..];
            let next = tail.find(separator).unwrap_or(tail.len());
            if !tail[..next].trim().is_empty() {
                return Err(Unquoted {
                    column: ends + 1,
                    expected: "nothing between a quote's end and the next field",
                });
            }
            ends + 1 + next
        } else {
            let next = rest.find(separator).unwrap_or(rest.len());
            fields.push(Field {
                text: rest[..next].trim(),
                column: begins.min(at + next),
                is_quoted: false,
            });
            at + next
        };
        if after >= line.len() {
            break;
        }
        at = after + separator.len_utf8();
    }
    Ok(fields)
}

/// The place of the quote that ends what begins there; two of them are one that is part of the text.
fn end_of_quote(line: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let end = at + line[at..].find('"')?;
        if line[end + 1..].starts_with('"') {
            at = end + 2;
        } else {
            return Some(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_divided_as_programs_write_them() {
        fn check(line: &str, expect: &[&str]) {
            let texts: Vec<&str> = fields(line, ',')
                .unwrap()
                .iter()
                .map(|field| field.text)
                .collect();
            assert_eq!(texts, expect, "{line:?}");
        }
        check("1,2", &["1", "2"]);
        check(" 1 , 2 ", &["1", "2"]);
        check("\"1,234.5\",\"a\"\"b\"", &["1,234.5", "a\"\"b"]);
        check(" \"1\" ,2", &["1", "2"]);
        check("1,", &["1", ""]);
        check("1,2,", &["1", "2", ""]);
        check("1,,3", &["1", "", "3"]);
        check("", &[""]);
        check("5\" disk,2", &["5\" disk", "2"]);
        let columns = fields("1, \"2\",  3", ',').unwrap();
        assert_eq!(
            columns.iter().map(|field| field.column).collect::<Vec<_>>(),
            [0, 4, 9]
        );
    }

    #[test]
    fn a_quote_ends_in_its_line() {
        assert_eq!(fields("1,\"2", ',').unwrap_err().column, 2);
        assert_eq!(fields("\"1\"x,2", ',').unwrap_err().column, 3);
        assert!(fields("\"\"\"", ',').is_err());
    }

    #[test]
    fn what_was_quoted_comes_back_and_any_line_is_divided_or_refused() {
        let signs = ['a', '1', ',', ';', ' ', '"', 'é'];
        // Every line of up to six signs.
        for number in 0..7usize.pow(6) {
            let mut left = number;
            let mut line = String::new();
            for _ in 0..6 {
                line.push(signs[left % 7]);
                left /= 7;
            }
            for separator in [',', ';'] {
                if let Ok(fields) = fields(&line, separator) {
                    assert!(!fields.is_empty(), "{line:?}");
                    let is_there = |field: &Field<'_>| line[field.column..].contains(field.text);
                    assert!(fields.iter().all(is_there), "{line:?}: {fields:?}");
                }
            }
            let quoted = format!("\"{}\",\"x\"", line.replace('"', "\"\""));
            let back = fields(&quoted, ',').unwrap();
            assert_eq!(back[0].text.replace("\"\"", "\""), line.trim(), "{line:?}");
        }
    }
}
