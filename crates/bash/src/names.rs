//! Whether a command name is known: alias, function, builtin, or a program on PATH.
//!
//! What was found on PATH is kept until the next prompt, or, by the lever `names.keep`, as long as no directory of PATH
//! has changed: then a prompt costs one `stat` a directory. What a directory does not tell of is noticed late there, as
//! when a program's right to be run is taken away; it is a colour that is late then.
//!
//! Invariant: never slow. Once two searches of PATH in a row take longer than [`SEARCH_MAX`] each (a network directory, a
//! sleeping disk), this session stops searching it and shows names plain. That other programs had the processor meanwhile
//! is no fault of PATH's.

use crate::cache::{Account, Cache};
use crate::clock;
use crate::lexer::Known;
use crate::symbols::Bash;
use lle_core::lever::{Lever, Levers};
use std::ffi::{CStr, CString, OsStr};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// A key must be painted within 16 ms; a third of that on one name is too much.
const SEARCH_MAX: Duration = Duration::from_millis(5);
/// So many slow looks in a row end it: a disk that had to wake up is slow once.
const SLOW_MAX: u8 = 2;
/// Longer names are not looked up: no file system has them.
const NAME_MAX: usize = 256;

/// Names looked for again at one prompt: less than a tenth of a millisecond, while nobody types.
const CHECKED: usize = 8;

/// What a look at the disk has found.
struct Kept {
    known: Known,
    /// The line it was found for.
    line: u64,
    /// PATH alone decided it.
    on_path: bool,
}

/// What is known so far.
pub(crate) struct Names {
    kept: Cache<Kept>,
    /// Counts the lines.
    line: u64,
    /// What was found for an earlier line still counts.
    across: bool,
    /// PATH and its directories as they were when that was last asked.
    stamp: u64,
    /// Looks that were slow, in a row.
    slow: u8,
    /// Searches of PATH since the last [`Names::take_searches`].
    searches: u64,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            kept: Cache::new(Levers::default().size(Lever::NamesCacheEntries)),
            line: 0,
            across: false,
            stamp: 0,
            slow: 0,
            searches: 0,
        }
    }
}

impl Names {
    /// A line begins. A command may have installed, defined or removed names: what was found is forgotten, unless the
    /// levers have it otherwise, or a trial compares the two ways and what is kept is only not looked at.
    pub(crate) fn line_begins(&mut self, bash: &Bash, levers: &Levers, on_trial: bool) {
        self.line += 1;
        self.kept.resize(levers.size(Lever::NamesCacheEntries));
        self.across = levers.value(Lever::NamesKeep) != 0 && !self.gave_up();
        if self.across {
            let look = Look::begin();
            let stamp = stamp_of_path(bash);
            if std::mem::replace(&mut self.stamp, stamp) != stamp {
                self.kept.forget();
            }
            self.looked(&look);
        } else if !on_trial {
            self.kept.forget();
        }
    }

    /// True once PATH was too slow to search.
    pub(crate) fn gave_up(&self) -> bool {
        self.slow >= SLOW_MAX
    }

    fn looked(&mut self, look: &Look) {
        self.slow = if look.was_slow() { self.slow + 1 } else { 0 };
    }

    pub(crate) fn take_searches(&mut self) -> u64 {
        std::mem::take(&mut self.searches)
    }

    /// What was found for this line, or for an earlier one.
    fn found(&self, word: &[u8], earlier: bool) -> Option<Known> {
        let kept = self.kept.peek(word)?;
        let counts = kept.line == self.line || (earlier && self.across && kept.on_path);
        counts.then_some(kept.known)
    }

    /// Says whether `word` would run something, as far as that is known without looking at the disk.
    pub(crate) fn recall(&mut self, bash: &Bash, word: &[u8]) -> Option<Known> {
        if let Some(known) = self.found(word, false) {
            self.kept.hit(word);
            return Some(known);
        }
        if word.len() >= NAME_MAX {
            return Some(Known::Unasked);
        }
        let mut name = [0u8; NAME_MAX];
        name[..word.len()].copy_from_slice(word);
        // Before what an earlier line found: a function may have been defined since.
        if CStr::from_bytes_until_nul(&name).is_ok_and(|name| in_shell(bash, name)) {
            return Some(Known::Yes);
        }
        if let Some(known) = self.found(word, true) {
            self.kept.hit(word);
            return Some(known);
        }
        self.gave_up().then_some(Known::Unasked)
    }

    /// Says whether `word` would run something; looks at the disk if need be.
    pub(crate) fn lookup(&mut self, bash: &Bash, word: &[u8]) -> Known {
        if let Some(known) = self.found(word, false) {
            self.kept.hit(word);
            return known;
        }
        let Ok(name) = CString::new(word) else {
            return Known::No;
        };
        let mut on_path = false;
        let known = if in_shell(bash, &name) {
            Known::Yes
        } else if self.gave_up() {
            Known::Unasked
        } else {
            self.kept.miss(word);
            on_path = !word.contains(&b'/');
            let look = Look::begin();
            let found = runnable(bash, word);
            self.searches += 1;
            self.looked(&look);
            if found { Known::Yes } else { Known::No }
        };
        let line = self.line;
        self.kept.keep(word, || Kept { known, line, on_path });
        known
    }

    /// Looks for some of the names again that earlier lines asked for; gives how many, and how many were not what was
    /// kept. Those are forgotten.
    pub(crate) fn check(&mut self, bash: &Bash) -> (u64, u64) {
        if !self.across || self.gave_up() {
            return (0, 0);
        }
        let wrong = |(word, kept): (&[u8], &Kept)| {
            let is = kept.on_path.then(|| runnable(bash, word))?;
            Some((is != (kept.known == Known::Yes)).then(|| word.to_vec()))
        };
        let found: Vec<_> = self.kept.sample(CHECKED).filter_map(wrong).collect();
        let checked = found.len() as u64;
        let wrong: Vec<_> = found.into_iter().flatten().collect();
        wrong.iter().for_each(|word| self.kept.remove(word));
        (checked, wrong.len() as u64)
    }

    /// What the cache has counted, its entries and its bytes.
    pub(crate) fn account(&self) -> Account {
        Account::of(&self.kept, |_| 0)
    }
}

/// A look at PATH, and what this thread had done when it began.
struct Look {
    began: u64,
    usage: libc::rusage,
}

impl Look {
    fn begin() -> Self {
        Self {
            began: clock::now(),
            usage: usage(),
        }
    }

    /// True if it has taken too long, and by itself: it slept, as one does for a disk, or computed.
    fn was_slow(&self) -> bool {
        if clock::since(self.began) <= SEARCH_MAX {
            return false;
        }
        let now = usage();
        now.ru_nvcsw != self.usage.ru_nvcsw
            || computed(&now).saturating_sub(computed(&self.usage)) > SEARCH_MAX
    }
}

/// What the kernel has counted of this thread.
fn usage() -> libc::rusage {
    // SAFETY: all zeros are a value of it, which the call fills.
    unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage);
        usage
    }
}

fn computed(usage: &libc::rusage) -> Duration {
    let of = |time: libc::timeval| {
        let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
        seconds + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// Tells one state of PATH from another: what it says, and for each directory which one it is and when something came
/// into it or left. A relative directory is another one in another place.
fn stamp_of_path(bash: &Bash) -> u64 {
    let mut hasher = DefaultHasher::new();
    let path = bash.variable(c"PATH").unwrap_or_default();
    path.hash(&mut hasher);
    for dir in path.split(|b| *b == b':') {
        let dir = if dir.is_empty() { b"." } else { dir };
        let metadata = std::fs::metadata(OsStr::from_bytes(dir)).ok();
        metadata
            .map(|of| (of.dev(), of.ino(), of.mtime(), of.mtime_nsec(), of.ctime()))
            .hash(&mut hasher);
    }
    hasher.finish()
}

fn in_shell(bash: &Bash, name: &CStr) -> bool {
    let p = name.as_ptr();
    // SAFETY: the three look a nul-terminated name up in bash's tables and change nothing.
    unsafe {
        bash.find_alias.is_some_and(|f| !f(p.cast_mut()).is_null())
            || bash.find_function.is_some_and(|f| !f(p).is_null())
            || bash.find_builtin.is_some_and(|f| !f(p.cast_mut()).is_null())
    }
}

fn runnable(bash: &Bash, word: &[u8]) -> bool {
    if let Some(rest) = word.strip_prefix(b"~/") {
        let home = bash.variable(c"HOME").unwrap_or_default();
        return executable(&[home, b"/", rest].concat());
    }
    if word.contains(&b'/') {
        return word.first() == Some(&b'~') || executable(word);
    }
    let path = bash.variable(c"PATH").unwrap_or_default();
    path.split(|b| *b == b':').any(|dir| {
        let dir = if dir.is_empty() { b"." } else { dir };
        executable(&[dir, b"/", word].concat())
    })
}

fn executable(path: &[u8]) -> bool {
    let Ok(path) = CString::new(path) else {
        return false;
    };
    // SAFETY: the path is nul-terminated.
    unsafe { libc::access(path.as_ptr(), libc::X_OK) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sleeps_or_computes_is_slow_by_itself() {
        let look = Look::begin();
        std::thread::sleep(2 * SEARCH_MAX);
        assert!(look.was_slow(), "it slept");
        let (look, mut n) = (Look::begin(), 0u64);
        while computed(&usage()).saturating_sub(computed(&look.usage)) <= SEARCH_MAX {
            n = std::hint::black_box(n + 1);
        }
        assert!(look.was_slow(), "it computed");
    }

    #[test]
    fn what_others_have_the_processor_for_is_not() {
        let mut look = Look::begin();
        // It began long ago, and has neither slept nor computed since.
        look.began = look.began.saturating_sub(1_000_000_000);
        assert!(!look.was_slow());
    }
}
