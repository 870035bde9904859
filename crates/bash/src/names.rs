//! Whether a command name is known: alias, function, builtin, or a program on PATH.
//!
//! Invariant: never slow. What was found is kept until the next prompt; once a search of PATH takes longer than
//! [`SEARCH_MAX`] (a network directory, a sleeping disk), this session stops searching it and shows names plain.

use crate::clock;
use crate::lexer::Known;
use crate::symbols::Bash;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::time::Duration;

/// A key must be painted within 16 ms; a third of that on one name is too much.
const SEARCH_MAX: Duration = Duration::from_millis(5);
/// Longer names are not looked up: no file system has them.
const NAME_MAX: usize = 256;
/// Names kept between two prompts; typing one line meets a few dozen.
const KEPT_MAX: usize = 512;

/// What is known so far.
#[derive(Default)]
pub(crate) struct Names {
    kept: HashMap<Vec<u8>, Known>,
    too_slow: bool,
    /// Searches of PATH since the last [`Names::take_searches`].
    searches: u64,
}

impl Names {
    /// Forgets everything: a command may have installed, defined or removed names.
    pub(crate) fn forget(&mut self) {
        self.kept.clear();
    }

    /// True once PATH was too slow to search.
    pub(crate) fn gave_up(&self) -> bool {
        self.too_slow
    }

    pub(crate) fn take_searches(&mut self) -> u64 {
        std::mem::take(&mut self.searches)
    }

    /// Says whether `word` would run something, as far as that is known without looking at the disk.
    pub(crate) fn recall(&mut self, bash: &Bash, word: &[u8]) -> Option<Known> {
        if let Some(known) = self.kept.get(word) {
            return Some(*known);
        }
        if word.len() >= NAME_MAX {
            return Some(Known::Unasked);
        }
        let mut name = [0u8; NAME_MAX];
        name[..word.len()].copy_from_slice(word);
        let in_shell = CStr::from_bytes_until_nul(&name).is_ok_and(|name| in_shell(bash, name));
        if in_shell {
            Some(Known::Yes)
        } else {
            self.too_slow.then_some(Known::Unasked)
        }
    }

    /// Says whether `word` would run something; looks at the disk if need be.
    pub(crate) fn lookup(&mut self, bash: &Bash, word: &[u8]) -> Known {
        if let Some(known) = self.kept.get(word) {
            return *known;
        }
        let Ok(name) = CString::new(word) else {
            return Known::No;
        };
        let known = if in_shell(bash, &name) {
            Known::Yes
        } else if self.too_slow {
            Known::Unasked
        } else {
            let began = clock::now();
            let found = runnable(bash, word);
            self.searches += 1;
            self.too_slow = clock::since(began) > SEARCH_MAX;
            if found { Known::Yes } else { Known::No }
        };
        if self.kept.len() >= KEPT_MAX {
            self.kept.clear();
        }
        self.kept.insert(word.to_vec(), known);
        known
    }
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
