//! Other files than those that are asked for: at a start with what last worked, `. ~/aliases` reads the copy of it.
//!
//! Only such a start has this. Bash knows `source` by the address of its function where `set -e` and variables before
//! the command are concerned, so a start that is nobody's rescue keeps it.
//!
//! Invariant: nothing is owned here while bash runs: `source` may leave by `longjmp`.

use crate::abi::{Builtin, WordList};
use crate::readline::text;
use crate::symbols::Bash;
use libc::{c_char, c_int};
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Files that are replaced, at most; as many as the launcher keeps copies of.
const FILES_MAX: usize = 32;
/// The two names of the command.
const NAMES: [&CStr; 2] = [c"source", c"."];

/// What is asked for, and what is read.
static INSTEAD: Mutex<Vec<(Vec<u8>, Vec<u8>)>> = Mutex::new(Vec::new());
/// Bash's own function; 0 if ours does not stand before it.
static STOCK: AtomicUsize = AtomicUsize::new(0);

type Run = unsafe extern "C-unwind" fn(*mut WordList) -> c_int;

/// Lets `source` read `to` where it is asked for `from`.
pub(crate) fn read(bash: &Bash, from: &OsStr, to: &OsStr) {
    let Ok(mut instead) = INSTEAD.lock() else { return };
    if instead.len() < FILES_MAX {
        instead.push((from.as_bytes().to_owned(), to.as_bytes().to_owned()));
    }
    drop(instead);
    set(bash, true);
}

/// The start is over: `source` is bash's own again.
pub(crate) fn end(bash: &Bash) {
    if STOCK.load(Relaxed) != 0 {
        set(bash, false);
    }
}

fn set(bash: &Bash, on: bool) {
    let Some(find) = bash.builtin_address else { return };
    let ours: Run = source;
    for name in NAMES {
        // SAFETY: the name is nul-terminated; the result is null or a row of bash's table, which it writes to itself.
        unsafe {
            let row: *mut Builtin = find(name.as_ptr(), 1);
            if row.is_null() {
                continue;
            }
            let is_ours = (*row).function as usize == ours as usize;
            match on {
                true if !is_ours => {
                    STOCK.store((*row).function as usize, Relaxed);
                    (*row).function = ours;
                }
                false if is_ours => {
                    // SAFETY: only a function of this type was ever stored.
                    (*row).function = std::mem::transmute::<usize, Run>(STOCK.load(Relaxed));
                }
                _ => {}
            }
        }
    }
}

/// Stands before `source`.
unsafe extern "C-unwind" fn source(words: *mut WordList) -> c_int {
    let _panic = std::panic::catch_unwind(|| replace(words));
    // SAFETY: this function is called only after the address was stored, by bash, with the list that is passed on.
    unsafe { std::mem::transmute::<usize, Run>(STOCK.load(Relaxed))(words) }
}

fn replace(words: *mut WordList) {
    let Some(lle) = crate::lle::state() else { return };
    let bash = lle.bash;
    // SAFETY: bash passes a list of words, each nul-terminated and from its own allocator; it frees what it finds there.
    unsafe {
        if words.is_null() {
            return;
        }
        let mut words = words;
        if text((*(*words).word).word) == b"--" && !(*words).next.is_null() {
            words = (*words).next;
        }
        let word = &raw mut (*(*words).word).word;
        let Some(to) = of(text(*word)) else { return };
        let room = (bash.xmalloc)(to.len() + 1).cast::<c_char>();
        std::ptr::copy_nonoverlapping(to.as_ptr().cast::<c_char>(), room, to.len());
        *room.add(to.len()) = 0;
        // What stood there is not freed: this allocator may not be bash's. A start has a handful of them.
        *word = room;
    }
}

/// What is read where `asked` is asked for.
fn of(asked: &[u8]) -> Option<Vec<u8>> {
    let path = crate::lle::state().map(|lle| lle.bash.variable(c"PATH").unwrap_or_default());
    let asked = found(asked, path.unwrap_or_default(), &std::env::current_dir().ok()?);
    let instead = INSTEAD.lock().ok()?;
    let found = instead
        .iter()
        .find(|(from, _)| is_same(Path::new(OsStr::from_bytes(from)), &asked));
    found.map(|(_, to)| to.clone())
}

/// The file that `source` finds: without a slash in the first folder of `PATH` that has it, or else here.
fn found(asked: &[u8], path: &[u8], here: &Path) -> PathBuf {
    let asked = Path::new(OsStr::from_bytes(asked));
    let is_name = asked.components().count() == 1 && !asked.as_os_str().as_bytes().contains(&b'/');
    let folders = std::env::split_paths(OsStr::from_bytes(path)).filter(|_| is_name);
    // An absolute path stays what it is.
    let mut files = folders.map(|folder| here.join(folder).join(asked));
    files
        .find(|file| file.is_file())
        .unwrap_or_else(|| here.join(asked))
}

/// True if both are one file: by its name, in whatever way its folder is named, or by what the names lead to.
fn is_same(one: &Path, other: &Path) -> bool {
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    let identity = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    let is_one = |one: Option<_>, other| one.is_some() && one == other;
    one == other
        || one.file_name() == other.file_name() && folder(one).is_some_and(|one| Some(one) == folder(other))
        || is_one(identity(one), identity(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_the_same_however_source_is_asked_for_it() {
        let home = tempfile::tempdir().unwrap();
        let real = home.path().join("real/dot");
        std::fs::create_dir_all(&real).unwrap();
        symlink(&real, home.path().join("dot")).unwrap();
        let file = real.join("aliases");
        for is_there in [true, false] {
            match is_there {
                true => std::fs::write(&file, "").unwrap(),
                false => std::fs::remove_file(&file).unwrap(),
            }
            for (asked, here) in [
                ("aliases", "real/dot"),
                ("aliases", "dot"),
                ("./aliases", "dot"),
                (".//aliases", "dot"),
                ("../real/dot/aliases", "real"),
                ("dot/aliases", ""),
            ] {
                let path = found(asked.as_bytes(), b"/nowhere:/usr", &home.path().join(here));
                assert!(is_same(&file, &path), "{asked} in {here}: {path:?}");
            }
            let other = found(b"aliases", b"", home.path());
            assert!(!is_same(&file, &other));
        }
    }

    #[test]
    fn a_name_alone_is_looked_for_in_path_first() {
        let home = tempfile::tempdir().unwrap();
        let bin = home.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let ask = |path: &str| found(b"aliases", path.as_bytes(), home.path());
        let path = format!("/nowhere:{}", bin.display());
        assert_eq!(ask(&path), home.path().join("aliases"));
        std::fs::write(bin.join("aliases"), "").unwrap();
        assert_eq!(ask(&path), bin.join("aliases"));
        assert_eq!(ask("/nowhere"), home.path().join("aliases"));
        assert_eq!(
            found(b"./aliases", path.as_bytes(), home.path()),
            home.path().join("./aliases")
        );
    }
}
