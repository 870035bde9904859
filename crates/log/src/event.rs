//! What the records of the history log say: the payloads of its five kinds.

use crate::frame::{u32_at, u64_at};

/// One thing that happened to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'p> {
    /// A command was accepted, and is about to run.
    Started { cwd: &'p [u8], command: &'p [u8] },
    /// One more line of the command with sequence number `of`.
    Continued { of: u64, more: &'p [u8] },
    /// The command with sequence number `of` ended.
    Finished { of: u64, status: i32, duration_ns: u64 },
    /// A command from bash's own history file.
    Imported { command: &'p [u8] },
    /// The session ended by itself: bash has written its own list.
    Ended,
}

/// Kind byte of [`Event::Started`].
pub(crate) const STARTED: u8 = 1;
/// Kind byte of [`Event::Continued`].
pub(crate) const CONTINUED: u8 = 2;
const FINISHED: u8 = 3;
/// Kind byte of [`Event::Imported`].
pub(crate) const IMPORTED: u8 = 4;
const ENDED: u8 = 5;

impl<'p> Event<'p> {
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Self::Started { .. } => STARTED,
            Self::Continued { .. } => CONTINUED,
            Self::Finished { .. } => FINISHED,
            Self::Imported { .. } => IMPORTED,
            Self::Ended => ENDED,
        }
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            Self::Started { cwd, command } => 4 + cwd.len() + command.len(),
            Self::Continued { more, .. } => 8 + more.len(),
            Self::Finished { .. } => 20,
            Self::Imported { command } => command.len(),
            Self::Ended => 0,
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Started { cwd, command } => {
                out.extend_from_slice(&(cwd.len() as u32).to_le_bytes());
                out.extend_from_slice(cwd);
                out.extend_from_slice(command);
            }
            Self::Continued { of, more } => {
                out.extend_from_slice(&of.to_le_bytes());
                out.extend_from_slice(more);
            }
            Self::Finished {
                of,
                status,
                duration_ns,
            } => {
                out.extend_from_slice(&of.to_le_bytes());
                out.extend_from_slice(&status.to_le_bytes());
                out.extend_from_slice(&duration_ns.to_le_bytes());
            }
            Self::Imported { command } => out.extend_from_slice(command),
            Self::Ended => {}
        }
    }

    /// Reads a payload; none if the kind is unknown or the payload is not of that kind.
    pub(crate) fn read(kind: u8, payload: &'p [u8]) -> Option<Self> {
        match kind {
            STARTED => {
                let (cwd, command) = payload.get(4..)?.split_at_checked(u32_at(payload, 0)? as usize)?;
                Some(Self::Started { cwd, command })
            }
            CONTINUED => Some(Self::Continued {
                of: u64_at(payload, 0)?,
                more: payload.get(8..)?,
            }),
            FINISHED if payload.len() == 20 => Some(Self::Finished {
                of: u64_at(payload, 0)?,
                status: u32_at(payload, 8)? as i32,
                duration_ns: u64_at(payload, 12)?,
            }),
            IMPORTED => Some(Self::Imported { command: payload }),
            ENDED if payload.is_empty() => Some(Self::Ended),
            _ => None,
        }
    }

    /// True if records of this kind are known, so that an unreadable payload is damage and not the future.
    pub(crate) fn is_known(kind: u8) -> bool {
        (STARTED..=ENDED).contains(&kind)
    }
}

/// Returns the first line of the command that a record brings in, if it brings one in.
pub(crate) fn command_of(kind: u8, payload: &[u8]) -> Option<&[u8]> {
    match Event::read(kind, payload)? {
        Event::Started { command, .. } | Event::Imported { command } => Some(command),
        Event::Continued { .. } | Event::Finished { .. } | Event::Ended => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(event: Event<'_>) {
        let mut payload = Vec::new();
        event.write(&mut payload);
        assert_eq!(payload.len(), event.payload_bytes());
        assert_eq!(Event::read(event.kind(), &payload), Some(event));
        assert!(Event::is_known(event.kind()));
    }

    proptest! {
        #[test]
        fn a_payload_reads_back(
            text in proptest::collection::vec(any::<u8>(), 0..40),
            cwd in proptest::collection::vec(any::<u8>(), 0..40),
            of: u64, status: i32, duration_ns: u64,
        ) {
            round_trip(Event::Started { cwd: &cwd, command: &text });
            round_trip(Event::Continued { of, more: &text });
            round_trip(Event::Finished { of, status, duration_ns });
            round_trip(Event::Imported { command: &text });
            round_trip(Event::Ended);
        }

        #[test]
        fn any_payload_reads_as_something_or_nothing(
            kind: u8, payload in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let _ = Event::read(kind, &payload);
            let _ = command_of(kind, &payload);
        }
    }
}
