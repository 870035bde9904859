//! When the configuration's files are worth reading: told by the kernel as they change, and looked for besides.
//!
//! ```text
//!  inotify ─┐                       ┌ a file is still being written: until it is closed, or for two seconds
//!  a look ──┴▸ something changed ─▸ ┴ quiet for a tenth of a second ─▸ due
//! ```
//!
//! The system's `inotify` itself, as one more descriptor in the worker's one `poll`: the `notify` crate would begin a
//! thread of its own to say the same. Folders are watched, not files: editors replace files.
//!
//! Invariants: nothing here reads a file; a change that nobody tells of is found by the next look, within seconds; what
//! happens to other files of these folders wakes nobody twice. A writer who never ends delays it by [`PATIENCE_NS`] only.

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use super::settle::ConfigFiles;

/// How long a file must be left alone before it is read: an editor that writes a new file beside the old one and renames
/// it is through within milliseconds.
pub(crate) const QUIET_NS: u64 = 100_000_000;
/// How long to wait at most for writers who do not come to an end.
pub(crate) const PATIENCE_NS: u64 = 2_000_000_000;
/// Bytes of events read at once: some hundred.
const EVENTS_BYTES: usize = 16 * 1024;
/// Reads of events in one go: whoever floods the folder is left for the next turn.
const READS_MAX: usize = 8;

/// What there is to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    first_ns: u64,
    last_ns: u64,
    /// Somebody has written and not closed the file yet.
    open: bool,
}

/// A folder that is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Folder {
    path: PathBuf,
    /// A file of ours is in it, or would be; otherwise only that the next folder comes is of interest.
    own: bool,
}

/// The files that are followed.
pub(crate) struct ConfigWatch {
    files: ConfigFiles,
    inotify: Option<OwnedFd>,
    /// Folders that are watched, as they were found.
    armed: Vec<Folder>,
    /// What told the files from others when they were read last.
    seen: Vec<String>,
    change: Option<Change>,
}

impl ConfigWatch {
    /// Watches them; [`ConfigWatch::was_read`] tells as what they were read.
    pub(crate) fn new(files: ConfigFiles) -> Self {
        let mut watch = Self {
            files,
            inotify: None,
            armed: Vec::new(),
            seen: Vec::new(),
            change: None,
        };
        watch.arm();
        watch
    }

    /// What becomes readable when there is something to take.
    pub(crate) fn wakes(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// When the files are worth reading, on the monotonic clock.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let change = self.change?;
        let patience = change.first_ns.saturating_add(PATIENCE_NS);
        Some(match change.open {
            true => patience,
            false => change.last_ns.saturating_add(QUIET_NS).min(patience),
        })
    }

    /// Takes what the kernel tells; true if the files are to be read now.
    pub(crate) fn is_due(&mut self, now_ns: u64) -> bool {
        self.take(now_ns);
        self.deadline().is_some_and(|deadline| deadline <= now_ns)
    }

    /// The files were read, and this told them from others then.
    pub(crate) fn was_read(&mut self, seen: &[String]) {
        self.change = None;
        self.arm();
        self.seen = seen.to_vec();
    }

    /// They were not read, and are to be as soon as it is quiet.
    pub(crate) fn again(&mut self, now_ns: u64) {
        self.change = Some(Change {
            first_ns: now_ns,
            last_ns: now_ns,
            open: false,
        });
    }

    /// Looks whether anything changed that nobody told of.
    pub(crate) fn look(&mut self, now_ns: u64) {
        self.arm();
        let now = self.files.stamps_like(self.seen.iter().map(String::as_str));
        if self.change.is_none() && now != self.seen {
            self.again(now_ns);
        }
    }

    fn take(&mut self, now_ns: u64) {
        let Some(inotify) = &self.inotify else { return };
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut reader = Reader::new(inotify, &mut buffer);
        let mut lost = false;
        let mut change = self.change;
        // An error is that there is nothing more.
        for _ in 0..READS_MAX * EVENTS_BYTES / 16 {
            let Ok(event) = reader.next() else { break };
            let flags = event.events();
            lost |= flags.intersects(ReadFlags::IGNORED | ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF);
            let name = event.file_name().map(|name| name.to_bytes());
            // Themes and configurations, and folders that come; not what editors keep beside them.
            let counts = name.is_none_or(|name| name.ends_with(b".toml"))
                || flags.intersects(ReadFlags::ISDIR | ReadFlags::QUEUE_OVERFLOW)
                || self.armed_target(name);
            if !counts {
                continue;
            }
            let written = flags.contains(ReadFlags::MODIFY);
            let ended = flags.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO | ReadFlags::DELETE);
            let first_ns = change.map_or(now_ns, |change| change.first_ns);
            let was_open = change.is_some_and(|change| change.open);
            change = Some(Change {
                first_ns,
                last_ns: now_ns,
                open: (was_open || written) && !ended,
            });
        }
        self.change = change;
        if lost {
            self.armed.clear();
            self.arm();
        }
    }

    /// Whether a name is that of the file behind a link, which need not end in `.toml`.
    fn armed_target(&self, name: Option<&[u8]>) -> bool {
        let of = |path: &Path| fs::canonicalize(path).ok();
        let targets = [&self.files.user, &self.files.system].map(|path| of(path));
        targets.iter().flatten().any(|target| {
            let file = target.file_name().map(|file| file.as_encoded_bytes());
            file.is_some() && file == name
        })
    }

    /// Watches the folders that there are now, if they are others than those watched.
    fn arm(&mut self) {
        let folders = self.folders();
        if folders == self.armed && self.inotify.is_some() {
            return;
        }
        self.inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok();
        if let Some(inotify) = &self.inotify {
            let above = WatchFlags::MOVED_TO
                | WatchFlags::CREATE
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            let own = above
                | WatchFlags::MODIFY
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::MOVED_FROM
                | WatchFlags::DELETE
                | WatchFlags::ATTRIB;
            for folder in &folders {
                // One that cannot be watched is looked at.
                let _looked_at =
                    inotify::add_watch(inotify, &folder.path, if folder.own { own } else { above });
            }
        }
        self.armed = folders;
    }

    /// The folders in which the files are, or would be, and those in which the files are that they are links to.
    fn folders(&self) -> Vec<Folder> {
        let mut folders = Vec::new();
        for file in [&self.files.user, &self.files.system] {
            let target = fs::canonicalize(file).ok();
            for path in [Some(file), target.as_ref()].into_iter().flatten() {
                folders.extend(path.parent().and_then(nearest));
            }
        }
        let themes = nearest(&self.files.themes());
        folders.extend(themes.filter(|themes| themes.own));
        // Of two in the same place the one that hears more comes last, and counts.
        folders.sort();
        folders.dedup();
        folders
    }
}

/// A folder that is there: the folder itself, or the nearest that it would be made in.
fn nearest(folder: &Path) -> Option<Folder> {
    let found = folder.ancestors().find(|above| above.is_dir())?;
    Some(Folder {
        path: found.to_owned(),
        own: found == folder,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::{Duration, Instant};

    const SECOND_NS: u64 = 1_000_000_000;

    fn watched(folder: &Path) -> ConfigWatch {
        let below = |name: &str| folder.join(name);
        fs::create_dir_all(below("config")).unwrap();
        let mut watch = ConfigWatch::new(ConfigFiles {
            system: below("etc/config.toml"),
            user: below("config/config.toml"),
            state: below("state"),
            maint: below("maint"),
        });
        watch.was_read(&watch.files.stamps("default"));
        watch
    }

    /// Takes what the kernel tells, until it tells something.
    fn told(watch: &mut ConfigWatch, now_ns: u64) -> Change {
        let began = Instant::now();
        while watch.change.is_none() {
            watch.take(now_ns);
            assert!(began.elapsed() < Duration::from_secs(20), "nothing is told");
        }
        watch.take(now_ns);
        watch.change.unwrap()
    }

    #[test]
    fn a_file_that_is_being_written_is_waited_for_and_no_longer_than_that() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watched(folder.path());
        let mut file = fs::File::create(folder.path().join("config/config.toml")).unwrap();
        file.write_all(b"[editor]\n").unwrap();
        let change = told(&mut watch, 5);
        assert!(change.open, "{change:?}");
        assert_eq!(watch.deadline(), Some(5 + PATIENCE_NS));
        drop(file);
        assert!(!watch.is_due(5 + SECOND_NS), "not yet quiet");
        assert_eq!(watch.deadline(), Some(5 + SECOND_NS + QUIET_NS));
        assert!(watch.is_due(5 + SECOND_NS + QUIET_NS));
        watch.was_read(&watch.files.stamps("default"));
        assert!(!watch.is_due(90 * SECOND_NS));
    }

    #[test]
    fn renames_links_and_folders_that_come_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| folder.path().join(name);
        let mut watch = watched(folder.path());
        let mut check = |what: &str, change: &dyn Fn()| {
            change();
            let told = told(&mut watch, 1);
            assert!(!told.open, "{what}: {told:?}");
            watch.was_read(&watch.files.stamps("default"));
        };
        check("a rename", &|| {
            fs::write(below("beside"), "").unwrap();
            fs::rename(below("beside"), below("config/config.toml")).unwrap();
        });
        check("a folder", &|| fs::create_dir(below("config/themes")).unwrap());
        check("a theme", &|| {
            fs::write(below("config/themes/mine.toml"), "").unwrap()
        });
        fs::create_dir(below("dotfiles")).unwrap();
        fs::write(below("dotfiles/mine"), "").unwrap();
        check("a link", &|| {
            fs::remove_file(below("config/config.toml")).unwrap();
            std::os::unix::fs::symlink("../dotfiles/mine", below("config/config.toml")).unwrap();
        });
        check("what the link leads to", &|| {
            fs::write(below("dotfiles/mine"), "#").unwrap()
        });
        check("the folder's end", &|| {
            fs::remove_dir_all(below("config")).unwrap()
        });
        check("its return", &|| fs::create_dir(below("config")).unwrap());
        check("a file in it", &|| {
            fs::write(below("config/config.toml"), "").unwrap()
        });
        fs::write(below("config/.config.toml.swp"), "").unwrap();
        watch.take(1);
        assert_eq!(watch.change, None, "not ours");
    }

    #[test]
    fn what_nobody_tells_of_is_found_by_a_look() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watched(folder.path());
        watch.inotify = None;
        fs::write(folder.path().join("config/config.toml"), "").unwrap();
        watch.look(7);
        assert_eq!(watch.deadline(), Some(7 + QUIET_NS));
        watch.was_read(&watch.files.stamps("default"));
        watch.look(9);
        assert_eq!(watch.deadline(), None);
    }
}
