//! What a recovery may replace is kept before, and goes back if it does not hold.
//!
//! ```text
//!  copies ─▸ aside/<moment>-recover/, durable ─▸ noted in recover.json ─▸ the step ─▸ held: the note goes, the copies stay
//!                                                                        └ not, or killed: each file goes back
//! ```
//!
//! Invariants: the note names only what is durable. Putting back is absolute and may be done twice: a file says again what it
//! said, what it said meanwhile is kept, and one that was not there is moved to the copies. History is never put back: restoring it only adds, and a session
//! may have written since.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lle_core::error::Code;
use lle_core::recovery::{Kept, Undo};
use serde::{Deserialize, Serialize};

use super::gather::all_below;
use super::own::{self, words};
use super::places::Places;
use crate::failure::Failure;
use crate::maint::ask;
use crate::paths::create_folder;
use crate::replace::{replace, sync_folder};
use lle_maintenance::worker::WorkerError;
use lle_maintenance::worker::lock::Lock;

/// The version of the note's form.
const VERSION: u32 = 1;
/// Bytes of a note that is read.
const NOTE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One that was interrupted so long ago at most is taken back unasked: nobody has worked on since.
const FRESH: Duration = Duration::from_secs(600);

/// How long a worker may take to end: it takes its jobs with it.
const STOP: Duration = Duration::from_secs(10);
/// Between two looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is noted of one recovery.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    version: u32,
    scenario: String,
    /// Where the copies are.
    folder: PathBuf,
    roots: Vec<Root>,
    /// A folder that is renamed as a whole.
    renamed: Option<Renamed>,
}

/// A folder, or a file, with every file that it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Root {
    path: PathBuf,
    /// Below it; itself is the empty path.
    files: Vec<PathBuf>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Renamed {
    from: PathBuf,
    to: PathBuf,
}

/// A recovery that is at work.
pub(super) struct Keeping {
    note: Note,
    /// A note is on the disk.
    is_noted: bool,
}

fn note_path(places: &Places) -> PathBuf {
    places.backup().join("recover.json")
}

/// The roots of what is kept, and names directly below them that are not part of it.
fn roots(places: &Places, kept: Kept) -> Vec<(PathBuf, &'static [&'static str])> {
    match kept {
        Kept::Configuration => {
            let mut roots: Vec<(PathBuf, &'static [&'static str])> =
                vec![(places.config.clone(), &["plugins"])];
            // What a link leads to is written through it, and is kept and goes back by its own name.
            let target = places.config_target();
            if target != places.config_file()
                && fs::symlink_metadata(places.config_file()).is_ok_and(|file| file.is_symlink())
            {
                roots.push((target, &[]));
            }
            roots
        }
        Kept::Plugins => vec![(places.plugins(), &[])],
        Kept::State => vec![
            (places.maint.clone(), &["worker.lock", "stopped"]),
            (places.data.join("audit"), &[]),
            (places.state.join("keys").join("audit.key"), &[]),
        ],
        // A new repository may come with a new key.
        Kept::Repository => vec![(places.state.join("keys").join("backup.key"), &[])],
    }
}

/// The files of a root, as paths below it; an error if there are more than are looked at.
fn files(root: &Path, but: &[&str]) -> io::Result<Vec<PathBuf>> {
    if fs::symlink_metadata(root).is_ok_and(|found| found.is_file()) {
        return Ok(vec![PathBuf::new()]);
    }
    let below = all_below(root)?.into_iter();
    let relative = below.filter_map(|(path, _)| path.strip_prefix(root).ok().map(Path::to_owned));
    Ok(relative
        .filter(|path| !but.iter().any(|but| path.starts_with(but)))
        .collect())
}

impl Keeping {
    /// Nothing is kept yet.
    pub(super) fn begin(places: &Places, scenario: &str) -> Keeping {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S").to_string();
        let named = |n: u32| match n {
            0 => places.aside().join(format!("{now}-recover")),
            n => places.aside().join(format!("{now}-recover-{n}")),
        };
        let free = (0..100).map(named).find(|folder| !folder.exists());
        Keeping {
            note: Note {
                version: VERSION,
                scenario: scenario.to_owned(),
                folder: free.unwrap_or_else(|| named(0)),
                roots: Vec::new(),
                renamed: None,
            },
            is_noted: false,
        }
    }

    /// Keeps what a phase may replace, unless an earlier phase has.
    pub(super) fn keep(&mut self, places: &Places, undo: Undo) -> io::Result<()> {
        let Undo::PutBack(kept) = undo else { return Ok(()) };
        for (path, but) in roots(places, kept) {
            if self.note.roots.iter().any(|root| root.path == path) {
                continue;
            }
            let files = files(&path, but)?;
            let copies = self.note.folder.join(self.note.roots.len().to_string());
            for file in &files {
                copy(&join(&path, file), &join(&copies, file))?;
            }
            self.note.roots.push(Root { path, files });
        }
        if kept == Kept::Repository && self.note.renamed.is_none() {
            let moment = self.note.folder.file_name().unwrap_or_default().to_string_lossy();
            self.note.renamed = Some(Renamed {
                from: places.archive(),
                to: places.backup().join(format!("archive.damaged-{moment}")),
            });
        }
        self.write(places)
    }

    fn write(&mut self, places: &Places) -> io::Result<()> {
        let text = serde_json::to_vec(&self.note).map_err(io::Error::other)?;
        replace(&note_path(places), &text)?;
        self.is_noted = true;
        Ok(())
    }

    /// Where the repository is moved to.
    pub(super) fn repository_away(&self) -> Option<(&Path, &Path)> {
        self.note
            .renamed
            .as_ref()
            .map(|renamed| (&*renamed.from, &*renamed.to))
    }

    /// All of it held: the note goes; gives where what was there is, if anything is.
    pub(super) fn end(self, places: &Places) -> Option<PathBuf> {
        let moved = self.note.renamed.as_ref().map(|renamed| renamed.to.clone());
        if self.is_noted {
            forget(places);
        }
        moved
            .filter(|to| to.exists())
            .or_else(|| Some(self.note.folder).filter(|folder| folder.exists()))
    }

    /// Puts back what was kept.
    pub(super) fn put_back(self, places: &Places) -> io::Result<()> {
        if !self.is_noted {
            return Ok(());
        }
        put_back(places, &self.note)?;
        forget(places);
        Ok(())
    }
}

/// A recovery that was interrupted, and is not taken back yet.
pub(crate) struct Pending {
    /// What it was about.
    pub(crate) scenario: String,
    /// How long ago its last phase began.
    pub(crate) age: Duration,
}

/// Looks for one; changes nothing. One whose note cannot be read has no name.
pub(crate) fn pending(places: &Places) -> Option<Pending> {
    let path = note_path(places);
    let found = fs::metadata(&path).ok()?;
    let note = fs::read(&path).ok().filter(|_| found.len() <= NOTE_BYTES_MAX);
    let note = note.and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
    Some(Pending {
        scenario: note.map_or_else(|| "unknown".into(), |note| note.scenario),
        age: found
            .modified()
            .ok()
            .and_then(|at| at.elapsed().ok())
            .unwrap_or_default(),
    })
}

/// Puts back what a recovery that was killed had begun to replace; gives its scenario. One of long ago only if it is named:
/// somebody may have gone on working with what it left.
pub(super) fn finish(places: &Places, named: Option<&str>) -> Result<Option<String>, Failure> {
    let path = note_path(places);
    let failed = || {
        Failure::new("a recovery that was interrupted cannot be taken back")
            .code(Code::Stuck.exit())
            .hint(format!("what was there is in {}", places.aside().display()))
    };
    let bytes = match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(found) if found.len() <= NOTE_BYTES_MAX => {
            fs::read(&path).map_err(|error| failed().because(error))?
        }
        Ok(_) => return Err(failed().because("its note is too long")),
        Err(error) => return Err(failed().because(error)),
    };
    let note: Note = serde_json::from_slice(&bytes).map_err(|error| failed().because(error))?;
    if note.version != VERSION {
        return Err(failed().because("another version of Lusush wrote its note"));
    }
    let age = pending(places).map_or(Duration::MAX, |pending| pending.age);
    if age > FRESH && named != Some(&note.scenario) {
        return Err(Failure::new(format!(
            "a recovery from {} was interrupted long ago, and is not taken back unasked",
            note.scenario
        ))
        .code(Code::InvalidState.exit())
        .hint(format!(
            "`lusush maint recover {}` takes it back first",
            note.scenario
        ))
        .hint(format!(
            "remove {} to leave everything as it is; what was there is in {}",
            path.display(),
            note.folder.display()
        )));
    }
    put_back(places, &note).map_err(|error| failed().because(error))?;
    forget(places);
    Ok(Some(note.scenario))
}

fn forget(places: &Places) {
    // One that stays is put back by the next run, to what is there anyway or what is kept.
    let _stays = fs::remove_file(note_path(places));
    let _later = sync_folder(&places.backup());
}

fn put_back(places: &Places, note: &Note) -> io::Result<()> {
    // A worker would not see that its files were replaced: none runs meanwhile, and one that did runs again.
    let touches_state = note.roots.iter().any(|root| root.path == places.maint);
    let ran = touches_state && ask::holder_of().is_some();
    let result = put_back_alone(places, note, touches_state, ran);
    if ran {
        // However it came out. Its own trouble is told by `maint status`; the files are what this is about.
        let _started = own::run(&words(&["start"]));
    }
    result
}

fn put_back_alone(places: &Places, note: &Note, touches_state: bool, stop: bool) -> io::Result<()> {
    if stop {
        own::run(&words(&["stop"])).map_err(io::Error::other)?;
    }
    let _no_worker = touches_state
        .then(|| once_it_has_left(&places.maint))
        .transpose()?;
    put_files_back(places, note)
}

/// The worker's lock, as soon as the worker that was told to end has ended.
fn once_it_has_left(maint: &Path) -> io::Result<Lock> {
    let began = Instant::now();
    loop {
        match Lock::take(maint) {
            Err(WorkerError::Running { .. }) if began.elapsed() < STOP => std::thread::sleep(LOOK_EVERY),
            other => return other.map_err(io::Error::other),
        }
    }
}

fn put_files_back(places: &Places, note: &Note) -> io::Result<()> {
    for (at, root) in note.roots.iter().enumerate() {
        let copies = note.folder.join(at.to_string());
        let undone = note.folder.join(format!("{at}-undone"));
        for file in &root.files {
            let (from, to) = (join(&copies, file), join(&root.path, file));
            let is_same = fs::read(&to).is_ok_and(|now| fs::read(&from).is_ok_and(|then| now == then));
            if is_same {
                continue;
            }
            if to.is_file() {
                // After a kill that may be what somebody has written since.
                copy(&to, &join(&undone, file))?;
            }
            replace_from(&from, &to)?;
        }
        let was_there = |file: &PathBuf| root.files.contains(file);
        let but = roots(places, Kept::Configuration)
            .into_iter()
            .chain(roots(places, Kept::State))
            .find(|(path, _)| *path == root.path)
            .map_or(&[][..], |(_, but)| but);
        for new in files(&root.path, but)?.iter().filter(|file| !was_there(file)) {
            let to = join(&undone, new);
            create_folder(to.parent().unwrap_or(&note.folder))?;
            move_file(&join(&root.path, new), &to)?;
        }
    }
    if let Some(Renamed { from, to }) = &note.renamed
        && to.exists()
    {
        let _nobody_backs_up = places.backup_lock()?;
        if from.exists() {
            create_folder(&note.folder)?;
            fs::rename(from, note.folder.join("archive-undone"))?;
        }
        fs::rename(to, from)?;
    }
    Ok(())
}

/// A path below another; the empty path is that one itself.
fn join(root: &Path, file: &Path) -> PathBuf {
    match file.as_os_str().is_empty() {
        true => root.to_owned(),
        false => root.join(file),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    create_folder(folder)?;
    fs::copy(from, to)?;
    File::open(to)?.sync_all()?;
    sync_folder(folder)
}

fn replace_from(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    create_folder(folder)?;
    let mut draft = to.as_os_str().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = Path::new(&draft);
    copy(from, draft)?;
    fs::rename(draft, to)?;
    sync_folder(folder)
}

fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            copy(from, to)?;
            fs::remove_file(from)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::gather::files_below;
    use super::*;

    fn places(folder: &Path) -> Places {
        let at = |name: &str| folder.join(name);
        Places {
            config: at("config"),
            state: at("state"),
            data: at("data"),
            cache: at("cache"),
            maint: at("state/maint/m"),
            log: at("state/history/m.log"),
            home: None,
            repository: None,
        }
    }

    fn tree(folder: &Path) -> Vec<(PathBuf, String)> {
        let files = files_below(folder).into_iter();
        files
            .map(|(path, _)| {
                let text = fs::read_to_string(&path).expect("it is text");
                (path, text)
            })
            .collect()
    }

    #[test]
    fn what_was_kept_goes_back_however_often() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let places = places(folder.path());
        replace(&places.config_file(), b"one").expect("it can be written");
        replace(&places.config.join("themes/mine.toml"), b"blue").expect("it can be written");
        replace(&places.plugins().join("a.wasm"), b"plugin").expect("it can be written");
        let before = tree(&places.config);
        let mut keeping = Keeping::begin(&places, "test");
        keeping
            .keep(&places, Undo::PutBack(Kept::Configuration))
            .expect("it can be kept");
        replace(&places.config_file(), b"two").expect("it can be written");
        fs::remove_file(places.config.join("themes/mine.toml")).expect("it is there");
        replace(&places.config.join("themes/new.toml"), b"red").expect("it can be written");
        let note = keeping.note.clone();
        put_back(&places, &note).expect("it goes back");
        assert_eq!(tree(&places.config), before);
        // Killed in between, the next run does it once more.
        let finished = finish(&places, None).expect("it goes back");
        assert_eq!(finished.as_deref(), Some("test"));
        assert_eq!(tree(&places.config), before);
        assert_eq!(finish(&places, None).expect("nothing is there"), None);
        // What was new is kept, too, and what was changed.
        assert!(note.folder.join("0-undone/themes/new.toml").is_file());
        assert_eq!(
            fs::read(note.folder.join("0-undone/config.toml")).expect("it is kept"),
            b"two"
        );
    }

    #[test]
    fn a_repository_goes_back_by_its_name() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let places = places(folder.path());
        replace(&places.archive().join("config"), b"old").expect("it can be written");
        let mut keeping = Keeping::begin(&places, "test");
        keeping
            .keep(&places, Undo::PutBack(Kept::Repository))
            .expect("it can be kept");
        let (from, to) = keeping.repository_away().expect("it has a place");
        fs::rename(from, to).expect("it can be moved");
        replace(&places.archive().join("config"), b"new").expect("it can be written");
        keeping.put_back(&places).expect("it goes back");
        let config = fs::read(places.archive().join("config")).expect("it is there");
        assert_eq!(config, b"old");
    }
}
