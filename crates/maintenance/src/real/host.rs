//! The sessions, as their files show them.
//!
//! Invariant: what a session wrote is read as bytes that may be anything; nothing is written into its files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lle_core::desired::Desired;
use lle_metrics::liveness::from_another_boot;
use lle_metrics::{EXTENSION, Liveness, Snapshot, Watch, file_name, liveness};

use super::{disk, process};
use crate::world::Look;

/// Flight files looked at: a thousand sessions are promised, and the dead among them are buried.
const FILES_MAX: usize = 2_000;
/// Bytes of desired state that are read back.
const DESIRED_BYTES_MAX: u64 = 64 * 1024;

/// What there is to look at.
pub struct Sessions {
    runtime: PathBuf,
    history: PathBuf,
    /// Kept, so that a look at a session allocates nothing.
    snapshot: Option<Snapshot>,
    socket: Option<UnixDatagram>,
    /// Sessions that this process itself is: their files must not be opened.
    own: BTreeMap<u64, Watch>,
    /// Length and time of change of the history when it was last made durable.
    synced: Option<(u64, i64, i64)>,
}

impl Sessions {
    /// Looks at the sessions below a runtime folder.
    pub fn new(runtime: PathBuf, history: PathBuf) -> Self {
        Self {
            runtime,
            history,
            snapshot: None,
            socket: None,
            own: BTreeMap::new(),
            synced: None,
        }
    }

    fn folder(&self) -> PathBuf {
        self.runtime.join("sessions")
    }

    pub(crate) fn look(&mut self, each: &mut dyn FnMut(Look<'_>)) {
        let Ok(entries) = fs::read_dir(self.folder()) else {
            return;
        };
        for entry in entries.flatten().take(FILES_MAX) {
            let path = entry.path();
            match session_of(&path) {
                Some(session) if self.is_own(session) => self.look_at_own(session, each),
                Some(session) => self.look_at(&path, session, each),
                None => {}
            }
        }
    }

    /// Looks at a session of this process through `watch` from now on.
    pub(crate) fn watch(&mut self, watch: Watch) {
        self.own.insert(watch.session_id(), watch);
    }

    /// Whether the session is this process; one that has ended is looked at as any other, and buried.
    fn is_own(&mut self, session: u64) -> bool {
        self.own.retain(|_, watch| watch.is_alive());
        self.own.contains_key(&session)
    }

    fn look_at_own(&self, session: u64, each: &mut dyn FnMut(Look<'_>)) {
        let Some(read) = self.own.get(&session).map(Watch::snapshot) else {
            return;
        };
        each(Look {
            session,
            liveness: Liveness::Alive,
            snapshot: read.as_ref().ok(),
            problem: read.as_ref().err().map(ToString::to_string),
            cost: process::cost_of(std::process::id()).ok(),
        });
    }

    fn look_at(&mut self, path: &Path, session: u64, each: &mut dyn FnMut(Look<'_>)) {
        // First the lock: a session seen alive and read after that may have ended, but is never called dead with
        // numbers from before it began.
        let mut alive = liveness(path);
        let read = match &mut self.snapshot {
            Some(kept) => kept.read_again(path),
            none => Snapshot::read(path).map(|snapshot| *none = Some(snapshot)),
        };
        let snapshot = match (&read, &self.snapshot) {
            (Ok(()), Some(snapshot)) => Some(snapshot),
            _ if path.symlink_metadata().is_err() => return,
            _ => None,
        };
        if snapshot.and_then(from_another_boot) == Some(true) {
            alive = Liveness::Dead;
        }
        let cost = snapshot
            .filter(|_| alive == Liveness::Alive)
            .and_then(|snapshot| process::cost(&snapshot.identity()).ok());
        each(Look {
            session,
            liveness: alive,
            snapshot,
            problem: read.err().map(|error| error.to_string()),
            cost,
        });
    }

    pub(crate) fn publish(&mut self, desired: &Desired) -> io::Result<()> {
        disk::create_folder(&self.runtime)?;
        let path = self.runtime.join("desired");
        let draft = self.runtime.join("desired.new");
        // No need to be durable: after a power loss there is nobody to read it.
        let _stale = fs::remove_file(&draft);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        io::Write::write_all(&mut file, desired.encode().as_bytes())?;
        fs::rename(&draft, &path)
    }

    pub(crate) fn published_generation(&mut self) -> Option<u64> {
        let path = self.runtime.join("desired");
        let found = fs::symlink_metadata(&path).ok()?;
        if !found.is_file() || found.len() > DESIRED_BYTES_MAX {
            return None;
        }
        Some(Desired::decode(&fs::read(&path).ok()?).ok()?.generation)
    }

    pub(crate) fn wake(&mut self, session: u64) {
        let path = self.folder().join(format!("{session:016x}.wake"));
        if self.socket.is_none() {
            self.socket = UnixDatagram::unbound().ok();
            if let Some(socket) = &self.socket {
                // A session that does not read must not hold the worker up.
                let _blocking_then = socket.set_nonblocking(true);
            }
        }
        if let Some(socket) = &self.socket {
            // Best effort: a session looks at its next prompt anyway.
            let _asleep = socket.send_to(b"w", path);
        }
    }

    pub(crate) fn bury(&mut self, session: u64) {
        let path = self.folder().join(file_name(session));
        if self.is_own(session) {
            return;
        }
        if liveness(&path) == Liveness::Dead {
            // Whatever stays is seen again, as dead, and buried then.
            let _stays = fs::remove_file(&path);
            let _stays = fs::remove_file(path.with_extension("wake"));
        }
    }

    pub(crate) fn sync_history(&mut self) -> io::Result<Option<u64>> {
        let Ok(file) = fs::File::open(&self.history) else {
            return Ok(None);
        };
        let found = file.metadata()?;
        let version = (found.len(), found.mtime(), found.mtime_nsec());
        if self.synced == Some(version) {
            return Ok(None);
        }
        let began = Instant::now();
        file.sync_data()?;
        self.synced = Some(version);
        Ok(Some(
            u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
        ))
    }
}

/// The session that a flight file's name names.
fn session_of(path: &Path) -> Option<u64> {
    if path.extension().is_none_or(|extension| extension != EXTENSION) {
        return None;
    }
    let stem = path.file_stem()?.to_str()?;
    (stem.len() == 16)
        .then(|| u64::from_str_radix(stem, 16).ok())
        .flatten()
}
