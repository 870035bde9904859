//! Reading the flights of sessions, and asking what their processes cost, again and again.
//!
//! ```text
//!  the folder tells name and inode ─▸ open from the last look, and the same inode? ─ yes ─▸ lock, copy, cost
//!                                                └ no ─▸ opened by name, and kept if it could be read ─▸ …
//! ```
//!
//! Of a look at a session two thirds are to find its files. So they stay open: of as many sessions as a person has, since
//! descriptors are few; others are opened in each look.
//!
//! Invariants:
//! - What is read is what the name leads to now: an open file has its inode for itself, and the folder says which it names.
//! - Who lives no more and has no file any more has ended by itself, and is not shown.
//! - A process is asked by a file that the kernel opened for it: who gets its number later is not taken for it.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lle_metrics::identity::boot_id;
use lle_metrics::{Liveness, OpenFlight, Seen, Snapshot};
use rustix::process::{Resource, getrlimit};

use crate::real::process::Process;
use crate::world::{Cost, Look};

/// Sessions whose files stay open, with two descriptors each: an eighth of what a process has by default, and of what it
/// has where that is less.
const KEPT_MAX: usize = 64;
const DESCRIPTORS_TO_A_SESSION: u64 = 16;

/// What a look needs; kept from one to the next.
pub(super) struct Reader {
    /// The folder of the flight files, and for the time of a look the file in it.
    path: PathBuf,
    /// The device that the folder is on, in this look; none if that is not known.
    device: Option<u64>,
    snapshot: Snapshot,
    /// The boot we live in; none if the kernel does not tell.
    boot: Option<[u8; 16]>,
    kept: BTreeMap<u64, Kept>,
    /// Sessions of which files are kept, at most.
    kept_max: usize,
    /// The number of the look.
    round: u64,
}

/// The open files of a session.
struct Kept {
    flight: OpenFlight,
    /// When it started, in clock ticks since boot, and its process; none if that is not visible, or was not asked for.
    process: Option<(u64, Process)>,
    /// The look in which its file was there last.
    seen_in: u64,
}

impl Reader {
    /// Reads the flights of a folder.
    pub(super) fn of(folder: PathBuf) -> Self {
        Self {
            path: folder,
            device: None,
            snapshot: Snapshot::default(),
            boot: boot_id(),
            kept: BTreeMap::new(),
            kept_max: kept_max(),
            round: 0,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.path
    }

    /// A look begins at the files of this folder.
    pub(super) fn begin(&mut self, folder: &impl AsFd) {
        self.device = rustix::fs::fstat(folder).ok().map(|found| found.st_dev);
        self.round += 1;
    }

    /// A look is over: what is there no more is closed.
    pub(super) fn end(&mut self) {
        self.kept.retain(|_, kept| kept.seen_in == self.round);
    }

    /// Closes everything.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }

    /// Closes the files of a session.
    pub(super) fn let_go(&mut self, session: u64) {
        self.kept.remove(&session);
    }

    /// Looks at a session, of which the folder tells the name and the inode.
    pub(super) fn look_at(&mut self, session: u64, name: &Path, inode: u64, each: &mut dyn FnMut(Look<'_>)) {
        let number = self.device.map(|device| (device, inode));
        self.path.push(name);
        self.look_at_path(session, number, each);
        self.path.pop();
    }

    fn look_at_path(&mut self, session: u64, number: Option<(u64, u64)>, each: &mut dyn FnMut(Look<'_>)) {
        let path = self.path.as_path();
        let mut opened = None;
        let kept = self.kept.get_mut(&session);
        let kept = match kept.filter(|kept| Some(kept.flight.number()) == number) {
            Some(kept) => Ok(kept),
            None => OpenFlight::open(path).map(|flight| opened.insert(Kept::of(flight))),
        };
        let (seen, cost, number) = match kept {
            Ok(kept) => {
                kept.seen_in = self.round;
                let (seen, cost) = kept.look(&mut self.snapshot, self.boot);
                (seen, cost, Some(kept.flight.number()))
            }
            Err(error) => (Seen::unreadable(error, &mut self.snapshot), None, None),
        };
        let is_readable = seen.read.is_ok();
        // In this order: who ends by itself takes its file away while it still holds the lock.
        if (seen.liveness != Liveness::Alive || !is_readable) && !is_named(path, number) {
            return;
        }
        each(Look {
            session,
            liveness: seen.liveness,
            snapshot: is_readable.then_some(&self.snapshot),
            problem: seen.read.err().map(|error| error.to_string()),
            cost,
        });
        self.keep(session, opened, is_readable);
    }

    /// Keeps the files of a session for the next look; what could not be read is opened again by then.
    fn keep(&mut self, session: u64, opened: Option<Kept>, is_readable: bool) {
        if !is_readable {
            self.let_go(session);
        } else if let Some(opened) = opened {
            // What was kept before has lost its name: the session has registered anew.
            self.let_go(session);
            if self.kept.len() < self.kept_max {
                self.kept.insert(session, opened);
            }
        }
    }
}

impl Kept {
    fn of(flight: OpenFlight) -> Self {
        Self {
            flight,
            process: None,
            seen_in: 0,
        }
    }

    /// Whether the session lives, what it wrote, and what its process costs.
    fn look(&mut self, snapshot: &mut Snapshot, boot: Option<[u8; 16]>) -> (Seen, Option<Cost>) {
        let mut seen = self.flight.look(snapshot);
        if seen.read.is_err() {
            return (seen, None);
        }
        let written = Some(snapshot.boot_id()).filter(|boot| *boot != [0; 16]);
        if written.is_some() && boot.is_some() && written != boot {
            // A lock held on another machine is not always visible here.
            seen.liveness = Liveness::Dead;
        }
        if seen.liveness != Liveness::Alive {
            self.process = None;
            return (seen, None);
        }
        let cost = self.cost(seen.holder, snapshot.process());
        (seen, cost)
    }

    /// What its process costs, if that can be known.
    fn cost(&mut self, holder: Option<u32>, (pid, start_ticks): (u32, u64)) -> Option<Cost> {
        let is_known = |(started, process): &(u64, Process)| process.pid() == pid && *started == start_ticks;
        if !self.process.as_ref().is_some_and(is_known) {
            let process = match holder {
                // Who holds the lock right now is no other process that got the number later.
                Some(holder) if holder == pid => Process::of(pid),
                _ => Process::started(pid, start_ticks),
            };
            self.process = process.ok().map(|process| (start_ticks, process));
        }
        let cost = self.process.as_ref().map(|(_, process)| process.cost());
        let cost = cost.and_then(Result::ok);
        if cost.is_none() {
            // It has ended meanwhile, or is another by now: the next look finds out.
            self.process = None;
        }
        cost
    }
}

/// Of how many sessions files are kept: whoever started the worker may have left it few descriptors.
fn kept_max() -> usize {
    let may_open = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(may_open / DESCRIPTORS_TO_A_SESSION).map_or(KEPT_MAX, |most| most.min(KEPT_MAX))
}

/// Whether there is a file of that name, and if its number is known, whether it is that one.
fn is_named(path: &Path, number: Option<(u64, u64)>) -> bool {
    let found = path.symlink_metadata();
    found.is_ok_and(|found| number.is_none_or(|number| (found.dev(), found.ino()) == number))
}

#[cfg(test)]
mod tests;
