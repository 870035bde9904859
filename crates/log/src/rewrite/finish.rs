//! Finishes an import that was killed when the mirror had it and the log had not.
//!
//! ```text
//!  log    │ header │ what was there │ since │        the new one │ header │ imported │ what was there │ since │
//!  mirror │ header │ imported │ what was there │
//! ```
//!
//! Records of an import have its random number for a session's. Left to the guard, it would look as if another program had taken the imported commands out.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::new_file;
use crate::descriptor::Descriptor;
use crate::file::sync_folder_of;
use crate::header::FILE_HEADER_BYTES;
use crate::leftovers::draft_of;
use crate::mirror::{number, path_of};
use crate::walk::Forward;

const HEADER: u64 = FILE_HEADER_BYTES as u64;
/// Bytes compared at once.
const PIECE_BYTES: u64 = 64 * 1024;

/// Gives the log what the mirror begins with, if that is one import and all else in the mirror is as the log begins; says
/// whether it was so. The caller holds the lock, and has seen the name that only rewriting gives.
///
/// # Errors
/// The system's; the log is as it was.
pub(crate) fn finish_import(log: &Path) -> io::Result<bool> {
    let mirror = path_of(log);
    let walked = match Descriptor::open_to_read(&mirror) {
        Ok(walked) => walked,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mirror_bytes = walked.length()?;
    let Some(imported_to) = first_import(&walked, mirror_bytes) else {
        return Ok(false);
    };
    let (mut ours, mut theirs) = (File::open(log)?, File::open(&mirror)?);
    let there = mirror_bytes - imported_to;
    // Told by its number, which is the same if one of the two was overwritten on purpose.
    if begins_as(log, &walked)? || !is_same(&mut ours, HEADER, &mut theirs, imported_to, there)? {
        return Ok(false);
    }
    let draft = draft_of(log);
    let made = (|| {
        let mut file = new_file(&draft)?;
        theirs.rewind()?;
        io::copy(&mut (&theirs).take(mirror_bytes), &mut file)?;
        ours.seek(SeekFrom::Start(HEADER + there))?;
        io::copy(&mut ours, &mut file)?;
        file.sync_data()?;
        fs::rename(&draft, log)?;
        sync_folder_of(log)
    })();
    if made.is_err() {
        let _stray = fs::remove_file(&draft);
    }
    made.map(|()| true)
}

/// Whether the log begins with the record with which its mirror does.
pub(super) fn begins_as_its_mirror(log: &Path) -> io::Result<bool> {
    begins_as(log, &Descriptor::open_to_read(&path_of(log))?)
}

fn begins_as(log: &Path, mirror: &Descriptor) -> io::Result<bool> {
    Ok(first_number(&Descriptor::open_to_read(log)?)? == first_number(mirror)?)
}

/// Where the import ends with which a log begins.
fn first_import(log: &Descriptor, end: u64) -> Option<u64> {
    let mut walk = Forward::new(log, HEADER, end);
    let mut importer = None;
    let mut imported_to = None;
    while let Some(record) = walk.next() {
        let is_of_it = *importer.get_or_insert(record.header.session) == record.header.session;
        if !is_of_it {
            break;
        }
        imported_to = Some(record.at + record.header.frame_bytes() as u64);
    }
    imported_to
}

/// The number of the record with which a log begins; none if there is no record.
fn first_number(log: &Descriptor) -> io::Result<Option<u64>> {
    let mut walk = Forward::new(log, HEADER, log.length()?);
    Ok(walk.next().map(|record| number(&record.header)))
}

/// Whether both have the same bytes at these places, and all of them.
fn is_same(a: &mut File, a_from: u64, b: &mut File, b_from: u64, bytes: u64) -> io::Result<bool> {
    a.seek(SeekFrom::Start(a_from))?;
    b.seek(SeekFrom::Start(b_from))?;
    let (mut left, mut ours, mut theirs) = (bytes, Vec::new(), Vec::new());
    while left > 0 {
        let piece = left.min(PIECE_BYTES);
        ours.clear();
        theirs.clear();
        a.take(piece).read_to_end(&mut ours)?;
        b.take(piece).read_to_end(&mut theirs)?;
        if ours.len() as u64 != piece || ours != theirs {
            return Ok(false);
        }
        left -= piece;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::Entry;
    use crate::history::History;
    use crate::leftovers::before;
    use crate::mirror::{Followed, Lock, Mirror};
    use crate::rewrite::import;

    fn commands(log: &Path) -> Vec<String> {
        let text = |command: crate::history::Command| String::from_utf8(command.command).unwrap();
        let history = History::open(log, 99, 1, None).unwrap().history;
        history.commands().map(text).collect()
    }

    fn entry(command: &str) -> Entry {
        Entry {
            time_ns: 1,
            command: command.into(),
            ..Entry::default()
        }
    }

    /// A log as an import leaves it that was killed with only its last rename undone: with and without an import before it.
    #[test]
    fn what_was_killed_between_mirror_and_log_is_finished() {
        for (was_imported, has_typed) in [(false, true), (true, true), (true, false)] {
            let folder = tempfile::tempdir().unwrap();
            let log = folder.path().join("m.log");
            let mut session = History::open(&log, 1, 1, None).unwrap().history;
            let mut expected = Vec::new();
            if has_typed {
                session.started(1, b"/", b"typed").unwrap();
                expected.push("typed");
            }
            let lock = Lock::take(&log).unwrap();
            if was_imported {
                import(&log, &lock, 7, &[entry("of old")]).unwrap();
                expected.insert(0, "of old");
            }
            session.refresh().unwrap();
            // Another name keeps the former log, as a kill would.
            let former = folder.path().join("former");
            fs::hard_link(&log, &former).unwrap();
            import(&log, &lock, 8, &[entry("new"), entry("newer")]).unwrap();
            fs::rename(&former, &log).unwrap();
            fs::hard_link(&log, before(&log)).unwrap();
            drop(lock);
            session.refresh().unwrap();
            session.started(2, b"/", b"since").unwrap();

            let mut guard = Mirror::new(&log);
            assert!(!matches!(guard.follow().unwrap(), Followed::Trouble(_)));
            expected.splice(0..0, ["new", "newer"]);
            expected.push("since");
            assert_eq!(commands(&log), expected);
            assert_eq!(guard.compare_whole().unwrap(), None);
            assert!(!before(&log).exists());
        }
    }

    #[test]
    fn what_was_killed_before_the_mirror_had_it_did_not_happen() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        History::open(&log, 1, 1, None).unwrap();
        let lock = Lock::take(&log).unwrap();
        import(&log, &lock, 7, &[entry("of old")]).unwrap();
        fs::hard_link(&log, before(&log)).unwrap();
        drop(lock);
        assert!(!matches!(
            Mirror::new(&log).follow().unwrap(),
            Followed::Trouble(_)
        ));
        assert_eq!(commands(&log), ["of old"]);
        assert!(!before(&log).exists());
    }

    #[test]
    fn what_another_program_took_out_is_not_put_back_without_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("m.log");
        let mut session = History::open(&log, 1, 1, None).unwrap().history;
        session.started(1, b"/", b"typed").unwrap();
        let lock = Lock::take(&log).unwrap();
        import(&log, &lock, 7, &[entry("of old")]).unwrap();
        fs::hard_link(&log, before(&log)).unwrap();
        drop(lock);
        fs::OpenOptions::new()
            .write(true)
            .open(&log)
            .unwrap()
            .set_len(HEADER + 20)
            .unwrap();
        let followed = Mirror::new(&log).follow().unwrap();
        assert!(matches!(followed, Followed::Trouble(_)), "{followed:?}");
    }
}
