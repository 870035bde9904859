//! The small files of a repository, read whole: keys, snapshots, index files.
//!
//! The library reads them, too, but makes 300 KiB ready to unpack each, which takes longer than all else, and does not
//! hold a file to its name. Where hundreds are read, as for a list or a look at all of them, they are read here.
//!
//! Invariant: what a file says is given out only if its bytes are the ones that its name is the SHA-256 of, and its seal
//! holds.

use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use crate::failure::RepositoryError;
use crate::hex;
use crate::shelf::Held;
use crate::store::Store;
use crate::unseal::Opener;

/// The folders, in the order in which a reader lists them: who adds a snapshot writes its index file first.
pub(crate) const FOLDERS: &[&str] = &[KEYS, SNAPSHOTS, INDEX];
pub(crate) const KEYS: &str = "keys";
pub(crate) const SNAPSHOTS: &str = "snapshots";
pub(crate) const INDEX: &str = "index";

/// Bytes of an index file, unpacked: the library begins another one at fifty thousand pieces, of 200 bytes each.
const TEXT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Files that one processor has read before others would be awake.
const ALONE_MAX: usize = 4;

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Read<T> {
    /// Its bytes; 0 if it could not be read.
    pub(crate) bytes: u64,
    /// What it says, or why it says nothing.
    pub(crate) said: Result<T, String>,
}

/// Reads each of these files, and has `say` make something of its text; gives what came of them in their order.
///
/// # Errors
/// A server went away meanwhile. What is wrong with a file is no error.
pub(crate) fn each<T: Send>(
    store: &Store,
    files: &[Held],
    say: impl Fn(&Held, &[u8]) -> Result<T, String> + Sync,
) -> Result<Vec<Read<T>>, RepositoryError> {
    let master = store.repository.key();
    let one = |opener: &mut Option<Opener>, held: &Held| -> Result<Read<T>, RepositoryError> {
        let mut bytes = match store.shelf.read(held)? {
            Ok(bytes) => bytes,
            Err(why) => {
                return Ok(Read {
                    bytes: 0,
                    said: Err(why),
                });
            }
        };
        let length = bytes.len() as u64;
        let said = match opener {
            _ if hex::encode(&<[u8; 32]>::from(Sha256::digest(&bytes))) != held.name => {
                Err("its bytes have changed since it was written".to_owned())
            }
            _ if held.folder == Some(KEYS) => say(held, &bytes),
            None => Err("the key is none".to_owned()),
            Some(opener) => match opener.open(&mut bytes, TEXT_BYTES_MAX) {
                Ok(text) => say(held, text),
                Err(error) => Err(error.to_string()),
            },
        };
        Ok(Read { bytes: length, said })
    };
    // Each processor gets ready once, which takes as long as some files do, and takes the next file as often as it can.
    let next = AtomicUsize::new(0);
    let some = || {
        let mut opener = Opener::of(&master);
        let mut read = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            match files.get(at) {
                Some(held) => read.push((at, one(&mut opener, held))),
                None => return read,
            }
        }
    };
    let mut read: Vec<_> = match files.len() > ALONE_MAX {
        true => rayon::broadcast(|_| some()).into_iter().flatten().collect(),
        false => some(),
    };
    read.sort_unstable_by_key(|(at, _)| *at);
    read.into_iter().map(|(_, read)| read).collect()
}
