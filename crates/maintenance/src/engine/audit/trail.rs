//! The audit log that is written to: where its chain, its anchor and its segments stand.
//!
//! Invariants:
//! - A failed write leaves the chain where it was, and the log is read again before the next.
//! - The anchor is never ahead of what is durable.

use std::collections::BTreeSet;
use std::io;

use lle_core::task::log_rotation::SEGMENTS_KEPT;
use lle_log::audit::anchor::Anchor;
use lle_log::audit::{self, Chain, Head, Key};
use lle_log::records::{LogKind, header};

use super::Entry;
use super::image::{FoundKey, Segments, borrowed, key, segments};
use crate::world::{Disk, File, Now, World};

/// Bytes of a segment at which the log goes on in a new one, whatever becomes of the task that looks after it: far
/// below what is read of a file.
pub(super) const SEGMENT_BYTES_FORCED: u64 = 8 * 1024 * 1024;
/// Segments beyond which the oldest go, whatever becomes of that task: somewhat more than it keeps, so that it is the
/// one that removes them where it may. With the bound on each, the log takes 160 MiB at most.
pub(super) const SEGMENTS_FORCED: u32 = SEGMENTS_KEPT + 4;
/// Kind of a record.
const ENTRY: u8 = 1;
/// Problems told of one verification.
const PROBLEMS_MAX: usize = 20;

/// The log, and where it stands.
pub(crate) struct AuditTrail {
    writer: u64,
    key: Option<Key>,
    chain: Option<Chain>,
    anchor: Option<Anchor>,
    segment: u32,
    oldest: Option<u32>,
    /// The segment in which old ones were last removed by force, or could not be: not tried again in the same.
    bounded_in: Option<u32>,
    pub(super) bytes: u64,
    /// Plans whose intent has no outcome, in the segment that was written last.
    open: BTreeSet<u64>,
    /// The last plan that has an intent there.
    last_plan: u64,
    /// What was found wrong when it was read.
    problems: Vec<String>,
    /// Why the last write failed.
    pub(crate) failed: Option<String>,
    /// An anchor write failed: the slot may be torn.
    anchor_doubtful: bool,
    /// A write of a record failed, or the log could not be read: nobody knows where the chain stands before it is
    /// read again.
    doubtful: bool,
    /// There is no key that could be used, and that is certain.
    keyless: bool,
    /// What there is instead: too short or too long, as the loss of power may leave it.
    unusable: Option<Vec<u8>>,
    dirty: bool,
    /// The record that is being written, and what it says: kept, so that they have room.
    record: Vec<u8>,
    body: Vec<u8>,
}

impl AuditTrail {
    /// Looks where the chain stands, and whether it is whole; changes nothing.
    pub(crate) fn load(disk: &mut impl Disk, writer: u64) -> Self {
        let mut trail = Self {
            writer,
            key: None,
            chain: None,
            anchor: None,
            segment: 0,
            oldest: None,
            bounded_in: None,
            bytes: 0,
            open: BTreeSet::new(),
            last_plan: 0,
            problems: Vec::new(),
            failed: None,
            anchor_doubtful: false,
            doubtful: false,
            keyless: false,
            unusable: None,
            dirty: false,
            record: Vec::new(),
            body: Vec::new(),
        };
        if let Err(error) = trail.read(disk) {
            trail.failed = Some(error.to_string());
            trail.doubtful = true;
        }
        trail
    }

    fn read(&mut self, disk: &mut impl Disk) -> io::Result<()> {
        let segments = segments(disk)?;
        self.oldest = segments.first().map(|(number, ..)| *number);
        // Whoever wrote them may have been killed before they were durable.
        self.dirty = !segments.is_empty();
        let key = match key(disk)? {
            FoundKey::Usable(key) => key,
            found => {
                self.keyless = true;
                if let Some((last, _, bytes)) = segments.last() {
                    self.problems.push(found.problem());
                    (self.segment, self.bytes) = (*last, bytes.len() as u64);
                }
                if let FoundKey::Unusable(bytes) = found {
                    self.unusable = Some(bytes);
                }
                return Ok(());
            }
        };
        let image = disk.read(File::Anchor)?.unwrap_or_default();
        let anchor = Anchor::read(&image, &key);
        let verified = audit::verify(&borrowed(&segments), &key, anchor.head());
        let telling = |problem: &&audit::Problem| !(verified.records == 0 && problem.kind.loses_nothing());
        let told = verified.problems.iter().filter(telling).take(PROBLEMS_MAX);
        self.problems.extend(told.map(ToString::to_string));
        self.bytes = segments.last().map_or(0, |(.., bytes)| bytes.len() as u64);
        self.segment = segments.last().map_or(0, |(number, ..)| *number);
        self.chain = Some(if segments.is_empty() && verified.records == 0 {
            Chain::begin(&key)
        } else {
            Chain::resume(&key, verified.head)
        });
        self.read_plans(&segments, &key);
        (self.key, self.anchor) = (Some(key), Some(anchor));
        Ok(())
    }

    /// Finds the plans that were about to begin and of which no end is recorded.
    fn read_plans(&mut self, segments: &Segments, key: &Key) {
        self.open.clear();
        let last = borrowed(segments).split_off(segments.len().saturating_sub(1));
        for entry in audit::entries(&last, key) {
            let Ok(said) = serde_json::from_slice::<Entry>(entry.body) else {
                continue;
            };
            self.last_plan = self.last_plan.max(said.plan);
            match said.phase.as_str() {
                "intent" if said.plan > 0 => drop(self.open.insert(said.plan)),
                "outcome" => drop(self.open.remove(&said.plan)),
                _ => {}
            }
        }
    }

    /// Makes ready for writing: a key, a chain, a file. Without effect where that was done; what failed is done again.
    pub(crate) fn begin<W: World>(&mut self, world: &mut W, now: Now) {
        // A key that cannot be read at the moment is not replaced: nothing could be proven any more.
        if !self.keyless {
            return;
        }
        let made = self.make_key(world).and_then(|()| match self.oldest {
            Some(_) => self.go_on_unproven(world, now),
            None => Ok(()),
        });
        match made {
            Ok(()) => self.keyless = false,
            Err(error) => {
                self.failed = Some(format!("the audit log cannot be begun: {error}"));
                self.chain = None;
            }
        }
    }

    fn make_key<W: World>(&mut self, world: &mut W) -> io::Result<()> {
        let mut bytes = [0; 32];
        for word in bytes.as_chunks_mut::<8>().0 {
            *word = world.random().to_le_bytes();
        }
        if let Some(unusable) = &self.unusable {
            // It proves nothing, and is kept for whoever wants to look.
            world.replace(File::KeyAside, unusable)?;
            world.remove(File::Key)?;
            self.unusable = None;
        }
        // Durable before the first record: one that outlives its key proves nothing.
        let key = match world.create(File::Key, &bytes) {
            Ok(()) => Key::from_bytes(bytes),
            // Another machine that shares this home was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match key(world)? {
                FoundKey::Usable(key) => key,
                found => return Err(io::Error::other(found.problem())),
            },
            Err(error) => return Err(error),
        };
        self.anchor = Some(Anchor::read(&[], &key));
        self.chain = Some(Chain::begin(&key));
        self.key = Some(key);
        Ok(())
    }

    /// The key is new and there are segments of an older one: they stay as they are, and a new one begins.
    fn go_on_unproven<W: World>(&mut self, world: &mut W, now: Now) -> io::Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let from = Head {
            sequence: 0,
            segment: self.segment,
            mac: [0; 32],
        };
        self.chain = Some(Chain::resume(key, from));
        self.open_segment(world, now, self.segment.saturating_add(1))
    }

    /// Appends one record; false if it could not be written.
    pub(super) fn append(&mut self, disk: &mut impl Disk, now: Now, entry: &Entry) -> bool {
        let result = self.try_append(disk, now, entry);
        self.failed = result.err().map(|error| error.to_string());
        self.failed.is_none()
    }

    fn try_append(&mut self, disk: &mut impl Disk, now: Now, entry: &Entry) -> io::Result<()> {
        self.body.clear();
        serde_json::to_writer(&mut self.body, &entry.fit())?;
        self.end_doubt(disk)?;
        if self.bytes >= SEGMENT_BYTES_FORCED {
            // The task that rotates may be paused, or not be allowed to.
            self.open_segment(disk, now, self.segment.saturating_add(1))?;
        }
        let (Some(chain), Some(key)) = (&mut self.chain, &self.key) else {
            return Err(io::Error::other("there is no audit log"));
        };
        let before = chain.head();
        self.record.clear();
        if self.bytes == 0 {
            self.record
                .extend_from_slice(&header(LogKind::Audit, self.writer, now.wall_ns));
        }
        let appended = chain.append(&mut self.record, ENTRY, self.writer, now.wall_ns, &self.body);
        let written = appended
            .map_err(io::Error::other)
            .and_then(|_| disk.append(File::Audit(self.segment), &self.record));
        if let Err(error) = written {
            *chain = Chain::resume(key, before);
            self.doubtful = true;
            return Err(error);
        }
        self.bytes += self.record.len() as u64;
        self.oldest.get_or_insert(self.segment);
        self.dirty = true;
        if self.anchor.as_ref().is_some_and(|anchor| anchor.head().is_none()) {
            // A worker that is killed in its first second leaves a log that something vouches for. Failing that, the
            // next sync does it.
            let _later = self.sync(disk);
        }
        Ok(())
    }

    /// Reads the log again after a failure: a record that lacks nothing but its last bytes counts, and the next one
    /// has to follow it.
    fn end_doubt(&mut self, disk: &mut impl Disk) -> io::Result<()> {
        if self.doubtful {
            let told = std::mem::take(&mut self.problems);
            let read = self.read(disk);
            self.problems = told;
            read?;
            self.doubtful = false;
        }
        Ok(())
    }

    /// Tells the anchor where the chain stands, once that is durable: an anchor ahead of its log says that the log was
    /// cut, and the loss of power must not say so. Records count without; the anchor may be behind.
    fn move_anchor(&mut self, disk: &mut impl Disk) -> io::Result<()> {
        let (Some(chain), Some(anchor), Some(key)) = (&self.chain, &mut self.anchor, &self.key) else {
            return Ok(());
        };
        if std::mem::take(&mut self.anchor_doubtful) {
            *anchor = Anchor::read(&disk.read(File::Anchor)?.unwrap_or_default(), key);
        }
        let first = anchor.head().is_none();
        let (slot, at) = anchor.write(chain.head());
        let written = disk.write_at(File::Anchor, at, &slot);
        self.anchor_doubtful = written.is_err();
        if first && written.is_ok() {
            // Later ones may be lost: the one before is still true. Without any, a cut would leave no trace.
            disk.sync(File::Anchor)?;
        }
        Ok(())
    }

    /// Goes on in a new file. Told to go on where it is, it does nothing.
    pub(crate) fn open_segment(&mut self, disk: &mut impl Disk, now: Now, segment: u32) -> io::Result<()> {
        self.end_doubt(disk)?;
        if segment <= self.segment && self.bytes > 0 {
            return Ok(());
        }
        // Nobody comes back to this file to make its end durable.
        self.sync(disk)?;
        let (Some(chain), Some(key)) = (&mut self.chain, &self.key) else {
            return Err(io::Error::other("there is no audit log"));
        };
        let before = chain.head();
        let mut bytes = Vec::new();
        let opened = chain
            .next_segment(&mut bytes, self.writer, now.wall_ns)
            .map_err(io::Error::other)
            .and_then(|head| disk.replace(File::Audit(head.segment), &bytes).map(|()| head));
        match opened {
            Ok(head) => {
                (self.segment, self.bytes) = (head.segment, bytes.len() as u64);
                self.oldest.get_or_insert(head.segment);
                self.dirty = true;
                Ok(())
            }
            Err(error) => {
                *chain = Chain::resume(key, before);
                Err(error)
            }
        }
    }

    /// Removes the segments below a number.
    pub(crate) fn remove_below(&mut self, disk: &mut impl Disk, segment: u32) -> io::Result<()> {
        // The one that is written to stays, whatever was planned when.
        let below = segment.min(self.segment);
        for old in disk.audit_segments()?.into_iter().filter(|old| *old < below) {
            disk.remove(File::Audit(old))?;
        }
        self.oldest = disk.audit_segments()?.first().copied();
        Ok(())
    }

    /// The first segment that is kept by the hard bound, if older ones are there. Told once in each segment: what cannot be
    /// removed is not tried, and not written down, at every record.
    pub(super) fn take_over_bound(&mut self) -> Option<u32> {
        let first_kept = self.segment.saturating_add(1).saturating_sub(SEGMENTS_FORCED);
        let is_over = self.oldest.is_some_and(|oldest| oldest < first_kept);
        let is_new = is_over && self.bounded_in.replace(self.segment) != Some(self.segment);
        is_new.then_some(first_kept)
    }

    /// What was found wrong when the log was read, once.
    pub(super) fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }

    /// Plans whose intent has no outcome, once.
    pub(super) fn take_open(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.open)
    }

    /// The last plan that has an intent, in the segment that was written last; 0 for none.
    pub(super) fn last_plan(&self) -> u64 {
        self.last_plan
    }

    /// The segment that is written to.
    pub(crate) fn segment(&self) -> u32 {
        self.segment
    }

    /// The oldest there is.
    pub(crate) fn oldest_segment(&self) -> Option<u32> {
        self.oldest
    }

    /// Bytes of the segment that is written to.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether anything was written that is not durable yet.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Makes what was written durable, if anything was.
    pub(crate) fn sync(&mut self, disk: &mut impl Disk) -> io::Result<()> {
        if self.dirty {
            disk.sync(File::Audit(self.segment))?;
            self.dirty = false;
            self.move_anchor(disk)?;
        }
        Ok(())
    }
}
