//! Setting and unsetting one key in a text, with everything else left as it is: order, comments, blanks, line ends.
//!
//! A new key stands in the table that is there already, else above all headers, with its whole name.
//!
//! Invariants: nothing but the key's own line, or its own place in an inline table, is changed. Unsetting a key that was
//! set anew gives the text that was there before, byte for byte. A text that would not say what was wanted is refused.

use std::ops::Range;

use super::document::{Document, Entry, Item};
use super::key::Value;

/// Why a text was left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is no TOML.
    #[error("the text has mistakes, the first in byte {at}: {message}")]
    Faulty {
        /// Where.
        at: usize,
        /// What.
        message: String,
    },
    /// It has no such key.
    #[error("`{name}` is not in it")]
    Absent {
        /// The key's name.
        name: String,
    },
    /// It is put so that the key cannot be added to it.
    #[error("`{name}` cannot be added: {message}")]
    NoPlace {
        /// The key's name.
        name: String,
        /// What is in the way.
        message: String,
    },
}

/// Gives a key a value.
///
/// # Errors
/// If the text is no TOML, or has something else where the key's table would be.
pub fn set(text: &str, name: &str, value: &Value) -> Result<String, EditError> {
    let document = sound(text)?;
    let written = value.to_string();
    let edited = match document.entries.iter().find(|entry| entry.name == name) {
        Some(entry) => replaced(text, entry.value.clone(), &written),
        None => document.insert(name, &written),
    };
    // What was meant to be said is read back: a table that is a value, or a list of tables, is found out here.
    let no_place = |message: String| EditError::NoPlace {
        name: name.to_owned(),
        message,
    };
    let after = sound(&edited).map_err(|error| no_place(error.to_string()))?;
    let said = after.entries.iter().find(|entry| entry.name == name);
    let as_wanted = said.is_some_and(|entry| edited[entry.value.clone()] == written);
    let others = |document: &Document<'_>| -> Vec<String> {
        let other = document
            .entries
            .iter()
            .filter(|entry| entry.name != name && entry.item != Item::Table);
        other
            .map(|entry| format!("{} {}", entry.name, &document.text[entry.value.clone()]))
            .collect()
    };
    let mut kept = (others(&document), others(&after));
    kept.0.sort_unstable();
    kept.1.sort_unstable();
    if !as_wanted || kept.0 != kept.1 {
        return Err(no_place("the file would no longer say the rest".to_owned()));
    }
    Ok(edited)
}

/// Takes a key away.
///
/// # Errors
/// If the text is no TOML, or has no such key.
pub fn unset(text: &str, name: &str) -> Result<String, EditError> {
    let document = sound(text)?;
    let entry = document.entries.iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| EditError::Absent {
        name: name.to_owned(),
    })?;
    let gone = match entry.within {
        None => line(text, entry),
        Some(_) => document.place_in_table(entry),
    };
    let edited = replaced(text, gone, "");
    match sound(&edited) {
        Ok(after) if after.entries.iter().all(|entry| entry.name != name) => Ok(edited),
        _ => Err(EditError::NoPlace {
            name: name.to_owned(),
            message: "the file would no longer say the rest".to_owned(),
        }),
    }
}

fn sound(text: &str) -> Result<Document<'_>, EditError> {
    let document = Document::parse(text);
    match document.faults.first() {
        None => Ok(document),
        Some(fault) => Err(EditError::Faulty {
            at: fault.at,
            message: fault.message.clone(),
        }),
    }
}

fn replaced(text: &str, range: Range<usize>, with: &str) -> String {
    let mut out = String::with_capacity(text.len() + with.len());
    out.push_str(&text[..range.start]);
    out.push_str(with);
    out.push_str(&text[range.end..]);
    out
}

/// The entry's line with its end; the end before it, if it is the last line and has none of its own.
fn line(text: &str, entry: &Entry<'_>) -> Range<usize> {
    let start = text[..entry.key.start].rfind('\n').map_or(0, |at| at + 1);
    let start = start.max(bom(text));
    match text[entry.value.end..].find('\n') {
        Some(at) => start..entry.value.end + at + 1,
        None => {
            let before = &text[..start];
            let end = before.strip_suffix("\r\n").or(before.strip_suffix('\n'));
            end.map_or(start, str::len)..text.len()
        }
    }
}

fn bom(text: &str) -> usize {
    text.len() - text.trim_start_matches('\u{feff}').len()
}

impl Document<'_> {
    fn insert(&self, name: &str, written: &str) -> String {
        if let Some((table, key)) = self.inline_table(name) {
            return self.insert_inline(table, key, written);
        }
        let section = self.section(name);
        let table = &self.sections[section].name;
        let key = if table.is_empty() {
            name
        } else {
            &name[table.len() + 1..]
        };
        let line_end = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let last = self
            .entries
            .iter()
            .rfind(|entry| entry.section == section && entry.within.is_none());
        let after = match last {
            Some(entry) => entry.value.end,
            None if section > 0 => self.sections[section].header.end,
            None => match self.opening_comment() {
                Some(end) => end,
                None => {
                    let at = bom(self.text);
                    return replaced(self.text, at..at, &format!("{key} = {written}{line_end}"));
                }
            },
        };
        let indent = last.map_or("", |entry| self.indent(entry));
        match self.text[after..].find('\n') {
            Some(at) => {
                let at = after + at + 1;
                replaced(self.text, at..at, &format!("{indent}{key} = {written}{line_end}"))
            }
            // The last line had no end, and has none again.
            None => format!("{}{line_end}{indent}{key} = {written}", self.text),
        }
    }

    /// Where the comment ends that the text begins with, if it is about the whole: nothing follows it at once.
    fn opening_comment(&self) -> Option<usize> {
        let mut end = None;
        let mut at = bom(self.text);
        for line in self.text[at..].split_inclusive('\n') {
            let content = line.trim();
            if !content.starts_with('#') {
                return end.filter(|_| content.is_empty());
            }
            end = Some(at + line.trim_end().len());
            at += line.len();
        }
        end
    }

    /// The blanks before an entry.
    fn indent(&self, entry: &Entry<'_>) -> &str {
        let start = self.text[..entry.key.start]
            .rfind('\n')
            .map_or(bom(self.text), |at| at + 1);
        &self.text[start..entry.key.start]
    }

    /// The innermost inline table that the key belongs into, and its name in there.
    fn inline_table<'n>(&self, name: &'n str) -> Option<(usize, &'n str)> {
        let tables = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.item == Item::Table);
        let around = tables
            .filter_map(|(at, entry)| Some((at, name.strip_prefix(entry.name.as_str())?.strip_prefix('.')?)));
        around.min_by_key(|(_, key)| key.len())
    }

    /// The section that the key belongs into.
    fn section(&self, name: &str) -> usize {
        let around = |section: &str| {
            name.strip_prefix(section)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        let named = self.sections.iter().enumerate().skip(1);
        let fitting = named.filter(|(_, section)| around(&section.name));
        fitting
            .max_by_key(|(_, section)| section.name.len())
            .map_or(0, |(at, _)| at)
    }

    fn insert_inline(&self, table: usize, key: &str, written: &str) -> String {
        let last = self.entries.iter().rfind(|entry| entry.within == Some(table));
        match last {
            Some(entry) => replaced(
                self.text,
                entry.value.end..entry.value.end,
                &format!(", {key} = {written}"),
            ),
            None => {
                let at = self.entries[table].value.start + 1;
                replaced(self.text, at..at, &format!("{key} = {written}"))
            }
        }
    }

    /// What an entry takes in its inline table, with one comma.
    fn place_in_table(&self, entry: &Entry<'_>) -> Range<usize> {
        let siblings = || self.entries.iter().filter(|other| other.within == entry.within);
        let before = siblings().rfind(|other| other.value.end <= entry.key.start);
        let after = siblings().find(|other| other.key.start >= entry.value.end);
        let plain = |range: &Range<usize>| {
            self.text[range.clone()]
                .chars()
                .all(|c| c == ',' || c.is_whitespace())
        };
        let with_comma_before = before
            .map(|before| before.value.end..entry.key.start)
            .filter(plain);
        if let Some(comma) = with_comma_before {
            return comma.start..entry.value.end;
        }
        match after.map(|after| entry.value.end..after.key.start).filter(plain) {
            Some(comma) => entry.key.start..comma.end,
            None => {
                // TOML 1.1 lets a comma follow the last entry, and nothing but one follow none.
                let behind = &self.text[entry.value.end..];
                let blanks = behind.len() - behind.trim_start().len();
                let comma = behind[blanks..].starts_with(',');
                entry.key.start..entry.value.end + if comma { blanks + 1 } else { 0 }
            }
        }
    }
}
