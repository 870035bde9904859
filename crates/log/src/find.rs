//! Every command that a text occurs in, newest first, with how it ended: for whoever has time to look at all of them. And
//! those of a stretch of the log.

use std::path::{Path, PathBuf};

use crate::descriptor::Descriptor;
use crate::event::{Event, IMPORTED, STARTED, command_of};
use crate::frame::{FRAME_BYTES, PAYLOAD_BYTES_MAX};
use crate::header::FILE_HEADER_BYTES;
use crate::history::{Command, History};
use crate::index::{Finder, Groups, Next, Region};
use crate::join::join;
use crate::walk::{Back, Forward, Place};
use crate::window::Window;

/// Bytes behind a command in which its end is looked for: of one that ran while thousands of others did it is unknown.
const END_BYTES_MAX: u64 = 64 * 1024;

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
    let mut finder = index.map(|index| Finder::new(PathBuf::from(index)));
    if let Some(finder) = &mut finder {
        finder.open(history.beginning());
    }
    let groups = Groups::of(text, false);
    let mut window = Window::new();
    let mut place = Place::before(history.version().1);
    let (mut until, mut below) = (u64::MAX, place.offset());
    let wanted = |kind: u8, payload: &[u8]| {
        (kind == STARTED || kind == IMPORTED)
            && command_of(kind, payload).is_some_and(|command| crate::search::contains(command, text))
    };
    loop {
        let offset = place.offset();
        if offset <= until {
            let mut budget = u64::MAX;
            let next = match &mut finder {
                Some(finder) => finder.before(&groups, &mut below, offset, &mut budget),
                None if until == u64::MAX => Next::Region(Region {
                    end: offset,
                    start: 0,
                }),
                None => Next::Nothing,
            };
            let Next::Region(region) = next else { return };
            if region.end < offset {
                place = Place::before(region.end);
            }
            until = region.start;
        }
        match history.step_back(&mut window, &mut place, FRAME_BYTES + PAYLOAD_BYTES_MAX, wanted) {
            Back::Start => return,
            Back::Record(record) if !record.redacted => {
                let event = Event::read(record.header.kind, record.payload);
                let Some(mut command) = event.and_then(|event| Command::begin(&record.header, event)) else {
                    continue;
                };
                let from = record.at + record.header.frame_bytes() as u64;
                end(history, from, &mut command);
                if !each(command) {
                    return;
                }
            }
            Back::Passed | Back::Record(_) => {}
        }
    }
}

/// Joins what follows a command soon: its further lines and its end.
fn end(history: &History, from: u64, command: &mut Command) {
    if command.imported {
        return;
    }
    let to = history.version().1.min(from + END_BYTES_MAX);
    let mut walk = Forward::new(history.descriptor(), from.min(to), to);
    while command.status.is_none()
        && let Some(record) = walk.next()
    {
        let event = Event::read(record.header.kind, record.payload);
        if let Some(event) = event.filter(|_| !record.redacted && record.header.session == command.session) {
            join(std::iter::once(&mut *command), record.header.session, event);
        }
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
