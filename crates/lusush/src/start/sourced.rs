//! The files that start-up files read: known from earlier starts, guarded as these are.
//!
//! Invariant: nothing that the system's packages placed, and only so many.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lle_core::start::{Reached, copy, trace};
use lle_maintenance::real::rc_versions;

use super::{Guard, PROFILES, RC, Records};
use crate::start_file::{self, File, INPUTRC, NOTHING};
use crate::start_record::Record;

/// Files that are guarded besides those that bash and readline read by themselves.
const SOURCED_MAX: usize = 24;

impl Guard {
    /// Adds what the last good start read, or the one that is about to become it. A start that is the first to read a
    /// file has it guarded from the next but one on: its own copies are made before that is known.
    ///
    /// Which files belong to it is part of what names a version. So while anything differs from the good one nothing is
    /// added that only later starts read, or a failure would be one of another version, and forgotten.
    pub(super) fn add_sourced(&mut self, found: &Records, boot: &str) {
        let good = self.good();
        let ran = good.as_deref().map(Record::ran);
        let reached = |record: &&Record| record.look(boot).reached == Some(Reached::Ready);
        let next = found
            .records
            .iter()
            .filter(reached)
            .rfind(|record| Some(record.ran()) != ran);
        let Some(good) = next.or(good.as_deref()) else {
            return;
        };
        let copied = good
            .copies()
            .map(|(name, _)| name)
            .filter(|name| copy::is_path(name));
        self.add(copied.map(PathBuf::from).collect());
        let is_good = start_file::version(&self.files) == good.ran();
        self.add(sourced(good, &self.home));
        if is_good {
            let later = found.records.iter();
            let later =
                later.filter(|record| record.ran() == good.ran() && record.look(boot).reached.is_some());
            later.for_each(|record| self.add(sourced(record, &self.home)));
        }
    }

    /// Adds files, each once, in the order of their names.
    fn add(&mut self, paths: Vec<PathBuf>) {
        for path in paths {
            let is_known = self.files.iter().any(|file| file.path == path);
            let sourced = self.files.iter().filter(|file| file.is_sourced()).count();
            if is_known || sourced == SOURCED_MAX {
                continue;
            }
            let file = File::read(&path.to_string_lossy(), path.clone());
            let short = |file: &File| {
                let length = file.bytes().map(<[u8]>::len);
                length.is_some_and(|length| length as u64 <= rc_versions::FILE_BYTES_MAX)
            };
            self.files.extend(file.ok().flatten().filter(short));
        }
        let first = self
            .files
            .iter()
            .position(File::is_sourced)
            .unwrap_or(self.files.len());
        self.files[first..].sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// What readline is to read at a start with the last good copy; none if that is what is on disk.
    pub(super) fn good_inputrc(&self, good: &Record) -> Option<PathBuf> {
        let now = self.files.iter().any(|file| file.name == INPUTRC);
        match good.copy(INPUTRC, &self.files) {
            Some((_, true)) => None,
            Some((copy, false)) => Some(copy),
            None => now.then(|| NOTHING.into()),
        }
    }

    /// What is read in place of files that have changed since the last good start, or that the failed one read first.
    pub(super) fn good_instead(&self, good: &Record, found: &Records) -> Vec<(PathBuf, PathBuf)> {
        let copies: Vec<_> = good.copies().filter(|(name, _)| copy::is_path(name)).collect();
        let mut instead: Vec<(PathBuf, PathBuf)> = copies
            .iter()
            .filter(|(name, _)| !matches!(good.copy(name, &self.files), Some((_, true))))
            .map(|(name, content)| (PathBuf::from(name), content.clone()))
            .collect();
        // Of the others there is no copy. What is as it was then is no danger.
        let failed = found
            .records
            .iter()
            .flat_map(|record| sourced(record, &self.home));
        for path in sourced(good, &self.home).into_iter().chain(failed) {
            let has_copy = copies.iter().any(|(name, _)| Path::new(name) == path);
            if !has_copy
                && changed_since(&path, good.began_ns())
                && !instead.iter().any(|(from, _)| *from == path)
            {
                instead.push((path, NOTHING.into()));
            }
        }
        instead
    }
}

fn changed_since(path: &Path, ns: i64) -> bool {
    path.metadata().is_ok_and(|found| {
        found
            .ctime()
            .saturating_mul(1_000_000_000)
            .saturating_add(found.ctime_nsec())
            > ns
    })
}

/// The files to be guarded that a start read besides those that bash reads by itself.
pub(crate) fn sourced(record: &Record, home: &Path) -> Vec<PathBuf> {
    let files = record
        .trace()
        .map(|trace| trace.files.clone())
        .unwrap_or_default();
    let paths = files.iter().map(|path| PathBuf::from(OsStr::from_bytes(path)));
    let of_bash = |path: &PathBuf| [RC].iter().chain(&PROFILES).any(|name| home.join(name) == *path);
    let own = paths.filter(|path| trace::is_guarded(path, home) && !of_bash(path));
    // What a start with copies read was copies: these are ours.
    let own = own.filter(|path| !path.starts_with(&record.dir) && !is_copy(path, record));
    own.filter(|path| {
        path.to_str()
            .is_some_and(|path| path.len() <= lle_log::versions::NAME_BYTES_MAX)
    })
    .take(SOURCED_MAX)
    .collect()
}

/// True if a path is below the folder in which the records are.
fn is_copy(path: &Path, record: &Record) -> bool {
    record.dir.parent().is_some_and(|starts| path.starts_with(starts))
}
