//! Sessions that ended without a word, and what they did last.
//!
//! Invariants:
//! - A death is told of once: this worker knows it until its file is gone, and the next finds the incident.
//! - That a terminal was closed is no incident, nor that somebody had the shell become another program.

use lle_core::policy::sanitise;
use lle_metrics::{EventKind, Gauge, Snapshot};

use crate::engine::Engine;
use crate::engine::audit::Entry;
use crate::state::{Change, Incident};
use crate::world::{Now, World};

/// The signal of a terminal that is gone, as sessions record it.
const HANG_UP: i64 = 1;
/// Bytes of last words in an incident.
const LAST_WORDS_MAX: usize = 300;

/// What a session that died did last.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    text: String,
    /// It ended because its terminal was closed, or goes on as another program.
    hung_up: bool,
}

impl LastWords {
    /// As the session recorded them.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self {
            text: last_words(snapshot),
            hung_up: hung_up(snapshot) || went_on(snapshot),
        }
    }
}

impl Engine {
    /// A session is gone without a word: its last ones are an incident.
    pub(super) fn report_death<W: World>(&mut self, world: &mut W, now: Now, session: u64) {
        let Some(state) = self.sessions.remove(&session) else {
            return;
        };
        self.buried.insert(session, self.looks);
        if state.last_words().hung_up {
            // That is no incident, and nobody reads its last words.
            world.bury(session);
            return;
        }
        // An earlier worker may have told of it.
        if self
            .state
            .incidents
            .iter()
            .any(|incident| incident.session == Some(session))
        {
            return;
        }
        let what = match state.in_command() {
            Some((version, _)) => {
                self.note_end_in_command(version, state.tty());
                format!(
                    "the session on {} ended in prompt.command, of config version {version}",
                    state.tty()
                )
            }
            None => {
                self.note_crash(state.config_version(), state.is_busy(), state.tty());
                format!("the session on {} ended without a word", state.tty())
            }
        };
        let incident = Incident {
            wall_ns: now.wall_ns,
            session: Some(session),
            what: what.clone(),
            evidence: state.last_words().text.clone(),
        };
        self.record(world, now, &Entry::noticed(&what, &state.last_words().text));
        self.keep(world, now, Change::Incident { incident });
    }
}

/// Whether the session ended because its terminal was closed.
fn hung_up(snapshot: &Snapshot) -> bool {
    // LLE is switched off on the way out.
    let told = |event: &lle_metrics::Event<'_>| event.kind != Some(EventKind::Off);
    let last = snapshot.events().filter(told).last();
    last.is_some_and(|event| event.kind == Some(EventKind::Signal) && event.code == HANG_UP)
}

/// Whether the last thing the session did was to become another program: `exec bash`.
fn went_on(snapshot: &Snapshot) -> bool {
    let mut words = snapshot
        .last_command()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let is_exec = words.next() == Some(b"exec") && words.next().is_some();
    is_exec && snapshot.gauge(Gauge::CommandRunning) == Some(1)
}

/// The line being typed is in the drafts; here is what the session was doing.
fn last_words(snapshot: &Snapshot) -> String {
    let command = String::from_utf8_lossy(snapshot.last_command());
    let mut words = match (snapshot.gauge(Gauge::CommandRunning), command.is_empty()) {
        (_, true) => "nothing is known of what it ran".to_owned(),
        (Some(1), false) => format!("while running: {command}"),
        (_, false) => format!("after: {command}"),
    };
    let last = snapshot.events().last();
    if let Some((kind, code)) = last.and_then(|event| Some((event.kind?, event.code))) {
        let kind: EventKind = kind;
        words.push_str(&format!("; last event: {} ({code})", kind.name()));
    }
    sanitise(&words, LAST_WORDS_MAX).into_owned()
}
