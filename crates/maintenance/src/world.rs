//! The world as the engine sees it: files, sessions, jobs, time.
//!
//! Each trait has two implementations: the real one in this crate, and the simulated one of `lle-sim`, in which disks
//! tear, sessions lie and clocks jump. Time is not asked for but handed in, with every event.

use std::io;

use lle_core::config::{Problem, Refused};
use lle_core::desired::Desired;
use lle_core::in_force::InForce;
use lle_metrics::{Liveness, Snapshot};

use crate::real::rc_restore::{RestoreError, Restored};

/// One moment, by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds since 1970; may jump either way.
    pub wall_ns: i64,
    /// Nanoseconds since some start; never goes back, and stands still while the machine is suspended.
    pub mono_ns: u64,
}

/// The files that the engine owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// What the engine must not forget.
    State,
    /// What was done, one file a segment.
    Audit(u32),
    /// The head of the audit chain, kept apart from it.
    Anchor,
    /// The key of the audit chain.
    Key,
    /// A key that could not be used, kept for whoever wants to look.
    KeyAside,
    /// The state as a newer version left it, with what this one does not know.
    StateAside,
    /// Says that nobody wants a worker.
    Stopped,
}

/// The disk. What an operation acknowledges survives `kill -9`; only [`Disk::sync`] makes it survive power loss.
pub trait Disk {
    /// Reads a whole file; none if there is none.
    ///
    /// # Errors
    /// The system's.
    fn read(&mut self, file: File) -> io::Result<Option<Vec<u8>>>;

    /// Appends with one write.
    ///
    /// # Errors
    /// Nothing, or only the beginning, was written.
    fn append(&mut self, file: File, bytes: &[u8]) -> io::Result<()>;

    /// Replaces the content at once: whoever reads sees the old or the new.
    ///
    /// # Errors
    /// The file is as it was.
    fn replace(&mut self, file: File, bytes: &[u8]) -> io::Result<()>;

    /// Makes a file that is not there yet, whole and durable at once; one that is there is never replaced.
    ///
    /// # Errors
    /// It is there ([`io::ErrorKind::AlreadyExists`]), or was not made.
    fn create(&mut self, file: File, bytes: &[u8]) -> io::Result<()>;

    /// Overwrites bytes in place, making the file if there is none.
    ///
    /// # Errors
    /// Nothing, or a part, was written.
    fn write_at(&mut self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Removes a file; one that is not there is removed already.
    ///
    /// # Errors
    /// It is still there.
    fn remove(&mut self, file: File) -> io::Result<()>;

    /// The segments of the audit log that exist, in order.
    ///
    /// # Errors
    /// The system's.
    fn audit_segments(&mut self) -> io::Result<Vec<u32>>;

    /// Makes what was acknowledged durable. A file that is not there is an error, and is not made.
    ///
    /// # Errors
    /// It may not be.
    fn sync(&mut self, file: File) -> io::Result<()>;
}

/// One look at one session.
pub struct Look<'a> {
    /// Its number.
    pub session: u64,
    /// Whether its writer lives.
    pub liveness: Liveness,
    /// What it has recorded; none if that cannot be read, with the reason in `problem`.
    pub snapshot: Option<&'a Snapshot>,
    /// Why there is no snapshot.
    pub problem: Option<String>,
    /// What its process costs; none if the kernel does not tell.
    pub cost: Option<Cost>,
}

/// What a process costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Processor time so far, in nanoseconds.
    pub cpu_ns: u64,
    /// Private memory, in bytes.
    pub rss_anon_bytes: u64,
}

/// The variable that tells a job the number of the plan it is a step of: what it does is in the audit log as that step, and
/// need not be written down once more.
pub const AUDITED_PLAN: &str = "LUSUSH_AUDITED_PLAN";

/// A program that runs beside the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The plan it is a step of.
    pub plan: u64,
    /// The program and its arguments.
    pub command: Vec<String>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEnd {
    /// The plan it was a step of.
    pub plan: u64,
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// Processor time it took, in nanoseconds; 0 if the kernel does not tell.
    pub cpu_ns: u64,
    /// The last it wrote, made harmless.
    pub last_words: String,
}

/// How a call of the host's own code ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It did what it is for, and says so.
    Done(String),
    /// It did not, and says why.
    Failed(String),
    /// It panicked, with these words.
    Panicked(String),
}

/// A call of the host's own code that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEnd {
    /// The plan it was a step of.
    pub plan: u64,
    /// How it ended.
    pub returned: Returned,
    /// Processor time it took, in nanoseconds.
    pub cpu_ns: u64,
}

/// What another program did to a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryNews {
    /// Which history: `log`, or the path of a file of bash's.
    pub which: String,
    /// The file's name: a command that names it may have done it.
    pub file: String,
    /// What was done, in a line.
    pub title: String,
    /// What was seen, who may have done it, and what is lost at most.
    pub evidence: String,
    /// What to do about it.
    pub remedy: String,
    /// It can be undone, and loses nothing by that.
    pub undo: bool,
    /// Something is gone, rather than only changed or worth knowing.
    pub is_loss: bool,
    /// What somebody may answer.
    pub answer: Answer,
}

/// What somebody may answer to what others did to a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: it is told.
    None,
    /// That it is put back; otherwise it stays as it is.
    Possible,
    /// That it is put back, or accepted: until then it is wrong, as [`Host::history_waits`] says.
    Awaited,
}

/// A change of a start-up file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RcChange {
    /// When the file was written, in nanoseconds since 1970.
    pub at_wall_ns: i64,
    /// What was changed, as a sentence goes on after "since".
    pub what: String,
}

/// What is in force by the configuration's files, and why not what they say, if it is not that.
#[derive(Clone, Debug)]
pub struct ConfigFound {
    /// What is in force from now on: for sessions that start it is so already.
    pub in_force: InForce,
    /// Why the files as they are do not come into force.
    pub refused: Option<Refused>,
    /// What is not as it should be, and harms nothing.
    pub warnings: Vec<Problem>,
    /// What tells the files as they were read from others of their names.
    pub sources: Vec<String>,
}

/// Why the configuration's files were not brought into force. What was in force still is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigTrouble {
    /// Somebody is at it just now: it is worth trying again in a moment.
    Busy,
    /// It cannot be read, or not be kept.
    Failed(String),
}

/// Sessions and processes.
pub trait Host {
    /// Looks at every session.
    fn look(&mut self, each: &mut dyn FnMut(Look<'_>));

    /// Publishes the state that sessions are to bring themselves into.
    ///
    /// # Errors
    /// The former one is still published.
    fn publish(&mut self, desired: &Desired) -> io::Result<()>;

    /// What was published last, by whichever worker; none if there is nothing.
    fn published(&mut self) -> Option<Desired>;

    /// Wakes a session that may be waiting for a key. Best effort: it looks at its next prompt anyway.
    fn wake(&mut self, session: u64);

    /// Wakes every session, those that began since the last look as well; `known` are those that were seen.
    fn wake_everyone(&mut self, known: &[u64]) {
        known.iter().for_each(|session| self.wake(*session));
    }

    /// Forgets a session that has died, after its last words were recorded.
    fn bury(&mut self, session: u64);

    /// Starts a job in a process group of its own.
    ///
    /// # Errors
    /// It does not run.
    fn start_job(&mut self, job: &Job) -> io::Result<()>;

    /// Starts a job that is this program itself, whatever its first word says.
    ///
    /// # Errors
    /// It does not run, or no such program is known: the host is another one.
    fn start_own_job(&mut self, job: &Job) -> io::Result<()> {
        self.start_job(job)
    }

    /// Whether there is a program of our own to start as a job: a host that embeds the engine need not have one.
    fn has_own_jobs(&self) -> bool {
        false
    }

    /// Kills a job with everything it started; its end is reported all the same.
    fn kill_job(&mut self, plan: u64);

    /// Begins a call of what the program that embeds the engine registered for a task.
    ///
    /// # Errors
    /// Nothing was called: no program embeds this engine, or it registered nothing of that name.
    fn call_host(&mut self, plan: u64, task: &str) -> io::Result<()> {
        let _nobody = (plan, task);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What the worker itself costs; none if the kernel does not tell.
    fn own_cost(&mut self) -> Option<Cost>;

    /// Makes the histories durable; gives the time it took in nanoseconds, none if there was nothing to do.
    ///
    /// # Errors
    /// They may not be.
    fn sync_history(&mut self) -> io::Result<Option<u64>>;

    /// What others did to the histories since it was last asked. Mirrors them on the way: what is lost between two calls
    /// is lost.
    fn history_news(&mut self, _now: Now) -> Vec<HistoryNews> {
        Vec::new()
    }

    /// Whether what others did to a history still waits to be put back or accepted; none if that is not known, since it could
    /// not be looked at yet.
    fn history_waits(&mut self, _which: &str) -> Option<bool> {
        None
    }

    /// Puts a history back as it was, with what was written since; says what that came to.
    ///
    /// # Errors
    /// Nothing was changed, for this reason.
    fn restore_history(&mut self, _which: &str) -> Result<String, String> {
        Err("there is no history".into())
    }

    /// Takes the histories as they are now for what they are to be.
    ///
    /// # Errors
    /// What was restorable still is.
    fn accept_history(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Keeps samples for trends and reports.
    fn keep_samples(&mut self, now: Now, samples: &[(&'static str, f64)]);

    /// Sizes on disk, by the names of the series that are watched. What cannot be told is left out.
    fn resources(&mut self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// What was changed in the user's start-up files since it was last asked; nothing the first time, unless a copy of
    /// what they were is kept.
    fn rc_changes(&mut self) -> Vec<RcChange> {
        Vec::new()
    }

    /// Makes a start-up file say again what one of its versions said.
    ///
    /// # Errors
    /// The file is as it was.
    fn restore_rc(&mut self, _now: Now, _file: &str, number: u64) -> Result<Restored, RestoreError> {
        Err(RestoreError::NoVersion(number))
    }

    /// Gives the five-minute means of a metric since then, oldest first.
    fn recall(&mut self, _metric: &str, _since_wall_ns: i64, _each: &mut dyn FnMut(i64, f64)) {}

    /// Does what could wait until everything else of a round was done, such as writing down samples.
    fn after_all(&mut self, _now: Now) {}

    /// The program, with its arguments, that makes models of the samples; none where there is none, or no samples.
    fn models_job(&mut self) -> Option<Vec<String>> {
        None
    }

    /// The models that it made last.
    fn models(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// What the last recovery drill came to; none if there was none.
    fn drill(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// Where the last snapshot went; none if nobody noted it.
    fn backed_up(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// Results of benches, as they were put beside the state; none if there are none.
    fn bench_results(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// What time it is. Only for what something took: what is decided goes by the time of its event.
    fn now(&mut self) -> Now;

    /// Brings the configuration's files into force, if they are sound and say anything new; none in a world without.
    ///
    /// # Errors
    /// They were not read, or what they say cannot be kept.
    fn settle_config(&mut self, _now: Now) -> Result<Option<ConfigFound>, ConfigTrouble> {
        Ok(None)
    }

    /// Makes the user's files say what they said when that version was accepted, and brings it into force; with
    /// `instead_of`, only while nothing newer than that is known.
    ///
    /// # Errors
    /// They say what they said, or what they are to say cannot be kept.
    fn restore_config(
        &mut self,
        _now: Now,
        _version: u64,
        _instead_of: Option<u64>,
    ) -> Result<ConfigFound, ConfigTrouble> {
        Err(ConfigTrouble::Failed(
            "there are no files of a configuration here".into(),
        ))
    }

    /// Writes down among the versions of the configuration what became of one.
    ///
    /// # Errors
    /// It is not written; the trial's own record has it all the same.
    fn judge_version(&mut self, _now: Now, _version: u64, _confirmed: bool) -> Result<(), ConfigTrouble> {
        Ok(())
    }

    /// Random bits.
    fn random(&mut self) -> u64;
}

/// Everything outside.
pub trait World: Disk + Host {}

impl<T: Disk + Host> World for T {}
