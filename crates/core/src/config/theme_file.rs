//! A theme of the user's: `themes/NAME.toml`, checked as the configuration is.
//!
//! ```toml
//! version = 1
//! based-on = "night"             # what is not said below; "default" without it
//! background = "#1c1c1c"         # the terminal's, and its own text colour: then contrast is checked
//! text = "#d0d0d0"
//! [roles]
//! command = "green bold"         # red … white, bright-red …, 0 to 255, #rrggbb, default; bold, faint, italic,
//! unknown = "#ff5f5f underline"  # underline, reverse
//! ```
//!
//! Invariant: what comes out are SGR parameters and nothing else, whatever was written.

use super::document::{Document, Entry, Item};
use super::found::shown;
use super::nearest::nearest;
use super::problem::{Lines, Position, Problem, Weight};
use super::{FORMAT, PROBLEMS_MAX};
use crate::theme::contrast::{foreground, least, ratio};
use crate::theme::{self, Colour, ROLE_COUNT, ROLES, Role, Theme};

/// Words of one style.
const WORDS_MAX: usize = 8;

const COLOURS: [&str; 8] = [
    "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
];
const ATTRIBUTES: [(&str, &str); 5] = [
    ("bold", "1"),
    ("faint", "2"),
    ("italic", "3"),
    ("underline", "4"),
    ("reverse", "7"),
];
const STYLE: &str = "a colour (red, bright-red, 0 to 255, #rrggbb, default) and any of bold, faint, italic, underline, reverse";

/// A theme that may come into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemeFile {
    /// SGR parameters per role, in the order of [`ROLES`].
    pub sgr: [String; ROLE_COUNT],
    /// The background and the terminal's own text colour that it is made for, if it names them.
    pub made_for: Option<(Colour, Colour)>,
}

/// Reads a theme; `source` is what it is called in problems, such as its path. Problems that are only warnings come with
/// the theme.
///
/// # Errors
/// All that is wrong with it.
pub fn read(source: &str, text: &str) -> Result<(ThemeFile, Vec<Problem>), Vec<Problem>> {
    let document = Document::parse(text);
    let mut reader = Reader {
        source,
        lines: Lines::of(text),
        problems: Vec::new(),
    };
    for fault in &document.faults {
        reader.tell(
            Weight::Error,
            fault.at,
            fault.message.clone(),
            &fault.expected,
            None,
            "mend the line; https://toml.io says how values are written",
        );
    }
    let theme = reader.theme(&document);
    reader.problems.sort_by_key(|problem| problem.at);
    reader.problems.truncate(PROBLEMS_MAX);
    if reader
        .problems
        .iter()
        .any(|problem| problem.weight == Weight::Error)
    {
        Err(reader.problems)
    } else {
        Ok((theme, reader.problems))
    }
}

struct Reader<'t> {
    source: &'t str,
    lines: Lines<'t>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn theme(&mut self, document: &Document<'_>) -> ThemeFile {
        let entries = &document.entries;
        let base = entries.iter().find(|entry| entry.name == "based-on");
        let base = base
            .and_then(|entry| self.base(entry))
            .unwrap_or(&theme::THEMES[0]);
        let mut found = ThemeFile {
            sgr: base.sgr.map(str::to_owned),
            made_for: base.made_for,
        };
        let (mut background, mut own) = (None, None);
        let mut named: Vec<(Role, usize)> = Vec::new();
        for entry in entries {
            match entry.name.as_str() {
                "version" => self.version(entry),
                "based-on" => {}
                "background" => background = self.colour(entry),
                "text" => own = self.colour(entry),
                "roles" if entry.item == Item::Table => {}
                name => match name
                    .strip_prefix("roles.")
                    .map(|name| ROLES.iter().find(|role| role.name() == name))
                {
                    Some(Some(role)) => {
                        if let Some(sgr) = self.style(entry) {
                            found.sgr[*role as usize] = sgr;
                            named.push((*role, entry.value.start));
                        }
                    }
                    role => self.unknown(entry, role.is_some()),
                },
            }
        }
        match (background, own) {
            (Some(background), Some(own)) => found.made_for = Some((background, own)),
            (None, None) => {}
            (known, _) => {
                let missing = if known.is_some() { "text" } else { "background" };
                self.tell(
                    Weight::Warning,
                    0,
                    format!("`{missing}` is not said, so nothing is known about contrast"),
                    "",
                    None,
                    "say both, or neither",
                );
            }
        }
        for (role, at) in named {
            self.contrast(&found, role, at);
        }
        found
    }

    fn contrast(&mut self, found: &ThemeFile, role: Role, at: usize) {
        let Some((background, own)) = found.made_for else {
            return;
        };
        let Some(colour) = foreground(&found.sgr[role as usize], own) else {
            return;
        };
        let (is, least) = (ratio(colour, background), least(role));
        if is < least {
            let message = format!("`{}` has a contrast of {is:.1} to the background", role.name());
            self.tell(
                Weight::Warning,
                at,
                message,
                &format!("{least:.1} or more (WCAG 2.2)"),
                None,
                "take a colour that is further from the background",
            );
        }
    }

    fn version(&mut self, entry: &Entry<'_>) {
        if entry.item != Item::Integer(Some(i64::from(FORMAT))) {
            let remedy = "update Lusush if a later release wrote this";
            self.tell(
                Weight::Error,
                entry.value.start,
                "this format is not known".to_owned(),
                &FORMAT.to_string(),
                None,
                remedy,
            );
        }
    }

    fn base(&mut self, entry: &Entry<'_>) -> Option<&'static Theme> {
        let name = match &entry.item {
            Item::Text(name) => name.as_ref(),
            _ => "",
        };
        let found = theme::find(name);
        if found.is_none() {
            let names = || theme::THEMES.iter().map(|theme| theme.name);
            let meant = nearest(name, names());
            let expected = names().collect::<Vec<_>>().join(", ");
            self.tell(
                Weight::Error,
                entry.value.start,
                format!("there is no built-in theme \"{}\"", shown(name)),
                &expected,
                meant,
                "name a built-in theme",
            );
        }
        found
    }

    fn colour(&mut self, entry: &Entry<'_>) -> Option<Colour> {
        let colour = match &entry.item {
            Item::Text(text) => hex(text),
            _ => None,
        };
        if colour.is_none() {
            let message = format!("`{}` is no colour that is the same everywhere", entry.name);
            self.tell(
                Weight::Error,
                entry.value.start,
                message,
                "\"#rrggbb\"",
                None,
                "write six hexadecimal digits behind #",
            );
        }
        colour
    }

    fn style(&mut self, entry: &Entry<'_>) -> Option<String> {
        let Item::Text(text) = &entry.item else {
            let message = format!("`{}` is {}", entry.name, entry.item.describe());
            self.tell(
                Weight::Error,
                entry.value.start,
                message,
                STYLE,
                None,
                "write it in quotes, as \"green bold\"",
            );
            return None;
        };
        let mut parameters = Vec::new();
        for word in text.split_whitespace().take(WORDS_MAX + 1) {
            match parameter(word) {
                Some(parameter) if parameters.len() < WORDS_MAX => parameters.push(parameter),
                _ => {
                    let known = COLOURS
                        .iter()
                        .copied()
                        .chain(ATTRIBUTES.iter().map(|(name, _)| *name));
                    let message = format!("\"{}\" is no part of a style", shown(word));
                    self.tell(
                        Weight::Error,
                        entry.value.start,
                        message,
                        STYLE,
                        nearest(word, known),
                        "write it as \"green bold\"",
                    );
                    return None;
                }
            }
        }
        parameters.retain(|parameter| !parameter.is_empty());
        Some(parameters.join(";"))
    }

    fn unknown(&mut self, entry: &Entry<'_>, of_roles: bool) {
        let keys = ["version", "based-on", "background", "text", "roles"];
        let names: Vec<&str> = match of_roles {
            true => ROLES.iter().map(|role| role.name()).collect(),
            false => keys.to_vec(),
        };
        let last = entry.name.rsplit('.').next().unwrap_or(&entry.name);
        let meant = nearest(last, names.iter().copied());
        self.tell(
            Weight::Error,
            entry.key.start,
            format!("`{}` is no key of a theme", shown(&entry.name)),
            &names.join(", "),
            meant,
            "take it away",
        );
    }

    fn tell(
        &mut self,
        weight: Weight,
        at: usize,
        message: String,
        expected: &str,
        meant: Option<&str>,
        remedy: &str,
    ) {
        let at: Position = self.lines.position(at);
        // What follows from a mistake in the same line says nothing new.
        if self.problems.iter().any(|problem| problem.at == Some(at)) || self.problems.len() > PROBLEMS_MAX {
            return;
        }
        self.problems.push(Problem {
            weight,
            source: self.source.to_owned(),
            at: Some(at),
            message,
            expected: expected.to_owned(),
            meant: meant.map(str::to_owned),
            remedy: remedy.to_owned(),
        });
    }
}

/// The SGR parameters of one word; empty for the terminal's own colour.
fn parameter(word: &str) -> Option<String> {
    if word == "default" {
        return Some(String::new());
    }
    if let Some((_, sgr)) = ATTRIBUTES.iter().find(|(name, _)| *name == word) {
        return Some((*sgr).to_owned());
    }
    let (first, name) = word.strip_prefix("bright-").map_or((30, word), |name| (90, name));
    if let Some(at) = COLOURS.iter().position(|known| *known == name) {
        return Some((first + at).to_string());
    }
    if let Some([red, green, blue]) = hex(word) {
        return Some(format!("38;2;{red};{green};{blue}"));
    }
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    let number: u8 = word.parse().ok().filter(|_| digits)?;
    Some(format!("38;5;{number}"))
}

fn hex(text: &str) -> Option<Colour> {
    let digits = text
        .strip_prefix('#')
        .filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then_some([channel(0)?, channel(2)?, channel(4)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_theme_is_read() {
        let text = "\
version = 1
based-on = \"night\"
background = \"#000000\"
text = \"#ffffff\"
[roles]
command = \"green bold\"
unknown = \"#ff5f5f underline\"
suggestion = \"236\"
error = \"bright-red\"
comment = \"default\"
";
        let (found, warnings) = read("t", text).unwrap();
        let of = |role: Role| found.sgr[role as usize].as_str();
        assert_eq!(
            (of(Role::Command), of(Role::Unknown)),
            ("32;1", "38;2;255;95;95;4")
        );
        assert_eq!(
            (of(Role::Error), of(Role::Comment), of(Role::Keyword)),
            ("91", "", "38;5;176")
        );
        assert_eq!(warnings.len(), 1);
        insta::assert_snapshot!(warnings[0], @"
        t:8:14: warning: `suggestion` has a contrast of 1.6 to the background; expected 3.0 or more (WCAG 2.2)
          take a colour that is further from the background
        ");
    }

    #[test]
    fn mistakes_in_a_theme_are_told_at_once() {
        let text = "based-on = \"nigth\"\nbackground = \"black\"\n[roles]\ncomand = \"red\"\ncommand = \"gren\"\nerror = 3\nkeyword = \"\\u001b[31m\"\ncolour = \"256\"\nstring = \"300\"\n[x\n";
        let told: Vec<String> = read("t", text)
            .unwrap_err()
            .iter()
            .map(|problem| problem.to_string())
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    proptest! {
        #[test]
        fn whatever_is_written_only_parameters_come_out(style in "[a-z0-9#; -]{0,20}|\\PC{0,10}", whole in any::<String>()) {
            for text in [format!("[roles]\ncommand = {}", super::super::key::quoted(&style)), whole] {
                if let Ok((found, _)) = read("t", &text) {
                    let plain = |sgr: &String| sgr.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
                    prop_assert!(found.sgr.iter().all(plain), "{:?}", found);
                }
            }
        }
    }
}
