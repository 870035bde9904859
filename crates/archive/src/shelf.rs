//! The files of a repository as files, apart from what is in them: in a folder, or on a server.
//!
//! Invariant: "there is none" is said of a server's file only when the server says so; what cannot be listed is an error
//! there. In a folder what cannot be listed is empty, as everywhere here: opening the repository says why.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lle_core::repository::Address;
use rustic_backend::BackendOptions;
use rustic_core::WriteBackend;

use crate::disk;
use crate::durable::Durable;
use crate::failure::RepositoryError;
use crate::lock;
use crate::remote::{Credentials, Remote, RemoteError};
use crate::store::OpenError;

/// The folders of a repository whose files are named after their content.
const FOLDERS: &[&str] = &["keys", "snapshots", "index", "data"];
/// Where restic leaves its locks.
const LOCKS: &str = "locks";
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
                Shelf::Server(remote) => match remote.list(folder) {
                    Ok(files) => files.is_empty(),
                    // The place is made with the repository.
                    Err(RemoteError::NoPlace(_)) => true,
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

    /// Looks whether restic works on the repository, by the locks that it leaves.
    pub(crate) fn look_for_restic(&self) -> Result<(), OpenError> {
        match self {
            Shelf::Folder(path) => Ok(lock::look_for_restic(path)?),
            Shelf::Server(remote) => {
                let files = match remote.list(LOCKS) {
                    Ok(files) => files,
                    Err(RemoteError::NoPlace(_)) => Vec::new(),
                    Err(error) => return Err(OpenError::remote(remote, error)),
                };
                for (name, _) in files {
                    let file = format!("{LOCKS}/{name}");
                    let found = remote
                        .look(&file)
                        .map_err(|error| OpenError::remote(remote, error))?;
                    let place = format!("{}/{file}", remote.address());
                    // One that is gone by now is of nobody; one whose age nobody says may be fresh.
                    if let Some((_, age_s)) = found {
                        lock::judge(place, age_s.unwrap_or(0))?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Every file of the repository, in order.
    pub(crate) fn files(&self) -> Result<Vec<Held>, RepositoryError> {
        match self {
            Shelf::Folder(path) => Ok(files_in(path)),
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
                let config = remote.look("config")?;
                let mut files: Vec<Held> = config
                    .map(|(bytes, _)| held(None, "config".to_owned(), bytes))
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

fn files_in(path: &Path) -> Vec<Held> {
    let mut files: Vec<(Option<&'static str>, PathBuf)> = vec![(None, path.join("config"))];
    for of in FOLDERS {
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
