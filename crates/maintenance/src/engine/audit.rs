//! The audit trail: what was done, by whom, on what, why, and how it ended, in a keyed chain whose head lies elsewhere.
//!
//! Invariants:
//! - Nothing that changes the world is done before its intent is written.
//! - A failed write leaves the chain where it was; what it left in the file is reported as never finished.
//! - Damage found at start is recorded in the log itself and as an incident, before the anchor moves on.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use lle_core::plan::Plan;
use lle_core::policy::{Kind, Operation, Who, sanitise};
use lle_core::series::blame::{self, ChangeKind};
use lle_core::task::TaskKind;
use lle_core::task::log_rotation::SEGMENTS_KEPT;
use lle_log::audit::anchor::Anchor;
use lle_log::audit::{self, Chain, Head, Key, Segment};
use lle_log::records::{LogKind, header};
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::api::{AuditRecord, VerifyDocument};
use crate::state::{Change, Incident};
use crate::world::{Disk, File, Now, World};

#[cfg(test)]
mod tests;

/// Characters of any text in a record.
const TEXT_MAX: usize = 300;
/// Bytes of a segment at which the log goes on in a new one, whatever becomes of the task that looks after it: far
/// below what is read of a file.
const SEGMENT_BYTES_FORCED: u64 = 8 * 1024 * 1024;
/// Segments beyond which the oldest go, whatever becomes of that task: somewhat more than it keeps, so that it is the
/// one that removes them where it may. With the bound on each, the log takes 160 MiB at most.
const SEGMENTS_FORCED: u32 = SEGMENTS_KEPT + 4;
/// Kind of a record.
const ENTRY: u8 = 1;
/// Refused peers are recorded once in so long for each user, and counted in between.
const REFUSAL_NS: u64 = 10 * super::SECOND_NS;
/// Users whose refusals are told apart.
const REFUSED_USERS_MAX: usize = 16;
/// Operations after which nothing is different.
const MEASURES: [&str; 2] = [lle_core::plan::CHECK_HEALTH, lle_core::plan::FIT_MODELS];
/// What kinds of change requests are; any other, as one that applies a configuration, changes what is set up.
const REQUESTED: &[(Operation, ChangeKind)] = &[
    // They make the engine go on with what it is there for, or leave it.
    (Operation::Start, ChangeKind::Worker),
    (Operation::Stop, ChangeKind::Worker),
    (Operation::Pause, ChangeKind::Worker),
    (Operation::Resume, ChangeKind::Worker),
    (Operation::Cancel, ChangeKind::Worker),
    // Nothing is different afterwards but what is known.
    (Operation::Acknowledge, ChangeKind::Worker),
    (Operation::SignOff, ChangeKind::Worker),
    (Operation::ConfigConfirm, ChangeKind::Worker),
    // They say which tasks run, and when.
    (Operation::Run, ChangeKind::Task),
    (Operation::Schedule, ChangeKind::Task),
    (Operation::Enable, ChangeKind::Task),
    (Operation::Disable, ChangeKind::Task),
    (Operation::Register, ChangeKind::Task),
    (Operation::Unregister, ChangeKind::Task),
    // They read and copy; a session is none the slower once they are done.
    (Operation::Backup, ChangeKind::Task),
    (Operation::Recover, ChangeKind::Task),
    (Operation::Optimize, ChangeKind::Feature),
    (Operation::RestoreRc, ChangeKind::Rc),
    (Operation::History, ChangeKind::Other),
];
/// Problems told of one verification.
const PROBLEMS_MAX: usize = 20;

/// What one record says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    who: String,
    operation: String,
    target: String,
    why: String,
    phase: String,
    outcome: String,
    plan: u64,
}

impl Entry {
    /// Before or after a plan.
    pub(crate) fn plan(phase: &str, id: u64, who: &str, plan: &Plan, outcome: &str) -> Self {
        let steps: Vec<String> = plan.steps.iter().map(|step| step.action.about()).collect();
        Self {
            who: who.to_owned(),
            operation: steps.join("; "),
            target: plan.task.clone(),
            why: plan.why.clone(),
            phase: phase.to_owned(),
            outcome: outcome.to_owned(),
            plan: id,
        }
    }

    /// What it changes, for whoever looks for a cause; none if it changes nothing, or says only how that ended.
    fn as_change(&self, now: Now) -> Option<blame::Change> {
        (self.phase == "intent" && !MEASURES.contains(&self.operation.as_str())).then(|| blame::Change {
            at_ns: now.wall_ns,
            what: match self.target.is_empty() {
                true => self.operation.clone(),
                false => format!("{}: {}", self.target, self.operation),
            },
            kind: self.kind(),
            session: None,
        })
    }

    /// What kind of change it is: a plan's is its task's, a request's stands in the table.
    fn kind(&self) -> ChangeKind {
        match self.plan {
            // What `performance` does is to turn levers.
            1.. if self.target == TaskKind::Performance.name() => ChangeKind::Feature,
            1.. => ChangeKind::Task,
            0 => REQUESTED
                .iter()
                .find(|(operation, _)| operation.name() == self.operation)
                .map_or(ChangeKind::Config, |(_, kind)| *kind),
        }
    }

    /// Before a cleanup.
    pub(crate) fn cleanup(id: u64, who: &str, task: &str, command: &str) -> Self {
        Self {
            who: who.to_owned(),
            operation: format!("cleanup: run {command}"),
            target: task.to_owned(),
            phase: "cleanup".into(),
            plan: id,
            ..Self::default()
        }
    }

    /// How a plan ended.
    pub(crate) fn outcome(id: u64, outcome: &str, why: &str) -> Self {
        Self {
            phase: "outcome".into(),
            outcome: outcome.to_owned(),
            why: why.to_owned(),
            plan: id,
            ..Self::default()
        }
    }

    /// Before or after something that somebody asked for.
    pub(crate) fn request(phase: &str, who: &Who, operation: &str, target: &str, outcome: &str) -> Self {
        Self {
            who: name_of(who),
            operation: operation.to_owned(),
            target: target.to_owned(),
            phase: phase.to_owned(),
            outcome: outcome.to_owned(),
            ..Self::default()
        }
    }

    /// Adds why, or what exactly.
    pub(crate) fn because(mut self, why: &str) -> Self {
        self.why = why.to_owned();
        self
    }

    /// Something that somebody may not do.
    pub(crate) fn refused(who: &Who, operation: &str, target: &str, why: &str) -> Self {
        Self {
            why: why.to_owned(),
            ..Self::request("refused", who, operation, target, "refused")
        }
    }

    /// Something that the engine noticed.
    pub(crate) fn noticed(what: &str, evidence: &str) -> Self {
        Self {
            who: "engine".into(),
            operation: what.to_owned(),
            why: evidence.to_owned(),
            phase: "noticed".into(),
            ..Self::default()
        }
    }

    fn clean(mut self) -> Self {
        for text in [
            &mut self.who,
            &mut self.operation,
            &mut self.target,
            &mut self.why,
            &mut self.outcome,
        ] {
            // Most is fit as it is.
            if let Cow::Owned(fit) = sanitise(text, TEXT_MAX) {
                *text = fit;
            }
        }
        self
    }
}

/// How the audit names somebody.
pub(crate) fn name_of(who: &Who) -> String {
    match (who.kind, who.pid) {
        (Kind::System, _) => "engine".into(),
        (_, Some(pid)) => format!("user {} (process {pid})", who.uid),
        (_, None) => format!("user {}", who.uid),
    }
}

/// Peers that were refused, so that a flood of them fills no disk.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    users: BTreeMap<u32, (u64, u64)>,
    /// All of them, for the health.
    pub(crate) count: u64,
}

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
    bytes: u64,
    /// Plans whose intent has no outcome, in the segment that was written last.
    open: BTreeSet<u64>,
    /// The last plan that has an intent there.
    last_plan: u64,
    /// What was found wrong when it was read.
    pub(crate) problems: Vec<String>,
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
    record: Vec<u8>,
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
        let made = self.make_key(world);
        match made.and_then(|()| {
            if self.oldest.is_some() {
                self.go_on_unproven(world, now)
            } else {
                Ok(())
            }
        }) {
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
    fn append(&mut self, disk: &mut impl Disk, now: Now, entry: Entry) -> bool {
        let result = self.try_append(disk, now, entry);
        self.failed = result.err().map(|error| error.to_string());
        self.failed.is_none()
    }

    fn try_append(&mut self, disk: &mut impl Disk, now: Now, entry: Entry) -> io::Result<()> {
        let body = serde_json::to_vec(&entry.clean())?;
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
        let appended = chain.append(&mut self.record, ENTRY, self.writer, now.wall_ns, &body);
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

    /// The first segment that is kept by the hard bound, if older ones are there and were not dealt with.
    fn over_bound(&self) -> Option<u32> {
        let first_kept = self.segment.saturating_add(1).saturating_sub(SEGMENTS_FORCED);
        let is_over = self.oldest.is_some_and(|oldest| oldest < first_kept);
        (is_over && self.bounded_in != Some(self.segment)).then_some(first_kept)
    }

    pub(crate) fn segment(&self) -> u32 {
        self.segment
    }

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

/// What there is for a key.
enum FoundKey {
    Usable(Key),
    /// A file of another length.
    Unusable(Vec<u8>),
    Gone,
}

impl FoundKey {
    /// Why nothing that was recorded can be proven.
    fn problem(&self) -> String {
        match self {
            FoundKey::Unusable(bytes) => format!(
                "audit log: its key has {} bytes and not 32, so nothing in it can be proven",
                bytes.len()
            ),
            _ => "audit log: its key is gone, so nothing in it can be proven".into(),
        }
    }
}

fn key(disk: &mut impl Disk) -> io::Result<FoundKey> {
    let Some(bytes) = disk.read(File::Key)? else {
        return Ok(FoundKey::Gone);
    };
    Ok(match bytes.try_into() {
        Ok(bytes) => FoundKey::Usable(Key::from_bytes(bytes)),
        Err(bytes) => FoundKey::Unusable(bytes),
    })
}

type Segments = Vec<(u32, String, Vec<u8>)>;

fn segments(disk: &mut impl Disk) -> io::Result<Segments> {
    let mut segments = Vec::new();
    for number in disk.audit_segments()? {
        let bytes = disk.read(File::Audit(number))?.unwrap_or_default();
        segments.push((number, crate::real::disk::audit_name(number), bytes));
    }
    Ok(segments)
}

fn borrowed(segments: &Segments) -> Vec<Segment<'_>> {
    segments
        .iter()
        .map(|(_, name, bytes)| Segment { name, bytes })
        .collect()
}

/// Reads the whole log and says whether it is whole.
///
/// # Errors
/// It cannot be read.
pub(crate) fn verify(disk: &mut impl Disk) -> io::Result<VerifyDocument> {
    let segments = segments(disk)?;
    let mut document = VerifyDocument {
        version: crate::api::VERSION,
        whole: true,
        records: 0,
        last_sequence: 0,
        problems: Vec::new(),
        remarks: Vec::new(),
    };
    let key = match key(disk)? {
        FoundKey::Usable(key) => key,
        _ if segments.is_empty() => {
            document.remarks.push("nothing was recorded yet".into());
            return Ok(document);
        }
        found => {
            document.whole = false;
            document.problems.push(found.problem());
            return Ok(document);
        }
    };
    let image = disk.read(File::Anchor)?.unwrap_or_default();
    let verified = audit::verify(&borrowed(&segments), &key, Anchor::read(&image, &key).head());
    document.records = verified.records;
    document.last_sequence = verified.head.sequence;
    for problem in &verified.problems {
        match problem.kind {
            audit::ProblemKind::AnchorMissing => document.remarks.push(problem.to_string()),
            _ => document.problems.push(problem.to_string()),
        }
    }
    document.whole = document.problems.is_empty();
    Ok(document)
}

/// Reads records: from a number on, or the last ones.
///
/// # Errors
/// They cannot be read.
pub(crate) fn records(disk: &mut impl Disk, from: Option<u64>, limit: usize) -> io::Result<Vec<AuditRecord>> {
    let FoundKey::Usable(key) = key(disk)? else {
        return Ok(Vec::new());
    };
    let segments = segments(disk)?;
    let borrowed = borrowed(&segments);
    let mut records: Vec<AuditRecord> = audit::entries(&borrowed, &key)
        .into_iter()
        .filter(|entry| from.is_none_or(|from| entry.sequence >= from))
        .filter_map(|entry| {
            let said: Entry = serde_json::from_slice(entry.body).ok()?;
            Some(AuditRecord {
                sequence: entry.sequence,
                wall_ns: entry.time_ns,
                who: said.who,
                operation: said.operation,
                target: said.target,
                why: said.why,
                phase: said.phase,
                outcome: said.outcome,
                plan: said.plan,
            })
        })
        .collect();
    match from {
        Some(_) => records.truncate(limit),
        None => drop(records.drain(..records.len().saturating_sub(limit))),
    }
    Ok(records)
}

impl Engine {
    /// Writes a record; false if that failed, which is a finding.
    pub(crate) fn record<W: World>(&mut self, world: &mut W, now: Now, entry: &Entry) -> bool {
        if !self.acts {
            return true;
        }
        let before = self.audit.failed.is_some();
        let written = self.audit.append(world, now, entry.clone());
        if before && written {
            // There was a gap, and it says so itself.
            let noticed = Entry::noticed("audit", "the log could not be written for a while before this");
            self.audit.append(world, now, noticed);
        }
        if written {
            self.bound_audit(world, now);
            if let Some(change) = entry.as_change(now) {
                self.note_change(world, now, change);
            }
        }
        written
    }

    /// Removes the oldest segments if there are more than any policy lets stay: the disk is not filled because the task
    /// that rotates the log is paused or may only advise.
    fn bound_audit<W: World>(&mut self, world: &mut W, now: Now) {
        let Some(first_kept) = self.audit.over_bound() else {
            return;
        };
        self.audit.bounded_in = Some(self.audit.segment);
        let what = format!("remove segments of audit before {first_kept}");
        let why = format!("there are more than {SEGMENTS_FORCED}; log-rotation is held back");
        if !self.audit.append(world, now, Entry::noticed(&what, &why)) {
            return;
        }
        let outcome = match self.audit.remove_below(world, first_kept) {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("failed: {error}"),
        };
        let entry = Entry {
            phase: "outcome".into(),
            outcome,
            ..Entry::noticed(&what, "")
        };
        self.audit.append(world, now, entry);
    }

    /// What was found wrong with the log at start is an incident, told in the log itself.
    pub(crate) fn report_audit_damage<W: World>(&mut self, world: &mut W, now: Now) {
        for problem in std::mem::take(&mut self.audit.problems) {
            // It stays in the log for ever, and is told of once.
            if self.state.incidents.iter().any(|known| known.evidence == problem) {
                continue;
            }
            self.record(world, now, &Entry::noticed("audit log damaged", &problem));
            let incident = Incident {
                wall_ns: now.wall_ns,
                session: None,
                what: "the audit log is not as it was written".into(),
                evidence: problem,
            };
            self.keep(world, now, Change::Incident { incident });
        }
    }

    /// Between an intent and its plan's beginning, or between its end and the outcome, a worker may be killed. The log
    /// says so; and the plan's number is not used again.
    pub(crate) fn end_what_never_began<W: World>(&mut self, world: &mut W, now: Now) {
        self.state.last_id = self.state.last_id.max(self.audit.last_plan);
        for plan in std::mem::take(&mut self.audit.open) {
            if !self.state.running.contains_key(&plan) {
                let why = "the worker was killed before it began or right after it ended";
                self.record(world, now, &Entry::outcome(plan, "unknown", why));
            }
        }
    }

    /// Somebody who may not was at the control socket.
    pub fn refused<W: World>(&mut self, world: &mut W, now: Now, who: &Who) {
        self.refused_peers.count += 1;
        let users = &mut self.refused_peers.users;
        if users.len() >= REFUSED_USERS_MAX && !users.contains_key(&who.uid) {
            users.pop_first();
        }
        let (told_at, since) = users.entry(who.uid).or_insert((0, 0));
        *since += 1;
        if *told_at != 0 && now.mono_ns.saturating_sub(*told_at) < REFUSAL_NS {
            return;
        }
        let why = format!("another user; {since} since the last record");
        (*told_at, *since) = (now.mono_ns.max(1), 0);
        self.record(
            world,
            now,
            &Entry::refused(who, "connect", "control socket", &why),
        );
    }
}
