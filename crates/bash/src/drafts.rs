//! Lines that were being typed when the terminal went away.
//!
//! Files: `state/drafts/<session>.draft`, 0600, the line's bytes as they were. Written once, read by `lle draft`, removed
//! by `lle draft clear`; [`KEPT_MAX`] are kept.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Drafts kept; the oldest go first.
const KEPT_MAX: usize = 16;

/// Writes a draft.
///
/// # Errors
/// The folder or the file cannot be made.
pub(crate) fn keep(path: &Path, line: &[u8]) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        for (_, old) in list(dir).into_iter().rev().skip(KEPT_MAX - 1) {
            let _ = fs::remove_file(old);
        }
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(line)
}

/// Gives how many drafts came since the user was last told, and takes them as told.
pub(crate) fn take_news(dir: &Path) -> usize {
    let told = dir.join("told");
    let since = fs::metadata(&told).and_then(|m| m.modified()).ok();
    let new = list(dir)
        .iter()
        .filter(|(at, _)| since.is_none_or(|since| *at > since))
        .count();
    if new > 0 {
        // Without the mark the user is told again, which is the lesser harm.
        let _ = fs::write(&told, b"");
    }
    new
}

/// Gives the drafts in `dir`, oldest first.
pub(crate) fn list(dir: &Path) -> Vec<(std::time::SystemTime, PathBuf)> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .flatten()
        .filter(|e| e.path().extension().is_some_and(|x| x == "draft"))
        .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
        .collect();
    found.sort();
    found
}
