//! The quick look: what the repository says of itself, held to what lies there, without reading a pack.
//!
//! | looked at | is held to |
//! | --- | --- |
//! | `config` | its seal |
//! | every key, snapshot and index file | its name, which is the SHA-256 of all its bytes |
//! | every snapshot and index file | its seal and its form, too |
//! | every pack that an index file names | that it is there, in the length that its pieces add up to |
//! | every index file | that pieces of a pack follow each other, and are of one kind |
//! | every snapshot | that an index file names the tree that it begins with |
//!
//! What it cannot find, since it is in packs and those are not read: a byte of a pack that has changed, and a folder
//! further in, or a piece of a file, that no index file names. [`Verification::Trees`] finds the second,
//! [`Verification::Data`] both. Packs that nobody names are not looked for: they are untidy, and no loss.
//!
//! Invariants: what is told as good was read in this look; nothing is remembered from the one before. First snapshots are
//! listed, then index files, then packs: who adds a snapshot meanwhile writes them the other way round.
//!
//! [`Verification::Trees`]: crate::Verification::Trees
//! [`Verification::Data`]: crate::Verification::Data

use std::collections::HashSet;

use rustic_core::repofile::{BlobType, IndexBlob, IndexFile, IndexPack};
use rustic_core::{Id, TreeId};
use serde::Deserialize;

use crate::failure::RepositoryError;
use crate::shelf::{Held, Shelf};
use crate::small::{self, FOLDERS, KEYS, SNAPSHOTS};
use crate::store::Store;
use crate::verify::Finding;

/// What was looked at, and is wrong.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) snapshots: u64,
    pub(crate) findings: Vec<Finding>,
}

/// What a file says of others.
#[derive(Debug)]
enum Said {
    /// A key file says nothing of them.
    Nothing,
    /// The tree that a snapshot begins with.
    Begins(Id),
    /// The packs that an index file names, and the trees in them.
    Names { packs: Vec<Named>, trees: Vec<Id> },
}

/// All of a snapshot that is looked at. Its bytes are those that were written, so the rest of it says what it said.
#[derive(Debug, Deserialize)]
struct Begins {
    tree: TreeId,
}

/// A pack as an index file names it.
#[derive(Debug)]
struct Named {
    id: Id,
    bytes: u64,
    /// How the index file contradicts itself about it.
    wrong: Option<&'static str>,
}

/// Looks. The file `config` is looked at by whoever opens the repository.
///
/// # Errors
/// A server went away meanwhile.
pub(crate) fn look(store: &Store) -> Result<Looked, RepositoryError> {
    let shelf = &store.shelf;
    let mut looked = Looked::default();
    let mut files = Vec::new();
    for folder in FOLDERS {
        files.extend(shelf.small_files(folder)?);
    }
    let read = small::each(store, &files, said)?;
    let (mut begun, mut trees, mut named) = (Vec::new(), HashSet::new(), Vec::new());
    for (held, read) in files.iter().zip(read) {
        looked.files += 1;
        looked.bytes += read.bytes;
        looked.snapshots += u64::from(held.folder == Some(SNAPSHOTS));
        match read.said {
            Ok(Said::Nothing) => {}
            Ok(Said::Begins(tree)) => begun.push((held, tree)),
            Ok(Said::Names { packs, trees: of }) => {
                trees.extend(of);
                named.extend(packs.into_iter().map(|pack| (held, pack)));
            }
            Err(why) => looked.finds(format!("{}: {why}", held.place)),
        }
    }
    for (held, tree) in begun {
        if !trees.contains(&tree) {
            looked.finds(format!(
                "{}: no index file names the folder that it begins with",
                held.place
            ));
        }
    }
    looked.packs(shelf, &named)?;
    Ok(looked)
}

impl Looked {
    fn finds(&mut self, what: String) {
        self.findings.push(Finding { what, serious: true });
    }

    /// Holds the packs that are named to those that are there.
    fn packs(&mut self, shelf: &Shelf, named: &[(&Held, Named)]) -> Result<(), RepositoryError> {
        let names: Vec<String> = named
            .iter()
            .map(|(_, pack)| pack.id.to_hex().to_string())
            .collect();
        let there = shelf.bytes_of_packs(&names)?;
        let mut seen = HashSet::new();
        for (((held, pack), name), there) in named.iter().zip(&names).zip(there) {
            if let Some(wrong) = pack.wrong {
                self.finds(format!("{}: {wrong}, of the pack {name}", held.place));
            }
            // Two index files may name one pack, and then say the same of it.
            if !seen.insert((pack.id, pack.bytes)) {
                continue;
            }
            match there {
                Some(bytes) if bytes == pack.bytes => {}
                Some(bytes) => self.finds(format!(
                    "{} has {bytes} bytes, and {} by the index",
                    shelf.place_of_pack(name),
                    pack.bytes
                )),
                None => self.finds(format!(
                    "{} is not present, and the index names it",
                    shelf.place_of_pack(name)
                )),
            }
            self.files += 1;
            self.bytes += there.unwrap_or(0);
        }
        Ok(())
    }
}

/// What a small file says of others.
fn said(held: &Held, text: &[u8]) -> Result<Said, String> {
    match held.folder {
        Some(KEYS) => Ok(Said::Nothing),
        Some(SNAPSHOTS) => {
            let begins: Begins = serde_json::from_slice(text).map_err(|error| error.to_string())?;
            Ok(Said::Begins(*begins.tree))
        }
        _ => {
            let file: IndexFile = serde_json::from_slice(text).map_err(|error| error.to_string())?;
            Ok(index(file))
        }
    }
}

fn index(file: IndexFile) -> Said {
    let (mut packs, mut trees) = (Vec::new(), Vec::new());
    for pack in file.packs {
        if pack.blob_type() == BlobType::Tree {
            trees.extend(pack.blobs.iter().map(|blob| *blob.id));
        }
        packs.push(Named::of(pack));
    }
    for pack in file.packs_to_delete {
        let is_timed = pack.time.is_some();
        let mut pack = Named::of(pack);
        if !is_timed {
            pack.wrong = Some("it does not say when it was given up");
        }
        packs.push(pack);
    }
    Said::Names { packs, trees }
}

impl Named {
    fn of(mut pack: IndexPack) -> Named {
        let (bytes, kind) = (u64::from(pack.pack_size()), pack.blob_type());
        pack.blobs.sort_unstable();
        let mut end = Some(0u32);
        let follows = |blob: &IndexBlob| {
            let follows = end == Some(blob.location.offset);
            end = blob.location.offset.checked_add(blob.location.length);
            follows
        };
        let wrong = if pack.blobs.iter().any(|blob| blob.tpe != kind) {
            Some("its pieces are of two kinds")
        } else if !pack.blobs.iter().all(follows) {
            Some("its pieces do not follow each other")
        } else {
            None
        };
        Named {
            id: *pack.id,
            bytes,
            wrong,
        }
    }
}
