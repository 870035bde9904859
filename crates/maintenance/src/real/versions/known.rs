//! What whoever keeps a version has to know of the log: the newest versions, and the next number.
//!
//! ```text
//!  log ─ its end ─┬ the file is there ───▸ known
//!                 └ it is not, or damage ▸ all of the log ▸ known
//! ```
//!
//! Invariant: what is known is what the whole log says. Only who holds the log keeps it.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use lle_log::records::BEGINNING_BYTES;
use lle_log::versions::{self, Version, Versions};

use super::{VersionLog, VersionsError};

/// Bytes of the end that are read first: some versions of a long configuration.
const END_BYTES: usize = 64 * 1024;

/// What is known.
#[derive(Debug)]
pub(super) struct Known {
    next_number: u64,
    /// The newest version of each file that was met: its name, its number, what it says.
    newest: Vec<(String, u64, Vec<u8>)>,
    /// A file that is not among these has no version.
    is_all: bool,
    /// There is no log yet, or nothing in it.
    is_empty: bool,
}

impl Known {
    /// Reads as much as tells of that file.
    pub(super) fn read(log: &VersionLog, file: &str) -> Result<Known, VersionsError> {
        if let Some(known) = Self::end(log)?.filter(|known| known.tells_of(file)) {
            return Ok(known);
        }
        let bytes = log.bytes()?;
        Ok(Self::all(&versions::read(&bytes)?, bytes.is_empty()))
    }

    /// What a whole log says; `is_empty` if there is nothing in it, not even its header.
    pub(super) fn all(versions: &Versions<'_>, is_empty: bool) -> Known {
        let mut known = Known {
            next_number: versions.next_number(),
            newest: Vec::new(),
            is_all: true,
            is_empty,
        };
        for version in versions.versions.iter().rev() {
            if known.newest(version.file).is_none() {
                known.add_newest(version);
            }
        }
        known
    }

    fn end(log: &VersionLog) -> Result<Option<Known>, VersionsError> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = match options.open(log.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let bytes = file.metadata()?.len();
        if bytes <= END_BYTES as u64 {
            return Ok(None);
        }
        let (mut beginning, mut end) = ([0; BEGINNING_BYTES], vec![0; END_BYTES]);
        file.read_exact_at(&mut beginning, 0)?;
        file.read_exact_at(&mut end, bytes - END_BYTES as u64)?;
        let found = versions::read_end(&beginning, &end);
        Ok(found.map(|versions| Known {
            is_all: false,
            ..Known::all(&versions, false)
        }))
    }

    /// Whether it tells which version of the file is the newest, or that there is none.
    pub(super) fn tells_of(&self, file: &str) -> bool {
        self.is_all || self.newest(file).is_some()
    }

    pub(super) fn newest(&self, file: &str) -> Option<(u64, &[u8])> {
        let found = self.newest.iter().find(|(name, ..)| name == file);
        found.map(|(_, number, content)| (*number, content.as_slice()))
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// The bytes to append for a version.
    pub(super) fn records(&self, version: &Version<'_>) -> Result<Vec<u8>, VersionsError> {
        // A log begins with a header, which is written with the first record.
        let mut out = if self.is_empty { Vec::new() } else { vec![0] };
        let from = out.len();
        versions::encode(&mut out, version)?;
        out.drain(..from);
        Ok(out)
    }

    /// Takes over a version that was appended.
    pub(super) fn add(&mut self, version: &Version<'_>) {
        self.newest.retain(|(name, ..)| name != version.file);
        self.add_newest(version);
        self.next_number = version.number.saturating_add(1);
        self.is_empty = false;
    }

    fn add_newest(&mut self, version: &Version<'_>) {
        let newest = (version.file.to_owned(), version.number, version.content.to_vec());
        self.newest.push(newest);
    }
}
