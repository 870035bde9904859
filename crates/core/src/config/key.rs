//! What a key of the configuration is: its kind, its default, whom it concerns, and how its values are read.
//!
//! Invariant: a [`Value`] that [`Kind::admit`] let through is one that the key's reader understands.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::repository::{self, Address};
use crate::texts;

/// Characters of a name, such as a theme's.
pub const NAME_CHARS_MAX: usize = 32;

/// Bytes of a command line.
pub const COMMAND_BYTES_MAX: usize = 256;

/// Bytes of the name of a file.
pub(super) const PATH_BYTES_MAX: usize = 400;

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A word.
    Text(Cow<'static, str>),
    /// Several texts.
    List(Vec<String>),
}

/// What values a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number from `min` to `max`, both among them.
    Integer {
        /// The least.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A name: at most [`NAME_CHARS_MAX`] of a-z, 0-9 and `-`.
    Name,
    /// A command line of bash: one line of at most [`COMMAND_BYTES_MAX`] bytes, or nothing.
    Command,
    /// A list of short texts: see [`texts`].
    Texts,
    /// Where a backup's repository is: see [`repository`]; a folder is absolute or below `~/`. Nothing is the home's own.
    Repository,
    /// A file, absolute or below `~/`, or nothing.
    File,
}

/// Who goes by a key, and has to look again when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What is typed, suggested and completed, in every session.
    Editor,
    /// How it looks, in every session.
    Display,
    /// What a prompt is made of, in every session.
    Prompt,
    /// What sessions tell each other, in every session.
    History,
    /// The worker's own life.
    Worker,
    /// What the worker does by itself.
    Tasks,
    /// Changes that must prove themselves.
    Trials,
    /// How a changed configuration comes into force.
    Reload,
    /// What is told, and where.
    Alerts,
    /// Where the home is saved to.
    Backup,
}

impl Part {
    /// Every part, in the order in which they are listed.
    pub const ALL: &[Part] = &[
        Part::Editor,
        Part::Display,
        Part::Prompt,
        Part::History,
        Part::Worker,
        Part::Tasks,
        Part::Trials,
        Part::Reload,
        Part::Alerts,
        Part::Backup,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Part::Editor => "editor",
            Part::Display => "display",
            Part::Prompt => "prompt",
            Part::History => "history",
            Part::Worker => "worker",
            Part::Tasks => "tasks",
            Part::Trials => "trials",
            Part::Reload => "reload",
            Part::Alerts => "alerts",
            Part::Backup => "backup",
        }
    }

    /// Whether the sessions apply it; the others are the worker's.
    pub const fn is_of_sessions(self) -> bool {
        matches!(self, Part::Editor | Part::Display | Part::Prompt | Part::History)
    }

    /// What else has to look again when this part changes.
    pub const fn followed_by(self) -> &'static [Part] {
        match self {
            // What is painted depends on what the editor offers to paint.
            Part::Editor => &[Part::Display],
            // A reload that opens a trial takes its terms from there.
            Part::Trials => &[Part::Reload],
            _ => &[],
        }
    }
}

/// That a key is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deprecated {
    /// From which day on it may be gone, as `2026-11-25`.
    pub date: &'static str,
    /// The key that says the same, if there is one. It takes the same values.
    pub replacement: Option<&'static str>,
}

/// A row of the table of keys.
#[derive(Clone, Debug)]
pub struct Key {
    /// The dotted name.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The value if nobody gives one.
    pub default: Value,
    /// Who goes by it.
    pub part: Part,
    /// Whether a running session keeps the value it began with.
    pub needs_new_shell: bool,
    /// The release that knew it first.
    pub since: &'static str,
    /// One sentence: what it does, with its unit.
    pub about: &'static str,
    /// Set once it is on its way out.
    pub deprecated: Option<Deprecated>,
}

impl Deprecated {
    /// Whether its day has come, on a day given as `20261125`.
    pub fn is_gone(&self, today: u32) -> bool {
        today >= self.day()
    }

    /// That the key of that name goes, or is gone, and what to do about it.
    pub(super) fn said(&self, name: &str, today: u32) -> (String, String) {
        let message = match (self.is_gone(today), self.replacement) {
            (false, _) => format!("`{name}` goes on {}", self.date),
            (true, Some(by)) => format!("`{name}` went on {}, and is read as `{by}`", self.date),
            (true, None) => format!("`{name}` went on {}, and says nothing", self.date),
        };
        let remedy = match self.replacement {
            Some(by) => format!("write `{by}` instead"),
            None => "take the line away".to_owned(),
        };
        (message, remedy)
    }

    /// The day as a number, `20261125`.
    fn day(&self) -> u32 {
        let digits = self.date.bytes().filter(u8::is_ascii_digit);
        digits.fold(0, |day, digit| day * 10 + u32::from(digit - b'0'))
    }
}

impl Key {
    /// The variable that gives it: `LUSUSH_CONFIG_EDITOR_THEME` for `editor.theme`.
    pub fn variable(&self) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        };
        let name: String = self.name.chars().map(plain).collect();
        format!("{}{name}", super::VARIABLE_PREFIX)
    }
}

impl Kind {
    /// Whether a value is one of these.
    pub fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (Kind::Bool, Value::Bool(_)) => true,
            (Kind::Integer { min, max }, Value::Integer(number)) => (min..=max).contains(number),
            (Kind::Choice(words), Value::Text(text)) => words.contains(&text.as_ref()),
            (Kind::Name, Value::Text(text)) => is_name(text),
            (Kind::Command, Value::Text(text)) => {
                text.len() <= COMMAND_BYTES_MAX && !text.contains(char::is_control)
            }
            (Kind::Texts, Value::List(list)) => texts::admits(list),
            (Kind::Repository, Value::Text(text)) => match Address::parse(text) {
                Ok(Address::Folder(_)) => is_file(text.strip_prefix("local:").unwrap_or(text)),
                Ok(_) => true,
                Err(_) => text.is_empty(),
            },
            (Kind::File, Value::Text(text)) => text.is_empty() || is_file(text),
            _ => false,
        }
    }

    /// Reads a value as it stands in a variable or on a command line: without quotes.
    pub fn read(self, text: &str) -> Option<Value> {
        let value = match self {
            Kind::Bool => Value::Bool(text.parse().ok()?),
            Kind::Integer { .. } => Value::Integer(text.parse().ok()?),
            Kind::Choice(_) | Kind::Name | Kind::Command | Kind::Repository | Kind::File => {
                Value::Text(text.to_owned().into())
            }
            Kind::Texts => Value::List(texts::read(text)?),
        };
        self.admits(&value).then_some(value)
    }

    /// What has to be said of a value that is taken all the same, and what to do about it.
    pub(super) fn doubt(self, value: &Value) -> Option<(String, &'static str)> {
        let (Kind::Repository, Value::Text(text)) = (self, value) else {
            return None;
        };
        let address = Address::parse(text).ok()?;
        let host = address.in_clear()?;
        Some((
            format!("what proves you to {host} is sent there in the clear"),
            "write https: over http whoever is on the way reads it; what is saved is sealed either way",
        ))
    }

    /// The words it can be, where they can be listed.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Kind::Bool => &["true", "false"],
            Kind::Choice(words) => words,
            Kind::Integer { .. }
            | Kind::Name
            | Kind::Command
            | Kind::Texts
            | Kind::Repository
            | Kind::File => &[],
        }
    }

    /// What somebody gave for it, for a message: without a password, which an address that is refused may have in it.
    pub fn repeated(self, text: &str) -> String {
        match self {
            Kind::Repository => repository::without_secret(text),
            _ => text.to_owned(),
        }
    }
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.bytes().all(plain)
}

/// Whether it names one file wherever one stands.
fn is_file(text: &str) -> bool {
    let below = text.strip_prefix('/').or_else(|| text.strip_prefix("~/"));
    text.len() <= PATH_BYTES_MAX
        && !text.contains(char::is_control)
        && below.is_some_and(|rest| !rest.is_empty())
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Bool => write!(out, "true or false"),
            Kind::Integer { min, max } => write!(out, "a whole number from {min} to {max}"),
            Kind::Choice([first, second]) => write!(out, "\"{first}\" or \"{second}\""),
            Kind::Choice(words) => {
                let (last, before) = words.split_last().unwrap_or((&"", &[]));
                for word in before {
                    write!(out, "\"{word}\", ")?;
                }
                write!(out, "or \"{last}\"")
            }
            Kind::Command => write!(
                out,
                "a command line of at most {COMMAND_BYTES_MAX} bytes, in quotes"
            ),
            Kind::Name => write!(
                out,
                "a name of at most {NAME_CHARS_MAX} of a-z, 0-9 and -, in quotes"
            ),
            Kind::Texts => write!(
                out,
                "at most {} texts, each once and of at most {} bytes, as [\"one\", \"two\"]; {} bytes in all",
                texts::TEXTS_MAX,
                texts::TEXT_BYTES_MAX,
                texts::LIST_BYTES_MAX
            ),
            Kind::Repository => out.write_str(
                "a folder as \"/srv/backup\" or \"~/backup\", \"rest:https://host/path\" or \"s3:https://host/bucket/prefix\", \
                 without a user name or a password",
            ),
            Kind::File => out.write_str("a file as \"/etc/file\" or \"~/file\", or nothing"),
        }
    }
}

/// As TOML has it.
impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => write!(out, "{value}"),
            Value::Integer(value) => write!(out, "{value}"),
            Value::Text(text) => write!(out, "{}", quoted(text)),
            Value::List(list) => write!(out, "{}", texts::show(list)),
        }
    }
}

/// Writes a basic string (TOML 1.0, "String").
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{0}'..='\u{1f}' | '\u{7f}' => out.push_str(&format!("\\u{:04X}", c as u32)),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}
