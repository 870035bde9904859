//! When workers died, one moment in a line of a file, so that whoever wants to know sees whether it happens again and
//! again.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::real::now;

/// Crashes that are kept, and bytes of the file that is read.
const CRASHES_MAX: usize = 16;
const CRASHES_BYTES_MAX: u64 = 4 * 1024;
/// The name of the file with the moments at which it was found that a worker had died, one in a line.
const CRASHES: &str = "crashes";

/// A worker that ends by itself leaves nothing in its lock's file: whoever left something died. That is kept for whoever
/// wants to know whether it happens again and again; what cannot be kept is not known then.
pub(super) fn note(folder: &Path, lock: &fs::File) {
    // Not by reading on: what is written next goes to the beginning.
    if !lock.read_at(&mut [0], 0).is_ok_and(|bytes| bytes > 0) {
        return;
    }
    let mut known = found(folder);
    known.push(now().wall_ns);
    let lines = known.iter().rev().take(CRASHES_MAX).rev();
    let text: String = lines.map(|at| format!("{at}\n")).collect();
    let path = folder.join(CRASHES);
    let _unknown = crate::real::disk::replace(rustix::fs::CWD, &path, text.as_bytes());
}

/// When it was found that workers had died, in nanoseconds since 1970; the last sixteen, the oldest first.
pub fn found(folder: &Path) -> Vec<i64> {
    let path = folder.join(CRASHES);
    let is_small =
        fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= CRASHES_BYTES_MAX);
    let text = if is_small {
        fs::read_to_string(&path).unwrap_or_default()
    } else {
        String::new()
    };
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Forgets all of them.
///
/// # Errors
/// The system's.
pub fn forget(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(CRASHES)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
