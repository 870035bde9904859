//! The repository, opened: with the lock held, the key known, and whatever a killed process left behind put right.
//!
//! Invariants: nobody else writes while a [`Store`] lives. A repository is made only where there is none, and after its
//! key was kept; one that is damaged is never made anew. "The key is wrong" is said only when a key file that is whole
//! refused it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustic_backend::BackendOptions;
use rustic_core::repofile::{KeyFile, MasterKey};
use rustic_core::{
    ConfigOptions, Credentials, KeyOptions, OpenStatus, Repository, RepositoryBackends, RepositoryOptions,
};

use crate::disk;
use crate::durable::Durable;
use crate::failure::RepositoryError;
use crate::key::{Key, KeyError, Line};
use crate::lock::{self, Lock, LockError};
use crate::progress::{self, Told, Watch};
use crate::restore;
use crate::sections::Places;
use crate::verify::names;

/// How long to wait for another backup or restore: longer than one of a usual home takes.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A repository that is open.
pub struct Store {
    pub(crate) places: Places,
    pub(crate) path: PathBuf,
    pub(crate) repository: Repository<OpenStatus>,
    pub(crate) key: Key,
    pub(crate) watch: Watch,
    _lock: Lock,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Store({})", self.path.display())
    }
}

/// Why a repository was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing was backed up yet.
    #[error("there is no backup at {}", .0.display())]
    None(PathBuf),
    /// There is a repository, and no key here.
    #[error("the backup at {} cannot be read without its key", .0.display())]
    NoKey(PathBuf),
    /// The key is of another repository.
    #[error("the key is not the one of the backup at {}", .0.display())]
    WrongKey(PathBuf),
    /// Bytes of the repository have changed or are gone.
    #[error("the backup at {} is damaged: {what}", path.display())]
    Damaged {
        /// The repository.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The key that is kept cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Somebody else is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A restore that was interrupted cannot be brought to its end.
    #[error(transparent)]
    Unfinished(#[from] restore::RestoreError),
    /// The system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The library refused.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl Store {
    /// Opens the repository of these places, or the one at `path`.
    ///
    /// # Errors
    /// There is none, it cannot be opened, or somebody else is at work.
    pub fn open(places: &Places, path: Option<&Path>, watch: Option<Watch>) -> Result<Store, OpenError> {
        Store::begin(places, path, watch, false)
    }

    /// Opens the repository, and makes it and its key if there are none.
    ///
    /// # Errors
    /// As [`Store::open`]; it or its key could not be made.
    pub fn open_or_make(
        places: &Places,
        path: Option<&Path>,
        watch: Option<Watch>,
    ) -> Result<Store, OpenError> {
        Store::begin(places, path, watch, true)
    }

    fn begin(
        places: &Places,
        path: Option<&Path>,
        watch: Option<Watch>,
        make: bool,
    ) -> Result<Store, OpenError> {
        let path = path.map_or_else(|| places.archive(), Path::to_owned);
        // The master key that is kept is that of the own repository; another one is opened by the line each time.
        let own = path == places.archive();
        let state = look(&path)?;
        if state == State::Nothing && !make {
            return Err(OpenError::None(path));
        }
        let lock = Lock::take(&places.backup(), PATIENCE)?;
        lock::look_for_restic(&path)?;
        restore::finish(places)?;
        let key = Key::read(&places.state)?;
        let watch = watch.unwrap_or_else(progress::nobody);
        // Looked at again: whoever held the lock may have made it.
        let (repository, key) = match (look(&path)?, key) {
            (State::Nothing, key) => make_one(places, &path, key, &watch, own)?,
            (State::Something, None) => return Err(OpenError::NoKey(path)),
            (State::Something, Some(key)) => open_one(places, &path, key, &watch, own)?,
        };
        let mut store = Store {
            places: places.clone(),
            path,
            repository,
            key,
            watch,
            _lock: lock,
        };
        if own {
            store.settle_keys()?;
        }
        Ok(store)
    }

    /// Finishes what a rotation or the making of the repository had begun: the line has a key file, and the one that it
    /// replaced is gone.
    pub(crate) fn settle_keys(&mut self) -> Result<(), OpenError> {
        let mut key = self.key.clone();
        let files = names(&self.path.join("keys"));
        let has = |id: &str| files.iter().any(|name| name == id);
        let known = key.file.as_deref().is_some_and(has);
        if !known {
            let id = self
                .repository
                .add_key(key.line.as_str(), &key_options())
                .map_err(RepositoryError::from)?;
            key.file = Some(id.to_hex().to_string());
            key.keep(&self.places.state)?;
        }
        if let Some(retired) = key.retired.take() {
            // Those of rotations that were killed before their line was kept, too: nobody has it.
            let ours = files
                .iter()
                .filter(|name| is_ours(&self.path, name) || **name == retired);
            for name in ours.filter(|name| key.file.as_ref() != Some(name)) {
                remove_key(&self.path, name)?;
            }
            key.keep(&self.places.state)?;
        }
        self.key = key;
        Ok(())
    }

    /// The repository, opened once more: reading the index takes it. Its key is known, so this costs no scrypt.
    pub(crate) fn again(&self) -> Result<Repository<OpenStatus>, RepositoryError> {
        let master = Credentials::Masterkey(self.repository.key());
        Ok(closed(&self.path, &self.watch)?.open(&master)?)
    }

    /// Where the repository is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line that opens it.
    pub fn line(&self) -> &Line {
        &self.key.line
    }
}

/// Removes a key file; one that is gone is removed already.
pub(crate) fn remove_key(path: &Path, id: &str) -> Result<(), OpenError> {
    let file = path.join("keys").join(id);
    match fs::remove_file(&file) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(OpenError::Io { path: file, source }),
        _ => Ok(()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Nothing,
    Something,
}

/// Looks what there is, without a key.
fn look(path: &Path) -> Result<State, OpenError> {
    match fs::metadata(path.join("config")) {
        Ok(_) => return Ok(State::Something),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => {
            let path = path.join("config");
            return Err(OpenError::Io { path, source });
        }
    }
    // The config is written before everything but empty folders: without it, a snapshot is one of a damaged repository.
    let files = ["snapshots", "index", "keys"];
    if files.iter().any(|folder| !names(&path.join(folder)).is_empty()) {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            what: "its file config is gone".into(),
        });
    }
    Ok(State::Nothing)
}

type Opened = (Repository<OpenStatus>, Key);

fn make_one(
    places: &Places,
    path: &Path,
    key: Option<Key>,
    watch: &Watch,
    own: bool,
) -> Result<Opened, OpenError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        |source| OpenError::Io { path, source }
    };
    let mut key = match key {
        Some(key) => key,
        None => Key::random().map_err(io(&Key::path(&places.state)))?,
    };
    disk::create_folder(path).map_err(io(path))?;
    let master = MasterKey::new();
    if own {
        // A master key of another repository is not used twice, nor is its key file there.
        key = Key {
            master: Some(master.clone()),
            ..Key::of_line(key.line)
        };
    }
    // Before the first byte is encrypted by it.
    key.keep(&places.state)?;
    let repository = closed(path, watch)?
        .init(
            &Credentials::Masterkey(master),
            &key_options(),
            &ConfigOptions::default(),
        )
        .map_err(RepositoryError::from)?;
    if !own {
        repository
            .add_key(key.line.as_str(), &key_options())
            .map_err(RepositoryError::from)?;
    }
    Ok((repository, key))
}

fn open_one(
    places: &Places,
    path: &Path,
    mut key: Key,
    watch: &Watch,
    own: bool,
) -> Result<Opened, OpenError> {
    if let (Some(master), true) = (&key.master, own) {
        match closed(path, watch)?.open(&Credentials::Masterkey(master.clone())) {
            Ok(repository) => return Ok((repository, key)),
            // The master key is of another repository, or the file is damaged: the line tells.
            Err(error) => {
                let error = RepositoryError::from(error);
                if !error.is_seal() {
                    return Err(damaged(path, &error));
                }
            }
        }
    }
    let (repository, file) = open_by_line(path, &key.line, watch)?;
    if own {
        key.master = Some(repository.key());
        key.file = file;
        key.keep(&places.state)?;
    }
    Ok((repository, key))
}

/// Opens a repository by a line alone; a third of a second for each of its keys. Gives the key file's name, too.
pub(crate) fn open_by_line(
    path: &Path,
    line: &Line,
    watch: &Watch,
) -> Result<(Repository<OpenStatus>, Option<String>), OpenError> {
    let broken = crate::verify::first_misnamed(&path.join("keys"));
    let opened = closed(path, watch)?.open(&Credentials::password(line.as_str()));
    match opened {
        Ok(repository) => {
            let file = repository.key_id().as_ref().map(|id| id.to_hex().to_string());
            Ok((repository, file))
        }
        Err(error) => {
            let error = RepositoryError::from(error);
            match broken {
                Some(file) => Err(OpenError::Damaged {
                    path: path.to_owned(),
                    what: format!("its key file {} has changed", file.display()),
                }),
                None if error.is_password() => Err(OpenError::WrongKey(path.to_owned())),
                None if error.is_seal() => Err(OpenError::Damaged {
                    path: path.to_owned(),
                    what: "the key is right, and its file config has changed".into(),
                }),
                None => Err(damaged(path, &error)),
            }
        }
    }
}

fn damaged(path: &Path, error: &RepositoryError) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        what: error.to_string(),
    }
}

fn closed(path: &Path, watch: &Watch) -> Result<Repository<()>, RepositoryError> {
    let backends = BackendOptions::default()
        .repository(format!("local:{}", path.display()))
        .to_backends()?;
    let durable = Durable::over(backends.repository(), path);
    let backends = RepositoryBackends::new(std::sync::Arc::new(durable), None);
    // What a cache would save over a folder on the same disk, it costs; and it lies in the clear outside our folders.
    let options = RepositoryOptions::default().no_cache(true);
    Ok(Repository::new_with_progress(
        &options,
        &backends,
        Told(watch.clone()),
    )?)
}

/// Who a key file of ours says it is of; those that people add with restic name them.
const KEY_OWNER: &str = "lusush";
/// Bytes of a key file, at most.
const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;

pub(crate) fn key_options() -> KeyOptions {
    KeyOptions::default()
        .with_created(true)
        .username(Some(KEY_OWNER.to_owned()))
}

fn is_ours(path: &Path, name: &str) -> bool {
    let bytes = disk::read_small(&path.join("keys").join(name), KEY_FILE_BYTES_MAX);
    let file: Option<KeyFile> = bytes
        .ok()
        .flatten()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    file.is_some_and(|file| file.username.as_deref() == Some(KEY_OWNER))
}
