//! Files that appear whole: written under another name, made durable unless that can wait, and then given their own.
//!
//! Invariants:
//! - A draft has a name that no other process uses and is opened by nobody else: what is given its name is what was
//!   written, whoever replaces the same file at the same time.
//! - A draft whose process died is removed at the next start.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// Bytes of a file that is read on the side.
const SMALL_BYTES_MAX: u64 = 256 * 1024;
/// Names looked at for strays: far more than any of the folders has.
const NAMES_MAX: usize = 4_096;
/// A draft is a stray no sooner than this: its process may live on another machine that shares the home.
const STRAY_AGE: Duration = Duration::from_secs(60 * 60);
/// Names tried for a draft: each is taken only by a stray of a process that had our number.
const NAMES_TRIED: usize = 16;
/// How a draft's name ends.
const SUFFIX: &str = ".new";

/// The next draft of this process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Makes a folder and those it is in, for this user alone.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Reads a file that anybody may have put there, if it is one of a sensible size.
pub(crate) fn read_small(path: &Path) -> Option<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let found = file.metadata().ok()?;
    (found.is_file() && found.len() <= SMALL_BYTES_MAX).then_some(())?;
    // Room for one more: all of it comes by one read, and that it was all by the next.
    let mut bytes = Vec::with_capacity(found.len() as usize + 1);
    file.take(SMALL_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The name of a new draft: `NAME.PROCESS-NUMBER.new`.
pub(crate) fn draft_of(path: &Path) -> PathBuf {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{number}{SUFFIX}", std::process::id()));
    path.with_file_name(name)
}

/// Puts a file in the place of another: readers see the old one or the new one, also after power loss.
///
/// # Errors
/// The file is as it was.
pub(crate) fn replace(folder: BorrowedFd<'_>, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = write(folder, path, bytes, fs::File::sync_data)?;
    let named = renameat(folder, &draft, folder, path);
    finish(folder, path, &draft, named)
}

/// Puts a file in the place of another, for this user alone: readers see the old one or the new one. It outlives every
/// process, and not a loss of power before [`sync`].
///
/// # Errors
/// The file is as it was.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = write(CWD, path, bytes, |_| Ok(()))?;
    let named = give_name(&draft, path);
    if named.is_err() {
        let _stray = fs::remove_file(&draft);
    }
    named
}

/// Gives a draft the name of the file that it replaces.
///
/// By an exchange: at a rename over a file ext4 begins to write the new one's bytes out, lest a loss of power leave an empty
/// one, and that took 0.3 ms, and 5 ms once in a hundred times. Whoever needs that asks for [`replace`].
pub(crate) fn give_name(draft: &Path, path: &Path) -> io::Result<()> {
    let exchange = || renameat_with(CWD, draft, CWD, path, RenameFlags::EXCHANGE);
    if exchange().is_err() {
        // There is nothing to exchange it with, or this file system does not.
        return fs::rename(draft, path);
    }
    fs::remove_file(draft).inspect_err(|_| {
        // It was no file that had the name.
        let _again = exchange();
    })
}

/// Makes a file durable, and its name.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_data()?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Makes a file that is not there yet: whole and durable, or not at all.
///
/// # Errors
/// It is there already ([`ErrorKind::AlreadyExists`]), or was not made.
pub(crate) fn create(folder: BorrowedFd<'_>, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = write(folder, path, bytes, fs::File::sync_data)?;
    let named = match linkat(folder, &draft, folder, path, AtFlags::empty()) {
        Ok(()) => {
            // With two names it is none the worse.
            let _stray = unlinkat(folder, &draft, AtFlags::empty());
            Ok(())
        }
        Err(Errno::EXIST) => Err(Errno::EXIST),
        // A file system without links.
        Err(_) => renameat_with(folder, &draft, folder, path, RenameFlags::NOREPLACE),
    };
    finish(folder, path, &draft, named)
}

/// Writes a draft, and makes it durable by `sync`; gives its name.
fn write(
    folder: BorrowedFd<'_>,
    path: &Path,
    bytes: &[u8],
    sync: impl Fn(&fs::File) -> io::Result<()>,
) -> io::Result<PathBuf> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..NAMES_TRIED {
        let draft = draft_of(path);
        let opened = match openat(folder, &draft, flags, Mode::RUSR | Mode::WUSR) {
            Err(Errno::EXIST) => continue,
            other => other?,
        };
        let mut file = fs::File::from(opened);
        return match file.write_all(bytes).and_then(|()| sync(&file)) {
            Ok(()) => Ok(draft),
            Err(error) => {
                let _stray = unlinkat(folder, &draft, AtFlags::empty());
                Err(error)
            }
        };
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn finish(
    folder: BorrowedFd<'_>,
    path: &Path,
    draft: &Path,
    named: rustix::io::Result<()>,
) -> io::Result<()> {
    if let Err(error) = named {
        let _stray = unlinkat(folder, draft, AtFlags::empty());
        return Err(error.into());
    }
    // The name, too. Failing that, a loss of power in the next seconds brings the old content back, whole.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let of_path = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let of_path = of_path.unwrap_or(Path::new("."));
    let _later =
        openat(folder, of_path, flags, Mode::empty()).and_then(|open| rustix::fs::fsync(open.as_fd()));
    Ok(())
}

/// Removes drafts whose processes are gone: killed, or ended by a loss of power, between writing and renaming. Only for
/// folders in which everything is ours.
pub(crate) fn clear_strays(folder: &Path) {
    clear(folder, &maker);
}

/// Removes drafts of one file. Its folder may be the user's own, who may call a file as earlier versions called drafts.
pub(crate) fn clear_strays_of(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let of_file = |stray: &str| {
        let made = stray.strip_prefix(name)?;
        made.starts_with('.')
            .then(|| maker(stray))
            .flatten()
            .filter(Option::is_some)
    };
    clear(folder, &of_file);
}

fn clear(folder: &Path, maker: &dyn Fn(&str) -> Option<Option<Pid>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.take(NAMES_MAX).flatten() {
        let name = entry.file_name();
        let Some(maker) = name.to_str().and_then(maker) else {
            continue;
        };
        let age = entry.metadata().and_then(|found| found.modified());
        let is_old = age.is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= STRAY_AGE));
        let lives = maker.is_some_and(|maker| test_kill_process(maker) != Err(Errno::SRCH));
        if is_old && !lives {
            let _stays = fs::remove_file(entry.path());
        }
    }
}

/// The process that made a draft, by its name; none inside for a draft as earlier versions named them, none outside for
/// what is no draft.
fn maker(name: &str) -> Option<Option<Pid>> {
    let rest = name.strip_suffix(SUFFIX)?;
    let of = |(_, made): (&str, &str)| {
        let (pid, number) = made.split_once('-')?;
        number.parse::<u64>().ok()?;
        Pid::from_raw(pid.parse().ok()?)
    };
    Some(rest.rsplit_once('.').and_then(of))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn drafts_are_told_by_their_names() {
        fn check(name: &str, expect: Option<Option<i32>>) {
            let found = maker(name).map(|maker| maker.map(|pid| pid.as_raw_nonzero().get()));
            assert_eq!(found, expect, "{name}");
        }
        check("state.log", None);
        check("state.log.new", Some(None));
        check("audit.key.12-0.new", Some(Some(12)));
        check("audit.key.12-x.new", Some(None));
        let own = draft_of(Path::new("/a/audit.key"));
        let pid = i32::try_from(std::process::id()).unwrap();
        check(own.file_name().unwrap().to_str().unwrap(), Some(Some(pid)));
        assert_ne!(own, draft_of(Path::new("/a/audit.key")));
    }

    #[test]
    fn among_the_user_s_own_files_only_drafts_of_that_file_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let dead = child.id();
        let long_ago = SystemTime::now() - 2 * STRAY_AGE;
        let names = [
            (format!(".bashrc.{dead}-1.new"), false),
            (".bashrc.new".into(), true),
            ("notes.new".into(), true),
            (format!("notes.{dead}-1.new"), true),
            (format!(".bashrc_{dead}-1.new"), true),
        ];
        for (name, _) in &names {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        clear_strays_of(&folder.path().join(".bashrc"));
        for (name, stays) in &names {
            assert_eq!(folder.path().join(name).exists(), *stays, "{name}");
        }
    }

    #[test]
    fn strays_of_the_dead_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let (dead, own) = (child.id(), std::process::id());
        let long_ago = SystemTime::now() - 2 * STRAY_AGE;
        let names = [
            (format!("a.{dead}-1.new"), true, false),
            (format!("b.{dead}-1.new"), false, true),
            (format!("c.{own}-1.new"), true, true),
            ("d.new".to_owned(), true, false),
            ("state.log".to_owned(), true, true),
        ];
        for (name, old, _) in &names {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            if *old {
                file.set_modified(long_ago).unwrap();
            }
        }
        clear_strays(folder.path());
        for (name, _, stays) in &names {
            assert_eq!(folder.path().join(name).exists(), *stays, "{name}");
        }
    }

    #[test]
    fn of_many_who_replace_at_once_one_wins_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content = |n: u8| vec![n; 10_000];
        std::thread::scope(|scope| {
            for n in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        match n % 2 {
                            0 => replace(CWD, path, &content(n)).unwrap(),
                            _ => put(path, &content(n)).unwrap(),
                        }
                        let found = fs::read(path).unwrap();
                        assert_eq!(found, content(found[0]));
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("name");
        fs::create_dir(&path).unwrap();
        assert!(put(&path, b"x").is_err());
        assert!(path.is_dir());
        fs::remove_dir(&path).unwrap();
        put(&path, b"x").unwrap();
        put(&path, b"y").unwrap();
        sync(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"y");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no stray");
    }
}
