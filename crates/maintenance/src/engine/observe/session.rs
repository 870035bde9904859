//! What is known of one session: who it is, how it has been doing, and what was last seen of it.
//!
//! Invariants:
//! - It is known as long as this worker runs: the next learns it anew. Only what its prompts are like is remembered.
//! - It is folded in place: a look at a session that is known allocates nothing.
//! - The name of its terminal is the session's word: it is made harmless before it is kept.

mod says;

use lle_core::cache::Counted;
use lle_core::health::floor::Floor;
use lle_core::health::sample::Window;
use lle_core::health::view::{Presence, SessionView};
use lle_core::policy::sanitise;
use lle_core::series::noticed::Noticed;
use lle_core::trial::usual::Usual;
use lle_metrics::{Counter, Gauge, Liveness, Snapshot};

use super::death::LastWords;
use super::percent;
use crate::engine::suspects::Prompts;
use crate::world::{Cost, Look, Now};

/// How far ahead of the worker's look a session may have been created, in nanoseconds: its clock is coarse.
const AHEAD_NS: i64 = 1_000_000_000;

/// What is known of a session.
pub(crate) struct SessionState {
    id: u64,
    /// Unused for so long it is idle.
    idle_ns: u64,
    tty: String,
    pid: u32,
    /// When its flight was created: who writes it is read once. None before that.
    created_wall_ns: Option<u64>,
    /// It was created later than it is now: the clock was set back since.
    began_ahead: bool,
    pub(crate) prompts: Prompts,
    /// What it usually takes for what a configuration can move.
    pub(crate) usual: Usual,
    /// The version of the configuration that it went by at the last look.
    pub(crate) goes_by: Option<u64>,
    /// Panics and fallbacks so far, and those that the last look found.
    faults: Option<u64>,
    new_faults: u64,
    liveness: Liveness,
    window: Box<Window>,
    floor: Floor,
    cost: Option<Cost>,
    cpu_percent: Option<f64>,
    /// Keys and commands so far, and when they last changed, on the monotonic clock.
    used: (u64, u64),
    used_at: u64,
    busy: bool,
    /// When the command that is configured for before prompts began, by its own clock, and when that was first seen, on the
    /// monotonic one.
    command_seen: Option<(i64, u64)>,
    /// The last request to give memory back that it was sent, answered or not.
    trim_asked: Option<u64>,
    /// What its caches had counted when the size of one last changed.
    cache_mark: Counted,
    last_words: LastWords,
    seen_at: u64,
    /// The look in which it was seen last.
    seen_in: u64,
}

impl SessionState {
    pub(super) fn new(id: u64, idle_ns: u64, now: Now, known: &Noticed) -> Self {
        let remembered = |known: &Noticed| {
            let named = (!known.prompts.is_empty()).then(|| format!("{id:016x}"));
            Prompts::of(named.and_then(|name| known.prompts.get(&name)))
        };
        Self {
            id,
            idle_ns,
            tty: String::new(),
            pid: 0,
            created_wall_ns: None,
            began_ahead: false,
            prompts: remembered(known),
            usual: Usual::default(),
            goes_by: None,
            faults: None,
            new_faults: 0,
            liveness: Liveness::Unknown,
            window: Box::new(Window::new()),
            floor: Floor::default(),
            cost: None,
            cpu_percent: None,
            used: (0, 0),
            used_at: now.mono_ns,
            busy: false,
            command_seen: None,
            trim_asked: None,
            cache_mark: Counted::default(),
            last_words: LastWords::default(),
            seen_at: now.mono_ns,
            seen_in: 0,
        }
    }

    /// Takes in the look of that number, by an engine that began at that time. Allocates nothing if the session was seen
    /// before, and lives.
    pub(super) fn see(&mut self, now: Now, number: u64, began_wall_ns: u64, look: &Look<'_>) {
        self.seen_in = number;
        self.liveness = look.liveness;
        let Some(snapshot) = look.snapshot else {
            return;
        };
        let is_new = self.created_wall_ns.is_none();
        self.fold(now, look, snapshot);
        // An earlier worker may have changed the size of a cache since this session began.
        if is_new && snapshot.created_wall_ns() < began_wall_ns {
            self.mark_caches();
        }
        if look.liveness == Liveness::Dead {
            self.last_words = LastWords::of(snapshot);
        }
    }

    /// Takes in what it has recorded.
    fn fold(&mut self, now: Now, look: &Look<'_>, snapshot: &Snapshot) {
        if self.created_wall_ns != Some(snapshot.created_wall_ns()) {
            let identity = snapshot.identity();
            (self.pid, self.created_wall_ns) = (identity.pid, Some(identity.created_wall_ns));
            self.tty = sanitise(&identity.tty, 64).into_owned();
        }
        let latest_ns = now.wall_ns.saturating_add(AHEAD_NS).max(0).cast_unsigned();
        self.began_ahead |= snapshot.created_wall_ns() > latest_ns;
        self.window.fold(now.mono_ns, snapshot);
        self.prompts.fold(now, snapshot);
        self.usual.fold(snapshot);
        let faults = snapshot.counter(Counter::Panics) + snapshot.counter(Counter::Fallbacks);
        let before = self.faults.replace(faults).unwrap_or(faults);
        self.new_faults = faults.saturating_sub(before);
        let used = (
            snapshot.counter(Counter::Keys),
            snapshot.counter(Counter::Commands),
        );
        if used != self.used {
            (self.used, self.used_at) = (used, now.mono_ns);
        }
        self.busy = snapshot.gauge(Gauge::CommandRunning) == Some(1);
        let began = snapshot
            .gauge(Gauge::PromptCommandSinceWallNs)
            .filter(|began| *began > 0);
        let seen = |began| match self.command_seen {
            Some((before, seen_ns)) if before == began => (began, seen_ns),
            _ => (began, now.mono_ns),
        };
        self.command_seen = began.map(seen);
        let elapsed = now.mono_ns.saturating_sub(self.seen_at);
        self.cpu_percent =
            percent(self.cost, look.cost, elapsed).or(self.cpu_percent.filter(|_| elapsed == 0));
        self.cost = look.cost;
        self.seen_at = now.mono_ns;
        let idle = self.is_idle(now);
        if let Some(bytes) = self.rss_anon_bytes() {
            self.floor.observe(now.mono_ns, idle, bytes);
        }
    }

    pub(super) fn view(&self, now: Now) -> SessionView<'_> {
        SessionView {
            id: self.id,
            tty: &self.tty,
            pid: self.pid,
            presence: match self.liveness {
                Liveness::Alive => Presence::Alive,
                Liveness::Dead => Presence::Crashed,
                Liveness::Unknown => Presence::Unknown,
            },
            idle: self.is_idle(now),
            window: &self.window,
            floor: &self.floor,
            cpu_percent: self.cpu_percent,
            rss_anon: self.rss_anon_bytes(),
            rss_peak: None,
            uptime_ns: self
                .created_wall_ns
                .map(|created| now.wall_ns.max(0).cast_unsigned().saturating_sub(created)),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn tty(&self) -> &str {
        &self.tty
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// When its flight was created; none before that could be read.
    pub(crate) fn created_wall_ns(&self) -> Option<u64> {
        self.created_wall_ns
    }

    /// Whether a look saw that it was created later than it was then: its beginning cannot be compared with other times.
    pub(crate) fn began_ahead(&self) -> bool {
        self.began_ahead
    }

    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    /// The least memory that it had while idle.
    pub(crate) fn floor(&self) -> &Floor {
        &self.floor
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.liveness == Liveness::Alive
    }

    /// Nobody types and nothing runs.
    pub(crate) fn is_idle(&self, now: Now) -> bool {
        !self.busy && now.mono_ns.saturating_sub(self.used_at) >= self.idle_ns
    }

    /// A command runs in it.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// When somebody last used it, on the monotonic clock.
    pub(super) fn used_at(&self) -> u64 {
        self.used_at
    }

    /// Whether that look saw it.
    pub(super) fn is_in(&self, look: u64) -> bool {
        self.seen_in == look
    }

    /// Whether that look saw it, and could read what it wrote.
    pub(crate) fn was_seen_in(&self, look: u64) -> bool {
        self.is_in(look) && self.created_wall_ns.is_some()
    }

    pub(crate) fn rss_anon_bytes(&self) -> Option<u64> {
        self.cost.map(|cost| cost.rss_anon_bytes)
    }

    /// Panics and fallbacks that the last look found.
    pub(crate) fn new_faults(&self) -> u64 {
        self.new_faults
    }

    /// What its caches have counted since the size of one last changed.
    pub(crate) fn counted(&self) -> Counted {
        Counted::of(&self.window).since(&self.cache_mark)
    }

    /// Counts what caches do from here on.
    pub(crate) fn mark_caches(&mut self) {
        self.cache_mark = Counted::of(&self.window);
    }

    /// Notes that it was asked to give memory back.
    pub(crate) fn note_trim(&mut self, token: u64) {
        self.trim_asked = Some(token);
    }

    /// What it did last; empty while it lives.
    pub(super) fn last_words(&self) -> &LastWords {
        &self.last_words
    }
}
