//! What the last panic said. Rust would print it over the line being edited; here it is kept for the record.

use std::sync::Mutex;

static LAST: Mutex<String> = Mutex::new(String::new());

/// Characters kept of a message: as many as an event shows.
const MESSAGE_MAX: usize = 200;

/// Replaces the printing of panics by keeping the last one.
pub(crate) fn keep() {
    std::panic::set_hook(Box::new(|info| {
        let what = info.payload_as_str().unwrap_or("no message");
        let place = info
            .location()
            .map(|l| format!(" ({}:{})", l.file(), l.line()))
            .unwrap_or_default();
        let text: String = format!("{what}{place}").chars().take(MESSAGE_MAX).collect();
        if let Ok(mut last) = LAST.try_lock() {
            *last = text;
        }
    }));
}

/// Gives the last message.
pub(crate) fn last() -> String {
    LAST.try_lock()
        .map_or_else(|_| String::new(), |last| last.clone())
}
