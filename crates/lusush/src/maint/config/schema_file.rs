//! The JSON Schema beside the user's file, and the line of the file that leads editors to it.
//!
//! Editors whose TOML support is that of the language server taplo complete and check a file that has a comment `#:schema`
//! and a path.
//!
//! Invariant: but for that line nothing of the file changes, and a file that names a schema already keeps it.

use std::path::{Path, PathBuf};

use lle_core::config::{CATALOGUE, FILE_NAME, schema};
use lle_log::versions::Cause;
use lle_maintenance::real::config::{Trust, read, remove, replace};

use super::{edit, layers, versions};
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;

/// The schema's name, beside the file.
const NAME: &str = "config.schema.json";
/// How a line begins that names a schema.
const MARK: &str = "#:schema";

/// Prints it.
pub(super) fn print() -> Result<ExitCode, Failure> {
    answer::json(&schema::schema(&CATALOGUE))
}

/// Writes it beside the user's file, and leads editors from there to it.
pub(super) fn write() -> Result<ExitCode, Failure> {
    let path = layers::user_file()?;
    let place = beside(&path)?;
    let mut keeper = versions::Keeper::hold();
    let file = layers::user_text(&path)?;
    let before = file.as_ref().map_or("", |file| file.text.as_str());
    if let Some(after) = led(before) {
        edit::write(&path, file.as_ref(), &after)?;
        keeper.keep(FILE_NAME, file.as_ref(), &after, Cause::Edited, 0);
    }
    answer::text(&format!(
        "{} is the schema.\n{} leads editors to it.\n",
        place.display(),
        path.display()
    ))
}

/// What a file begins with that is made anew; nothing if the schema cannot be written.
pub(super) fn first_line(path: &Path) -> String {
    match beside(path) {
        Ok(_) => line(),
        Err(_) => String::new(),
    }
}

/// The line that names the schema.
pub(super) fn line() -> String {
    led("").unwrap_or_default()
}

/// Takes the schema beside the file away, if it is as this version writes it.
pub(super) fn take_away(path: &Path) {
    let place = path.with_file_name(NAME);
    let ours = serde_json::to_string_pretty(&schema::schema(&CATALOGUE)).map(|text| text + "\n");
    if let (Ok(Some(found)), Ok(ours)) = (read(&place, Trust::Anyone), ours)
        && found.text == ours
    {
        // One that stays is of no harm.
        let _stays = remove(&place, &found);
    }
}

/// Writes the schema beside the file, unless it is there.
fn beside(path: &Path) -> Result<PathBuf, Failure> {
    let place = path.with_file_name(NAME);
    let failed = || Failure::new(format!("cannot write {}", place.display()));
    let document = schema::schema(&CATALOGUE);
    let text = serde_json::to_string_pretty(&document).map_err(|error| failed().because(error))? + "\n";
    let before = read(&place, Trust::Anyone).map_err(|error| failed().because(error))?;
    if before.as_ref().is_none_or(|before| before.text != text) {
        replace(&place, before.as_ref(), &text).map_err(|error| failed().because(error))?;
    }
    Ok(place)
}

/// The text with the line that names the schema; none if it names one.
fn led(text: &str) -> Option<String> {
    if text.lines().any(|line| line.trim_start().starts_with(MARK)) {
        return None;
    }
    let body = text.trim_start_matches('\u{feff}');
    let mark = &text[..text.len() - body.len()];
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    Some(format!("{mark}{MARK} ./{NAME}{end}{body}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_its_schema_once_and_says_the_rest_as_before() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(led(text).as_deref(), expect, "{text:?}");
        check("", Some("#:schema ./config.schema.json\n"));
        check("# mine\r\n", Some("#:schema ./config.schema.json\r\n# mine\r\n"));
        check(
            "\u{feff}a = 1",
            Some("\u{feff}#:schema ./config.schema.json\na = 1"),
        );
        check("# mine\n#:schema elsewhere\n", None);
    }
}
