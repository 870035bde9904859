//! How a file begins: whether it is a log of ours, and where its records start.

use std::path::Path;

use super::OpenError;
use crate::descriptor::Descriptor;
use crate::header::{Beginning, FILE_HEADER_BYTES, FileHeader, LogKind};
use crate::{frame, walk};

/// How far to look for a record in a file whose header is damaged: one longest record and some.
const RECOGNISE_BYTES: u64 = 2 * frame::PAYLOAD_BYTES_MAX as u64;

/// Says where the records of the file start, if it is a log of this kind, and gives its first bytes, zeros where it is shorter.
///
/// A header that does not check is damage, not a reason to refuse, as long as the file begins like a log or
/// there is a record in it.
pub(super) fn recognise(
    descriptor: &Descriptor,
    path: &Path,
    kind: LogKind,
    end: u64,
) -> Result<(u64, FileHeader), OpenError> {
    let mut header = [0; FILE_HEADER_BYTES];
    let there = descriptor.read_at(&mut header, 0).unwrap_or(0);
    let foreign = || OpenError::Foreign {
        path: path.to_owned(),
    };
    let has_record = || {
        walk::Forward::new(descriptor, 0, end.min(RECOGNISE_BYTES))
            .next()
            .is_some()
    };
    match Beginning::of(&header[..there.min(FILE_HEADER_BYTES)], kind) {
        Beginning::Sound => Ok((FILE_HEADER_BYTES as u64, header)),
        Beginning::Damaged => Ok((0, header)),
        Beginning::Unknown if has_record() => Ok((0, header)),
        Beginning::Unknown | Beginning::Other => Err(foreign()),
        Beginning::Version(found) => Err(OpenError::Version {
            path: path.to_owned(),
            found,
        }),
    }
}
