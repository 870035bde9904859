//! One file of the configuration, or of a theme: read, checked, and what is wrong with it said as everything else is.
//!
//! Invariant: a file that cannot be read is a mistake that is told, never one that is passed over.

use std::path::Path;

use lle_core::config::theme_file::{self, ThemeFile};
use lle_core::config::{CATALOGUE, Layered, Name, Origin, Problem, RawConfig, Weight};

use super::config::{ReadError, Trust, read};

/// A theme of the user's that may come into force.
#[derive(Clone, Debug)]
pub struct Theme {
    /// What it says.
    pub theme: ThemeFile,
    /// The file's text.
    pub text: String,
    /// What is not as it should be, and harms nothing.
    pub warnings: Vec<Problem>,
}

/// Reads and checks a file of the configuration; gives its text as well, if there is a file with one.
pub fn file(origin: Origin, path: &Path, trust: Trust) -> (Layered, Option<String>) {
    let source = path.display().to_string();
    let text = match read(path, trust) {
        Ok(found) => found.map(|found| found.text),
        Err(error) => {
            let problem = unreadable(&error, path);
            return (Layered::unreadable(origin, &source, problem), None);
        }
    };
    let parsed = RawConfig::parse(origin, &source, text.as_deref().unwrap_or_default());
    (parsed.check(&CATALOGUE.on(today())), text)
}

/// The theme that a text of the user's file asks for, or the one that is there without; none if the text is not sound.
pub(super) fn theme_of(text: &str) -> Option<String> {
    let layer = RawConfig::parse(Origin::User, "", text).check(&CATALOGUE.on(today()));
    let merged = CATALOGUE.merge(&[layer]).ok()?;
    Some(merged.config.word(Name::EditorTheme).to_owned())
}

/// The day it is here, as `20261125`: keys whose day has come are gone.
fn today() -> u32 {
    let date = jiff::Zoned::now().date();
    let number = |part: i64| u32::try_from(part).unwrap_or(0);
    number(date.year().into()) * 10_000 + number(date.month().into()) * 100 + number(date.day().into())
}

/// Reads and checks a theme; none if there is no such file.
///
/// # Errors
/// All that is wrong with it.
pub fn theme(path: &Path, trust: Trust) -> Result<Option<Theme>, Vec<Problem>> {
    let text = match read(path, trust) {
        Ok(None) => return Ok(None),
        Ok(Some(found)) => found.text,
        Err(error) => return Err(vec![unreadable(&error, path)]),
    };
    let (theme, warnings) = theme_file::read(&path.display().to_string(), &text)?;
    Ok(Some(Theme {
        theme,
        text,
        warnings,
    }))
}

fn unreadable(error: &ReadError, path: &Path) -> Problem {
    Problem {
        weight: Weight::Error,
        source: path.display().to_string(),
        at: None,
        message: format!("cannot be read: {error}"),
        expected: String::new(),
        meant: None,
        remedy: remedy(error, path),
    }
}

/// What to do about a file that cannot be read.
pub fn remedy(error: &ReadError, path: &Path) -> String {
    let path = path.display();
    match error {
        ReadError::TooLarge => "put something smaller there".to_owned(),
        ReadError::Encoding { .. } => format!("write it as UTF-8: iconv -t UTF-8 {path}"),
        ReadError::Dangling => "take the link away, or make what it leads to".to_owned(),
        ReadError::NotAFile { .. } => "put a file there, or nothing".to_owned(),
        ReadError::Untrusted { .. } => {
            format!("make sure of what is in it, then take it over: chown and chmod go-w {path}")
        }
        ReadError::Io(_) => "`lusush doctor` says more about folders".to_owned(),
    }
}
