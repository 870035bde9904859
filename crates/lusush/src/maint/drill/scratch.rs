//! A copy of the home, in a folder of its own, for drills to damage.
//!
//! File strategy: everything lies in `cache/drill/`, one folder a drill, 0700, which may be deleted at any time. Whoever runs a
//! drill holds the lock beside them; what a drill that was killed left is removed by the next one, its workers first.
//!
//! Invariant: the real home is only read. Every program that runs in a drill is told of the copy and of nothing else.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lle_core::error::Code;
use lle_core::quantity::bytes;
use lle_log::history::History;
use lle_log::mirror::{Followed, Lock, Mirror};
use lle_log::start_up;
use rustix::fs::FlockOperation;

use super::super::recover::gather::now_ns;
use super::super::recover::own::{self, Ran};
use super::super::recover::places::{Places, lock_file};
use crate::failure::Failure;
use crate::paths::create_folder;
use crate::replace::replace;

/// What is not copied of the state: records of starts; who stopped a worker; the key, since the copy makes its own.
const LEFT: &[&str] = &["start", "backup.key", "stopped", "worker.lock"];
/// Copies of the home that a drill needs room for: the first, the one that is damaged, its backup, and what that restores.
const COPIES: u64 = 4;
/// Calls that bring a mirror up to its log: each copies 16 MiB.
const FOLLOWS_MAX: usize = 4_096;
/// How long a worker may take to end: it takes its jobs with it.
const STOP: Duration = Duration::from_secs(10);
/// Between two looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A module that does nothing.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// The folder of one drill.
pub(super) struct Scratch {
    folder: PathBuf,
    _lock: File,
}

/// Removes what drills that were killed have left, unless one is at work.
pub(super) fn tidy(real: &Places) {
    let all = real.cache.join("drill");
    if !all.is_dir() {
        return;
    }
    let Ok(lock) = lock_file(&all.join("lock")) else {
        return;
    };
    if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
        remove_copies(&all);
    }
}

fn remove_copies(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove(&entry.path());
        }
    }
}

impl Scratch {
    /// Takes the lock, and removes what others left.
    pub(super) fn make(real: &Places) -> Result<Scratch, Failure> {
        let failed = || Failure::new("no drill was run");
        let all = real.cache.join("drill");
        let io = |error: io::Error| {
            failed()
                .because(error)
                .code(Code::Unavailable.exit())
                .hint("`lusush doctor` says more about folders")
        };
        create_folder(&all).map_err(io)?;
        let lock = lock_file(&all.join("lock")).map_err(io)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(failed()
                    .because("another drill is at work")
                    .code(Code::Busy.exit())
                    .hint("try again when it has ended"));
            }
            Err(error) => return Err(io(error.into())),
        }
        remove_copies(&all);
        let folder = all.join(std::process::id().to_string());
        create_folder(&folder).map_err(io)?;
        Ok(Scratch { folder, _lock: lock })
    }

    /// Copies the home.
    pub(super) fn copy_of(&self, real: &Places) -> Result<Replica, Failure> {
        let failed = |what: String| {
            Failure::new("no drill was run")
                .because(what)
                .code(Code::Unavailable.exit())
                .hint("make room: the copy is removed again")
        };
        let size = size(&real.config) + size(&real.state) + size(&real.data.join("audit"));
        let found = rustix::fs::statvfs(&self.folder).ok();
        let free = found.map_or(u64::MAX, |found| found.f_bavail.saturating_mul(found.f_frsize));
        if size.saturating_mul(COPIES) > free {
            return Err(failed(format!(
                "the home has {}, and there is room for {} only",
                bytes(size as f64),
                bytes(free as f64)
            )));
        }
        let copy = Replica::at(&self.folder.join("first"), real);
        copy.fill(real).map_err(|error| failed(error.to_string()))?;
        Ok(copy)
    }

    /// Copies a copy, for a scenario to damage.
    pub(super) fn another(&self, first: &Replica) -> io::Result<Replica> {
        // A short name: the path of a socket below it has a limit.
        let root = self.folder.join("it");
        copy_tree(&first.root, &root, &[])?;
        let mut places = first.places.clone();
        for path in [
            &mut places.config,
            &mut places.state,
            &mut places.data,
            &mut places.cache,
            &mut places.maint,
            &mut places.log,
        ] {
            *path = moved(path, &first.root, &root);
        }
        places.home = Some(root.join("home"));
        Ok(Replica { root, places })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

fn moved(path: &Path, from: &Path, to: &Path) -> PathBuf {
    path.strip_prefix(from)
        .map_or_else(|_| path.to_owned(), |below| to.join(below))
}

/// A home that may be damaged.
pub(super) struct Replica {
    pub(super) root: PathBuf,
    pub(super) places: Places,
}

impl Replica {
    fn at(root: &Path, real: &Places) -> Replica {
        let lusush = root.join("lusush");
        let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
        let state = lusush.join("state");
        let places = Places {
            config: lusush.join("config"),
            data: lusush.join("data"),
            cache: lusush.join("cache"),
            maint: state.join("maint").join(name(&real.maint)),
            log: state.join("history").join(name(&real.log)),
            home: Some(root.join("home")),
            repository: None,
            state,
        };
        Replica {
            root: root.to_owned(),
            places,
        }
    }

    /// `lusush` in this home, and in no other.
    pub(super) fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        let kept = ["PATH", "TZ", "USER", "LOGNAME"];
        let kept = kept
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        command
            .env_clear()
            .envs(kept)
            .env("HOME", self.root.join("home"))
            .env("LUSUSH_HOME", self.root.join("lusush"))
            .env("LANG", "C.UTF-8")
            .current_dir(&self.root);
        Ok(command)
    }

    /// `lusush maint` in this home, with its document.
    pub(super) fn maint(&self, words: &[&OsStr]) -> Result<Ran, String> {
        let mut command = self.command().map_err(|error| error.to_string())?;
        own::run_command(command.arg("maint").args(words).arg("--json"))
    }

    /// The same with words of text, which has to succeed.
    pub(super) fn done(&self, words: &[&str]) -> Result<serde_json::Value, String> {
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        self.maint(&words)?.succeeded()
    }

    /// Copies the real home, and adds a sample of whatever it has none of, so that each scenario has something to damage.
    fn fill(&self, real: &Places) -> io::Result<()> {
        let home = self.root.join("home");
        create_folder(&home)?;
        copy_tree(&real.config, &self.places.config, &[])?;
        // The anchor before what it anchors: one that is ahead of its log would say that the log was cut.
        copy_tree(&real.data.join("audit"), &self.places.data.join("audit"), &[])?;
        let left = [LEFT, &["history"]].concat();
        copy_tree(&real.state, &self.places.state, &left)?;
        self.copy_history(real)?;
        for name in start_up::ALL {
            let from = real.home.as_ref().map(|home| home.join(name));
            if let Some(from) = from.filter(|from| from.is_file()) {
                fs::copy(from, home.join(name))?;
            }
        }
        self.add_samples()
    }

    /// Mirrors before their logs, while nobody writes either anew: a log may be ahead of its mirror, and not behind.
    fn copy_history(&self, real: &Places) -> io::Result<()> {
        let from = real.state.join("history");
        if !from.is_dir() {
            return Ok(());
        }
        let to = self.places.state.join("history");
        create_folder(&to)?;
        // Where there is no lock yet nobody has ever written either anew, and none is made in the real home.
        let is_locked = real.log.with_extension("lock").is_file();
        let _lock = is_locked.then(|| Lock::take(&real.log)).transpose()?;
        let mut names: Vec<PathBuf> = fs::read_dir(&from)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_file() && path.extension().is_none_or(|end| end != "lock"))
            .collect();
        names.sort_by_key(|path| path.extension().is_some_and(|end| end == "log"));
        for path in names {
            match fs::copy(&path, to.join(path.file_name().unwrap_or_default())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn add_samples(&self) -> io::Result<()> {
        let places = &self.places;
        let has_history = fs::metadata(&places.log).is_ok_and(|found| found.len() > 64);
        if !has_history {
            create_folder(places.log.parent().unwrap_or(&places.state))?;
            let opened = History::open(&places.log, 1, now_ns(), None).map_err(io::Error::other)?;
            let mut history = opened.history;
            for command in [&b"echo drill"[..], b"true"] {
                history
                    .started(now_ns(), b"/", command)
                    .map_err(io::Error::other)?;
            }
        }
        let mut mirror = Mirror::new(&places.log);
        for _ in 0..FOLLOWS_MAX {
            if !matches!(mirror.follow()?, Followed::Copied { left: 1.., .. }) {
                break;
            }
        }
        let is_module = |path: &Path| path.extension().is_some_and(|end| end == "wasm");
        let plugins = super::super::recover::gather::files_below(&places.plugins());
        if !plugins.iter().any(|(path, _)| is_module(path)) {
            replace(&places.plugins().join("drill").join("drill.wasm"), MODULE)?;
        }
        // An empty one, as a rollback to the beginning leaves it, is nothing that could be missed.
        let config = fs::read(places.config_file()).unwrap_or_default();
        if config.trim_ascii().is_empty() {
            self.done(&["config", "set", "history.list_max", "20000"])
                .map_err(io::Error::other)?;
        }
        if !places.maint.join("state.log").exists() {
            self.done(&["start"]).map_err(io::Error::other)?;
            self.stop_worker();
        }
        self.want_no_worker()
    }

    /// Ends the worker, if one runs, and waits until it has.
    fn stop_worker(&self) {
        let runs = || {
            matches!(
                lle_maintenance::worker::lock::holder(&self.places.maint),
                Ok(Some(_))
            )
        };
        if !runs() {
            return;
        }
        // One that does not end sees that its lock is gone, and writes nothing more.
        let _asked = self.done(&["stop"]);
        let began = Instant::now();
        while runs() && began.elapsed() < STOP {
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// No worker is to change what will be compared.
    pub(super) fn want_no_worker(&self) -> io::Result<()> {
        replace(&self.places.maint.join("stopped"), b"lusush maint start\n")
    }

    /// A worker may run.
    pub(super) fn want_worker(&self) -> io::Result<()> {
        match fs::remove_file(self.places.maint.join("stopped")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether a home is a drill's own copy: a worker that works in one would drill in it, and so on for ever.
pub(crate) fn is_copy(places: &Places) -> bool {
    let mut above = places.data.ancestors();
    above
        .any(|folder| folder.file_name().is_some_and(|name| name == "drill") && folder.join("lock").is_file())
}

/// Removes a copy, after whatever works in it has ended.
pub(super) fn remove(root: &Path) {
    let homes = fs::read_dir(root).into_iter().flatten().flatten();
    let homes = homes.map(|entry| entry.path()).chain([root.to_owned()]);
    for home in homes.filter(|home| home.join("lusush").is_dir()) {
        stop_worker(&home);
    }
    // What stays is removed by the next drill.
    let _stays = fs::remove_dir_all(root);
}

/// Ends the worker of a copy, if one runs.
fn stop_worker(root: &Path) {
    let machines = fs::read_dir(root.join("lusush/state/maint"))
        .into_iter()
        .flatten()
        .flatten();
    for machine in machines {
        let replica = Replica {
            root: root.to_owned(),
            places: Places {
                maint: machine.path(),
                ..Places::default()
            },
        };
        replica.stop_worker();
    }
}

fn size(folder: &Path) -> u64 {
    let files = super::super::recover::gather::files_below(folder);
    files.iter().map(|(_, bytes)| bytes).sum()
}

/// Copies files and folders, what links lead to in place of the links, and leaves names out. What goes away meanwhile is
/// not copied.
pub(super) fn copy_tree(from: &Path, to: &Path, but: &[&str]) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    create_folder(to)?;
    for entry in entries {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if but.iter().any(|but| *but == name) {
            continue;
        }
        let kind = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?.file_type(),
        };
        let is_file =
            kind.is_file() || kind.is_symlink() && fs::metadata(&path).is_ok_and(|found| found.is_file());
        if kind.is_dir() {
            copy_tree(&path, &to.join(&name), but)?;
        } else if is_file {
            match fs::copy(&path, to.join(&name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => drop(other?),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_copied_with_what_links_lead_to() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        replace(&from.join("a/b"), b"text").expect("it can be written");
        replace(&from.join("left/c"), b"text").expect("it can be written");
        std::os::unix::fs::symlink("a/b", from.join("link")).expect("it can be made");
        std::os::unix::fs::symlink("nothing", from.join("dangling")).expect("it can be made");
        copy_tree(&from, &to, &["left"]).expect("it can be copied");
        let copied = super::super::super::recover::gather::files_below(&to);
        let names: Vec<&Path> = copied
            .iter()
            .map(|(path, _)| path.strip_prefix(&to).expect("it is below"))
            .collect();
        assert_eq!(names, [Path::new("a/b"), Path::new("link")]);
        copy_tree(&folder.path().join("none"), &to, &[]).expect("nothing is nothing");
    }
}
