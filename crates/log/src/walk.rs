//! Walks over the records of a log, forward and backward, across any damage.
//!
//! Both walks yield the same records, every undamaged one, in opposite order. After a place that is no
//! record they look for the next sync mark whose header and payload check. Work per call is bounded by the
//! caller: a walk stops at each record and at each window of garbage.

use crate::descriptor::Descriptor;
use crate::frame::{self, FRAME_BYTES, HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, SYNC, TRAILER_BYTES};
use crate::window::{Toward, WINDOW_BYTES, Window};

/// One record as read: what it says, and what was found out about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'w> {
    /// Where it starts in the file.
    pub(crate) at: u64,
    pub(crate) header: Header,
    pub(crate) payload: &'w [u8],
    pub(crate) redacted: bool,
}

struct Found {
    at: u64,
    header: Header,
    redacted: bool,
    /// Where it ends. A record cut off within its closing length is whole, and ends with its payload: the
    /// next append begins there.
    close: u64,
    /// The state byte is wrong, at no cost.
    blemished: bool,
}

/// Reads and checks the record that starts at `at` and ends by `limit`.
fn record_at(
    log: &Descriptor,
    window: &mut Window,
    at: u64,
    limit: u64,
    toward: Toward,
    end: u64,
) -> Option<Found> {
    let header_end = at + HEADER_BYTES as u64;
    if header_end > limit {
        return None;
    }
    let header = frame::decode(window.range(log, at, header_end, toward, end)?)?;
    let payload_end = header_end + u64::from(header.payload_bytes);
    if payload_end > limit {
        return None;
    }
    let full_close = payload_end + TRAILER_BYTES as u64;
    let bytes = window.range(log, header_end, full_close.min(limit), toward, end)?;
    let whole = header.whole(bytes)?;
    Some(Found {
        at,
        header,
        redacted: whole.redacted,
        close: if whole.closed { full_close } else { payload_end },
        blemished: whole.blemished,
    })
}

fn deliver<'w>(
    log: &Descriptor,
    window: &'w mut Window,
    found: Found,
    toward: Toward,
    end: u64,
) -> Option<Record<'w>> {
    let from = found.at + HEADER_BYTES as u64;
    let to = from + u64::from(found.header.payload_bytes);
    let payload = window.range(log, from, to, toward, end)?;
    let Found {
        at, header, redacted, ..
    } = found;
    Some(Record {
        at,
        header,
        payload,
        redacted,
    })
}

/// What damage a forward walk passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) runs: u64,
    pub(crate) bytes: u64,
}

/// A walk toward the end of the log.
pub(crate) struct Forward<'f> {
    log: &'f Descriptor,
    window: Window,
    /// End of the last record yielded, or the start.
    position: u64,
    end: u64,
    damage: Damage,
}

impl<'f> Forward<'f> {
    pub(crate) fn new(log: &'f Descriptor, from: u64, end: u64) -> Self {
        Self::through(Window::new(), log, from, end)
    }

    /// As [`Forward::new`], through a window that was used before and is of no use any more.
    pub(crate) fn through(window: Window, log: &'f Descriptor, from: u64, end: u64) -> Self {
        Self {
            log,
            window,
            position: from.min(end),
            end,
            damage: Damage::default(),
        }
    }

    /// Returns the next undamaged record.
    pub(crate) fn next(&mut self) -> Option<Record<'_>> {
        let mut candidate = self.position;
        let found = loop {
            match record_at(
                self.log,
                &mut self.window,
                candidate,
                self.end,
                Toward::End,
                self.end,
            ) {
                Some(found) => break found,
                None => candidate = self.sync_after(candidate + 1)?,
            }
        };
        if found.at > self.position {
            self.damage.runs += 1;
            self.damage.bytes += found.at - self.position;
        }
        if found.blemished {
            self.damage.runs += 1;
            self.damage.bytes += 1;
        }
        self.position = found.close;
        deliver(self.log, &mut self.window, found, Toward::End, self.end)
    }

    /// Gives the window back, for the next walk.
    pub(crate) fn into_window(self) -> Window {
        self.window
    }

    /// Where the last yielded record ends; once `next` is `None`, everything after it is no record.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The damage between the records yielded so far. What follows the last one is not in it.
    pub(crate) fn damage(&self) -> Damage {
        self.damage
    }

    /// Finds the first sync mark at or after `from`.
    fn sync_after(&mut self, mut from: u64) -> Option<u64> {
        while from + HEADER_BYTES as u64 <= self.end {
            let to = self.end.min(from + WINDOW_BYTES as u64);
            let bytes = self.window.range(self.log, from, to, Toward::End, self.end)?;
            if let Some(offset) = bytes.windows(SYNC.len()).position(|four| four == SYNC) {
                return Some(from + offset as u64);
            }
            from = to - (SYNC.len() as u64 - 1);
        }
        None
    }
}

/// Where a backward walk stands. Plain numbers, so that a search can rest between two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Records must end by here: the start of the last record yielded.
    limit: u64,
    /// Records must start before here. Below `limit` only while stepping over garbage.
    scan: u64,
}

impl Place {
    pub(crate) fn before(end: u64) -> Self {
        Self {
            limit: end,
            scan: end,
        }
    }

    /// Everything at or after this offset has been looked at.
    pub(crate) fn offset(self) -> u64 {
        self.scan
    }
}

/// What a backward walk came to.
pub(crate) enum Back<'w> {
    /// An undamaged record that was wanted.
    Record(Record<'w>),
    /// A record that was not wanted, or a stretch of garbage: call again.
    Passed,
    /// The start of the log, or a place that cannot be read.
    Start,
}

/// Steps one record toward the start of the log, from `place`, no further than `floor`.
///
/// `wanted` sees the kind and payload *before* anything is checked, and says whether the record is worth
/// checking: stepping over a million records costs no checksum. Records longer than `frame_bytes_max` are
/// never wanted, and not read.
pub(crate) fn step_back<'w>(
    log: &Descriptor,
    window: &'w mut Window,
    place: &mut Place,
    floor: u64,
    frame_bytes_max: usize,
    mut wanted: impl FnMut(u8, &[u8]) -> bool,
) -> Back<'w> {
    if place.scan <= floor {
        return Back::Start;
    }
    let limit = place.limit;
    if place.scan == limit
        && let Some(start) = frame_ending_at(log, window, limit, floor)
    {
        let bytes = (limit - start) as usize;
        let skip = bytes > frame_bytes_max || {
            let Some(whole) = window.range(log, start, limit, Toward::Start, limit) else {
                return Back::Start;
            };
            !wanted(whole[frame::KIND_AT], &whole[HEADER_BYTES..bytes - TRAILER_BYTES])
        };
        if skip {
            *place = Place::before(start);
            return Back::Passed;
        }
        if let Some(found) = record_at(log, window, start, limit, Toward::Start, limit) {
            *place = Place::before(start);
            return match deliver(log, window, found, Toward::Start, limit) {
                Some(record) => Back::Record(record),
                None => Back::Start,
            };
        }
    }
    let from = place.scan.saturating_sub(WINDOW_BYTES as u64).max(floor);
    // A mark may straddle the scanned boundary, so look three bytes past it; never past the limit.
    let mut to = limit.min(place.scan + SYNC.len() as u64 - 1);
    loop {
        let Some(bytes) = window.range(log, from, to, Toward::Start, limit) else {
            return Back::Start;
        };
        let Some(offset) = bytes.windows(SYNC.len()).rposition(|four| four == SYNC) else {
            break;
        };
        let at = from + offset as u64;
        if let Some(found) = record_at(log, window, at, limit, Toward::Start, limit) {
            *place = Place::before(at);
            let payload_bytes = found.header.payload_bytes as usize;
            let Some(record) = deliver(log, window, found, Toward::Start, limit) else {
                return Back::Start;
            };
            let fits = payload_bytes + FRAME_BYTES <= frame_bytes_max;
            return if fits && wanted(record.header.kind, record.payload) {
                Back::Record(record)
            } else {
                Back::Passed
            };
        }
        to = at + SYNC.len() as u64 - 1;
    }
    place.scan = from;
    Back::Passed
}

/// Follows the closing length that ends at `limit` to a header that agrees with it.
fn frame_ending_at(log: &Descriptor, window: &mut Window, limit: u64, floor: u64) -> Option<u64> {
    let closing = limit
        .checked_sub(TRAILER_BYTES as u64)
        .filter(|&at| at >= floor)?;
    let frame_bytes = frame::u32_at(window.range(log, closing, limit, Toward::Start, limit)?, 0)?;
    let possible = FRAME_BYTES..=FRAME_BYTES + PAYLOAD_BYTES_MAX;
    if !possible.contains(&(frame_bytes as usize)) {
        return None;
    }
    let start = limit
        .checked_sub(u64::from(frame_bytes))
        .filter(|&at| at >= floor)?;
    let head = window.range(log, start, start + HEADER_BYTES as u64, Toward::Start, limit)?;
    let payload_bytes = frame::claimed_payload_bytes(head)?;
    (payload_bytes as usize + FRAME_BYTES == frame_bytes as usize).then_some(start)
}
