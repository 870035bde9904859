//! How verbs take their arguments and answer: text or JSON on the standard output.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};

use clap::Parser;
use serde::Serialize;

use crate::exit::ExitCode;
use crate::failure::Failure;

/// The exit status of wrong usage, as everywhere in shells.
const USAGE: u8 = 2;

/// Parses the arguments of the verb `name`; the other way out is help or a mistake, already told.
pub(crate) fn parse<Arguments: Parser>(name: &str, arguments: &[OsString]) -> Result<Arguments, ExitCode> {
    let words = std::iter::once(OsStr::new(name)).chain(arguments.iter().map(OsString::as_os_str));
    Arguments::try_parse_from(words).map_err(|told| {
        let _nobody_reads = told.print();
        if told.use_stderr() {
            ExitCode::from(USAGE)
        } else {
            ExitCode::SUCCESS
        }
    })
}

/// Answers with text.
pub(crate) fn text(text: &str) -> Result<ExitCode, Failure> {
    bytes(text.as_bytes())
}

/// Answers with text that names files, which may be in any encoding.
pub(crate) fn bytes(bytes: &[u8]) -> Result<ExitCode, Failure> {
    match io::stdout().lock().write_all(bytes) {
        // `lusush maint status | head -1` is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new("cannot write the answer").because(error))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// An answer with the version of its form first.
#[derive(Serialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    answer: T,
}

/// Answers with one JSON document that says the version of its form.
pub(crate) fn versioned(version: u32, answer: &impl Serialize) -> Result<ExitCode, Failure> {
    json(&Versioned { version, answer })
}

/// Answers with one JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<ExitCode, Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(document) => text(&(document + "\n")),
        Err(error) => Err(Failure::new("cannot write the answer as JSON").because(error)),
    }
}
