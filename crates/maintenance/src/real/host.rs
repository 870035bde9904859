//! The sessions, as their files show them.
//!
//! Invariants:
//! - What a session wrote is read as bytes that may be anything; nothing is written into its files.
//! - A look at sessions that were there before allocates nothing.

mod reader;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lle_core::desired::{BYTES_MAX, Desired, FILE_NAME};
use lle_metrics::{EXTENSION, Liveness, Watch, file_name, liveness};
use rustix::fs::{Mode, OFlags, RawDir};

use super::{disk, process};
use crate::world::Look;
use reader::Reader;

/// Flight files looked at: a thousand sessions are promised, and the dead among them are buried.
const FILES_MAX: usize = 2_000;
/// Bytes of desired state that are read back: all that is ever published.
const DESIRED_BYTES_MAX: u64 = BYTES_MAX as u64;

/// Bytes of names read at once: those of some hundred files.
const NAMES_BYTES: usize = 16 * 1024;

/// What there is to look at.
pub struct Sessions {
    runtime: PathBuf,
    history: PathBuf,
    reader: Reader,
    /// Names in the folder, as the kernel gives them.
    names: Vec<u8>,
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
            reader: Reader::of(runtime.join("sessions")),
            names: Vec::with_capacity(NAMES_BYTES),
            runtime,
            history,
            socket: None,
            own: BTreeMap::new(),
            synced: None,
        }
    }

    fn folder(&self) -> PathBuf {
        self.runtime.join("sessions")
    }

    pub(crate) fn look(&mut self, each: &mut dyn FnMut(Look<'_>)) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(folder) = rustix::fs::open(self.reader.folder(), flags, Mode::empty()) else {
            return self.reader.forget();
        };
        self.own.retain(|_, watch| watch.is_alive());
        self.reader.begin(&folder);
        let mut entries = RawDir::new(folder, self.names.spare_capacity_mut());
        let mut left = FILES_MAX;
        // A folder that can be read no further ends like one that was read.
        while let Some(Ok(entry)) = entries.next() {
            let name = Path::new(OsStr::from_bytes(entry.file_name().to_bytes()));
            // What is no flight file takes nobody's place.
            let Some(session) = session_of(name) else {
                continue;
            };
            if left == 0 {
                break;
            }
            if let Some(watch) = self.own.get(&session) {
                look_at_own(watch, session, each);
                left -= 1;
                continue;
            }
            left -= 1;
            self.reader.look_at(session, name, entry.ino(), each);
        }
        self.reader.end();
    }

    /// Looks at a session of this process through `watch` from now on; one that has ended is looked at as any other.
    pub(crate) fn watch(&mut self, watch: Watch) {
        self.reader.let_go(watch.session_id());
        self.own.insert(watch.session_id(), watch);
    }

    pub(crate) fn publish(&mut self, desired: &Desired) -> io::Result<()> {
        disk::create_folder(&self.runtime)?;
        // No need to be durable: after a power loss there is nobody to read it.
        disk::put(&self.runtime.join(FILE_NAME), desired.encode().as_bytes())
    }

    pub(crate) fn published(&mut self) -> Option<Desired> {
        let path = self.runtime.join(FILE_NAME);
        let found = fs::symlink_metadata(&path).ok()?;
        if !found.is_file() || found.len() > DESIRED_BYTES_MAX {
            return None;
        }
        Desired::decode(&fs::read(&path).ok()?).ok()
    }

    /// Wakes whoever has a socket: a session that has just begun was not seen yet.
    pub(crate) fn wake_everyone(&mut self) {
        let Ok(entries) = fs::read_dir(self.folder()) else {
            return;
        };
        for entry in entries.flatten().take(2 * FILES_MAX) {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "wake") {
                self.wake_at(&path);
            }
        }
    }

    pub(crate) fn wake(&mut self, session: u64) {
        let path = self.folder().join(format!("{session:016x}.wake"));
        self.wake_at(&path);
    }

    fn wake_at(&mut self, path: &Path) {
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
        if self.own.get(&session).is_some_and(Watch::is_alive) {
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

/// Looks at a session that this process itself is: opening its file would drop its lock.
fn look_at_own(watch: &Watch, session: u64, each: &mut dyn FnMut(Look<'_>)) {
    let read = watch.snapshot();
    each(Look {
        session,
        liveness: Liveness::Alive,
        snapshot: read.as_ref().ok(),
        problem: read.as_ref().err().map(ToString::to_string),
        cost: process::cost_of(std::process::id()).ok(),
    });
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
