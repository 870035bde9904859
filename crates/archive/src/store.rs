//! The repository, opened: with the lock held, the key known, and whatever a killed process left behind put right.
//!
//! Invariants: nobody else writes while a [`Store`] lives. A repository is made only where there is none, and after its
//! key was kept; one that is damaged is never made anew. "The key is wrong" is said only when a key file that is whole
//! refused it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lle_core::repository::Address;
use rustic_core::repofile::KeyFile;
use rustic_core::{Credentials, KeyOptions, OpenStatus, Repository};

use crate::failure::RepositoryError;
use crate::failures::Failures;
use crate::key::{Key, KeyError, Line};
use crate::list::Snapshot;
use crate::lock::{Lock, LockError};
use crate::noted::{self, Sealed};
use crate::opening;
use crate::progress::{self, Watch};
use crate::remote::{Remote, RemoteError};
use crate::restic::{self, Here};
use crate::restore::{self, RestoreError};
use crate::sections::Places;
use crate::shelf::Shelf;

/// How long to wait for another backup or restore: longer than one of a usual home takes.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A repository that is open.
pub struct Store {
    pub(crate) places: Places,
    pub(crate) shelf: Shelf,
    address: Address,
    pub(crate) repository: Repository<OpenStatus>,
    pub(crate) key: Key,
    pub(crate) watch: Watch,
    /// Whether it was made just now.
    pub(crate) is_new: bool,
    /// Snapshots that were met and cannot be read, by name, and why.
    unread: Mutex<BTreeMap<String, String>>,
    /// A snapshot that is newer than the one that `latest` meant.
    passed_over: Mutex<Option<Snapshot>>,
    unfinished: Option<RestoreError>,
    _lock: Lock,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Store({})", self.address)
    }
}

/// Why a repository was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing was backed up yet.
    #[error("there is no backup at {0}")]
    None(Address),
    /// There is a repository, and no key here.
    #[error("the backup at {0} cannot be read without its key")]
    NoKey(Address),
    /// What was saved before needs a key, and there is none here.
    #[error("{} is sealed by a key that is not here any more", .0.what)]
    Sealed(Sealed),
    /// Snapshots went there, and nothing is there now.
    #[error("snapshots went to {0}, and nothing is there now")]
    Vanished(Address),
    /// The key is of another repository.
    #[error("the key is not the one of the backup at {0}")]
    WrongKey(Address),
    /// Another machine made one at the same moment, by another key.
    #[error("another machine made the backup at {0} at the same moment, by a key of its own")]
    Beaten(Address),
    /// Bytes of the repository have changed or are gone.
    #[error("the backup at {address} is damaged: {what}")]
    Damaged {
        /// The repository.
        address: Address,
        /// What is wrong with it.
        what: String,
    },
    /// Key files of the repository have changed or are gone; the line that was tried may be right.
    #[error("the backup at {address} is damaged: {what}")]
    KeyFiles {
        /// The repository.
        address: Address,
        /// What is wrong with them.
        what: String,
    },
    /// The key that is kept cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Somebody else is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The server did not do something.
    #[error("cannot use the backup at {address}")]
    Server {
        /// The repository.
        address: Address,
        /// What, and why not.
        source: Box<RemoteError>,
    },
    /// The former repository of this home would be opened by a line that is nowhere any more.
    #[error("the former repository at {} is opened by this key, too, and by no new one", .0.display())]
    LeftBehind(PathBuf),
    /// The library refused.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl OpenError {
    pub(crate) fn remote(remote: &Remote, source: RemoteError) -> OpenError {
        OpenError::Server {
            address: remote.address().clone(),
            source: Box::new(source),
        }
    }

    /// What the server did not do, if that is the cause.
    pub fn server(&self) -> Option<&RemoteError> {
        match self {
            OpenError::Server { source, .. } => Some(&**source),
            OpenError::Repository(error) => error.remote(),
            _ => None,
        }
    }
}

/// The key that is kept, or a first one, kept from now on. One that is gone is not replaced: by another one nothing of
/// what was saved would be opened, and the next thing that is sealed by it would take the place of what was.
///
/// # Errors
/// It cannot be read or made, or is gone.
pub fn key_or_first(places: &Places) -> Result<Key, OpenError> {
    if let Some(key) = Key::read(&places.state)? {
        return Ok(key);
    }
    if let Some(what) = noted::sealed(places) {
        return Err(OpenError::Sealed(what));
    }
    let made = Key::random().map_err(|source| OpenError::Io {
        path: Key::path(&places.state),
        source,
    })?;
    Ok(made.keep_first(&places.state)?)
}

/// Gets ready to look at a repository.
pub(crate) fn shelf(address: &Address, places: &Places) -> Result<Shelf, OpenError> {
    Shelf::at(address, &places.credentials).map_err(|source| OpenError::Server {
        address: address.clone(),
        source: Box::new(source),
    })
}

impl Store {
    /// Opens the repository of these places, or the one at that address.
    ///
    /// # Errors
    /// There is none, it cannot be opened, or somebody else is at work.
    pub fn open(places: &Places, at: Option<&Address>, watch: Option<Watch>) -> Result<Store, OpenError> {
        Store::begin(places, at, watch, false)
    }

    /// Opens the repository, and makes it and its key if there are none.
    ///
    /// # Errors
    /// As [`Store::open`]; it or its key could not be made.
    pub fn open_or_make(
        places: &Places,
        at: Option<&Address>,
        watch: Option<Watch>,
    ) -> Result<Store, OpenError> {
        Store::begin(places, at, watch, true)
    }

    fn begin(
        places: &Places,
        at: Option<&Address>,
        watch: Option<Watch>,
        make: bool,
    ) -> Result<Store, OpenError> {
        let address = at.cloned().unwrap_or_else(|| places.own());
        // The master key that is kept is that of the own repository; another one is opened by the line each time.
        let own = address == places.own();
        let shelf = shelf(&address, places)?;
        let state = look(&shelf)?;
        if state == State::Nothing && !make {
            return Err(match own && noted::has_vanished(places, &address) {
                true => OpenError::Vanished(address),
                false => OpenError::None(address),
            });
        }
        let lock = Lock::take(&places.backup(), PATIENCE)?;
        // What of it cannot be done now is in nobody's way: it is told, and the next command tries again.
        let unfinished = restore::finish(places).err();
        let key = Key::read(&places.state)?;
        let watch = watch.unwrap_or_else(progress::nobody);
        // Looked at again: whoever held the lock may have made it.
        let state = look(&shelf)?;
        let (repository, key) = match (state, key) {
            (State::Nothing, _) if own && noted::has_vanished(places, &address) => {
                return Err(OpenError::Vanished(address));
            }
            (State::Nothing, key) => {
                if let (None, Some(journal)) = (&key, noted::sealed_journal(places)) {
                    return Err(OpenError::Sealed(journal));
                }
                opening::make(places, &shelf, key, &watch, own)?
            }
            (State::Something, None) => return Err(OpenError::NoKey(address)),
            (State::Something, Some(key)) => {
                let opened = opening::open(places, &shelf, key, &watch, own)?;
                // Nothing was written there yet.
                look_for_restic(&shelf, &opened.0)?;
                opened
            }
        };
        let mut store = Store {
            places: places.clone(),
            shelf,
            address,
            repository,
            key,
            watch,
            is_new: state == State::Nothing,
            unread: Mutex::default(),
            passed_over: Mutex::default(),
            unfinished,
            _lock: lock,
        };
        if own {
            // A server that lets nothing be removed keeps the former key file: what opens it may be known to others, and
            // the backup goes on all the same.
            let _left_for_the_next = store.settle_keys()?;
        }
        Ok(store)
    }

    /// Finishes what a rotation or the making of the repository had begun, and mends what was lost since: the line has a key
    /// file that is whole, and the one that it replaced is gone. Gives why that one is there still, if it is.
    pub(crate) fn settle_keys(&mut self) -> Result<Option<OpenError>, OpenError> {
        let mut key = self.key.clone();
        let files = self.shelf.keys()?;
        let has = |id: &str| files.iter().any(|name| name == id);
        let present = key.file.clone().filter(|id| has(id));
        let damaged = present.clone().filter(|id| !self.shelf.is_whole_key(id));
        if present.is_none() || damaged.is_some() {
            let id = self
                .repository
                .add_key(key.line.as_str(), &key_options())
                .map_err(RepositoryError::from)?;
            key.file = Some(id.to_hex().to_string());
            key.keep(&self.places.state)?;
        }
        if let Some(damaged) = damaged {
            // It opens nothing, and would be taken for damage for ever. Failing that, it is only untidy.
            let _stays = self.shelf.remove_key(&damaged);
        }
        if let Some(retired) = key.retired.take() {
            // Those of rotations that were killed before their line was kept, too: nobody has it.
            let ours = files
                .iter()
                .filter(|name| is_ours(&self.shelf, name) || **name == retired);
            for name in ours.filter(|name| key.file.as_ref() != Some(name)) {
                if let Err(error) = self.shelf.remove_key(name) {
                    // It stays named, for the next command.
                    return Ok(Some(error));
                }
            }
            key.keep(&self.places.state)?;
        }
        self.key = key;
        Ok(None)
    }

    /// The repository, opened once more: reading the index takes it. Its key is known, so this costs no scrypt.
    pub(crate) fn again(&self) -> Result<Repository<OpenStatus>, RepositoryError> {
        let master = Credentials::Masterkey(self.repository.key());
        Ok(opening::closed(&self.shelf, &self.watch)?.open(&master)?)
    }

    /// The same, and what it could not write.
    pub(crate) fn again_noting(&self) -> Result<(Repository<OpenStatus>, Arc<Failures>), RepositoryError> {
        let master = Credentials::Masterkey(self.repository.key());
        let (closed, failures) = opening::closed_noting(&self.shelf, &self.watch)?;
        Ok((closed.open(&master)?, failures))
    }

    /// Notes that a snapshot cannot be read.
    pub(crate) fn note_unread(&self, id: &str, why: String) {
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.insert(id.to_owned(), why);
    }

    /// The snapshots that what was done so far has met, and could not read: where each lies, and why not.
    pub fn unread(&self) -> Vec<(String, String)> {
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        let place = |(id, why): (&String, &String)| (format!("{}/snapshots/{id}", self.address), why.clone());
        unread.iter().map(place).collect()
    }

    /// Notes a snapshot that is newer than the one that `latest` means.
    pub(crate) fn note_passed_over(&self, newer: Snapshot) {
        let mut passed_over = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        *passed_over = Some(newer);
    }

    /// The newest snapshot, if what was done so far went by an older one: it lacks files that could not be read.
    pub fn passed_over(&self) -> Option<Snapshot> {
        let passed_over = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        passed_over.clone()
    }

    /// Why a restore that was begun is not at its end, if there is one.
    pub fn unfinished(&self) -> Option<&RestoreError> {
        self.unfinished.as_ref()
    }

    /// Where the repository is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The folder that it is in; none if it is on a server.
    pub fn folder(&self) -> Option<&Path> {
        match &self.address {
            Address::Folder(path) => Some(path),
            _ => None,
        }
    }

    /// The line that opens it.
    pub fn line(&self) -> &Line {
        &self.key.line
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Nothing,
    Something,
}

/// Looks what there is, without a key.
fn look(shelf: &Shelf) -> Result<State, OpenError> {
    if shelf.has_config()? {
        return Ok(State::Something);
    }
    // The config is written before everything but empty folders: without it, a snapshot is one of a damaged repository.
    match shelf.has_rest()? {
        false => Ok(State::Nothing),
        true => Err(OpenError::Damaged {
            address: shelf.address(),
            what: "its file config is gone".into(),
        }),
    }
}

/// Looks whether restic works on the repository. Only who has its key can read what restic's locks say.
fn look_for_restic(shelf: &Shelf, repository: &Repository<OpenStatus>) -> Result<(), OpenError> {
    let locks = shelf.locks()?;
    if locks.is_empty() {
        return Ok(());
    }
    let (master, here) = (repository.key(), Here::look());
    for lock in &locks {
        restic::judge(lock, &master, &here)?;
    }
    Ok(())
}

/// Who a key file of ours says it is of; those that people add with restic name them.
const KEY_OWNER: &str = "lusush";

pub(crate) fn key_options() -> KeyOptions {
    KeyOptions::default()
        .with_created(true)
        .username(Some(KEY_OWNER.to_owned()))
}

fn is_ours(shelf: &Shelf, name: &str) -> bool {
    let bytes = shelf.key(name);
    let file: Option<KeyFile> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    file.is_some_and(|file| file.username.as_deref() == Some(KEY_OWNER))
}
