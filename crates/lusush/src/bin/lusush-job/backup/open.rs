//! The archive of this home, and what its errors mean to a person.

use std::error::Error;
use std::path::Path;

use lle_archive::{Key, KeyError, Line, Lock, LockError, OpenError, PATIENCE, Places, Store};
use lle_core::error::Code;

use super::At;
use super::bar::Bar;
use crate::failure::Failure;
use crate::paths;

/// Where this home lies.
pub(super) fn places() -> Result<Places, Failure> {
    let folders = paths::folders();
    let refused = |refusal| {
        Failure::new("cannot tell what to back up")
            .because(refusal)
            .hint("`lusush doctor` says more about folders")
    };
    Ok(Places {
        config: folders.config.map_err(refused)?,
        state: folders.state.map_err(refused)?,
        data: folders.data.map_err(refused)?,
        home: paths::home(),
    })
}

/// The line that is kept here.
pub(super) fn line(places: &Places) -> Result<Line, Failure> {
    let key = Key::read(&places.state).map_err(key_failure)?.ok_or_else(|| {
        Failure::new("there is no key yet")
            .code(Code::NotFound.exit())
            .hint("`lusush maint backup create` makes it with the first snapshot")
    })?;
    Ok(key.line)
}

/// The lock, for what is done without the repository.
pub(super) fn lock(places: &Places) -> Result<Lock, Failure> {
    Lock::take(&places.backup(), PATIENCE).map_err(lock_failure)
}

/// Opens the repository.
pub(super) fn open(at: &At, bar: &Bar) -> Result<Store, Failure> {
    Store::open(&places()?, at.repository.as_deref(), bar.watch()).map_err(failure)
}

/// Opens the repository, and makes it if there is none.
pub(super) fn open_or_make(at: &At, bar: &Bar) -> Result<Store, Failure> {
    Store::open_or_make(&places()?, at.repository.as_deref(), bar.watch()).map_err(failure)
}

/// What a repository that does not open means.
pub(super) fn failure(error: OpenError) -> Failure {
    let failed = || Failure::new("cannot open the backup");
    match error {
        OpenError::None(_) => failed()
            .code(Code::NotFound.exit())
            .hint("`lusush maint backup create` makes the first one")
            .hint("`--repository FOLDER` names one that lies elsewhere")
            .because(error),
        OpenError::NoKey(_) => failed()
            .code(Code::InvalidState.exit())
            .hint("`lusush maint backup key import` takes in the line that was written down")
            .because(error),
        OpenError::WrongKey(_) => failed()
            .code(Code::InvalidParameters.exit())
            .hint("`lusush maint backup key import` takes in the line that was written down")
            .because(error),
        OpenError::Damaged { ref path, .. } => failed()
            .code(Code::BackupUnhealthy.exit())
            .hint(format!(
                "move {} away, and `create` begins a new one",
                path.display()
            ))
            .because(error),
        OpenError::Key(error) => key_failure(error),
        OpenError::Lock(error) => lock_failure(error),
        OpenError::Unfinished(_) => failed()
            .code(Code::Unavailable.exit())
            .hint("the restore is brought to its end by the next command that can")
            .because(error),
        OpenError::Io { .. } | OpenError::Repository(_) => other("cannot open the backup", error),
    }
}

/// What a key that is not there means.
pub(super) fn key_failure(error: KeyError) -> Failure {
    // The repository may be whole: its code is for that.
    let failed = Failure::new("cannot use the key of the backup");
    match error {
        KeyError::Damaged { .. } => failed
            .code(Code::InvalidState.exit())
            .hint("`lusush maint backup key import` takes in the line that was written down"),
        KeyError::Io { .. } => failed
            .code(Code::Unavailable.exit())
            .hint("`lusush doctor` says more about folders"),
    }
    .because(error)
}

fn lock_failure(error: LockError) -> Failure {
    let failed = Failure::new("the backup is in use").code(Code::Busy.exit());
    match &error {
        LockError::Held => failed.hint("`lusush maint tasks` shows what runs; try again in a moment"),
        LockError::Restic { path, .. } => failed.hint(format!(
            "wait for restic; if none runs, remove {}",
            path.parent().unwrap_or(Path::new("locks")).display()
        )),
        LockError::Io { .. } => failed.hint("`lusush doctor` says more about folders"),
    }
    .because(error)
}

/// Something that a person can only look into.
pub(super) fn other(what: &str, error: impl Error + 'static) -> Failure {
    Failure::new(what)
        .code(Code::Unavailable.exit())
        .because(error)
        .hint("`lusush maint backup verify --data` looks at every byte")
}
