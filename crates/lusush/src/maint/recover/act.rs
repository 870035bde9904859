//! Does the steps of a plan, each by what does the same by hand, or over the code that a worker does it with.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use lle_core::config::FILE_NAME;
use lle_core::error::Code;
use lle_core::quantity::{bytes, several};
use lle_core::recovery::Step;
use lle_log::history::History;
use lle_log::mirror::{self, Lock, Mirror};
use lle_maintenance::real::config::{Trust, read};
use rustix::fs::FlockOperation;

use super::gather::{self, files_below, now_ns};
use super::kept::Keeping;
use super::own::{self, words};
use super::places::{Places, lock_file};
use crate::maint::ask;
use crate::paths::create_folder;
use crate::replace::{replace, sync_folder};
use crate::start_crashes;

/// Records that only the log has, held in memory while it is restored: as many as a worker holds.
const NEW_RECORDS_MAX: usize = 64 * 1024;

/// Commands that bash's own list begins with at most, unless somebody configured another number.
const LISTED_MAX: usize = 20_000;

/// Does one step; says what came of it, or why nothing did.
pub(super) fn step(places: &Places, step: Step, keeping: &Keeping) -> Result<String, String> {
    let at = |text: &[&str]| own::at(words(text), places.repository.as_deref());
    match step {
        Step::ArchiveToMirror => archive_to_mirror(places),
        Step::MirrorToLog => mirror_to_log(places),
        Step::MirrorAnew => mirror_anew(places),
        Step::Section(section) => own::run(&at(&["backup", "restore", "--section", section]))?
            .succeeded()
            .map(|value| moved(&value)),
        Step::Everything => own::run(&at(&["backup", "restore"]))?
            .succeeded()
            .map(|value| moved(&value)),
        Step::ConfigVersion(number) => config_version(places, number),
        Step::ConfigFile => config_file(places),
        Step::StateAway => state_away(places),
        Step::RepositoryAway => repository_away(places, keeping),
        Step::Snapshot => snapshot(),
        Step::MakeRoom => make_room(places),
        Step::FeaturesOn => {
            start_crashes::reset(&places.degraded(), now_ns()).map_err(|error| error.to_string())?;
            Ok("sessions that start now have everything again".into())
        }
        Step::ForgetCrashes => {
            lle_maintenance::worker::crashes::forget(&places.maint).map_err(|error| error.to_string())?;
            Ok("the next prompt starts a worker again".into())
        }
        Step::HistoryFile => history_file(places).map_err(|error| error.to_string()),
        Step::Worker => worker(places),
    }
}

/// What a restore said.
fn moved(value: &serde_json::Value) -> String {
    let number = |name: &str| value[name].as_u64().unwrap_or(0);
    let mut said = format!("{} put back", several(number("moved"), "file", "files"));
    let left = number("same") + number("grown");
    if left > 0 {
        said += &format!(", {} as they should be", several(left, "file", "files"));
    }
    let filled = number("filled");
    if filled > 0 {
        let histories = several(filled, "history", "histories");
        said += &format!(", {histories} filled with what was missing");
    }
    if let Some(aside) = value["aside"].as_str() {
        said += &format!("; what they replaced is in {aside}");
    }
    // A person may want what only it has.
    if let Some(newer) = value["passed_over"].as_str() {
        let name = newer.get(..8).unwrap_or(newer);
        said += &format!(
            "; snapshot {name} is newer and lacks files: `lusush maint backup diff {name}` compares"
        );
    }
    said
}

/// The log of the newest snapshot takes the mirror's name; what had it is `….mirror.before`, as elsewhere.
fn archive_to_mirror(places: &Places) -> Result<String, String> {
    let length = from_snapshot(places, "data", |scratch| {
        let name = places.log.file_name().unwrap_or_default();
        let saved = scratch.join("data").join("history").join(name);
        if !saved.is_file() {
            return Err("the newest snapshot has no history of this machine".to_owned());
        }
        as_mirror(places, &saved).map_err(|error| error.to_string())
    })?;
    Ok(format!("{} of the newest snapshot", bytes(length as f64)))
}

/// Takes something out of a section of the newest snapshot, which lies in a folder of its own meanwhile.
fn from_snapshot<T>(
    places: &Places,
    section: &str,
    take: impl FnOnce(&Path) -> Result<T, String>,
) -> Result<T, String> {
    let scratch = places.cache.join("recover");
    let _of_a_killed_one = fs::remove_dir_all(&scratch);
    create_folder(&places.cache).map_err(|error| error.to_string())?;
    let mut asked = own::at(
        words(&["backup", "restore", "--section", section, "--to"]),
        places.repository.as_deref(),
    );
    asked.push(scratch.clone().into());
    let taken = own::run(&asked)?.succeeded().and_then(|_| take(&scratch));
    let _removed = fs::remove_dir_all(&scratch);
    taken
}

/// Start-up files and themes are in the same section, and are none of its business.
fn config_file(places: &Places) -> Result<String, String> {
    from_snapshot(places, "configuration", |scratch| {
        let saved = scratch.join("configuration").join("lusush").join(FILE_NAME);
        let text = fs::read(&saved).map_err(|_| format!("the newest snapshot has no {FILE_NAME}"))?;
        replace(&places.config_target(), &text).map_err(|error| error.to_string())?;
        Ok(format!("{FILE_NAME} says what the newest snapshot has"))
    })
}

fn as_mirror(places: &Places, saved: &Path) -> io::Result<u64> {
    let mirror = mirror::path_of(&places.log);
    let folder = mirror.parent().unwrap_or(&places.state).to_owned();
    create_folder(&folder)?;
    let _lock = Lock::take(&places.log)?;
    let beside = |end: &str| {
        let mut name = mirror.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let draft = beside(".new");
    let length = fs::copy(saved, &draft)?;
    File::open(&draft)?.sync_all()?;
    match fs::rename(&mirror, beside(".before")) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(&draft, &mirror)?;
    sync_folder(&folder)?;
    Ok(length)
}

/// A worker that runs does it itself, so that what sessions write meanwhile is carried over by whoever stays.
fn mirror_to_log(places: &Places) -> Result<String, String> {
    if ask::holder_of().is_some()
        && let Ok(ran) = own::run(&words(&["history", "restore"]))
        && let Ok(value) = ran.succeeded()
    {
        return Ok(value["said"].as_str().unwrap_or("put back").to_owned());
    }
    let lock = Lock::take(&places.log).map_err(|error| error.to_string())?;
    let mut mirror = Mirror::new(&places.log);
    let restored = mirror.restore(&lock, NEW_RECORDS_MAX).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    })?;
    drop(lock);
    // What was written into the former file late, and what only the log has: both are in the mirror then.
    let _by_the_next_worker = mirror.follow();
    let mut said = format!("{} put back", bytes(restored.bytes_back as f64));
    if restored.records_kept > 0 {
        let kept = several(restored.records_kept, "record", "records");
        said += &format!(", {kept} that only the log has kept");
    }
    if restored.foreign_bytes > 0 {
        let foreign = bytes(restored.foreign_bytes as f64);
        said += &format!(
            ", {foreign} that were no record left in {}.found",
            places.log.display()
        );
    }
    Ok(said)
}

/// A worker that runs does it itself, since it follows the mirror.
fn mirror_anew(places: &Places) -> Result<String, String> {
    if ask::holder_of().is_some() {
        let value = own::run(&words(&["history", "restore", "--accept"]))?.succeeded()?;
        return Ok(value["said"].as_str().unwrap_or("made anew").to_owned());
    }
    let lock = Lock::take(&places.log).map_err(|error| error.to_string())?;
    Mirror::new(&places.log)
        .accept(&lock)
        .map_err(|error| error.to_string())?;
    Ok("made anew; the former one is kept beside it as ….mirror.before".into())
}

fn config_version(places: &Places, number: u64) -> Result<String, String> {
    let path = places.config_file();
    let trust = Trust::User(rustix::process::geteuid().as_raw());
    if read(&path, trust).is_err() {
        // Nobody can compare it with anything. It was kept, like everything else in the folder. A link stays one.
        let target = places.config_target();
        let emptied = match fs::metadata(&target) {
            Ok(found) if !found.is_file() => Err(io::Error::other("it is no file")),
            _ if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) => replace(&target, b""),
            _ => fs::remove_file(&path),
        };
        emptied.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    own::run(&words(&["config", "rollback", &number.to_string()]))?.succeeded()?;
    Ok(format!("{FILE_NAME} says what version #{number} said"))
}

/// The state was kept; without it a worker begins anew. The audit log goes on.
fn state_away(places: &Places) -> Result<String, String> {
    // No worker runs as long as this is held, and none begins.
    let _no_worker =
        lle_maintenance::worker::lock::Lock::take(&places.maint).map_err(|error| error.to_string())?;
    match fs::remove_file(places.maint.join("state.log")) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok("the worker begins anew".into()),
    }
}

fn repository_away(places: &Places, keeping: &Keeping) -> Result<String, String> {
    let Some((from, to)) = keeping.repository_away() else {
        return Err("it has no place to go".into());
    };
    let _nobody_backs_up = places.backup_lock().map_err(|error| error.to_string())?;
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok("there is none any more".into()),
        Err(error) => Err(error.to_string()),
        Ok(()) => {
            // It says that snapshots are there: of whoever finds none there next, nobody knows that they were moved.
            let _untold = fs::remove_file(places.data.join("backup").join("last.json"));
            Ok(format!("it is kept as {}", to.display()))
        }
    }
}

fn snapshot() -> Result<String, String> {
    let ran = own::run(&words(&["backup", "create", "--why", "after a recovery"]))?;
    // Files that could not be read are missing in it, and were before.
    let is_incomplete = ran.code == Some(i32::from(Code::BackupInvalid.exit()));
    let value = match is_incomplete {
        true => ran.value,
        false => ran.succeeded()?,
    };
    let files = value["snapshot"]["files"].as_u64().unwrap_or(0);
    Ok(format!("{} saved", several(files, "file", "files")))
}

/// All in the cache folder can be made again; that is what it is for.
fn make_room(places: &Places) -> Result<String, String> {
    let drill = places.cache.join("drill");
    let lock = drill.join("lock");
    // A drill that runs goes on; its lock is nobody's to remove.
    let held = lock.exists().then(|| lock_file(&lock));
    let is_at_work = match &held {
        Some(Ok(file)) => rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_err(),
        Some(Err(_)) => true,
        None => false,
    };
    let (mut removed, mut first_error) = (0, None);
    for (path, length) in files_below(&places.cache) {
        if path == lock || is_at_work && path.starts_with(&drill) {
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => removed += length,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => first_error = first_error.or(Some(format!("{}: {error}", path.display()))),
        }
    }
    let free = bytes(gather::disk(places).free_bytes.unwrap_or(0) as f64);
    match first_error {
        Some(error) => Err(error),
        None => Ok(format!("{} given back; {free} are free", bytes(removed as f64))),
    }
}

/// The log has every command; Up finds those that bash has in its list, and bash reads its own file only, which no backup
/// has.
fn history_file(places: &Places) -> io::Result<String> {
    let named = std::env::var_os("HISTFILE")
        .filter(|named| !named.is_empty())
        .map(PathBuf::from);
    let Some(file) = named.or_else(|| Some(places.home.as_ref()?.join(".bash_history"))) else {
        return Ok("nobody knows where it would be".into());
    };
    if file.exists() {
        return Ok(format!("{} is there", file.display()));
    }
    // On a new machine the log of the former one has all.
    let logs = files_below(places.log.parent().unwrap_or(&places.state)).into_iter();
    let newest = logs
        .filter(|(path, _)| path.extension().is_some_and(|end| end == "log"))
        .filter_map(|(path, _)| Some((newest_command(&path)?, path)))
        .max();
    let Some((_, log)) = newest else {
        return Ok("there is no history to make it of".into());
    };
    let opened = History::open(&log, 1, 0, None).map_err(io::Error::other)?;
    let mut text = Vec::new();
    let commands = opened.history.tail(LISTED_MAX);
    for command in &commands {
        // As bash writes it when HISTTIMEFORMAT is set: an entry of several lines is one again when it is read.
        let seconds = command.time_ns.div_euclid(1_000_000_000).max(0);
        text.extend_from_slice(format!("#{seconds}\n").as_bytes());
        text.extend_from_slice(&command.command);
        text.push(b'\n');
    }
    replace(&file, &text)?;
    let many = several(commands.len() as u64, "command", "commands");
    Ok(format!("{} has the newest {many}", file.display()))
}

/// When the newest command of a log was typed; none if there is none.
fn newest_command(log: &Path) -> Option<i64> {
    let opened = History::open(log, 1, 0, None).ok()?;
    opened.history.tail(1).first().map(|command| command.time_ns)
}

fn worker(places: &Places) -> Result<String, String> {
    if places.is_stopped() {
        return Ok("none is wanted: `lusush maint start` lets workers run".into());
    }
    if ask::holder_of().is_none() {
        own::run(&words(&["start"]))?.succeeded()?;
    }
    Ok("a worker runs".into())
}
