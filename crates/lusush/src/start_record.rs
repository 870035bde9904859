//! The record of one start, on disk, and what is to be seen of its process.
//!
//! `<state>/start/<interactive|login>/<id>/` holds `begun` (JSON), a copy of each start-up file that was on disk, `at`,
//! in which LLE says how far the start has come, and, once it saw a prompt, `reached` (`ready`, `unparsed` or `partial`; `became` if
//! another program took the shell's place and runs). It appears under its name when it is complete. `good/` beside them is the
//! record of the last start that was ready. Of files that
//! `good` has no further copy is made.
//!
//! A record that says nothing more becomes the next start's where it can: making and removing files is most of what
//! the guard costs.

use std::cell::OnceCell;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lle_core::start::copy;
use lle_core::start::trace::{self, Stage, Trace};
use lle_core::start::{HASTE_NS, LIVED_NS, Process, Reached, Start, Version};
use serde::{Deserialize, Serialize};

use crate::paths::create_folder;
use crate::start_file::File;
use crate::start_process::{self, process, read_small};

/// Format of `begun` written and read.
const FORMAT: u32 = 1;
/// Is there once the shell of a start has started itself again, and again.
const CIRCLE: &str = "circle";
/// What LLE says in `reached` of a start that read a guarded file only up to a syntax error.
const UNPARSED: &[u8] = b"unparsed
";

/// What `begun` says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    version: u32,
    pub(crate) pid: u32,
    /// Start time of the process, in clock ticks since boot: with `boot` it tells it from a later one.
    pub(crate) process_start: u64,
    pub(crate) boot: String,
    /// Names of the program while it is starting, and once it is the shell.
    pub(crate) programs: Vec<String>,
    pub(crate) began_ns: i64,
    pub(crate) ran: Version,
    /// The files of which there is a copy, with the version of each.
    copies: Vec<(String, Version)>,
}

/// A record as found.
pub(crate) struct Record {
    pub(crate) dir: PathBuf,
    begun: Begun,
    /// A file with a syntax error may become the good one: no better state is known.
    pub(crate) may_be_unparsed: bool,
    /// As the file [`CIRCLE`] says.
    circles: bool,
    /// What LLE has said, once somebody asked: each look at the disk holds the prompt up.
    trace: OnceCell<Option<Trace>>,
    said: OnceCell<Option<Vec<u8>>>,
}

impl Record {
    /// Reads the record in `dir`.
    pub(crate) fn read(dir: PathBuf) -> io::Result<Self> {
        let begun: Begun = serde_json::from_slice(&read_small(&dir.join("begun"))?)?;
        if begun.version != FORMAT {
            return Err(io::Error::other("a format this version does not know"));
        }
        Ok(Self {
            dir,
            begun,
            may_be_unparsed: false,
            circles: false,
            trace: OnceCell::new(),
            said: OnceCell::new(),
        })
    }

    /// The version that ran.
    pub(crate) fn ran(&self) -> Version {
        self.begun.ran
    }

    /// When it began, in nanoseconds since the epoch.
    pub(crate) fn began_ns(&self) -> i64 {
        self.begun.began_ns
    }

    /// How far it had come when somebody first asked, if LLE has said so.
    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.trace.get_or_init(|| self.read_trace()).as_ref()
    }

    fn read_trace(&self) -> Option<Trace> {
        let mut page = vec![0; trace::BYTES];
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(
                (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK)
                    .bits()
                    .cast_signed(),
            )
            .open(self.dir.join(trace::NAME));
        let length = file.ok()?.read(&mut page).ok()?;
        trace::read(&page[..length], self.begun.began_ns)
    }

    /// The files of which there is a copy, by name.
    pub(crate) fn copies(&self) -> impl Iterator<Item = (&str, PathBuf)> {
        let copies = self.begun.copies.iter();
        copies.map(|(name, _)| (name.as_str(), self.dir.join(copy::name(name))))
    }

    /// Returns the copy of `name`, and whether `files` still has it so.
    pub(crate) fn copy(&self, name: &str, files: &[File]) -> Option<(PathBuf, bool)> {
        let (_, version) = self.begun.copies.iter().find(|(known, _)| known == name)?;
        let same = files
            .iter()
            .any(|file| file.name == name && file.version() == *version);
        Some((self.dir.join(copy::name(name)), same))
    }

    /// True if there is nothing but `begun` and perhaps `reached`.
    pub(crate) fn has_no_copies(&self) -> bool {
        self.begun.copies.is_empty()
    }

    /// True if this very process has begun it and is at its beginning again: a start-up file has executed `lusush`.
    pub(crate) fn is_ours(&self, boot: &str) -> bool {
        let pid = std::process::id();
        let begun = &self.begun;
        begun.pid == pid
            && begun.boot == boot
            && start_process::begins(pid) == Some(begun.process_start)
            && !self.dir.join("reached").exists()
    }

    /// Says that this start was nothing but the way to the same one again.
    pub(crate) fn is_circle(&mut self) {
        self.circles = true;
        // What cannot be written is seen again by the next start that goes round.
        let _same = std::fs::write(self.dir.join(CIRCLE), "");
    }

    /// True if the shell started itself again before its first prompt, for ever.
    pub(crate) fn circles(&self) -> bool {
        self.circles || self.dir.join(CIRCLE).exists()
    }

    /// What is known of the start now. `boot` is the present one.
    pub(crate) fn look(&self, boot: &str) -> Start {
        let begun = &self.begun;
        let path = self.dir.join("reached");
        let said = self.said.get_or_init(|| read_small(&path).ok());
        let stage = || self.trace().map(|trace| trace.stage).unwrap_or_default();
        let at_ns = || {
            let at = path.metadata().and_then(|found| found.modified()).ok();
            at.and_then(|at| at.duration_since(UNIX_EPOCH).ok())
                .map_or(begun.began_ns, |since| since.as_nanos() as i64)
        };
        let mut process = match said {
            None if self.circles() => Process::Gone,
            None => process(begun, boot),
            // It reached a prompt: what has become of it since seldom says anything.
            Some(_) => Process::Gone,
        };
        let is_ready = |said: &[u8]| said == b"ready\n" || said == UNPARSED && self.may_be_unparsed;
        let reached = said.as_deref().map(|said| match said {
            b"became\n" => Reached::Became,
            b"partial\n" if at_ns().saturating_sub(begun.began_ns) >= HASTE_NS => Reached::Interrupted,
            said if is_ready(said) && begun.boot == boot && stage() == Stage::InDoubt => {
                process = self::process(begun, boot);
                let lived = UNIX_EPOCH + Duration::from_nanos(at_ns().unsigned_abs() + LIVED_NS);
                match process == Process::Gone || SystemTime::now() < lived {
                    true => Reached::Shown,
                    false => self.ready(),
                }
            }
            said if is_ready(said) => self.ready(),
            // Whatever was written, it was written at a prompt.
            _ => Reached::Partial,
        });
        Start {
            began_ns: begun.began_ns,
            ran: Some(begun.ran),
            reached,
            replaced: said.is_none() && stage() == Stage::Replaced,
            process,
        }
    }

    /// Without copies it must never become the good one.
    fn ready(&self) -> Reached {
        match self.has_no_copies() {
            true => Reached::Partial,
            false => Reached::Ready,
        }
    }
}

/// What a start says that it has read.
#[derive(Debug, Default)]
pub(crate) struct HasRead {
    pub(crate) files: Vec<PathBuf>,
    /// There was room to name all.
    pub(crate) is_whole: bool,
}

/// What the shell of a process and its start in clock ticks has read, by the record of its start; none if there is none.
/// `state` is the folder of records and versions.
pub(crate) fn has_read(state: &Path, process: (u32, u64)) -> Option<HasRead> {
    let kinds = [false, true].map(|login| state.join("start").join(crate::start::kind(login)));
    let entries = kinds.iter().filter_map(|kind| std::fs::read_dir(kind).ok());
    let own = format!("-{}", process.0);
    let may_be_its = |name: &std::ffi::OsStr| {
        let name = name.to_string_lossy();
        name == crate::start::GOOD || !name.starts_with(DRAFT) && name.ends_with(&own)
    };
    let records = entries
        .flatten()
        .flatten()
        .filter(|entry| may_be_its(&entry.file_name()))
        .filter_map(|entry| Record::read(entry.path()).ok());
    let mut its = records.filter(|record| (record.begun.pid, record.begun.process_start) == process);
    let record = its.next()?;
    let files = &record.trace()?.files;
    let bytes: usize = files.iter().map(|file| 2 + file.len()).sum();
    Some(HasRead {
        is_whole: files.len() < trace::FILES_MAX
            && bytes + 2 + trace::NAME_BYTES_MAX <= trace::BYTES - trace::offset::NAMES,
        files: files
            .iter()
            .map(|file| PathBuf::from(std::ffi::OsStr::from_bytes(file)))
            .collect(),
    })
}

/// True if the start whose record is in `dir` read all of its guarded files, and bash parsed them.
pub(crate) fn is_parsed(dir: &Path) -> bool {
    read_small(&dir.join("reached")).is_ok_and(|said| said != UNPARSED)
}

/// Writes the record of this start, which runs `ran`, into a folder below `starts`: a new one, or `spare`, the folder of
/// a record without copies that says nothing more. Of files that are too long there is no copy, and then of none.
pub(crate) fn write(
    starts: &Path,
    began: &Began<'_>,
    ran: Version,
    copies: &[File],
    spare: Option<&Path>,
) -> io::Result<PathBuf> {
    let whole = copies.iter().all(|file| file.bytes().is_some());
    let copies = if whole { copies } else { &[] };
    let pid = std::process::id();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let own = std::fs::read_link("/proc/self/exe")?;
    let shell = began.shell.canonicalize()?;
    let begun = Begun {
        version: FORMAT,
        pid,
        process_start: start_process::begins(pid).ok_or_else(|| io::Error::other("/proc does not tell"))?,
        boot: began.boot.to_owned(),
        programs: [name(&own), name(&shell)].into_iter().flatten().collect(),
        began_ns: began.ns,
        ran,
        copies: copies
            .iter()
            .map(|file| (file.name.clone(), file.version()))
            .collect(),
    };
    let id = format!("{:020}-{pid}", began.ns);
    let (draft, dir) = (starts.join(format!("{DRAFT}{id}")), starts.join(id));
    // Another start may take it first: then there is none.
    let spare = spare.filter(|spare| std::fs::rename(spare, &draft).is_ok());
    if spare.is_none() {
        create_folder(&draft)?;
    }
    let written = (|| {
        if spare.is_some() {
            for said in ["reached", CIRCLE] {
                match std::fs::remove_file(draft.join(said)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        for file in copies {
            write_file(
                &draft.join(copy::name(&file.name)),
                file.bytes().unwrap_or_default(),
            )?;
        }
        write_file(&draft.join("begun"), &serde_json::to_vec(&begun)?)?;
        std::fs::rename(&draft, &dir)
    })();
    if let Err(error) = written {
        // A full disk: leave nothing there.
        let _ = std::fs::remove_dir_all(&draft);
        return Err(error);
    }
    Ok(dir)
}

/// This start, as far as it does not depend on what it reads.
pub(crate) struct Began<'a> {
    /// The bash to become.
    pub(crate) shell: &'a Path,
    /// When, in nanoseconds since the epoch.
    pub(crate) ns: i64,
    /// The present boot.
    pub(crate) boot: &'a str,
}

/// Begins the name of a record that is still being written.
pub(crate) const DRAFT: &str = "new-";

/// Cut to its length last, and only if it was longer: some file systems write a file that was emptied to the disk when it
/// is closed.
fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    let length = content.len() as u64;
    if file.metadata()?.len() > length {
        file.set_len(length)?;
    }
    Ok(())
}

/// Names the present boot.
pub(crate) fn boot() -> io::Result<String> {
    let boot = read_small(Path::new("/proc/sys/kernel/random/boot_id"))?;
    Ok(String::from_utf8_lossy(&boot).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start_file::tests::file;
    use crate::start_file::version;

    fn write(starts: &Path, ran: Version, copies: &[File], spare: Option<&Path>) -> PathBuf {
        let began = Began {
            shell: &std::env::current_exe().unwrap(),
            ns: 7,
            boot: &boot().unwrap(),
        };
        super::write(starts, &began, ran, copies, spare).unwrap()
    }

    fn look(record: &Record) -> Start {
        record.look(&boot().unwrap())
    }

    #[test]
    fn a_record_reads_back_with_its_copies_and_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let files = [file(".bashrc", "PS1=x")];
        let dir = write(folder.path(), version(&files), &files, None);
        let record = Record::read(dir.clone()).unwrap();
        assert_eq!(record.ran(), version(&files));
        let start = look(&record);
        assert_eq!(
            (start.began_ns, start.reached, start.process),
            (7, None, Process::Shell)
        );
        let (copy, same) = record.copy(".bashrc", &files).unwrap();
        assert_eq!((std::fs::read(copy).unwrap(), same), (b"PS1=x".to_vec(), true));
        assert!(!record.copy(".bashrc", &[file(".bashrc", "edited")]).unwrap().1);
        for (content, expect) in [
            ("ready\n", Reached::Ready),
            ("became\n", Reached::Became),
            ("", Reached::Partial),
        ] {
            std::fs::write(dir.join("reached"), content).unwrap();
            let record = Record::read(dir.clone()).unwrap();
            assert_eq!(look(&record).reached, Some(expect));
        }
    }

    #[test]
    fn a_prompt_that_nobody_could_use_yet_is_only_shown() {
        let folder = tempfile::tempdir().unwrap();
        let dir = write(folder.path(), 1, &[file(".bashrc", "")], None);
        let look = |stage: Stage, boot: &str| {
            let mut page = trace::header(7).to_vec();
            page[trace::offset::STAGE] = stage as u8;
            std::fs::write(dir.join(trace::NAME), page).unwrap();
            let start = Record::read(dir.clone()).unwrap().look(boot);
            (start.reached, start.process, start.replaced)
        };
        let now = boot().unwrap();
        assert_eq!(look(Stage::Replaced, &now), (None, Process::Shell, true));
        std::fs::write(dir.join("reached"), "ready\n").unwrap();
        assert_eq!(
            look(Stage::InDoubt, &now),
            (Some(Reached::Shown), Process::Shell, false)
        );
        for said in [Stage::Untold, Stage::Lived] {
            assert_eq!(look(said, &now).0, Some(Reached::Ready));
        }
        // A machine that went down under it says nothing against it.
        assert_eq!(look(Stage::InDoubt, "another").0, Some(Reached::Ready));
        // It has stood at its prompt for long.
        let path = std::fs::File::open(dir.join("reached")).unwrap();
        path.set_modified(SystemTime::now() - Duration::from_nanos(2 * LIVED_NS))
            .unwrap();
        assert_eq!(look(Stage::InDoubt, &now).0, Some(Reached::Ready));
    }

    #[test]
    fn a_start_that_was_interrupted_after_seconds_is_told_from_one_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let dir = write(folder.path(), 1, &[], None);
        std::fs::write(dir.join("reached"), "partial\n").unwrap();
        let reached = |after_ns: i64| {
            let began = UNIX_EPOCH + Duration::from_nanos(7 + after_ns.unsigned_abs());
            let file = std::fs::File::open(dir.join("reached")).unwrap();
            file.set_modified(began).unwrap();
            look(&Record::read(dir.clone()).unwrap()).reached
        };
        assert_eq!(reached(HASTE_NS - 1_000_000_000), Some(Reached::Partial));
        assert_eq!(reached(HASTE_NS), Some(Reached::Interrupted));
    }

    #[test]
    fn a_record_without_copies_never_becomes_the_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let dir = write(folder.path(), 1, &[], None);
        std::fs::write(dir.join("reached"), "ready\n").unwrap();
        assert_eq!(look(&Record::read(dir).unwrap()).reached, Some(Reached::Partial));
    }

    #[test]
    fn a_spare_record_is_written_over_and_none_is_left_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let spare = folder.path().join("spare");
        let long = [file(".bashrc", &"x".repeat(500))];
        for (content, copies) in [
            (Some("x".repeat(3000)), &[][..]),
            (Some(String::new()), &long),
            (None, &long),
        ] {
            if let Some(content) = content {
                std::fs::create_dir(&spare).unwrap();
                std::fs::write(spare.join("begun"), content).unwrap();
                std::fs::write(spare.join("reached"), "ready\n").unwrap();
            }
            let dir = write(folder.path(), 1, copies, Some(&spare));
            assert!(!spare.exists());
            let record = Record::read(dir.clone()).unwrap();
            assert_eq!((record.ran(), look(&record).reached), (1, None));
            assert_eq!(record.has_no_copies(), copies.is_empty());
            std::fs::remove_dir_all(dir).unwrap();
        }
    }

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let dir = write(folder.path(), 1, &[], None);
        let check = |change: &dyn Fn(&mut Begun), expect: Process| {
            let mut record = Record::read(dir.clone()).unwrap();
            change(&mut record.begun);
            assert_eq!(look(&record).process, expect);
        };
        check(&|_| (), Process::Shell);
        check(&|begun| begun.boot.push('x'), Process::Gone);
        check(&|begun| begun.process_start += 1, Process::Gone);
        check(&|begun| begun.pid = u32::MAX, Process::Gone);
        check(&|begun| begun.programs = vec!["bash".into()], Process::Other);
    }

    #[test]
    fn a_record_of_another_format_or_none_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for content in ["", "{}", "null", "{\"version\":2}"] {
            std::fs::write(folder.path().join("begun"), content).unwrap();
            assert!(Record::read(folder.path().to_owned()).is_err(), "{content}");
        }
    }
}
