//! The plan of a restore: noted before anything is moved, carried out by it or by whoever comes next.
//!
//! Invariants: a plan is whole or none. What of it cannot be done stays noted and is tried again, and is in nobody's way: a
//! file that something stands in the place of keeps neither the others from coming back nor anybody from the backup.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::RestoreError;
use crate::disk;
use crate::hex;
use crate::history;
use crate::sections::Places;

/// Bytes of a plan that is read: a hundred thousand files with long names.
const PLAN_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The version of the plan's form: since the second one, histories are filled and not replaced.
pub(super) const VERSION: u32 = 2;

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
pub(super) enum Phase {
    Staging,
    Moving,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) version: u32,
    pub(super) phase: Phase,
    pub(super) snapshot: String,
    pub(super) moves: Vec<Move>,
}

/// One file: all three paths in hex, since a path need not be text.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Move {
    pub(super) staged: String,
    pub(super) target: String,
    pub(super) aside: String,
    /// Whether the target is a history, into which what it lacks is brought.
    #[serde(default)]
    pub(super) fill: bool,
}

fn plan_path(places: &Places) -> PathBuf {
    places.backup().join("restore.plan")
}

pub(super) fn note(places: &Places, plan: &Plan) -> Result<(), RestoreError> {
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
/// It is still unfinished; all of it that could be done is.
pub fn finish(places: &Places) -> Result<Finished, RestoreError> {
    let Some(mut plan) = noted(places)? else {
        return Ok(Finished::Nothing);
    };
    let damaged = || RestoreError::Plan(plan_path(places));
    let (mut done, mut left, mut first) = (0, Vec::new(), None);
    for one in std::mem::take(&mut plan.moves) {
        let path = |text: &str| hex::to_path(text).ok_or_else(damaged);
        let (staged, target, aside) = (path(&one.staged)?, path(&one.target)?, path(&one.aside)?);
        let result = match plan.phase {
            Phase::Staging => remove(&staged),
            Phase::Moving => put(&staged, &target, &aside, one.fill).map(|moved| done += u64::from(moved)),
        };
        if let Err(source) = result {
            first.get_or_insert((target, source));
            left.push(one);
        }
    }
    if let Some((path, source)) = first {
        let more = left.len() as u64 - 1;
        plan.moves = left;
        // What the former one says besides is done, and nothing is done twice.
        let _former_stays = note(places, &plan);
        return Err(match plan.phase {
            Phase::Staging => RestoreError::Io { path, source },
            Phase::Moving => RestoreError::Stuck {
                done,
                path,
                more,
                source,
            },
        });
    }
    forget(places)?;
    Ok(match plan.phase {
        Phase::Staging => Finished::TakenBack,
        Phase::Moving => Finished::Completed(done),
    })
}

/// Gives up what of a former restore could not be brought to its end, since another one begins: what it had staged goes.
///
/// # Errors
/// The former one is still noted.
pub(super) fn give_up(places: &Places) -> Result<(), RestoreError> {
    let Some(plan) = noted(places)? else {
        return Ok(());
    };
    for one in &plan.moves {
        let staged = hex::to_path(&one.staged).ok_or_else(|| RestoreError::Plan(plan_path(places)))?;
        remove(&staged).map_err(|source| RestoreError::Io { path: staged, source })?;
    }
    forget(places)
}

fn forget(places: &Places) -> Result<(), RestoreError> {
    let path = plan_path(places);
    remove(&path)
        .and_then(|()| disk::sync_folder(disk::folder_of(&path)))
        .map_err(|source| RestoreError::Io { path, source })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::create::create;
    use crate::house::House;
    use crate::store::Store;

    #[test]
    fn what_cannot_be_moved_keeps_nothing_else_from_its_place_and_nobody_from_the_backup() {
        let house = House::empty();
        let (at, places) = (|name: &str| house.at(name), &house.places);
        fs::create_dir_all(at("config/a")).unwrap();
        fs::create_dir_all(places.backup()).unwrap();
        let of = |name: &str| Move {
            staged: hex::of_path(&at(&format!("config/.{name}.lusush-restore"))),
            target: hex::of_path(&at(&format!("config/{name}"))),
            aside: hex::of_path(&at(&format!("aside/{name}"))),
            fill: false,
        };
        let begin = || {
            for name in ["a", "b"] {
                fs::write(at(&format!("config/.{name}.lusush-restore")), name).unwrap();
            }
            let plan = Plan {
                version: VERSION,
                phase: Phase::Moving,
                snapshot: "0".into(),
                moves: vec![of("a"), of("b")],
            };
            note(places, &plan).unwrap();
        };
        begin();
        // Where the first is to go there is a folder.
        match finish(places) {
            Err(RestoreError::Stuck {
                done: 1,
                path,
                more: 0,
                ..
            }) => assert_eq!(path, at("config/a")),
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read(at("config/b")).unwrap(), b"b");
        assert_eq!(noted(places).unwrap().unwrap().moves.len(), 1);
        let store = Store::open_or_make(places, None, None).unwrap();
        assert!(matches!(
            store.unfinished(),
            Some(RestoreError::Stuck { done: 0, .. })
        ));
        create(&store, "all the same").unwrap();
        drop(store);
        fs::remove_dir(at("config/a")).unwrap();
        let store = Store::open(places, None, None).unwrap();
        assert!(store.unfinished().is_none());
        assert_eq!(fs::read(at("config/a")).unwrap(), b"a");
        drop(store);
        begin();
        give_up(places).unwrap();
        assert!(!at("config/.a.lusush-restore").exists());
        assert_eq!(finish(places).unwrap(), Finished::Nothing);
    }
}
