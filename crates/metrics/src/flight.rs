//! The writer's side: one flight, from its file's creation to its removal.
//!
//! File strategy: created exclusively under its final name, mode 0600; its blocks are allocated before
//! it is mapped, or a full tmpfs would end the shell with SIGBUS at some later key; locked; and only
//! then given its magic. It is never truncated, so mappings stay valid even when it is unlinked. It is
//! removed at a clean exit and otherwise left behind as the session's last words.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::fence;

use super::identity::Identity;
use super::layout::Layout;
use super::mapping::{Mapping, OwnerToken};
use super::recorder::Recorder;
use super::snapshot::{READ_ATTEMPTS, ReadError, Snapshot};
use super::watch::Watch;
use super::{FILE_BYTES, file_name, sys};

/// Why a flight file could not be made. The session records into its own memory instead.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} the flight file {}", path.display())]
pub struct CreateError {
    /// What failed.
    pub step: CreateStep,
    /// The file.
    pub path: PathBuf,
    /// The kernel's reason.
    pub source: io::Error,
}

/// The steps of making a flight file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateStep {
    /// Creating it, or opening it again.
    Open,
    /// Giving it room on disk: a full disk, a quota, `ulimit -f`.
    Allocate,
    /// Mapping it.
    Map,
    /// Locking it: another process uses this session's number.
    Lock,
}

impl std::fmt::Display for CreateStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CreateStep::Open => "open",
            CreateStep::Allocate => "make room for",
            CreateStep::Map => "map",
            CreateStep::Lock => "lock",
        })
    }
}

/// What one session records.
///
/// Belongs to the one thread that made it. In a forked child every method leaves the file alone.
pub struct Flight {
    memory: Memory,
    registered: Option<Registered>,
    session_id: u64,
    /// What watches of this flight see it end by.
    alive: Arc<()>,
}

/// Where the flight is written. Without memory or without a token nothing is.
struct Memory {
    mapping: Option<Mapping>,
    owner: Option<OwnerToken>,
}

/// The file others find the flight by.
struct Registered {
    /// None once something else in the process has closed or replaced the descriptor.
    file: Option<File>,
    path: PathBuf,
    device: u64,
    inode: u64,
}

// The memory is atomics, and a batch closes itself while unwinding.
impl UnwindSafe for Flight {}
impl RefUnwindSafe for Flight {}

impl Flight {
    /// Creates `<dir>/<session id>.flight`, locked by this process until it ends.
    pub fn create(dir: &Path, identity: &Identity) -> Result<Flight, CreateError> {
        let path = dir.join(file_name(identity.session_id));
        let (registered, mapping) = register(path, |layout| {
            layout.prepare();
            layout.identity.write(identity);
        })?;
        let memory = Memory {
            mapping: Some(mapping),
            owner: OwnerToken::new().ok(),
        };
        Ok(Flight {
            memory,
            registered: Some(registered),
            session_id: identity.session_id,
            alive: Arc::default(),
        })
    }

    /// Records into memory no other process sees, for a session without room on disk.
    ///
    /// Should even that memory be refused, recording does nothing.
    pub fn private(identity: &Identity) -> Flight {
        let mapping = Mapping::anonymous().ok();
        if let Some(layout) = &mapping {
            layout.prepare();
            layout.identity.write(identity);
            layout.publish();
        }
        let memory = Memory {
            mapping,
            owner: OwnerToken::new().ok(),
        };
        Flight {
            memory,
            registered: None,
            session_id: identity.session_id,
            alive: Arc::default(),
        }
    }

    /// Records one batch: readers see all of it or nothing.
    ///
    /// No lock, no allocation, no system call. Batches do not nest. In a forked child nothing happens
    /// and `batch` is not called.
    #[inline]
    pub fn update(&self, batch: impl FnOnce(&mut Recorder<'_>)) {
        if let Some(layout) = self.memory.writable() {
            let open = OpenBatch::begin(layout);
            batch(&mut Recorder { layout: open.layout });
        }
    }

    /// Whether other processes can see what is recorded.
    pub fn is_shared(&self) -> bool {
        self.registered.is_some()
    }

    /// The path others find the flight by; none for a private one.
    pub fn path(&self) -> Option<&Path> {
        self.registered
            .as_ref()
            .map(|registered| registered.path.as_path())
    }

    /// Whether the path still leads to this flight and its lock is held.
    ///
    /// The runtime directory may have vanished with a logout, and a script may have closed or reused the
    /// descriptor. Takes the lock again in passing. Always false for a private flight, true in a forked
    /// child, which has nothing to mend.
    pub fn still_registered(&self) -> bool {
        if !self.memory.is_owner() {
            return true;
        }
        let Some(registered) = &self.registered else {
            return false;
        };
        let Some(file) = &registered.file else {
            return false;
        };
        registered.is_at_its_path() && registered.is(file.metadata()) && sys::lock(file).is_ok()
    }

    /// Registers the flight again, in `dir`, with everything recorded so far.
    ///
    /// For when [`Flight::still_registered`] says no, and for a private flight that finds room. On error
    /// recording goes on where it was.
    pub fn rehome(&mut self, dir: &Path) -> Result<(), CreateError> {
        if !self.memory.is_owner() {
            return Ok(());
        }
        let path = dir.join(file_name(self.session_id));
        if let Some(registered) = &mut self.registered {
            registered.forget_foreign_descriptor();
            if registered.path == path && registered.is_at_its_path() {
                return registered.reopen();
            }
        }
        let Some(old) = &self.memory.mapping else {
            return Ok(());
        };
        let (registered, mapping) = register(path, |new| {
            for (to, from) in new.words().iter().zip(old.words()).skip(1) {
                to.store(from.load(Relaxed), Relaxed);
            }
        })?;
        if let Some(before) = self.registered.replace(registered) {
            before.unlink();
        }
        self.memory.mapping = Some(mapping);
        Ok(())
    }

    /// Removes the file at a clean exit; what is recorded after that nobody sees. In a forked child the
    /// file stays.
    pub fn remove(&mut self) {
        if let Some(registered) = self.registered.take().filter(|_| self.memory.is_owner()) {
            registered.unlink();
        }
    }

    /// Lets another thread of this process look at what is recorded, without touching the file.
    ///
    /// It sees the file that the flight is in now: after [`Flight::rehome`] a new watch is needed.
    ///
    /// # Errors
    /// `NotFound` for a private flight; or the mapping is refused.
    pub fn watch(&self) -> io::Result<Watch> {
        let file = self
            .registered
            .as_ref()
            .and_then(|registered| registered.file.as_ref());
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        Watch::of_file(file.as_fd(), self.session_id, Arc::downgrade(&self.alive))
    }

    /// Copies what is recorded, without touching the file: the one safe way inside the session itself.
    pub fn snapshot(&self) -> Result<Snapshot, ReadError> {
        let layout = self.memory.mapping.as_deref().ok_or(ReadError::Unfinished)?;
        let mut bytes = Vec::with_capacity(FILE_BYTES);
        for attempt in 1.. {
            let before = layout.head.sequence.load(Acquire);
            bytes.clear();
            bytes.extend(
                layout
                    .words()
                    .iter()
                    .flat_map(|word| word.load(Relaxed).to_ne_bytes()),
            );
            fence(Acquire);
            let torn = before % 2 == 1 || layout.head.sequence.load(Relaxed) != before;
            if !torn || attempt == READ_ATTEMPTS {
                bytes.resize(FILE_BYTES, 0);
                return Snapshot::parse(bytes, torn);
            }
        }
        Err(ReadError::Unfinished)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(registered) = &mut self.registered {
            registered.forget_foreign_descriptor();
        }
    }
}

impl Memory {
    #[inline]
    fn is_owner(&self) -> bool {
        self.owner.as_ref().is_some_and(OwnerToken::is_owner)
    }

    #[inline]
    fn writable(&self) -> Option<&Layout> {
        self.mapping.as_deref().filter(|_| self.is_owner())
    }
}

impl Registered {
    fn is(&self, found: io::Result<Metadata>) -> bool {
        found.is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode)
    }

    fn is_at_its_path(&self) -> bool {
        self.is(fs::symlink_metadata(&self.path))
    }

    /// Lets go of a descriptor that no longer is ours: closing it would hurt whoever has it now.
    fn forget_foreign_descriptor(&mut self) {
        if let Some(file) = self.file.take_if(|file| {
            let found = file.metadata();
            !found.is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode)
        }) {
            let _now_someone_elses = std::os::fd::IntoRawFd::into_raw_fd(file);
        }
    }

    /// Opens the file again after its descriptor was lost, and takes the lock that went with it.
    fn reopen(&mut self) -> Result<(), CreateError> {
        let fail = |step, source| CreateError {
            step,
            path: self.path.clone(),
            source,
        };
        if self.file.is_none() {
            let file = sys::move_high(
                options()
                    .open(&self.path)
                    .map_err(|e| fail(CreateStep::Open, e))?,
            );
            self.file = Some(file);
        }
        match &self.file {
            Some(file) if self.is(file.metadata()) => sys::lock(file).map_err(|e| fail(CreateStep::Lock, e)),
            _ => Err(fail(CreateStep::Open, io::ErrorKind::NotFound.into())),
        }
    }

    /// Removes the name if it is still this flight's. A failure leaves a file that reads as dead.
    fn unlink(&self) {
        if self.is_at_its_path() {
            let _left_as_dead = fs::remove_file(&self.path);
        }
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // The standard library adds O_CLOEXEC.
    options.read(true).write(true).custom_flags(libc::O_NOFOLLOW);
    options
}

/// Creates and fills a flight file; leaves none behind when a step fails.
fn register(path: PathBuf, fill: impl FnOnce(&Layout)) -> Result<(Registered, Mapping), CreateError> {
    let file = match options().create_new(true).mode(0o600).open(&path) {
        Ok(file) => sys::move_high(file),
        Err(source) => {
            return Err(CreateError {
                step: CreateStep::Open,
                path,
                source,
            });
        }
    };
    match furnish(&file, fill) {
        Ok((mapping, metadata)) => {
            let (device, inode) = (metadata.dev(), metadata.ino());
            Ok((
                Registered {
                    file: Some(file),
                    path,
                    device,
                    inode,
                },
                mapping,
            ))
        }
        Err((step, source)) => {
            let _left_unfinished = fs::remove_file(&path);
            Err(CreateError { step, path, source })
        }
    }
}

fn furnish(file: &File, fill: impl FnOnce(&Layout)) -> Result<(Mapping, Metadata), (CreateStep, io::Error)> {
    sys::allocate(file, FILE_BYTES).map_err(|e| (CreateStep::Allocate, e))?;
    let mapping = Mapping::of_file(file.as_fd()).map_err(|e| (CreateStep::Map, e))?;
    sys::lock(file).map_err(|e| (CreateStep::Lock, e))?;
    fill(&mapping);
    mapping.publish();
    let metadata = file.metadata().map_err(|e| (CreateStep::Open, e))?;
    Ok((mapping, metadata))
}

/// A seqlock's write side: the sequence is odd from `begin` to drop, also when a panic unwinds.
struct OpenBatch<'a> {
    layout: &'a Layout,
    odd: u64,
}

impl<'a> OpenBatch<'a> {
    #[inline]
    fn begin(layout: &'a Layout) -> OpenBatch<'a> {
        // `| 1` rather than `+ 1`: a batch that was somehow never closed is closed by the next.
        let odd = layout.head.sequence.load(Relaxed) | 1;
        layout.head.sequence.store(odd, Relaxed);
        // The odd sequence is visible before anything stored after this.
        fence(Release);
        OpenBatch { layout, odd }
    }
}

impl Drop for OpenBatch<'_> {
    #[inline]
    fn drop(&mut self) {
        let seen = &self.layout.gauges[super::table::Gauge::SeenWallNs as usize];
        seen.store(sys::coarse_wall_ns(), Relaxed);
        // Everything stored before this is visible before the even sequence.
        self.layout.head.sequence.store(self.odd.wrapping_add(1), Release);
    }
}
