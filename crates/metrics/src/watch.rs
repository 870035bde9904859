//! A flight as another thread of its own process sees it.
//!
//! Invariant: the file is not opened. Whoever closes any descriptor of a file drops every record lock that the process
//! has on it, the flight's own among them: [`crate::Snapshot::read`] and [`crate::liveness()`] are for others.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Weak;
use std::sync::atomic::{Ordering, fence};

use super::FILE_BYTES;
use super::mapping::LookMapping;
use super::snapshot::{READ_ATTEMPTS, ReadError, Snapshot};

/// A second, read-only mapping of a flight, from [`crate::Flight::watch`].
pub struct Watch {
    memory: LookMapping,
    session_id: u64,
    writer: Weak<()>,
}

impl Watch {
    pub(crate) fn of_file(file: BorrowedFd<'_>, session_id: u64, writer: Weak<()>) -> io::Result<Watch> {
        Ok(Watch {
            memory: LookMapping::of_file(file, FILE_BYTES)?,
            session_id,
            writer,
        })
    }

    /// The session whose flight it is.
    pub fn session_id(&self) -> u64 {
        self.session_id
    }

    /// Whether the flight still exists in this process.
    pub fn is_alive(&self) -> bool {
        self.writer.strong_count() > 0
    }

    /// Copies what is recorded.
    ///
    /// # Errors
    /// What is there is no flight: something else has written over it.
    pub fn snapshot(&self) -> Result<Snapshot, ReadError> {
        let sequence = || self.memory.word(16).unwrap_or(0);
        let mut bytes = Vec::with_capacity(FILE_BYTES);
        let mut torn = true;
        for _ in 0..READ_ATTEMPTS {
            let before = sequence();
            fence(Ordering::Acquire);
            bytes.clear();
            let words = (0..FILE_BYTES)
                .step_by(8)
                .filter_map(|offset| self.memory.word(offset));
            bytes.extend(words.flat_map(u64::to_ne_bytes));
            fence(Ordering::Acquire);
            torn = before % 2 == 1 || sequence() != before;
            if !torn {
                break;
            }
        }
        Snapshot::parse(bytes, torn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counter, Flight, Identity, Liveness, file_name, liveness};

    #[test]
    fn a_thread_beside_the_writer_sees_what_it_records_and_when_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::of_this_process(7, "/dev/pts/1", "", "0.1.0");
        let flight = Flight::create(folder.path(), &identity).unwrap();
        let watch = flight.watch().unwrap();
        flight.update(|w| w.add(Counter::Keys, 3));
        let watch = std::thread::spawn(move || {
            let snapshot = watch.snapshot().unwrap();
            assert_eq!(snapshot.counter(Counter::Keys), 3);
            assert!(!snapshot.torn());
            assert_eq!(snapshot.identity().session_id, 7);
            watch
        })
        .join()
        .unwrap();
        assert!(watch.is_alive());
        assert!(flight.still_registered());
        drop(flight);
        assert!(!watch.is_alive());
        assert_eq!(
            watch.snapshot().unwrap().counter(Counter::Keys),
            3,
            "its last words"
        );
        assert_eq!(liveness(&folder.path().join(file_name(7))), Liveness::Dead);
    }

    #[test]
    fn a_private_flight_cannot_be_watched() {
        let identity = Identity::of_this_process(8, "", "", "");
        let error = Flight::private(&identity).watch().err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
