//! The user's start-up files: what was changed in them, and when; each state that is seen becomes a version.
//!
//! Invariants: a file is read only when it changed, in one piece, and only if it is a file of a sensible size; what it held
//! is in the log of versions and nowhere else in the worker, which keeps numbers.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lle_core::shown::command_line;
use lle_core::start::trace;
use lle_log::start_up;
use lle_log::versions::Cause;

use super::rc_versions::{self, Seen as State, shown};
use super::start_file::{self, Stamp, StartFile};
use super::versions::VersionLog;
use crate::world::RcChange;

/// Bytes of a file that is looked into; a longer one is let be.
const BYTES_MAX: u64 = 1024 * 1024;
/// Files that others read, at most.
const SOURCED_MAX: usize = 24;
/// Starts of either kind whose files are watched besides those of the good one, and records that are looked through for
/// them: the launcher keeps fewer.
const STARTS_MAX: usize = 4;
const ENTRIES_MAX: usize = 256;
/// What a line that makes the prompt speaks of: of several new lines it is the one to tell.
const TELLING: [&str; 3] = ["PROMPT_COMMAND", "PS1", "precmd"];
/// Who writes versions here.
const TOOL: &str = "lusush worker";

/// The start-up files as they were last seen.
#[derive(Debug)]
pub(super) struct RcFiles {
    home: Option<PathBuf>,
    /// The records of what last reached a prompt, with copies.
    good: Vec<PathBuf>,
    log: Option<VersionLog>,
    seen: BTreeMap<PathBuf, Seen>,
    /// When it was looked last, in nanoseconds since 1970.
    looked_wall_ns: i64,
}

#[derive(Debug)]
struct Seen {
    stamp: Option<Stamp>,
    /// This state is a version, or cannot be one.
    is_kept: bool,
    /// How often each line occurs, by its number.
    lines: BTreeMap<u64, usize>,
}

impl RcFiles {
    /// Watches the files in a home folder; `state` is the folder with the records of starts and the versions.
    pub(super) fn new(home: Option<PathBuf>, state: Option<&Path>) -> Self {
        let good = |kind: &str| state.map(|state| state.join("start").join(kind).join("good"));
        Self {
            home,
            good: [good("interactive"), good("login")]
                .into_iter()
                .flatten()
                .collect(),
            log: state.map(rc_versions::log),
            seen: BTreeMap::new(),
            looked_wall_ns: 0,
        }
    }

    /// What was changed since it was last asked.
    pub(super) fn changes(&mut self, now_wall_ns: i64) -> Vec<RcChange> {
        let Some(home) = self.home.clone() else {
            return Vec::new();
        };
        let names = start_up::AT_START.iter().map(|name| home.join(name));
        let mut paths: Vec<PathBuf> = names.chain(self.sourced(&home)).collect();
        paths.sort();
        paths.dedup();
        let changes = paths
            .iter()
            .filter_map(|path| self.look(path, &home, now_wall_ns));
        let mut changes: Vec<_> = changes.collect();
        self.looked_wall_ns = now_wall_ns;
        changes.sort_by_key(|change| change.at_wall_ns);
        changes
    }

    /// The user's own files that the last good starts read, and the last ones of all: a first start is no good one before
    /// another begins, and what it has read may be changed by then.
    fn sourced(&self, home: &Path) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for good in &self.good {
            let starts = good.parent().unwrap_or(good);
            for record in std::iter::once(good.clone()).chain(last(starts)) {
                let files = page(&record).map(|trace| trace.files).unwrap_or_default();
                let read = files
                    .iter()
                    .map(|path| PathBuf::from(std::ffi::OsStr::from_bytes(path)))
                    .filter(|path| path.starts_with(home) && !path.starts_with(starts));
                let new: Vec<PathBuf> = read.filter(|path| !paths.contains(path)).collect();
                paths.extend(new);
            }
        }
        paths.truncate(SOURCED_MAX);
        paths
    }

    fn look(&mut self, path: &Path, home: &Path, now_wall_ns: i64) -> Option<RcChange> {
        let stamp = fs::metadata(path).ok().map(|found| Stamp::of(&found));
        let known = self.seen.get(path);
        if known.is_some_and(|seen| seen.stamp == stamp && seen.is_kept) {
            return None;
        }
        let was_seen = known.is_some_and(|seen| seen.stamp == stamp);
        let file = match start_file::read(path, BYTES_MAX) {
            Ok(file) => file,
            // It is there and cannot be read, perhaps only now: what it was is still what is known.
            Err(_) => return None,
        };
        let name = shown(path, home);
        let is_kept = file.as_ref().is_none_or(|file| self.keep(&name, file));
        if was_seen {
            self.seen.get_mut(path)?.is_kept = is_kept;
            return None;
        }
        let text = file
            .as_ref()
            .map(|file| String::from_utf8_lossy(&file.bytes))
            .unwrap_or_default();
        let before = self.seen.remove(path).map(|seen| seen.lines);
        let before = before.or_else(|| Some(count(&self.copy(path, home)?)));
        let lines = count(&text);
        let change = before.and_then(|before| difference(&name, &before, &text));
        let stamp = file.as_ref().map(|file| file.stamp);
        self.seen.insert(
            path.to_owned(),
            Seen {
                stamp,
                is_kept,
                lines,
            },
        );
        let at_wall_ns = self.written(file.as_ref()?, now_wall_ns);
        change.map(|what| RcChange { at_wall_ns, what })
    }

    /// When a file that was not so at the last look was changed, by what it says itself: when it was written, unless that
    /// is an original's or another machine's time; else when anything of it was changed; never before the last look.
    fn written(&self, file: &StartFile, now_wall_ns: i64) -> i64 {
        let since = self.looked_wall_ns;
        let told = |ns: &i64| since > 0 && (since..=now_wall_ns).contains(ns);
        let written = Some(file.written_ns).filter(told);
        written
            .unwrap_or(file.stamp.changed_ns())
            .max(since)
            .min(now_wall_ns)
    }

    /// Keeps this state as a version; false if somebody else is writing, and it is worth another look.
    fn keep(&self, name: &str, file: &StartFile) -> bool {
        let Some(log) = &self.log else { return true };
        let state = State {
            file: name,
            content: &file.bytes,
            time_ns: file.written_ns,
            is_now: true,
            cause: Cause::Noticed,
            from: 0,
            verdict: None,
        };
        // The worker waits for nobody.
        match rc_versions::keep(log, &[state], TOOL, Duration::ZERO) {
            Ok(()) => true,
            Err(super::versions::VersionsError::Io(_)) => false,
            Err(_) => true,
        }
    }

    /// What the file was when it last reached a prompt.
    fn copy(&self, path: &Path, home: &Path) -> Option<String> {
        let name = path.strip_prefix(home).ok()?.to_str()?;
        let copies = self
            .good
            .iter()
            .map(|good| good.join(name.trim_start_matches('.')));
        copies.into_iter().find_map(|copy| {
            let file = start_file::read(&copy, BYTES_MAX).ok()??;
            Some(String::from_utf8_lossy(&file.bytes).into_owned())
        })
    }
}

/// The records of the last starts, the newest first: each is named after when it began, in as many digits.
fn last(starts: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(starts).into_iter().flatten().flatten();
    let begins_with_digit = |name: &std::ffi::OsStr| name.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let mut records: Vec<PathBuf> = entries
        .take(ENTRIES_MAX)
        .filter(|entry| begins_with_digit(&entry.file_name()))
        .map(|entry| entry.path())
        .collect();
    records.sort_unstable_by(|a, b| b.cmp(a));
    records.truncate(STARTS_MAX);
    records
}

/// What a start said of the files that it read.
fn page(record: &Path) -> Option<trace::Trace> {
    let page = start_file::read(&record.join(trace::NAME), trace::BYTES as u64).ok()??;
    // Whose it is, is the launcher's to say: here any start's will do.
    let began = page.bytes.get(trace::offset::BEGAN..trace::offset::PLACE)?;
    trace::read(&page.bytes, i64::from_le_bytes(began.try_into().ok()?))
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
            Some(format!("{name}:{at} `{shown}`{more} was added"))
        }
        None if left.values().any(|times| *times > 0) => Some(format!("lines of {name} were removed")),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str, expect: Option<&str>) {
        let told = difference("~/.bashrc", &count(before), after);
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
    fn a_change_is_dated_by_the_file_and_never_before_the_last_look() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".bashrc");
        fs::write(&path, "x").unwrap();
        let changed_ns = start_file::read(&path, BYTES_MAX)
            .unwrap()
            .unwrap()
            .stamp
            .changed_ns();
        let check = |written: i64, looked: i64, expect: i64| {
            let mut file = start_file::read(&path, BYTES_MAX).unwrap().unwrap();
            file.written_ns = changed_ns + written;
            let mut rc = RcFiles::new(None, None);
            rc.looked_wall_ns = changed_ns + looked;
            assert_eq!(
                rc.written(&file, changed_ns + 100) - changed_ns,
                expect,
                "{written} {looked}"
            );
        };
        check(-5, -20, -5);
        // A copy that kept the original's time, or another machine's.
        check(-50, -20, 0);
        check(5_000, -20, 0);
        // A clock that jumped.
        check(-50, 20, 20);
        check(0, 200, 100);
    }

    #[test]
    fn what_a_start_read_is_watched_too_and_a_state_that_could_not_be_kept_is_kept_later() {
        let folder = tempfile::tempdir().unwrap();
        let (home, state) = (folder.path().join("home"), folder.path().join("state"));
        let good = state.join("start/interactive/good");
        fs::create_dir_all(&good).unwrap();
        fs::create_dir_all(home.join("d")).unwrap();
        fs::write(home.join("d/aliases"), "alias a=b\n").unwrap();
        let mut page = trace::header(7).to_vec();
        page[trace::offset::FILES] = 1;
        let name = home.join("d/aliases").display().to_string();
        page.extend_from_slice(&(name.len() as u16).to_le_bytes());
        page.extend_from_slice(name.as_bytes());
        fs::write(good.join(trace::NAME), page).unwrap();
        let log = rc_versions::log(&state);
        let versions = || {
            lle_log::versions::read(&log.bytes().unwrap())
                .unwrap()
                .versions
                .len()
        };
        let mut rc = RcFiles::new(Some(home.clone()), Some(&state));
        // No place for the log.
        fs::write(state.join("versions"), "").unwrap();
        assert!(rc.changes(1).is_empty());
        fs::remove_file(state.join("versions")).unwrap();
        assert!(rc.changes(2).is_empty());
        assert_eq!(versions(), 1);
        fs::write(home.join("d/aliases"), "alias a=b\nexit\n").unwrap();
        let told: Vec<String> = rc
            .changes(i64::MAX)
            .into_iter()
            .map(|change| change.what)
            .collect();
        assert_eq!(told, ["~/d/aliases:2 `exit` was added"]);
        assert_eq!(versions(), 2);
    }

    #[test]
    fn what_a_first_start_read_is_watched_before_there_is_a_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let (home, state) = (folder.path().join("home"), folder.path().join("state"));
        fs::create_dir_all(&home).unwrap();
        let lib = home.join("lib.sh");
        fs::write(&lib, "a=1\n").unwrap();
        // Older ones read other files, and the newest is told from them by its name.
        for (began, file) in [(1, "gone.sh"), (2, "lib.sh")] {
            let record = state.join(format!("start/interactive/{began:020}-7"));
            fs::create_dir_all(&record).unwrap();
            let mut page = trace::header(began).to_vec();
            page[trace::offset::FILES] = 1;
            let name = home.join(file).display().to_string();
            page.extend_from_slice(&(name.len() as u16).to_le_bytes());
            page.extend_from_slice(name.as_bytes());
            fs::write(record.join(trace::NAME), page).unwrap();
        }
        let mut rc = RcFiles::new(Some(home), Some(&state));
        assert!(rc.changes(1).is_empty());
        fs::write(&lib, "a=1\nPROMPT_COMMAND='sleep 0.1'\n").unwrap();
        let told: Vec<String> = rc
            .changes(i64::MAX)
            .into_iter()
            .map(|change| change.what)
            .collect();
        assert_eq!(told, ["~/lib.sh:2 `PROMPT_COMMAND='sleep 0.1'` was added"]);
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
        let kept = || -> Vec<String> {
            let bytes = rc_versions::log(&state).bytes().unwrap();
            let read = lle_log::versions::read(&bytes).unwrap();
            let shown = read
                .versions
                .iter()
                .map(|version| (version.file, version.content.escape_ascii()));
            shown.map(|(file, content)| format!("{file} {content}")).collect()
        };
        let versions = [
            r"~/.bashrc a\nPS1=x\n",
            r"~/.inputrc b\n",
            r"~/.bashrc a\nPS1=x\nc\n",
        ];
        assert_eq!(kept(), versions, "each state is a version");
        fs::create_dir(home.join(".profile")).unwrap();
        assert!(told(&mut rc).is_empty(), "a folder is no file");
        fs::write(home.join(".bash_aliases"), "x".repeat(2 << 20)).unwrap();
        assert!(told(&mut rc).is_empty(), "it is too long");
    }
}
