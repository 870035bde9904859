//! Lines that were being typed when the terminal went away, or the shell died.
//!
//! ```text
//!  SIGHUP ▸ the session itself ─────────────┐
//!  killed ▸ its flight file ▸ the next start ┴▸ state/drafts/<session>.draft ▸ `lle draft`
//! ```
//!
//! Files: `state/drafts/<session>.draft`, 0600, the line's bytes as they were; of one that was killed the beginning that
//! its flight file keeps. Written once, read by `lle draft`, removed by `lle draft clear`; [`KEPT_MAX`] are kept.
//! `state/drafts/looked-at` names the flights of the dead that were looked into and are still there, a line each.
//!
//! Invariant: a session's line becomes a draft once, whatever was cleared since. A flight never has a line that nobody may
//! see: who writes it hides those.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lle_metrics::{EXTENSION, Liveness, Snapshot};

/// Drafts kept; the oldest go first.
const KEPT_MAX: usize = 16;
/// Flights that one start asks whether they are of the dead: some 10 µs each. Those of the dead are few, since they are
/// pruned and looked into once; what more living ones hide is found by a later start.
const FLIGHTS_MAX: usize = 256;
const LOOKED_AT: &str = "looked-at";

/// Writes a draft.
///
/// # Errors
/// The folder or the file cannot be made.
pub(crate) fn keep(path: &Path, line: &[u8]) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        for (_, old) in list(dir).into_iter().rev().skip(KEPT_MAX - 1) {
            let _ = fs::remove_file(old);
        }
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(line)
}

/// Makes drafts in `dir` of what sessions that died were typing, by their flights in `sessions`.
///
/// `own` is this session's flight, if it has one there: it is not opened, since closing it would drop its lock.
pub(crate) fn take_over(dir: &Path, sessions: &Path, own: Option<&Path>) {
    let entries = fs::read_dir(sessions).into_iter().flatten().flatten();
    let mut flights: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    flights.retain(|path| path.extension().is_some_and(|end| end == EXTENSION) && own != Some(path));
    let name = |path: &Path| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let there: BTreeSet<String> = flights.iter().map(|path| name(path)).collect();
    let before: BTreeSet<String> = fs::read_to_string(dir.join(LOOKED_AT))
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect();
    // What is gone comes never back: numbers are random.
    let mut looked_at: BTreeSet<String> = before.intersection(&there).cloned().collect();
    let mut snapshot = Snapshot::default();
    flights.retain(|path| !looked_at.contains(&name(path)));
    for path in flights.iter().take(FLIGHTS_MAX) {
        let seen = lle_metrics::look(path, &mut snapshot);
        if seen.liveness != Liveness::Dead || seen.read.is_err() {
            continue;
        }
        let line = snapshot.draft();
        let draft = dir.join(format!("{}.draft", name(path)));
        // One that lost its terminal has kept its own.
        let is_new = !line.hidden && !line.text.trim_ascii().is_empty() && !draft.exists();
        if !is_new || keep(&draft, line.text).is_ok() {
            looked_at.insert(name(path));
        }
    }
    if looked_at != before {
        let mut text: String = looked_at.into_iter().collect::<Vec<_>>().join("\n");
        text.push('\n');
        // Without it a line that was cleared is offered again, which is the lesser harm.
        let _again = write_whole(&dir.join(LOOKED_AT), text.as_bytes());
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}

/// Gives how many drafts came since the user was last told, and takes them as told.
pub(crate) fn take_news(dir: &Path) -> usize {
    let drafts = list(dir);
    if drafts.is_empty() {
        return 0;
    }
    let told = dir.join("told");
    let since = fs::metadata(&told).and_then(|m| m.modified()).ok();
    let new = drafts
        .iter()
        .filter(|(at, _)| since.is_none_or(|since| *at > since))
        .count();
    if new > 0 {
        // Without the mark the user is told again, which is the lesser harm.
        let _ = fs::write(&told, b"");
    }
    new
}

/// Gives the drafts in `dir`, oldest first.
pub(crate) fn list(dir: &Path) -> Vec<(std::time::SystemTime, PathBuf)> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .flatten()
        .filter(|e| e.path().extension().is_some_and(|x| x == "draft"))
        .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
        .collect();
    found.sort();
    found
}
