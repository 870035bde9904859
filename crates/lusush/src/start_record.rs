//! The record of one start, on disk, and what is to be seen of its process.
//!
//! `<state>/start/<interactive|login>/<id>/` holds `begun` (JSON), a copy of each start-up file that was on disk,
//! and, once LLE saw a prompt, `reached` (`ready` or `partial`). It appears under its name when it is complete.
//! `good/` beside them is the record of the last start that was ready.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lle_core::start::{Process, Reached, Start, Version};
use serde::{Deserialize, Serialize};

use crate::paths::create_folder;

/// Format of `begun` written and read.
const FORMAT: u32 = 1;
/// Longest start-up file that is copied, in bytes: hundreds of times the usual, and nothing a start waits for.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A start-up file as it is on disk now.
pub(crate) struct File {
    /// Its name in the home folder.
    pub(crate) name: &'static str,
    content: Vec<u8>,
}

impl File {
    /// Reads `name` in `home`; none if it is not there, or nothing that a shell would read.
    pub(crate) fn read(home: &Path, name: &'static str) -> io::Result<Option<Self>> {
        let path = home.join(name);
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() && found.len() <= FILE_BYTES_MAX => {}
            Ok(found) if found.is_file() => {
                return Err(io::Error::other(format!("{name} is too long to keep a copy")));
            }
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(Some(Self {
            name,
            content: std::fs::read(path)?,
        }))
    }

    fn version(&self) -> Version {
        fnv([self.name.as_bytes(), &self.content])
    }
}

/// Names the content of `files`.
pub(crate) fn version(files: &[File]) -> Version {
    let versions: Vec<_> = files.iter().map(|file| file.version().to_le_bytes()).collect();
    fnv(versions.iter().map(|bytes| &bytes[..]))
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): notices an edit; nobody gains by a collision.
fn fnv<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    parts.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, part| {
        let length = (part.len() as u64).to_le_bytes();
        part.iter().chain(&length).fold(hash, step)
    })
}

/// What `begun` says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    version: u32,
    pid: u32,
    /// Start time of the process, in clock ticks since boot: with `boot` it tells it from a later one.
    process_start: u64,
    boot: String,
    /// Names of the program while it is starting, and once it is the shell.
    programs: Vec<String>,
    pub(crate) began_ns: i64,
    pub(crate) ran: Version,
    /// The files of which there is a copy, with the version of each.
    copies: Vec<(String, Version)>,
}

/// A record as found.
pub(crate) struct Record {
    pub(crate) dir: PathBuf,
    begun: Begun,
}

impl Record {
    /// Reads the record in `dir`.
    pub(crate) fn read(dir: PathBuf) -> io::Result<Self> {
        let begun: Begun = serde_json::from_slice(&std::fs::read(dir.join("begun"))?)?;
        if begun.version != FORMAT {
            return Err(io::Error::other("a format this version does not know"));
        }
        Ok(Self { dir, begun })
    }

    /// The version that ran.
    pub(crate) fn ran(&self) -> Version {
        self.begun.ran
    }

    /// Returns the copy of `name`, and whether `files` still has it so.
    pub(crate) fn copy(&self, name: &str, files: &[File]) -> Option<(PathBuf, bool)> {
        let (_, version) = self.begun.copies.iter().find(|(known, _)| known == name)?;
        let same = files
            .iter()
            .any(|file| file.name == name && file.version() == *version);
        Some((self.dir.join(copy_name(name)), same))
    }

    /// What is known of the start now.
    pub(crate) fn look(&self) -> Start {
        let reached = match std::fs::read(self.dir.join("reached")).as_deref() {
            Ok(b"ready\n") => Some(Reached::Ready),
            // Whatever was written, it was written at a prompt.
            Ok(_) => Some(Reached::Partial),
            Err(_) => None,
        };
        let begun = &self.begun;
        Start {
            began_ns: begun.began_ns,
            ran: Some(begun.ran),
            reached,
            process: process(begun),
        }
    }
}

/// Writes the record of this start, which runs `ran`, into a new folder below `starts`.
pub(crate) fn write(
    starts: &Path,
    shell: &Path,
    began_ns: i64,
    ran: Version,
    copies: &[File],
) -> io::Result<PathBuf> {
    let pid = std::process::id();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let own = std::fs::read_link("/proc/self/exe")?;
    let shell = shell.canonicalize()?;
    let begun = Begun {
        version: FORMAT,
        pid,
        process_start: process_start(pid).ok_or_else(|| io::Error::other("/proc does not tell"))?,
        boot: boot()?,
        programs: [name(&own), name(&shell)].into_iter().flatten().collect(),
        began_ns,
        ran,
        copies: copies
            .iter()
            .map(|file| (file.name.to_owned(), file.version()))
            .collect(),
    };
    let id = format!("{began_ns:020}-{pid}");
    let (draft, dir) = (starts.join(format!("{DRAFT}{id}")), starts.join(id));
    create_folder(&draft)?;
    let written = (|| {
        for file in copies {
            write_file(&draft.join(copy_name(file.name)), &file.content)?;
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

/// Begins the name of a record that is still being written.
pub(crate) const DRAFT: &str = "new-";

/// `.bashrc` is copied as `bashrc`: a listing of the folder hides nothing.
fn copy_name(name: &str) -> &str {
    name.trim_start_matches('.')
}

fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)
}

fn boot() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// Field 22 of `/proc/PID/stat`. The second field is the program's name, in parentheses, and may hold anything.
fn process_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[after_name..]).ok()?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn process(begun: &Begun) -> Process {
    let same_boot = boot().is_ok_and(|boot| boot == begun.boot);
    if !same_boot || process_start(begun.pid) != Some(begun.process_start) {
        return Process::Gone;
    }
    // Not permitted to look: then it is taken for what it was.
    let Ok(program) = std::fs::read_link(format!("/proc/{}/exe", begun.pid)) else {
        return Process::Shell;
    };
    let name = program
        .file_name()
        .map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
    let name = name.as_deref().unwrap_or_default();
    // An upgrade replaces the file under a running program.
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    if begun.programs.iter().any(|known| known == name) {
        Process::Shell
    } else {
        Process::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &'static str, content: &str) -> File {
        File {
            name,
            content: content.into(),
        }
    }

    #[test]
    fn any_edit_is_another_version() {
        let versions = [
            version(&[]),
            version(&[file(".bashrc", "")]),
            version(&[file(".bashrc", "x")]),
            version(&[file(".profile", "x")]),
            version(&[file(".profile", "x"), file(".bashrc", "")]),
            version(&[file(".profile", ""), file(".bashrc", "x")]),
        ];
        for (index, one) in versions.iter().enumerate() {
            assert!(!versions[..index].contains(one), "version {index} is another's");
        }
    }

    #[test]
    fn a_record_reads_back_with_its_copies_and_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let shell = std::env::current_exe().unwrap();
        let files = [file(".bashrc", "PS1=x")];
        let dir = write(folder.path(), &shell, 7, version(&files), &files).unwrap();
        let record = Record::read(dir.clone()).unwrap();
        assert_eq!(record.ran(), version(&files));
        let start = record.look();
        assert_eq!(
            (start.began_ns, start.reached, start.process),
            (7, None, Process::Shell)
        );
        let (copy, same) = record.copy(".bashrc", &files).unwrap();
        assert_eq!((std::fs::read(copy).unwrap(), same), (b"PS1=x".to_vec(), true));
        assert!(!record.copy(".bashrc", &[file(".bashrc", "edited")]).unwrap().1);
        for (content, expect) in [
            ("ready\n", Reached::Ready),
            ("partial\n", Reached::Partial),
            ("", Reached::Partial),
        ] {
            std::fs::write(dir.join("reached"), content).unwrap();
            assert_eq!(record.look().reached, Some(expect));
        }
    }

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let shell = std::env::current_exe().unwrap();
        let dir = write(folder.path(), &shell, 7, 1, &[]).unwrap();
        let check = |change: &dyn Fn(&mut Begun), expect: Process| {
            let mut record = Record::read(dir.clone()).unwrap();
            change(&mut record.begun);
            assert_eq!(record.look().process, expect);
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
