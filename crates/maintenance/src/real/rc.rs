//! The user's start-up files: what was changed in them, and when.
//!
//! Invariants: a file is read only when it changed, in one piece, and only if it is a file of a sensible size; of what it
//! held, numbers are kept and no text.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lle_core::health::text::command_line;

use crate::world::RcChange;

/// The files that bash and readline read by themselves, and the one that those of Debian read.
const NAMES: [&str; 6] = [
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".profile",
    ".bash_aliases",
    ".inputrc",
];
/// Bytes of a file that is looked into; a longer one is let be.
const BYTES_MAX: u64 = 1024 * 1024;
/// What a line that makes the prompt speaks of: of several new lines it is the one to tell.
const TELLING: [&str; 3] = ["PROMPT_COMMAND", "PS1", "precmd"];

/// What tells a version of a file from another: its numbers, when it was changed, its length.
type Stamp = (u64, u64, i64, i64, u64);

/// The start-up files as they were last seen.
#[derive(Debug)]
pub(super) struct RcFiles {
    home: Option<PathBuf>,
    /// Where copies of what last reached a prompt are.
    good: Vec<PathBuf>,
    seen: BTreeMap<&'static str, Seen>,
    /// When it was looked last, in nanoseconds since 1970.
    looked_wall_ns: i64,
}

#[derive(Debug)]
struct Seen {
    stamp: Option<Stamp>,
    /// How often each line occurs, by its number.
    lines: BTreeMap<u64, usize>,
}

impl RcFiles {
    /// Watches the files in a home folder; `state` is the folder with the records of starts.
    pub(super) fn new(home: Option<PathBuf>, state: Option<&Path>) -> Self {
        let good = |kind: &str| state.map(|state| state.join("start").join(kind).join("good"));
        Self {
            home,
            good: [good("interactive"), good("login")]
                .into_iter()
                .flatten()
                .collect(),
            seen: BTreeMap::new(),
            looked_wall_ns: 0,
        }
    }

    /// What was changed since it was last asked.
    pub(super) fn changes(&mut self, now_wall_ns: i64) -> Vec<RcChange> {
        let Some(home) = self.home.clone() else {
            return Vec::new();
        };
        let mut changes: Vec<_> = NAMES
            .iter()
            .filter_map(|name| self.look(&home.join(name), name))
            .collect();
        // It was changed since the last look, whatever the clock was then.
        for change in &mut changes {
            change.at_wall_ns = change.at_wall_ns.max(self.looked_wall_ns).min(now_wall_ns);
        }
        self.looked_wall_ns = now_wall_ns;
        changes.sort_by_key(|change| change.at_wall_ns);
        changes
    }

    fn look(&mut self, path: &Path, name: &'static str) -> Option<RcChange> {
        let stamp = fs::metadata(path).ok().map(|found| stamp(&found));
        if self.seen.get(name).is_some_and(|seen| seen.stamp == stamp) {
            return None;
        }
        let former = self.seen.remove(name);
        let text = match read(path) {
            Some(text) => text,
            // It is there and cannot be read, perhaps only now: what it was is still what is known.
            None if stamp.is_some() => {
                self.seen.extend(former.map(|seen| (name, seen)));
                return None;
            }
            None => String::new(),
        };
        let before = former
            .map(|seen| seen.lines)
            .or_else(|| Some(count(&self.copy(name)?)));
        let lines = count(&text);
        let change = before.and_then(|before| difference(name, &before, &text));
        self.seen.insert(name, Seen { stamp, lines });
        let at_wall_ns = stamp.map(|stamp| stamp.2.saturating_mul(1_000_000_000).saturating_add(stamp.3))?;
        change.map(|what| RcChange { at_wall_ns, what })
    }

    /// What the file was when it last reached a prompt.
    fn copy(&self, name: &str) -> Option<String> {
        let copies = self
            .good
            .iter()
            .map(|good| good.join(name.trim_start_matches('.')));
        copies.into_iter().find_map(|copy| read(&copy))
    }
}

fn stamp(found: &fs::Metadata) -> Stamp {
    (
        found.dev(),
        found.ino(),
        // Not when it was written: a copy may keep that of the original, or have it from another machine.
        found.ctime(),
        found.ctime_nsec(),
        found.size(),
    )
}

fn read(path: &Path) -> Option<String> {
    // Links are followed: people keep such files elsewhere.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let found = file.metadata().ok()?;
    (found.is_file() && found.len() <= BYTES_MAX).then_some(())?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): notices an edit; nobody gains by a collision.
fn number(line: &str) -> u64 {
    line.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn count(text: &str) -> BTreeMap<u64, usize> {
    let mut lines = BTreeMap::new();
    for line in text.lines() {
        *lines.entry(number(line.trim())).or_insert(0) += 1;
    }
    lines
}

/// Says what is new in a file; none if nothing a shell would see is.
fn difference(name: &str, before: &BTreeMap<u64, usize>, text: &str) -> Option<String> {
    let mut left = before.clone();
    let mut new: Vec<(usize, &str)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let known = left.get_mut(&number(line)).filter(|times| **times > 0);
        match known {
            Some(times) => *times -= 1,
            None if line.is_empty() || line.starts_with('#') => {}
            None => new.push((at + 1, line)),
        }
    }
    let telling = |line: &str| TELLING.iter().any(|word| line.contains(word));
    let first = new.iter().find(|(_, line)| telling(line)).or_else(|| new.first());
    match first {
        Some((at, line)) => {
            let shown = command_line(line);
            let more = match new.len() - 1 {
                0 => String::new(),
                1 => " and one more line".into(),
                n => format!(" and {n} more lines"),
            };
            Some(format!("~/{name}:{at} `{shown}`{more} was added"))
        }
        None if left.values().any(|times| *times > 0) => Some(format!("lines of ~/{name} were removed")),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str, expect: Option<&str>) {
        let told = difference(".bashrc", &count(before), after);
        assert_eq!(told.as_deref(), expect, "{before:?} {after:?}");
    }

    #[test]
    fn the_line_that_makes_the_prompt_is_told() {
        check("a\nb\n", "a\nb\n", None);
        check("a\n", "a\nb\n", Some("~/.bashrc:2 `b` was added"));
        check(
            "a\n",
            "x=1\na\n  PROMPT_COMMAND='slow'\n",
            Some("~/.bashrc:3 `PROMPT_COMMAND='slow'` and one more line was added"),
        );
        check("a\nb\n", "a\n", Some("lines of ~/.bashrc were removed"));
        check("a\n", "a\n\n# why\n", None);
        check("a\n", "a\na\n", Some("~/.bashrc:2 `a` was added"));
        check("a\nb\n", "b\na\n", None);
    }

    #[test]
    fn the_first_look_knows_what_last_reached_a_prompt() {
        let folder = tempfile::tempdir().unwrap();
        let (home, state) = (folder.path().join("home"), folder.path().join("state"));
        let good = state.join("start/interactive/good");
        fs::create_dir_all(&good).unwrap();
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join(".bashrc"), "a\nPS1=x\n").unwrap();
        fs::write(home.join(".inputrc"), "b\n").unwrap();
        let told = |rc: &mut RcFiles| -> Vec<String> {
            rc.changes(i64::MAX)
                .into_iter()
                .map(|change| change.what)
                .collect()
        };
        let mut rc = RcFiles::new(Some(home.clone()), Some(&state));
        assert!(told(&mut rc).is_empty(), "nobody knows what they were");
        fs::write(good.join("bashrc"), "a\n").unwrap();
        let mut rc = RcFiles::new(Some(home.clone()), Some(&state));
        assert_eq!(told(&mut rc), ["~/.bashrc:2 `PS1=x` was added"]);
        assert!(told(&mut rc).is_empty());
        fs::remove_file(home.join(".inputrc")).unwrap();
        fs::write(home.join(".bashrc"), "a\nPS1=x\nc\n").unwrap();
        assert_eq!(told(&mut rc), ["~/.bashrc:3 `c` was added"]);
        fs::create_dir(home.join(".profile")).unwrap();
        assert!(told(&mut rc).is_empty(), "a folder is no file");
        fs::write(home.join(".bash_aliases"), "x".repeat(2 << 20)).unwrap();
        assert!(told(&mut rc).is_empty(), "it is too long");
    }
}
