//! Disks that fail at a chosen call: a full disk, a broken one, a torn write, a process that is killed there.
//!
//! ```text
//!  test ── Faults::start ──▶ a thread under a filter ── fork, exec ──▶ bash, lusush, worker, jobs …
//!    │                                                                   │ write, fsync, rename … : the kernel stops it
//!    │ set, calls, hit                                                   ▼
//!    └────────────▶ what is wanted ◀── serve: which file? which call? ── listener
//!                                        └▶ goes on │ fails │ half of it, and goes on │ is killed, or stopped
//! ```
//!
//! A seccomp filter hands every call that changes a file to this process, which looks whether the file is below the watched
//! folder, counts it, and answers. That reaches what a preloaded library does not: calls without libc, programs that
//! are started with a cleared environment, and their children.
//!
//! Invariant: a call that is not chosen happens exactly as it would have. What is started stays under the filter for as long
//! as it lives; it has to end before the test's process does.

mod call;
mod filter;
mod serve;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use call::Kind;

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with an error of the device; calls after it succeed.
    Broken,
    /// It and everything after it that takes room fails as on a full disk, until [`Faults::clear`]; of a write that is the
    /// chosen call half is written, which the kernel does when there is room for that much.
    Full,
    /// Half of a write is written, and that is what the call says; calls after it succeed. Calls that are no write succeed.
    Short,
    /// The process is killed before the call happens.
    Killed,
    /// Half of a write is written, and the process is killed; where the call is no write, before it happens.
    Torn,
    /// The process is stopped before the call happens, which it does once somebody sends SIGCONT.
    Stopped,
}

impl Fault {
    /// All that go by without anybody's help.
    pub const ALL: [Fault; 5] = [
        Fault::Broken,
        Fault::Full,
        Fault::Short,
        Fault::Killed,
        Fault::Torn,
    ];

    /// Whether the process is killed.
    #[must_use]
    pub const fn kills(self) -> bool {
        matches!(self, Fault::Killed | Fault::Torn)
    }
}

/// Which call fails, and how.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    /// The number of the call, from 1.
    at: u64,
    fault: Fault,
}

#[derive(Debug, Default)]
struct Wanted {
    folder: PathBuf,
    chosen: Option<Chosen>,
    /// Only these, if any are named.
    kinds: Vec<Kind>,
    calls: u64,
    full: bool,
    hit: Option<String>,
}

/// Watches the calls below a folder.
#[derive(Debug)]
pub struct Faults {
    wanted: Arc<Mutex<Wanted>>,
}

impl Faults {
    /// Watches the calls that change files below a folder. None fails yet.
    #[must_use]
    pub fn below(folder: &Path) -> Faults {
        let wanted = Wanted {
            folder: folder.to_owned(),
            ..Wanted::default()
        };
        Faults {
            wanted: Arc::new(Mutex::new(wanted)),
        }
    }

    /// Counts only calls of these kinds from now on.
    #[must_use]
    pub fn only(self, kinds: &[Kind]) -> Faults {
        self.with(|wanted| wanted.kinds = kinds.to_vec());
        self
    }

    /// Chooses a call, counted from 1 from now on.
    pub fn set(&self, at: u64, fault: Fault) {
        self.with(|wanted| {
            wanted.chosen = Some(Chosen { at, fault });
            (wanted.calls, wanted.full, wanted.hit) = (0, false, None);
        });
    }

    /// No call fails any more, and counting begins anew; gives what [`Faults::hit`] would have given.
    pub fn clear(&self) -> Option<String> {
        self.with(|wanted| {
            (wanted.chosen, wanted.calls, wanted.full) = (None, 0, false);
            wanted.hit.take()
        })
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.with(|wanted| wanted.calls)
    }

    /// The call that was chosen and has come, with its file; none if it has not.
    #[must_use]
    pub fn hit(&self) -> Option<String> {
        self.with(|wanted| wanted.hit.clone())
    }

    /// Runs `start` in a thread whose children, and theirs, are watched.
    ///
    /// # Errors
    /// The kernel has no such filter, or does not allow it here.
    ///
    /// # Panics
    /// If `start` does.
    pub fn start<T: Send>(&self, start: impl FnOnce() -> T + Send) -> io::Result<T> {
        let wanted = self.wanted.clone();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                // Whoever answers must not be under the filter; threads inherit it, so that one is made first.
                let (give, take) = std::sync::mpsc::channel();
                std::thread::Builder::new().name("faults".into()).spawn(move || {
                    if let Ok(listener) = take.recv() {
                        serve::serve(&listener, &wanted);
                    }
                })?;
                let listener = filter::install()?;
                // It waits for it, unless it could not be started.
                give.send(listener).map_err(io::Error::other)?;
                Ok(start())
            });
            match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Wanted) -> T) -> T {
        f(&mut self.wanted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the kernel lets calls be watched here; where everything is demanded (`LUSUSH_TEST_REQUIRE`), a kernel that does
/// not is a failure, and otherwise it is said.
///
/// # Panics
/// If it is demanded and not there.
#[must_use]
pub fn are_here() -> bool {
    let tried = Faults::below(Path::new("/nonexistent")).start(|| ());
    let demanded = std::env::var_os("LUSUSH_TEST_REQUIRE").is_some_and(|value| !value.is_empty());
    match tried {
        Ok(()) => true,
        Err(error) if demanded => panic!("calls cannot be watched: {error}"),
        Err(error) => {
            eprintln!("skipped: calls cannot be watched here: {error}");
            false
        }
    }
}
