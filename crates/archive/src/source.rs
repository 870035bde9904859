//! What is backed up, read so that each file is one that was there at some moment.
//!
//! - A small file is read whole and looked at again; if it changed meanwhile, it is read once more.
//! - A log only grows, and is framed: what was there when it was opened is a log. So it is read up to that length.
//! - A file that is replaced by rename stays what it was for whoever has it open.
//!
//! Invariants: every file is in the archive, or among what was left out with the reason. Nothing waits for a file that
//! is written for ever. Depth and number are bounded.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Cursor, ErrorKind, Read, Seek};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustic_core::repofile::{Metadata as NodeMetadata, Node, NodeType};
use rustic_core::{ReadSource, ReadSourceEntry, RusticResult};

use crate::disk;
use crate::sections::{Places, ROWS, Row, left_out};

/// Files and folders in one backup, far more than a home of ours has.
const ENTRIES_MAX: usize = 100_000;
/// Folders in each other.
const DEPTH_MAX: usize = 32;
/// Bytes of a file that is read whole before it is looked at again.
const SMALL_BYTES_MAX: u64 = 1024 * 1024;
/// How often a small file that changes is read.
const READS_MAX: usize = 5;
/// Files that are named as left out; more are counted.
const LEFT_OUT_MAX: usize = 1_000;

/// A file that is not in the backup, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it lies.
    pub path: PathBuf,
    /// Why.
    pub why: String,
    /// Whether it should be in the backup and could not be read; else the rules leave it out.
    pub unread: bool,
}

/// What was left out, from whichever thread.
pub(crate) type Missing = Arc<Mutex<Vec<LeftOut>>>;

/// Notes a file that the rules leave out.
fn leave_out(missing: &Missing, path: &Path, why: impl Into<String>) {
    note(missing, path, why.into(), false);
}

/// Notes a file that could not be read.
fn unread(missing: &Missing, path: &Path, error: &io::Error) {
    note(missing, path, error.to_string(), true);
}

fn note(missing: &Missing, path: &Path, why: String, unread: bool) {
    let mut missing = missing.lock().unwrap_or_else(PoisonError::into_inner);
    if missing.len() < LEFT_OUT_MAX {
        missing.push(LeftOut {
            path: path.to_owned(),
            why,
            unread,
        });
    }
}

/// One file or folder that was found.
#[derive(Clone, Debug)]
struct Item {
    /// Its name in the archive.
    name: PathBuf,
    /// Where it lies.
    path: PathBuf,
    folder: bool,
    follow: bool,
}

/// What is going to be backed up.
#[derive(Debug)]
pub(crate) struct Source {
    items: Vec<Item>,
    missing: Missing,
}

impl Source {
    /// Looks at what there is.
    pub(crate) fn look(places: &Places) -> Source {
        let missing = Missing::default();
        let mut items = Vec::new();
        for row in ROWS {
            if let Some(folder) = places.folder(row) {
                let mut walk = Walk {
                    row,
                    items: &mut items,
                    missing: &missing,
                };
                walk.folder(&folder, Path::new(""), 0);
            }
        }
        Source { items, missing }
    }

    /// Whether there is nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.iter().all(|item| item.folder)
    }

    /// The files, each with its name in the archive, where it lies, and whether it is read through a link.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Path, &Path, bool)> {
        let files = self.items.iter().filter(|item| !item.folder);
        files.map(|item| (&*item.name, &*item.path, item.follow))
    }

    /// Notes a file that could not be read.
    pub(crate) fn unread(&self, path: &Path, error: &io::Error) {
        unread(&self.missing, path, error);
    }

    /// What was left out, once everything was read.
    pub(crate) fn missing(&self) -> Vec<LeftOut> {
        self.missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

struct Walk<'a> {
    row: &'static Row,
    items: &'a mut Vec<Item>,
    missing: &'a Missing,
}

impl Walk<'_> {
    /// Lists a folder in the order of the names, each folder's content right behind it, as the archive wants it.
    fn folder(&mut self, folder: &Path, rest: &Path, depth: usize) {
        let names = match names(folder) {
            Ok(names) => names,
            // A folder that nobody has made yet, or that went meanwhile, holds nothing.
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => return unread(self.missing, folder, &error),
        };
        for name in names {
            let (path, rest) = (folder.join(&name), rest.join(&name));
            if (depth == 0 && !self.row.takes(&name)) || left_out(&rest, self.row) {
                continue;
            }
            if self.items.len() >= ENTRIES_MAX {
                return leave_out(self.missing, &path, format!("more than {ENTRIES_MAX} files"));
            }
            self.entry(path, &rest, depth);
        }
    }

    fn entry(&mut self, path: PathBuf, rest: &Path, depth: usize) {
        let Ok(mut found) = fs::symlink_metadata(&path) else {
            return;
        };
        let link = found.is_symlink();
        if link {
            match fs::metadata(&path) {
                Ok(target) if self.row.follows_links && target.is_file() => found = target,
                _ => return leave_out(self.missing, &path, "a link"),
            }
        }
        // Sockets, pipes and devices are nobody's data.
        if !found.is_file() && !found.is_dir() {
            return;
        }
        let folder = found.is_dir();
        if folder && depth >= DEPTH_MAX {
            return leave_out(self.missing, &path, format!("more than {DEPTH_MAX} folders deep"));
        }
        self.items.push(Item {
            name: Path::new(self.row.name).join(rest),
            path: path.clone(),
            folder,
            follow: link,
        });
        if folder {
            self.folder(&path, rest, depth + 1);
        }
    }
}

fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names: Vec<OsString> = fs::read_dir(folder)?
        .take(ENTRIES_MAX)
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort_unstable();
    Ok(names)
}

impl ReadSource for Source {
    type Open = Content;
    type Iter = Entries;

    fn size(&self) -> RusticResult<Option<u64>> {
        let sizes = self.items.iter().filter(|item| !item.folder);
        Ok(Some(
            sizes
                .filter_map(|item| fs::metadata(&item.path).ok())
                .map(|found| found.len())
                .sum(),
        ))
    }

    fn entries(&self) -> Entries {
        Entries {
            items: self.items.clone().into(),
            missing: self.missing.clone(),
        }
    }
}

/// The files and folders, each opened when its turn comes.
pub(crate) struct Entries {
    items: VecDeque<Item>,
    missing: Missing,
}

impl Iterator for Entries {
    type Item = RusticResult<ReadSourceEntry<Content>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let item = self.items.pop_front()?;
            match entry(&item, &self.missing) {
                Ok(entry) => return Some(Ok(entry)),
                // Removed since the folder was listed.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => unread(&self.missing, &item.path, &error),
            }
        }
    }
}

fn entry(item: &Item, missing: &Missing) -> io::Result<ReadSourceEntry<Content>> {
    let name = item.name.file_name().unwrap_or_default();
    if item.folder {
        let found = fs::symlink_metadata(&item.path)?;
        return Ok(ReadSourceEntry {
            path: item.name.clone(),
            node: node(name, NodeType::Dir, &found, 0),
            open: None,
        });
    }
    let (found, content) = read(item, missing)?;
    let length = match &content {
        Content::Whole(bytes) => bytes.get_ref().len() as u64,
        Content::Beginning { left, .. } => *left,
    };
    Ok(ReadSourceEntry {
        path: item.name.clone(),
        node: node(name, NodeType::File, &found, length),
        open: Some(content),
    })
}

/// Opens a file, and reads it if it is small.
fn read(item: &Item, missing: &Missing) -> io::Result<(Metadata, Content)> {
    for _ in 0..READS_MAX {
        let mut file = match item.follow {
            true => File::open(&item.path)?,
            false => disk::open(&item.path)?,
        };
        let before = file.metadata()?;
        if !before.is_file() {
            return Err(io::Error::other("no longer a file"));
        }
        if before.len() > SMALL_BYTES_MAX || before.len() == 0 {
            let content = Content::Beginning {
                left: before.len(),
                grows: grows(&item.name),
                before: stamp(&before),
                file,
                path: item.path.clone(),
                missing: missing.clone(),
            };
            return Ok((before, content));
        }
        let mut bytes = Vec::new();
        (&mut file).take(before.len()).read_to_end(&mut bytes)?;
        let after = file.metadata()?;
        let whole = bytes.len() as u64 == before.len();
        let appended = grows(&item.name) && after.len() >= before.len();
        if whole && (appended || stamp(&before) == stamp(&after)) {
            return Ok((before, Content::Whole(Cursor::new(bytes))));
        }
        file.rewind()?;
    }
    Err(io::Error::other("it changed each time it was read"))
}

/// Whether a file is a log, whose beginning is a log; beside a history lie its mirror and copies of bash's, which grow, too.
pub(crate) fn grows(name: &Path) -> bool {
    name.extension() == Some(OsStr::new("log")) || name.starts_with("/data/history")
}

/// What tells a version of a file from another.
type Stamp = (u64, i64, i64, i64, i64);

fn stamp(found: &Metadata) -> Stamp {
    (
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    )
}

fn node(name: &OsStr, kind: NodeType, found: &Metadata, size: u64) -> Node {
    let time = |seconds, nanoseconds: i64| {
        Timestamp::new(seconds, i32::try_from(nanoseconds).unwrap_or_default()).ok()
    };
    Node::new_node(
        name,
        kind,
        NodeMetadata {
            mode: Some(found.permissions().mode() & 0o7777),
            mtime: time(found.mtime(), found.mtime_nsec()),
            ctime: time(found.ctime(), found.ctime_nsec()),
            uid: Some(found.uid()),
            gid: Some(found.gid()),
            inode: found.ino(),
            links: 1,
            size,
            ..NodeMetadata::default()
        },
    )
}

/// The content of a file.
#[derive(Debug)]
pub(crate) enum Content {
    /// It was read.
    Whole(Cursor<Vec<u8>>),
    /// It is read while it is stored, up to the length that it had.
    Beginning {
        file: File,
        left: u64,
        grows: bool,
        before: Stamp,
        path: PathBuf,
        missing: Missing,
    },
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Content::Whole(bytes) => bytes.read(buffer),
            Content::Beginning {
                file,
                left,
                grows,
                before,
                path,
                missing,
            } => {
                if *left == 0 {
                    return Ok(0);
                }
                let result = file.take(*left).read(buffer).and_then(|n| {
                    *left -= n as u64;
                    let done = n == 0 || *left == 0;
                    match done && !*grows && file.metadata().is_ok_and(|after| stamp(&after) != *before) {
                        true => Err(io::Error::other("it changed while it was read")),
                        false if n == 0 => Err(ErrorKind::UnexpectedEof.into()),
                        false => Ok(n),
                    }
                });
                // The archiver passes over what it cannot read and says nothing: here it is said.
                result.inspect_err(|error| {
                    if error.kind() != ErrorKind::Interrupted {
                        unread(missing, path, error);
                    }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn places(root: &Path) -> Places {
        Places {
            config: root.join("config"),
            state: root.join("state"),
            data: root.join("data"),
            home: Some(root.join("home")),
            repository: None,
            credentials: crate::remote::Credentials::default(),
        }
    }

    fn put(path: &Path, content: &[u8]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn names(source: &Source) -> Vec<String> {
        source
            .items
            .iter()
            .map(|item| item.name.display().to_string())
            .collect()
    }

    #[test]
    fn what_is_found_is_in_the_order_of_the_archive() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        put(&root.join("config/config.toml"), b"x");
        put(&root.join("config/plugins/p/p.wasm"), b"x");
        put(&root.join("state/history/m.log"), b"x");
        put(&root.join("state/versions/config.log"), b"x");
        put(&root.join("state/versions/config.lock"), b"x");
        put(&root.join("state/keys/backup.key"), b"x");
        put(&root.join("state/keys/audit.key"), b"x");
        put(&root.join("state/start/1/began"), b"x");
        put(&root.join("data/audit/m.anchor"), b"x");
        put(&root.join("data/backup/archive/config"), b"x");
        put(&root.join("home/dotfiles/bashrc"), b"x");
        put(&root.join("home/secret"), b"x");
        std::os::unix::fs::symlink("dotfiles/bashrc", root.join("home/.bashrc")).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("config/etc")).unwrap();
        let source = Source::look(&places(root));
        assert_eq!(
            names(&source),
            [
                "/configuration/home/.bashrc",
                "/configuration/lusush/config.toml",
                "/data/history/m.log",
                "/data/versions/config.log",
                "/plugins/p",
                "/plugins/p/p.wasm",
                "/state/data/audit",
                "/state/data/audit/m.anchor",
                "/state/state/keys",
                "/state/state/keys/audit.key",
            ]
        );
        let missing = source.missing();
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].why, "a link");
    }

    #[test]
    fn a_log_that_grows_is_read_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state/history/m.log");
        let long = vec![b'a'; SMALL_BYTES_MAX as usize + 5];
        put(&path, &long);
        let source = Source::look(&places(root.path()));
        let entry = source.entries().next().unwrap().unwrap();
        let mut log = fs::OpenOptions::new().append(true).open(&path).unwrap();
        log.write_all(b"more").unwrap();
        let mut read = Vec::new();
        entry.open.unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, long);
        assert_eq!(entry.node.meta.size, long.len() as u64);
        assert_eq!(source.missing(), []);
    }

    #[test]
    fn a_long_file_that_changes_or_shrinks_is_named() {
        fn check(name: &str, change: impl Fn(&File), expect: &str) {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("state").join(name);
            put(&path, &vec![b'a'; SMALL_BYTES_MAX as usize + 5]);
            let source = Source::look(&places(root.path()));
            let content = source.entries().find_map(|entry| entry.unwrap().open).unwrap();
            change(&fs::OpenOptions::new().write(true).open(&path).unwrap());
            let mut content = content;
            assert!(content.read_to_end(&mut Vec::new()).is_err(), "{name}");
            assert_eq!(source.missing()[0].why, expect);
        }
        check(
            "maint/m/table",
            |file| file.set_len(9).unwrap(),
            "it changed while it was read",
        );
        check(
            "history/m.log",
            |file| file.set_len(9).unwrap(),
            "unexpected end of file",
        );
    }
}
