//! The audit log as it lies on the disk: its segments, and its key.

use std::io;

use lle_log::audit::{Key, Segment};

use crate::world::{Disk, File};

/// What there is for a key.
pub(super) enum FoundKey {
    Usable(Key),
    /// A file of another length.
    Unusable(Vec<u8>),
    Gone,
}

impl FoundKey {
    /// Why nothing that was recorded can be proven.
    pub(super) fn problem(&self) -> String {
        match self {
            FoundKey::Unusable(bytes) => format!(
                "audit log: its key has {} bytes and not 32, so nothing in it can be proven",
                bytes.len()
            ),
            _ => "audit log: its key is gone, so nothing in it can be proven".into(),
        }
    }
}

pub(super) fn key(disk: &mut impl Disk) -> io::Result<FoundKey> {
    let Some(bytes) = disk.read(File::Key)? else {
        return Ok(FoundKey::Gone);
    };
    Ok(match bytes.try_into() {
        Ok(bytes) => FoundKey::Usable(Key::from_bytes(bytes)),
        Err(bytes) => FoundKey::Unusable(bytes),
    })
}

pub(super) type Segments = Vec<(u32, String, Vec<u8>)>;

pub(super) fn segments(disk: &mut impl Disk) -> io::Result<Segments> {
    let mut segments = Vec::new();
    for number in disk.audit_segments()? {
        let bytes = disk.read(File::Audit(number))?.unwrap_or_default();
        segments.push((number, crate::real::disk::audit_name(number), bytes));
    }
    Ok(segments)
}

pub(super) fn borrowed(segments: &Segments) -> Vec<Segment<'_>> {
    segments
        .iter()
        .map(|(_, name, bytes)| Segment { name, bytes })
        .collect()
}
