//! Where the time of each prompt, and of the start, goes: every command that bash runs then, by name.
//!
//! Bash tells nobody that a command has ended either. But it looks `PIPESTATUS` up whenever it sets the status of a
//! pipeline: after each simple command, function, `[[` and `((`, and for each foreground child. A function hung on that
//! variable, as on `PROMPT_COMMAND` in [`crate::prompt_clock`], is called then and gives the variable back unchanged. A
//! `$(…)` of `PS1` is seen by its fork.
//!
//! ```text
//!  PROMPT_COMMAND looked up ─▸ hang ─▸ stamp … stamp ─▸ PS1 looked up ─▸ fork … fork ─▸ the prompt: take off
//!                                        │ since the last one                │ until the next one, or the end
//!                                        └ which function, which command     └ the k-th `$(…)` of the text
//! ```
//!
//! The function hangs there only then, and from the load of LLE to the first prompt: the user's own loops pay
//! nothing, and where no line follows [`UNFINISHED_MAX`] rounds, there is no other. What a stamp costs is one clock read, in loops less than that; names are looked for only when [`GRAIN_NS`] have passed.
//!
//! Not every look-up is the end of a command (the parser saves the variable, too). Which it is shows in
//! `command_string_index`, which bash sets to 0 before it prints a command it is about to run, and reads only while it
//! prints: LLE sets it back to 0 at each stamp, and where it is 0 at the next one no command has begun.
//!
//! Invariants: nothing is allocated; a time without a certain name stays without one ("bash itself"); a forked child
//! records nothing.

mod fork;
pub(crate) mod names;
mod page;
mod pipestatus;
mod printed;
pub(crate) mod ps1;
mod reading;
mod stack;
mod start;
pub(crate) mod table;

use crate::clock;
use crate::symbols::Bash;
pub(crate) use fork::count as forks;
use libc::c_int;
use lle_metrics::{PartKind, Parted};
use reading::Reading;
pub(crate) use reading::{last_file_is_read_below, was_cut_short};
pub(crate) use start::is_loaded_by_file;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering::Relaxed};
use table::{Name, Table};

/// A command inside a function, or a line of a start-up file, that took less than this is not named by itself; a
/// prompt's part of a hundredth of the 10 ms that nobody notices needs no name.
const GRAIN_NS: u64 = 100_000;

/// So many quick commands in a row are a loop inside a function: from then on the clock is read only once in
/// [`SKIPPED_MAX`] commands, and after each that forks. A clock read takes a fiftieth of the quickest command.
const LOOP_MIN: u32 = 32;
const SKIPPED_MAX: u32 = 7;

/// Forks of one expansion of `PS1` that are told apart.
const FORKS_MAX: usize = 16;

/// Rounds that may come to nothing before readline is taken to be off: the last one before a line is the prompt's, and others
/// begin where a command looks one of the variables up, as `PROMPT_COMMAND=()` does, a further line of a command is
/// read, or a prompt is interrupted. Where readline is off the user's commands pay for stamps until then.
const UNFINISHED_MAX: u32 = 32;

/// After so long without a prompt of LLE's the start is given up: readline may be off, and every command is the user's.
/// Whoever waits a minute for a prompt knows why.
const START_MAX_NS: u64 = 60_000_000_000;

/// What is being divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// Nothing: a command of the user's runs, a line is edited.
    Off,
    /// From the load of LLE to the first prompt.
    Start,
    /// `PROMPT_COMMAND` runs.
    Command,
    /// `PS1` is expanded.
    Expand,
}

static PHASE: AtomicU8 = AtomicU8::new(Phase::Off as u8);
/// `lle set attribute off`.
static ENABLED: AtomicBool = AtomicBool::new(true);
/// A stamp is being worked on: another look-up of the variable inside it is none.
static BUSY: AtomicBool = AtomicBool::new(false);
static STATE: AtomicPtr<Attribution> = AtomicPtr::new(std::ptr::null_mut());

fn is_in(phase: Phase) -> bool {
    PHASE.load(Relaxed) == phase as u8
}

fn enter(phase: Phase) {
    PHASE.store(phase as u8, Relaxed);
}

/// One round under way.
pub(crate) struct Attribution {
    bash: Bash,
    /// Until when the time is attributed, in ns of [`clock::now`].
    last: u64,
    /// Depth of functions at the last stamp.
    depth: c_int,
    /// The function called by `PROMPT_COMMAND` itself, and the one called by that.
    outer: Name,
    inner: Name,
    /// What bash forked for since the last stamp, if it did.
    forked: Option<Name>,
    /// The text that it forked for last, and what `$!` was then.
    forked_sum: u64,
    forked_background: c_int,
    /// A trap has run since the last stamp, and when what runs in it was forked for.
    trapped: bool,
    trap_began: Option<u64>,
    /// The line of a start-up file that it forked for.
    forked_line: Option<c_int>,
    /// Stamps in a function, one after another, that were quick; and of those the last without a look at the clock.
    quick_ones: u32,
    skipped: u32,
    /// Bash has printed a command of this round: what it printed last is no longer the user's own.
    prints: bool,
    /// Rounds that have begun since LLE last saw a line: one, where readline is in use, or a few more.
    unfinished: u32,
    /// When LLE was loaded.
    loaded: u64,
    /// Where it is written how far the start has come, if a launcher asked for it.
    page: Option<page::Page>,
    /// Whether the start-up files were read.
    reading: Reading,
    /// What it said of that when the first prompt came.
    came_to: Option<(std::path::PathBuf, u32)>,
    /// The first start-up file that bash gave up, once the start is over.
    unparsed: Option<(std::path::PathBuf, u32)>,
    /// What bash keeps for traps as it was when the round began, until it is known to be another.
    users_own: Option<u64>,
    pub(crate) table: Table,
    forks: [u64; FORKS_MAX],
    forks_seen: usize,
}

/// The state, between stamps; the borrow ends before bash runs anything that could look a variable up.
fn state() -> Option<&'static mut Attribution> {
    // SAFETY: null or a leaked box; bash has one thread, and `BUSY` keeps a stamp out of another.
    unsafe { STATE.load(Relaxed).as_mut() }
}

/// LLE was loaded: what bash runs from now on belongs to the start.
pub(crate) fn begin_start(bash: Bash) {
    if !STATE.load(Relaxed).is_null() {
        return;
    }
    let fresh = Attribution {
        bash,
        last: clock::now(),
        depth: 0,
        outer: Name::default(),
        inner: Name::default(),
        forked: None,
        forked_sum: 0,
        forked_background: 0,
        trapped: false,
        trap_began: None,
        forked_line: None,
        quick_ones: 0,
        skipped: 0,
        prints: false,
        unfinished: 0,
        loaded: clock::now(),
        page: None,
        reading: Reading::Unknown,
        came_to: None,
        unparsed: None,
        users_own: None,
        table: Table::default(),
        forks: [0; FORKS_MAX],
        forks_seen: 0,
    };
    STATE.store(Box::leak(Box::new(fresh)), Relaxed);
    fork::watch();
    if ENABLED.load(Relaxed) {
        pipestatus::hang();
        enter(Phase::Start);
    }
}

/// Says in the record of this start how far it has come, from now on until the first prompt.
pub(crate) fn trace_start(dir: &std::path::Path) {
    if let Some(a) = state().filter(|a| is_in(Phase::Start) && a.bash.source_level.is_some()) {
        a.page = page::Page::open(dir);
    }
}

/// The first start-up file that bash gave up for a syntax error, and the line it was at.
pub(crate) fn unparsed() -> Option<(std::path::PathBuf, u32)> {
    state()?.unparsed.take()
}

/// The shell is about to become another program.
pub(crate) fn start_is_replaced() {
    if let Some(page) = state().and_then(|a| a.page.as_ref()) {
        page.replaced();
    }
}

/// The file and the line at which the start-up files were, when the first prompt came.
pub(crate) fn start_came_to() -> Option<(std::path::PathBuf, u32)> {
    state()?.came_to.clone()
}

/// `PROMPT_COMMAND` is looked up, by bash itself: its commands follow.
pub(crate) fn command_looked_up(now: u64) {
    if is_in(Phase::Start) || BUSY.load(Relaxed) {
        return;
    }
    begin_round(now);
    if is_in(Phase::Command) {
        pipestatus::hang();
    }
}

/// Commands follow that the configuration has run behind `PROMPT_COMMAND`, whether there is one or not.
pub(crate) fn command_goes_on(now: u64) {
    if is_in(Phase::Off) {
        command_looked_up(now);
    }
}

/// `PS1` is looked up, by bash itself: its expansion follows.
pub(crate) fn ps1_looked_up(now: u64) {
    if is_in(Phase::Start) || BUSY.load(Relaxed) {
        return;
    }
    if is_in(Phase::Off) {
        begin_round(now);
    }
    if let Some(a) = state()
        && !is_in(Phase::Off)
    {
        (a.last, a.depth, a.forks_seen) = (now, 0, 0);
        enter(Phase::Expand);
    }
}

fn begin_round(now: u64) {
    let Some(a) = state().filter(|_| ENABLED.load(Relaxed)) else {
        return;
    };
    if a.unfinished >= UNFINISHED_MAX {
        // No line came of them: readline is off. Who would end this one?
        end();
        return;
    }
    a.unfinished += 1;
    (a.last, a.depth, a.forked, a.forks_seen) = (now, 0, None, 0);
    (a.trapped, a.trap_began) = (false, None);
    (a.quick_ones, a.skipped) = (0, 0);
    a.table.clear();
    a.forget_printed();
    (a.prints, a.users_own) = (false, a.kept_text().map(names::fingerprint));
    enter(Phase::Command);
}

/// Divides what follows, or does not.
pub(crate) fn set_enabled(on: bool) {
    ENABLED.store(on, Relaxed);
    // What the start comes to is watched all the same, until its files are read.
    let watches = is_in(Phase::Start) && state().is_some_and(|a| a.reads_files());
    if !on && !is_in(Phase::Off) && !watches {
        end();
    }
}

/// Takes everything off until the next round.
pub(crate) fn end() {
    take_off();
}

/// The same; says whether everything was still in its place.
fn take_off() -> bool {
    enter(Phase::Off);
    pipestatus::take_off()
}

/// LLE sees no lines from now on: nothing is divided until it does.
pub(crate) fn leave() {
    end();
    if let Some(a) = state() {
        a.unfinished = UNFINISHED_MAX;
    }
}

/// The prompt is about to be shown: says what was divided, and takes everything off.
///
/// `ps1` is the text that was expanded.
pub(crate) fn finish(now: u64, ps1: &[u8]) -> Option<Parted> {
    let a = state()?;
    a.unfinished = 0;
    if a.page.is_some() {
        a.leave_page();
    }
    let phase = PHASE.load(Relaxed);
    if a.forks_seen > 0 && (phase == Phase::Start as u8 || phase == Phase::Expand as u8) {
        let seen = a.forks_seen;
        let kept = a.forks.get(..seen).unwrap_or(&a.forks);
        ps1::divide(&mut a.table, ps1, kept, seen, now);
    }
    let of = match phase {
        p if p == Phase::Off as u8 => None,
        p if p == Phase::Start as u8 => a.divides_start(now).then_some(Parted::Start),
        _ => Some(Parted::Prompt),
    };
    let watched = take_off() && phase == Phase::Start as u8;
    a.close_reading(watched);
    of
}

/// Gives `f` the parts of the round that [`finish`] ended. They stay until the next round begins.
pub(crate) fn with_parts<T>(f: impl FnOnce(&mut Table) -> T) -> Option<T> {
    Some(f(&mut state()?.table))
}

/// Runs `f`, whose look-ups of variables are LLE's own and no sign of anything.
pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> T {
    let was_busy = BUSY.swap(true, Relaxed);
    let value = f();
    BUSY.store(was_busy, Relaxed);
    value
}

/// After a panic: no look-up is under way any more.
pub(crate) fn panicked() {
    BUSY.store(false, Relaxed);
}

/// True while a look-up is LLE's own.
pub(crate) fn is_quiet() -> bool {
    BUSY.load(Relaxed)
}

/// This process is a child whose forks the C library does not tell of: it stamps nothing.
pub(crate) fn forget_in_child() {
    enter(Phase::Off);
}

impl Attribution {
    /// The first prompt is there: what the page says of the start is kept.
    #[cold]
    fn leave_page(&mut self) {
        let Some(page) = self.page.take() else { return };
        self.came_to = page.came_to();
        self.unparsed = page.unparsed();
        let (began, stage) = page.into_stage();
        crate::doubt::first_prompt(began, stage);
    }

    /// Whether the time of the start is still divided.
    fn divides_start(&self, now: u64) -> bool {
        ENABLED.load(Relaxed) && now.saturating_sub(self.loaded) <= START_MAX_NS
    }

    fn stamp(&mut self) {
        let trap = self.bash.number(self.bash.running_trap);
        if trap != 0 {
            self.stamp_trap(trap);
            return;
        }
        let depth = self.bash.number(self.bash.variable_context);
        if is_in(Phase::Start) {
            self.note_unparsed();
            if depth == 0 {
                self.note_place();
                if self.note_reading() {
                    crate::rounds::start_up_files_are_read();
                }
                let now = clock::now();
                if self.divides_start(now) {
                    self.stamp_start(now);
                } else if !self.reads_files() {
                    end();
                }
            }
            return;
        }
        let fresh = self.forget_printed();
        self.prints |= fresh;
        let before = std::mem::replace(&mut self.depth, depth);
        if before == 0 && depth > 0 {
            self.outer = self.function(0).unwrap_or_default();
            self.inner = Name::default();
        }
        let in_loop = self.quick_ones >= LOOP_MIN && self.skipped < SKIPPED_MAX;
        let skip = in_loop && depth > 0 && before > 0 && self.forked.is_none();
        let now = if skip { self.last } else { clock::now() };
        let since = now.saturating_sub(self.last);
        if depth > 0 && since < GRAIN_NS {
            self.quick_ones = self.quick_ones.saturating_add(1);
            self.skipped = if skip { self.skipped + 1 } else { 0 };
            if fresh {
                self.forked = None;
            }
            if depth == 1 {
                self.inner = Name::default();
            }
            return;
        }
        let forked = self.forked.take();
        (self.trapped, self.trap_began) = (false, None);
        self.last = now;
        // Many that were quick together, and none of them slow by itself: the loop goes on.
        let goes_on = self.quick_ones >= 2 * LOOP_MIN && since < GRAIN_NS + GRAIN_NS / 2;
        self.quick_ones = if goes_on { LOOP_MIN } else { 0 };
        let skipped = std::mem::take(&mut self.skipped);
        let kind = if is_in(Phase::Expand) {
            PartKind::Expanded
        } else {
            PartKind::Command
        };
        let of_function = depth > 0 || before > depth;
        // One of those that were skipped may have taken the time, whichever ran last.
        let is_any = skipped > 0 && forked.is_none();
        let is_named = !of_function || depth == 1 && before <= 1 && !is_any;
        let ran = match forked {
            None if fresh && is_named => self.printed(),
            forked => forked,
        };
        let outer = if of_function { Some(self.outer) } else { ran };
        let Some(outer) = outer.filter(|name| !name.is_empty()) else {
            return;
        };
        let row = self.table.add(kind, outer, since, None, of_function);
        let inner = match depth {
            0 => Name::default(),
            1 if before > 1 => std::mem::take(&mut self.inner),
            1 if is_any => Name::default(),
            1 => ran.unwrap_or_default(),
            _ => {
                self.inner = self.function(1).unwrap_or_default();
                self.inner
            }
        };
        if !inner.is_empty() {
            self.table
                .add(PartKind::Inner, inner, since, row, depth > 1 || before > 1);
        }
    }

    /// A command of a trap has ended. What it forked for is told by its own name, and is no part of what was running; where it
    /// forked for nothing, it is, since nobody tells that a trap begins.
    fn stamp_trap(&mut self, trap: c_int) {
        self.trapped = true;
        let Some(began) = self.trap_began.take().filter(|_| is_in(Phase::Command)) else {
            return;
        };
        let since = clock::now().saturating_sub(began);
        self.last = self.last.saturating_add(since);
        self.table
            .add(PartKind::Command, Name::of(trap_name(trap)), since, None, false);
    }
}

/// What a trap is called in a prompt: bash keeps its number and one more, and counts its own from `NSIG` on, which is 65 on Linux.
fn trap_name(number: c_int) -> &'static str {
    match number - 1 {
        libc::SIGCHLD => "the trap on CHLD",
        65 => "the trap on DEBUG",
        _ => "a trap",
    }
}
