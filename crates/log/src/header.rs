//! The bytes before the first record. Little-endian.
//!
//! ```text
//!  offset  0       8         12     16           24      32       60
//!          │ magic │ version │ kind │ made at ns │ maker │ zeros  │ crc of all before │   64 bytes
//! ```

use crate::frame;

/// Bytes before the first record.
pub(crate) const FILE_HEADER_BYTES: usize = 64;
/// Log format written and read.
pub(crate) const FILE_VERSION: u32 = 1;
/// A byte above ASCII first, as in PNG, so that no text tool takes the file for text.
pub(crate) const MAGIC: [u8; 8] = *b"\x89LLELOG\n";
const CRC_AT: usize = 60;

pub(crate) type FileHeader = [u8; FILE_HEADER_BYTES];

/// What a log records; stated in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LogKind {
    /// Commands, typed by the user.
    History = 1,
    /// What maintenance did, on whose behalf.
    Audit = 2,
    /// Changes of the worker's state.
    State = 3,
    /// Versions of files, such as the configuration.
    Versions = 4,
    /// Sealed pieces of files, between two snapshots.
    Journal = 5,
}

/// Makes the header of a new log, written by `id`, a random number not zero, at `now_ns` (Unix time).
pub fn header(kind: LogKind, id: u64, now_ns: i64) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[0..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FILE_VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&(kind as u32).to_le_bytes());
    header[16..24].copy_from_slice(&now_ns.to_le_bytes());
    header[24..32].copy_from_slice(&id.to_le_bytes());
    let crc = crc32fast::hash(&header[..CRC_AT]);
    header[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// How a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// With a header of the wanted kind.
    Sound,
    /// Like a log, but the header is cut off or does not check: damage, not a reason to refuse.
    Damaged,
    /// Not like a log. If there is a record in it, this is damage too.
    Unknown,
    /// With the header of another kind of log.
    Other,
    /// With the header of a later version.
    Version(u32),
}

impl Beginning {
    /// Judges the first [`FILE_HEADER_BYTES`] of a file, or as many as there are.
    pub(crate) fn of(bytes: &[u8], kind: LogKind) -> Self {
        let magic = bytes.len().min(MAGIC.len());
        if bytes[..magic] != MAGIC[..magic] {
            return Self::Unknown;
        }
        let Some(header) = bytes.first_chunk::<FILE_HEADER_BYTES>() else {
            return Self::Damaged;
        };
        if frame::u32_at(header, CRC_AT) != Some(crc32fast::hash(&header[..CRC_AT])) {
            return Self::Damaged;
        }
        match (frame::u32_at(header, 8), frame::u32_at(header, 12)) {
            (Some(FILE_VERSION), Some(found)) if found == kind as u32 => Self::Sound,
            (Some(found), _) if found > FILE_VERSION => Self::Version(found),
            _ => Self::Other,
        }
    }
}
