//! The histories under guard: our log with its mirror, and the history files of bash with their copies.
//!
//! ```text
//!  inotify ▸ at most once a second: log ▸ mirror       news ▸ engine ▸ audit ▸ restore
//!                                   bash's file ▸ copy
//! ```
//!
//! Invariants:
//! - A change is looked at within a second of its being made, however idle everybody is: the kernel tells. Where it
//!   does not, within five.
//! - Nothing is restored here by itself: the engine asks, once it has written down what it does.

mod commanded;
mod culprit;
pub mod list_edit;
mod lists;
mod secrets;
mod writers;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use lle_core::quantity::{bytes, duration, several};
use lle_log::mirror::{Damage, Followed, Lock, Mirror, RestoreError, Trouble};
use rustix::fs::inotify;

use crate::world::{Answer, HistoryNews, Now};
use lists::Lists;
use writers::Writers;

/// Time after a look for which the kernel is not listened to, in nanoseconds: the loss window.
pub(crate) const LOOK_NS: u64 = 1_000_000_000;
/// How often it is looked where the kernel does not tell, in nanoseconds.
const UNHEARD_NS: u64 = 5_000_000_000;
/// Records that only a damaged log has, held in memory while it is restored: 1 MiB, and far more than is typed between
/// two looks.
const NEW_RECORDS_MAX: usize = 64 * 1024;
/// Bytes of notices taken at once, and how often.
const NOTICE_BYTES: usize = 4096;
const NOTICES_MAX: usize = 64;
const BUSY: &str = "somebody rewrites the log just now; try again";
/// Looks in a row, a second apart, in which the log could not be followed before that is told: a lock that another
/// machine holds for a moment is no news.
const FAILURES_TOLD: u32 = 3;
/// The name by which the log goes.
pub(crate) const LOG: &str = "log";

/// The guard.
pub(crate) struct Histories {
    log: PathBuf,
    mirror: Mirror,
    lists: Lists,
    index: Option<PathBuf>,
    /// Length of the log at which the index can be extended.
    index_at: u64,
    /// The kernel tells of changes of the log.
    is_heard: bool,
    /// Something was left for the next look.
    unfinished: bool,
    kernel: Option<OwnedFd>,
    writers: Writers,
    /// When it was looked last, on the monotonic clock.
    looked_ns: Option<u64>,
    /// What is wrong with the log and was told.
    told: Option<Trouble>,
    /// Since a look at it, it is known whether anything is.
    is_known: bool,
    /// Looks in a row in which the log could not be followed.
    failures: u32,
}

impl Histories {
    /// Guards the log, the history file in `home`, and those that sessions name, and keeps the log's index.
    pub(crate) fn new(log: &Path, home: Option<&Path>, index: Option<PathBuf>) -> Self {
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        Self {
            log: log.to_owned(),
            mirror: Mirror::new(log),
            lists: Lists::new(log, home),
            index,
            index_at: 0,
            is_heard: false,
            unfinished: false,
            kernel: inotify::init(flags).ok(),
            writers: Writers::new(),
            looked_ns: None,
            told: None,
            is_known: false,
            failures: 0,
        }
    }

    /// What becomes readable when a history is changed; none right after a look.
    pub(crate) fn wakes(&self, now_ns: u64) -> Option<BorrowedFd<'_>> {
        let kernel = self.kernel.as_ref()?;
        (now_ns >= self.deaf_until()).then(|| kernel.as_fd())
    }

    /// When the kernel is listened to again.
    pub(crate) fn deaf_until(&self) -> u64 {
        self.looked_ns.map_or(0, |looked| looked.saturating_add(LOOK_NS))
    }

    /// Whether the kernel said that a history was changed since the last call, or something was left to be done.
    pub(crate) fn was_touched(&mut self, now_ns: u64) -> bool {
        if now_ns < self.deaf_until() {
            return false;
        }
        let mut notices = [0; NOTICE_BYTES];
        let mut take = |kernel: &OwnedFd| rustix::io::read(kernel, &mut notices).is_ok_and(|n| n > 0);
        let was_told = self
            .kernel
            .as_ref()
            .is_some_and(|kernel| (0..NOTICES_MAX).take_while(|_| take(kernel)).count() > 0);
        let is_old = self
            .looked_ns
            .is_none_or(|looked| now_ns.saturating_sub(looked) >= UNHEARD_NS);
        was_told || self.unfinished || !self.is_heard && is_old
    }

    /// Looks at every history: copies what is new, and says what others did.
    pub(crate) fn look(&mut self, now: Now) -> Vec<HistoryNews> {
        let since_ns = self.looked_ns.map(|looked| now.mono_ns.saturating_sub(looked));
        self.looked_ns = Some(now.mono_ns);
        self.listen();
        let log = std::iter::once(self.log.as_path());
        self.writers.look(log.chain(self.lists.files()));
        let mut news = self.lists.look(&self.writers);
        self.unfinished = false;
        let followed = self.mirror.follow();
        // What cannot be followed now is tried again in a second, whether or not anything is written by then.
        if let Ok(Followed::Copied { left: 1.., .. } | Followed::Busy) | Err(_) = followed {
            self.unfinished = self.log.exists();
        }
        let has_failed = match &followed {
            // What is typed while a cut waits for somebody's word has to be mirrored, too.
            Ok(Followed::Trouble(trouble)) => !trouble.is_kept && self.mirror.unkept().is_some(),
            Ok(_) => false,
            Err(_) => true,
        };
        self.failures = if has_failed {
            self.failures.saturating_add(1)
        } else {
            0
        };
        self.is_known |= !matches!(followed, Ok(Followed::Busy) | Err(_));
        match followed {
            Ok(Followed::Trouble(trouble)) => news.extend(self.is_damaged(trouble, since_ns)),
            Ok(Followed::Copied { bytes, .. }) => {
                self.told = None;
                news.extend(secrets::among_the_newest(&self.log, self.mirror.path(), bytes));
                self.extend_index();
                let _again_with_the_next = self.mirror.sync();
            }
            Ok(Followed::Unchanged | Followed::Redacted { .. }) => {
                self.told = None;
                self.extend_index();
            }
            Ok(Followed::Lost { bytes: had }) => {
                self.told = None;
                self.forget_index();
                self.unfinished = self.log.exists();
                news.push(self.both_lost(had));
            }
            Err(error) if self.failures == FAILURES_TOLD => news.push(self.cannot_follow(&error)),
            Ok(Followed::Busy) | Err(_) => {}
        }
        news
    }

    /// The log is not what it was: that is told once, and what is typed meanwhile is in the mirror.
    fn is_damaged(&mut self, trouble: Trouble, since_ns: Option<u64>) -> Vec<HistoryNews> {
        let mut news = Vec::new();
        self.unfinished |= !trouble.is_kept;
        if self.failures == FAILURES_TOLD {
            news.extend(self.mirror.unkept().map(|error| self.cannot_follow(error)));
        }
        if self.told.is_none() {
            news.push(self.tell(&trouble, since_ns));
        }
        if self.told != Some(trouble) {
            self.forget_index();
            let _again_with_the_next = self.mirror.sync();
        }
        self.told = Some(trouble);
        news
    }

    /// The index is of what was there. It is made again of what is there now.
    fn forget_index(&mut self) {
        if let Some(index) = &self.index {
            let _searches_read_the_log = fs::remove_file(index);
            self.index_at = 0;
        }
    }

    /// Makes one more segment of the index, if the log has one: some 20 ms once in 8 MiB.
    fn extend_index(&mut self) {
        let Some(index) = &self.index else { return };
        let bytes = fs::metadata(&self.log).map_or(0, |found| found.len());
        // A log that got shorter is another one; an index that is gone is made again.
        let is_due =
            bytes >= self.index_at || self.index_at > lle_log::index::SEGMENT_SPAN && !index.exists();
        if !is_due && bytes + lle_log::index::SEGMENT_SPAN >= self.index_at {
            return;
        }
        // Of a log that somebody writes anew just now, the index would be of what was there.
        let Ok(Some(_lock)) = Lock::try_take(&self.log) else {
            self.unfinished = true;
            return;
        };
        match lle_log::index::extend(&self.log, index) {
            Ok(extended) => {
                self.index_at = extended.next_at;
                self.unfinished |= extended.more;
            }
            // Searches walk the log meanwhile; it is tried again when that has grown.
            Err(_) => self.index_at = bytes.saturating_add(lle_log::index::SEGMENT_SPAN),
        }
    }

    /// Has the kernel tell of changes. Each name is looked up again: another file may have it now.
    fn listen(&mut self) {
        let Some(kernel) = &self.kernel else { return };
        let flags = inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::ATTRIB
            | inotify::WatchFlags::MOVE_SELF
            | inotify::WatchFlags::DELETE_SELF;
        // Without the log, or without a place for one more, it is looked at every few seconds.
        self.is_heard = inotify::add_watch(kernel, &self.log, flags).is_ok();
        for path in self.lists.paths() {
            // One that is not there is heard of when bash makes it: a session writes to the log, too.
            let _unwatched = inotify::add_watch(kernel, path, flags);
        }
    }

    /// The log is whole, and what is written to it just now could not be brought back if another program cut it.
    fn cannot_follow(&self, error: &io::Error) -> HistoryNews {
        HistoryNews {
            which: LOG.into(),
            // Nobody did it.
            file: String::new(),
            title: "the mirror of the history cannot be written".into(),
            evidence: format!("{}: {error}", self.mirror.path().display()),
            remedy: "make room: `lusush doctor` says where the state is".into(),
            undo: false,
            is_loss: false,
            answer: Answer::None,
        }
    }

    /// There is nothing here to put back.
    fn both_lost(&self, had: u64) -> HistoryNews {
        HistoryNews {
            which: LOG.into(),
            file: name_of(&self.log),
            title: "the history log and its mirror are both gone".into(),
            evidence: format!("they had {}", bytes(had as f64)),
            remedy: "`lusush maint recover history-lost` brings back what the newest snapshot has".into(),
            undo: false,
            is_loss: true,
            answer: Answer::None,
        }
    }

    fn tell(&self, trouble: &Trouble, since_ns: Option<u64>) -> HistoryNews {
        let sizes = format!(
            "it had {}, it has {}",
            bytes(trouble.mirror_bytes as f64),
            bytes(trouble.log_bytes as f64)
        );
        let (title, undo) = match trouble.damage {
            Damage::Removed => ("the history log was removed", false),
            Damage::Emptied => ("the history log was emptied by another program", true),
            Damage::Cut => ("the history log was cut by another program", true),
            Damage::Rewritten => ("the history log was rewritten by another program", true),
        };
        // The kernel told of every earlier change, and that was looked at within the window.
        let window_ns = since_ns.map(|ns| match self.kernel.is_some() {
            true => ns.min(LOOK_NS),
            false => ns,
        });
        let lost = match window_ns {
            Some(ns) => format!("lost is at most what was typed within {}", duration(ns as f64)),
            None => "it was done while no worker ran: what was typed then and cut is lost".into(),
        };
        let remedy = "`lusush maint history restore` puts it back, `… restore --accept` keeps it so";
        HistoryNews {
            which: LOG.into(),
            file: name_of(&self.log),
            title: title.into(),
            evidence: format!("{sizes}; {lost}; {}", culprit::of(&self.log, &self.writers)),
            remedy: remedy.into(),
            undo,
            is_loss: true,
            answer: Answer::Awaited,
        }
    }

    /// Whether what others did to a history waits to be put back or accepted; none before it was looked at.
    pub(crate) fn waits(&self, which: &str) -> Option<bool> {
        match which {
            LOG => self.is_known.then_some(self.told.is_some()),
            file => self.lists.waits(Path::new(file)),
        }
    }

    /// Puts a history back.
    pub(crate) fn restore(&mut self, which: &str) -> Result<String, String> {
        if which != LOG {
            return self.lists.restore(Path::new(which));
        }
        let has_trouble = match self.mirror.follow() {
            Ok(Followed::Trouble(_)) => true,
            // It looks at the beginning and the end only; who asks may know of something in the middle.
            Ok(Followed::Unchanged | Followed::Copied { .. } | Followed::Redacted { .. }) => self
                .mirror
                .has_more()
                .map_err(|error| refused(&self.log, &error))?,
            Ok(Followed::Lost { .. }) => {
                return Err(
                    "the log and its mirror are both gone; `lusush maint recover history-lost` has the newest \
                     snapshot's"
                        .into(),
                );
            }
            Ok(Followed::Busy) => return Err(BUSY.into()),
            Err(error) => return Err(refused(&self.log, &error)),
        };
        if !has_trouble {
            return Err("nothing of the log is gone".into());
        }
        let lock = Lock::try_take(&self.log).map_err(|error| refused(&self.log, &error))?;
        let Some(lock) = lock else { return Err(BUSY.into()) };
        let restored = self
            .mirror
            .restore(&lock, NEW_RECORDS_MAX)
            .map_err(|error| match error {
                RestoreError::Io(error) => refused(&self.log, &error),
                error => error.to_string(),
            })?;
        self.told = None;
        self.forget_index();
        let mut said = format!("{} put back", bytes(restored.bytes_back as f64));
        if restored.records_kept > 0 {
            said += &format!(
                ", {} of what was typed since kept",
                several(restored.records_kept, "record", "records")
            );
        }
        if restored.foreign_bytes > 0 {
            said += &format!(
                ", {} of others left in {}.found",
                bytes(restored.foreign_bytes as f64),
                self.log.display()
            );
        }
        Ok(said)
    }

    /// Takes every history as it is.
    pub(crate) fn accept(&mut self) -> io::Result<()> {
        let named = |error: io::Error| io::Error::other(refused(&self.log, &error));
        let Some(lock) = Lock::try_take(&self.log).map_err(named)? else {
            return Err(io::Error::other(BUSY));
        };
        self.mirror.accept(&lock).map_err(named)?;
        self.told = None;
        self.lists.accept()
    }
}

/// A file's name without its folder.
fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Which file could not be read or written, why, and what helps.
fn refused(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ": let its folder be written to, and do this again"
        }
        io::ErrorKind::StorageFull => ": make room, and do this again",
        _ => "",
    };
    format!("{}: {error}{remedy}", path.display())
}

/// Where the mirror of a log is, and how far it is: bytes of both; none if there is no log.
pub fn mirrored(log: &Path) -> Option<(u64, u64)> {
    let bytes = |path: &Path| fs::metadata(path).map(|found| found.len());
    let mirror = bytes(&lle_log::mirror::path_of(log)).unwrap_or(0);
    Some((bytes(log).ok()?, mirror))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_log::history::History;

    #[test]
    fn what_could_not_be_written_is_named_with_what_helps() {
        let folder = tempfile::tempdir().expect("a folder for a test");
        let log = folder.path().join("m.log");
        let mut history = History::open(&log, 1, 0, None).expect("a log").history;
        history.started(1, b"/", b"ls").expect("a record");
        let mut histories = Histories::new(&log, None, None);
        histories.mirror.follow().expect("a mirror");
        fs::write(&log, "").expect("it can be emptied");
        // Whoever is root may write where nobody may; a folder in the place of the draft keeps them from it, too.
        let draft = folder.path().join(format!("m.log.{}.new", std::process::id()));
        fs::create_dir(&draft).expect("a folder can be made");
        let said = histories.restore(LOG).expect_err("it cannot be put back");
        assert!(said.starts_with(&format!("{}: ", log.display())), "{said}");
        let denied = refused(Path::new("/h/list"), &io::ErrorKind::PermissionDenied.into());
        assert_eq!(
            denied,
            "/h/list: permission denied: let its folder be written to, and do this again"
        );
    }

    #[test]
    fn the_index_is_not_extended_while_somebody_writes_the_log_anew() {
        let folder = tempfile::tempdir().expect("a folder for a test");
        let (log, index) = (folder.path().join("m.log"), folder.path().join("m.index"));
        let mut history = History::open(&log, 1, 0, None).expect("a log").history;
        let line = vec![b'x'; 512 * 1024];
        // A segment needs the first record behind it, too.
        while history.version().1 <= lle_log::index::SEGMENT_SPAN + 1024 * 1024 {
            history.started(1, b"/", &line).expect("a record");
        }
        let mut histories = Histories::new(&log, None, Some(index.clone()));
        let lock = Lock::take(&log).expect("a lock");
        histories.extend_index();
        assert!(!index.exists() && histories.unfinished);
        drop(lock);
        histories.extend_index();
        assert!(index.exists());
    }
}
