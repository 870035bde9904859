//! The places that files come back to.
//!
//! Invariants: nothing is moved before every place is known to be free for it. A link stays one, also one that leads to
//! nothing now. A file that stays as it is gets the rights back that it had.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustic_core::repofile::Node;

use crate::disk;

/// Links that lead to each other, at most; as many as the kernel follows.
const LINKS_MAX: usize = 40;

/// The file that a link to a file stands for: people keep their configuration in a folder of their own.
pub(super) fn through_links(target: PathBuf) -> PathBuf {
    let mut at = target.clone();
    for _ in 0..LINKS_MAX {
        let Ok(to) = fs::read_link(&at) else { break };
        at = disk::folder_of(&at).join(to);
    }
    match fs::symlink_metadata(&at) {
        Ok(found) if found.is_file() => at,
        // It is what is to come back.
        Err(error) if error.kind() == ErrorKind::NotFound => at,
        // A link to a folder, or in a circle, is in the way itself.
        _ => target,
    }
}

/// What keeps a file from its place: a folder under its name, or a file where a folder has to be.
pub(super) fn in_the_way(target: &Path) -> Option<PathBuf> {
    if fs::symlink_metadata(target).is_ok_and(|found| found.is_dir()) {
        return Some(target.to_owned());
    }
    let above = target.ancestors().skip(1);
    let there = above.filter(|folder| !folder.as_os_str().is_empty());
    let nearest = there
        .into_iter()
        .find(|folder| fs::symlink_metadata(folder).is_ok())?;
    (!nearest.is_dir()).then(|| nearest.to_owned())
}

/// The rights of a file that differ from those that were saved: what they are, and what they were.
pub(crate) fn other_rights(node: &Node, path: &Path) -> Option<(u32, u32)> {
    let rights = |found: &Metadata| found.permissions().mode() & 0o777;
    let now = fs::metadata(path)
        .ok()
        .filter(Metadata::is_file)
        .as_ref()
        .map(rights)?;
    let saved = node.meta.mode? & 0o777;
    (now != saved).then_some((now, saved))
}

/// Gives a file the rights that were saved, if it has others; says whether it had.
pub(super) fn give_rights(node: &Node, path: &Path) -> io::Result<bool> {
    let Some((_, saved)) = other_rights(node, path) else {
        return Ok(false);
    };
    fs::set_permissions(path, Permissions::from_mode(saved))?;
    Ok(true)
}

/// Whether this user may not read a file that is there.
pub(super) fn is_denied(path: &Path) -> bool {
    File::open(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}
