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
//! Invariants: what was there is kept, in `aside`. No history loses a command by it, and what was taken out of one stays
//! out. Nothing is moved before all of it is proven. A worker's files are
//! moved only while no worker runs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustic_core::repofile::Node;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::disk;
use crate::failure::RepositoryError;
use crate::hex;
use crate::history::{self, Way};
use crate::list::{self, Snapshot};
use crate::progress::Step;
use crate::sections::{Places, Section};
use crate::stage::{self, StageError};
use crate::standing::{self, Placed, Standing};
use crate::store::Store;

/// Bytes of a plan that is read: a hundred thousand files with long names.
const PLAN_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The version of the plan's form: since the second one, histories are filled and not replaced.
const VERSION: u32 = 2;

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
    /// Files of the snapshot that have no place here.
    pub homeless: Vec<PathBuf>,
    /// Where what was in their places is; none if nothing was.
    pub aside: Option<PathBuf>,
}

/// What became of a restore that was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// There was none.
    Nothing,
    /// It had not happened, and its staged files are gone.
    TakenBack,
    /// It had happened, and its last files were moved: so many.
    Completed(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Staging,
    Moving,
}

#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    version: u32,
    phase: Phase,
    snapshot: String,
    moves: Vec<Move>,
}

/// One file: all three paths in hex, since a path need not be text.
#[derive(Debug, Serialize, Deserialize)]
struct Move {
    staged: String,
    target: String,
    aside: String,
    /// Whether the target is a history, into which what it lacks is brought.
    #[serde(default)]
    fill: bool,
}

struct Wanted {
    name: PathBuf,
    node: Node,
    target: PathBuf,
    fill: bool,
}

fn plan_path(places: &Places) -> PathBuf {
    places.backup().join("restore.plan")
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
        homeless: Vec::new(),
        aside: None,
    };
    let (mut asked_for, mut any) = (Vec::new(), false);
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
        asked_for.push(Wanted {
            target: through_links(target),
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
    if wanted.is_empty() {
        return Ok(restored);
    }
    let _workers = match wanted.iter().any(|file| file.name.starts_with("/state")) {
        true => lock_workers(&store.places.state)?,
        false => Vec::new(),
    };
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
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| RestoreError::Io { path, source }
    };
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return Err(RestoreError::Occupied(folder.to_owned()));
    }
    let file = list::find(store, name)?;
    let repository = store.again()?.to_indexed().map_err(RepositoryError::from)?;
    let draft = stage::staged(folder);
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(failed(&draft))?;
    }
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
    for (name, node) in &files {
        let told = |n: u64| {
            bytes += n;
            (store.watch)(&staging(bytes, of));
        };
        let path = draft.join(name.strip_prefix("/").unwrap_or(name));
        stage::stage(&repository, node, name, &path, told)?;
    }
    fs::rename(&draft, folder).map_err(failed(folder))?;
    disk::sync_folder(disk::folder_of(folder)).map_err(failed(folder))?;
    Ok(Restored {
        snapshot: Snapshot::of(&file),
        moved: files.len() as u64,
        bytes,
        same: 0,
        grown: 0,
        filled: 0,
        taken_out: 0,
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

/// The file that a link to a file stands for: people keep their configuration in a folder of their own.
fn through_links(target: PathBuf) -> PathBuf {
    let link = fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink());
    match fs::canonicalize(&target) {
        Ok(real) if link && real.is_file() => real,
        _ => target,
    }
}

impl Restored {
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

fn note(places: &Places, plan: &Plan) -> Result<(), RestoreError> {
    let path = plan_path(places);
    let text = serde_json::to_string(plan).map_err(|_| RestoreError::Plan(path.clone()))?;
    let sum = crc32fast::hash(text.as_bytes());
    disk::replace(&path, format!("{text}\ncheck {sum:08x}\n").as_bytes())
        .map_err(|source| RestoreError::Io { path, source })
}

fn noted(places: &Places) -> Result<Option<Plan>, RestoreError> {
    let path = plan_path(places);
    let bytes = match disk::read_small(&path, PLAN_BYTES_MAX) {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(source) => return Err(RestoreError::Io { path, source }),
    };
    let plan = || -> Option<Plan> {
        let text = std::str::from_utf8(&bytes).ok()?;
        let (json, check) = text.split_once('\n')?;
        let sum = crc32fast::hash(json.as_bytes());
        (check == format!("check {sum:08x}\n")).then_some(())?;
        let plan: Plan = serde_json::from_str(json).ok()?;
        (1..=VERSION).contains(&plan.version).then_some(plan)
    };
    plan().map(Some).ok_or(RestoreError::Plan(path))
}

/// Brings a restore that was interrupted to its end. The caller holds the lock.
///
/// # Errors
/// It is still unfinished.
pub fn finish(places: &Places) -> Result<Finished, RestoreError> {
    let Some(plan) = noted(places)? else {
        return Ok(Finished::Nothing);
    };
    let damaged = || RestoreError::Plan(plan_path(places));
    let mut done = 0;
    for one in &plan.moves {
        let path = |text: &str| hex::to_path(text).ok_or_else(damaged);
        let (staged, target, aside) = (path(&one.staged)?, path(&one.target)?, path(&one.aside)?);
        let result = match plan.phase {
            Phase::Staging => remove(&staged),
            Phase::Moving => put(&staged, &target, &aside, one.fill).map(|moved| done += u64::from(moved)),
        };
        result.map_err(|source| RestoreError::Io { path: target, source })?;
    }
    let path = plan_path(places);
    remove(&path)
        .and_then(|()| disk::sync_folder(disk::folder_of(&path)))
        .map_err(|source| RestoreError::Io { path, source })?;
    Ok(match plan.phase {
        Phase::Staging => Finished::TakenBack,
        Phase::Moving => Finished::Completed(done),
    })
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts a staged file in its place, or what a history lacks into it, unless that was done before; what is there is kept first.
fn put(staged: &Path, target: &Path, aside: &Path, fill: bool) -> io::Result<bool> {
    if fs::symlink_metadata(staged).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(false);
    }
    if fs::symlink_metadata(target).is_ok() {
        let folder = disk::folder_of(aside);
        disk::create_folder(folder)?;
        match fs::hard_link(target, aside) {
            Ok(()) => {}
            // Linked before the last kill, or gone meanwhile.
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {}
            // Another file system, or one without links.
            Err(_) => {
                fs::copy(target, aside)?;
                File::open(aside)?.sync_all()?;
            }
        }
        disk::sync_folder(folder)?;
    }
    match fill {
        true => history::fill(target, staged)?,
        false => fs::rename(staged, target)?,
    }
    disk::sync_folder(disk::folder_of(target))?;
    Ok(true)
}
