//! One session: its flight file, its place in the history log, and what it has to tell the user.
//!
//! Invariant: whatever the disk does, the shell goes on. What cannot be written is counted, said once above the next
//! prompt, and tried again with the next command.

use crate::arms::{Arms, Tally};
use crate::attribution::table::Table;
use crate::cache::{Account, Cache};
use crate::clock;
use crate::file_size::as_error;
use crate::instructions::Instructions;
use crate::places::Places;
use crate::prompt_clock::{Blame, Spent};
use lle_core::desired::{Setting, Trial};
use lle_core::lever::{Cost, HISTORY_SCAN, Lever, Levers, SUGGEST_FROM_MEMORY};
use lle_log::history::History;
use lle_log::search::PrefixSearch;
use lle_metrics::{Counter, Draft, EventKind, Flight, Gauge, Identity, Parted, Recorder, Stage, Timer};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One key in so many is measured twice over: what recording it costs, and what LLE's painting adds to it.
const SAMPLE_EVERY: u64 = 64;
/// Flight files in the folder before the dead among the oldest are removed: last words of more are read by nobody.
const FLIGHTS_KEPT: usize = 32;
/// Messages kept for the next prompt; more in one round are counted only.
const NOTICES_MAX: usize = 6;
/// A prompt slower than this is an event: a person notices 100 ms.
const SLOW_PROMPT_NS: u64 = 100_000_000;

/// The session.
pub(crate) struct Session {
    id: u64,
    flight: Flight,
    pub(crate) places: Places,
    pub(crate) history: Option<History>,
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
    /// Keys read and waits for them that are not in the flight file yet: that can wait for the echo.
    untold_keys: u64,
    untold_polls: u64,
    draft_file: Option<PathBuf>,
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
        let made = as_error(|| {
            let dir = places.sessions()?;
            // Where no start reaches its prompt nobody else prunes.
            prune(&dir, 2 * FLIGHTS_KEPT, None);
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
            search: PrefixSearch::new(),
            searched: Cache::new(0),
            searched_log: (0, 0),
            arms: Arms::default(),
            levers: Levers::default(),
            notices: Vec::new(),
            said: Vec::new(),
            loaded_at: clock::now(),
            reached_prompt: false,
            untold_keys: 0,
            untold_polls: 0,
            draft_file: None,
            reflows,
            path_was_slow: false,
            instructions: Instructions::open(),
            keys: 0,
        };
        if let Some(problem) = problem {
            session.memory_only("nobody else can read how fast this session is", &problem);
        }
        session
    }

    /// Removes last words that nobody will read.
    pub(crate) fn prune(&self) {
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

    /// Opens the history log; its creation imports what bash has kept so far.
    pub(crate) fn open_history(&mut self, bash_file: Option<&Path>) {
        let path = match self.places.history() {
            Ok(path) => path,
            Err(problem) => {
                self.memory_only("history is kept by bash alone", &problem);
                return;
            }
        };
        match as_error(|| History::open(&path, self.id, clock::wall(), bash_file)) {
            Ok(opened) => {
                if opened.created && opened.imported > 0 {
                    self.notice(format!(
                        "lusush: {} commands imported into your history log",
                        opened.imported
                    ));
                }
                if let Some(e) = opened.import_error {
                    self.notice(format!("lusush: your history file was read only in part: {e}"));
                }
                self.history = Some(opened.history);
                self.search.set_index(self.places.history_index());
                if let Some(file) = bash_file {
                    // Unnamed, it is not guarded.
                    let _unnamed = as_error(|| crate::histfile::name(&path, file));
                }
            }
            Err(e) => self.memory_only("history is kept by bash alone", &with_causes(&e)),
        }
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

    /// A line begins; gives what is in force while it is typed.
    pub(crate) fn begin_line(&mut self) -> Levers {
        self.levers = self.arms.begin_line();
        self.search
            .set_bytes_per_call(self.levers.value(Lever::SuggestionScanBytes));
        self.search
            .use_index(self.levers.value(Lever::HistorySearch) != HISTORY_SCAN);
        self.search
            .use_memory(self.levers.value(Lever::SuggestionSource) == SUGGEST_FROM_MEMORY);
        self.searched
            .resize(self.levers.size(Lever::SuggestionCacheEntries));
        self.levers
    }

    /// Keeps what the caches tell where others can read it.
    pub(crate) fn record_caches(&self, names: Account, completion: Account) {
        use Gauge as G;
        let suggestion = Account::of(&self.searched, |found| {
            found.as_ref().map_or(0, |found| found.len())
        });
        let rows = [
            (
                names,
                [
                    G::NamesCacheHits,
                    G::NamesCacheMisses,
                    G::NamesCacheEvictions,
                    G::NamesCacheGhostHits,
                    G::NamesCacheEntries,
                    G::NamesCacheBytes,
                ],
            ),
            (
                suggestion,
                [
                    G::SuggestionCacheHits,
                    G::SuggestionCacheMisses,
                    G::SuggestionCacheEvictions,
                    G::SuggestionCacheGhostHits,
                    G::SuggestionCacheEntries,
                    G::SuggestionCacheBytes,
                ],
            ),
            (
                completion,
                [
                    G::CompletionCacheHits,
                    G::CompletionCacheMisses,
                    G::CompletionCacheEvictions,
                    G::CompletionCacheGhostHits,
                    G::CompletionCacheEntries,
                    G::CompletionCacheBytes,
                ],
            ),
        ];
        self.flight.update(|w| {
            for (account, gauges) in rows {
                let counts = account.counts;
                let values = [
                    counts.hits,
                    counts.misses,
                    counts.evictions,
                    counts.ghost_hits,
                    account.entries as u64,
                    account.bytes as u64,
                ];
                for (gauge, value) in gauges.into_iter().zip(values) {
                    w.set(gauge, value.cast_signed());
                }
            }
        });
    }

    /// Keeps what came of the parts of the prompt that are put off.
    pub(crate) fn record_parts(&self, account: Account, counts: &crate::parts::Counts) {
        use Gauge as G;
        let of = account.counts;
        let rows = [
            (G::PartsCacheHits, of.hits),
            (G::PartsCacheMisses, of.misses),
            (G::PartsCacheEvictions, of.evictions),
            (G::PartsCacheGhostHits, of.ghost_hits),
            (G::PartsCacheEntries, account.entries as u64),
            (G::PartsCacheBytes, account.bytes as u64),
            (G::PartsPrompts, counts.prompts),
            (G::PartsFresh, counts.fresh),
            (G::PartsLate, counts.late),
            (G::PartsDiffered, counts.differed),
            (G::PartsGivenUp, counts.given_up),
            (G::PartsWorkNs, counts.work_ns),
            (G::PartsWaitedNs, counts.waited_ns),
        ];
        self.flight.update(|w| {
            for (gauge, value) in rows {
                w.set(gauge, value.cast_signed());
            }
            if let Some(age) = counts.age_ns {
                w.set(G::PartsAgeNs, age.cast_signed());
            }
        });
    }

    /// Takes over what the worker wants of the levers; gives how many of its settings this version does not have.
    pub(crate) fn take_levers(&mut self, settings: &[Setting], trial: Option<&Trial>) -> u64 {
        let before = self.arms.tally().id;
        let refused = self.arms.take(settings, trial);
        let tally = self.arms.tally();
        if tally.id != before {
            // Pairs of a trial that is over are heard in no other that comes to have its number.
            self.record_trial(tally);
        }
        refused
    }

    /// A line was accepted: what a trial has come to with it can be read by the worker.
    pub(crate) fn line_accepted(&mut self) {
        if let Some(tally) = self.arms.end_line() {
            self.record_trial(tally);
        }
    }

    fn record_trial(&self, tally: Tally) {
        self.flight.update(|w| {
            w.set(Gauge::TrialId, tally.id.cast_signed());
            w.set(Gauge::TrialPairs, tally.pairs.cast_signed());
            w.set(Gauge::TrialLogSum, tally.log_sum);
            w.set(Gauge::TrialLogSquares, tally.log_squares);
            w.set(Gauge::TrialCurrentNs, tally.current_ns.cast_signed());
            w.set(Gauge::TrialCandidateNs, tally.candidate_ns.cast_signed());
        });
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

    /// Keys were typed before the prompt was there.
    pub(crate) fn typed_ahead(&mut self, keys: usize) {
        self.flight.update(|w| w.add(Counter::TypeAheadKeys, keys as u64));
    }

    pub(crate) fn key(&mut self) {
        self.keys += 1;
        self.untold_keys += 1;
    }

    pub(crate) fn polled(&mut self) {
        self.untold_polls += 1;
    }

    /// Tells of keys that came to no paint. Called when no key waits.
    pub(crate) fn tell_keys(&mut self) {
        if self.untold_keys == 0 {
            return;
        }
        let (keys, polls) = (
            std::mem::take(&mut self.untold_keys),
            std::mem::take(&mut self.untold_polls),
        );
        self.flight.update(|w| {
            w.add(Counter::Keys, keys);
            w.add(Counter::GetcPolls, polls);
        });
    }

    /// The screen is up to date; `times` are when the key arrived, 0 if no key was the cause, and when its paint began.
    pub(crate) fn painted(
        &mut self,
        times: (u64, u64),
        bytes: usize,
        line: &[u8],
        hidden: bool,
        suggested: bool,
    ) {
        let now = clock::now();
        self.record_paint(now, times, bytes, line, hidden, suggested);
        if self.keys.is_multiple_of(SAMPLE_EVERY) {
            let spent = clock::now().saturating_sub(now);
            self.flight.update(|w| w.time(Timer::Record, spent));
        }
    }

    /// The count of instructions so far, for the keys that are sampled.
    pub(crate) fn instructions(&self) -> Option<u64> {
        self.instructions
            .as_ref()
            .filter(|_| self.keys.is_multiple_of(SAMPLE_EVERY))?
            .count()
    }

    /// Painting one key took the instructions since `before`.
    pub(crate) fn added_instructions(&mut self, before: Option<u64>) {
        if let Some(n) = before
            .zip(self.instructions())
            .map(|(before, now)| now.saturating_sub(before))
        {
            self.flight
                .update(|w| w.set(Gauge::InstructionsPerKey, n.cast_signed()));
        }
    }

    fn record_paint(
        &mut self,
        now: u64,
        (key_at, began): (u64, u64),
        bytes: usize,
        line: &[u8],
        hidden: bool,
        suggested: bool,
    ) {
        if key_at != 0 {
            self.arms.painted();
            self.arms.spent(Cost::KeyToPaint, now.saturating_sub(key_at));
        }
        let (keys, polls) = (
            std::mem::take(&mut self.untold_keys),
            std::mem::take(&mut self.untold_polls),
        );
        self.flight.update(|w| {
            w.add(Counter::Keys, keys);
            w.add(Counter::GetcPolls, polls);
            w.add(Counter::Paints, 1);
            w.add(Counter::PaintBytes, bytes as u64);
            w.time(Timer::PaintBytes, bytes as u64);
            w.add(Counter::SuggestionsShown, u64::from(suggested));
            if key_at != 0 {
                w.time(Timer::KeyToPaint, now.saturating_sub(key_at));
                w.stage(Stage::Readline, began.saturating_sub(key_at));
                w.stage(Stage::Paint, now.saturating_sub(began));
            }
            w.draft(line, if hidden { Draft::Hidden } else { Draft::Kept });
        });
    }

    pub(crate) fn highlighted(&mut self, began: u64, path_searches: u64, gave_up: bool) {
        let spent = clock::now().saturating_sub(began);
        self.arms.spent(Cost::Highlight, spent);
        let newly_slow = gave_up && !std::mem::replace(&mut self.path_was_slow, gave_up);
        self.flight.update(|w| {
            w.time(Timer::Highlight, spent);
            w.add(Counter::HighlightPathLookups, path_searches);
            if newly_slow {
                w.add(Counter::PathLookupTooSlow, 1);
                w.event(
                    EventKind::SlowPath,
                    0,
                    spent.cast_signed(),
                    b"command names are no longer checked",
                );
            }
        });
    }

    /// Finds the newest command that goes on from `line` and puts it into `whole`; leaves it empty if there is none.
    pub(crate) fn suggest(&mut self, line: &[u8], whole: &mut Vec<u8>) {
        whole.clear();
        let Some(history) = &self.history else { return };
        let began = clock::now();
        let log = history.version();
        if std::mem::replace(&mut self.searched_log, log) != log {
            self.searched.forget();
        }
        if let Some(found) = self.searched.peek(line) {
            whole.extend_from_slice(found.as_deref().unwrap_or_default());
            self.searched.hit(line);
        } else {
            self.searched.miss(line);
            let found = self.search.find(history, line);
            whole.extend_from_slice(found.unwrap_or_default());
            if self.search.is_done() {
                let found = (!whole.is_empty()).then_some(whole.as_slice());
                self.searched.keep(line, || found.map(Box::from));
            } else {
                self.arms.gave_up(Cost::Suggestion);
            }
        }
        let spent = clock::now().saturating_sub(began);
        self.arms.spent(Cost::Suggestion, spent);
        self.flight.update(|w| {
            w.time(Timer::Suggestion, spent);
            w.time(Timer::HistorySearch, spent);
        });
    }

    pub(crate) fn suggestion_accepted(&mut self) {
        self.flight.update(|w| w.add(Counter::SuggestionsAccepted, 1));
    }

    pub(crate) fn completed(&mut self, began: u64, late: bool, timed_out: bool) {
        let spent = clock::now().saturating_sub(began);
        self.arms.spent(Cost::Completion, spent);
        if timed_out {
            self.arms.gave_up(Cost::Completion);
        }
        self.flight.update(|w| {
            w.add(Counter::Completions, 1);
            w.time(Timer::Completion, spent);
            w.add(Counter::CompletionsLate, u64::from(late || timed_out));
            if timed_out {
                w.event(EventKind::CompletionLate, 0, spent.cast_signed(), b"");
            }
        });
    }

    /// What the child took to start, and its work.
    pub(crate) fn completion_stages(&mut self, fork: Duration, work: Duration) {
        let ns = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        self.flight.update(|w| {
            w.stage(Stage::CompletionFork, ns(fork));
            w.stage(Stage::CompletionWork, ns(work));
        });
    }

    pub(crate) fn completion_failed(&mut self) {
        self.flight.update(|w| {
            w.add(Counter::CompletionsFailed, 1);
            w.event(EventKind::CompletionFailed, 0, 0, b"");
        });
    }

    pub(crate) fn menu_opened(&mut self) {
        self.flight.update(|w| w.add(Counter::MenuOpened, 1));
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

    /// A prompt is about to be shown: tells how the last command and the prompt went. True at the first.
    pub(crate) fn prompt(&mut self, spent: Spent, status: i32, blame: &Blame) -> bool {
        self.keep_registered();
        let first = !std::mem::replace(&mut self.reached_prompt, true);
        let since_load = clock::now().saturating_sub(self.loaded_at);
        let known = |ns: Option<u64>| ns.map_or(i64::MIN, u64::cast_signed);
        self.flight.update(|w| {
            if first {
                w.time(Timer::Start, since_load);
                w.event(EventKind::Started, 0, since_load.cast_signed(), b"");
            }
            for (timer, ns) in [
                (Timer::Command, spent.command),
                (Timer::Prompt, spent.prompt.filter(|_| !first)),
                (Timer::PromptCommand, spent.prompt_command.filter(|_| !first)),
                (Timer::PromptExpand, spent.expand.filter(|_| !first)),
            ] {
                if let Some(ns) = ns {
                    w.time(timer, ns);
                }
            }
            w.set(Gauge::PromptLastNs, known(spent.prompt));
            w.set(Gauge::PromptCommandLastNs, known(spent.prompt_command));
            w.set(Gauge::PromptExpandLastNs, known(spent.expand));
            w.set(Gauge::LastStatus, i64::from(status));
            w.set(Gauge::CommandRunning, 0);
            w.prompt_blame(&blame.names);
            w.set(Gauge::PromptBlameNs, known(blame.ns));
            if let Some(ns) = spent.prompt.filter(|ns| *ns > SLOW_PROMPT_NS && !first) {
                w.event(EventKind::SlowPrompt, 0, ns.cast_signed(), &blame.names);
            }
        });
        first
    }

    /// A prompt was timed from its beginning: it is one to compare others with.
    pub(crate) fn prompt_timed(&self, spent: Spent) {
        if let Some(ns) = spent.prompt {
            self.flight.update(|w| w.prompt(ns));
        }
    }

    /// What LLE and the configuration's own command took of a prompt.
    pub(crate) fn prompt_took(&self, own_ns: u64) {
        self.flight.update(|w| w.stage(Stage::PromptOwn, own_ns));
    }

    /// What a prompt, or the start, took and what it was spent on.
    pub(crate) fn divided(&self, of: Parted, whole_ns: u64, parts: &Table) {
        parts.with_parts(|parts| self.flight.update(|w| w.parts(of, whole_ns, parts)));
    }

    /// When LLE was loaded.
    pub(crate) fn loaded_at(&self) -> u64 {
        self.loaded_at
    }

    /// The flight file can vanish with its folder, or be closed by a script: then another is made.
    fn keep_registered(&mut self) {
        if self.flight.is_shared() && self.flight.still_registered() {
            return;
        }
        if let Ok(dir) = self.places.sessions()
            && as_error(|| self.flight.rehome(&dir)).is_ok()
        {
            self.flight.update(|w| w.event(EventKind::Rehomed, 0, 0, b""));
        }
    }

    /// A command was accepted and is about to run. `kept`: it may be seen by others.
    pub(crate) fn command_begins(&mut self, line: &[u8], kept: bool) {
        self.flight.update(|w| {
            w.add(Counter::Commands, 1);
            w.set(Gauge::CommandRunning, 1);
            w.set(Gauge::CommandStartedWallNs, clock::wall());
            w.last_command(if kept { line } else { b"" });
            w.draft(b"", Draft::Kept);
        });
    }

    /// A command may have changed what makes the prompt. `by` is what ran, empty if nobody may see it.
    pub(crate) fn prompt_changed(&self, by: &[u8]) {
        self.flight.update(|w| {
            w.add(Counter::PromptChanges, 1);
            w.prompt_change(by);
            w.event(EventKind::PromptChanged, 0, 0, by);
        });
    }

    /// The line was given up: Ctrl-C, end of file.
    pub(crate) fn line_dropped(&mut self) {
        self.flight.update(|w| w.draft(b"", Draft::Kept));
    }

    /// Times one record written to the history log.
    pub(crate) fn appended(&mut self, began: u64, result: Result<(), lle_log::AppendError>) {
        let spent = clock::now().saturating_sub(began);
        match result {
            Ok(()) => self.flight.update(|w| {
                w.add(Counter::HistoryAppends, 1);
                w.time(Timer::HistoryAppend, spent);
            }),
            Err(e) => {
                let text = with_causes(&e);
                self.flight.update(|w| {
                    w.add(Counter::HistoryAppendFailures, 1);
                    w.event(EventKind::HistoryFailed, 0, 0, text.as_bytes());
                });
                self.memory_only("this command is kept by bash alone", &text);
            }
        }
    }

    /// The terminal is gone: what was being typed goes to the state folder.
    pub(crate) fn hung_up(&mut self, line: &[u8], hidden: bool) {
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

    /// The shell ends by itself: nothing is left behind.
    pub(crate) fn end(&mut self) {
        if let Some(history) = self.history.as_mut() {
            // Failing that, the next session lists this one's commands twice: the lesser harm.
            let _ = as_error(|| history.ended(clock::wall()));
        }
        self.flight.update(|w| w.event(EventKind::Ended, 0, 0, b""));
        self.flight.remove();
    }
}

/// Removes the flight files of the longest dead, if there are more than `most`, until [`FLIGHTS_KEPT`] are left.
///
/// `own` is this session's, if it has one: it is not opened, since closing it would drop its lock.
fn prune(dir: &Path, most: usize, own: Option<&Path>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|x| x == lle_metrics::EXTENSION));
    if paths.len() <= most {
        return;
    }
    let too_many = paths.len().saturating_sub(FLIGHTS_KEPT);
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
