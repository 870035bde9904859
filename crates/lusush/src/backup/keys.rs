//! The key: one line to write down.

use std::io::{self, BufRead, IsTerminal, Read};

use lle_archive::{ImportError, Imported, Key, Line, Rotated};
use lle_core::error::Code;
use serde::Serialize;

use super::bar::Bar;
use super::{At, open};
use crate::answer;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::printable;

/// Bytes of a line that is read: far more than one has.
const LINE_BYTES_MAX: u64 = 4 * 1024;

#[derive(Debug, Serialize)]
struct Exported<'a> {
    key: &'a str,
}

#[derive(Debug, Serialize)]
struct Taken<'a> {
    imported: &'static str,
    /// The one that it belongs to.
    repository: &'a str,
}

/// Prints the line.
pub(super) fn export(json: bool) -> Result<ExitCode, Failure> {
    let places = open::places()?;
    print(&open::line(&places)?, json)
}

fn print(line: &Line, json: bool) -> Result<ExitCode, Failure> {
    match json {
        true => super::json(&Exported { key: line.as_str() }),
        false => answer::text(&format!("{}\n", line.as_str())),
    }
}

/// Takes in a line.
pub(super) fn import(line: Option<&str>, at: &At) -> Result<ExitCode, Failure> {
    let text = match line {
        Some(line) => line.to_owned(),
        None => asked_for().map_err(|error| Failure::new("cannot read the key").because(error))?,
    };
    let line: Line = text.parse().map_err(|error| {
        Failure::new("this is no key")
            .code(Code::InvalidParameters.exit())
            .because(error)
            .hint("it looks like lbk1-xxxxxx-xxxxxx-…; `key export` prints it where the backup was made")
    })?;
    let (named, places) = open::asked(at)?;
    let repository = named.clone().unwrap_or_else(|| places.own()).to_string();
    let imported = lle_archive::import(&places, named.as_ref(), line).map_err(|error| match error {
        ImportError::Open(error) => open::failure(error),
        ImportError::Key(error) => open::key_failure(error),
        ImportError::Lock(error) => open::failure(error.into()),
        ImportError::Another(ref other) => Failure::new("the key was not taken in")
            .code(Code::InvalidState.exit())
            .hint(format!("it was given for {repository}"))
            .hint(format!(
                "move {other} away first, with {} if that is there, or take in the key of that backup",
                Key::path(&places.state).display()
            ))
            .because(error),
        ImportError::InUse => Failure::new("the key was not taken in")
            .code(Code::InvalidState.exit())
            .because(error)
            .hint(format!(
                "move {} and {} away together: they belong to each other",
                Key::path(&places.state).display(),
                places.own()
            )),
    })?;
    let (name, said) = match imported {
        Imported::Opens => ("opens", "The key is kept. It opens the backup at"),
        Imported::Kept => ("kept", "The key is kept. There is no backup yet at"),
        Imported::Same => ("same", "The key is kept here already; asked for"),
    };
    match at.json.json {
        true => super::json(&Taken {
            imported: name,
            repository: &repository,
        }),
        false => answer::text(&format!("{said}\n  {}\n", printable(&repository, usize::MAX))),
    }
}

/// Reads the line. Whoever types it ends it with Enter, and is told what is waited for.
fn asked_for() -> io::Result<String> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        eprint!("The line that `key export` printed: ");
    }
    let mut text = String::new();
    stdin.lock().take(LINE_BYTES_MAX).read_line(&mut text)?;
    Ok(text)
}

/// Replaces the line.
pub(super) fn rotate(at: &At) -> Result<ExitCode, Failure> {
    let mut store = open::open(at, &Bar::new())?;
    let former = store.line().clone();
    let Rotated { line, left } = lle_archive::rotate(&mut store).map_err(open::failure)?;
    // Before anything else: from here on it is the only one.
    let printed = print(&line, at.json.json)?;
    if let Some(left) = left {
        eprintln!(
            "lusush: the former line opens the backup, too, until a next command has removed its key file: {left}"
        );
    }
    let places = open::places()?;
    if lle_archive::has_journal(&places) {
        // The former line opens it no more: it begins anew under the new one. What it held is in the home still.
        lle_archive::record_under(&places, &line, &former)
            .map_err(|error| open::other("the journal did not follow", error))?;
    }
    Ok(printed)
}
