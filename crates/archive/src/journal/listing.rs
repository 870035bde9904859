//! Of which pieces every file consists.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::hex;

/// Bytes of a file in one piece: with what sealing adds, within one record.
pub(super) const PIECE_BYTES: usize = 960 * 1024;
/// Pieces that are never too many: a listing of them takes about 300 KiB.
const PIECES_MIN: u64 = 4_096;
/// Bytes of a listing, unpacked; packed it has to fit into one record.
pub(super) const LISTING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The state of every file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listing {
    pub(super) files: Vec<Kept>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Its name in the archive, in hex.
    name: String,
    pub(super) mode: u32,
    pub(super) stamp: Stamp,
    pub(super) pieces: Vec<Piece>,
}

/// What tells a version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    bytes: u64,
    pub(super) inode: u64,
    changed: (i64, i64),
    status_changed: (i64, i64),
    /// When it was made; none where the file system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) born: Option<(i64, i64)>,
}

/// A stretch of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    /// Where its record begins in the segment.
    pub(super) at: u64,
    /// The record's length.
    pub(super) record: u32,
    /// The record's number.
    pub(super) sequence: u64,
    /// Bytes of the file.
    pub(super) raw: u32,
    /// The beginning of its BLAKE3.
    pub(super) name: [u8; Piece::NAME_BYTES],
}

impl Piece {
    /// Bytes of a name: as many as nobody makes two of.
    pub(super) const NAME_BYTES: usize = 16;
}

impl Stamp {
    pub(super) fn of(found: &Metadata) -> Stamp {
        Stamp {
            bytes: found.len(),
            inode: found.ino(),
            changed: (found.mtime(), found.mtime_nsec()),
            status_changed: (found.ctime(), found.ctime_nsec()),
            born: found.created().ok().and_then(since_1970),
        }
    }
}

impl Stamp {
    /// When it was changed; none if that is no time of a file.
    pub(super) fn changed(&self) -> Option<SystemTime> {
        let (seconds, nanoseconds) = self.changed;
        let after = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        UNIX_EPOCH.checked_add(after)
    }
}

fn since_1970(time: SystemTime) -> Option<(i64, i64)> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some((
        i64::try_from(since.as_secs()).ok()?,
        i64::from(since.subsec_nanos()),
    ))
}

impl Kept {
    pub(super) fn new(name: &Path, found: &Metadata, pieces: Vec<Piece>) -> Kept {
        Kept {
            name: hex::of_path(name),
            mode: found.permissions().mode() & 0o777,
            stamp: Stamp::of(found),
            pieces,
        }
    }

    /// Its name in the archive; none if it is none.
    pub(super) fn path(&self) -> Option<PathBuf> {
        hex::to_path(&self.name)
    }

    /// Bytes of all its pieces.
    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::from(piece.raw)).sum()
    }
}

impl Listing {
    /// The files by their names.
    pub(super) fn by_name(self) -> BTreeMap<PathBuf, Kept> {
        let files = self.files.into_iter();
        files.filter_map(|kept| Some((kept.path()?, kept))).collect()
    }

    /// Bytes of the records that it needs.
    pub(super) fn packed_bytes(&self) -> u64 {
        let pieces = self.files.iter().flat_map(|kept| &kept.pieces);
        pieces.map(|piece| u64::from(piece.record)).sum()
    }

    /// Whether there are far more pieces than the files need: a log gets one each time that it grew.
    pub(super) fn is_scattered(&self) -> bool {
        let pieces: usize = self.files.iter().map(|kept| kept.pieces.len()).sum();
        let bytes: u64 = self.files.iter().map(Kept::bytes).sum();
        pieces as u64 > PIECES_MIN + 2 * bytes / PIECE_BYTES as u64
    }

    /// The listing as text; none if it is too long.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let text = serde_json::to_vec(self).ok()?;
        (text.len() <= LISTING_BYTES_MAX).then_some(text)
    }

    pub(super) fn decode(text: &[u8]) -> Option<Listing> {
        serde_json::from_slice(text).ok()
    }
}
