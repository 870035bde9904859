//! A live view of single values in another session's flight: one load each, no system call.
//!
//! Single values are always whole; two values read after another may belong to different batches. For
//! a consistent picture take a [`crate::Snapshot`].

use std::os::fd::AsFd;
use std::path::Path;

use super::FILE_BYTES;
use super::layout::{SectionName, UNKNOWN};
use super::mapping::LookMapping;
use super::snapshot::load::{length, open};
use super::snapshot::sections::{Sections, Span};
use super::snapshot::{ReadError, Snapshot};
use super::table::{Counter, Gauge};

/// A read-only mapping of a flight file.
///
/// A flight file is never truncated by its writer. Whoever else truncates it (they would need the same
/// uid) raises SIGBUS in its readers, so a long-lived reader watches only files it trusts that far.
pub struct Window {
    memory: LookMapping,
    sections: Sections,
}

impl Window {
    /// Maps the flight at `path`, which this process itself must not be writing.
    pub fn open(path: &Path) -> Result<Window, ReadError> {
        let (file, metadata) = open(path)?;
        let found = length(&metadata);
        if found < FILE_BYTES {
            return Err(ReadError::Short {
                found,
                expected: FILE_BYTES,
            });
        }
        let memory = LookMapping::of_file(file.as_fd(), FILE_BYTES)?;
        let sections = Snapshot::read_file(&file, found)?.sections();
        Ok(Window { memory, sections })
    }

    /// A counter as it is now; 0 if the writer does not know it.
    #[inline]
    pub fn counter(&self, counter: Counter) -> u64 {
        self.row(self.sections.of(SectionName::Counters), counter as usize)
            .unwrap_or(0)
    }

    /// A gauge as it is now; none if it was never set or the writer does not know it.
    #[inline]
    pub fn gauge(&self, gauge: Gauge) -> Option<i64> {
        let value = self.row(self.sections.of(SectionName::Gauges), gauge as usize)? as i64;
        (value != UNKNOWN).then_some(value)
    }

    #[inline]
    fn row(&self, section: Span, row: usize) -> Option<u64> {
        (row < section.rows)
            .then(|| self.memory.word(section.offset + row * 8))
            .flatten()
    }
}
