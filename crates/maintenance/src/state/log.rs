//! The log that the state is replayed from.
//!
//! File strategy: one framed log. A change is one record, appended with one write. When the log has grown, a new one that
//! begins with a snapshot takes its place by rename.
//!
//! Invariants:
//! - What is acknowledged is in the log. A change that cannot be written is either refused (what somebody asked for)
//!   or kept in memory and said (what the engine noticed by itself).
//! - Damage costs the records it hit and nothing else: it is counted, and the next snapshot leaves it behind.
//! - What a newer version wrote and this one does not know is not lost: before the first snapshot the log is copied to
//!   `state.log.newer`, of which there is one, the last.

#[cfg(test)]
mod tests;

use std::io;

use lle_log::records::{self, Entry, LogKind};

use super::{Change, Durable};
use crate::world::{Disk, File, Now};

/// Bytes of log beyond which a snapshot takes its place: some thousand changes, read in a few milliseconds.
const LOG_BYTES_MAX: usize = 1024 * 1024;
/// Bits of the number after which a new state begins to count: a session that outlives the state still shows the trial
/// that it last compared lines for, and must not be heard in another of the same number. No more, since people read them.
const FIRST_ID_BITS: u32 = 16;
/// Kind of every record: what it holds is in the record itself, by name.
const CHANGE: u8 = 1;

/// What was found when the log was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Changes replayed.
    pub changes: u64,
    /// Stretches that were no record.
    pub damaged: u64,
    /// Records that say something this version does not know: a newer one wrote them.
    pub unknown: u64,
}

/// The log of changes, and where it stands.
#[derive(Debug, Default)]
pub struct StateLog {
    bytes: usize,
    sequence: u64,
    writer: u64,
    /// The last append failed, and with what.
    failed: Option<String>,
    dirty: bool,
    /// The log has records of a newer version, and no copy of it was made yet.
    newer: bool,
}

impl StateLog {
    /// Reads the state back; `writer` is random, and where nothing can be read, numbers begin with it.
    ///
    /// # Errors
    /// The file is there and cannot be read, or is something else.
    pub fn load(disk: &mut impl Disk, writer: u64) -> io::Result<(Self, Durable, Loaded)> {
        let mut state = Durable::default();
        let mut loaded = Loaded::default();
        let mut log = StateLog {
            writer,
            ..Self::default()
        };
        let Some(bytes) = disk.read(File::State)? else {
            state.last_id = first_id(writer);
            return Ok((log, state, loaded));
        };
        let read = records::read(&bytes, LogKind::State).map_err(io::Error::other)?;
        for entry in &read.entries {
            match serde_json::from_slice(entry.payload) {
                Ok(change) => {
                    loaded.unknown += u64::from(!knows_all(entry.payload, &change));
                    state.apply(change);
                    loaded.changes += 1;
                }
                // Its checksum holds: it is as it was written.
                Err(_) => loaded.unknown += 1,
            }
            log.sequence = log.sequence.max(entry.sequence);
        }
        if loaded.changes == 0 {
            state.last_id = first_id(writer);
        }
        loaded.damaged += read.damage.len() as u64;
        log.bytes = bytes.len();
        log.newer = loaded.unknown > 0;
        // Whoever wrote it may have been killed before it was durable.
        log.dirty = true;
        Ok((log, state, loaded))
    }

    /// Writes a change and takes it over.
    ///
    /// # Errors
    /// It was not written, and not taken over.
    pub fn commit(
        &mut self,
        disk: &mut impl Disk,
        now: Now,
        state: &mut Durable,
        change: Change,
    ) -> io::Result<()> {
        let result = self.write(disk, now, state, &change);
        self.failed = result.as_ref().err().map(ToString::to_string);
        result?;
        state.apply(change);
        if self.bytes > LOG_BYTES_MAX {
            // Failing that, the log grows on: the next change tries again.
            let _grows = self.snapshot(disk, now, state);
        }
        Ok(())
    }

    fn write(&mut self, disk: &mut impl Disk, now: Now, state: &Durable, change: &Change) -> io::Result<()> {
        // After a failure nobody knows what the file holds: a snapshot puts an end to doubt.
        if self.bytes == 0 || self.failed.is_some() {
            self.snapshot(disk, now, state)?;
        }
        let mut record = Vec::new();
        self.encode(&mut record, now, change)?;
        disk.append(File::State, &record)?;
        self.bytes += record.len();
        self.dirty = true;
        Ok(())
    }

    /// Lets the log begin anew with all there is.
    ///
    /// # Errors
    /// The log is as it was.
    pub fn snapshot(&mut self, disk: &mut impl Disk, now: Now, state: &Durable) -> io::Result<()> {
        let mut bytes = records::header(LogKind::State, self.writer, now.wall_ns).to_vec();
        // One record for each task, since all together may be longer than a record.
        let mut rest = state.clone();
        let tasks = std::mem::take(&mut rest.tasks);
        self.encode(
            &mut bytes,
            now,
            &Change::Snapshot {
                state: Box::new(rest),
            },
        )?;
        for task in tasks.into_values() {
            self.encode(&mut bytes, now, &Change::Task { task: Box::new(task) })?;
        }
        if self.newer {
            let old = disk.read(File::State)?.unwrap_or_default();
            disk.replace(File::StateAside, &old)?;
            self.newer = false;
        }
        disk.replace(File::State, &bytes)?;
        self.bytes = bytes.len();
        self.dirty = true;
        Ok(())
    }

    fn encode(&mut self, out: &mut Vec<u8>, now: Now, change: &Change) -> io::Result<()> {
        let payload = serde_json::to_vec(change)?;
        self.sequence += 1;
        let entry = Entry {
            at: 0,
            kind: CHANGE,
            sequence: self.sequence,
            writer: self.writer,
            time_ns: now.wall_ns,
            payload: &payload,
        };
        records::encode(out, &entry).map_err(io::Error::other)
    }

    /// Writes down what was kept in memory for want of room, as soon as there is some.
    ///
    /// # Errors
    /// There is still none.
    pub fn recover(&mut self, disk: &mut impl Disk, now: Now, state: &Durable) -> io::Result<()> {
        if self.failed.is_some() {
            let result = self.snapshot(disk, now, state);
            self.failed = result.as_ref().err().map(ToString::to_string);
            result?;
        }
        Ok(())
    }

    /// Why the last change could not be written, if it could not: what came after is in memory only.
    pub fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Whether anything was written that is not durable yet.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Makes what was written durable, if anything was.
    ///
    /// # Errors
    /// It may not be; the next call tries again.
    pub fn sync(&mut self, disk: &mut impl Disk) -> io::Result<()> {
        if self.dirty {
            disk.sync(File::State)?;
            self.dirty = false;
        }
        Ok(())
    }
}

/// The number after which a new state begins to count.
const fn first_id(random: u64) -> u64 {
    random >> (u64::BITS - FIRST_ID_BITS)
}

/// Whether a snapshot holds nothing but what this version knows. A newer one may have added to it.
fn knows_all(payload: &[u8], change: &Change) -> bool {
    let Change::Snapshot { .. } = change else {
        return true;
    };
    let fields = |value: serde_json::Value| match value {
        serde_json::Value::Object(fields) => Some(fields),
        _ => None,
    };
    let written = serde_json::from_slice::<serde_json::Value>(payload).ok();
    let written = written.and_then(|mut written| fields(written["snapshot"]["state"].take()));
    let known = serde_json::to_value(Durable::default()).ok().and_then(fields);
    let known = known.unwrap_or_default();
    written.is_none_or(|written| written.keys().all(|name| known.contains_key(name)))
}
