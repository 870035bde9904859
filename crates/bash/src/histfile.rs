//! Which file bash keeps its own history in, written down for the worker, which guards it, and for a scrub.
//!
//! File: `history/<machine>.lists` beside the log, 0600, a path a line ([`lle_core::history_names`]). A session adds its own with
//! one write if it is not there. Whoever adds holds the file's lock; where there is no room, the file is written anew beside it
//! and takes its name by rename.
//!
//! Invariant: nobody waits for it for longer than [`WAITS_MAX`] times [`WAIT`], and nothing depends on it: what could not be
//! written down is tried again at the next prompt, and without it `~/.bash_history` is guarded.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use lle_core::history_names::{BYTES_MAX, With, line_of, with};

use crate::lle::Lle;

/// How long to wait for whoever adds a name just now, which takes microseconds, and how often.
const WAIT: Duration = Duration::from_millis(1);
const WAITS_MAX: usize = 10;
/// Lists in a row that are replaced before one is locked; two would be much.
const LISTS_MAX: usize = 8;

/// The file that was written down last.
#[derive(Default)]
pub(crate) struct Named(Vec<u8>);

impl Lle {
    /// Has the file written down that bash is told to keep its history in now, which a command may have changed.
    pub(crate) fn name_history_file(&mut self) {
        let file = self.bash.variable(c"HISTFILE").unwrap_or_default();
        if self.round.keeps_nothing || self.round.named.0 == file || self.session.history.is_none() {
            return;
        }
        if let Ok(log) = self.session.places.history() {
            self.round.named.keep_up(&log, file);
        }
    }
}

impl Named {
    /// Writes the file's name down beside the log, unless that was done.
    fn keep_up(&mut self, log: &Path, file: &[u8]) {
        // Failing that, again at the next prompt.
        if crate::file_size::as_error(|| name(log, file)).is_ok() {
            self.0 = file.to_vec();
        }
    }
}

/// Writes the name down.
///
/// # Errors
/// The system's; somebody else holds the list.
fn name(log: &Path, file: &[u8]) -> io::Result<()> {
    let list = log.with_extension("lists");
    let name = line_of(file);
    for _ in 0..LISTS_MAX {
        let held = OpenOptions::new()
            .read(true)
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&list)?;
        lock(&held)?;
        // Whoever had the lock before may have given the name to another.
        let named = fs::metadata(&list);
        let found = held.metadata()?;
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (found.dev(), found.ino())) {
            return put(&list, &held, &name);
        }
    }
    Err(io::Error::other("the list is replaced again and again"))
}

/// Puts a name into the list that is held.
fn put(list: &Path, mut held: &File, name: &[u8]) -> io::Result<()> {
    let mut known = Vec::new();
    held.take(2 * BYTES_MAX as u64).read_to_end(&mut known)?;
    let is_gone = |name: &[u8]| !Path::new(OsStr::from_bytes(name)).exists();
    match with(&known, name, is_gone) {
        With::Known => Ok(()),
        With::Appended(line) => held.write_all(&line),
        With::Anew(anew) => {
            // Only whoever holds the lock writes it: what is there is of one that was killed.
            let draft = list.with_extension("lists.new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(&anew)?;
            fs::rename(&draft, list)
        }
    }
}

fn lock(list: &File) -> io::Result<()> {
    for _ in 0..WAITS_MAX {
        match list.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(WAIT),
            other => return other.map_err(io::Error::from),
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_core::history_names::{NAMES_MAX, names};

    fn list(log: &Path) -> Vec<String> {
        let list = fs::read(log.with_extension("lists")).expect("it is written");
        names(&list)
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    #[test]
    fn a_name_is_there_once_and_none_is_lost_while_there_is_room() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let log = folder.path().join("m.log");
        let mut named = Named::default();
        for _ in 0..2 {
            named.keep_up(&log, b"/home/me/.bash_history");
            name(&log, b"/home/me/.bash_history").expect("it can be written");
        }
        assert_eq!(list(&log), ["/home/me/.bash_history"]);
        // It is taken for another if HISTFILE says so.
        named.keep_up(&log, b"relative");
        assert_eq!(list(&log), ["/home/me/.bash_history", "relative"]);
        for n in 2..NAMES_MAX {
            name(&log, format!("/tmp/none/{n}").as_bytes()).expect("it can be written");
        }
        assert_eq!(list(&log).len(), NAMES_MAX);
        assert_eq!(list(&log)[0], "/home/me/.bash_history");
    }

    #[test]
    fn many_writers_of_a_full_list_lose_none_of_their_own() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let log = folder.path().join("m.log");
        for n in 0..NAMES_MAX {
            name(&log, format!("/tmp/none/{n}").as_bytes()).expect("it can be written");
        }
        let writers = 8;
        std::thread::scope(|scope| {
            for writer in 0..writers {
                let log = &log;
                scope.spawn(move || {
                    for n in 0..8 {
                        let own = format!("/tmp/none/own-{writer}-{n}");
                        while name(log, own.as_bytes()).is_err() {}
                    }
                });
            }
        });
        let list = list(&log);
        let own = list.iter().filter(|name| name.contains("own-"));
        assert_eq!((own.count(), list.len()), (8 * writers, NAMES_MAX));
        assert!(!log.with_extension("lists.new").exists());
    }
}
