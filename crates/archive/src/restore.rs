//! A snapshot comes back.
//!
//! ```text
//!  plan noted: staging ─▸ each file written beside its place, proven ─▸ plan noted: moving ─▸
//!     each: what is there linked into aside/ ─▸ staged file renamed over it ─▸ plan removed
//!           a history: what only the staged one has is brought back into it
//! ```
//!
//! Killed while it stages, it has not happened, and the staged files are removed by the next command; killed while it
//! moves, it has happened, and the next command moves the rest. At no instant is a file missing that was there.
//!
//! Invariants: nothing is moved where something else is in the way of any. What was there is kept, in `aside`. No history
//! loses a command by it, and what was taken out of one stays out. Nothing is moved before all of it is proven. A worker's
//! files are moved only while no worker runs.

pub(crate) mod place;
mod plan;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustic_core::repofile::Node;
use rustix::fs::FlockOperation;

use self::place::through_links;
pub use self::plan::{Finished, finish};
use self::plan::{Move, Phase, Plan, VERSION, give_up, note};
use crate::failure::RepositoryError;
use crate::hex;
use crate::history::{self, Way};
use crate::list::{self, Snapshot};
use crate::progress::Step;
use crate::sections::{Places, Section};
use crate::stage::{self, StageError};
use crate::standing::{self, Placed, Standing};
use crate::store::Store;

/// Why a restore was not done.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The snapshot has nothing of these sections.
    #[error("the snapshot has nothing of what was asked for")]
    Nothing,
    /// A file could not be written, or is damaged in the backup.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A worker runs, and would not see that its files were replaced.
    #[error("a worker is running, and its state is to be restored")]
    WorkerRuns,
    /// The folder to restore to has something in it.
    #[error("{} is there, and not empty", .0.display())]
    Occupied(PathBuf),
    /// Something else stands where a file is to come back.
    #[error("{} is in the way", .0.display())]
    InTheWay(PathBuf),
    /// Some came back, and some did not.
    #[error("{done} came back, and {} could not be put in its place{}", path.display(), and_more(*more))]
    Stuck {
        /// Files that came back.
        done: u64,
        /// The first that did not.
        path: PathBuf,
        /// How many more did not.
        more: u64,
        /// Why not.
        source: io::Error,
    },
    /// The plan of an interrupted restore is not what was written.
    #[error("the plan of a restore that was interrupted is damaged: {}", .0.display())]
    Plan(PathBuf),
    /// The system refused.
    #[error("cannot restore {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The repository refused.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// From which snapshot.
    pub snapshot: Snapshot,
    /// Files that were put in their places.
    pub moved: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were the same.
    pub same: u64,
    /// Logs that have all that the snapshot has, and what lies beside a history; they were left.
    pub grown: u64,
    /// Histories that lacked something, which was brought back into them; they are among none of the others.
    pub filled: u64,
    /// Records of histories that the snapshot has, and that stay taken out.
    pub taken_out: u64,
    /// Files that had other rights and have those that were saved.
    pub rights: u64,
    /// Files of the snapshot that have no place here.
    pub homeless: Vec<PathBuf>,
    /// Where what was in their places is; none if nothing was.
    pub aside: Option<PathBuf>,
}

fn and_more(more: u64) -> String {
    match more {
        0 => String::new(),
        more => format!(", nor {more} more"),
    }
}

struct Wanted {
    name: PathBuf,
    node: Node,
    target: PathBuf,
    fill: bool,
}

/// Restores sections of a snapshot to their places.
///
/// # Errors
/// Nothing was changed; or, if moving failed, the next command that opens the backup tries again.
pub fn restore(store: &Store, name: &str, sections: &[Section]) -> Result<Restored, RestoreError> {
    let file = list::find(store, name)?;
    let repository = store.again()?.to_indexed().map_err(RepositoryError::from)?;
    let mut restored = Restored {
        snapshot: Snapshot::of(&file),
        moved: 0,
        bytes: 0,
        same: 0,
        grown: 0,
        filled: 0,
        taken_out: 0,
        rights: 0,
        homeless: Vec::new(),
        aside: None,
    };
    let (mut asked_for, mut rights, mut any) = (Vec::new(), Vec::new(), false);
    for (name, node) in list::nodes_of(&repository, &file)? {
        let asked = Section::of(&name).is_some_and(|section| sections.contains(&section));
        if !asked || !node.is_file() {
            continue;
        }
        any = true;
        let Some(target) = store.places.target(&name) else {
            restored.homeless.push(name);
            continue;
        };
        let target = through_links(target);
        if place::is_denied(&target) {
            // Who may not read a file cannot say what it lacks.
            let failed = |source| RestoreError::Io {
                path: target.clone(),
                source,
            };
            restored.rights += u64::from(place::give_rights(&node, &target).map_err(failed)?);
        }
        if place::other_rights(&node, &target).is_some() {
            rights.push((target.clone(), node.clone()));
        }
        asked_for.push(Wanted {
            target,
            name,
            node,
            fill: false,
        });
    }
    if !any {
        return Err(RestoreError::Nothing);
    }
    let placed = asked_for.iter().map(Wanted::placed).collect::<Vec<_>>();
    let standings = standing::standings(&repository, &placed)?;
    let mut wanted = Vec::new();
    for (file, standing) in asked_for.into_iter().zip(standings) {
        match standing {
            Standing::Same => restored.same += 1,
            Standing::Grown => restored.grown += 1,
            Standing::Absent | Standing::Differs if history::stays(&file.name, &file.target) => {
                restored.grown += 1;
            }
            Standing::Absent | Standing::Differs => wanted.push(file),
        }
    }
    if let Some(path) = wanted.iter().find_map(|file| place::in_the_way(&file.target)) {
        return Err(RestoreError::InTheWay(path));
    }
    if wanted.is_empty() {
        restored.give_rights(&rights)?;
        return Ok(restored);
    }
    let _workers = match wanted.iter().any(|file| file.name.starts_with("/state")) {
        true => lock_workers(&store.places.state)?,
        false => Vec::new(),
    };
    give_up(&store.places)?;
    let aside = aside_folder(&store.places);
    let mut plan = Plan {
        version: VERSION,
        phase: Phase::Staging,
        snapshot: restored.snapshot.id.clone(),
        moves: wanted.iter().map(|file| file.to_move(&aside)).collect(),
    };
    note(&store.places, &plan)?;
    let of = wanted.iter().map(|file| file.node.meta.size).sum();
    for file in &wanted {
        let told = |n: u64| {
            restored.bytes += n;
            (store.watch)(&staging(restored.bytes, of));
        };
        let staged = stage::staged(&file.target);
        if let Err(error) = stage::stage(&repository, &file.node, &file.name, &staged, told) {
            // The disk may be full: what was staged makes room again.
            finish(&store.places)?;
            return Err(error.into());
        }
    }
    wanted.retain_mut(|file| restored.is_to_come(file));
    plan.phase = Phase::Moving;
    plan.moves = wanted.iter().map(|file| file.to_move(&aside)).collect();
    note(&store.places, &plan)?;
    restored.filled = wanted.iter().filter(|file| file.fill).count() as u64;
    restored.moved = wanted.len() as u64 - restored.filled;
    restored.bytes = wanted.iter().map(|file| file.node.meta.size).sum();
    finish(&store.places)?;
    restored.give_rights(&rights)?;
    restored.aside = aside.exists().then_some(aside);
    Ok(restored)
}

/// Writes a snapshot's files below a folder that is not there yet or is empty, under their names in the archive.
///
/// # Errors
/// The folder is as it was.
pub fn restore_to(
    store: &Store,
    name: &str,
    sections: &[Section],
    folder: &Path,
) -> Result<Restored, RestoreError> {
    if stage::is_occupied(folder) {
        return Err(RestoreError::Occupied(folder.to_owned()));
    }
    let file = list::find(store, name)?;
    let repository = store.again()?.to_indexed().map_err(RepositoryError::from)?;
    let files: Vec<(PathBuf, Node)> = list::nodes_of(&repository, &file)?
        .into_iter()
        .filter(|(name, node)| {
            node.is_file() && Section::of(name).is_some_and(|section| sections.contains(&section))
        })
        .collect();
    if files.is_empty() {
        return Err(RestoreError::Nothing);
    }
    let of = files.iter().map(|(_, node)| node.meta.size).sum();
    let mut bytes = 0;
    let failed = |path: &Path, source| RestoreError::Io {
        path: path.to_owned(),
        source,
    };
    stage::whole_folder(folder, failed, |draft| {
        for (name, node) in &files {
            let told = |n: u64| {
                bytes += n;
                (store.watch)(&staging(bytes, of));
            };
            let path = draft.join(name.strip_prefix("/").unwrap_or(name));
            stage::stage(&repository, node, name, &path, told)?;
        }
        Ok(())
    })?;
    Ok(Restored {
        snapshot: Snapshot::of(&file),
        moved: files.len() as u64,
        bytes,
        same: 0,
        grown: 0,
        filled: 0,
        taken_out: 0,
        rights: 0,
        homeless: Vec::new(),
        aside: None,
    })
}

fn staging(done: u64, of: u64) -> Step {
    Step {
        what: "restoring".into(),
        done,
        of: Some(of),
        bytes: true,
        ended: done >= of,
    }
}

impl Restored {
    /// Gives files that stayed what they were the rights that were saved; those that were replaced have them.
    fn give_rights(&mut self, others: &[(PathBuf, Node)]) -> Result<(), RestoreError> {
        for (path, node) in others {
            let given = place::give_rights(node, path).map_err(|source| RestoreError::Stuck {
                done: self.moved + self.filled,
                path: path.clone(),
                more: 0,
                source,
            })?;
            self.rights += u64::from(given);
        }
        Ok(())
    }

    /// Whether a file that is staged comes to its place, and how; a history that has all of it stays as it is.
    fn is_to_come(&mut self, file: &mut Wanted) -> bool {
        let staged = stage::staged(&file.target);
        match history::way(&file.name, &file.target, &staged) {
            Way::Replace => true,
            Way::Fill(lacks) => {
                file.fill = true;
                self.taken_out += lacks.taken_out;
                true
            }
            Way::Stay(lacks) => {
                // Left there, it would be taken for one of a restore that was killed.
                let _stray = fs::remove_file(&staged);
                self.grown += 1;
                self.taken_out += lacks.taken_out;
                false
            }
        }
    }
}

impl Wanted {
    fn placed(&self) -> Placed<'_> {
        Placed {
            node: &self.node,
            name: &self.name,
            path: &self.target,
        }
    }

    fn to_move(&self, aside: &Path) -> Move {
        let aside = aside.join(self.name.strip_prefix("/").unwrap_or(&self.name));
        Move {
            staged: hex::of_path(&stage::staged(&self.target)),
            target: hex::of_path(&self.target),
            aside: hex::of_path(&aside),
            fill: self.fill,
        }
    }
}

/// Where what a restore finds goes: a folder of its own, named after the moment.
fn aside_folder(places: &Places) -> PathBuf {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S").to_string();
    let all = places.backup().join("aside");
    let numbered = |n: u32| match n {
        0 => all.join(&now),
        n => all.join(format!("{now}-{n}")),
    };
    // One second has one restore, and by hand perhaps two.
    (0..100)
        .map(numbered)
        .find(|folder| !folder.exists())
        .unwrap_or_else(|| numbered(0))
}

/// Holds the locks of all workers of this home, so that none runs and none begins.
fn lock_workers(state: &Path) -> Result<Vec<File>, RestoreError> {
    let machines = fs::read_dir(state.join("maint")).into_iter().flatten().flatten();
    let mut held = Vec::new();
    for machine in machines {
        let Ok(lock) = OpenOptions::new()
            .write(true)
            .open(machine.path().join("worker.lock"))
        else {
            continue;
        };
        match rustix::fs::fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => held.push(lock),
            Err(_) => return Err(RestoreError::WorkerRuns),
        }
    }
    Ok(held)
}
