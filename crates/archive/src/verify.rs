//! Whether the repository is what was written.
//!
//! The quick look compares what the index, the snapshots and their trees say with the files that are there; it reads no
//! data, and a flipped bit in a file's content escapes it. The full one reads every byte: each file of a restic
//! repository is named after the SHA-256 of what is in it, but for `config`, which is sealed.
//!
//! Invariant: nothing is changed. One flipped byte in any file of the repository is found by the full look.

use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rustic_core::CheckOptions;
use sha2::{Digest, Sha256};

use crate::failure::RepositoryError;
use crate::hex;
use crate::progress::Step;
use crate::store::Store;

/// Findings that are named; a disk that dies has more.
const FINDINGS_MAX: usize = 100;
/// Bytes read at a time.
const READ_BYTES: usize = 256 * 1024;
/// The folders of a repository whose files are named after their content.
const FOLDERS: &[&str] = &["keys", "snapshots", "index", "data"];

/// How deep it was looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Index, snapshots and trees against the files that are there.
    Metadata,
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
    let full = verification == Verification::Data;
    let mut findings = Vec::new();
    let (mut files, mut bytes) = (0, 0);
    let all = all_files(&store.path);
    let of: u64 = all.iter().map(|(_, length)| length).sum();
    for (file, length) in &all {
        files += 1;
        if full {
            (store.watch)(&Step {
                what: "reading every file".into(),
                done: bytes,
                of: Some(of),
                bytes: true,
                ended: false,
            });
            if let Some(what) = misnamed(file) {
                findings.push(Finding { what, serious: true });
            }
        }
        bytes += length;
    }
    // The one file that is not named after its content is sealed: opening it again is looking at it.
    if let Err(error) = store.again() {
        findings.push(Finding {
            what: format!("{}: {error}", store.path.join("config").display()),
            serious: true,
        });
    }
    let snapshots = store
        .repository
        .list::<rustic_core::repofile::SnapshotId>()?
        .count() as u64;
    let options = CheckOptions::default().read_data(full);
    // The library takes some damage for impossible.
    let checked = catch_unwind(AssertUnwindSafe(|| store.repository.check(options)));
    match checked {
        Ok(Ok(results)) => findings.extend(results.0.into_iter().map(|(level, error)| Finding {
            what: one_line(&error.to_string()),
            serious: format!("{level:?}") == "Error",
        })),
        Ok(Err(error)) => findings.push(Finding {
            what: RepositoryError::from(error).to_string(),
            serious: true,
        }),
        Err(_) => findings.push(Finding {
            what: "the check itself failed on what it found".into(),
            serious: true,
        }),
    }
    findings.truncate(FINDINGS_MAX);
    Ok(Verdict {
        verification,
        bytes,
        files,
        snapshots,
        findings,
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every file of the repository with its length, in order.
pub(crate) fn all_files(path: &Path) -> Vec<(PathBuf, u64)> {
    let mut files: Vec<PathBuf> = vec![path.join("config")];
    for folder in FOLDERS {
        let folder = path.join(folder);
        for name in names(&folder) {
            let entry = folder.join(&name);
            if name.len() == 2 {
                files.extend(names(&entry).into_iter().map(|name| entry.join(name)));
            } else {
                files.push(entry);
            }
        }
    }
    let length = |file: PathBuf| {
        let found = fs::metadata(&file).ok()?;
        found.is_file().then_some((file, found.len()))
    };
    files.into_iter().filter_map(length).collect()
}

/// The names in a folder, in order; none if there is none.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

/// The first file in a folder whose content is not what its name says.
pub(crate) fn first_misnamed(folder: &Path) -> Option<PathBuf> {
    let files = names(folder).into_iter().map(|name| folder.join(name));
    files.into_iter().find(|file| misnamed(file).is_some())
}

/// What is wrong with a file that is named after its content; none if nothing is, or if it is not named so.
fn misnamed(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    if name.len() != 64 || hex::decode(name).is_none() {
        return None;
    }
    match digest(file) {
        Ok(digest) if hex::encode(&digest) == name => None,
        Ok(_) => Some(format!("{} has changed since it was written", file.display())),
        Err(error) => Some(format!("{} cannot be read: {error}", file.display())),
    }
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
