//! Takes the segments apart and tries every record against the key.
//!
//! A record is proven if its mac comes out of its own content and the mac of the record *numbered* before it,
//! wherever either lies. So one that was moved is still proven, and one that was changed spoils no other:
//! behind it, the next is tried against the mac that the changed one carries (its body was changed) and against
//! the one that it should carry (its mac was).

use std::collections::BTreeMap;

use crate::frame::{FRAME_BYTES, HEADER_BYTES, Header, STATE_AT, SYNC, TRAILER_BYTES, u32_at};
use crate::header::{Beginning, FILE_HEADER_BYTES, LogKind};
use crate::records::{Found, Piece, pieces};

use super::verify::Segment;
use super::{Head, Key, Link, MAC_BYTES, Mac, ProblemKind, SEAL_BYTES, SEGMENT, Seal, same};

/// How many macs a record may be tried against. A sound log needs one; copies of a record, each changed
/// differently, would need one each.
const CANDIDATES_MAX: usize = 8;
/// How many of them a damaged record's own mac is worked out from.
const RECOMPUTED_MAX: usize = 3;

/// What the key says about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It follows a record that is there.
    Proven,
    /// The record before it is proven, and this one does not follow it.
    Refuted,
    /// Nothing to prove it against; or it is no record.
    Unknown,
}

/// A payload taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sealed<'a> {
    pub(super) mac: Mac,
    pub(super) segment: u32,
    pub(super) body: &'a [u8],
}

impl<'a> Sealed<'a> {
    fn of(payload: &'a [u8]) -> Option<Self> {
        let (mac, rest) = payload.split_first_chunk::<MAC_BYTES>()?;
        Some(Self {
            mac: *mac,
            segment: u32_at(rest, 0)?,
            body: payload.get(SEAL_BYTES..)?,
        })
    }
}

/// One stretch of a segment: a record, or what is left of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    /// Index of its segment.
    pub(super) file: usize,
    pub(super) at: usize,
    pub(super) end: usize,
    /// Its frame and payload check.
    pub(super) whole: bool,
    /// It begins like a record and stops too early.
    pub(super) unfinished: bool,
    /// It is unfinished, and the last thing in its segment.
    pub(super) torn: bool,
    /// The header, if that checks.
    pub(super) header: Option<Header>,
    /// The payload, if the header checks and all of it is there.
    pub(super) sealed: Option<Sealed<'a>>,
    /// What lies where a record has its mac.
    mac: Option<Mac>,
    pub(super) standing: Standing,
}

impl Item<'_> {
    pub(super) fn sequence(&self) -> Option<u64> {
        self.header.map(|header| header.sequence)
    }

    pub(super) fn proven(&self) -> bool {
        self.standing == Standing::Proven
    }

    /// The head that this record says the segment before its own ended with.
    pub(super) fn carried(&self) -> Option<Head> {
        let (header, sealed) = (self.header?, self.sealed?);
        let carried = Head::from_bytes(sealed.body).filter(|_| header.kind == SEGMENT)?;
        let follows = carried.sequence.checked_add(1) == Some(header.sequence)
            && carried.segment.checked_add(1) == Some(sealed.segment);
        follows.then_some(carried)
    }

    fn link<'s>(&'s self) -> Option<Link<'s>> {
        let (header, sealed) = (self.header?, self.sealed.as_ref()?);
        Some(Link {
            sequence: header.sequence,
            segment: sealed.segment,
            writer: header.session,
            time_ns: header.time_ns,
            kind: header.kind,
            body: sealed.body,
        })
    }
}

/// A flaw that concerns no other record: where, in which, and what.
pub(super) struct Flaw {
    pub(super) file: usize,
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) sequence: Option<u64>,
    pub(super) kind: ProblemKind,
}

/// All segments, taken apart.
pub(super) struct Examined<'a> {
    /// In the order of the segments and of their bytes.
    pub(super) items: Vec<Item<'a>>,
    pub(super) flaws: Vec<Flaw>,
}

pub(super) fn examine<'a>(segments: &[Segment<'a>], key: &Key, anchor: Option<Head>) -> Examined<'a> {
    let mut examined = Examined {
        items: Vec::new(),
        flaws: Vec::new(),
    };
    for (file, segment) in segments.iter().enumerate() {
        examined.gather(file, segment.bytes);
    }
    prove(&mut examined.items, key.seal(), anchor);
    examined
}

impl<'a> Examined<'a> {
    fn flaw(&mut self, file: usize, at: usize, end: usize, sequence: Option<u64>, kind: ProblemKind) {
        self.flaws.push(Flaw {
            file,
            at,
            end,
            sequence,
            kind,
        });
    }

    fn gather(&mut self, file: usize, bytes: &'a [u8]) {
        let floor = self.floor(file, bytes);
        // The record before, if it has no closing length.
        let mut unclosed = None;
        for piece in pieces(bytes, floor) {
            match piece {
                Piece::Closing { at, end } => {
                    let kind = if end < at + TRAILER_BYTES && end == bytes.len() {
                        ProblemKind::Torn
                    } else {
                        ProblemKind::Frame
                    };
                    self.flaw(file, at, end, unclosed.take(), kind);
                }
                Piece::Record(found) => {
                    self.missing_end(file, found.at, unclosed.take(), ProblemKind::Frame);
                    if found.blemished && !found.redacted {
                        let state = found.at + STATE_AT;
                        let sequence = Some(found.header.sequence);
                        self.flaw(file, state, state + 1, sequence, ProblemKind::Frame);
                    }
                    unclosed = (!found.closed).then_some(found.header.sequence);
                    self.items.push(record(file, &found));
                }
                Piece::Garbage { at, end, header } => {
                    self.missing_end(file, at, unclosed.take(), ProblemKind::Frame);
                    let ends = ends(&bytes[at..end]).into_iter().rev().map(|length| at + length);
                    let (mut at, mut header) = (at, header);
                    for end in ends {
                        self.items.push(garbage(file, bytes, at, end, header.take()));
                        at = end;
                    }
                }
            }
        }
        self.missing_end(file, bytes.len(), unclosed, ProblemKind::Torn);
    }

    fn missing_end(&mut self, file: usize, at: usize, sequence: Option<u64>, kind: ProblemKind) {
        if sequence.is_some() {
            self.flaw(file, at, at, sequence, kind);
        }
    }

    /// Judges the file header and says where records may start.
    fn floor(&mut self, file: usize, bytes: &'a [u8]) -> usize {
        let header = &bytes[..bytes.len().min(FILE_HEADER_BYTES)];
        match Beginning::of(header, LogKind::Audit) {
            Beginning::Sound => return FILE_HEADER_BYTES,
            // No file at all says nothing but that its records are missing.
            Beginning::Damaged if bytes.is_empty() => return 0,
            Beginning::Damaged if bytes.len() < FILE_HEADER_BYTES => {
                self.flaw(file, 0, bytes.len(), None, ProblemKind::Torn);
                return bytes.len();
            }
            _ => {}
        }
        let first = pieces(bytes, 0).find_map(|piece| match piece {
            Piece::Record(found) => Some(found.at),
            _ => None,
        });
        let floor = first.unwrap_or(FILE_HEADER_BYTES).min(header.len());
        self.flaw(file, 0, floor, None, ProblemKind::Header);
        floor
    }
}

/// Says where records end within garbage, last first, if it is several of them without a gap.
///
/// Two neighbours may both have lost the mark they start with, but not the length they end with.
fn ends(garbage: &[u8]) -> Vec<usize> {
    let (mut ends, mut end) = (Vec::new(), garbage.len());
    while end > 0 {
        ends.push(end);
        let closing = end.checked_sub(TRAILER_BYTES).and_then(|at| u32_at(garbage, at));
        let start = closing
            .map(|frame_bytes| frame_bytes as usize)
            .filter(|&frame_bytes| frame_bytes >= FRAME_BYTES)
            .and_then(|frame_bytes| end.checked_sub(frame_bytes));
        match start {
            Some(start) => end = start,
            None => return vec![garbage.len()],
        }
    }
    ends
}

fn record<'a>(file: usize, found: &Found<'a>) -> Item<'a> {
    let sealed = Sealed::of(found.payload);
    Item {
        file,
        at: found.at,
        end: found.end,
        // The key holder redacts nothing here.
        whole: sealed.is_some() && !found.redacted,
        unfinished: false,
        torn: false,
        header: Some(found.header),
        sealed,
        mac: sealed.map(|sealed| sealed.mac),
        standing: Standing::Unknown,
    }
}

fn garbage<'a>(file: usize, all: &'a [u8], at: usize, end: usize, header: Option<Header>) -> Item<'a> {
    let bytes = &all[at..end];
    let begins = bytes.starts_with(&SYNC[..bytes.len().min(SYNC.len())]);
    let stops = bytes.len() < HEADER_BYTES || header.is_some_and(|header| header.frame_bytes() > bytes.len());
    let payload = header.and_then(|header| {
        let bytes = bytes.get(HEADER_BYTES..)?;
        bytes.get(..header.payload_bytes as usize)
    });
    Item {
        file,
        at,
        end,
        whole: false,
        unfinished: begins && stops,
        torn: begins && stops && end == all.len(),
        header: header.filter(|header| header.frame_bytes() >= FRAME_BYTES + SEAL_BYTES),
        sealed: payload.and_then(Sealed::of),
        mac: bytes
            .get(HEADER_BYTES..)
            .and_then(|rest| rest.first_chunk().copied()),
        standing: Standing::Unknown,
    }
}

/// What the record before may have carried.
struct Before {
    sequence: u64,
    /// Best first.
    macs: Vec<Mac>,
    /// The first of them is known to be right.
    trusted: bool,
}

/// Tries every record, in the order of their numbers.
fn prove(items: &mut [Item<'_>], mut seal: Seal, anchor: Option<Head>) {
    let mut numbered: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(sequence) = item.sequence().filter(|_| item.sealed.is_some()) {
            numbered.entry(sequence).or_default().push(index);
        }
    }
    let mut before = Before {
        sequence: 0,
        macs: vec![seal.root().mac],
        trusted: true,
    };
    for (sequence, indices) in numbered {
        let Some(last) = sequence.checked_sub(1) else {
            continue;
        };
        if before.sequence != last {
            before.macs.clear();
            before.trusted = false;
        }
        if let Some(anchor) = anchor.filter(|anchor| anchor.sequence == last) {
            before.macs.push(anchor.mac);
            before.trusted = true;
        }
        before = prove_numbered(items, &mut seal, sequence, &indices, &before);
    }
}

/// Tries all records with one number.
fn prove_numbered(
    items: &mut [Item<'_>],
    seal: &mut Seal,
    sequence: u64,
    indices: &[usize],
    before: &Before,
) -> Before {
    let mut next = Before {
        sequence,
        macs: Vec::with_capacity(1),
        trusted: false,
    };
    for &index in indices {
        // Damage right before a record is probably the record before it, number or not.
        let neighbour = index
            .checked_sub(1)
            .and_then(|index| items[index].mac.filter(|_| !items[index].whole));
        let item = items[index];
        let (Some(link), Some(sealed)) = (item.link(), item.sealed) else {
            continue;
        };
        let carried = item.carried().map(|head| head.mac);
        let candidates = || before.macs.iter().chain(carried.iter()).chain(neighbour.iter());
        let proven = candidates().any(|mac| same(&seal.link(mac, &link), &sealed.mac));
        if proven && item.whole {
            items[index].standing = Standing::Proven;
            next.macs.insert(0, sealed.mac);
            next.trusted = true;
        } else {
            if before.trusted {
                items[index].standing = Standing::Refuted;
            }
            next.macs.push(sealed.mac);
            let macs = candidates().take(RECOMPUTED_MAX).map(|mac| seal.link(mac, &link));
            next.macs.extend(macs);
        }
        next.macs.truncate(CANDIDATES_MAX);
    }
    next
}
