//! Looks at the environment and the disk for [`lle_core::paths`], which decides.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use lle_core::paths::{Folders, Found, Refusal, Values};

/// Returns where Lusush keeps things in this environment; the runtime folder is the one that the worker serves, if one of the
/// same home serves another than this environment names.
pub(crate) fn folders() -> Folders {
    let values = values();
    let mut folders = lle_core::paths::folders(&values, look);
    if let (Ok(state), Ok(own)) = (&folders.state, &folders.runtime)
        && let Some(served) = served_by_link(&values, state, own)
    {
        folders.runtime = Ok(served);
    }
    folders
}

/// Returns the runtime folder that the worker serves, where that is not the one of this environment.
pub(crate) fn served() -> Option<PathBuf> {
    served_by_link(&values(), &state().ok()?, &runtime().ok()?)
}

fn served_by_link(values: &Values, state: &Path, own: &Path) -> Option<PathBuf> {
    if values.lusush_home.is_some() {
        return None;
    }
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let maint = lle_core::paths::maint_folder(state, &machine);
    let served = std::fs::read_link(maint.join(lle_core::paths::served::LINK)).ok()?;
    lle_core::paths::served::may_be_used(values, own, &served, look).then_some(served)
}

/// Returns where the configuration is, and looks at nothing else: a start does not wait for looks that tell it nothing.
pub(crate) fn config() -> Result<PathBuf, Refusal> {
    lle_core::paths::config(&values(), look)
}

/// Returns where history, audit and start-up records are, likewise.
pub(crate) fn state() -> Result<PathBuf, Refusal> {
    lle_core::paths::state(&values(), look)
}

/// Returns where this environment has flight files and sockets, likewise: a session begins there.
pub(crate) fn runtime() -> Result<PathBuf, Refusal> {
    lle_core::paths::runtime(&values(), look)
}

/// Returns the home folder, from `HOME` or the user database.
pub(crate) fn home() -> Option<PathBuf> {
    values().home
}

fn values() -> Values {
    let euid = rustix::process::geteuid().as_raw();
    let mut values = Values::read(euid, |name| std::env::var_os(name));
    values.home = values
        .home
        .or_else(|| std::env::home_dir().filter(|home| home.is_absolute()));
    values
}

fn look(path: &Path) -> Option<Found> {
    let link = std::fs::symlink_metadata(path).ok()?;
    let symlink = link.is_symlink();
    let target = if symlink {
        std::fs::metadata(path).ok()?
    } else {
        link
    };
    Some(Found {
        owner: target.uid(),
        mode: target.mode() & 0o7777,
        symlink,
    })
}

/// Makes a folder and those it is in, for this user alone.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}
