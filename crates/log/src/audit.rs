//! The audit log: append-only records chained by a keyed hash, and where the chain breaks.
//!
//! A record is a record of format 1 (see `frame.rs`) whose payload opens with what ties it to the one before:
//!
//! ```text
//!  offset  0                        44     76        80               44 + n
//!          │ header of the frame    │ mac  │ segment │ body           │ closing length │
//!            kind, sequence, writer,  32     4         n - 36 bytes
//!            time
//!
//!  mac = blake3, keyed, over:
//!          │ "lle audit link 1" │ mac before │ sequence │ segment │ writer │ time ns │ kind │ body to the end │
//!            16                   32           8          4         8        8         1
//! ```
//!
//! Sequence numbers start at 1 and leave none out, over all segments (files). The mac before the first record
//! is a constant of the key. Every later segment opens with a record of kind [`SEGMENT`], whose body is the
//! head that the segment before it ended with:
//!
//! ```text
//!  audit.0   │ file header │ 1 │ 2 │ … │ 40 │        body of 41:  │ sequence 40 │ segment 0 │ mac of 40 │
//!  audit.1   │ file header │ 41 │ 42 │ …                          8             4           32
//!  anchor    │ slot │ slot │ ▸ the head after 42, elsewhere
//! ```
//!
//! So old segments may be removed: what is left proves itself from its first record on, and [`Verified::first`]
//! says where that is. The [`anchor`] keeps the head outside the log, and is written after the record: the log
//! may be some records ahead of it, and an anchor ahead of the log means that the log was cut.
//!
//! What this finds: a record changed, deleted, moved, repeated, inserted or cut off, by accident or by anyone
//! without the key: a partial overwrite, another program, a restored old file beside the current anchor.
//!
//! What it cannot find:
//! - Whoever runs with your uid can read the key, and then forge every record, every mac and the anchor.
//! - Log and anchor restored together from one older moment prove each other. Only a copy of the head that was
//!   kept somewhere else says that there was more.
//! - Records newer than the anchor may be cut without a trace: the few between a write and the anchor's.
//! - Without an anchor, records cut from the end leave no trace; nor do whole segments cut from the start, for
//!   that is how old ones are meant to go.
//!
//! Nothing here touches a file, and no bytes make it panic.

pub mod anchor;
mod examine;
mod order;
mod problem;
mod verify;

use blake3::Hasher;
use zeroize::{Zeroize, Zeroizing};

use crate::frame::{self, PAYLOAD_BYTES_MAX};
use crate::header::{LogKind, header};

pub use problem::{Problem, ProblemKind};
pub use verify::{Entry, Segment, Verified, entries, verify};

/// The kind of the record that opens a segment; no other record has it.
pub const SEGMENT: u8 = 0;
/// Longest body of a record, in bytes.
pub const BODY_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - SEAL_BYTES;

const MAC_BYTES: usize = 32;
/// What a payload opens with: the mac and the segment.
const SEAL_BYTES: usize = MAC_BYTES + 4;
const HEAD_BYTES: usize = 8 + 4 + MAC_BYTES;

// One key makes several kinds of mac. Each hashes its own tag first, all equally long, so that none is another.
const TAG_BYTES: usize = 16;
const LINK_TAG: &[u8; TAG_BYTES] = b"lle audit link 1";
const ROOT_TAG: &[u8; TAG_BYTES] = b"lle audit root 1";
const SLOT_TAG: &[u8; TAG_BYTES] = b"lle audit slot 1";

type Mac = [u8; MAC_BYTES];

/// The secret that macs are made with. Wiped when dropped, and shown by no `Debug`.
// On the heap, because every move of a value leaves a copy of it on the stack.
pub struct Key(Box<Zeroizing<[u8; 32]>>);

impl Key {
    /// Takes 32 random bytes. The caller wipes its own copy.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = Self(Box::new(Zeroizing::new(bytes)));
        bytes.zeroize();
        key
    }

    fn seal(&self) -> Seal {
        Seal(Box::new(Hasher::new_keyed(&self.0)))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(hidden)")
    }
}

/// A position in the chain: after the record `sequence`, which lies in `segment` and carries `mac`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last record; 0 before the first.
    pub sequence: u64,
    /// The file it is in, counted from 0.
    pub segment: u32,
    /// Its mac, or the constant of the key before the first record.
    pub mac: [u8; 32],
}

impl Head {
    fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0..8].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.segment.to_le_bytes());
        bytes[12..].copy_from_slice(&self.mac);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mac = bytes.get(12..)?.try_into().ok()?;
        Some(Self {
            sequence: frame::u64_at(bytes, 0)?,
            segment: frame::u32_at(bytes, 8)?,
            mac,
        })
    }
}

/// Why a record was not made. The chain stays where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The body is longer than [`BODY_BYTES_MAX`].
    #[error("{bytes} bytes are too long for one audit record")]
    TooLong {
        /// Length of the body, in bytes.
        bytes: usize,
    },
    /// The kind is [`SEGMENT`], which only [`Chain::next_segment`] writes.
    #[error("kind {SEGMENT} is kept for the record that opens a segment")]
    Reserved,
    /// There is no next number.
    #[error("the audit log has no numbers left")]
    Exhausted,
}

/// The writing end. One process has it: two writers would fork the chain.
pub struct Chain {
    seal: Seal,
    head: Head,
}

impl Chain {
    /// Begins a new log. The caller writes the file header: [`header`].
    pub fn begin(key: &Key) -> Self {
        let mut seal = key.seal();
        let head = seal.root();
        Self { seal, head }
    }

    /// Goes on after `head`, which is what [`verify`] ended with.
    ///
    /// If a write failed, go on from the head before it: the number is then used again, and the bytes that did
    /// reach the file are reported as a record that was never finished.
    pub fn resume(key: &Key, head: Head) -> Self {
        Self {
            seal: key.seal(),
            head,
        }
    }

    /// Where the chain stands.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Appends one record to `out`, to be written by one `write(2)`; nothing else is allocated.
    pub fn append(
        &mut self,
        out: &mut Vec<u8>,
        kind: u8,
        writer: u64,
        time_ns: i64,
        body: &[u8],
    ) -> Result<Head, AppendError> {
        let bytes = body.len();
        if bytes > BODY_BYTES_MAX {
            return Err(AppendError::TooLong { bytes });
        }
        if kind == SEGMENT {
            return Err(AppendError::Reserved);
        }
        let sequence = self.next_sequence()?;
        Ok(self.link(
            out,
            Link {
                sequence,
                segment: self.head.segment,
                writer,
                time_ns,
                kind,
                body,
            },
        ))
    }

    /// Appends to `out` the beginning of the next file: its header and the record that continues the chain.
    pub fn next_segment(
        &mut self,
        out: &mut Vec<u8>,
        writer: u64,
        time_ns: i64,
    ) -> Result<Head, AppendError> {
        let sequence = self.next_sequence()?;
        let segment = self.head.segment.checked_add(1).ok_or(AppendError::Exhausted)?;
        out.extend_from_slice(&header(LogKind::Audit, writer, time_ns));
        let body = self.head.to_bytes();
        Ok(self.link(
            out,
            Link {
                sequence,
                segment,
                writer,
                time_ns,
                kind: SEGMENT,
                body: &body,
            },
        ))
    }

    fn next_sequence(&self) -> Result<u64, AppendError> {
        self.head.sequence.checked_add(1).ok_or(AppendError::Exhausted)
    }

    fn link(&mut self, out: &mut Vec<u8>, link: Link<'_>) -> Head {
        let mac = self.seal.link(&self.head.mac, &link);
        frame::encode(out, link.kind, link.sequence, link.writer, link.time_ns, |out| {
            out.extend_from_slice(&mac);
            out.extend_from_slice(&link.segment.to_le_bytes());
            out.extend_from_slice(link.body);
        });
        self.head = Head {
            sequence: link.sequence,
            segment: link.segment,
            mac,
        };
        self.head
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// What a record's mac covers, besides the mac before.
struct Link<'a> {
    sequence: u64,
    segment: u32,
    writer: u64,
    time_ns: i64,
    kind: u8,
    body: &'a [u8],
}

/// A hasher that holds the key, reset for each mac, wiped when dropped.
struct Seal(Box<Hasher>);

impl Seal {
    /// Everything before the body has a fixed length, so no two records hash the same bytes.
    fn link(&mut self, before: &Mac, link: &Link<'_>) -> Mac {
        let mut fixed = [0; TAG_BYTES + MAC_BYTES + 8 + 4 + 8 + 8 + 1];
        fixed[0..16].copy_from_slice(LINK_TAG);
        fixed[16..48].copy_from_slice(before);
        fixed[48..56].copy_from_slice(&link.sequence.to_le_bytes());
        fixed[56..60].copy_from_slice(&link.segment.to_le_bytes());
        fixed[60..68].copy_from_slice(&link.writer.to_le_bytes());
        fixed[68..76].copy_from_slice(&link.time_ns.to_le_bytes());
        fixed[76] = link.kind;
        self.mac(&fixed, link.body)
    }

    /// The head before the first record.
    fn root(&mut self) -> Head {
        Head {
            sequence: 0,
            segment: 0,
            mac: self.mac(ROOT_TAG, &[]),
        }
    }

    fn slot(&mut self, slot: &[u8]) -> Mac {
        self.mac(SLOT_TAG, slot)
    }

    fn mac(&mut self, fixed: &[u8], rest: &[u8]) -> Mac {
        self.0.reset();
        self.0.update(fixed).update(rest);
        self.0.finalize().into()
    }
}

impl Drop for Seal {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Compares in a time that says nothing about where the two differ.
fn same(one: &Mac, other: &Mac) -> bool {
    blake3::Hash::from_bytes(*one) == blake3::Hash::from_bytes(*other)
}
