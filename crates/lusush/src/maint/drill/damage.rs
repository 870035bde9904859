//! What a drill does to a copy of the home, one disaster after the other, and what must be back afterwards.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use lle_core::recovery::{CRASHES_MIN, LEVEL_MAX, WORKER_CRASHES_MIN};
use lle_log::mirror;

use super::super::recover::gather::{files_below, now_ns};
use super::scratch::Replica;
use crate::start_crashes;

/// How long a process of a drill may take to get where it is killed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Bytes that caches have grown by.
const SPARE_BYTES: usize = 1024 * 1024;

/// What must be back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The history log, byte for byte.
    History,
    /// Configuration, themes and plugins, byte for byte.
    Config,
    /// The start-up files, byte for byte.
    StartUp,
    /// State and audit log of the worker, byte for byte.
    State,
    /// The versions, which may have got further ones.
    Versions,
}

/// One disaster.
pub(super) struct Disaster {
    pub(super) scenario: &'static str,
    /// Its signs are there: not those of a disk that is not really full.
    pub(super) is_seen: bool,
    /// Damages the copy; gives what `maint recover` is told besides the scenario.
    pub(super) damage: fn(&Replica) -> Result<Vec<OsString>, String>,
    /// Looks at what only this scenario has.
    pub(super) after: fn(&Replica) -> Result<(), String>,
    pub(super) back: &'static [Part],
}

const fn disaster(
    scenario: &'static str,
    back: &'static [Part],
    damage: fn(&Replica) -> Result<Vec<OsString>, String>,
    after: fn(&Replica) -> Result<(), String>,
) -> Disaster {
    Disaster {
        scenario,
        is_seen: true,
        damage,
        after,
        back,
    }
}

const FILES: &[Part] = &[Part::History, Part::Config, Part::StartUp, Part::Versions];
const ALL: &[Part] = &[
    Part::History,
    Part::Config,
    Part::StartUp,
    Part::State,
    Part::Versions,
];

/// Every disaster, in the order of the scenarios.
pub(super) const DISASTERS: &[Disaster] = &[
    Disaster {
        is_seen: false,
        ..disaster("disk-full", ALL, disk_full, nothing)
    },
    disaster("home-gone", FILES, home_gone, nothing),
    disaster("history-lost", ALL, history_lost, nothing),
    disaster("history-cut", ALL, history_cut, nothing),
    disaster("history-corrupt", ALL, history_corrupt, mirror_is_made_anew),
    disaster("config-broken", ALL, config_broken, nothing),
    disaster("config-gone", ALL, config_gone, nothing),
    disaster("state-corrupt", ALL, state_corrupt, nothing),
    disaster("plugins-damaged", ALL, plugins_damaged, nothing),
    disaster("repository-damaged", ALL, repository_damaged, repository_is_kept),
    disaster("session-crashes", ALL, session_crashes, features_are_on),
    disaster("worker-crashes", FILES, worker_crashes, worker_answers),
];

type Damaged = Result<Vec<OsString>, String>;

fn nothing(_: &Replica) -> Result<(), String> {
    Ok(())
}

fn text(error: io::Error) -> String {
    error.to_string()
}

fn at(path: &Path) -> impl Fn(io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}

/// The disk itself is not filled: a drill would fill the one that everything else is on. What is to go is there.
fn disk_full(copy: &Replica) -> Damaged {
    let cache = &copy.places.cache;
    crate::paths::create_folder(cache).map_err(at(cache))?;
    let file = cache.join("metrics.db");
    fs::write(&file, vec![b'x'; SPARE_BYTES]).map_err(at(&file))?;
    Ok(Vec::new())
}

/// A new machine has the repository and the line, and nothing else.
fn home_gone(copy: &Replica) -> Damaged {
    let line = copy.done(&["backup", "key", "export"])?;
    let line = line["key"].as_str().ok_or("there is no key")?.to_owned();
    let archive = copy.root.join("archive");
    fs::rename(copy.places.archive(), &archive).map_err(text)?;
    for folder in [copy.root.join("lusush"), copy.root.join("home")] {
        fs::remove_dir_all(&folder).map_err(at(&folder))?;
        crate::paths::create_folder(&folder).map_err(at(&folder))?;
    }
    let mut child = copy
        .command()
        .map_err(text)?
        .args(["maint", "backup", "key", "import", "--repository"])
        .arg(&archive)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(text)?;
    // On its standard input, where no other user sees it.
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(line.as_bytes()).map_err(text)?;
    }
    match child.wait().map_err(text)?.success() {
        true => Ok(vec!["--repository".into(), archive.into()]),
        false => Err("the key does not open the repository".into()),
    }
}

fn history_lost(copy: &Replica) -> Damaged {
    for file in [copy.places.log.clone(), mirror::path_of(&copy.places.log)] {
        fs::remove_file(&file).map_err(at(&file))?;
    }
    Ok(Vec::new())
}

fn history_cut(copy: &Replica) -> Damaged {
    let log = &copy.places.log;
    let half = fs::metadata(log).map_err(at(log))?.len() / 2;
    let file = OpenOptions::new().write(true).open(log).map_err(at(log))?;
    file.set_len(half).map_err(at(log))?;
    Ok(Vec::new())
}

fn history_corrupt(copy: &Replica) -> Damaged {
    flip_in_the_middle(&copy.places.log)?;
    Ok(Vec::new())
}

/// Once more the other way round: a mirror that rots does not take the log with it.
fn mirror_is_made_anew(copy: &Replica) -> Result<(), String> {
    let (log, mirror) = (&copy.places.log, mirror::path_of(&copy.places.log));
    let before = fs::read(log).map_err(at(log))?;
    flip_in_the_middle(&mirror)?;
    copy.done(&["recover", "history-corrupt"])?;
    let after = fs::read(log).map_err(at(log))?;
    let mirrored = fs::read(&mirror).map_err(at(&mirror))?;
    match after == before && mirrored == before {
        true => Ok(()),
        false => Err("a damaged mirror was not made anew of the log".into()),
    }
}

fn config_broken(copy: &Replica) -> Damaged {
    let file = copy.places.config_file();
    fs::write(&file, b"\xff\xfe\0 this was a disk once").map_err(at(&file))?;
    Ok(Vec::new())
}

fn config_gone(copy: &Replica) -> Damaged {
    let file = copy.places.config_file();
    fs::remove_file(&file).map_err(at(&file))?;
    Ok(Vec::new())
}

/// Neither the state nor the audit log can be read.
fn state_corrupt(copy: &Replica) -> Damaged {
    let state = copy.places.maint.join("state.log");
    fs::write(&state, b"not a log").map_err(at(&state))?;
    let is_audit = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("audit-"))
    };
    for (path, bytes) in files_below(&copy.places.maint) {
        if is_audit(&path) && bytes > 0 {
            flip_in_the_middle(&path)?;
        }
    }
    Ok(Vec::new())
}

/// One module becomes something else, the other files go.
fn plugins_damaged(copy: &Replica) -> Damaged {
    let mut spared = false;
    for (path, _) in files_below(&copy.places.plugins()) {
        let is_module = path.extension().is_some_and(|end| end == "wasm");
        let result = match is_module && !std::mem::replace(&mut spared, true) {
            true => fs::write(&path, b"no module"),
            false => fs::remove_file(&path),
        };
        result.map_err(at(&path))?;
    }
    Ok(Vec::new())
}

/// A byte of the largest pack is another.
fn repository_damaged(copy: &Replica) -> Damaged {
    let packs = files_below(&copy.places.archive().join("data"));
    let largest = packs.iter().max_by_key(|(_, bytes)| bytes);
    let (path, _) = largest.ok_or("the repository has no data")?;
    flip_in_the_middle(path)?;
    Ok(Vec::new())
}

fn repository_is_kept(copy: &Replica) -> Result<(), String> {
    let beside = fs::read_dir(copy.places.backup()).map_err(text)?.flatten();
    let kept = beside
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("archive.damaged-")
        })
        .any(|entry| !files_below(&entry.path().join("data")).is_empty());
    match kept {
        true => Ok(()),
        false => Err("the damaged repository was not kept".into()),
    }
}

/// Three sessions die without a word, and three more, and three more.
fn session_crashes(copy: &Replica) -> Damaged {
    let sessions = copy.root.join("lusush/run/sessions");
    crate::paths::create_folder(&sessions).map_err(at(&sessions))?;
    for expected in 1..=LEVEL_MAX {
        for _ in 0..CRASHES_MIN {
            let status = copy
                .command()
                .map_err(text)?
                .args(["job", "die"])
                .arg(&sessions)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .map_err(text)?;
            if status.code().is_some() {
                return Err(format!("a session that was to crash ended with {status}"));
            }
        }
        let level = start_crashes::decide(&copy.places.degraded(), &sessions, &|| None, now_ns());
        if level.level != expected || !level.is_new {
            return Err(format!(
                "after {CRASHES_MIN} crashes, level {} and not {expected}",
                level.level
            ));
        }
    }
    Ok(Vec::new())
}

fn features_are_on(copy: &Replica) -> Result<(), String> {
    let sessions = copy.root.join("lusush/run/sessions");
    let level = start_crashes::decide(&copy.places.degraded(), &sessions, &|| None, now_ns());
    match level.level {
        0 => Ok(()),
        level => Err(format!("features are still off: level {level}")),
    }
}

/// Workers are killed while they start, as one that crashes there would be.
fn worker_crashes(copy: &Replica) -> Damaged {
    copy.want_worker().map_err(text)?;
    // Each one finds that the one before it died.
    for _ in 0..=WORKER_CRASHES_MIN {
        let mut child = copy
            .command()
            .map_err(text)?
            .args(["maint", "worker", "--spawned"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(text)?;
        let began = Instant::now();
        let lock = copy.places.maint.join("worker.lock");
        let named = child.id().to_string();
        let is_named =
            || fs::read_to_string(&lock).is_ok_and(|text| text.lines().next() == Some(named.as_str()));
        while !is_named() && began.elapsed() < PATIENCE {
            std::thread::sleep(LOOK_EVERY);
        }
        child.kill().and_then(|()| child.wait()).map_err(text)?;
        if !is_named() {
            return Err("a worker did not start".into());
        }
    }
    Ok(Vec::new())
}

fn worker_answers(copy: &Replica) -> Result<(), String> {
    let holder = lle_maintenance::worker::lock::holder(&copy.places.maint).map_err(text)?;
    holder.map(drop).ok_or_else(|| "no worker runs".into())
}

fn flip_in_the_middle(path: &Path) -> Result<(), String> {
    let flip = || -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let middle = file.metadata()?.len() / 2;
        let mut byte = [0];
        file.seek(SeekFrom::Start(middle))?;
        file.read_exact(&mut byte)?;
        file.seek(SeekFrom::Start(middle))?;
        file.write_all(&[!byte[0]])
    };
    flip().map_err(at(path))
}

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) lost_bytes: u64,
    /// The first file that is not as it was.
    pub(super) wrong: Option<PathBuf>,
}

/// Compares what must be back with what there was.
pub(super) fn compare(first: &Replica, copy: &Replica, parts: &[Part]) -> Compared {
    let mut compared = Compared::default();
    for part in parts {
        for (path, may_grow) in files(first, *part) {
            let now = path.strip_prefix(&first.root).map(|below| copy.root.join(below));
            let (before, after) = (fs::read(&path), now.map(fs::read));
            let before = before.unwrap_or_default();
            let after = after.ok().and_then(Result::ok);
            compared.files += 1;
            compared.bytes += before.len() as u64;
            let same = after.as_ref().is_some_and(|after| match may_grow {
                true => after.starts_with(&before),
                false => *after == before,
            });
            if !same {
                let common = after.map_or(0, |after| {
                    before.iter().zip(&after).take_while(|(a, b)| a == b).count()
                });
                compared.lost_bytes += (before.len() - common) as u64;
                compared.wrong.get_or_insert(path);
            }
        }
    }
    compared
}

/// The files of a part, and whether they may be longer.
fn files(first: &Replica, part: Part) -> Vec<(PathBuf, bool)> {
    let places = &first.places;
    let below = |folder: &Path, may_grow: bool| -> Vec<(PathBuf, bool)> {
        files_below(folder)
            .into_iter()
            .map(|(path, _)| (path, may_grow))
            .collect()
    };
    match part {
        Part::History => vec![(places.log.clone(), false)],
        Part::Config => below(&places.config, false),
        Part::StartUp => below(&first.root.join("home"), false),
        Part::Versions => {
            let mut files = below(&places.state.join("versions"), true);
            files.retain(|(path, _)| path.extension().is_some_and(|end| end == "log"));
            files
        }
        Part::State => {
            let mut files = below(&places.maint, false);
            let is_log = |path: &Path| path.extension().is_some_and(|end| end == "log");
            files.retain(|(path, _)| is_log(path));
            files.extend(below(&places.data.join("audit"), false));
            files.push((places.state.join("keys").join("audit.key"), false));
            files.retain(|(path, _)| path.exists());
            files
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_its_disaster() {
        let scenarios = lle_core::recovery::TABLE.iter().map(|row| row.name);
        assert!(scenarios.eq(DISASTERS.iter().map(|row| row.scenario)));
    }
}
