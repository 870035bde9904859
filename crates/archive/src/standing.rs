//! How files on disk stand to those of a snapshot, by content: every byte that the snapshot has is read and hashed.
//!
//! ```text
//!  files ─▸ opened, a few at a time ─▸ │ pieces: offset, length, SHA-256 │ ─▸ whichever processor is free reads one
//! ```
//!
//! The piece is what is shared out, not the file: most of a home is one history. A SHA-256 is all that the snapshot knows
//! of a piece, so what a comparison takes is SHA-256 of everything, divided by the processors. Nothing is remembered of
//! it: what a file was like says nothing of a disk that has gone bad since, and to mend that is what a restore is for.
//!
//! Invariants: a file is the same only if all of it was read since this was called, whatever its times say. A log that has
//! only grown since is no other: it holds all that the snapshot has. Whether another one does, [`crate::history`] tells.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustic_core::repofile::Node;
use rustic_core::{Id, IndexedFull, Repository};
use sha2::{Digest, Sha256};

use crate::failure::RepositoryError;
use crate::source::grows;

/// Files that are open at once.
const OPEN_MAX: usize = 64;
/// Bytes read at a time: with what the kernel copies from, they stay within the processor's own cache.
const READ_BYTES: usize = 128 * 1024;
/// Bytes that one processor reads before others would be awake.
const ALONE_BYTES_MAX: u64 = 256 * 1024;

/// How a file on disk stands to one of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is none.
    Absent,
    /// It is the same.
    Same,
    /// It is a log that begins with all that the snapshot has.
    Grown,
    /// It is another.
    Differs,
}

/// A file of a snapshot, and where it lies here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'f> {
    pub(crate) node: &'f Node,
    /// Its name in the archive.
    pub(crate) name: &'f Path,
    pub(crate) path: &'f Path,
}

/// A file that is being compared.
struct Opened {
    file: File,
    /// Set once one of its pieces is another.
    differs: AtomicBool,
}

/// A stretch of a file that is to have a hash.
struct Piece<'f> {
    file: &'f Opened,
    at: u64,
    length: u64,
    id: Id,
}

/// Compares files on disk with those of a snapshot, by content; gives how each of them stands, in their order.
///
/// # Errors
/// The index does not know a piece of one of them.
pub(crate) fn standings<S: IndexedFull>(
    repository: &Repository<S>,
    files: &[Placed<'_>],
) -> Result<Vec<Standing>, RepositoryError> {
    let mut out = Vec::with_capacity(files.len());
    for some in files.chunks(OPEN_MAX) {
        let opened: Vec<Result<Opened, Standing>> = some.iter().map(Opened::of).collect();
        let mut pieces = Vec::new();
        for (one, opened) in some.iter().zip(&opened) {
            let Ok(file) = opened else { continue };
            let mut at = 0;
            for id in one.node.content.iter().flatten() {
                let length = u64::from(repository.get_index_entry(id)?.location.data_length());
                let id = **id;
                pieces.push(Piece { file, at, length, id });
                at += length;
            }
        }
        look(pieces);
        let judged = some.iter().zip(opened);
        out.extend(judged.map(|(one, opened)| match opened {
            Ok(file) => file.standing(one),
            Err(standing) => standing,
        }));
    }
    Ok(out)
}

/// Reads pieces, the longest first: so no processor is left with a long one at the end.
fn look(mut pieces: Vec<Piece<'_>>) {
    pieces.sort_by_key(|piece| Reverse(piece.length));
    let next = AtomicUsize::new(0);
    let look = || {
        let mut buffer = vec![0; READ_BYTES];
        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            piece.look(&mut buffer);
        }
    };
    let bytes: u64 = pieces.iter().map(|piece| piece.length).sum();
    match bytes > ALONE_BYTES_MAX {
        true => drop(rayon::broadcast(|_| look())),
        false => look(),
    }
}

impl Opened {
    /// Opens a file that may be the same; else says how it stands without being read.
    fn of(one: &Placed<'_>) -> Result<Opened, Standing> {
        let file = File::open(one.path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Standing::Absent,
            // It is there, and whatever it is, it is kept aside.
            _ => Standing::Differs,
        })?;
        let found = file.metadata().map_err(|_| Standing::Differs)?;
        match found.is_file() && found.len() >= one.node.meta.size {
            true => Ok(Opened {
                file,
                differs: AtomicBool::new(false),
            }),
            false => Err(Standing::Differs),
        }
    }

    /// How it stands, once its pieces were looked at.
    fn standing(&self, one: &Placed<'_>) -> Standing {
        if self.differs.load(Ordering::Relaxed) {
            return Standing::Differs;
        }
        match self.file.metadata() {
            Ok(found) if found.len() == one.node.meta.size => Standing::Same,
            Ok(found) if found.len() > one.node.meta.size && grows(one.name) => Standing::Grown,
            _ => Standing::Differs,
        }
    }
}

impl Piece<'_> {
    /// Reads it, unless another piece of its file is known to differ.
    fn look(&self, buffer: &mut [u8]) {
        let differs = &self.file.differs;
        if !differs.load(Ordering::Relaxed) && !self.is_same(buffer).unwrap_or(false) {
            differs.store(true, Ordering::Relaxed);
        }
    }

    fn is_same(&self, buffer: &mut [u8]) -> io::Result<bool> {
        let mut hash = Sha256::new();
        let (mut at, end) = (self.at, self.at + self.length);
        while at < end {
            let some = usize::try_from(end - at).map_or(buffer.len(), |left| left.min(buffer.len()));
            self.file.file.read_exact_at(&mut buffer[..some], at)?;
            hash.update(&buffer[..some]);
            at += some as u64;
        }
        Ok(Id::new(hash.finalize().into()) == self.id)
    }
}
