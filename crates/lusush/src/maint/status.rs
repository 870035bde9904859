//! `lusush maint status`: every session of this user, from the flight files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use lle_metrics::identity::start_ticks;
use lle_metrics::liveness::{from_another_boot, liveness};
use lle_metrics::{EXTENSION, Snapshot};

use lle_maintenance::real::process;

use super::session::{Session, State, Status, Unreadable};

/// Files looked at. A thousand sessions are promised; the rest are dead ones that piled up.
pub(super) const FILES_MAX: usize = 2_000;

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
#[error("the sessions' folder cannot be read: {}", directory.display())]
pub(crate) struct StatusError {
    directory: PathBuf,
    source: io::Error,
}

/// Looks at every flight file in `directory`; one that is not there is merely empty.
pub(crate) fn status(directory: &Path) -> Result<Status, StatusError> {
    let (files, left_out) = flight_files(directory).map_err(|source| StatusError {
        directory: directory.to_owned(),
        source,
    })?;
    let mut status = Status::empty(now_wall_ns(), directory.to_string_lossy().into_owned());
    status.left_out = left_out;
    for path in files {
        match session(&path) {
            Ok(Some(session)) if session.state == State::Dead => status.dead.push(session),
            Ok(Some(session)) => status.sessions.push(session),
            Ok(None) => {}
            Err(problem) => {
                let file = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                status.unreadable.push(Unreadable { file, problem });
            }
        }
    }
    status.sessions.sort_by_key(|session| session.created_wall_ns);
    status
        .dead
        .sort_by_key(|session| std::cmp::Reverse(session.seen_wall_ns()));
    Ok(status)
}

/// The flight files in name order, and how many there are beyond the bound.
pub(super) fn flight_files(directory: &Path) -> io::Result<(Vec<PathBuf>, usize)> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    let mut left_out = 0;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        if files.len() < FILES_MAX {
            files.push(path);
        } else {
            left_out += 1;
        }
    }
    files.sort();
    Ok((files, left_out))
}

/// Looks at one file; none if its session ended and removed it just now.
fn session(path: &Path) -> Result<Option<Session>, String> {
    // First the lock: a session seen alive and read after that may have ended, but is never called dead
    // with numbers from before it began.
    let alive = liveness(path);
    let snapshot = match Snapshot::read(path) {
        Ok(snapshot) => snapshot,
        Err(_) if path.symlink_metadata().is_err() => return Ok(None),
        Err(lle_metrics::ReadError::Io(error)) => return Err(format!("cannot be read: {error}")),
        Err(error) => return Err(error.to_string()),
    };
    let cost = process::cost(&snapshot.identity()).map_err(|why| why.to_string());
    let mut session = Session::of(&snapshot, alive, from_another_boot(&snapshot), cost);
    if session.state == State::Dead {
        let identity = snapshot.identity();
        let known = identity.start_ticks != 0;
        session.replaced = known.then(|| start_ticks(identity.pid) == Some(identity.start_ticks));
    }
    Ok(Some(session))
}

pub(super) fn now_wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
