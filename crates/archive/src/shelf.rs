//! The files of a repository as files, apart from what is in them: in a folder, or on a server.
//!
//! Invariant: "there is none" is said of a server's file only when the server says so; what cannot be listed is an error
//! there. In a folder what cannot be listed is empty, as everywhere here: opening the repository says why.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use lle_core::repository::Address;
use rustic_backend::BackendOptions;
use rustic_core::WriteBackend;
use sha2::{Digest, Sha256};

use crate::disk;
use crate::durable::Durable;
use crate::failure::RepositoryError;
use crate::hex;
use crate::remote::{Credentials, Remote, RemoteError};
use crate::restic;
use crate::store::OpenError;

/// The folders of a repository whose files are named after their content.
const FOLDERS: &[&str] = &["keys", "snapshots", "index", "data"];
/// Digits of a name: of a SHA-256.
const NAME_DIGITS: usize = 64;
/// Bytes of a key file, at most.
const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;

/// Where the files are.
#[derive(Clone, Debug)]
pub(crate) enum Shelf {
    Folder(PathBuf),
    Server(Arc<Remote>),
}

/// A file of a repository.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Where it lies, as it is said to a person.
    pub(crate) place: String,
    /// The folder of the repository that it is in; none for `config`.
    pub(crate) folder: Option<&'static str>,
    /// Its own name.
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

impl Shelf {
    /// Gets ready to look; says nothing to a server yet.
    ///
    /// # Errors
    /// This program does not know such a server, or has nothing to prove itself with.
    pub(crate) fn at(address: &Address, credentials: &Credentials) -> Result<Shelf, RemoteError> {
        Ok(match address {
            Address::Folder(path) => Shelf::Folder(path.clone()),
            server => Shelf::Server(Arc::new(Remote::at(server, credentials)?)),
        })
    }

    pub(crate) fn address(&self) -> Address {
        match self {
            Shelf::Folder(path) => Address::Folder(path.clone()),
            Shelf::Server(remote) => remote.address().clone(),
        }
    }

    /// What the library reads and writes it by.
    pub(crate) fn backend(&self) -> Result<Arc<dyn WriteBackend>, RepositoryError> {
        match self {
            Shelf::Folder(path) => {
                let backends = BackendOptions::default()
                    .repository(format!("local:{}", path.display()))
                    .to_backends()?;
                Ok(Arc::new(Durable::over(backends.repository(), path)))
            }
            Shelf::Server(remote) => Ok(remote.clone()),
        }
    }

    /// Makes the folder that the repository will be in; a server does that when it is told to make one.
    pub(crate) fn make(&self) -> io::Result<()> {
        match self {
            Shelf::Folder(path) => disk::create_folder(path),
            Shelf::Server(_) => Ok(()),
        }
    }

    /// Whether there is a repository, by its file `config`.
    pub(crate) fn has_config(&self) -> Result<bool, OpenError> {
        match self {
            Shelf::Folder(path) => match fs::metadata(path.join("config")) {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(source) => {
                    let path = path.join("config");
                    Err(OpenError::Io { path, source })
                }
            },
            Shelf::Server(remote) => match remote.look("config") {
                Ok(found) => Ok(found.is_some()),
                Err(error) => Err(OpenError::remote(remote, error)),
            },
        }
    }

    /// Whether there is anything that only a repository has, beside its file `config`.
    pub(crate) fn has_rest(&self) -> Result<bool, OpenError> {
        for folder in ["snapshots", "index", "keys"] {
            let is_empty = match self {
                Shelf::Folder(path) => names(&path.join(folder)).is_empty(),
                Shelf::Server(remote) => match remote.list_if_there(folder) {
                    // The place is made with the repository.
                    Ok(files) => files.is_none_or(|files| files.is_empty()),
                    Err(error) => return Err(OpenError::remote(remote, error)),
                },
            };
            if !is_empty {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The names of the key files.
    pub(crate) fn keys(&self) -> Result<Vec<String>, OpenError> {
        match self {
            Shelf::Folder(path) => Ok(names(&path.join("keys"))),
            Shelf::Server(remote) => match remote.list("keys") {
                Ok(files) => Ok(files.into_iter().map(|(name, _)| name).collect()),
                Err(error) => Err(OpenError::remote(remote, error)),
            },
        }
    }

    /// A key file; none if it cannot be read.
    pub(crate) fn key(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Shelf::Folder(path) => disk::read_small(&path.join("keys").join(name), KEY_FILE_BYTES_MAX)
                .ok()
                .flatten(),
            Shelf::Server(remote) => remote.read(&format!("keys/{name}")).ok().map(Into::into),
        }
    }

    /// Whether a key file is what its name says. One on a server is not fetched each time for that.
    pub(crate) fn is_whole_key(&self, name: &str) -> bool {
        let is_whole = |bytes: Vec<u8>| hex::encode(&<[u8; 32]>::from(Sha256::digest(&bytes))) == name;
        match self {
            Shelf::Folder(_) => self.key(name).is_some_and(is_whole),
            Shelf::Server(_) => true,
        }
    }

    /// Removes a key file; one that is gone is removed already.
    pub(crate) fn remove_key(&self, name: &str) -> Result<(), OpenError> {
        match self {
            Shelf::Folder(path) => {
                let path = path.join("keys").join(name);
                match fs::remove_file(&path) {
                    Err(source) if source.kind() != io::ErrorKind::NotFound => {
                        Err(OpenError::Io { path, source })
                    }
                    _ => Ok(()),
                }
            }
            Shelf::Server(remote) => match remote.remove(&format!("keys/{name}")) {
                Ok(()) => Ok(()),
                Err(error) => Err(OpenError::remote(remote, error)),
            },
        }
    }

    /// The locks that restic left in a repository that is there; one that is gone by the time it is read is of nobody.
    pub(crate) fn locks(&self) -> Result<Vec<restic::Found>, OpenError> {
        match self {
            Shelf::Folder(path) => Ok(locks_in(&path.join(restic::FOLDER))),
            Shelf::Server(remote) => {
                let locks = locks_on(remote);
                locks.map_err(|error| OpenError::remote(remote, error))
            }
        }
    }

    /// Every file of the repository, in order.
    pub(crate) fn files(&self) -> Result<Vec<Held>, RepositoryError> {
        match self {
            Shelf::Folder(path) => Ok(files_in(path, FOLDERS)),
            Shelf::Server(remote) => {
                let root = remote.address().to_string();
                let held = |folder: Option<&'static str>, name: String, bytes| Held {
                    place: match folder {
                        Some(folder) => format!("{root}/{folder}/{name}"),
                        None => format!("{root}/{name}"),
                    },
                    folder,
                    name,
                    bytes,
                };
                let mut files: Vec<Held> = self
                    .config_bytes()?
                    .map(|bytes| held(None, "config".to_owned(), bytes))
                    .into_iter()
                    .collect();
                for folder in FOLDERS {
                    let listed = remote.list(folder)?;
                    files.extend(
                        listed
                            .into_iter()
                            .map(|(name, bytes)| held(Some(folder), name, bytes)),
                    );
                }
                Ok(files)
            }
        }
    }

    /// The packs that are there, with their bytes.
    pub(crate) fn packs(&self) -> Result<HashMap<String, u64>, RepositoryError> {
        match self {
            Shelf::Folder(path) => Ok(files_in(path, &["data"])
                .into_iter()
                .filter(|held| held.folder.is_some())
                .map(|held| (held.name, held.bytes))
                .collect()),
            Shelf::Server(remote) => Ok(remote.list("data")?.into_iter().collect()),
        }
    }

    /// The files of one of the folders that hold no packs, as far as they are named as the files of a repository are. How
    /// long those in a folder are is known once they were read.
    pub(crate) fn small_files(&self, folder: &'static str) -> Result<Vec<Held>, RepositoryError> {
        let held = |root: String, (name, bytes): (String, u64)| Held {
            place: format!("{root}/{folder}/{name}"),
            folder: Some(folder),
            name,
            bytes,
        };
        let is_named = |(name, _): &(String, u64)| name.len() == NAME_DIGITS && hex::decode(name).is_some();
        let (root, listed) = match self {
            Shelf::Folder(path) => {
                let names = names(&path.join(folder)).into_iter();
                (path.display().to_string(), names.map(|name| (name, 0)).collect())
            }
            Shelf::Server(remote) => (remote.address().to_string(), remote.list(folder)?),
        };
        let listed = listed.into_iter().filter(is_named);
        Ok(listed.map(|one| held(root.clone(), one)).collect())
    }

    /// Bytes of the file `config`; none if it is not there.
    pub(crate) fn config_bytes(&self) -> Result<Option<u64>, RepositoryError> {
        Ok(match self {
            Shelf::Folder(path) => fs::metadata(path.join("config")).ok().map(|found| found.len()),
            Shelf::Server(remote) => remote.look("config")?,
        })
    }

    /// The folders of a local repository that are there and do not say what is in them, and why: what is in one would be
    /// taken for gone.
    pub(crate) fn unlisted(&self) -> Vec<String> {
        let Shelf::Folder(path) = self else {
            return Vec::new();
        };
        let folders = FOLDERS.iter().map(|folder| path.join(folder));
        let why = |folder: PathBuf| match fs::read_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Some(format!("{} cannot be listed: {error}", folder.display()))
            }
            _ => None,
        };
        folders.filter_map(why).collect()
    }

    /// All of a small file, or why it cannot be read.
    ///
    /// # Errors
    /// A server went away.
    pub(crate) fn read(&self, held: &Held) -> Result<Result<Vec<u8>, String>, RepositoryError> {
        let folder = held.folder.unwrap_or_default();
        match self {
            Shelf::Folder(path) => {
                Ok(fs::read(path.join(folder).join(&held.name)).map_err(|error| error.to_string()))
            }
            Shelf::Server(remote) => match remote.read(&format!("{folder}/{}", held.name)) {
                Ok(bytes) => Ok(Ok(bytes.into())),
                Err(error) if !error.is_damage() => Err(error.into()),
                Err(error) => Ok(Err(error.to_string())),
            },
        }
    }

    /// The bytes of these packs, in their order; none of one that is not there. A folder is asked for each by its name:
    /// listing the 256 folders that packs lie in takes longer than that, as long as there are fewer than some thousand.
    pub(crate) fn bytes_of_packs(&self, names: &[String]) -> Result<Vec<Option<u64>>, RepositoryError> {
        match self {
            Shelf::Folder(path) => {
                let data = path.join("data");
                let bytes = |name: &String| {
                    let folder = data.join(name.get(..2).unwrap_or_default());
                    let found = fs::metadata(folder.join(name)).ok();
                    found.filter(fs::Metadata::is_file).map(|found| found.len())
                };
                Ok(names.iter().map(bytes).collect())
            }
            Shelf::Server(_) => {
                let there = self.packs()?;
                Ok(names.iter().map(|name| there.get(name).copied()).collect())
            }
        }
    }

    /// Where a pack lies, as it is said to a person.
    pub(crate) fn place_of_pack(&self, name: &str) -> String {
        let folder = name.get(..2).unwrap_or_default();
        match self {
            Shelf::Folder(path) => format!("{}/data/{folder}/{name}", path.display()),
            Shelf::Server(remote) => format!("{}/data/{name}", remote.address()),
        }
    }

    /// Bytes of all its files.
    pub(crate) fn size(&self) -> Result<u64, RepositoryError> {
        Ok(self.files()?.iter().map(|held| held.bytes).sum())
    }

    /// Removes files that were being written when their process was killed; a server has none under such names.
    pub(crate) fn remove_strays(&self) {
        let Shelf::Folder(path) = self else { return };
        let folders = ["", "keys", "snapshots", "index"]
            .iter()
            .map(|name| path.join(name));
        let data = path.join("data");
        let packs = names(&data).into_iter().map(|name| data.join(name));
        for folder in folders.chain(packs) {
            for name in names(&folder).iter().filter(|name| name.ends_with("-tmp-")) {
                // Untidy is no failure.
                let _stray = fs::remove_file(folder.join(name));
            }
        }
    }
}

fn locks_in(folder: &Path) -> Vec<restic::Found> {
    let now = SystemTime::now();
    let found = |name: &String| {
        let path = folder.join(name);
        let sealed = match disk::read_small(&path, restic::LOCK_BYTES_MAX) {
            // An empty one is of a write that was cut, as restic has it.
            Ok(read) => read.filter(|sealed| !sealed.is_empty())?,
            Err(_) => Vec::new(),
        };
        let written = fs::metadata(&path).and_then(|found| found.modified()).ok();
        Some(restic::Found {
            place: path.display().to_string(),
            sealed,
            // One from the future is of a clock that is ahead: fresh.
            age_s: written.map(|at| now.duration_since(at).unwrap_or_default().as_secs()),
        })
    };
    let names = names(folder).into_iter().filter(|name| restic::is_lock(name));
    names.filter_map(|name| found(&name)).collect()
}

fn locks_on(remote: &Remote) -> Result<Vec<restic::Found>, RemoteError> {
    let mut locks = Vec::new();
    for (name, bytes) in remote.list(restic::FOLDER)? {
        // An empty one is of a write that was cut, as restic has it.
        if !restic::is_lock(&name) || bytes == 0 {
            continue;
        }
        let file = format!("{}/{name}", restic::FOLDER);
        let read = match bytes > restic::LOCK_BYTES_MAX {
            true => Some((Vec::new().into(), None)),
            false => remote.read_if_there(&file)?,
        };
        locks.extend(read.map(|(sealed, age_s)| restic::Found {
            place: format!("{}/{file}", remote.address()),
            sealed: sealed.into(),
            age_s,
        }));
    }
    Ok(locks)
}

/// The file `config`, and those in these folders.
fn files_in(path: &Path, folders: &[&'static str]) -> Vec<Held> {
    let mut files: Vec<(Option<&'static str>, PathBuf)> = vec![(None, path.join("config"))];
    for of in folders {
        let folder = path.join(of);
        for name in names(&folder) {
            let entry = folder.join(&name);
            if name.len() == 2 {
                let below = names(&entry).into_iter();
                files.extend(below.map(|name| (Some(*of), entry.join(name))));
            } else {
                files.push((Some(*of), entry));
            }
        }
    }
    let held = |(folder, file): (Option<&'static str>, PathBuf)| {
        let found = fs::metadata(&file).ok().filter(fs::Metadata::is_file)?;
        Some(Held {
            place: file.display().to_string(),
            folder,
            name: file.file_name()?.to_str()?.to_owned(),
            bytes: found.len(),
        })
    };
    files.into_iter().filter_map(held).collect()
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
