//! Another line for the same repository, and a line from another machine.
//!
//! A rotation replaces the line: the former one opens nothing from then on. It does not change the repository's own key,
//! by which everything is encrypted: who had the former line *and* a copy of the repository's key file, reads what they
//! have copied, and what is added under the same key. Only a new repository helps against that.
//!
//! Invariants: at every instant the line that is kept opens the repository. The former key file goes last, and if the
//! process is killed before, with the next command.

use lle_core::repository::Address;

use crate::failure::RepositoryError;
use crate::key::{Key, KeyError, Line};
use crate::lock::{Lock, LockError};
use crate::opening;
use crate::progress;
use crate::sections::Places;
use crate::store::{self, OpenError, PATIENCE, Store};

/// What a rotation came to: the new line is the one.
#[derive(Debug)]
pub struct Rotated {
    /// The new line.
    pub line: Line,
    /// Why the former line still opens the repository, too; the next command tries again.
    pub left: Option<OpenError>,
}

/// Replaces the line.
///
/// # Errors
/// The former line is still the one.
pub fn rotate(store: &mut Store) -> Result<Rotated, OpenError> {
    let former = store.places.archive();
    if store.shelf.address() != Address::Folder(former.clone()) && former.join("config").exists() {
        return Err(OpenError::LeftBehind(former));
    }
    let line = Line::random().map_err(|source| OpenError::Io {
        path: Key::path(&store.places.state),
        source,
    })?;
    let id = store
        .repository
        .add_key(line.as_str(), &store::key_options())
        .map_err(RepositoryError::from)?;
    let key = Key {
        line: line.clone(),
        master: store.key.master.clone(),
        file: Some(id.to_hex().to_string()),
        retired: store.key.file.clone(),
    };
    // From here on the new line is the one; the former key file is named in it, to be removed.
    key.keep(&store.places.state)?;
    store.key = key;
    let left = match store.settle_keys() {
        Ok(left) => left,
        Err(error) => Some(error),
    };
    Ok(Rotated { line, left })
}

/// What a line was taken in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It opens the repository that is here.
    Opens,
    /// There is no repository here yet; it will be the key of the one that is made.
    Kept,
    /// It is the one that is kept already.
    Same,
}

/// Why a line was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Another key is kept, and may be the only one that opens what was saved here.
    #[error("another key is kept here, and may be all that opens what was saved here")]
    InUse,
    /// The line is of one repository, and this home has another.
    #[error("the key does not open the backup at {0}, which is this home's, too")]
    Another(Address),
    /// The line does not open what is here.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The key that is kept cannot be used or replaced.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Somebody else is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Takes in a line that was written down.
///
/// # Errors
/// What was kept is still kept.
pub fn import(places: &Places, at: Option<&Address>, line: Line) -> Result<Imported, ImportError> {
    let own_address = places.own();
    let address = at.unwrap_or(&own_address);
    let _lock = Lock::take(&places.backup(), PATIENCE)?;
    let kept = Key::read(&places.state);
    let shelf = store::shelf(address, places)?;
    let is_there = shelf.has_config()?;
    let prove = || opening::open_by_line(&shelf, &line, &progress::nobody());
    if matches!(&kept, Ok(Some(kept)) if kept.line == line) {
        if is_there {
            prove()?;
        }
        return Ok(Imported::Same);
    }
    let own = *address == own_address;
    let has_own = || store::shelf(&own_address, places)?.has_config();
    if !own && matches!(kept, Ok(Some(_)) | Err(_)) && has_own()? {
        // Only the key that is kept opens what was saved here.
        return Err(ImportError::InUse);
    }
    let mut key = Key::of_line(line.clone());
    if is_there {
        // Proven before anything is replaced.
        let (repository, file) = prove()?;
        if own {
            (key.master, key.file) = (Some(repository.key()), file);
        }
    } else if let Ok(Some(_)) = kept {
        // Nothing says which of the two is right, and one of them may be nowhere else.
        return Err(ImportError::InUse);
    }
    // A home has one key: what it had before it was saved elsewhere, too, is opened by it or by nothing.
    let former = Address::Folder(places.archive());
    for other in [&own_address, &former] {
        if other != address && !may_open(other, places, &line)? {
            return Err(ImportError::Another(other.clone()));
        }
    }
    key.keep(&places.state)?;
    Ok(if is_there { Imported::Opens } else { Imported::Kept })
}

/// Whether a line opens the repository at an address, or there is none. A server that cannot be asked keeps nobody from
/// taking in the key of what is at hand: it may be gone for good.
fn may_open(address: &Address, places: &Places, line: &Line) -> Result<bool, OpenError> {
    let opened = store::shelf(address, places).and_then(|shelf| {
        if shelf.has_config()? {
            opening::open_by_line(&shelf, line, &progress::nobody())?;
        }
        Ok(())
    });
    match opened {
        Err(OpenError::WrongKey(_)) => Ok(false),
        Err(error) if error.server().is_none_or(|error| error.is_damage()) => Err(error),
        Ok(()) | Err(_) => Ok(true),
    }
}
