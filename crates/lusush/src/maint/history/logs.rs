//! The logs that there are: this machine's, and those of others that share the home or were merged.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use lle_log::history::{History, Reading};

use crate::failure::Failure;
use crate::paths;
use crate::text::printable;

/// Logs looked into: far more machines than anybody has.
const LOGS_MAX: usize = 64;

/// A log and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    /// The machine's id, or the name it was merged under.
    pub(super) host: String,
    /// It is this machine's.
    pub(super) is_own: bool,
}

/// The folders and the log of this machine.
pub(super) struct Own {
    pub(super) state: PathBuf,
    pub(super) data: Option<PathBuf>,
    pub(super) runtime: Option<PathBuf>,
    pub(super) log: PathBuf,
    pub(super) index: Option<PathBuf>,
}

/// The logs that could be opened.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) logs: Vec<(Log, Reading)>,
    /// Why others could not, a sentence each.
    pub(super) left_out: Vec<String>,
}

impl Opened {
    /// Says what was left out, on the standard error: what is asked for stands on the other.
    pub(super) fn tell(&self) {
        for why in &self.left_out {
            eprintln!("lusush: left out: {}", printable(why, usize::MAX));
        }
    }
}

pub(super) fn own() -> Result<Own, Failure> {
    let folders = paths::folders();
    let state = folders.state.map_err(|refusal| {
        Failure::new("there is no place for a history")
            .because(refusal)
            .hint("`lusush doctor` says more about folders")
    })?;
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    Ok(Own {
        log: lle_core::paths::history_log(&state, &machine),
        index: folders
            .cache
            .ok()
            .map(|cache| lle_core::paths::history_index(&cache, &machine)),
        data: folders.data.ok(),
        runtime: folders.runtime.ok(),
        state,
    })
}

impl Own {
    /// Every log, this machine's first.
    pub(super) fn all(&self) -> Vec<Log> {
        let mut logs: Vec<Log> = self
            .files()
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .take(LOGS_MAX)
            .map(|path| Log {
                host: path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                is_own: path == self.log,
                path,
            })
            .collect();
        logs.sort_by_key(|log| (!log.is_own, log.host.clone()));
        logs
    }

    /// Opens every log that is wanted. What is in the folder and is no log is left out and said to be; this machine's own must
    /// be one.
    pub(super) fn open_all(&self, wanted: impl Fn(&Log) -> bool) -> Result<Opened, Failure> {
        let mut opened = Opened::default();
        for log in self.all().into_iter().filter(wanted) {
            match History::read(&log.path) {
                Ok(history) => opened.logs.push((log, history)),
                Err(error) if log.is_own => return Err(unopened(&log.path, error)),
                Err(error) => opened.left_out.push(error.to_string()),
            }
        }
        Ok(opened)
    }

    /// Every file in the folder of the history.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let folder = self.log.parent().unwrap_or(Path::new("/"));
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        files.sort();
        files
    }
}

/// Opens a log to read it.
pub(super) fn open(path: &Path) -> Result<Reading, Failure> {
    if !path.exists() {
        return Err(
            Failure::new(format!("there is no history log yet: {}", path.display()))
                .hint("the first session makes it: run `lusush`"),
        );
    }
    History::read(path).map_err(|error| unopened(path, error))
}

/// There is no log that could be read, of the machine that was named or of any.
pub(super) fn none_of(host: Option<&str>) -> Failure {
    match host {
        Some(host) => Failure::new(format!(
            "there is no history of a machine {}",
            printable(host, 64)
        ))
        .hint("`lusush maint history stats` lists the machines"),
        None => Failure::new("there is no history log yet").hint("the first session makes it: run `lusush`"),
    }
}

/// A log that cannot be read.
pub(super) fn unopened(path: &Path, error: lle_log::OpenError) -> Failure {
    Failure::new(format!("cannot open {}", path.display()))
        .because(error)
        .hint("`lusush doctor` says more about folders")
}

/// Nanoseconds since 1970.
pub(super) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// A number that nobody else has.
pub(super) fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish() | 1
}
