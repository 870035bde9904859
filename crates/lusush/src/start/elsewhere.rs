//! What the other kind of start knows: a `~/.bashrc` that a login shell did not survive is not tried by a plain one.
//!
//! Both kinds keep their records apart, since they read other files. Of a failure of the other kind counts what this one
//! would read as well, if that is what it failed of: the only thing that had changed, or where it stood.
//!
//! Invariant: only what has not reached a prompt here is asked about, so an ordinary start looks at nothing more.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use lle_core::start::{self, Process, Start};

use super::{GOOD, Guard, RC, Records};
use crate::start_file::{self, File};
use crate::start_record::{DRAFT, Record};
use crate::start_story;

impl Guard {
    /// Adds the starts of the other kind that failed of what this one would read.
    pub(super) fn add_elsewhere(&self, found: &mut Records, boot: &str, now_ns: i64) {
        let good = self.good();
        let current = start_file::version(&self.files);
        if good.as_ref().is_some_and(|good| good.ran() == current) {
            return;
        }
        let starts = self.starts.with_file_name(super::kind(!self.login));
        let Ok(entries) = std::fs::read_dir(&starts) else {
            return;
        };
        let names = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        let records = names.filter(|name| name != GOOD && !name.starts_with(DRAFT));
        let records: Vec<(Record, Start)> = records
            .filter_map(|name| Record::read(starts.join(name)).ok())
            .map(|record| {
                let start = record.look(boot);
                (record, start)
            })
            .collect();
        let worked_later = |failed: &Start| {
            let mut later = records.iter().map(|(_, start)| start);
            later.any(|start| {
                start.began_ns > failed.began_ns && start.ran == failed.ran && start.reached.is_some()
            })
        };
        let telling: Vec<bool> = records
            .iter()
            .map(|(_, start)| start::failure(start, now_ns).is_some() && !worked_later(start))
            .collect();
        let there = Record::read(starts.join(GOOD)).ok();
        let (here, there) = (good.as_deref(), there.as_ref());
        let records = records.into_iter().zip(telling).filter(|(_, telling)| *telling);
        let failed = records.map(|((record, _), _)| record);
        found.elsewhere.extend(failed.filter(|record| {
            self.files
                .iter()
                .any(|file| self.blames(record, file, here, there))
        }));
    }

    /// Whether a start of the other kind failed of `file`; `here` and `there` are the good starts of this kind and that.
    fn blames(&self, failed: &Record, file: &File, here: Option<&Record>, there: Option<&Record>) -> bool {
        let same = |record: Option<&Record>, file: &File| {
            let copy = record.and_then(|record| record.copy(&file.name, std::slice::from_ref(file)));
            matches!(copy, Some((_, true)))
        };
        if !same(Some(failed), file) || same(here, file) || same(there, file) || !self.reads(file, here) {
            return false;
        }
        let is_ours = |name: &str| self.files.iter().any(|file| file.name == name);
        let unchanged = |name: &str, content: &Path| {
            let before = there.and_then(|there| there.copies().find(|(known, _)| *known == name));
            before.is_some_and(|(_, before)| std::fs::read(before).ok() == std::fs::read(content).ok())
        };
        let is_all = failed
            .copies()
            .all(|(name, copy)| is_ours(name) || unchanged(name, &copy));
        is_all || self.stood_at(failed, file)
    }

    /// Whether this kind of start reads a file: of a profile it is not known before it has.
    fn reads(&self, file: &File, good: Option<&Record>) -> bool {
        let has_read = |good: &Record| {
            let files = good.trace().map(|trace| trace.files.clone()).unwrap_or_default();
            files
                .iter()
                .any(|path| Path::new(OsStr::from_bytes(path)) == file.path)
        };
        !self.login || file.name != RC || good.is_some_and(has_read)
    }

    /// Whether a start had come to a file, or to the line that names it.
    fn stood_at(&self, failed: &Record, file: &File) -> bool {
        let trace = failed.trace().cloned().unwrap_or_default();
        let is_file = |path: &Vec<u8>| Path::new(OsStr::from_bytes(path)) == file.path;
        let (name, line) = match trace.place {
            Some((place, _)) if is_file(&trace.files[place]) => return true,
            // It had come to the file before, and out of it again.
            Some(_) if trace.files.iter().any(is_file) => return false,
            Some((place, line)) => (trace.files[place].clone(), line as usize),
            // Nothing of it had ended: it stood at the beginning of the file that bash reads itself.
            None => match failed.copies().next() {
                Some((name, _)) => (self.home.join(name).into_os_string().into_encoded_bytes(), 0),
                None => return false,
            },
        };
        let path = Path::new(OsStr::from_bytes(&name));
        let copy = failed.copies().find(|(name, _)| self.home.join(name) == path);
        let text = copy
            .and_then(|(_, copy)| std::fs::read(copy).ok())
            .unwrap_or_default();
        let asked = file.path.file_name().unwrap_or_default().to_string_lossy();
        let text = String::from_utf8_lossy(&text);
        let excerpt = start_story::excerpt(&text, line);
        excerpt.iter().any(|(_, line)| line.contains(&*asked))
    }
}

/// The starts of this kind and the failures of the other one, oldest first, each with its index among the former.
pub(super) fn starts(found: &Records, current: start::Version, boot: &str) -> Vec<(Option<usize>, Start)> {
    let here = found.records.iter().enumerate();
    let here = here.map(|(index, record)| (Some(index), record.look(boot)));
    let there = found.elsewhere.iter().map(|record| {
        let start = Start {
            began_ns: record.began_ns(),
            ran: Some(current),
            reached: None,
            replaced: false,
            process: Process::Gone,
        };
        (None, start)
    });
    let mut starts: Vec<_> = here.chain(there).collect();
    starts.sort_by_key(|(_, start)| start.began_ns);
    starts
}
