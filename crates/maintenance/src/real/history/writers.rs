//! Who wrote to a history, where the kernel names them: to a worker of root's, by fanotify(7), which wants CAP_SYS_ADMIN.
//!
//! ```text
//!  at each look: what was told since the one before ▸ process ▸ its name, if it still has one
//! ```
//!
//! Invariants: nobody waits for this and nothing is denied to anybody: events are only taken note of, without blocking, so many
//! at a look. What is named did write to the file; that it did the harm is said of nobody.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lle_core::shown::harmless;
use nix::sys::fanotify::{EventFFlags, Fanotify, FanotifyEvent, InitFlags, MarkFlags, MaskFlags};

/// Reads of some 170 events each at one look; the kernel keeps 16,384 of all, and those of one process to one file in one.
const READS_MAX: usize = 128;
/// Processes remembered.
const WRITERS_MAX: usize = 64;
/// Processes named.
const NAMED_MAX: usize = 3;
/// Files watched: the log and the history files that sessions name.
const FILES_MAX: usize = 256;
/// Descriptors of a process looked at to see whether it is a session.
const DESCRIPTORS_MAX: usize = 512;
/// Characters of a program's name.
const NAME_CHARS_MAX: usize = 32;

type Inode = (u64, u64);

/// Those who wrote.
pub(super) struct Writers {
    /// None for everybody but root.
    kernel: Option<Fanotify>,
    /// Which file had which name, the last that was looked up.
    files: Vec<(PathBuf, Inode)>,
    seen: VecDeque<Writer>,
}

struct Writer {
    path: PathBuf,
    pid: u32,
    /// None if it had ended when it was looked for.
    name: Option<String>,
    is_session: bool,
    /// It was told at the look before this one.
    is_old: bool,
}

impl Writers {
    pub(super) fn new() -> Self {
        let flags = InitFlags::FAN_CLASS_NOTIF | InitFlags::FAN_CLOEXEC | InitFlags::FAN_NONBLOCK;
        let events = EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC | EventFFlags::O_LARGEFILE;
        Self {
            kernel: Fanotify::init(flags, events).ok(),
            files: Vec::new(),
            seen: VecDeque::new(),
        }
    }

    /// Takes note of who wrote since the last look, and has the kernel tell of the files that have these names now.
    pub(super) fn look<'a>(&mut self, paths: impl Iterator<Item = &'a Path>) {
        let Some(kernel) = &self.kernel else { return };
        // What was told two looks ago has been looked at.
        self.seen.retain(|writer| !writer.is_old);
        self.seen.iter_mut().for_each(|writer| writer.is_old = true);
        for _ in 0..READS_MAX {
            match kernel.read_events() {
                Ok(events) if !events.is_empty() => {
                    for event in &events {
                        note(&self.files, &mut self.seen, event);
                    }
                }
                Ok(_) | Err(_) => break,
            }
        }
        for path in paths.take(FILES_MAX) {
            let is_known = |found: &fs::Metadata| {
                let inode = (found.dev(), found.ino());
                self.files.iter().any(|(known, of)| known == path && *of == inode)
            };
            if fs::metadata(path).is_ok_and(|found| !found.is_file() || is_known(&found)) {
                continue;
            }
            // A pipe that has the name since is not waited for.
            let mut options = fs::OpenOptions::new();
            options.read(true).custom_flags(libc::O_NONBLOCK);
            let Ok(file) = options.open(path) else { continue };
            let Ok(found) = file.metadata() else { continue };
            let inode = (found.dev(), found.ino());
            let mask = MaskFlags::FAN_MODIFY | MaskFlags::FAN_CLOSE_WRITE;
            // By its descriptor: the file that was looked at, whatever has the name by now.
            let marked = kernel.mark(MarkFlags::FAN_MARK_ADD, mask, &file, None::<&Path>);
            if marked.is_ok() {
                // A file that was renamed over it has this name now, and no other.
                self.files.retain(|(known, of)| known != path && *of != inode);
                self.files.push((path.to_owned(), inode));
            }
        }
    }

    /// Says who wrote to the file of that name since the look before the last; none if the kernel names nobody.
    pub(super) fn of(&self, path: &Path) -> Option<String> {
        let (sessions, others): (Vec<&Writer>, Vec<&Writer>) = self
            .seen
            .iter()
            .filter(|writer| writer.path == path)
            .partition(|writer| writer.is_session);
        // Sessions append all the time: they are named where nobody else is.
        let named = |writers: &[&Writer]| {
            let names: Vec<String> = writers
                .iter()
                .take(NAMED_MAX)
                .map(|writer| writer.shown())
                .collect();
            names.join(", ")
        };
        match (&others[..], &sessions[..]) {
            ([], []) => None,
            ([], sessions) => Some(format!(
                "the kernel names only sessions that wrote to it just before: {}",
                named(sessions)
            )),
            (others, _) => Some(format!(
                "the kernel names who wrote to it just before: {}",
                named(others)
            )),
        }
    }

    /// Whether the kernel names anybody at all.
    pub(super) fn are_told(&self) -> bool {
        self.kernel.is_some()
    }
}

impl Writer {
    fn shown(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} (process {})", self.pid),
            None => format!("process {}, which has ended", self.pid),
        }
    }
}

fn note(files: &[(PathBuf, Inode)], seen: &mut VecDeque<Writer>, event: &FanotifyEvent) {
    let Ok(pid) = u32::try_from(event.pid()) else {
        return;
    };
    // A number of 0 is a process of another namespace.
    if pid == 0 || pid == std::process::id() {
        return;
    }
    let inode = event.fd().and_then(|fd| {
        let found = rustix::fs::fstat(fd).ok()?;
        Some((found.st_dev, found.st_ino))
    });
    let Some((path, _)) = files.iter().find(|(_, known)| Some(*known) == inode) else {
        return;
    };
    if let Some(known) = seen
        .iter_mut()
        .find(|writer| writer.pid == pid && writer.path == *path)
    {
        known.is_old = false;
        return;
    }
    if seen.len() == WRITERS_MAX {
        seen.pop_front();
    }
    let folder = Path::new("/proc").join(pid.to_string());
    let name = fs::read(folder.join("comm")).ok();
    seen.push_back(Writer {
        path: path.clone(),
        pid,
        name: name.map(|name| harmless(name.trim_ascii_end(), NAME_CHARS_MAX)),
        is_session: is_session(&folder),
        is_old: false,
    });
}

/// Whether a process has a flight file open.
fn is_session(folder: &Path) -> bool {
    let descriptors = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
    descriptors
        .take(DESCRIPTORS_MAX)
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| {
            target
                .extension()
                .is_some_and(|end| end == lle_metrics::EXTENSION)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::{Command, Stdio};

    #[test]
    fn root_is_told_who_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("log"), folder.path().join("other"));
        for path in [&path, &other] {
            fs::write(path, "a\n").unwrap();
        }
        let mut writers = Writers::new();
        if !writers.are_told() {
            eprintln!("skipped: the kernel names writers to root only");
            return;
        }
        let mut look = || {
            writers.look([&*path, &*other].into_iter());
            (writers.of(&path), writers.of(&other))
        };
        assert_eq!(look(), (None, None));
        fs::write(&path, "this process is left out\n").unwrap();
        assert_eq!(look(), (None, None));
        // It empties the file and says so, then waits until its input is closed.
        let mut child = Command::new("sh")
            .args(["-c", ": >\"$0\"; echo done; read line"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 5];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        let (told, of_other) = look();
        drop(child.stdin.take());
        child.wait().unwrap();
        let told = told.unwrap();
        assert!(
            told.ends_with(&format!("before: sh (process {})", child.id())),
            "{told}"
        );
        assert_eq!(of_other, None);
        // Told at this look and the next, and then it is of long ago.
        assert!(look().0.is_some());
        assert_eq!(look().0, None);
        // Who has ended has a number only, or a name if it was asked in time; a file of another inode is found again.
        fs::rename(&other, &path).unwrap();
        look();
        let gone = Command::new("truncate")
            .args(["-s", "0"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(gone.success());
        assert!(look().0.unwrap().contains("process "));
    }
}
