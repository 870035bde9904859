//! A history of a snapshot meets the one that is here.
//!
//! ```text
//!  m.log here      │ a │ b │ typed since │    snapshot │ a │ b │            ▸ stays
//!  scrubbed        │ a │ █ │ typed since │             │ a │ b │            ▸ stays: what was taken out stays out
//!  lost, begun anew        │ typed since │             │ a │ b │            ▸ filled: │ a │ b │ typed since │
//!  no log of ours          cut by an editor            │ a │ b │            ▸ replaced, kept aside
//! ```
//!
//! Invariant: no record that is here goes or changes. What lies beside a log, its mirror above all, is a matter of that
//! log: where one of them is there, none comes from elsewhere.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use lle_log::mirror::{Lock, path_of};
use lle_log::rewrite::back::{Lacks, bring_back, lacks};

/// Where histories stand in an archive.
const FOLDER: &str = "/data/history";

/// What is done with a file that is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It takes its place.
    Replace,
    /// What the one that is here lacks is brought back into it.
    Fill(Lacks),
    /// The one that is here has all of it.
    Stay(Lacks),
}

fn is_log(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("log"))
}

/// Whether a name in an archive is that of a history log.
pub(crate) fn is_history(name: &Path) -> bool {
    name.starts_with(FOLDER) && is_log(name)
}

/// Whether what is here stays without a look at what the snapshot has: what lies beside a log.
pub(crate) fn stays(name: &Path, target: &Path) -> bool {
    if !name.starts_with(FOLDER) || is_log(name) {
        return false;
    }
    let log = target.with_extension("log");
    let is_mirror = path_of(&log) == target;
    target.exists() || is_mirror && log.exists()
}

/// What is done with a file that is staged under this path.
pub(crate) fn way(name: &Path, target: &Path, staged: &Path) -> Way {
    let is_here = target.exists();
    if !is_history(name) || !(is_here || path_of(target).exists()) {
        return Way::Replace;
    }
    match lacks(target, staged) {
        Ok(lacks) if is_here && lacks.missing == 0 => Way::Stay(lacks),
        Ok(lacks) => Way::Fill(lacks),
        // One of the two is no log: there is nothing to fill, and what is here is kept aside.
        Err(_) => Way::Replace,
    }
}

/// Brings what a history lacks back into it.
pub(crate) fn fill(target: &Path, staged: &Path) -> io::Result<()> {
    let lock = Lock::take(target)?;
    bring_back(target, &lock, staged).map_err(io::Error::other)?;
    fs::remove_file(staged)
}
