//! Sessions that crash one after the other: the next one starts with less.
//!
//! The start guard ([`crate::start`]) knows starts that reach no prompt. Here it is about sessions that reach it and die before
//! anybody can type a command: what they left in the runtime folder, their flight files, says so, and
//! [`lle_core::recovery`] decides. How far features are off is kept in one small file, until somebody switches them on
//! again, or another version of Lusush starts.
//!
//! Invariants: whatever cannot be read changes nothing. A start without a dead session costs one look at the names of a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lle_core::recovery::{Early, LEVEL_MAX, LIVED_NS_MAX, WINDOW_NS, escalates};
use lle_metrics::identity::start_ticks;
use lle_metrics::liveness::{from_another_boot, liveness};
use lle_metrics::{Counter, EXTENSION, EventKind, Gauge, Liveness, Snapshot, Timer};

use crate::paths;
use crate::replace::replace;

/// Where it is kept, below the state folder; no backup has it.
pub(crate) const FILE: &str = "start/crashes";
/// Flight files that are looked into, the last written first: each costs a start some 30 us, and a loop of crashes shows in
/// the newest three.
const FLIGHTS_MAX: usize = 4;
/// The number of SIGHUP.
const HANG_UP: i64 = 1;
/// What is off at each level, in words.
const OFF: [&str; LEVEL_MAX as usize + 1] = [
    "",
    "suggestions, menu, sharing and cached parts of the prompt are off",
    "everything is off but the line itself and its history",
    "LLE is off, and readline alone reads the line",
];

/// How a session starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    /// What is off, from 0, nothing, to 3, LLE.
    pub(crate) level: u8,
    /// That was decided just now.
    pub(crate) is_new: bool,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kept {
    level: u8,
    /// Since when sessions count, in nanoseconds since 1970.
    since_ns: i64,
    /// Of which version of Lusush that is said.
    version: String,
}

impl Kept {
    fn read(path: &Path) -> Kept {
        let text = fs::read_to_string(path).unwrap_or_default();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim).unwrap_or_default()
        };
        let kept = Kept {
            level: value("level ").parse().unwrap_or(0).min(LEVEL_MAX),
            since_ns: value("since ").parse().unwrap_or(0),
            version: value("version ").to_owned(),
        };
        match text.starts_with("lusush-crashes 1\n") && kept.version == env!("CARGO_PKG_VERSION") {
            true => kept,
            // What crashed was another program.
            false => Kept::default(),
        }
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let Kept { level, since_ns, .. } = self;
        let version = env!("CARGO_PKG_VERSION");
        let text = format!("lusush-crashes 1\nlevel {level}\nsince {since_ns}\nversion {version}\n");
        replace(path, text.as_bytes())
    }
}

/// How far features are off.
pub(crate) fn level(path: &Path) -> u8 {
    Kept::read(path).level
}

/// Everything is on again, and crashes so far are forgotten.
pub(crate) fn reset(path: &Path, now_ns: i64) -> io::Result<()> {
    let kept = Kept {
        level: 0,
        since_ns: now_ns,
        version: String::new(),
    };
    kept.write(path)
}

/// Decides how the next session starts; `retry` says that somebody wants everything again.
pub(crate) fn begin(retry: bool) -> Level {
    let (Ok(state), Ok(runtime)) = (paths::state(), paths::runtime()) else {
        return Level::default();
    };
    let now_ns = now_ns();
    let path = state.join(FILE);
    if retry {
        // Whoever tries a start-up file that fails again and again has not seen LLE crash, either. What cannot be written is
        // decided again by the next start.
        let _same = reset(&path, now_ns);
        return Level::default();
    }
    // Where a worker has been, it serves this folder, or did: that costs a start one look.
    let served = || match runtime.join("control").symlink_metadata() {
        Ok(_) => None,
        Err(_) => paths::served(),
    };
    decide(&path, &runtime.join("sessions"), &served, now_ns)
}

/// The level that was decided just now is not in force: what ended the sessions so far was something else.
pub(crate) fn take_back(decided: Level) -> Level {
    let level = Level {
        level: decided.level.saturating_sub(1),
        is_new: false,
    };
    if let Ok(state) = paths::state() {
        let path = state.join(FILE);
        let kept = Kept {
            level: level.level,
            ..Kept::read(&path)
        };
        // What cannot be written is decided again by the next start, and taken back again.
        let _same = kept.write(&path);
    }
    level
}

/// Decides by the sessions of a folder, or of the runtime folder that the worker serves, `served`, where there are none:
/// sessions begin in their own and go there.
pub(crate) fn decide(
    path: &Path,
    sessions: &Path,
    served: &dyn Fn() -> Option<PathBuf>,
    now_ns: i64,
) -> Level {
    let mut kept = Kept::read(path);
    let is_new = kept.level < LEVEL_MAX && escalates(&early(sessions, served, now_ns), kept.since_ns, now_ns);
    if is_new {
        kept.level += 1;
        kept.since_ns = now_ns;
        // Where nothing can be written each start decides by itself, and comes to the same.
        let _untold = kept.write(path);
    }
    Level {
        level: kept.level,
        is_new,
    }
}

/// What to tell when features go off.
pub(crate) fn message(level: u8) -> String {
    let off = OFF.get(usize::from(level)).copied().unwrap_or_default();
    format!(
        "lusush: sessions crashed again and again before a command was typed;\n  {off}.\n  \
         `lusush --retry` starts with everything again, and so do all from then on.\n"
    )
}

pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The sessions that began of late, as far as they tell.
fn early(sessions: &Path, served: &dyn Fn() -> Option<PathBuf>, now_ns: i64) -> Vec<Early> {
    let window = Duration::from_nanos(WINDOW_NS.unsigned_abs());
    let since =
        SystemTime::UNIX_EPOCH + Duration::from_nanos(now_ns.max(0).unsigned_abs()).saturating_sub(window);
    let mut files = written_since(sessions, since);
    if files.is_empty()
        && let Some(served) = served()
    {
        files = written_since(&served.join("sessions"), since);
    }
    files.sort();
    files
        .iter()
        .rev()
        .take(FLIGHTS_MAX)
        .filter_map(|(_, path)| look(path))
        .collect()
}

/// The flight files of a folder that were written since, and when. Whatever began since then was.
fn written_since(sessions: &Path, since: SystemTime) -> Vec<(SystemTime, PathBuf)> {
    let entries = fs::read_dir(sessions).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().extension().is_some_and(|end| end == EXTENSION))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .filter(|(modified, _)| *modified >= since)
        .collect()
}

/// One session; none of which it cannot be told, or whose end is no crash.
fn look(path: &Path) -> Option<Early> {
    let alive = liveness(path);
    let snapshot = Snapshot::read(path).ok()?;
    let identity = snapshot.identity();
    let created_ns = i64::try_from(identity.created_wall_ns).ok()?;
    let lives = Early {
        created_ns,
        crashed: false,
    };
    if from_another_boot(&snapshot) == Some(true) {
        return None;
    }
    if alive != Liveness::Dead {
        return Some(lives);
    }
    // It became another program, or its terminal was closed.
    let is_replaced = identity.start_ticks != 0 && start_ticks(identity.pid) == Some(identity.start_ticks);
    if is_replaced || hung_up(&snapshot) {
        return None;
    }
    let seen_ns = snapshot.gauge(Gauge::SeenWallNs).unwrap_or(created_ns);
    let lived_ns = seen_ns.saturating_sub(created_ns);
    // Before its first prompt it may have become another program, in a start-up file, or its terminal was closed while that
    // ran; a start-up file that fails is the start guard's.
    if snapshot.samples(Timer::Start) == 0 {
        return None;
    }
    let typed = snapshot.counter(Counter::Commands) > 0;
    Some(Early {
        created_ns,
        crashed: !typed && lived_ns <= LIVED_NS_MAX,
    })
}

/// Whether its terminal was closed: the last it told is that signal, or that LLE went off for it.
pub(crate) fn hung_up(snapshot: &Snapshot) -> bool {
    let told = |event: &lle_metrics::Event<'_>| event.kind != Some(EventKind::Off);
    let last = snapshot.events().filter(told).last();
    last.is_some_and(|event| event.kind == Some(EventKind::Signal) && event.code == HANG_UP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_of_this_version() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join(FILE);
        assert_eq!(level(&path), 0);
        let kept = Kept {
            level: 2,
            since_ns: 77,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        kept.write(&path).expect("it can be written");
        assert_eq!(Kept::read(&path), kept);
        let text = fs::read_to_string(&path).expect("it is there");
        fs::write(&path, text.replace("version ", "version 9.")).expect("it can be written");
        assert_eq!(level(&path), 0, "another program crashed");
        fs::write(&path, "level 3\n").expect("it can be written");
        assert_eq!(level(&path), 0);
        kept.write(&path).expect("it can be written");
        reset(&path, 99).expect("it can be written");
        assert_eq!(Kept::read(&path).since_ns, 99);
    }

    #[test]
    fn without_sessions_nothing_is_off() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let found = decide(
            &folder.path().join(FILE),
            &folder.path().join("sessions"),
            &|| None,
            1,
        );
        assert_eq!(found, Level::default());
        assert!(!folder.path().join("start").exists());
    }

    #[test]
    fn sessions_that_went_where_the_worker_is_count() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let at = |name: &str| folder.path().join(name);
        let (own, served) = (at("own/sessions"), at("served"));
        fs::create_dir_all(served.join("sessions")).expect("a folder can be made");
        for session in 1..=3 {
            let mut identity = lle_metrics::Identity::of_this_process(session, "/dev/pts/9", "5", "0");
            // Another process had the number, or it would be taken for one that goes on as another program.
            identity.start_ticks = 1;
            let flight = lle_metrics::Flight::create(&served.join("sessions"), &identity)
                .expect("a flight can be made");
            flight.update(|w| w.time(Timer::Start, 1));
        }
        let nowhere = decide(&at("1/crashes"), &own, &|| None, now_ns());
        assert_eq!(nowhere, Level::default());
        let found = decide(&at("2/crashes"), &own, &|| Some(served.clone()), now_ns());
        assert_eq!((found.level, found.is_new), (1, true));
    }

    #[test]
    fn every_level_is_told_in_eighty_columns() {
        for level in 1..=LEVEL_MAX {
            let text = message(level);
            assert!(text.lines().all(|line| line.len() <= 80), "{text}");
            assert!(text.contains("--retry"), "{text}");
        }
    }
}
