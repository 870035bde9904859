//! The start guard: a broken `~/.bashrc` costs one shell, never the next.
//!
//! Before bash starts, what it is going to read is recorded with a copy; at its first prompt LLE adds that
//! it got there. [`lle_core::start`] decides from the earlier records; here is the disk.
//!
//! Invariant: whatever the disk does, there is an answer. Without a place for records the files on disk are
//! read as bash would, and the user is told.

mod elsewhere;
mod found;
mod sourced;
pub(crate) mod states;

use std::cell::OnceCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use lle_core::start::{self, Decision, Failure, Start, Use};

use crate::launch_script::Source;
use crate::paths::{self, create_folder};
use crate::start_file::{self, File, INPUTRC, NOTHING};
use crate::start_record::{self, Began, DRAFT, Record};
use crate::{start_story, start_versions};
use found::Found;

/// The files of a login shell, of which bash reads the first that it can.
pub(crate) const PROFILES: [&str; 3] = [".bash_profile", ".bash_login", ".profile"];
pub(crate) const RC: &str = ".bashrc";
pub(crate) const GOOD: &str = "good";
/// Starts of one process that make a circle: one more may be meant, by a file that marks the environment first.
const ROUNDS_MIN: usize = 2;
/// An unfinished record older than this is a start that was killed while writing it, in nanoseconds.
const DRAFT_AGE_MAX_NS: i64 = 60 * 1_000_000_000;

/// What is said where changed files are not tried, since nobody would know how that went.
const UNTRIED: &str = "        A failure could not be noted, so changed files are not tried: this shell\n\
                       \x20       uses the last version that reached a prompt.\n\
                       \x20       Make room, or try them all the same: `lusush --retry`.\n";

/// What a shell is to read.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// The files, in order.
    pub(crate) sources: Vec<Source>,
    /// What readline reads in place of its own, if anything.
    pub(crate) inputrc: Option<PathBuf>,
    /// What is read in place of files that these read.
    pub(crate) instead: Vec<(PathBuf, PathBuf)>,
    /// Nothing says how long the user's history may get, since none of their files is read.
    pub(crate) keeps_history_whole: bool,
    /// Where LLE says that a prompt was reached.
    pub(crate) start_dir: Option<PathBuf>,
    /// What to tell the user first, with its newline.
    pub(crate) message: Option<String>,
    /// Shells ended by themselves at their first prompt, and the files on disk are what is to blame.
    pub(crate) blamed: bool,
}

/// Decides what an interactive shell reads, and records that it is starting.
///
/// `watched` says that LLE will see the prompt: otherwise nothing is recorded.
pub(crate) fn begin(login: bool, retry: bool, watched: bool, shell: &Path, home: Option<PathBuf>) -> Files {
    let found = Found::look(home.unwrap_or_default(), login);
    let (sources, inputrc, left_out) = (found.sources(login), found.inputrc(), found.left_out());
    // A profile that reads ~/.bashrc by name must not wait for it either.
    let instead: Vec<_> = found
        .is_endless(RC)
        .then(|| (found.home.join(RC), NOTHING.into()))
        .into_iter()
        .collect();
    let unguarded = Files {
        sources,
        inputrc,
        instead,
        ..Files::default()
    };
    let mut files = if !watched || found.files.is_empty() {
        unguarded
    } else {
        let guarded = Guard::of(found, login).and_then(|mut guard| {
            let begun = guard.begin(retry, shell, &unguarded);
            begun.or_else(|error| guard.unrecorded(retry, &unguarded, error))
        });
        match guarded {
            Ok(guarded) => guarded,
            Err(error) => Files {
                message: Some(format!("lusush: start-up files are not guarded: {error}.\n")),
                ..unguarded
            },
        }
    };
    if !left_out.is_empty() {
        files.message = Some(left_out + &files.message.unwrap_or_default());
    }
    files
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
    let found = Found::look(home, false);
    if found.files.is_empty() {
        return Ok(None);
    }
    let mut guard = Guard::of(found, false)?;
    if !guard.starts.exists() {
        return Ok(None);
    }
    let now_ns = now_ns();
    let (mut records, boot) = (guard.look(now_ns)?, start_record::boot()?);
    guard.add_sourced(&records, &boot);
    guard.add_elsewhere(&mut records, &boot, now_ns);
    let (decision, good) = guard.decide(&records, false, now_ns, &boot);
    Ok(guard.message(&decision, &records, good.as_deref(), now_ns))
}

/// What a shell reads in which nothing else has helped: the files that last worked, or nothing. None if those are the ones on
/// disk, or there are none; it reads them by itself.
pub(crate) fn last_resort(login: bool, home: Option<PathBuf>) -> Option<Files> {
    let found = Found::look(home.unwrap_or_default(), login);
    if found.files.is_empty() {
        return None;
    }
    let mut guard = Guard::of(found, login).ok()?;
    let (now_ns, boot) = (now_ns(), start_record::boot().ok()?);
    let records = guard.look(now_ns).unwrap_or_default();
    guard.add_sourced(&records, &boot);
    let (decision, good) = guard.decide(&records, false, now_ns, &boot);
    // What is about to become the good one is not there yet under that name.
    let good = match decision.promote {
        Some(index) => Record::read(records.records.get(index)?.dir.clone())
            .ok()
            .map(Rc::new),
        None => good,
    };
    let files = match &good {
        Some(good) if good.ran() == start_file::version(&guard.files) => return None,
        Some(good) => Files {
            sources: guard.good_sources(good),
            inputrc: guard.good_inputrc(good),
            message: Some(
                "lusush: the start-up files are read as they were when a shell last lived.\n".into(),
            ),
            ..Files::default()
        },
        None => Files {
            sources: login.then(system_profile).into_iter().collect(),
            inputrc: Some(NOTHING.into()),
            keeps_history_whole: true,
            message: Some("lusush: no start-up file is read, since none is known to work.\n".into()),
            ..Files::default()
        },
    };
    Some(files)
}

fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i64)
}

/// The records of one kind of start, and the files it would read now.
pub(crate) struct Guard {
    starts: PathBuf,
    home: PathBuf,
    files: Vec<File>,
    login: bool,
    /// The last good start, once somebody asked for it.
    good: OnceCell<Option<Rc<Record>>>,
}

/// What lies among the records.
#[derive(Default)]
struct Records {
    /// The earlier starts, oldest first.
    records: Vec<Record>,
    /// What is no record.
    rubbish: Vec<PathBuf>,
    /// The starts of the other kind that failed of what this one would read.
    elsewhere: Vec<Record>,
}

impl Guard {
    fn of(found: Found, login: bool) -> io::Result<Self> {
        let state = paths::state().map_err(io::Error::other)?;
        let starts = state.join("start").join(kind(login));
        Ok(Self {
            starts,
            home: found.home,
            files: found.files,
            login,
            good: OnceCell::new(),
        })
    }

    fn begin(&mut self, retry: bool, shell: &Path, current: &Files) -> io::Result<Files> {
        let now_ns = now_ns();
        let boot = start_record::boot()?;
        let mut found = match self.look(now_ns) {
            // The first start of all.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_folder(&self.starts)?;
                self.look(now_ns)?
            }
            found => found?,
        };
        self.add_sourced(&found, &boot);
        self.add_elsewhere(&mut found, &boot, now_ns);
        notice_circle(&mut found.records, &boot);
        let (decision, good) = self.decide(&found, retry, now_ns, &boot);
        let spare = self.tidy(&found, &decision);

        // Another good copy than the one that was there a moment ago.
        let good = if decision.promote.is_some() {
            self.good = OnceCell::new();
            self.good()
        } else {
            good
        };
        if decision.promote.is_some() || decision.because.is_some() {
            start_versions::keep(
                &self.home,
                good.as_deref(),
                &self.files,
                decision.because.is_some(),
            );
        }
        let message = self.message(&decision, &found, good.as_deref(), now_ns);
        let began = Began {
            shell,
            ns: now_ns,
            boot: &boot,
        };
        let write = |ran, copies| start_record::write(&self.starts, &began, ran, copies, spare);
        let rescue = Files {
            sources: if self.login {
                vec![system_profile()]
            } else {
                Vec::new()
            },
            inputrc: Some(NOTHING.into()),
            keeps_history_whole: true,
            ..Files::default()
        };
        let files = match (decision.use_, good) {
            (Use::Current, good) => {
                let ran = start_file::version(&self.files);
                let copied = good.is_some_and(|good| good.ran() == ran);
                let dir = write(ran, if copied { &[] } else { &self.files })?;
                Files {
                    sources: current.sources.clone(),
                    inputrc: current.inputrc.clone(),
                    instead: current.instead.clone(),
                    start_dir: Some(dir),
                    ..Files::default()
                }
            }
            (Use::LastGood, Some(good)) => Files {
                start_dir: write(good.ran(), &[]).ok(),
                sources: self.good_sources(&good),
                inputrc: self.good_inputrc(&good).or(current.inputrc.clone()),
                instead: self.good_instead(&good, &found),
                ..Files::default()
            },
            (Use::LastGood | Use::Nothing, _) => rescue,
        };
        let blamed = matches!(decision.because, Some((Failure::Died, _)));
        Ok(Files {
            message,
            blamed,
            ..files
        })
    }

    /// What is read at a start that cannot be recorded: the next one would not know that it failed. So files that have
    /// changed since a prompt was last reached wait until there is room.
    ///
    /// # Errors
    /// What is on disk has reached a prompt, nothing else has, or somebody asks for it: `error`.
    fn unrecorded(&mut self, retry: bool, current: &Files, error: io::Error) -> io::Result<Files> {
        let Some(good) = self.good().filter(|_| !retry) else {
            return Err(error);
        };
        self.add_sourced(&Records::default(), "");
        let is_same = |name: &str| matches!(good.copy(name, &self.files), Some((_, true)));
        let of_bash = self.files.iter().filter(|file| !file.is_sourced());
        let mut names = good
            .copies()
            .map(|(name, _)| name)
            .chain(of_bash.map(|file| file.name.as_str()));
        if names.all(is_same) {
            return Err(error);
        }
        let known = start_story::known(&self.home, &self.files, Some(&good), None);
        Ok(Files {
            sources: self.good_sources(&good),
            inputrc: self.good_inputrc(&good).or(current.inputrc.clone()),
            instead: self.good_instead(&good, &Records::default()),
            message: Some(format!(
                "lusush: start-up files are not guarded: {error}.\n{known}{UNTRIED}"
            )),
            ..Files::default()
        })
    }

    fn good(&self) -> Option<Rc<Record>> {
        let read = || Record::read(self.starts.join(GOOD)).ok().map(Rc::new);
        self.good.get_or_init(read).clone()
    }

    /// Decides, and gives the good copy it knew of.
    fn decide(
        &self,
        found: &Records,
        retry: bool,
        now_ns: i64,
        boot: &str,
    ) -> (Decision, Option<Rc<Record>>) {
        let current = start_file::version(&self.files);
        let (indexes, starts): (Vec<_>, Vec<Start>) =
            elsewhere::starts(found, current, boot).into_iter().unzip();
        let good = self.good();
        let ran = good.as_deref().map(Record::ran);
        let mut decision = start::decide(&starts, current, ran, retry, now_ns);
        decision.promote = decision.promote.and_then(|at| indexes[at]);
        decision.discard = decision.discard.iter().filter_map(|&at| indexes[at]).collect();
        (decision, good)
    }

    fn message(
        &self,
        decision: &Decision,
        found: &Records,
        good: Option<&Record>,
        now_ns: i64,
    ) -> Option<String> {
        let (_, began_ns) = decision.because?;
        let of_bash = self.files.iter().filter(|file| !file.is_sourced());
        let mut names: Vec<_> = of_bash.map(|file| file.shown(&self.home)).collect();
        // What readline reads is named where nothing else is read, or where it is what changed.
        if names.len() > 1 {
            names.retain(|name| !name.ends_with(INPUTRC));
        }
        let mut records = found.records.iter().chain(&found.elsewhere);
        let failed = records.find(|record| record.began_ns() == began_ns);
        let known = start_story::known(&self.home, &self.files, good, failed);
        start::message(decision, &names.join(" and "), &known, now_ns)
    }

    fn look(&self, now_ns: i64) -> io::Result<Records> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.starts)? {
            names.extend(entry?.file_name().into_string());
        }
        // An id begins with the time, at a fixed width.
        names.sort_unstable();
        let mut found = Records::default();
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
        // A file with a syntax error is better than none, and than one with another.
        let may_be_unparsed = !start_record::is_parsed(&self.starts.join(GOOD));
        for record in &mut found.records {
            record.may_be_unparsed = may_be_unparsed;
        }
        Ok(found)
    }

    /// Carries out what was decided about the records; keeps one without copies, if there is one, for this start.
    fn tidy<'a>(&self, found: &'a Records, decision: &Decision) -> Option<&'a Path> {
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

/// Notices that a start-up file executes `lusush`, which reads it again: each time round is a failure then.
fn notice_circle(records: &mut [Record], boot: &str) {
    let mut ours: Vec<&mut Record> = records.iter_mut().filter(|record| record.is_ours(boot)).collect();
    if ours.len() >= ROUNDS_MIN {
        ours.iter_mut().for_each(|record| record.is_circle());
    }
}

/// The folder of a kind of start.
pub(crate) fn kind(login: bool) -> &'static str {
    if login { "login" } else { "interactive" }
}

/// Removes a record. One that stays is looked at again by the next start.
fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}
