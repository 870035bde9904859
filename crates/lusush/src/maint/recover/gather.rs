//! Gathers the signs of disasters: reads, and changes nothing.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use lle_core::config::{CATALOGUE, FILE_NAME, Origin, RawConfig};
use lle_core::error::Code;
use lle_core::recovery::{
    Archive, ConfigSigns, Crashes, DiskSigns, HistorySigns, LostSnapshots, PluginSigns, Signs, StateSigns,
    WORKER_WINDOW_NS,
};
use lle_log::mirror::{self, Lock, Mirror};
use lle_log::records::{self, LogKind};
use lle_log::versions::{self, Verdict};
use lle_maintenance::real::config::{ReadError, Trust, read};
use lle_maintenance::real::versions::VersionLog;
use serde_json::Value;

use super::own::{self, words};
use super::places::Places;
use crate::maint::{ask, history};
use crate::start_crashes;

/// How deep the repository is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Index, snapshots and trees against the files that are there.
    Metadata,
    /// Every byte.
    Data,
}

/// Files looked at in one folder and below: far more than anybody has plugins or caches.
const FILES_MAX: usize = 10_000;
/// Bytes of a state log that is read: it begins anew at a fraction of that.
const STATE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How a WebAssembly module begins.
const MODULE: [u8; 4] = *b"\0asm";

/// Looks at everything.
pub(crate) fn signs(places: &Places, depth: Depth) -> Signs {
    let archive = archive(places, depth);
    let (saved, differs) = match archive {
        Archive::Open { snapshots: 1.., .. } => (saved_files(places), differences(places)),
        _ => (Vec::new(), None),
    };
    let listed: Vec<String> = saved
        .iter()
        .filter_map(|(path, _)| path.strip_prefix("/plugins/"))
        .map(str::to_owned)
        .collect();
    let log = places.log.file_name().unwrap_or_default().to_string_lossy();
    let saved_bytes = saved
        .iter()
        .find_map(|(path, bytes)| (path.strip_prefix("/data/history/") == Some(&*log)).then_some(*bytes));
    let saved_log = format!("/data/history/{log}");
    let log_differs = differs.iter().flatten().find(|row| row["path"] == saved_log[..]);
    Signs {
        home_exists: home_exists(places),
        history: HistorySigns {
            saved_bytes,
            saved_missing: log_differs.and_then(|row| row["lacks"].as_u64()),
            ..history_signs(places)
        },
        config: config(places),
        state: state(places),
        plugins: plugins(places, &listed, differs.as_deref()),
        archive,
        disk: disk(places),
        crashes: Crashes {
            level: start_crashes::level(&places.degraded()),
            worker: worker_crashes(places),
        },
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Whether there is anything that somebody typed or configured.
fn home_exists(places: &Places) -> bool {
    let history = places.log.parent().unwrap_or(&places.state);
    let has_log = files_below(history).into_iter().any(|(path, bytes)| {
        let is_log = path
            .extension()
            .is_some_and(|end| end == "log" || end == "mirror");
        is_log && bytes > HistorySigns::EMPTY_BYTES
    });
    has_log || places.config_file().exists() || places.state.join("versions").join("config.log").exists()
}

fn length(path: &Path) -> Option<u64> {
    fs::metadata(path)
        .ok()
        .filter(fs::Metadata::is_file)
        .map(|found| found.len())
}

/// The history log and its mirror.
pub(super) fn history_signs(places: &Places) -> HistorySigns {
    let (log_bytes, mirror_bytes) = (length(&places.log), length(&mirror::path_of(&places.log)));
    let mut signs = HistorySigns {
        log_bytes,
        mirror_bytes,
        ..HistorySigns::default()
    };
    let Some(bytes) = log_bytes else { return signs };
    if let Err(error) = read_one_byte(&places.log) {
        signs.refused = Some(refusal(&places.log, &error));
        return signs;
    }
    if bytes > HistorySigns::EMPTY_BYTES {
        match history::check(&places.log) {
            Ok(checked) => signs.damaged_bytes = checked.damaged_bytes,
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                signs.unreadable = Some(cause.unwrap_or_else(|| error.to_string()));
            }
        }
    }
    if mirror_bytes.is_some() {
        // Nobody writes either anew meanwhile; who only appends does no harm.
        let _lock = Lock::take(&places.log);
        let mirror = Mirror::new(&places.log);
        signs.differs_at = mirror.compare_whole().ok().flatten();
        if let Some(at) = signs.differs_at
            && let Ok(damage) = mirror.damage_from(at)
        {
            (signs.log_damage, signs.mirror_damage) = damage;
        }
        // One that does not begin as a log is none at all.
        if signs.unreadable.is_some() {
            signs.log_damage = bytes;
        }
        let is_none = mirror_bytes.is_some_and(|bytes| bytes > HistorySigns::EMPTY_BYTES)
            && history::check(mirror.path()).is_err();
        if is_none {
            signs.mirror_damage = mirror_bytes.unwrap_or(0);
        }
    }
    signs
}

/// Whether a file can be read at all, whatever is in it.
fn read_one_byte(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.read(&mut [0]).map(drop)
}

/// Why a file could not be read, and what to do about it.
fn refusal(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::PermissionDenied => format!("{path}: {error}; `chmod 600 {path}` lets it be read"),
        _ => format!("{path}: {error}; see to the disk that it is on"),
    }
}

/// The user's configuration.
pub(super) fn config(places: &Places) -> ConfigSigns {
    let path = places.config_file();
    let trust = Trust::User(rustix::process::geteuid().as_raw());
    let mut signs = ConfigSigns {
        exists: fs::symlink_metadata(&path).is_ok(),
        ..ConfigSigns::default()
    };
    match read(&path, trust) {
        Ok(None) => {}
        Ok(Some(file)) => {
            let layered = RawConfig::parse(Origin::User, FILE_NAME, &file.text).check(&CATALOGUE);
            if !layered.is_sound() {
                signs.problem = Some("`lusush maint config check` says where".into());
                signs.is_rubbish = file.text.contains('\0');
            }
        }
        Err(error) => {
            // Text of another encoding was typed by somebody.
            signs.is_rubbish = matches!(error, ReadError::Encoding { .. })
                && fs::read(&path).is_ok_and(|bytes| bytes.iter().any(|byte| is_control(*byte)));
            signs.problem = Some(error.to_string());
        }
    }
    signs.last_good = last_good(places);
    signs
}

/// Nobody types such a byte.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && !b"\t\n\r\x0c".contains(&byte)
}

/// The newest version of the configuration that says something and was not taken back; none if the newest of all says that
/// there is no file.
fn last_good(places: &Places) -> Option<u64> {
    let bytes = VersionLog::below(&places.state).bytes().ok()?;
    let known = versions::read(&bytes).ok()?;
    let mut newest_first = known
        .versions
        .iter()
        .rev()
        .filter(|version| version.file == FILE_NAME);
    if newest_first.clone().next()?.content.is_empty() {
        return None;
    }
    newest_first
        .find(|version| version.verdict != Some(Verdict::TakenBack) && !version.content.is_empty())
        .map(|version| version.number)
}

/// The worker's state and audit log.
pub(super) fn state(places: &Places) -> StateSigns {
    let path = places.maint.join("state.log");
    let mut signs = StateSigns {
        worker_runs: ask::holder_of().is_some(),
        ..StateSigns::default()
    };
    let Some(length) = length(&path) else { return signs };
    signs.exists = true;
    if length > STATE_BYTES_MAX {
        signs.unreadable = Some("it is too long".into());
        return signs;
    }
    match fs::read(&path) {
        Err(error) => signs.unreadable = Some(error.to_string()),
        Ok(bytes) => match records::read(&bytes, LogKind::State) {
            Err(error) => signs.unreadable = Some(error.to_string()),
            Ok(read) => {
                // What a killed worker had not finished stands at the end, and is no damage.
                signs.damaged = read.damage.len() as u64;
            }
        },
    }
    signs.audit_faults = audit_faults();
    signs
}

fn audit_faults() -> Option<u64> {
    let ran = own::run(&words(&["audit", "verify"])).ok()?;
    let whole = ran.value.get("whole")?.as_bool()?;
    let faults = ran.value["problems"].as_array().map_or(1, Vec::len) as u64;
    Some(if whole { 0 } else { faults.max(1) })
}

/// The files of the newest snapshot, by their names in it, with their lengths.
fn saved_files(places: &Places) -> Vec<(String, u64)> {
    let asked = own::at(
        words(&["backup", "show", "latest", "--files"]),
        places.repository.as_deref(),
    );
    let shown = own::run(&asked).and_then(own::Ran::succeeded).unwrap_or_default();
    let files = shown["files"].as_array().cloned().unwrap_or_default();
    files
        .iter()
        .filter_map(|file| Some((file["path"].as_str()?.to_owned(), file["bytes"].as_u64()?)))
        .collect()
}

/// What differs from the newest snapshot; none if that is not known.
fn differences(places: &Places) -> Option<Vec<Value>> {
    let asked = own::at(words(&["backup", "diff", "latest"]), places.repository.as_deref());
    let compared = own::run(&asked).and_then(own::Ran::succeeded).ok()?;
    compared["differences"].as_array().cloned()
}

/// The plugins. A file that was no module when it was saved is not damaged: nothing would bring another one back.
fn plugins(places: &Places, listed: &[String], differs: Option<&[Value]>) -> PluginSigns {
    let folder = places.plugins();
    let name = |path: &Path| path.strip_prefix(&folder).unwrap_or(path).display().to_string();
    let is_broken = |path: &Path| {
        let mut beginning = [0; MODULE.len()];
        let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut beginning));
        path.extension() == Some(OsStr::new("wasm")) && (read.is_err() || beginning != MODULE)
    };
    let is_as_saved = |name: &String| {
        let row = |row: &Value| {
            row["path"]
                .as_str()
                .and_then(|path| path.strip_prefix("/plugins/"))
                == Some(name.as_str())
        };
        listed.contains(name) && differs.is_some_and(|differs| !differs.iter().any(row))
    };
    let there = files_below(&folder);
    let broken: Vec<String> = there
        .iter()
        .filter(|(path, _)| is_broken(path))
        .map(|(path, _)| name(path))
        .filter(|name| !is_as_saved(name))
        .collect();
    PluginSigns {
        unsaved: broken
            .iter()
            .filter(|name| !listed.contains(name))
            .cloned()
            .collect(),
        broken,
        missing: listed
            .iter()
            .filter(|listed| !folder.join(listed).exists())
            .cloned()
            .collect(),
    }
}

/// The backup.
pub(super) fn archive(places: &Places, depth: Depth) -> Archive {
    let at = |text: &[&str]| own::at(words(text), places.repository.as_deref());
    let listed = match own::run(&at(&["backup", "list"])) {
        Ok(ran) => ran,
        Err(why) => return Archive::Unknown(why),
    };
    let is = |code: Code| listed.code == Some(i32::from(code.exit()));
    match listed.code {
        Some(0) => {}
        _ if is(Code::NotFound) => return Archive::None,
        _ if is(Code::InvalidState) => return Archive::NoKey,
        _ if is(Code::BackupUnhealthy) => {
            return Archive::Damaged {
                what: listed.why(),
                lost: None,
            };
        }
        _ => return Archive::Unknown(listed.why()),
    }
    let mut verify = at(&["backup", "verify"]);
    if depth == Depth::Data {
        verify.push("--data".into());
    }
    match own::run(&verify) {
        Ok(ran) if ran.code == Some(0) => {}
        // Only what a verification found says that: one that was killed, or found the backup in use, knows nothing.
        Ok(ran) if ran.code == Some(i32::from(Code::BackupInvalid.exit())) => {
            return match first_finding(&ran.value) {
                Some(what) => Archive::Damaged {
                    what,
                    lost: lost_snapshots(&ran.value),
                },
                None => Archive::Unknown(ran.why()),
            };
        }
        Ok(ran) => return Archive::Unknown(ran.why()),
        Err(why) => return Archive::Unknown(why),
    }
    let mut snapshots = listed.value["snapshots"].as_array().cloned().unwrap_or_default();
    // What restic saved of other folders brings nothing back here; and as long as there is a complete one, no other is
    // gone by.
    snapshots.retain(|one| one["ours"] != false);
    let is_complete = |one: &Value| one["incomplete"] == false;
    if snapshots.iter().any(is_complete) {
        snapshots.retain(is_complete);
    }
    let newest = snapshots.iter().filter_map(|one| one["wall_ns"].as_i64()).max();
    Archive::Open {
        snapshots: snapshots.len() as u64,
        newest_age_ns: newest.map(|at| now_ns().saturating_sub(at).max(0).unsigned_abs()),
    }
}

/// How many snapshots have lost something by what a verification found; none if it does not know.
fn lost_snapshots(value: &Value) -> Option<LostSnapshots> {
    Some(LostSnapshots {
        snapshots: value["lost"].as_array()?.len() as u64,
        of: value["snapshots"].as_u64()?,
    })
}

/// The first serious thing that a verification found.
fn first_finding(value: &Value) -> Option<String> {
    let findings = value["findings"].as_array()?;
    let serious = findings.iter().find(|finding| finding["serious"] == true)?;
    Some(serious["what"].as_str()?.to_owned())
}

pub(super) fn disk(places: &Places) -> DiskSigns {
    let there = places.state.ancestors().find(|folder| folder.exists());
    let found = there.and_then(|folder| rustix::fs::statvfs(folder).ok());
    let spare = files_below(&places.cache).iter().map(|(_, bytes)| bytes).sum();
    DiskSigns {
        free_bytes: found
            .as_ref()
            .map(|found| found.f_bavail.saturating_mul(found.f_frsize)),
        total_bytes: found
            .as_ref()
            .map(|found| found.f_blocks.saturating_mul(found.f_frsize)),
        spare_bytes: spare,
    }
}

fn worker_crashes(places: &Places) -> u32 {
    let crashes = lle_maintenance::worker::crashes::found(&places.maint);
    let since = now_ns().saturating_sub(WORKER_WINDOW_NS);
    let recent = crashes.into_iter().filter(|at| (since..=now_ns()).contains(at));
    u32::try_from(recent.count()).unwrap_or(u32::MAX)
}

/// The files of a folder and below it, with their lengths, as many as are looked at; links are not followed.
pub(crate) fn files_below(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    // To look at, or to count: the first ones say enough.
    let _enough = collect_below(folder, &mut files);
    files.sort();
    files
}

/// All of them, for whoever goes by that: an error if there are more than are looked at.
pub(crate) fn all_below(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    if !collect_below(folder, &mut files) {
        let why = format!("{} has more than {FILES_MAX} files", folder.display());
        return Err(io::Error::other(why));
    }
    files.sort();
    Ok(files)
}

/// Whether those are all.
fn collect_below(folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> bool {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if files.len() >= FILES_MAX {
                return false;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    files.push((entry.path(), entry.metadata().map_or(0, |found| found.len())));
                }
                _ => {}
            }
        }
    }
    true
}
