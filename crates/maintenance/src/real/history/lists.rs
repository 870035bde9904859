//! The history files of bash: `~/.bash_history`, and those that sessions name.
//!
//! Files: `history/<machine>.lists` names them, a path a line, written by sessions; `history/<machine>.list-<number>` is
//! the copy of one, `….before` what it was before somebody edited it, or accepted what it had become; `….since` what it held
//! since it was cut, while that waits for somebody's word. All 0600.
//!
//! Invariants: a file is only read, until somebody asks for what it lost; the copy changes only by what bash does to the
//! file, or when somebody accepts it. What a file held at a look comes back with it, or is in `….before`.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lle_core::history_names;
use lle_core::list_file::{self, Verdict};
use lle_core::quantity::several;

use super::commanded;
use super::culprit;
use super::list_edit::{self, Edited};
use super::writers::Writers;
use crate::real::draft;
use crate::world::{Answer, HistoryNews};

/// Bytes of a file that is guarded; what is longer is let be.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of the list of names that are read: twice what sessions let it become.
const NAMES_BYTES_MAX: u64 = 2 * history_names::BYTES_MAX as u64;
const DEFAULT: &str = ".bash_history";

/// What tells one state of a file from another.
pub(super) type Stamp = (u64, u64, u64, i64, i64);

pub(super) struct Lists {
    names: PathBuf,
    log: PathBuf,
    /// The one that is guarded whether it is named or not.
    default: Option<PathBuf>,
    named: Option<Stamp>,
    files: Vec<List>,
}

struct List {
    path: PathBuf,
    copy: PathBuf,
    seen: Option<Stamp>,
    /// What is gone was told.
    told: bool,
}

impl Lists {
    pub(super) fn new(log: &Path, home: Option<&Path>) -> Self {
        let mut lists = Self {
            names: log.with_extension("lists"),
            log: log.to_owned(),
            default: home.map(|home| home.join(DEFAULT)),
            named: None,
            files: Vec::new(),
        };
        lists.guard(&[]);
        lists
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.names.as_path()).chain(self.files())
    }

    /// The history files of bash.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|list| list.path.as_path())
    }

    /// Guards the default one and the newest of those that are named, and no others, but for one that waits for somebody's
    /// word.
    fn guard(&mut self, named: &[u8]) {
        let (named, unguarded) = history_names::files(named);
        let newest = named[unguarded..].iter();
        let named = newest.map(|name| PathBuf::from(OsStr::from_bytes(name)));
        let mut wanted: Vec<PathBuf> = self.default.iter().cloned().chain(named).collect();
        self.files.retain(|list| list.told || wanted.contains(&list.path));
        wanted.retain(|path| path.is_absolute());
        for path in wanted {
            if self.files.iter().any(|list| list.path == path) {
                continue;
            }
            let number = number(&path);
            let copy = self.log.with_extension(format!("list-{number:016x}"));
            self.files.push(List {
                copy,
                path,
                seen: None,
                told: false,
            });
        }
    }

    /// Looks at each file that changed.
    pub(super) fn look(&mut self, writers: &Writers) -> Vec<HistoryNews> {
        self.read_names();
        // Without its folder there is no session yet, and nowhere to keep a copy.
        if !self.log.parent().is_some_and(Path::is_dir) {
            return Vec::new();
        }
        let log = &self.log;
        let files = self.files.iter_mut();
        files.filter_map(|list| list.look(log, writers)).collect()
    }

    fn read_names(&mut self) {
        let found = fs::metadata(&self.names).ok().map(|found| stamp(&found));
        if self.named == found {
            return;
        }
        self.named = found;
        let text = read(&self.names, NAMES_BYTES_MAX).unwrap_or_default();
        self.guard(&text);
    }

    pub(super) fn restore(&mut self, path: &Path) -> Result<String, String> {
        let Some(list) = self.files.iter_mut().find(|list| list.path == path) else {
            return Err(format!(
                "{} is not guarded: `~/.bash_history` is, and the {} files that sessions named last",
                path.display(),
                history_names::GUARDED_MAX - 1
            ));
        };
        list.restore()
    }

    pub(super) fn accept(&mut self) -> io::Result<()> {
        for list in &mut self.files {
            let now = match list.path.try_exists() {
                // One that is removed is empty, here as in a look.
                Ok(false) => Some(Vec::new()),
                _ => read(&list.path, BYTES_MAX),
            };
            if let Some(now) = now {
                if list.told {
                    list.keep_before()?;
                }
                list.keep(&now)?;
            }
            list.told = false;
        }
        Ok(())
    }

    /// Whether what became of a file waits for somebody's word; none if it was not looked at yet.
    pub(super) fn waits(&self, path: &Path) -> Option<bool> {
        let list = self.files.iter().find(|list| list.path == path)?;
        list.seen.map(|_| list.told)
    }
}

impl List {
    fn look(&mut self, log: &Path, writers: &Writers) -> Option<HistoryNews> {
        let found = fs::metadata(&self.path).ok().map(|found| stamp(&found));
        if self.seen.is_some() && self.seen == found {
            return None;
        }
        self.seen = found;
        let former = read(&self.copy, BYTES_MAX);
        // One that is removed is empty: bash makes it anew when it ends.
        let now = match found {
            Some(_) => read(&self.path, BYTES_MAX)?,
            None => Vec::new(),
        };
        let Some(former) = former else {
            // Failing that, there is nothing to compare the next change with, and it is tried again then.
            let _none = self.keep(&now);
            return None;
        };
        let name = shown(&self.path);
        match list_file::judge(&former, &now) {
            Verdict::Same | Verdict::Bash => {
                // Somebody put back by hand what was cut. What it held meanwhile need not be in it.
                if self.told {
                    let _again = self.keep_before();
                }
                self.told = false;
                if now != former {
                    let _again = self.keep(&now);
                }
            }
            Verdict::Edited { .. } | Verdict::Cut { .. }
                if found.is_some_and(|(.., s, ns)| commanded::at(log, s * 1_000_000_000 + ns)) =>
            {
                // The user's own will, told to bash.
                self.told = false;
                let _again = self.keep(&now);
            }
            Verdict::Edited { missing } => {
                // The copy keeps its name until another takes it: killed in between, the edit is seen again, and told.
                let _without = self.keep_before();
                self.told = false;
                let _again = self.keep(&now);
                return Some(HistoryNews {
                    which: self.path.display().to_string(),
                    file: super::name_of(&self.path),
                    title: format!(
                        "{} of {name} gone",
                        several(missing as u64, "line is", "lines are")
                    ),
                    evidence: culprit::of(&self.path, writers),
                    remedy: format!("`lusush maint history restore {name}` puts them back"),
                    undo: false,
                    is_loss: false,
                    answer: Answer::Possible,
                });
            }
            Verdict::Cut { missing } if !self.told => {
                self.told = true;
                self.gather(&now);
                let remedy = format!(
                    "`lusush maint history restore {name}` puts it back, `… restore --accept` keeps it so"
                );
                let done = match (found, now.is_empty()) {
                    (None, _) => "removed",
                    (_, true) => "emptied by another program",
                    _ => "cut by another program",
                };
                return Some(HistoryNews {
                    which: self.path.display().to_string(),
                    file: super::name_of(&self.path),
                    title: format!("{name} was {done}"),
                    evidence: format!(
                        "{} gone; {}",
                        several(missing as u64, "line is", "lines are"),
                        culprit::of(&self.path, writers)
                    ),
                    remedy,
                    undo: found.is_some(),
                    is_loss: true,
                    answer: Answer::Awaited,
                });
            }
            Verdict::Cut { .. } => self.gather(&now),
        }
        None
    }

    fn restore(&mut self) -> Result<String, String> {
        let text = |error: io::Error| super::refused(&self.path, &error);
        let copy = read(&self.copy, BYTES_MAX).unwrap_or_default();
        let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let (mut whole, mut gained) = (Vec::new(), 0);
        let put_back = |now: &[u8]| {
            // If it is as the copy has it, what is wanted back was edited out before.
            let is_cut = |former: &[u8]| !matches!(list_file::judge(former, now), Verdict::Edited { .. });
            whole = match list_file::judge(&copy, now) {
                Verdict::Cut { .. } | Verdict::Edited { .. } => {
                    let since = read(&since(&self.copy), BYTES_MAX).unwrap_or_default();
                    list_file::restored(&copy, &list_file::gathered(&since, now))
                }
                // If it is as the copy has it, what is wanted back was edited out before, or given up.
                Verdict::Same | Verdict::Bash => {
                    let former = read(&before(&self.copy), BYTES_MAX)?;
                    match is_cut(&former) {
                        true => list_file::gathered(&former, now),
                        false => list_file::restored(&former, now),
                    }
                }
            };
            gained = lines(&whole).saturating_sub(lines(now));
            Some(whole.clone())
        };
        match list_edit::edit(&self.path, BYTES_MAX, put_back, |late| late).map_err(text)? {
            Edited::Written => {}
            Edited::Unchanged => return Err(format!("nothing of {} is gone", self.path.display())),
            Edited::TooLong => return Err(format!("{} is too long to be put back", self.path.display())),
        }
        // What a shell appended last is new to the copy, and comes into it with the next look.
        self.keep(&whole).map_err(text)?;
        let _none = fs::remove_file(since(&self.copy));
        self.told = false;
        Ok(format!("{} put back", several(gained, "line", "lines")))
    }

    /// Keeps what the file holds while a cut waits for somebody's word: another may take it. What cannot be written now is
    /// tried again when the file changes.
    fn gather(&mut self, now: &[u8]) {
        let so_far = read(&since(&self.copy), BYTES_MAX).unwrap_or_default();
        let all = list_file::gathered(&so_far, now);
        if all != so_far && replace(&since(&self.copy), &all).is_err() {
            self.seen = None;
        }
    }

    /// Keeps as `….before` what the copy has, and what the file held since it was cut.
    fn keep_before(&self) -> io::Result<()> {
        let before = before(&self.copy);
        match read(&since(&self.copy), BYTES_MAX) {
            Some(held) => {
                let copy = read(&self.copy, BYTES_MAX).unwrap_or_default();
                replace(&before, &list_file::restored(&copy, &held))?;
                fs::remove_file(since(&self.copy))
            }
            None => {
                let _none_before = fs::remove_file(&before);
                fs::hard_link(&self.copy, &before)
            }
        }
    }

    /// Makes the copy.
    fn keep(&self, bytes: &[u8]) -> io::Result<()> {
        replace(&self.copy, bytes)
    }
}

fn before(copy: &Path) -> PathBuf {
    beside(copy, ".before")
}

fn since(copy: &Path) -> PathBuf {
    beside(copy, ".since")
}

fn beside(copy: &Path, suffix: &str) -> PathBuf {
    let mut name = copy.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    copy.with_file_name(name)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft::draft_of(path);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_data()
        })
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _stray = fs::remove_file(&draft);
    }
    written
}

/// A file of at most that size; none if it is none, or longer.
fn read(path: &Path, bytes_max: u64) -> Option<Vec<u8>> {
    let file = match OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
    {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        other => other.ok()?,
    };
    whole(&file, bytes_max)
}

pub(super) fn whole(file: &File, bytes_max: u64) -> Option<Vec<u8>> {
    let found = file.metadata().ok()?;
    (found.is_file() && found.len() <= bytes_max).then_some(())?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

pub(super) fn stamp(found: &fs::Metadata) -> Stamp {
    (
        found.dev(),
        found.ino(),
        found.len(),
        found.ctime(),
        found.ctime_nsec(),
    )
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): a name for the copy; of two paths with one name the second is not guarded well,
/// which nobody gains by.
fn number(path: &Path) -> u64 {
    path.as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

/// A path as people write it.
fn shown(path: &Path) -> String {
    lle_core::shown::harmless(path.display().to_string().as_bytes(), 120)
}

#[cfg(test)]
mod tests;
