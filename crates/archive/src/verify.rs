//! Whether the repository is what was written.
//!
//! Three looks, each of which finds what the one before finds. The quick one, [`Verification::Metadata`], reads no pack:
//! what it finds and what not is said in `metadata.rs`. The next reads the trees, too, and holds every piece of every file
//! of every snapshot to the index; a flipped bit in a file's content escapes it. The full one reads every byte: each file
//! of a restic repository is named after the SHA-256 of what is in it, but for `config`, which is sealed.
//!
//! Invariant: nothing is changed. One flipped byte in any file of the repository is found by the full look, and by the
//! others if it is in no pack.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rustic_core::{CheckOptions, RusticError};
use sha2::{Digest, Sha256};

use crate::failure::{RepositoryError, remote, sentence};
use crate::hex;
use crate::lost::{self, Lost};
use crate::metadata;
use crate::progress::Step;
use crate::shelf::{Held, Shelf};
use crate::store::Store;

/// Findings that are named; a disk that dies has more.
const FINDINGS_MAX: usize = 100;
/// Bytes read at a time.
const READ_BYTES: usize = 256 * 1024;

/// How deep it was looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Keys, snapshots and index, each read whole, and the lengths of the packs that the index names: in milliseconds. No
    /// pack is read: what has changed in one is not found, nor a folder below the first that the index does not know.
    Metadata,
    /// The same, and the trees of all snapshots, each piece that they name held to the index.
    Trees,
    /// Every byte.
    Data,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What, and of which file.
    pub what: String,
    /// Whether something that was backed up may be lost; else it is untidy.
    pub serious: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How deep it was looked.
    pub verification: Verification,
    /// Bytes of the repository's files.
    pub bytes: u64,
    /// Its files.
    pub files: u64,
    /// Snapshots that were looked at.
    pub snapshots: u64,
    /// What is wrong, at most a hundred.
    pub findings: Vec<Finding>,
    /// Which snapshots have lost something by that; none if it is not known, since the repository cannot be read so far.
    pub lost: Option<Vec<Lost>>,
}

impl Verdict {
    /// Whether nothing that was backed up may be lost.
    pub fn is_good(&self) -> bool {
        self.findings.iter().all(|finding| !finding.serious)
    }
}

/// Looks at the repository.
///
/// # Errors
/// It could not be looked at; what is wrong with it is no error.
pub fn verify(store: &Store, verification: Verification) -> Result<Verdict, RepositoryError> {
    match verification {
        Verification::Metadata => quick(store),
        Verification::Trees | Verification::Data => deep(store, verification),
    }
}

/// Reads no pack.
fn quick(store: &Store) -> Result<Verdict, RepositoryError> {
    let looked = metadata::look(store)?;
    let mut findings = looked.findings;
    findings.extend(outside(store)?);
    let config = store.shelf.config_bytes()?;
    let verdict = Verdict {
        verification: Verification::Metadata,
        bytes: looked.bytes + config.unwrap_or(0),
        files: looked.files + u64::from(config.is_some()),
        snapshots: looked.snapshots,
        findings,
        lost: Some(Vec::new()),
    };
    Ok(judged(store, verdict, &HashSet::new()))
}

/// What is wrong with what is not named after its content. `config` is sealed: opening the repository again is looking at
/// it. What is in a folder that cannot be listed is not known to be gone.
fn outside(store: &Store) -> Result<Vec<Finding>, RepositoryError> {
    let finding = |what| Finding { what, serious: true };
    let mut findings: Vec<Finding> = store.shelf.unlisted().into_iter().map(finding).collect();
    match store.again() {
        Ok(_) => {}
        // Nobody knows what is there.
        Err(error) if error.remote().is_some_and(|error| !error.is_damage()) => return Err(error),
        Err(error) => findings.push(finding(format!("{}/config: {error}", store.shelf.address()))),
    }
    Ok(findings)
}

/// Says what a repository that is not good has lost.
fn judged(store: &Store, mut verdict: Verdict, damaged: &HashSet<String>) -> Verdict {
    // What is only untidy pushes nothing out that is serious.
    verdict.findings.sort_by_key(|finding| !finding.serious);
    verdict.findings.truncate(FINDINGS_MAX);
    if !verdict.is_good() {
        // Packs on a server are read by the library, which does not say which of them are damaged.
        let is_told = verdict.verification != Verification::Data || matches!(store.shelf, Shelf::Folder(_));
        let looked = catch_unwind(AssertUnwindSafe(|| lost::lost(store, damaged)));
        verdict.lost = looked.ok().and_then(Result::ok).filter(|_| is_told);
    }
    verdict
}

/// Reads the trees, and all data if it is asked for.
fn deep(store: &Store, verification: Verification) -> Result<Verdict, RepositoryError> {
    let full = verification == Verification::Data;
    let mut findings = Vec::new();
    let (mut files, mut bytes) = (0, 0);
    let mut damaged = HashSet::new();
    let all = store.shelf.files()?;
    let of: u64 = all.iter().map(|held| held.bytes).sum();
    for held in &all {
        files += 1;
        if is_ours_to_read(&store.shelf, held, full) {
            (store.watch)(&Step {
                what: "reading every file".into(),
                done: bytes,
                of: Some(of),
                bytes: true,
                ended: false,
            });
            if let Some(what) = misnamed(&store.shelf, held)? {
                damaged.insert(held.name.clone());
                findings.push(Finding { what, serious: true });
            }
        }
        bytes += held.bytes;
    }
    findings.extend(outside(store)?);
    let snapshots = store
        .repository
        .list::<rustic_core::repofile::SnapshotId>()?
        .count() as u64;
    let options = CheckOptions::default().read_data(full);
    // The library takes some damage for impossible.
    let checked = catch_unwind(AssertUnwindSafe(|| store.repository.check(options)));
    match checked {
        Ok(Ok(results)) => {
            for (level, error) in results.0 {
                // A server that went away meanwhile says nothing about what it has.
                if let Some(error) = remote(&error).filter(|error| !error.is_damage()) {
                    return Err(error.clone().into());
                }
                findings.push(Finding {
                    what: said(&error),
                    serious: format!("{level:?}") == "Error",
                });
            }
        }
        Ok(Err(error)) => {
            let error = RepositoryError::from(error);
            if error.remote().is_some_and(|error| !error.is_damage()) {
                return Err(error);
            }
            findings.push(Finding {
                what: error.to_string(),
                serious: true,
            });
        }
        Err(_) => findings.push(Finding {
            what: "the check itself failed on what it found".into(),
            serious: true,
        }),
    }
    let verdict = Verdict {
        verification,
        bytes,
        files,
        snapshots,
        findings,
        lost: Some(Vec::new()),
    };
    Ok(judged(store, verdict, &damaged))
}

/// What the library found, in a sentence: its causes are pages with traces, and what it says to do is for another program.
fn said(found: &impl std::error::Error) -> String {
    let text = found.to_string();
    let cause = found.source().and_then(|cause| {
        let boxed = cause.downcast_ref::<Box<RusticError>>().map(|error| &**error);
        boxed.or_else(|| cause.downcast_ref::<RusticError>())
    });
    let text = match cause {
        Some(cause) => {
            let what = text.split(" : ").next().unwrap_or(&text);
            format!("{what}: {}", sentence(cause))
        }
        None => text.split(" To repair: ").next().unwrap_or(&text).to_owned(),
    };
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").trim_end_matches(['.', '!']).to_owned()
}

/// Whether a file is read here: small ones always, packs if all of them are. What comes over a line is read once: packs by
/// the library, which compares each with its name, too.
fn is_ours_to_read(shelf: &Shelf, held: &Held, full: bool) -> bool {
    held.folder != Some("data") || (full && matches!(shelf, Shelf::Folder(_)))
}

/// Where the first key file lies whose content is not what its name says.
pub(crate) fn first_misnamed_key(shelf: &Shelf) -> Result<Option<String>, RepositoryError> {
    for held in shelf.files()?.iter().filter(|held| held.folder == Some("keys")) {
        if misnamed(shelf, held)?.is_some() {
            return Ok(Some(held.place.clone()));
        }
    }
    Ok(None)
}

/// What is wrong with a file that is named after its content; none if nothing is, or if it is not named so.
fn misnamed(shelf: &Shelf, held: &Held) -> Result<Option<String>, RepositoryError> {
    let (name, place) = (&held.name, &held.place);
    if name.len() != 64 || hex::decode(name).is_none() {
        return Ok(None);
    }
    let digest = match (shelf, held.folder) {
        (Shelf::Server(remote), Some(folder)) => match remote.read(&format!("{folder}/{name}")) {
            Ok(bytes) => Ok(Sha256::digest(&bytes).into()),
            Err(error) if !error.is_damage() => return Err(error.into()),
            Err(error) => Err(error.to_string()),
        },
        _ => digest(Path::new(place)).map_err(|error| error.to_string()),
    };
    Ok(match digest {
        Ok(digest) if hex::encode(&digest) == *name => None,
        Ok(_) => Some(format!("{place} has changed since it was written")),
        Err(error) => Some(format!("{place} cannot be read: {error}")),
    })
}

fn digest(file: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(file)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..n]);
    }
}
