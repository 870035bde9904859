//! One session: its flight file, its place in the history log, and what it has to tell the user.
//!
//! Invariant: whatever the disk does, the shell goes on. What cannot be written is counted, said once above the next
//! prompt, and tried again with the next command; records of the history wait for that in memory ([`appends`]), and for a log
//! that could not be opened, too ([`log`]).

mod appends;
mod caches;
mod keys;
mod levers;
mod log;
mod prompts;
mod suggestions;
pub(crate) mod told;

use crate::cache::Cache;
use crate::clock;
use crate::file_size::as_error;
use crate::instructions::Instructions;
use crate::places::Places;
use lle_core::arms::Arms;
use lle_core::lever::Levers;
use lle_log::history::History;
use lle_log::search::PrefixSearch;
use lle_metrics::{Counter, EventKind, Flight, Gauge, Identity, Recorder};
use std::path::{Path, PathBuf};

/// Flight files in the folder before the dead among the oldest are removed: last words of more are read by nobody.
const FLIGHTS_KEPT: usize = 32;
/// Messages kept for the next prompt; more in one round are counted only.
const NOTICES_MAX: usize = 6;

/// The session.
pub(crate) struct Session {
    id: u64,
    flight: Flight,
    pub(crate) places: Places,
    pub(crate) history: Option<History>,
    /// In place of a log that could not be opened yet.
    missing: Option<log::Missing>,
    /// What waits is tried again at prompts from then on.
    retry_log_at: u64,
    /// It could be opened since, and that was not told yet.
    opened_late: bool,
    /// Commands that waited and are in the log, while others still wait.
    late_written: u64,
    /// Why commands are not in the log; none once they are.
    log_problem: Option<String>,
    /// Why no other process sees this session; none once they do.
    flight_problem: Option<String>,
    search: PrefixSearch,
    /// What searches came to, by what was typed, as long as the log is as it was.
    searched: Cache<Option<Box<[u8]>>>,
    searched_log: (u32, u64),
    pub(crate) arms: Arms,
    /// What is in force while the line is typed.
    pub(crate) levers: Levers,
    notices: Vec<String>,
    /// Messages of which one is enough.
    said: Vec<&'static str>,
    loaded_at: u64,
    reached_prompt: bool,
    /// What the flight file says of what runs beside prompts; none if it says nothing.
    unseen: Option<i64>,
    /// Commands that may have changed PS1 or `PROMPT_COMMAND` themselves.
    text_changes: i64,
    /// Which of the last ones that may have changed the prompt set how it looks alone: [`Gauge::PromptLooksAlone`].
    looks_alone: i64,
    /// Keys read and waits for them that are not in the flight file yet: that can wait for the echo.
    untold_keys: u64,
    untold_polls: u64,
    draft_file: Option<PathBuf>,
    /// There were flights of others when this session began.
    pub(crate) has_others: bool,
    reflows: bool,
    path_was_slow: bool,
    instructions: Option<Instructions>,
    keys: u64,
}

impl Session {
    /// Registers the session; falls back to its own memory where no file can be made.
    pub(crate) fn begin(places: Places, tty: &str, bash_version: &str, reflows: bool) -> Self {
        let id = random_id();
        let identity = Identity::of_this_process(id, tty, bash_version, env!("CARGO_PKG_VERSION"));
        let mut others = 0;
        let made = as_error(|| {
            let dir = places.sessions()?;
            // Where no start reaches its prompt nobody else prunes.
            others = prune(&dir, 2 * FLIGHTS_KEPT, None);
            Flight::create(&dir, &identity).map_err(|e| with_causes(&e))
        });
        let (flight, problem) = match made {
            Ok(flight) => (flight, None),
            Err(e) => (Flight::private(&identity), Some(e)),
        };
        let mut session = Self {
            id,
            flight,
            places,
            history: None,
            missing: None,
            retry_log_at: 0,
            opened_late: false,
            late_written: 0,
            log_problem: None,
            flight_problem: None,
            search: PrefixSearch::new(),
            searched: Cache::new(0),
            searched_log: (0, 0),
            arms: Arms::default(),
            levers: Levers::default(),
            notices: Vec::new(),
            said: Vec::new(),
            loaded_at: clock::now(),
            reached_prompt: false,
            unseen: None,
            text_changes: 0,
            looks_alone: 0,
            untold_keys: 0,
            untold_polls: 0,
            draft_file: None,
            has_others: others > 0,
            reflows,
            path_was_slow: false,
            instructions: None,
            keys: 0,
        };
        // Told from the first: who reads it knows that this version tells.
        session.flight.update(|w| w.set(Gauge::PromptTextChanges, 0));
        if let Some(problem) = problem {
            session.memory_only("nobody else can read how fast this session is", &problem);
            session.flight_problem = Some(problem);
        }
        session
    }

    /// Asks for what the first prompt need not wait for, and removes last words that nobody will read.
    pub(crate) fn settle_in(&mut self) {
        self.instructions = Instructions::open();
        if let Some(own) = self.flight.path()
            && let Some(dir) = own.parent()
        {
            prune(dir, FLIGHTS_KEPT, Some(own));
        }
    }

    /// A prompt was shown before.
    pub(crate) fn reached_prompt(&self) -> bool {
        self.reached_prompt
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn flight_path(&self) -> Option<&Path> {
        self.flight.path()
    }

    /// The terminal rewraps what it shows when its width changes.
    pub(crate) fn terminal_reflows(&self) -> bool {
        self.reflows
    }

    /// Something is kept in memory only; said once.
    fn memory_only(&mut self, consequence: &'static str, problem: &str) {
        self.flight.update(|w| {
            w.set(Gauge::MemoryOnly, 1);
            w.event(EventKind::MemoryOnly, 0, 0, problem.as_bytes());
        });
        if !self.said.contains(&consequence) {
            self.said.push(consequence);
            self.notice(format!("lusush: memory only, {consequence}: {problem}"));
        }
    }

    /// Keeps a message for above the next prompt, unless the same was said before.
    pub(crate) fn say_once(&mut self, what: &'static str, detail: &str) {
        if !self.said.contains(&what) {
            self.said.push(what);
            self.notice(format!("lusush: {what}; {detail}"));
        }
    }

    /// Keeps a message for above the next prompt; false if there are too many.
    pub(crate) fn notice(&mut self, text: String) -> bool {
        let fits = self.notices.len() < NOTICES_MAX;
        if fits {
            self.notices.push(text);
        }
        fits
    }

    /// Records one batch in the flight file.
    pub(crate) fn record(&self, batch: impl FnOnce(&mut Recorder<'_>)) {
        self.flight.update(batch);
    }

    /// The worker was started, or could not be.
    pub(crate) fn started_worker(&mut self, result: std::io::Result<()>) {
        match result {
            Ok(()) => self.record(|w| w.add(Counter::WorkerStarts, 1)),
            Err(e) => {
                self.record(|w| w.add(Counter::WorkerStartFailures, 1));
                self.say_once("the maintenance worker cannot be started", &e.to_string());
            }
        }
    }

    /// Takes the messages to be shown.
    pub(crate) fn take_notices(&mut self) -> Vec<String> {
        let notices = std::mem::take(&mut self.notices);
        if !notices.is_empty() {
            self.flight
                .update(|w| w.add(Counter::Notices, notices.len() as u64));
        }
        notices
    }

    pub(crate) fn fell_back(&mut self, why: &str) {
        self.flight.update(|w| {
            w.add(Counter::Fallbacks, 1);
            w.event(EventKind::Fallback, 0, 0, why.as_bytes());
        });
    }

    /// Records a panic; gives what to say of it.
    pub(crate) fn panicked(&mut self, at: &str) -> String {
        let message = crate::panics::last();
        self.flight.update(|w| {
            w.add(Counter::Panics, 1);
            w.event(EventKind::Panic, 0, 0, message.as_bytes());
        });
        self.fell_back(at);
        format!("lusush: an error in LLE while {at}: {message}. Readline paints on; `lle on` revives LLE")
    }

    pub(crate) fn switched(&mut self, on: bool) {
        self.flight.update(|w| {
            w.set(Gauge::On, i64::from(on));
            if self.reached_prompt {
                w.event(if on { EventKind::On } else { EventKind::Off }, 0, 0, b"");
            }
        });
    }

    /// Keeps what is switched where others can read it.
    /// `version` is the configuration's that they are of, in the same batch: nobody reads half of two.
    pub(crate) fn settings(&mut self, s: &crate::lle::Settings, version: u64) {
        self.flight.update(|w| {
            w.set(Gauge::ConfigVersion, version.cast_signed());
            w.set(Gauge::SuggestOn, i64::from(s.suggest));
            w.set(Gauge::MultilineOn, i64::from(s.multiline));
            w.set(Gauge::HighlightOn, i64::from(s.highlight));
            w.set(Gauge::PrivateMode, i64::from(s.private));
            w.set(Gauge::AttributeOn, i64::from(s.attribute));
        });
    }

    pub(crate) fn resized(&mut self, size: (usize, usize)) {
        self.flight.update(|w| w.add(Counter::Resizes, 1));
        self.size(size);
    }

    pub(crate) fn size(&mut self, size: (usize, usize)) {
        self.flight.update(|w| {
            w.set(Gauge::Columns, size.0 as i64);
            w.set(Gauge::Rows, size.1 as i64);
        });
    }

    /// When LLE was loaded.
    pub(crate) fn loaded_at(&self) -> u64 {
        self.loaded_at
    }

    /// The terminal is gone: what was being typed goes to the state folder.
    pub(crate) fn hung_up(&mut self, line: &[u8], hidden: bool) {
        self.write_what_waits();
        // Bash ends by the signal and calls nobody: without this it would look like a crash.
        self.flight
            .update(|w| w.event(EventKind::Signal, i64::from(libc::SIGHUP), 0, b""));
        if hidden || line.is_empty() || self.draft_file.is_some() {
            return;
        }
        if let Ok(path) = self.places.draft(self.id)
            && as_error(|| crate::drafts::keep(&path, line)).is_ok()
        {
            self.draft_file = Some(path);
        }
    }

    /// Keeps what sessions that were killed left in their flights of the line being typed.
    pub(crate) fn take_drafts_over(&self) {
        let own = self.flight.path();
        // Where this session's flight is, nothing has to be made.
        let sessions = match own.and_then(Path::parent) {
            Some(folder) => Ok(folder.to_owned()),
            None => self.places.sessions(),
        };
        if let (Ok(drafts), Ok(sessions)) = (self.places.drafts(), sessions) {
            as_error(|| crate::drafts::take_over(&drafts, &sessions, own));
        }
    }

    /// The shell ends by itself: nothing is left behind, unless it ends in the command that is configured for before
    /// prompts. Nobody asked for that, and whoever looks next is to know.
    pub(crate) fn end(&mut self) {
        self.write_what_waits();
        if let Some(history) = self.history.as_mut() {
            // Failing that, the next session lists this one's commands twice: the lesser harm.
            let _ = as_error(|| history.ended(clock::wall()));
        }
        self.flight.update(|w| w.event(EventKind::Ended, 0, 0, b""));
        if !crate::prompt_command::runs() {
            self.flight.remove();
        }
    }
}

/// Removes the flight files of the longest dead, if there are more than `most`, until [`FLIGHTS_KEPT`] are left. Gives how many
/// there were.
///
/// `own` is this session's, if it has one: it is not opened, since closing it would drop its lock.
fn prune(dir: &Path, most: usize, own: Option<&Path>) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|x| x == lle_metrics::EXTENSION));
    let found = paths.len();
    if found <= most {
        return found;
    }
    let too_many = found.saturating_sub(FLIGHTS_KEPT);
    let mut files: Vec<_> = paths
        .into_iter()
        .filter_map(|path| Some((std::fs::symlink_metadata(&path).ok()?.modified().ok()?, path)))
        .collect();
    files.sort();
    for (_, path) in files.into_iter().take(too_many) {
        if own != Some(path.as_path()) && lle_metrics::liveness(&path) == lle_metrics::Liveness::Dead {
            let _ = std::fs::remove_file(path.with_extension(crate::wake::EXTENSION));
            let _ = std::fs::remove_file(path);
        }
    }
    found
}

/// An error and what caused it, on one row.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text = format!("{text}: {e}");
        cause = e.source();
    }
    text
}

/// Gives a random number, never 0.
fn random_id() -> u64 {
    let mut id = 0u64;
    // SAFETY: eight bytes into eight bytes; GRND_NONBLOCK never waits.
    let n = unsafe { libc::getrandom((&raw mut id).cast(), 8, libc::GRND_NONBLOCK) };
    if n != 8 || id == 0 {
        // Before the kernel has entropy, time and process are what tells sessions apart.
        id = clock::now() ^ u64::from(std::process::id()) << 40 | 1;
    }
    id
}
