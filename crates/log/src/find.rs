//! Every command that a text occurs in, newest first, with how it ended: for whoever has time to look at all of them. And
//! those of a stretch of the log.

use std::path::{Path, PathBuf};

use crate::descriptor::Descriptor;
use crate::event::Event;
use crate::header::FILE_HEADER_BYTES;
use crate::history::{Command, History};
use crate::search::{Look, Matches};
use crate::walk::Forward;

/// Calls `each` with every command that contains `text`, newest first, until it returns false. Only the first record of a
/// command is looked at for the text; all of it is handed over.
///
/// With the index of the log it passes over what cannot match.
pub fn containing(
    history: &History,
    index: Option<&Path>,
    text: &[u8],
    mut each: impl FnMut(Command) -> bool,
) {
    let mut matches = Matches::new(index.map(PathBuf::from));
    matches.begin(history, text);
    let mut goes_on = true;
    while goes_on && !matches.is_done() {
        matches.step(
            history,
            u64::MAX,
            |_| true,
            |command| {
                goes_on = each(command);
                if goes_on { Look::On } else { Look::Enough }
            },
        );
    }
}

/// Calls `each` with every command that begins in these bytes of a log; from a place between two records on.
///
/// # Errors
/// The log cannot be opened.
pub fn between(log: &Path, from: u64, to: u64, mut each: impl FnMut(Command)) -> std::io::Result<()> {
    let descriptor = Descriptor::open_to_read(log)?;
    let end = descriptor.length()?.min(to);
    let mut walk = Forward::new(&descriptor, from.max(FILE_HEADER_BYTES as u64), end);
    while let Some(record) = walk.next() {
        let event = Event::read(record.header.kind, record.payload).filter(|_| !record.redacted);
        if let Some(command) = event.and_then(|event| Command::begin(&record.header, event)) {
            each(command);
        }
    }
    Ok(())
}
