//! The start guard: a broken `~/.bashrc` costs one shell, never the next.
//!
//! Before bash starts, what it is going to read is recorded with a copy; at its first prompt LLE adds that
//! it got there. [`lle_core::start`] decides from the earlier records; here is the disk.
//!
//! Invariant: whatever the disk does, there is an answer. Without a place for records the files on disk are
//! read as bash would, and the user is told.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use lle_core::start::{self, Decision, Start, Use};

use crate::launch_script::Source;
use crate::paths::{self, create_folder};
use crate::start_record::{self, Began, DRAFT, File, Record};

/// The files of a login shell, of which bash reads the first that it can.
const PROFILES: [&str; 3] = [".bash_profile", ".bash_login", ".profile"];
const RC: &str = ".bashrc";
const GOOD: &str = "good";
/// An unfinished record older than this is a start that was killed while writing it, in nanoseconds.
const DRAFT_AGE_MAX_NS: i64 = 60 * 1_000_000_000;

/// What a shell is to read.
pub(crate) struct Files {
    /// The files, in order.
    pub(crate) sources: Vec<Source>,
    /// Where LLE says that a prompt was reached.
    pub(crate) start_dir: Option<PathBuf>,
    /// What to tell the user first, with its newline.
    pub(crate) message: Option<String>,
}

/// Decides what an interactive shell reads, and records that it is starting.
///
/// `watched` says that LLE will see the prompt: otherwise nothing is recorded.
pub(crate) fn begin(login: bool, retry: bool, watched: bool, shell: &Path, home: Option<PathBuf>) -> Files {
    let home = home.unwrap_or_default();
    let readable = |name: &&str| std::fs::File::open(home.join(name)).is_ok();
    let profile = if login {
        PROFILES.into_iter().find(readable)
    } else {
        None
    };
    let current = || match (login, profile) {
        (false, _) => vec![Source::Home(RC)],
        (true, None) => vec![system_profile()],
        (true, Some(profile)) => vec![system_profile(), Source::Home(profile)],
    };
    let unguarded = |message| Files {
        sources: current(),
        start_dir: None,
        message,
    };
    if !watched {
        return unguarded(None);
    }
    let names: Vec<_> = if login {
        profile.into_iter().chain([RC]).collect()
    } else {
        vec![RC]
    };
    let guarded = (|| {
        let files = names
            .iter()
            .filter_map(|name| File::read(&home, name).transpose());
        let files: Vec<_> = files.collect::<io::Result<_>>()?;
        if files.is_empty() {
            return Ok(unguarded(None));
        }
        Guard::of(files, login)?.begin(retry, shell, &current)
    })();
    guarded.unwrap_or_else(|error: io::Error| {
        unguarded(Some(format!(
            "lusush: start-up files are not guarded: {error}.\n"
        )))
    })
}

fn system_profile() -> Source {
    Source::At("/etc/profile".into())
}

/// Says what the next interactive start will tell the user, changing nothing: none if it reads `~/.bashrc`.
///
/// # Errors
/// The records cannot be read.
pub(crate) fn told() -> io::Result<Option<String>> {
    let home = paths::home().ok_or_else(|| io::Error::other("there is no home folder"))?;
    let Some(file) = File::read(&home, RC)? else {
        return Ok(None);
    };
    let guard = Guard::of(vec![file], false)?;
    if !guard.starts.exists() {
        return Ok(None);
    }
    let now_ns = now_ns();
    let found = guard.look(now_ns)?;
    let (decision, _) = guard.decide(&found, false, now_ns, &start_record::boot()?);
    Ok(guard.message(&decision, now_ns))
}

fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i64)
}

/// The records of one kind of start, and the files it would read now.
struct Guard {
    starts: PathBuf,
    files: Vec<File>,
    login: bool,
}

/// What lies among the records.
struct Found {
    /// The earlier starts, oldest first.
    records: Vec<Record>,
    /// What is no record.
    rubbish: Vec<PathBuf>,
}

impl Guard {
    fn of(files: Vec<File>, login: bool) -> io::Result<Self> {
        let state = paths::folders().state.map_err(io::Error::other)?;
        let starts = state
            .join("start")
            .join(if login { "login" } else { "interactive" });
        Ok(Self { starts, files, login })
    }

    fn begin(self, retry: bool, shell: &Path, current: &dyn Fn() -> Vec<Source>) -> io::Result<Files> {
        let now_ns = now_ns();
        let boot = start_record::boot()?;
        let found = match self.look(now_ns) {
            // The first start of all.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_folder(&self.starts)?;
                self.look(now_ns)?
            }
            found => found?,
        };
        let (decision, good) = self.decide(&found, retry, now_ns, &boot);
        let spare = self.tidy(&found, &decision);

        // Another good copy than the one that was there a moment ago.
        let good = if decision.promote.is_some() {
            self.good()
        } else {
            good
        };
        let began = Began {
            shell,
            ns: now_ns,
            boot: &boot,
        };
        let write = |ran, copies| start_record::write(&self.starts, &began, ran, copies, spare);
        let (sources, start_dir) = match (decision.use_, good) {
            (Use::Current, good) => {
                let ran = start_record::version(&self.files);
                let copied = good.is_some_and(|good| good.ran() == ran);
                let dir = write(ran, if copied { &[] } else { &self.files })?;
                (current(), Some(dir))
            }
            (Use::LastGood, Some(good)) => {
                let dir = write(good.ran(), &[]).ok();
                (self.good_sources(&good), dir)
            }
            (Use::LastGood | Use::Nothing, _) if self.login => (vec![system_profile()], None),
            (Use::LastGood | Use::Nothing, _) => (Vec::new(), None),
        };
        Ok(Files {
            sources,
            start_dir,
            message: self.message(&decision, now_ns),
        })
    }

    fn good(&self) -> Option<Record> {
        Record::read(self.starts.join(GOOD)).ok()
    }

    /// Decides, and gives the good copy it knew of.
    fn decide(&self, found: &Found, retry: bool, now_ns: i64, boot: &str) -> (Decision, Option<Record>) {
        let starts: Vec<Start> = found.records.iter().map(|record| record.look(boot)).collect();
        let current = start_record::version(&self.files);
        let good = self.good();
        let ran = good.as_ref().map(Record::ran);
        (start::decide(&starts, current, ran, retry, now_ns), good)
    }

    fn message(&self, decision: &Decision, now_ns: i64) -> Option<String> {
        let names: Vec<_> = self.files.iter().map(|file| format!("~/{}", file.name)).collect();
        start::message(decision, &names.join(" and "), now_ns)
    }

    fn look(&self, now_ns: i64) -> io::Result<Found> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.starts)? {
            names.extend(entry?.file_name().into_string());
        }
        // An id begins with the time, at a fixed width.
        names.sort_unstable();
        let mut found = Found {
            records: Vec::new(),
            rubbish: Vec::new(),
        };
        for name in names.iter().filter(|name| *name != GOOD) {
            let dir = self.starts.join(name);
            let began_ns = |id: &str| {
                id.split('-')
                    .next()
                    .and_then(|ns| ns.parse::<i64>().ok())
                    .unwrap_or(0)
            };
            match name.strip_prefix(DRAFT) {
                Some(id) if now_ns.saturating_sub(began_ns(id)) <= DRAFT_AGE_MAX_NS => {}
                Some(_) => found.rubbish.push(dir),
                None => match Record::read(dir.clone()) {
                    Ok(record) => found.records.push(record),
                    Err(_) => found.rubbish.push(dir),
                },
            }
        }
        Ok(found)
    }

    /// Carries out what was decided about the records; keeps one without copies, if there is one, for this start.
    fn tidy<'a>(&self, found: &'a Found, decision: &Decision) -> Option<&'a Path> {
        let discarded = || decision.discard.iter().map(|&index| &found.records[index]);
        let spare = discarded()
            .find(|record| record.has_no_copies())
            .map(|record| record.dir.as_path());
        discarded()
            .map(|record| record.dir.as_path())
            .filter(|dir| Some(*dir) != spare)
            .chain(found.rubbish.iter().map(PathBuf::as_path))
            .for_each(remove);
        if let Some(index) = decision.promote {
            self.promote(&found.records[index].dir);
        }
        spare
    }

    /// Makes the record in `new` the last good one.
    fn promote(&self, new: &Path) {
        let good = self.starts.join(GOOD);
        let here = rustix::fs::CWD;
        // In one step, so that no other start finds no good copy.
        match rustix::fs::renameat_with(here, new, here, &good, rustix::fs::RenameFlags::EXCHANGE) {
            Ok(()) => remove(new),
            // There was none, or the file system cannot exchange.
            Err(_) => {
                remove(&good);
                // If that fails, the record is still there for the next start.
                let _ = std::fs::rename(new, &good);
            }
        }
    }

    /// What to read of the last good copy.
    ///
    /// A profile usually reads `~/.bashrc`, by name: if that one has changed, the copy of the profile would read
    /// the very file that is to be avoided. Then only the copy of `~/.bashrc` is read.
    fn good_sources(&self, good: &Record) -> Vec<Source> {
        let rc = good.copy(RC, &self.files);
        if !self.login {
            return rc.map(|(copy, _)| Source::At(copy)).into_iter().collect();
        }
        let profile = PROFILES.iter().find_map(|name| good.copy(name, &self.files));
        let rc_added = rc.is_none() && self.files.iter().any(|file| file.name == RC);
        let from = match (profile, rc) {
            (_, Some((copy, false))) => Some(copy),
            (Some((copy, _)), _) if !rc_added => Some(copy),
            _ => None,
        };
        [system_profile()]
            .into_iter()
            .chain(from.map(Source::At))
            .collect()
    }
}

/// Removes a record. One that stays is looked at again by the next start.
fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}
