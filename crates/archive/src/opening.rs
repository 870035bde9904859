//! A repository, opened by the key that is kept, or made.
//!
//! ```text
//!  nothing there ─▸ make ─▸ read back ─▸ ours ────────────▸ key file ─▸ read back ─▸ ours ─▸ opened
//!                             └─▸ another machine's ─▸ join: opened, if the same line does it
//! ```
//!
//! Invariants: a key is kept before the first byte is encrypted by it. A repository that is told of as made is sealed by
//! the key that is kept, also if two machines made one at the same place at the same moment: one of them says so.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lle_core::repository::Address;
use rustic_core::repofile::MasterKey;
use rustic_core::{
    ConfigOptions, Credentials, OpenStatus, Repository, RepositoryBackends, RepositoryOptions, WriteBackend,
};

use crate::failure::RepositoryError;
use crate::failures::{Failures, Noting};
use crate::key::{Key, Line};
use crate::progress::{Told, Watch};
use crate::remote::RemoteError;
use crate::sections::Places;
use crate::shelf::Shelf;
use crate::store::{OpenError, PATIENCE, key_options};
use crate::verify::first_misnamed_key;

/// Between two looks whether whoever was faster has written their key file.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A repository, and the key that opens it.
pub(crate) type Opened = (Repository<OpenStatus>, Key);

/// Makes a repository where there was none a moment ago.
pub(crate) fn make(
    places: &Places,
    shelf: &Shelf,
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
    if let Address::Folder(path) = shelf.address() {
        shelf.make().map_err(io(&path))?;
    }
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
    let made = closed(shelf, watch)?.init(
        &Credentials::Masterkey(master.clone()),
        &key_options(),
        &ConfigOptions::default(),
    );
    // Read back whatever came of it: another machine may have made one since it was looked, here or over ours, and an
    // answer that was lost says nothing of what was done.
    let repository = match opened_by(shelf, &master, watch) {
        Ok(repository) => repository,
        Err(error) if error.is_seal() => return join(places, shelf, key.line, watch, own),
        Err(error) => {
            let refused = made.err().map(RepositoryError::from);
            return Err(refused.unwrap_or(error).into());
        }
    };
    let file = repository
        .add_key(key.line.as_str(), &key_options())
        .map_err(RepositoryError::from)?;
    let file = file.to_hex().to_string();
    // Once more, a third of a second of scrypt later: servers without conditions let the last one win.
    match opened_by(shelf, &master, watch) {
        Ok(_) => {}
        Err(error) if error.is_seal() => {
            // It opens nothing that is there.
            shelf.remove_key(&file)?;
            return join(places, shelf, key.line, watch, own);
        }
        Err(error) => return Err(error.into()),
    }
    if own {
        key.file = Some(file);
        key.keep(&places.state)?;
    }
    Ok((repository, key))
}

/// Uses the repository that another machine has made at the same moment, if this one's line opens it.
fn join(places: &Places, shelf: &Shelf, line: Line, watch: &Watch, own: bool) -> Result<Opened, OpenError> {
    let began = Instant::now();
    // Its key file comes behind its config.
    while shelf.keys()?.is_empty() && began.elapsed() < PATIENCE {
        std::thread::sleep(LOOK_EVERY);
    }
    match open(places, shelf, Key::of_line(line), watch, own) {
        Err(OpenError::WrongKey(address)) => Err(OpenError::Beaten(address)),
        other => other,
    }
}

fn opened_by(
    shelf: &Shelf,
    master: &MasterKey,
    watch: &Watch,
) -> Result<Repository<OpenStatus>, RepositoryError> {
    Ok(closed(shelf, watch)?.open(&Credentials::Masterkey(master.clone()))?)
}

/// Opens a repository by the key that is kept.
pub(crate) fn open(
    places: &Places,
    shelf: &Shelf,
    mut key: Key,
    watch: &Watch,
    own: bool,
) -> Result<Opened, OpenError> {
    if let (Some(master), true) = (&key.master, own) {
        match opened_by(shelf, master, watch) {
            Ok(repository) => return Ok((repository, key)),
            // The master key is of another repository, or the file is damaged: the line tells.
            Err(error) if error.is_seal() => {}
            Err(error) => return Err(refused(shelf, error)),
        }
    }
    let (repository, file) = open_by_line(shelf, &key.line, watch)?;
    if own {
        key.master = Some(repository.key());
        key.file = file;
        key.keep(&places.state)?;
    }
    Ok((repository, key))
}

/// Opens a repository by a line alone; a third of a second for each of its keys. Gives the key file's name, too.
pub(crate) fn open_by_line(
    shelf: &Shelf,
    line: &Line,
    watch: &Watch,
) -> Result<(Repository<OpenStatus>, Option<String>), OpenError> {
    let broken = first_misnamed_key(shelf)?;
    let opened = closed(shelf, watch)?.open(&Credentials::password(line.as_str()));
    match opened {
        Ok(repository) => {
            let file = repository.key_id().as_ref().map(|id| id.to_hex().to_string());
            Ok((repository, file))
        }
        Err(error) => {
            let error = RepositoryError::from(error);
            match broken {
                Some(file) => Err(OpenError::KeyFiles {
                    address: shelf.address(),
                    what: format!("its key file {file} has changed"),
                }),
                // No line could open it: that says nothing about this one.
                None if shelf.keys()?.is_empty() => Err(OpenError::KeyFiles {
                    address: shelf.address(),
                    what: "its key files are gone".into(),
                }),
                None if error.is_password() => Err(OpenError::WrongKey(shelf.address())),
                None if error.is_seal() => Err(OpenError::Damaged {
                    address: shelf.address(),
                    what: "the key is right, and its file config has changed".into(),
                }),
                None => Err(refused(shelf, error)),
            }
        }
    }
}

/// What it means that a repository does not open, if its key is not the reason.
fn refused(shelf: &Shelf, error: RepositoryError) -> OpenError {
    let address = shelf.address();
    match error.remote() {
        // What this user may not read may be whole.
        None if error.is_denied() => OpenError::Repository(error),
        // What is missing or short on a server is damage; a server that does not answer is none.
        Some(RemoteError::Missing(_) | RemoteError::Short(_)) | None => OpenError::Damaged {
            address,
            what: error.to_string(),
        },
        Some(source) => OpenError::Server {
            address,
            source: Box::new(source.clone()),
        },
    }
}

/// A repository that no key was tried on yet.
pub(crate) fn closed(shelf: &Shelf, watch: &Watch) -> Result<Repository<()>, RepositoryError> {
    over(shelf.backend()?, watch)
}

/// The same, and what it could not write.
pub(crate) fn closed_noting(
    shelf: &Shelf,
    watch: &Watch,
) -> Result<(Repository<()>, Arc<Failures>), RepositoryError> {
    let failures = Arc::new(Failures::default());
    let backend = Noting::over(shelf.backend()?, failures.clone());
    Ok((over(Arc::new(backend), watch)?, failures))
}

fn over(backend: Arc<dyn WriteBackend>, watch: &Watch) -> Result<Repository<()>, RepositoryError> {
    let backends = RepositoryBackends::new(backend, None);
    // What a cache would save over a folder on the same disk, it costs; and it lies outside our folders.
    let options = RepositoryOptions::default().no_cache(true);
    Ok(Repository::new_with_progress(
        &options,
        &backends,
        Told(watch.clone()),
    )?)
}
